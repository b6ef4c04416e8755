"""nabench score as a user calls it: tables, JSON, the page, and one clear error for what is wrong."""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from command import nabench, tree
from pages import Page

from hil.score import cases, recorded
from hil.score.believe import METHODS

pytestmark = pytest.mark.compiled_only
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a path of Linux")
SHORT = ("--condition", "discharge", "--method", "ekf")
KEYS = [
    "data", "method", "condition", "region", "rmse", "mae", "max", "bias", "band_coverage", "band_half_width",
    "counting_rmse", "reference_uncertainty",
]  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """JSON and page of two methods in a recorded and a simulated condition."""
    out = tmp_path_factory.mktemp("score") / "score.html"
    words = ("--condition", "recharge", "--condition", "wrong-start", "--method", "ekf", "--method", "ocv", "--draws", 1)
    ran = nabench("score", *words, "--json", "--html", out)
    assert (0, "") == (ran.code, ran.err)
    return json.loads(ran.out), out.read_text(encoding="utf-8")


def test_json_has_a_row_for_each_method_condition_and_region(both):
    """With the keys that are promised, figures as shares of SOC, and nothing else on standard output."""
    found, _ = both
    rows = found["rows"]
    regions = ("all", "window", "20-40")
    wanted = [(c, m, r) for c in ("recharge", "wrong-start") for m in ("ekf", "ocv") for r in regions]
    assert wanted == [(row["condition"], row["method"], row["region"]) for row in rows]
    for row in rows:
        assert KEYS == list(row)[: len(KEYS)]
        assert 0.0 < row["mae"] <= row["rmse"] <= row["max"] < 1.0
        assert abs(row["bias"]) <= row["mae"]
        assert 0.0 <= row["band_coverage"] <= 1.0
    assert {("hakadi-18650", True, 0.02039), ("simulated nfm-18650", False, 0.0)} == {
        (row["data"], row["recorded"], row["reference_uncertainty"]) for row in rows
    }


def test_counting_stands_beside_though_nobody_asked_for_it(both):
    """Its RMSE in each row; no row of its own."""
    found, _ = both
    by_region = {(row["condition"], row["region"], row["counting_rmse"]) for row in found["rows"]}
    assert 6 == len(by_region)
    assert {"ekf", "ocv"} == {row["method"] for row in found["rows"] + found["convergence"]}


def test_the_table_says_what_the_figures_rest_on():
    """Runs, recorded or simulated, uncertainty, and what of the floors is missed."""
    ran = nabench("score", *SHORT, "--seed", 2)
    assert (0, "") == (ran.code, ran.err)
    assert "discharge: hakadi-18650, 9 runs, recorded, reference +-0.50 %" in ran.out
    assert "seed 2" in ran.out
    assert re.search(r"^ekf +\d+\.\d\d ", ran.out, re.MULTILINE)
    assert re.search(r"bound +met *$", ran.out, re.MULTILINE)
    assert re.search(r"^ekf .* \d+/16 *$", ran.out, re.MULTILINE)


def test_the_page_loads_nothing_from_elsewhere(both):
    """No address on the network in any tag or style."""
    page = Page(both[1])
    for tag, attributes in page.tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value == "data:," or value.startswith("#"), (tag, name, value)
    assert not any("url(" in style or "@import" in style for style in page.styles)
    assert len(both[1]) < 8_000_000


def test_the_page_shows_the_figures_of_the_json(both):
    """Each RMSE in per cent, in the colour of met or missed where something is asked; wrong starts; the split."""
    found, text = both
    page = Page(text)
    for row in found["rows"]:
        assert f"{100 * row['rmse']:.2f}" in page.text
    marks = [(a.get("class") or "").split()[-1] for a in page.of("td") if "title" in a]
    asked = [one for row in found["rows"] for one in row["floors"] if not one["what"].startswith("within")]
    assert (len([one for one in asked if one["met"]]), len(asked)) == (marks.count("met"), len(marks))
    assert "Scored, not seen by the fit: " + ", ".join(recorded.sets()[0].unseen) in page.text
    assert "told too much by" in page.text


def test_the_plots_are_what_bokeh_reads(both):
    """Bokeh's own Python side checks each name and value; every plot has its place, and the band is the reported one."""
    page = Page(both[1])

    def numbers(node: dict[str, Any]) -> Any:
        return np.frombuffer(base64.b64decode(node["float32"]), "<f4").tolist() if "float32" in node else node

    document = Document.from_json({**Document().to_json(deferred=False), **page.document(object_hook=numbers)})
    kinds = ("soc", "error", "histogram", "coverage")
    names = ["figures", *(f"c{n}-{kind}" for n in range(2) for kind in kinds)]
    assert names == [root.name for root in document.roots]
    places = {a["id"] for a in page.of("div") if (a.get("id") or "").startswith("plot-")}
    assert {f"plot-{name}" for name in names} == places
    dots = document.roots[0].renderers[2].data_source.data
    rows = [row for row in both[0]["rows"] if row["region"] == "all"]
    assert [100 * row["rmse"] for row in rows] == pytest.approx(list(dots["y"]), abs=1e-3)


