"""The journal, decoded: what each signal said and when, in either direction, as sent or as it arrived.

A frame tells something when its length and its CRC are right and its counter has moved: what a receiver must refuse, the
judge does not believe either, so a hanging device that repeats its last frames is a silent one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from firmware_sim.types import F64, I64
from firmware_sim.wire.codec import decode_many
from firmware_sim.wire.crc import crc_many
from firmware_sim.wire.layout import (
    BUS,
    CAN_ID,
    COUNT,
    COUNTER_MASK,
    COUNTER_SHIFT,
    COUNTER_TURNED,
    COUNTER_WORD,
    COUNTS_WITH,
    FIRST,
    FRAME_NS,
    LENGTH,
    N_WORDS,
    PAGE_MASK,
    SLOT,
    TURNED,
    WORD_0,
    Layout,
)
from hil import journal as j
from hil import roles
from hil.network import Network

Bools = npt.NDArray[np.bool_]
_TO = (j.TO_DUT, j.OFFERED_TO_DUT)


@dataclass(frozen=True)
class Series:
    """A signal over time.

    t_ns: (n,) end of frame.  value: (n,) physical.  valid: (n,) the frame told something, and it was a value.
    frame_ns: longest duration of its frame.  told: (n,) the frame told something, be it that there is no value.
    """

    t_ns: I64
    value: F64
    valid: Bools
    frame_ns: int
    told: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))


class WireLog:
    """Decoded view of a trace's journal."""

    def __init__(self, journal: I64, network: Network) -> None:
        self.network = network
        self._rows = journal
        self._slot = _find_slots(journal, network)
        self._cache: dict[tuple[str, int], Series] = {}

    def layout(self, kind: int) -> Layout:
        """Wire tables of a journal kind."""
        return self.network.to_dut if kind in _TO else self.network.from_dut

    def frames(self, kind: int, slot: int) -> I64:
        """Journal rows of a slot, in order of arrival."""
        rows = self._rows[(self._rows[:, j.KIND] == kind) & (self._slot == slot)]
        return rows[np.argsort(rows[:, j.T_NS], kind="stable")]

    def kind_of(self, name: str) -> int:
        """Whether a signal goes to the device or comes from it. Raises KeyError."""
        if name in self.network.to_dut.signal_names:
            return j.TO_DUT
        if name in self.network.from_dut.signal_names:
            return j.FROM_DUT
        raise KeyError(name)

    def series(self, name: str, kind: int | None = None) -> Series:
        """A signal as it arrived (or as offered, with that kind). Raises KeyError."""
        kind = self.kind_of(name) if kind is None else kind
        key = (name, kind)
        if key not in self._cache:
            layout = self.layout(kind)
            slot = int(layout.signals[layout.index(name), SLOT])
            for n, series in enumerate(self._decode(kind, slot)):
                self._cache[layout.signal_names[int(layout.slots[slot, FIRST]) + n], kind] = series
            for further in roles.further_flags(name, layout.signal_names) if name.startswith("Diag_") else ():
                slot = int(layout.signals[layout.index(further), SLOT])
                other = self.series(further, self.sent_kind(slot) if kind == j.OFFERED_FROM_DUT else kind)
                self._cache[key] = _either(self._cache[key], other)
        return self._cache[key]

    def sent_kind(self, slot: int) -> int:
        """Journal kind under which a slot of the device stands as it sent it, whatever a fault or the bus made of it."""
        if ((self._rows[:, j.KIND] == j.QUEUED_FROM_DUT) & (self._slot == slot)).any():
            return j.QUEUED_FROM_DUT
        touched = (self._rows[:, j.KIND] == j.OFFERED_FROM_DUT) & (self._slot == slot)
        return j.OFFERED_FROM_DUT if touched.any() else j.FROM_DUT

    def said(self, name: str) -> Series:
        """A signal of the device as it sent it. Raises KeyError."""
        layout = self.network.from_dut
        return self.series(name, self.sent_kind(int(layout.signals[layout.index(name), SLOT])))

    def told_ns(self, slot: int) -> I64:
        """(n,) times of the frames of a slot of the device that told something, as it sent them."""
        kind = self.sent_kind(slot)
        rows = self.frames(kind, slot)
        return rows[self.tells(kind, slot, rows), j.T_NS]

    def _decode(self, kind: int, slot: int) -> list[Series]:
        layout, rows = self.layout(kind), self.frames(kind, slot)
        words = np.ascontiguousarray(rows[:, j.WORD : j.WORD + int(layout.slots[slot, N_WORDS])])
        count = int(layout.slots[slot, COUNT])
        value, valid = np.zeros((len(rows), count)), np.zeros((len(rows), count), np.uint8)
        decode_many(words, slot, layout.signals, layout.scales, layout.slots, value, valid)
        tells = self.tells(kind, slot, rows)
        frame_ns = int(layout.slots[slot, FRAME_NS])
        return [Series(rows[:, j.T_NS], value[:, n], (valid[:, n] == 1) & tells, frame_ns, tells) for n in range(count)]

    def tells(self, kind: int, slot: int, rows: I64) -> Bools:
        """(n,) which frames of a slot tell something: right length, right CRC, a counter that has moved, if it has them."""
        row = self.layout(kind).slots[slot]
        right = self.crc_right(kind, slot, rows) & (rows[:, j.LENGTH] == row[LENGTH])
        if row[COUNTER_MASK] == 0:
            return right
        pages = np.flatnonzero(self.layout(kind).slots[:, COUNTS_WITH] == row[COUNTS_WITH])
        if len(pages) > 1:
            return right & self._moved_over(kind, pages, slot, rows)
        at = np.flatnonzero(right)
        counter = _counter(rows[at], row)
        right[at[1:][counter[1:] == counter[:-1]]] = False
        return right

    def _moved_over(self, kind: int, pages: I64, slot: int, rows: I64) -> Bools:
        """(n,) which frames of a page have another counter than the frame before them, of whatever page."""
        found = [(self.frames(kind, int(page)), int(page)) for page in pages]
        right = [self.crc_right(kind, page, frames) for frames, page in found]
        whole = np.concatenate([frames[ok] for (frames, _), ok in zip(found, right, strict=True)])
        own = np.concatenate([np.full(int(ok.sum()), page == slot) for (_, page), ok in zip(found, right, strict=True)])
        order = np.argsort(whole[:, j.T_NS], kind="stable")
        counter = _counter(whole[order], self.layout(kind).slots[slot])
        moved = np.concatenate([[True], counter[1:] != counter[:-1]])[own[order]]
        out = np.zeros(len(rows), np.bool_)
        out[self.crc_right(kind, slot, rows)] = moved
        return out

    def crc_right(self, kind: int, slot: int, rows: I64) -> Bools:
        """(n,) which frames of a slot carry the CRC that fits."""
        layout = self.layout(kind)
        words = np.zeros((len(rows), layout.n_words), np.int64)
        first, n_words = int(layout.slots[slot, WORD_0]), int(layout.slots[slot, N_WORDS])
        words[:, first : first + n_words] = rows[:, j.WORD : j.WORD + n_words]
        right = np.zeros(len(rows), np.uint8)
        crc_many(words, layout.slots, slot, right)
        return right == 1


