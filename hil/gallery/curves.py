"""Curves over SOC as the plant has them: both branches, their slope and distance, dU/dT, and the window that they cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64
from hil.plant.cellfile import Cell
from hil.report.accuracy import OCV_WINDOW_V
from hil.tables import grid, voltage_curves

_N = 201
_SLOPE_OVER = 4  # steps of half a per cent: the slope is that of 2 % SOC, because tables are straight between their points


@dataclass(frozen=True)
class Curves:
    """Of one cell at 25 degC.

    soc: [%].  slope_mV: [mV per % SOC].  window: SOC as shares between which the mean lies in the 2.7 to 3.2 V window.
    """

    soc: F64
    discharge_V: F64
    charge_V: F64
    mean_V: F64
    slope_mV: F64
    dudt_mV_per_K: F64
    window: tuple[float, float] | None


def of(cell: Cell) -> Curves:
    """Curves of a cell."""
    soc = grid(0.0, 1.0 / (_N - 1), _N)
    mean_V, half_V, dudt = voltage_curves(cell.ocv, cell.entropy, soc)
    low = np.maximum(np.arange(_N) - _SLOPE_OVER // 2, 0)
    high = np.minimum(np.arange(_N) + _SLOPE_OVER // 2, _N - 1)
    slope_mV = 1e3 * (mean_V[high] - mean_V[low]) / (100.0 * (soc[high] - soc[low]))
    return Curves(100.0 * soc, mean_V - half_V, mean_V + half_V, mean_V, slope_mV, 1e3 * dudt, window(soc, mean_V))


def window(soc: F64, mean_V: F64) -> tuple[float, float] | None:
    """SOC between which a rising voltage lies in the window; None when it never does."""
    low_V, high_V = OCV_WINDOW_V
    if mean_V[-1] <= low_V or mean_V[0] >= high_V:
        return None
    return float(np.interp(low_V, mean_V, soc)), float(np.interp(high_V, mean_V, soc))
