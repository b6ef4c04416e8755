"""Method "ekf": the extended Kalman filter of the textbooks, over SOC and two RC pairs.

State z (SOC), u1, u2 [V]. The transition matrix is diagonal and the symmetric covariance (P00 ... P22) is unrolled.

    V = U(z) - u1 - u2 - I R0

U on the branch of the last direction of the current, resistances from their tables over SOC and temperature, and fixed
noise as the calibration states it: of the current over the process, of a voltage (sensor and model) over the measurement.
It knows neither how far its cell's resistance lies from the table's nor how far the voltage has come in its loop.
Source: Plett, J. Power Sources 134 (2004) 262-276 and 277-292.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, noise, start
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64

P00, P01, P02, P11, P12, P22 = range(st.P, st.P + 6)
# Variance of the pairs' voltages at the start.
_U_VAR_V2 = 1e-6


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start the filter of cell i, of kind k, from SOC z with standard deviation sigma, see start.choose."""
    start.begin(cell, p, i, z, sigma)
    cell[P11, p, i] = _U_VAR_V2
    cell[P22, p, i] = _U_VAR_V2


@kernel
def predict(
    cell: F64, p: int, first: int, end: int, k: int, current_A: float, even_A: float, dt_s: float, real: F64, kinds: F64
) -> None:
    """Count charge and let pairs and covariance of the cells first ... end - 1, of kind k, move by dt."""
    d1, d2 = exp(-dt_s / kinds[k, cfg.TAU1_S]), exp(-dt_s / kinds[k, cfg.TAU2_S])
    d11, d12, d22 = d1 * d1, d1 * d2, d2 * d2
    in1_A, in2_A = (1.0 - d1) * current_A, (1.0 - d2) * current_A
    dz = current_A * dt_s / (3600.0 * kinds[k, cfg.CAPACITY_AH])
    q_z = noise.charge_noise(current_A, even_A, dt_s, k, real, kinds)
    q_u = real[cfg.RC_NOISE_V2_PER_S] * dt_s
    branch = belief.branch_of(current_A, real)
    for i in range(first, end):
        cell[st.Z, p, i] -= dz
        cell[st.U1, p, i] = cell[st.U1, p, i] * d1 + cell[st.R1, p, i] * in1_A
        cell[st.U2, p, i] = cell[st.U2, p, i] * d2 + cell[st.R2, p, i] * in2_A
        if branch != 0.0:
            cell[st.H, p, i] = branch
        cell[P00, p, i] += q_z
        cell[P01, p, i] *= d1
        cell[P02, p, i] *= d2
        cell[P11, p, i] = cell[P11, p, i] * d11 + q_u
        cell[P12, p, i] *= d12
        cell[P22, p, i] = cell[P22, p, i] * d22 + q_u


@kernel
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64) -> None:
    """Correct cell i, of kind k, with its new voltage sample. sample_s: time since its last one [s]."""
    z, u1, u2 = cell[st.Z, p, i], cell[st.U1, p, i], cell[st.U2, p, i]
    volt, slope = belief.ocv(z, cell[st.H, p, i], cell[st.REACH, p, i], cell[st.TEMP, p, i], k, curves)
    innovation_V = cell[st.VOLT, p, i] - (volt - u1 - u2 - current_A * cell[st.R0, p, i])

    # gain = P H' / (H P H' + noise) with H = (slope, -1, -1)
    p00, p01, p02 = cell[P00, p, i], cell[P01, p, i], cell[P02, p, i]
    p11, p12, p22 = cell[P11, p, i], cell[P12, p, i], cell[P22, p, i]
    a0 = p00 * slope - p01 - p02
    a1 = p01 * slope - p11 - p12
    a2 = p02 * slope - p12 - p22
    s = slope * a0 - a1 - a2 + noise.voltage_noise(sample_s, real)
    update(cell, p, i, innovation_V, a0, a1, a2, s)


@kernel
def update(cell: F64, p: int, i: int, innovation_V: float, a0: float, a1: float, a2: float, s: float) -> None:
    """Move state and covariance of cell i by a voltage: a the covariance of the states with it, s its variance."""
    k0, k1, k2 = a0 / s, a1 / s, a2 / s
    cell[st.Z, p, i] = min(max(cell[st.Z, p, i] + k0 * innovation_V, -0.05), 1.05)
    cell[st.U1, p, i] += k1 * innovation_V
    cell[st.U2, p, i] += k2 * innovation_V
    cell[P00, p, i] = max(cell[P00, p, i] - k0 * a0, 1e-10)
    cell[P01, p, i] -= k0 * a1
    cell[P02, p, i] -= k0 * a2
    cell[P11, p, i] = max(cell[P11, p, i] - k1 * a1, 1e-12)
    cell[P12, p, i] -= k1 * a2
    cell[P22, p, i] = max(cell[P22, p, i] - k2 * a2, 1e-12)
