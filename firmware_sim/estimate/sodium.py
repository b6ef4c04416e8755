"""Method "sodium": a Kalman filter for cells with a sloping, hysteretic curve and a resistance that moves.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) + e - rho (I R0 + u1 + u2 + u3),     x = 1 - (1 - z) / reach(T)

Estimated with a covariance: z (SOC), h (-1 after discharge ... +1 after charge), rho (resistance relative to the tables), b
(error of the current sensor [A]), e (error of the OCV curve here [V]), c (capacity relative to the model's). The pairs u1 to
u3 and the warmth of the core above its sensor only follow the current: what is wrong with them rho and e bear.

- **e is what makes the band honest.** A curve that is wrong is wrong in the same way for minutes, so a thousand samples of
  it are worth no more than a few. e keeps its value while SOC stands still and forgets it over OCV_SPAN of SOC
  (Gauss-Markov over charge instead of time): only charge that moves brings news.
- **rho** learns resistance of this cell, at this temperature, from load that changes; it bears a wrong temperature too.
- **c and b** enter through what has been counted since the last correction.
- Corrections come once in CORRECT_S at most and carry the covariance over the time since; every tick only moves the state.
- Noise grows with a current that has just changed (fast pairs are known least), below COLD_DEGC, and when innovations are
  larger than they say they are (NIS, the mean square of innovation over its standard deviation).

Sources: Plett, J. Power Sources 134 (2004) 252-292 (states, hysteresis); Schmidt, Adv. Control Syst. 3 (1966) 293 (errors
that are considered); figures: docs/estimation.md.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, start
from firmware_sim.jit import exp, inlined, kernel
from firmware_sim.types import F64

# Upper triangle of the covariance, in the order z, h, rho, b, e, c.
(
    P00, P01, P02, P03, P04, P05, P11, P12, P13, P14, P15, P22, P23, P24, P25, P33, P34, P35, P44, P45, P55,
) = range(st.P, st.P + 21)  # fmt: skip
_RHO_LOW, _RHO_HIGH = 0.2, 5.0
_CAPACITY_LOW, _CAPACITY_HIGH = 0.4, 1.2
_NIS_TAU_S = 300.0
_NEVER_S = 1e6
# A start is far off when SOC is less sure than this and the voltage misses by more; how often the curve is asked again.
_FAR_VAR, _FAR_V, _TURNS = 0.0025, 0.05, 6


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start cell i from SOC z with standard deviation sigma, see start.choose."""
    start.begin(cell, p, i, z, sigma)
    cell[P11, p, i] = real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    cell[P22, p, i] = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]
    cell[P33, p, i] = real[cfg.BIAS_SIGMA_A] * real[cfg.BIAS_SIGMA_A]
    cell[P44, p, i] = real[cfg.OCV_SIGMA_V] * real[cfg.OCV_SIGMA_V]
    cell[P55, p, i] = real[cfg.CAPACITY_SIGMA] * real[cfg.CAPACITY_SIGMA]
    cell[st.SINCE_S, p, i] = _NEVER_S
    cell[st.SINCE_SOC, p, i] = 0.0
    cell[st.LOOP_KEPT, p, i] = 1.0
    cell[st.HEAT_K, p, i] = 0.0
    cell[st.NIS, p, i] = 1.0
    cell[st.SLOW_A, p, i] = 0.0


