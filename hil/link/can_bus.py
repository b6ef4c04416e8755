"""One CAN bus through python-can: frames out, frames in with the time at which they arrived.

One thread owns a bus; nothing runs in the background, so nothing can die unseen. What a bus does badly is either
counted (error frames, remote frames, garbled ones, sends that were refused) or raised as LinkLostError, a sentence.

When a frame arrived: where the interface stamps arrivals (kernel or sender, see _STAMPED), its stamp, put on our
monotonic clock at once, so that a step of the time of day does no harm. Elsewhere the moment of reading; then the frame
may have come any time since the bus was last seen empty, and `blur_ns` says how long that was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import DutError, LinkLostError
from hil.link.spec import NO_BUS, BusSpec

if TYPE_CHECKING:
    import can

# Interfaces whose time stamps are those of arrival, in the time of day of this host.
_STAMPED = ("virtual", "udp_multicast", "socketcan")
# Interfaces that give our own frames back when asked; udp_multicast does so unasked.
_ECHO_ON_REQUEST = ("virtual", "socketcan")
_ECHOING = (*_ECHO_ON_REQUEST, "udp_multicast")
_SEND_TIMEOUT_S = 0.02
_SLICE_NS = 2_000_000  # how long to listen at a stretch where stamps are moments of reading
_OLDEST_NS = 10_000_000_000
_NEWEST_NS = 1_000_000
_RECEIVE_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived. t_ns: on the monotonic clock.  blur_ns: it may have come this much earlier."""

    t_ns: int
    can_id: int
    flags: int
    data: bytes
    blur_ns: int


@dataclass
class Counts:
    """What a bus did that was no frame for us: error and remote frames, garbled ones, refused sends."""

    errors: int = 0
    remote: int = 0
    garbled: int = 0
    refused: int = 0


class CanBus:
    """An open bus. bitrate: of the network, where the description has none.  fd: the network has CAN FD frames.

    reopened: channel, options and whether they come from python-can's configuration, to open it a second time.
    Raises DutError when it cannot be opened.
    """

    def __init__(self, spec: BusSpec, bitrate: int, fd: bool) -> None:
        self.spec = spec
        self.name = spec.text or NO_BUS
        self.counts = Counts()
        self.reopened: tuple[str | None, dict[str, Any], bool] = (spec.channel, {}, spec.interface is None)
        self._bus, self.interface = self._open(spec, bitrate, fd)
        self.is_stamped = self.interface in _STAMPED
        self.echoes = self.interface in _ECHOING
        self._empty_ns = time.monotonic_ns()
        self._widen()

    def _open(self, spec: BusSpec, bitrate: int, fd: bool) -> tuple[can.BusABC, str]:
        import can

        options: dict[str, Any] = dict(spec.options)
        if spec.interface is not None:
            options.setdefault("bitrate", bitrate)
        if fd:
            options.setdefault("fd", True)
        if spec.interface == "slcan":
            options.setdefault("sleep_after_open", 0)
        if spec.interface in _ECHO_ON_REQUEST:
            options.setdefault("receive_own_messages", True)
        interface = spec.interface if spec.interface is not None else _configured()
        self.reopened = (spec.channel, options, spec.interface is None)
        try:
            if spec.interface == "slcan":
                from hil.link.slcan import Slcan

                return Slcan(spec.channel or "", **options), interface
            return can.Bus(channel=spec.channel, interface=spec.interface, **options), interface
        except Exception as error:  # noqa: BLE001 - every driver raises its own; all mean that the bus did not open
            raise DutError(f'bus "{self.name}" cannot be opened: {_reason(error)}') from None

    def _widen(self) -> None:
        """Room for a burst in the socket: what does not fit is lost without a word."""
        if self.interface not in ("udp_multicast", "socketcan"):
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._bus.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the bus refused it for now (its queue is full). Raises LinkLostError."""
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
                raise LinkLostError(f'bus "{self.name}" was lost while sending: {_reason(error)}') from None
            self.counts.refused += 1
            return False
        return True

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then (monotonic; the past: only look). Raises LinkLostError."""
        while True:
            now = time.monotonic_ns()
            left_ns = max(until_ns - now, 0)
            wait_ns = left_ns if self.is_stamped else min(left_ns, _SLICE_NS)
            message, well = self._read(wait_ns * 1e-9)
            if message is None:
                ended = time.monotonic_ns()
                if well:
                    self._empty_ns = ended
                if ended >= until_ns:
                    return None
            elif message.is_error_frame:
                self.counts.errors += 1
            elif message.is_remote_frame:
                self.counts.remote += 1
            else:
                return self._frame(message)

    def _read(self, timeout_s: float) -> tuple[can.Message | None, bool]:
        """A message or None, and False when what came was garbled. Raises LinkLostError."""
        import can

        try:
            return self._bus.recv(timeout_s), True
        except (ValueError, IndexError, KeyError):  # half a line on a serial port
            self.counts.garbled += 1
        except (can.CanError, OSError) as error:
            if not _is_garble(error):
                raise LinkLostError(f'bus "{self.name}" was lost: {_reason(error)}') from None
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
        if self.is_stamped:
            stamp = now - (wall - round(message.timestamp * 1e9))
            if now - _OLDEST_NS <= stamp <= now + _NEWEST_NS:
                t_ns, blur_ns = min(stamp, now), now - before
        return Frame(t_ns, message.arbitration_id, flags, bytes(message.data), blur_ns)

    def close(self) -> None:
        """Close the bus; one that is lost already is closed too."""
        with contextlib.suppress(Exception):  # a driver whose device is gone may raise anything here
            self._bus.shutdown()


def _configured() -> str:
    """The interface that python-can's own configuration names. Raises DutError when there is none."""
    import can

    try:
        return str(can.util.load_config()["interface"])
    except Exception as error:  # noqa: BLE001 - a broken configuration file may raise anything
        raise DutError(
            "no bus was named, and python-can's own configuration gives none; name one (as in udp_multicast:239.74.163.2) "
            f"or set CAN_INTERFACE and CAN_CHANNEL ({_reason(error)})"
        ) from None


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


def _reason(error: BaseException) -> str:
    """What the innermost error says, in one line."""
    last = list(_chain(error))[-1]
    text = str(last).strip() or str(error).strip() or type(last).__name__
    return text.splitlines()[0]
