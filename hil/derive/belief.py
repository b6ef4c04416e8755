"""What a BMS believes about a cell: the cell file's tables through the eyes of who only has its data sheet.

Truth is not belief, and an estimator that is tested on its own plant's tables is not tested. So a derived belief differs on
purpose, by stated amounts: less capacity, less resistance, fewer points, coarser figures. None of it is fitted to anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hil.derive.figures import Figures, digits
from hil.plant.cellfile import Cell
from hil.tables import Ocv, Sourced, interp, log

_CAPACITY_SHARE = 0.98
_RESISTANCE_SHARE = 0.95
_HEAT_SHARE = 0.9
_OCV_SOC = [0.0, 0.02, 0.05, 0.1, *(round(0.05 * n, 2) for n in range(3, 20)), 1.0]
_RESISTANCE_SOC = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0]
_ENTROPY_SOC = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
_OCV_STEPS_V = (0.005, 0.001, 0.0001, 0.00001)


def model(cell: Cell, figures: Figures) -> dict[str, Any]:
    """The table [model] with those below it, for a group of cells as one cell."""
    group = "" if figures.parallel == 1 else f", {figures.parallel} cells in parallel as one"
    return {
        **_sourced(cell, "capacity", cell.capacity, f"{_CAPACITY_SHARE:g} of it, to three digits{group}"),
        "capacity_Ah": digits(figures.string_Ah * _CAPACITY_SHARE, 3),
        "ocv": _ocv(cell),
        "hysteresis": {
            **_sourced(cell, "hysteresis", cell.hysteresis, "as it stands"),
            "decay_per_soc": cell.hysteresis.decay_per_soc,
        },
        "resistance": _resistance(cell, figures.parallel, group),
        "reach": {
            **_sourced(cell, "reach", cell.reach, "to two digits"),
            "temp_degC": cell.reach.temp_degC,
            "share": [digits(share, 2) for share in cell.reach.share],
        },
        "entropy": {
            **_sourced(cell, "entropy", cell.entropy, f"on {len(_ENTROPY_SOC)} points, to two digits"),
            "soc": _ENTROPY_SOC,
            "dudt_mV_per_K": [digits(x, 2) for x in _at(_ENTROPY_SOC, cell.entropy.soc, cell.entropy.dudt_mV_per_K)],
        },
        **_more(cell, figures.parallel, group),
    }


def _more(cell: Cell, parallel: int, group: str) -> dict[str, Any]:
    """How resistance falls with current, and the third pair, of a cell that has them; what warms it."""
    found: dict[str, Any] = {}
    if cell.rate is not None:
        found["rate"] = {
            **_sourced(cell, "rate", cell.rate, f"to two digits{group}"),
            "temp_degC": cell.rate.temp_degC,
            "i0_A": [digits(i0_A * parallel, 2) for i0_A in cell.rate.i0_A],
            "reference_A": digits(cell.rate.reference_A * parallel, 2),
            "r0_share": digits(cell.rate.r0_share, 2),
        }
    if cell.slow is not None:
        found["slow"] = {
            **_sourced(cell, "slow", cell.slow, "to two digits"),
            "r3_share": digits(cell.slow.r3_share, 2),
            "tau3_s": digits(cell.slow.tau3_s, 2),
        }
    found["heat"] = {
        **_sourced(cell, "thermal", cell.thermal, f"{_HEAT_SHARE:g} of it, to two digits{group}"),
        "capacity_J_per_K": digits(_HEAT_SHARE * parallel * cell.thermal.heat_capacity_J_per_K, 2),
    }
    return found


def _sourced(cell: Cell, name: str, table: Sourced, how: str) -> dict[str, str]:
    """Source of a derived table: what it comes from, how well that is known, and what was done to it."""
    said = f"assumption: derived from {name} of cell {cell.name} ({table.confidence}) by nabench new calibration, {how}"
    return {"source": said, "confidence": "assumption"}


def _at(x: list[float], xs: list[float], ys: list[float]) -> list[float]:
    return [float(y) for y in interp(np.array(x), xs, ys)]


def _smoothed(values: list[float]) -> list[float]:
    """Each point with an eighth of either neighbour; the ends stay. What rises goes on rising."""
    inner = [0.125 * a + 0.75 * b + 0.125 * c for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return [values[0], *inner, values[-1]]


def _ocv(cell: Cell) -> dict[str, Any]:
    """Both branches on fewer points, rounded to the coarsest step at which they still rise."""
    ocv = cell.ocv
    exact = [_smoothed(_at(_OCV_SOC, ocv.soc, branch)) for branch in (ocv.discharge_V, ocv.charge_V)]
    for step_V in _OCV_STEPS_V:
        low, high = ([round(round(v / step_V) * step_V, 6) for v in branch] for branch in exact)
        if all(b > a for branch in (low, high) for a, b in zip(branch, branch[1:], strict=False)):
            how = f"on {len(_OCV_SOC)} points, smoothed, rounded to {1000 * step_V:g} mV"
            return {**_sourced(cell, "ocv", ocv, how), **_branches(ocv, low, high)}
    return {**_sourced(cell, "ocv", ocv, f"on {len(_OCV_SOC)} points, smoothed"), **_branches(ocv, *exact)}


def _branches(ocv: Ocv, low: list[float], high: list[float]) -> dict[str, Any]:
    return {
        "soc": _OCV_SOC,
        "discharge_V": low,
        "charge_V": high,
        "below_empty_V_per_soc": digits(ocv.below_empty_V_per_soc, 2),
        "above_full_V_per_soc": digits(ocv.above_full_V_per_soc, 2),
    }


def _resistance(cell: Cell, parallel: int, group: str) -> dict[str, Any]:
    """Resistances on fewer points, the logarithm between them as the estimator takes it."""
    r = cell.resistance

    def coarse(table: list[list[float]]) -> list[list[float]]:
        """A table [ohm], a row for each temperature, of a group of cells: on the fewer points of SOC, to two digits."""
        rows = [_at(_RESISTANCE_SOC, r.soc, [log(ohm) for ohm in row]) for row in table]
        return [[digits(_RESISTANCE_SHARE / parallel * float(np.exp(ln)), 2) for ln in row] for row in rows]

    how = f"{_RESISTANCE_SHARE:g} of it on {len(_RESISTANCE_SOC)} points, to two digits{group}"
    return {
        **_sourced(cell, "resistance", r, how),
        "soc": _RESISTANCE_SOC,
        "temp_degC": r.temp_degC,
        "r0_ohm": coarse(r.r0_ohm),
        "r1_ohm": coarse(r.r1_ohm),
        "r2_ohm": coarse(r.r2_ohm),
        "tau1_s": digits(r.tau1_s, 2),
        "tau2_s": digits(r.tau2_s, 2),
    }
