"""An unscented Kalman filter of filterpy over SOC and two RC voltages: UnscentedKalmanFilter with Merwe's sigma points."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from .circuit import F64, Cells, Circuit, Given, Loop, serve


class Ukf:
    """One cell's filter."""

    def __init__(self, given: Given, start_soc: float) -> None:
        kalman: Any = importlib.import_module("filterpy.kalman")
        self.circuit = Circuit(given)
        self.loop = Loop(self.circuit)
        points = kalman.MerweScaledSigmaPoints(3, alpha=0.3, beta=2.0, kappa=0.0)
        self.filter: Any = kalman.UnscentedKalmanFilter(
            dim_x=3, dim_z=1, dt=self.circuit.dt_s, hx=self._volt, fx=self._move, points=points
        )
        self.filter.x = np.array([start_soc, 0.0, 0.0])
        self.filter.P = np.diag([given.number("start_sigma") ** 2, 1e-4, 1e-4])
        soc_noise, pair_noise_V = given.number("set_soc_per_sqrt_s"), given.number("set_pair_V_per_sqrt_s")
        self.filter.Q = self.circuit.dt_s * np.diag([soc_noise**2, pair_noise_V**2, pair_noise_V**2])
        self.filter.R = np.array([[given.number("set_noise_V") ** 2]])
        self.soc, self.sigma = start_soc, given.number("start_sigma")

    def step(self, current_A: float, cell_V: float, temp_degC: float) -> None:
        """Predict with the current, and correct with the voltage when there is one."""
        kf = self.filter
        self.circuit.at(temp_degC)
        kf.predict(current_A=current_A)
        self.loop.move(current_A)
        if not math.isnan(cell_V):
            kf.update(np.array([cell_V]), current_A=current_A)
            kf.x[0] = min(max(kf.x[0], -0.05), 1.05)
        kf.P = 0.5 * (kf.P + kf.P.T)
        self.soc, self.sigma = float(kf.x[0]), math.sqrt(max(kf.P[0, 0], 0.0))

    def _move(self, x: F64, dt_s: float, current_A: float) -> F64:
        circuit, z = self.circuit, float(x[0])
        u1 = x[1] * circuit.keep1 + (1.0 - circuit.keep1) * circuit.value(4, z) * current_A
        u2 = x[2] * circuit.keep2 + (1.0 - circuit.keep2) * circuit.value(5, z) * current_A
        return np.array([z - current_A * dt_s / circuit.capacity_As, u1, u2])

    def _volt(self, x: F64, current_A: float) -> F64:
        circuit, z = self.circuit, float(x[0])
        drop_V = current_A * circuit.value(3, z) + x[1] + x[2]
        return np.array([circuit.value(0, z) + self.loop.share * self.loop.h * circuit.value(2, z) - drop_V])


if __name__ == "__main__":
    serve(lambda given: Cells(given, Ukf))
