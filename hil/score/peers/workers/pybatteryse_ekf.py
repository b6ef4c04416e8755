"""The extended Kalman filter of PyBatterySE, on a model that its companion PyBatteryID identifies from our circuit.

PyBatterySE filters only models of PyBatteryID: linear in past overpotentials and currents, with coefficients that are
polynomials of SOC and temperature. So the circuit is run over the range of SOC at several temperatures with currents that
are informative (held from 5 s to 4 min, up to 2C, noise-free), and PyBatteryID identifies its model from that. The two
branches of the open-circuit voltage cannot be told to this filter: it gets their mean.

What can be reached in the cold is a smaller capacity to it, that of the first temperature; its SOC counts within that.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from typing import Any

import numpy as np

from .circuit import F64, Arrays, Circuit, Given, serve

_BASES = ["s", "exp[[0.00366*T+1]^-1]"]  # the second is Arrhenius' law as PyBatteryID's README has it
_ORDER, _POWERS = 2, 3
_FILTER = "extended_kalman_filter"
_HOURS, _HELD_S, _MOST_C = 6, (5, 240), 2.0
_COLDEST_DEGC, _WARMEST_DEGC = 0.0, 50.0
_LOW, _HIGH = -0.05, 1.05


def informative(circuit: Circuit, temp_degC: float, rng: np.random.Generator) -> dict[str, Any]:
    """What the circuit does under random steps of current that sweep it down and up, in PyBatteryID's terms."""
    n, dt_s = round(_HOURS * 3600 / circuit.dt_s), circuit.dt_s
    one_c_A = circuit.capacity_As / 3600.0
    circuit.at(temp_degC)
    current_A, volt = np.zeros(n), np.zeros(n)
    z, u1, u2, left, way = 0.98, 0.0, 0.0, 0, 1.0
    for k in range(n):
        if left == 0:
            left = max(round(rng.integers(*_HELD_S) / dt_s), 1)
            held_A = one_c_A * (0.45 * way + rng.uniform(-1.5, 1.5) * (rng.random() < 0.8))
            if not 0.03 < z - held_A * left * dt_s / circuit.capacity_As < 0.985:
                way = 1.0 if z > 0.5 else -1.0
                held_A = 0.5 * one_c_A * way
        left -= 1
        current_A[k] = min(max(held_A, -_MOST_C * one_c_A), _MOST_C * one_c_A)
        volt[k] = circuit.value(0, z) - current_A[k] * circuit.value(3, z) - u1 - u2
        u1 = u1 * circuit.keep1 + (1.0 - circuit.keep1) * circuit.value(4, z) * current_A[k]
        u2 = u2 * circuit.keep2 + (1.0 - circuit.keep2) * circuit.value(5, z) * current_A[k]
        z -= current_A[k] * dt_s / circuit.capacity_As
    values = {"current_values": -current_A, "voltage_values": volt, "temperature_values": np.full(n, temp_degC)}
    return {"initial_soc": 0.98, "time_values": dt_s * np.arange(n), **values}


def identify(circuit: Circuit) -> Any:
    """A model of PyBatteryID that does what the circuit does. What it prints is of no use here."""
    structure_of: Any = importlib.import_module("pybatteryid.modelstructure")
    identification: Any = importlib.import_module("pybatteryid.identification")
    soc = np.linspace(_LOW, _HIGH, 111)
    at_25, at_35 = (np.interp(soc, -0.1 + 0.001 * np.arange(1201), circuit.at(t_degC)[0]) for t_degC in (25.0, 35.0))
    structure = structure_of.ModelStructure(circuit.capacity_As, circuit.dt_s)
    structure.add_emf_function(
        {
            "soc_values": soc,
            "voltage_values": at_25,
            "dVdT_values": (at_35 - at_25) / 10.0,
            "reference_temperature_value": 25.0,
        }
    )
    structure.add_basis_functions(_BASES)
    nodes_degC = 1.0 / circuit.given.array("inverse_K") - 273.15
    rng = np.random.default_rng(1)
    sets = [informative(circuit, float(t), rng) for t in nodes_degC if _COLDEST_DEGC <= t <= _WARMEST_DEGC]
    with contextlib.redirect_stdout(io.StringIO()):
        return identification.identify_model(sets, structure, _ORDER, _POWERS, ["ridgecv.sklearn"])


class Filters:
    """The filter of each pack. It runs over a whole data set; the last step of a chunk begins the next one."""

    def __init__(self, given: Given) -> None:
        package: Any = importlib.import_module("pybatteryse")
        self.reach = np.interp(given.array("start_degC"), given.array("reach_degC"), given.array("reach_share"))
        given.arrays["reach_share"] = np.ones_like(given.array("reach_share"))
        model = identify(Circuit(given))
        variance_A2, variance_V2 = given.number("set_noise_A") ** 2, given.number("set_noise_V") ** 2
        self.filters: list[Any] = []
        for reach in self.reach:
            space = package.load_statespace_representation(model, state_components=["s", "overpotentials"])
            space.battery_capacity *= reach
            self.filters.append(package.load_filter(space, _FILTER, variance_eta_u=variance_A2, variance_eta_y_e=variance_V2))
        self.states = np.zeros((given.n_packs, 1 + _ORDER))
        self.states[:, 0] = np.clip(1.0 - (1.0 - given.array("start_soc")) / self.reach, _LOW + 0.001, _HIGH - 0.001)
        sigma = given.number("start_sigma")
        self.spreads = np.array([np.diag([(sigma / reach) ** 2] + [1e-4] * _ORDER) for reach in self.reach])
        self.before: Arrays | None = None

    def run(self, chunk: Arrays) -> tuple[F64, F64]:
        """SOC and its standard deviation after each step, (step, pack)."""
        if self.before is None:
            self.before = {name: values[:1] for name, values in chunk.items()}
        whole = {name: np.concatenate([self.before[name], values]) for name, values in chunk.items()}
        whole["cell_V"] = held(whole["cell_V"])
        self.before = {name: values[-1:] for name, values in whole.items()}
        soc, sigma = np.full_like(chunk["current_A"], np.nan), np.full_like(chunk["current_A"], np.nan)
        for p, (ekf, reach) in enumerate(zip(self.filters, self.reach, strict=True)):
            dataset = {
                "current_values": -whole["current_A"][:, p],
                "voltage_values": whole["cell_V"][:, p],
                "temperature_values": whole["temp_degC"][:, p],
            }
            states, spreads = ekf.run(dataset, self.states[p], self.spreads[p])
            self.states[p], self.spreads[p] = states[-1], spreads[-1]
            soc[: len(states) - 1, p] = 1.0 - (1.0 - states[1:, 0]) * reach
            sigma[: len(states) - 1, p] = reach * np.sqrt(np.maximum(spreads[1:, 0, 0], 0.0))
        return soc, sigma


def held(cell_V: F64) -> F64:
    """Voltages (step, pack) with the last valid one where there is no new one: this filter needs one each step."""
    known = ~np.isnan(cell_V)
    at = np.maximum.accumulate(np.where(known, np.arange(len(cell_V))[:, None], -1), axis=0)
    at = np.where(at < 0, np.argmax(known, axis=0), at)
    return np.asarray(np.take_along_axis(cell_V, at, axis=0))


if __name__ == "__main__":
    serve(Filters)
