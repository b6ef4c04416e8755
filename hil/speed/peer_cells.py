"""One circuit in three solvers: the plant, NREL's thevenin and PyBaMM's Thevenin model.

The circuit is the shipped cell at 25 degC: R0 and two RC pairs over SOC, open-circuit voltage over SOC. Temperature stands
still and there is no entropic term, because each solver has its own idea of heat. thevenin has hysteresis as the plant has;
PyBaMM has none and stands on the discharge branch, where the plant stays too while it is only discharged.

The two packages are an extra and are imported when their solver is made.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_sim.types import F64, MS_NS
from hil.errors import BenchError
from hil.plant import cell as c
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.plant.plant import Initial
from hil.speed.alone import Alone

PACKAGES = ("thevenin", "pybamm")
STEP_S = 0.01
START_SOC = 0.8
TEMP_DEGC = 25.0
DISCHARGED = -1.0
_CELL = "nfm-18650"
_NO_HEAT_J_PER_K = 1e30


def need() -> None:
    """Raise BenchError that names what is not installed."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BenchError(f'--peers needs {" and ".join(missing)}, not installed here: pip install "nabench[peers]"')


def line(xs: F64, ys: F64, then: Callable[[Any], Any] = float) -> Callable[[Any], Any]:
    """Linear interpolation, constant outside, and a function of its result.

    One number at a time it is five times as fast as np.interp: thevenin asks for one in each step, for many when it is done.
    """
    x, y = xs.tolist(), ys.tolist()
    slope = [(d - c) / (b - a) for a, b, c, d in zip(x, x[1:], y, y[1:], strict=False)]
    last = len(slope) - 1

    def at(value: Any) -> Any:
        """The value at a SOC, or an array of them; held at both ends."""
        if isinstance(value, np.ndarray):
            return np.array([at(one) for one in value])
        soc = float(value)
        j = min(max(bisect_right(x, soc) - 1, 0), last)
        return then(y[j] + slope[j] * (min(max(soc, x[0]), x[-1]) - x[j]))

    return at


class Circuit:
    """Numbers of the circuit, as functions of SOC."""

    def __init__(self) -> None:
        cell = cellfile.load(_CELL)[1]
        optional = [name for name, field in Cell.model_fields.items() if field.default is None]
        entropy = cell.entropy.model_copy(update={"dudt_mV_per_K": [0.0] * len(cell.entropy.soc)})
        self.cell: Cell = cell.model_copy(update={**dict.fromkeys(optional), "entropy": entropy})
        r, ocv = self.cell.resistance, self.cell.ocv
        row = r.temp_degC.index(TEMP_DEGC)
        self.r_soc, self.ocv_soc = np.array(r.soc), np.array(ocv.soc)
        self.ln_ohm: list[F64] = [np.log(np.array(table[row])) for table in (r.r0_ohm, r.r1_ohm, r.r2_ohm)]
        self.tau_s = (r.tau1_s, r.tau2_s)
        self.low_V, self.high_V = np.array(ocv.discharge_V), np.array(ocv.charge_V)

    def plant(self, n_cells: int = 1, dt_ns: int = 10 * MS_NS) -> Alone:
        """The plant with n of these cells, which no heat can warm."""
        alone = Alone(self.cell, dt_ns, Initial(soc=START_SOC, temp_degC=TEMP_DEGC), n_cells, DISCHARGED)
        alone.plant.par[c.HEAT_CAPACITY] = _NO_HEAT_J_PER_K
        return alone