def _counter(rows: I64, slot: I64) -> I64:
    """(n,) counters of journal rows of a slot."""
    word = rows[:, j.WORD + slot[COUNTER_WORD]]
    turned: I64 = word.byteswap() if slot[TURNED] & COUNTER_TURNED else word
    return np.asarray(turned >> slot[COUNTER_SHIFT] & slot[COUNTER_MASK], np.int64)


def _either(a: Series, b: Series) -> Series:
    """A code that two flags say: raised while one of them is. Each frame of either tells what both said last."""
    t_ns = np.concatenate([a.t_ns, b.t_ns])
    order = np.argsort(t_ns, kind="stable")
    last = np.maximum.accumulate(np.where(order < len(a.t_ns), order, -1))
    mate = np.maximum.accumulate(np.where(order >= len(a.t_ns), order - len(a.t_ns), -1))
    raised = np.zeros(len(order))
    for series, at in ((a, last), (b, mate)):
        known = at >= 0
        raised[known] = np.maximum(raised[known], np.where(series.valid, series.value, 0.0)[at[known]])
    valid, told = (np.concatenate([getattr(a, key), getattr(b, key)])[order] for key in ("valid", "told"))
    return Series(t_ns[order], raised, valid, max(a.frame_ns, b.frame_ns), told)


def _find_slots(rows: I64, network: Network) -> I64:
    """Slot of each row; frames that no slot held are matched by bus, id and page."""
    out = rows[:, j.SLOT].copy()
    loose = np.flatnonzero(out < 0)
    if not len(loose):
        return out
    bus, can_id, word = (rows[loose, column] for column in (j.BUS_NO, j.ID, j.WORD))
    to_dut = np.isin(rows[loose, j.KIND], _TO)
    for layout, ours in ((network.to_dut, to_dut), (network.from_dut, ~to_dut)):
        for s in reversed(range(layout.n_slots)):  # the first that fits counts
            slot = layout.slots[s]
            page = layout.blank[slot[WORD_0]]
            fits = ours & (can_id == slot[CAN_ID]) & (bus == slot[BUS]) & ((word ^ page) & slot[PAGE_MASK] == 0)
            out[loose[fits]] = s
    return out


@lru_cache(maxsize=8)
def choices(network: Network, name: str) -> dict[int, str]:
    """Value names of a signal."""
    return {int(raw): str(text) for raw, text in (network.database.signal(name).choices or {}).items()}


@lru_cache(maxsize=8)
def meanings(network: Network, name: str) -> dict[float, str]:
    """Value names of a signal by physical value; they differ from the raw ones where a mapping converts."""
    signal = network.database.signal(name)
    return {raw * signal.scale + signal.offset: text for raw, text in choices(network, name).items()}
