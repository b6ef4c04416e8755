"""DBC files in, wire tables out. Only this module knows cantools.

cantools says what a bit means; its messages are compiled once into a Layout that both sides of the wire use.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire import layout as w
from firmware_sim.wire.crc import p11_seed
from hil import files
from hil.bus import frame_ns
from hil.errors import Problems, ScenarioError, nearest

_MAX_BYTES = 8 << 20
_MOST_PAGES = 1024
# A file that was cut short ends inside a statement, and the parser forgives that; it does not forgive another one there.
_END = '\nCM_ "end of file";\n'
_LENGTH = re.compile(r"^[ \t]*BO_[ \t]+\d+[ \t]+(\w+)[ \t]*:[ \t]*(\d+)", re.MULTILINE)
_BITS = re.compile(r"^[ \t]*SG_[ \t]+(\w+)[^:\n]*:[ \t]*(\d+)\|(\d+)@", re.MULTILINE)
_MOST_BITS = 8 * 64
_PROFILES = {"None": w.NO_E2E, "P11": w.P11, "P05": w.P05}
_HEADERS = {w.P11: ((0, 8), (8, 4)), w.P05: ((0, 16), (16, 8))}
_COUNTER_MAX = {w.NO_E2E: 0, w.P11: 14, w.P05: 255}


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
class Slot:
    """A (message, page) before it is compiled."""

    bus: int
    message: Any
    page: int | None

    @property
    def name(self) -> str:
        """Message name, with the page where it has one."""
        return self.message.name if self.page is None else f"{self.message.name}[{self.page}]"


def parse(path: Path) -> Any:
    """A cantools database from a file that may be broken or hostile. Raises ScenarioError."""
    import cantools

    text = files.read(path, _MAX_BYTES).decode("cp1252", errors="replace")
    # the parser's time grows with the square of a message's length, so this comes first
    too_long = [
        f'{path}: message "{name}" has {length} bytes; expected at most 64'
        for name, length in _LENGTH.findall(text)
        if len(length) > 2 or int(length) > 64
    ]
    too_long += [
        f'{path}: signal "{name}" has {length} bits from bit {start} on; expected to lie in {_MOST_BITS} bits'
        for name, start, length in _BITS.findall(text)
        if max(len(start), len(length)) > 3 or int(start) >= _MOST_BITS or int(length) > _MOST_BITS
    ]
    if too_long:
        raise ScenarioError(*too_long)
    logging.getLogger("cantools").setLevel(logging.ERROR)  # of names that stand twice we speak ourselves
    try:
        database = cantools.database.load_string(text + _END, database_format="dbc")
    except Exception as error:  # noqa: BLE001 - the parser raises many types on broken files; all mean the same to the user
        what = " ".join(str(error).split()) or type(error).__name__
        if _END.strip()[:12] in what:
            what = "it ends in the middle of a statement; was it cut short?"
        raise ScenarioError(f"{path}: not a usable DBC file: {what[:300]}") from None
    if not isinstance(database, cantools.database.Database) or not database.messages:
        raise ScenarioError(f"{path}: not a CAN database: it holds no message")
    found = [f"{path}: {text}" for message in database.messages for text in _number_problems(message)]
    if found:
        raise ScenarioError(*found)
    return database


def _number_problems(message: Any) -> list[str]:
    """Signals whose numbers are no numbers to count with."""
    found = []
    for s in message.signals:
        if s.scale == 0:
            found.append(f'message "{message.name}" signal "{s.name}" has scale 0')
        numbers = {"scale": s.scale, "offset": s.offset, "minimum": s.minimum, "maximum": s.maximum}
        for what, value in numbers.items():
            if value is not None and not math.isfinite(value):
                found.append(f'message "{message.name}" signal "{s.name}" has {what} {value}; expected a finite number')
    return found


class Database:
    """All messages of a network, from one or more buses."""

    def __init__(self, buses: Iterable[Bus]) -> None:
        self.buses = tuple(buses)
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
        for message in parse(path).messages:
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
        """Cycle of a message: the network's, else the DBC's GenMsgCycleTime; 0 when neither says."""
        number, _ = self._messages[message.name]
        return self.buses[number].cycle_ms.get(message.name, message.cycle_time or 0)

    def slots(self, wanted: Callable[[Any], bool], has_page: Callable[[Any, int], bool]) -> list[Slot]:
        """(message, page) pairs in order of arbitration, bus by bus.

        wanted: which messages.  has_page: which pages of a multiplexed message this pack has.
        """
        found = []
        problems = []
        for number, message in self._messages.values():
            if not wanted(message):
                continue
            selectors = [s for s in message.signals if s.is_multiplexer]
            pages = sorted({page for s in message.signals for page in s.multiplexer_ids or ()}) if selectors else []
            if len(selectors) > 1:
                problems.append(f'message "{message.name}" has {len(selectors)} multiplexers; expected at most one')
            elif len(pages) > _MOST_PAGES:
                problems.append(f'message "{message.name}" has {len(pages)} pages; expected at most {_MOST_PAGES}')
            elif selectors:
                found += [Slot(number, message, page) for page in pages if has_page(message, page)]
            else:
                found.append(Slot(number, message, None))
        if problems:
            raise ScenarioError(*(f"{self.label}: {problem}" for problem in problems))
        return sorted(found, key=lambda slot: (slot.bus, slot.message.frame_id, slot.page or 0))

    def layout(self, slots: list[Slot], base_tick_ns: int) -> w.Layout:
        """Compile slots into wire tables. Raises ScenarioError where a message cannot be sent or read.

        base_tick_ns: cycles are rounded up to whole ticks; the pages of a message are spread over its cycle.
        """
        problems: list[str] = []
        rows: list[list[int]] = []
        scales: list[tuple[float, float]] = []
        names: list[str] = []
        units: list[str] = []
        table: list[list[int]] = []
        blanks: list[int] = []
        word = 0
        pages: dict[str, list[int | None]] = {}
        for slot in slots:
            pages.setdefault(slot.message.name, []).append(slot.page)
        unprotected = [
            text
            for message in {slot.message.name: slot.message for slot in slots}.values()
            for text in _protection_problems(message)
        ]
        if unprotected:
            raise ScenarioError(*(f"{self.label}: {problem}" for problem in unprotected))
        for number, slot in enumerate(slots):
            message = slot.message
            header = _header(message, problems)
            n_words = 1 if message.length <= 8 else 8
            blank = [0] * n_words
            first = len(rows)
            for signal in sorted(message.signals, key=lambda s: s.start):
                if signal.is_multiplexer:
                    _set_page(blank, signal, slot.page or 0)
                elif signal.name not in header and (signal.multiplexer_ids is None or slot.page in signal.multiplexer_ids):
                    row, scale = compile_signal(signal, number, word, problems)
                    rows.append(row)
                    scales.append(scale)
                    names.append(signal.name)
                    units.append(signal.unit or "")
            siblings = pages[message.name]
            table.append(self._slot_row(slot, word, n_words, first, len(rows) - first, base_tick_ns, siblings))
            blanks += blank
            word += n_words
        if problems:
            raise ScenarioError(*(f"{self.label}: {problem}" for problem in problems))
        return w.Layout(
            np.array(rows, np.int64).reshape(-1, w.N_SIGNAL_COLUMNS),
            np.array(scales, np.float64).reshape(-1, 2),
            np.array(table, np.int64).reshape(-1, w.N_SLOT_COLUMNS),
            np.array(blanks, np.int64),
            tuple(names),
            tuple(slot.name for slot in slots),
            tuple(units),
        )

    def _slot_row(
        self, slot: Slot, word: int, n_words: int, first: int, count: int, tick_ns: int, siblings: list[int | None]
    ) -> list[int]:
        message, bus = slot.message, self.buses[slot.bus]
        cycle_ns = max(math.ceil(self.cycle_ms(message) * MS_NS / tick_ns), 1) * tick_ns
        phase_ns = (siblings.index(slot.page) * cycle_ns // len(siblings)) // tick_ns * tick_ns
        profile = _profile(message)
        data_id = _attribute(message, "E2eDataId", 0) + (slot.page or 0)
        flags = (w.EXTENDED if message.is_extended_frame else 0) | (w.FD if message.is_fd or message.length > 8 else 0)
        duration = frame_ns(message.length, message.is_extended_frame, bool(flags & w.FD), bus.bitrate, bus.data_bitrate)
        return [
            message.frame_id,
            flags,
            message.length,
            word,
            n_words,
            first,
            count,
            profile,
            data_id,
            p11_seed(data_id),
            _COUNTER_MAX[profile],
            cycle_ns,
            phase_ns,
            duration,
            slot.bus,
            _page_mask(message),
        ]

    def fingerprint(self) -> str:
        """SHA-256 over the texts of all DBC files."""
        digest = hashlib.sha256()
        for bus in self.buses:
            for path in bus.paths:
                digest.update(path.read_bytes())
        return digest.hexdigest()


def _attribute(message: Any, name: str, default: Any) -> Any:
    attributes = message.dbc.attributes if message.dbc is not None else {}
    return attributes[name].value if name in attributes else default


def _protection_problems(message: Any) -> list[str]:
    """What is wrong with the E2E attributes of a message, which a foreign file may have defined as anything."""
    value, data_id = _attribute(message, "E2eProfile", 0), _attribute(message, "E2eDataId", 0)
    found = []
    if value not in _PROFILES and value not in _PROFILES.values():
        found.append(f'message "{message.name}": E2eProfile is {value!r}; expected one of {", ".join(_PROFILES)}')
    pages = max((page for s in message.signals for page in s.multiplexer_ids or ()), default=0)
    if not isinstance(data_id, int) or not 0 <= data_id <= 0xFFFF - pages:
        found.append(f'message "{message.name}": E2eDataId is {data_id!r}; expected 0 to {0xFFFF - pages}')
    return found


def _profile(message: Any) -> int:
    value = _attribute(message, "E2eProfile", 0)
    return _PROFILES[value] if isinstance(value, str) else int(value)


def _header(message: Any, problems: list[str]) -> set[str]:
    """Names of the CRC and counter signals, which the E2E code owns."""
    profile = _profile(message)
    if profile == w.NO_E2E:
        return set()
    found = set()
    for (start, length), what in zip(_HEADERS[profile], ("CRC", "counter"), strict=True):
        match = [s.name for s in message.signals if (s.start, s.length) == (start, length) and s.byte_order == "little_endian"]
        if match:
            found.add(match[0])
        else:
            problems.append(
                f'message "{message.name}": E2E needs its {what} at bit {start}, {length} bits long; no signal lies there'
            )
    return found


def _page_mask(message: Any) -> int:
    """Bits of the first word in which a message's page stands."""
    selectors = [s for s in message.signals if s.is_multiplexer]
    return ((1 << selectors[0].length) - 1) << selectors[0].start if selectors else 0


