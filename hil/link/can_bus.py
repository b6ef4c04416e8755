"""One CAN bus: frames out, frames in with the time at which they arrived, whatever kind of wire it is.

slcan, python-can's serial framing and the kernel's SocketCAN have readers of our own (hil.link.slcan, .serial_frames,
.socketcan) as long as they know all options that the description has; everything else goes through python-can. One
thread owns a bus; nothing runs in the background, so nothing can die unseen. What a bus does badly is either counted
(see Counts) or raised as LinkLostError, a sentence.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from hil.errors import DutError, LinkLostError
from hil.link.frame import Counts, Frame, GoneError, Tell, Wire
from hil.link.spec import NO_BUS, BusSpec

__all__ = ["CanBus", "Counts", "Frame"]


class CanBus:
    """An open bus. bitrate: of the network, where the description has none.  fd: the network has CAN FD frames.

    device: stand at the device's end, so be the adapter on a serial line, and do not hear ourselves.
    reopened: channel, options and whether they come from python-can's configuration, to open it a second time.
    Raises DutError when it cannot be opened.
    """

    def __init__(self, spec: BusSpec, bitrate: int, fd: bool, device: bool = False) -> None:
        self.spec = spec
        self.name = spec.text or NO_BUS
        self.interface = spec.interface if spec.interface is not None else _configured()
        options: dict[str, Any] = dict(spec.options)
        if spec.interface is not None:
            options.setdefault("bitrate", bitrate)
        if fd:
            options.setdefault("fd", True)
        more = {"sleep_after_open": 0} if spec.interface == "slcan" else {}
        self.reopened: tuple[str | None, dict[str, Any], bool] = (spec.channel, {**more, **options}, spec.interface is None)
        try:
            self._wire = _open(spec, self.interface, options, device)
        except Exception as error:  # noqa: BLE001 - every driver raises its own; all mean that the bus did not open
            from hil.link.python_can import reason_of

            raise DutError(f'bus "{self.name}" cannot be opened: {reason_of(error)}') from None

    @property
    def counts(self) -> Counts:
        """What was no frame for us."""
        return self._wire.counts

    @property
    def stamps(self) -> str:
        """Who says when a frame arrived: hardware, kernel, sender or host."""
        return self._wire.stamps

    @property
    def stamp_ns(self) -> int:
        """How well that is known [ns]."""
        return self._wire.stamp_ns

    @property
    def is_stamped(self) -> bool:
        """True when a time of arrival is more than the moment of reading."""
        return self._wire.stamps != "host"

    @property
    def echoes(self) -> bool:
        """True when it gives our own frames back, so that it can be proven alive."""
        return self._wire.echoes

    def tell(self, whom: Tell) -> None:
        """Who is told of error and remote frames, while frames are received."""
        self._wire.tell = whom

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the bus refused it for now (its queue is full). Raises LinkLostError."""
        try:
            return self._wire.send(can_id, flags, data)
        except GoneError as error:
            raise LinkLostError(f'bus "{self.name}" was lost while sending: {error}') from None

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then (monotonic; the past: only look). Raises LinkLostError."""
        try:
            return self._wire.receive(until_ns)
        except GoneError as error:
            raise LinkLostError(f'bus "{self.name}" was lost: {error}') from None

    def close(self) -> None:
        """Close the bus; one that is lost already is closed too."""
        with contextlib.suppress(Exception):  # a driver whose device is gone may raise anything here
            self._wire.close()


def _open(spec: BusSpec, interface: str, options: dict[str, Any], device: bool) -> Wire:
    """The wire of a description: our own reader where there is one that knows all its options."""
    if spec.interface == "slcan" and sys.platform != "win32":
        from hil.link import slcan

        if options.keys() <= slcan.OPTIONS:
            return slcan.Slcan(spec.channel or "", options, device)
    if spec.interface == "serial" and sys.platform != "win32":
        from hil.link import serial_frames

        if options.keys() <= serial_frames.OPTIONS:
            return serial_frames.SerialFrames(spec.channel or "", options)
    if spec.interface == "socketcan" and sys.platform == "linux":
        from hil.link import socketcan

        if options.keys() <= socketcan.OPTIONS:
            options.setdefault("receive_own_messages", not device)
            return socketcan.SocketCan(spec.channel or "", options)
    from hil.link.python_can import PythonCan

    return PythonCan(spec.interface, interface, spec.channel, options)


def _configured() -> str:
    """The interface that python-can's own configuration names. Raises DutError when there is none."""
    import can

    from hil.link.python_can import reason_of

    try:
        return str(can.util.load_config()["interface"])
    except Exception as error:  # noqa: BLE001 - a broken configuration file may raise anything
        raise DutError(
            "no bus was named, and python-can's own configuration gives none; name one (as in udp_multicast:239.74.163.2) "
            f"or set CAN_INTERFACE and CAN_CHANNEL ({reason_of(error)})"
        ) from None
