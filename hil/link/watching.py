"""What is on a bus right now: the latest frame of each message, its period, and what its signals say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from firmware_sim.types import I64, MS_NS
from firmware_sim.wire.codec import decode_many
from firmware_sim.wire.crc import crc_many
from firmware_sim.wire.layout import COUNT, EXTENDED, FD, FIRST, N_WORDS, OFFSET, SCALE, WORD_0
from hil import files, network
from hil.database import Bus, Database
from hil.errors import ScenarioError, closest
from hil.link.can_bus import CanBus, Frame
from hil.link.frame import Aside
from hil.link.kept import put_aside
from hil.link.match import Finder, words_of
from hil.link.spec import BusSpec
from hil.record.frame import RX
from hil.record.journal import Journal

_ANY_RATE = 500_000
_SMOOTH = 0.2
_MOST_CELLS, _MOST_SENSORS = 192, 64


@dataclass
class Heard:
    """A message that was heard. n: how often.  period_ns: smoothed; 0 after one frame."""

    frame: Frame
    n: int = 1
    period_ns: float = 0.0

    def again(self, frame: Frame) -> None:
        """The next frame of it."""
        gap_ns = float(frame.t_ns - self.frame.t_ns)
        self.period_ns = gap_ns if self.n == 1 else self.period_ns + _SMOOTH * (gap_ns - self.period_ns)
        self.frame, self.n = frame, self.n + 1


@dataclass(frozen=True)
class Row:
    """A signal as it stands. value: None when the frame holds none.  text: for people, with its name or unit."""

    message: str
    signal: str
    value: float | None
    text: str
    unit: str
    age_ms: float
    period_ms: float


class Book:
    """The messages of one database, and which of them were heard."""

    def __init__(self, database: Database) -> None:
        slots, _ = database.sound_slots(MS_NS)  # what cannot be read is unknown on the bus
        self.database, self.layout = database, database.layout(slots, MS_NS)
        self.heard: dict[int, Heard] = {}
        self._finder = Finder(self.layout)
        self._buses = sorted({slot.bus for slot in slots})

    def note(self, frame: Frame) -> bool:
        """Take a frame; False when its id is unknown. Which bus of the network it is does not matter here."""
        for bus in self._buses:
            slot = self._finder.find(bus, frame)
            if slot >= 0:
                if slot in self.heard:
                    self.heard[slot].again(frame)
                else:
                    self.heard[slot] = Heard(frame)
                return True
        return False

    def rows(self, now_ns: int) -> Iterator[Row]:
        """All signals of the messages that were heard, by bus and id."""
        layout = self.layout
        for slot in sorted(self.heard):
            heard = self.heard[slot]
            words = np.array([words_of(heard.frame.data, int(layout.slots[slot, N_WORDS]))], np.int64)
            first, count = int(layout.slots[slot, FIRST]), int(layout.slots[slot, COUNT])
            value, valid = np.zeros((1, count)), np.zeros((1, count), np.uint8)
            decode_many(words, slot, layout.signals, layout.scales, layout.slots, value, valid)
            right = self._crc_is_right(slot, words)
            for n in range(count):
                known = right and bool(valid[0, n])
                yield Row(
                    layout.slot_names[slot],
                    layout.signal_names[first + n],
                    float(value[0, n]) if known else None,
                    self._text(first + n, float(value[0, n]), known) if right else "CRC wrong",
                    layout.units[first + n],
                    (now_ns - heard.frame.t_ns) / 1e6,
                    heard.period_ns / 1e6,
                )

    def _crc_is_right(self, slot: int, words: I64) -> bool:
        layout, right = self.layout, np.zeros(1, np.uint8)
        whole = np.zeros((1, layout.n_words), np.int64)
        at = int(layout.slots[slot, WORD_0])
        whole[0, at : at + words.shape[1]] = words[0]
        crc_many(whole, layout.slots, slot, right)
        return bool(right[0])

    def _text(self, i: int, value: float, known: bool) -> str:
        """A value for people: its name, or the figure with its unit."""
        layout = self.layout
        scale, offset = float(layout.scales[i, SCALE]), float(layout.scales[i, OFFSET])
        raw = round((value - offset) / scale)
        name = (self.database.signal(layout.signal_names[i]).choices or {}).get(raw)
        if name is not None:
            return str(name)
        if not known:
            return f"no value (raw {raw})"
        digits = max(0, min(6, int(np.ceil(-np.log10(abs(scale))))))
        return f"{value:.{digits}f} {layout.units[i]}".rstrip()


class Watch:
    """A bus and the books that tell its frames apart. unknown: id to frames that no book knows.  journal: where all of them
    are written, if anywhere.
    """

    def __init__(self, bus: CanBus, books: list[Book]) -> None:
        self.bus, self.books = bus, books
        self.journal: Journal | None = None
        bus.tell(self._put_aside)
        self.unknown: dict[int, Heard] = {}

    def listen(self, until_ns: int) -> None:
        """Take frames until then (monotonic). Raises LinkLostError."""
        while time.monotonic_ns() < until_ns:
            frame = self.bus.receive(until_ns)
            if frame is not None and self.journal is not None:
                self.journal.put(frame.t_ns, 0, frame.can_id, frame.flags & (EXTENDED | FD) | frame.fast | RX, frame.data)
            if frame is None or any(book.note(frame) for book in self.books):
                continue
            if frame.can_id in self.unknown:
                self.unknown[frame.can_id].again(frame)
            else:
                self.unknown[frame.can_id] = Heard(frame)

    def _put_aside(self, aside: Aside) -> None:
        if self.journal is not None:
            put_aside(self.journal, 0, aside)

    def rows(self) -> list[Row]:
        """All signals that were heard."""
        now_ns = time.monotonic_ns()
        return [row for book in self.books for row in book.rows(now_ns)]


def open_watch(spec: BusSpec, network_name: str, dbc: list[Path], wanted: Sequence[str] = ("*",)) -> Watch:
    """A bus with the databases of a network, or with DBC files when any are given.

    wanted: patterns of signals and messages; each must fit one of them. Raises ScenarioError, DutError.
    """
    if dbc:
        database = Database([Bus("watched", tuple(dbc), _ANY_RATE, _ANY_RATE, {})], tolerant=True)
    else:
        database = network.load(network_name, _MOST_CELLS, _MOST_SENSORS, 10 * MS_NS).database
    bench = Database([Bus("bench", (files.dbc_folder() / "bench.dbc",), _ANY_RATE, _ANY_RATE, {})])
    fd = any(message.is_fd for message in database.messages)
    books = [Book(database), Book(bench)]
    names = sorted({name for book in books for name in (*book.layout.signal_names, *book.layout.slot_names)})
    strange = [pattern for pattern in wanted if not any(fnmatchcase(name, pattern) for name in names)]
    if strange:
        raise ScenarioError(
            *(f'--only "{pattern}" fits no signal and no message{_meant(pattern, names)}' for pattern in strange)
        )
    return Watch(CanBus(spec, database.buses[0].bitrate, fd), books)


def _meant(pattern: str, names: Sequence[str]) -> str:
    """A clause with the pattern that was probably meant: its text up to the first wildcard, put right."""
    stem = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    rest = pattern[len(stem) :]
    close = closest(stem, {name[: len(stem)] for name in names} if rest else names)
    return f'; did you mean "{close}{rest}"?' if close is not None else ""
