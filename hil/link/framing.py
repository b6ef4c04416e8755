"""What framings of CAN over a serial line share: all that is there is read at once, and it is known when nothing was."""

from __future__ import annotations

import time
from collections import deque

from hil.link.frame import STAMP_NS, Counts, Frame
from hil.link.port import BLOCK, Port

SEND_NS = 20_000_000
_SLICE_NS = 2_000_000  # how long to listen at a stretch, so that a time of arrival is known this well


class Framing:
    """An open line. A framing says what a block of bytes holds: _take puts frames into _ready."""

    stamps, stamp_ns = "host", STAMP_NS["host"]
    echoes = False

    def __init__(self, port: Port) -> None:
        self.counts = Counts()
        self._port = port
        self._ready: deque[Frame] = deque()
        self._empty_ns = time.monotonic_ns()

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then. Raises GoneError."""
        while not self._ready:
            left_ns = max(until_ns - time.monotonic_ns(), 0)
            block = self._port.read(min(left_ns, _SLICE_NS))
            now = time.monotonic_ns()
            self._take(block, now)
            if len(block) < BLOCK // 2:
                self._empty_ns = now  # all that was there was read
            if not block and now >= until_ns:
                return None
        return self._ready.popleft()

    def _take(self, block: bytes, now: int) -> None:
        """Cut what came into frames; what is not whole yet waits."""
        raise NotImplementedError
