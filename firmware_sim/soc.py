"""State of charge of each cell: an extended Kalman filter over SOC, two RC pairs, hysteresis and a resistance scale.

State z (SOC), u1, u2 [V], h (-1 after discharge ... +1 after charge), rho (resistance of this cell relative to the tables);
each moves on its own, so the transition matrix is diagonal and the symmetric covariance (P00 ... P44) is unrolled.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) - rho (u1 + u2 + I R0),    x = 1 - (1 - z) / reach(T), not below 0 unless z is

What mattered on measured data: model error is correlated, not white, so a sample is worth little (MODEL_V2S is an
equivalent noise density in V^2 s), and resistance differs from cell to cell and with temperature, so it is estimated and
what is left of its error (R_ERROR_SHARE) widens the noise under load. Between samples the filter counts charge. A cell
without valid samples goes on counting and its variance grows.

Each kind of cells has tables of its own. Parallel strings share the pack current equally as long as they are alike. Unlike
ones do not, and there is one shunt: then each string is what its own filters say, a source of voltage E behind a resistance
R at the end of this tick, and the voltage V of all strings is that at which the currents (E - V) / R add up to the measured
one. The tick's end, not its start: so the pairs take part in the division and no tick is too long for it.
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
def refresh(cell: F64, p: int, i: int, k: int, ln_r: F64, nodes: F64, n_nodes: I64) -> None:
    """Take R0, R1, R2 and the reachable share from the belief tables of kind k at the cell's temperature and SOC."""
    temp_degC = min(max(cell[st.TEMP, p, i], -60.0), 150.0)
    reach = nodes[k, cfg.REACH_SHARE, 0]
    for j in range(1, n_nodes[k, 1]):
        low, high = nodes[k, cfg.REACH_DEGC, j - 1], nodes[k, cfg.REACH_DEGC, j]
        if temp_degC > low:
            part = min((temp_degC - low) / (high - low), 1.0)
            reach = nodes[k, cfg.REACH_SHARE, j - 1] * (1.0 - part) + nodes[k, cfg.REACH_SHARE, j] * part
    cell[st.REACH, p, i] = reach
    inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
    j = 0
    while j < n_nodes[k, 0] - 2 and inverse_K < nodes[k, cfg.INVERSE_K, j + 1]:
        j += 1
    step = nodes[k, cfg.INVERSE_K, j] - nodes[k, cfg.INVERSE_K, j + 1]
    warm = (nodes[k, cfg.INVERSE_K, j] - inverse_K) / step
    at = min(max(1.0 - (1.0 - cell[st.Z, p, i]) / reach, 0.0), 1.0) * (cfg.N_RX - 1)
    g = min(int(at), cfg.N_RX - 2)
    f = at - g
    for pair in range(3):
        a, b = 3 * j + pair, 3 * j + 3 + pair
        low = ln_r[k, a, g] * (1.0 - f) + ln_r[k, a, g + 1] * f
        high = ln_r[k, b, g] * (1.0 - f) + ln_r[k, b, g + 1] * f
        cell[st.R0 + pair, p, i] = exp(low + warm * (high - low))


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, curves: F64, stored: bool) -> None:
    """Start the filter of cell i, of kind k, from its first valid voltage, or from the stored SOC when there is one."""
    volt = cell[st.VOLT, p, i]
    low, high = 0, cfg.N_X - 1
    while high - low > 1:
        middle = (low + high) // 2
        if curves[k, cfg.MEAN_V, middle] <= volt:
            low = middle
        else:
            high = middle
    step_V = curves[k, cfg.MEAN_V, low + 1] - curves[k, cfg.MEAN_V, low]
    x = cfg.X_LOW + cfg.X_STEP * (low + min(max((volt - curves[k, cfg.MEAN_V, low]) / step_V, 0.0), 1.0))
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
def predict(
    cell: F64, p: int, first: int, end: int, k: int, current_A: float, even_A: float, dt_s: float, real: F64, kinds: F64
) -> None:
    """Count charge and let pairs, hysteresis and covariance of the cells first ... end - 1, of kind k, move by dt.

    even_A: what current_A would be if all strings were alike; what the division adds is known as well as the resistances.
    """
    d1, d2 = exp(-dt_s / kinds[k, cfg.TAU1_S]), exp(-dt_s / kinds[k, cfg.TAU2_S])
    dz = current_A * dt_s / (3600.0 * kinds[k, cfg.CAPACITY_AH])
    swing = 0.5 * kinds[k, cfg.HYST_DECAY] * math.fabs(dz)
    dh = max((1.0 - swing) / (1.0 + swing), 0.0)
    target = -1.0 if current_A > 0.0 else 1.0
    error_A = real[cfg.CURRENT_ERROR_SHARE] * math.fabs(current_A) + real[cfg.CURRENT_ERROR_A]
    error_A += real[cfg.R_ERROR_SHARE] * math.fabs(current_A - even_A)
    rate = error_A / (3600.0 * kinds[k, cfg.CAPACITY_AH])
    q_z = 2.0 * rate * rate * real[cfg.CURRENT_CORRELATION_S] * dt_s
    q_u = real[cfg.RC_NOISE_V2_PER_S] * dt_s
    q_h = (1.0 - dh * dh) * real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    q_rho = real[cfg.RHO_WALK_PER_S] * dt_s
    most_rho = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]
    for i in range(first, end):
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
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, curves: F64) -> None:
    """Correct cell i, of kind k, with its new voltage sample. sample_s: time since its last one [s]."""
    z = cell[st.Z, p, i]
    x = max(1.0 - (1.0 - z) / cell[st.REACH, p, i], min(z, 0.0))
    at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    g = int(at)
    f = at - g
    h, rho = cell[st.H, p, i], cell[st.RHO, p, i]
    mean_rise = curves[k, cfg.MEAN_V, g + 1] - curves[k, cfg.MEAN_V, g]
    half_rise = curves[k, cfg.HALF_V, g + 1] - curves[k, cfg.HALF_V, g]
    half_V = curves[k, cfg.HALF_V, g] + f * half_rise
    dudt = curves[k, cfg.DUDT, g] + f * (curves[k, cfg.DUDT, g + 1] - curves[k, cfg.DUDT, g])
    temp_degC = cell[st.TEMP, p, i]
    mean_V = curves[k, cfg.MEAN_V, g] + f * mean_rise + dudt * (temp_degC - 25.0)
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
def _source(cell: F64, p: int, s: int, stretches: I64, kinds: F64, curves: F64, dt_s: float) -> tuple[float, float]:
    """Voltage without current [V] and resistance [ohm] of string s at the end of a tick, as its filters stand at its start."""
    rest_V, ohm = 0.0, 0.0
    for n in range(stretches.shape[0]):
        if stretches[n, cfg.STRING] != s:
            continue
        k = stretches[n, cfg.KIND]
        d1, d2 = exp(-dt_s / kinds[k, cfg.TAU1_S]), exp(-dt_s / kinds[k, cfg.TAU2_S])
        for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
            z, rho = cell[st.Z, p, i], cell[st.RHO, p, i]
            x = max(1.0 - (1.0 - z) / cell[st.REACH, p, i], min(z, 0.0))
            at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
            g = int(at)
            f = at - g
            mean_V = curves[k, cfg.MEAN_V, g] * (1.0 - f) + curves[k, cfg.MEAN_V, g + 1] * f
            half_V = curves[k, cfg.HALF_V, g] * (1.0 - f) + curves[k, cfg.HALF_V, g + 1] * f
            dudt = curves[k, cfg.DUDT, g] * (1.0 - f) + curves[k, cfg.DUDT, g + 1] * f
            pairs_V = cell[st.U1, p, i] * d1 + cell[st.U2, p, i] * d2
            rest_V += mean_V + half_V * cell[st.H, p, i] + dudt * (cell[st.TEMP, p, i] - 25.0) - rho * pairs_V
            ohm += rho * (cell[st.R0, p, i] + (1.0 - d1) * cell[st.R1, p, i] + (1.0 - d2) * cell[st.R2, p, i])
    return rest_V, ohm


