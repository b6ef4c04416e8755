"""What moves slowly in a cell and is renewed once a second, one cell after another, so that no tick pays for all.

Resistance and reachable share at its temperature and SOC; self-discharge; ageing (calendar, cycles, dwell above a voltage
or below 0 V); metal plated on the negative electrode. Laws: square root of time with Arrhenius for calendar ageing,
charge throughput for cycles, linear in time for dwell; each an assumption where the cell file says so.
"""

from __future__ import annotations

import math

from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64
from hil.plant import cell as c
from hil.plant.cell import ZERO_DEGC_K

# Columns of row SLOW. *_K: activation energy over the gas constant.
(
    LEAK_PER_H, LEAK_K, CALENDAR_PER_SQRT_S, AGE_K, LOSS_PER_CYCLE, OVER_V, OVER_PER_S, R_PER_LOSS, DEEP_PER_S, PLATE_FULL_V,
    PLATE_EMPTY_V, PLATE_SHARE,
) = range(12)  # fmt: skip
_PER_REFERENCE_K = 1.0 / (ZERO_DEGC_K + 25.0)
# Overvoltage beyond the margin at which all of the charge current plates [V]: assumption, the indicator's steepness.
_PLATES_ALL_V = 0.05


@kernel
def refresh(cells: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, p: int, s: int, i: int, elapsed_s: float) -> None:
    """Renew the slow rows of cell i. elapsed_s: since this was done last; 0 in a fresh plant."""
    kind = int(par[c.KIND, p, s, i])
    slow = nodes[kind, c.SLOW]
    temp_degC = min(max(cells[c.TEMP_DEGC, p, s, i], c.COLDEST_DEGC), c.HOTTEST_DEGC)
    inverse_K = 1.0 / (temp_degC + ZERO_DEGC_K)
    if elapsed_s > 0.0:
        _age(cells, par, slow, p, s, i, inverse_K, elapsed_s)
    cells[c.PER_AH, p, s, i] = 1.0 / c.capacity_Ah(cells, par, p, s, i)
    _reach(cells, nodes, kind, p, s, i, temp_degC)
    _rate(cells, curves, nodes, kind, p, s, i, inverse_K, temp_degC)
    _resistances(cells, par, ln_r, nodes, kind, p, s, i, inverse_K, temp_degC)
    leak_A = slow[LEAK_PER_H] * c.capacity_Ah(cells, par, p, s, i)
    # an empty cell has nothing left to give
    warm = leak_A * exp(slow[LEAK_K] * (_PER_REFERENCE_K - inverse_K)) if leak_A > 0.0 and cells[c.Q_AH, p, s, i] > 0.0 else 0.0
    cells[c.LEAK_A, p, s, i] = warm


@kernel
def _reach(cells: F64, nodes: F64, kind: int, p: int, s: int, i: int, temp_degC: float) -> None:
    reach, per_K = nodes[kind, c.REACH_SHARE, 0], 0.0
    for j in range(1, int(nodes[kind, c.SCALARS, c.N_REACH])):
        t0, t1 = nodes[kind, c.REACH_DEGC, j - 1], nodes[kind, c.REACH_DEGC, j]
        if temp_degC > t0:
            rise = nodes[kind, c.REACH_SHARE, j] - nodes[kind, c.REACH_SHARE, j - 1]
            reach = nodes[kind, c.REACH_SHARE, j - 1] + min((temp_degC - t0) / (t1 - t0), 1.0) * rise
            per_K = rise / (t1 - t0) if temp_degC < t1 else 0.0
    cells[c.REACH, p, s, i] = reach
    cells[c.UNREACH, p, s, i] = (reach + per_K * temp_degC) / (reach * reach)
    cells[c.UNREACH_PER_K, p, s, i] = -per_K / (reach * reach)


@kernel
def _rate(cells: F64, curves: F64, nodes: F64, kind: int, p: int, s: int, i: int, inverse_K: float, temp_degC: float) -> None:
    """1 / i0 [1/A] and the factor that makes the table's resistance that of its reference current, each as a line over T.

    0 and 1 without kinetics.
    """
    n = int(nodes[kind, c.SCALARS, c.N_RATE])
    cells[c.PER_I0, p, s, i], cells[c.PER_RATE, p, s, i] = 0.0, 1.0
    if n == 0:
        return
    ln_i0, slope_K = nodes[kind, c.RATE_LN_I0, 0], 0.0
    for j in range(1, n):
        cold, warm = nodes[kind, c.RATE_PER_K, j - 1], nodes[kind, c.RATE_PER_K, j]
        if inverse_K < cold:
            rise = nodes[kind, c.RATE_LN_I0, j] - nodes[kind, c.RATE_LN_I0, j - 1]
            ln_i0 = nodes[kind, c.RATE_LN_I0, j - 1] + min((cold - inverse_K) / (cold - warm), 1.0) * rise
            slope_K = rise / (cold - warm) if inverse_K > warm else 0.0
    reference_A, per_i0 = nodes[kind, c.SCALARS, c.RATE_REFERENCE_A], exp(-ln_i0)
    per_rate = 1.0 / c.rate_factor(curves, kind, reference_A * per_i0)
    # one kelvin up
    then = per_i0 * exp(-slope_K * inverse_K * inverse_K)
    per_K, rate_per_K = then - per_i0, 1.0 / c.rate_factor(curves, kind, reference_A * then) - per_rate
    cells[c.PER_I0, p, s, i], cells[c.PER_RATE, p, s, i] = per_i0, per_rate
    cells[c.PER_I0_AT, p, s, i], cells[c.PER_I0_PER_K, p, s, i] = per_i0 - per_K * temp_degC, per_K
    cells[c.PER_RATE_AT, p, s, i], cells[c.PER_RATE_PER_K, p, s, i] = per_rate - rate_per_K * temp_degC, rate_per_K