def test_equal_calls_give_equal_bytes():
    """JSON and page."""
    made = []
    for _ in range(2):
        ran = nabench("score", *SHORT, "--json", "--html", "page.html")
        assert 0 == ran.code
        made.append((ran.out, Path("page.html").read_bytes()))
    assert made[0] == made[1]


def test_limits_and_health_stand_in_table_json_and_page():
    """As conditions of their own: every line with what is asked of it, met or missed in the page too."""
    words = ("--condition", "power", "--condition", "health", "--states", 12, "--draws", 1, "--html", "page.html")
    ran = nabench("score", *words, "--json")
    assert (0, "") == (ran.code, ran.err)
    found = json.loads(ran.out)
    assert [] == found["rows"]
    assert {(name, "sodium", 12) for name in ("exact", "shown", "reset", "first")} == {
        (row["condition"], row["method"], row["states"]) for row in found["power"]
    }
    assert (32, 4) == (len(found["power"]), len(found["health"]))
    asked = [one for row in (*found["power"], *found["health"]) for one in row["floors"]]
    assert 60 == len(asked)
    cells = [
        (a.get("class") or "").split()[-1] for a in Page(Path("page.html").read_text(encoding="utf-8")).of("td") if "title" in a
    ]
    assert len([one for one in asked if one["met"]]) == cells.count("met")
    assert len(asked) == len(cells)
    shown = nabench("score", *words[:-2])
    assert 0 == shown.code
    assert "power: current limits, sodium, 12 states a condition" in shown.out
    assert "health after five partial cycles" in shown.out
    missed = [one for one in asked if not one["met"]]
    assert len(missed) == shown.out.count(", asked at most ")


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (("--method", "efk"), ['--method "efk" does not exist; did you mean "ekf"?']),
        (("--method", "EKF"), ['--method "EKF" does not exist; did you mean "ekf"?']),
        (("--method", "battlib"), ["--method battlib is one of another package; expected --peer battlib=PYTHON"]),
        (("--condition", "dischrge"), ['--condition "dischrge" does not exist; did you mean "discharge"?']),
        (("--map", "x.map.toml"), ["--map needs --data, the folder whose columns it names"]),
        (("--data", ".", "--condition", "drive"), ["--condition is for what ships; leave it out with --data"]),
        (
            ("--clean", "--condition", "power"),
            ["--clean is not for the conditions power and health, which are about sensor errors"],
        ),
        (("--html", "no/page.html"), ["--html no/page.html: the folder no does not exist"]),
        (
            ("--method", "efk", "--condition", "agde"),
            ['--method "efk" does not exist; did you mean "ekf"?', '--condition "agde" does not exist; did you mean "aged"?'],
        ),
    ],
)
def test_what_is_wrong_is_said_at_once(words, problems):
    """Exit code 2, the nearest name, and nothing is written."""
    ran = nabench("score", *words)
    assert (2, "", problems) == (ran.code, ran.out, ran.problems)
    assert set() == tree(Path())


def test_a_page_that_is_not_ours_is_left_alone():
    """Before anything is run."""
    Path("mine.html").write_text("<p>mine</p>")
    ran = nabench("score", *SHORT, "--html", "mine.html")
    assert (2, ["mine.html: nabench did not write this; move it away, or give another --html"]) == (ran.code, ran.problems)
    assert "<p>mine</p>" == Path("mine.html").read_text()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("folder", "folder: is a folder; expected the name of a file; give another --html"),
        pytest.param(
            "/dev/stdout", "/dev/stdout: is a device or a pipe; expected the name of a file; give another --html", marks=LINUX
        ),
        ("file/page.html", "--html file/page.html: file is a file; expected a folder"),
        pytest.param("/proc/page.html", "--html /proc/page.html: cannot be written: No such file or directory", marks=LINUX),
        (250 * "x", f"--html {250 * 'x'}: cannot be written: File name too long"),
    ],
)
def test_where_no_page_can_be_written_is_said_before_anything_is_run(name, problem):
    """With the path that was given; --data is not looked at yet, and nothing is left."""
    Path("folder").mkdir()
    Path("file").write_text("mine")
    ran = nabench("score", "--data", "nowhere", "--html", name)
    assert (2, "", [problem]) == (ran.code, ran.out, ran.problems)
    assert {"folder", "file"} == tree(Path())


def test_help_comes_without_the_estimators():
    """Methods and conditions that the help does not list are named by the error for an unknown one."""
    assert 0 == nabench("score", "--help").code
    (problem,) = nabench("score", "--method", "zzz").problems
    assert all(method in problem for method in METHODS)
    (problem,) = nabench("score", "--condition", "zzz").problems
    assert all(name in problem for name in cases.names())
