"""Network seam: the journal holds the frames of each touched slot as offered and as they arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from firmware_sim.types import I64, U8
from firmware_sim.wire import layout as w
from firmware_sim.wire.layout import DATA_ID, FRAME_NS, Layout
from hil import journal as j
from hil.fault.catalogue import Bound
from hil.observe.view import Effect, Moment, View, expected_on, others_on


@dataclass(frozen=True)
class _Frames:
    """Frames of one slot on which a fault was on: their wire tables, and how often it had been off before each."""

    layout: Layout
    slot: int
    turn: I64

    def payload(self, rows: I64) -> U8:
        """(n, bytes) of journal rows."""
        return np.ascontiguousarray(rows[:, j.WORD :]).view(np.uint8).copy()

    def with_payload(self, rows: I64, payload: U8) -> I64:
        """Journal rows with other bytes."""
        return np.concatenate([rows[:, : j.WORD], np.ascontiguousarray(payload).view(np.int64)], axis=1)

    def protected(self, payload: U8, length: int, data_id: int) -> U8:
        """The bytes with the right check, worked out bit by bit. data_id: of profiles 5 and 11."""
        slot = self.layout.slots[self.slot]
        head = np.tile(np.array([data_id & 0xFF, data_id >> 8 & 0xFF], np.uint8), (len(payload), 1))
        if slot[w.E2E] == w.P11:
            payload[:, 0] = _crc(np.concatenate([head, payload[:, 1:length]], axis=1), 8, 0x1D, 0)
        elif slot[w.E2E] == w.P05:
            crc = _crc(np.concatenate([payload[:, 2:length], head], axis=1), 16, 0x1021, 0xFFFF)
            payload[:, 0], payload[:, 1] = crc & 0xFF, crc >> 8
        elif slot[w.WIDTH] != 0:
            payload = _with_check(payload, slot)
        return payload


def _crc(data: U8, width: int, polynomial: int, start: int) -> I64:
    """(n,) CRC without reflection over each row of bytes."""
    crc = np.full(len(data), start, np.int64)
    for column in data.T.astype(np.int64):
        crc ^= column << (width - 8)
        for _ in range(8):
            crc = np.where(crc >> (width - 1) & 1, crc << 1 ^ polynomial, crc << 1) & ((1 << width) - 1)
    return crc


def _division(data: U8, width: int, polynomial: int, start: int, *, low_first: bool) -> I64:
    """(n,) remainder of the bits of each row, which come in one by one. low_first: everything the other way round."""
    bits = np.unpackbits(data, axis=1, bitorder="little" if low_first else "big").astype(np.int64)
    rest = np.full(len(data), start, np.int64)
    for bit in bits.T:
        out = (rest if low_first else rest >> width - 1) & 1 ^ bit
        rest = (rest >> 1 if low_first else rest << 1) & (1 << width) - 1 ^ out * polynomial
    return rest


def _with_check(payload: U8, slot: I64) -> U8:
    """The bytes with the check that a slot's columns describe."""
    n, width, words = len(payload), int(slot[w.WIDTH]), payload.view(np.int64)
    words[:, slot[w.CHECK_WORD]] &= ~slot[w.CHECK_BITS]
    own = [payload[:, i : i + 1] for i in range(slot[w.LENGTH]) if slot[w.BYTES] >> i & 1]
    sides = [slot[[column]].view(np.uint8)[: slot[size]] for column, size in ((w.BEFORE, w.N_BEFORE), (w.AFTER, w.N_AFTER))]
    before, after = (np.tile(side, (n, 1)) for side in sides)
    picked = slot[[w.LIST_LOW, w.LIST_HIGH]].view(np.uint8)[counter(words, slot) & 15][:, None]
    none, at = picked[:, :0], slot[w.LISTED]
    data = np.concatenate(
        [before, picked if at == w.LISTED_BEFORE else none, *own, after, picked if at == w.LISTED_AFTER else none], axis=1
    )
    kind, halves = slot[w.CHECK], np.concatenate([data & 0xF, data >> 4], axis=1)
    if kind in (w.CRC_HIGH, w.CRC_LOW):
        up = 0 if kind == w.CRC_LOW else 32 - width
        check = _division(data, width, int(slot[w.POLY]) >> up, int(slot[w.START]) >> up, low_first=kind == w.CRC_LOW)
    elif kind in (w.SUM, w.HALF_SUM):
        check = slot[w.START] + slot[w.POLY] * (data if kind == w.SUM else halves).sum(axis=1, dtype=np.int64)
    else:
        check = slot[w.START] ^ np.bitwise_xor.reduce((data if kind == w.XOR else halves).astype(np.int64), axis=1)
    check = (check ^ slot[w.FINAL] ^ (picked[:, 0] if at == w.LISTED_ONTO else 0)) & (1 << width) - 1
    put = check << slot[w.CHECK_SHIFT]
    words[:, slot[w.CHECK_WORD]] |= put.byteswap() if slot[w.TURNED] & w.CHECK_TURNED else put
    return payload