class Thevenin:
    """The circuit in thevenin: Prediction.take_step when it is stepped, Simulation.run when it may choose its steps."""

    def __init__(self, circuit: Circuit) -> None:
        self.package: Any = importlib.import_module("thevenin")
        cell = circuit.cell

        def ohm(pair: int) -> Callable[[Any, Any], Any]:
            """Resistance [ohm] of a pair as thevenin asks for it; pair 0 is the one in series."""
            at = line(circuit.r_soc, circuit.ln_ohm[pair], math.exp)
            return lambda soc, _temp_K: at(soc)

        def farad(pair: int) -> Callable[[Any, Any], Any]:
            """Capacitance [F] of a pair, so that its time constant is the same at every SOC."""
            at = line(circuit.r_soc, math.log(circuit.tau_s[pair - 1]) - circuit.ln_ohm[pair], math.exp)
            return lambda soc, _temp_K: at(soc)

        mean_V = line(circuit.ocv_soc, 0.5 * (circuit.low_V + circuit.high_V))
        half_V = line(circuit.ocv_soc, 0.5 * (circuit.high_V - circuit.low_V))
        parameters: dict[str, Any] = {
            "num_RC_pairs": 2,
            "soc0": START_SOC,
            "capacity": cell.capacity_Ah,
            "ce": 1.0,
            "gamma": cell.hysteresis.decay_per_soc,
            "mass": 1.0,
            "Cp": 1.0,
            "isothermal": True,
            "T_inf": TEMP_DEGC + c.ZERO_DEGC_K,
            "h_therm": 0.0,
            "A_therm": 0.0,
            "ocv": mean_V,
            "M_hyst": half_V,
            "R0": ohm(0),
            **{name: value for j in (1, 2) for name, value in ((f"R{j}", ohm(j)), (f"C{j}", farad(j)))},
        }
        self.parameters = parameters
        self.prediction: Any = self.package.Prediction(parameters)
        hysteresis_V = DISCHARGED * half_V(START_SOC)
        self.state: Any = self.package.TransientState(START_SOC, parameters["T_inf"], hysteresis_V, np.zeros(2))
        self.voltage_V: float = mean_V(START_SOC) + hysteresis_V

    def step(self, current_A: float) -> float:
        """One step of 10 ms; the voltage at its end [V]."""
        self.state = self.prediction.take_step(self.state, current_A, STEP_S)
        self.voltage_V = float(self.state.voltage)
        return self.voltage_V

    def hour(self, current_A: float) -> Callable[[], float]:
        """An hour at one current, ready to run; it gives the voltage at its end [V]."""
        simulation = self.package.Simulation(self.parameters)
        experiment = self.package.Experiment()
        experiment.add_step("current_A", current_A, np.array([0.0, 3600.0]))
        return lambda: float(simulation.run(experiment).vars["voltage_V"][-1])


class PyBaMM:
    """The circuit in PyBaMM's Thevenin model: Simulation.step when it is stepped, Simulation.solve when it may choose."""

    def __init__(self, circuit: Circuit) -> None:
        os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")  # it would ask on the terminal, and wait
        self.package: Any = importlib.import_module("pybamm")
        pybamm, cell = self.package, circuit.cell

        def ohm(pair: int) -> Callable[[Any, Any, Any], Any]:
            """Resistance [ohm] of a pair as PyBaMM asks for it; pair 0 is the one in series."""
            return lambda _temp_degC, _current_A, soc: pybamm.exp(
                pybamm.Interpolant(circuit.r_soc, circuit.ln_ohm[pair], soc, name=f"ln R{pair}")
            )

        def farad(pair: int) -> Callable[[Any, Any, Any], Any]:
            """Capacitance [F] of a pair, so that its time constant is the same at every SOC."""
            return lambda temp_degC, current_A, soc: circuit.tau_s[pair - 1] / ohm(pair)(temp_degC, current_A, soc)

        values = pybamm.ParameterValues("ECM_Example")
        values.update(
            {
                "Initial SoC": START_SOC,
                "Cell capacity [A.h]": cell.capacity_Ah,
                "Nominal cell capacity [A.h]": cell.capacity_Ah,
                "Current function [A]": "[input]",
                "Upper voltage cut-off [V]": 10.0,
                "Lower voltage cut-off [V]": 0.0,
                "Cell thermal mass [J/K]": _NO_HEAT_J_PER_K,
                "Jig thermal mass [J/K]": _NO_HEAT_J_PER_K,
                "Entropic change [V/K]": lambda _ocv_V, _temp_degC: pybamm.Scalar(0.0),
                "Open-circuit voltage [V]": lambda soc: pybamm.Interpolant(circuit.ocv_soc, circuit.low_V, soc, name="ocv"),
                "R0 [Ohm]": ohm(0),
                "Element-2 initial overpotential [V]": 0.0,
                **{
                    name: value
                    for j in (1, 2)
                    for name, value in ((f"R{j} [Ohm]", ohm(j)), (f"C{j} [F]", farad(j)))
                },
            }
        )  # fmt: skip
        self.values = values
        self.simulation = self._simulation()
        self.solution: Any = None
        self.voltage_V: float = line(circuit.ocv_soc, circuit.low_V)(START_SOC)

    def _simulation(self) -> Any:
        model = self.package.equivalent_circuit.Thevenin(options={"number of rc elements": 2})
        return self.package.Simulation(model, parameter_values=self.values)

    def step(self, current_A: float) -> float:
        """One step of 10 ms, of which only the last is kept; the voltage at its end [V]."""
        inputs = {"Current function [A]": current_A}
        self.solution = self.simulation.step(STEP_S, starting_solution=self.solution, inputs=inputs, save=False)
        self.voltage_V = float(self.solution["Voltage [V]"].data[-1])
        return self.voltage_V

    def hour(self, current_A: float) -> Callable[[], float]:
        """An hour at one current, ready to run; it gives the voltage at its end [V]."""
        simulation, inputs = self._simulation(), {"Current function [A]": current_A}
        simulation.solve([0.0, 1.0], inputs=inputs)  # the first call builds the model
        return lambda: float(simulation.solve([0.0, 3600.0], inputs=inputs)["Voltage [V]"].data[-1])
