"""docs/accuracy.md against what is asked, against the kept fits, and against fits that are quick to do again."""

from __future__ import annotations

from dataclasses import replace

import accuracy_page
import fit_nvpf
import loo_nfm
import numpy as np
import pytest
import tub_nfm
from nfm_model import read_cell


@pytest.fixture(scope="module")
def kept():
    """Every fit that loo_nfm.py has left beside the data."""
    return loo_nfm.read()


def test_leaving_runs_and_cells_out_reaches_what_is_asked():
    """Every line of the page that asks for something reaches it; cell 1, whose runs are no session, is the one exception."""
    missed = [what for what, asked, reached in accuracy_page.reached("nfm") if reached > asked]
    assert ["one cell and one session fitted alone (cell 1), RMSE"] == missed


def test_kept_fits_give_the_documented_figures(kept):
    """The circuit of each kept fit, run again over all recordings, gives the numbers of the page."""
    assert [] == accuracy_page.differences("nfm", loo_nfm.summary(kept))
    assert [] == accuracy_page.differences("nfm-runs", loo_nfm.per_run(kept))
    assert [] == accuracy_page.differences("nfm-ohm", loo_nfm.resistance(kept))


def test_a_fold_never_saw_the_run_that_it_is_judged_on(kept):
    """Fitting a session again gives the kept parameters, so the kept fits are those of the tool."""
    names = [name for name in loo_nfm.NAMES if name.endswith("-2-2")]
    again = loo_nfm.fit(names, loo_nfm.own_Ah(), kept["all"].laws)
    before, after = (
        loo_nfm.figures(lambda _, one=one: one, loo_nfm.own_Ah(), names) for one in (kept["cell 2, second"], again)
    )
    assert before["pooled"] == pytest.approx(after["pooled"], abs=0.3)
    assert 6.0 >= after["pooled"]


def test_every_fold_is_kept(kept):
    """One fit without each run, with own and with fixed capacity, and one without each cell."""
    assert {f"without {name}" for name in loo_nfm.NAMES} <= set(kept)
    assert {f"fixed, without {name}" for name in loo_nfm.NAMES} <= set(kept)
    assert {"without cell 1", "without cell 2"} <= set(kept)


def test_resistance_stays_within_the_bounds_of_the_tub_shape(kept):
    """In every fold the 10 s resistance lies at 0.5 to 1.2 times that of the TUB cell."""
    for name, one in kept.items():
        share = loo_nfm.ohm_by_tub(one)
        assert 0.499 <= share.min() <= share.max() <= 1.201, name


def test_pulses_charge_and_cold_are_as_documented():
    """The shipped cell gives the figures of the page."""
    cell = read_cell(tub_nfm.CELL_FILE)
    assert [] == accuracy_page.differences("tub-ohm", tub_nfm.resistance(cell))
    assert [] == accuracy_page.differences("tub-charge", tub_nfm.charge(cell))


def test_pulses_at_every_current_and_the_rested_cold_curve_reach_what_is_asked():
    """1C within 5 %, 2C and 3C within 10 %, a row left out within 15 % but for 5 degC, which lies beyond all others."""
    cell = read_cell(tub_nfm.CELL_FILE)
    assert 0.05 >= max(np.abs(errors).max() for errors in tub_nfm.pulse_errors(cell).values())
    assert 0.10 >= max(map(abs, tub_nfm.largest(cell).values()))
    for degC in ("15", "25", "35", "45"):
        assert 0.15 >= np.abs(tub_nfm.pulse_errors(tub_nfm.without_row(cell, float(degC)))[degC]).max(), degC
    assert 30.0 >= accuracy_page.rms_mV(tub_nfm.rested_05(cell))


def test_the_second_model_of_the_plateau_cell_meets_the_curves():
    """The cell file, run by the second model at 25 degC, meets each digitised curve within 45 mV."""
    cell = replace(read_cell(fit_nvpf.CELL_FILE), coolant_W_per_K=5.0)
    for c_rate in fit_nvpf.FITTED:
        assert 45.0 >= accuracy_page.rms_mV(fit_nvpf.errors_V(cell, c_rate, 1.0)), c_rate


def test_a_figure_that_has_moved_is_named(monkeypatch, tmp_path):
    """A table that differs from the page by more than 2 % is reported with both lines."""
    page = tmp_path / "accuracy.md"
    first, last = accuracy_page.marks("x")
    page.write_text(f"{first}\n\n| a | <= 16 | 12.0 |\n\n{last}\n", encoding="utf-8")
    monkeypatch.setattr(accuracy_page, "PAGE", page)
    assert [] == accuracy_page.differences("x", ["| a | <= 16 | 12.2 |"])
    assert 1 == len(accuracy_page.differences("x", ["| a | <= 16 | 13.0 |"]))
    assert [("a", 16.0, 12.0)] == accuracy_page.reached("x")
