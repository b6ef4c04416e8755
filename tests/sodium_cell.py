"""A cell in NumPy as a calibration's [model] describes it, for estimators to be held against; and what a BMS reads of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil import calibration
from hil.calibration import Calibration
from hil.calibration_tables import Model
from hil.dut.estimator import Readings

DT_NS = 1_000_000_000
# Figures of the filter that the tests rest on; those that ship are tuned on recordings.
FIGURES: dict[str, Any] = {
    "method": "sodium",
    "cell_sigma_V": 0.001,
    "model_V2s": 0.0004,
    "resistance_error_share": 0.05,
    "resistance_sigma": 0.3,
    "resistance_walk_per_s": 1e-6,
    "resistance_walk_per_soc": 0.01,
    "current_error_share": 0.01,
    "current_error_A": 0.004,
    "hysteresis_sigma": 0.3,
    "ocv_sigma_V": 0.01,
    "ocv_span_soc": 0.1,
    "curve_sigma_V": 0.0,
    "age_sigma": 0.0,
    "capacity_sigma": 0.1,
    "capacity_walk_per_s": 1e-9,
    "bias_sigma_A": 0.01,
    "bias_walk_A2_per_s": 1e-11,
    "temperature_sigma_K": 0.5,
    "temperature_walk_K2_per_s": 0.0,
    "reach_sigma": 0.0,
    "swing_V2s": 0.0,
    "heat_K_per_W": 0.0,
    "step_share": 0.3,
    "settle_s": 10.0,
    "cold_degC": 10.0,
    "cold_V_per_K": 0.005,
    "correct_s": 1.0,
    "slope_span_soc": 0.0025,
    "band_floor": 0.005,
    "band_V": 0.0,
    "band_share": 1.0,
    "band_per_K": 0.0,
    "flat_V": 0.0,
    "curve_span_soc": 0.01,
}


def believed(**figures: Any) -> Calibration:
    """The bench pack's calibration with the figures above, and others."""
    shipped = calibration.load("nfm-16s")[1]
    return shipped.model_copy(update={"filter": shipped.filter.changed(**{**FIGURES, **figures})})


class Cell:
    """State of the circuit. rho, capacity: of this cell relative to the model's. drop_V: voltage drop at rho = 1."""

    def __init__(
        self, model: Model, z: float, h: float = -1.0, temp_degC: float = 25.0, rho: float = 1.0, capacity: float = 1.0
    ) -> None:
        self.model, self.z, self.h, self.temp_degC, self.rho = model, z, h, temp_degC, rho
        self.capacity_As = 3600.0 * model.capacity_Ah * capacity
        self.u, self.drop_V = np.zeros(3), 0.0
        self.reach = float(np.interp(temp_degC, model.reach.temp_degC, model.reach.share))

    def ohm(self) -> F64:
        """R0, R1, R2 at the reference current."""
        return self.ohm_at(1.0 - (1.0 - self.z) / self.reach)

    def ohm_at(self, x: float) -> F64:
        """The same at a share of what is in reach."""
        r = self.model.resistance
        per_K = -1.0 / (np.array(r.temp_degC) + 273.15)
        at = [[np.interp(x, r.soc, np.log(row)) for row in table] for table in (r.r0_ohm, r.r1_ohm, r.r2_ohm)]
        return np.asarray(np.exp([np.interp(-1.0 / (self.temp_degC + 273.15), per_K, rows) for rows in at]))

    def left(self, current_A: float) -> float:
        """Share that kinetics leave of the tables' resistance at a current."""
        rate = self.model.rate
        if rate is None:
            return 1.0
        per_K = -1.0 / (np.array(rate.temp_degC) + 273.15)
        i0_A = np.exp(np.interp(-1.0 / (self.temp_degC + 273.15), per_K, np.log(rate.i0_A)))
        y = max(abs(current_A), 1e-9) / i0_A
        y_of = rate.reference_A / i0_A
        return float(np.arcsinh(y) / y / (np.arcsinh(y_of) / y_of))

    def rest_V(self) -> float:
        """Without current, at this place in the loop."""
        ocv, x = self.model.ocv, 1.0 - (1.0 - self.z) / self.reach
        low, high = np.interp(x, ocv.soc, ocv.discharge_V), np.interp(x, ocv.soc, ocv.charge_V)
        dudt = np.interp(x, self.model.entropy.soc, self.model.entropy.dudt_mV_per_K) * 1e-3
        return float(0.5 * (low + high) + 0.5 * (high - low) * self.h + dudt * (self.temp_degC - 25.0))

    def step(self, current_A: float, dt_s: float) -> float:
        """Voltage [V] after dt."""
        res, slow = self.model.resistance, self.model.slow
        r0, r1, r2 = self.ohm()
        share, left = (self.model.rate.r0_share if self.model.rate else 0.0), self.left(current_A)
        kept = np.exp(-dt_s / np.array([res.tau1_s, res.tau2_s, slow.tau3_s if slow else 1.0]))
        self.u = self.u * kept + (1.0 - kept) * current_A * np.array([r1 * left, r2, r2 * (slow.r3_share if slow else 0.0)])
        dz = current_A * dt_s / self.capacity_As
        self.z -= dz
        target = -1.0 if current_A > 0.0 else 1.0
        self.h = target + (self.h - target) * np.exp(-self.model.hysteresis.decay_per_soc * abs(dz))
        self.drop_V = float(current_A * r0 * (1.0 - share + share * left) + self.u.sum())
        return self.rest_V() - self.rho * self.drop_V


def lived(cell: Cell, current_A: F64, offset_A: float = 0.0) -> tuple[Readings, F64]:
    """What a BMS reads of a cell whose true current is given, one row a second, and the true SOC. offset_A: of the sensor."""
    dt_s = DT_NS * 1e-9
    found = np.array([(cell.step(float(amps), dt_s), cell.z) for amps in current_A])
    shape = (len(current_A), 1, 1)
    readings = Readings(
        np.ascontiguousarray(current_A[:, None] + offset_A),
        np.ascontiguousarray(found[:, 0]).reshape(shape),
        np.full(shape, cell.temp_degC),
        np.ones(shape, np.uint8),
    )
    return readings, found[:, 1]


def cycles(capacity_Ah: float, n: int, low: float, high: float) -> F64:
    """True current of n cycles from high to low and back, with a load that changes every 20 s, and pauses of 10 min."""
    rng, out = np.random.default_rng(3), []
    seconds = int(3600 * (high - low) / 0.6)
    for _ in range(n):
        down = np.repeat(rng.uniform(0.0, 1.2, seconds // 20), 20) * capacity_Ah
        down *= (high - low) * 3600.0 * capacity_Ah / down.sum()
        up = np.full(int(3600 * (high - low) / 0.5), -0.5 * capacity_Ah)
        pause = np.zeros(600)
        out += [down, pause, up, pause]
    return np.concatenate(out)
