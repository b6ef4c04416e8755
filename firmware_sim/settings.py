"""What a calibration decodes to: plain arrays, because limits and tables are arguments of kernels, never globals."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import Layout

# Columns of `limits`, one row a limit.
QUANTITY, SIDE, TIER, WHEN, DEBOUNCE_NS, CLEAR_NS, DELAY_NS, REACTION, LATCH, CODE, FLAG = range(11)
N_LIMIT_COLUMNS = 11
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
    N_STRINGS,
) = range(21)  # fmt: skip
N_WHOLE_SETTINGS = 21

# Settings that are real numbers.
(
    CAPACITY_AH, HYST_DECAY, TAU1_S, TAU2_S,
    CELL_SIGMA_V, MODEL_V2S, R_ERROR_SHARE, CURRENT_ERROR_SHARE, CURRENT_ERROR_A, CURRENT_CORRELATION_S,
    START_SIGMA, HYST_SIGMA, RC_NOISE_V2_PER_S, STORED_SIGMA, RHO_SIGMA, RHO_WALK_PER_S, BAND_FLOOR,
    REST_A, PRE_LINK_SHARE, PRE_END_A, PRE_FAST_SHARE, OPEN_MAX_A, STUCK_STEP_A, DIRECTION_STEP_A,
    RATE_TAU_S, CHARGE_STOP_V, CHARGE_TAPER_V, DISCHARGE_STOP_V, DISCHARGE_TAPER_V,
    CHARGE_MAX_V, DISCHARGE_MIN_V,
) = range(31)  # fmt: skip
N_REAL_SETTINGS = 31

# Rows of `power`, (row, temperature): allowed magnitudes over temperature.
POWER_DEGC, POWER_CHARGE_A, POWER_DISCHARGE_A = range(3)

# Belief tables: rows of `curves` (row, grid over x), columns of `ln_r` (3 temperature + pair, grid), rows of `nodes`.
MEAN_V, HALF_V, DUDT = range(3)
X_LOW, X_STEP, N_X = -0.25, 0.005, 301
N_RX = 101
INVERSE_K, REACH_DEGC, REACH_SHARE = range(3)

# Received signals by role; `rx` holds the signal's row in the rx layout, -1 where the network has none.
(
    RX_CURRENT, RX_PACK_V, RX_LINK_V, RX_PLUS, RX_MINUS, RX_PRE, RX_HVIL, RX_EMERGENCY, RX_SUPPLY, RX_INSULATION,
    RX_MODE, RX_RESET, RX_CHARGER,
) = range(13)  # fmt: skip
N_RX_ROLES = 13
# Rows of `cell_map`, (row, cell), and of `ntc_map`, (row, sensor).
MAP_SIGNAL, MAP_SLOT, MAP_NTC = range(3)

# Sent signals by role; `tx` holds the signal's row in the tx layout, -1 where the network has none.
(
    TX_PLUS, TX_MINUS, TX_PRE, TX_STATE, TX_FAULT_CODE, TX_WORST_TIER, TX_PENDING, TX_CHARGE_OK, TX_DISCHARGE_OK,
    TX_TRIES, TX_UPTIME, TX_DISCHARGE_A, TX_CHARGE_A, TX_CHARGE_V, TX_DISCHARGE_V, TX_SOC, TX_SOC_MIN, TX_SOC_MAX,
    TX_SOC_BAND, TX_SOC_AVAILABLE, TX_REMAINING, TX_CURRENT, TX_PACK_V, TX_LINK_V, TX_CELL_MAX, TX_CELL_MIN,
    TX_CELL_MAX_AT, TX_CELL_MIN_AT, TX_TEMP_MAX, TX_TEMP_MIN, TX_TEMP_MAX_AT, TX_TEMP_MIN_AT, TX_CELL_SOC,
) = range(33)  # fmt: skip
N_TX_ROLES = 33


@dataclass(frozen=True)
class Settings:
    """A calibration, bound to a network and a pack.

    limits: (n_limits, 11) int64.  thresholds: (n_limits, 2).  whole: int64 settings.  real: float settings.
    power: (3, n).  curves: (3, 301).  ln_r: (3 n, 101).  nodes: (3, n).  n_nodes: (2,) int64, temperatures of
    ln_r and points of reach.  rx, tx: roles.  cell_map: (3, n_cells).  ntc_map: (2, n_ntc).  slot_group: (n_rx_slots,).
    rx_layout, tx_layout: wire tables.  codes: names of the limit rows.
    """

    limits: I64
    thresholds: F64
    whole: I64
    real: F64
    power: F64
    curves: F64
    ln_r: F64
    nodes: F64
    n_nodes: I64
    rx: I64
    tx: I64
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
    def n_ntc(self) -> int:
        """Temperature sensors."""
        return int(self.ntc_map.shape[1])
