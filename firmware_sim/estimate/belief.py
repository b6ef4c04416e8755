"""Belief tables at a cell's temperature and SOC: resistances, reachable share, and the OCV that a voltage stands for."""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import exp, inlined, kernel
from firmware_sim.types import F64, I64

_ZERO_DEGC_K = 273.15
COLDEST_DEGC, HOTTEST_DEGC = -60.0, 150.0
EVER = 1e12
LEAST_REACH = 0.15  # however much more than the tables say is out of reach
NEVER_S = 1e6  # since the last correction, as long as there was none


@inlined
def core_degC(cell: F64, p: int, i: int) -> float:
    """Temperature of the cell: what its sensor reads, that sensor's error, how much warmer the core runs; within the tables."""
    temp_degC = cell[st.TEMP, p, i] + cell[st.TEMP_OFF_K, p, i] + cell[st.HEAT_K, p, i]
    return min(max(temp_degC, COLDEST_DEGC), HOTTEST_DEGC)


@kernel
def refresh(
    cell: F64, p: int, i: int, k: int, kinds: F64, curves: F64, ln_r: F64, nodes: F64, n_nodes: I64, since_s: float
) -> None:  # fmt: skip
    """Take R0, R1, R2 and the reachable share from the belief tables of kind k at the cell's temperature and SOC.

    since_s: since the last time; what is in reach follows the temperature with REACH_TAU_S, EVER for at once.
    """
    temp_degC = core_degC(cell, p, i)
    reach, per_K = nodes[k, cfg.REACH_SHARE, 0], 0.0
    for j in range(1, n_nodes[k, 1]):
        low, high = nodes[k, cfg.REACH_DEGC, j - 1], nodes[k, cfg.REACH_DEGC, j]
        if temp_degC > low:
            part = min((temp_degC - low) / (high - low), 1.0)
            reach = nodes[k, cfg.REACH_SHARE, j - 1] * (1.0 - part) + nodes[k, cfg.REACH_SHARE, j] * part
            rise = nodes[k, cfg.REACH_SHARE, j] - nodes[k, cfg.REACH_SHARE, j - 1]
            per_K = rise / (high - low) if part < 1.0 else 0.0
    out = 1.0 + cell[st.REACH_OFF, p, i]
    reach = max(1.0 - (1.0 - reach) * out, LEAST_REACH)
    cell[st.REACH_PER_K, p, i] = per_K * out
    cell[st.REACH, p, i] += (reach - cell[st.REACH, p, i]) * (1.0 - exp(-min(since_s / kinds[k, cfg.REACH_TAU_S], 700.0)))
    cold = 1.0 - (1.0 - nodes[k, cfg.REACH_SHARE, 0]) * out
    hot = 1.0 - (1.0 - nodes[k, cfg.REACH_SHARE, n_nodes[k, 1] - 1]) * out
    cell[st.REACH, p, i] = min(max(cell[st.REACH, p, i], min(cold, hot), LEAST_REACH), max(cold, hot, LEAST_REACH))
    inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
    j = 0
    while j < n_nodes[k, 0] - 2 and inverse_K < nodes[k, cfg.INVERSE_K, j + 1]:
        j += 1
    step = nodes[k, cfg.INVERSE_K, j] - nodes[k, cfg.INVERSE_K, j + 1]
    warm = (nodes[k, cfg.INVERSE_K, j] - inverse_K) / step
    at = min(max(1.0 - (1.0 - cell[st.Z, p, i]) / reach, 0.0), 1.0) * (cfg.N_RX - 1)
    g = min(int(at), cfg.N_RX - 2)
    f = at - g
    total, per_K = 0.0, 0.0
    for pair in range(3):
        a, b = 3 * j + pair, 3 * j + 3 + pair
        low = ln_r[k, a, g] * (1.0 - f) + ln_r[k, a, g + 1] * f
        high = ln_r[k, b, g] * (1.0 - f) + ln_r[k, b, g + 1] * f
        ohm = exp(low + warm * (high - low))
        cell[st.R0 + pair, p, i] = ohm
        total += ohm
        per_K += ohm * (high - low)
    cell[st.LN_R_PER_K, p, i] = per_K / total * inverse_K * inverse_K / step
    _rate(cell, p, i, k, kinds, curves, nodes, n_nodes, inverse_K)


