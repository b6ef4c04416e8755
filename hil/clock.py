"""Time as the bench meets it: virtual, or real with absolute deadlines."""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Protocol


class Clock(Protocol):
    """real: True when ticks take wall time."""

    real: bool

    def start(self) -> None:
        """Begin: time 0 is now."""

    def wait(self, t_ns: int) -> int:
        """Wait until t_ns after the start; returns how late it is [ns], 0 in virtual time."""


class VirtualClock:
    """Nothing waits, nothing is late."""

    real = False

    def start(self) -> None:
        """Nothing to do."""

    def wait(self, t_ns: int) -> int:
        """At once."""
        del t_ns
        return 0


class WallClock:
    """Absolute deadlines on the monotonic clock, so that being late once does not move what follows."""

    real = True

    def __init__(self) -> None:
        self._start_ns = 0
        self.scheduling = _sharpen()

    def start(self) -> None:
        """Time 0 is now."""
        self._start_ns = time.monotonic_ns()

    def now(self) -> int:
        """Time since the start [ns]."""
        return time.monotonic_ns() - self._start_ns

    def wait(self, t_ns: int) -> int:
        """Sleep until the deadline; returns how late we woke [ns]."""
        left_ns = t_ns - self.now()
        if left_ns > 0:
            time.sleep(left_ns * 1e-9)
        return max(self.now() - t_ns, 0)


def _sharpen() -> str:
    """Ask Linux for sharp timers; says what is in force."""
    if sys.platform != "linux":
        return "default scheduling"
    set_timer_slack = 29
    try:
        ctypes.CDLL(None).prctl(set_timer_slack, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return "default scheduling"
    return "default scheduling, timer slack 1 ns"
