"""The voltage that one cell will have after a constant current, and how wrong that may be.

From the estimator's state as it stands: SOC z, hysteresis h, the pairs u1 to u3, resistance scale rho, error of the OCV curve
e. In t seconds of a constant current I (positive discharges) they will be

    z' = z - I t / (3600 C)      h' = s + (h - s) exp(-g |z' - z|), s = -1 on discharge, +1 on charge
    T' = T + rho D I t / heat    u_j' = u_j exp(-t/tau_j) + R_j (1 - exp(-t/tau_j)) I      D' = R0 I + u1' + u2' + u3'
    V' = U(x') + M(x') h' + dU/dT(x') (T' - 25) + e + a - rho D'

R0 and R_j are those of the SOC at the end, so resistance that grows as the cell empties counts; of the temperature that the
loss makes; and of this current, where kinetics are known. a is what the measured voltage and the estimate have differed by of
late: the voltage of now is measured, only its change is foreseen. So what can be wrong is the change, too:

    margin = w + k sqrt( (s_R (rho D' - d))^2 + (U'(x') - U'(x))^2 P_z + (1 - exp(-2 |z' - z| / span)) s_e^2 + (M s_h (1 - exp))^2 )

w: error of the voltage sensor; k: number of standard deviations; s_R: of the resistance scale, the estimator's own and a floor;
d: the drop that a was seen with; P_z: variance of SOC; s_e: error of the curve, which is another one after `span` of SOC.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, ekf, sodium
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64

ANCHOR_TAU_S = 5.0
ANCHOR_EVERY_S = 0.095
_ZERO_DEGC_K = 273.15


@kernel
def resistance_variance(cell: F64, p: int, i: int, method: int, reals: F64) -> float:
    """Variance of the resistance scale of cell i, as its method knows it."""
    if method == cfg.SODIUM:
        return cell[sodium.P22, p, i]
    if method == cfg.EKF:
        return cell[ekf.P44, p, i]
    return reals[cfg.RHO_SIGMA] * reals[cfg.RHO_SIGMA]


@kernel
def ocv(x: float, h: float, core_degC: float, k: int, curves: F64) -> tuple[float, float]:
    """Rested voltage [V] at share x of what is in reach and hysteresis h, and its slope over x [V]."""
    at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    g = int(at)
    f = at - g
    mean_rise = curves[k, cfg.MEAN_V, g + 1] - curves[k, cfg.MEAN_V, g]
    half_rise = curves[k, cfg.HALF_V, g + 1] - curves[k, cfg.HALF_V, g]
    dudt = curves[k, cfg.DUDT, g] + f * (curves[k, cfg.DUDT, g + 1] - curves[k, cfg.DUDT, g])
    volt = curves[k, cfg.MEAN_V, g] + f * mean_rise + (curves[k, cfg.HALF_V, g] + f * half_rise) * h
    return volt + dudt * (core_degC - 25.0), (mean_rise + half_rise * h) / cfg.X_STEP


@kernel
def resistances(
    x: float, core_degC: float, k: int, ln_r: F64, nodes: F64, n_nodes: I64
) -> tuple[float, float, float, float, float, float]:
    """R0, R1, R2 [ohm] of kind k at share x of what is in reach, and the slopes of their logarithms over temperature [1/K]."""
    temp_degC = min(max(core_degC, belief.COLDEST_DEGC), belief.HOTTEST_DEGC)
    inverse_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
    j = 0
    while j < n_nodes[k, 0] - 2 and inverse_K < nodes[k, cfg.INVERSE_K, j + 1]:
        j += 1
    between = nodes[k, cfg.INVERSE_K, j] - nodes[k, cfg.INVERSE_K, j + 1]
    warm = (nodes[k, cfg.INVERSE_K, j] - inverse_K) / between
    per_K = inverse_K * inverse_K / between
    at = min(max(x, 0.0), 1.0) * (cfg.N_RX - 1)
    g = min(int(at), cfg.N_RX - 2)
    f = at - g
    a, b = 3 * j, 3 * j + 3
    low = ln_r[k, a, g] * (1.0 - f) + ln_r[k, a, g + 1] * f
    rise0 = ln_r[k, b, g] * (1.0 - f) + ln_r[k, b, g + 1] * f - low
    r0 = exp(low + warm * rise0)
    low = ln_r[k, a + 1, g] * (1.0 - f) + ln_r[k, a + 1, g + 1] * f
    rise1 = ln_r[k, b + 1, g] * (1.0 - f) + ln_r[k, b + 1, g + 1] * f - low
    r1 = exp(low + warm * rise1)
    low = ln_r[k, a + 2, g] * (1.0 - f) + ln_r[k, a + 2, g + 1] * f
    rise2 = ln_r[k, b + 2, g] * (1.0 - f) + ln_r[k, b + 2, g + 1] * f - low
    r2 = exp(low + warm * rise2)
    return r0, r1, r2, rise0 * per_K, rise1 * per_K, rise2 * per_K


@kernel
def _fallen(ohm: float, per_K: float, rise_K: float) -> float:
    """Resistance that is rise_K warmer."""
    ln = min(max(per_K * rise_K, -1.0), 0.0)
    return ohm * (1.0 + ln * (1.0 + 0.5 * ln))


@kernel
def kinetics(cell: F64, p: int, i: int, k: int, current_A: float, curves: F64) -> float:
    """Kinetic resistance at a current, relative to the tables."""
    per_i0 = cell[st.PER_I0, p, i]
    if not per_i0 > 0.0:
        return 1.0
    return belief.rate_factor(k, math.fabs(current_A) * per_i0, curves) * cell[st.PER_RATE, p, i]


@kernel
def in_reach(z: float, reach: float) -> float:
    """Share of what is in reach at SOC z, as the estimators count it."""
    return max(1.0 - (1.0 - z) / reach, min(z, 0.0))


@kernel
def drop_now(cell: F64, p: int, i: int, k: int, kinds: F64, curves: F64) -> float:
    """What current and pairs take off the rested voltage now, by the tables alone [V]."""
    current_A, kinetic = cell[st.STRING_A, p, i] - cell[st.BIAS_A, p, i], kinds[k, cfg.R0_KINETIC]
    factor = kinetics(cell, p, i, k, current_A, curves)
    r0 = cell[st.R0, p, i] * (1.0 - kinetic + kinetic * factor)
    return r0 * current_A + cell[st.U1, p, i] + cell[st.U2, p, i] + cell[st.U3, p, i]


@kernel
def anchor(cell: F64, p: int, i: int, k: int, age_s: float, kinds: F64, curves: F64) -> None:
    """Low-pass of what the fresh voltage of cell i differs by from the estimate, and of the drop it is seen with.

    age_s: since the last time.
    """
    core_degC = cell[st.TEMP, p, i] + cell[st.HEAT_K, p, i]
    rested_V, _ = ocv(in_reach(cell[st.Z, p, i], cell[st.REACH, p, i]), cell[st.H, p, i], core_degC, k, curves)
    drop_V = cell[st.RHO, p, i] * drop_now(cell, p, i, k, kinds, curves)
    wrong_V = cell[st.VOLT, p, i] - (rested_V + cell[st.OFF_V, p, i] - drop_V)
    gain = max(min(age_s / ANCHOR_TAU_S, 1.0), 1.0 / (cell[st.ANCHORS, p, i] + 1.0))
    cell[st.ANCHOR_V, p, i] += gain * (wrong_V - cell[st.ANCHOR_V, p, i])
    cell[st.ANCHOR_DROP_V, p, i] += gain * (drop_V - cell[st.ANCHOR_DROP_V, p, i])
    cell[st.ANCHORS, p, i] = min(cell[st.ANCHORS, p, i] + 1.0, 1000.0)


@kernel
def foresee(
    cell: F64, p: int, i: int, k: int, current_A: float, t_s: float, d1: float, d2: float, d3: float, method: int, reals: F64,
    kinds: F64, curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> tuple[float, float, float]:  # fmt: skip
    """Voltage [V] of cell i, of kind k, after t_s of a constant current; its resistance by then [ohm]; the margin [V].

    d1, d2, d3: exp(-t_s / tau) of the pairs.
    """
    rho, reach = cell[st.RHO, p, i], cell[st.REACH, p, i]
    z = cell[st.Z, p, i]
    dz = current_A * t_s / (3600.0 * kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i])
    swing = 0.5 * kinds[k, cfg.HYST_DECAY] * math.fabs(dz)
    dh = max((1.0 - swing) / (1.0 + swing), 0.0)
    target = -1.0 if current_A > 0.0 else 1.0
    h = target + (cell[st.H, p, i] - target) * dh
    x = in_reach(z - dz, reach)
    core_degC = cell[st.TEMP, p, i] + cell[st.HEAT_K, p, i]
    r0, r1, r2, per0_K, per1_K, per2_K = resistances(x, core_degC, k, ln_r, nodes, n_nodes)
    factor, kinetic = kinetics(cell, p, i, k, current_A, curves), kinds[k, cfg.R0_KINETIC]
    r0, r1 = r0 * (1.0 - kinetic + kinetic * factor), r1 * factor
    r3 = r2 * kinds[k, cfg.R3_SHARE]
    kept_V = cell[st.U1, p, i] * d1 + cell[st.U2, p, i] * d2 + cell[st.U3, p, i] * d3
    ohm = r0 + (1.0 - d1) * r1 + (1.0 - d2) * r2 + (1.0 - d3) * r3
    warm_degC = core_degC
    if kinds[k, cfg.HEAT_J_PER_K] > 0.0:
        rise_K = max(rho * (kept_V + ohm * current_A) * current_A, 0.0) * t_s / kinds[k, cfg.HEAT_J_PER_K]
        rise_K = min(rise_K, 10.0)
        warm_degC = core_degC + rise_K
        r0 = _fallen(r0, per0_K, rise_K)
        r1 = _fallen(r1, per1_K, rise_K)
        r2 = _fallen(r2, per2_K, 0.5 * rise_K)
        ohm = r0 + (1.0 - d1) * r1 + (1.0 - d2) * r2 + (1.0 - d3) * r3
    drop_V = rho * (kept_V + ohm * current_A)
    rested_V, slope = ocv(x, h, warm_degC, k, curves)
    _, slope_now = ocv(in_reach(z, reach), cell[st.H, p, i], core_degC, k, curves)
    forgets = math.fabs(dz) / reals[cfg.OCV_SPAN]
    kept = max(1.0 - forgets, 0.0)
    volt = rested_V + cell[st.OFF_V, p, i] + cell[st.ANCHOR_V, p, i] - drop_V

    change_V = drop_V - cell[st.ANCHOR_DROP_V, p, i]
    share = reals[cfg.PULSE_R_SHARE]
    var = (resistance_variance(cell, p, i, method, reals) / (rho * rho) + share * share) * change_V * change_V
    bend = (slope - slope_now) / reach
    var += bend * bend * cell[st.P, p, i]
    var += (1.0 - kept * kept) * reals[cfg.OCV_SIGMA_V] * reals[cfg.OCV_SIGMA_V]
    at = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    loop_V = curves[k, cfg.HALF_V, int(at)] * reals[cfg.HYST_SIGMA] * (1.0 - dh)
    var += loop_V * loop_V
    return volt, rho * ohm, reals[cfg.PULSE_ERROR_V] + reals[cfg.PULSE_SIGMAS] * math.sqrt(var)
