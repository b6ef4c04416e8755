"""What to start from after a reset: what memory says, how long ago that was, and what the first voltage says about it.

- Nothing in memory: SOC from the first voltage, with START_SIGMA.
- SOC from memory keeps its standard deviation, and STORED_SIGMA for what was not written any more. A known time since
  then (the vehicle tells it) takes off what a cell loses on the shelf, and is unsure by as much again.
- Rested for REST_H and longer, warm and without current, the voltage is an OCV: both are joined by their variances, where
  the curve is steep enough to tell anything.
- However it was, the voltage must fit: SOC may lie wherever loop, OCV error, the drop of the present current and, unless
  rested, what is left of an earlier one, can place this voltage. Where memory lies beyond that, neither is believed alone:
  the start is the middle of both, as unsure as they are apart.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, flat
from firmware_sim.jit import kernel
from firmware_sim.types import F64

LEAK_PER_H = 0.03 / 730.5  # 3 % a month, as quoted for sodium-ion cells
REST_H = 1.0
_WARM_DEGC = 10.0
_OCV_SIGMA_V = 0.02  # cells of one make lie 11 to 46 mV apart
_DROP_ERROR = 1.3  # resistance may be so much higher than the tables say
_MOST_LEFT_V = 0.2
_TELLS_SIGMA = 0.15  # a voltage that says less than this is not asked


@kernel
def choose(
    cell: F64, p: int, i: int, k: int, real: F64, kinds: F64, curves: F64, stored: bool, parked_h: float, current_A: float
) -> tuple[float, float]:
    """SOC and its standard deviation to start cell i, of kind k, from.

    stored: memory holds an SOC.  parked_h: hours since it was written, below 0 when nobody knows.
    current_A: of one string, at the first voltage.
    """
    volt, reach = cell[st.VOLT, p, i], cell[st.REACH, p, i]
    voltage_z = belief.soc_of(volt, k, reach, curves)
    if not stored:
        return voltage_z, real[cfg.START_SIGMA]
    z, sigma = cell[st.KEPT_Z, p, i], cell[st.KEPT_SIGMA, p, i] + real[cfg.STORED_SIGMA]
    if parked_h > 0.0:
        lost = LEAK_PER_H * parked_h
        z, sigma = max(z - lost, min(z, 0.0)), math.sqrt(sigma * sigma + lost * lost)
    x = 1.0 - (1.0 - voltage_z) / reach
    g = min(max(int((x - cfg.X_LOW) / cfg.X_STEP), 0), cfg.N_X - 2)
    half_V = curves[k, cfg.HALF_V, g]
    slope = (curves[k, cfg.MEAN_V, g + 1] - curves[k, cfg.MEAN_V, g]) / (cfg.X_STEP * reach)
    rested = parked_h >= REST_H and cell[st.TEMP, p, i] >= _WARM_DEGC and math.fabs(current_A) <= real[cfg.REST_A]
    pairs_ohm = cell[st.R1, p, i] + cell[st.R2, p, i]
    slack_V = 2.0 * _OCV_SIGMA_V + half_V + _DROP_ERROR * math.fabs(current_A) * (cell[st.R0, p, i] + pairs_ohm)
    if not rested:
        slack_V += min(_DROP_ERROR * kinds[k, cfg.CAPACITY_AH] * pairs_ohm, _MOST_LEFT_V)  # what a load of 1C leaves behind
    low, high = belief.soc_of(volt - slack_V, k, reach, curves), belief.soc_of(volt + slack_V, k, reach, curves)
    if z + 2.0 * sigma < low or z - 2.0 * sigma > high:
        voltage_sigma = max(0.25 * (high - low), real[cfg.START_SIGMA])
        apart = z - voltage_z
        spread_z = 0.5 * (sigma * sigma + voltage_sigma * voltage_sigma) + 0.25 * apart * apart
        return 0.5 * (z + voltage_z), math.sqrt(spread_z)
    ocv_V = max(_OCV_SIGMA_V, real[cfg.FLAT_V] / 1.96)  # where the curve is flat its error decides
    voltage_sigma = math.sqrt(ocv_V * ocv_V + 0.36 * half_V * half_V) / max(slope, 1e-6)
    if rested and voltage_sigma < _TELLS_SIGMA:
        weight = sigma * sigma / (sigma * sigma + voltage_sigma * voltage_sigma)
        return z + weight * (voltage_z - z), sigma * math.sqrt(1.0 - weight)
    return z, sigma


@kernel
def begin(cell: F64, p: int, i: int, z: float, sigma: float) -> None:
    """SOC of cell i with its standard deviation; capacity and resistance as in the tables, the rest 0."""
    for row in range(st.Z, st.P + st.N_P):
        cell[row, p, i] = 0.0
    cell[st.Z, p, i] = z
    cell[st.RHO, p, i] = 1.0
    cell[st.CAPACITY, p, i] = 1.0
    cell[st.RATE_NOW, p, i] = 1.0
    cell[st.HEAT_K, p, i] = 0.0
    cell[st.P, p, i] = sigma * sigma
    flat.begin(cell, p, i, sigma)
