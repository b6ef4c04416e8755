"""Heat in a string: each cell a lump, coupled to its neighbours and to the coolant, with what a heater puts in."""

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
    PAD_W,
    SCALARS,
    TEMP_DEGC,
)


@kernel
def step(
    cells: F64, par: F64, nodes: F64, p: int, s: int, coolant_degC: float, flow: float, heater_W: float, dt_s: float
) -> None:
    """Explicit Euler step of a string's temperatures.

    C dT/dt = heat + heater + pad + G_n (T_left + T_right - 2 T) + flow cooling G_c (T_coolant - T). flow: 1 with the fan or
    pump at its nominal speed, 0 when it stands. The parameter COOLING is 1 for a cell that the coolant reaches, 0 when its
    way is blocked; PAD_W is heat from outside. heater_W: of the pack's heater, per cell.
    """
    n = cells.shape[3]
    from_left_W = 0.0
    for i in range(n):
        scalars = nodes[int(par[KIND, p, s, i]), SCALARS]
        own = cells[TEMP_DEGC, p, s, i]
        from_right_W = 0.0
        if i + 1 < n:
            # between cells of two kinds the poorer contact counts, so that what one gives the other gets
            other_W_per_K = nodes[int(par[KIND, p, s, i + 1]), SCALARS, NEIGHBOUR_W_PER_K]
            from_right_W = min(scalars[NEIGHBOUR_W_PER_K], other_W_per_K) * (cells[TEMP_DEGC, p, s, i + 1] - own)
        gain_W = cells[HEAT_W, p, s, i] + from_left_W + from_right_W + heater_W + par[PAD_W, p, s, i]
        gain_W += flow * par[COOLING, p, s, i] * scalars[COOLANT_W_PER_K] * (coolant_degC - own)
        cells[TEMP_DEGC, p, s, i] = own + gain_W * dt_s / par[HEAT_CAPACITY, p, s, i]
        from_left_W = -from_right_W
