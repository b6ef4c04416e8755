"""Foresight of a pack, a slice of it in each tick: eight limits, then energy to empty and to full, then from the start.

SLOT_NS is the time of one slice; a limit is renewed every N_SLOTS of them, energy every second round. Limits that are forbidden
are zero in the same tick.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.power import energy, limits
from firmware_sim.power.learn import EVERY_S, learn
from firmware_sim.types import F64, I64, U8

SLOT_NS = 160_000_000
N_SLOTS = 2 * cfg.N_HORIZONS + 1


@kernel
def _learn(
    cell: F64, link: I64, valid: U8, cell_map: I64, p: int, dt_s: float, method: int, reals: F64, kinds: F64, curves: F64
) -> None:
    """Hold fresh voltages against the tables, at most every EVERY_S."""
    for i in range(cell.shape[2]):
        cell[st.LEARN_AGE_S, p, i] += dt_s
        if cell[st.LEARN_AGE_S, p, i] < EVERY_S and cell[st.LEARNT, p, i] > 0.0:
            continue
        if link[st.FRESH, p, cell_map[cfg.MAP_SLOT, i]] == 1 and valid[p, cell_map[cfg.MAP_SIGNAL, i]] == 1:
            learn(cell, p, i, cell_map[cfg.MAP_KIND, i], cell[st.LEARN_AGE_S, p, i], method, reals, kinds, curves)
            cell[st.LEARN_AGE_S, p, i] = 0.0


@kernel
def step(
    cell: F64, real: F64, whole: I64, link: I64, valid: U8, cell_map: I64, stretches: I64, power: F64, reals: F64, kinds: F64,
    curves: F64, ln_r: F64, nodes: F64, n_nodes: I64, p: int, dt_ns: int, n_strings: int, method: int,
) -> None:  # fmt: skip
    """Do the slices of pack p that are due in this tick."""
    if whole[st.IS_SEEDED, p] == 0:
        return
    dt_s = dt_ns * 1e-9
    _learn(cell, link, valid, cell_map, p, dt_s, method, reals, kinds, curves)
    share = min(dt_s / reals[cfg.AVERAGE_S], 1.0)
    real[st.AVERAGE_A, p] += share * (real[st.CURRENT_A, p] - real[st.AVERAGE_A, p])
    now, before = whole[st.UP_NS, p] // SLOT_NS, (whole[st.UP_NS, p] - dt_ns) // SLOT_NS
    if whole[st.FORESEEN, p] == 0:
        for i in range(cell.shape[2]):
            if cell[st.LEARNT, p, i] == 0.0:
                return  # not held against its tables yet
        # the first time all at once: a limit that is not known yet is none
        whole[st.FORESEEN, p] = 1
        before = now - 2 * N_SLOTS
    for n in range(max(before, now - 2 * N_SLOTS) + 1, now + 1):
        slot = n % N_SLOTS
        if slot < 2 * cfg.N_HORIZONS:
            way = 1 if slot < cfg.N_HORIZONS else -1
            limits.limit(
                cell, real, p, way, slot % cfg.N_HORIZONS, power, stretches, n_strings, reals, kinds, curves, ln_r, nodes,
                n_nodes,
            )  # fmt: skip
        else:
            way = 1 if n // N_SLOTS % 2 == 0 else -1
            energy.left(cell, real, p, way, stretches, n_strings, reals, kinds, curves, ln_r, nodes, n_nodes)
    for h in range(cfg.N_HORIZONS):
        if whole[st.NO_DISCHARGE, p] == 1:
            real[st.PULSE_A + h, p], real[st.PULSE_W + h, p] = 0.0, 0.0
        if whole[st.NO_CHARGE, p] == 1:
            real[st.PULSE_A + cfg.N_HORIZONS + h, p], real[st.PULSE_W + cfg.N_HORIZONS + h, p] = 0.0, 0.0
