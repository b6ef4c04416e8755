"""The resistance that a current meets after 10 s, in closed form from a cell's tables."""

from __future__ import annotations

import numpy as np

from firmware_sim.types import F64
from hil.plant.cellfile import Cell
from hil.tables import ZERO_DEGC_K, Resistance

PULSE_S = 10.0
HALF = 0.5


def row(r: Resistance, name: str, temp_degC: float) -> F64:
    """Resistances over SOC at a temperature [ohm]: ln R is linear in 1/T, beyond the ends of the table too."""
    at = 1.0 / (temp_degC + ZERO_DEGC_K)
    nodes = [1.0 / (t + ZERO_DEGC_K) for t in r.temp_degC]
    j = min(max(sum(at < node for node in nodes) - 1, 0), len(nodes) - 2)
    weight = (nodes[j] - at) / (nodes[j] - nodes[j + 1])
    cold, warm = (np.log(np.array(getattr(r, name)[k])) for k in (j, j + 1))
    return np.asarray(np.exp(cold + weight * (warm - cold)), np.float64)


def circuit_ohm(r: Resistance, temp_degC: float) -> float:
    """Of the circuit alone after 10 s at half charge."""
    r0, r1, r2 = (float(np.interp(HALF, r.soc, row(r, name, temp_degC))) for name in ("r0_ohm", "r1_ohm", "r2_ohm"))
    left1, left2 = (float(np.exp(-PULSE_S / tau_s)) for tau_s in (r.tau1_s, r.tau2_s))
    return r0 + r1 * (1.0 - left1) + r2 * (1.0 - left2)


def ocv_ohm(soc: list[float], mean_V: F64, capacity_Ah: float, reach: float) -> float:
    """What the fall of the open-circuit voltage at half charge adds in 10 s, per ampere."""
    wide = 0.01
    low, high = np.interp([HALF - wide, HALF + wide], soc, mean_V)
    return float(high - low) / (2.0 * wide) * PULSE_S / 3600.0 / (capacity_Ah * reach)


def reach_at(cell: Cell, temp_degC: float) -> float:
    """Share of the capacity in reach."""
    return float(np.interp(temp_degC, cell.reach.temp_degC, cell.reach.share))


def ten_seconds_ohm(cell: Cell, temp_degC: float) -> float:
    """Fall of voltage over current, 10 s after a discharge current begins at half charge."""
    mean_V = 0.5 * (np.array(cell.ocv.discharge_V) + np.array(cell.ocv.charge_V))
    return circuit_ohm(cell.resistance, temp_degC) + ocv_ohm(cell.ocv.soc, mean_V, cell.capacity_Ah, reach_at(cell, temp_degC))
