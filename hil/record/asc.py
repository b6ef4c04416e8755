"""ASC logs of Vector's tools: text, one event a line, times in seconds since the start of the measurement.

The date in its head is local time and known to the millisecond. `base dec` and `timestamps relative` (each time counts from
the event before) are read too; we write hex, absolute, microseconds. Events that are no frames are skipped and counted.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import ScenarioError
from hil.record.frame import ERROR, FD_LENGTHS, OWN, PASSIVE, REMOTE, RX, SWITCHED, TX, About, LogFrame, flaw, refuse
from hil.record.lines import lines

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH_OF = {**{name: n + 1 for n, name in enumerate(_MONTHS)}, "Mär": 3, "Mai": 5, "Okt": 10, "Dez": 12}
_DATE = re.compile(
    r"(?:date|begin\s+triggerblock)\s+\S+\s+(\S+)\s+(\d{1,2})\s+(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:\s+([aApP][mM]))?\s+(\d{4})",
    re.IGNORECASE,
)
_BASE = re.compile(r"base\s+(hex|dec)(?:\s+timestamps\s+(absolute|relative))?", re.IGNORECASE)
_HEAD = re.compile(r"(?://|date\s|(no\s+)?internal\s+events|begin\s+trigger|end\s+trigger|\d+\.\d+\.\d+)", re.IGNORECASE)
_EVENT = re.compile(r"(\d{1,10})\.(\d{1,9})\s+(\S.*)")
_NO_DATE_YEAR = 1970
_DIRECTIONS = {"rx": RX, "tx": TX, "txrq": TX}
_WANTED = "an event of an ASC log"


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a log. Raises ScenarioError with the line."""
    base, is_relative, last_ns, ended, seen = 16, False, 0, False, False
    for n, text in lines(path, about):
        if not text:
            continue
        event = _EVENT.fullmatch(text)
        if event is None:
            seen = True
            if match := _BASE.match(text):
                base, is_relative = (16 if match[1].lower() == "hex" else 10), (match[2] or "").lower() == "relative"
            elif match := _DATE.match(text):
                about.start_ns = _start(path, n, match)
            elif not _HEAD.match(text):
                raise refuse(path, f"line {n}", f'"{text[:80]}"', _WANTED)
            ended = text.lower().startswith("end trigger")
            continue
        if not seen:
            raise refuse(path, f"line {n}", "an event before the head", 'a line that begins with "date" or "base"')
        stamp_ns = int(event[1]) * 1_000_000_000 + int(event[2].ljust(9, "0"))
        last_ns = stamp_ns + last_ns if is_relative else stamp_ns
        try:
            frame = _event(last_ns, event[3].split(), base)
        except (ValueError, IndexError, KeyError):
            raise refuse(path, f"line {n}", f'"{text[:80]}"', "a frame as ASC writes it") from None
        if isinstance(frame, str):
            about.skipped.update([frame] if frame else [])
            continue
        if wrong := flaw(frame):
            raise refuse(path, f"line {n}", wrong, "a frame that a bus can carry")
        yield frame
    if not seen and not about.cut:
        raise ScenarioError(f'{path}: not an ASC log; expected a line that begins with "date" or "base"')
    if not ended and not about.cut:
        about.cut = 'there is no "End TriggerBlock"'


def _start(path: Path, n: int, match: re.Match[str]) -> int | None:
    """Time of day of the head's date, local; None for the year that says that there is none."""
    month, day, hour, minute, second, fraction, half, year = match.groups()
    number = _MONTH_OF.get(month.encode("latin-1", "replace").decode("utf-8", "replace"), _MONTH_OF.get(month))
    if int(year) == _NO_DATE_YEAR:
        return None
    try:
        hours = int(hour) if half is None else int(hour) % 12 + (12 if half.lower() == "pm" else 0)
        moment = datetime.datetime(int(year), number or 0, int(day), hours, int(minute), int(second)).astimezone()
    except (ValueError, OverflowError, OSError):
        raise refuse(path, f"line {n}", f'"{match[0][:60]}"', 'a date as in "date Thu Nov 26 13:45:00.000 2026"') from None
    return int(moment.timestamp()) * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def _event(t_ns: int, words: list[str], base: int) -> LogFrame | str:
    """A frame, or the kind of event that is none."""
    if words[0] == "CANFD":
        return _fd(t_ns, words[1:], base)
    if words[0] == "Start":
        return ""
    if not words[0].isdecimal() or len(words) < 2:
        return "other events"
    channel = int(words[0]) - 1
    if words[1].lower() == "errorframe":
        return LogFrame(t_ns, channel, 0, ERROR, 0, b"")
    if words[1].lower() in ("statistic:", "j1939tp"):
        return "other events"
    can_id, flags = _id(words[1], base)
    flags |= _DIRECTIONS[words[2].lower()]
    length = int(words[4], 16) if len(words) > 4 and len(words[4]) == 1 else 0
    if words[3].lower() == "r":
        return LogFrame(t_ns, channel, can_id, flags | REMOTE, min(length, 8), b"")
    if words[3].lower() != "d":
        return "other events"
    length = min(length, 8) if len(words[4]) == 1 else int(words[4], base)
    return LogFrame(t_ns, channel, can_id, flags, length, _bytes(words[5 : 5 + length], base))


