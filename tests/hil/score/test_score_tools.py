"""Tools around the score: the search of the filter's figures, and rows of peers that stay on their page."""

from __future__ import annotations

import json
import tomllib

import fit_belief
import numpy as np
import peer_scores
import pytest
import search_filter
import search_rig

from hil.score import peers, recorded
from hil.score.floors import Asked

OF = "seed 1, 16 combinations of sensor errors, 1 drawn cells."


def test_what_is_missed_costs_more_the_further_off_it_is() -> None:
    """Errors by their share of what is asked, bands outside their bounds and headroom, starts below what is asked."""
    worse = [
        (Asked("rmse", 0.008, 0.0, 0.01), Asked("rmse", 0.012, 0.0, 0.01)),
        (Asked("max", 0.04, 0.0, 0.05), Asked("max", 0.06, 0.0, 0.05)),
        (Asked("band_coverage", 0.95, 0.9, 0.99), Asked("band_coverage", 0.88, 0.9, 0.99)),
        (Asked("band_coverage", 0.95, 0.9, 0.99), Asked("band_coverage", 0.999, 0.9, 0.99)),
        (Asked("band_half_width_of_rmse", 1.7, 0.0, 2.0), Asked("band_half_width_of_rmse", 2.1, 0.0, 2.0)),
        (Asked("within_3_percent", 0.97, 0.95, float("inf")), Asked("within_3_percent", 0.9, 0.95, float("inf"))),
        (Asked("rmse", 0.01, 0.0, 0.01), Asked("rmse", None, 0.0, 0.01)),
    ]
    for better, bad in worse:
        assert search_filter.cost(better) < search_filter.cost(bad)


@pytest.mark.compiled_only
def test_a_search_begins_at_the_calibration_and_keeps_the_best(tmp_path, capsys) -> None:
    """A wrong figure is further from what is asked than the calibration's, and a search from there comes nearer."""
    words = ["--seed", "7", "--draws", "1", "--condition", "tub-5degC", "--combinations", "4"]
    distances = []
    for more in ([], ["--set", "model_V2s=1.5"]):
        assert 0 == search_filter.main([*words, *more])
        out = capsys.readouterr().out
        assert "tub-5degC, all: RMSE" in out
        distances.append(float(out.split("distance ")[1].split()[0]))
    assert distances[0] < distances[1]
    best = tmp_path / "best.json"
    assert 0 == search_filter.main([*words, "--set", "model_V2s=1.5", "--tries", "12", "--out", str(best)])
    found = [float(part.split()[0]) for part in capsys.readouterr().out.split("distance ")[1:]]
    assert found == sorted(found, reverse=True)
    assert len(found) > 1
    assert set(search_filter.FIGURES) == set(json.loads(best.read_text(encoding="utf-8")))


@pytest.mark.parametrize("pair", ["model_V2=0.1", "model_V2s=much", "model_V2s"])
def test_a_figure_that_cannot_be_set_is_named(pair, capsys) -> None:
    """With exit code 2 and what there is."""
    assert 2 == search_filter.main(["--set", pair])
    assert f"--set {pair}: expected FIGURE=NUMBER" in capsys.readouterr().err


@pytest.mark.compiled_only
def test_the_rig_is_searched_on_cell_1_alone_and_without_the_run_that_is_asked(monkeypatch, capsys) -> None:
    """A run's tables are not those of all five; its voltages are another cell's unless told plain; the line can be pasted."""
    of = recorded.sets()[0]
    one = of.model_copy(update={"fitted": of.fitted[:1]})
    assert not set(of.unseen) & set(of.fitted)
    (down, _), (plain, _) = search_rig.runs(one, False), search_rig.runs(one, True)
    own = recorded.tables(of.model)
    assert down.case.model is not None
    assert own is not None
    assert down.case.model.ocv != own.ocv
    apart_V = down.readings.cell_V - plain.readings.cell_V
    assert 0.01 < float(np.sqrt(np.mean(apart_V**2))) < 0.03
    assert not np.array_equal(apart_V[:, 0], apart_V[:, 1])
    monkeypatch.setattr(recorded, "sets", lambda: [one])
    assert 0 == search_rig.main(["--plain", "--tries", "3"])
    out = capsys.readouterr().out
    assert "recharge, all: RMSE" in out
    told = tomllib.loads(out.splitlines()[-1])["filter"]
    assert {*told} == {*of.filter}
    assert {name: told[name] for name in told if name not in search_rig.BAND} == pytest.approx(
        {name: of.filter[name] for name in of.filter if name not in search_rig.BAND}
    )


def test_a_run_that_is_left_out_is_not_seen_by_its_own_fit(monkeypatch, capsys) -> None:
    """Its discharge errs more than in the fit that has seen it, and its tables are others; a line for each thing tried."""
    monkeypatch.setattr(fit_belief, "HOLDS", (0.1,))
    monkeypatch.setattr(fit_belief, "I0_FACTORS", (0.05,))
    assert 0 == fit_belief.main(["--left-out"])
    head, held, _, rated = capsys.readouterr().out.splitlines()
    assert head.split()[3:] == [*fit_belief.CELL_1.runs, "all"]
    cell = fit_belief.read_cell(fit_belief.CELL_FILE)
    unseen_mV = [float(word) for word in held.replace("mV", "").split()[1:]]
    monkeypatch.setattr(fit_belief, "UNSEEN_WEIGHT", 1.0)
    assert fit_belief.fit(cell)[0].discharge_V == pytest.approx(
        fit_belief.fit(cell, left_out="1c-1-1")[0].discharge_V, abs=1e-9
    )
    seen_mV = [fit_belief.fit(cell, left_out=name)[1][name] for name in fit_belief.CELL_1.runs]
    assert np.mean(unseen_mV[:-1]) > 1.1 * np.mean(seen_mV)
    assert unseen_mV[-1] == pytest.approx(float(np.sqrt(np.mean(np.square(unseen_mV[:-1])))), abs=0.1)
    assert float(rated.replace("mV", "").split()[-1]) < unseen_mV[-1]


def test_the_bound_is_fitted_to_the_judged_runs_and_the_belief_to_the_others() -> None:
    """The names in the tool are those of the file that says what is scored."""
    of = recorded.sets()[0]
    assert (tuple(of.fitted), tuple(of.unseen)) == (fit_belief.CELL_1.runs, fit_belief.CELL_2.runs)


def test_rows_of_peers_stay_where_they_are_of_the_same_runs() -> None:
    """All that the page has of other packages, or a refusal."""
    page = peer_scores.PAGE.read_text(encoding="utf-8")
    versions, rows = peer_scores.kept(page, OF)
    assert "filterpy" in versions
    assert len(rows) >= 4
    assert all(row.split(" | ")[1] in peers.PEERS for row in rows)
    with pytest.raises(SystemExit, match="give --peer to run them"):
        peer_scores.kept(page, OF.replace("16", "2"))
