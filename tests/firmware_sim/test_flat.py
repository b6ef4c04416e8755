"""What a voltage tells on a plateau: NVPF cells, whose curve rises by 2 mV per % from 60 to 90 %."""

from __future__ import annotations

import numpy as np
import pytest
from sodium_cell import DT_NS, Cell, lived

from firmware_sim import nvm
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import flat, sodium
from firmware_sim.estimate import step as estimate
from firmware_sim.types import F64
from hil import calibration
from hil.calibration import Calibration
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


def test_a_cold_cell_below_what_is_in_reach_is_not_lost() -> None:
    """10 % at -20 degC, where a quarter is out of reach: the foot of the curve says at most, and SOC stays."""
    _, beliefs, truth = told(Cell(MODEL, 0.10, temp_degC=-20.0), np.zeros(300), 0.10, 0.01)
    assert truth == pytest.approx(beliefs.soc[:, 0, 0], abs=0.02)


def test_a_gap_of_voltages_is_counted_through() -> None:
    """Twenty minutes at 0.5C without a voltage: the first ones after it are not held against those before."""
    readings, truth = lived(Cell(MODEL, 0.50), np.full(1800, 0.5 * MODEL.capacity_Ah))
    readings.fresh[120:1320] = 0
    estimator = Estimator(SHIPPED, 1, 1, dt_ns=DT_NS)
    estimator.start(0.50, 0.01)
    beliefs = estimator.run(readings)
    assert truth[1320:] == pytest.approx(beliefs.soc[1320:, 0, 0], abs=0.03)


def test_charge_that_nobody_saw_is_doubted() -> None:
    """Six minutes without a current: 0.1 of the capacity may have flowed, and the plateau does not tell."""
    estimator, _, _ = told(Cell(MODEL, 0.75), np.zeros(120), 0.75, 0.01)
    for n in range(360):
        estimate.unseen(cfg.SODIUM, estimator.cell, 0, 0, (n + 1) / 3600.0, 1 / 3600.0)
    readings, _ = lived(Cell(MODEL, 0.75), np.zeros(5))
    assert estimator.run(readings).band[-1, 0, 0] > 0.15


def test_a_lost_filter_starts_again_in_the_middle_of_what_the_voltage_tells() -> None:
    """Put at 90 % while the cell is at 45 %: what follows the current goes on, what was learnt of resistance does not."""
    load = np.full(300, 0.3 * MODEL.capacity_Ah)
    estimator, _, truth = told(Cell(MODEL, 0.47), load, 0.47, 0.01)
    cell = estimator.cell
    cell[sodium.at(sodium.Z, sodium.Z)] = 1e-8  # sure of it, so that no correction leads back
    cell[st.Z], cell[st.CAPACITY], cell[st.BIAS_A] = 0.90, 0.97, 0.001
    kept = [st.U2, st.U3, st.H, st.SLOW_A, st.CAPACITY, st.BIAS_A]
    before = cell[kept].copy()
    tables = estimator.tables
    z, sigma = flat.tell(cell, 0, 0, 0, tables["real"], tables["kinds"], tables["curves"], 1.0)
    assert 0.02 <= sigma < 0.08
    assert truth[-1] == pytest.approx(z, abs=0.05)
    sodium.start_again(cell, 0, 0, 0, tables["real"], z, sigma)
    np.testing.assert_array_equal(before, cell[kept])
    assert (z, sigma, 0.0, 1.0) == tuple(float(cell[row, 0, 0]) for row in (st.Z, st.TOLD, st.LEARNT, st.RHO))


def test_in_its_first_minute_a_voltage_says_nothing() -> None:
    """A mean of a minute needs one: until then a start that is far off is left to the filter."""
    estimator, _, _ = told(Cell(MODEL, 0.75), np.zeros(50), 0.75, 0.2)
    assert float(estimator.cell[st.TOLD_THEN, 0, 0]) == 0.2


def test_errors_of_the_curve_are_alike_over_some_soc() -> None:
    """The nodes' covariance at the start, in closed form, and it is one: no direction has a negative variance."""
    estimator, _, _ = told(Cell(MODEL, 0.75), np.zeros(1), 0.75, 0.02, curve_sigma_V=0.02, curve_span_soc=0.15)
    tables = estimator.tables
    sodium.seed(estimator.cell, 0, 0, 0, tables["real"], 0.75, 0.02)
    nodes = np.arange(sodium.NODES)
    wanted = 0.02**2 * np.exp(-0.5 * ((nodes[:, None] - nodes) / 8.0 / 0.15) ** 2)
    found = [[estimator.cell[sodium.of(sodium.D + a, sodium.D + b), 0, 0] for a in nodes] for b in nodes]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert np.linalg.eigvalsh(wanted).min() > 0.0


def test_a_pack_of_unlike_cells_has_no_flat_curve() -> None:
    """flat_V is one figure for all kinds: refused, with the reason."""
    mixed = calibration.load("ab-na-lfp-16s")[1].model_dump()
    mixed["filter"]["sodium"]["flat_V"] = 0.07
    with pytest.raises(ValueError, match="flat_V must be 0 in a pack of unlike cells"):
        Calibration.model_validate(mixed)
