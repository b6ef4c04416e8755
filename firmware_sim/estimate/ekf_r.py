"""Method "ekf-r": an extended Kalman filter over SOC, two RC pairs, hysteresis and a resistance scale.

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
from firmware_sim.estimate import belief, noise, start
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64

_RHO_LOW, _RHO_HIGH = 0.3, 3.0
P00, P01, P02, P03, P04, P11, P12, P13, P14, P22, P23, P24, P33, P34, P44 = range(st.P, st.P + 15)


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start the filter of cell i, of kind k, from SOC z with standard deviation sigma, see start.choose."""
    start.begin(cell, p, i, z, sigma)
    cell[P11, p, i] = 1e-6
    cell[P22, p, i] = 1e-6
    cell[P33, p, i] = real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    cell[P44, p, i] = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]


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
    q_z = noise.charge_noise(current_A, even_A, dt_s, k, real, kinds)
    q_u = real[cfg.RC_NOISE_V2_PER_S] * dt_s
    q_h = (1.0 - dh * dh) * real[cfg.HYST_SIGMA] * real[cfg.HYST_SIGMA]
    q_rho = real[cfg.RHO_WALK_PER_S] * dt_s
    most_rho = real[cfg.RHO_SIGMA] * real[cfg.RHO_SIGMA]
    for i in range(first, end):
        cell[st.Z, p, i] -= dz
        cell[st.U1, p, i] = cell[st.U1, p, i] * d1 + (1.0 - d1) * cell[st.R1, p, i] * current_A
        cell[st.U2, p, i] = cell[st.U2, p, i] * d2 + (1.0 - d2) * cell[st.R2, p, i] * current_A
        cell[st.H, p, i] = target + (cell[st.H, p, i] - target) * dh
        cell[P00, p, i] += q_z
        cell[P01, p, i] *= d1
        cell[P02, p, i] *= d2
        cell[P03, p, i] *= dh
        cell[P11, p, i] = cell[P11, p, i] * d1 * d1 + q_u
        cell[P12, p, i] *= d1 * d2
        cell[P13, p, i] *= d1 * dh
        cell[P14, p, i] *= d1
        cell[P22, p, i] = cell[P22, p, i] * d2 * d2 + q_u
        cell[P23, p, i] *= d2 * dh
        cell[P24, p, i] *= d2
        cell[P33, p, i] = cell[P33, p, i] * dh * dh + q_h
        cell[P34, p, i] *= dh
        cell[P44, p, i] = min(cell[P44, p, i] + q_rho, most_rho)


@kernel
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64) -> None:
    """Correct cell i, of kind k, with its new voltage sample. sample_s: time since its last one [s]."""
    z = cell[st.Z, p, i]
    x = belief.in_reach(z, cell[st.REACH, p, i])
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
    p00, p01, p02, p03, p04 = cell[P00, p, i], cell[P01, p, i], cell[P02, p, i], cell[P03, p, i], cell[P04, p, i]
    p11, p12, p13, p14 = cell[P11, p, i], cell[P12, p, i], cell[P13, p, i], cell[P14, p, i]
    p22, p23, p24 = cell[P22, p, i], cell[P23, p, i], cell[P24, p, i]
    p33, p34, p44 = cell[P33, p, i], cell[P34, p, i], cell[P44, p, i]
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
    cell[P00, p, i] = max(p00 - k0 * a0, 1e-10)
    cell[P01, p, i] = p01 - k0 * a1
    cell[P02, p, i] = p02 - k0 * a2
    cell[P03, p, i] = p03 - k0 * a3
    cell[P04, p, i] = p04 - k0 * a4
    cell[P11, p, i] = max(p11 - k1 * a1, 1e-12)
    cell[P12, p, i] = p12 - k1 * a2
    cell[P13, p, i] = p13 - k1 * a3
    cell[P14, p, i] = p14 - k1 * a4
    cell[P22, p, i] = max(p22 - k2 * a2, 1e-12)
    cell[P23, p, i] = p23 - k2 * a3
    cell[P24, p, i] = p24 - k2 * a4
    cell[P33, p, i] = max(p33 - k3 * a3, 1e-8)
    cell[P34, p, i] = p34 - k3 * a4
    cell[P44, p, i] = max(p44 - k4 * a4, 1e-8)
