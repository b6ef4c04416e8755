"""What load has shown of a cell's resistance, for foresight.

SOC filters trust a sample little, because errors of the curve last for minutes; but a step of the load is over in seconds, and
what the voltage does then is resistance and nothing else. So with v = V - U, the measured voltage less the rested one of the
estimate, and the drops that the tables expect

    f = R0 I + u1,   s = u2 + u3          (fast: here within a second; slow: within minutes)

each less its own mean over MEAN_TAU_S, two scales are learnt by least squares that forgets (FORGET_S) and that starts from the
estimator's scale rho with its variance:

    -v~ = rho_f f~ + rho_s s~,    error of a sample: NOISE_V2S, as density [V^2 s], because it lasts

A wrong temperature is in them too. While the fast one is known to KNOWN_SIGMA, the mean of both over SHOWN_TAU_S at what the
sensor reads goes into memory (SHOWN_FAST, SHOWN_SLOW; a slow one that is not known so well is taken for the fast one), and by
what share a kelvin changes resistance there (SHOWN_PER_K). From then on the scales start from these, also after a reset: known
to SHOWN_SIGMA, SHOWN_SPLIT of the fast one, SPLIT of the slow one, and TEMP_ERROR_K times what a kelvin does here more than it
did there. The means over ANCHOR_TAU_S of v, f and s say where the voltage stands now and under what.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, ekf_r, sodium
from firmware_sim.jit import exp, kernel
from firmware_sim.power.tables import kinetics, ocv
from firmware_sim.types import F64

EVERY_S = 0.195  # every second voltage where they come in 100 ms: an error of a sample lasts, so more of them tell no more
ANCHOR_TAU_S, MEAN_TAU_S, FORGET_S = 3.0, 30.0, 300.0
NOISE_V2S = 2.5e-4
SPLIT, MOST_SIGMA = 0.1, 0.35
KNOWN_SIGMA, SHOWN_TAU_S, SHOWN_SIGMA, SHOWN_SPLIT = 0.05, 600.0, 0.05, 0.05
# Of the temperature: a sensor may be wrong by its bound of 5 K as often as by little, whatever the filter makes of it.
TEMP_ERROR_K = 4.6
_LOW, _HIGH = 0.2, 5.0


@kernel
def told_variance(cell: F64, p: int, i: int, method: int, reals: F64) -> float:
    """Variance of the resistance of cell i relative to the tables, as its estimator knows it: of scale and temperature."""
    if method == cfg.SODIUM:
        by_K = cell[st.RHO, p, i] * cell[st.LN_R_PER_K, p, i]
        return cell[sodium.at(sodium.RHO, sodium.RHO), p, i] + by_K * by_K * TEMP_ERROR_K * TEMP_ERROR_K
    if method == cfg.EKF_R:
        return cell[ekf_r.P44, p, i]
    return reals[cfg.RHO_SIGMA] * reals[cfg.RHO_SIGMA]


@kernel
def unseen_share(cell: F64, p: int, i: int) -> float:
    """1 while no load has shown the resistance of cell i of late, whatever memory says of it; towards 0 when one has."""
    return 1.0 / (1.0 + MOST_SIGMA * MOST_SIGMA * cell[st.INFO_FF, p, i])


@kernel
def learn(cell: F64, p: int, i: int, k: int, age_s: float, method: int, reals: F64, kinds: F64, curves: F64) -> None:
    """Take the fresh voltage of cell i, of kind k. age_s: since the last time."""
    core_degC = belief.core_degC(cell, p, i)
    rested_V, _, _ = ocv(belief.in_reach(cell[st.Z, p, i], cell[st.REACH, p, i]), cell[st.H, p, i], core_degC, k, curves)
    current_A, kinetic = cell[st.STRING_A, p, i] - cell[st.BIAS_A, p, i], kinds[k, cfg.R0_KINETIC]
    factor = kinetics(cell, p, i, k, current_A, curves)
    fast_V = cell[st.R0, p, i] * (1.0 - kinetic + kinetic * factor) * current_A + cell[st.U1, p, i]
    slow_V = cell[st.U2, p, i] + cell[st.U3, p, i]
    off_V = cell[st.VOLT, p, i] - rested_V
    first = 1.0 / (cell[st.LEARNT, p, i] + 1.0)
    gain = max(min(age_s / ANCHOR_TAU_S, 1.0), first)
    cell[st.ANCHOR_V, p, i] += gain * (off_V - cell[st.ANCHOR_V, p, i])
    cell[st.ANCHOR_FAST_V, p, i] += gain * (fast_V - cell[st.ANCHOR_FAST_V, p, i])
    cell[st.ANCHOR_SLOW_V, p, i] += gain * (slow_V - cell[st.ANCHOR_SLOW_V, p, i])
    gain = max(min(age_s / MEAN_TAU_S, 1.0), first)
    cell[st.MEAN_V, p, i] += gain * (off_V - cell[st.MEAN_V, p, i])
    cell[st.MEAN_FAST_V, p, i] += gain * (fast_V - cell[st.MEAN_FAST_V, p, i])
    cell[st.MEAN_SLOW_V, p, i] += gain * (slow_V - cell[st.MEAN_SLOW_V, p, i])
    cell[st.LEARNT, p, i] = min(cell[st.LEARNT, p, i] + 1.0, 10_000.0)

    y = cell[st.MEAN_V, p, i] - off_V
    f = fast_V - cell[st.MEAN_FAST_V, p, i]
    s = slow_V - cell[st.MEAN_SLOW_V, p, i]
    kept, weight = max(1.0 - age_s / FORGET_S, 0.0), age_s / NOISE_V2S
    cell[st.INFO_FF, p, i] = cell[st.INFO_FF, p, i] * kept + weight * f * f
    cell[st.INFO_FS, p, i] = cell[st.INFO_FS, p, i] * kept + weight * f * s
    cell[st.INFO_SS, p, i] = cell[st.INFO_SS, p, i] * kept + weight * s * s
    cell[st.INFO_F, p, i] = cell[st.INFO_F, p, i] * kept + weight * f * y
    cell[st.INFO_S, p, i] = cell[st.INFO_S, p, i] * kept + weight * s * y
    # before anything is seen: both are the estimator's scale with its variance, which they share, and SPLIT of their own
    per_K = cell[st.LN_R_PER_K, p, i]
    moved = exp(per_K * cell[st.TEMP_OFF_K, p, i])
    told_fast = told_slow = cell[st.RHO, p, i]
    var = min(told_variance(cell, p, i, method, reals), MOST_SIGMA * MOST_SIGMA)
    own_fast = own_slow = SPLIT * SPLIT
    if cell[st.SHOWN_FAST, p, i] > 0.0:
        colder = (per_K - cell[st.SHOWN_PER_K, p, i]) * TEMP_ERROR_K
        told_fast, told_slow = cell[st.SHOWN_FAST, p, i] / moved, cell[st.SHOWN_SLOW, p, i] / moved
        var = min(SHOWN_SIGMA * SHOWN_SIGMA + colder * colder, var)
        own_fast = SHOWN_SPLIT * SHOWN_SPLIT
    det = own_fast * own_slow + var * (own_fast + own_slow)
    told_ff, told_fs, told_ss = (var + own_slow) / det, -var / det, (var + own_fast) / det
    ff, fs, ss = cell[st.INFO_FF, p, i] + told_ff, cell[st.INFO_FS, p, i] + told_fs, cell[st.INFO_SS, p, i] + told_ss
    bf = cell[st.INFO_F, p, i] + told_ff * told_fast + told_fs * told_slow
    bs = cell[st.INFO_S, p, i] + told_ss * told_slow + told_fs * told_fast
    det = ff * ss - fs * fs
    cell[st.VAR_FF, p, i], cell[st.VAR_FS, p, i], cell[st.VAR_SS, p, i] = ss / det, -fs / det, ff / det
    cell[st.RHO_FAST, p, i] = min(max((ss * bf - fs * bs) / det, _LOW), _HIGH)
    cell[st.RHO_SLOW, p, i] = min(max((ff * bs - fs * bf) / det, _LOW), _HIGH)
    if cell[st.VAR_FF, p, i] < KNOWN_SIGMA * KNOWN_SIGMA:
        gain = min(age_s / SHOWN_TAU_S, 1.0) if cell[st.SHOWN_FAST, p, i] > 0.0 else 1.0
        slow = cell[st.RHO_SLOW, p, i] if cell[st.VAR_SS, p, i] < KNOWN_SIGMA * KNOWN_SIGMA else cell[st.RHO_FAST, p, i]
        cell[st.SHOWN_FAST, p, i] += gain * (cell[st.RHO_FAST, p, i] * moved - cell[st.SHOWN_FAST, p, i])
        cell[st.SHOWN_SLOW, p, i] += gain * (slow * moved - cell[st.SHOWN_SLOW, p, i])
        cell[st.SHOWN_PER_K, p, i] += gain * (per_K - cell[st.SHOWN_PER_K, p, i])
