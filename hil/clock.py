"""Time as the bench meets it: virtual, or real with absolute deadlines."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_SET_TIMER_SLACK, _GET_TIMER_SLACK = 29, 30
_PRIORITY = 10
_LOCK_TOUCHED = 1 | 4  # MCL_CURRENT | MCL_ONFAULT: pages stay once they were touched


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


@contextmanager
def sharp(fifo: bool = True) -> Iterator[str]:
    """While this holds, this thread is woken as sharply as the system allows; gives what is in force.

    On Linux: real-time scheduling (SCHED_FIFO) unless fifo is False, timers without slack, memory that is not paged out.
    Children do not inherit it. What is not allowed is left out, and the text says so.
    """
    if sys.platform != "linux":
        yield "default scheduling"
        return
    libc = ctypes.CDLL(None, use_errno=True)
    slack_ns = libc.prctl(_GET_TIMER_SLACK, 0, 0, 0, 0)
    words = ["timer slack 1 ns"] if libc.prctl(_SET_TIMER_SLACK, 1, 0, 0, 0) == 0 else []
    before, is_fifo = _to_fifo() if fifo else (None, False)
    locked = is_fifo and libc.mlockall(_LOCK_TOUCHED) == 0
    words += ["memory locked"] if locked else []
    try:
        yield ", ".join([f"SCHED_FIFO {_PRIORITY}" if is_fifo else "default scheduling", *words])
    finally:
        if before is not None:
            os.sched_setscheduler(0, *before)
        if locked:
            libc.munlockall()
        libc.prctl(_SET_TIMER_SLACK, max(slack_ns, 0), 0, 0, 0)


def _to_fifo() -> tuple[tuple[int, os.sched_param] | None, bool]:
    """Ask for it: what to go back to, and whether it is in force."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))
    except OSError:
        return None, False
    return before, True
