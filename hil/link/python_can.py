"""A bus through python-can: every interface that has no reader of our own.

A frame arrived where the interface stamps arrivals (kernel or sender, see _STAMPED) at its stamp, put on our monotonic
clock at once, so that a step of the time of day does no harm; elsewhere at the moment of reading, and then it may have
come any time since the bus was last seen empty.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from firmware_sim.wire.layout import EXTENDED, FD
from hil.link import ethtool
from hil.link.frame import STAMP_NS, Aside, Counts, Frame, GoneError, Tell, to_nobody
from hil.record.frame import ERROR, PASSIVE, REMOTE, SWITCHED

if TYPE_CHECKING:
    import can

# Interfaces whose time stamps are those of arrival, in the time of day of this host, and who makes them.
_STAMPED = {"virtual": "sender", "udp_multicast": "kernel", "socketcan": "kernel"}
# Interfaces that give our own frames back when asked; udp_multicast does so unasked.
_ECHO_ON_REQUEST = ("virtual", "socketcan")
_ECHOING = (*_ECHO_ON_REQUEST, "udp_multicast")
_SEND_TIMEOUT_S = 0.02
_SLICE_NS = 2_000_000  # how long to listen at a stretch where stamps are moments of reading
_OLDEST_NS = 10_000_000_000
_NEWEST_NS = 1_000_000
_RECEIVE_BUFFER = 4 << 20


class PythonCan:
    """An open bus.

    interface: None takes python-can's own configuration, whose interface is `named`. Raises what the driver raises.
    """

    def __init__(self, interface: str | None, named: str, channel: str | None, options: dict[str, Any]) -> None:
        import can

        if interface == "slcan":
            options.setdefault("sleep_after_open", 0)
        if interface in _ECHO_ON_REQUEST:
            options.setdefault("receive_own_messages", True)
        self.counts = Counts()
        self.tell: Tell = to_nobody
        self._bus = can.Bus(channel=channel, interface=interface, **options)
        self._is_stamped = named in _STAMPED
        self.stamps = _STAMPED.get(named, "host")
        self.stamp_ns = ethtool.about(channel or "").stamp_ns if named == "socketcan" else STAMP_NS[self.stamps]
        self.echoes = named in _ECHOING
        self._empty_ns = time.monotonic_ns()
        if named in ("udp_multicast", "socketcan"):
            self._widen()

    def _widen(self) -> None:
        """Room for a burst in the socket: what does not fit is lost without a word."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._bus.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the bus refused it for now (its queue is full). Raises GoneError."""
        import can

        message = can.Message(
            arbitration_id=can_id,
            is_extended_id=bool(flags & EXTENDED),
            is_fd=bool(flags & FD),
            bitrate_switch=bool(flags & FD),
            data=data,
            check=True,
        )
        try:
            self._bus.send(message, timeout=_SEND_TIMEOUT_S)
        except (can.CanError, OSError) as error:
            if not _is_busy(error):
                raise GoneError(reason_of(error)) from None
            self.counts.refused += 1
            return False
        return True

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then (monotonic; the past: only look). Raises GoneError."""
        while True:
            now = time.monotonic_ns()
            left_ns = max(until_ns - now, 0)
            wait_ns = left_ns if self._is_stamped else min(left_ns, _SLICE_NS)
            message, well = self._read(wait_ns * 1e-9)
            if message is None:
                ended = time.monotonic_ns()
                if well:
                    self._empty_ns = ended
                if ended >= until_ns:
                    return None
            elif message.is_error_frame or message.is_remote_frame:
                self._put_aside(message)
            else:
                return self._frame(message)

    def _put_aside(self, message: can.Message) -> None:
        """Count and tell an error or a remote frame."""
        if message.is_error_frame:
            self.counts.errors += 1
        else:
            self.counts.remote += 1
        flags = ERROR if message.is_error_frame else REMOTE | (EXTENDED if message.is_extended_id else 0)
        data = bytes(message.data)[:8] if message.is_error_frame else b""
        length = len(data) if message.is_error_frame else min(message.dlc, 8)
        self.tell(Aside(self._frame(message).t_ns, message.arbitration_id & 0x1FFF_FFFF, flags, length, data))

    def _read(self, timeout_s: float) -> tuple[can.Message | None, bool]:
        """A message or None, and False when what came was garbled. Raises GoneError."""
        import can

        try:
            return self._bus.recv(timeout_s), True
        except (ValueError, IndexError, KeyError):  # half a line on a serial port
            self.counts.garbled += 1
        except (can.CanError, OSError) as error:
            if not _is_garble(error):
                raise GoneError(reason_of(error)) from None
            self.counts.garbled += 1
            flush = getattr(self._bus, "flush", None)
            if flush is not None:
                with contextlib.suppress(can.CanError, OSError):
                    flush()
        return None, False

    def _frame(self, message: can.Message) -> Frame:
        flags = (EXTENDED if message.is_extended_id else 0) | (FD if message.is_fd else 0)
        before = time.monotonic_ns()
        wall = time.time_ns()
        now = time.monotonic_ns()
        t_ns, blur_ns = now, now - self._empty_ns
        if self._is_stamped:
            stamp = now - (wall - round(message.timestamp * 1e9))
            if now - _OLDEST_NS <= stamp <= now + _NEWEST_NS:
                t_ns, blur_ns = min(stamp, now), now - before
        fast = (SWITCHED if message.bitrate_switch else 0) | (PASSIVE if message.error_state_indicator else 0)
        return Frame(t_ns, message.arbitration_id, flags, bytes(message.data), blur_ns, fast if message.is_fd else 0)

    def close(self) -> None:
        """Close the bus; one that is lost already is closed too."""
        with contextlib.suppress(Exception):  # a driver whose device is gone may raise anything here
            self._bus.shutdown()


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _is_busy(error: BaseException) -> bool:
    """True when a send failed only because a queue was full."""
    names = ("CanTimeoutError", "SerialTimeoutException")
    return any(type(e).__name__ in names or getattr(e, "errno", None) == errno.ENOBUFS for e in _chain(error)) or (
        "buffer full" in str(error).lower()
    )


def _is_garble(error: BaseException) -> bool:
    """True when what came was no frame, though the bus itself is well."""
    causes = list(_chain(error))[1:]
    return any(isinstance(e, ValueError | TypeError | AttributeError | KeyError) for e in causes) and not any(
        isinstance(e, OSError) for e in causes
    )


def reason_of(error: BaseException) -> str:
    """What the innermost error says, in one line."""
    last = list(_chain(error))[-1]
    text = str(last).strip() or str(error).strip() or type(last).__name__
    return text.splitlines()[0]
