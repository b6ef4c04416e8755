"""All that the firmware remembers, as a few blocks with named rows: copy, save, restore and compare are one line each.

Kernels take the blocks and change them in place. The block `nvm` survives a reset (nvm.py), and row NVM_LATCHED of `limit`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from firmware_sim.types import F64, I64, U8

# Rows of `cell`, (row, pack, cell). First the estimate: SOC, voltages of three RC pairs, hysteresis, resistance scale, capacity
# relative to the model's, error of the current and of the OCV curve here; the upper triangle of its covariance, N_P rows from P
# on, in an order of the method's own, the variance of SOC first. Then belief tables at this temperature, the last sample, what
# goes out, and from STRING_A on what foresight has learnt of resistance (firmware_sim.power.learn). From ROW and GAIN on what a
# correction works with, from CURVE_V on the error of the OCV curve where it stays. TOLD: deviation of SOC that the voltage
# leaves where the curve is flat, TOLD_THEN and DRIFT its parts; SHOWN_V: rested voltage as it shows, a mean over SHOWN_S.
# SWING_V, SWING_DROP_V: means of voltage and drop over SWING_S; SWING_SOC: how far SOC has fallen beside its mean.
(
    Z, U1, U2, U3, H, RHO, CAPACITY, BIAS_A, OFF_V,
    P,
) = range(10)  # fmt: skip
N_P = 153
(
    R0, R1, R2, REACH, PER_I0, PER_RATE, REACH_PER_K, LN_R_PER_K,
    VOLT, TEMP, SAMPLE_A, EQUAL_NS,
    SINCE_S, SINCE_SOC, LOOP_KEPT, DROP_V, SLOW_A, HEAT_K, NIS, SLOPE_V, TOLD, TOLD_THEN, DRIFT, SHOWN_V, SHOWN_S, TEMP_OFF_K,
    REACH_OFF, SWING_V, SWING_DROP_V, SWING_SOC,
    Z_OUT, BAND, AVAILABLE,
    ROW,
) = range(P + N_P, P + N_P + 34)  # fmt: skip
GAIN = ROW + 17
CURVE_V = GAIN + 17
# What memory told at the start: SOC and its standard deviation, error of the current. Then health, the same for every method:
# capacity and resistance relative to the model's with their standard deviations, and by what share a kelvin changed the
# resistance where it was seen [1/K]; the last rest (SOC, its standard deviation,
# charge drawn until then and its error [Ah]), and the present one likewise, with a slow copy of its voltage. Then the trend:
# how far SOC lay from that of the sisters at the anchor, and what a month has taken since [share]. Then the reference, see
# estimate/reference.py: SOC and its variance at its anchor and charge given since then [Ah]; of the string, in the column of
# its first cell, charge [Ah] and time counted since then, and variances [Ah^2] of the count and of what moved unseen.
# RATE_NOW: resistance at the present current relative to the tables'.
_HEALTH = CURVE_V + 9
(
    KEPT_Z, KEPT_SIGMA, KEPT_BIAS_A, KEPT_BIAS_SIGMA_A,
    SOH_CAPACITY, SOH_CAPACITY_SIGMA, SOH_RESISTANCE, SOH_RESISTANCE_SIGMA, SOH_R_PER_K,
    REST_Z, REST_SIGMA, REST_AH, REST_ERROR_AH,
    NOW_Z, NOW_SIGMA, NOW_AH, NOW_ERROR_AH, NOW_SLOW_V, TREND_D, LEAK, LEAK_SIGMA,
    ANCHOR_Z, ANCHOR_VAR, GIVEN_AH, COUNTED_AH, COUNTED_S, COUNTED_VAR, UNSEEN_VAR, RATE_NOW,
) = range(_HEALTH, _HEALTH + 29)  # fmt: skip
# What foresight has learnt of resistance from the load (firmware_sim.power.learn).
_FORESIGHT = _HEALTH + 29
(
    STRING_A, LEARN_AGE_S, LEARNT, ANCHOR_V, ANCHOR_FAST_V, ANCHOR_SLOW_V, MEAN_V, MEAN_FAST_V, MEAN_SLOW_V,
    INFO_FF, INFO_FS, INFO_SS, INFO_F, INFO_S, RHO_FAST, RHO_SLOW, VAR_FF, VAR_FS, VAR_SS, SHOWN_FAST, SHOWN_SLOW, SHOWN_PER_K,
) = range(_FORESIGHT, _FORESIGHT + 22)  # fmt: skip
N_CELL = _FORESIGHT + 22

# Rows of `ntc`, (row, pack, sensor): last valid reading and its slow copy for the rate.
NTC_DEGC, NTC_SLOW_DEGC = range(2)
N_NTC = 2

# Rows of `real`, (row, pack).
(
    CURRENT_A, PACK_V, LINK_V, STRING_V, SOC, SOC_MIN, SOC_MAX, SOC_BAND, SOC_AVAILABLE, REMAINING_AH,
    DISCHARGE_LIMIT_A, CHARGE_LIMIT_A, CELL_MAX_V, CELL_MIN_V, TEMP_MAX_DEGC, TEMP_MIN_DEGC,
    EDGE_A, EDGE_V, DIRECTION_SCORE, CHARGE_LIMIT_V, DISCHARGE_LIMIT_V,
) = range(21)  # fmt: skip
# Zero of the current sensor as learned, and what is taken off the reading in this tick; charge that went in and out; charge
# drawn from one string since power-on, and its error; full cycles; pack values of health and trend, NaN while not known; where
# the charge counted so far has brought the loop, -1 after discharge ... +1 after charge.
(
    ZERO_A, OFFSET_A, IN_AH, OUT_AH, DRAWN_AH, DRAWN_ERROR_AH, FULL_CYCLES,
    PACK_CAPACITY, PACK_CAPACITY_BAND, PACK_RESISTANCE, PACK_RESISTANCE_BAND,
    IMBALANCE, IMBALANCE_RATE, PACK_LEAK, TREND_SOC, TREND_SIGMA, TREND_SPREAD, LOOP_H,
) = range(21, 39)  # fmt: skip
# Foresight: mean current, energies, times; the pack as a source at the start of a charge. UNSEEN_H: for how long nobody has
# told the current while contacts could carry it. From PULSE_A and PULSE_W on 8 rows each, limits of discharge for 2, 10, 30 s
# and continuously, then those of charge.
(
    AVERAGE_A, ENERGY_WH, ENERGY_SHARE, ROOM_WH, EMPTY_MIN, FULL_MIN, EMPTY_REFERENCE_MIN, FULL_REFERENCE_MIN,
    START_EMF_V, START_OHM, UNSEEN_H, PULSE_A,
) = range(39, 51)  # fmt: skip
PULSE_W = PULSE_A + 8
N_REAL = PULSE_W + 8

# Values of STATE.
INIT, STANDBY, PRECHARGE, RUN, CHARGE, ERROR, OPENING = range(7)

# Rows of `whole`, (row, pack), int64.
(
    STATE, STATE_NS, PHASE, PHASE_NS, PLUS, MINUS, PRE, TARGET, TRIES, WAS_LOW, RESET_LEVEL, RESET_EDGE,
    OPEN_NOW, NO_CHARGE, NO_DISCHARGE, FAULT_CODE, WORST_TIER, PENDING, UP_NS, OPEN_NS, COMMAND_NS,
    PRECHARGE_FAILED, PRECHARGE_TOO_FAST, INIT_TIMEOUT, DATA_READY_NS, SINCE_TRY_NS,
    CELL_MAX_AT, CELL_MIN_AT, TEMP_MAX_AT, TEMP_MIN_AT, IS_SEEDED,
    UP_S,
) = range(32)  # fmt: skip
# Memory: the next piece to write, the CRC so far, the newest copy and its sequence number, whether one was found at the start.
# Counters: time switched on and off, rest without current, events; the trend's anchor; cells that are worst.
(
    NVM_PIECE, NVM_CRC, NVM_COPY, NVM_SEQUENCE, NVM_FOUND,
    ON_NS, PARKED_NS, ON_HOURS, REST_NS, DEEP_COUNT, OVER_COUNT, UNDER_COUNT, EVENTS_NOW,
    TREND_SET, TREND_AT_NS, LEAK_AT, CAPACITY_AT, FORESEEN,
) = range(32, 50)  # fmt: skip
N_WHOLE = 50

# Rows of `limit`, (row, pack, limit row), int64. TIMER_NS is -1 while the condition is good.
TIMER_NS, ACTIVE, ACTIVE_NS, NVM_LATCHED = range(4)
N_LIMIT = 4

# Rows of `link`, (row, pack, slot), int64: E2E receiver of each slot. SAMPLE_NS: time between its last two good frames.
E2E_STATE, LAST_COUNTER, WINDOW, N_SEEN, HEARD_NS, SAMPLE_NS, FRESH, LAST_RESULT, N_ERRORS = range(9)
N_LINK = 9


@dataclass
class FirmwareState:
    """State of n devices; see the row names above.

    value, valid: (pack, rx signal), last decoded physical values and whether the last frame held one.
    quantity, known: (quantity, pack), what the limits are applied to.  nvm: (copy, pack, word), see nvm.py.
    out: (pack, tx signal) physical values to send.  sender: see wire.send.
    """

    cell: F64
    ntc: F64
    real: F64
    whole: I64
    limit: I64
    link: I64
    value: F64
    valid: U8
    quantity: F64
    known: U8
    out: F64
    nvm: I64
    sender: I64

    def copy(self) -> FirmwareState:
        """An independent copy."""
        return FirmwareState(*(getattr(self, f.name).copy() for f in fields(self)))

    def restore(self, saved: FirmwareState) -> None:
        """Put a saved state back, in place."""
        for f in fields(self):
            getattr(self, f.name)[...] = getattr(saved, f.name)

    def state_hash(self) -> str:
        """SHA-256 over all blocks."""
        digest = hashlib.sha256()
        for f in fields(self):
            digest.update(np.ascontiguousarray(getattr(self, f.name)).tobytes())
        return digest.hexdigest()
