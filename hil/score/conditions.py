"""The simulated lines of the score's table. Each takes a seed and a number of draws and gives its cases.

What is common: the plant is hil.score.plant, drawn by hil.score.drawn, in 0.1 s ticks with rows of 1 s; loads drive a WLTP
power shape between recharges and keep to the cell's limits. Layered-oxide cells are drawn from nfm-18650 (TU Berlin) and judged
with the belief nfm-16s (Hakadi cell 1); NVPF ones see hil.score.nvpf. SOC is charge left over the capacity at 25 degC, at this
age.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_sim.types import S_NS
from hil.score import cold, nvpf
from hil.score.case import Case
from hil.score.dice import Dice
from hil.score.simulate import ROW_NS, WRONG_SIGMA, Batch, cells, legs, scored, told, wltp

CELL, BELIEF = "nfm-18650", "nfm-16s"
DRAWS = 4
PEAK_PER_H = 2.5
CHARGE_PER_H = 0.5
# Each leg drives down to the first and charges up to the second; the deep ones first.
_LOW = [0.10, 0.30, 0.10, 0.50, 0.20]
_HIGH = [0.95, 0.80, 0.95, 0.90, 0.70]
_STARTS = 6
_ERRORS = (-0.5, -0.2, 0.2, 0.5)
_LOAD_S = 20 * 60


def drive(seed: int, draws: int, condition: str = "drive", air_degC: tuple[float, ...] = (10.0, 25.0, 45.0)) -> list[Case]:
    """12 h of driving and recharging (C/2, in the cold less) between 10 and 95 % of what is in reach, at each temperature."""
    out = []
    for temp_degC in air_degC:
        drawn = cells(CELL, BELIEF, seed, "drive", draws)
        dice = [Dice(seed, f"drive {temp_degC:g}", n) for n in range(draws)]
        charge_A = cold.charge_per_h(temp_degC, CHARGE_PER_H) * drawn[0].cell.capacity_Ah
        batch = Batch(
            condition=condition,
            belief=BELIEF,
            load="drive",
            cells=drawn,
            names=[f"draw {n}" for n in range(draws)],
            air_degC=np.full(draws, temp_degC),
            x=np.full(draws, 0.95),
            legs=np.array([legs(d, _LOW, _HIGH, charge_A) for d in dice]),
            profile=wltp(),
            peak_per_h=cold.peak_per_h(temp_degC, PEAK_PER_H),
            hours=12.0,
            phase_s=np.array([float(d.uniform(0.0, 1800.0)[0]) for d in dice]),
        )
        out += [case for case, _ in batch.run()]
    return out


def drive_cold(seed: int, draws: int) -> list[Case]:
    """The same cells in air of 0, 5 and 8 degC; they warm themselves by 1 K in the mean, 6 at most."""
    return drive(seed, draws, "drive-cold", (0.0, 5.0, 8.0))


def aged(seed: int, draws: int) -> list[Case]:
    """Capacity 80 %, resistance 150 %, belief fresh: cycles of 95 to 10 % at 25 degC, scored after the third recharge."""
    drawn = cells(CELL, BELIEF, seed, "aged", draws, age=(0.8, 1.5))
    dice = [Dice(seed, "aged", n) for n in range(draws)]
    charge_A = CHARGE_PER_H * drawn[0].cell.capacity_Ah
    batch = Batch(
        condition="aged",
        belief=BELIEF,
        load="cycles aged to 80 %",
        cells=drawn,
        names=[f"draw {n}" for n in range(draws)],
        air_degC=np.full(draws, 25.0),
        x=np.full(draws, 0.95),
        legs=np.array([legs(d, [0.10] * 4, [0.95] * 4, charge_A) for d in dice]),
        profile=wltp(),
        peak_per_h=PEAK_PER_H,
        hours=24.0,
    )
    return [scored(case, done >= 6) for case, done in batch.run()]


def wrong_start(seed: int, draws: int) -> list[Case]:
    """An hour of load at 25 degC after a start that is wrong by 20 or 50 %, either way; scored after 20 min.

    Six starts a draw, evenly in 15-90 %, with every error that leaves the told SOC in 0..1; sigma told: 0.3 for all, since
    who starts wrong does not know by how much. Below 40 % the load begins with a recharge.
    """
    kept, starts = [], []
    for n in range(draws):
        for x in Dice(seed, "wrong-start", n).uniform(0.15, 0.90, _STARTS):
            starts.append(float(x))
            kept.append(n)
    drawn = cells(CELL, BELIEF, seed, "wrong-start", draws)
    dice = [Dice(seed, "wrong-start load", n) for n in range(len(starts))]
    charge_A = CHARGE_PER_H * drawn[0].cell.capacity_Ah
    plans = np.array([legs(d, [0.10, 0.10], [0.95, 0.95], charge_A) for d in dice])
    plans = np.array([np.roll(plan, 1, axis=0) if x < 0.4 else plan for plan, x in zip(plans, starts, strict=True)])
    batch = Batch(
        condition="wrong-start",
        belief=BELIEF,
        load="wrong start",
        cells=[drawn[n] for n in kept],
        names=[f"draw {n} start {k % _STARTS} from {x:.2f}" for k, (n, x) in enumerate(zip(kept, starts, strict=True))],
        air_degC=np.full(len(starts), 25.0),
        x=np.array(starts),
        legs=plans,
        profile=wltp(),
        peak_per_h=PEAK_PER_H,
        hours=1.0,
        branch=np.array([float(d.choice((-1.0, 1.0))[0]) for d in dice]),
        phase_s=np.array([float(d.uniform(0.0, 1800.0)[0]) for d in dice]),
    )
    out = []
    for case, _ in batch.run():
        late = np.arange(len(case.current_A)) * ROW_NS >= _LOAD_S * S_NS
        for error in _ERRORS:
            if 0.0 <= case.start_soc + error <= 1.0:
                wrong = told(scored(case, late), case.start_soc + error, WRONG_SIGMA)
                out.append(replace(wrong, data=f"{case.data}, told {100 * error:+.0f} %"))
    return out


def soh(seed: int, draws: int) -> list[Case]:
    """Five partial cycles of 80 to 30 % at 25 degC; the cell has 70 to 105 % of the capacity of its kind.

    The truth is drawn.capacity_Ah, relative to what the calibration believes. As it stands the belief is that of another
    cell; with hil.score.own.own_tables(case, capacity=False) it is the cell's own but for that. Ends after the fifth recharge.
    """
    share = Dice(seed, "soh", 0).uniform(0.70, 1.05, draws)
    drawn = cells(CELL, BELIEF, seed, "soh", draws)
    drawn = [replace(one, capacity_Ah=one.cell.capacity_Ah * float(s)) for one, s in zip(drawn, share, strict=True)]
    dice = [Dice(seed, "soh load", n) for n in range(draws)]
    charge_A = CHARGE_PER_H * drawn[0].cell.capacity_Ah
    batch = Batch(
        condition="soh",
        belief=BELIEF,
        load="partial cycles",
        cells=drawn,
        names=[f"draw {n}, capacity {s:.3f}" for n, s in enumerate(share)],
        air_degC=np.full(draws, 25.0),
        x=np.full(draws, 0.80),
        legs=np.array([legs(d, [0.30] * 6, [0.80] * 6, charge_A) for d in dice]),
        profile=wltp(),
        peak_per_h=PEAK_PER_H,
        hours=20.0,
    )
    return [_cut(case, int(np.searchsorted(done, 10.0)) + 1) for case, done in batch.run()]


def _cut(case: Case, rows: int) -> Case:
    """The first rows of a case, and no more in memory."""
    whole = {name: getattr(case, name)[:rows].copy() for name in ("current_A", "cell_V", "temp_degC", "reference")}
    return replace(case, **whole, truth=None if case.truth is None else case.truth[:rows].copy())


CONDITIONS: dict[str, Callable[[int, int], list[Case]]] = {
    "drive": drive,
    "drive-cold": drive_cold,
    "tub-5degC": cold.tub_5degC,
    "aged": aged,
    "nvpf-right": nvpf.right,
    "nvpf-wrong": nvpf.wrong,
    "nvpf-plateau": nvpf.plateau,
    "wrong-start": wrong_start,
}
