"""Packs on a test stand: bare cells behind contacts, driven by prescribed currents; for tests of the plant."""

from __future__ import annotations

from firmware_sim.types import F64
from hil.plant import cell as c
from hil.plant import contactor, load
from hil.plant import pack as pk
from hil.plant.cellfile import Cell
from hil.plant.packfile import Analog, Contactors, Link, Pack, Sensors, Spread, Surroundings
from hil.plant.plant import Initial, Plant, build, empty_demand

NOTE = {"source": "none: cells on a bench", "confidence": "assumption"}


def bare(cell: Cell, series: int = 1, strings: int = 1, **link: float) -> Pack:
    """Equal cells behind contactors, with a link that takes next to nothing."""
    return Pack(
        format=1,
        name="bare",
        title="Bare",
        cell=cell.name,
        calibration="none",
        series=series,
        strings=strings,
        ntc_cells=[0],
        spread=Spread(capacity_share=0.0, resistance_share=0.0, soc=0.0, ocv_V=0.0, **NOTE),
        contactors=Contactors(close_ms=1.0, open_ms=1.0, contact_ohm=1e-6, precharge_ohm=50.0, busbar_ohm=0.0, **NOTE),
        link=Link(**{"capacitance_F": 1e-12, "bleed_ohm": 1e15, **link}, **NOTE),
        sensors=Sensors(cell=Analog(), ntc=Analog(), shunt=Analog(), pack=Analog(), link=Analog(), **NOTE),
        surroundings=Surroundings(insulation_kohm=1e4, supply_V=12.0, **NOTE),
    )


class Stand:
    """A pack at rest, driven by prescribed currents. closed: both main contacts are, and the link is at the pack's voltage."""

    def __init__(self, pack: Pack, cell: Cell, dt_ms: int, soc: float = 0.6, n: int = 1, closed: bool = True) -> None:
        self.plant: Plant = build(pack, cell, Initial(soc=soc), dt_ms * 1_000_000, 0, n)
        self.dt_s, self.t_ns = dt_ms * 1e-3, 0
        self.demand = empty_demand()
        if closed:
            for main in (contactor.MAIN_PLUS, contactor.MAIN_MINUS):
                self.close(main)
            self.plant.pack[pk.LINK_V] = self.plant.pack[pk.PACK_V]

    def close(self, which: int) -> None:
        """Close a contact at once."""
        self.plant.block[contactor.CLOSED, :, which] = self.plant.block[contactor.COIL, :, which] = 1

    def step(self, current_A: float | None = None) -> None:
        """One tick, at a current or without a load."""
        self.demand[0, load.KIND] = load.NONE if current_A is None else load.CURRENT
        self.demand[0, load.VALUE] = 0.0 if current_A is None else current_A
        self.plant.step(self.t_ns, self.demand)
        self.t_ns += self.plant.dt_ns

    def isothermal(self) -> None:
        """Cells that no heat can warm."""
        self.plant.par[c.HEAT_CAPACITY] = 1e30

    def cell(self, row: int) -> F64:
        """A row of the cell state of pack 0, (string, cell)."""
        return self.plant.cells[row, 0]
