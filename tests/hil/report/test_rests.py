"""The assumptions that a verdict rests on: all that the files hold, those first that a judgement was made with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pages import Page, Run

from hil import files
from hil.report import rests


def assumed_in(path: Path) -> set[str]:
    """Tables of a file that are an assumption, as a whole or in part."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {key: value for key, value in data.items() if isinstance(value, dict) and "source" in value}
    return {key for key, t in tables.items() if t["confidence"] == "assumption" or "assumption" in t["source"]}


@pytest.mark.parametrize("name", ["passes", "fails", "long"])
def test_every_assumption_of_every_file_is_named_once(finished: dict[str, Run], name: str) -> None:
    """Of the pack, its cell and the calibration, with their sources; equal sources of limits are said once."""
    i = finished[name].record.setup.inputs
    texts = finished[name].record.assumptions()
    assert len(texts) == len(set(texts))
    for kind, path, of in (("cell", i.cell_path, i.cell.name), ("pack", i.pack_path, i.pack.name),
                           ("calibration", i.calibration_path, i.calibration.name)):  # fmt: skip
        for key in assumed_in(path):
            start = f"{kind} {of}, {key}"
            assert 1 == sum(t.startswith((f"{start}:", f"{start} (in part):")) for t in texts), start
    limits = [row.code for row in i.calibration.limit if "assumption" in row.source]
    said = " ".join(t for t in texts if ", limit" in t)
    assert [] == [code for code in limits if len(re.findall(rf"\b{code}\b", said)) != 1]


def test_what_a_judgement_was_made_with_comes_first(finished: dict[str, Run]) -> None:
    """An over-voltage: its requirement, its limit row, the cell's limits; not the insulation's, nor the SOC filter's belief."""
    resting = finished["passes"].record.resting()
    matters = [a.matters for a in resting]
    assert sorted(matters, reverse=True) == matters
    first = [a.text for a in resting if a.matters]
    rest = [a.text for a in resting if not a.matters]
    assert first[0].startswith("requirement ")
    for start in ("requirement SR-CELL-OV: ", "cell nfm-18650, limits (in part): ", "cell nfm-18650, hysteresis: ",
                  "pack nfm-16s, sensors: ", "calibration nfm-16s, e2e: "):  # fmt: skip
        assert any(text.startswith(start) for text in first), start
    for start in ("calibration nfm-16s, limit InsulationLow: ", "calibration nfm-16s, model.hysteresis: "):
        assert any(text.startswith(start) for text in rest), start
    assert not any(text.startswith("requirement SR-NOBODY") for text in first + rest)


def test_a_judgement_of_soc_rests_on_belief_and_truth(finished: dict[str, Run]) -> None:
    """The belief of the calibration and the tables of the cell come first there, protections do not."""
    i = finished["long"].record.setup.inputs
    first = [a.text for a in rests.assumptions(i, {"SR-SOC"}) if a.matters]
    assert any(text.startswith("calibration nfm-16s, model.hysteresis: ") for text in first)
    assert any(text.startswith("cell nfm-18650, hysteresis: ") for text in first)
    assert not any(", limit" in text and text.startswith("calibration") for text in first)


def test_with_nothing_judged_nothing_comes_first(finished: dict[str, Run]) -> None:
    """And nothing is lost but the requirements."""
    i = finished["long"].record.setup.inputs
    none = rests.assumptions(i, set())
    assert not any(a.matters for a in none)
    words = {a.text for a in finished["long"].record.resting() if not a.text.startswith("requirement ")}
    assert words == {a.text for a in none}


def test_the_page_shows_both_kinds_and_the_shares(finished: dict[str, Run]) -> None:
    """Those that matter stand open, the others behind a click."""
    run = finished["passes"]
    page = Page(run.html)
    resting = run.record.resting()
    matters = sum(a.matters for a in resting)
    assert f"Assumptions that the verdict rests on ({matters})" in page.text
    assert f"Further assumptions in the files that went in ({len(resting) - matters})" in page.text
    for share in rests.shares(run.record.setup.inputs):
        assert share in page.text
    assert {"cell nfm-18650", "pack nfm-16s"} == {s.partition(":")[0] for s in rests.shares(run.record.setup.inputs)}


def test_every_table_that_is_called_relevant_exists() -> None:
    """No name in the tables of what matters is misspelt."""
    from hil.calibration import Calibration
    from hil.plant.cellfile import Cell
    from hil.plant.packfile import Pack

    later = {"cell.rate", "cell.slow"}  # optional tables of a cell
    known = {f"cell.{name}" for name in Cell.model_fields} | {f"pack.{name}" for name in Pack.model_fields}
    known |= {f"calibration.{name}" for name in Calibration.model_fields} | {"cell.*", "calibration.model.*"} | later
    groups = (*rests._KINDS.values(), *rests._QUANTITIES.values(), *rests._SIGNALS.values())
    assert [] == sorted({key for keys in groups for key in keys} - known)
    assert files.shipped("cell")