def _set_page(blank: list[int], signal: Any, page: int) -> None:
    if signal.byte_order != "little_endian":
        raise ScenarioError(f'signal "{signal.name}": a big-endian multiplexer is not supported')
    if signal.start + signal.length > 63:
        raise ScenarioError(f'signal "{signal.name}": a multiplexer must lie in the first 63 bits, found it at {signal.start}')
    blank[0] |= page << signal.start


def compile_signal(signal: Any, slot: int, word_0: int, problems: list[str]) -> tuple[list[int], tuple[float, float]]:
    """Rows of Layout.signals and Layout.scales for a cantools signal.

    slot, word_0: its slot and that slot's first word.  problems: sentences are added to it.
    """
    bits, kind = signal.length, 0
    if signal.is_float:
        problems.append(f'signal "{signal.name}" is a float; expected an integer')
    if bits > 64:
        problems.append(f'signal "{signal.name}" has {bits} bits; expected at most 64')
        bits = 64
    if signal.byte_order == "little_endian":
        position = signal.start
    else:
        kind |= w.BIG_ENDIAN
        position = signal.start // 8 * 8 + 7 - signal.start % 8
    if position % 64 + bits > 64:
        kind |= w.SPLIT
    if signal.is_signed:
        kind |= w.SIGNED
    mask = (1 << bits) - 1 if bits < 64 else -1
    low, high = raw_range(signal, bits)
    if low > high:
        problems.append(f'signal "{signal.name}": no raw value of it lies in its range [{signal.minimum}|{signal.maximum}]')
        low = high = 0
    error, none = (None if code is not None and low <= code <= high else code for code in raw_codes(signal))
    below = low if error is None else error
    above = high if error is None else error
    nan = none if none is not None else error if error is not None else low
    row = [slot, word_0 + position // 64, position % 64, bits, mask, kind, low, high, below, above, nan]
    return row, (float(signal.scale), float(signal.offset))


def raw_range(signal: Any, bits: int) -> tuple[int, int]:
    """Smallest and largest raw value that is a value: the DBC's [min|max], or all that the bits hold."""
    if signal.is_signed:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    else:
        low, high = 0, min((1 << bits) - 1, (1 << 63) - 1)
    if signal.minimum is None or signal.maximum is None or signal.minimum >= signal.maximum:
        return low, high
    ends = sorted(round((end - signal.offset) / signal.scale) for end in (signal.minimum, signal.maximum))
    return max(low, ends[0]), min(high, ends[1])


def raw_codes(signal: Any) -> tuple[int | None, int | None]:
    """Raw values whose names say "error" and "not available"; None where no value that fits the bits has such a name."""
    most = 1 << min(signal.length, 63)
    choices = {int(raw): str(name) for raw, name in (signal.choices or {}).items()}
    named = {name.lower().replace(" ", "_"): raw for raw, name in choices.items() if -most <= raw < most}
    return named.get("error"), named.get("not_available")
