"""Method "counting": coulomb counting from the start, as a gauge without voltages does it.

A counter never hears of its errors, so they count as constant: the band grows with the net charge for the gain of the
current sensor, with time for its offset. Full and empty are ends: it does not count beyond.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import start
from firmware_sim.jit import kernel
from firmware_sim.types import F64

# Variance of the start; what a gain and an offset of the current as large as stated would have made of SOC since.
START_VAR, GAIN_SOC, OFFSET_SOC = range(st.P + 1, st.P + 4)


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start counting."""
    start.begin(cell, p, i, z, sigma)
    cell[START_VAR, p, i] = cell[st.P, p, i]


@kernel
def predict(
    cell: F64, p: int, first: int, end: int, k: int, current_A: float, even_A: float, dt_s: float, real: F64, kinds: F64
) -> None:
    """Count the charge of dt. What strings that are not alike take from each other is known as well as the resistances."""
    share = dt_s / (3600.0 * kinds[k, cfg.CAPACITY_AH])
    dz = current_A * share
    gain = real[cfg.CURRENT_ERROR_SHARE] * dz
    offset = (real[cfg.CURRENT_ERROR_A] + real[cfg.R_ERROR_SHARE] * math.fabs(current_A - even_A)) * share
    for i in range(first, end):
        cell[st.Z, p, i] = min(max(cell[st.Z, p, i] - dz, 0.0), 1.0)
        cell[GAIN_SOC, p, i] += gain
        cell[OFFSET_SOC, p, i] += offset
        wrong = cell[GAIN_SOC, p, i] * cell[GAIN_SOC, p, i] + cell[OFFSET_SOC, p, i] * cell[OFFSET_SOC, p, i]
        cell[st.P, p, i] = cell[START_VAR, p, i] + wrong
