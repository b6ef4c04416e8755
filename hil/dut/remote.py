"""A device at the far end of a real or virtual bus, in wall time: tick by tick, while the plant moves.

How it is powered up before and left safe after is hil.dut.powered. What is not known is said: `late_ns` is how long after its
noted time a frame left, or how long the bench had not looked when one came; `stamp_ns` is what always remains; `blind` is
when the bus could not be proven alive. Over a serial line a silent device cannot be told from a broken line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire.layout import Events, Image
from hil.benchfile import BenchFile
from hil.clock import Clock, WallClock
from hil.dut import listing
from hil.dut.ears import DEAF_NS
from hil.dut.powered import SPARE_NS, Powered
from hil.errors import BenchError, DutError, LinkLostError, SafeStopError
from hil.link.pacing import AHEAD_NS, VERY_LATE_NS, Record, send_paced
from hil.link.supply import CYCLE_NS as SUPPLY_CYCLE_NS
from hil.network import Network
from hil.rig import Rig

_QUIET_NS = 20 * MS_NS  # a device that has said nothing for so long has lost its supply
_MOST_OFF_NS = 200 * MS_NS


class Remote(Powered):
    """A device behind a bus description. See hil.dut.powered.Powered. Raises ScenarioError."""

    def __init__(self, rig: Rig, network: Network, text: str, bench: BenchFile | None = None) -> None:
        super().__init__(rig, network, text, bench)
        self.late_ns: list[int] = []
        self._late_frames: list[tuple[int, int]] = []
        self._clock: Clock | None = None
        self._supply_ns = 0
        self._off_ns: int | None = None
        self._departures = Record(listing.names(network))

    def pace(self, clock: Clock) -> None:
        """Learn the bench's clock."""
        if not clock.real:
            raise BenchError("a remote device lives in wall time; the bench's clock is virtual")
        self._clock = clock

    def feed(self) -> None:
        """Values for instruments go to them; frames carry no value of what reaches the device otherwise."""
        if self._feeder is not None:
            with self._loss_noted():
                self._feeder.post(self._rig.values[0])
            self._rig.values[:, self._blank] = np.nan

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """Send the frames of the tick, each at its time, and take what arrives until its end."""
        if not self.late_ns:
            self._begin(t_ns)
        ears, end_ns = self._ears, t_ns + self._rig.dt_ns
        with self._loss_noted():
            ears.beat()
            self._switch(t_ns)
            frames = self._reader.frames(image, events)
            late_ns = send_paced(frames, ears.now, ears.listen, self._send, self._departures)
            ears.listen(end_ns - SPARE_NS)
        if late_ns > VERY_LATE_NS:
            self._late_frames.append((t_ns, late_ns))
        self.late_ns.append(max(late_ns, ears.catcher.take_blur()))
        ears.look_alive(end_ns)
        return ears.catcher.take(end_ns, aside=self._off_ns is not None)

    @contextmanager
    def _loss_noted(self) -> Iterator[None]:
        """A link that breaks in here leaves a note for the judge."""
        ears = self._ears
        try:
            yield
        except SafeStopError as error:
            ears.blind.append([max(ears.beat_ns - ears.base_ns, 0), 1 << 62, str(error)])
            raise
        except LinkLostError as error:
            self._lost = str(error)
            from_ns = min([ears.alive_ns, *(row[0] for row in self._untold())])
            ears.blind.append([from_ns, 1 << 62, str(error)])
            raise

    def _begin(self, t_ns: int) -> None:
        """Times count on the bench's clock from here on."""
        if not isinstance(self._clock, WallClock):
            raise BenchError("a remote device was not told the bench's clock")
        self._supply_ns = t_ns
        self._ears.begin(self._clock, t_ns)

    def _switch(self, t_ns: int) -> None:
        """Say every cycle whether the supply is on; after a reset it comes back when the device has fallen silent."""
        if self._off_ns is not None:
            silent = t_ns - max(self._ears.spoke_ns, self._off_ns) >= _QUIET_NS
            if self._is_down() and (silent or t_ns - self._off_ns >= _MOST_OFF_NS):
                self._off_ns, self._supply_ns = None, t_ns
                self._power_on()
        if t_ns >= self._supply_ns:
            self._supply_ns += SUPPLY_CYCLE_NS
            self._order(on=self._off_ns is None)

    def _untold(self) -> list[list[Any]]:
        """The stretch in which an instrument has not said yet that it was set."""
        late = None if self._feeder is None else self._feeder.untold()
        if late is None:
            return []
        return [[max(late[0] - self._ears.base_ns, 0), 1 << 62, f'instrument "{late[1]}" did not say that it was set']]

    def reset(self, t_ns: int) -> None:
        """Take the supply away until the device is silent; non-volatile memory survives.

        What still comes while the supply is off was under way: it is noted, but the pack's I/O unit does not obey it.
        """
        if self._options.switched_by == "none":
            raise DutError(
                f"at {t_ns / 1e9:g} s the device should lose its supply, but with supply=none the bench cannot do that"
            )
        with self._loss_noted():
            self._order(on=False)
        self._off_ns = t_ns

    def notes(self) -> dict[str, Any]:
        """How well times are known, when the bus was deaf, and what else came."""
        if self._link is None:
            return {}
        ears, boot_ns = self._ears, self._options.boot_ns
        return {
            "bus": self._link.name,
            "stamp_ns": AHEAD_NS + max(bus.stamp_ns for bus in self._link.buses),
            "instrument_ns": {} if self._feeder is None else self._feeder.delays_ns(),
            "stamps": sorted({bus.stamps for bus in self._link.buses}),
            "scheduling": self._scheduling,
            "boot_ns": boot_ns + _MOST_OFF_NS if boot_ns else 0,
            "pacing": self._departures.as_dict(),
            "late_frames": [list(row) for row in self._late_frames],
            "blind": [*ears.blind, *(row for row in self._untold() if ears.now() - row[0] > DEAF_NS)],
            "lost": self._lost,
            "guardian": ears.guard.kind,
            "safe_stop": ears.stopped,
            "unknown_ids": {f"{bus}:0x{can_id:X}": n for (bus, can_id), n in sorted(ears.catcher.unknown.items())},
            "counts": self._link.counts(),
            **({} if self._feeder is None else {"instruments": self._feeder.notes()}),
        }
