"""The voltage that one cell will have after a constant current, and how wrong that may be.

From the estimator's state as it stands: SOC z, hysteresis h, the pairs u1 to u3. In t seconds of a constant current I (positive
discharges) they will be

    z' = z - I t / (3600 C)      h' = d + (h - d) exp(-g |z' - z|), d = -1 on discharge, +1 on charge
    f' = R0 I + u1'              s' = u2' + u3'                     u_j' = u_j exp(-t/tau_j) + R_j (1 - exp(-t/tau_j)) I
    V' = a + U(x') + M(x') h' + dU/dT(x') (T' - 25) - rho_f (f' - f_a) - rho_s (s' - s_a)

R0 and R_j are those of the SOC at the end, so resistance that grows as the cell empties counts; of the temperature T' that the
loss makes; and of this current, where kinetics are known. a is what measured and rested voltage have differed by of late, under
the drops f_a and s_a: the voltage of now is measured, and only its change is foreseen. rho_f and rho_s are what load has shown
of resistance (learn.py). So what can be wrong is the change, too:

    margin = w + g + k sqrt( D' C D + (q D_V)^2 + (l D_V)^2 + whole^2 + relief^2 + bend^2 + ahead^2 + curve^2 + loop^2 )

w: error of the voltage sensor.  g: what the voltage has drifted of late towards the limit, unexplained, goes on for t.  k:
standard deviations, on discharge DISCHARGE_SHARE of them: a cell charged beyond its limit in the cold is harmed, one that
sags below is not; up to UNSURE_DISCHARGE more the less the resistance is known. Where no load has shown it of late
(unseen), UNSEEN_CHARGE more on charge, and up to UNSEEN_LOW over the last NEAR_X, UNSEEN_HIGH over the first HIGH_X of the
charge in reach.  D = (f' - f_a, s' - s_a) with the covariance C of the two scales, D_V what they make together.  q: floor of
the resistance's error, more where it is to grow (GROWTH_ERROR) and at currents at which kinetics differ from those of the
tables: above their current KINETIC_ERROR, below it, where no rate law was measured, SMALL_ERROR.  l: over the last LOW_X and
the first HIGH_X resistance is known least, unseen 1 + UNSEEN_END times worse.  whole: WHOLE_ERROR of all drops by then, for a
load that goes on draws more than what changes.  relief: drops that are to relax are perhaps none.  bend: another SOC, a
standard deviation lower, lies on another stretch of the curve, and unseen on one of resistance; there, too, the temperature is
known to TEMP_ERROR_K only, and with it what is in reach, and the bend is that of 1 + UNSEEN_FAR deviations.  ahead: the surface
is emptier than the mean, unseen twice as much, which counts where the curve is steeper than PLAIN_SLOPE_V.  curve: after some
charge its error is another one.  loop: its state is known to HYST_SIGMA.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import exp, kernel
from firmware_sim.power.learn import ANCHOR_TAU_S, MEAN_TAU_S, MOST_SIGMA, TEMP_ERROR_K, unseen_share
from firmware_sim.power.tables import kinetics, ocv, resistances
from firmware_sim.types import F64, I64

GROWTH_ERROR, KINETIC_ERROR, SMALL_ERROR, RELIEF_ERROR = 0.2, 0.12, 0.6, 0.3
LOW_X, LOW_ERROR, HIGH_X, HIGH_ERROR, WHOLE_ERROR = 0.15, 0.55, 0.12, 0.6, 0.04
DISCHARGE_SHARE, UNSURE_DISCHARGE, NEAR_X = 0.9, 0.2, 0.3
UNSEEN_CHARGE, UNSEEN_LOW, UNSEEN_HIGH, UNSEEN_END, UNSEEN_FAR = 0.45, 0.6, 0.9, 1.0, 2.0
AHEAD_SOC, AHEAD_S, AHEAD_K, PLAIN_SLOPE_V = 0.005, 60.0, 1800.0, 2.1
MOST_RISE_K = 10.0


@kernel
def foresee(
    cell: F64, p: int, i: int, k: int, current_A: float, t_s: float, d1: float, d2: float, d3: float, reals: F64, kinds: F64,
    curves: F64, ln_r: F64, nodes: F64, n_nodes: I64,
) -> tuple[float, float, float]:  # fmt: skip
    """Voltage [V] of cell i, of kind k, after t_s of a constant current; its resistance by then [ohm]; the margin [V].

    d1, d2, d3: exp(-t_s / tau) of the pairs.
    """
    reach, z = cell[st.REACH, p, i], cell[st.Z, p, i]
    dz = current_A * t_s / (3600.0 * kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i])
    swing = 0.5 * kinds[k, cfg.HYST_DECAY] * math.fabs(dz)
    dh = max((1.0 - swing) / (1.0 + swing), 0.0)
    target = -1.0 if current_A > 0.0 else 1.0
    h = target + (cell[st.H, p, i] - target) * dh
    x = belief.in_reach(z - dz, reach)
    core_degC = belief.core_degC(cell, p, i)
    r0, r1, r2, per_K, per_x = resistances(x, core_degC, k, ln_r, nodes, n_nodes)
    now_ohm = cell[st.R0, p, i] + cell[st.R1, p, i] + cell[st.R2, p, i]
    growth = math.fabs((r0 + r1 + r2) / now_ohm - 1.0)
    factor, kinetic = kinetics(cell, p, i, k, current_A, curves), kinds[k, cfg.R0_KINETIC]
    fast_ohm = r0 * (1.0 - kinetic + kinetic * factor) + (1.0 - d1) * r1 * factor
    slow_ohm = r2 * ((1.0 - d2) + (1.0 - d3) * kinds[k, cfg.R3_SHARE])
    rho_fast, rho_slow = cell[st.RHO_FAST, p, i], cell[st.RHO_SLOW, p, i]
    kept_V = cell[st.U2, p, i] * d2 + cell[st.U3, p, i] * d3
    fast_V, slow_V = cell[st.U1, p, i] * d1, kept_V
    warm_degC = core_degC
    if kinds[k, cfg.HEAT_J_PER_K] > 0.0:
        loss_V = rho_fast * (fast_V + fast_ohm * current_A) + rho_slow * (slow_V + slow_ohm * current_A)
        rise_K = min(max(loss_V * current_A, 0.0) * t_s / kinds[k, cfg.HEAT_J_PER_K], MOST_RISE_K)
        warm_degC = core_degC + rise_K
        ln = min(per_K * rise_K, 0.0)
        fast_ohm *= 1.0 + ln * (1.0 + 0.5 * ln)
    fast_V += fast_ohm * current_A
    slow_V += slow_ohm * current_A
    change_fast, change_slow = fast_V - cell[st.ANCHOR_FAST_V, p, i], slow_V - cell[st.ANCHOR_SLOW_V, p, i]
    rested_V, _, half_V = ocv(x, h, warm_degC, k, curves)
    change_V = rho_fast * change_fast + rho_slow * change_slow
    volt = cell[st.ANCHOR_V, p, i] + rested_V - change_V

    var = change_fast * change_fast * cell[st.VAR_FF, p, i] + change_slow * change_slow * cell[st.VAR_SS, p, i]
    var += 2.0 * change_fast * change_slow * cell[st.VAR_FS, p, i]
    kinetic_error = KINETIC_ERROR * (1.0 - factor) if factor < 1.0 else SMALL_ERROR * (factor - 1.0)
    share = reals[cfg.PULSE_R_SHARE] + GROWTH_ERROR * growth + kinetic_error
    unsure = min(cell[st.VAR_FF, p, i] / (MOST_SIGMA * MOST_SIGMA), 1.0)
    unseen = unseen_share(cell, p, i)
    near_full = min(max(1.0 - (1.0 - x) / HIGH_X, 0.0), 1.0)
    end = max(LOW_ERROR * max(1.0 - x / LOW_X, 0.0), HIGH_ERROR * near_full)
    end *= 1.0 + UNSEEN_END * unseen
    var += (share * share + end * end) * change_V * change_V
    of_change = var
    whole_V = WHOLE_ERROR * (rho_fast * fast_V + rho_slow * slow_V)
    var += whole_V * whole_V
    # drops that relax while the current flows: perhaps they were none
    relief_V = max(math.fabs(cell[st.ANCHOR_SLOW_V, p, i]) - math.fabs(kept_V), 0.0) * rho_slow * RELIEF_ERROR
    if cell[st.ANCHOR_SLOW_V, p, i] * current_A > 0.0:
        var += relief_V * relief_V
    # SOC: another stretch of the curve, another resistance where none was seen
    floor = reals[cfg.BAND_FLOOR]
    by_K = (1.0 - z) / reach * cell[st.REACH_PER_K, p, i] * TEMP_ERROR_K
    var_z = max(cell[st.P, p, i], cell[st.TOLD, p, i] * cell[st.TOLD, p, i])
    sigma_x = math.sqrt(var_z + floor * floor + unseen * by_K * by_K) / reach
    x_now = belief.in_reach(z, reach)
    here_V, _, _ = ocv(x_now, h, warm_degC, k, curves)
    far = 1.0 + UNSEEN_FAR * unseen
    lower_x = far * sigma_x
    lower_V, lower_slope, _ = ocv(x - lower_x, h, warm_degC, k, curves)
    lower_now_V, _, _ = ocv(x_now - lower_x, h, warm_degC, k, curves)
    bend_V = ((rested_V - here_V) - (lower_V - lower_now_V)) / far - sigma_x * unseen * change_V * per_x
    var += bend_V * bend_V
    if current_A > 0.0 and lower_slope > PLAIN_SLOPE_V:
        ahead = AHEAD_SOC * (1.0 + unseen) * current_A / kinds[k, cfg.CAPACITY_AH] * math.sqrt(min(t_s, AHEAD_S) / 10.0)
        ahead *= exp(AHEAD_K * (1.0 / (core_degC + 273.15) - 1.0 / 298.15))
        steep_V = (lower_slope - PLAIN_SLOPE_V) * ahead
        var += steep_V * steep_V
    kept = max(1.0 - math.fabs(dz) / reals[cfg.OCV_SPAN], 0.0)
    var += (1.0 - kept * kept) * reals[cfg.OCV_SIGMA_V] * reals[cfg.OCV_SIGMA_V]
    loop_V = half_V * reals[cfg.HYST_SIGMA] * (1.0 - dh)
    var += loop_V * loop_V
    drift_V = cell[st.ANCHOR_V, p, i] - cell[st.MEAN_V, p, i]
    drift_V += rho_fast * (cell[st.ANCHOR_FAST_V, p, i] - cell[st.MEAN_FAST_V, p, i])
    drift_V += rho_slow * (cell[st.ANCHOR_SLOW_V, p, i] - cell[st.MEAN_SLOW_V, p, i])
    if current_A < 0.0:
        drift_V = -drift_V
    gone_V = max(-drift_V, 0.0) * min(t_s, MEAN_TAU_S) / (MEAN_TAU_S - ANCHOR_TAU_S)
    ohm = rho_fast * fast_ohm + rho_slow * slow_ohm
    sigmas = reals[cfg.PULSE_SIGMAS]
    if current_A > 0.0:
        sigmas *= DISCHARGE_SHARE + UNSURE_DISCHARGE * unsure + UNSEEN_LOW * max(1.0 - x / NEAR_X, 0.0) * unseen
    else:
        sigmas *= 1.0 + (UNSEEN_CHARGE + UNSEEN_HIGH * near_full) * unseen
    margin_V = sigmas * math.sqrt(max(var, 0.0))
    if change_V * (rho_fast * cell[st.ANCHOR_FAST_V, p, i] + rho_slow * cell[st.ANCHOR_SLOW_V, p, i]) < 0.0:
        # less current than now: the worst that can become of the relief is that it does not come
        margin_V = min(margin_V, math.fabs(change_V) + sigmas * math.sqrt(max(var - of_change, 0.0)))
    return volt, ohm, gone_V + reals[cfg.PULSE_ERROR_V] + margin_V
