"""What the plant makes of a cell file: pulses and whole discharges of one cell, many copies at a time.

The cells are those of the bench, kernel by kernel; only what stands around them is bare: contactors closed, no spread, no
sensor. A copy is one temperature and, for pulses, one SOC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_sim.types import F64, S_NS
from hil.plant import cell as c
from hil.plant import contactor, load
from hil.plant import pack as pk
from hil.plant.cellfile import Cell
from hil.plant.packfile import Analog, Contactors, Link, Pack, Sensors, Spread, Surroundings
from hil.plant.plant import Initial, Plant, build, empty_demand

PULSE_S = 10.0
_PULSE_STEPS = 100
_DISCHARGE_STEPS = 1500  # ticks of a whole discharge at its rate
_LONGEST = 1.15  # of the time that the capacity gives at that rate


@dataclass(frozen=True)
class Pulses:
    """Resistance of 10 s discharge pulses from rest.

    ohm: (temperature, soc), (rest - voltage after 10 s) / current; NaN where the cell cannot give that current.
    leaves: the voltage falls below the cell's limit in the pulse.  current_A: of the pulse.
    """

    temp_degC: tuple[float, ...]
    soc: tuple[float, ...]
    ohm: F64
    leaves: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    current_A: float


@dataclass(frozen=True)
class Discharges:
    """Charge of whole discharges, over the capacity.

    rate_per_h: current over capacity.  share: what comes out from full to the lowest voltage.  circuit: the same with all
    charge in reach, so that only the circuit's voltage drop ends it.
    """

    rate_per_h: float
    temp_degC: tuple[float, ...]
    share: F64
    circuit: F64


class Bare:
    """N copies of one cell, closed in, driven by one current."""

    def __init__(self, cell: Cell, dt_s: float, temp_degC: F64, soc: F64, branch: float) -> None:
        n = len(temp_degC)
        self.plant: Plant = build(_one(cell), cell, Initial(soc=1.0), round(dt_s * S_NS), 0, n)
        self.dt_s, self.t_ns = dt_s, 0
        self.demand = empty_demand()
        self.demand[0, load.KIND] = load.CURRENT
        for main in (contactor.MAIN_PLUS, contactor.MAIN_MINUS):
            self.plant.block[contactor.CLOSED, :, main] = self.plant.block[contactor.COIL, :, main] = 1
        self.plant.cells[c.HYST] = branch
        self.plant.cells[c.TEMP_DEGC] = temp_degC.reshape(-1, 1, 1)
        self.plant.pack_par[pk.COOLANT_DEGC] = temp_degC
        self.plant.settle()
        reach = self.plant.cells[c.REACH]
        self.plant.cells[c.Q_AH] = (1.0 - reach + reach * soc.reshape(-1, 1, 1)) * self.plant.par[c.CAPACITY_AH]
        self.plant.settle()
        self.plant.pack[pk.LINK_V] = self.plant.pack[pk.PACK_V]

    @property
    def volt(self) -> F64:
        """Terminal voltage of each copy [V]."""
        return np.array(self.plant.cells[c.TERMINAL_V, :, 0, 0])

    def step(self, current_A: float) -> F64:
        """One tick at this current, positive on discharge; the voltages after it."""
        self.demand[0, load.VALUE] = current_A
        self.plant.step(self.t_ns, self.demand)
        self.t_ns += self.plant.dt_ns
        return self.volt


def _one(cell: Cell) -> Pack:
    """A pack of one cell with nothing beside it that takes or gives current."""
    note: dict[str, Any] = {"source": "none: a cell on a bench", "confidence": "assumption"}
    tiny_ohm = 1e-4 / cell.capacity_Ah
    return Pack(
        format=1,
        name="one-cell",
        title="One cell",
        cell=cell.name,
        calibration="none",
        series=1,
        ntc_cells=[0],
        spread=Spread(capacity_share=0.0, resistance_share=0.0, soc=0.0, ocv_V=0.0, **note),
        contactors=Contactors(close_ms=1.0, open_ms=1.0, contact_ohm=tiny_ohm, precharge_ohm=1.0, busbar_ohm=0.0, **note),
        link=Link(capacitance_F=1e-6, bleed_ohm=1e9, **note),
        sensors=Sensors(cell=Analog(), ntc=Analog(), shunt=Analog(), pack=Analog(), link=Analog(), **note),
        surroundings=Surroundings(insulation_kohm=1e4, supply_V=12.0, **note),
    )


def allowed(cell: Cell, temp_degC: tuple[float, ...]) -> tuple[float, ...]:
    """Those temperatures at which the cell may be discharged."""
    return tuple(t for t in temp_degC if cell.limits.discharge_min_degC <= t <= cell.limits.discharge_max_degC)


def pulses(cell: Cell, temp_degC: tuple[float, ...], soc: tuple[float, ...]) -> Pulses:
    """10 s discharge pulses at 1C, or at the largest current that the cell allows; change of OCV included.

    temp_degC: also the air's.  soc: share of what is in reach, between both branches of the OCV.
    """
    current_A = min(cell.capacity_Ah, cell.limits.discharge_max_A)
    hot, full = np.meshgrid(temp_degC, soc, indexing="ij")
    bare = Bare(cell, PULSE_S / _PULSE_STEPS, hot.ravel(), full.ravel(), 0.0)
    rest_V = bare.volt
    least_V = rest_V.copy()
    for _ in range(_PULSE_STEPS):
        least_V = np.minimum(least_V, bare.step(current_A))
    ohm = np.where(least_V > 0.0, (rest_V - bare.volt) / current_A, np.nan)  # at 0 V the load gets less than it asks for
    leaves = least_V < cell.limits.discharge_min_V
    return Pulses(temp_degC, soc, ohm.reshape(hot.shape), leaves.reshape(hot.shape), current_A)


def discharges(cell: Cell, rate_per_h: float, temp_degC: tuple[float, ...]) -> Discharges:
    """Discharges from full at a rate, or at the largest current that the cell allows, in still air of each temperature.

    The cell is charged in the warm and then cooled; it warms itself as it discharges.
    """
    rate_per_h = min(rate_per_h, cell.limits.discharge_max_A / cell.capacity_Ah)
    in_reach = cell.reach.model_copy(update={"share": [1.0] * len(cell.reach.share)})
    kinds = (cell, cell.model_copy(update={"reach": in_reach}))
    share, circuit = (_taken(kind, rate_per_h, np.array(temp_degC)) for kind in kinds)
    return Discharges(rate_per_h, temp_degC, share, circuit)


def _taken(cell: Cell, rate_per_h: float, temp_degC: F64) -> F64:
    """Share of the capacity that comes out of each copy before its voltage falls to the lowest allowed."""
    if not len(temp_degC):
        return np.zeros(0)
    current_A = rate_per_h * cell.capacity_Ah
    dt_s = round(3600.0 / rate_per_h / _DISCHARGE_STEPS, 1)
    bare = Bare(cell, dt_s, temp_degC, np.ones(len(temp_degC)), 1.0)
    before_V = bare.volt
    taken_s = np.full(len(temp_degC), np.nan)
    for n in range(int(_LONGEST * _DISCHARGE_STEPS)):
        volt = bare.step(current_A)
        ends = np.isnan(taken_s) & (volt <= cell.limits.discharge_min_V)
        part = (before_V - cell.limits.discharge_min_V) / np.maximum(before_V - volt, 1e-9)
        taken_s = np.where(ends, (n + np.clip(part, 0.0, 1.0)) * dt_s, taken_s)
        if not np.isnan(taken_s).any():
            break
        before_V = volt
    taken_s = np.where(np.isnan(taken_s), _LONGEST * _DISCHARGE_STEPS * dt_s, taken_s)
    return np.asarray(taken_s * rate_per_h / 3600.0, np.float64)
