"""The reference profile: complete rows, the windows of the published profile, and a firmware that never sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from hil import files, requirement
from hil.plant import packfile
from hil.requirement import Requirement

ROOT = Path(__file__).resolve().parents[2]
ROWS = {row["id"]: row for row in files.read_toml(files.shipped("requirements")["reference"])["requirement"]}
DECODED = requirement.load("reference")[1].by_id()

# Copied by hand from the reference profile (facts/faults.md 1.4): FDTI from, to, and FHTI to [ms]; None where it says nothing.
PROFILE: dict[str, tuple[float, float, float | None]] = {
    "SR-CELL-OV": (450, 550, 750),
    "SR-CELL-OV-CRITICAL": (0, 50, None),
    "SR-CELL-UV": (450, 550, 750),
    "SR-TEMP-CHARGE-HIGH": (4500, 5500, 6050),
    "SR-TEMP-DISCHARGE-HIGH": (4500, 5500, 6050),
    "SR-TEMP-RATE": (0, 1000, None),
    "SR-TEMP-CHARGE-LOW": (4500, 5500, 6050),
    "SR-CURRENT-CHARGE": (80, 120, 250),
    "SR-CURRENT-DISCHARGE": (80, 120, 250),
    "SR-CELL-DATA-LOST": (0, 300, 500),
    "SR-CURRENT-DATA-LOST": (0, 200, 400),
    "SR-CONTACTOR-WELDED": (0, 200, None),
    "SR-CONTACTOR-STUCK": (0, 200, None),
    "SR-CONTACTOR-FEEDBACK": (0, 200, None),
    "SR-HVIL": (0, 100, 250),
    "SR-COUNTER-FROZEN": (0, 300, 500),
}
# "end <= 2.1 s, exactly 3 tries, >= 3 s apart", and a tolerance of the state of charge.
FIGURES = {"SR-PRECHARGE-TRIES": {"tries": 3, "end_ms": 2100, "gap_ms": 3000}}
TOLERANCE_ONLY = {"SR-SOC"}

# What has no window of its own: a state, judged from when to when an expectation says.
STATES = {
    "SR-MODE-RUN": "a request is answered within what the scenario says",
    "SR-MODE-CHARGE": "likewise",
    "SR-MODE-STANDBY": "likewise",
    "SR-QUIET": "nothing may happen, for as long as the scenario says",
    "SR-DUTY": "values that are sent and a path that stays closed, for as long as the scenario says",
    "SR-LIMIT-COLD": "a value that is sent, throughout",
    "SR-LIMIT-HOT": "likewise",
    "SR-POWER-LOW": "a voltage that is kept, throughout",
    "SR-LIMIT-STOP": "likewise",
    "SR-DATA-CORRUPT": "never, not for one cycle",
    "SR-DATA-LENGTH": "never",
    "SR-DATA-DOUBLED": "nothing may happen",
    "SR-RESET-OPEN": "a state after a restart, from when the scenario says",
    "SR-COUNTERS-KEPT": "a state after a restart, from when the scenario says",
    "SR-SELF-DISCHARGE": "a figure that needs two rests, from when the scenario says",
    "SR-LATCH": "a state until a reset",
    "SR-LATCH-KEPT": "likewise",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row["id"])
def test_every_requirement_says_what_why_and_who_says_so(row: dict[str, Any]) -> None:
    """Id, title, a sentence of text, the hazard, and a source: the reference profile, or the word assumption and what for."""
    assert row["id"].startswith("SR-")
    assert row["title"]
    assert row["text"].endswith(".")
    assert 20 < len(row["text"])
    assert 5 < len(row["hazard"])
    assert row["source"].startswith(("reference profile", "assumption: "))


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row["id"])
def test_every_requirement_has_a_window_or_a_limit(row: dict[str, Any]) -> None:
    """Those that have none are states, and only expectations with a time of their own may serve them."""
    bounded = {"fdti_ms", "fhti_ms", "limits"} & set(row)
    assert bool(bounded) != (row["id"] in STATES)
    if not bounded:
        timed = {"signal", "quiet", "contactors", "within"}
        kinds = served_by()[row["id"]]
        assert kinds & timed
        assert kinds <= timed


@lru_cache(maxsize=1)
def served_by() -> dict[str, set[str]]:
    """Kinds of the expectations that serve each requirement, over all shipped scenarios."""
    found: dict[str, set[str]] = {}
    for path in files.shipped("scenario").values():
        for expect in files.read_toml(path)["expect"]:
            found.setdefault(expect["requirement"], set()).add(expect["kind"])
    return found


def test_states_are_requirements() -> None:
    """No name in the list above is one that the file does not have any more."""
    assert set(STATES) <= set(ROWS)


@pytest.mark.parametrize("name", PROFILE)
def test_default_windows_are_those_of_the_reference_profile(name: str) -> None:
    """Number by number, against a copy made by hand."""
    low, high, reaction = PROFILE[name]
    row = ROWS[name]
    assert [low, high] == row["fdti_ms"]
    if reaction is not None:
        assert reaction == row["fhti_ms"]
    assert row["source"].startswith("reference profile 1.4")


@pytest.mark.parametrize("name", FIGURES)
def test_default_figures_are_those_of_the_reference_profile(name: str) -> None:
    """Tries, their length and their distance."""
    assert FIGURES[name] == ROWS[name]["limits"]


def test_nothing_else_leans_on_the_windows_of_the_reference_profile() -> None:
    """A row that names section 1.4 as its source is in the copy above."""
    leaning = {name for name, row in ROWS.items() if row["source"].startswith("reference profile 1.4")}
    assert {*PROFILE, *FIGURES, *TOLERANCE_ONLY} == leaning


def test_the_critical_tier_lies_150_mV_behind_the_limit() -> None:
    """As the profile has it."""
    assert ROWS["SR-CELL-OV"]["trigger"]["above"] == ROWS["SR-CELL-OV-CRITICAL"]["trigger"]["above"]
    assert 0.15 == ROWS["SR-CELL-OV-CRITICAL"]["trigger"]["offset"] - ROWS["SR-CELL-OV"]["trigger"].get("offset", 0.0)


@pytest.mark.parametrize("row", [row for row in ROWS.values() if "fhti_ms" in row], ids=lambda row: row["id"])
def test_times_of_a_requirement_fit_each_other(row: dict[str, Any]) -> None:
    """Detection comes before the end of the reaction, and a fifth of what the hazard allows is left."""
    assert row["fdti_ms"][0] <= row["fdti_ms"][1] <= row["fhti_ms"]
    assert 0.8 * row["ftti_ms"] >= row["fhti_ms"]


def triggered() -> list[tuple[str, Requirement]]:
    return [(code, row) for row in DECODED.values() if row.trigger is not None for code in row.codes]


@pytest.mark.parametrize(("code", "row"), triggered(), ids=[code for code, _ in triggered()])
def test_no_shipped_calibration_is_laxer_than_what_is_required(code: str, row: Requirement) -> None:
    """For every pack, the threshold that its BMS believes in lies at the required limit or inside."""
    assert row.trigger is not None
    for name in files.shipped("pack"):
        _, pack, _, cell = packfile.load(name)
        limits = files.read_toml(files.shipped("calibration")[pack.calibration])["limit"]
        limit = next(limit for limit in limits if limit["code"] == code)
        required = row.trigger.value(cell, pack)
        assert limit["above"] <= required if row.trigger.above is not None else limit["below"] >= required


FIRMWARE_ALONE = """
import pkgutil, sys
import firmware_sim
for module in pkgutil.walk_packages(firmware_sim.__path__, "firmware_sim."):
    __import__(module.name)
print([name for name in sys.modules if name.split(".")[0] == "hil"])
"""

WHAT_A_DEVICE_OPENS = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import rigs
from hil import files
device = rigs.Device().driving()
device.cells(4.3)
device.tick(100)
assert device.read("Diag_CellOvervoltageMsl") == 1.0
folder = str(files.folder("requirements"))
print(json.dumps([[name for name in opened if name.endswith(".toml")], [name for name in opened if name.startswith(folder)]]))
"""


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    where = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=where, check=True, capture_output=True, text=True, timeout=100
    ).stdout  # fmt: skip


def test_the_firmware_imports_nothing_of_the_bench() -> None:
    """With every module of firmware_sim loaded, none of hil is."""
    assert [] == json.loads(python(FIRMWARE_ALONE))


def test_a_device_never_opens_a_requirements_file() -> None:
    """From its making to a trip it opens a calibration, which is what it believes, and no requirement."""
    toml, requirements = json.loads(python(WHAT_A_DEVICE_OPENS))
    assert any("calibration" in name for name in toml)
    assert [] == requirements
