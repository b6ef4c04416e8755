"""DBC files in, wire tables out.

cantools says what a bit means; its messages are compiled once into a Layout that both sides of the wire use.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire import layout as w
from hil.bus import frame_ns
from hil.dbcfile import reading
from hil.errors import Problems, ScenarioError, nearest
from hil.protection import columns, of_message
from hil.protection.of_message import Protection
from hil.signal_rows import Guard, Meaning, compile_signal, page_bits, with_meaning

_MOST_PAGES = 1024


@dataclass(frozen=True)
class Bus:
    """One bus of a network: its databases, bit rates, and cycle times that differ from the DBC's.

    where: file and key path for messages.
    """

    name: str
    paths: tuple[Path, ...]
    bitrate: int
    data_bitrate: int
    cycle_ms: dict[str, int]
    where: str = "bus"


@dataclass(frozen=True)
class Schedule:
    """When a message is sent, as far as a mapping says; None where it does not.

    cycle_ms: of the message, and of each page of it.  phase_ms: its first frame.  page_ms: from one page to the next.
    pages: their order.
    """

    cycle_ms: int | None = None
    phase_ms: int | None = None
    page_ms: int | None = None
    pages: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Slot:
    """A (message, page) before it is compiled.

    page: value of its multiplexer, or its number in order where the message has several; None without one.
    chosen: value of each of them.
    """

    bus: int
    message: Any
    page: int | None
    chosen: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """Message name, with the page where it has one."""
        return self.message.name if self.page is None else f"{self.message.name}[{self.page}]"

    @cached_property
    def signals(self) -> list[Any]:
        """Cantools' signals of this page, in the order of the payload, without the multiplexers that choose it."""
        chosen = dict(self.chosen)
        found = [s for s in self.message.signals if s.name not in chosen and is_there(s, chosen)]
        return sorted(found, key=lambda s: s.start)


def is_there(signal: Any, chosen: dict[str, int]) -> bool:
    """True when a signal stands in the frame for these values of the multiplexers that are there."""
    return signal.multiplexer_ids is None or chosen.get(signal.multiplexer_signal) in signal.multiplexer_ids


def pages_of(message: Any) -> list[tuple[tuple[str, int], ...]]:
    """Every page of a message, as the values of its multiplexers; one without values when it has none.

    Raises ScenarioError when there are too many.
    """
    values: dict[str, set[int]] = {}
    for signal in message.signals:
        for page in signal.multiplexer_ids or ():
            values.setdefault(signal.multiplexer_signal, set()).add(page)
    switches = [s for s in message.signals if s.name in values]
    found: list[tuple[tuple[str, int], ...]] = []
    todo: list[dict[str, int]] = [{}]
    while todo:
        chosen = todo.pop()
        free = [s.name for s in switches if s.name not in chosen and is_there(s, chosen)]
        if free:
            todo += [{**chosen, free[0]: value} for value in values[free[0]]]
        else:
            found.append(tuple(chosen.items()))
        if len(found) + len(todo) > _MOST_PAGES:
            raise ScenarioError(f'message "{message.name}" has more than {_MOST_PAGES} pages; expected at most that')
    return sorted(found, key=lambda page: [value for _, value in page])


def parse(path: Path) -> Any:
    """A cantools database from a file of which all must be right. Raises ScenarioError with all that is wrong."""
    found = reading.read(path)
    if found.left_out:
        raise ScenarioError(*found.sentences())
    return found.database


