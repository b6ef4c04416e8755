"""Figures against numbers worked out by hand."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from hil.score import figures, floors, starts, table
from hil.score.case import Case
from hil.score.cases import names
from hil.score.figures import BOUND, COUNTING, Track
from hil.score.health import HealthRow
from hil.score.power import PowerRow
from hil.score.score import Plan, Scored

NONE = np.empty(0)
KEYS = {
    "data", "method", "condition", "region", "rmse", "mae", "max", "bias", "band_coverage", "band_half_width",
    "counting_rmse", "reference_uncertainty",
}  # fmt: skip


def case(data: str = "cell a", condition: str = "discharge", **also: object) -> Case:
    """A case of which the figures need no more than its name."""
    given = {
        "data": data, "condition": condition, "recorded": True, "calibration": "nfm-16s", "capacity_Ah": 1.5, "dt_ns": 10**9,
        "current_A": NONE, "cell_V": NONE, "temp_degC": NONE, "reference": NONE, "available": False, "uncertainty": 0.005,
        "start_soc": 1.0, "start_sigma": 0.02, "window": (0.2, 0.5), **also,
    }  # fmt: skip
    return Case(**given)  # type: ignore[arg-type]


def track(of: Case, method: str, reference: list[float], error: list[list[float]], band: float = 0.02) -> Track:
    """A track of some rows; error by row, then by combination of sensor errors."""
    rows = len(reference)
    warm = np.linspace(5.0, 25.0, rows)
    errors = np.array(error)
    return Track(of, method, 5.0 * np.arange(1, rows + 1), np.array(reference), warm, errors, np.full(errors.shape, band))


FIRST = track(case("cell a"), "ekf", [0.9, 0.3, np.nan], [[0.01, -0.03], [0.02, 0.04], [0.5, 0.5]])
SECOND = track(case("cell b"), "ekf", [0.45, 0.1], [[0.00, 0.00], [-0.01, 0.03]])
COUNTED = [track(t.case, COUNTING, t.reference.tolist(), np.full(t.error.shape, 0.05).tolist()) for t in (FIRST, SECOND)]


def row_of(region: str, tracks: list[Track] | None = None) -> figures.Row:
    """The row of ekf in a region."""
    found = figures.rows([FIRST, SECOND, *COUNTED] if tracks is None else tracks)
    (row,) = [row for row in found if (row.method, row.region) == ("ekf", region)]
    return row


def test_figures_are_pooled_over_runs_and_sensor_errors():
    """Eight errors in all; the row without a reference does not count."""
    row = row_of("all")
    assert 8 == row.sums.count
    assert row.sums.rmse == pytest.approx(np.sqrt((1 + 9 + 4 + 16 + 0 + 0 + 1 + 9) * 1e-4 / 8))
    assert row.sums.mae == pytest.approx(0.14 / 8)
    assert row.sums.max == pytest.approx(0.04)
    assert row.sums.bias == pytest.approx(0.06 / 8)
    assert 5 / 8 == row.sums.band_coverage
    assert 0.02 == row.sums.band_half_width
    assert row.counting_rmse == pytest.approx(0.05)


def test_regions_are_those_of_the_reference():
    """0.3 and 0.45 lie in the window of 0.2 to 0.5, only 0.3 between 20 and 40 %."""
    assert (4, 2) == (row_of("window").sums.count, row_of("20-40").sums.count)
    assert row_of("20-40").sums.bias == pytest.approx(0.03)


def test_the_worst_run_is_one_run_with_one_combination():
    """The second combination of the first run: 3 and 4 %."""
    row = row_of("all")
    assert row.worst == pytest.approx(np.sqrt(25e-4 / 2))
    assert "cell a" == row.worst_run
    assert ["cell a", "cell b"] == [name for name, _ in row.runs]
    assert [np.sqrt(30e-4 / 4), np.sqrt(10e-4 / 4)] == pytest.approx([sums.rmse for _, sums in row.runs])


def test_temperatures_are_told_apart():
    """Rows at 5 and 15 degC of the first run, 5 and 25 degC of the second."""
    found = {(low, high): sums.count for low, high, sums in row_of("all").temperatures}
    assert {(0.0, 10.0): 4, (10.0, 20.0): 2, (20.0, 30.0): 2} == found


def test_a_region_that_holds_nothing_has_no_row():
    """No error is not an error of 0."""
    only = [track(case(), name, [0.9], [[0.01]]) for name in ("ekf", COUNTING)]
    assert ["all"] == [row.region for row in figures.rows(only) if row.method == "ekf"]


def test_a_method_that_states_no_band_has_none():
    """Null, not 0 or 100 %."""
    own = [track(case(), name, [0.9], [[0.01]], band=np.nan) for name in ("ekf", COUNTING)]
    found = row_of("all", own).as_json()
    assert (None, None) == (found["band_coverage"], found["band_half_width"])
    assert not next(one for one in floors.asked(row_of("all", own)) if one.what == "band_coverage").met


def test_the_bound_stands_beside_and_is_no_row():
    """It belongs to all rows of its condition."""
    least = track(FIRST.case, BOUND, [0.9], [[0.001, -0.001]])
    found = figures.rows([FIRST, SECOND, *COUNTED, least])
    assert {"ekf", COUNTING} == {row.method for row in found}
    row = row_of("all", [FIRST, SECOND, *COUNTED, least])
    assert row.bound is not None
    assert row.bound_rmse == pytest.approx(0.001)
    assert (row.bound.counting_rmse, row.bound.bound) == (row.counting_rmse, None)
    assert {"rmse": 0.001, "max": 0.001, "band_half_width": 0.02, "worst_rmse": 0.001}.items() <= row.bound.short().items()


def missed_of(row: figures.Row | None) -> set[str]:
    """What a row does not meet."""
    assert row is not None
    return {one.what for one in floors.asked(row) if not one.met}


@pytest.mark.parametrize(("error", "missed"), [(0.001, set()), (0.015, {"rmse"}), (0.03, {"rmse", "worst_rmse", "max"})])
def test_what_own_tables_miss_too_is_told_apart(error, missed):
    """Of what a discharge misses (0.8 % RMSE, 1.2 % in the worst run, 2.5 % at most): what no belief would mend."""
    own = track(case("cell a"), "ekf", [0.9, 0.3], [[0.02, 0.02], [0.02, 0.04]], band=0.024)
    counted = track(own.case, COUNTING, [0.9, 0.3], [[0.07, 0.07], [0.07, 0.07]])
    least = track(own.case, BOUND, [0.9, 0.3], [[error, 0.001], [0.001, error]], band=0.1)
    row = row_of("all", [own, counted, least])
    assert {"rmse", "worst_rmse", "max"} <= missed_of(row)
    assert "band_coverage" in missed_of(row) & missed_of(row.bound)  # too narrow the one, too wide the other
    assert missed == {one.what for one in floors.beyond(row)}
    silent = row_of("all", [replace(own, band=np.full_like(own.band, np.nan)), counted, least])
    assert "band_coverage" in missed_of(silent)
    assert "band_coverage" not in {one.what for one in floors.beyond(silent)}
    assert len(missed) == sum("own tables too" in line for line in table.missed([row]))


def test_data_sets_and_conditions_are_told_apart():
    """A run's data set is its name without the last word, or up to the first comma."""
    named = ["hakadi-18650 1c-2-1", "simulated nfm-18650, drive, draw 3", "alone"]
    assert ["hakadi-18650", "simulated nfm-18650", "alone"] == [figures.data_name(case(name)) for name in named]