@kernel
def common_V(cell: F64, p: int, current_A: float, stretches: I64, kinds: F64, curves: F64, dt_s: float) -> float:
    """Voltage [V] at which the currents of all strings add up to current_A."""
    siemens, amps = 0.0, -current_A
    for s in range(stretches[stretches.shape[0] - 1, cfg.STRING] + 1):
        rest_V, ohm = _source(cell, p, s, stretches, kinds, curves, dt_s)
        siemens += 1.0 / ohm
        amps += rest_V / ohm
    return amps / siemens


@kernel
def summarise(cell: F64, p: int, r: F64, stretches: I64, real: F64, kinds: F64, strings: int) -> None:
    """Pack values from the cells' estimates.

    A string is empty when its first cell is and full when its first cell is: with the least charge that a cell holds, and
    the least room that a cell has, SOC = held / (room + held). Both are charges, because cells of another kind have another
    capacity. Charge and room of unlike strings add up; alike ones count as the worst of them. SOC_MIN and SOC_MAX are
    those of single cells. Available is what can be reached of the charge: in the cold, and beside strings whose voltage
    limits come first. The band is 1.96 standard deviations of the least certain cell, with BAND_FLOOR for what the
    filter cannot know: how far cells of one kind differ.
    """
    low, high, spread, available = 2.0, -1.0, 0.0, 2.0
    held, room, left, reachable_room = 0.0, 0.0, 0.0, 0.0  # in capacities of kind 0
    sources = stretches[stretches.shape[0] - 1, cfg.STRING] + 1
    for s in range(sources):
        least_held, least_room, least_left, least_reachable_room = 1e9, 1e9, 1e9, 1e9
        for n in range(stretches.shape[0]):
            if stretches[n, cfg.STRING] != s:
                continue
            k = stretches[n, cfg.KIND]
            capacity, empty, full = kinds[k, cfg.CAPACITY_SHARE], kinds[k, cfg.EMPTY_SOC], kinds[k, cfg.FULL_SOC]
            for i in range(stretches[n, cfg.FIRST], stretches[n, cfg.END]):
                z = min(max(cell[st.Z, p, i], 0.0), 1.0)
                cell[st.Z_OUT, p, i] = z
                low, high = min(low, z), max(high, z)
                spread = max(spread, cell[st.P00, p, i])
                reach = cell[st.REACH, p, i]
                reachable = max(min(z - 1.0 + reach, z - empty), 0.0)
                available = min(available, reachable / reach)
                least_held = min(least_held, z * capacity)
                least_room = min(least_room, (1.0 - z) * capacity)
                least_left = min(least_left, reachable * capacity)
                least_reachable_room = min(least_reachable_room, max(full - z, 0.0) * capacity)
        held += least_held
        room += least_room
        left += least_left
        reachable_room += least_reachable_room
    if kinds.shape[0] > 1:
        available = left / (reachable_room + left) if left > 0.0 else 0.0
    r[st.SOC_MIN, p] = low
    r[st.SOC_MAX, p] = high
    r[st.SOC, p] = held / (room + held) if held > 0.0 else 0.0
    r[st.SOC_BAND, p] = 1.96 * math.sqrt(spread + real[cfg.BAND_FLOOR] * real[cfg.BAND_FLOOR])
    r[st.SOC_AVAILABLE, p] = available
    r[st.REMAINING_AH, p] = left * kinds[0, cfg.CAPACITY_AH] * (strings // sources)


@kernel
def step(
    cell: F64, r: F64, whole: I64, link: I64, valid: U8, cell_map: I64, stretches: I64, real: F64, kinds: F64, curves: F64,
    ln_r: F64, nodes: F64, n_nodes: I64, p: int, dt_ns: int, strings: int,
) -> None:  # fmt: skip
    """Move the filters of pack p by dt and correct the cells whose page came in this tick.

    strings: parallel strings, which share the pack current.
    """
    if whole[st.IS_SEEDED, p] == 0:
        return
    dt_s = dt_ns * 1e-9
    current_A = r[st.CURRENT_A, p]
    even_A = current_A / strings
    every = max(1_000_000_000 // dt_ns, 1)
    for i in range(int((whole[st.UP_NS, p] // dt_ns) % every), cell.shape[2], every):
        refresh(cell, p, i, cell_map[cfg.MAP_KIND, i], ln_r, nodes, n_nodes)
    sources = stretches[stretches.shape[0] - 1, cfg.STRING] + 1
    volt = common_V(cell, p, current_A, stretches, kinds, curves, dt_s) if sources > 1 else 0.0
    for s in range(sources):
        string_A = even_A
        if sources > 1:
            rest_V, ohm = _source(cell, p, s, stretches, kinds, curves, dt_s)
            string_A = (rest_V - volt) / ohm
        for n in range(stretches.shape[0]):
            if stretches[n, cfg.STRING] == s:
                first, end, k = stretches[n, cfg.FIRST], stretches[n, cfg.END], stretches[n, cfg.KIND]
                predict(cell, p, first, end, k, string_A, even_A, dt_s, real, kinds)
                for i in range(first, end):
                    slot = cell_map[cfg.MAP_SLOT, i]
                    if link[st.FRESH, p, slot] == 1 and valid[p, cell_map[cfg.MAP_SIGNAL, i]] == 1:
                        sample_s = max(link[st.SAMPLE_NS, p, slot] * 1e-9, dt_s)
                        correct(cell, p, i, k, string_A, sample_s, real, curves)
    summarise(cell, p, r, stretches, real, kinds, strings)
