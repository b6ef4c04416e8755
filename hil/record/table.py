"""CSV of frames: one row a frame, everything that a log can say, times in whole nanoseconds.

The first row names the columns; the time of day of time 0 stands in a comment before it, where it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import nearest
from hil.record.frame import ERROR, OWN, PASSIVE, REMOTE, RX, SWITCHED, TX, About, LogFrame, flaw, refuse
from hil.record.lines import lines

COLUMNS = ("t_ns", "channel", "direction", "id", "format", "kind", "length", "data")
_DIRECTIONS = {"": 0, "rx": RX, "tx": TX, "own": RX | OWN}
_FORMATS = {"std": 0, "ext": EXTENDED}
_KINDS = {"data": 0, "remote": REMOTE, "error": ERROR, "fd": FD, "fd+brs": FD | SWITCHED, "fd+esi": FD | PASSIVE,
          "fd+brs+esi": FD | SWITCHED | PASSIVE}  # fmt: skip
_START = "# start_ns="


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a table. Raises ScenarioError with the line."""
    is_headed = False
    for n, text in lines(path, about):
        if not is_headed:
            if text.startswith(_START):
                start = text.removeprefix(_START)
                if not start.isdecimal() or len(start) > 19:
                    raise refuse(path, f"line {n}", f'"{text[:60]}"', f"{_START}NANOSECONDS")
                about.start_ns = int(start)
            elif text.split(",") == list(COLUMNS):
                is_headed = True
            else:
                raise refuse(path, f"line {n}", f'"{text[:80]}"', f"the header {','.join(COLUMNS)}")
            continue
        frame = _frame(path, n, text.split(","))
        if wrong := flaw(frame):
            raise refuse(path, f"line {n}", wrong, "a frame that a bus can carry")
        yield frame
    if not is_headed and not about.cut:
        raise refuse(path, "line 1", "an empty file", f"the header {','.join(COLUMNS)}")


def _frame(path: Path, n: int, cells: list[str]) -> LogFrame:
    where = f"line {n}"
    if len(cells) != len(COLUMNS):
        raise refuse(path, where, f"{len(cells)} columns", f"{len(COLUMNS)}: {','.join(COLUMNS)}")
    t, channel, way, can_id, form, kind, length, data = cells
    for name, word, known in (("direction", way, _DIRECTIONS), ("format", form, _FORMATS), ("kind", kind, _KINDS)):
        if word not in known:
            raise refuse(
                path, where, f'{name} "{word[:20]}"', f"one of {', '.join(repr(k) for k in known)}{nearest(word, known)}"
            )
    try:
        numbers = [_number(word, base) for word, base in ((t, 10), (channel, 10), (can_id, 16), (length, 10))]
        payload = bytes.fromhex(data)
    except ValueError:
        raise refuse(path, where, f'"{",".join(cells)[:80]}"', "numbers; id and data in hex") from None
    flags = _DIRECTIONS[way] | _FORMATS[form] | _KINDS[kind]
    return LogFrame(numbers[0], numbers[1], numbers[2], flags, numbers[3], payload)


def _number(word: str, base: int) -> int:
    if len(word) > 20 or "_" in word:
        raise ValueError(word)
    return int(word, base)


class Writer:
    """Frames to a table."""

    def __init__(self, file: TextIO, about: About) -> None:
        self._file = file
        if about.start_ns is not None:
            file.write(f"{_START}{about.start_ns}\n")
        file.write(",".join(COLUMNS) + "\n")

    def put(self, frame: LogFrame) -> None:
        """One row."""
        t_ns, channel, can_id, flags, length, data = frame
        way = "tx" if flags & TX else "own" if flags & OWN else "rx" if flags & RX else ""
        if flags & FD:
            kind = "fd" + ("+brs" if flags & SWITCHED else "") + ("+esi" if flags & PASSIVE else "")
        else:
            kind = "remote" if flags & REMOTE else "error" if flags & ERROR else "data"
        form = "ext" if flags & EXTENDED else "std"
        self._file.write(f"{t_ns},{channel},{way},0x{can_id:X},{form},{kind},{length},{data.hex()}\n")

    def close(self) -> None:
        """Nothing more."""


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """Nothing of a frame is lost."""
    del frame, about
    yield from ()
