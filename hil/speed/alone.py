"""The plant alone: equal cells behind closed contactors, without sensors, wire or device."""

from __future__ import annotations

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64
from hil.plant import cell as c
from hil.plant import contactor, load, packfile
from hil.plant import pack as pk
from hil.plant.cellfile import Cell
from hil.plant.plant import Initial, Plant, build, empty_demand

_PACK = "nfm-16s-matched"
# A link that takes next to nothing, so that the current asked for is the current of the cells.
_LINK = {"capacitance_F": 1e-12, "bleed_ohm": 1e15}


@kernel
def _drive(
    t_ns: int,
    n_ticks: int,
    current_A: float,
    power_W: float,
    dt_ns: int,
    demand: F64,
    cells: F64,
    par: F64,
    strings: F64,
    pack: F64,
    pack_par: F64,
    block: I64,
    curves: F64,
    ln_r: F64,
    nodes: F64,
    decay: F64,
) -> None:
    """Run n_ticks at a current, and at a power over the voltage at the end of the last tick. See hil.plant.pack.step."""
    for k in range(n_ticks):
        demand[0, load.VALUE] = current_A + power_W / pack[pk.PACK_V, 0]
        pk.step(t_ns + k * dt_ns, dt_ns, demand, cells, par, strings, pack, pack_par, block, curves, ln_r, nodes, decay)


class Alone:
    """A string of n equal cells whose current is given tick by tick; positive discharges. branch: see hil.plant.cell, h."""

    def __init__(self, cell: Cell, dt_ns: int, at: Initial, n_cells: int = 1, branch: float = 0.0) -> None:
        pack = packfile.load(_PACK)[1]
        link = pack.link.model_copy(update=_LINK)
        pack = pack.model_copy(update={"series": n_cells, "ntc_cells": [0], "link": link})
        self.plant: Plant = build(pack, cell, at, dt_ns, 0)
        self.plant.cells[c.HYST] = branch
        self.plant.settle()
        for main in (contactor.MAIN_PLUS, contactor.MAIN_MINUS):
            self.plant.block[contactor.CLOSED, :, main] = self.plant.block[contactor.COIL, :, main] = 1
        self.plant.pack[pk.LINK_V] = self.plant.pack[pk.PACK_V]
        self._start = self.plant.cells.copy()
        self.demand = empty_demand()
        self.demand[0, load.KIND] = load.CURRENT
        self.t_ns = 0

    @property
    def voltage_V(self) -> float:
        """Voltage of the string at the end of the last tick."""
        return float(self.plant.pack[pk.PACK_V, 0])

    def rewind(self) -> None:
        """Put the cells back to their start."""
        self.plant.cells[:] = self._start

    def step(self, current_A: float) -> float:
        """One tick; the string's voltage at its end [V]."""
        self.demand[0, load.VALUE] = current_A
        self.plant.step(self.t_ns, self.demand)
        self.t_ns += self.plant.dt_ns
        return self.voltage_V

    def hold(self, current_A: float, n_ticks: int) -> F64:
        """Voltage of the string at the end of each of n ticks at one current [V]."""
        return np.array([self.step(current_A) for _ in range(n_ticks)])

    def run(self, n_ticks: int, current_A: float = 0.0, power_W: float = 0.0) -> None:
        """Run n ticks in one compiled call. power_W: drawn too; each tick's current comes from the last one's voltage."""
        p = self.plant
        _drive(
            self.t_ns, n_ticks, current_A, power_W, p.dt_ns, self.demand, p.cells, p.par, p.strings, p.pack, p.pack_par,
            p.block, p.curves, p.ln_r, p.nodes, p.decay,
        )  # fmt: skip
        self.t_ns += n_ticks * p.dt_ns
