"""Current limits: a table over temperature, tapered to zero at the voltage limits, zero while a limit forbids it."""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64


@kernel
def table(power: F64, row: int, temp_degC: float) -> float:
    """Allowed current [A] at a temperature: linear between points, constant outside."""
    n = power.shape[1]
    if temp_degC <= power[cfg.POWER_DEGC, 0]:
        return power[row, 0]
    for j in range(1, n):
        if temp_degC <= power[cfg.POWER_DEGC, j]:
            low, high = power[cfg.POWER_DEGC, j - 1], power[cfg.POWER_DEGC, j]
            part = (temp_degC - low) / (high - low)
            return power[row, j - 1] * (1.0 - part) + power[row, j] * part
    return power[row, n - 1]


@kernel
def step(real: F64, whole: I64, power: F64, reals: F64, series: int, p: int) -> None:
    """Fill the current limits, both magnitudes, from the worst temperature and the worst cell, and the voltage window."""
    real[st.CHARGE_LIMIT_V, p] = series * reals[cfg.CHARGE_MAX_V]
    real[st.DISCHARGE_LIMIT_V, p] = series * reals[cfg.DISCHARGE_MIN_V]
    hot, cold = real[st.TEMP_MAX_DEGC, p], real[st.TEMP_MIN_DEGC, p]
    discharge_A = min(table(power, cfg.POWER_DISCHARGE_A, hot), table(power, cfg.POWER_DISCHARGE_A, cold))
    charge_A = min(table(power, cfg.POWER_CHARGE_A, hot), table(power, cfg.POWER_CHARGE_A, cold))
    room_V = reals[cfg.CHARGE_STOP_V] - real[st.CELL_MAX_V, p]
    charge_A *= min(max(room_V / reals[cfg.CHARGE_TAPER_V], 0.0), 1.0)
    room_V = real[st.CELL_MIN_V, p] - reals[cfg.DISCHARGE_STOP_V]
    discharge_A *= min(max(room_V / reals[cfg.DISCHARGE_TAPER_V], 0.0), 1.0)
    may = whole[st.IS_SEEDED, p] == 1
    real[st.CHARGE_LIMIT_A, p] = charge_A if may and whole[st.NO_CHARGE, p] == 0 else 0.0
    real[st.DISCHARGE_LIMIT_A, p] = discharge_A if may and whole[st.NO_DISCHARGE, p] == 0 else 0.0
