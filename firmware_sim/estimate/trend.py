"""Trends: which cell loses charge faster than its sisters, and how far the cells of a pack drift apart.

All cells of a string carry the same current, so what they lose differently they lose by themselves. Two rests are compared
at nearly the same SOC: there OCV errors, loop and unequal capacities are the same in both, and fall out. At a rest

    d_i = (V_i - mean of its kind) / (dU/dSOC there)

and the loss of cell i of n, in excess of its sisters', is -(d_i - d_i at the anchor) n / (n - 1) over the time between.
The anchor is the first rest; a later one replaces it when the pack no longer comes back to that SOC. Time counts while the
device is on, and parked where the vehicle says how long; after a reset that nobody can date the anchor is given up.

Told only with evidence: a loss that stands clear of its error, or an error so small that the rate is known to be small.
Loss of all cells alike cannot be seen here. A pack of one cell, or of one in each kind, has no sisters.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.estimate.soh import EVERY_NS, RESTED_NS
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

_MONTH_NS = 730.5 * 3600e9
_VOLT_SIGMA_V = 0.002
_SAME_SOC = 0.05
_CAPACITY_SPREAD = 0.03
_LEAST_NS = 600_000_000_000
_STALE_NS = 90 * 86_400_000_000_000
_CLEAR = 4.0  # standard deviations: with 192 cells one in a hundred is beyond by chance
_SMALL_PER_MONTH = 0.01
_MOST_PER_MONTH = 65.0


@kernel
def _cells_of(k: int, stretches: I64) -> int:
    """How many cells of kind k there are."""
    n = 0
    for m in range(stretches.shape[0]):
        if stretches[m, cfg.KIND] == k:
            n += stretches[m, cfg.END] - stretches[m, cfg.FIRST]
    return n


@kernel
def _differences(cell: F64, p: int, k: int, stretches: I64, curves: F64) -> tuple[float, int]:
    """Write LEAK_SIGMA = d_i for the cells of kind k (a row that is free until the rates are known).

    Returns standard deviation of a difference, and how many cells there are.
    """
    total_V, n, reach = 0.0, _cells_of(k, stretches), 1.0
    for m in range(stretches.shape[0]):
        if stretches[m, cfg.KIND] == k:
            for i in range(stretches[m, cfg.FIRST], stretches[m, cfg.END]):
                total_V += cell[st.VOLT, p, i]
                reach = min(reach, cell[st.REACH, p, i])
    if n < 2:
        return 1e9, n
    mean_V = total_V / n
    z = belief.soc_of(mean_V, k, reach, curves)
    g = min(max(int((1.0 - (1.0 - z) / reach - cfg.X_LOW) / cfg.X_STEP), 1), cfg.N_X - 3)
    slope = (curves[k, cfg.MEAN_V, g + 2] - curves[k, cfg.MEAN_V, g - 1]) / (3.0 * cfg.X_STEP * reach)
    slope = max(slope, 1e-3)
    for m in range(stretches.shape[0]):
        if stretches[m, cfg.KIND] == k:
            for i in range(stretches[m, cfg.FIRST], stretches[m, cfg.END]):
                cell[st.LEAK_SIGMA, p, i] = (cell[st.VOLT, p, i] - mean_V) / slope
    return _VOLT_SIGMA_V / slope, n


@kernel
def step(cell: F64, real: F64, whole: I64, stretches: I64, kinds: F64, curves: F64, ready: bool, p: int, dt_ns: int) -> None:
    """Once a minute, at rest, with fresh and valid data from every cell (ready)."""
    due = (whole[st.UP_NS, p] // dt_ns) % max(EVERY_NS // dt_ns, 1) == 0
    if not due or not ready or whole[st.IS_SEEDED, p] == 0 or whole[st.REST_NS, p] < RESTED_NS:
        return
    sigma, sisters = 0.0, 0
    for k in range(kinds.shape[0]):
        sigma_k, n = _differences(cell, p, k, stretches, curves)
        if n > 1:
            sigma = max(sigma, sigma_k)
            sisters = max(sisters, n)
    if sisters < 2:
        return
    least, most = 10.0, -10.0
    for i in range(cell.shape[2]):
        least, most = min(least, cell[st.LEAK_SIGMA, p, i]), max(most, cell[st.LEAK_SIGMA, p, i])
    apart, now_ns = most - least, whole[st.ON_NS, p] + whole[st.PARKED_NS, p]
    real[st.IMBALANCE, p] = min(apart, 1.0)
    age_ns = now_ns - whole[st.TREND_AT_NS, p]
    away = math.fabs(real[st.SOC, p] - real[st.TREND_SOC, p])
    if whole[st.TREND_SET, p] == 0 or (away > _SAME_SOC and age_ns > _STALE_NS):
        whole[st.TREND_SET, p], whole[st.TREND_AT_NS, p] = 1, now_ns
        real[st.TREND_SOC, p], real[st.TREND_SIGMA, p], real[st.TREND_SPREAD, p] = real[st.SOC, p], sigma, apart
        for i in range(cell.shape[2]):
            cell[st.TREND_D, p, i] = cell[st.LEAK_SIGMA, p, i]
            cell[st.LEAK_SIGMA, p, i] = 0.0
        return
    if away > _SAME_SOC or age_ns < _LEAST_NS:
        return
    months = age_ns / _MONTH_NS
    unlike = _CAPACITY_SPREAD * away
    error = math.sqrt(sigma * sigma + real[st.TREND_SIGMA, p] * real[st.TREND_SIGMA, p] + unlike * unlike) / months
    worst, worst_at = -1e9, -1
    for m in range(stretches.shape[0]):
        n = _cells_of(stretches[m, cfg.KIND], stretches)
        others = n / max(n - 1, 1)  # the cell itself is in the mean that it is held against
        for i in range(stretches[m, cfg.FIRST], stretches[m, cfg.END]):
            cell[st.LEAK, p, i] = (cell[st.TREND_D, p, i] - cell[st.LEAK_SIGMA, p, i]) * others / months
            cell[st.LEAK_SIGMA, p, i] = error
            if cell[st.LEAK, p, i] > worst:
                worst, worst_at = cell[st.LEAK, p, i], i
    drift = (apart - real[st.TREND_SPREAD, p]) / months
    small = error <= _SMALL_PER_MONTH
    is_clear = small or worst >= _CLEAR * error
    real[st.PACK_LEAK, p] = min(max(worst, 0.0), _MOST_PER_MONTH) if is_clear else math.nan
    whole[st.LEAK_AT, p] = worst_at if is_clear else -1
    told = small or math.fabs(drift) >= _CLEAR * error
    real[st.IMBALANCE_RATE, p] = min(max(drift, -_MOST_PER_MONTH), _MOST_PER_MONTH) if told else math.nan
