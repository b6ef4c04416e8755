"""Current limits: a table over temperature, tapered to zero at the voltage limits, zero while a limit forbids it.

Where a pack holds several kinds of cells each has its table and its voltages, and the least of them counts: in the cold
sodium may discharge and lithium may not be charged.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64


@kernel
def table(power: F64, k: int, row: int, temp_degC: float) -> float:
    """Allowed current [A] of kind k at a temperature: linear between points, constant outside."""
    n = power.shape[2]
    if temp_degC <= power[k, cfg.POWER_DEGC, 0]:
        return power[k, row, 0]
    for j in range(1, n):
        if temp_degC <= power[k, cfg.POWER_DEGC, j]:
            low, high = power[k, cfg.POWER_DEGC, j - 1], power[k, cfg.POWER_DEGC, j]
            part = (temp_degC - low) / (high - low)
            return power[k, row, j - 1] * (1.0 - part) + power[k, row, j] * part
    return power[k, row, n - 1]


@kernel
def step(real: F64, whole: I64, q: F64, power: F64, kinds: F64, reals: F64, p: int) -> None:
    """Fill the current limits, both magnitudes, from the worst temperature and the worst cell, and the voltage window."""
    real[st.CHARGE_LIMIT_V, p] = reals[cfg.CHARGE_MAX_V]
    real[st.DISCHARGE_LIMIT_V, p] = reals[cfg.DISCHARGE_MIN_V]
    hot, cold = real[st.TEMP_MAX_DEGC, p], real[st.TEMP_MIN_DEGC, p]
    discharge_A = charge_A = 1e9
    for k in range(kinds.shape[0]):
        row = soa.KIND_QUANTITIES * k
        kind_A = min(table(power, k, cfg.POWER_DISCHARGE_A, hot), table(power, k, cfg.POWER_DISCHARGE_A, cold))
        room_V = q[soa.CELL_V_MIN + row, p] - kinds[k, cfg.DISCHARGE_STOP_V]
        discharge_A = min(discharge_A, kind_A * min(max(room_V / kinds[k, cfg.DISCHARGE_TAPER_V], 0.0), 1.0))
        kind_A = min(table(power, k, cfg.POWER_CHARGE_A, hot), table(power, k, cfg.POWER_CHARGE_A, cold))
        room_V = kinds[k, cfg.CHARGE_STOP_V] - q[soa.CELL_V_MAX + row, p]
        charge_A = min(charge_A, kind_A * min(max(room_V / kinds[k, cfg.CHARGE_TAPER_V], 0.0), 1.0))
    may = whole[st.IS_SEEDED, p] == 1
    real[st.CHARGE_LIMIT_A, p] = charge_A if may and whole[st.NO_CHARGE, p] == 0 else 0.0
    real[st.DISCHARGE_LIMIT_A, p] = discharge_A if may and whole[st.NO_DISCHARGE, p] == 0 else 0.0
