"""DBC files as wire tables, and cantools' opinion on the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cantools
import numpy as np

from firmware_sim.types import F64, I64
from firmware_sim.wire import layout as w
from firmware_sim.wire.codec import decode_many, encode_many
from hil.database import Bus, Database, Slot


@dataclass(frozen=True)
class Frames:
    """One slot of a layout, with the cantools message that it was compiled from."""

    layout: w.Layout
    s: int
    slot: Slot

    @property
    def rows(self) -> range:
        """Signals of the slot in the layout."""
        first = int(self.layout.slots[self.s, w.FIRST])
        return range(first, first + int(self.layout.slots[self.s, w.COUNT]))

    @property
    def signals(self) -> list[Any]:
        """Cantools' signals, in the order of the layout."""
        by_name = {signal.name: signal for signal in self.slot.message.signals}
        return [by_name[self.layout.signal_names[n]] for n in self.rows]

    @property
    def others(self) -> dict[str, int]:
        """Raw values of what the layout leaves out: the page, and the blank E2E header."""
        own = {signal.name for signal in self.signals}
        found = {}
        for signal in self.slot.message.signals:
            if signal.name in dict(self.slot.chosen):
                found[signal.name] = dict(self.slot.chosen)[signal.name]
            elif signal.name not in own and signal.multiplexer_ids is None:
                found[signal.name] = 0
        return found

    @property
    def length(self) -> int:
        """Bytes of the payload."""
        return int(self.slot.message.length)

    def encode(self, values: F64) -> list[bytes]:
        """Payloads of (n, signals) physical values."""
        payloads = np.zeros((len(values), int(self.layout.slots[self.s, w.N_WORDS])), np.int64)
        lay = self.layout
        encode_many(np.ascontiguousarray(values, np.float64), self.s, lay.signals, lay.scales, lay.slots, lay.blank, payloads)
        return [row.astype("<i8").tobytes()[: self.length] for row in payloads]

    def decode(self, payloads: list[bytes]) -> tuple[F64, I64]:
        """(n, signals) values and whether each is one."""
        n_words, lay = int(self.layout.slots[self.s, w.N_WORDS]), self.layout
        words = np.array([np.frombuffer(p.ljust(8 * n_words, b"\0"), "<i8") for p in payloads], np.int64)
        value, valid = np.zeros((len(words), len(self.rows))), np.zeros((len(words), len(self.rows)), np.uint8)
        decode_many(words, self.s, lay.signals, lay.scales, lay.slots, value, valid)
        return value, valid.astype(np.int64)

    def theirs(self, raw: dict[str, Any]) -> bytes:
        """Cantools' payload of raw values."""
        return bytes(self.slot.message.encode({**raw, **self.others}, scaling=False, strict=False))

    def read(self, payload: bytes, scaling: bool = True) -> dict[str, Any]:
        """Cantools' values of a payload."""
        found = self.slot.message.decode(payload, decode_choices=False, scaling=scaling)
        assert isinstance(found, dict)
        return found


def compiled(database: Database, base_tick_ns: int = 10_000_000) -> list[Frames]:
    """Every (message, page) of a database. Raises ScenarioError for the first that cannot be compiled."""
    slots = database.slots(lambda _message: True, lambda _slot: True)
    layout = database.layout(slots, base_tick_ns)
    return [Frames(layout, s, slot) for s, slot in enumerate(slots)]


@lru_cache(maxsize=64)
def of_file(path: Path) -> Database:
    """A file as the only one on its bus."""
    return Database([Bus("bus", (path,), 500_000, 2_000_000, {})])


def theirs(path: Path) -> Any:
    """Cantools' own strict reading of a file."""
    return cantools.database.load_file(path, database_format="dbc", encoding="cp1252", strict=True)


def raw_limits(signal: Any) -> tuple[int, int]:
    """What its bits can hold."""
    if signal.is_signed:
        return -(1 << (signal.length - 1)), (1 << (signal.length - 1)) - 1
    return 0, (1 << signal.length) - 1
