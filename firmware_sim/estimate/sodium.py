"""Method "sodium": a Kalman filter for cells with a sloping, hysteretic curve and a resistance that moves.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) + d(x) + e - rho (I R0 + u1 + u2 + u3)
    x = 1 - (1 - z) / r,   r = 1 - (1 - reach(T)) (1 + eta),   T = sensor + t

Estimated with a covariance: z (SOC), h (-1 after discharge ... +1 after charge), rho (resistance relative to the tables), b
(error of the current sensor [A]), e (error of the OCV curve here [V]), c (capacity relative to the model's), t (error of the
temperature [K]), eta (by what share more is out of reach than the table says), and d, the error of the OCV curve at NODES
points of x, between them a straight line [V]. The pairs u1 to u3 and the warmth of the core above its sensor only follow the
current.

- **e and d are what make the filter wary.** A curve that is wrong is wrong in the same way for minutes, so a thousand samples
  of it are worth no more than a few. e keeps its value while SOC stands still and forgets it over OCV_SPAN of SOC
  (Gauss-Markov over charge instead of time): only charge that moves brings news. d forgets nothing: it comes back whenever
  SOC does, so the second time SOC passes, the voltage tells of drift and not of the curve.
- **rho and t** learn from load that changes, and most from what swings within seconds, in which an error of the curve has no
  part (a second correction, _swing). 5 K too cold is a quarter of the resistance and, below 25 degC, per cents of what is in
  reach; the voltage tells both apart from a resistance that is merely high.
- **c and b** enter through what has been counted since the last correction. Too little in reach looks like too much
  capacity, so what is known of ageing tells of t: resistance rises as capacity fades (FADE), and no cell holds more than a
  new one (NEW).
- **eta** is known to REACH_SIGMA: the table is another cell's, and what it is off in the cold is SOC off in one direction.
- Corrections come once in CORRECT_S at most and carry the covariance over the time since; every tick only moves the state.
- Noise grows with a current that has just changed (fast pairs are known least), below COLD_DEGC, and when innovations are
  larger than they say they are (NIS, the mean square of innovation over its standard deviation).

Sources: Plett, J. Power Sources 134 (2004) 252-292 (states, hysteresis); Schmidt, Adv. Control Syst. 3 (1966) 293 (errors
that are considered); Simon, IET Control Theory Appl. 4 (2010) 1303 (an estimate that is put back into its bounds); figures:
docs/estimation.md.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, start
from firmware_sim.jit import exp, inlined, kernel
from firmware_sim.types import F64

# States with a covariance; its upper triangle stands row by row from st.P on.
Z, H, RHO, B, E, C, T, ETA, D = range(9)
NODES = 9
N = D + NODES
_RHO_LOW, _RHO_HIGH = 0.2, 5.0
_CAPACITY_LOW, _CAPACITY_HIGH = 0.4, 1.2
_MOST_K, _MOST_V, _MOST_SIGMAS, _MOST_OUT = 10.0, 0.2, 4.0, 0.6
_NIS_TAU_S = 300.0
_MOST_SURPRISE = 5.0
# A start is far off when SOC is less sure than this and the voltage misses by more; how often the curve is asked again.
_FAR_VAR, _FAR_V, _TURNS = 0.0025, 0.05, 6
_LEAST = 1e-14
SOON = 0.9999  # of CORRECT_S, so that the sum of ticks need not be exact
# Capacity lost while resistance doubles (80 % when it is 150 %: assumption), and the most that a new cell holds relative to the
# model (searched on drawn cells, whose spread is 3 %, seeds 7 to 54: with 1.06 to 1.08 SOC of those that hold more errs less,
# that of all in the cold more, and so does their capacity).
FADE, NEW = 0.4, 1.05
# A cell that is not as ageing would have it: from which square of how many CAPACITY_SIGMA on, and by what variance its capacity
# may then move while SOC moves from empty to full (searched on partial cycles of drawn cells, seeds 7 to 23).
ODD_FROM, ODD_PER_SOC = 2.0, 1.4e-3
_LEAST_SLOPE_V = 0.01
# A drop that swings by less says nothing; a swing counts as if it were off by SWING_SHARE each time anew, and what is further
# off than MOST_SWINGS deviations is not believed (assumptions, kept by drawn cells of seeds 7 to 54).
LEAST_SWING_V, SWING_SHARE, MOST_SWINGS = 0.005, 0.2, 3.0


@inlined
def at(a: int, b: int) -> int:
    """Row of the covariance of states a <= b."""
    return st.P + a * (2 * N - 1 - a) // 2 + b


@inlined
def of(a: int, b: int) -> int:
    """Row of the covariance of states a and b."""
    return at(a, b) if a <= b else at(b, a)


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start cell i from SOC z with standard deviation sigma, see start.choose."""
    start.begin(cell, p, i, z, sigma)
    cell[at(H, H), p, i] = real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    cell[at(RHO, RHO), p, i] = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]
    cell[at(B, B), p, i] = real[cfg.BIAS_SIGMA_A] * real[cfg.BIAS_SIGMA_A]
    cell[at(E, E), p, i] = real[cfg.OCV_SIGMA_V] * real[cfg.OCV_SIGMA_V]
    cell[at(C, C), p, i] = real[cfg.CAPACITY_SIGMA] * real[cfg.CAPACITY_SIGMA]
    cell[at(T, T), p, i] = real[cfg.TEMP_SIGMA_K] * real[cfg.TEMP_SIGMA_K]
    cell[at(ETA, ETA), p, i] = real[cfg.REACH_SIGMA] * real[cfg.REACH_SIGMA]
    older = real[cfg.AGE_SIGMA] * real[cfg.AGE_SIGMA]
    cell[at(RHO, RHO), p, i] += older
    cell[at(RHO, C), p, i] = -FADE * older
    cell[at(C, C), p, i] += FADE * FADE * older
    for a in range(NODES):
        cell[st.CURVE_V + a, p, i] = 0.0
        for b in range(a, NODES):
            apart = (b - a) / (NODES - 1.0) / real[cfg.CURVE_SPAN]
            cell[at(D + a, D + b), p, i] = real[cfg.CURVE_SIGMA_V] * real[cfg.CURVE_SIGMA_V] * exp(-0.5 * apart * apart)
    cell[st.TEMP_OFF_K, p, i] = 0.0
    cell[st.REACH_OFF, p, i] = 0.0
    cell[st.SINCE_S, p, i] = belief.NEVER_S
    cell[st.SINCE_SOC, p, i] = 0.0
    cell[st.LOOP_KEPT, p, i] = 1.0
    cell[st.NIS, p, i] = 1.0
    cell[st.SLOPE_V, p, i] = 0.0
    cell[st.SLOW_A, p, i] = 0.0