@kernel
def predict(
    cell: F64, p: int, first: int, end: int, k: int, current_A: float, even_A: float, dt_s: float, real: F64, kinds: F64,
    curves: F64,
) -> None:  # fmt: skip
    """Move the state of the cells first ... end - 1, of kind k, by dt; the covariance waits for the next correction."""
    d1, d2 = exp(-dt_s / kinds[k, cfg.TAU1_S]), exp(-dt_s / kinds[k, cfg.TAU2_S])
    d3 = exp(-dt_s / kinds[k, cfg.TAU3_S])
    per_Ah = dt_s / 3600.0 / kinds[k, cfg.CAPACITY_AH]
    k_per_W, kinetic = real[cfg.HEAT_K_PER_W], kinds[k, cfg.R0_KINETIC]
    d_heat = 1.0 - exp(-dt_s / real[cfg.HEAT_TAU_S])
    d_slow = 1.0 - exp(-dt_s / real[cfg.SETTLE_S])
    for i in range(first, end):
        true_A = current_A - cell[st.BIAS_A, p, i]
        dz = true_A * per_Ah / cell[st.CAPACITY, p, i]
        factor = 1.0
        if cell[st.PER_I0, p, i] > 0.0:
            y = math.fabs(true_A) * cell[st.PER_I0, p, i]
            factor = belief.rate_factor(k, y, curves) * cell[st.PER_RATE, p, i]
        r0 = cell[st.R0, p, i] * (1.0 - kinetic + kinetic * factor)
        r2 = cell[st.R2, p, i]
        u1 = cell[st.U1, p, i] * d1 + (1.0 - d1) * cell[st.R1, p, i] * factor * true_A
        u2 = cell[st.U2, p, i] * d2 + (1.0 - d2) * r2 * true_A
        u3 = cell[st.U3, p, i] * d3 + (1.0 - d3) * r2 * kinds[k, cfg.R3_SHARE] * true_A
        swing = 0.5 * kinds[k, cfg.HYST_DECAY] * math.fabs(dz)
        dh = max((1.0 - swing) / (1.0 + swing), 0.0)
        target = -1.0 if true_A > 0.0 else 1.0
        drop_V = true_A * r0 + u1 + u2 + u3
        cell[st.Z, p, i] -= dz
        cell[st.U1, p, i] = u1
        cell[st.U2, p, i] = u2
        cell[st.U3, p, i] = u3
        cell[st.H, p, i] = target + (cell[st.H, p, i] - target) * dh
        cell[st.LOOP_KEPT, p, i] *= dh
        cell[st.SINCE_S, p, i] += dt_s
        cell[st.SINCE_SOC, p, i] += dz
        cell[st.DROP_V, p, i] = drop_V
        cell[st.SLOW_A, p, i] += (true_A - cell[st.SLOW_A, p, i]) * d_slow
        if k_per_W > 0.0:
            warm_K = k_per_W * cell[st.RHO, p, i] * drop_V * true_A
            cell[st.HEAT_K, p, i] += (warm_K - cell[st.HEAT_K, p, i]) * d_heat


@kernel
def _carry(cell: F64, p: int, i: int, k: int, current_A: float, since_s: float, real: F64, kinds: F64) -> None:
    """Covariance over the time since the last correction: z takes up the errors of current and capacity, e and h forget."""
    capacity_Ah = kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i]
    moved = cell[st.SINCE_SOC, p, i]
    sb, sc = since_s / (3600.0 * capacity_Ah), moved / cell[st.CAPACITY, p, i]
    dh = cell[st.LOOP_KEPT, p, i]
    de = exp(-math.fabs(moved) / real[cfg.OCV_SPAN])
    hyst, ocv_V = real[cfg.HYST_SIGMA], real[cfg.OCV_SIGMA_V]
    wrong_V = real[cfg.R_ERROR_SHARE] * cell[st.RHO, p, i] * cell[st.DROP_V, p, i]
    ocv_var = ocv_V * ocv_V + wrong_V * wrong_V
    rate = (real[cfg.CURRENT_ERROR_SHARE] * math.fabs(current_A) + real[cfg.CURRENT_ERROR_A]) / (3600.0 * capacity_Ah)
    most_rho, most_b, most_c = real[cfg.RHO_SIGMA], real[cfg.BIAS_SIGMA_A], real[cfg.CAPACITY_SIGMA]
    p03, p05, p33, p35, p55 = cell[P03, p, i], cell[P05, p, i], cell[P33, p, i], cell[P35, p, i], cell[P55, p, i]
    cell[P00, p, i] += 2.0 * (sb * p03 + sc * p05 + sb * sc * p35) + sb * sb * p33 + sc * sc * p55
    cell[P00, p, i] += 2.0 * rate * rate * real[cfg.CURRENT_CORRELATION_S] * since_s
    cell[P01, p, i] = (cell[P01, p, i] + sb * cell[P13, p, i] + sc * cell[P15, p, i]) * dh
    cell[P02, p, i] += sb * cell[P23, p, i] + sc * cell[P25, p, i]
    cell[P03, p, i] += sb * p33 + sc * p35
    cell[P04, p, i] = (cell[P04, p, i] + sb * cell[P34, p, i] + sc * cell[P45, p, i]) * de
    cell[P05, p, i] += sb * p35 + sc * p55
    cell[P11, p, i] = cell[P11, p, i] * dh * dh + (1.0 - dh * dh) * hyst * hyst
    cell[P12, p, i] *= dh
    cell[P13, p, i] *= dh
    cell[P14, p, i] *= dh * de
    cell[P15, p, i] *= dh
    q_rho = real[cfg.RHO_WALK_PER_S] * since_s + real[cfg.RHO_WALK_PER_SOC] * math.fabs(moved)
    cell[P22, p, i] = min(cell[P22, p, i] + q_rho, most_rho * most_rho)
    cell[P24, p, i] *= de
    cell[P33, p, i] = min(p33 + real[cfg.BIAS_WALK_A2_PER_S] * since_s, most_b * most_b)
    cell[P34, p, i] *= de
    cell[P44, p, i] = cell[P44, p, i] * de * de + (1.0 - de * de) * ocv_var
    cell[P45, p, i] *= de
    cell[P55, p, i] = min(p55 + real[cfg.CAPACITY_WALK_PER_S] * since_s, most_c * most_c)
    cell[st.OFF_V, p, i] *= de
    cell[st.LOOP_KEPT, p, i] = 1.0
    cell[st.SINCE_SOC, p, i] = 0.0
    cell[st.SINCE_S, p, i] = 0.0


