"""The page of a score as its reader sees it, of runs of a few rows whose figures can be worked out by hand."""

from __future__ import annotations

import base64
import itertools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from pages import Page

from hil.score import page, plots
from hil.score.believe import METHODS
from hil.score.case import Case
from hil.score.figures import COUNTING, Track
from hil.score.health import HealthRow
from hil.score.peers import PEERS
from hil.score.power import PowerRow
from hil.score.score import Plan, Scored

NONE = np.empty(0)
CASE = Case(
    data="cell a", condition="discharge", recorded=True, calibration="nfm-16s", capacity_Ah=1.5, dt_ns=10**9,
    current_A=NONE, cell_V=NONE, temp_degC=NONE, reference=NONE, available=False, uncertainty=0.005,
    start_soc=1.0, start_sigma=0.01, window=(0.2, 0.5),
)  # fmt: skip
# Two combinations of sensor errors; the worst single run is the second of cell a, 4 %, the best the first of cell b, 1 %.
ERRORS = {"cell a": [0.02, -0.04], "cell b": [0.01, 0.03]}
CASES = {name: replace(CASE, data=name) for name in ERRORS}
LIMIT = PowerRow("reset", "sodium", "charge", "2 s", 12, 0, 0.0, 0.02, 3, 0.5)
HEALTH = HealthRow("capacity", "sodium", "own", 0.01, 0.02, 0.0, 0.01, 0.9, 4, 64)


def tracks(reference: list[float], band: float = 0.05, methods: tuple[str, ...] = ("sodium", COUNTING)) -> list[Track]:
    """Both cells with every method; an hour between rows."""
    rows = len(reference)
    return [
        Track(
            CASES[name], method, 3600.0 * np.arange(rows), np.array(reference), np.full(rows, 25.0),
            np.where(np.isfinite(reference), np.array([errors]).T, np.nan).T, np.full((rows, 2), band),
        )
        for name, errors in ERRORS.items()
        for method in methods
    ]  # fmt: skip


def scored(reference: list[float], band: float = 0.05, methods: tuple[str, ...] = ("sodium",), **also: Any) -> Scored:
    """A score of both cells."""
    return Scored(Plan(methods=methods), tracks(reference, band, (*methods, COUNTING)), **also)


def numbers(node: dict[str, Any]) -> Any:
    """Arrays of the page as lists."""
    return np.frombuffer(base64.b64decode(node["float32"]), "<f4").tolist() if "float32" in node else node


def drawn(text: str) -> dict[str, Any]:
    """Each plot of the page by its name."""
    found = Page(text).document(object_hook=numbers)
    return {root.name: root for root in Document.from_json({**Document().to_json(deferred=False), **found}).roots}


def band_of(plot: Any) -> tuple[list[list[float]], list[list[float]]]:
    """Outlines of the band, x and y."""
    (outlines,) = [one for one in plot.renderers if type(one.glyph).__name__ == "Patches"]
    return outlines.data_source.data["xs"], outlines.data_source.data["ys"]


def test_a_bar_ends_at_the_worst_of_the_table():
    """One run under one combination at both ends: pooled over them, cell a has 3.16 % and cell b 2.24 %."""
    found = scored([0.9, 0.6, 0.3])
    (row,) = [row for row in found.rows() if row.region == "all"]
    text = page.text(found)
    data = drawn(text)["figures"].renderers[1].data_source.data
    assert [100.0 * row.worst] == pytest.approx(data["high"])
    assert ([1.0], [4.0]) == (pytest.approx(data["low"]), pytest.approx(data["high"]))
    assert (
        "bar: single runs, each under one combination of sensor errors, from the best to the tables' worst" in Page(text).text
    )


def test_the_band_begins_where_scoring_begins():
    """With the curves, in both plots, and the hour is said."""
    text = page.text(scored([np.nan, np.nan, 0.6, 0.5, 0.4]))
    for name in ("c0-soc", "c0-error"):
        plot = drawn(text)[name]
        (x,), _ = band_of(plot)
        assert (2.0, 4.0) == (min(x), max(x))
        assert (2.0, 4.0) == (plot.x_range.start, plot.x_range.end)
    assert "scored from 2.00 h on" in text
    assert "from 2.00 h on, where scoring begins" in text


def test_what_is_scored_from_the_start_is_not_said_to_begin_late():
    """Nothing to say."""
    assert "scored from" not in page.text(scored([0.6, 0.5, 0.4]))


def test_a_band_has_a_gap_where_there_is_no_reference():
    """As the curves have."""
    plots_ = drawn(page.text(scored([0.9, 0.8, np.nan, 0.6, 0.5])))
    for name in ("c0-soc", "c0-error"):
        xs, _ = band_of(plots_[name])
        assert [(0.0, 1.0), (3.0, 4.0)] == [(min(x), max(x)) for x in xs]


@pytest.mark.parametrize(("band", "low", "high"), [(0.3, 6.0, 86.0), (0.6, 0.0, 100.0)])
def test_the_axis_holds_the_band(band, low, high):
    """Estimates of 36 and 56 %: all of a band of 30 %, and of one of 60 % as much as there is SOC."""
    plot = drawn(page.text(scored([0.6, 0.4], band)))["c0-soc"]
    _, (y,) = band_of(plot)
    assert (low, high) == (pytest.approx(min(y), abs=1e-4), pytest.approx(max(y), abs=1e-4))
    assert plot.y_range.start < min(y)
    assert max(y) < plot.y_range.end


