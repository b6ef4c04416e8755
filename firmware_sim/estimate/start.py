"""What SOC to start from after a reset: the stored one, or the first voltage; and the state that every method starts with."""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.jit import kernel
from firmware_sim.types import F64


@kernel
def choose(cell: F64, p: int, i: int, k: int, real: F64, curves: F64, stored: bool) -> tuple[float, float]:
    """SOC and its standard deviation to start cell i, of kind k, from. stored: NVM holds an SOC."""
    if stored:
        return cell[st.NVM_Z, p, i], math.sqrt(cell[st.NVM_VAR, p, i]) + real[cfg.STORED_SIGMA]
    return belief.soc_of(cell[st.VOLT, p, i], k, cell[st.REACH, p, i], curves), real[cfg.START_SIGMA]


@kernel
def begin(cell: F64, p: int, i: int, z: float, sigma: float) -> None:
    """SOC of cell i with its standard deviation; capacity and resistance as in the tables, the rest 0."""
    for row in range(st.Z, st.P + st.N_P):
        cell[row, p, i] = 0.0
    cell[st.Z, p, i] = z
    cell[st.RHO, p, i] = 1.0
    cell[st.CAPACITY, p, i] = 1.0
    cell[st.P, p, i] = sigma * sigma
