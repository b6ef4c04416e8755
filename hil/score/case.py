"""The unit of the score: what one cell went through, and what its charge was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_sim.types import F64
from hil.calibration_tables import Model

if TYPE_CHECKING:
    from hil.score.drawn import Drawn


@dataclass(frozen=True)
class Case:
    """One cell's true current, voltage and temperature in ticks, with the reference that an estimator is held against.

    data: which recording or which simulated cell, load and draw.  condition: key of a line of the table.  recorded: else
    simulated.  calibration: shipped name or path of the beliefs under test.  capacity_Ah: 1C, which scales the sensor errors.
    dt_ns: tick of the arrays.  current_A, cell_V, temp_degC: (tick,) true values; current is the mean of the tick, positive
    on discharge, voltage and temperature those at its end.  reference: (tick,) SOC in 0..1 at the end of the tick, NaN where
    it is not scored.  available: the reference is a share of what is in reach (to be held against Beliefs.available).
    uncertainty: of the reference, share.  start_soc, start_sigma: what the estimator is told before the first row; the soc
    may be wrong on purpose.  window: SOC between which the cell's rested voltage lies in 2.7-3.2 V.

    filter: keys of the calibration's [filter] that belong to the rig of the data and not to the pack.

    model: what is believed of the cell in place of the calibration's [model]; None for that.  model_name: of its file.

    own_model: recorded cases alone: what the cell itself is, fitted to the very runs that are judged; None where nobody did.

    Simulated cases alone: drawn: the plant, whose capacity is the truth for SOH.  truth: (tick,) its SOC in every tick, also
    where it is not scored, as for the time to convergence.
    """

    data: str
    condition: str
    recorded: bool
    calibration: str
    capacity_Ah: float
    dt_ns: int
    current_A: F64
    cell_V: F64
    temp_degC: F64
    reference: F64
    available: bool
    uncertainty: float
    start_soc: float
    start_sigma: float
    window: tuple[float, float]
    filter: tuple[tuple[str, float], ...] = ()
    model: Model | None = None
    model_name: str = ""
    own_model: Model | None = None
    drawn: Drawn | None = None
    truth: F64 | None = None
