"""The simulated lines of the score's table: that each case is what its line says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_sim.types import F64
from hil import calibration
from hil.dut.estimator import Estimator
from hil.errors import BenchError
from hil.plant import cellfile
from hil.score import cold
from hil.score.case import Case
from hil.score.conditions import CONDITIONS, soh
from hil.score.drawn import X
from hil.score.inject import clean
from hil.score.own import own_tables, window

SEED, DRAWS = 1, 2


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Case]]:
    """Every condition, and the cycles that capacity and resistance are judged on, two draws each."""
    return {name: make(SEED, DRAWS) for name, make in (CONDITIONS | {"soh": soh}).items()}


def hours(case: Case) -> float:
    """How long a case is."""
    return len(case.current_A) * case.dt_ns * 1e-9 / 3600.0


def dips(soc: F64, low: float, high: float) -> int:
    """How often SOC went below one level and came back above another."""
    levels = np.where(soc < low, -1, np.where(soc > high, 1, 0))
    levels = levels[levels != 0]
    return int(np.sum((levels[1:] == 1) & (levels[:-1] == -1)))


def test_every_case_says_which_line_it_is_of_and_has_a_name_of_its_own(cases):
    """Conditions agree with their key, names of cases are unique within one, arrays are of one length."""
    for name, made in cases.items():
        assert made
        assert {name} == {case.condition for case in made}
        assert len(made) == len({case.data for case in made})
        for case in made:
            assert 1 == len({len(a) for a in (case.current_A, case.cell_V, case.temp_degC, case.reference, case.truth)})
            assert all(np.isfinite(a).all() for a in (case.current_A, case.cell_V, case.temp_degC, case.truth))
            assert not case.recorded


def test_charge_counts_in_every_case(cases):
    """The truth falls by the integral of the current over the drawn capacity, and reference is the truth where it is scored."""
    for case in (case for made in cases.values() for case in made):
        moved = np.cumsum(case.current_A) * case.dt_ns * 1e-9 / 3600.0 / case.drawn.capacity_Ah
        assert np.abs(case.truth - (case.truth[0] + moved[0] - moved)).max() < 1e-9
        is_scored = np.isfinite(case.reference)
        assert is_scored.any()
        assert np.array_equal(case.reference[is_scored], case.truth[is_scored])


def test_loads_keep_to_the_cell(cases):
    """No voltage and no current beyond the cell's limits."""
    for case in (case for made in cases.values() for case in made):
        limits = cellfile.load("nvpf-hc" if case.condition.startswith("nvpf") else "nfm-18650")[1].limits
        assert limits.discharge_min_V <= case.cell_V.min()
        assert case.cell_V.max() <= limits.charge_max_V
        assert -limits.charge_max_A - 1e-9 <= case.current_A.min()
        assert case.current_A.max() <= limits.discharge_max_A + 1e-9


