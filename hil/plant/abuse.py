"""What a cell does beyond its limits: self-heating up to runaway, gas, a current-interrupt device that opens.

One reaction stands for all that burn: its rate is Arrhenius, set so that a full cell heats itself by 1 K/min at its onset
temperature, and bounded (a jelly roll burns in tens of seconds). Its heat goes into the cell's own lump and from there to
the neighbours, so runaway spreads, or does not, by the pack's conductances. Gas comes with the reaction and with charge
above the cell's absolute limit.
"""

from __future__ import annotations

from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64
from hil.plant import cell as c
from hil.plant.cell import ZERO_DEGC_K

# Columns of row ABUSE. WATCH_DEGC: below it nothing reacts; ONSET_PER_S: rate at the onset; OVER_GAS: per Ah charged
# above GASES_V.
WATCH_DEGC, ONSET_PER_K, ACTIVATION_K, ONSET_PER_S, HEAT_J_PER_AH, GAS_PER_AH, OVER_GAS_PER_AH, CID_MOL, GASES_V = range(9)
# Fastest reaction [1/s]: a cell burns in 20 s at least, which gives the 20 K/s that modules showed (Wu et al., Applied
# Energy 413, 2026: 21 degC/s).
_FASTEST_PER_S = 0.05


@kernel
def step(cells: F64, par: F64, nodes: F64, p: int, s: int, dt_s: float) -> None:
    """Let the cells of a string react for dt; adds to their heat of this tick. Call before the thermal step."""
    for i in range(cells.shape[3]):
        row = nodes[int(par[c.KIND, p, s, i]), c.ABUSE]
        temp_degC = cells[c.TEMP_DEGC, p, s, i]
        current_A = cells[c.CELL_A, p, s, i]
        if temp_degC > row[WATCH_DEGC] and row[HEAT_J_PER_AH] > 0.0:
            _react(cells, par, row, p, s, i, temp_degC, dt_s)
        if current_A < 0.0 and cells[c.INNER_V, p, s, i] > row[GASES_V]:
            cells[c.GAS_MOL, p, s, i] -= row[OVER_GAS_PER_AH] * current_A * dt_s / 3600.0
        if row[CID_MOL] > 0.0 and cells[c.GAS_MOL, p, s, i] >= row[CID_MOL]:
            cells[c.OPENED, p, s, i] = 1.0


@kernel
def _react(cells: F64, par: F64, row: F64, p: int, s: int, i: int, temp_degC: float, dt_s: float) -> None:
    per_K = 1.0 / (min(temp_degC, 1500.0) + ZERO_DEGC_K)
    rate_per_s = min(row[ONSET_PER_S] * exp(min(row[ACTIVATION_K] * (row[ONSET_PER_K] - per_K), 50.0)), _FASTEST_PER_S)
    left, share = 1.0 - cells[c.REACTED, p, s, i], 1.0 - exp(-rate_per_s * dt_s)
    if left <= 0.0:
        return
    done = left * share
    # charge burns with the cell, so what is left says how full it was
    soc = min(max(cells[c.Q_AH, p, s, i] / (c.capacity_Ah(cells, par, p, s, i) * left), 0.0), 1.2)
    cells[c.Q_AH, p, s, i] *= 1.0 - share
    cells[c.REACTED, p, s, i] += done
    cells[c.GAS_MOL, p, s, i] += done * row[GAS_PER_AH] * par[c.CAPACITY_AH, p, s, i]
    cells[c.HEAT_W, p, s, i] += done * soc * row[HEAT_J_PER_AH] * par[c.CAPACITY_AH, p, s, i] / dt_s