def counter(words: I64, slot: I64) -> I64:
    """(n,) counters of frames. words: (n, words) payload."""
    word = words[:, slot[w.COUNTER_WORD]]
    turned: I64 = word.byteswap() if slot[w.TURNED] & w.COUNTER_TURNED else word
    return np.asarray(turned >> slot[w.COUNTER_SHIFT] & slot[w.COUNTER_MASK], np.int64)


def _network(view: View, fault: Bound, alter: Callable[[_Frames, I64], I64], what: str) -> Effect:
    """Check that what arrived is what was offered, altered while the fault was on. alter: (frames, offered) -> arrived."""
    starts: list[Moment] = []
    was_on, end_ns = False, view.trace.n_ticks * view.trace.dt_ns
    for kind, offered_kind, slots in (
        (j.TO_DUT, j.OFFERED_TO_DUT, fault.to_dut),
        (j.FROM_DUT, j.OFFERED_FROM_DUT, fault.from_dut),
    ):
        layout = view.log.layout(kind)
        for slot in slots:
            offered, delivered = (_until(view.log.frames(x, slot), end_ns) for x in (offered_kind, kind))
            t_ns, name = offered[:, j.T_NS], layout.slot_names[slot]
            shares = partial(_shares, kind, slot)
            shared = others_on(view, fault, t_ns, shares)
            exact = not len(view.trace.late_ns) and not any(shares(x) for x in view.setup.faults if x is not fault)
            on = expected_on(t_ns, fault, view.trace.dt_ns) & ~shared
            if not on.any():
                continue
            was_on = True
            altered = alter(_Frames(layout, slot, _turn(t_ns[on], fault)), offered[on])
            came = _until(altered, end_ns)
            why = _unlike(offered[on], offered[~on & ~shared], came, delivered, exact=exact)
            if why:
                return Effect(False, f"{name}: {why.format(what=what)}")
            at = _first_change(offered[on], altered)
            if at is not None:
                frame_ns = int(layout.slots[slot, FRAME_NS])
                starts.append(Moment(at - frame_ns, at, f"first frame of {name} that {what}", name))
    if not starts:
        return Effect(False, "the fault changed nothing" if was_on else "no frame was sent while it was on")
    start = min(starts, key=lambda moment: moment.high_ns)
    return Effect(True, f"{len(starts)} streams: {what}, from {start.high_ns / 1e9:.3f} s", start, start)


def _shares(kind: int, slot: int, other: Bound) -> bool:
    return slot in (other.to_dut if kind == j.TO_DUT else other.from_dut)


def _turn(t_ns: I64, fault: Bound) -> I64:
    spec = fault.spec
    if spec.on_ms is None or spec.off_ms is None:
        return np.zeros(len(t_ns), np.int64)
    return (t_ns - fault.start_ns) // ((spec.on_ms + spec.off_ms) * 1_000_000)


def _until(rows: I64, end_ns: int) -> I64:
    """Frames that ended before the end of the run."""
    return rows[rows[:, j.T_NS] < end_ns]


def _keys(rows: I64) -> list[tuple[int, ...]]:
    """Time, length and payload of frames."""
    return list(map(tuple, rows[:, [j.T_NS, j.LENGTH, *range(j.WORD, rows.shape[1])]].tolist()))


def _unlike(hit: I64, spared: I64, altered: I64, delivered: I64, *, exact: bool) -> str:
    """Why the frames that arrived are not those that should; empty when they are.

    hit, spared: offered while the fault was on and off.  exact: no other fault adds frames, and no link whose frames may
    come without having been offered in a slot.
    """
    came, kept, changed, own = Counter(_keys(delivered)), Counter(_keys(spared)), Counter(_keys(altered)), set(_keys(hit))
    for key in kept - came:
        return f"the frame of {key[0] / 1e9:.4f} s was touched outside the fault's time"
    for key in changed + kept - came:
        return f"at {key[0] / 1e9:.4f} s no frame arrived that {{what}}"
    since_ns = min(key[0] for key in [*kept, *own])  # what came before anything was noted as offered is not known
    for key in came - changed - kept:
        if key in own or (exact and key[0] >= since_ns):
            how = "as it was offered" if key in own else "that none had offered"
            return f"at {key[0] / 1e9:.4f} s a frame arrived {how}"
    return ""


