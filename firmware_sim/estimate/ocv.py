"""Method "ocv": SOC from the OCV table, as a gauge without a current integral does it.

The voltage without the drop over R0 is looked up on the branch of the last direction of the current, and a low-pass of
LOW_PASS_S smooths what is found. The band is the error of that voltage over the slope: sensor, what the other
resistances may hide, half a loop of hysteresis; without fresh voltages it grows with the charge that went since.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, start
from firmware_sim.jit import kernel
from firmware_sim.types import F64

LOW_PASS_S = 30.0
# Variance of a SOC of which nothing is known but that it lies between 0 and 1.
_MOST_VAR = 1.0 / 12.0
# Variance by the last voltage, and the charge that went since, as a share.
SEEN_VAR, WENT_SOC = range(st.P + 1, st.P + 3)


@kernel
def seed(cell: F64, p: int, i: int, k: int, real: F64, z: float, sigma: float) -> None:
    """Start from SOC z with standard deviation sigma."""
    start.begin(cell, p, i, z, sigma)
    cell[SEEN_VAR, p, i] = cell[st.P, p, i]


@kernel
def predict(
    cell: F64, p: int, first: int, end: int, k: int, current_A: float, even_A: float, dt_s: float, real: F64, kinds: F64
) -> None:
    """Note the direction of the current, and the charge that no voltage has told of yet."""
    dz = current_A * dt_s / (3600.0 * kinds[k, cfg.CAPACITY_AH])
    branch = belief.branch_of(current_A, real)
    for i in range(first, end):
        if branch != 0.0:
            cell[st.H, p, i] = branch
        cell[WENT_SOC, p, i] += dz
        cell[st.P, p, i] = min(cell[SEEN_VAR, p, i] + cell[WENT_SOC, p, i] * cell[WENT_SOC, p, i], _MOST_VAR)


@kernel
def correct(cell: F64, p: int, i: int, k: int, current_A: float, sample_s: float, real: F64, kinds: F64, curves: F64) -> None:
    """Look the new voltage of cell i, of kind k, up. sample_s: time since its last one [s]."""
    h, reach, temp_degC, drop_V = cell[st.H, p, i], cell[st.REACH, p, i], cell[st.TEMP, p, i], current_A * cell[st.R0, p, i]
    seen = belief.soc_on(cell[st.VOLT, p, i] + drop_V, h, reach, temp_degC, k, curves)
    gain = sample_s / (LOW_PASS_S + sample_s)
    cell[st.Z, p, i] += gain * (seen - cell[st.Z, p, i])
    low_V, slope = belief.ocv(cell[st.Z, p, i], -1.0, reach, temp_degC, k, curves)
    high_V = belief.ocv(cell[st.Z, p, i], 1.0, reach, temp_degC, k, curves)[0]
    loop_V = real[cfg.HYST_SIGMA] * 0.5 * (high_V - low_V)
    pairs_V = current_A * (cell[st.R1, p, i] + cell[st.R2, p, i])
    wrong_V = real[cfg.R_ERROR_SHARE] * drop_V
    error_V2 = real[cfg.CELL_SIGMA_V] * real[cfg.CELL_SIGMA_V] + wrong_V * wrong_V + pairs_V * pairs_V + loop_V * loop_V
    cell[SEEN_VAR, p, i] += gain * (min(error_V2 / (slope * slope), _MOST_VAR) - cell[SEEN_VAR, p, i])
    cell[WENT_SOC, p, i] = 0.0
    cell[st.P, p, i] = cell[SEEN_VAR, p, i]
