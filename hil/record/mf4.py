"""MF4, the ASAM measurement format, bus logging as others read it. Needs asammdf, which is not installed with nabench.

Times are float seconds there: a nanosecond survives for 50 days. The file is held in memory by asammdf.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from firmware_sim.wire.layout import EXTENDED, FD
from hil import files
from hil.errors import BenchError, ScenarioError
from hil.record.frame import ERROR, OWN, PASSIVE, REMOTE, RX, SWITCHED, TX, About, LogFrame, flaw, refuse

_MOST_BYTES = 256 << 20
_HINT = 'MF4 needs the package asammdf, which is not installed; install it with: pip install "nabench[mf4]"'


def require() -> None:
    """Raise BenchError, with how to help it, when asammdf is not there."""
    if find_spec("asammdf") is None:
        raise BenchError(_HINT)


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a file, in order of time. Raises ScenarioError, BenchError."""
    require()
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise refuse(path, "size", f"{size >> 20} MiB", f"at most {_MOST_BYTES >> 20} MiB, because MF4 is read as a whole")
    with path.open("rb") as file:
        begin = file.read(8)
    if begin not in (b"MDF     ", b"UnFinMF "):
        raise ScenarioError(f'{path}: not an MF4 file; expected "MDF" at its begin, found {begin!r}')
    if begin == b"UnFinMF ":
        about.cut = "it was never finished"
    from can.io.mf4 import MF4Reader

    try:
        with MF4Reader(path) as reader:
            start_s = float(getattr(reader, "_start_timestamp", 0.0))
            about.start_ns = round(start_s * 1_000) * 1_000_000 if start_s >= 1.0 else None
            reader._start_timestamp = 0.0  # else float seconds since 1970 leave no nanoseconds
            found = [_frame(message) for message in reader]
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything in there; all mean the same to the user
        raise ScenarioError(f"{path}: not a readable MF4 file of CAN frames: {type(error).__name__}: {error}") from None
    for n, frame in enumerate(sorted(found, key=lambda each: each.t_ns)):
        if wrong := flaw(frame):
            raise refuse(path, f"frame {n}", wrong, "a frame that a bus can carry")
        yield frame


def _frame(message: Any) -> LogFrame:
    flags = (EXTENDED if message.is_extended_id else 0) | (RX if message.is_rx else TX)
    flags |= ERROR if message.is_error_frame else REMOTE if message.is_remote_frame else 0
    if message.is_fd and not message.is_error_frame:
        flags |= FD | (SWITCHED if message.bitrate_switch else 0) | (PASSIVE if message.error_state_indicator else 0)
    channel = message.channel if isinstance(message.channel, int) else 0
    data = b"" if message.is_remote_frame else bytes(message.data)
    length = message.dlc if message.is_remote_frame else len(data)
    return LogFrame(round(message.timestamp * 1e9), channel, message.arbitration_id, flags, length, data)


class Writer:
    """Frames to an MF4 file. Raises BenchError without asammdf."""

    def __init__(self, path: Path, about: About) -> None:
        require()
        import can
        from can.io.mf4 import MF4Writer

        self._message = can.Message
        self._to: Any = MF4Writer(path)
        start_ns = about.start_ns
        self._rest_ns = 0 if start_ns is None else start_ns % 1_000_000
        seconds = 0 if start_ns is None else start_ns // 1_000_000 / 1_000
        self._to._mdf.header.start_time = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        self._to.last_timestamp = self._to._start_time = 0.0

    def put(self, frame: LogFrame) -> None:
        """One record."""
        t_ns, channel, can_id, flags, length, data = frame
        message = self._message(
            timestamp=(t_ns + self._rest_ns) * 1e-9,
            arbitration_id=can_id,
            is_extended_id=bool(flags & EXTENDED),
            is_fd=bool(flags & FD),
            is_remote_frame=bool(flags & REMOTE),
            is_error_frame=bool(flags & ERROR),
            bitrate_switch=bool(flags & SWITCHED),
            error_state_indicator=bool(flags & PASSIVE),
            channel=channel,
            is_rx=not flags & TX,
            dlc=length,
            data=data,
        )
        self._to.on_message_received(message)

    def close(self) -> None:
        """Write the file."""
        self._to.stop()


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """What of a frame this format cannot hold."""
    del about
    if not frame.flags & (RX | TX | OWN):
        yield "that the direction is unknown (written as Rx)"
    if frame.flags & OWN:
        yield "that a frame is the log writer's own, heard back"
