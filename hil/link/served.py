"""The emulator as a device of its own: in wall time, at the far end of a bus.

It works as a task of firmware would: every tick it takes the frames that have arrived since the last one, runs, and
sends. Frames carry their time of arrival, so ticks that come late are made up for with the frames that belonged to them;
only a standstill of more than STANDSTILL_NS is not made up for. The supply frame of the bench switches it off (silent)
and on (cold start); without one it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hil.clock import WallClock, sharp
from hil.dut.emulator import Emulator
from hil.link.link import Link
from hil.link.match import Catcher, Reader
from hil.link.supply import Supply
from hil.network import Network

STANDSTILL_NS = 1_000_000_000
_MOST_FRAMES = 4_096


@dataclass
class Report:
    """What a served device did. late_ns: how late its worst tick was.  scheduling: what was in force."""

    n_ticks: int = 0
    sent: int = 0
    received: int = 0
    starts: int = 1
    missed: int = 0
    late_ns: int = 0
    scheduling: str = ""

    def text(self, dt_ns: int) -> str:
        """One line."""
        return (
            f"served {self.n_ticks * dt_ns / 1e9:.1f} s, {self.starts} power-ups, {self.received} frames in, {self.sent} out; "
            f"missed {self.missed} of {self.n_ticks} ticks, worst {self.late_ns / 1e6:.1f} ms late"
        )


class Served:
    """An emulator on a link. clock: its own; it starts with the first tick."""

    def __init__(self, dut: Emulator, network: Network, link: Link, clock: WallClock) -> None:
        self.dut, self.link, self.clock = dut, link, clock
        self.catcher = Catcher(network.to_dut, network.from_dut)
        self.reader = Reader(network.from_dut)
        self.supply = Supply()
        self.report = Report()
        self._on = True
        self._base_ns = 0

    def run(self, stopped: Callable[[], bool]) -> Report:
        """Work until told to stop. Raises LinkLostError."""
        with sharp() as self.report.scheduling:
            return self._work(stopped)

    def _work(self, stopped: Callable[[], bool]) -> Report:
        dt_ns = self.dut.dt_ns
        self.dut.start(0)
        self.clock.start()
        self._base_ns = time.monotonic_ns() - self.clock.now()
        t_ns = dt_ns
        while not stopped():
            self._listen(t_ns)
            late_ns = max(self.clock.wait(t_ns), 0)
            if late_ns > STANDSTILL_NS:
                t_ns += late_ns // dt_ns * dt_ns
            self.tick(t_ns)
            self.report.n_ticks += 1
            self.report.missed += late_ns > dt_ns
            self.report.late_ns = max(self.report.late_ns, late_ns)
            t_ns += dt_ns
        return self.report

    def _listen(self, until_ns: int) -> None:
        """Collect frames until a time of the clock; a time that has passed: those that are there."""
        for _ in range(_MOST_FRAMES):
            got = self.link.receive(self._base_ns + until_ns)
            if got is None:
                break
            bus, frame = got
            t_ns = frame.t_ns - self._base_ns
            self.report.received += self.catcher.put(bus, frame, t_ns)
            order = self.supply.read(frame) if bus == 0 else None
            if order is not None:
                self._switch(t_ns, *order)

    def _switch(self, t_ns: int, on: bool, erase: bool) -> None:
        if on and not self._on:
            self.catcher.take(t_ns)  # what came while it was off is gone
            self.report.starts += 1
            if erase:
                self.dut.start(t_ns // self.dut.dt_ns * self.dut.dt_ns)
            else:
                self.dut.reset(t_ns // self.dut.dt_ns * self.dut.dt_ns)
        self._on = on

    def tick(self, t_ns: int) -> None:
        """One task at t_ns: take what has arrived before, run, send."""
        image, events = self.catcher.take(t_ns)
        if not self._on:
            return
        reply, others = self.dut.exchange(t_ns - self.dut.dt_ns, image, events)
        for frame in self.reader.frames(reply, others):
            self.report.sent += self.link.send(frame.bus, frame.can_id, frame.flags, frame.data)
