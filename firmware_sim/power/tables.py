"""Belief tables as foresight reads them: open-circuit voltage with its slope, resistances with theirs, kinetics."""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64

_ZERO_DEGC_K = 273.15


@kernel
def ocv(x: float, h: float, core_degC: float, k: int, curves: F64) -> tuple[float, float, float]:
    """Rested voltage [V] at share x of what is in reach and hysteresis h, its slope over x [V], half the loop [V]."""
    at = (x - cfg.X_LOW) * (1.0 / cfg.X_STEP)
    at = min(at, cfg.N_X - 1.000001) if at > 0.0 else 0.0  # NaN is no index
    g = int(at)
    f = at - g
    mean_rise = curves[k, cfg.MEAN_V, g + 1] - curves[k, cfg.MEAN_V, g]
    half_rise = curves[k, cfg.HALF_V, g + 1] - curves[k, cfg.HALF_V, g]
    half_V = curves[k, cfg.HALF_V, g] + f * half_rise
    dudt = curves[k, cfg.DUDT, g] + f * (curves[k, cfg.DUDT, g + 1] - curves[k, cfg.DUDT, g])
    volt = curves[k, cfg.MEAN_V, g] + f * mean_rise + half_V * h + dudt * (core_degC - 25.0)
    return volt, (mean_rise + half_rise * h) / cfg.X_STEP, half_V


@kernel
def resistances(
    x: float, core_degC: float, k: int, ln_r: F64, nodes: F64, n_nodes: I64
) -> tuple[float, float, float, float, float]:
    """R0, R1, R2 [ohm] of kind k at share x of what is in reach; slopes of ln R0 over temperature [1/K] and over x."""
    temp_degC = min(max(core_degC, belief.COLDEST_DEGC), belief.HOTTEST_DEGC)
    inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
    j = 0
    while j < n_nodes[k, 0] - 2 and inverse_K < nodes[k, cfg.INVERSE_K, j + 1]:
        j += 1
    between = nodes[k, cfg.INVERSE_K, j] - nodes[k, cfg.INVERSE_K, j + 1]
    warm = (nodes[k, cfg.INVERSE_K, j] - inverse_K) / between
    at = min(x, 1.0) * (cfg.N_RX - 1) if x > 0.0 else 0.0  # NaN is no index
    g = min(int(at), cfg.N_RX - 2)
    f = at - g
    a, b = 3 * j, 3 * j + 3
    low = ln_r[k, a, g] + f * (ln_r[k, a, g + 1] - ln_r[k, a, g])
    rise = ln_r[k, b, g] + f * (ln_r[k, b, g + 1] - ln_r[k, b, g]) - low
    per_K = rise * inverse_K * inverse_K / between
    r0 = exp(low + warm * rise)
    cold, mild = ln_r[k, a + 1, g], ln_r[k, b + 1, g]
    low, high = cold + f * (ln_r[k, a + 1, g + 1] - cold), mild + f * (ln_r[k, b + 1, g + 1] - mild)
    r1 = exp(low + warm * (high - low))
    per_x = (1.0 - warm) * (ln_r[k, a, g + 1] + ln_r[k, a + 1, g + 1] - ln_r[k, a, g] - cold)
    per_x += warm * (ln_r[k, b, g + 1] + ln_r[k, b + 1, g + 1] - ln_r[k, b, g] - mild)
    low = ln_r[k, a + 2, g] + f * (ln_r[k, a + 2, g + 1] - ln_r[k, a + 2, g])
    high = ln_r[k, b + 2, g] + f * (ln_r[k, b + 2, g + 1] - ln_r[k, b + 2, g])
    return r0, r1, exp(low + warm * (high - low)), per_K, 0.5 * per_x * (cfg.N_RX - 1)


@kernel
def kinetics(cell: F64, p: int, i: int, k: int, current_A: float, curves: F64) -> float:
    """Kinetic resistance at a current, relative to the tables; 1 without kinetics."""
    per_i0 = cell[st.PER_I0, p, i]
    if not per_i0 > 0.0:
        return 1.0
    return belief.rate_factor(k, math.fabs(current_A) * per_i0, curves) * cell[st.PER_RATE, p, i]
