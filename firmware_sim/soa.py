"""Safe operating area: from what was received to the quantities that limits are applied to.

Each quantity has a name, a unit in that name, and a flag `known`: 0 means the data behind it is stale or was never valid,
and a limit on it freezes. A protection on a new quantity is one function here and one line in QUANTITIES. Cells of different
kinds are never compared with each other: their extremes and spread are quantities of each kind.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64, U8

QUANTITIES = (
    "temp_max_degC",
    "temp_min_degC",
    "discharge_A",
    "charge_A",
    "cell_age_ms",
    "temp_age_ms",
    "current_age_ms",
    "pack_io_age_ms",
    "request_age_ms",
    "cell_invalid_count",
    "temp_invalid_count",
    "current_invalid",
    "temp_spread_K",
    "temp_rate_K_per_s",
    "cell_stuck_s",
    "pack_mismatch_share",
    "link_mismatch_share",
    "open_current_A",
    "current_direction",
    "main_plus_mismatch",
    "main_minus_mismatch",
    "precharge_mismatch",
    "main_plus_welded",
    "main_minus_welded",
    "precharge_failed",
    "precharge_too_fast",
    "init_timeout",
    "hvil_open",
    "emergency_line_lost",
    "insulation_kohm",
    "supply_V",
    "cell_V_max",
    "cell_V_min",
    "cell_spread_V",
)
(
    TEMP_MAX, TEMP_MIN, DISCHARGE, CHARGE, CELL_AGE, TEMP_AGE, CURRENT_AGE, PACK_IO_AGE,
    REQUEST_AGE, CELL_INVALID, TEMP_INVALID, CURRENT_INVALID, TEMP_SPREAD, TEMP_RATE, CELL_STUCK,
    PACK_MISMATCH, LINK_MISMATCH, OPEN_CURRENT, CURRENT_DIRECTION, PLUS_MISMATCH, MINUS_MISMATCH, PRE_MISMATCH,
    PLUS_WELDED, MINUS_WELDED, PRE_FAILED, PRE_TOO_FAST, INIT_TIMEOUT, HVIL_OPEN, EMERGENCY_LOST, INSULATION, SUPPLY,
    CELL_V_MAX, CELL_V_MIN, CELL_SPREAD,
) = range(len(QUANTITIES))  # fmt: skip
# The last ones are those of one kind of cells: kind k has its own at KIND_QUANTITIES k rows further on.
KIND_QUANTITIES = 3


def row_of(quantity: str, kind: int) -> int:
    """Row of a quantity of a kind of cells; kind 0 where it is one of the whole pack."""
    return QUANTITIES.index(quantity) + KIND_QUANTITIES * kind


def quantity_of(row: int) -> str:
    """Name of the quantity in a row, of whatever kind of cells."""
    return QUANTITIES[row if row < CELL_V_MAX else CELL_V_MAX + (row - CELL_V_MAX) % KIND_QUANTITIES]


def n_rows(n_kinds: int) -> int:
    """Rows of quantities with so many kinds of cells."""
    return CELL_V_MAX + KIND_QUANTITIES * n_kinds


_SETTLE_NS = 1_000_000_000  # a current reading counts as "contactors open" only this long after they opened


@inlined
def _age_ns(link: I64, whole: I64, p: int, slot: int) -> int:
    """Time since slot's last good frame; since power-on when there was none."""
    return whole[st.UP_NS, p] - link[st.HEARD_NS, p, slot]


@inlined
def _was_heard(link: I64, p: int, slot: int) -> int:
    """1 once a slot has brought data. What was never there cannot be lost: waiting for it is the mode machine's business."""
    return 1 if link[st.HEARD_NS, p, slot] > 0 else 0


@inlined
def _signal_known(rx: I64, role: int, rx_signals: I64, link: I64, valid: U8, whole: I64, p: int, age_ns: int) -> int:
    """1 when a role's signal exists, its last frame held a value, and that is young enough."""
    at = rx[role]
    ok = 0
    if at >= 0 and valid[p, at] == 1 and whole[st.UP_NS, p] - link[st.HEARD_NS, p, rx_signals[at, 0]] <= age_ns:
        ok = 1
    return ok


