"""The plant's ticks against an independent solver: the same circuit as differential equations, integrated by SciPy.

The reference takes its numbers from the cell file with np.interp and its time steps from LSODA at tight tolerance; it
shares no line with the kernels. Current is constant between whole seconds, so each second is integrated by itself and no
integration meets an event.
"""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from firmware_sim.types import F64, MS_NS
from hil import files
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.plant.plant import Initial
from hil.speed.alone import Alone

# The shipped cell with what every cell file has: R0, two pairs, hysteresis, reach, entropy, heat.
OPTIONAL = [name for name, field in Cell.model_fields.items() if field.default is None]
CELL = cellfile.load("nfm-18650")[1].model_copy(update=dict.fromkeys(OPTIONAL))
WLTP = files.folder("scenario") / "profiles" / "wltp_power.csv"
ZERO_DEGC_K = 273.15
START_SOC = 0.6
TENTHS_S = 0.1 * np.arange(1, 11)


class Circuit:
    """The equations of hil.plant.cell in continuous time; state: charge [Ah], u1 [V], u2 [V], h, temperature [degC]."""

    def __init__(self, cell: Cell, coolant_degC: float) -> None:
        self.cell, self.coolant_degC = cell, coolant_degC
        self.inverse_K = -1.0 / (np.array(cell.resistance.temp_degC) + ZERO_DEGC_K)
        r = cell.resistance
        self.ln_ohm = [np.log(np.array(table)) for table in (r.r0_ohm, r.r1_ohm, r.r2_ohm)]

    def ohm(self, x: float, temp_degC: float) -> list[float]:
        """R0, R1, R2: logarithms linear over SOC, then over 1/T, beyond the last temperatures too."""
        at = -1.0 / (temp_degC + ZERO_DEGC_K)
        j = int(np.clip(np.searchsorted(self.inverse_K, at) - 1, 0, len(self.inverse_K) - 2))
        weight = (at - self.inverse_K[j]) / (self.inverse_K[j + 1] - self.inverse_K[j])
        soc = self.cell.resistance.soc
        rows = [[np.interp(x, soc, table[row]) for row in (j, j + 1)] for table in self.ln_ohm]
        return [float(np.exp(low + weight * (high - low))) for low, high in rows]

    def read(self, state: F64, current_A: float) -> tuple[float, float, list[float], float]:
        """Mean of the branches [V], terminal voltage [V], resistances [ohm], dU/dT [V/K]."""
        q_Ah, u1, u2, h, temp_degC = state
        cell = self.cell
        reach = np.interp(temp_degC, cell.reach.temp_degC, cell.reach.share)
        x = 1.0 - (1.0 - q_Ah / cell.capacity_Ah) / reach
        low, high = (np.interp(x, cell.ocv.soc, branch) for branch in (cell.ocv.discharge_V, cell.ocv.charge_V))
        dudt = 1e-3 * float(np.interp(x, cell.entropy.soc, cell.entropy.dudt_mV_per_K))
        mean_V = 0.5 * (low + high) + dudt * (temp_degC - 25.0)
        r0, r1, r2 = self.ohm(x, temp_degC)
        return mean_V, mean_V + 0.5 * (high - low) * h - u1 - u2 - current_A * r0, [r0, r1, r2], dudt

    def slope(self, _s: float, state: F64, current_A: float) -> list[float]:
        """Derivative of the state; a current of zero leaves h where it is."""
        _, u1, u2, h, temp_degC = state
        cell = self.cell
        mean_V, terminal_V, (_, r1, r2), dudt = self.read(state, current_A)
        heat_W = current_A * (mean_V - terminal_V - (temp_degC + ZERO_DEGC_K) * dudt)
        per_s = cell.hysteresis.decay_per_soc * abs(current_A) / 3600.0 / cell.capacity_Ah
        return [
            -current_A / 3600.0,
            (r1 * current_A - u1) / cell.resistance.tau1_s,
            (r2 * current_A - u2) / cell.resistance.tau2_s,
            -per_s * (h + np.sign(current_A)),
            (heat_W + cell.thermal.coolant_W_per_K * (self.coolant_degC - temp_degC)) / cell.thermal.heat_capacity_J_per_K,
        ]


def currents() -> F64:
    """Current of each second over the capacity [1/h]: two minutes of the drive cycle, then steps from 3C to -1C and rests."""
    with WLTP.open(newline="", encoding="utf-8") as text:
        power = [float(row[1]) for row in list(csv.reader(text))[1:]]
    part = np.array(power[130:250])
    steps = [(1.0, 20), (0.0, 10), (3.0, 15), (0.0, 10), (-1.0, 20), (0.0, 10)]
    return np.concatenate([2.0 * part / np.abs(part).max(), *(np.full(n, share) for share, n in steps)])


def solved(temp_degC: float, amps: F64) -> F64:
    """Terminal voltage at the ten tenths of each second [V], (second, tenth). amps: current of each second."""
    circuit = Circuit(CELL, temp_degC)
    state = np.array([START_SOC * CELL.capacity_Ah, 0.0, 0.0, 0.0, temp_degC])
    volts = []
    for current_A in amps.tolist():
        done = solve_ivp(circuit.slope, (0.0, 1.0), state, "LSODA", TENTHS_S, args=(current_A,), rtol=1e-8, atol=1e-11)
        assert done.success
        state = done.y[:, -1]
        volts.append([circuit.read(y, current_A)[1] for y in done.y.T])
    return np.array(volts)


def ticked(temp_degC: float, amps: F64, dt_ms: int) -> F64:
    """The plant's terminal voltage at the end of each tick [V], (second, tick)."""
    cell = Alone(CELL, dt_ms * MS_NS, Initial(soc=START_SOC, temp_degC=temp_degC))
    return np.array([cell.hold(current_A, 1000 // dt_ms) for current_A in amps.tolist()])


@pytest.mark.parametrize(("temp_degC", "most_C"), [(-10.0, 1.5), (5.0, 3.0), (25.0, 3.0), (40.0, 3.0)])
def test_plant_agrees_with_an_independent_solver(temp_degC: float, most_C: float) -> None:
    """Over drive cycle, steps and rests the terminal voltage is right within 1 mV at 10 ms ticks, within 2 mV at 1 s ticks.

    The cell warms itself by up to 3 K meanwhile, so resistance and reach move within a tick. most_C: the largest current
    over the capacity.
    """
    amps = currents() / 3.0 * most_C * CELL.capacity_Ah
    wanted_V = solved(temp_degC, amps)
    for dt_ms, limit_V in ((10, 1e-3), (100, 1e-3), (1000, 2e-3)):
        volts = ticked(temp_degC, amps, dt_ms)
        every = max(100 // dt_ms, 1)
        errors_V = volts[:, every - 1 :: every] - wanted_V[:, 9 if dt_ms == 1000 else 0 :]
        assert limit_V > np.abs(errors_V).max(), f"{dt_ms} ms ticks"
