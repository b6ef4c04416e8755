"""Error figures of an estimate against a recording."""

from __future__ import annotations

import numpy as np
import pytest
from pages import Run

from hil.figures import soc_pair
from hil.observe import View
from hil.plant import cellfile
from hil.report import accuracy
from hil.wirelog import WireLog


def test_figures_of_a_known_error() -> None:
    """RMSE, mean size, largest and bias of +1 %, -3 % and +2 % by hand."""
    row = accuracy.figures(1, "leg", False, 0.01, np.array([0.01, -0.03, 0.02]))
    assert 3 == row.count
    assert (0.0014 / 3) ** 0.5 == pytest.approx(row.rmse)
    assert (0.02, 0.03) == pytest.approx((row.mae, row.largest))
    assert pytest.approx(0.0, abs=1e-12) == row.bias


def test_a_stretch_without_samples_has_no_figures() -> None:
    """Nothing is made up where nothing was estimated."""
    row = accuracy.figures(1, "leg", True, 0.01, np.zeros(0))
    assert (0, None, None, None, None) == (row.count, row.rmse, row.mae, row.largest, row.bias)


def test_the_window_is_where_the_mean_ocv_lies_in_it() -> None:
    """At the ends of the window the mean of both OCV branches of the shipped cell is 2.7 and 3.2 V."""
    _, cell = cellfile.load("nfm-18650")
    ends = accuracy.soc_window(cell)
    mean = (np.array(cell.ocv.discharge_V) + np.array(cell.ocv.charge_V)) / 2
    assert (2.7, 3.2) == pytest.approx(tuple(np.interp(ends, cell.ocv.soc, mean)))
    assert (0.2, 0.54) == pytest.approx(ends, abs=0.03)


def test_the_table_splits_all_samples_into_legs(finished: dict[str, Run]) -> None:
    """Legs do not overlap; the whole is their sum, and its bias their weighted mean; the window is a part of each."""
    record = finished["long"].record
    view = View(record.trace, WireLog(record.trace.journal, record.setup.network), record.setup)
    rows = accuracy.table(view)
    whole, *legs = [row for row in rows if not row.window]
    assert 2 == len(legs)
    assert len(soc_pair(view, 0)[0]) == whole.count == sum(leg.count for leg in legs)
    assert sum(leg.count * (leg.bias or 0.0) for leg in legs) / whole.count == pytest.approx(whole.bias)
    for all_, window in zip(rows[::2], rows[1::2], strict=True):
        assert (all_.leg, all_.name, True) == (window.leg, window.name, window.window)
        assert 0 < window.count < all_.count
    assert [0.02, 0.01, 0.02] == [row.uncertainty for row in rows if not row.window]


def test_a_run_without_a_recording_has_no_table(finished: dict[str, Run]) -> None:
    """Where the truth is known there is no reference to be uncertain about."""
    record = finished["passes"].record
    assert [] == accuracy.table(View(record.trace, WireLog(record.trace.journal, record.setup.network), record.setup))