@kernel
def remember(cell: F64, p: int, i: int, a: int, per_K: float, off: float, var: float, bias_sigma_A: float) -> None:
    """Believe of cell i that state a, and per_K times t with it, is off by that much, with variance var where that is smaller.

    What hangs together with them follows: a covariance in which one variance alone became smaller would be none.
    """
    for b in range(N):
        cell[st.ROW + b, p, i] = 0.0
    cell[st.ROW + a, p, i] = 1.0
    cell[st.ROW + T, p, i] += per_K
    known = _join(cell, p, i)
    if known < _LEAST:
        return  # nothing can be learnt of it: its deviation is 0 by the calibration
    _move(cell, p, i, off / known, bias_sigma_A)
    if known > var:
        _shrink(cell, p, i, (known - var) / (known * known))


@kernel
def start_again(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start cell i again in the middle of a load: what only follows the current goes on, capacity and bias are kept.

    Their variances are those of a start. What load has taught of resistance is learnt anew: it was against another SOC.
    """
    u1, u2, u3, heat_K = cell[st.U1, p, i], cell[st.U2, p, i], cell[st.U3, p, i], cell[st.HEAT_K, p, i]
    h, slow_A = cell[st.H, p, i], cell[st.SLOW_A, p, i]
    cell[st.REACH, p, i] -= cell[st.TEMP_OFF_K, p, i] * cell[st.REACH_PER_K, p, i]
    _scale_reach(cell, p, i, 1.0 / (1.0 + cell[st.REACH_OFF, p, i]))
    capacity, bias_A = cell[st.CAPACITY, p, i], cell[st.BIAS_A, p, i]
    seed(cell, p, i, k, real, z, sigma)
    cell[st.U1, p, i], cell[st.U2, p, i], cell[st.U3, p, i], cell[st.HEAT_K, p, i] = u1, u2, u3, heat_K
    cell[st.H, p, i], cell[st.SLOW_A, p, i] = h, slow_A
    cell[st.CAPACITY, p, i], cell[st.BIAS_A, p, i] = capacity, bias_A
    for row in range(st.INFO_FF, st.INFO_S + 1):
        cell[row, p, i] = 0.0
    cell[st.LEARNT, p, i] = cell[st.SHOWN_FAST, p, i] = 0.0


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
        cell[st.RATE_NOW, p, i] = factor
        cell[st.SLOW_A, p, i] += (true_A - cell[st.SLOW_A, p, i]) * d_slow
        if k_per_W > 0.0:
            warm_K = k_per_W * cell[st.RHO, p, i] * drop_V * true_A
            cell[st.HEAT_K, p, i] += (warm_K - cell[st.HEAT_K, p, i]) * d_heat


@inlined
def _grow(cell: F64, p: int, i: int, a: int, q: float, most: float) -> None:
    """Variance of a state that wanders, up to what is known of it from the start."""
    if cell[at(a, a), p, i] < most * most:
        cell[at(a, a), p, i] = min(cell[at(a, a), p, i] + q, most * most)


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
    q_rho = real[cfg.RHO_WALK_PER_S] * since_s + real[cfg.RHO_WALK_PER_SOC] * math.fabs(moved)
    ocv_var = ocv_V * ocv_V + wrong_V * wrong_V
    rate = (real[cfg.CURRENT_ERROR_SHARE] * math.fabs(current_A) + real[cfg.CURRENT_ERROR_A]) / (3600.0 * capacity_Ah)
    q_z = 2.0 * rate * rate * real[cfg.CURRENT_CORRELATION_S] * since_s
    cell[at(Z, Z), p, i] += sb * cell[at(Z, B), p, i] + sc * cell[at(Z, C), p, i] + q_z
    for a in range(1, N):
        cell[at(Z, a), p, i] += sb * cell[of(B, a), p, i] + sc * cell[of(C, a), p, i]
    cell[at(Z, Z), p, i] += sb * cell[at(Z, B), p, i] + sc * cell[at(Z, C), p, i]
    for a in range(N):
        cell[of(H, a), p, i] *= dh
        cell[of(E, a), p, i] *= de
    cell[at(H, H), p, i] = cell[at(H, H), p, i] * dh + (1.0 - dh * dh) * hyst * hyst
    cell[at(E, E), p, i] = cell[at(E, E), p, i] * de + (1.0 - de * de) * ocv_var
    surprise = min(max(cell[st.NIS, p, i], 1.0), _MOST_SURPRISE)
    older = real[cfg.AGE_SIGMA] * real[cfg.AGE_SIGMA]
    most_rho = math.sqrt(real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA] + older)
    most_c = math.sqrt(real[cfg.CAPACITY_SIGMA] * real[cfg.CAPACITY_SIGMA] + FADE * FADE * older)
    _grow(cell, p, i, RHO, q_rho * surprise * surprise, most_rho * surprise)
    _grow(cell, p, i, B, real[cfg.BIAS_WALK_A2_PER_S] * since_s, real[cfg.BIAS_SIGMA_A])
    tie = FADE * older / max(older + real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA], _LEAST)
    odd = (cell[st.CAPACITY, p, i] - 1.0 + tie * (cell[st.RHO, p, i] - 1.0)) / real[cfg.CAPACITY_SIGMA]
    q_c = real[cfg.CAPACITY_WALK_PER_S] * since_s + ODD_PER_SOC * max(odd * odd - ODD_FROM, 0.0) * math.fabs(moved)
    _grow(cell, p, i, C, q_c, most_c)
    _grow(cell, p, i, T, real[cfg.TEMP_WALK_K2_PER_S] * since_s, real[cfg.TEMP_SIGMA_K])
    cell[st.OFF_V, p, i] *= de
    cell[st.LOOP_KEPT, p, i] = 1.0
    cell[st.SINCE_SOC, p, i] = 0.0
    cell[st.SINCE_S, p, i] = 0.0


@inlined
def _on(k: int, row: int, x: float, curves: F64) -> float:
    """A curve of kind k at x."""
    place = min(max((x - cfg.X_LOW) * (1.0 / cfg.X_STEP), 0.0), cfg.N_X - 1.000001)
    g = int(place)
    return curves[k, row, g] + (place - g) * (curves[k, row, g + 1] - curves[k, row, g])


@inlined
def _curve(cell: F64, p: int, i: int, k: int, z: float, h: float, span: float, curves: F64) -> tuple[float, float, float]:
    """Rested voltage in the middle of the loop [V], half its width [V], and the slope over SOC at h [V], for SOC z."""
    reach = cell[st.REACH, p, i]
    x = belief.in_reach(z, reach)
    dudt = _on(k, cfg.DUDT, x, curves)
    middle_V = _on(k, cfg.MEAN_V, x, curves)
    half_V = _on(k, cfg.HALF_V, x, curves)
    low, high = max(x - span, min(x, 0.0)), min(x + span, max(x, 1.0))
    low_V = _on(k, cfg.MEAN_V, low, curves)
    high_V = _on(k, cfg.MEAN_V, high, curves)
    low_half_V = _on(k, cfg.HALF_V, low, curves)
    high_half_V = _on(k, cfg.HALF_V, high, curves)
    core_degC = belief.core_degC(cell, p, i)
    slope = (high_V - low_V + (high_half_V - low_half_V) * h) / ((high - low) * reach)
    return middle_V + dudt * (core_degC - 25.0), half_V, max(slope, _LEAST_SLOPE_V)


@kernel
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64) -> None:
    """Correct cell i, of kind k, with its new voltage, when CORRECT_S have passed since the last time."""
    passed_s, moved = cell[st.SINCE_S, p, i], cell[st.SINCE_SOC, p, i]
    if passed_s < SOON * real[cfg.CORRECT_S]:
        return
    since_s = sample_s if passed_s >= belief.NEVER_S else passed_s
    _carry(cell, p, i, k, current_A, since_s, real, kinds)
    z, h, rho = cell[st.Z, p, i], cell[st.H, p, i], cell[st.RHO, p, i]
    drop_V, span = cell[st.DROP_V, p, i], real[cfg.SLOPE_SPAN]
    node = min(max(belief.in_reach(z, cell[st.REACH, p, i]), 0.0), 1.0) * (NODES - 1)
    g = min(int(node), NODES - 2)
    part = node - g
    curve_V = cell[st.CURVE_V + g, p, i] * (1.0 - part) + cell[st.CURVE_V + g + 1, p, i] * part
    rest_V = cell[st.VOLT, p, i] - cell[st.OFF_V, p, i] - curve_V + rho * drop_V
    middle_V, half_V, slope = _curve(cell, p, i, k, z, h, span, curves)
    innovation_V = rest_V - (middle_V + half_V * h)
    # noise of this sample
    sigma_V = real[cfg.CELL_SIGMA_V]
    fresh_V = real[cfg.STEP_SHARE] * (current_A - cell[st.SLOW_A, p, i]) * cell[st.R0, p, i]
    core_degC = belief.core_degC(cell, p, i)
    cold_K = max(real[cfg.COLD_DEGC] - core_degC, 0.0)
    cold_V = real[cfg.COLD_V_PER_K] * cold_K
    noise = sigma_V * sigma_V + real[cfg.MODEL_V2S] / since_s + fresh_V * fresh_V + cold_V * cold_V
    if cell[st.P, p, i] > _FAR_VAR and math.fabs(innovation_V) > _FAR_V:
        # a start that is far off: the curve is bent, so the slope that counts is that where the voltage leads to
        unsure = cell[at(E, E), p, i] + noise
        for _ in range(_TURNS):
            gain = cell[st.P, p, i] * slope / (cell[st.P, p, i] * slope * slope + unsure)
            near = min(max(z + gain * innovation_V, 0.0), 1.0)
            middle_V, half_V, slope = _curve(cell, p, i, k, near, h, span, curves)
            innovation_V = rest_V - (middle_V + half_V * h) - slope * (z - near)
    cell[st.SLOPE_V, p, i] = slope
    in_reach = slope * (1.0 - z) / cell[st.REACH, p, i]
    cell[st.ROW + Z, p, i] = slope
    cell[st.ROW + H, p, i] = half_V
    cell[st.ROW + RHO, p, i] = -drop_V
    cell[st.ROW + B, p, i] = 0.0
    cell[st.ROW + E, p, i] = 1.0
    cell[st.ROW + C, p, i] = 0.0
    cell[st.ROW + T, p, i] = in_reach * cell[st.REACH_PER_K, p, i] - rho * drop_V * cell[st.LN_R_PER_K, p, i]
    cell[st.ROW + ETA, p, i] = -in_reach * (1.0 - cell[st.REACH, p, i]) / (1.0 + cell[st.REACH_OFF, p, i])
    for a in range(NODES):
        cell[st.ROW + D + a, p, i] = 0.0
    cell[st.ROW + D + g, p, i] = 1.0 - part
    cell[st.ROW + D + g + 1, p, i] = part
    _update(cell, p, i, innovation_V, noise, since_s, real[cfg.BIAS_SIGMA_A])
    if real[cfg.SWING_V2S] > 0.0:
        _swing(cell, p, i, moved, slope, cold_V, passed_s, real)
    newest = NEW if real[cfg.AGE_SIGMA] > 0.0 else _CAPACITY_HIGH
    if cell[st.CAPACITY, p, i] > newest:
        _put_back(cell, p, i, C, newest - cell[st.CAPACITY, p, i], real[cfg.BIAS_SIGMA_A])
    if math.fabs(cell[st.TEMP_OFF_K, p, i]) > _MOST_K:
        most_K = _MOST_K if cell[st.TEMP_OFF_K, p, i] > 0.0 else -_MOST_K
        _put_back(cell, p, i, T, most_K - cell[st.TEMP_OFF_K, p, i], real[cfg.BIAS_SIGMA_A])
        cell[st.TEMP_OFF_K, p, i] = most_K
        cell[st.CAPACITY, p, i] = min(cell[st.CAPACITY, p, i], newest)


@kernel
def _swing(cell: F64, p: int, i: int, moved: float, slope: float, cold_V: float, since_s: float, real: F64) -> None:
    """Correct with what a changing load does to the voltage, beside the means of both over SWING_S.

    moved, since_s: SOC and time since the last correction; NEVER_S, or a gap, and the means begin anew.
    """
    share = min(since_s / cfg.SWING_S, 1.0)
    fallen = cell[st.SWING_SOC, p, i] + moved
    swing_V = cell[st.VOLT, p, i] - cell[st.SWING_V, p, i] + slope * fallen
    swing_drop_V = cell[st.DROP_V, p, i] - cell[st.SWING_DROP_V, p, i]
    cell[st.SWING_SOC, p, i] = fallen * (1.0 - share)
    cell[st.SWING_V, p, i] += share * (cell[st.VOLT, p, i] - cell[st.SWING_V, p, i])
    cell[st.SWING_DROP_V, p, i] += share * swing_drop_V
    if since_s > cfg.SWING_S or math.fabs(swing_drop_V) < LEAST_SWING_V:
        return
    rho = cell[st.RHO, p, i]
    per_K = rho * cell[st.LN_R_PER_K, p, i]
    for a in range(N):
        cell[st.GAIN + a, p, i] = -swing_drop_V * (cell[of(RHO, a), p, i] + per_K * cell[of(T, a), p, i])
    known = -swing_drop_V * (cell[st.GAIN + RHO, p, i] + per_K * cell[st.GAIN + T, p, i])
    wrong_V = SWING_SHARE * swing_drop_V
    unsure = known + real[cfg.SWING_V2S] / since_s + wrong_V * wrong_V + cold_V * cold_V
    innovation_V = swing_V + rho * swing_drop_V
    if innovation_V * innovation_V < MOST_SWINGS * MOST_SWINGS * unsure:  # else voltage and current are not of one moment
        _move(cell, p, i, innovation_V / unsure, real[cfg.BIAS_SIGMA_A])
        _shrink(cell, p, i, 1.0 / unsure)


@kernel
def _put_back(cell: F64, p: int, i: int, a: int, off: float, bias_sigma_A: float) -> None:
    """Move state a by off, back to its bound, and the others as they hang together with it."""
    for b in range(N):
        cell[st.GAIN + b, p, i] = cell[of(a, b), p, i]
    _move(cell, p, i, off / cell[at(a, a), p, i], bias_sigma_A)


@kernel
def _move(cell: F64, p: int, i: int, share: float, bias_sigma_A: float) -> None:
    """Move every state by share times its GAIN, within its bounds."""
    cell[st.Z, p, i] = min(max(cell[st.Z, p, i] + share * cell[st.GAIN + Z, p, i], -0.05), 1.05)
    cell[st.H, p, i] = min(max(cell[st.H, p, i] + share * cell[st.GAIN + H, p, i], -1.0), 1.0)
    cell[st.RHO, p, i] = min(max(cell[st.RHO, p, i] + share * cell[st.GAIN + RHO, p, i], _RHO_LOW), _RHO_HIGH)
    most_A = _MOST_SIGMAS * bias_sigma_A
    cell[st.BIAS_A, p, i] = min(max(cell[st.BIAS_A, p, i] + share * cell[st.GAIN + B, p, i], -most_A), most_A)
    cell[st.OFF_V, p, i] = min(max(cell[st.OFF_V, p, i] + share * cell[st.GAIN + E, p, i], -_MOST_V), _MOST_V)
    capacity = cell[st.CAPACITY, p, i] + share * cell[st.GAIN + C, p, i]
    cell[st.CAPACITY, p, i] = min(max(capacity, _CAPACITY_LOW), _CAPACITY_HIGH)
    moved_K = share * cell[st.GAIN + T, p, i]
    cell[st.TEMP_OFF_K, p, i] += moved_K
    cell[st.REACH, p, i] += moved_K * cell[st.REACH_PER_K, p, i]  # a sensor was as wrong while reach followed it
    before = cell[st.REACH_OFF, p, i]
    after = min(max(before + share * cell[st.GAIN + ETA, p, i], -_MOST_OUT), _MOST_OUT)
    cell[st.REACH_OFF, p, i] = after
    _scale_reach(cell, p, i, (1.0 + after) / (1.0 + before))
    for a in range(NODES):
        cell[st.CURVE_V + a, p, i] += share * cell[st.GAIN + D + a, p, i]


@inlined
def _scale_reach(cell: F64, p: int, i: int, by: float) -> None:
    """What is out of reach, and what a kelvin does to it, times so much."""
    cell[st.REACH, p, i] = max(1.0 - (1.0 - cell[st.REACH, p, i]) * by, belief.LEAST_REACH)
    cell[st.REACH_PER_K, p, i] *= by


@kernel
def _join(cell: F64, p: int, i: int) -> float:
    """GAIN: covariance of each state with the states in ROW together; gives the variance of these."""
    for a in range(N):
        cell[st.GAIN + a, p, i] = 0.0
    for b in range(N):
        row = cell[st.ROW + b, p, i]
        if row != 0.0:
            for a in range(N):
                cell[st.GAIN + a, p, i] += cell[of(a, b), p, i] * row
    known = 0.0
    for a in range(N):
        known += cell[st.GAIN + a, p, i] * cell[st.ROW + a, p, i]
    return known


@kernel
def _shrink(cell: F64, p: int, i: int, per: float) -> None:
    """Take from the covariance what has become known: GAIN times itself, times per."""
    for a in range(N):
        gain = cell[st.GAIN + a, p, i] * per
        for b in range(a, N):
            cell[at(a, b), p, i] -= gain * cell[st.GAIN + b, p, i]
        cell[at(a, a), p, i] = max(cell[at(a, a), p, i], _LEAST)


@kernel
def _update(cell: F64, p: int, i: int, innovation_V: float, noise: float, since_s: float, bias_sigma_A: float) -> None:
    """Gain, state and covariance for one voltage whose derivatives by the states stand in ROW; GAIN is P times them."""
    known = _join(cell, p, i)
    share = min(since_s / _NIS_TAU_S, 1.0)
    nis = min(innovation_V * innovation_V / (known + noise), 25.0)
    per_s = 1.0 / (known + noise * max(cell[st.NIS, p, i], 1.0))
    cell[st.NIS, p, i] += share * (nis - cell[st.NIS, p, i])
    _move(cell, p, i, innovation_V * per_s, bias_sigma_A)
    _shrink(cell, p, i, per_s)
