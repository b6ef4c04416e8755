"""NVPF cells, two plateaus with a step of 0.45 V between them: drawn from nvpf-hc, judged with nvpf-16s.

On the upper plateau, 2 mV per % SOC and less, no filter recovers a wrong start with 5 mV and 5 K of error; across the step, 130
mV per %, all do. Smooth errors of 27 to 33 mV RMS: belief and cell are 26.5 mV apart as they stand, in the step alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_sim.types import F64, S_NS
from hil.score.case import Case
from hil.score.dice import Dice
from hil.score.drawn import Drawn, X
from hil.score.simulate import ROW_NS, WRONG_SIGMA, Batch, cells, grid_day, legs, scored, told, wltp

CELL, BELIEF = "nvpf-hc", "nvpf-16s"
APART_V = (0.027, 0.033)
_PEAK_PER_H = 1.5
_GRID_PER_H = 0.5
_CHARGE_PER_H = 1.0 / 3.0
_STEP_V = (3.6, 4.0)
_AFTER_S = 600
_TEMPS_DEGC = (15.0, 25.0, 40.0)


def _batch(
    seed: int,
    kind: str,
    drawn: list[Drawn],
    x: F64,
    temp_degC: F64,
    low: list[float],
    high: list[float],
    hours: float,
    *,
    first_charges: F64,
) -> Batch:
    dice = [Dice(seed, f"{kind} load", n) for n in range(len(drawn))]
    plans = [legs(d, low, high, _CHARGE_PER_H * drawn[0].cell.capacity_Ah) for d in dice]
    return Batch(
        condition=kind,
        belief=BELIEF,
        load="drive",
        cells=drawn,
        names=[f"draw {n}" for n in range(len(drawn))],
        air_degC=temp_degC,
        x=x,
        legs=np.array([np.roll(plan, 1, axis=0) if up else plan for plan, up in zip(plans, first_charges, strict=True)]),
        profile=wltp(),
        peak_per_h=_PEAK_PER_H,
        hours=hours,
        phase_s=np.array([float(d.uniform(0.0, 1800.0)[0]) for d in dice]),
    )


def right(seed: int, draws: int) -> list[Case]:
    """4 h of drive at 15, 25 and 40 degC from 90 %, and 6 h of grid service at 25 degC from 40-85 %; right start."""
    out = []
    for temp_degC in _TEMPS_DEGC:
        drawn = cells(CELL, BELIEF, seed, "nvpf-right", draws, apart_V=APART_V)
        air = np.full(draws, temp_degC)
        batch = _batch(
            seed, "nvpf-right", drawn, np.full(draws, 0.9), air, [0.2, 0.5], [0.9, 0.8], 4.0, first_charges=np.zeros(draws)
        )
        out += [case for case, _ in batch.run()]
    drawn = cells(CELL, BELIEF, seed, "nvpf-right", draws, apart_V=APART_V)
    x = Dice(seed, "nvpf-right grid", 0).uniform(0.40, 0.85, draws)
    batch = _batch(
        seed, "nvpf-right", drawn, x, np.full(draws, 25.0), [0.05, 0.05], [0.9, 0.9], 6.0, first_charges=np.zeros(draws)
    )
    batch = replace(batch, profile=grid_day(), peak_per_h=_GRID_PER_H, load="grid")
    return out + [case for case, _ in batch.run()]


def wrong(seed: int, draws: int) -> list[Case]:
    """A start wrong by 20 to 50 %, driven down over the step or charged up over it; scored from 10 min after it was crossed."""
    n = 2 * draws
    drawn = cells(CELL, BELIEF, seed, "nvpf-wrong", n, apart_V=APART_V)
    dice = Dice(seed, "nvpf-wrong", 0)
    up = np.arange(n) % 2 == 1
    x = np.where(up, dice.uniform(0.22, 0.32, n), dice.uniform(0.65, 0.90, n))
    error = dice.uniform(0.2, 0.5, n) * np.where(up, 1.0, -1.0)
    batch = _batch(seed, "nvpf-wrong", drawn, x, np.full(n, 25.0), [0.2, 0.2], [0.9, 0.9], 6.0, first_charges=up)
    out = []
    for k, (case, _) in enumerate(batch.run()):
        rested_V = np.interp(case.reference, X, drawn[k].mean_V)
        beyond = rested_V > _STEP_V[1] if up[k] else rested_V < _STEP_V[0]
        since = int(np.argmax(beyond)) if beyond.any() else len(beyond)
        rows = np.arange(len(beyond)) >= since + _AFTER_S * S_NS // ROW_NS
        wrong_by = told(scored(case, rows), case.start_soc + error[k], WRONG_SIGMA)
        out.append(replace(wrong_by, data=f"{case.data}, told {100 * error[k]:+.0f} %"))
    return out


def plateau(seed: int, draws: int) -> list[Case]:
    """Driving between 60 and 90 %, told another place on the plateau at the start, 20 % away or more; the band is judged."""
    drawn = cells(CELL, BELIEF, seed, "nvpf-plateau", draws, apart_V=APART_V)
    dice = Dice(seed, "nvpf-plateau", 0)
    high = np.arange(draws) % 2 == 0
    x = np.where(high, dice.uniform(0.85, 0.90, draws), dice.uniform(0.62, 0.68, draws))
    said = np.where(high, dice.uniform(0.58, 0.65, draws), dice.uniform(0.88, 0.95, draws))
    batch = _batch(seed, "nvpf-plateau", drawn, x, np.full(draws, 25.0), [0.6, 0.6], [0.9, 0.9], 4.0, first_charges=~high)
    return [told(case, float(said[k]), WRONG_SIGMA) for k, (case, _) in enumerate(batch.run())]