def _first_change(offered: I64, altered: I64) -> int | None:
    """End of the first frame that did not arrive as it was, or not alone; None when all did."""
    came = Counter(_keys(altered))
    for key in _keys(offered):
        if came[key] != 1:
            return key[0]
    return int(offered[0, j.T_NS]) if len(altered) != len(offered) else None


def drop(view: View, fault: Bound) -> Effect:
    """Nothing arrives."""
    return _network(view, fault, lambda frames, rows: rows[:0], "did not arrive")


def _later(rows: I64, delay_ns: int) -> I64:
    out = rows.copy()
    out[:, j.T_NS] += delay_ns
    return out


def delay(view: View, fault: Bound) -> Effect:
    """The same frames, later."""
    delay_ns = round(fault.values["delay_ms"] * 1e6)
    return _network(view, fault, lambda frames, rows: _later(rows, delay_ns), f"came {delay_ns / 1e6:g} ms late")


def double(view: View, fault: Bound) -> Effect:
    """The same frames, and each once more, later."""
    delay_ns = round(fault.values["delay_ms"] * 1e6)

    def alter(frames: _Frames, rows: I64) -> I64:
        """The rows, and the same rows later."""
        return np.concatenate([rows, _later(rows, delay_ns)])

    return _network(view, fault, alter, "came twice")


def flip(view: View, fault: Bound) -> Effect:
    """One bit inverted, or the CRC of another data id."""
    if "data_id" in fault.values:
        return _data_id(view, fault)
    chosen = int(fault.values["bit"]) if "bit" in fault.values else None

    def alter(frames: _Frames, rows: I64) -> I64:
        """The rows with one bit inverted: the chosen one, else the lowest of the check."""
        payload, slot = frames.payload(rows), frames.layout.slots[frames.slot]
        bit = chosen
        if bit is None:
            bit = 64 * int(slot[w.CHECK_WORD]) + next(n for n in range(64) if slot[w.CHECK_BITS] >> n & 1)
        payload[:, bit // 8] ^= 1 << bit % 8
        return frames.with_payload(rows, payload)

    return _network(view, fault, alter, f"has {'a wrong CRC' if chosen is None else f'bit {chosen} inverted'}")


def _data_id(view: View, fault: Bound) -> Effect:
    data_id = int(fault.values["data_id"])

    def alter(frames: _Frames, rows: I64) -> I64:
        """The rows with the CRC that another data id would give."""
        payload = frames.payload(rows)
        return frames.with_payload(rows, frames.protected(payload, int(rows[0, j.LENGTH]), data_id))

    return _network(view, fault, alter, f"has the CRC of data id {data_id}")


def freeze_counter(view: View, fault: Bound) -> Effect:
    """The counter with which it came on, and the CRC that fits."""

    def alter(frames: _Frames, rows: I64) -> I64:
        """The rows with the counter of the first of their turn."""
        payload, slot = frames.payload(rows), frames.layout.slots[frames.slot]
        first = np.searchsorted(frames.turn, frames.turn)
        mask = slot[[w.COUNTER_MASK]] << slot[w.COUNTER_SHIFT]
        bits = (mask.byteswap() if slot[w.TURNED] & w.COUNTER_TURNED else mask).view(np.uint8)
        part = payload[:, 8 * slot[w.COUNTER_WORD] :][:, :8]
        part[:] = part & ~bits | part[first] & bits
        return frames.with_payload(rows, frames.protected(payload, int(rows[0, j.LENGTH]), int(slot[DATA_ID])))

    return _network(view, fault, alter, "repeats its counter")


def length(view: View, fault: Bound) -> Effect:
    """Another length, the payload as it was."""
    n_bytes = int(fault.values["length"])

    def alter(frames: _Frames, rows: I64) -> I64:
        """The rows with another length [bytes]."""
        out = rows.copy()
        out[:, j.LENGTH] = n_bytes
        return out

    return _network(view, fault, alter, f"has {n_bytes} bytes")
