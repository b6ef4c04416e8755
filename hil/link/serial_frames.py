"""CAN frames over a serial line in python-can's own framing (its interface `serial`).

    AA, four bytes of time, length, four bytes of id (bit 31: extended, 30: remote, 29: error), data, BB; little-endian

python-can's reader waits a tenth of a second for every byte that does not come, which no tick survives; this one takes
all that is there at once. After noise it looks for the next start that has its end in the right place. The time is the
sender's own and means nothing here. No CAN FD.
"""

from __future__ import annotations

import contextlib
import struct
import time
from typing import Any

from firmware_sim.wire.layout import EXTENDED, FD
from hil.link.frame import Aside, Frame
from hil.link.framing import SEND_NS, Framing
from hil.link.port import Port
from hil.record.frame import ERROR, REMOTE

OPTIONS = frozenset({"bitrate", "baudrate", "rtscts", "fd"})
_HEAD = struct.Struct("<BIBI")
_START, _END = 0xAA, 0xBB
_EXTENDED, _REMOTE, _ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000
_MASKS = (0x7FF, 0x1FFF_FFFF)


class SerialFrames(Framing):
    """A serial line with frames. channel: see hil.link.port.  options: those of OPTIONS. Raises OSError, ValueError."""

    def __init__(self, channel: str, options: dict[str, Any]) -> None:
        if options.get("fd"):
            raise ValueError("this framing has no CAN FD; the network has CAN FD frames")
        super().__init__(Port(channel, int(options.get("baudrate", 115_200)), bool(options.get("rtscts"))))
        self._rest = b""

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the line has no room for it now. Raises GoneError, ValueError for CAN FD."""
        if flags & FD:
            raise ValueError("this framing has no CAN FD")
        number = can_id | (_EXTENDED if flags & EXTENDED else 0)
        stamp = time.monotonic_ns() // 1_000_000 & 0xFFFF_FFFF
        if self._port.write(b"%b%b\xbb" % (_HEAD.pack(_START, stamp, len(data), number), data), SEND_NS):
            return True
        self.counts.refused += 1
        return False

    def _take(self, block: bytes, now: int) -> None:
        """Cut what came into frames; what is not whole yet waits."""
        data, at = self._rest + block, 0
        while True:
            start = data.find(_START, at)
            self.counts.garbled += start != at and at < len(data)
            if start < 0:
                self._rest = b""
                return
            if start + _HEAD.size > len(data):
                break
            _, _, length, number = _HEAD.unpack_from(data, start)
            end = start + _HEAD.size + length
            if length > 8:
                at = self._skip(start)
                continue
            if end >= len(data):
                break
            if data[end] != _END:
                at = self._skip(start)
                continue
            self._enter(number, data[start + _HEAD.size : end], now)
            at = end + 1
        self._rest = data[start:]

    def _skip(self, start: int) -> int:
        """What looked like a start was none."""
        self.counts.garbled += 1
        return start + 1

    def _enter(self, number: int, data: bytes, now: int) -> None:
        extended = bool(number & _EXTENDED)
        can_id = number & _MASKS[True]
        if number & _ERROR:
            self.counts.errors += 1
            self._ready.append(Aside(now, can_id, ERROR, len(data), data))
        elif number & _REMOTE:
            self.counts.remote += 1
            self._ready.append(Aside(now, can_id, REMOTE | (EXTENDED if extended else 0), len(data), b""))
        elif can_id > _MASKS[extended]:
            self.counts.garbled += 1
        else:
            self._ready.append(Frame(now, can_id, EXTENDED if extended else 0, data, now - self._empty_ns))

    def close(self) -> None:
        """Close the port."""
        with contextlib.suppress(OSError):
            self._port.close()
