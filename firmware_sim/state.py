"""All that the firmware remembers, as a few blocks with named rows: copy, save, restore and compare are one line each.

Kernels take the blocks and change them in place. Rows marked NVM survive a reset.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from firmware_sim.types import F64, I64, U8

# Rows of `cell`, (row, pack, cell). First the estimate: SOC, voltages of three RC pairs, hysteresis, resistance scale, capacity
# relative to the model's, error of the current and of the OCV curve; the upper triangle of its covariance, N_P rows from P on,
# in an order of the method's own, the variance of SOC first. Then belief tables at this temperature, the last sample, what goes out, and from STRING_A on what foresight has
# learnt of resistance (firmware_sim.power.learn).
(
    Z, U1, U2, U3, H, RHO, CAPACITY, BIAS_A, OFF_V,
    P,
) = range(10)  # fmt: skip
N_P = 21
(
    R0, R1, R2, REACH, PER_I0, PER_RATE,
    VOLT, TEMP, SAMPLE_A, EQUAL_NS,
    SINCE_S, SINCE_SOC, LOOP_KEPT, DROP_V, SLOW_A, HEAT_K, NIS,
    Z_OUT, BAND, AVAILABLE, CAPACITY_SIGMA, NVM_Z, NVM_VAR,
    STRING_A, LEARN_AGE_S, LEARNT, ANCHOR_V, ANCHOR_FAST_V, ANCHOR_SLOW_V, MEAN_V, MEAN_FAST_V, MEAN_SLOW_V,
    INFO_FF, INFO_FS, INFO_SS, INFO_F, INFO_S, RHO_FAST, RHO_SLOW, VAR_FF, VAR_FS, VAR_SS,
) = range(P + N_P, P + N_P + 42)  # fmt: skip
N_CELL = P + N_P + 42

# Rows of `ntc`, (row, pack, sensor): last valid reading and its slow copy for the rate.
NTC_DEGC, NTC_SLOW_DEGC = range(2)
N_NTC = 2

# Rows of `real`, (row, pack). From PULSE_A and PULSE_W on 8 rows each: limits of discharge for 2, 10, 30 s and continuously,
# then those of charge.
(
    CURRENT_A, PACK_V, LINK_V, STRING_V, SOC, SOC_MIN, SOC_MAX, SOC_BAND, SOC_AVAILABLE, REMAINING_AH,
    DISCHARGE_LIMIT_A, CHARGE_LIMIT_A, CELL_MAX_V, CELL_MIN_V, TEMP_MAX_DEGC, TEMP_MIN_DEGC,
    EDGE_A, EDGE_V, DIRECTION_SCORE, CHARGE_LIMIT_V, DISCHARGE_LIMIT_V,
    AVERAGE_A, ENERGY_WH, ENERGY_SHARE, ROOM_WH, EMPTY_MIN, FULL_MIN, EMPTY_REFERENCE_MIN, FULL_REFERENCE_MIN,
    START_EMF_V, START_OHM, PULSE_A,
) = range(32)  # fmt: skip
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
    UP_S, NVM_SAVED, NVM_WRITES, FORESEEN,
) = range(35)  # fmt: skip
N_WHOLE = 35

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
    quantity, known: (quantity, pack), what the limits are applied to.
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
