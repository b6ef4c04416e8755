"""State of charge of each cell: an extended Kalman filter over SOC, two RC pairs, hysteresis and a resistance scale.

State z (SOC), u1, u2 [V], h (-1 after discharge ... +1 after charge), rho (resistance of this cell relative to the tables);
each moves on its own, so the transition matrix is diagonal and the symmetric covariance (P00 ... P44) is unrolled.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) - rho (u1 + u2 + I R0),    x = 1 - (1 - z) / reach(T), not below 0 unless z is

What mattered on measured data: model error is correlated, not white, so a sample is worth little (MODEL_V2S is an
equivalent noise density in V^2 s), and resistance differs from cell to cell and with temperature, so it is estimated and
what is left of its error (R_ERROR_SHARE) widens the noise under load. Between samples the filter counts charge. A cell
without valid samples goes on counting and its variance grows.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64, U8

_ZERO_DEGC_K = 273.15
_RHO_LOW, _RHO_HIGH = 0.3, 3.0


@kernel
def refresh(cell: F64, p: int, i: int, ln_r: F64, nodes: F64, n_nodes: I64) -> None:
    """Take R0, R1, R2 and the reachable share from the belief tables at the cell's temperature and SOC."""
    temp_degC = min(max(cell[st.TEMP, p, i], -60.0), 150.0)
    reach = nodes[cfg.REACH_SHARE, 0]
    for j in range(1, n_nodes[1]):
        low, high = nodes[cfg.REACH_DEGC, j - 1], nodes[cfg.REACH_DEGC, j]
        if temp_degC > low:
            part = min((temp_degC - low) / (high - low), 1.0)
            reach = nodes[cfg.REACH_SHARE, j - 1] * (1.0 - part) + nodes[cfg.REACH_SHARE, j] * part
    cell[st.REACH, p, i] = reach
    inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
    j = 0
    while j < n_nodes[0] - 2 and inverse_K < nodes[cfg.INVERSE_K, j + 1]:
        j += 1
    step = nodes[cfg.INVERSE_K, j] - nodes[cfg.INVERSE_K, j + 1]
    warm = (nodes[cfg.INVERSE_K, j] - inverse_K) / step
    at = min(max(1.0 - (1.0 - cell[st.Z, p, i]) / reach, 0.0), 1.0) * (cfg.N_RX - 1)
    g = min(int(at), cfg.N_RX - 2)
    f = at - g
    for pair in range(3):
        a, b = 3 * j + pair, 3 * j + 3 + pair
        low = ln_r[a, g] * (1.0 - f) + ln_r[a, g + 1] * f
        high = ln_r[b, g] * (1.0 - f) + ln_r[b, g + 1] * f
        cell[st.R0 + pair, p, i] = exp(low + warm * (high - low))


@kernel
def seed(cell: F64, p: int, i: int, real: F64, curves: F64, stored: bool) -> None:
    """Start the filter of a cell from its first valid voltage, or from the stored SOC when there is one."""
    volt = cell[st.VOLT, p, i]
    low, high = 0, cfg.N_X - 1
    while high - low > 1:
        middle = (low + high) // 2
        if curves[cfg.MEAN_V, middle] <= volt:
            low = middle
        else:
            high = middle
    step_V = curves[cfg.MEAN_V, low + 1] - curves[cfg.MEAN_V, low]
    x = cfg.X_LOW + cfg.X_STEP * (low + min(max((volt - curves[cfg.MEAN_V, low]) / step_V, 0.0), 1.0))
    z = 1.0 - (1.0 - min(max(x, 0.0), 1.0)) * cell[st.REACH, p, i]
    sigma = real[cfg.START_SIGMA]
    if stored:
        z = cell[st.NVM_Z, p, i]
        sigma = math.sqrt(cell[st.NVM_VAR, p, i]) + real[cfg.STORED_SIGMA]
    for row in range(st.Z, st.P44 + 1):
        cell[row, p, i] = 0.0
    cell[st.Z, p, i] = z
    cell[st.RHO, p, i] = 1.0
    cell[st.P00, p, i] = sigma * sigma
    cell[st.P11, p, i] = 1e-6
    cell[st.P22, p, i] = 1e-6
    cell[st.P33, p, i] = real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    cell[st.P44, p, i] = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]


