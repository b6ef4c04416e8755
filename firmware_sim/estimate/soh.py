"""State of health: capacity and resistance of each cell relative to the model's, each with its standard deviation.

Capacity c. A method that estimates it is taken at its word, but not at its standard deviation: UNSEEN_CAPACITY is added for
what no filter sees of its own error. For the others, pairs of rests: between two rests the charge dq was counted, and the
voltage says how far SOC moved, dx, without any counting. Both are uncertain, so a pair says

    c = dq / dx  with  sigma^2 = (sigma_q^2 + c^2 sigma_x^2) / dx^2       (total least squares in its effective-variance form)

and is joined with what was known by the variances. sigma_x is the error of the OCV curve at both ends, which is the same in
every cycle: no number of pairs makes c surer than that of one, which is the floor. Gain error of the current sensor is
invisible here: c carries it whole.

Resistance. The methods' scale rho, followed slowly while load makes it known: rho of method "sodium" is that of the SOC where
the cell is, and health the mean over the SOC that it uses. It refers to the tables at the cell's SOC and at
the temperature that its sensor reads, so it is the same number at any temperature if the sensor is right. (A filter may hold
that the sensor is off, and rho then refers to what it holds instead: load shows the product of both far better than it tells
them apart.)

Each cell has its turn once a minute. Sources: Plett, J. Power Sources 196 (2011) 2319-2331 (AWTLS; why ordinary least
squares is biased); figures: docs/health.md.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, ekf_r, sodium, spread
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

EVERY_NS = 60_000_000_000
RESTED_NS = 600_000_000_000
PRIOR_CAPACITY, PRIOR_RESISTANCE = 0.2, 0.5  # standard deviations of a cell of which nothing is known
KNOWN_CAPACITY, KNOWN_RESISTANCE = 0.08, 0.15  # up to which they are told
_LEAST_MOVE = 0.3  # of SOC, between two rests
_LEAST_C, _MOST_C = 0.4, 1.3
_WARM_DEGC = 10.0
_OCV_SIGMA_V, _LOOP_ERROR = 0.028, 0.2  # cells of one make lie 11 to 46 mV apart; share of half the loop
_SLOW_SHARE = 0.2  # a minute
UNSEEN_CAPACITY = 0.035  # what a filter does not know of its error: the OCV curve is another cell's, the current has a gain
# Standard deviation, since tables of two makes run apart by some 7 % over SOC; variance.
_RESISTANCE_FLOOR, _RESISTANCE_WALK_PER_MIN = 0.05, 1e-6
# Of a stored resistance; with the temperature of the day, for a method that does not hold its sensor to be off.
_KEPT_SPREAD, _KEPT_SPREAD_BY_K = 0.02, 0.05
# So many samples of rho, a minute apart, are worth one: about a cycle of SOC, in which a cell's resistance and its table's
# run apart and together again.
_MINUTES_APART = 300.0


@kernel
def begin(cell: F64, p: int) -> None:
    """Health of cells of which memory knows nothing."""
    for i in range(cell.shape[2]):
        if cell[st.SOH_CAPACITY_SIGMA, p, i] <= 0.0:
            cell[st.SOH_CAPACITY, p, i], cell[st.SOH_CAPACITY_SIGMA, p, i] = 1.0, PRIOR_CAPACITY
        if cell[st.SOH_RESISTANCE_SIGMA, p, i] <= 0.0:
            cell[st.SOH_RESISTANCE, p, i], cell[st.SOH_RESISTANCE_SIGMA, p, i] = 1.0, PRIOR_RESISTANCE
        cell[st.REST_SIGMA, p, i] = 0.0


@kernel
def adopt(method: int, cell: F64, p: int, i: int, real: F64) -> None:
    """Give a method that has just been seeded what memory knows of resistance, capacity and current error, if it has them.

    Resistance is that at what the sensor read. A method that holds the sensor to be off knows it together with that error, as a
    kelvin changed it where it was seen: warm, less than it does in the cold of a morning.
    """
    sigma = cell[st.SOH_RESISTANCE_SIGMA, p, i]
    told = cell[st.SOH_RESISTANCE, p, i]
    if method == cfg.EKF_R and sigma > 0.0:
        cell[st.RHO, p, i] = told
        cell[ekf_r.P44, p, i] = min(cell[ekf_r.P44, p, i], (sigma + _KEPT_SPREAD_BY_K) * (sigma + _KEPT_SPREAD_BY_K))
    if method != cfg.SODIUM:
        return
    most_A = real[cfg.BIAS_SIGMA_A]
    if 0.0 < sigma < PRIOR_RESISTANCE:
        sigma += _KEPT_SPREAD
        per_K = told * cell[st.SOH_R_PER_K, p, i]
        sodium.remember(cell, p, i, sodium.RHO, per_K, told - cell[st.RHO, p, i], sigma * sigma, most_A)
    if 0.0 < cell[st.SOH_CAPACITY_SIGMA, p, i] < PRIOR_CAPACITY:
        square = cell[st.SOH_CAPACITY_SIGMA, p, i] * cell[st.SOH_CAPACITY_SIGMA, p, i] - UNSEEN_CAPACITY * UNSEEN_CAPACITY
        off = cell[st.SOH_CAPACITY, p, i] - cell[st.CAPACITY, p, i]
        sodium.remember(cell, p, i, sodium.C, 0.0, off, max(square, 1e-4), most_A)
    if cell[st.KEPT_BIAS_SIGMA_A, p, i] > 0.0:
        square = cell[st.KEPT_BIAS_SIGMA_A, p, i] * cell[st.KEPT_BIAS_SIGMA_A, p, i]
        off = cell[st.KEPT_BIAS_A, p, i] - cell[st.BIAS_A, p, i]
        sodium.remember(cell, p, i, sodium.B, 0.0, off, square, most_A)


@kernel
def _rested(cell: F64, p: int, i: int, k: int, loop: float, ahead_V: float, curves: F64) -> tuple[float, float]:
    """SOC at which this cell, resting, shows its voltage, and the slope there [V].

    What is left of the pairs is taken off, and what is still to come (ahead_V) put on.
    """
    pairs_V = cell[st.RHO, p, i] * (cell[st.U1, p, i] + cell[st.U2, p, i] + cell[st.U3, p, i])
    reach, temp_degC = cell[st.REACH, p, i], cell[st.TEMP, p, i]
    z = belief.soc_on(cell[st.VOLT, p, i] + pairs_V + ahead_V, loop, reach, temp_degC, k, curves)
    _, slope = belief.ocv(z, loop, reach, temp_degC, k, curves)
    return z, max(slope, 1e-3)


@kernel
def _look(cell: F64, real: F64, p: int, i: int, k: int, curves: F64) -> None:
    """A resting cell: what its voltage says of SOC by now. Each look of a rest takes the place of the one before.

    A voltage that still moves is on its way to where it will rest, about as far again as it runs ahead of its slow copy.
    """
    if cell[st.NOW_SIGMA, p, i] <= 0.0:
        cell[st.NOW_SLOW_V, p, i] = cell[st.VOLT, p, i]
    ahead_V = cell[st.VOLT, p, i] - cell[st.NOW_SLOW_V, p, i]
    cell[st.NOW_SLOW_V, p, i] += _SLOW_SHARE * ahead_V
    loop = real[st.LOOP_H, p]
    z, slope = _rested(cell, p, i, k, loop, ahead_V, curves)
    middle, _ = _rested(cell, p, i, k, 0.0, ahead_V, curves)
    half_V = math.fabs(z - middle) * slope
    square_V = _OCV_SIGMA_V * _OCV_SIGMA_V + _LOOP_ERROR * _LOOP_ERROR * half_V * half_V + ahead_V * ahead_V
    cell[st.NOW_Z, p, i], cell[st.NOW_SIGMA, p, i] = z, math.sqrt(square_V) / slope
    cell[st.NOW_AH, p, i], cell[st.NOW_ERROR_AH, p, i] = real[st.DRAWN_AH, p], real[st.DRAWN_ERROR_AH, p]


@kernel
def _join(cell: F64, p: int, i: int, k: int, kinds: F64) -> None:
    """A rest is over: a pair with the one before, when enough charge has moved in between; then it takes its place."""
    older, newer = cell[st.REST_SIGMA, p, i], cell[st.NOW_SIGMA, p, i]
    cell[st.NOW_SIGMA, p, i] = 0.0
    if older > 0.0:
        moved = (cell[st.NOW_AH, p, i] - cell[st.REST_AH, p, i]) / kinds[k, cfg.CAPACITY_AH]
        fell = cell[st.REST_Z, p, i] - cell[st.NOW_Z, p, i]
        if math.fabs(moved) < _LEAST_MOVE and newer > older:
            return  # the older rest says more
        if math.fabs(moved) >= _LEAST_MOVE and math.fabs(fell) >= 0.5 * _LEAST_MOVE:
            c = cell[st.SOH_CAPACITY, p, i]
            counted = (cell[st.NOW_ERROR_AH, p, i] - cell[st.REST_ERROR_AH, p, i]) / kinds[k, cfg.CAPACITY_AH]
            same = c * c * (older * older + newer * newer) / (fell * fell)
            known = cell[st.SOH_CAPACITY_SIGMA, p, i] * cell[st.SOH_CAPACITY_SIGMA, p, i]
            gain = known / (known + same + counted * counted / (fell * fell))
            cell[st.SOH_CAPACITY, p, i] = min(max(c + gain * (moved / fell - c), _LEAST_C), _MOST_C)
            cell[st.SOH_CAPACITY_SIGMA, p, i] = math.sqrt(max((1.0 - gain) * known, min(known, same)))
    cell[st.REST_Z, p, i], cell[st.REST_SIGMA, p, i] = cell[st.NOW_Z, p, i], newer
    cell[st.REST_AH, p, i], cell[st.REST_ERROR_AH, p, i] = cell[st.NOW_AH, p, i], cell[st.NOW_ERROR_AH, p, i]


@kernel
def _resistance(cell: F64, p: int, i: int, told: float, var: float) -> None:
    """Follow what the method says of resistance, of this variance."""
    known = cell[st.SOH_RESISTANCE_SIGMA, p, i] * cell[st.SOH_RESISTANCE_SIGMA, p, i] + _RESISTANCE_WALK_PER_MIN
    floor = max(var, _RESISTANCE_FLOOR * _RESISTANCE_FLOOR)
    gain = known / (known + _MINUTES_APART * floor)
    cell[st.SOH_RESISTANCE, p, i] += gain * (told - cell[st.SOH_RESISTANCE, p, i])
    cell[st.SOH_R_PER_K, p, i] += gain * (cell[st.LN_R_PER_K, p, i] - cell[st.SOH_R_PER_K, p, i])
    cell[st.SOH_RESISTANCE_SIGMA, p, i] = math.sqrt(max((1.0 - gain) * known, min(known, floor)))


@kernel
def step(
    method: int, cell: F64, real: F64, whole: I64, cell_map: I64, stretches: I64, kinds: F64, curves: F64, p: int, dt_ns: int
) -> None:
    """Health of the cells whose turn it is."""
    if whole[st.IS_SEEDED, p] == 0:
        return
    every = max(EVERY_NS // dt_ns, 1)
    own = spread.row_of(method, st.CAPACITY)
    alike = stretches[stretches.shape[0] - 1, cfg.STRING] == 0
    for i in range(int((whole[st.UP_NS, p] // dt_ns) % every), cell.shape[2], every):
        k = cell_map[cfg.MAP_KIND, i]
        if own >= 0:
            cell[st.SOH_CAPACITY, p, i] = cell[st.CAPACITY, p, i]
            cell[st.SOH_CAPACITY_SIGMA, p, i] = math.sqrt(cell[own, p, i] + UNSEEN_CAPACITY * UNSEEN_CAPACITY)
        elif alike and whole[st.REST_NS, p] >= RESTED_NS and cell[st.TEMP, p, i] >= _WARM_DEGC:
            _look(cell, real, p, i, k, curves)
        elif whole[st.REST_NS, p] < RESTED_NS and cell[st.NOW_SIGMA, p, i] > 0.0:
            _join(cell, p, i, k, kinds)
        told, var = spread.resistance(method, cell, p, i)
        if var >= 0.0 and math.sqrt(var) < KNOWN_RESISTANCE:
            _resistance(cell, p, i, told, var)
    if (whole[st.UP_NS, p] // dt_ns) % every == 0:
        summarise(cell, real, whole, p)


@kernel
def summarise(cell: F64, real: F64, whole: I64, p: int) -> None:
    """Pack values: the least capacity and the highest resistance, with 95 % half widths, while known of every cell."""
    least, highest, least_at, highest_at = 10.0, -1.0, 0, 0
    capacity_known, resistance_known = True, True
    for i in range(cell.shape[2]):
        if cell[st.SOH_CAPACITY, p, i] < least:
            least, least_at = cell[st.SOH_CAPACITY, p, i], i
        if cell[st.SOH_RESISTANCE, p, i] > highest:
            highest, highest_at = cell[st.SOH_RESISTANCE, p, i], i
        capacity_known = capacity_known and cell[st.SOH_CAPACITY_SIGMA, p, i] <= KNOWN_CAPACITY
        resistance_known = resistance_known and cell[st.SOH_RESISTANCE_SIGMA, p, i] <= KNOWN_RESISTANCE
    real[st.PACK_CAPACITY, p] = least if capacity_known else math.nan
    real[st.PACK_CAPACITY_BAND, p] = 1.96 * cell[st.SOH_CAPACITY_SIGMA, p, least_at] if capacity_known else math.nan
    whole[st.CAPACITY_AT, p] = least_at if capacity_known else -1
    real[st.PACK_RESISTANCE, p] = highest if resistance_known else math.nan
    real[st.PACK_RESISTANCE_BAND, p] = 1.96 * cell[st.SOH_RESISTANCE_SIGMA, p, highest_at] if resistance_known else math.nan
