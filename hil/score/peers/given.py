"""What a worker is given: the beliefs of the BMS on grids, and readings in steps that a package in Python can bear.

workers/circuit.py says which arrays there are and what they mean.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.types import F64
from hil.calibration_tables import Model
from hil.dut.estimator import Readings
from hil.tables import grid, log_resistance, voltage_curves

_X = (-0.2, 0.005, 281)
_SHARE = (0.0, 0.01, 101)


def tables(model: Model) -> dict[str, F64]:
    """The circuit that the BMS believes its cells to be."""
    x, share = grid(*_X), grid(*_SHARE)
    mean_V, half_V, dudt = voltage_curves(model.ocv, model.entropy, x)
    ln_ohm, inverse_K = log_resistance(model.resistance, share)
    n = len(model.resistance.temp_degC)
    return {
        "capacity_Ah": np.asarray(model.capacity_Ah),
        "decay_per_soc": np.asarray(model.hysteresis.decay_per_soc),
        "tau_s": np.array([model.resistance.tau1_s, model.resistance.tau2_s]),
        "x": x, "mean_V": mean_V, "half_V": half_V, "dudt": dudt,
        "share": share, "ln_ohm": ln_ohm[: 3 * n].reshape(n, 3, -1), "inverse_K": inverse_K[:n],
        "reach_degC": np.array(model.reach.temp_degC), "reach_share": np.array(model.reach.share),
    }  # fmt: skip


def steps(readings: Readings, every: int, temp_degC: float | None) -> dict[str, F64]:
    """Readings of the first cell of each pack in steps of so many ticks; a rest that fills no step is left out.

    The current of a step is the mean of its ticks, voltage and temperature are the last ones, NaN for no new voltage.
    temp_degC: what is told instead of the temperature; None: what was read.
    """
    n = len(readings.current_A) // every
    current_A = readings.current_A[: n * every].reshape(n, every, -1).mean(axis=1)
    fresh = np.asarray(readings.fresh[: n * every, :, 0], bool).reshape(n, every, -1)
    cell_V = readings.cell_V[: n * every, :, 0].reshape(n, every, -1)
    last = every - 1 - np.argmax(fresh[:, ::-1], axis=1)
    volt = np.take_along_axis(cell_V, last[:, None], axis=1)[:, 0]
    told_degC = readings.temp_degC[every - 1 : n * every : every, :, 0]
    return {
        "current_A": current_A,
        "cell_V": np.where(fresh.any(axis=1), volt, np.nan),
        "temp_degC": told_degC if temp_degC is None else np.full_like(told_degC, temp_degC),
    }


def soc_at(volt: F64, given: dict[str, F64]) -> F64:
    """SOC at which the mean of the branches is this voltage at 25 degC, for a start of which nothing was said."""
    soc = np.interp(volt, given["mean_V"], given["x"])
    return np.clip(soc, 0.0, 1.0)


def reach(temp_degC: F64, given: dict[str, F64]) -> F64:
    """Share of the capacity that can be reached at a temperature."""
    return np.asarray(np.interp(temp_degC, given["reach_degC"], given["reach_share"]), np.float64)
