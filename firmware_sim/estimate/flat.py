"""What the voltage can tell of SOC where the curve is flat, whatever the filter has made of it.

A Kalman filter takes the curve for a straight line and each voltage for news. On a plateau both are wrong: within FLAT_V, an
error of the curve, the voltage is the same over tens of per cent, and the thousandth sample says what the first one said. So
a second deviation is kept beside the filter's, and the band is never narrower than that:

    told^2 = then^2 + drift^2,    drift = bias_sigma_A t / capacity,    told <= farthest(z) / 1.96

then is that of the start, drift what the current sensor may have been off since, and farthest(z) the distance from z to the
end of the span of SOC in which the curve lies within FLAT_V, and what a wrong resistance may do, of the rested voltage as it
shows. Where the curve is steep that is little, and the count goes on from there.

A filter that stands on the plateau while the cell slides off its end has no slope to follow by, and may call the fall of the
voltage an error of the curve or a resistance of several times the table's. Where the span is narrow and z far outside of it,
it starts again from the voltage.  Method: assumption, judged by the score.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import kernel
from firmware_sim.types import F64

# A rested voltage is a mean over so long, and may be off by this share of the drop: 5 K, a cell of another make; and by as much
# of what the filter holds the resistance to differ by.
_MEAN_S, _DROP_SHARE = 60.0, 0.5
_MOST_RHO = 2.0
# The filter is lost where it lies so far outside of a span that is narrower than _TELLS; it then starts again in the middle.
# Not while SOC moves by more than _MOST_MOVED within the mean, which lags behind it.
_LOST, _TELLS, _LEAST_SIGMA, _MOST_MOVED = 0.08, 0.15, 0.02, 0.03
# Two-sided 95 % of a normal distribution.
_SIGMAS = 1.96


@kernel
def begin(cell: F64, p: int, i: int, sigma: float) -> None:
    """Start cell i with a standard deviation of SOC."""
    cell[st.TOLD, p, i] = sigma
    cell[st.TOLD_THEN, p, i] = sigma
    cell[st.DRIFT, p, i] = 0.0
    cell[st.SHOWN_V, p, i] = 0.0
    cell[st.SHOWN_S, p, i] = 0.0


@kernel
def tell(cell: F64, p: int, i: int, k: int, real: F64, kinds: F64, curves: F64, since_s: float) -> tuple[float, float]:
    """Move TOLD of cell i, of kind k, by since_s; it is 0 without FLAT_V, and without fresh voltages it only grows.

    Returns SOC and its deviation to start again from, when the filter is lost; a deviation of 0: it is not.
    """
    if real[cfg.FLAT_V] <= 0.0:
        cell[st.TOLD, p, i] = 0.0
        return cell[st.Z, p, i], 0.0
    cell[st.DRIFT, p, i] += real[cfg.BIAS_SIGMA_A] * since_s / (3600.0 * kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i])
    then, drift = cell[st.TOLD_THEN, p, i], cell[st.DRIFT, p, i]
    cell[st.TOLD, p, i] = math.sqrt(then * then + drift * drift)
    if cell[st.SINCE_S, p, i] > since_s + real[cfg.CORRECT_S]:
        cell[st.SHOWN_V, p, i] = cell[st.SHOWN_S, p, i] = 0.0
        return cell[st.Z, p, i], 0.0
    rho, drop_V = min(cell[st.RHO, p, i], _MOST_RHO), math.fabs(cell[st.DROP_V, p, i])
    cell[st.SHOWN_S, p, i] = min(cell[st.SHOWN_S, p, i] + since_s, _MEAN_S)
    cell[st.SHOWN_V, p, i] += (
        (cell[st.VOLT, p, i] + rho * cell[st.DROP_V, p, i] - cell[st.SHOWN_V, p, i]) * since_s / cell[st.SHOWN_S, p, i]
    )
    if cell[st.SHOWN_S, p, i] < _MEAN_S:
        return cell[st.Z, p, i], 0.0
    z, h, reach = cell[st.Z, p, i], cell[st.H, p, i], cell[st.REACH, p, i]
    shown_V, slack_V = cell[st.SHOWN_V, p, i], real[cfg.FLAT_V] + _DROP_SHARE * (1.0 + math.fabs(rho - 1.0)) * drop_V
    core_degC = belief.core_degC(cell, p, i)
    low = belief.soc_on(shown_V - slack_V, h, reach, core_degC, k, curves)
    high = belief.soc_on(shown_V + slack_V, h, reach, core_degC, k, curves)
    if low <= 1.0 - reach:
        low = min(z, 0.0)  # below the foot of the curve a voltage says at most, never at least
    moved = math.fabs(cell[st.SLOW_A, p, i]) * _MEAN_S / (3600.0 * kinds[k, cfg.CAPACITY_AH] * cell[st.CAPACITY, p, i])
    if high - low < _TELLS and max(low - z, z - high) > _LOST and moved < _MOST_MOVED:
        return 0.5 * (low + high), max(0.5 * (high - low) / _SIGMAS, _LEAST_SIGMA)
    farthest = max(z - low, high - z)
    if farthest < _SIGMAS * cell[st.TOLD, p, i]:
        cell[st.TOLD, p, i] = farthest / _SIGMAS
        cell[st.TOLD_THEN, p, i] = cell[st.TOLD, p, i]
        cell[st.DRIFT, p, i] = 0.0
    return z, 0.0
