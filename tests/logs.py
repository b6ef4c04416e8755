"""A log of frames in all shapes that a bus has, and python-can's view of them."""

from __future__ import annotations

from typing import Any

import can

from hil.record.frame import ERROR, PASSIVE, REMOTE, RX, SWITCHED, TX, LogFrame

EXT, FD = 1, 2
START_NS = 1_795_702_041_153_757_841
# Direction, channel, kinds of id, FD with and without its bits, remote, error, no data, equal times, a time below 1 us.
FRAMES = [
    LogFrame(0, 0, 0x123, RX, 3, b"\x01\x02\x03"),
    LogFrame(1_000, 1, 0x18FF1234, EXT | TX, 8, bytes(range(8))),
    LogFrame(1_000, 0, 0x123, EXT | RX, 1, b"\xff"),  # an extended id that would fit 11 bits
    LogFrame(250_000, 0, 0x7FF, RX, 0, b""),
    LogFrame(1_000_000, 1, 0x200, FD | TX, 12, bytes(range(12))),
    LogFrame(2_000_000, 1, 0x1ABCDEF0, EXT | FD | SWITCHED | RX, 64, bytes(range(64))),
    LogFrame(3_000_000, 1, 0x201, FD | SWITCHED | PASSIVE | RX, 1, b"\x00"),
    LogFrame(4_000_000, 0, 0x300, REMOTE | TX, 5, b""),
    LogFrame(4_500_000, 0, 0x18000300, EXT | REMOTE | RX, 0, b""),
    LogFrame(5_000_000, 0, 0, ERROR, 0, b""),
    LogFrame(3_600_000_000_000, 0, 0x10, TX, 2, b"\xab\xcd"),
]
FINE = LogFrame(3_600_000_000_777, 0, 0x11, TX, 1, b"\x55")


def seen(message: can.Message) -> tuple[Any, ...]:
    """What python-can holds of a frame, but its time, and the direction of error frames."""
    if message.is_error_frame:
        return (message.channel, "error")
    kind = "remote" if message.is_remote_frame else "data"
    bits = message.is_extended_id, message.is_fd, message.bitrate_switch, message.error_state_indicator
    data = b"" if message.is_remote_frame else bytes(message.data)
    return (message.channel, kind, message.arbitration_id, *bits, message.is_rx, message.dlc, data)


def meant(frame: LogFrame) -> tuple[Any, ...]:
    """The same of ours."""
    if frame.flags & ERROR:
        return (frame.channel, "error")
    kind = "remote" if frame.flags & REMOTE else "data"
    bits = tuple(bool(frame.flags & bit) for bit in (EXT, FD, SWITCHED, PASSIVE))
    return (frame.channel, kind, frame.can_id, *bits, not frame.flags & TX, frame.length, frame.data)


def message(frame: LogFrame, base_s: float = 0.0) -> can.Message:
    """A frame for python-can's writers."""
    return can.Message(
        timestamp=base_s + frame.t_ns * 1e-9,
        arbitration_id=frame.can_id,
        is_extended_id=bool(frame.flags & EXT),
        is_fd=bool(frame.flags & FD),
        is_remote_frame=bool(frame.flags & REMOTE),
        is_error_frame=bool(frame.flags & ERROR),
        bitrate_switch=bool(frame.flags & SWITCHED),
        error_state_indicator=bool(frame.flags & PASSIVE),
        channel=frame.channel,
        is_rx=not frame.flags & TX,
        dlc=frame.length,
        data=frame.data,
    )
