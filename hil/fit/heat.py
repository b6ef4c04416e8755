"""The cell's temperature: as logged, or as the heat of the run makes it; and heat capacity and cooling from a logged one.

    C dT/dt = I (U - V) - I T dU/dT - G (T - T_ambient)

The voltage in it is the measured one. A logged temperature is that of the surface; the inside runs ahead of it, which one
lump of heat does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from firmware_sim.types import F64
from hil.fit.legs import Track
from hil.fit.model import KELVIN, Course, Tables, followed, open_V, soc

LEAST_RISE_K = 1.5
MOST_OFF = 5.0  # of a heat capacity from that of such a mass: what is further off is a sensor that is not on the cell
_STRIDE_S = 10.0


@dataclass(frozen=True)
class Thermal:
    """heat_J_per_K, coolant_W_per_K: of the cell.  rmse_K, worst_K, n: against logged rows; n = 0 when not fitted.

    odd_J_per_K: what the logged temperature would have given, where no cell is like that; None otherwise.
    """

    heat_J_per_K: float
    coolant_W_per_K: float
    rmse_K: float = 0.0
    worst_K: float = 0.0
    n: int = 0
    odd_J_per_K: float | None = None


def heat_W(tables: Tables, course: Course, ln_s: F64) -> F64:
    """Heat set free at each row."""
    track, x = course.track, soc(tables, course, ln_s)
    volt = np.interp(track.t_s, track.t_s[np.isfinite(track.volt)], track.volt[np.isfinite(track.volt)])
    dudt = np.interp(x, tables.entropy_soc, tables.dudt_V_per_K)
    lost_W = track.amps * (open_V(tables, x, course.degC) - volt)
    return np.asarray(lost_W - track.amps * (course.degC + KELVIN) * dudt)


def simulated_degC(track: Track, heat: F64, thermal: Thermal, start_degC: float) -> F64:
    """Temperature at each row from the heat in it."""
    ambient_degC = track.ambient_degC
    keep = np.exp(-track.dt_s * thermal.coolant_W_per_K / thermal.heat_J_per_K)
    above = followed(keep, (ambient_degC - start_degC + heat / thermal.coolant_W_per_K)[:, None])[:, 0]
    return np.asarray(start_degC + above)


def temperature(tables: Tables, course: Course, ln_s: F64, thermal: Thermal) -> F64:
    """What the model takes for the temperature: the logged one where there is one."""
    if logged(course.track):
        return course.track.surface_degC
    return simulated_degC(course.track, heat_W(tables, course, ln_s), thermal, float(course.track.ambient_degC[0]))


def logged(track: Track) -> bool:
    """Whether the surface temperature of a track is known."""
    return bool(np.isfinite(track.surface_degC).all())


def fit(tables: Tables, courses: list[Course], ln_s: F64, guess: Thermal, begin: Thermal) -> Thermal:
    """Heat capacity and cooling from logged surface temperatures; the guess when these say too little, or what cannot be.

    begin: where the search begins.
    """
    telling = [c for c in courses if logged(c.track) and np.ptp(c.track.surface_degC - c.track.ambient_degC) >= LEAST_RISE_K]
    if not telling:
        return guess
    heats = [heat_W(tables, c, ln_s) for c in telling]

    def errors_K(theta: F64) -> Any:
        """Simulated less measured surface [K], every _STRIDE_S of all courses. theta: logarithms of the two values."""
        thermal = Thermal(float(np.exp(theta[0])), float(np.exp(theta[1])))
        parts = []
        for course, heat in zip(telling, heats, strict=True):
            track = course.track
            got = simulated_degC(track, heat, thermal, float(track.surface_degC[0]))
            rows = np.searchsorted(track.t_s, np.arange(0.0, track.t_s[-1], _STRIDE_S))
            parts.append((got - track.surface_degC)[rows])
        return np.concatenate(parts)

    start = np.log([begin.heat_J_per_K, begin.coolant_W_per_K])
    found = least_squares(errors_K, start, method="lm", xtol=1e-6, ftol=1e-6)
    heat_J_per_K, error_K = float(np.exp(found.x[0])), found.fun
    if not 1.0 / MOST_OFF <= heat_J_per_K / guess.heat_J_per_K <= MOST_OFF:
        return replace(guess, odd_J_per_K=heat_J_per_K)
    rmse_K, worst_K = float(np.sqrt(np.mean(error_K**2))), float(np.abs(error_K).max())
    return Thermal(heat_J_per_K, float(np.exp(found.x[1])), rmse_K, worst_K, len(error_K))