def test_drives_are_long_and_roam(cases):
    """12 h; from 95 down to 10 % of what is in reach; 10, 25, 45 degC and 0, 5, 8 degC, where the mean cell stays below 10."""
    for name, temps in (("drive", (10.0, 25.0, 45.0)), ("drive-cold", (0.0, 5.0, 8.0))):
        assert DRAWS * len(temps) == len(cases[name])
        for n, case in enumerate(cases[name]):
            temp_degC = temps[n // DRAWS]
            assert hours(case) == 12.0
            reach = float(np.interp(temp_degC, case.drawn.cell.reach.temp_degC, case.drawn.cell.reach.share))
            x = 1.0 - (1.0 - case.truth) / reach
            assert x.min() < 0.14
            assert x.max() > 0.94
            assert temp_degC - 1.0 < case.temp_degC.min()
            assert case.temp_degC.max() < temp_degC + 10.0
            assert name == "drive" or float(np.mean(case.temp_degC)) < 10.0


def test_belief_of_a_drive_is_that_of_another_cell(cases):
    """Open-circuit voltages of plant and belief are at least 20 mV RMS apart wherever smooth errors are drawn."""
    for name in ("drive", "drive-cold", "aged", "wrong-start", "soh", "nvpf-right", "nvpf-wrong", "nvpf-plateau"):
        assert min(case.drawn.apart_V for case in cases[name]) >= 0.0199


def test_aged_cells_are_scored_after_three_cycles(cases):
    """80 % of the capacity, 150 % of the resistance, scored from the third recharge on, for three hours at least."""
    for case in cases["aged"]:
        assert 0.739 < case.drawn.capacity_Ah / case.capacity_Ah < 0.861
        assert 1.124 < case.drawn.resistance_scale < 1.876
        first = int(np.argmax(np.isfinite(case.reference)))
        before = case.truth[:first]
        assert 3 == dips(before, 0.15, 0.90)
        assert before[-1] > 0.9
        assert np.isfinite(case.reference[first:]).all()
        assert hours(case) - first / 3600.0 > 3.0


def test_nvpf_wrong_start_is_scored_ten_minutes_after_the_step(cases):
    """Told 20 to 50 % beside; before the first scored row lie 10 min on the other side of 3.6-4.0 V."""
    for case in cases["nvpf-wrong"]:
        error = abs(case.start_soc - case.truth[0])
        assert 0.19 < error < 0.51
        first = int(np.argmax(np.isfinite(case.reference)))
        rested_V = np.interp(case.truth, X, case.drawn.mean_V)
        assert (rested_V[0] > 4.0) != (rested_V[0] < 3.6)
        assert (rested_V[first - 600] > 4.0) == (rested_V[0] < 3.6)
        assert 3.6 <= rested_V[first - 601] <= 4.0 or (rested_V[first - 601] > 4.0) == (rested_V[0] > 4.0)


def test_nvpf_plateau_never_leaves_it(cases):
    """Truth and what is told both lie on the upper plateau, at least 20 % apart."""
    for case in cases["nvpf-plateau"]:
        assert np.interp(case.truth, X, case.drawn.mean_V).min() > 4.0
        assert np.interp(case.start_soc, X, case.drawn.mean_V) > 4.0
        assert abs(case.start_soc - case.truth[0]) >= 0.2
        assert case.start_sigma > 0.1


def test_nvpf_right_starts_are_right_and_long(cases):
    """Told the truth, at least 2 h."""
    for case in cases["nvpf-right"]:
        assert abs(case.start_soc - case.truth[0]) < 1e-3
        assert hours(case) >= 2.0


def test_wrong_starts_are_wrong_by_20_and_50_percent(cases):
    """All four errors occur, the told SOC is one, scored after 20 min; one sigma is told for all."""
    made = cases["wrong-start"]
    assert {-50, -20, 20, 50} == {round(100 * (case.start_soc - case.truth[0])) for case in made}
    assert 1 == len({case.start_sigma for case in made})
    for case in made:
        assert 0.0 <= case.start_soc <= 1.0
        assert 1200 == int(np.argmax(np.isfinite(case.reference)))


def test_cold_cell_is_judged_by_what_is_available(cases):
    """The plant of the 5 degC curve: rested voltage as tabled over share of 1.284 Ah, nothing out of reach."""
    cell = cold.measured_cell()
    for q_Ah, volt in cold.MEASURED[1:]:
        soc = 1.0 - q_Ah / 1.28405
        entropic_V = float(np.interp(soc, cell.entropy.soc, cell.entropy.dudt_mV_per_K)) * 1e-3 * (5.92 - 25.0)
        assert volt == pytest.approx(float(np.interp(soc, cell.ocv.soc, cell.ocv.discharge_V)) + entropic_V, abs=0.006)
    assert 2.2377 == pytest.approx(cell.ocv.discharge_V[0] - 0.4258e-3 * (5.92 - 25.0), abs=1e-6)
    assert all(case.available for case in cases["tub-5degC"])
    assert {1.0} == {share for case in cases["tub-5degC"] for share in case.drawn.cell.reach.share}


def test_partial_cycles_are_five(cases):
    """80 to 30 % and back, five times, with the capacity drawn in 70-105 %."""
    for case in cases["soh"]:
        assert 0.70 <= case.drawn.capacity_Ah / case.drawn.cell.capacity_Ah <= 1.05
        assert 5 == dips(case.truth, 0.32, 0.78)
        assert case.truth[-1] > 0.79
        assert 0.29 < case.truth.min()
        assert case.truth.max() < 0.81


def test_window_is_where_the_rested_voltage_lies_in_2_7_to_3_2_V():
    """On a straight line from 2 to 4 V: 35 to 60 %."""
    assert window(2.0 + 2.0 * X) == pytest.approx((0.35, 0.60), abs=0.005)


def test_conditions_are_the_same_from_one_seed():
    """Bit for bit, and other from another seed."""
    first, again, other = (CONDITIONS["nvpf-plateau"](seed, 1)[0] for seed in (3, 3, 4))
    assert np.array_equal(first.cell_V, again.cell_V)
    assert not np.array_equal(first.cell_V, other.cell_V)


def test_a_draw_does_not_depend_on_how_many_there_are(cases):
    """The first of two draws is the only one of one."""
    alone = CONDITIONS["nvpf-right"](SEED, 1)[0]
    assert np.array_equal(alone.cell_V, cases["nvpf-right"][0].cell_V)


def test_own_tables_bring_a_filter_near_the_truth(cases):
    """With the drawn cell's own tables and perfect sensors the plain filter stays within 0.6 % RMSE at 25 degC."""
    case = cases["drive"][DRAWS]
    own = own_tables(case)
    assert own.model.capacity_Ah == case.drawn.capacity_Ah
    estimator = Estimator(own, 1, 1, None, case.dt_ns)
    estimator.start(case.start_soc, case.start_sigma)
    error = estimator.run(clean(case)).soc[:, 0, 0] - case.reference
    assert float(np.sqrt(np.mean(error**2))) < 0.006


def test_own_tables_may_leave_the_capacity_to_be_found_out(cases):
    """For SOH: everything is the cell's own but the capacity, which is that of its kind when fresh."""
    case = cases["soh"][0]
    own = own_tables(case, capacity=False)
    assert own.model.capacity_Ah == case.drawn.cell.capacity_Ah != case.drawn.capacity_Ah
    assert own.model.ocv == own_tables(case).model.ocv


def test_own_tables_are_of_the_form_that_a_calibration_has(cases):
    """What is made of a drawn cell passes the checks of a calibration file."""
    for name in ("drive", "nvpf-right", "tub-5degC"):
        own = own_tables(cases[name][0])
        assert calibration.Calibration.model_validate(own.model_dump()).model.capacity_Ah == own.model.capacity_Ah


def test_a_recorded_cell_that_nobody_fitted_has_no_own_tables(cases):
    """The bound is that of a simulated cell, or of recordings that ship with one; a user's recording has none."""
    recorded = replace(cases["drive"][0], recorded=True, drawn=None, data="a run")
    with pytest.raises(BenchError, match="a run: own tables are those of a simulated cell"):
        own_tables(recorded)
