"""Heat in a string: each cell a lump, coupled to its neighbours and to the coolant."""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import F64
from hil.plant.cell import (
    COOLANT_W_PER_K,
    COOLING,
    HEAT_CAPACITY,
    HEAT_W,
    KIND,
    NEIGHBOUR_W_PER_K,
    SCALARS,
    TEMP_DEGC,
)


@kernel
def step(cells: F64, par: F64, nodes: F64, p: int, s: int, coolant_degC: float, dt_s: float) -> None:
    """Explicit Euler step of a string's temperatures.

    C dT/dt = heat + G_n (T_left + T_right - 2 T) + cooling G_c (T_coolant - T). The parameter COOLING is 1 when the
    coolant flows, 0 when it is blocked.
    """
    n = cells.shape[3]
    left = cells[TEMP_DEGC, p, s, 0]
    for i in range(n):
        scalars = nodes[int(par[KIND, p, s, i]), SCALARS]
        own = cells[TEMP_DEGC, p, s, i]
        right = cells[TEMP_DEGC, p, s, i + 1] if i + 1 < n else own
        flow_W = scalars[NEIGHBOUR_W_PER_K] * (left + right - 2.0 * own)
        flow_W += par[COOLING, p, s, i] * scalars[COOLANT_W_PER_K] * (coolant_degC - own)
        cells[TEMP_DEGC, p, s, i] = own + (cells[HEAT_W, p, s, i] + flow_W) * dt_s / par[HEAT_CAPACITY, p, s, i]
        left = own
