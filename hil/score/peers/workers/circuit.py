"""The circuit that every peer is given: open-circuit voltage, hysteresis, R0 and two RC pairs, from the tables of the BMS.

    V = U(x) + loop M(x) h + dU/dT(x) (T - 25) - I R0 - u1 - u2,    x = 1 - (1 - z) / reach(T), not below 0 unless z is

z is SOC 0..1 relative to 25 degC, current in A, positive discharges. h goes to -1 while the cell is discharged and to +1
while it is charged; it is counted, not estimated. The tables are laid on one grid over z for each tenth of a kelvin that comes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

F64 = np.ndarray[Any, np.dtype[np.float64]]

_LOW, _STEP, _N = -0.1, 0.001, 1201
_ZERO_DEGC_K = 273.15


Arrays = dict[str, F64]


class Given:
    """What is told before the first reading: tables, start and noise figures.

    start_soc, start_degC: (pack,). start_sigma, dt_s, capacity_Ah, decay_per_soc: numbers. tau_s: (2,). x, mean_V, half_V,
    dudt: (n,), V and V/K at 25 degC. share: (m,), with ln_ohm: (temperature, 3, m) at inverse_K: (temperature,). reach_degC,
    reach_share: (k,). set_NAME: noise figures of the filter.
    """

    def __init__(self, path: str) -> None:
        self.arrays = load(path)
        self.n_packs = len(self.arrays["start_soc"])

    def array(self, name: str) -> F64:
        """An array by name."""
        return self.arrays[name]

    def number(self, name: str) -> float:
        """A number by name."""
        return float(self.arrays[name])


class Circuit:
    """The tables of one cell, ready for one number at a time."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.dt_s = given.number("dt_s")
        self.capacity_As = 3600.0 * given.number("capacity_Ah")
        self.keep1, self.keep2 = (math.exp(-self.dt_s / float(tau_s)) for tau_s in given.array("tau_s"))
        self._laid: dict[int, list[list[float]]] = {}
        self.here: list[list[float]] = self.at(25.0)

    def at(self, temp_degC: float) -> list[list[float]]:
        """Rows of U, dU/dz, half the loop, R0, R1, R2 over z at a temperature; what follows reads these."""
        tenths = round(10.0 * temp_degC)
        if tenths not in self._laid:
            self._laid[tenths] = [row.tolist() for row in self._lay(tenths / 10.0)]
        self.here = self._laid[tenths]
        return self.here

    def _lay(self, temp_degC: float) -> list[F64]:
        array = self.given.array
        z = _LOW + _STEP * np.arange(_N)
        reach = np.interp(temp_degC, array("reach_degC"), array("reach_share"))
        x = np.maximum(1.0 - (1.0 - z) / reach, np.minimum(z, 0.0))
        curves = [np.interp(x, array("x"), array(name)) for name in ("mean_V", "half_V", "dudt")]
        ocv_V = curves[0] + curves[2] * (temp_degC - 25.0)
        inverse_K, ln_ohm = array("inverse_K"), array("ln_ohm")
        at_K = 1.0 / (temp_degC + _ZERO_DEGC_K)
        j = int(np.clip(np.searchsorted(-inverse_K, -at_K) - 1, 0, len(inverse_K) - 2))
        warm = (inverse_K[j] - at_K) / (inverse_K[j] - inverse_K[j + 1])
        ln = ln_ohm[j] + warm * (ln_ohm[j + 1] - ln_ohm[j])
        ohms = [np.exp(np.interp(x, array("share"), row)) for row in ln]
        return [ocv_V, np.gradient(ocv_V, _STEP), curves[1], *ohms]

    def value(self, row: int, z: float) -> float:
        """One row of the tables at SOC z."""
        at = min(max((z - _LOW) / _STEP, 0.0), _N - 1.000001)
        j = int(at)
        values = self.here[row]
        return values[j] + (at - j) * (values[j + 1] - values[j])


class Loop:
    """Where between the branches of the open-circuit voltage a cell is, counted."""

    def __init__(self, circuit: Circuit) -> None:
        self.decay = circuit.given.number("decay_per_soc") * circuit.dt_s / circuit.capacity_As
        self.share = circuit.given.number("set_loop")
        self.h = 0.0

    def move(self, current_A: float) -> None:
        """One step at this current."""
        target = -1.0 if current_A > 0.0 else 1.0
        self.h = target + (self.h - target) * math.exp(-self.decay * abs(current_A))


class Filter(Protocol):
    """One cell's filter in a worker."""

    soc: float
    sigma: float

    def step(self, current_A: float, cell_V: float, temp_degC: float) -> None:
        """One step; cell_V is NaN when there is no new valid one."""


class Cells:
    """A filter for each pack."""

    def __init__(self, given: Given, make: Callable[[Given, float], Filter]) -> None:
        """make: from what is given and the start SOC."""
        self.filters = [make(given, float(soc)) for soc in given.array("start_soc")]

    def run(self, chunk: Arrays) -> tuple[F64, F64]:
        """SOC and its standard deviation after each step, (step, pack)."""
        soc, sigma = np.zeros_like(chunk["current_A"]), np.zeros_like(chunk["current_A"])
        for pack, one in enumerate(self.filters):
            columns = (chunk[name][:, pack].tolist() for name in ("current_A", "cell_V", "temp_degC"))
            for n, (current_A, cell_V, temp_degC) in enumerate(zip(*columns, strict=True)):
                one.step(current_A, cell_V, temp_degC)
                soc[n, pack], sigma[n, pack] = one.soc, one.sigma
        return soc, sigma


class Runner(Protocol):
    """The filters of all packs."""

    def run(self, chunk: Arrays) -> tuple[F64, F64]:
        """SOC and its standard deviation after each step, (step, pack)."""


def serve(begin: Callable[[Given], Runner]) -> None:
    """Talk with the bench until it stops: begin with the file that is the argument, then answer each line."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a package prints is no answer
    runner = begin(Given(sys.argv[1]))
    for line in sys.stdin:
        there, back = line.rstrip("\n").split("\t")
        soc, sigma = runner.run(load(there))
        np.savez(back, soc=soc, sigma=sigma)
        print("done", file=answers, flush=True)


def load(path: str) -> Arrays:
    """Arrays of a file by name."""
    with np.load(path) as held:
        return {name: held[name] for name in held.files}
