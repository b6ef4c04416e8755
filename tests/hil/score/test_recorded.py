"""Cases of the shipped recordings: the split, and references computed again from the files."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from hil import calibration, files
from hil.calibration import load
from hil.errors import ScenarioError
from hil.score import recorded
from hil.score.believe import beliefs_of
from hil.score.own import own_tables

(SET,) = recorded.sets()


def rows(name: str) -> list[tuple[int, float, float]]:
    """Mode, voltage and current of a recording, by the csv module."""
    with gzip.open(recorded.path(SET, name), "rt", encoding="ascii", newline="") as text:
        return [(int(r["mode"]), float(r["voltage_V"]), float(r["current_A"])) for r in csv.DictReader(text)]


def test_only_runs_of_the_cell_that_was_not_fitted_are_scored():
    """The calibration says of its own sources that it saw the runs of cell 1."""
    assert "cell 1 (runs *-1-1)" in load(SET.calibration)[1].model.source
    assert all(name.endswith("-1-1") for name in SET.fitted)
    assert not any(name.endswith("-1-1") for name in SET.unseen)
    there = {path.name.removesuffix(".csv.gz") for path in recorded.path(SET, "x").parent.glob("*.csv.gz")}
    assert there == {*SET.fitted, *SET.unseen}
    for condition in ("discharge", "recharge"):
        assert [f"{SET.name} {name}" for name in SET.unseen] == [case.data for case in recorded.cases(condition)]


@pytest.mark.parametrize("name", ["1c-2-1", "05_1c-2-3"])
def test_the_reference_of_a_discharge_is_the_share_of_its_own_charge(name):
    """1 at the end of the top-up, 0 at 1.5 V, and the charge that is left in between."""
    case = recorded.case(SET, name, "discharge")
    amps = [i for mode, _, i in rows(name) if mode == 3]
    total = sum(amps)
    left = [1.0 - sum(amps[: k + 1]) / total for k in range(0, len(amps), 500)]
    assert left == pytest.approx(case.reference[1::500].tolist(), abs=1e-9)
    assert (1.0, len(amps) + 1) == (case.reference[0], len(case.reference))
    assert case.current_A[0] < 0.0 < case.current_A[1]
    assert case.cell_V[-1] < 1.51


@pytest.mark.parametrize("name", ["1c-2-1", "05_1c-2-3"])
def test_the_reference_of_a_recharge_closes(name):
    """It begins where the discharge ended, which is run but not scored, and ends full."""
    case, table = recorded.case(SET, name, "recharge"), rows(name)
    last = max(n for n, row in enumerate(table) if row[0] == 3)
    amps = [-i for _, _, i in table[last + 1 :]]
    known = np.isfinite(case.reference)
    assert len(amps) == known.sum()
    assert not known[: -len(amps)].any()
    assert [sum(amps[:1000]) / sum(amps), 1.0] == pytest.approx([case.reference[known][999], case.reference[-1]])
    assert sum(amps) / 3600.0 == pytest.approx(-case.current_A[known].sum() / 3600.0)


@pytest.mark.parametrize(("name", "expected"), [("0c5-2-1", 0.0204), ("05_1c-2-3", 0.01)])
def test_a_recharge_whose_charge_is_not_that_of_its_discharge_is_known_less_well(name, expected):
    """By what its reference would move if the tester had an offset: 9 % too much in the one, 1 % too little in the other."""
    table = rows(name)
    last = max(n for n, row in enumerate(table) if row[0] == 3)
    out, into = [i for mode, _, i in table if mode == 3], [-i for _, _, i in table[last + 1 :]]
    offset_A = (sum(into) - sum(out)) / len(into)
    gain = offset = apart = 0.0
    for amps in into:
        gain += amps / sum(into)
        offset += (amps - offset_A) / sum(out)
        apart = max(apart, abs(gain - offset))
    assert max(apart, SET.charge_uncertainty) == pytest.approx(recorded.case(SET, name, "recharge").uncertainty, abs=2e-4)
    assert expected == pytest.approx(recorded.case(SET, name, "recharge").uncertainty, abs=2e-4)


def test_the_window_is_where_the_measured_cell_lies_in_it():
    """2.7 to 3.2 V of TU Berlin's curves: between the rows of the table of facts at 15 and 20 %, 50 and 60 %."""
    low, high = recorded.case(SET, "1c-2-1", "discharge").window
    assert 0.15 < low < 0.20
    assert 0.50 < high < 0.60


def test_a_set_that_scores_what_it_fitted_is_refused():
    """The split is part of the file's form."""
    with pytest.raises(ValueError, match='"1c-1-1" is among fitted too'):
        recorded.RecordedSet.model_validate({**SET.model_dump(), "unseen": ["1c-1-1"]})


def test_recordings_lie_in_the_package():
    """So that an installed nabench has them."""
    package = Path(recorded.__file__).parents[1]
    assert all(package in recorded.path(SET, name).parents for name in SET.unseen)


def test_what_is_believed_of_the_recorded_cells_is_their_own():
    """Kinetics of the set's file, everything else of the calibration's; a simulated case believes the calibration."""
    own = beliefs_of(recorded.case(SET, "1c-2-1", "discharge"))
    pack = calibration.load(SET.calibration)[1]
    assert 0.05 * pack.model.rate.i0_A[2] == pytest.approx(own.model.rate.i0_A[2], rel=0.01)
    assert own.limit == pack.limit
    assert own.filter.sodium.heat_K_per_W == SET.filter["heat_K_per_W"] != pack.filter.sodium.heat_K_per_W


def test_own_tables_are_those_of_the_judged_runs_and_nobody_believes_them():
    """The bound has the rig's figures of the filter and cell 2's tables; the belief under test has cell 1's."""
    case = recorded.case(SET, "1c-2-1", "recharge")
    own, told = own_tables(case), beliefs_of(case)
    assert "cell 2 (runs *-2-*)" in own.model.source
    assert "cell 1 (runs *-1-1)" in told.model.source
    assert own.filter == told.filter
    text = Path(recorded.__file__).with_name(str(SET.own)).read_text(encoding="utf-8")
    assert "judged" in text.partition("\n")[0]


def test_a_file_of_beliefs_with_an_unknown_key_is_refused(tmp_path):
    """Like every file: what it is called, and what would have been right."""
    shipped = Path(recorded.__file__).with_name(SET.model)
    path = tmp_path / "own.toml"
    path.write_text(shipped.read_text(encoding="utf-8").replace("reference_A", "reference_a"), encoding="utf-8")
    with pytest.raises(ScenarioError, match="reference_a"):
        files.load(path, recorded.ModelFile)
