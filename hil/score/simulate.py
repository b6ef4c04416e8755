"""A batch of drawn cells through a load, as cases."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_sim.types import F64, S_NS
from hil import calibration, files
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.score import load, tables
from hil.score import plant as pl
from hil.score.case import Case
from hil.score.dice import Dice
from hil.score.drawn import APART_V, Drawn, draw
from hil.score.own import window

# Rows of a case, and ticks of the plant within one: currents are means of a row, as a shunt that integrates gives them.
ROW_NS = S_NS
PLANT_S = 0.1
# What is left open in a start that is right, and in one that is not.
RIGHT_SIGMA, WRONG_SIGMA = 0.01, 0.3


def wltp() -> F64:
    """(1800,) power of a WLTP cycle, one value a second, over its peak. BattMoTeam/BattMo.jl, wltp.csv, MIT licence."""
    path = files.folder("scenario") / "profiles" / "wltp_power.csv"
    watt = np.loadtxt(path, delimiter=",", skiprows=1)[:-1, 1]
    return np.asarray(watt / watt.max(), np.float64)


def grid_day() -> F64:
    """Power of a storage that follows a grid, one value a second, over its peak: steps of 5 min, drawn once, mean 0.05."""
    level = Dice(0, "grid", 0).uniform(-0.9, 1.0, 72)
    return np.repeat(level - np.mean(level) + 0.05, 300)


@dataclass(frozen=True)
class Batch:
    """What one call simulates. Arrays are (draw,).

    cell, belief: names of the drawn cell's file and of the calibration.  load: word for it.  x: start, share of what is in
    reach.  legs: (draw, leg, column) of hil.score.load.  peak_per_h: largest power of the profile in C at nominal voltage.
    """

    condition: str
    belief: str
    load: str
    cells: list[Drawn]
    names: list[str]
    air_degC: F64
    x: F64
    legs: F64
    profile: F64
    peak_per_h: float
    hours: float
    branch: F64 | None = None
    phase_s: F64 | None = None

    def run(self) -> list[tuple[Case, F64]]:
        """A case for each draw, told the truth and scored everywhere, and how many legs were behind it at each row."""
        plant = tables.build(self.cells, PLANT_S)
        kind = self.cells[0].cell
        branch = np.where(self.x > 0.6, 1.0, -1.0) if self.branch is None else self.branch
        reach = np.array([pl.reach_at(plant.nodes, float(t)) for t in self.air_degC])
        plant.settle(1.0 - (1.0 - self.x) * reach, self.air_degC, branch)
        plant.par[pl.WATT] = self.peak_per_h * kind.capacity_Ah * kind.nominal_V
        plant.state[pl.PHASE_S] = 0.0 if self.phase_s is None else self.phase_s
        rows, every = round(self.hours * 3600 * S_NS / ROW_NS), round(ROW_NS / S_NS / PLANT_S)
        out = np.zeros((pl.N_OUT, rows, len(self.cells)))
        start = np.array([pl.mean_soc(plant.state, d) for d in range(len(self.cells))])
        load.drive(plant.state, plant.par, plant.curves, plant.ln_r, plant.nodes, self.profile, self.legs, out, PLANT_S, every)
        return [
            (self._case(d, out[:, :, d], float(start[d]), float(reach[d])), out[pl.OUT_LEGS, :, d])
            for d in range(len(self.cells))
        ]

    def _case(self, d: int, out: F64, start: float, reach: float) -> Case:
        drawn = self.cells[d]
        low, high = (1.0 - (1.0 - x) * reach for x in window(drawn.mean_V))
        soc = np.ascontiguousarray(out[pl.OUT_SOC])
        return Case(
            data=f"simulated {drawn.cell.name}, {self.load}, {self.air_degC[d]:g} degC, {self.names[d]}",
            condition=self.condition,
            recorded=False,
            calibration=self.belief,
            capacity_Ah=drawn.cell.capacity_Ah,
            dt_ns=ROW_NS,
            current_A=np.ascontiguousarray(out[pl.OUT_A]),
            cell_V=np.ascontiguousarray(out[pl.OUT_V]),
            temp_degC=np.ascontiguousarray(out[pl.OUT_DEGC]),
            reference=soc,
            available=False,
            uncertainty=0.0,
            start_soc=start,
            start_sigma=RIGHT_SIGMA,
            window=(low, high),
            drawn=drawn,
            truth=soc,
        )


def cells(
    name: str,
    belief: str,
    seed: int,
    kind: str,
    draws: int,
    *,
    age: tuple[float, float] = (1.0, 1.0),
    apart_V: tuple[float, float] | None = APART_V,
) -> list[Drawn]:
    """Drawn cells of a shipped kind, for one condition."""
    return drawn_from(cellfile.load(name)[1], belief, seed, kind, draws, age=age, apart_V=apart_V)


def drawn_from(
    cell: Cell,
    belief: str,
    seed: int,
    kind: str,
    draws: int,
    *,
    age: tuple[float, float] = (1.0, 1.0),
    apart_V: tuple[float, float] | None = APART_V,
) -> list[Drawn]:
    """Drawn cells of a kind, for one condition."""
    model = calibration.load(belief)[1].model
    return [draw(cell, model, Dice(seed, f"{kind} cell", n), age=age, apart_V=apart_V) for n in range(draws)]


def legs(dice: Dice, low: list[float], high: list[float], charge_A: float) -> F64:
    """(leg, column): drive down to each of `low`, charge up to each of `high`, in turns; rests of 10 to 40 and 5 to 30 min."""
    rows = np.zeros((2 * len(low), load.N_LEG_COLUMNS))
    rows[0::2, load.TARGET_X], rows[1::2, load.TARGET_X] = low, high
    rows[1::2, load.CHARGE_A] = charge_A
    rows[0::2, load.REST_S] = dice.uniform(600.0, 2400.0, len(low))
    rows[1::2, load.REST_S] = dice.uniform(300.0, 1800.0, len(low))
    return rows


def told(case: Case, soc: float, sigma: float) -> Case:
    """The case with an estimator that is told another SOC at the start."""
    return replace(case, start_soc=min(max(soc, 0.0), 1.0), start_sigma=sigma)


def scored(case: Case, rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Case:
    """The case, scored in some of its rows alone."""
    return replace(case, reference=np.where(rows, case.reference, np.nan))