@inlined
def _take(cell: F64, p: int, i: int, volt: float, current_A: float, sample_ns: int, reals: F64) -> None:
    """Keep a new sample; stuck: bit for bit the same while the current moved enough to move any real cell."""
    if volt != cell[st.VOLT, p, i]:
        cell[st.EQUAL_NS, p, i] = 0.0
        cell[st.SAMPLE_A, p, i] = current_A
    elif math.fabs(current_A - cell[st.SAMPLE_A, p, i]) >= reals[cfg.STUCK_STEP_A] or cell[st.EQUAL_NS, p, i] > 0.0:
        cell[st.EQUAL_NS, p, i] += sample_ns
    cell[st.VOLT, p, i] = volt


@kernel
def cells(
    cell: F64, real: F64, whole: I64, link: I64, valid: U8, value: F64, q: F64, known: U8, cell_map: I64, stretches: I64,
    settings: I64, reals: F64, p: int,
) -> None:  # fmt: skip
    """Extremes and spread of the cell voltages of each kind; ages and stuck readings of all."""
    highest, lowest, pack_total = -1e9, 1e9, 0.0
    n_all, n_invalid, oldest_ns, longest_ns, all_heard = 0, 0, 0, 0, 1
    current_A = real[st.CURRENT_A, p]
    for row in range(CELL_V_MAX, q.shape[0], KIND_QUANTITIES):
        high, low, total, n_valid = -1e9, 1e9, 0.0, 0
        for n in range(stretches.shape[0]):
            if CELL_V_MAX + KIND_QUANTITIES * stretches[n, cfg.KIND] != row:
                continue
            last_slot, fresh, age_ns = -1, 0, 0
            for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                slot, at = cell_map[cfg.MAP_SLOT, i], cell_map[cfg.MAP_SIGNAL, i]
                if slot != last_slot:
                    last_slot = slot
                    fresh = link[st.FRESH, p, slot]
                    age_ns = _age_ns(link, whole, p, slot)
                    oldest_ns = max(oldest_ns, age_ns)
                    all_heard = min(all_heard, _was_heard(link, p, slot))
                if age_ns > settings[cfg.CELL_AGE_NS]:
                    continue
                if valid[p, at] == 0:
                    n_invalid += 1
                    continue
                volt = value[p, at]
                if fresh == 1:
                    _take(cell, p, i, volt, current_A, link[st.SAMPLE_NS, p, slot], reals)
                longest_ns = max(longest_ns, int(cell[st.EQUAL_NS, p, i]))
                n_valid += 1
                total += volt
                if volt > high:
                    high = volt
                    if volt > highest:
                        highest = volt
                        whole[st.CELL_MAX_AT, p] = i
                if volt < low:
                    low = volt
                    if volt < lowest:
                        lowest = volt
                        whole[st.CELL_MIN_AT, p] = i
        n_all += n_valid
        pack_total += total
        known[row, p] = known[row + 1, p] = known[row + 2, p] = 1 if n_valid > 0 else 0
        if n_valid > 0:
            average = total / n_valid
            q[row, p], q[row + 1, p] = high, low
            q[row + 2, p] = max(high - average, average - low)
    if n_all > 0:
        real[st.CELL_MAX_V, p], real[st.CELL_MIN_V, p] = highest, lowest
    all_there = 1 if n_all == cell_map.shape[1] else 0
    if all_there == 1:
        real[st.STRING_V, p] = pack_total / settings[cfg.N_STRINGS]
    q[CELL_AGE, p] = oldest_ns * 1e-6
    q[CELL_INVALID, p] = n_invalid
    q[CELL_STUCK, p] = longest_ns * 1e-9
    known[CELL_AGE, p] = known[CELL_INVALID, p] = known[CELL_STUCK, p] = all_heard
    pack_V = real[st.PACK_V, p]
    off_V = math.fabs(pack_V - pack_total / settings[cfg.N_STRINGS])
    q[PACK_MISMATCH, p] = off_V / max(pack_V, 1.0) if all_there == 1 else 0.0
    known[PACK_MISMATCH, p] = min(known[PACK_MISMATCH, p], all_there)