def _fd(t_ns: int, words: list[str], base: int) -> LogFrame | str:
    """Words: channel direction id [name] brs esi dlc length data ..."""
    channel, flags = int(words[0]) - 1, FD | _DIRECTIONS[words[1].lower()]
    if words[2].lower() == "errorframe":
        return LogFrame(t_ns, channel, 0, ERROR | (flags & (RX | TX)), 0, b"")
    can_id, extended = _id(words[2], base)
    rest = words[3:] if words[3] in ("0", "1") and words[4] in ("0", "1") else words[4:]
    flags |= extended | (SWITCHED if rest[0] == "1" else 0) | (PASSIVE if rest[1] == "1" else 0)
    length = int(rest[3])
    wire = [word for word in rest[4 + length :] if word]
    if len(wire) >= 3 and not int(wire[2], 16) & 0x1000:  # bit 12 of the flags: the frame is CAN FD
        flags &= ~(FD | SWITCHED | PASSIVE)
        if int(wire[2], 16) & 0x10:
            return LogFrame(t_ns, channel, can_id, flags | REMOTE, min(int(rest[2], 16), 8), b"")
    elif length != FD_LENGTHS[int(rest[2], 16)]:
        raise ValueError(rest[3])
    return LogFrame(t_ns, channel, can_id, flags, length, _bytes(rest[4 : 4 + length], base))


def _id(word: str, base: int) -> tuple[int, int]:
    if len(word) > 11 or "_" in word or word[0] in "+-":
        raise ValueError(word)
    return (int(word[:-1], base), EXTENDED) if word[-1] in "xX" else (int(word, base), 0)


def _bytes(words: list[str], base: int) -> bytes:
    return bytes(int(word, base) for word in words)


class Writer:
    """Frames to an ASC log."""

    def __init__(self, file: TextIO, about: About) -> None:
        start_ns = about.start_ns
        self._file, self._rest_ns = file, 0 if start_ns is None else start_ns % 1_000_000
        date = _date(start_ns)
        file.write(f"date {date}\nbase hex  timestamps absolute\ninternal events logged\n")
        file.write(f"Begin TriggerBlock {date}\n{0.0:11.6f} Start of measurement\n")

    def put(self, frame: LogFrame) -> None:
        """One line."""
        t_ns, channel, can_id, flags, length, data = frame
        micros = (t_ns + self._rest_ns) // 1_000
        at = f"{micros // 1_000_000:>4}.{micros % 1_000_000:06d}"
        name, way = f"{can_id:X}{'x' if flags & EXTENDED else ''}", "Tx" if flags & TX else "Rx"
        text = data.hex(" ").upper()
        if flags & ERROR:
            line = f"{channel + 1}  ErrorFrame"
        elif flags & FD:
            wire = 0x1000 | (0x2000 if flags & SWITCHED else 0) | (0x4000 if flags & PASSIVE else 0)
            brs, esi = int(bool(flags & SWITCHED)), int(bool(flags & PASSIVE))
            line = (
                f"CANFD {channel + 1:>3} {way:<4} {name:>8}  {'':>32} {brs} {esi} {FD_LENGTHS.index(length):x} {length:>2} "
                f"{text} {0:>8} {0:>4} {wire:>8X} {0:>8} {0:>8} {0:>8} {0:>8} {0:>8}"
            )
        elif flags & REMOTE:
            line = f"{channel + 1}  {name:<15} {way:<4} r {length:x}"
        else:
            line = f"{channel + 1}  {name:<15} {way:<4} d {length:x} {text}"
        self._file.write(f"{at} {line.rstrip()}\n")

    def close(self) -> None:
        """The line that ends a whole log."""
        self._file.write("End TriggerBlock\n")


def _date(start_ns: int | None) -> str:
    """A date in local time as ASC writes it; of an unknown start the first day of 1970."""
    if start_ns is None:
        return f"Thu Jan 01 00:00:00.000 {_NO_DATE_YEAR}"
    at = datetime.datetime.fromtimestamp(start_ns // 1_000_000_000, datetime.UTC).astimezone()
    ms = start_ns // 1_000_000 % 1_000
    return f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at.day:02d} {at:%H:%M:%S}.{ms:03d} {at.year}"


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """What of a frame this format cannot hold."""
    t_ns, _, can_id, flags, _, data = frame
    if not flags & (RX | TX | OWN) and not flags & ERROR:
        yield "that the direction is unknown (written as Rx)"
    if flags & OWN:
        yield "that a frame is the log writer's own, heard back"
    if flags & ERROR and (can_id or data or flags & (RX | TX | OWN | EXTENDED | FD)):
        yield "what an error frame carries"
    if (t_ns + (about.start_ns or 0) % 1_000_000) % 1_000:
        yield "time below 1 us"
