"""A test bench of the plant's own cell, for tests of the fit: a cell whose tables are known, and what a cycler would log.

The plant runs in 1 s ticks, and in 10 ms ticks for the first seconds after a current step; both hold the same state.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from stands import bare

from firmware_sim.types import F64
from hil.plant import cell as c
from hil.plant import cellfile, contactor, load
from hil.plant import pack as pk
from hil.plant.cellfile import Cell
from hil.plant.plant import Initial, Plant, build, empty_demand

ROWS = ("t_s", "volt", "amps", "surface_degC")
_FAST_S = 2.0


def another_cell() -> Cell:
    """A cell unlike the shipped one: other curve, loop, resistance over SOC, time constants, reach and cooling."""
    _, shipped = cellfile.load("nfm-18650")
    soc = np.array(shipped.ocv.soc)
    middle = 0.5 * (np.array(shipped.ocv.discharge_V) + np.array(shipped.ocv.charge_V))
    middle = middle + 0.08 + 0.06 * np.sin(3.0 * soc)
    half = 0.012 + 0.010 * np.cos(4.0 * soc)
    rise = np.maximum.accumulate
    ocv = shipped.ocv.model_copy(update={"discharge_V": rise(middle - half).tolist(), "charge_V": rise(middle + half).tolist()})
    r_soc = np.array(shipped.resistance.soc)

    def scaled(rows: list[list[float]], at_0: float, at_1: float) -> list[list[float]]:
        return (np.array(rows) * (at_0 + (at_1 - at_0) * r_soc)).tolist()

    r = shipped.resistance
    resistance = r.model_copy(
        update={
            "r0_ohm": scaled(r.r0_ohm, 0.7, 0.9),
            "r1_ohm": scaled(r.r1_ohm, 0.8, 1.6),
            "r2_ohm": scaled(r.r2_ohm, 0.75, 1.3),
            "tau1_s": 0.09,
            "tau2_s": 42.0,
        }
    )
    reach = shipped.reach.model_copy(update={"share": [0.65, 0.81, 0.9, 1.0]})
    thermal = shipped.thermal.model_copy(update={"heat_capacity_J_per_K": 44.0, "coolant_W_per_K": 0.1})
    plain = dict.fromkeys(("rate", "slow", "self_discharge", "ageing"))  # what the fit does not look for
    return shipped.model_copy(
        update={**plain, "capacity_Ah": 1.42, "ocv": ocv, "resistance": resistance, "thermal": thermal, "reach": reach}
    )


class Lab:
    """One cell under test, from full at rest. rows: what was logged (see ROWS), positive current on discharge."""

    def __init__(self, cell: Cell, temp_degC: float = 25.0, soc: float = 1.0) -> None:
        self.fast, self.slow = (
            build(bare(cell, capacitance_F=1e-6, bleed_ohm=1e9), cell, Initial(soc, temp_degC), ms * 1_000_000, 0)
            for ms in (10, 1000)
        )
        for plant in (self.fast, self.slow):
            for main in (contactor.MAIN_PLUS, contactor.MAIN_MINUS):
                plant.block[contactor.CLOSED, :, main] = plant.block[contactor.COIL, :, main] = 1
            plant.cells[c.HYST] = 1.0
            plant.settle()
            plant.pack[pk.LINK_V] = plant.pack[pk.PACK_V]
        self.demand = empty_demand()
        self.demand[0, load.KIND] = load.CURRENT
        self.t_s = 0.0
        self.rows: list[tuple[float, float, float, float]] = []
        self.log(0.0)

    def log(self, current_A: float) -> None:
        """A row of what is seen now."""
        plant = self.slow
        self.rows.append((self.t_s, float(plant.pack[pk.PACK_V, 0]), current_A, float(plant.cells[c.TEMP_DEGC, 0, 0, 0])))

    def tick(self, plant: Plant, current_A: float) -> float:
        """One tick, after which both plants hold the same state; the voltage."""
        self.demand[0, load.VALUE] = current_A
        plant.step(round(self.t_s * 1e9), self.demand)
        self.t_s = round(self.t_s + plant.dt_ns * 1e-9, 3)
        other = self.slow if plant is self.fast else self.fast
        for ours, theirs in ((plant.cells, other.cells), (plant.strings, other.strings), (plant.pack, other.pack)):
            theirs[:] = ours
        return float(plant.pack[pk.PACK_V, 0])

    def run(self, current_A: float, most_s: float, ends: Callable[[float], bool] = lambda _V: False) -> bool:
        """Current for some seconds or until the voltage ends it, which is the result; logged densely at first."""
        start_s, n = self.t_s, 0
        while self.t_s - start_s < most_s - 1e-6:
            fast = self.t_s - start_s < _FAST_S - 1e-6
            volt = self.tick(self.fast if fast else self.slow, current_A)
            n += 1
            past_s = self.t_s - start_s
            due = n <= 10 or n % 20 == 0 if fast else past_s < 30.0 or round(past_s) % 10 == 0
            if due or past_s >= most_s - 1e-6 or ends(volt):
                self.log(current_A)
            if ends(volt):
                return True
        return False

    def hold(self, volt: float, least_A: float) -> None:
        """Charge at constant voltage until the current has fallen so far."""
        current_A, small = -0.5, 0
        while small < 60:  # s: not when it merely swings in
            small = small + 1 if current_A >= -least_A else 0
            cells = self.slow.cells[:, 0, 0, 0]
            # u1 and u2 move within the tick: a short series of guesses is what a charger does too
            current_A = min(0.0, current_A + (float(cells[c.TERMINAL_V]) - volt) * 6.0)
            self.tick(self.slow, current_A)
            self.log(current_A)

    def pulses(self, discharge_A: float, charge_A: float) -> None:
        """10 s discharge, 60 s rest, 10 s charge, 300 s rest."""
        self.run(discharge_A, 10.0)
        self.run(0.0, 60.0)
        self.run(-charge_A, 10.0)
        self.run(0.0, 300.0)

    @property
    def table(self) -> F64:
        """(n, 4) rows logged."""
        return np.array(self.rows)


def hppc(cell: Cell, temp_degC: float = 25.0, step: float = 0.05, *, charges: bool = True, topped: bool = False) -> Lab:
    """From full to 1.5 V in steps, pulses at each rest, and back to full the same way.

    topped: it begins where a charge to 4.1 V ends, not at SOC 1.
    """
    lab = Lab(cell, temp_degC)
    if topped:
        lab.hold(4.1, 0.05 * cell.capacity_Ah)
        lab.run(0.0, 300.0)
        lab.rows.clear()
    capacity_Ah, rate_A = cell.capacity_Ah, 0.5 * cell.capacity_Ah
    step_s = step * capacity_Ah / rate_A * 3600.0
    lab.run(0.0, 60.0)
    empty = False
    while not empty:
        lab.pulses(cell.capacity_Ah, 0.75 * cell.capacity_Ah)
        empty = lab.run(rate_A, step_s, lambda volt: volt <= 1.5)
        lab.run(0.0, 300.0)
    lab.run(0.1 * rate_A, 40_000.0, lambda volt: volt <= 1.5)
    lab.run(0.0, 300.0)
    full = not charges
    while not full:
        full = lab.run(-rate_A, step_s, lambda volt: volt >= 4.1)
        if full:
            lab.hold(4.1, 0.05 * capacity_Ah)
        lab.run(0.0, 300.0)
    return lab


def write(
    path: Path,
    table: F64,
    names: tuple[str, ...] = ("Test Time / s", "Voltage / V", "Current / A", "Surface Temperature T1 / degC"),
) -> Path:
    """A CSV file in the Battery Data Format, in which a positive current charges."""
    signed = table * np.array([1.0, 1.0, -1.0, 1.0])
    lines = [",".join(names), *(f"{t:.3f},{u:.5f},{i:.5f},{degC:.3f}" for t, u, i, degC in signed)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