@kernel
def _rate(cell: F64, p: int, i: int, k: int, kinds: F64, curves: F64, nodes: F64, n_nodes: I64, inverse_K: float) -> None:
    """1 / i0 [1/A], and what makes the tables' resistance that of their reference current; 0 and 1 without kinetics."""
    n = n_nodes[k, 2]
    if n == 0:
        cell[st.PER_I0, p, i], cell[st.PER_RATE, p, i] = 0.0, 1.0
        return
    ln_i0 = nodes[k, cfg.RATE_LN_I0, 0]
    for j in range(1, n):
        cold, warm = nodes[k, cfg.RATE_PER_K, j - 1], nodes[k, cfg.RATE_PER_K, j]
        if inverse_K < cold:
            rise = nodes[k, cfg.RATE_LN_I0, j] - nodes[k, cfg.RATE_LN_I0, j - 1]
            ln_i0 = nodes[k, cfg.RATE_LN_I0, j - 1] + min((cold - inverse_K) / (cold - warm), 1.0) * rise
    per_i0 = exp(-ln_i0)
    cell[st.PER_I0, p, i] = per_i0
    cell[st.PER_RATE, p, i] = 1.0 / rate_factor(k, kinds[k, cfg.RATE_REFERENCE_A] * per_i0, curves)


@kernel
def rate_factor(k: int, y: float, curves: F64) -> float:
    """Table of asinh(y) / y, which falls from 1 at y = 0; constant beyond the grid."""
    at = min(y * (1.0 / cfg.Y_STEP), cfg.N_X - 1.000001)
    g = int(at)
    return curves[k, cfg.RATE, g] + (at - g) * (curves[k, cfg.RATE, g + 1] - curves[k, cfg.RATE, g])


@kernel
def soc_of(volt: float, k: int, reach: float, curves: F64) -> float:
    """SOC at which cells of kind k rest at a voltage, in the middle between the branches of the loop."""
    return soc_on(volt, 0.0, reach, 25.0, k, curves)


@kernel
def soc_on(volt: float, h: float, reach: float, temp_degC: float, k: int, curves: F64) -> float:
    """SOC at which cells of kind k rest at a voltage, at h between the branches of the loop; the inverse of ocv in 0..1."""
    low, high, warm_K = 0, cfg.N_X - 1, temp_degC - 25.0
    while high - low > 1:
        middle = (low + high) // 2
        at_V = curves[k, cfg.MEAN_V, middle] + h * curves[k, cfg.HALF_V, middle] + warm_K * curves[k, cfg.DUDT, middle]
        if at_V <= volt:
            low = middle
        else:
            high = middle
    low_V = curves[k, cfg.MEAN_V, low] + h * curves[k, cfg.HALF_V, low] + warm_K * curves[k, cfg.DUDT, low]
    high_V = curves[k, cfg.MEAN_V, low + 1] + h * curves[k, cfg.HALF_V, low + 1] + warm_K * curves[k, cfg.DUDT, low + 1]
    part = (volt - low_V) / (high_V - low_V) if high_V > low_V else 0.5
    x = cfg.X_LOW + cfg.X_STEP * (low + min(max(part, 0.0), 1.0))
    return 1.0 - (1.0 - min(max(x, 0.0), 1.0)) * reach


@inlined
def in_reach(z: float, reach: float) -> float:
    """Share of what is in reach at SOC z; below empty SOC itself."""
    return max(1.0 - (1.0 - z) / reach, min(z, 0.0))


@kernel
def ocv(z: float, h: float, reach: float, temp_degC: float, k: int, curves: F64) -> tuple[float, float]:
    """Voltage [V] at which cells of kind k rest at SOC z, at h between the branches of the loop, and its slope over z [V]."""
    x = in_reach(z, reach)
    at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    g = int(at)
    f = at - g
    warm_K = temp_degC - 25.0
    low_V = curves[k, cfg.MEAN_V, g] + h * curves[k, cfg.HALF_V, g] + warm_K * curves[k, cfg.DUDT, g]
    high_V = curves[k, cfg.MEAN_V, g + 1] + h * curves[k, cfg.HALF_V, g + 1] + warm_K * curves[k, cfg.DUDT, g + 1]
    return low_V + f * (high_V - low_V), (high_V - low_V) / (cfg.X_STEP * reach)


@kernel
def branch_of(current_A: float, real: F64) -> float:
    """Branch of the loop that a current leads to: -1 on discharge, 1 on charge, 0 for a current that is none."""
    if current_A > real[cfg.REST_A]:
        return -1.0
    return 1.0 if current_A < -real[cfg.REST_A] else 0.0
