"""A drawn cell: a measured one with errors that no belief knows of.

Drawn are resistance (10 %, one sigma, at all SOC and temperatures), capacity (3 %), the speed of diffusion (20 %), the radius
of the play operators (30 %) and a smooth error of the open-circuit voltage. The error is a sum of cubic B-splines with Gaussian
heights, knots 0.1 to 0.2 SOC apart (drawn; its correlation falls to a half at one distance of knots). It is made so large that
the mean curves of the drawn cell and of the belief lie apart by a drawn RMS over 0..1 at equal share of what is in reach, never
less than 20 mV. A rising curve stays one: no slope falls below SLOPE_FLOOR of what it was.

Cell files and calibrations are already apart before anything is drawn: nfm-18650 (TU Berlin) and the belief nfm-16s (Hakadi
cell 1) by 52.6 mV RMS (mean -46.5 mV, -85 mV at full), nvpf-hc and nvpf-16s by 26.5 mV, nearly all of it in the 3.6-4.0 V step.
Where that is more than what is drawn, the difference between the two is scaled down to BASE_SHARE of it and the smooth error
makes up the rest, so that draws differ from one another and not from the belief alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64
from hil.calibration_tables import Model
from hil.plant.cellfile import Cell
from hil.score import plant as pl
from hil.score.dice import Dice
from hil.tables import grid, voltage_curves

RESISTANCE_SIGMA, CAPACITY_SIGMA, DIFFUSION_SIGMA, PLAY_SIGMA = 0.10, 0.03, 0.20, 0.30
APART_V = (0.020, 0.030)
KNOTS_SOC = (0.1, 0.2)
SLOPE_FLOOR = 0.3
BASE_SHARE = 0.8
_LARGEST_V = 0.3
X = grid(pl.X_LOW, pl.X_STEP, pl.N_X)
INSIDE = (X > -1e-9) & (X < 1.0 + 1e-9)


@dataclass(frozen=True)
class Drawn:
    """A cell as drawn.

    capacity_Ah: at its age, at 25 degC.  resistance_scale: on all of the cell file's.  diffusion_scale: of D.  play_scale: of
    the radii.  mean_V: (N_X,) mean open-circuit voltage over X.  apart_V: RMS between it and the belief's.
    """

    cell: Cell
    capacity_Ah: float
    resistance_scale: float
    diffusion_scale: float
    play_scale: float
    mean_V: F64
    apart_V: float


def draw(
    cell: Cell,
    belief: Model,
    dice: Dice,
    *,
    age: tuple[float, float] = (1.0, 1.0),
    apart_V: tuple[float, float] | None = APART_V,
) -> Drawn:
    """A cell of the kind.

    age: capacity and resistance relative to fresh.  apart_V: range of the RMS distance between open-circuit voltages of cell
    and belief; None leaves the cell's own curve as it is.
    """
    g = dice.gauss(4)
    own_V = voltage_curves(cell.ocv, cell.entropy, X)[0]
    believed_V = voltage_curves(belief.ocv, belief.entropy, X)[0]
    error_V = smooth(dice, float(dice.uniform(*KNOTS_SOC)[0]))
    mean_V = own_V if apart_V is None else _set_apart(own_V, believed_V, error_V, float(dice.uniform(*apart_V)[0]))
    return Drawn(
        cell=cell,
        capacity_Ah=cell.capacity_Ah * age[0] * (1.0 + CAPACITY_SIGMA * float(g[0])),
        resistance_scale=age[1] * (1.0 + RESISTANCE_SIGMA * float(g[1])),
        diffusion_scale=1.0 + DIFFUSION_SIGMA * float(g[2]),
        play_scale=1.0 + PLAY_SIGMA * float(g[3]),
        mean_V=mean_V,
        apart_V=rms(mean_V - believed_V),
    )


def rms(error: F64) -> float:
    """Root of the mean square over SOC 0..1."""
    return float(np.sqrt(np.mean(np.square(error[INSIDE]))))


def smooth(dice: Dice, knot: float) -> F64:
    """(N_X,) a smooth random function of RMS 1 over 0..1, constant outside."""
    x = np.clip(X, 0.0, 1.0)
    heights = dice.gauss(int(1.0 / knot) + 5)
    total = np.zeros_like(x)
    for n, height in enumerate(heights):
        u = np.abs((x - (n - 2) * knot) / knot)
        near, far = 2.0 / 3.0 - u * u + 0.5 * u * u * u, np.maximum(2.0 - u, 0.0)
        total += height * np.where(u < 1.0, near, far * far * far / 6.0)
    return np.asarray(total / rms(total), np.float64)


def _set_apart(own_V: F64, believed_V: F64, error_V: F64, apart_V: float) -> F64:
    base_V = own_V - believed_V
    share = min(1.0, BASE_SHARE * apart_V / max(rms(base_V), 1e-9))
    start_V = believed_V + share * base_V
    low, high = 0.0, _LARGEST_V
    for _ in range(50):
        middle = 0.5 * (low + high)
        if rms(bent(start_V, middle * error_V) - believed_V) < apart_V:
            low = middle
        else:
            high = middle
    return bent(start_V, high * error_V)


def bent(mean_V: F64, error_V: F64) -> F64:
    """A curve with an error on it, its slope nowhere below SLOPE_FLOOR of what it was; the two agree at SOC 0.5."""
    rise_V = np.diff(mean_V)
    rise_V = np.maximum(rise_V + np.diff(error_V), SLOPE_FLOOR * rise_V)
    total = np.concatenate([[0.0], np.cumsum(rise_V)])
    middle = round((0.5 - pl.X_LOW) / pl.X_STEP)
    return np.asarray(total - total[middle] + mean_V[middle] + error_V[middle], np.float64)
