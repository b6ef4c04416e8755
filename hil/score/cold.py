"""A cell as it was measured at 5 degC, its charge in shares of what is available there.

Open-circuit voltage: TU Berlin's discharge at 5 degC, 6 min of rest (DOI 10.14279/depositonce-25036, CC BY 4.0; tables of
github.com/DNV007/delivered-energy-decomposition 4fcb643), over share of its 1.28405 Ah. The tables end at 1.029 Ah (20 % left)
and with the last rested voltage, 2.2377 V; in between the 25 degC curve is taken, lifted so that it passes through both, the
lift rising evenly towards empty. The loop is that of 25 degC: no charge was tabled. What entropy does from 25 to 5.9 degC is
taken out, because the plant puts it back in. Nothing is out of reach: the capacity is what there is at 5 degC.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hil import calibration
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.score.case import Case
from hil.score.dice import Dice
from hil.score.simulate import Batch, drawn_from, legs, wltp
from hil.tables import interp

CELL, BELIEF = "nfm-18650", "nfm-16s"
TOTAL_AH = 1.28405
LAST_REST_V = 2.2377
CELL_DEGC = 5.92
# (charge passed [Ah], rested voltage [V])
MEASURED = (
    (0.01449, 4.01819), (0.05796, 3.93748), (0.10143, 3.86631), (0.14490, 3.80335), (0.18837, 3.74153), (0.23184, 3.67971),
    (0.27531, 3.62095), (0.31878, 3.56562), (0.36225, 3.51238), (0.40571, 3.45972), (0.44918, 3.40592), (0.49265, 3.35001),
    (0.53612, 3.29258), (0.57959, 3.23401), (0.62305, 3.17524), (0.66652, 3.11648), (0.70999, 3.05905), (0.75346, 3.00353),
    (0.79693, 2.94781), (0.84040, 2.89325), (0.88387, 2.83906), (0.91285, 2.80357), (0.92734, 2.78659), (0.94183, 2.77228),
    (0.97081, 2.75492), (0.99979, 2.74004), (1.02877, 2.72172),
)  # fmt: skip
AIR_DEGC = 5.0


def charge_per_h(temp_degC: float, warm_per_h: float) -> float:
    """Rate of a recharge: the practice table for sodium-ion, 1C from 10 degC on, 0.3C at 0, at most that in the warm."""
    return min(warm_per_h, 0.3 + 0.07 * max(temp_degC, 0.0))


def peak_per_h(temp_degC: float, warm_per_h: float) -> float:
    """Largest power of a drive in C: half of that in the warm up to 10 degC, all of it from 25 degC on.

    At full power a lone cell in air of 5 degC warms itself to 17 and is no longer cold.
    """
    return warm_per_h * (0.5 + 0.5 * min(max((temp_degC - 10.0) / 15.0, 0.0), 1.0))


def measured_cell() -> Cell:
    """The cell with the curve of 5 degC in place of its own, and all of the 5 degC charge in reach."""
    _, cell = cellfile.load(CELL)
    soc = np.array(cell.ocv.soc)
    warm_V = np.array(cell.ocv.discharge_V)
    known = np.array([1.0 - q / TOTAL_AH for q, _ in MEASURED])[::-1]
    volt = np.array([v for _, v in MEASURED])[::-1]
    lift_V = LAST_REST_V - warm_V[0]
    joint_V = float(volt[0] - interp(known[:1], cell.ocv.soc, cell.ocv.discharge_V)[0])
    below = warm_V + lift_V + (joint_V - lift_V) * np.minimum(soc / known[0], 1.0)
    # beyond the first sample the curve goes on as steeply as between the first two
    rise_V = (volt[-1] - volt[-2]) / (known[-1] - known[-2])
    above = volt[-1] + (soc - known[-1]) * rise_V
    cold_V = np.where(soc < known[0], below, np.where(soc > known[-1], above, interp(soc, known.tolist(), volt.tolist())))
    dudt = interp(soc, cell.entropy.soc, cell.entropy.dudt_mV_per_K) * 1e-3
    cold_V = cold_V - dudt * (CELL_DEGC - 25.0)
    gap_V = np.array(cell.ocv.charge_V) - warm_V
    ocv = cell.ocv.model_copy(update={"discharge_V": cold_V.tolist(), "charge_V": (cold_V + gap_V).tolist()})
    reach = cell.reach.model_copy(update={"share": [1.0] * len(cell.reach.share)})
    return cell.model_copy(update={"ocv": ocv, "reach": reach, "capacity_Ah": TOTAL_AH, "name": "nfm-18650 of 5 degC"})


def tub_5degC(seed: int, draws: int) -> list[Case]:
    """12 h of driving and recharging in air of 5 degC; the reference is the share of the charge available there.

    Drawn are resistance, capacity, diffusion and play; the measured curve stays as it is.
    """
    drawn = drawn_from(measured_cell(), BELIEF, seed, "tub-5degC", draws, apart_V=None)
    dice = [Dice(seed, "tub-5degC", n) for n in range(draws)]
    charge_A = charge_per_h(AIR_DEGC, 0.5) * TOTAL_AH
    batch = Batch(
        condition="tub-5degC",
        belief=BELIEF,
        load="drive",
        cells=drawn,
        names=[f"draw {n}" for n in range(draws)],
        air_degC=np.full(draws, AIR_DEGC),
        x=np.full(draws, 0.95),
        legs=np.array([legs(d, [0.10, 0.30, 0.10], [0.95, 0.80, 0.95], charge_A) for d in dice]),
        profile=wltp(),
        peak_per_h=peak_per_h(AIR_DEGC, 2.5),
        hours=12.0,
        phase_s=np.array([float(d.uniform(0.0, 1800.0)[0]) for d in dice]),
    )
    return [_available(case) for case, _ in batch.run()]


def _available(case: Case) -> Case:
    """Judged by what is available; what the estimator is told is SOC, as its belief about reach at 5 degC has it."""
    believed = calibration.load(case.calibration)[1].model.reach
    reach = float(interp(np.array([AIR_DEGC]), believed.temp_degC, believed.share)[0])
    return replace(case, available=True, start_soc=1.0 - (1.0 - case.start_soc) * reach)