def test_the_histogram_says_where_what_lies_beyond_its_ends_is():
    """It is counted, and not where it was."""
    assert (
        "errors beyond the ends, at most 0.5 % of each method's, count in the outermost bins"
        in Page(page.text(scored([0.5]))).text
    )


def test_what_is_coloured_is_what_is_asked():
    """A half width of 5 % is judged by its ratio to an RMSE of 2.74 %, in a column of its own; the width has no colour."""
    text = page.text(scored([0.9, 0.6]))
    assert re.search(r'<td class="num met" title="median half width of the band over RMSE 1\.83, [^"]*">1\.83</td>', text)
    assert '<td class="num">5.00</td>' in text
    assert '"of RMSE" that width over the RMSE' in Page(text).text


def test_a_page_without_soc_says_nothing_of_it():
    """Its title, what green and red are, and all four conditions of the limits."""
    text = Page(page.text(Scored(Plan(), power=[LIMIT], health=[HEALTH]))).text
    assert "Error of capacity and resistance, and current limits" in text
    assert "state of charge" not in text
    assert "Green and red: figures of which something is asked" in text
    assert all(f'"{name}": ' in text for name in ("exact", "shown", "reset", "first"))
    assert "with what was learnt of resistance in an earlier load on a milder day" in text


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Error of the state of charge", scored([0.9])),
        ("Current limits", Scored(Plan(), power=[LIMIT])),
        ("Error of capacity and resistance", Scored(Plan(), health=[HEALTH])),
        ("Error of the state of charge, of capacity and resistance, and current limits",
         scored([0.9], power=[LIMIT], health=[HEALTH])),
    ],
)  # fmt: skip
def test_the_title_is_what_stands_below(title, found):
    """All of it."""
    assert f"<h1>{title}</h1>" in page.text(found)


def test_every_table_scrolls_in_a_box_of_its_own():
    """On a narrow screen the page itself is not wider than the screen; what goes on is marked."""
    text = page.text(scored([0.9, 0.6], power=[LIMIT], health=[HEALTH]))
    tags = [(tag, attributes.get("class")) for tag, attributes in Page(text).tags]
    around = [before for before, (tag, _) in itertools.pairwise(tags) if tag == "table"]
    assert [("div", "wide")] * 4 == around
    assert ".wide { overflow-x: auto; }" in text
    assert 'content: "goes on to the right: scroll' in text


# What a screen shows to somebody without the cones for long, middle or short waves: Machado, Oliveira and Fernandes 2009, doi
# 10.1109/TVCG.2009.113, severity 1, of linear RGB.
SEEN = {
    "all": np.eye(3),
    "no long": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "no middle": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "no short": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(rgb: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """CIELAB under D65 of an sRGB colour, 0..1, as it is seen."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(seen @ linear, 0.0, 1.0) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16.0 / 116.0)
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


@pytest.mark.parametrize("seen", list(SEEN))
def test_methods_are_told_apart_by_everybody(seen):
    """17 in CIELAB between any two of ours and of the peers', and from the tint of each one's band on white; 2 is just seen."""
    inks = plots.colours([*METHODS, *PEERS])
    solid = {name: np.array([int(ink[k : k + 2], 16) / 255.0 for k in (1, 3, 5)]) for name, ink in inks.items()}
    tints = {name: 1.0 + plots.BAND_ALPHA * (rgb - 1.0) for name, rgb in solid.items()}
    near = [
        (float(np.linalg.norm(lab(a, SEEN[seen]) - lab(b, SEEN[seen]))), name, other)
        for (name, a), (other, b) in itertools.combinations(solid.items(), 2)
    ]
    near += [
        (float(np.linalg.norm(lab(a, SEEN[seen]) - lab(tint, SEEN[seen]))), name, f"band of {other}")
        for name, a in solid.items()
        for other, tint in tints.items()
    ]
    assert min(near) > (17.0,)


def test_a_method_keeps_its_colour():
    """Whatever else is asked for, and in which order; one of another name has one too."""
    assert plots.colours(["ekf", "ukf"]).items() <= plots.colours(["ukf", "mine", "ekf", "sodium"]).items()
    others = plots.colours(["a", "b", "ekf", "mine"])
    assert 4 == len(set(others.values()))


def test_ekf_is_seen_through_ukf():
    """Which often says the same: its line is dashed, its dot a ring."""
    found = drawn(page.text(scored([0.9, 0.6], methods=("ekf", "ukf"))))
    for name in ("c0-soc", "c0-error", "c0-histogram"):
        (lines,) = [one for one in found[name].renderers if type(one.glyph).__name__ == "MultiLine"]
        dash = dict(zip(lines.data_source.data["label"], lines.data_source.data["dash"], strict=True))
        assert ("solid", "5 7") == (dash["ekf"], dash["ukf"])
    dots = found["c0-coverage"].renderers[0].data_source.data
    fill = dict(zip(dots["name"], dots["fill"], strict=True))
    assert (plots.COLOURS["ekf"], "#ffffff00") == (fill["ekf, all"], fill["ukf, all"])
