"""The bench: seven hops a tick, and the record of what happened.

    advance -> sense -> send -> the device -> answer -> record

Between the hops stand the hooks; staged is the gear for everything, fused the one for the emulator alone.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hil.bus import summary
from hil.clock import Clock, VirtualClock, WallClock
from hil.dut import Dut, Fed, Paced, Torn
from hil.errors import ScenarioError
from hil.rig import Rig
from hil.setup import Setup
from hil.trace import UNTORN, Trace

Hook = Callable[[Rig], None]
Progress = Callable[[int, int], None]


@dataclass
class Hooks:
    """Functions called in every tick: after the sensors were read, after frames were disturbed, after the answer."""

    sensed: list[Hook] = field(default_factory=list)
    sent: list[Hook] = field(default_factory=list)
    answered: list[Hook] = field(default_factory=list)


class Bench:
    """A rig and a device, moved tick by tick."""

    def __init__(self, setup: Setup, dut: Dut, clock: Clock | None = None) -> None:
        if setup.rig.bus is not None and not dut.lockstep:
            raise ScenarioError(
                f"{setup.network.path}: arbitration = true models a bus for a device in lockstep; "
                "this device is on a real one, so use a network without it"
            )
        self.setup, self.rig, self.dut = setup, setup.rig, dut
        self.clock: Clock = (VirtualClock() if dut.lockstep else WallClock()) if clock is None else clock
        if isinstance(dut, Paced):
            dut.pace(self.clock)
        self._fed = dut if isinstance(dut, Fed) else None
        self.hooks = Hooks()
        self.late_ns: list[int] = []
        self.untorn_ns: list[int] = []
        self._resets = list(setup.resets_ns)

    def start(self) -> None:
        """Power the device and start the clock."""
        self.dut.start(0)
        self.clock.start()

    def tick(self) -> None:
        """One tick, staged."""
        rig = self.rig
        if self.clock.real:
            self.late_ns.append(self.clock.wait(rig.t_ns))
        self._reset_if_due()
        rig.advance()
        rig.sense()
        for hook in self.hooks.sensed:
            hook(rig)
        if self._fed is not None:
            self._fed.feed()
        image, events = rig.send()
        for hook in self.hooks.sent:
            hook(rig)
        reply, reply_events = self.dut.exchange(rig.t_ns, image, events)
        rig.answer(reply, reply_events)
        for hook in self.hooks.answered:
            hook(rig)
        rig.record()

    def _reset_if_due(self) -> None:
        while self._resets and self._resets[0] <= self.rig.t_ns:
            at_ns = self._resets.pop(0)
            self.reset(at_ns if at_ns in self.setup.torn_ns else None)

    def reset(self, torn_ns: int | None = None) -> None:
        """Take the device's supply away for an instant: its coils drop, it starts again.

        torn_ns: start of the fault that wants this in the middle of a write to memory; None when nobody does.
        """
        self.rig.release(self.rig.t_ns)
        if torn_ns is None or not isinstance(self.dut, Torn):
            self.untorn_ns += [] if torn_ns is None else [torn_ns]
            self.dut.reset(self.rig.t_ns)
        elif not self.dut.tear(self.rig.t_ns):
            self.untorn_ns.append(torn_ns)

    def run(self, n_ticks: int, progress: Progress | None = None) -> None:
        """Run n_ticks, staged."""
        report_every = max(n_ticks // 100, 1)
        with quiet_memory():
            for k in range(n_ticks):
                self.tick()
                if progress is not None and k % report_every == 0:
                    progress(k, n_ticks)
        if progress is not None:
            progress(n_ticks, n_ticks)

    def run_fused(self, n_ticks: int) -> None:
        """Run n_ticks in compiled calls; the emulator only, in virtual time, without hooks."""
        from hil.dut import fused
        from hil.dut.emulator import Emulator

        if self.rig.bus is not None:
            raise ScenarioError(
                f"{self.setup.network.path}: a bus with arbitration = true runs in the staged gear; "
                "for the fused one use a network without it"
            )
        assert isinstance(self.dut, Emulator)
        assert type(self.dut).exchange is Emulator.exchange
        end = self.rig.k + n_ticks
        with quiet_memory():
            while self.rig.k < end:
                self._reset_if_due()
                until = end
                if self._resets:
                    until = min(until, -(-self._resets[0] // self.rig.dt_ns))
                fused.run(self.rig, self.dut, until - self.rig.k)

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = {UNTORN: list(self.untorn_ns)} if self.untorn_ns else {}
        if self.rig.bus is not None:
            info["bus"] = summary.of(self.rig.bus, self.rig.t_ns)
        return info

    def trace(self) -> Trace:
        """All that was recorded so far."""
        rig = self.rig
        chunks = rig.take_records()
        return Trace(
            dt_ns=rig.dt_ns,
            truth=np.concatenate([c.truth for c in chunks]),
            cells=np.concatenate([c.cells for c in chunks]),
            cells_every=rig.cells_every,
            touched=self.setup.touched,
            sides=np.concatenate([c.sides for c in chunks]),
            parameters=tuple(".".join(str(x) for x in address) for address in rig.addresses.tolist()),
            parameter=np.concatenate([c.parameters for c in chunks]),
            journal=np.concatenate([c.log for c in chunks]),
            late_ns=np.array(self.late_ns[: rig.k], np.int64),
            info=self._info(),
            lost_frames=int(
                sum(c.log_count[1] + c.bus_count[1] for c in chunks)
                + rig.events.count[1]
                + rig.faults.lost_frames
                + (0 if rig.bus is None else rig.bus.lost)
            ),
            bus=np.concatenate([c.bus for c in chunks]),
        )


@contextmanager
def quiet_memory() -> Iterator[None]:
    """Keep the garbage collector out of the loop."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
