"""What a voltage tells on a plateau: NVPF cells, whose curve rises by 2 mV per % from 60 to 90 %."""

from __future__ import annotations

import numpy as np
import pytest
from sodium_cell import DT_NS, Cell, lived

from firmware_sim import nvm
from firmware_sim import state as st
from firmware_sim.types import F64
from hil import calibration
from hil.dut.estimator import Beliefs, Estimator

SHIPPED = calibration.load("nvpf-16s")[1]
MODEL, FIGURES = SHIPPED.model, SHIPPED.filter.sodium
# A drive of an hour that takes 20 % of the charge.
LOAD = np.repeat(np.random.default_rng(5).uniform(0.0, 0.4, 180), 20) * MODEL.capacity_Ah


def told(
    cell: Cell, load: F64, soc: float, sigma: float, off_V: float = 0.0, **figures: float
) -> tuple[Estimator, Beliefs, F64]:
    """What an estimator that is told an SOC makes of a cell whose curve lies off_V beside the believed one; the truth."""
    readings, truth = lived(cell, load)
    readings.cell_V[:] += off_V
    shipped = SHIPPED.model_copy(update={"filter": SHIPPED.filter.changed(**figures)})
    estimator = Estimator(shipped, 1, 1, dt_ns=DT_NS)
    estimator.start(soc, sigma)
    return estimator, estimator.run(readings), truth


def covered(flat_V: float) -> float:
    """Share of two drives from 88 % with a start wrong by 25 % and a curve 25 mV off, either way, that the band holds."""
    inside = []
    for off_V in (-0.025, 0.025):
        _, beliefs, truth = told(Cell(MODEL, 0.88), LOAD, 0.63, 0.3, off_V, flat_V=flat_V)
        inside.append(np.abs(beliefs.soc[:, 0, 0] - truth) <= beliefs.band[:, 0, 0])
    return float(np.mean(inside))


def test_a_wrong_start_stays_in_the_band() -> None:
    """The filter alone believes a place on the plateau; what the curve can tell keeps the band open."""
    assert covered(FIGURES.flat_V) > 0.9
    assert covered(0.0) < 0.8


def test_across_the_step_the_voltage_tells() -> None:
    """From 65 to 35 %, told 90 %: the second deviation is small again, and the estimate right."""
    load = np.full(3600, 0.3 * MODEL.capacity_Ah)
    estimator, beliefs, truth = told(Cell(MODEL, 0.65), load, 0.90, 0.3)
    assert float(estimator.cell[st.TOLD, 0, 0]) < 0.04
    assert abs(beliefs.soc[-1, 0, 0] - truth[-1]) < 0.03


def test_without_voltages_it_grows_with_what_the_sensor_may_be_off() -> None:
    """An hour of counting after a right start: then and drift are independent."""
    readings, _ = lived(Cell(MODEL, 0.75), np.zeros(3600))
    readings.fresh[5:] = 0
    estimator = Estimator(SHIPPED, 1, 1, dt_ns=DT_NS)
    estimator.start(0.75, 0.01)
    estimator.run(readings)
    drift = FIGURES.bias_sigma_A / MODEL.capacity_Ah
    assert float(np.hypot(0.01, drift)) == pytest.approx(float(estimator.cell[st.TOLD, 0, 0]), rel=0.01)


def test_a_right_start_is_not_doubted() -> None:
    """An hour on the plateau: the band is what start and sensor leave open, not the width of the plateau."""
    _, beliefs, truth = told(Cell(MODEL, 0.88), LOAD, 0.88, 0.01)
    assert float(beliefs.band.max()) < 0.05
    assert bool((np.abs(beliefs.soc[:, 0, 0] - truth) <= beliefs.band[:, 0, 0]).all())


def test_memory_keeps_the_doubt() -> None:
    """What is written for the next start is no surer than the band was."""
    estimator, beliefs, _ = told(Cell(MODEL, 0.88), LOAD, 0.63, 0.3)
    nvm.keep(estimator.cell, 0, -1)
    assert float(beliefs.band[-1, 0, 0]) == pytest.approx(1.96 * float(estimator.cell[st.KEPT_SIGMA, 0, 0]), rel=0.1)


def test_sloping_curves_do_without() -> None:
    """The layered oxide's calibration has none of it."""
    sloping = calibration.load("nfm-16s")[1]
    readings, _ = lived(Cell(sloping.model, 0.7), np.full(600, 0.5))
    estimator = Estimator(sloping, 1, 1, dt_ns=DT_NS)
    estimator.start(0.7, 0.1)
    estimator.run(readings)
    assert float(estimator.cell[st.TOLD, 0, 0]) == 0.0
