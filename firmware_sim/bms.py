"""The firmware's task: receive, estimate, check, decide, send; deciding comes last, in the tick of its evidence."""

from __future__ import annotations

import numpy as np

from firmware_sim import counters, diag, mode, nvm, receive, soa, sop, transmit, zero
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, reference, soh, spread, start, trend
from firmware_sim.estimate import step as estimate
from firmware_sim.jit import kernel
from firmware_sim.power import step as foresight
from firmware_sim.settings import Settings
from firmware_sim.state import FirmwareState
from firmware_sim.types import F64, I64, U8
from firmware_sim.wire.layout import SENT, SLOT
from firmware_sim.wire.send import send_due, sender_state

# Rows of `real` that are not known until there is evidence.
_UNKNOWN = (
    st.PACK_CAPACITY, st.PACK_CAPACITY_BAND, st.PACK_RESISTANCE, st.PACK_RESISTANCE_BAND, st.IMBALANCE, st.IMBALANCE_RATE,
    st.PACK_LEAK,
)  # fmt: skip


def power_on(settings: Settings, n_packs: int, t_ns: int = 0, before: FirmwareState | None = None) -> FirmwareState:
    """State of a device that is switched on at t_ns. before: the state whose memory survived, if any."""
    rx, tx = settings.rx_layout, settings.tx_layout
    state = FirmwareState(
        cell=np.zeros((st.N_CELL, n_packs, settings.n_cells)),
        ntc=np.zeros((st.N_NTC, n_packs, settings.n_ntc)),
        real=np.zeros((st.N_REAL, n_packs)),
        whole=np.zeros((st.N_WHOLE, n_packs), np.int64),
        limit=np.zeros((st.N_LIMIT, n_packs, settings.limits.shape[0]), np.int64),
        link=np.zeros((st.N_LINK, n_packs, rx.n_slots), np.int64),
        value=np.zeros((n_packs, rx.n_signals)),
        valid=np.zeros((n_packs, rx.n_signals), np.uint8),
        quantity=np.zeros((soa.n_rows(settings.n_kinds), n_packs)),
        known=np.zeros((soa.n_rows(settings.n_kinds), n_packs), np.uint8),
        out=np.full((n_packs, tx.n_signals), np.nan),
        nvm=nvm.blank(n_packs, settings.n_cells) if before is None else before.nvm.copy(),
        sender=sender_state(tx, n_packs, t_ns),
    )
    state.ntc[st.NTC_SLOW_DEGC] = 1e9
    state.cell[st.TEMP] = 25.0
    state.cell[st.REACH] = 1.0
    state.limit[st.TIMER_NS] = -1
    state.limit[st.ACTIVE_NS] = -1
    state.real[list(_UNKNOWN)] = np.nan
    state.whole[[st.CAPACITY_AT, st.LEAK_AT]] = -1
    if before is not None:
        state.limit[st.NVM_LATCHED] = before.limit[st.NVM_LATCHED]
        state.limit[st.ACTIVE] = before.limit[st.NVM_LATCHED]
    remember(state)
    return state


def remember(state: FirmwareState) -> None:
    """Take what memory holds into a state that is otherwise new."""
    for p in range(state.nvm.shape[1]):
        copy = nvm.newest(state.nvm, p, state.cell.shape[2])
        if copy >= 0:
            nvm.load(state.nvm, copy, state.cell, state.real, state.whole, p)
        soh.begin(state.cell, p)


@kernel
def _parked_h(value: F64, valid: U8, rx: I64, p: int) -> float:
    """Hours that the device was off, as the vehicle says; -1 when nobody says it."""
    at = rx[cfg.RX_PARKED]
    return value[p, at] if at >= 0 and valid[p, at] == 1 else -1.0


