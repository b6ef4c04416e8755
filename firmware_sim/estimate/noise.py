"""Noise that the calibration states, for the methods that take it as it stands."""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim.jit import kernel
from firmware_sim.types import F64


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
