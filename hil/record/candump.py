"""candump logs of can-utils (.log): `(seconds) channel id#data`, written without the column of the direction.

Wireshark refuses that column; a log that has it is read with it. Times are in microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from firmware_sim.wire.layout import EXTENDED, FD
from hil.record.frame import ERROR, OWN, PASSIVE, REMOTE, RX, SWITCHED, TX, About, LogFrame, flaw, refuse
from hil.record.lines import lines

_LINE = re.compile(
    r"\((\d{1,12})\.(\d{1,9})\)\s+(\S{1,32})\s+([0-9A-Fa-f]{1,8})#(?:#([0-9A-Fa-f])([0-9A-Fa-f.]*)|(R)([0-9A-Fa-f]?)"
    r"|([0-9A-Fa-f.]*)(?:_[0-9A-Fa-f])?)(?:\s+([RT]))?"
)
_WANTED = "(seconds.micros) channel id#data"
_ERROR_ID = 0x2000_0000
_ID_MASK = 0x1FFF_FFFF
_BUS_ERROR, _NO_DETAILS = 0x80, bytes(8)  # what SocketCAN says of an error frame of which nothing more is known
_WALL_S = 300_000_000  # a first time after 1979 is a time of day


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a log. Raises ScenarioError with the line."""
    base_ns: int | None = None
    for n, text in lines(path, about):
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise refuse(path, f"line {n}", f'"{text[:80]}"', _WANTED)
        seconds, part, name, id_text, fd_flags, fd_data, is_remote, asked, data_text, way = match.groups()
        stamp_ns = int(seconds) * 1_000_000_000 + int(part.ljust(9, "0"))
        if base_ns is None:
            base_ns = stamp_ns if int(seconds) >= _WALL_S else 0
            about.start_ns = base_ns or None
        t_ns = stamp_ns - base_ns
        if t_ns < 0:
            raise refuse(path, f"line {n}", "a time before that of the first line", "times that go on")
        can_id, flags = int(id_text, 16), {None: 0, "R": RX, "T": TX}[way]
        if can_id & _ERROR_ID and len(id_text) == 8:
            can_id, flags = can_id & _ID_MASK, flags | ERROR
        elif len(id_text) > 3:
            flags |= EXTENDED
        length, data_hex = 0, (data_text or "").replace(".", "")
        if fd_flags is not None:
            data_hex = fd_data.replace(".", "")
            flags |= FD | (SWITCHED if int(fd_flags, 16) & 1 else 0) | (PASSIVE if int(fd_flags, 16) & 2 else 0)
        elif is_remote:
            flags, length = flags | REMOTE, min(int(asked or "0", 16), 8)
        if len(data_hex) % 2:
            raise refuse(path, f"line {n}", f"an odd number of hex digits in the data of {id_text}", "two a byte")
        data = bytes.fromhex(data_hex)
        if flags & ERROR and (can_id, data) == (_BUS_ERROR, _NO_DETAILS):
            can_id, data = 0, b""
        frame = LogFrame(t_ns, about.channel(name), can_id, flags, len(data) or length, data)
        if wrong := flaw(frame):
            raise refuse(path, f"line {n}", wrong, _WANTED)
        yield frame


class Writer:
    """Frames to a candump log. names: of its buses; can0, can1 ... where there are none."""

    def __init__(self, file: TextIO, about: About) -> None:
        self._file, self._base_ns, self._names = file, about.start_ns or 0, about.channels

    def put(self, frame: LogFrame) -> None:
        """One line."""
        t_ns, channel, can_id, flags, length, data = frame
        if flags & ERROR:
            can_id, data = (can_id, data) if can_id or data else (_BUS_ERROR, _NO_DETAILS)
            head = f"{can_id | _ERROR_ID:08X}#"
        else:
            head = f"{can_id:08X}#" if flags & EXTENDED else f"{can_id:03X}#"
        if flags & FD:
            head += f"#{(1 if flags & SWITCHED else 0) | (2 if flags & PASSIVE else 0):X}"
        elif flags & REMOTE:
            head += f"R{length or ''}"
        name = self._names.get(channel, f"can{channel}")
        micros = (self._base_ns + t_ns) // 1_000
        self._file.write(f"({micros // 1_000_000:010d}.{micros % 1_000_000:06d}) {name} {head}{data.hex().upper()}\n")

    def close(self) -> None:
        """Nothing more."""


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """What of a frame this format cannot hold."""
    if frame.flags & (RX | TX | OWN):
        yield "direction"
    if ((about.start_ns or 0) + frame.t_ns) % 1_000:
        yield "time below 1 us"
