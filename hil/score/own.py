"""The bound: a calibration that believes what is true of the cell, as far as a calibration can say it."""

from __future__ import annotations

import numpy as np

from hil.calibration import Calibration
from hil.errors import BenchError
from hil.score import plant as pl
from hil.score.believe import beliefs_of
from hil.score.case import Case
from hil.score.drawn import X
from hil.score.tables import RADII_SOC, WEIGHTS
from hil.tables import grid, interp

_N = 101
_LEAST_RISE_V = 1e-6
_SOURCE = "none: the drawn cell's own, for the bound"


def own_tables(case: Case, *, capacity: bool = True) -> Calibration:
    """The case's calibration with the tables of its own cell: capacity, open-circuit voltage, resistance, reach, entropy.

    A recorded cell has those that were fitted to the judged runs themselves. Raises BenchError for one that nobody fitted.

    capacity: of a drawn cell, with its own capacity too, else with that of its kind when fresh, for who is to find out.

    What remains wrong is the structure: no diffusion, other time constants, a loop that decays with charge (over as
    much charge as the play operators take to cross, in the mean). Noise figures stay those of the calibration.
    """
    believed = beliefs_of(case)
    if case.own_model is not None:
        return believed.model_copy(update={"model": case.own_model})
    if case.drawn is None:
        raise BenchError(
            f"{case.data}: own tables are those of a simulated cell, or fitted to the judged runs; this case has none"
        )
    drawn, cell = case.drawn, case.drawn.cell
    soc = grid(0.0, 1.0 / (_N - 1), _N)
    mean_V = drawn.mean_V[np.round((soc - pl.X_LOW) / pl.X_STEP).astype(np.int64)]
    half_V = 0.5 * (interp(soc, cell.ocv.soc, cell.ocv.charge_V) - interp(soc, cell.ocv.soc, cell.ocv.discharge_V))
    rise = _LEAST_RISE_V * np.arange(_N)
    stated = {"source": _SOURCE, "confidence": "assumption"}
    ocv = cell.ocv.model_copy(
        update={
            **stated,
            "soc": soc.tolist(),
            "discharge_V": (np.maximum.accumulate(mean_V - half_V - rise) + rise).tolist(),
            "charge_V": (np.maximum.accumulate(mean_V + half_V - rise) + rise).tolist(),
        }
    )
    r = cell.resistance
    scaled = {
        name: [[drawn.resistance_scale * ohm for ohm in row] for row in getattr(r, name)]
        for name in ("r0_ohm", "r1_ohm", "r2_ohm")
    }
    decay = 1.0 / (drawn.play_scale * sum(w * radius for w, radius in zip(WEIGHTS, RADII_SOC, strict=True)))
    model = believed.model.model_copy(
        update={
            **stated,
            "capacity_Ah": drawn.capacity_Ah if capacity else cell.capacity_Ah,
            "ocv": ocv,
            "hysteresis": cell.hysteresis.model_copy(update={**stated, "decay_per_soc": decay}),
            "resistance": r.model_copy(update={**stated, **scaled}),
            "reach": cell.reach.model_copy(update=stated),
            "entropy": cell.entropy.model_copy(update=stated),
        }
    )
    return believed.model_copy(update={"model": model})


def window(
    mean_V: np.ndarray[tuple[int, ...], np.dtype[np.float64]], low_V: float = 2.7, high_V: float = 3.2
) -> tuple[float, float]:
    """Share of what is in reach between which the mean open-circuit voltage lies in a band; 0 or 1 where it never does."""
    inside = (X > -1e-9) & (X < 1.0 + 1e-9)
    x, volt = X[inside], mean_V[inside]
    edges = [float(x[min(int(np.searchsorted(volt, at)), len(x) - 1)]) for at in (low_V, high_V)]
    return edges[0], edges[1]