class Database:
    """All messages of a network, from one or more buses.

    left_out: messages that are not sound, and what is wrong with each; only where they are tolerated.  notes: what does no
    harm.  schedules, protections: of messages, by name, where a mapping says more than the DBC.  guards, meanings: of
    signals, by message and name.  played: role of a signal, by message and its name in the DBC.
    """

    def __init__(self, buses: Iterable[Bus], *, tolerant: bool = False) -> None:
        self.buses = tuple(buses)
        self.tolerant = tolerant
        self.left_out: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self.schedules: dict[str, Schedule] = {}
        self.protections: dict[str, Protection] = {}
        self.guards: dict[tuple[str, str], Guard] = {}
        self.meanings: dict[tuple[str, str], Meaning] = {}
        self.played: dict[tuple[str, str], str] = {}
        self._messages: dict[str, tuple[int, Any]] = {}
        self._by_id: dict[tuple[int, int, bool], Any] = {}
        self.constants: dict[str, Any] = {}
        problems = Problems()
        for number, bus in enumerate(self.buses):
            for path in bus.paths:
                problems.call(self._add, number, path)
        problems.settle()
        for number, bus in enumerate(self.buses):
            known = [name for name, (on, _) in self._messages.items() if on == number]
            problems.found += [
                f'{bus.where}.cycle_ms.{name}: there is no message "{name}"{nearest(name, known)}'
                for name in bus.cycle_ms
                if name not in known
            ]
        problems.settle()

    def _add(self, number: int, path: Path) -> None:
        found = []
        read = reading.read(path)
        self.notes += [f"{path}: {text}" for text in read.notes]
        if self.tolerant:
            self.left_out |= {name: [f"{path}: {text}" for text in texts] for name, texts in read.left_out.items()}
        else:
            found += read.sentences()
        for message in read.database.messages:
            key = (number, message.frame_id, message.is_extended_frame)
            if key in self._by_id and self._by_id[key].name != message.name:
                found.append(
                    f'{path}: message "{message.name}" has the id 0x{message.frame_id:X} of "{self._by_id[key].name}"; '
                    "ids on a bus must differ"
                )
            elif message.name in self._messages:
                found.append(f'{path}: message "{message.name}" is defined twice in this network')
            self._messages[message.name] = (number, message)
            self._by_id[key] = message
        if found:
            raise ScenarioError(*found)

    @property
    def label(self) -> str:
        """Names of its files, for messages."""
        return ", ".join(path.name for bus in self.buses for path in bus.paths)

    @property
    def messages(self) -> list[Any]:
        """All cantools messages."""
        return [message for _, message in self._messages.values()]

    def message(self, name: str) -> Any:
        """A message by name. Raises ScenarioError with the nearest name."""
        if name in self.left_out:
            raise ScenarioError(*self.left_out[name])
        if name not in self._messages:
            raise ScenarioError(f'{self.label}: there is no message "{name}"{nearest(name, self._messages)}')
        return self._messages[name][1]

    def signal_names(self) -> set[str]:
        """Names of all signals."""
        return {signal.name for message in self.messages for signal in message.signals} | set(self.constants)

    def signal(self, name: str) -> Any:
        """A cantools signal by name. Raises ScenarioError with the nearest name."""
        for message in self.messages:
            for signal in message.signals:
                if signal.name == name:
                    return signal
        if name in self.constants:
            return self.constants[name]
        raise ScenarioError(f'{self.label}: there is no signal "{name}"{nearest(name, self.signal_names())}')

    def cycle_ms(self, message: Any) -> int:
        """Cycle of a message: the network's, else the mapping's, else the DBC's GenMsgCycleTime; 0 when none says.

        Where the mapping gives the time from page to page it is that.
        """
        number, _ = self._messages[message.name]
        said = self.schedules.get(message.name, Schedule())
        own = said.cycle_ms if said.cycle_ms is not None else said.page_ms
        return self.buses[number].cycle_ms.get(message.name, (message.cycle_time or 0) if own is None else own)

    def protection(self, message: Any) -> Protection:
        """How a message is protected: as the mapping says, else as the attributes of the DBC say."""
        return self.protections.get(message.name) or of_message.of_dbc(message)

    def slots(self, wanted: Callable[[Any], bool], has_page: Callable[[Slot], bool]) -> list[Slot]:
        """(message, page) pairs in order of arbitration, bus by bus.

        wanted: which messages.  has_page: which pages of a multiplexed message this pack has.
        """
        found: list[Slot] = []
        problems = Problems()
        for number, message in self._messages.values():
            if wanted(message):
                found += problems.call(self._slots_of, number, message, has_page) or []
        if problems.found:
            raise ScenarioError(*(f"{self.label}: {problem}" for problem in problems.found))
        return self._in_order(found)

    def _slots_of(self, number: int, message: Any, has_page: Callable[[Slot], bool]) -> list[Slot]:
        pages = pages_of(message)
        single = max(map(len, pages)) == 1
        slots = [
            Slot(number, message, None if not chosen else chosen[0][1] if single else n, chosen)
            for n, chosen in enumerate(pages)
        ]
        return [slot for slot in slots if slot.page is None or has_page(slot)]

    @staticmethod
    def _in_order(slots: list[Slot]) -> list[Slot]:
        return sorted(slots, key=lambda slot: (slot.bus, slot.message.frame_id, slot.page or 0))

    def sound_slots(self, base_tick_ns: int) -> tuple[list[Slot], list[str]]:
        """All slots of the messages that can be compiled, and why the others cannot."""
        found: list[Slot] = []
        problems: list[str] = []
        for number, message in self._messages.values():
            try:
                slots = self._slots_of(number, message, lambda _slot: True)
                self.layout(slots, base_tick_ns)
            except ScenarioError as error:
                problems += error.problems
            else:
                found += slots
        return self._in_order(found), problems

    def layout(self, slots: list[Slot], base_tick_ns: int) -> w.Layout:
        """Compile slots into wire tables. Raises ScenarioError where a message cannot be sent or read.

        base_tick_ns: cycles are rounded up to whole ticks; the pages of a message are spread over its cycle.
        """
        problems: list[str] = []
        pages: dict[str, list[Slot]] = {}
        for slot in slots:
            pages.setdefault(slot.message.name, []).append(slot)
        messages = [group[0].message for group in pages.values()]
        for message in messages:
            problems += of_message.problems(message) if message.name not in self.protections else []
        if problems:
            raise ScenarioError(*(f"{self.label}: {problem}" for problem in problems))
        headers = {m.name: of_message.header(m, self.protection(m), problems) for m in messages}
        lines: list[tuple[str, str, list[int], tuple[float, float]]] = []
        table: list[list[int]] = []
        blanks: list[int] = []
        for number, slot in enumerate(slots):
            word, first, message = len(blanks), len(lines), slot.message
            n_words = 1 if message.length <= 8 else 8
            mask, blank = self._page(slot, problems)
            signals = [s for s in slot.signals if s.name not in headers[message.name]]
            lines += self._signal_rows(signals, message, number, word, first, problems)
            row = self._slot_row(slot, pages[message.name], word, n_words, base_tick_ns)
            row |= {w.FIRST: first, w.COUNT: len(lines) - first, w.PAGE_MASK: mask}
            shared = self.protection(message).scheme.over_pages
            row[w.COUNTS_WITH] = slots.index(pages[message.name][0]) if shared else number
            table.append([row.get(column, 0) for column in range(w.N_SLOT_COLUMNS)])
            blanks += [blank | row[w.FIXED], *[0] * (n_words - 1)]
        if problems:
            raise ScenarioError(*(f"{self.label}: {problem}" for problem in problems))
        return w.Layout(
            np.array([row for _, _, row, _ in lines], np.int64).reshape(-1, w.N_SIGNAL_COLUMNS),
            np.array([scale for _, _, _, scale in lines], np.float64).reshape(-1, 2),
            np.array(table, np.int64).reshape(-1, w.N_SLOT_COLUMNS),
            np.array(blanks, np.int64),
            tuple(name for name, _, _, _ in lines),
            tuple(slot.name for slot in slots),
            tuple(unit for _, unit, _, _ in lines),
        )

    def _page(self, slot: Slot, problems: list[str]) -> tuple[int, int]:
        """(mask, bits) of the first word by which a page is known."""
        mask = blank = 0
        for name, value in slot.chosen:
            try:
                bits = page_bits(next(s for s in slot.message.signals if s.name == name), value)
            except ValueError as error:
                problems.append(f'message "{slot.message.name}" signal "{name}": {error}')
            else:
                mask, blank = mask | bits[0], blank | bits[1]
        return tuple(number - (1 << 64) if number >> 63 else number for number in (mask, blank))  # type: ignore[return-value]

    def _signal_rows(
        self, signals: list[Any], message: Any, number: int, word: int, first: int, problems: list[str]
    ) -> list[tuple[str, str, list[int], tuple[float, float]]]:
        """(name, unit, row, scale) of the signals of a slot."""
        out = []
        at = {signal.name: first + n for n, signal in enumerate(signals)}
        guards = {guard.signal: guard for (name, _), guard in self.guards.items() if name == message.name}
        for signal in signals:
            row, scale = compile_signal(signal, number, word, problems)
            key = (message.name, signal.name)
            if key in self.meanings:
                row = with_meaning(row, self.meanings[key])
            if key in self.guards:
                guard = self.guards[key]
                if guard.signal in at:
                    row[w.KIND] |= w.GUARDED
                    row[w.LINK] = at[guard.signal]
                else:
                    problems.append(f'signal "{guard.signal}" is not on the page of "{signal.name}", whose validity it tells')
            if signal.name in guards:
                row[w.KIND] |= w.GUARD
                row[w.LINK], row[w.RAW_NAN] = guards[signal.name].good, guards[signal.name].bad
            out.append((signal.name, signal.unit or "", row, scale))
        return out

    def _slot_row(self, slot: Slot, siblings: list[Slot], word: int, n_words: int, tick_ns: int) -> dict[int, int]:
        """Column of Layout.slots to number, without FIRST, COUNT and PAGE_MASK; what is not named is 0."""
        message, bus = slot.message, self.buses[slot.bus]
        said, own = self.schedules.get(message.name, Schedule()), self.protection(message)
        cycle_ms = self.cycle_ms(message)
        if said.page_ms is not None and message.name not in bus.cycle_ms:
            cycle_ms = said.page_ms * len(siblings)
        cycle_ns = max(math.ceil(cycle_ms * MS_NS / tick_ns), 1) * tick_ns
        order = siblings if said.pages is None else sorted(siblings, key=lambda s: (said.pages or ()).index(s.page or 0))
        phase_ns = (order.index(slot) * cycle_ns // len(siblings) + (said.phase_ms or 0) * MS_NS) // tick_ns * tick_ns
        data_id = own.data_id + own.per_page * (slot.page or 0)
        flags = (w.EXTENDED if message.is_extended_frame else 0) | (w.FD if message.is_fd or message.length > 8 else 0)
        duration = frame_ns(message.length, message.is_extended_frame, bool(flags & w.FD), bus.bitrate, bus.data_bitrate)
        crc_at, counter_at = of_message.places(message, own)
        return {
            w.CAN_ID: message.frame_id,
            w.FLAGS: flags,
            w.LENGTH: message.length,
            w.WORD_0: word,
            w.N_WORDS: n_words,
            w.CYCLE_NS: cycle_ns,
            w.PHASE_NS: phase_ns,
            w.FRAME_NS: duration,
            w.BUS: slot.bus,
        } | columns.of(own.scheme, data_id, message.length, crc_at, counter_at)

    def fingerprint(self) -> str:
        """SHA-256 over the texts of all DBC files."""
        digest = hashlib.sha256()
        for bus in self.buses:
            for path in bus.paths:
                digest.update(path.read_bytes())
        return digest.hexdigest()
