"""An unscented Kalman filter of filterpy over SOC and two RC voltages: UnscentedKalmanFilter with Merwe's sigma points.

The noise of a voltage is that of the model, which grows with the voltage drop: what is known worst is resistance.
"""

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
        self.noise_V, self.drop_share = given.number("set_noise_V"), given.number("set_drop_share")
        self.soc, self.sigma = start_soc, given.number("start_sigma")

    def step(self, current_A: float, cell_V: float, temp_degC: float) -> None:
        """Predict with the current, and correct with the voltage when there is one."""
        kf = self.filter
        self.circuit.at(temp_degC)
        kf.predict(current_A=current_A)
        self.loop.move(current_A)
        if not math.isnan(cell_V):
            noise_V2 = self.noise_V**2 + (self.drop_share * self._drop_V(kf.x, current_A)) ** 2
            kf.update(np.array([cell_V]), R=noise_V2, current_A=current_A)
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
        loop_V = self.loop.share * self.loop.h * circuit.value(2, z)
        return np.array([circuit.value(0, z) + loop_V - self._drop_V(x, current_A)])

    def _drop_V(self, x: F64, current_A: float) -> float:
        return float(current_A * self.circuit.value(3, float(x[0])) + x[1] + x[2])


if __name__ == "__main__":
    serve(lambda given: Cells(given, Ukf))
