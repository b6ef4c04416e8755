"""State of health: capacity and resistance of each cell relative to the model's, each with its standard deviation.

Capacity c. A method that estimates it is taken at its word. For the others, pairs of rests: between two rests the charge
dq was counted, and the voltage says how far SOC moved, dx, without any counting. Both are uncertain, so a pair says

    c = dq / dx  with  sigma^2 = (sigma_q^2 + c^2 sigma_x^2) / dx^2       (total least squares in its effective-variance form)

and is joined with what was known by the variances. The error of the OCV curve at the two ends of a cycle is the same in
every cycle: no number of pairs makes c surer than one pair without noise, which is the floor. Gain error of the current
sensor is invisible here: c carries it whole.

Resistance. The methods' scale rho, followed slowly while load makes it known; it refers to the tables at the cell's own
temperature and SOC, so it is the same number at any temperature.

Each cell has its turn once a minute. Sources: Plett, J. Power Sources 196 (2011) 2319-2331 (AWTLS; why ordinary least
squares is biased); figures: docs/health.md.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import spread
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

EVERY_NS = 60_000_000_000
RESTED_NS = 600_000_000_000
PRIOR_CAPACITY, PRIOR_RESISTANCE = 0.2, 0.5  # standard deviations of a cell of which nothing is known
KNOWN_CAPACITY, KNOWN_RESISTANCE = 0.06, 0.15  # up to which they are told
_LEAST_MOVE = 0.3  # of SOC, between two rests
_LEAST_C, _MOST_C = 0.4, 1.3
_WARM_DEGC = 10.0
_OCV_SIGMA_V, _NOISE_V, _LOOP_ERROR = 0.012, 0.003, 0.2
_RESISTANCE_FLOOR, _RESISTANCE_WALK_PER_MIN = 0.02, 1e-6  # standard deviation; variance
_MINUTES_APART = 10.0  # so many samples of rho, a minute apart, are worth one


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
def rested_soc(cell: F64, p: int, i: int, k: int, curves: F64) -> tuple[float, float, float]:
    """SOC at which this cell, resting, shows its voltage; slope there [V]; half the width of the loop there [V].

    What is left of the pairs is taken off. By bisection: the curve rises on both branches.
    """
    h = cell[st.H, p, i]
    pairs_V = cell[st.RHO, p, i] * (cell[st.U1, p, i] + cell[st.U2, p, i] + cell[st.U3, p, i])
    volt, warm_K = cell[st.VOLT, p, i] + pairs_V, cell[st.TEMP, p, i] - 25.0
    low, high = 0, cfg.N_X - 1
    while high - low > 1:
        g = (low + high) // 2
        if curves[k, cfg.MEAN_V, g] + h * curves[k, cfg.HALF_V, g] + warm_K * curves[k, cfg.DUDT, g] <= volt:
            low = g
        else:
            high = g
    g = low
    low_V = curves[k, cfg.MEAN_V, g] + h * curves[k, cfg.HALF_V, g] + warm_K * curves[k, cfg.DUDT, g]
    high_V = curves[k, cfg.MEAN_V, g + 1] + h * curves[k, cfg.HALF_V, g + 1] + warm_K * curves[k, cfg.DUDT, g + 1]
    rise_V = max(high_V - low_V, 1e-9)
    x = cfg.X_LOW + cfg.X_STEP * (g + min(max((volt - low_V) / rise_V, 0.0), 1.0))
    reach = cell[st.REACH, p, i]
    return 1.0 - (1.0 - x) * reach, rise_V / (cfg.X_STEP * reach), curves[k, cfg.HALF_V, g]


@kernel
def _capacity(cell: F64, real: F64, p: int, i: int, k: int, kinds: F64, curves: F64) -> None:
    """A rest: a pair with the last one when enough charge has moved in between; then this rest takes its place."""
    z, slope, half_V = rested_soc(cell, p, i, k, curves)
    fixed = math.sqrt(_OCV_SIGMA_V * _OCV_SIGMA_V + _LOOP_ERROR * _LOOP_ERROR * half_V * half_V) / slope
    noise = _NOISE_V / slope
    sigma = math.sqrt(fixed * fixed + noise * noise)
    if cell[st.REST_SIGMA, p, i] > 0.0:
        moved = (real[st.DRAWN_AH, p] - cell[st.REST_AH, p, i]) / kinds[k, cfg.CAPACITY_AH]
        fell = cell[st.REST_Z, p, i] - z
        if math.fabs(moved) >= _LEAST_MOVE and math.fabs(fell) >= 0.5 * _LEAST_MOVE:
            c = cell[st.SOH_CAPACITY, p, i]
            counted = (real[st.DRAWN_ERROR_AH, p] - cell[st.REST_ERROR_AH, p, i]) / kinds[k, cfg.CAPACITY_AH]
            both = sigma * sigma + cell[st.REST_SIGMA, p, i] * cell[st.REST_SIGMA, p, i]
            one = (counted * counted + c * c * both) / (fell * fell)
            known = cell[st.SOH_CAPACITY_SIGMA, p, i] * cell[st.SOH_CAPACITY_SIGMA, p, i]
            gain = known / (known + one)
            cell[st.SOH_CAPACITY, p, i] = min(max(c + gain * (moved / fell - c), _LEAST_C), _MOST_C)
            floor = c * c * both * (fixed * fixed) / (sigma * sigma * fell * fell)
            cell[st.SOH_CAPACITY_SIGMA, p, i] = math.sqrt(max((1.0 - gain) * known, min(known, floor)))
        elif math.fabs(moved) >= 0.02 and sigma > cell[st.REST_SIGMA, p, i]:
            return  # the older rest says more
    cell[st.REST_Z, p, i], cell[st.REST_SIGMA, p, i] = z, sigma
    cell[st.REST_AH, p, i], cell[st.REST_ERROR_AH, p, i] = real[st.DRAWN_AH, p], real[st.DRAWN_ERROR_AH, p]


@kernel
def _resistance(cell: F64, p: int, i: int, row: int) -> None:
    """Follow the method's scale. row: where its variance stands."""
    known = cell[st.SOH_RESISTANCE_SIGMA, p, i] * cell[st.SOH_RESISTANCE_SIGMA, p, i] + _RESISTANCE_WALK_PER_MIN
    floor = max(cell[row, p, i], _RESISTANCE_FLOOR * _RESISTANCE_FLOOR)
    gain = known / (known + _MINUTES_APART * floor)
    cell[st.SOH_RESISTANCE, p, i] += gain * (cell[st.RHO, p, i] - cell[st.SOH_RESISTANCE, p, i])
    cell[st.SOH_RESISTANCE_SIGMA, p, i] = math.sqrt(max((1.0 - gain) * known, min(known, floor)))