@kernel
def _resistances(
    cells: F64, par: F64, ln_r: F64, nodes: F64, kind: int, p: int, s: int, i: int, inverse_K: float, temp_degC: float
) -> None:
    """The three resistances at this temperature and SOC, and the slopes of their logarithms."""
    scalars = nodes[kind, c.SCALARS]
    j = 0
    while j < int(scalars[c.N_TEMPERATURES]) - 2 and inverse_K < nodes[kind, c.INVERSE_K, j + 1]:
        j += 1
    between = nodes[kind, c.INVERSE_K, j] - nodes[kind, c.INVERSE_K, j + 1]
    weight = (nodes[kind, c.INVERSE_K, j] - inverse_K) / between
    z = cells[c.Q_AH, p, s, i] / c.capacity_Ah(cells, par, p, s, i)
    x = min(max(1.0 - (1.0 - z) / cells[c.REACH, p, s, i], 0.0), 1.0)
    at = x * (c.N_RX - 1)
    g = min(int(at), c.N_RX - 2)
    f = at - g
    lost = cells[c.AGE_CALENDAR, p, s, i] + cells[c.AGE_CYCLE, p, s, i]
    scale = par[c.R_SCALE, p, s, i] * (1.0 + nodes[kind, c.SLOW, R_PER_LOSS] * lost)
    for pair in range(3):
        cold, warm = 3 * j + pair, 3 * (j + 1) + pair
        rise_a, rise_b = ln_r[kind, cold, g + 1] - ln_r[kind, cold, g], ln_r[kind, warm, g + 1] - ln_r[kind, warm, g]
        a, b = ln_r[kind, cold, g] + f * rise_a, ln_r[kind, warm, g] + f * rise_b
        cells[c.R0_OHM + pair, p, s, i] = scale * exp(a + weight * (b - a))
        if pair < 2:
            per_K = (b - a) * inverse_K * inverse_K / between
            per_x = (rise_a + weight * (rise_b - rise_a)) * (c.N_RX - 1)
            cells[c.R0_AT + pair, p, s, i] = -per_K * temp_degC - per_x * x
            cells[c.R0_PER_K + pair, p, s, i] = per_K
            cells[c.R0_PER_X + pair, p, s, i] = per_x
    cells[c.R3_OHM, p, s, i] = scalars[c.R3_SHARE] * cells[c.R2_OHM, p, s, i]


@kernel
def _age(cells: F64, par: F64, slow: F64, p: int, s: int, i: int, inverse_K: float, elapsed_s: float) -> None:
    """Calendar: L^2 grows by k^2 dt, which is k sqrt(t) at a constant temperature and joins onto any other."""
    heat = exp(slow[AGE_K] * (_PER_REFERENCE_K - inverse_K)) if slow[AGE_K] > 0.0 else 1.0
    k = slow[CALENDAR_PER_SQRT_S] * heat
    before_Ah, lost = c.capacity_Ah(cells, par, p, s, i), cells[c.AGE_CALENDAR, p, s, i]
    if k > 0.0:
        cells[c.AGE_CALENDAR, p, s, i] = min(math.sqrt(lost * lost + k * k * elapsed_s), 0.5)
    capacity = c.capacity_Ah(cells, par, p, s, i)
    moved_Ah, cells[c.THROUGH_AH, p, s, i] = cells[c.THROUGH_AH, p, s, i], 0.0
    loss = slow[LOSS_PER_CYCLE] * moved_Ah / (2.0 * capacity)
    volt = cells[c.INNER_V, p, s, i]
    if volt > slow[OVER_V]:
        loss += slow[OVER_PER_S] * heat * elapsed_s
    if volt < 0.0:
        loss += slow[DEEP_PER_S] * elapsed_s
    cells[c.AGE_CYCLE, p, s, i] = min(cells[c.AGE_CYCLE, p, s, i] + loss, 0.45)
    # what is lost takes its charge along: a full cell that ages stays full, and its voltage stays
    cells[c.Q_AH, p, s, i] *= c.capacity_Ah(cells, par, p, s, i) / before_Ah
    current_A = cells[c.CELL_A, p, s, i]
    if slow[PLATE_SHARE] > 0.0 and current_A != 0.0:
        _plate(cells, slow, p, s, i, current_A, min(max(cells[c.Q_AH, p, s, i] / capacity, 0.0), 1.0), elapsed_s)


@kernel
def _plate(cells: F64, slow: F64, p: int, s: int, i: int, current_A: float, z: float, elapsed_s: float) -> None:
    """Metal is plated while the overvoltage at the anode exceeds its margin, and stripped first on discharge."""
    pairs_V = cells[c.U1_V, p, s, i] + cells[c.U2_V, p, s, i] + cells[c.U3_V, p, s, i]
    margin_V = slow[PLATE_EMPTY_V] + (slow[PLATE_FULL_V] - slow[PLATE_EMPTY_V]) * z
    beyond_V = -pairs_V * slow[PLATE_SHARE] - margin_V
    plated_Ah = cells[c.PLATED_AH, p, s, i]
    if current_A < 0.0 and beyond_V > 0.0:
        plated_Ah -= current_A * min(beyond_V / _PLATES_ALL_V, 1.0) * elapsed_s / 3600.0
    elif current_A > 0.0:
        plated_Ah = max(plated_Ah - current_A * elapsed_s / 3600.0, 0.0)
    cells[c.PLATED_AH, p, s, i] = plated_Ah