@kernel
def temperatures(
    ntc: F64, cell: F64, real: F64, whole: I64, link: I64, valid: U8, value: F64, q: F64, known: U8, ntc_map: I64,
    cell_map: I64, settings: I64, reals: F64, p: int, dt_ns: int,
) -> None:  # fmt: skip
    """Extremes, spread, rate and ages of the temperatures; each cell takes that of its sensor, or the pack's mean."""
    high, low, total, rate = -1e9, 1e9, 0.0, -1e9
    n_valid, n_invalid, oldest_ns, all_heard = 0, 0, 0, 1
    share = min(dt_ns * 1e-9 / reals[cfg.RATE_TAU_S], 1.0)
    for j in range(ntc_map.shape[1]):
        slot, at = ntc_map[cfg.MAP_SLOT, j], ntc_map[cfg.MAP_SIGNAL, j]
        age_ns = _age_ns(link, whole, p, slot)
        oldest_ns = max(oldest_ns, age_ns)
        all_heard = min(all_heard, _was_heard(link, p, slot))
        if age_ns > settings[cfg.TEMP_AGE_NS]:
            continue
        if valid[p, at] == 0:
            n_invalid += 1
            ntc[st.NTC_SLOW_DEGC, p, j] = 1e9
            continue
        temp_degC = value[p, at]
        if ntc[st.NTC_SLOW_DEGC, p, j] > 1e8:
            ntc[st.NTC_SLOW_DEGC, p, j] = temp_degC
        ntc[st.NTC_SLOW_DEGC, p, j] += share * (temp_degC - ntc[st.NTC_SLOW_DEGC, p, j])
        ntc[st.NTC_DEGC, p, j] = temp_degC
        rate = max(rate, (temp_degC - ntc[st.NTC_SLOW_DEGC, p, j]) / reals[cfg.RATE_TAU_S])
        n_valid += 1
        total += temp_degC
        if temp_degC > high:
            high = temp_degC
            whole[st.TEMP_MAX_AT, p] = j
        if temp_degC < low:
            low = temp_degC
            whole[st.TEMP_MIN_AT, p] = j
    some = 1 if n_valid > 0 else 0
    if some == 1:
        real[st.TEMP_MAX_DEGC, p], real[st.TEMP_MIN_DEGC, p] = high, low
        q[TEMP_MAX, p], q[TEMP_MIN, p], q[TEMP_SPREAD, p], q[TEMP_RATE, p] = high, low, high - low, rate
        for i in range(cell_map.shape[1]):
            j = cell_map[cfg.MAP_NTC, i]
            own = valid[p, ntc_map[cfg.MAP_SIGNAL, j]] == 1
            cell[st.TEMP, p, i] = ntc[st.NTC_DEGC, p, j] if own else total / n_valid
    known[TEMP_MAX, p] = known[TEMP_MIN, p] = known[TEMP_SPREAD, p] = known[TEMP_RATE, p] = some
    q[TEMP_AGE, p] = oldest_ns * 1e-6
    q[TEMP_INVALID, p] = n_invalid
    known[TEMP_AGE, p] = known[TEMP_INVALID, p] = all_heard


@kernel
def current(
    real: F64, whole: I64, link: I64, valid: U8, value: F64, q: F64, known: U8, rx: I64, rx_signals: I64, settings: I64,
    reals: F64, p: int,
) -> None:  # fmt: skip
    """Current, pack and link voltage, and what they say about each other."""
    age_ns = settings[cfg.CURRENT_AGE_NS]
    at = rx[cfg.RX_CURRENT]
    is_known = _signal_known(rx, cfg.RX_CURRENT, rx_signals, link, valid, whole, p, age_ns)
    if is_known == 1:
        real[st.CURRENT_A, p] = value[p, at]
    else:
        real[st.CURRENT_A, p] = 0.0
    amps = real[st.CURRENT_A, p]
    q[DISCHARGE, p], q[CHARGE, p] = max(amps, 0.0), max(-amps, 0.0)
    known[DISCHARGE, p] = known[CHARGE, p] = is_known
    slot = rx_signals[at, 0]
    heard_ns = _age_ns(link, whole, p, slot)
    q[CURRENT_AGE, p] = heard_ns * 1e-6
    q[CURRENT_INVALID, p] = 1.0 if heard_ns <= age_ns and valid[p, at] == 0 else 0.0
    known[CURRENT_AGE, p] = known[CURRENT_INVALID, p] = _was_heard(link, p, slot)

    pack_known = _signal_known(rx, cfg.RX_PACK_V, rx_signals, link, valid, whole, p, age_ns)
    link_known = _signal_known(rx, cfg.RX_LINK_V, rx_signals, link, valid, whole, p, age_ns)
    if pack_known == 1:
        real[st.PACK_V, p] = value[p, rx[cfg.RX_PACK_V]]
    if link_known == 1:
        real[st.LINK_V, p] = value[p, rx[cfg.RX_LINK_V]]
    known[PACK_MISMATCH, p] = pack_known  # soa.cells asks for all cells as well
    pack_V = real[st.PACK_V, p]
    on = whole[st.STATE, p] == st.RUN or whole[st.STATE, p] == st.CHARGE
    q[LINK_MISMATCH, p] = math.fabs(pack_V - real[st.LINK_V, p]) / max(pack_V, 1.0) if on else 0.0
    known[LINK_MISMATCH, p] = pack_known * link_known

    is_open = whole[st.OPEN_NS, p] >= _SETTLE_NS
    q[OPEN_CURRENT, p] = math.fabs(amps) if is_open else 0.0
    known[OPEN_CURRENT, p] = is_known

    # direction: with the contactors closed a step up in current must pull the pack voltage down
    if is_known == 1 and pack_known == 1 and link[st.FRESH, p, slot] == 1:
        step_A, step_V = amps - real[st.EDGE_A, p], pack_V - real[st.EDGE_V, p]
        if math.fabs(step_A) >= reals[cfg.DIRECTION_STEP_A] and on:
            score = real[st.DIRECTION_SCORE, p] + (1.0 if step_A * step_V > 0.0 else -1.0)
            real[st.DIRECTION_SCORE, p] = max(score, 0.0)
        real[st.EDGE_A, p], real[st.EDGE_V, p] = amps, pack_V
    q[CURRENT_DIRECTION, p] = real[st.DIRECTION_SCORE, p]
    known[CURRENT_DIRECTION, p] = is_known