@kernel
def predict(cell: F64, p: int, current_A: float, dt_s: float, real: F64) -> None:
    """Count charge and let pairs, hysteresis and covariance of all cells move by dt."""
    d1, d2 = exp(-dt_s / real[cfg.TAU1_S]), exp(-dt_s / real[cfg.TAU2_S])
    dz = current_A * dt_s / (3600.0 * real[cfg.CAPACITY_AH])
    swing = 0.5 * real[cfg.HYST_DECAY] * math.fabs(dz)
    dh = max((1.0 - swing) / (1.0 + swing), 0.0)
    target = -1.0 if current_A > 0.0 else 1.0
    error_A = real[cfg.CURRENT_ERROR_SHARE] * math.fabs(current_A) + real[cfg.CURRENT_ERROR_A]
    rate = error_A / (3600.0 * real[cfg.CAPACITY_AH])
    q_z = 2.0 * rate * rate * real[cfg.CURRENT_CORRELATION_S] * dt_s
    q_u = real[cfg.RC_NOISE_V2_PER_S] * dt_s
    q_h = (1.0 - dh * dh) * real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    q_rho = real[cfg.RHO_WALK_PER_S] * dt_s
    most_rho = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]
    for i in range(cell.shape[2]):
        cell[st.Z, p, i] -= dz
        cell[st.U1, p, i] = cell[st.U1, p, i] * d1 + (1.0 - d1) * cell[st.R1, p, i] * current_A
        cell[st.U2, p, i] = cell[st.U2, p, i] * d2 + (1.0 - d2) * cell[st.R2, p, i] * current_A
        cell[st.H, p, i] = target + (cell[st.H, p, i] - target) * dh
        cell[st.P00, p, i] += q_z
        cell[st.P01, p, i] *= d1
        cell[st.P02, p, i] *= d2
        cell[st.P03, p, i] *= dh
        cell[st.P11, p, i] = cell[st.P11, p, i] * d1 * d1 + q_u
        cell[st.P12, p, i] *= d1 * d2
        cell[st.P13, p, i] *= d1 * dh
        cell[st.P14, p, i] *= d1
        cell[st.P22, p, i] = cell[st.P22, p, i] * d2 * d2 + q_u
        cell[st.P23, p, i] *= d2 * dh
        cell[st.P24, p, i] *= d2
        cell[st.P33, p, i] = cell[st.P33, p, i] * dh * dh + q_h
        cell[st.P34, p, i] *= dh
        cell[st.P44, p, i] = min(cell[st.P44, p, i] + q_rho, most_rho)


@kernel
def correct(cell: F64, p: int, i: int, current_A: float, sample_s: float, real: F64, curves: F64) -> None:
    """Correct cell i with its new voltage sample. sample_s: time since its last one [s]."""
    z = cell[st.Z, p, i]
    x = max(1.0 - (1.0 - z) / cell[st.REACH, p, i], min(z, 0.0))
    at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    g = int(at)
    f = at - g
    h, rho = cell[st.H, p, i], cell[st.RHO, p, i]
    mean_rise = curves[cfg.MEAN_V, g + 1] - curves[cfg.MEAN_V, g]
    half_rise = curves[cfg.HALF_V, g + 1] - curves[cfg.HALF_V, g]
    half_V = curves[cfg.HALF_V, g] + f * half_rise
    dudt = curves[cfg.DUDT, g] + f * (curves[cfg.DUDT, g + 1] - curves[cfg.DUDT, g])
    temp_degC = cell[st.TEMP, p, i]
    mean_V = curves[cfg.MEAN_V, g] + f * mean_rise + dudt * (temp_degC - 25.0)
    drop_V = current_A * cell[st.R0, p, i] + cell[st.U1, p, i] + cell[st.U2, p, i]
    innovation_V = cell[st.VOLT, p, i] - (mean_V + half_V * h - rho * drop_V)
    slope = (mean_rise + half_rise * h) / (cfg.X_STEP * cell[st.REACH, p, i])

    # gain = P H' / (H P H' + noise) with H = (slope, -rho, -rho, half, -drop)
    p00, p01, p02, p03, p04 = cell[st.P00, p, i], cell[st.P01, p, i], cell[st.P02, p, i], cell[st.P03, p, i], cell[st.P04, p, i]
    p11, p12, p13, p14 = cell[st.P11, p, i], cell[st.P12, p, i], cell[st.P13, p, i], cell[st.P14, p, i]
    p22, p23, p24 = cell[st.P22, p, i], cell[st.P23, p, i], cell[st.P24, p, i]
    p33, p34, p44 = cell[st.P33, p, i], cell[st.P34, p, i], cell[st.P44, p, i]
    a0 = p00 * slope - (p01 + p02) * rho + p03 * half_V - p04 * drop_V
    a1 = p01 * slope - (p11 + p12) * rho + p13 * half_V - p14 * drop_V
    a2 = p02 * slope - (p12 + p22) * rho + p23 * half_V - p24 * drop_V
    a3 = p03 * slope - (p13 + p23) * rho + p33 * half_V - p34 * drop_V
    a4 = p04 * slope - (p14 + p24) * rho + p34 * half_V - p44 * drop_V
    sigma_V = real[cfg.CELL_SIGMA_V]
    wrong_V = real[cfg.R_ERROR_SHARE] * drop_V
    noise = sigma_V * sigma_V + (real[cfg.MODEL_V2S] + wrong_V * wrong_V) / sample_s
    s = slope * a0 - rho * (a1 + a2) + half_V * a3 - drop_V * a4 + noise
    k0, k1, k2, k3, k4 = a0 / s, a1 / s, a2 / s, a3 / s, a4 / s
    cell[st.Z, p, i] = min(max(z + k0 * innovation_V, -0.05), 1.05)
    cell[st.U1, p, i] += k1 * innovation_V
    cell[st.U2, p, i] += k2 * innovation_V
    cell[st.H, p, i] = min(max(h + k3 * innovation_V, -1.0), 1.0)
    cell[st.RHO, p, i] = min(max(rho + k4 * innovation_V, _RHO_LOW), _RHO_HIGH)
    cell[st.P00, p, i] = max(p00 - k0 * a0, 1e-10)
    cell[st.P01, p, i] = p01 - k0 * a1
    cell[st.P02, p, i] = p02 - k0 * a2
    cell[st.P03, p, i] = p03 - k0 * a3
    cell[st.P04, p, i] = p04 - k0 * a4
    cell[st.P11, p, i] = max(p11 - k1 * a1, 1e-12)
    cell[st.P12, p, i] = p12 - k1 * a2
    cell[st.P13, p, i] = p13 - k1 * a3
    cell[st.P14, p, i] = p14 - k1 * a4
    cell[st.P22, p, i] = max(p22 - k2 * a2, 1e-12)
    cell[st.P23, p, i] = p23 - k2 * a3
    cell[st.P24, p, i] = p24 - k2 * a4
    cell[st.P33, p, i] = max(p33 - k3 * a3, 1e-8)
    cell[st.P34, p, i] = p34 - k3 * a4
    cell[st.P44, p, i] = max(p44 - k4 * a4, 1e-8)


