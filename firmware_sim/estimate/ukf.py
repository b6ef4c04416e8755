"""Method "ukf": the unscented Kalman filter of the textbooks, over the states, model and noise of method "ekf".

Pairs and charge move linearly, and there the unscented transform is the Kalman filter's prediction to the last rounding:
ekf.predict serves. The voltage is not linear in SOC: seven points, the mean and sqrt(3) times each column of the Cholesky
root L of the covariance to both sides, are put through it. Scaling alpha = 1, beta = 2, kappa = 0: of the weights of the
mean that of the centre is 0 and the others are 1/6; of the covariance that of the centre is 2.

L is lower triangular: only the first column moves SOC, so five of the seven points share one look into the table.
Source: Wan and van der Merwe, The unscented Kalman filter for nonlinear estimation (2000); Plett, J. Power Sources 161
(2006) 1356-1384.
"""

from __future__ import annotations

import math

from firmware_sim import state as st
from firmware_sim.estimate import belief, ekf, noise
from firmware_sim.estimate.ekf import P00, P01, P02, P11, P12, P22
from firmware_sim.jit import kernel
from firmware_sim.types import F64

_CENTRE = 2.0
# Least square of a root's diagonal, of voltages [V^2].
_LEAST_V2 = 1e-15


@kernel
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64) -> None:
    """Correct cell i, of kind k, with its new voltage sample. sample_s: time since its last one [s]."""
    z, u1, u2, h = cell[st.Z, p, i], cell[st.U1, p, i], cell[st.U2, p, i], cell[st.H, p, i]
    reach, temp_degC = cell[st.REACH, p, i], cell[st.TEMP, p, i]
    p00, p01, p02 = cell[P00, p, i], cell[P01, p, i], cell[P02, p, i]
    p11, p12, p22 = cell[P11, p, i], cell[P12, p, i], cell[P22, p, i]

    # sqrt(3) L
    s00 = math.sqrt(3.0 * p00)
    s10, s20 = 3.0 * p01 / s00, 3.0 * p02 / s00
    s11 = math.sqrt(max(3.0 * p11 - s10 * s10, _LEAST_V2))
    s21 = (3.0 * p12 - s20 * s10) / s11
    s22 = math.sqrt(max(3.0 * p22 - s20 * s20 - s21 * s21, _LEAST_V2))

    # voltages of the points relative to the centre's: up0 and down0 along the first column, and so on
    centre_V = belief.ocv(z, h, reach, temp_degC, k, curves)[0]
    up0 = belief.ocv(z + s00, h, reach, temp_degC, k, curves)[0] - centre_V - s10 - s20
    down0 = belief.ocv(z - s00, h, reach, temp_degC, k, curves)[0] - centre_V + s10 + s20
    side1, side2 = s11 + s21, s22  # down1 = side1 = -up1
    mean = (up0 + down0) / 6.0
    innovation_V = cell[st.VOLT, p, i] - (centre_V + mean - u1 - u2 - current_A * cell[st.R0, p, i])

    # the gain is the covariance of states and voltage over the variance of the voltage
    a0 = s00 * (up0 - down0) / 6.0
    a1 = (s10 * (up0 - down0) - 2.0 * s11 * side1) / 6.0
    a2 = (s20 * (up0 - down0) - 2.0 * (s21 * side1 + s22 * side2)) / 6.0
    up0, down0 = up0 - mean, down0 - mean
    spread = up0 * up0 + down0 * down0 + 2.0 * (side1 * side1 + side2 * side2 + 2.0 * mean * mean)
    s = _CENTRE * mean * mean + spread / 6.0 + noise.voltage_noise(sample_s, real)
    ekf.update(cell, p, i, innovation_V, a0, a1, a2, s)