@inlined
def _flag(q: F64, known: U8, which: int, p: int, is_bad: bool, is_known: int) -> None:
    q[which, p] = 1.0 if is_bad else 0.0
    known[which, p] = is_known


@kernel
def lines(
    whole: I64, link: I64, valid: U8, value: F64, q: F64, known: U8, rx: I64, rx_signals: I64, settings: I64, p: int,
    dt_ns: int,
) -> None:  # fmt: skip
    """Contactor feedback against commands, digital lines, flags of the mode machine, ages of I/O unit and request."""
    age_ns = settings[cfg.IO_AGE_NS]
    settled = 1 if whole[st.COMMAND_NS, p] >= settings[cfg.OPEN_SETTLE_NS] else 0
    any_closed = False
    for n in range(3):
        at = rx[cfg.RX_PLUS + n]
        ok = _signal_known(rx, cfg.RX_PLUS + n, rx_signals, link, valid, whole, p, age_ns)
        closed = at >= 0 and value[p, at] > 0.5
        command = whole[st.PLUS + n, p] == 1
        _flag(q, known, PLUS_MISMATCH + n, p, command and not closed, ok * settled)
        if n < 2:
            _flag(q, known, PLUS_WELDED + n, p, closed and not command, ok * settled)
        any_closed = any_closed or closed or command
    whole[st.OPEN_NS, p] = 0 if any_closed else whole[st.OPEN_NS, p] + dt_ns
    for n in range(2):
        at = rx[cfg.RX_HVIL + n]
        ok = _signal_known(rx, cfg.RX_HVIL + n, rx_signals, link, valid, whole, p, age_ns)
        _flag(q, known, HVIL_OPEN + n, p, ok == 1 and value[p, at] < 0.5, ok)
    for n in range(2):
        role = cfg.RX_INSULATION if n == 0 else cfg.RX_SUPPLY
        ok = _signal_known(rx, role, rx_signals, link, valid, whole, p, age_ns)
        known[INSULATION + n, p] = ok
        if ok == 1:
            q[INSULATION + n, p] = value[p, rx[role]]
    _flag(q, known, PRE_FAILED, p, whole[st.PRECHARGE_FAILED, p] == 1, 1)
    _flag(q, known, PRE_TOO_FAST, p, whole[st.PRECHARGE_TOO_FAST, p] == 1, 1)
    _flag(q, known, INIT_TIMEOUT, p, whole[st.INIT_TIMEOUT, p] == 1, 1)
    io, request = rx_signals[rx[cfg.RX_PLUS], 0], rx_signals[rx[cfg.RX_MODE], 0]
    q[PACK_IO_AGE, p] = _age_ns(link, whole, p, io) * 1e-6
    q[REQUEST_AGE, p] = _age_ns(link, whole, p, request) * 1e-6
    known[PACK_IO_AGE, p] = _was_heard(link, p, io)
    known[REQUEST_AGE, p] = _was_heard(link, p, request)
