"""What the filter is told about cells whose curve is flat somewhere: a voltage there says little, whatever its noise."""

from __future__ import annotations

import numpy as np

from hil.plant.cellfile import Cell
from hil.tables import interp

_SPAN_SOC, _FLAT_V = 0.1, 0.3
# Figures of [filter.sodium] that differ; searched on simulated NVPF cells (nabench score, seeds 7 and 11; seed 1 is judged),
# reach_sigma after the others. With swings of the load a wrong start on a plateau is doubted too
# little; correct_s is that of the search.
FLAT = {
    "cell_sigma_V": 0.0023,
    "model_V2s": 0.0053,
    "ocv_sigma_V": 0.053,
    "ocv_span_soc": 2.0,
    "curve_sigma_V": 0.0,
    "curve_span_soc": 0.1,
    "age_sigma": 0.0,
    "slope_span_soc": 0.08,
    "hysteresis_sigma": 0.52,
    "resistance_error_share": 0.092,
    "resistance_sigma": 0.11,
    "resistance_walk_per_soc": 0.08,
    "capacity_sigma": 0.02,
    "temperature_sigma_K": 2.5,
    "reach_sigma": 0.1,
    "swing_V2s": 0.0,
    "correct_s": 1.0,
    "bias_sigma_A": 0.005,
    "band_floor": 0.002,
    "band_V": 0.0005,
    "band_share": 0.5,
    "band_per_K": 0.0,
    "flat_V": 0.07,
}


def is_flat(cell: Cell) -> bool:
    """Whether the mean rested voltage rises by less than _FLAT_V [V per SOC] over _SPAN_SOC somewhere in 10 to 90 %."""
    mean_V = [0.5 * (low + high) for low, high in zip(cell.ocv.discharge_V, cell.ocv.charge_V, strict=True)]
    x = np.linspace(0.1, 0.9 - _SPAN_SOC, 71)
    rise_V = interp(x + _SPAN_SOC, cell.ocv.soc, mean_V) - interp(x, cell.ocv.soc, mean_V)
    return bool((rise_V / _SPAN_SOC).min() < _FLAT_V)
