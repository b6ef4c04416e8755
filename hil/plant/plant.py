"""The plant as the bench holds it: blocks of state and parameters, and one call that moves them by a tick."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from firmware_sim.types import F64, I64, MS_NS
from hil import noise
from hil.plant import cell as c
from hil.plant import contactor as k
from hil.plant import load, sensor
from hil.plant import pack as pk
from hil.plant.cellfile import Cell, compile_cells
from hil.plant.packfile import Analog, Pack

_CAPACITY, _RESISTANCE, _SOC, _OCV, _GAIN, _OFFSET = range(6)
_NO_CLAMP_V = 1e9


@dataclass(frozen=True)
class Initial:
    """How the pack stands when the run begins.

    soc: of every cell before spread; temp_degC: of cells and coolant.  soh, resistance: capacity and resistance of aged
    cells relative to new ones.  kind_soc: SOC of other kinds of cells, by the cell's name, where it differs.
    """

    soc: float = 0.5
    temp_degC: float = 25.0
    soh: float = 1.0
    resistance: float = 1.0
    kind_soc: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Plant:
    """State and parameters of n packs; see the row names in cell, pack, contactor and sensor.

    cells, par: (row, pack, string, cell).  strings: (row, pack, string).  pack, pack_par: (row, pack).
    block: contactors, (row, pack, contactor) int64.  sensor: (row, pack, sensor).  ntc: (n_ntc,) int64.
    curves, ln_r, nodes, decay: tables.  dt_ns: tick.
    """

    cells: F64
    par: F64
    strings: F64
    pack: F64
    pack_par: F64
    block: I64
    sensor: F64
    ntc: I64
    curves: F64
    ln_r: F64
    nodes: F64
    decay: F64
    dt_ns: int

    @property
    def n_packs(self) -> int:
        """Independent copies."""
        return int(self.cells.shape[1])

    @property
    def n_cells(self) -> int:
        """Cells of one pack that are measured one by one, all strings together."""
        return int(self.cells.shape[2] * self.cells.shape[3] / self.pack_par[pk.PARALLEL, 0])

    @property
    def n_sensors(self) -> int:
        """Analog sensors of one pack."""
        return int(self.sensor.shape[2])

    def step(self, t_ns: int, demand: F64) -> None:
        """Move by one tick from t_ns. demand: see hil.plant.load."""
        pk.step(
            t_ns, self.dt_ns, demand, self.cells, self.par, self.strings, self.pack, self.pack_par, self.block, self.curves,
            self.ln_r, self.nodes, self.decay,
        )  # fmt: skip

    def settle(self) -> None:
        """Compute all derived rows from charge and temperature."""
        pk.settle(self.cells, self.par, self.strings, self.pack, self.pack_par, self.curves, self.ln_r, self.nodes, self.decay)

    def state_hash(self) -> str:
        """SHA-256 over all that the plant remembers."""
        digest = hashlib.sha256()
        for block in (self.cells, self.strings, self.pack, self.block):
            digest.update(np.ascontiguousarray(block).tobytes())
        return digest.hexdigest()


def empty_demand() -> F64:
    """A demand table without a load."""
    demand = np.zeros((1, load.N_DEMAND_COLUMNS))
    demand[0, load.FLOW] = 1.0
    return demand


def build(
    pack: Pack, cell: Cell, initial: Initial, dt_ns: int, seed: int, n_packs: int = 1, others: Sequence[Cell] = ()
) -> Plant:
    """A plant at rest with open contactors and an empty link; spreads and sensor errors drawn from the seed.

    Pack 0 of n is the pack that stands alone with the same seed.  others: cells of the pack's groups, kinds 1, 2, ...
    """
    shape = (n_packs, pack.strings, pack.series * pack.parallel)
    kinds = [cell, *others]
    kind = np.repeat(np.array(pack.kinds()), pack.parallel).reshape(shape[1:])
    curves, ln_r, nodes, decay = compile_cells(kinds, dt_ns * 1e-9)

    def spread(label: int, share: float) -> F64:
        """(n_packs, strings, cells) draws of one stream. share: their standard deviation, in the unit of what spreads."""
        rows = [noise.draws(seed, p, label, kind.size).reshape(shape[1:]) for p in range(n_packs)]
        return np.array(rows) * share

    par = np.zeros((c.N_CELL_PARAMETERS, *shape))
    par[c.KIND] = kind
    capacity_Ah = np.array([one.capacity_Ah for one in kinds])[kind]
    par[c.CAPACITY_AH] = capacity_Ah * initial.soh * (1.0 + spread(_CAPACITY, pack.spread.capacity_share))
    par[c.R_SCALE] = initial.resistance * (1.0 + spread(_RESISTANCE, pack.spread.resistance_share))
    par[c.OCV_OFFSET_V] = spread(_OCV, pack.spread.ocv_V)
    par[c.COOLING] = 1.0
    par[c.LEAK_SCALE] = 1.0
    par[c.HEAT_CAPACITY] = np.array([one.thermal.heat_capacity_J_per_K for one in kinds])[kind]
    cells = np.zeros((c.N_CELL_ROWS, *shape))
    start = np.array([initial.kind_soc.get(one.name, initial.soc) for one in kinds])[kind]
    soc = np.clip(start + spread(_SOC, pack.spread.soc), 0.0, 1.0)
    cells[c.Q_AH] = soc * par[c.CAPACITY_AH]
    cells[c.TEMP_DEGC] = initial.temp_degC
    pack_par = np.zeros((pk.N_PACK_PARAMETERS, n_packs))
    pack_par[pk.CONTACT_OHM] = pack.contactors.contact_ohm
    pack_par[pk.PRECHARGE_OHM] = pack.contactors.precharge_ohm
    pack_par[pk.BUSBAR_OHM] = pack.contactors.busbar_ohm
    pack_par[pk.LINK_F] = pack.link.capacitance_F
    pack_par[pk.BLEED_S] = 1.0 / pack.link.bleed_ohm
    pack_par[pk.COOLANT_DEGC] = initial.temp_degC
    pack_par[pk.INSULATION_KOHM] = pack.surroundings.insulation_kohm
    pack_par[pk.SUPPLY_V] = pack.surroundings.supply_V
    pack_par[pk.HVIL] = 1.0
    pack_par[pk.EMERGENCY] = 1.0
    pack_par[pk.OBEYS] = 1.0
    pack_par[pk.CLAMP_V] = _NO_CLAMP_V if pack.link.clamp_V is None else pack.link.clamp_V
    pack_par[pk.PARALLEL] = pack.parallel
    block = np.zeros((k.N_CONTACTOR_ROWS, n_packs, k.N_CONTACTORS), np.int64)
    block[k.MOVES_NS] = k.NEVER_NS
    block[k.CLOSE_TRAVEL_NS] = round(pack.contactors.close_ms * MS_NS)
    block[k.OPEN_TRAVEL_NS] = round(pack.contactors.open_ms * MS_NS)
    plant = Plant(
        cells=cells,
        par=par,
        strings=np.zeros((pk.N_STRING_ROWS, *shape[:2])),
        pack=np.zeros((pk.N_PACK_ROWS, n_packs)),
        pack_par=pack_par,
        block=block,
        sensor=_sensors(pack, seed, n_packs),
        ntc=np.array(pack.ntc_cells, np.int64),
        curves=curves,
        ln_r=ln_r,
        nodes=nodes,
        decay=decay,
        dt_ns=dt_ns,
    )
    plant.settle()
    return plant


def _sensors(pack: Pack, seed: int, n_packs: int) -> F64:
    """Parameters of all sensors, in the order of hil.plant.sensor."""
    charge = Analog(gain_share=pack.sensors.shunt.gain_share)
    kinds = [pack.sensors.cell] * pack.n_cells + [pack.sensors.ntc] * len(pack.ntc_cells)
    kinds += [pack.sensors.shunt, pack.sensors.pack, pack.sensors.link, charge, pack.sensors.ntc]
    out = np.zeros((sensor.N_SENSOR_PARAMETERS, n_packs, len(kinds)))
    for p in range(n_packs):
        gain, offset = noise.draws(seed, p, _GAIN, len(kinds)), noise.draws(seed, p, _OFFSET, len(kinds))
        out[sensor.GAIN, p] = 1.0 + gain * [kind.gain_share for kind in kinds]
        out[sensor.OFFSET, p] = offset * [kind.offset for kind in kinds]
    out[sensor.SIGMA] = [kind.noise for kind in kinds]
    out[sensor.STEP] = [kind.step for kind in kinds]
    return out