@kernel
def _begin(
    cell: F64, real: F64, whole: I64, cell_map: I64, settings: I64, stretches: I64, reals: F64, kinds: F64, curves: F64,
    ln_r: F64, nodes: F64, n_nodes: I64, parked_h: float, ready: bool, p: int,
) -> None:  # fmt: skip
    """Start the filters once every cell and temperature has been seen."""
    if whole[st.IS_SEEDED, p] == 1 or not ready:
        return
    stored, method = whole[st.NVM_FOUND, p] == 1, settings[cfg.METHOD]
    if parked_h >= 0.0:
        whole[st.PARKED_NS, p] += int(parked_h * 3600e9)
    else:
        whole[st.TREND_SET, p] = 0
    string_A = real[st.CURRENT_A, p] / settings[cfg.N_STRINGS]
    for i in range(cell.shape[2]):
        k = cell_map[cfg.MAP_KIND, i]
        # where resistances are looked up; at the very ends they are so large that they would explain any voltage
        cell[st.Z, p, i] = min(max(cell[st.KEPT_Z, p, i], 0.1), 0.9) if stored else 0.5
        belief.refresh(cell, p, i, k, kinds, curves, ln_r, nodes, n_nodes, belief.EVER)
        z, sigma = start.choose(cell, p, i, k, reals, kinds, curves, stored, parked_h, string_A)
        estimate.seed(method, cell, p, i, k, reals, z, sigma)
        soh.adopt(method, cell, p, i, reals)
        belief.refresh(cell, p, i, k, kinds, curves, ln_r, nodes, n_nodes, belief.EVER)
    if kinds.shape[0] > 1 and method == cfg.SODIUM:
        reference.begin(cell, p, stretches, reals, kinds, curves, stored, parked_h)
    whole[st.IS_SEEDED, p] = 1


@kernel
def _is_ready(known: U8, q: F64, settings: I64, p: int) -> bool:
    """Fresh, valid data from every node."""
    return (
        known[soa.CELL_V_MAX, p] == 1
        and q[soa.CELL_INVALID, p] == 0.0
        and q[soa.CELL_AGE, p] * 1e6 <= settings[cfg.CELL_AGE_NS]
        and known[soa.TEMP_MAX, p] == 1
        and q[soa.TEMP_INVALID, p] == 0.0
        and q[soa.TEMP_AGE, p] * 1e6 <= settings[cfg.TEMP_AGE_NS]
        and known[soa.DISCHARGE, p] == 1
        and q[soa.PACK_IO_AGE, p] * 1e6 <= settings[cfg.IO_AGE_NS]
    )


@kernel
def _request(value: F64, valid: U8, link: I64, whole: I64, rx: I64, rx_signals: I64, settings: I64, p: int) -> int:
    """Mode asked for, -1 when nobody asks; also finds the rising edge of the reset request."""
    slot = rx_signals[rx[cfg.RX_MODE], SLOT]
    fresh = whole[st.UP_NS, p] - link[st.HEARD_NS, p, slot] <= settings[cfg.REQUEST_AGE_NS]
    at = rx[cfg.RX_RESET]
    level = 1 if at >= 0 and fresh and valid[p, at] == 1 and value[p, at] > 0.5 else 0
    whole[st.RESET_EDGE, p] = 1 if level == 1 and whole[st.RESET_LEVEL, p] == 0 else 0
    whole[st.RESET_LEVEL, p] = level
    at = rx[cfg.RX_MODE]
    return int(value[p, at]) if fresh and valid[p, at] == 1 else -1


