"""How far the finished cell is from the data, over all rows and over those that a table answers for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64
from hil.fit import model
from hil.fit.model import Course, Tables

KNEE = 0.05  # below this share of charge the voltage falls so steeply that an error of charge shows as one of voltage
_STEP_S = 60.0


@dataclass(frozen=True)
class Residual:
    """Of the voltage. n: rows."""

    rmse_mV: float
    max_mV: float
    n: int

    def __str__(self) -> str:
        return f"RMSE {self.rmse_mV:.1f} mV, max {self.max_mV:.0f} mV, {self.n} points" if self.n else "no points"


def _of(error_V: F64) -> Residual:
    if not len(error_V):
        return Residual(0.0, 0.0, 0)
    return Residual(1e3 * float(np.sqrt(np.mean(error_V**2))), 1e3 * float(np.abs(error_V).max()), len(error_V))


@dataclass(frozen=True)
class Report:
    """One run. t_h, volt, fitted_V, soc: rows seen.  discharge, charge, rest: all rows but the knee.  knee: the rest.

    steps: within a minute of a current step, without the knee.
    """

    name: str
    t_h: F64
    volt: F64
    fitted_V: F64
    soc: F64
    discharge: Residual
    charge: Residual
    rest: Residual
    knee: Residual
    steps: Residual
    capacity_share: tuple[float, ...]
    drift: tuple[float, ...]


def report(tables: Tables, course: Course, ln_s: F64, spans: Sequence[int]) -> Report:
    """A run against the tables. spans: those with a capacity of their own."""
    track = course.track
    seen = track.seen
    fitted_V, x = model.volts(tables, course, ln_s), model.soc(tables, course, ln_s)
    error_V, x, amps = (fitted_V - track.volt)[seen], x[seen], track.amps[seen]
    still = np.abs(amps) <= track.run.rest_A
    above = x >= KNEE
    mine = [span for span in np.unique(track.span).tolist() if span in spans]
    return Report(
        name=track.run.name,
        t_h=track.t_s[seen] / 3600.0,
        volt=track.volt[seen],
        fitted_V=fitted_V[seen],
        soc=x,
        discharge=_of(error_V[above & ~still & (amps > 0.0)]),
        charge=_of(error_V[above & ~still & (amps < 0.0)]),
        rest=_of(error_V[above & still]),
        knee=_of(error_V[~above]),
        steps=_of(error_V[above & (track.since_step_s[seen] <= _STEP_S)]),
        capacity_share=tuple(float(np.exp(ln_s[span])) for span in mine),
        drift=tuple(track.drift.values()),
    )


def pooled(residuals: Sequence[Residual]) -> Residual:
    """Several as one."""
    n = sum(r.n for r in residuals)
    if n == 0:
        return Residual(0.0, 0.0, 0)
    square = sum(r.n * r.rmse_mV**2 for r in residuals)
    return Residual(float(np.sqrt(square / n)), max(r.max_mV for r in residuals), n)
