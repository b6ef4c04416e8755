"""What a calibration decodes to: plain arrays, because limits and tables are arguments of kernels, never globals."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim import state as st
from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import Layout

# Columns of `limits`, one row a limit. JOINS: 1 where a row above has the same flag, which is up while either is active.
QUANTITY, SIDE, TIER, WHEN, DEBOUNCE_NS, CLEAR_NS, DELAY_NS, REACTION, LATCH, CODE, FLAG, JOINS = range(12)
N_LIMIT_COLUMNS = 12
# Columns of `thresholds`.
THRESHOLD, CLEAR = range(2)
# SIDE: +1 is bad above the threshold, -1 below.
# TIER.
MOL, RSL, MSL = 1, 2, 3
# WHEN.
ALWAYS, CHARGING, NOT_CHARGING, CLOSED, OPENED = range(5)
# REACTION.
NOTHING, STOP_CHARGE, STOP_DISCHARGE, STOP_BOTH, OPEN = range(5)
# LATCH.
NO_LATCH, UNTIL_RESET, SURVIVES = range(3)

# Settings that are counts or times [ns].
(
    MAX_DELTA, E2E_WINDOW, E2E_MIN_OK, E2E_MAX_ERRORS,
    CELL_AGE_NS, TEMP_AGE_NS, CURRENT_AGE_NS, IO_AGE_NS, REQUEST_AGE_NS,
    BOOT_NS, INIT_READY_NS, INIT_TIMEOUT_NS,
    PRE_TIMEOUT_NS, PRE_MIN_NS, PRE_RETRY_NS, PRE_TRIES, CLOSE_NS, OPEN_GRACE_NS, OPEN_SETTLE_NS, SAVE_NS,
    N_STRINGS, METHOD,
) = range(22)  # fmt: skip
N_WHOLE_SETTINGS = 22

# METHOD: how SOC is estimated, by the number of its name.
METHODS = ("sodium", "counting", "ocv", "ekf", "ekf-r", "ukf")
SODIUM, COUNTING, OCV, EKF, EKF_R, UKF = range(6)

# Settings that are real numbers.
(
    CELL_SIGMA_V, MODEL_V2S, R_ERROR_SHARE, CURRENT_ERROR_SHARE, CURRENT_ERROR_A, CURRENT_CORRELATION_S,
    START_SIGMA, HYST_SIGMA, RC_NOISE_V2_PER_S, STORED_SIGMA, RHO_SIGMA, RHO_WALK_PER_S, BAND_FLOOR,
    REST_A, PRE_LINK_SHARE, PRE_END_A, PRE_FAST_SHARE, OPEN_MAX_A, STUCK_STEP_A, DIRECTION_STEP_A,
    RATE_TAU_S, CHARGE_MAX_V, DISCHARGE_MIN_V,
    OCV_SIGMA_V, OCV_SPAN, CURVE_SIGMA_V, AGE_SIGMA, CAPACITY_SIGMA, CAPACITY_WALK_PER_S, BIAS_SIGMA_A, BIAS_WALK_A2_PER_S,
    RHO_WALK_PER_SOC,
    HEAT_K_PER_W, HEAT_TAU_S, SETTLE_S, STEP_SHARE, COLD_DEGC, COLD_V_PER_K, CORRECT_S, BAND_V, BAND_SHARE, BAND_PER_K,
    FLAT_V, CURVE_SPAN,
    TEMP_SIGMA_K, TEMP_WALK_K2_PER_S, REACH_SIGMA, SWING_V2S, SLOPE_SPAN, REFERENCE_V,
    PULSE_SIGMAS, PULSE_ERROR_V, PULSE_R_SHARE, SOC_LOW, SOC_HIGH, AVERAGE_S, REFERENCE_PER_H, HORIZON_S,
) = range(58)  # fmt: skip
# Voltage and drop are held against their means over this time (sodium.py): what swings is beside them.
SWING_S = 5.0
# Horizons of the limits: 2, 10 and 30 s, and continuously; N_HORIZONS rows from HORIZON_S on. From PULSE_SHARE on one row for
# each of the first three: their currents relative to the power table's.
N_HORIZONS, CONTINUOUS = 4, 3
PULSE_SHARE = HORIZON_S + N_HORIZONS
N_REAL_SETTINGS = PULSE_SHARE + CONTINUOUS

# Kinds of cells: kind 0 are the cells that no group of the calibration names, kind n those of its n-th group.
# Columns of `kinds`, one row a kind. CAPACITY_SHARE: capacity relative to kind 0. EMPTY_SOC, FULL_SOC: what the voltage limits
# of unlike strings beside it leave of its SOC; -1 and 1 where they leave all. HEAT_J_PER_K: heat that warms a cell by a kelvin,
# 0 where it is not known. USABLE_25, MEAN_25_V: share of the capacity that a discharge at the reference rate and 25 degC
# yields,
# and its mean voltage.
(
    CAPACITY_AH, CAPACITY_SHARE, HYST_DECAY, TAU1_S, TAU2_S,
    CHARGE_STOP_V, CHARGE_TAPER_V, DISCHARGE_STOP_V, DISCHARGE_TAPER_V, EMPTY_SOC, FULL_SOC,
    R3_SHARE, TAU3_S, R0_KINETIC, RATE_REFERENCE_A, REACH_TAU_S,
    HEAT_J_PER_K, USABLE_25, MEAN_25_V,
) = range(19)  # fmt: skip
N_KIND_SETTINGS = 19
# Columns of `stretches`: neighbouring cells FIRST ... END - 1 of one KIND that carry one current. STRING: which of the unlike
# strings they belong to; 0 throughout while all strings are alike and share the pack current equally.
FIRST, END, KIND, STRING = range(4)

# Rows of `power`, (kind, row, temperature): allowed magnitudes over temperature.
POWER_DEGC, POWER_CHARGE_A, POWER_DISCHARGE_A = range(3)

# Belief tables, each with the kind in front: rows of `curves` (row, grid over x), columns of `ln_r` (3 temperature + pair,
# grid), rows of `nodes`.
MEAN_V, HALF_V, DUDT, RATE = range(4)
X_LOW, X_STEP, N_X = -0.25, 0.005, 301
Y_STEP = 0.1
N_RX = 101
INVERSE_K, REACH_DEGC, REACH_SHARE, RATE_PER_K, RATE_LN_I0 = range(5)

# Received signals by role; `rx` holds the signal's row in the rx layout, -1 where the network has none.
(
    RX_CURRENT, RX_PACK_V, RX_LINK_V, RX_PLUS, RX_MINUS, RX_PRE, RX_HVIL, RX_EMERGENCY, RX_SUPPLY, RX_INSULATION,
    RX_MODE, RX_RESET, RX_CHARGER, RX_PARKED,
) = range(14)  # fmt: skip
N_RX_ROLES = 14
# Rows of `cell_map`, (row, cell), and, the first two, of `ntc_map`, (row, sensor).
MAP_SIGNAL, MAP_SLOT, MAP_NTC, MAP_KIND = range(4)

# What the firmware sends: (name, block, row, factor, offset, needs a started estimator). REAL and WHOLE are blocks of the
# state; a row of CELL goes out for every cell, from the named signal on. `tx` holds one line for each that the network has.
REAL, WHOLE, CELL = range(3)
OUTPUTS = (
    ("BMS_MainPlusCommand", WHOLE, st.PLUS, 1.0, 0.0, False),
    ("BMS_MainMinusCommand", WHOLE, st.MINUS, 1.0, 0.0, False),
    ("BMS_PrechargeCommand", WHOLE, st.PRE, 1.0, 0.0, False),
    ("BMS_State", WHOLE, st.STATE, 1.0, 0.0, False),
    ("BMS_FaultCode", WHOLE, st.FAULT_CODE, 1.0, 0.0, False),
    ("BMS_WorstTier", WHOLE, st.WORST_TIER, 1.0, 0.0, False),
    ("BMS_ReactionPending", WHOLE, st.PENDING, 1.0, 0.0, False),
    ("BMS_ChargeAllowed", WHOLE, st.NO_CHARGE, -1.0, 1.0, False),
    ("BMS_DischargeAllowed", WHOLE, st.NO_DISCHARGE, -1.0, 1.0, False),
    ("BMS_PrechargeTries", WHOLE, st.TRIES, 1.0, 0.0, False),
    ("BMS_Uptime", WHOLE, st.UP_S, 1.0, 0.0, False),
    ("BMS_DischargeCurrentLimit", REAL, st.DISCHARGE_LIMIT_A, 1.0, 0.0, False),
    ("BMS_ChargeCurrentLimit", REAL, st.CHARGE_LIMIT_A, 1.0, 0.0, False),
    ("BMS_ChargeVoltageLimit", REAL, st.CHARGE_LIMIT_V, 1.0, 0.0, False),
    ("BMS_DischargeVoltageLimit", REAL, st.DISCHARGE_LIMIT_V, 1.0, 0.0, False),
    ("BMS_Soc", REAL, st.SOC, 100.0, 0.0, True),
    ("BMS_SocMin", REAL, st.SOC_MIN, 100.0, 0.0, True),
    ("BMS_SocMax", REAL, st.SOC_MAX, 100.0, 0.0, True),
    ("BMS_SocBand", REAL, st.SOC_BAND, 100.0, 0.0, True),
    ("BMS_AvailableSoc", REAL, st.SOC_AVAILABLE, 100.0, 0.0, True),
    ("BMS_RemainingCharge", REAL, st.REMAINING_AH, 1.0, 0.0, True),
    ("BMS_PackCurrent", REAL, st.CURRENT_A, 1.0, 0.0, True),
    ("BMS_PackVoltage", REAL, st.STRING_V, 1.0, 0.0, True),
    ("BMS_LinkVoltage", REAL, st.LINK_V, 1.0, 0.0, True),
    ("BMS_CellVoltageMax", REAL, st.CELL_MAX_V, 1.0, 0.0, True),
    ("BMS_CellVoltageMin", REAL, st.CELL_MIN_V, 1.0, 0.0, True),
    ("BMS_CellMaxIndex", WHOLE, st.CELL_MAX_AT, 1.0, 0.0, True),
    ("BMS_CellMinIndex", WHOLE, st.CELL_MIN_AT, 1.0, 0.0, True),
    ("BMS_TemperatureMax", REAL, st.TEMP_MAX_DEGC, 1.0, 0.0, True),
    ("BMS_TemperatureMin", REAL, st.TEMP_MIN_DEGC, 1.0, 0.0, True),
    ("BMS_TemperatureMaxIndex", WHOLE, st.TEMP_MAX_AT, 1.0, 0.0, True),
    ("BMS_TemperatureMinIndex", WHOLE, st.TEMP_MIN_AT, 1.0, 0.0, True),
    ("BMS_DischargeCurrent2s", REAL, st.PULSE_A + 0, 1.0, 0.0, False),
    ("BMS_DischargePower2s", REAL, st.PULSE_W + 0, 1.0, 0.0, False),
    ("BMS_DischargeCurrent10s", REAL, st.PULSE_A + 1, 1.0, 0.0, False),
    ("BMS_DischargePower10s", REAL, st.PULSE_W + 1, 1.0, 0.0, False),
    ("BMS_DischargeCurrent30s", REAL, st.PULSE_A + 2, 1.0, 0.0, False),
    ("BMS_DischargePower30s", REAL, st.PULSE_W + 2, 1.0, 0.0, False),
    ("BMS_DischargeCurrentContinuous", REAL, st.PULSE_A + 3, 1.0, 0.0, False),
    ("BMS_DischargePowerContinuous", REAL, st.PULSE_W + 3, 1.0, 0.0, False),
    ("BMS_ChargeCurrent2s", REAL, st.PULSE_A + 4, 1.0, 0.0, False),
    ("BMS_ChargePower2s", REAL, st.PULSE_W + 4, 1.0, 0.0, False),
    ("BMS_ChargeCurrent10s", REAL, st.PULSE_A + 5, 1.0, 0.0, False),
    ("BMS_ChargePower10s", REAL, st.PULSE_W + 5, 1.0, 0.0, False),
    ("BMS_ChargeCurrent30s", REAL, st.PULSE_A + 6, 1.0, 0.0, False),
    ("BMS_ChargePower30s", REAL, st.PULSE_W + 6, 1.0, 0.0, False),
    ("BMS_ChargeCurrentContinuous", REAL, st.PULSE_A + 7, 1.0, 0.0, False),
    ("BMS_ChargePowerContinuous", REAL, st.PULSE_W + 7, 1.0, 0.0, False),
    ("BMS_RemainingEnergy", REAL, st.ENERGY_WH, 1.0, 0.0, True),
    ("BMS_EnergyShare", REAL, st.ENERGY_SHARE, 100.0, 0.0, True),
    ("BMS_EnergyToFull", REAL, st.ROOM_WH, 1.0, 0.0, True),
    ("BMS_AverageCurrent", REAL, st.AVERAGE_A, 1.0, 0.0, True),
    ("BMS_TimeToEmpty", REAL, st.EMPTY_MIN, 1.0, 0.0, True),
    ("BMS_TimeToFull", REAL, st.FULL_MIN, 1.0, 0.0, True),
    ("BMS_ReferenceTimeToEmpty", REAL, st.EMPTY_REFERENCE_MIN, 1.0, 0.0, True),
    ("BMS_ReferenceTimeToFull", REAL, st.FULL_REFERENCE_MIN, 1.0, 0.0, True),
    ("BMS_SohCapacity", REAL, st.PACK_CAPACITY, 100.0, 0.0, True),
    ("BMS_SohCapacityBand", REAL, st.PACK_CAPACITY_BAND, 100.0, 0.0, True),
    ("BMS_SohCellIndex", WHOLE, st.CAPACITY_AT, 1.0, 0.0, True),
    ("BMS_SohResistance", REAL, st.PACK_RESISTANCE, 100.0, 0.0, True),
    ("BMS_SohResistanceBand", REAL, st.PACK_RESISTANCE_BAND, 100.0, 0.0, True),
    ("BMS_Imbalance", REAL, st.IMBALANCE, 100.0, 0.0, True),
    ("BMS_ImbalanceRate", REAL, st.IMBALANCE_RATE, 100.0, 0.0, True),
    ("BMS_SelfDischarge", REAL, st.PACK_LEAK, 100.0, 0.0, True),
    ("BMS_SelfDischargeIndex", WHOLE, st.LEAK_AT, 1.0, 0.0, True),
    ("BMS_ChargedTotal", REAL, st.IN_AH, 1.0, 0.0, False),
    ("BMS_DischargedTotal", REAL, st.OUT_AH, 1.0, 0.0, False),
    ("BMS_OperatingHours", WHOLE, st.ON_HOURS, 1.0, 0.0, False),
    ("BMS_FullCycles", REAL, st.FULL_CYCLES, 1.0, 0.0, False),
    ("BMS_DeepDischarges", WHOLE, st.DEEP_COUNT, 1.0, 0.0, False),
    ("BMS_OvervoltageEvents", WHOLE, st.OVER_COUNT, 1.0, 0.0, False),
    ("BMS_UndervoltageEvents", WHOLE, st.UNDER_COUNT, 1.0, 0.0, False),
    ("CellSoc_000", CELL, st.Z_OUT, 100.0, 0.0, True),
)
# Columns of `tx`, and of `tx_scale`.
OUT_BLOCK, OUT_ROW, OUT_SIGNAL, OUT_NEEDS = range(4)
OUT_FACTOR, OUT_OFFSET = range(2)


@dataclass(frozen=True)
class Settings:
    """A calibration, bound to a network and a pack.

    limits: (n_limits, 12) int64.  thresholds: (n_limits, 2).  whole: int64 settings.  real: float settings.
    kinds: (n_kinds, 19) float settings of each kind of cells.  stretches: (n, 4) int64.  power: (n_kinds, 3, n).
    curves: (n_kinds, 3, 301).  ln_r: (n_kinds, 3 n, 101).  nodes: (n_kinds, 3, n).  n_nodes: (n_kinds, 2) int64,
    temperatures of ln_r and points of reach.  rx: roles.  cell_map: (4, n_cells).  ntc_map: (2, n_ntc).
    rx_layout, tx_layout: wire tables.  codes: names of the limit rows, those of a group as code@group.
    """

    limits: I64
    thresholds: F64
    whole: I64
    real: F64
    kinds: F64
    stretches: I64
    power: F64
    curves: F64
    ln_r: F64
    nodes: F64
    n_nodes: I64
    rx: I64
    tx: I64
    tx_scale: F64
    cell_map: I64
    ntc_map: I64
    rx_layout: Layout
    tx_layout: Layout
    codes: tuple[str, ...]

    @property
    def n_cells(self) -> int:
        """Cells that are measured one by one."""
        return int(self.cell_map.shape[1])

    @property
    def n_kinds(self) -> int:
        """Kinds of cells."""
        return int(self.kinds.shape[0])

    @property
    def n_ntc(self) -> int:
        """Temperature sensors."""
        return int(self.ntc_map.shape[1])
