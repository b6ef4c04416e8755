"""The estimators of the emulated BMS alone: readings in, beliefs out, the same kernels without wire, limits and contactors.

For the score, which runs many hours over many sensor errors at once: axis pack is the batch. On the bench the emulator
decodes the same readings from frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim import counters, nvm
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, soh, spread, start
from firmware_sim.estimate import step as estimate
from firmware_sim.jit import kernel
from firmware_sim.power import step as foresight
from firmware_sim.types import F64, I64, U8
from hil import binding
from hil.calibration import Calibration

# Columns of the beliefs that the kernel writes.
_SOC, _AVAILABLE, _BAND, _CAPACITY, _CAPACITY_SIGMA, _RESISTANCE, _RESISTANCE_SIGMA = range(7)
_N_BELIEFS = 7


@dataclass(frozen=True)
class Readings:
    """What a BMS reads, one row a tick: current_A (tick, pack), positive on discharge; cell_V, temp_degC (tick, pack, cell).

    fresh: uint8 (tick, pack, cell), 1 where a new and valid voltage came in this tick.
    """

    current_A: F64
    cell_V: F64
    temp_degC: F64
    fresh: U8


@dataclass(frozen=True)
class Beliefs:
    """What the estimators say, (row, pack, cell). soc, available: 0..1.  band: half width of the 95 % band of soc.

    capacity_share, capacity_sigma: capacity relative to the calibration's, and its standard deviation.
    resistance_scale, resistance_sigma: resistance relative to the calibration's tables, and its standard deviation.
    """

    soc: F64
    available: F64
    band: F64
    capacity_share: F64
    capacity_sigma: F64
    resistance_scale: F64
    resistance_sigma: F64


@kernel
def _run(
    current_A: F64, cell_V: F64, temp_degC: F64, fresh: U8, every: int, out: F64,
    cell: F64, r: F64, whole: I64, link: I64, valid: U8, told: F64,
    cell_map: I64, stretches: I64, power: F64, settings: I64, reals: F64, kinds: F64, curves: F64, ln_r: F64, nodes: F64,
    n_nodes: I64, dt_ns: int, foresees: bool,
) -> None:  # fmt: skip
    """Ticks of all packs. told: (2, pack), SOC that is known at the start, NaN for none, and its standard deviation."""
    method = settings[cfg.METHOD]
    for t in range(current_A.shape[0]):
        for p in range(whole.shape[1]):
            whole[st.UP_NS, p] += dt_ns
            r[st.CURRENT_A, p] = current_A[t, p]
            seen = True
            for i in range(cell.shape[2]):
                cell[st.TEMP, p, i] = temp_degC[t, p, i]
                link[st.FRESH, p, i] = fresh[t, p, i]
                if fresh[t, p, i] == 1:
                    cell[st.VOLT, p, i] = cell_V[t, p, i]
                    cell[st.SAMPLE_A, p, i] = current_A[t, p]
                    valid[p, i] = 1
                    link[st.SAMPLE_NS, p, i] = whole[st.UP_NS, p] - link[st.HEARD_NS, p, i]
                    link[st.HEARD_NS, p, i] = whole[st.UP_NS, p]
                seen = seen and valid[p, i] == 1
            if seen and whole[st.IS_SEEDED, p] == 0:
                for i in range(cell.shape[2]):
                    k = cell_map[cfg.MAP_KIND, i]
                    belief.refresh(cell, p, i, k, kinds, curves, ln_r, nodes, n_nodes, belief.EVER)
                    z, sigma = start.choose(cell, p, i, k, reals, kinds, curves, False, -1.0, current_A[t, p])
                    if told[0, p] == told[0, p]:
                        z, sigma = told[0, p], told[1, p]
                    estimate.seed(method, cell, p, i, k, reals, z, sigma)
                    soh.adopt(method, cell, p, i, reals)
                    belief.refresh(cell, p, i, k, kinds, curves, ln_r, nodes, n_nodes, belief.EVER)
                whole[st.IS_SEEDED, p] = 1
            estimate.step(
                cell, r, whole, link, valid, cell_map, stretches, reals, kinds, curves, ln_r, nodes, n_nodes, p, dt_ns, 1,
                method,
            )  # fmt: skip
            counters.charge(r, whole, reals, kinds, p, dt_ns, 1, True)
            soh.step(method, cell, r, whole, cell_map, stretches, kinds, curves, p, dt_ns)
            if foresees:
                hot, cold, total_V = -1e9, 1e9, 0.0
                for i in range(cell.shape[2]):
                    hot, cold = max(hot, temp_degC[t, p, i]), min(cold, temp_degC[t, p, i])
                    total_V += cell[st.VOLT, p, i]
                r[st.TEMP_MAX_DEGC, p], r[st.TEMP_MIN_DEGC, p], r[st.STRING_V, p] = hot, cold, total_V
                foresight.step(
                    cell, r, whole, link, valid, cell_map, stretches, power, reals, kinds, curves, ln_r, nodes, n_nodes, p,
                    dt_ns,
                    1, method,
                )  # fmt: skip
            if (t + 1) % every == 0:
                for i in range(cell.shape[2]):
                    row = t // every
                    out[_SOC, row, p, i] = cell[st.Z_OUT, p, i]
                    out[_AVAILABLE, row, p, i] = cell[st.AVAILABLE, p, i]
                    out[_BAND, row, p, i] = cell[st.BAND, p, i]
                    out[_CAPACITY, row, p, i] = cell[st.SOH_CAPACITY, p, i]
                    out[_CAPACITY_SIGMA, row, p, i] = cell[st.SOH_CAPACITY_SIGMA, p, i]
                    out[_RESISTANCE, row, p, i] = cell[st.SOH_RESISTANCE, p, i]
                    out[_RESISTANCE_SIGMA, row, p, i] = cell[st.SOH_RESISTANCE_SIGMA, p, i]


class Estimator:
    """The estimators of n packs of cells in one string."""

    def __init__(
        self,
        calibration: Calibration,
        n_packs: int = 1,
        n_cells: int = 1,
        method: str | None = None,
        dt_ns: int = 100_000_000,
        foresees: bool = False,
    ) -> None:
        """method: as the calibration says when None. dt_ns: tick. foresees: with limits, energy and times."""
        chosen = calibration.model_copy(update={"filter": calibration.filter.changed(method)})
        self.tables, self.dt_ns, self.foresees = binding.beliefs(chosen, n_cells, 1), dt_ns, foresees
        self.cell_map = np.zeros((4, n_cells), np.int64)
        self.cell_map[cfg.MAP_SIGNAL] = self.cell_map[cfg.MAP_SLOT] = np.arange(n_cells)
        self.cell_map[cfg.MAP_KIND] = calibration.kind_of(n_cells)
        self.cell = np.zeros((st.N_CELL, n_packs, n_cells))
        self.cell[st.REACH] = 1.0
        for p in range(n_packs):
            soh.begin(self.cell, p)
        self.real = np.zeros((st.N_REAL, n_packs))
        self.whole = np.zeros((st.N_WHOLE, n_packs), np.int64)
        self.link = np.zeros((st.N_LINK, n_packs, n_cells), np.int64)
        self.valid = np.zeros((n_packs, n_cells), np.uint8)
        self.told = np.full((2, n_packs), np.nan)

    def start(self, soc: F64 | float | None, sigma: float) -> None:
        """Say what is known of SOC at the start, for all packs or each, with its standard deviation; None: nothing."""
        self.told[0] = np.nan if soc is None else soc
        self.told[1] = sigma

    def memory(self) -> I64:
        """What is left of it when its supply fails now, see firmware_sim.nvm: a whole record of each pack."""
        n_packs, n_cells = self.cell.shape[1:]
        memory, bias_row = nvm.blank(n_packs, n_cells), spread.row_of(int(self.tables["whole"][cfg.METHOD]), st.BIAS_A)
        for p in range(n_packs):
            nvm.keep(self.cell, p, bias_row)
            self.whole[st.NVM_PIECE, p] = 1
            while self.whole[st.NVM_PIECE, p] > 0:
                nvm.write(memory, self.cell, self.real, self.whole, p)
        return memory

    def remember(self, memory: I64) -> None:
        """Begin with the memory of another, in the place of nothing."""
        for p in range(self.cell.shape[1]):
            copy = nvm.newest(memory, p, self.cell.shape[2])
            if copy >= 0:
                nvm.load(memory, copy, self.cell, self.real, self.whole, p)

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """Go on by the ticks of the readings, and tell what is believed after each `every` of them."""
        n_ticks, n_packs = readings.current_A.shape
        out = np.full((_N_BELIEFS, n_ticks // every, n_packs, self.cell.shape[2]), np.nan)
        t = self.tables
        _run(
            readings.current_A, readings.cell_V, readings.temp_degC, readings.fresh, every, out,
            self.cell, self.real, self.whole, self.link, self.valid, self.told,
            self.cell_map, t["stretches"], t["power"], t["whole"], t["real"], t["kinds"], t["curves"], t["ln_r"], t["nodes"],
            t["n_nodes"],
            self.dt_ns, self.foresees,
        )  # fmt: skip
        return Beliefs(*out)

    def limits_A(self) -> F64:
        """(2, 4, pack) current limits [A], discharge and charge, for 2, 10, 30 s and continuously, as of the last tick."""
        rows = self.real[st.PULSE_A : st.PULSE_A + 2 * cfg.N_HORIZONS]
        return rows.reshape(2, cfg.N_HORIZONS, -1).copy()
