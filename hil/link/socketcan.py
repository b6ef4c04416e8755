"""A CAN bus of the Linux kernel (SocketCAN), by its raw socket.

One system call a frame and none for the time: controller or kernel stamp each frame (hil.link.stamps), and the kernel counts
what found no room in the socket. Error and remote frames are told aside; a controller that went
bus-off is gone.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from collections import deque
from typing import Any

from firmware_sim.wire.layout import EXTENDED, FD
from hil.link import ethtool, stamps
from hil.link.frame import Aside, Counts, Frame, GoneError, Tell, first, to_nobody
from hil.record.frame import ERROR, PASSIVE, REMOTE, SWITCHED

OPTIONS = frozenset({"bitrate", "data_bitrate", "fd", "receive_own_messages"})
_CLASSIC, _LONG = struct.Struct("=IB3x8s"), struct.Struct("=IBB2x64s")  # struct can_frame, struct canfd_frame
_EXTENDED, _REMOTE, _ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000
_MASKS = (0x7FF, 0x1FFF_FFFF)
_BUS_OFF = 0x40
_ALL_ERRORS = 0x1FFF_FFFF
_FAST, _PASSIVE = 0x01, 0x02  # CANFD_BRS, CANFD_ESI
_CAN_RAW_ERR_FILTER = 2
_SO_RXQ_OVFL, _SO_RCVBUFFORCE = 40, 33
_ROOM = socket.CMSG_SPACE(stamps.SIZE) + socket.CMSG_SPACE(4)
_BUFFER = 1 << 20
_MOST = 256  # frames in one go
_SEND_NS, _REST_S = 20_000_000, 0.0005


class SocketCan:
    """An open interface. channel: as in `ip link`.  options: those of OPTIONS. Raises OSError, ValueError."""

    def __init__(self, channel: str, options: dict[str, Any]) -> None:
        self.counts = Counts()
        self.echoes = bool(options.get("receive_own_messages", False))
        self.tell: Tell = to_nobody
        self._ready: deque[Frame | Aside] = deque()
        self._gone = ""
        self._times = stamps.Stamps()
        about = ethtool.about(channel)
        self.stamp_ns = about.stamp_ns
        self._socket = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
        try:
            self._set_up(channel, bool(options.get("fd")))
            if about.hardware:
                ethtool.stamp_all(self._socket, channel)
        except BaseException:
            self._socket.close()
            raise

    @property
    def stamps(self) -> str:
        """Who stamped the frames so far, the least of them."""
        return self._times.source

    def _set_up(self, channel: str, fd: bool) -> None:
        s, raw = self._socket, socket.SOL_CAN_RAW
        if fd:
            s.setsockopt(raw, socket.CAN_RAW_FD_FRAMES, 1)
        s.setsockopt(raw, socket.CAN_RAW_RECV_OWN_MSGS, int(self.echoes))
        s.setsockopt(raw, _CAN_RAW_ERR_FILTER, _ALL_ERRORS)
        s.setsockopt(socket.SOL_SOCKET, stamps.SO_TIMESTAMPING, stamps.WANTED)
        s.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        try:
            s.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        except OSError:  # beyond the limit of this system only with CAP_NET_ADMIN
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        s.setblocking(False)
        s.bind((channel,))

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the queue of the interface stays full. Raises GoneError."""
        number = can_id | (_EXTENDED if flags & EXTENDED else 0)
        frame = _LONG.pack(number, len(data), _FAST, data) if flags & FD else _CLASSIC.pack(number, len(data), data)
        end_ns = 0
        while True:
            try:
                self._socket.send(frame)
            except OSError as error:
                if error.errno not in (errno.ENOBUFS, errno.EAGAIN):
                    raise GoneError(error.strerror) from None
                now = time.monotonic_ns()
                end_ns = end_ns or now + _SEND_NS
                if now >= end_ns:
                    self.counts.refused += 1
                    return False
                time.sleep(_REST_S)
            else:
                return True

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then. Raises GoneError."""
        while True:
            if (frame := first(self._ready, self._gone, self.tell)) is not None:
                return frame
            now = time.monotonic_ns()
            left_ns = until_ns - now
            if left_ns > 0:
                select.select([self._socket], [], [], left_ns * 1e-9)
                now = time.monotonic_ns()
            self._drain(now)
            if not self._ready and now >= until_ns:
                return None

    def _drain(self, now: int) -> None:
        """Take all that is there. now: on the monotonic clock."""
        looked = False
        for _ in range(_MOST):
            try:
                raw, extra, _, _ = self._socket.recvmsg(_LONG.size, _ROOM)
            except BlockingIOError:
                self._times.empty(now)
                return
            except OSError as error:
                raise GoneError(error.strerror) from None
            if not looked:
                looked, before = True, time.monotonic_ns()
                self._times.look(time.time_ns() - before, max(now, before))
            self._take(raw, extra)

    def _take(self, raw: bytes, extra: list[tuple[int, int, bytes]]) -> None:
        number, length = _CLASSIC.unpack_from(raw)[:2] if len(raw) == _CLASSIC.size else _LONG.unpack_from(raw)[:2]
        t_ns, blur_ns = self._times.arrival(stamps.of(extra))
        for level, kind, content in extra:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                self.counts.lost = int.from_bytes(content[:4], "little")
        extended = bool(number & _EXTENDED)
        if number & _ERROR:
            self.counts.errors += 1
            self._ready.append(Aside(t_ns, number & _ALL_ERRORS, ERROR, length, raw[8 : 8 + length]))
            if number & _BUS_OFF:
                self._gone = "the controller went bus-off"
            return
        if number & _REMOTE:
            self.counts.remote += 1
            flags = REMOTE | (EXTENDED if extended else 0)
            self._ready.append(Aside(t_ns, number & _MASKS[extended], flags, min(length, 8), b""))
            return
        flags, fast = EXTENDED if extended else 0, 0
        if len(raw) == _LONG.size:
            flags |= FD
            fast = (SWITCHED if raw[5] & _FAST else 0) | (PASSIVE if raw[5] & _PASSIVE else 0)
        self._ready.append(Frame(t_ns, number & _MASKS[extended], flags, raw[8 : 8 + length], blur_ns, fast))

    def close(self) -> None:
        """Close it."""
        self._socket.close()
