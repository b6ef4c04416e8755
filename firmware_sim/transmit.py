"""State out: the physical values that the sender encodes."""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64


@inlined
def _put(out: F64, tx: I64, role: int, p: int, value: float) -> None:
    at = tx[role]
    if at >= 0:
        out[p, at] = value


@kernel
def fill(
    cell: F64, real: F64, whole: I64, limit: I64, out: F64, tx: I64, limits: I64, settings: I64, reals: F64, p: int
) -> None:
    """Write every outgoing value of pack p. What is not known yet stays NaN and goes out as "not available"."""
    for n in range(3):
        _put(out, tx, cfg.TX_PLUS + n, p, whole[st.PLUS + n, p])
    _put(out, tx, cfg.TX_STATE, p, whole[st.STATE, p])
    _put(out, tx, cfg.TX_FAULT_CODE, p, whole[st.FAULT_CODE, p])
    _put(out, tx, cfg.TX_WORST_TIER, p, whole[st.WORST_TIER, p])
    _put(out, tx, cfg.TX_PENDING, p, whole[st.PENDING, p])
    _put(out, tx, cfg.TX_CHARGE_OK, p, 1 - whole[st.NO_CHARGE, p])
    _put(out, tx, cfg.TX_DISCHARGE_OK, p, 1 - whole[st.NO_DISCHARGE, p])
    _put(out, tx, cfg.TX_TRIES, p, min(whole[st.TRIES, p], 7))
    _put(out, tx, cfg.TX_UPTIME, p, min(whole[st.UP_NS, p] // 1_000_000_000, 65535))
    for n in range(limits.shape[0]):
        flag = limits[n, cfg.FLAG]
        if flag >= 0:
            out[p, flag] = 0.0
    for n in range(limits.shape[0]):
        flag = limits[n, cfg.FLAG]
        if flag >= 0 and limit[st.ACTIVE, p, n] == 1:
            out[p, flag] = 1.0
    _put(out, tx, cfg.TX_DISCHARGE_A, p, real[st.DISCHARGE_LIMIT_A, p])
    _put(out, tx, cfg.TX_CHARGE_A, p, real[st.CHARGE_LIMIT_A, p])
    series = cell.shape[2] // settings[cfg.N_STRINGS]
    _put(out, tx, cfg.TX_CHARGE_V, p, series * reals[cfg.CHARGE_MAX_V])
    _put(out, tx, cfg.TX_DISCHARGE_V, p, series * reals[cfg.DISCHARGE_MIN_V])
    if whole[st.IS_SEEDED, p] == 0:
        return
    _put(out, tx, cfg.TX_SOC, p, 100.0 * real[st.SOC, p])
    _put(out, tx, cfg.TX_SOC_MIN, p, 100.0 * real[st.SOC_MIN, p])
    _put(out, tx, cfg.TX_SOC_MAX, p, 100.0 * real[st.SOC_MAX, p])
    _put(out, tx, cfg.TX_SOC_BAND, p, 100.0 * real[st.SOC_BAND, p])
    _put(out, tx, cfg.TX_SOC_AVAILABLE, p, 100.0 * real[st.SOC_AVAILABLE, p])
    _put(out, tx, cfg.TX_REMAINING, p, real[st.REMAINING_AH, p])
    _put(out, tx, cfg.TX_CURRENT, p, real[st.CURRENT_A, p])
    _put(out, tx, cfg.TX_PACK_V, p, real[st.CELL_SUM_V, p] / settings[cfg.N_STRINGS])
    _put(out, tx, cfg.TX_LINK_V, p, real[st.LINK_V, p])
    _put(out, tx, cfg.TX_CELL_MAX, p, real[st.CELL_MAX_V, p])
    _put(out, tx, cfg.TX_CELL_MIN, p, real[st.CELL_MIN_V, p])
    _put(out, tx, cfg.TX_CELL_MAX_AT, p, whole[st.CELL_MAX_AT, p])
    _put(out, tx, cfg.TX_CELL_MIN_AT, p, whole[st.CELL_MIN_AT, p])
    _put(out, tx, cfg.TX_TEMP_MAX, p, real[st.TEMP_MAX_DEGC, p])
    _put(out, tx, cfg.TX_TEMP_MIN, p, real[st.TEMP_MIN_DEGC, p])
    _put(out, tx, cfg.TX_TEMP_MAX_AT, p, whole[st.TEMP_MAX_AT, p])
    _put(out, tx, cfg.TX_TEMP_MIN_AT, p, whole[st.TEMP_MIN_AT, p])
    first = tx[cfg.TX_CELL_SOC]
    if first >= 0:
        for i in range(cell.shape[2]):
            out[p, first + i] = 100.0 * min(max(cell[st.Z, p, i], 0.0), 1.0)