def test_json_has_the_keys_that_are_promised():
    """And each number with six digits behind the point."""
    found = row_of("all").as_json()
    assert KEYS <= set(found)
    assert 0.0224 == round(found["rmse"], 4)
    assert found["rmse"] == round(found["rmse"], 6)


def test_what_is_asked_is_held_against_what_was_found():
    """RMSE 2.2 % where 0.8 % are asked, 0.45 of counting where a half is asked, 63 % in the band where 90 to 99 % are."""
    asked = {one.what: one for one in floors.asked(row_of("all"))}
    assert (0.008, False) == (asked["rmse"].high, asked["rmse"].met)
    assert asked["rmse_of_counting"].met
    assert not asked["band_coverage"].met
    assert asked["band_half_width_of_rmse"].met
    assert [] == floors.asked(figures.rows([track(case(condition="own"), COUNTING, [0.9], [[0.0]])])[0])


def test_every_floor_is_one_of_a_condition_that_exists():
    """And no condition and region has two."""
    pairs = [(floor.condition, region) for floor in floors.load().floor for region in floor.regions]
    assert {condition for condition, _ in pairs} <= set(names())
    assert len(pairs) == len(set(pairs))


def test_wrong_starts_are_judged_by_what_is_left_at_the_first_row():
    """Two of four within 2 %, three within 3 %."""
    own = [
        track(case(condition="wrong-start"), m, [0.5, 0.4], [[0.01, -0.02, 0.03, 0.2], [0.0] * 4]) for m in ("ekf", COUNTING)
    ]
    found = row_of("all", own)
    assert (0.75, 0.5) == (found.as_json()["within_3_percent"], found.as_json()["within_2_percent"])


