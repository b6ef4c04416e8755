"""Ctrl-C and a request to terminate (what a CI sends that cancels) end a command alike: what is under way is left safely.

The first signal breaks in as KeyboardInterrupt. The second passes by, so that an impatient hand does not break the leaving
of the device, which takes a tenth of a second. From the third on they break in again, should the leaving hang.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last on Windows only


class Stopped(KeyboardInterrupt):
    """Somebody wants an end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def number_of(stopped: KeyboardInterrupt) -> int:
    """Which signal it was."""
    return stopped.number if isinstance(stopped, Stopped) else int(signal.SIGINT)


def name_of(number: int) -> str:
    """How people call it."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


@contextmanager
def heeded() -> Iterator[None]:
    """While this holds, a request to terminate breaks in as Ctrl-C does. One that is ignored stays so."""
    came = []

    def break_in(number: int, _frame: FrameType | None) -> None:
        """Raises Stopped, but lets the second request pass, so that what the first began can end."""
        came.append(number)
        if len(came) != 2:
            raise Stopped(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers if is_main}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, break_in)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
