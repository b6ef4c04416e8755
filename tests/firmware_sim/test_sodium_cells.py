"""The filter for sodium-ion cells at work on a cell that is as it believes, or not quite: what it finds, and how it is wary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sodium_cell import DT_NS, FIGURES, Cell, believed, cycles, lived

from firmware_sim import state as st
from firmware_sim.estimate import sodium
from firmware_sim.types import F64
from hil.dut.estimator import Beliefs, Estimator, Readings
from hil.score import conditions
from hil.score.believe import believe
from hil.score.inject import SIGNS, inject

pytestmark = pytest.mark.compiled_only
MODEL = believed().model
CAPACITY_VAR = sodium.at(sodium.C, sodium.C)


def run(cell: Cell, current_A: F64, told: float, sigma: float, offset_A: float = 0.0, **figures: Any) -> tuple[Beliefs, F64]:
    """What the filter says of a cell that lived through a current, and the true SOC, row by row."""
    readings, truth = lived(cell, current_A, offset_A)
    estimator = Estimator(believed(**figures), 1, 1, dt_ns=DT_NS)
    estimator.start(told, sigma)
    return estimator.run(readings), truth


@pytest.mark.parametrize("true", [0.08, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("told", [0.0, 0.15, 0.5, 0.85, 1.0])
def test_a_start_that_is_far_off_is_found_at_once(true: float, told: float) -> None:
    """Wherever it begins: within 3 % after ten corrections of a light load, and SOC between 0 and 1 all the way."""
    beliefs, truth = run(Cell(MODEL, true, h=0.0), np.full(30, 0.3), told, 0.3)
    assert 0.0 <= beliefs.soc.min() <= beliefs.soc.max() <= 1.0
    assert truth[10:] == pytest.approx(beliefs.soc[10:, 0, 0], abs=0.03)


@pytest.mark.parametrize("h", [-1.0, 1.0])
def test_a_far_start_does_not_know_its_place_in_the_loop(h: float) -> None:
    """At 30 % the branches lie 75 mV apart and the slope is 1.2 V: 3 % either way, which voltage cannot tell, and load does."""
    charge = np.full(4300, -0.5 * MODEL.capacity_Ah)
    load = np.concatenate([np.full(30, 0.3), charge, cycles(MODEL.capacity_Ah, 1, 0.1, 0.85)])
    beliefs, truth = run(Cell(MODEL, 0.3, h=h), load, 0.85, 0.3)
    error = np.abs(beliefs.soc[:, 0, 0] - truth)
    assert 0.02 < error[10] < 0.08
    assert error[10] < 2.0 * beliefs.band[10, 0, 0]
    assert error[-1] < 0.005


def jump(rho: float) -> float:
    """Most that SOC leaves the count by in the 10 s after a load of 2C comes on and after it goes, at 50 %."""
    steps = np.concatenate([np.full(600, 0.5), np.full(10, 3.0), np.full(10, 0.5)])
    beliefs, truth = run(Cell(MODEL, 0.5, rho=rho), steps, 0.5, 0.01)
    error = beliefs.soc[:, 0, 0] - truth
    return float(np.abs(error[600:] - error[599]).max())


def test_a_load_step_is_no_jump_of_soc() -> None:
    """2C on and off: below 0.2 % with the resistance that is believed, below 1 % with one that is 30 % off, either way."""
    assert jump(1.0) < 0.002
    assert jump(1.3) < 0.01
    assert jump(0.7) < 0.01


def test_resistance_is_learnt_from_load_that_changes() -> None:
    """A cell with 30 % more than believed: within 5 % after half an hour."""
    load = np.repeat(np.random.default_rng(1).uniform(0.0, 2.0, 90), 20)
    beliefs, _ = run(Cell(MODEL, 0.9, rho=1.3), load, 0.9, 0.01)
    assert 1.3 == pytest.approx(beliefs.resistance_scale[-1, 0, 0], rel=0.05)


def swung(late: int, rho: float, load: F64, **figures: Any) -> tuple[float, float]:
    """Resistance as the filter holds it and its deviation, after a load whose voltages are told so many ticks too late."""
    readings, _ = lived(Cell(MODEL, 0.7, rho=rho), load)
    readings.cell_V[late:] = readings.cell_V[: len(load) - late].copy()
    estimator = Estimator(believed(model_V2s=0.3, **figures), 1, 1, dt_ns=DT_NS)
    estimator.start(0.7, 0.01)
    estimator.run(readings)
    return float(estimator.cell[st.RHO, 0, 0]), float(np.sqrt(estimator.cell[sodium.at(sodium.RHO, sodium.RHO), 0, 0]))


DRIVE = np.repeat(np.random.default_rng(1).uniform(-1.0, 2.5, 100), 3)


@pytest.mark.parametrize("rho", [0.75, 1.3])
def test_swings_of_the_load_show_the_resistance_in_minutes(rho: float) -> None:
    """Five minutes: within 4 %, where voltages alone leave a third of the error or more; and it knows."""
    slowly, unsure = swung(0, rho, DRIVE)
    soon, sure = swung(0, rho, DRIVE, swing_V2s=0.001)
    assert rho == pytest.approx(soon, rel=0.04)
    assert abs(slowly - rho) > 0.3 * abs(1.0 - rho)
    assert sure < 0.04 < 0.1 < unsure


def test_a_load_that_does_not_swing_shows_no_resistance() -> None:
    """Five minutes at 1C from the first tick on: to the last bit what it is without."""
    told = [swung(0, 1.3, np.full(300, 1.5), swing_V2s=swing_V2s) for swing_V2s in (0.0, 0.001)]
    assert told[1] == told[0]


def test_voltages_of_another_moment_show_no_resistance() -> None:
    """A second late, under steps of 4C every ten seconds, which would look like no resistance at all: within 20 %."""
    load = np.tile(np.repeat([3.0, -3.0], 10), 15)
    found, _ = swung(1, 1.0, load, swing_V2s=0.001)
    assert 1.0 == pytest.approx(found, rel=0.2)


def test_a_cell_that_is_not_heard_is_counted_and_doubted() -> None:
    """Its band widens from tick to tick until its voltage comes again; the cell beside it does not notice."""
    heard, truth = lived(Cell(MODEL, 0.7), np.full(900, 0.75))
    twice = (1, 1, 2)
    both = Readings(heard.current_A, np.tile(heard.cell_V, twice), np.tile(heard.temp_degC, twice), np.tile(heard.fresh, twice))
    both.fresh[300:600, 0, 1] = 0
    estimator = Estimator(believed(), 1, 2, dt_ns=DT_NS)
    estimator.start(0.7, 0.02)
    beliefs = estimator.run(both)
    alone = Estimator(believed(), 1, 1, dt_ns=DT_NS)
    alone.start(0.7, 0.02)
    np.testing.assert_array_equal(alone.run(heard).soc[:, 0, 0], beliefs.soc[:, 0, 0])
    lost = beliefs.soc[300:600, 0, 1]
    bias_A = estimator.cell[st.BIAS_A, 0, 1]
    capacity_As = 3600.0 * MODEL.capacity_Ah * beliefs.capacity_share[300, 0, 1]
    np.testing.assert_allclose(np.diff(lost), -(0.75 - bias_A) / capacity_As, rtol=0.01)
    assert beliefs.band[605, 0, 1] > beliefs.band[605, 0, 0]
    assert truth[300:] == pytest.approx(beliefs.soc[300:, 0, 1], abs=0.02)


def test_a_curve_that_is_wrong_is_no_news_the_second_time() -> None:
    """An hour at rest, 20 mV off: the band stays as wide as the stated error of the curve over its slope."""
    readings, truth = lived(Cell(MODEL, 0.625, h=0.0), np.zeros(3600))
    readings.cell_V[:] += 0.02
    estimator = Estimator(believed(hysteresis_sigma=1e-3), 1, 1, dt_ns=DT_NS)
    estimator.start(0.625, 0.05)
    beliefs = estimator.run(readings)
    ocv = MODEL.ocv
    mean_V = np.add(ocv.discharge_V, ocv.charge_V) / 2
    slope = float(np.diff(np.interp([0.624, 0.626], ocv.soc, mean_V))[0] / 0.002)
    per_curve = (FIGURES["ocv_sigma_V"] / slope) ** 2
    known = 1.0 / (1.0 / per_curve + 1.0 / 0.05**2)
    assert known == pytest.approx(float(estimator.cell[st.P, 0, 0]), rel=0.1)
    assert abs(beliefs.soc[-1, 0, 0] - truth[-1]) < 0.02 / slope


def moved_in_the_cold(cold_V_per_K: float) -> float:
    """How far two voltages that are 20 mV off move SOC at -10 degC, at rest."""
    readings, truth = lived(Cell(MODEL, 0.6, h=0.0, temp_degC=-10.0), np.zeros(2))
    readings.cell_V[:] += 0.02
    estimator = Estimator(believed(cold_V_per_K=cold_V_per_K), 1, 1, dt_ns=DT_NS)
    estimator.start(0.6, 0.02)
    return float(estimator.run(readings).soc[-1, 0, 0] - truth[-1])


def test_in_the_cold_the_voltage_is_heard_less() -> None:
    """Noise that grows by 5 mV for each kelvin below 10 degC leaves less than half of what a voltage does there."""
    assert 0.0 < moved_in_the_cold(0.005) < 0.5 * moved_in_the_cold(0.0)


def test_innovations_beyond_what_they_should_be_make_it_wary() -> None:
    """A voltage that jumps by 40 mV from sample to sample counts for less after ten minutes than one that does not."""
    quiet, truth = lived(Cell(MODEL, 0.6, h=0.0), np.zeros(600))
    loud = Readings(quiet.current_A, quiet.cell_V.copy(), quiet.temp_degC, quiet.fresh)
    loud.cell_V[::2] += 0.2
    loud.cell_V[1::2] -= 0.2
    nis = []
    for readings in (quiet, loud):
        estimator = Estimator(believed(), 1, 1, dt_ns=DT_NS)
        estimator.start(0.6, 0.02)
        beliefs = estimator.run(readings)
        nis.append(float(estimator.cell[st.NIS, 0, 0]))
        assert truth[-1] == pytest.approx(beliefs.soc[-1, 0, 0], abs=0.01)
    assert nis[0] < 1.0 < 3.0 < nis[1] <= 25.0


@pytest.mark.parametrize("capacity", [0.88, 1.05])
def test_capacity_is_learnt_over_cycles(capacity: float) -> None:
    """Three cycles from 90 to 10 %: within 1 %, with a standard deviation that has shrunk; SOC is right from the second on."""
    load = cycles(MODEL.capacity_Ah * capacity, 3, 0.1, 0.9)
    readings, truth = lived(Cell(MODEL, 0.9, capacity=capacity), load)
    estimator = Estimator(believed(), 1, 1, dt_ns=DT_NS)
    estimator.start(0.9, 0.01)
    beliefs = estimator.run(readings)
    assert capacity == pytest.approx(float(estimator.cell[st.CAPACITY, 0, 0]), abs=0.01)
    assert float(estimator.cell[CAPACITY_VAR, 0, 0]) < (0.2 * 0.1) ** 2
    after = len(load) // 3
    assert truth[after:] == pytest.approx(beliefs.soc[after:, 0, 0], abs=0.01)


def test_an_error_of_the_curve_that_comes_back_is_learnt() -> None:
    """Three cycles, curve 30 mV off in the middle, shunt 0.5 % of 1C off: in the last one SOC errs by half as much at most."""
    load = cycles(MODEL.capacity_Ah, 3, 0.1, 0.9)
    readings, truth = lived(Cell(MODEL, 0.9), load, 0.008)
    readings.cell_V[:] += 0.03 * np.exp(-(((truth - 0.5) / 0.15) ** 2))[:, None, None]
    rmse = []
    for curve_sigma_V in (0.0, 0.03):
        estimator = Estimator(believed(curve_sigma_V=curve_sigma_V), 1, 1, dt_ns=DT_NS)
        estimator.start(0.9, 0.005)
        error = estimator.run(readings).soc[:, 0, 0] - truth
        rmse.append(float(np.sqrt(np.mean(error[-len(load) // 3 :] ** 2))))
    assert rmse[1] < 0.5 * rmse[0]
    assert estimator.cell[st.CURVE_V + 4, 0, 0] == pytest.approx(0.03, abs=0.012)


def test_no_cell_holds_more_than_a_new_one() -> None:
    """Three cycles of a cell with a tenth more than the model: capacity stays at that of new ones; without ageing it moves."""
    readings, _ = lived(Cell(MODEL, 0.9, capacity=1.1), cycles(1.1 * MODEL.capacity_Ah, 3, 0.1, 0.9))
    found = []
    for age_sigma in (0.4, 0.0):
        estimator = Estimator(believed(age_sigma=age_sigma), 1, 1, dt_ns=DT_NS)
        estimator.start(0.9, 0.01)
        estimator.run(readings)
        found.append(float(estimator.cell[st.CAPACITY, 0, 0]))
    assert found[0] <= sodium.NEW + 1e-9 < 1.08 < found[1]


def test_resistance_tells_of_age_and_so_of_capacity() -> None:
    """An hour of load that changes, at half of the charge: a cell with 1.4 times the resistance is believed to have faded."""
    load = np.tile(np.repeat([1.5, -1.5], 30), 60)
    faded = []
    for age_sigma in (0.4, 0.0):
        readings, _ = lived(Cell(MODEL, 0.5, rho=1.4), load)
        estimator = Estimator(believed(age_sigma=age_sigma, capacity_sigma=0.03, resistance_sigma=0.06), 1, 1, dt_ns=DT_NS)
        estimator.start(0.5, 0.01)
        estimator.run(readings)
        faded.append(float(estimator.cell[st.CAPACITY, 0, 0]))
    assert 0.8 < faded[0] < 0.92
    assert faded[1] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("offset_A", [0.008, -0.008])
def test_an_offset_of_the_current_is_learnt(offset_A: float) -> None:
    """Ten hours of light load, 0.5 % of 1C of offset, which alone would be 5 % of SOC: within 20 %."""
    load = np.repeat(np.array([0.3, -0.3] * 5), 3600)
    readings, truth = lived(Cell(MODEL, 0.6), load, offset_A)
    estimator = Estimator(believed(), 1, 1, dt_ns=DT_NS)
    estimator.start(0.6, 0.01)
    beliefs = estimator.run(readings)
    assert offset_A == pytest.approx(float(estimator.cell[st.BIAS_A, 0, 0]), rel=0.2)
    assert truth == pytest.approx(beliefs.soc[:, 0, 0], abs=0.02)


@pytest.mark.parametrize(("true_degC", "read_degC"), [(15.0, 20.0), (8.0, 13.0)])
def test_a_temperature_that_reads_too_warm_is_learnt(true_degC: float, read_degC: float) -> None:
    """5 K, in two cycles: by most of it, and SOC errs by a third at most of what it errs when the sensor is believed."""
    cell = Cell(MODEL, 0.85, temp_degC=true_degC)
    readings, truth = lived(cell, cycles(0.89 * MODEL.capacity_Ah, 2, 0.15, 0.85))
    readings.temp_degC[:] = read_degC
    rmse, learnt = [], []
    for sigma_K in (0.1, 5.0):
        estimator = Estimator(believed(temperature_sigma_K=sigma_K), 1, 1, dt_ns=DT_NS)
        estimator.start(0.85, 0.02)
        error = estimator.run(readings).soc[:, 0, 0] - truth
        rmse.append(float(np.sqrt(np.mean(error[len(error) // 2 :] ** 2))))
        learnt.append(float(estimator.cell[st.TEMP_OFF_K, 0, 0]))
    assert rmse[1] < rmse[0] / 3.0
    assert -6.0 < learnt[1] < -3.0


@pytest.mark.parametrize("off", [-0.25, 0.25])
def test_a_cell_whose_charge_the_cold_keeps_otherwise_is_learnt(off: float) -> None:
    """A quarter more or less than the table at 5 degC: by most of it, in two cycles; SOC errs by less than half.

    With a capacity that is known: at one temperature alone nothing tells the two apart.
    """
    cell = Cell(MODEL, 0.88, temp_degC=5.0)
    cell.reach = 1.0 - (1.0 - cell.reach) * (1.0 + off)
    readings, truth = lived(cell, cycles(MODEL.capacity_Ah, 2, 0.3, 0.88))
    rmse, learnt = [], []
    for sigma in (0.0, 0.2):
        estimator = Estimator(believed(reach_sigma=sigma, capacity_sigma=0.005), 1, 1, dt_ns=DT_NS)
        estimator.start(0.88, 0.02)
        error = estimator.run(readings).soc[:, 0, 0] - truth
        rmse.append(float(np.sqrt(np.mean(error[len(error) // 2 :] ** 2))))
        learnt.append(float(estimator.cell[st.REACH_OFF, 0, 0]))
    assert rmse[1] < rmse[0] / 2.0
    assert abs(learnt[0]) < 1e-9
    assert 0.6 < learnt[1] / off < 1.2


def test_what_is_in_reach_goes_with_the_temperature_that_is_corrected() -> None:
    """A drive at 10 degC with a sensor 5 K too cold, in which SOC once slid by 20 % where reach bends: 6 % at most, all day."""
    case = conditions.drive(13, 2, air_degC=(10.0,))[1]
    said = believe(case, inject(case, (SIGNS[12],), 13), "sodium", (case.start_soc, case.start_sigma))
    error = said.soc[:, 0] - case.reference[said.at]
    assert np.nanmax(np.abs(error)) < 0.06


def test_at_rest_nothing_is_forgotten_of_a_cell_that_is_not_as_ageing_would_have_it() -> None:
    """Three quarters of the charge, resistance of a new one: an hour at rest leaves capacity and its deviation as they were."""
    load = np.concatenate([cycles(0.75 * MODEL.capacity_Ah, 2, 0.2, 0.8), np.zeros(3600)])
    readings, _ = lived(Cell(MODEL, 0.8, capacity=0.75), load)
    estimator = Estimator(believed(age_sigma=0.4, capacity_sigma=0.05, resistance_sigma=0.05), 1, 1, dt_ns=DT_NS)
    estimator.start(0.8, 0.01)
    sigma = estimator.run(readings).capacity_sigma[:, 0, 0]
    odd = abs(float(estimator.cell[st.CAPACITY, 0, 0]) - 1.0) / 0.05
    assert odd * odd > sodium.ODD_FROM
    assert sigma[-1] == pytest.approx(sigma[-3600], rel=0.02)