@kernel
def summarise(cell: F64, p: int, r: F64, real: F64, strings: int) -> None:
    """Pack values from the cells' estimates.

    The pack is empty when its emptiest cell is and full when its fullest cell is, so with lowest a and highest b
    SOC = a / (1 - b + a). The band is 1.96 standard deviations of the least certain cell, with BAND_FLOOR for what the
    filter cannot know: how far cells of one kind differ.
    """
    low, high, spread = 2.0, -1.0, 0.0
    available, remaining = 2.0, 2.0
    for i in range(cell.shape[2]):
        z = min(max(cell[st.Z, p, i], 0.0), 1.0)
        cell[st.Z_OUT, p, i] = z
        low, high = min(low, z), max(high, z)
        spread = max(spread, cell[st.P00, p, i])
        reach = cell[st.REACH, p, i]
        left = max(z - 1.0 + reach, 0.0)
        remaining = min(remaining, left)
        available = min(available, left / reach)
    r[st.SOC_MIN, p] = low
    r[st.SOC_MAX, p] = high
    r[st.SOC, p] = low / (1.0 - high + low)
    r[st.SOC_BAND, p] = 1.96 * math.sqrt(spread + real[cfg.BAND_FLOOR] * real[cfg.BAND_FLOOR])
    r[st.SOC_AVAILABLE, p] = available
    r[st.REMAINING_AH, p] = remaining * real[cfg.CAPACITY_AH] * strings


@kernel
def step(
    cell: F64, r: F64, whole: I64, link: I64, valid: U8, cell_map: I64, real: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64, p: int, dt_ns: int, strings: int,
) -> None:  # fmt: skip
    """Move the filters of pack p by dt and correct the cells whose page came in this tick.

    strings: parallel strings, which share the pack current.
    """
    if whole[st.IS_SEEDED, p] == 0:
        return
    dt_s = dt_ns * 1e-9
    string_A = r[st.CURRENT_A, p] / strings
    every = max(1_000_000_000 // dt_ns, 1)
    n_cells = cell.shape[2]
    for i in range(int((whole[st.UP_NS, p] // dt_ns) % every), n_cells, every):
        refresh(cell, p, i, ln_r, nodes, n_nodes)
    predict(cell, p, string_A, dt_s, real)
    for i in range(n_cells):
        slot = cell_map[cfg.MAP_SLOT, i]
        if link[st.FRESH, p, slot] == 1 and valid[p, cell_map[cfg.MAP_SIGNAL, i]] == 1:
            sample_s = max(link[st.SAMPLE_NS, p, slot] * 1e-9, dt_s)
            correct(cell, p, i, string_A, sample_s, real, curves)
    summarise(cell, p, r, real, strings)
