"""Where a method keeps the variance of what it estimates besides SOC."""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import ekf_r, sodium
from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64


@kernel
def row_of(method: int, row: int) -> int:
    """Row of `cell` with the variance of CAPACITY, RHO or BIAS_A; -1 where a method does not estimate it."""
    if method == cfg.EKF_R and row == st.RHO:
        return ekf_r.P44
    if method == cfg.SODIUM:
        if row == st.RHO:
            return sodium.at(sodium.RHO, sodium.RHO)
        if row == st.BIAS_A:
            return sodium.at(sodium.B, sodium.B)
        if row == st.CAPACITY:
            return sodium.at(sodium.C, sodium.C)
    return -1


@kernel
def resistance(method: int, cell: F64, p: int, i: int) -> tuple[float, float]:
    """Resistance of cell i relative to the tables at what its sensor reads, and its variance; -1 where a method has none.

    A method that holds the sensor to be off by t says rho(t) exp(t d ln R/dT): load shows the product better than its parts.
    """
    rho = cell[st.RHO, p, i]
    if method == cfg.EKF_R:
        return rho, cell[ekf_r.P44, p, i]
    if method != cfg.SODIUM:
        return 1.0, -1.0
    per_K = cell[st.LN_R_PER_K, p, i]
    moved, g = exp(per_K * cell[st.TEMP_OFF_K, p, i]), rho * per_K
    var = cell[sodium.at(sodium.RHO, sodium.RHO), p, i] + g * g * cell[sodium.at(sodium.T, sodium.T), p, i]
    var += 2.0 * g * cell[sodium.at(sodium.RHO, sodium.T), p, i]
    return rho * moved, max(var, 0.0) * moved * moved
