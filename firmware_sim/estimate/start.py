"""What the methods share: their start from the first voltage or the stored SOC, and the noise that the calibration states."""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import kernel
from firmware_sim.types import F64


@kernel
def begin(cell: F64, p: int, i: int, k: int, real: F64, curves: F64, stored: bool) -> None:
    """SOC of cell i, of kind k, and its variance; capacity and resistance as in the tables, the rest 0."""
    z = belief.soc_of(cell[st.VOLT, p, i], k, cell[st.REACH, p, i], curves)
    sigma = real[cfg.START_SIGMA]
    if stored:
        z = cell[st.NVM_Z, p, i]
        sigma = math.sqrt(cell[st.NVM_VAR, p, i]) + real[cfg.STORED_SIGMA]
    for row in range(st.Z, st.P + st.N_P):
        cell[row, p, i] = 0.0
    cell[st.Z, p, i] = z
    cell[st.RHO, p, i] = 1.0
    cell[st.CAPACITY, p, i] = 1.0
    cell[st.P, p, i] = sigma * sigma


@kernel
def charge_noise(current_A: float, even_A: float, dt_s: float, k: int, real: F64, kinds: F64) -> float:
    """Variance that the error of the current adds to SOC in dt. even_A: see ekf_r.predict."""
    error_A = real[cfg.CURRENT_ERROR_SHARE] * math.fabs(current_A) + real[cfg.CURRENT_ERROR_A]
    error_A += real[cfg.R_ERROR_SHARE] * math.fabs(current_A - even_A)
    rate = error_A / (3600.0 * kinds[k, cfg.CAPACITY_AH])
    return 2.0 * rate * rate * real[cfg.CURRENT_CORRELATION_S] * dt_s


@kernel
def voltage_noise(sample_s: float, real: F64) -> float:
    """Variance of a voltage against the model [V^2]: sensor, and an error of the model that frequent samples share."""
    return real[cfg.CELL_SIGMA_V] * real[cfg.CELL_SIGMA_V] + real[cfg.MODEL_V2S] / sample_s