@inlined
def _curve(cell: F64, p: int, i: int, k: int, z: float, h: float, curves: F64) -> tuple[float, float, float]:
    """Rested voltage in the middle of the loop [V], half its width [V], and the slope over SOC at h [V], for SOC z."""
    reach = cell[st.REACH, p, i]
    x = max(1.0 - (1.0 - z) / reach, min(z, 0.0))
    at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    g = int(at)
    f = at - g
    mean_rise = curves[k, cfg.MEAN_V, g + 1] - curves[k, cfg.MEAN_V, g]
    half_rise = curves[k, cfg.HALF_V, g + 1] - curves[k, cfg.HALF_V, g]
    dudt = curves[k, cfg.DUDT, g] + f * (curves[k, cfg.DUDT, g + 1] - curves[k, cfg.DUDT, g])
    core_degC = cell[st.TEMP, p, i] + cell[st.HEAT_K, p, i]
    middle_V = curves[k, cfg.MEAN_V, g] + f * mean_rise + dudt * (core_degC - 25.0)
    half_V = curves[k, cfg.HALF_V, g] + f * half_rise
    return middle_V, half_V, (mean_rise + half_rise * h) / (cfg.X_STEP * reach)


@kernel
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64) -> None:
    """Correct cell i, of kind k, with its new voltage, when CORRECT_S have passed since the last time."""
    since_s = cell[st.SINCE_S, p, i]
    if since_s < real[cfg.CORRECT_S] - 1e-6:
        return
    since_s = sample_s if since_s >= _NEVER_S else since_s
    _carry(cell, p, i, k, current_A, since_s, real, kinds)
    z, h, rho = cell[st.Z, p, i], cell[st.H, p, i], cell[st.RHO, p, i]
    drop_V = cell[st.DROP_V, p, i]
    rest_V = cell[st.VOLT, p, i] - cell[st.OFF_V, p, i] + rho * drop_V
    middle_V, half_V, slope = _curve(cell, p, i, k, z, h, curves)
    innovation_V = rest_V - (middle_V + half_V * h)
    # noise of this sample
    sigma_V = real[cfg.CELL_SIGMA_V]
    fresh_V = real[cfg.STEP_SHARE] * (current_A - cell[st.SLOW_A, p, i]) * cell[st.R0, p, i]
    core_degC = cell[st.TEMP, p, i] + cell[st.HEAT_K, p, i]
    cold_K = max(real[cfg.COLD_DEGC] - core_degC, 0.0)
    cold_V = real[cfg.COLD_V_PER_K] * cold_K
    noise = sigma_V * sigma_V + real[cfg.MODEL_V2S] / since_s + fresh_V * fresh_V + cold_V * cold_V
    if cell[P00, p, i] > _FAR_VAR and math.fabs(innovation_V) > _FAR_V:
        # a start that is far off: the curve is bent, so the slope that counts is that where the voltage leads to
        unsure = cell[P44, p, i] + noise
        for _ in range(_TURNS):
            gain = cell[P00, p, i] * slope / (cell[P00, p, i] * slope * slope + unsure)
            near = min(max(z + gain * innovation_V, 0.0), 1.0)
            middle_V, half_V, slope = _curve(cell, p, i, k, near, h, curves)
            innovation_V = rest_V - (middle_V + half_V * h) - slope * (z - near)
    # a = P H' with H = (slope, half, -drop, 0, 1, 0)
    a0 = cell[P00, p, i] * slope + cell[P01, p, i] * half_V - cell[P02, p, i] * drop_V + cell[P04, p, i]
    a1 = cell[P01, p, i] * slope + cell[P11, p, i] * half_V - cell[P12, p, i] * drop_V + cell[P14, p, i]
    a2 = cell[P02, p, i] * slope + cell[P12, p, i] * half_V - cell[P22, p, i] * drop_V + cell[P24, p, i]
    a3 = cell[P03, p, i] * slope + cell[P13, p, i] * half_V - cell[P23, p, i] * drop_V + cell[P34, p, i]
    a4 = cell[P04, p, i] * slope + cell[P14, p, i] * half_V - cell[P24, p, i] * drop_V + cell[P44, p, i]
    a5 = cell[P05, p, i] * slope + cell[P15, p, i] * half_V - cell[P25, p, i] * drop_V + cell[P45, p, i]
    known = slope * a0 + half_V * a1 - drop_V * a2 + a4
    s = known + noise * max(cell[st.NIS, p, i], 1.0)
    share = min(since_s / _NIS_TAU_S, 1.0)
    nis = min(innovation_V * innovation_V / (known + noise), 25.0)
    cell[st.NIS, p, i] += share * (nis - cell[st.NIS, p, i])
    k0, k1, k2, k3, k4, k5 = a0 / s, a1 / s, a2 / s, a3 / s, a4 / s, a5 / s
    cell[st.Z, p, i] = min(max(z + k0 * innovation_V, -0.05), 1.05)
    cell[st.H, p, i] = min(max(h + k1 * innovation_V, -1.0), 1.0)
    cell[st.RHO, p, i] = min(max(rho + k2 * innovation_V, _RHO_LOW), _RHO_HIGH)
    cell[st.BIAS_A, p, i] += k3 * innovation_V
    cell[st.OFF_V, p, i] += k4 * innovation_V
    capacity = cell[st.CAPACITY, p, i] + k5 * innovation_V
    cell[st.CAPACITY, p, i] = min(max(capacity, _CAPACITY_LOW), _CAPACITY_HIGH)
    cell[P00, p, i] = max(cell[P00, p, i] - k0 * a0, 1e-10)
    cell[P01, p, i] -= k0 * a1
    cell[P02, p, i] -= k0 * a2
    cell[P03, p, i] -= k0 * a3
    cell[P04, p, i] -= k0 * a4
    cell[P05, p, i] -= k0 * a5
    cell[P11, p, i] = max(cell[P11, p, i] - k1 * a1, 1e-8)
    cell[P12, p, i] -= k1 * a2
    cell[P13, p, i] -= k1 * a3
    cell[P14, p, i] -= k1 * a4
    cell[P15, p, i] -= k1 * a5
    cell[P22, p, i] = max(cell[P22, p, i] - k2 * a2, 1e-8)
    cell[P23, p, i] -= k2 * a3
    cell[P24, p, i] -= k2 * a4
    cell[P25, p, i] -= k2 * a5
    cell[P33, p, i] = max(cell[P33, p, i] - k3 * a3, 1e-14)
    cell[P34, p, i] -= k3 * a4
    cell[P35, p, i] -= k3 * a5
    cell[P44, p, i] = max(cell[P44, p, i] - k4 * a4, 1e-10)
    cell[P45, p, i] -= k4 * a5
    cell[P55, p, i] = max(cell[P55, p, i] - k5 * a5, 1e-10)
