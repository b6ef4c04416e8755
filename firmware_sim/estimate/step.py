"""The estimators of a pack, one tick: tables, currents of strings, charge counting, correction by fresh voltages, summary.

Every method (see METHODS in settings) is a module with three kernels over the same rows of the state: seed, predict,
correct. All keep SOC in row Z and its variance in row P. What a method does not need it leaves out: "counting" has no
correct, and "ukf" is "ekf" but for its correct.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, counting, ekf, ekf_r, flat, ocv, reference, sodium, strings, summary, ukf
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8


@kernel
def seed(method: int, cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start the estimate of cell i, of kind k, from SOC z with standard deviation sigma."""
    if method == cfg.SODIUM:
        sodium.seed(cell, p, i, k, real, z, sigma)
    elif method == cfg.EKF_R:
        ekf_r.seed(cell, p, i, k, real, z, sigma)
    elif method == cfg.COUNTING:
        counting.seed(cell, p, i, k, real, z, sigma)
    elif method == cfg.OCV:
        ocv.seed(cell, p, i, k, real, z, sigma)
    else:
        ekf.seed(cell, p, i, k, real, z, sigma)
    summary.band(cell, p, i, real)


@kernel
def predict(
    method: int, cell: F64, p: int, first: int, end: int, k: int, current_A: float, even_A: float, dt_s: float, real: F64,
    kinds: F64, curves: F64,
) -> None:  # fmt: skip
    """Move the estimates of the cells first ... end - 1, of kind k, by dt. even_A: see ekf_r.predict."""
    if method == cfg.SODIUM:
        sodium.predict(cell, p, first, end, k, current_A, even_A, dt_s, real, kinds, curves)
    elif method == cfg.EKF_R:
        ekf_r.predict(cell, p, first, end, k, current_A, even_A, dt_s, real, kinds)
    elif method == cfg.COUNTING:
        counting.predict(cell, p, first, end, k, current_A, even_A, dt_s, real, kinds)
    elif method == cfg.OCV:
        ocv.predict(cell, p, first, end, k, current_A, even_A, dt_s, real, kinds)
    else:
        ekf.predict(cell, p, first, end, k, current_A, even_A, dt_s, real, kinds)


@kernel
def correct(
    method: int, cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64
) -> None:  # fmt: skip
    """Correct cell i, of kind k, with its new voltage sample. sample_s: time since its last one [s]."""
    if method == cfg.SODIUM:
        sodium.correct(cell, p, i, k, current_A, sample_s, real, kinds, curves)
    elif method == cfg.EKF_R:
        ekf_r.correct(cell, p, i, k, current_A, sample_s, real, kinds, curves)
    elif method == cfg.OCV:
        ocv.correct(cell, p, i, k, current_A, sample_s, real, kinds, curves)
    elif method == cfg.EKF:
        ekf.correct(cell, p, i, k, current_A, sample_s, real, kinds, curves)
    elif method == cfg.UKF:
        ukf.correct(cell, p, i, k, current_A, sample_s, real, kinds, curves)


@kernel
def unseen(method: int, cell: F64, p: int, i: int, hours: float, dt_h: float) -> None:
    """Another dt in which nobody told the current of cell i, hours of it by now: 1C may have flowed ever since (assumption)."""
    var = hours * hours - (hours - dt_h) * (hours - dt_h)
    cell[st.P, p, i] += var
    cell[st.TOLD_THEN, p, i] = math.sqrt(cell[st.TOLD_THEN, p, i] * cell[st.TOLD_THEN, p, i] + var)
    if method == cfg.COUNTING:
        cell[counting.START_VAR, p, i] += var
    elif method == cfg.OCV:
        cell[ocv.SEEN_VAR, p, i] += var


@kernel
def step(
    cell: F64, r: F64, whole: I64, link: I64, valid: U8, cell_map: I64, stretches: I64, real: F64, kinds: F64, curves: F64,
    ln_r: F64, nodes: F64, n_nodes: I64, p: int, dt_ns: int, n_strings: int,
    method: int,
) -> None:  # fmt: skip
    """Move the filters of pack p by dt and correct the cells whose page came in this tick.

    n_strings: parallel strings, which share the pack current. Without a current (row UNSEEN_H) a voltage tells nothing: no cell
    is corrected, and every cell is less sure.
    """
    if whole[st.IS_SEEDED, p] == 0:
        return
    dt_s = dt_ns * 1e-9
    current_A = r[st.CURRENT_A, p] - r[st.OFFSET_A, p]
    even_A = current_A / n_strings
    hours = r[st.UNSEEN_H, p]
    every = max(1_000_000_000 // dt_ns, 1)
    for i in range(int((whole[st.UP_NS, p] // dt_ns) % every), cell.shape[2], every):
        belief.refresh(cell, p, i, cell_map[cfg.MAP_KIND, i], kinds, curves, ln_r, nodes, n_nodes, every * dt_s)
        if method == cfg.SODIUM:
            z, sigma = flat.tell(cell, p, i, cell_map[cfg.MAP_KIND, i], real, kinds, curves, every * dt_s)
            if sigma > 0.0:
                sodium.start_again(cell, p, i, cell_map[cfg.MAP_KIND, i], real, z, sigma)
        else:
            cell[st.TOLD, p, i] = 0.0
        summary.band(cell, p, i, real)
    sources = stretches[stretches.shape[0] - 1, cfg.STRING] + 1
    volt = strings.common_V(method, cell, p, current_A, stretches, kinds, curves, dt_s) if sources > 1 else 0.0
    for s in range(sources):
        string_A = even_A
        if sources > 1:
            rest_V, ohm, bias_A = strings.source(method, cell, p, s, stretches, kinds, curves, dt_s)
            string_A = (rest_V - volt) / ohm + bias_A
        for n in range(stretches.shape[0]):
            if stretches[n, cfg.STRING] == s:
                first, end, k = stretches[n, cfg.FIRST], stretches[n, cfg.END], stretches[n, cfg.KIND]
                predict(method, cell, p, first, end, k, string_A, even_A, dt_s, real, kinds, curves)
                for i in range(first, end):
                    cell[st.STRING_A, p, i] = string_A
                    if hours > 0.0:
                        unseen(method, cell, p, i, hours, dt_s / 3600.0)
                        continue
                    slot = cell_map[cfg.MAP_SLOT, i]
                    if link[st.FRESH, p, slot] == 1 and valid[p, cell_map[cfg.MAP_SIGNAL, i]] == 1:
                        sample_s = max(link[st.SAMPLE_NS, p, slot] * 1e-9, dt_s)
                        correct(method, cell, p, i, k, string_A, sample_s, real, kinds, curves)
        if kinds.shape[0] > 1 and method == cfg.SODIUM:
            reference.step(cell, p, s, stretches, string_A, real, kinds, curves, whole[st.UP_NS, p], dt_ns)
    summary.summarise(cell, p, r, stretches, real, kinds, n_strings)
