"""State of health of simulated cells as the emulated BMS tells it, after five partial cycles: capacity and resistance.

Capacity under all sign combinations of the sensor errors. Resistance at the true temperature, which 5 K of error would move
by a quarter: under the combinations of the other errors. With the belief of another cell there is no one true number, since
the two tables differ in shape; it is the ratio of the sums R0 + R1 + R2 at the air's temperature, in the mean over 30 to 80 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from firmware_sim.types import F64, S_NS
from hil import calibration
from hil.calibration import Calibration
from hil.dut.estimator import Beliefs
from hil.score.believe import ROW_S, SUBJECT, Make, emulated
from hil.score.case import Case
from hil.score.conditions import soh
from hil.score.drawn import Drawn
from hil.score.inject import SIGNS, Signs, inject
from hil.score.own import own_tables

TRUE_TEMPERATURE: tuple[Signs, ...] = tuple({(g, o, v, 0): None for g, o, v, _ in SIGNS})
UNKNOWN_RESISTANCE = 0.5  # standard deviation with which a device tells a resistance of which it knows nothing
_SOC = np.linspace(0.3, 0.8, 11)


@dataclass(frozen=True)
class HealthRow:
    """One line. quantity: "capacity" or "resistance".  tables: "own" (all but the quantity) or "unseen", of another cell.

    rmse, max, bias: of the estimate relative to the truth, less 1.  sigma: median of what the estimator states.
    coverage: how often the error lies inside 1.96 of it.  cells, runs: how many.
    """

    quantity: str
    method: str
    tables: str
    rmse: float
    max: float
    bias: float
    sigma: float
    coverage: float
    cells: int
    runs: int


def health(
    seed: int,
    draws: int,
    methods: Sequence[str] = ("sodium",),
    make: Make = emulated,
    done: Callable[[float], None] | None = None,
) -> list[HealthRow]:
    """All lines of so many drawn cells.

    A method that never tells a resistance, since it estimates none, has no line of it; the one that is judged always has.

    make: the device to judge, for whoever wants to judge another.  done: is told which share is done.
    """
    cases = soh(seed, draws)
    rows: list[HealthRow] = []
    work = [(method, tables) for method in methods for tables in ("own", "unseen")]
    for part, (method, tables) in enumerate(work):
        capacity, resistance, tells = [], [], method == SUBJECT
        for n, case in enumerate(cases):
            if done is not None:
                done((part + n / len(cases)) / len(work))
            drawn = _drawn(case)
            told = calibration.load(case.calibration)[1] if tables == "unseen" else _own(case)
            said, n_signs = _run(case, told, method, seed, make), len(SIGNS)
            true_c = drawn.capacity_Ah / told.model.capacity_Ah
            capacity.append(
                (said.capacity_share[-1, :n_signs, 0] / true_c - 1.0, said.capacity_sigma[-1, :n_signs, 0] / true_c)
            )
            true_r = drawn.resistance_scale if tables == "own" else _ratio(drawn, told)
            found, sigma = said.resistance_scale[-1, n_signs:, 0], said.resistance_sigma[-1, n_signs:, 0]
            resistance.append((found / true_r - 1.0, sigma / true_r))
            tells = tells or bool((sigma < UNKNOWN_RESISTANCE).any())
        rows.append(_row("capacity", method, tables, capacity))
        if tells:
            rows.append(_row("resistance", method, tables, resistance))
    return rows


def _drawn(case: Case) -> Drawn:
    assert case.drawn is not None
    return case.drawn


def _own(case: Case) -> Calibration:
    """The cell's own tables, but capacity and resistance of its kind."""
    return own_tables(replace(case, drawn=replace(_drawn(case), resistance_scale=1.0)), capacity=False)


def _run(case: Case, told: Calibration, method: str, seed: int, make: Make) -> Beliefs:
    """The device's beliefs; packs: all signs, then those at the true temperature."""
    signs = (*SIGNS, *TRUE_TEMPERATURE)
    device = make(told, len(signs), method, case.dt_ns)
    device.start(case.start_soc, case.start_sigma)
    return device.run(inject(case, signs, seed), round(ROW_S * S_NS) // case.dt_ns)


def _ratio(drawn: Drawn, told: Calibration) -> float:
    """True resistance over that of the belief, at 25 degC."""
    true, believed = drawn.cell.resistance, told.model.resistance
    total = []
    for model in (true, believed):
        at = int(np.argmin(np.abs(np.array(model.temp_degC) - 25.0)))
        total.append(sum(np.interp(_SOC, model.soc, getattr(model, name)[at]) for name in ("r0_ohm", "r1_ohm", "r2_ohm")))
    return float(np.mean(drawn.resistance_scale * total[0] / total[1]))


def _row(quantity: str, method: str, tables: str, found: list[tuple[F64, F64]]) -> HealthRow:
    error, sigma = np.concatenate([e for e, _ in found]), np.concatenate([s for _, s in found])
    return HealthRow(
        quantity,
        method,
        tables,
        rmse=float(np.sqrt(np.mean(error**2))),
        max=float(np.abs(error).max()),
        bias=float(np.mean(error)),
        sigma=float(np.median(sigma)),
        coverage=float(np.mean(np.abs(error) <= 1.96 * sigma)),
        cells=len(found),
        runs=len(error),
    )
