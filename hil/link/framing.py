"""What framings of CAN over a serial line share: all that is there is read at once, and it is known when nothing was."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque

from hil.link.frame import STAMP_NS, Aside, Counts, Frame, Tell, first, to_nobody
from hil.link.port import BLOCK, Port

SEND_NS = 20_000_000
_SLICE_NS = 2_000_000  # how long to listen at a stretch, so that a time of arrival is known this well


class Framing(ABC):
    """An open line. A framing says what a block of bytes holds: _take puts it into _ready; into _gone, why no more can come."""

    stamps, stamp_ns = "host", STAMP_NS["host"]
    echoes = False

    def __init__(self, port: Port) -> None:
        self.counts = Counts()
        self._port = port
        self.tell: Tell = to_nobody
        self._ready: deque[Frame | Aside] = deque()
        self._gone = ""
        self._empty_ns = time.monotonic_ns()

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then. Raises GoneError."""
        while True:
            if (frame := first(self._ready, self._gone, self.tell)) is not None:
                return frame
            left_ns = max(until_ns - time.monotonic_ns(), 0)
            block = self._port.read(min(left_ns, _SLICE_NS))
            now = time.monotonic_ns()
            self._take(block, now)
            if len(block) < BLOCK // 2:
                self._empty_ns = now  # all that was there was read
            if not block and now >= until_ns:
                return None

    @abstractmethod
    def _take(self, block: bytes, now: int) -> None:
        """Cut what came into frames; what is not whole yet waits."""
