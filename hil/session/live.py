"""The latest value of each signal on the wire, found when it is asked for; ticks that nobody looks at cost nothing."""

from __future__ import annotations

import math

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.codec import decode_many
from firmware_sim.wire.layout import COUNT, FIRST, N_WORDS, OFFSET, SCALE, SLOT
from hil import journal as j
from hil.errors import ScenarioError, nearest
from hil.network import Network
from hil.wirelog import WireLog, choices

_MOST_SLOTS = 1 << 16


class Value(float):
    """A signal's value, with what its database says about it.

    name: of the value, where the database names it ("run", "error", "not_available"), else None.  unit.
    t_s: end of the frame that brought it, NaN while none came.  It compares with names too: value == "run".
    """

    name: str | None
    unit: str
    t_s: float
    signal: str
    names: frozenset[str]

    @classmethod
    def of(cls, x: float, signal: str, unit: str, t_s: float, name: str | None, names: frozenset[str]) -> Value:
        """A value and all that goes with it."""
        value = cls(x)
        value.name, value.unit, value.t_s, value.signal, value.names = name, unit, t_s, signal, names
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, str):
            return float.__eq__(self, other)
        if self.names and other not in self.names:
            raise ScenarioError(f'"{other}" is not a value of {self.signal}{nearest(other, self.names)}')
        return self.name == other

    def __ne__(self, other: object) -> bool:
        return not self == other if isinstance(other, str) else float.__ne__(self, other)

    def __hash__(self) -> int:
        return float.__hash__(self)

    def __repr__(self) -> str:
        shown = self.name if self.name is not None else f"{float(self):.7g} {self.unit}".rstrip()
        return f"<{self.signal} = {shown}>"


class Latest:
    """The last frame of each slot, in either direction."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._rows: dict[tuple[int, int], I64] = {}

    def absorb(self, rows: I64) -> None:
        """Take note of journal rows, in the order in which they were written."""
        held = rows[:, j.SLOT] >= 0
        if not held.all():
            self._absorb_strays(rows[~held])
        keys = rows[held, j.KIND] * _MOST_SLOTS + rows[held, j.SLOT]
        last = dict(zip(keys.tolist(), np.flatnonzero(held).tolist(), strict=True))
        for key, at in last.items():
            kind, slot = divmod(key, _MOST_SLOTS)
            self._note(kind, slot, rows[at])

    def _note(self, kind: int, slot: int, row: I64) -> None:
        known = self._rows.get((kind, slot))
        if known is None or row[j.T_NS] >= known[j.T_NS]:
            self._rows[kind, slot] = row

    def _absorb_strays(self, rows: I64) -> None:
        """Frames that no slot held (late, doubled) bring values too."""
        log = WireLog(rows, self._network)
        for kind, layout in ((j.TO_DUT, self._network.to_dut), (j.FROM_DUT, self._network.from_dut)):
            for slot in range(layout.n_slots):
                for row in log.frames(kind, slot)[-1:]:
                    self._note(kind, slot, row)

    def read(self, name: str) -> Value:
        """The latest value of a signal; NaN while there is none. Raises ScenarioError for an unknown name."""
        kind, slot, at = find(self._network, name)
        layout = self._network.to_dut if kind == j.TO_DUT else self._network.from_dut
        unit, named = layout.units[at], choices(self._network, name)
        names = frozenset(named.values())
        row = self._rows.get((kind, slot))
        if row is None:
            return Value.of(math.nan, name, unit, math.nan, None, names)
        words = np.ascontiguousarray(row[None, j.WORD : j.WORD + int(layout.slots[slot, N_WORDS])])
        count = int(layout.slots[slot, COUNT])
        value, valid = np.zeros((1, count)), np.zeros((1, count), np.uint8)
        decode_many(words, slot, layout.signals, layout.scales, layout.slots, value, valid)
        n = at - int(layout.slots[slot, FIRST])
        t_s = float(row[j.T_NS]) * 1e-9
        if not WireLog(row[None, :], self._network).crc_right(kind, slot, row[None, :])[0]:
            return Value.of(math.nan, name, unit, t_s, None, names)
        raw = round((float(value[0, n]) - float(layout.scales[at, OFFSET])) / float(layout.scales[at, SCALE]))
        return Value.of(float(value[0, n]) if valid[0, n] else math.nan, name, unit, t_s, named.get(raw), names)


def find(network: Network, name: str) -> tuple[int, int, int]:
    """Direction (TO_DUT or FROM_DUT), slot and row of a signal. Raises ScenarioError with the nearest name."""
    for kind, layout in ((j.TO_DUT, network.to_dut), (j.FROM_DUT, network.from_dut)):
        if name in layout.signal_names:
            at = layout.index(name)
            return kind, int(layout.signals[at, SLOT]), at
    known = [*network.to_dut.signal_names, *network.from_dut.signal_names]
    raise ScenarioError(f'there is no signal "{name}" on the wire of this pack{nearest(name, known)}')
