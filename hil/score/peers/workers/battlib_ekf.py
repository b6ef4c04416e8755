"""The EKFSOCEstimator of battlib: one open-circuit voltage, one resistance each, at 50 % SOC, and no temperature.

Its Jacobian has no slope of the open-circuit voltage, so the gain of SOC is exactly 0: what comes back is its counting.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

from .circuit import Cells, Circuit, Given, serve

_HERE = 0.5


class Battlib:
    """One cell's filter. It starts from a voltage: from the one that its table has at the start SOC."""

    def __init__(self, given: Given, start_soc: float) -> None:
        battlib: Any = importlib.import_module("battlib")
        circuit = Circuit(given)
        r0, r1, r2 = (circuit.value(row, _HERE) for row in (3, 4, 5))
        tau1_s, tau2_s = (float(tau_s) for tau_s in given.array("tau_s"))
        soc = [n / 100.0 for n in range(101)]
        battery = battlib.Battery(
            ocv=[circuit.value(0, z) for z in soc], soc=soc, q_cap=circuit.capacity_As,
            r_int=r0, r_ct=r1, c_ct=tau1_s / r1, r_d=r2, c_d=tau2_s / r2,
            var_z=given.number("start_sigma") ** 2, var_i_ct=1e-2, var_i_d=1e-2,
            var_sens=given.number("set_noise_V") ** 2, var_in=1e-6, coulomb_eta=1.0,
        )  # fmt: skip
        self.filter: Any = battlib.EKFSOCEstimator(battery, circuit.value(0, min(max(start_soc, 0.0), 1.0)))
        self.dt_s, self.volt = circuit.dt_s, circuit.value(0, start_soc)
        self.soc, self.sigma = start_soc, given.number("start_sigma")

    def step(self, current_A: float, cell_V: float, temp_degC: float) -> None:  # noqa: ARG002  it knows no temperature
        """One step; it needs a voltage each time and gets the last one again when there is no new one."""
        if not math.isnan(cell_V):
            self.volt = cell_V
        self.filter.step(dt=self.dt_s, i_in=current_A, measured_v=self.volt)
        self.soc, self.sigma = float(self.filter.x[0]), math.sqrt(self.filter.P[0, 0])


if __name__ == "__main__":
    serve(lambda given: Cells(given, Battlib))