@kernel
def step(
    method: int, cell: F64, real: F64, whole: I64, cell_map: I64, stretches: I64, kinds: F64, curves: F64, p: int, dt_ns: int
) -> None:
    """Health of the cells whose turn it is."""
    if whole[st.IS_SEEDED, p] == 0:
        return
    every = max(EVERY_NS // dt_ns, 1)
    own, rho = spread.row_of(method, st.CAPACITY), spread.row_of(method, st.RHO)
    alike = stretches[stretches.shape[0] - 1, cfg.STRING] == 0
    for i in range(int((whole[st.UP_NS, p] // dt_ns) % every), cell.shape[2], every):
        k = cell_map[cfg.MAP_KIND, i]
        if own >= 0:
            cell[st.SOH_CAPACITY, p, i] = cell[st.CAPACITY, p, i]
            cell[st.SOH_CAPACITY_SIGMA, p, i] = math.sqrt(cell[own, p, i])
        elif alike and whole[st.REST_NS, p] >= RESTED_NS and cell[st.TEMP, p, i] >= _WARM_DEGC:
            _capacity(cell, real, p, i, k, kinds, curves)
        if rho >= 0 and math.sqrt(cell[rho, p, i]) < KNOWN_RESISTANCE:
            _resistance(cell, p, i, rho)
    if (whole[st.UP_NS, p] // dt_ns) % every == 0:
        summarise(cell, real, whole, p)


@kernel
def summarise(cell: F64, real: F64, whole: I64, p: int) -> None:
    """Pack values: the least capacity and the highest resistance, with 95 % half widths, once those of every cell are known."""
    least, highest, least_at, highest_at = 10.0, -1.0, 0, 0
    capacity_known, resistance_known = True, True
    for i in range(cell.shape[2]):
        if cell[st.SOH_CAPACITY, p, i] < least:
            least, least_at = cell[st.SOH_CAPACITY, p, i], i
        if cell[st.SOH_RESISTANCE, p, i] > highest:
            highest, highest_at = cell[st.SOH_RESISTANCE, p, i], i
        capacity_known = capacity_known and cell[st.SOH_CAPACITY_SIGMA, p, i] <= KNOWN_CAPACITY
        resistance_known = resistance_known and cell[st.SOH_RESISTANCE_SIGMA, p, i] <= KNOWN_RESISTANCE
    if capacity_known:
        real[st.PACK_CAPACITY, p] = least
        real[st.PACK_CAPACITY_BAND, p] = 1.96 * cell[st.SOH_CAPACITY_SIGMA, p, least_at]
        whole[st.CAPACITY_AT, p] = least_at
    if resistance_known:
        real[st.PACK_RESISTANCE, p] = highest
        real[st.PACK_RESISTANCE_BAND, p] = 1.96 * cell[st.SOH_RESISTANCE_SIGMA, p, highest_at]