@kernel
def step(
    t_ns: int,
    dt_ns: int,
    rx_words: I64, rx_meta: I64, events: I64, event_count: I64, spare: I64,
    cell: F64, ntc: F64, real: F64, whole: I64, limit: I64, link: I64, value: F64, valid: U8, q: F64, known: U8, out: F64,
    memory: I64, sender: I64, bus_free_ns: I64,
    limits: I64, thresholds: F64, settings: I64, reals: F64, kinds: F64, stretches: I64, power: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64, rx: I64, tx: I64, tx_scale: F64, cell_map: I64, ntc_map: I64,
    rx_signals: I64, rx_scales: F64, rx_slots: I64, rx_blank: I64,
    tx_signals: I64, tx_scales: F64, tx_slots: I64, tx_blank: I64,
    tx_words: I64, tx_meta: I64,
) -> None:  # fmt: skip
    """One tick of all devices: frames in, state moved by dt, frames out.

    t_ns: when the outgoing frames may start.  rx_*: image and events received.  tx_*: image to send, written.
    The blocks between are FirmwareState and Settings.
    """
    n_events = int(event_count[0])
    receive.receive(
        rx_words,
        rx_meta,
        events,
        n_events,
        spare,
        link,
        value,
        valid,
        whole,
        settings,
        rx_signals,
        rx_scales,
        rx_slots,
        rx_blank,
    )
    for p in range(whole.shape[1]):
        whole[st.UP_NS, p] += dt_ns
        whole[st.UP_S, p] = min(whole[st.UP_NS, p] // 1_000_000_000, 65535)
        request = _request(value, valid, link, whole, rx, rx_signals, settings, p)
        mode.forget(real, whole, p)
        soa.current(real, whole, link, valid, value, q, known, rx, rx_signals, settings, reals, p)
        soa.cells(cell, real, whole, link, valid, value, q, known, cell_map, stretches, settings, reals, p)
        soa.temperatures(ntc, cell, real, whole, link, valid, value, q, known, ntc_map, cell_map, settings, reals, p, dt_ns)
        soa.lines(whole, link, valid, value, q, known, rx, rx_signals, settings, p, dt_ns)
        ready = _is_ready(known, q, settings, p)
        _begin(
            cell, real, whole, cell_map, settings, stretches, reals, kinds, curves, ln_r, nodes, n_nodes,
            _parked_h(value, valid, rx, p), ready, p,
        )  # fmt: skip
        silent = known[soa.DISCHARGE, p] == 0 and whole[st.OPEN_NS, p] < zero.SETTLE_NS
        real[st.UNSEEN_H, p] = real[st.UNSEEN_H, p] + dt_ns / 3600e9 if silent else 0.0
        zero.learn(real, whole, link, valid, known, rx, rx_signals, settings, kinds, p, dt_ns)
        estimate.step(
            cell, real, whole, link, valid, cell_map, stretches, reals, kinds, curves, ln_r, nodes, n_nodes, p, dt_ns,
            settings[cfg.N_STRINGS], settings[cfg.METHOD],
        )  # fmt: skip
        counters.charge(real, whole, reals, kinds, p, dt_ns, settings[cfg.N_STRINGS], known[soa.DISCHARGE, p] == 1)
        soh.step(settings[cfg.METHOD], cell, real, whole, cell_map, stretches, kinds, curves, p, dt_ns)
        trend.step(cell, real, whole, stretches, kinds, curves, ready, p, dt_ns)
        diag.step(real, whole, limit, q, known, limits, thresholds, reals, p, dt_ns)
        sop.step(real, whole, q, power, kinds, reals, p)
        foresight.step(
            cell, real, whole, link, valid, cell_map, stretches, power, reals, kinds, curves, ln_r, nodes, n_nodes, p, dt_ns,
            settings[cfg.N_STRINGS], settings[cfg.METHOD],
        )  # fmt: skip
        mode.step(real, whole, value, rx, settings, reals, request, ready, p, dt_ns)
        counters.events(whole, limit, limits, p)
        nvm.save(memory, cell, real, whole, settings, spread.row_of(settings[cfg.METHOD], st.BIAS_A), p, dt_ns)
        transmit.fill(cell, real, whole, limit, out, tx, tx_scale, limits, p)
    send_due(t_ns, out, bus_free_ns, sender, tx_signals, tx_scales, tx_slots, tx_blank, tx_words, tx_meta)
    for p in range(whole.shape[1]):
        if whole[st.UP_NS, p] < settings[cfg.BOOT_NS]:
            for s in range(tx_slots.shape[0]):
                tx_meta[p, SENT, s] = 0
