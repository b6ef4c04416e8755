"""The bench's ears on a wire, and its heart: frames are taken until a time, and the heart beats meanwhile.

A guardian counts the beats; when the loop stands still it makes the device safe, and the next beat says so. A bus is alive
while anything is heard on it, our own frames included where the interface gives them back; `blind` keeps the stretches in
which it could not be proven alive, and when and why the run broke off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from firmware_sim.types import MS_NS
from hil.clock import WallClock
from hil.errors import DutError, SafeStopError
from hil.link import guardian
from hil.link.frame import Frame
from hil.link.link import Link
from hil.link.match import Catcher

MISSED = "the bench missed its own heartbeat"
DEAF_NS = 200 * MS_NS
_COMPANY_NS = 30 * MS_NS
_MOST_FRAMES = 4_096


class Ears:
    """Of one link, from `open` on. catcher: makes an empty one for what comes.  on_beat: called with every beat, may raise.

    base_ns: monotonic time of time 0.  alive_ns, spoke_ns: when anything, and the device, was heard last.
    blind: [from, to, why].  stopped: why the guardian acted, empty while it did not.
    """

    def __init__(self, catcher: Callable[[], Catcher], on_beat: Callable[[], None]) -> None:
        self._new_catcher, self._on_beat = catcher, on_beat
        self._link: Link | None = None
        self.catcher = catcher()
        self.guard = guardian.Guard()
        self.base_ns = self.alive_ns = self.spoke_ns = 0
        self.blind: list[list[Any]] = []
        self.stopped = ""
        self.beat_ns = 0  # monotonic; 0: the heart begins anew
        self._most_ns = guardian.CALM_NS

    def open(self, link: Link) -> None:
        """Hear a link."""
        self._link = link

    def now(self) -> int:
        """Time on the clock in use [ns]."""
        return time.monotonic_ns() - self.base_ns

    def restart(self) -> WallClock:
        """A clock of our own, for the time before and after the run."""
        clock = WallClock()
        clock.start()
        self._count_from(clock)
        return clock

    def begin(self, clock: WallClock, t_ns: int) -> None:
        """Times count on the bench's clock from here on, and the heart must beat as in a run."""
        self._count_from(clock)
        self.alive_ns = t_ns
        self.guard.watch()
        self.beat_ns, self._most_ns = time.monotonic_ns(), guardian.SILENCE_NS

    def _count_from(self, clock: WallClock) -> None:
        self.base_ns = time.monotonic_ns() - clock.now()
        self.forget()

    def forget(self) -> None:
        """Drop what was heard."""
        self.catcher = self._new_catcher()

    # ---- the heart

    def beat(self) -> None:
        """The loop is well. Raises SafeStopError when it stood still for so long that the guardian acted, or is gone."""
        now_ns = time.monotonic_ns()
        why = self.guard.fired()
        if self.beat_ns and now_ns - self.beat_ns > self._most_ns and not why:
            why = f"no heartbeat of the bench's loop for {(now_ns - self.beat_ns) / 1e6:.0f} ms"
        if why:
            self.stopped = why
            raise SafeStopError(f"{MISSED}: {why}; the device was made safe")
        self.beat_ns = now_ns
        self.guard.beat()
        self._on_beat()

    def pulse(self) -> None:
        """Beat, whatever the guardian did: the device is being made safe anyway."""
        self.beat_ns = 0
        with suppress(SafeStopError):
            self.beat()

    # ---- the ears

    def refuse_company(self) -> None:
        """Two benches on a bus would contradict each other. Raises DutError."""
        assert self._link is not None
        until_ns = time.monotonic_ns() + _COMPANY_NS
        while (got := self._link.receive(until_ns)) is not None:
            if self.catcher.echo(*got):
                raise DutError(
                    f'bus "{self._link.name}": somebody else sends 0x{got[1].can_id:X}, which the bench must send; '
                    "is another bench at work on this bus, or does the network not fit the device?"
                )

    def listen(self, until_ns: int) -> None:
        """Collect frames until a time; a time that has passed: those that are there."""
        for _ in range(_MOST_FRAMES):
            got = self._next(self.base_ns + until_ns)
            if got is None:
                break
            bus, frame = got
            self.alive_ns = max(frame.t_ns - self.base_ns, 0)
            if self.catcher.put(bus, frame, self.alive_ns):
                self.spoke_ns = self.alive_ns

    def _next(self, until_ns: int) -> tuple[int, Frame] | None:
        """The next frame until a time (monotonic); the heart beats meanwhile."""
        assert self._link is not None
        while True:
            slice_ns = min(until_ns, time.monotonic_ns() + guardian.BEAT_NS)
            got = self._link.receive(slice_ns)
            if got is not None or slice_ns >= until_ns:
                return got
            self.beat()

    def look_alive(self, now_ns: int) -> None:
        """Note a stretch in which nothing at all was heard."""
        if now_ns - self.alive_ns <= DEAF_NS:
            return
        if self.blind and self.blind[-1][0] == self.alive_ns:
            self.blind[-1][1] = now_ns
        else:
            why = "nothing at all was heard on the bus, so it could not be proven alive"
            self.blind.append([self.alive_ns, now_ns, why])