@pytest.mark.parametrize(
    ("error", "settled_s"),
    [
        ([0.01, 0.02, 0.03, 0.0], 10.0),
        ([0.2, 0.05, 0.02, 0.01], 30.0),
        ([0.2, 0.02, -0.05, 0.01], 40.0),
        ([0.0, 0.0, 0.0, 0.031], np.nan),
    ],
)
def test_a_start_has_settled_when_its_error_stays_small(error, settled_s):
    """A way into the 3 % that is left again does not count."""
    found = starts.settled_s(10.0 * np.arange(1, 5), np.array(error)[:, None])
    assert [settled_s] == pytest.approx(found, nan_ok=True)


def test_times_of_starts_are_pooled():
    """Two of three settle: half of them by 20 s, 95 % of them never."""
    made = starts.Convergence(case(), "ekf", -0.2, np.array([10.0, 20.0, np.nan]))
    (found,) = starts.as_json([made])
    assert (3, 0.666667, 20.0, None) == tuple(found[key] for key in ("starts", "settled", "median_s", "p95_s"))


def shown(scored: Scored) -> str:
    """The tables as a terminal of 120 columns shows them."""
    out = io.StringIO()
    table.show(scored, Console(file=out, width=120))
    return out.getvalue()


def test_where_nothing_is_asked_nothing_is_met():
    """A dash in the tables of a user's own files: "none" reads as if all had been missed."""
    own = [track(case(condition="own"), name, [0.9], [[0.01]]) for name in ("ekf", COUNTING)]
    (line,) = [line for line in shown(Scored(Plan(methods=("ekf",)), own)).splitlines() if line.startswith("ekf ")]
    assert "-" == line.split()[-1]


def test_a_number_of_the_table_is_that_of_the_line_below():
    """2.8849996 % has six digits in JSON, 0.02885: two digits of either are the same two everywhere."""
    row = HealthRow("capacity", "sodium", "own", 0.028849996, 0.05, 0.0, 0.01, 0.9, 4, 64)
    found = shown(Scored(Plan(), health=[row]))
    (line,) = [line for line in found.splitlines() if line.startswith("capacity  own")]
    (missed,) = [line for line in found.splitlines() if "asked" in line]
    assert f"RMSE {line.split()[4]} %, " in missed


def test_the_limits_that_were_broken_have_a_unit():
    """Millivolts, in the head of the column."""
    row = PowerRow("exact", "sodium", "charge", "2 s", 12, 1, 0.0042, 0.0, 3, 0.5)
    assert "by [mV]" in shown(Scored(Plan(), power=[row]))
