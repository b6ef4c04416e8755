"""When a frame of the kernel's CAN arrived: by the hardware's clock, the kernel's, or ours, whichever is nearest to the bus.

The kernel gives two stamps with a frame (SO_TIMESTAMPING): its own, of the time of day, when the driver handed the frame up,
and one of the controller's clock where there is one, which counts from any zero at a rate of its own.

The kernel's stamp is never before the frame: it is late by an interrupt, a transfer over USB, a busy processor. So the smallest
distance between the two stamps of a frame is the nearest to that of the clocks. It is kept, and let grow by what two crystals
part in the meantime. A mapped time is therefore never later than the kernel's stamp; it has none of its jitter, but still
the shortest of its delays, which nobody can see from here.

When the time of day was put, the stamps of frames that were waiting count on the old one: they are not believed.
"""

from __future__ import annotations

import socket
import struct
import time

SO_TIMESTAMPING = 37  # SO_TIMESTAMPING_OLD: three times of two longs
# SOF_TIMESTAMPING_: RX_HARDWARE and RX_SOFTWARE make stamps, SOFTWARE and RAW_HARDWARE give them.
WANTED = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6
SIZE = struct.calcsize("@6l")
_TIMES = struct.Struct("@6l")  # the kernel's, one of old times, the hardware's
_SECOND_NS = 1_000_000_000
_PART = 5_000  # two crystals of 100 ppm part by a 5,000th
_RESTART_NS = 50_000_000  # a kernel's stamp that is later than this behind the hardware's: its clock began anew, it seems
_OLDEST_NS, _NEWEST_NS = 10 * _SECOND_NS, 50_000_000  # stamps beyond are of a clock that was put
_PUT_NS = 1_000_000


class Mapped:
    """A clock of hardware on the monotonic one. restarts: how often it began anew."""

    def __init__(self) -> None:
        self._apart_ns: int | None = None
        self._last_ns = 0
        self.restarts = 0

    def at(self, hardware_ns: int, kernel_ns: int) -> int:
        """The time of a frame on the monotonic clock, at most kernel_ns, the kernel's stamp on it."""
        apart_ns = kernel_ns - hardware_ns
        if self._apart_ns is None:
            self._apart_ns = apart_ns
        elif apart_ns - self._apart_ns > _RESTART_NS:
            self._apart_ns, self.restarts = apart_ns, self.restarts + 1  # a mere delay does no harm: the next frame ends it
        else:
            self._apart_ns = min(apart_ns, self._apart_ns + max(kernel_ns - self._last_ns, 0) // _PART)
        self._last_ns = max(self._last_ns, kernel_ns)
        return hardware_ns + self._apart_ns


class Stamps:
    """Times of arrival of the frames of one socket. hardware, kernel, host: how many frames had their time from there."""

    def __init__(self) -> None:
        self.hardware = self.kernel = self.host = 0
        self._clock = Mapped()
        self._ahead_ns: int | None = None
        self._believed = True
        self._now_ns = self._empty_ns = time.monotonic_ns()

    @property
    def source(self) -> str:
        """Who stamped the frames so far, the least of them: hardware, kernel or host; kernel before the first."""
        if self.host:
            return "host"
        return "hardware" if self.hardware and not self.kernel else "kernel"

    def look(self, ahead_ns: int, now_ns: int) -> None:
        """Frames are taken now (monotonic); ahead_ns: how far the time of day is ahead of it."""
        self._believed = self._ahead_ns is None or abs(ahead_ns - self._ahead_ns) < _PUT_NS
        self._ahead_ns, self._now_ns = ahead_ns, now_ns

    def empty(self, at_ns: int) -> None:
        """Nothing was left in the socket at that time."""
        self._empty_ns = at_ns

    def arrival(self, content: bytes) -> tuple[int, int]:
        """(t_ns, blur_ns) of a frame: its time, and how much earlier it may have come.

        content: of the kernel's SO_TIMESTAMPING message; empty when there was none.
        """
        seconds, part, _, _, hardware_s, hardware_part = _TIMES.unpack_from(content) if content else (0,) * 6
        kernel_ns, hardware_ns = seconds * _SECOND_NS + part, hardware_s * _SECOND_NS + hardware_part
        now_ns = self._now_ns
        if kernel_ns and self._believed:
            kernel_ns -= self._ahead_ns or 0
            if now_ns - _OLDEST_NS <= kernel_ns <= now_ns + _NEWEST_NS:
                if hardware_ns:
                    self.hardware += 1
                    return self._clock.at(hardware_ns, kernel_ns), 0
                self.kernel += 1
                return kernel_ns, 0
        self.host += 1
        return now_ns, max(now_ns - self._empty_ns, 0)


def of(extra: list[tuple[int, int, bytes]]) -> bytes:
    """The content of the time stamp message among those that came with a frame; empty when there is none."""
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING and len(content) >= SIZE:
            return content
    return b""
