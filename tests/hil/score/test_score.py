"""The score sees an estimator that is broken, and equal seeds give equal bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from hil.calibration import Calibration
from hil.dut.estimator import Beliefs, Estimator, Readings
from hil.score import cases, floors, recorded, score
from hil.score.believe import SUBJECT, Device, emulated
from hil.score.cases import Group
from hil.score.conditions import CONDITIONS
from hil.score.figures import Row

pytestmark = pytest.mark.compiled_only  # hours of readings for 16 sensors at once
METHOD = SUBJECT
(SET,) = recorded.sets()
ONE = Group("one", lambda: [recorded.case(SET, "1c-2-1", "discharge")])


class Backwards(Estimator):
    """Counts charge with the wrong sign."""

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """As ever, with the current turned round."""
        return super().run(Readings(-readings.current_A, readings.cell_V, readings.temp_degC, readings.fresh), every)


class Blind(Estimator):
    """Looks at no voltage after its first one."""

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """As ever, with all but one voltage stale."""
        fresh = np.zeros_like(readings.fresh)
        fresh[0] = self.whole[0].max() == 0
        return super().run(Readings(readings.current_A, readings.cell_V, readings.temp_degC, fresh), every)


class Boastful(Estimator):
    """States a band of a fiftieth of what it should."""

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """As ever, with a narrow band."""
        said = super().run(readings, every)
        return replace(said, band=0.02 * said.band)


def broken(kind: type[Estimator]) -> score.Make:
    """The estimators with a defect in all methods but counting, which the others are measured by."""

    def make(beliefs: Calibration, n_packs: int, method: str, dt_ns: int) -> Device:
        return emulated(beliefs, n_packs, method, dt_ns) if method == "counting" else kind(beliefs, n_packs, 1, method, dt_ns)

    return make


@lru_cache(maxsize=8)
def row(kind: type[Estimator], condition: str = "discharge") -> Row:
    """Figures of an estimator over one recording, or over one drawn plant."""
    group = ONE if condition == "discharge" else Group(condition, lambda: CONDITIONS[condition](1, 1)[:1])
    plan = score.Plan(methods=(METHOD,), wrong_starts=False)
    return score.run([group], plan, make=broken(kind)).rows()[0]


def missed(of: Row) -> set[str]:
    """What it does not meet."""
    return {one.what for one in floors.asked(of) if not one.met}


def test_charge_counted_with_the_wrong_sign_is_seen():
    """Several times the error of the sound one, and nothing of what is asked is met."""
    sound, defect = row(Estimator), row(Backwards)
    assert defect.sums.rmse > 3.0 * sound.sums.rmse
    assert defect.counting_rmse == sound.counting_rmse
    assert {"rmse", "worst_rmse", "max", "rmse_of_counting"} <= missed(defect)


def test_an_estimator_that_ignores_voltage_is_seen():
    """In a drive under sensor errors it is as bad as counting, and not better by half."""
    defect = row(Blind, "drive")
    assert "rmse_of_counting" in missed(defect)
    assert defect.sums.rmse == pytest.approx(defect.counting_rmse, rel=0.3)
    assert row(Estimator, "drive").sums.rmse < 0.8 * defect.sums.rmse


def test_a_band_that_is_too_narrow_is_seen():
    """The estimate is the same; the truth lies outside."""
    sound, defect = row(Estimator), row(Boastful)
    assert sound.sums.rmse == defect.sums.rmse
    assert "band_coverage" in missed(defect)
    assert (defect.sums.band_coverage or 0.0) < 0.5


def test_the_bound_is_below_the_figure():
    """True tables leave less error, by half where most of what is believed is wrong; tables of the judged runs a little."""
    found, discharge = row(Estimator, "aged"), row(Estimator)
    assert found.bound_rmse is not None
    assert found.bound_rmse < 0.5 * found.sums.rmse
    assert discharge.bound_rmse is not None
    assert 0.5 * discharge.sums.rmse < discharge.bound_rmse < 1.1 * discharge.sums.rmse
    told = score.row_as_json(discharge)
    assert told["bound_rmse"] == told["bound"]["rmse"]
    misses = [one.as_json() for one in floors.beyond(discharge)]
    assert misses == told["bound"]["misses_too"]
    assert {one["what"] for one in misses} <= missed(discharge)


def test_a_recording_whose_cell_nobody_fitted_has_no_bound():
    """As of a user's own files."""
    one = Group("one", lambda: [replace(recorded.case(SET, "1c-2-1", "discharge"), own_model=None)])
    (found,) = [r for r in score.run([one], score.Plan(methods=("ocv",), wrong_starts=False)).rows() if r.region == "all"]
    assert found.bound is found.bound_rmse is score.row_as_json(found)["bound"] is None


def test_equal_seeds_give_equal_bytes_and_others_do_not():
    """Noise, lost frames and plants all come from the seed."""

    def told(seed: int) -> str:
        groups = [ONE, *cases.groups(["nvpf-wrong"], seed, 1)]
        return json.dumps(score.run(groups, score.Plan(methods=("ekf",), seed=seed)).as_json())

    assert told(3) == told(3)
    assert told(3) != told(4)


def test_without_sensor_errors_there_is_one_run_of_each_case():
    """A sixteenth of the samples, and less error of counting."""
    plan = score.Plan(methods=("counting",), wrong_starts=False)
    clean = score.run([ONE], score.Plan(methods=("counting",), errors=False, wrong_starts=False)).rows()[0]
    full = score.run([ONE], plan).rows()[0]
    assert full.sums.count == 16 * clean.sums.count
    assert clean.sums.rmse < full.sums.rmse


def test_progress_rises_to_the_end():
    """From 0 to 1 over all groups."""
    seen: list[float] = []
    score.run([ONE, ONE], score.Plan(methods=("counting",), wrong_starts=False), lambda _, share: seen.append(share))
    assert [0.0, 0.5, 0.5, 1.0] == seen
