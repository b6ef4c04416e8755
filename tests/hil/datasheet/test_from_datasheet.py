"""nabench new cell --from-datasheet: what the sheet says stands in the file, the rest is borrowed, scaled, and marked so.

The oracles are the sheet's own numbers, scipy's PCHIP, the kernels' pulse, and ratios of the numbers in the shipped file.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from command import changed, nabench, tree
from scipy.interpolate import PchipInterpolator

from hil import files
from hil.datasheet import borrow, make, pulse, text
from hil.datasheet.sheet import Sheet
from hil.gallery import simulate
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.tables import Sourced

LIKE = cellfile.load("nfm-18650")[1]
ACME = {
    "format": 1,
    "name": "acme-32140",
    "source": "ACME 32140, rev. B",
    "capacity_Ah": 10.0,
    "charge_max_V": 3.95,
    "discharge_min_V": 1.5,
    "nominal_V": 3.1,
    "mass_kg": 0.27,
    "charge_max_A": 20.0,
    "ocv": [[0, 1.99], [0.2, 2.72], [0.5, 3.12], [0.8, 3.66], [1, 3.9]],
    "resistance": [[25, 0.012], [0, 0.035], [-20, 0.12]],
}
BARE = {"format": 1, "name": "bare", "capacity_Ah": 3.0, "charge_max_V": 4.1, "discharge_min_V": 1.5}
FLAT = {  # a plateau, where neither the borrowed loop nor the borrowed dU/dT fits as it is
    **BARE,
    "name": "flat",
    "chemistry": "LFP/G",
    "charge_max_V": 3.65,
    "discharge_min_V": 2.0,
    "ocv": [[0, 2.0], [0.1, 2.98], [0.2, 3.168], [0.5, 3.266], [0.7, 3.274], [0.8, 3.310], [0.9, 3.314], [1, 3.6]],
}
LOW = {
    **BARE,
    "name": "low",
    "charge_max_V": 1.8,
    "discharge_min_V": 0.9,
    "ocv": [[0, 1.2], [0.1, 1.48], [0.9, 1.62], [1, 1.75]],
}
SHEETS = {str(sheet["name"]): sheet for sheet in (ACME, BARE, FLAT, LOW)}
OPTIONS = {
    "name": "--name", "source": "--source", "like": "--like", "capacity_Ah": "--capacity", "charge_max_V": "--charge-max-V",
    "discharge_min_V": "--discharge-min-V", "nominal_V": "--nominal-V", "mass_kg": "--mass-kg",
    "charge_max_A": "--charge-max-A", "chemistry": "--chemistry",
}  # fmt: skip


def contract() -> ModuleType:
    """The module that holds CellContract."""
    path = Path(__file__).parents[1] / "plant" / "test_conservation.py"
    spec = importlib.util.spec_from_file_location("of_cells", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["of_cells"] = module
    spec.loader.exec_module(module)
    return module


def made(sheet: dict[str, Any]) -> Cell:
    """The cell of a sheet."""
    return make.make(Path("sheet.toml"), dict(sheet)).cell


def options(sheet: dict[str, Any]) -> list[str]:
    """A sheet as a command line."""
    words = [word for key, option in OPTIONS.items() if key in sheet for word in (option, str(sheet[key]))]
    for key in ("ocv", "resistance"):
        if key in sheet:
            words += [f"--{key}", ",".join(f"{a:g}:{b:g}" for a, b in sheet[key])]
    return words


def toml(sheet: dict[str, Any]) -> str:
    """A sheet as a file."""
    return "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in sheet.items())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.compiled_only
@pytest.mark.parametrize("cell", [contract().ageless(made(sheet)) for sheet in SHEETS.values()], ids=list(SHEETS))
class TestWhatIsMade(contract().CellContract):  # type: ignore[misc]
    """Every cell made from a sheet holds what every cell file holds."""


@pytest.mark.parametrize("name", SHEETS)
def test_options_and_file_give_the_same_cell(here: Path, name: str) -> None:
    """Written by either way it passes nabench check, and what it says it borrowed is what is marked."""
    sheet = SHEETS[name]
    typed = nabench("new", "cell", "--from-datasheet", *options(sheet), "--out", "typed.toml")
    assert (0, "") == (typed.code, typed.err)
    Path("sheet.toml").write_text(toml(sheet))
    assert (0, "") == (nabench("check", "sheet.toml").code, nabench("check", "sheet.toml").err)
    ran = nabench("new", "cell", "--from-datasheet", "sheet.toml")
    assert (0, "") == (ran.code, ran.err)
    assert f"wrote {name}.toml" == ran.out.splitlines()[0]
    assert Path("typed.toml").read_bytes() == Path(f"{name}.toml").read_bytes()
    assert (0, "") == (nabench("check", f"{name}.toml").code, nabench("check", f"{name}.toml").err)
    data = tomllib.loads(Path(f"{name}.toml").read_text())
    marked = [key for key, table in data.items() if isinstance(table, dict) and table["confidence"] == "assumption"]
    assert f"borrowed from nfm-18650: {', '.join(marked)}; assumed: " in ran.out
    assert all("borrowed from nfm-18650" in data[key]["source"] for key in marked)
    assert {"hysteresis", "resistance", "reach", "entropy", "thermal"} <= set(marked)


def test_what_the_sheet_gives_stands_in_the_file() -> None:
    """Capacity, limits, mass and the points of the curve, with the sheet as their source."""
    cell = made(ACME)
    assert (10.0, 3.95, 1.5, 3.1, 0.27, 20.0) == (
        cell.capacity_Ah, cell.limits.charge_max_V, cell.limits.discharge_min_V, cell.nominal_V, cell.mass_kg,
        cell.limits.charge_max_A,
    )  # fmt: skip
    assert ("ACME 32140, rev. B", "datasheet") == (cell.capacity.source, cell.capacity.confidence)
    assert cell.ocv.source.startswith("ACME 32140, rev. B: 5 points")
    mean = {soc: 0.5 * (a + b) for soc, a, b in zip(cell.ocv.soc, cell.ocv.discharge_V, cell.ocv.charge_V, strict=True)}
    assert dict(ACME["ocv"]) == pytest.approx({soc: mean[soc] for soc, _ in ACME["ocv"]}, abs=1e-5)


@pytest.mark.parametrize("points", [ACME["ocv"], FLAT["ocv"], LOW["ocv"], [[0, 2], [1, 4]], [[0, 2], [0.5, 2.1], [1, 4]]])
def test_between_the_points_runs_a_monotone_cubic(points: list[list[float]]) -> None:
    """The one of scipy."""
    at = np.array(points, float)
    x = np.linspace(0.0, 1.0, 401)
    assert PchipInterpolator(at[:, 0], at[:, 1])(x) == pytest.approx(borrow.monotone(at, x), abs=1e-12)


@pytest.mark.parametrize("points", [ACME["resistance"], [[20, 0.06]], [[-40, 2.0], [30, 0.05]]])
def test_a_pulse_meets_the_resistance_of_the_sheet(points: list[list[float]]) -> None:
    """10 s at 1C at half charge in the kernels: within 3 % of every point, though they know nothing of the closed form."""
    cell = made({**(ACME if points is ACME["resistance"] else BARE), "resistance": points, "discharge_min_degC": -45.0})
    for temp_degC, ohm in points:
        small = cell.model_copy(update={"limits": cell.limits.model_copy(update={"discharge_max_A": 0.05 * cell.capacity_Ah})})
        assert ohm == pytest.approx(float(simulate.pulses(small, (float(temp_degC),), (0.5,)).ohm[0, 0]), rel=0.03)
        assert ohm == pytest.approx(pulse.ten_seconds_ohm(cell, float(temp_degC)), rel=0.01)


def test_without_resistances_size_alone_scales() -> None:
    """Twice the capacity is half the resistance, at every SOC and temperature; heat goes with the mass."""
    twice = made({**BARE, "capacity_Ah": 2 * LIKE.capacity_Ah})
    for name in ("r0_ohm", "r1_ohm", "r2_ohm"):
        assert np.array(getattr(LIKE.resistance, name)) == pytest.approx(
            2 * np.array(getattr(twice.resistance, name)), rel=1e-3
        )
    assert (2 * LIKE.thermal.heat_capacity_J_per_K, 2 ** (2 / 3) * LIKE.thermal.coolant_W_per_K) == pytest.approx(
        (twice.thermal.heat_capacity_J_per_K, twice.thermal.coolant_W_per_K), rel=1e-3
    )
    assert twice.limits.charge_max_A == pytest.approx(2 * LIKE.limits.charge_max_A, rel=1e-3)
    assert twice.limits.discharge_max_A == pytest.approx(2 * LIKE.limits.discharge_max_A, rel=1e-3)
    assert LIKE.ocv.discharge_V == pytest.approx(twice.ocv.discharge_V)
    assert "scaled by 0.5, the ratio of the capacities" in twice.resistance.source


def test_a_narrower_window_cuts_the_borrowed_curve() -> None:
    """Charged to 3.5 V only, full is where the curve reaches 3.5 V, and the curve is the same below."""
    cell = made({**BARE, "charge_max_V": 3.5})
    assert re.search(r"cut to 2\.\d\d to 3\.50 V$", cell.ocv.source)
    mean = 0.5 * (np.array(cell.ocv.discharge_V) + np.array(cell.ocv.charge_V))
    old = 0.5 * (np.array(LIKE.ocv.discharge_V) + np.array(LIKE.ocv.charge_V))
    full = float(np.interp(3.5, old, LIKE.ocv.soc))
    assert np.interp(np.linspace(0, full, 50), LIKE.ocv.soc, old) == pytest.approx(
        np.interp(np.linspace(0, 1, 50), cell.ocv.soc, mean), abs=2e-3
    )


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=list(SHEETS))
def test_at_rest_no_branch_leaves_the_limits(sheet: dict[str, Any]) -> None:
    """The borrowed loop gives way before the limits of the sheet."""
    cell = made(sheet)
    assert cell.limits.discharge_min_V <= cell.ocv.discharge_V[0]
    assert cell.ocv.charge_V[-1] <= cell.limits.charge_max_V


def test_over_a_plateau_the_borrowed_loop_and_entropy_give_way() -> None:
    """And the file says so; over a slope both stay as they are."""
    flat, steep = made(FLAT), made(ACME)
    assert "its distance from the mean times" in flat.entropy.source
    assert steep.entropy.source.endswith("as it is")
    spread, whole = (max(e.dudt_mV_per_K) - min(e.dudt_mV_per_K) for e in (flat.entropy, LIKE.entropy))
    assert spread < 0.6 * whole
    assert flat.ocv.charge_V[20] - flat.ocv.discharge_V[20] < LIKE.ocv.charge_V[20] - LIKE.ocv.discharge_V[20]


def test_a_cell_of_the_same_chemistry_is_borrowed_from() -> None:
    """Else the usual one, which is said; another one may be named, by file too."""
    own = changed(files.shipped("cell")["nfm-18650"].read_text(), ('"nfm-18650"', '"mine"'), ("tau2_s = ", "tau2_s = 9"))
    Path("mine.toml").write_text(own)
    ran = nabench("new", "cell", "--from-datasheet", *options({**BARE, "like": "mine.toml"}))
    assert "borrowed from mine: " in ran.out
    assert float(f"9{LIKE.resistance.tau2_s}") == cellfile.load("bare.toml")[1].resistance.tau2_s
    other = nabench("new", "cell", "--from-datasheet", *options({**BARE, "name": "other", "chemistry": "unheard-of"}))
    assert 'note: no shipped cell has chemistry "unheard-of"; borrowed from nfm-18650 (NFM/HC)' in other.out.splitlines()
    wrong = nabench("new", "cell", "--from-datasheet", *options({**BARE, "name": "third", "like": "nfm-18560"}))
    assert (2, ['cell "nfm-18560" is neither shipped nor a path; did you mean "nfm-18650"?']) == (wrong.code, wrong.problems)


def test_an_ac_resistance_is_suspected() -> None:
    """20 mOhm of a 1.5 Ah cell is what a 1 kHz meter shows; the 100 mOhm that a current meets is not remarked on."""
    ac = make.make(Path("s"), {**BARE, "capacity_Ah": 1.5, "resistance": [[25, 0.02]]})
    (note,) = ac.notes
    start = r"resistance 0\.02 ohm at 25 degC is 0\.[12]\d of that of nfm-18650, size for size: is it AC at 1 kHz\?"
    assert re.match(start, note)
    assert [] == make.make(Path("s"), {**BARE, "capacity_Ah": 1.5, "resistance": [[25, 0.1]]}).notes


class Rate(Sourced):
    """A table that a cell may have and the shipped one need not."""

    temp_degC: list[float]
    i0_A: list[float]
    reference_A: float
    cid_mol: float
    r0_share: float
    hcn: bool


class Plus(Cell):
    """A cell with such a table."""

    more: Rate


def test_a_table_that_not_every_cell_has_is_borrowed_too() -> None:
    """Currents and moles grow with the capacity, the rest stays; it is written with all its kinds of values."""
    own = {"temp_degC": [5.0, 25.0], "i0_A": [0.8, 5.0], "reference_A": 1.5, "cid_mol": 0.1, "r0_share": 0.5, "hcn": True}
    like = Plus(**{**dict(LIKE), "more": Rate(source="measured here", confidence="measured", **own)})
    sheet = Sheet(**{**BARE, "capacity_Ah": 10 * LIKE.capacity_Ah})
    contents = borrow.build(sheet, like)
    wanted = {**own, "i0_A": [8.0, 50.0], "reference_A": 15.0, "cid_mol": 1.0}
    how = "borrowed from nfm-18650 (measured there), i0_A, reference_A, cid_mol scaled by 10, the ratio of the capacities"
    assert {"source": how, "confidence": "assumption", **wanted} == contents["more"]
    assert contents == tomllib.loads(text.cell(contents, ["a", "b"]))


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "mAh": ({"capacity_Ah": 1500.0}, ["capacity_Ah: 1500 looks like mAh; write 1.5"]),
    "no capacity": ({"capacity_Ah": 0.0}, ["capacity_Ah: expected more than 0, found 0"]),
    "mV": ({"charge_max_V": 4100.0}, ["charge_max_V: 4100 looks like mV; write 4.1"]),
    "of a pack": ({"charge_max_V": 58.0}, ["charge_max_V: expected the voltage of one cell, -0.5 to 6 V, found 58"]),
    "mA": ({"charge_max_A": 1500.0}, ["charge_max_A: 1500 is 500 times the capacity in an hour; it looks like mA; write 1.5"]),
    "gram": ({"mass_kg": 70.0}, ["mass_kg: 70 looks like gram; write 0.07"]),
    "kelvin": ({"charge_min_degC": 273.15}, ["charge_min_degC: 273.15 looks like kelvin; write 0"]),
    "mOhm": ({"resistance": [[25, 50]]}, ["resistance: 50 ohm at 25 degC looks like mOhm; write 0.05"]),
    "kOhm": ({"resistance": [[25, 5e-5]]},
             ["resistance: 5e-05 ohm at 25 degC is 0.00… of that of nfm-18650, size for size; expected ohm"]),
    "only OCV": ({"resistance": [[25, 0.0013]], "like": "nfm-18650", "ocv": [[0, 1.6], [0.4, 2.0], [0.6, 3.6], [1, 4.0]]},
                 ["resistance: 0.0013 ohm at 25 degC is no more than what the fall of the open-circuit voltage alone"]),
    "per cent": ({"ocv": [[0, 2.0], [20, 2.7], [100, 4.0]]},
                 ["ocv: soc up to 100 looks like per cent; expected shares from 0 to 1: write 0.2 for 20 %"]),
    "outside": ({"ocv": [[-0.1, 2.0], [0.5, 2.7], [1, 4.0]]}, ["ocv: soc -0.1 lies outside 0 to 1"]),
    "no ends": ({"ocv": [[0.1, 2.0], [0.5, 2.7], [1, 4.0]]}, ["ocv: expected points from soc 0 to soc 1, found 0.1 to 1"]),
    "twice": ({"ocv": [[0, 2.0], [0.5, 2.7], [0.5, 2.8], [1, 4.0]]}, ["ocv: soc 0.5 stands twice"]),
    "falls": ({"ocv": [[0, 2.0], [0.5, 2.9], [0.6, 2.8], [0.7, 2.8], [1, 4.0]]},
              ["ocv: must rise with soc; 2.8 V at 0.6 follows 2.9 V at 0.5",
               "ocv: must rise with soc; 2.8 V at 0.7 follows 2.8 V at 0.6"]),
    "OCV mV": ({"ocv": [[0, 2000], [0.5, 2700], [1, 4000]]}, ["ocv: 4000 looks like mV; write 4"]),
    "one point": ({"ocv": [[0, 2.0]]}, ["ocv: expected 2 points or more, found 1"]),
    "beyond": ({"ocv": [[0, 1.4], [0.5, 2.7], [1, 4.2]]},
               ["ocv: ends at 4.2 V, above charge_max_V 4.1", "ocv: begins at 1.4 V, below discharge_min_V 1.5"]),
    "order": ({"absolute_max_V": 4.0, "nominal_V": 1.4, "discharge_min_degC": 70.0},
              ["discharge_min_V: 1.5 must lie below nominal_V 1.4", "charge_max_V: 4.1 must lie below absolute_max_V 4",
               "discharge_min_degC: 70 must lie below discharge_max_degC 60 (of nfm-18650)"]),
    "R twice": ({"resistance": [[25, 0.05], [25, 0.06]]}, ["resistance: temperature 25 stands twice"]),
    "R below 0": ({"resistance": [[25, -0.05]]}, ["resistance: expected more than 0 ohm, found -0.05 at 25 degC"]),
    "no curve": ({"charge_max_V": 2.2}, ["ocv: … % of the curve of nfm-18650 (… V) lies between 1.5 and 2.2 V; "]),
    "all at once": ({"capacity_Ah": float("nan"), "charge_max_V": 4100.0, "charge_max_A": -1.0, "mass_kg": -1.0,
                     "discharge_max_degC": 333.15, "ocv": [[0, 2.0], [20, 2.7], [20, 2.8], [100, float("inf")]],
                     "resistance": [[25, 0.0], [298, 1.0]]},
                    ["capacity_Ah: expected a finite number, found nan", "ocv: expected finite numbers, found 100:inf",
                     "charge_max_V: 4100 looks like mV; write 4.1",
                     "charge_max_A: expected more than 0, found -1; both currents are magnitudes",
                     "discharge_max_degC: 333.15 looks like kelvin; write 60", "mass_kg: expected more than 0, found -1",
                     "resistance: 298 looks like kelvin; write 24.85",
                     "resistance: expected more than 0 ohm, found 0 at 25 degC"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_at_once(here: Path, case: str) -> None:
    """All of it, a sentence each, and no file is written."""
    changes, sentences = WRONG[case]
    sheet = {**BARE, **changes}
    Path("sheet.toml").write_text(toml(sheet))
    ran = nabench("new", "cell", "--from-datasheet", "sheet.toml")
    assert 2 == ran.code
    assert len(sentences) == len(ran.problems), ran.problems
    for sentence, problem in zip(sentences, ran.problems, strict=True):
        assert re.match(re.escape(f"sheet.toml: {sentence}").replace("…", ".*"), problem), problem
    assert {"sheet.toml"} == tree(here)
    assert ran.problems == nabench("check", "sheet.toml").problems


def test_keys_that_are_missing_or_unknown_are_said() -> None:
    """By the shape of the sheet; pairs on the command line too."""
    Path("sheet.toml").write_text('format = 1\nname = "x"\ncapacity_Ah = 1.5\ncharge_max_V = "4.1 V"\ndischarge_minV = 1.5\n')
    assert [
        'sheet.toml: charge_max_V: expected a number, found "4.1 V"; write the number alone, in the unit that its key names',
        'sheet.toml: discharge_minV: unknown key; did you mean "discharge_min_V"?',
    ] == sorted(nabench("new", "cell", "--from-datasheet", "sheet.toml").problems)
    ran = nabench("new", "cell", "--from-datasheet", "--ocv", "0:1.99;1:4", "--resistance", "25")
    assert ['ocv: "0:1.99;1:4" is no pair of numbers; expected pairs such as 0:1.99,0.2:2.72',
            'resistance: "25" is no pair of numbers; expected pairs such as 0:1.99,0.2:2.72'] == ran.problems  # fmt: skip
    nothing = nabench("new", "cell", "--from-datasheet")
    assert [f"--from-datasheet: {key}: this key is missing" for key in ("capacity_Ah", "charge_max_V", "discharge_min_V")] == (
        nothing.problems
    )


def test_other_things_have_no_data_sheet(here: Path) -> None:
    """Its options are refused elsewhere, and what exists is not overwritten."""
    sentence = "data sheets are for cells: nabench new cell --from-datasheet, with its options or SHEET.toml"
    for words in (["pack", "--from-datasheet"], ["cell", "--capacity", "2"], ["cell", "--out", "x.toml"]):
        assert (2, [sentence]) == (nabench("new", *words).code, nabench("new", *words).problems)
    assert set() == tree(here)
    Path("bare.toml").write_text("mine")
    ran = nabench("new", "cell", "--from-datasheet", *options(BARE))
    assert (2, ["bare.toml exists already; give another name, or remove it first"]) == (ran.code, ran.problems)
    assert "mine" == Path("bare.toml").read_text()


def test_hostile_words_stay_words() -> None:
    """Quotes, brackets and line feeds in a source do not become keys."""
    source = 'a "sheet"\n[limits]\ncharge_max_V = 9 \\ \x7f'
    assert source == made({**BARE, "source": source}).capacity.source
