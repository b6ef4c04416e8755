"""Frames that a person sends by hand: as bytes, or a message with its signals by name.

Bytes are written as candump writes them: 123#0102, 18FF1234#00 (8 digits: extended), 123##1AABB (CAN FD, a digit of flags
first). By name, signals that are not given say "not available"; counter and CRC are filled in where the DBC says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire.layout import (
    BITS,
    BUS,
    CAN_ID,
    COUNT,
    E2E,
    EXTENDED,
    FD,
    FIRST,
    FLAGS,
    LENGTH,
    NO_E2E,
    OFFSET,
    OTHER,
    P05,
    P11,
    RAW_MAX,
    RAW_MIN,
    RAW_NAN,
    SCALE,
    Events,
    Image,
)
from firmware_sim.wire.send import NEXT_NS, send_due, sender_state
from hil import files, network
from hil.database import Bus, Database
from hil.errors import ScenarioError, nearest
from hil.link.frame import hex_id
from hil.link.match import Outgoing, Reader

_RAW = re.compile(r"([0-9A-Fa-f]{1,8})(##([0-9A-Fa-f])|#)((?:[0-9A-Fa-f]{2}[._ ]?)*)", re.ASCII)
_LENGTHS = {0: range(9), FD: (*range(9), 12, 16, 20, 24, 32, 48, 64)}
_ANY_RATE = 500_000
_MOST_CELLS, _MOST_SENSORS = 192, 64
_NEVER_NS = 1 << 62
_PROFILES = {
    NO_E2E: "no counter or CRC",
    P05: "counter and CRC of profile 5",
    P11: "counter and CRC of profile 11",
    OTHER: "counter and check as its mapping says",
}


class Order(Protocol):
    """Something to send."""

    @property
    def fd(self) -> bool:
        """Whether it needs CAN FD."""

    def frame(self) -> Outgoing:
        """The next frame of it."""

    def text(self) -> str:
        """What it is, in a line."""


@dataclass(frozen=True)
class Raw:
    """A frame as it was written."""

    sent: Outgoing

    @property
    def fd(self) -> bool:
        """Whether it is CAN FD."""
        return bool(self.sent.flags & FD)

    def frame(self) -> Outgoing:
        """It."""
        return self.sent

    def text(self) -> str:
        """Id, length and bytes."""
        return shown(self.sent)


def shown(frame: Outgoing) -> str:
    """A frame for people."""
    kind = " FD" if frame.flags & FD else ""
    ident = hex_id(frame.can_id, bool(frame.flags & EXTENDED))
    return f"{ident}{kind}  [{len(frame.data)}]  {frame.data.hex(' ').upper()}".rstrip()


def raw(text: str) -> Raw:
    """A frame from candump's notation. Raises ScenarioError."""
    match = _RAW.fullmatch(text)
    if match is None:
        raise ScenarioError(f'frame "{text}": expected ID#BYTES, as in 123#0102 or 18FF1234#00; CAN FD: 123##1AABB')
    digits, data = match[1], bytes.fromhex(re.sub(r"[._ ]", "", match[4]))
    flags = (EXTENDED if len(digits) == 8 else 0) | (FD if match[3] is not None else 0)
    can_id = int(digits, 16)
    if can_id > (0x1FFFFFFF if flags & EXTENDED else 0x7FF):
        raise ScenarioError(f'frame "{text}": id 0x{can_id:X} is too large; 3 digits are up to 7FF, 8 digits up to 1FFFFFFF')
    if len(data) not in _LENGTHS[flags & FD]:
        most = "8 bytes; CAN FD is ID##FLAGS" if not flags & FD else "a length of CAN FD: 0 to 8, 12, 16, 20, 24, 32, 48, 64"
        raise ScenarioError(f'frame "{text}" has {len(data)} bytes; expected at most {most}')
    return Raw(Outgoing(0, 0, can_id, flags, data))


