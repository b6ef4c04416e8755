"""Where a method keeps the variance of what it estimates besides SOC."""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import ekf_r, sodium
from firmware_sim.jit import kernel


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
