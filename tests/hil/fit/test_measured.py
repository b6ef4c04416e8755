"""Measured runs through the command: two rates of a retail cell at constant current, which tell some things and not others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import plant_lab
import pytest
from bokeh.document import Document
from command import Ran, nabench
from pages import Page

from hil.fit import legs
from hil.fit.data import Run
from hil.plant import cellfile

HAKADI = Path(__file__).resolve().parents[3] / "hil" / "recordings" / "hakadi-18650"
MAP = """
format = 1
borrow = "nfm-18650"
source = "github.com/MaxMax-embedded/hakadi_soidum_ion_18650 a13c42d (CC0), 1 row a second"
temperature_degC = 25.0

[columns]
time = { column = "time_s" }
voltage = { column = "voltage_V" }
current = { column = "current_A", positive = "discharge" }

[cell]
name = "hakadi"
title = "Hakadi <i>18650</i>"
chemistry = "NFM/HC"
capacity_Ah = 1.5
mass_kg = 0.037
charge_max_V = 4.1
discharge_min_V = 1.5
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """The fit of two runs, and its cell file."""
    folder = tmp_path_factory.mktemp("hakadi")
    (folder / "own.map.toml").write_text(MAP)
    runs = [HAKADI / f"{name}.csv.gz" for name in ("0c5-2-1", "1c5-2-1")]
    ran = nabench("fit", *runs, "--map", folder / "own.map.toml", "--out", folder / "own.toml")
    return ran, folder / "own.toml"


def test_it_says_how_good_each_run_is_and_what_it_wrote(result):
    """A line a run with its residuals; discharges within 15 mV, recharges within 40 mV."""
    ran, path = result
    assert (0, "") == (ran.code, ran.err)
    for name in ("0c5-2-1", "1c5-2-1"):
        line = next(line for line in ran.out.splitlines() if line.startswith(name))
        rmse_mV = {kind: float(value) for kind, value in re.findall(r"(discharge|charge) RMSE ([\d.]+) mV", line)}
        assert rmse_mV["discharge"] < 15.0
        assert rmse_mV["charge"] < 40.0
    assert f"wrote {path}: 1.49" in ran.out
    assert f"wrote {path.with_suffix('.html')}" in ran.out


def test_the_file_is_right_and_goes_into_the_plant(result):
    """It says what it cannot know: resistance from constant current, loop from charges at one current, what is borrowed."""
    _, path = result
    assert 'own.toml: ok, cell "hakadi": 1.49' in nabench("check", path).out
    _, cell = cellfile.load(str(path))
    lab = plant_lab.Lab(cell)
    lab.run(1.5, 60.0)
    assert 3.5 < lab.table[-1, 1] < lab.table[0, 1]
    assert "constant current only: it cannot tell resistance from open-circuit voltage" in cell.resistance.source
    assert "loop and charge resistance can not be told apart" in cell.ocv.source
    assert {"limits", "hysteresis", "reach", "entropy", "thermal"} == {
        name for name, table in cell.tables().items() if table.confidence == "assumption"
    }
    shipped = cellfile.load("nfm-18650")[1]
    ratio = np.array(cell.resistance.r0_ohm)[3] / np.array(shipped.resistance.r0_ohm)[3]
    assert ((ratio > 0.4) & (ratio < 1.2)).all()


def test_the_page_stands_alone_and_bokeh_can_read_it(result):
    """No address outside, nothing of the map is taken for markup, and every plot has its place."""
    page = Page(result[1].with_suffix(".html").read_text(encoding="utf-8"))
    assert [] == [
        tag
        for name in ("script", "link", "img")
        for tag in page.of(name)
        if (tag.get("src") or tag.get("href") or "data:").startswith("http")
    ]
    assert "Hakadi <i>18650</i>" in page.text

    def numbers(found: dict[str, Any]) -> Any:
        return [0.0] if "float32" in found else found

    document = Document.from_json({**Document().to_json(deferred=False), **page.document(object_hook=numbers)})
    assert ["ocv", "r", "run", "off", "run", "off"] == [root.name for root in document.roots]
    places = {tag.get("id") for tag in page.of("div")}
    assert {"plot-ocv", "plot-r", "plot-run-0", "plot-off-0", "plot-run-1", "plot-off-1"} <= places


def test_legs_and_full_places_of_a_run_are_found():
    """Rest, pulse, discharge, charge to constant voltage; full at the start and where the charge has tapered."""
    amps = np.concatenate([np.zeros(60), np.full(10, 3.0), np.zeros(60), np.full(3600, 1.5), np.zeros(60), np.full(3600, -1.5)])
    taper = -1.5 * np.exp(-np.arange(600) / 200.0)
    amps = np.concatenate([amps, taper])
    volt = np.where(amps > 0.0, 3.0, 3.6)
    volt[:130][amps[:130] == 0.0], volt[-600:] = 4.05, 4.1
    none = np.full(len(amps), np.nan)
    run = Run("made", np.arange(len(amps)) * 1.0, volt, amps, none, np.full(len(amps), 25.0), starts_full=False)
    found = legs.find_legs(run, 1.5)
    assert ["rest", "discharge pulse", "rest", "discharge", "rest", "charge"] == [leg.kind for leg in found]
    assert [0, len(amps) - 1 - int((-taper < run.rest_A).sum())] == legs.full_rows(run, found, 4.1, 1.5)
    assert found[3].charge_Ah == pytest.approx(1.5)
    track = legs.lay_out(run, 4.1, 1.5, 0)
    assert track.missing_Ah[0] == 0.0
    assert track.missing_Ah.max() == pytest.approx(1.5 + 3.0 * 10.0 / 3600.0, rel=1e-6)


def test_a_pulse_after_rows_far_apart_counts_from_its_edge():
    """A row a minute at rest, a row each 0.1 s in the pulse: its first row does not stand for the minute before."""
    time_s = np.concatenate([np.arange(60) * 60.0, 3600.0 + np.arange(1, 101) * 0.1, 3610.0 + np.arange(1, 61) * 60.0])
    amps = np.concatenate([np.zeros(60), np.full(100, 3.0), np.zeros(60)])
    volt = np.where(amps > 0.0, 3.9, 4.0)
    run = Run("made", time_s, volt, amps, np.full(220, np.nan), np.full(220, 25.0), starts_full=True)
    track = legs.lay_out(run, 4.1, 1.5, 0)
    assert track.missing_Ah[-1] == pytest.approx(3.0 * 10.0 / 3600.0, rel=0.02)
    assert 221 == len(track.t_s)
    assert track.since_step_s[np.flatnonzero(track.amps > 0.0)[0]] == pytest.approx(0.1)