class Named:
    """A message of a database with values. Raises ScenarioError: unknown names, values that the signal cannot have."""

    def __init__(self, database: Database, name: str, values: Sequence[str]) -> None:
        message = database.message(name.partition("[")[0])
        slots = database.slots(lambda m: m.name == message.name, lambda _slot: True)
        layout = self._layout = database.layout(slots, MS_NS)
        given = dict(_pair(text) for text in values)
        found: dict[int, float] = {}
        slot = self._slot = self._choose(name, list(given))
        first, count = int(layout.slots[slot, FIRST]), int(layout.slots[slot, COUNT])
        own = {layout.signal_names[n]: n for n in range(first, first + count)}
        for key, text in given.items():
            row = own[_meant(key, list(own), message.name)]
            found[row] = self._value(database, row, text)
        self._left = [n for n in own.values() if n not in found]
        self._values = np.full((1, layout.n_signals), np.nan)
        for row, value in found.items():
            self._values[0, row] = value
        self._said = [
            f"{layout.signal_names[row]}={_brief(value)} {layout.units[row]}".rstrip() for row, value in found.items()
        ]
        self._sender, self._image, self._reader = sender_state(layout, 1), Image.empty(layout, 1), Reader(layout)
        self._events = Events.empty(1)
        self._fd = bool(layout.slots[slot, FLAGS] & FD)

    @property
    def fd(self) -> bool:
        """Whether it is CAN FD."""
        return self._fd

    def _choose(self, name: str, keys: list[str]) -> int:
        """The slot of a message: the page that is named, or the one that has all the signals. Raises ScenarioError."""
        layout = self._layout
        if name in layout.slot_names:
            return layout.slot_names.index(name)
        if "[" in name:
            raise ScenarioError(f'message "{name}" has no such page{nearest(name, layout.slot_names)}')
        all_names = list(layout.signal_names)
        wanted = {_meant(key, all_names, name) for key in keys}
        fits = []
        for slot in range(layout.n_slots):
            first, count = int(layout.slots[slot, FIRST]), int(layout.slots[slot, COUNT])
            if wanted <= set(layout.signal_names[first : first + count]):
                fits.append(slot)
        if len(fits) != 1:
            pages = ", ".join(layout.slot_names[:6])
            raise ScenarioError(f'message "{name}" has {layout.n_slots} pages; name one of them: {pages} ...')
        return fits[0]

    def _value(self, database: Database, row: int, text: str) -> float:
        layout = self._layout
        name, scale, offset = layout.signal_names[row], float(layout.scales[row, SCALE]), float(layout.scales[row, OFFSET])
        choices = {str(word): int(code) for code, word in (database.signal(name).choices or {}).items()}
        try:
            value = choices[text] * scale + offset if text in choices else float(text)
        except ValueError:
            raise ScenarioError(
                f'{name}="{text}": expected a number{nearest(text, choices) or " or a name of the DBC"}'
            ) from None
        low, high = (float(layout.signals[row, edge]) * scale + offset for edge in (RAW_MIN, RAW_MAX))
        low, high = min(low, high), max(low, high)
        code = choices.get(text)
        if code is not None and not int(layout.signals[row, RAW_MIN]) <= code <= int(layout.signals[row, RAW_MAX]):
            if code == int(layout.signals[row, RAW_NAN]):
                return float("nan")
            raise ScenarioError(f'{name}="{text}" is a code that says no value; send the bytes for it, as in ID#BYTES')
        if not low <= value <= high:
            unit = f" {layout.units[row]}" if layout.units[row] else ""
            raise ScenarioError(
                f"{name}={text}: expected {low:g} to {high:g}{unit}, what its {int(layout.signals[row, BITS])} bits hold"
            )
        return value

    def frame(self) -> Outgoing:
        """The next frame, with the next counter and its CRC."""
        layout = self._layout
        self._sender[:, NEXT_NS] = _NEVER_NS
        self._sender[0, NEXT_NS, self._slot] = 0
        send_due(
            0, self._values, np.zeros((1, int(layout.slots[:, BUS].max()) + 1), np.int64), self._sender, layout.signals,
            layout.scales, layout.slots, layout.blank, self._image.words, self._image.meta,
        )  # fmt: skip
        slot = layout.slots[self._slot]
        (frame,) = self._reader.frames(self._image, self._events)
        return Outgoing(0, 0, int(slot[CAN_ID]), int(slot[FLAGS]), frame.data)

    def text(self) -> str:
        """Id, name, values, and what is filled in."""
        slot = self._layout.slots[self._slot]
        profile = _PROFILES[int(slot[E2E])]
        left = f"; not available: {', '.join(self._layout.signal_names[n] for n in self._left)}" if self._left else ""
        said = ", ".join(self._said) or "no value"
        name, ident = self._layout.slot_names[self._slot], hex_id(int(slot[CAN_ID]), bool(slot[FLAGS] & EXTENDED))
        return f"{ident}  {name}  [{int(slot[LENGTH])}]  {said}{left}; {profile}"


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise ScenarioError(f'"{text}": expected SIGNAL=VALUE, as in ModeRequest=drive')
    return key, value


def _meant(key: str, known: Sequence[str], message: str) -> str:
    """A signal by its name, or by the end of it behind an underscore. Raises ScenarioError."""
    if key in known:
        return key
    ends = [name for name in known if name.endswith(f"_{key}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise ScenarioError(f'message "{message}": "{key}" may be {" or ".join(ends[:4])}; write it in full')
    short = {name.rpartition("_")[2]: name for name in known}
    hint = nearest(key, [*known, *short])
    raise ScenarioError(f'message "{message}" has no signal "{key}"{hint}')


def _brief(value: float) -> str:
    return "not available" if np.isnan(value) else f"{value:g}"


def orders(words: Sequence[str], network_name: str, dbc: Sequence[Path]) -> list[Order]:
    """What the words of a command mean. Raises ScenarioError with all that is wrong."""
    if any("#" in word for word in words):
        return [raw(word) for word in words]
    return [Named(database_of(network_name, dbc), words[0], words[1:])]


def database_of(network_name: str, dbc: Sequence[Path]) -> Database:
    """The messages of a network, and ours for the bench, or of DBC files. Raises ScenarioError."""
    if dbc:
        return Database([Bus("bus", tuple(dbc), _ANY_RATE, _ANY_RATE, {})])
    net = network.load(network_name, _MOST_CELLS, _MOST_SENSORS, 10 * MS_NS)
    paths = [path for bus in net.database.buses for path in bus.paths]
    bench = files.dbc_folder() / "bench.dbc"
    if len(net.database.buses) > 1:
        return net.database
    made = Database([Bus("bus", (*paths, bench), _ANY_RATE, _ANY_RATE, {})])
    made.protections |= net.database.protections
    return made
