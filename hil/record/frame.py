"""A frame of a log, whatever file it stands in, and what is known of the file besides its frames."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import ScenarioError

# FLAGS is a sum of these besides EXTENDED and FD of the wire.
SWITCHED, PASSIVE, REMOTE, ERROR = 8, 16, 32, 64
# Direction, as seen from who wrote the log; none of them: the log does not say.  OWN: a frame of its own, heard back.
RX, TX, OWN = 128, 256, 512
KNOWN_FLAGS = EXTENDED | FD | SWITCHED | PASSIVE | REMOTE | ERROR | RX | TX | OWN

MOST_FRAMES = 50_000_000
MOST_NS = 1 << 60  # of a time in a log, 36 years
FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


class LogFrame(NamedTuple):
    """A frame. t_ns: since the log's time 0.  channel: counts from 0.  length: bytes; of a remote frame, those asked for."""

    t_ns: int
    channel: int
    can_id: int
    flags: int
    length: int
    data: bytes


@dataclass
class About:
    """What a log says besides its frames, filled while it is read.

    start_ns: time of day of its time 0 [ns since 1970, UTC]; None when it does not say.  cut: why it is known to end before
    its end; empty when it is whole, as far as it says.  skipped: entries that are no frames of a CAN bus, by kind.
    channels: names of its buses by number, where it has names.  notes: what else it says.
    """

    start_ns: int | None = None
    cut: str = ""
    skipped: Counter[str] = field(default_factory=Counter)
    channels: dict[int, str] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)

    def channel(self, name: str) -> int:
        """Number of a bus that has a name: the digits at its end, else the first that is free."""
        for number, known in self.channels.items():
            if known == name:
                return number
        digits = re.search(r"\d{1,2}$", name)
        wanted = int(digits[0]) if digits is not None else 0
        number = wanted if wanted not in self.channels else next(n for n in range(257) if n not in self.channels)
        self.channels[number] = name
        return number


class Sink(Protocol):
    """Where frames of a log are written to."""

    def put(self, frame: LogFrame) -> None:
        """Append a frame."""

    def close(self) -> None:
        """Finish the file."""


def refuse(path: Path, where: str, found: str, expected: str) -> ScenarioError:
    """The error for an entry that cannot be understood; where: its line or byte."""
    return ScenarioError(f"{path}: {where}: {found}; expected {expected}")


def flaw(frame: LogFrame) -> str:
    """What makes a frame one that no bus can carry; empty when nothing does."""
    t_ns, channel, can_id, flags, length, data = frame
    if not 0 <= t_ns <= MOST_NS:
        return f"time {t_ns / 1e9:g} s lies outside 0 to {MOST_NS / 1e9:g} s"
    if not 0 <= channel <= 255:
        return f"channel {channel} lies outside 0 to 255"
    if can_id < 0 or can_id > (0x1FFFFFFF if flags & (EXTENDED | ERROR) else 0x7FF):
        return f"id 0x{can_id:X} has more than {29 if flags & EXTENDED else 11} bits"
    if flags & FD and flags & REMOTE:
        return "a remote frame in CAN FD"
    if length < 0 or length > (64 if flags & FD else 8) or (flags & FD and length not in FD_LENGTHS):
        return f"length {length} does not exist on {'CAN FD' if flags & FD else 'classic CAN'}"
    if len(data) != (0 if flags & REMOTE else length):
        return f"{len(data)} bytes of data where the length says {length}"
    return ""
