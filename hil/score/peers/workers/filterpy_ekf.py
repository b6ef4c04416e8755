"""An extended Kalman filter of filterpy over SOC and two RC voltages: ExtendedKalmanFilter.predict and .update.

The noise of a voltage is that of the model, which grows with the voltage drop: what is known worst is resistance.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from .circuit import F64, Cells, Circuit, Given, Loop, serve


class Ekf:
    """One cell's filter."""

    def __init__(self, given: Given, start_soc: float) -> None:
        kalman: Any = importlib.import_module("filterpy.kalman")
        self.circuit = Circuit(given)
        self.loop = Loop(self.circuit)
        self.filter: Any = kalman.ExtendedKalmanFilter(dim_x=3, dim_z=1)
        self.filter.x = np.array([start_soc, 0.0, 0.0])
        self.filter.P = np.diag([given.number("start_sigma") ** 2, 1e-4, 1e-4])
        self.filter.F = np.diag([1.0, self.circuit.keep1, self.circuit.keep2])
        soc_noise, pair_noise_V = given.number("set_soc_per_sqrt_s"), given.number("set_pair_V_per_sqrt_s")
        self.filter.Q = self.circuit.dt_s * np.diag([soc_noise**2, pair_noise_V**2, pair_noise_V**2])
        self.noise_V, self.drop_share = given.number("set_noise_V"), given.number("set_drop_share")
        self.soc, self.sigma = start_soc, given.number("start_sigma")

    def step(self, current_A: float, cell_V: float, temp_degC: float) -> None:
        """Predict with the current, and correct with the voltage when there is one."""
        circuit, kf = self.circuit, self.filter
        circuit.at(temp_degC)
        z = float(kf.x[0])
        r1, r2 = circuit.value(4, z), circuit.value(5, z)
        kf.B = np.array([-circuit.dt_s / circuit.capacity_As, (1.0 - circuit.keep1) * r1, (1.0 - circuit.keep2) * r2])
        kf.predict(current_A)
        self.loop.move(current_A)
        if not math.isnan(cell_V):
            noise_V2 = self.noise_V**2 + (self.drop_share * self._drop_V(kf.x, current_A)) ** 2
            kf.update(np.array([cell_V]), self._slopes, self._volt, R=noise_V2, hx_args=(current_A,))
            kf.x[0] = min(max(kf.x[0], -0.05), 1.05)
        self.soc, self.sigma = float(kf.x[0]), math.sqrt(max(kf.P[0, 0], 0.0))

    def _slopes(self, x: F64) -> F64:
        return np.array([[self.circuit.value(1, float(x[0])), -1.0, -1.0]])

    def _volt(self, x: F64, current_A: float) -> F64:
        circuit, z = self.circuit, float(x[0])
        loop_V = self.loop.share * self.loop.h * circuit.value(2, z)
        return np.array([circuit.value(0, z) + loop_V - self._drop_V(x, current_A)])

    def _drop_V(self, x: F64, current_A: float) -> float:
        return float(current_A * self.circuit.value(3, float(x[0])) + x[1] + x[2])


if __name__ == "__main__":
    serve(lambda given: Cells(given, Ekf))
