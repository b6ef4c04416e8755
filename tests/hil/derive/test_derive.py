"""What nabench new derives from a cell: packs and calibrations that hold, say where each number is from, and run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import changed, nabench
from rigs import ROOT

from hil import binding, calibration, files, network, requirement
from hil.derive import calibration as drafts
from hil.derive import limits, packs
from hil.plant import cellfile, packfile

SHIPPED = tomllib.loads((files.folder("calibration") / "nfm-16s.toml").read_text(encoding="utf-8"))
CELL = (files.folder("cell") / "nfm-18650.toml").read_text(encoding="utf-8")

# 300 V of large cells, and a cell with a window of 1 V
LARGE = (("capacity_Ah = 1.57345", "capacity_Ah = 150.0"), ("charge_max_A = 1.5", "charge_max_A = 75.0"),
         ("discharge_max_A = 4.5", "discharge_max_A = 207.0"))  # fmt: skip
NARROW = (("charge_max_V = 4.1", "charge_max_V = 2.9"), ("absolute_max_V = 4.2", "absolute_max_V = 3.0"),
          ("discharge_min_V = 1.5", "discharge_min_V = 1.9"))  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cell(*pairs: tuple[str, str]) -> str:
    """A cell file with other figures in this folder; its name."""
    text = changed(CELL, *pairs)
    Path("cell.toml").write_text(grown(text, 95.0) if LARGE[0] in pairs else text, encoding="utf-8")
    return "cell.toml"


def grown(text: str, size: float) -> str:
    """The same cell so many times as large in resistance and heat."""
    head, ohms, tail = re.split(r"(?=^r0_ohm|^tau1_s)", text, flags=re.MULTILINE)
    ohms = re.sub(r"\d+\.\d+(?=[,\]])", lambda found: f"{float(found[0]) / size:.6g}", ohms)
    return head + ohms + changed(tail, ("heat_capacity_J_per_K = 37.0", f"heat_capacity_J_per_K = {37.0 * size}"))


def derived(pack: str = "nfm-16s") -> dict[str, Any]:
    """The data of a calibration that is derived for a pack."""
    return tomllib.loads(drafts.draft(pack, "derived"))


def of_pack(cell_name: str, series: int, strings: int = 1) -> dict[str, Any]:
    """The data of a calibration for a pack that is derived first."""
    Path("pack.toml").write_text(packs.draft("pack", cell_name, packs.Shape(series, 1, strings), Path()), encoding="utf-8")
    return derived("pack.toml")


def row(data: dict[str, Any], code: str) -> dict[str, Any]:
    """A limit row."""
    return next(each for each in data["limit"] if each["code"] == code)


def test_the_rows_written_by_hand_come_out_the_same() -> None:
    """Derived for the bench pack, every limit row of its calibration is there with every number; only the reasons differ."""
    found = [{key: value for key, value in each.items() if key != "source"} for each in derived()["limit"]]
    assert [{key: value for key, value in each.items() if key != "source"} for each in SHIPPED["limit"]] == found


@pytest.mark.parametrize("table", ["e2e", "age_ms", "start", "precharge", "contactors", "plausibility", "power", "filter"])
def test_the_tables_written_by_hand_come_out_the_same(table: str) -> None:
    """So do times, currents over temperature, and what the filter was tuned to."""

    def numbers(of: dict[str, Any]) -> dict[str, Any]:
        said = {"source", "confidence"}
        return {k: numbers(v) if isinstance(v, dict) else v for k, v in of.items() if k not in said}

    found = numbers(derived()[table])
    scaled = ("current_error_A", "bias_sigma_A", "bias_walk_A2_per_s")
    if table == "filter":  # scaled by the cell's capacity over the believed one; by hand they have one digit
        found["sodium"] |= {key: float(f"{found['sodium'][key]:.0e}") for key in scaled}
    assert numbers(SHIPPED[table]) == found


def test_belief_differs_from_truth_by_what_it_says() -> None:
    """Two per cent of capacity, five of resistance beside rounding; voltages stay within what 22 points can follow."""
    _, truth = cellfile.load("nfm-18650")
    Path("bms.toml").write_text(drafts.draft("nfm-16s", "bms"), encoding="utf-8")
    _, found = calibration.load("bms.toml")
    model = found.model
    assert 1.54 == model.capacity_Ah
    soc = np.linspace(0.0, 1.0, 201)
    for branch in ("discharge_V", "charge_V"):
        wrong_V = np.interp(soc, model.ocv.soc, getattr(model.ocv, branch)) - np.interp(
            soc, truth.ocv.soc, getattr(truth.ocv, branch)
        )
        assert 0.002 < np.max(np.abs(wrong_V)) < 0.03
        assert np.sqrt(np.mean(wrong_V**2)) < 0.01
    for pair in ("r0_ohm", "r1_ohm", "r2_ohm"):
        for true_row, believed in zip(getattr(truth.resistance, pair), getattr(model.resistance, pair), strict=True):
            at = [truth.resistance.soc.index(each) for each in model.resistance.soc]
            shares = np.array(believed) / np.array(true_row)[at]
            assert np.all((0.90 < shares) & (shares < 1.0))


def test_every_table_and_row_says_what_it_is_derived_from() -> None:
    """No derived table claims to be measured, and each assumption is listed with a verdict."""
    data = derived()
    assert all(row["source"] for row in data["limit"])
    believed = [data["model"], *(table for table in data["model"].values() if isinstance(table, dict))]
    assert all("derived from" in t["source"] and "nabench new calibration" in t["source"] for t in believed)
    assert {"assumption"} == {table["confidence"] for table in believed}
    Path("bms.toml").write_text(drafts.draft("nfm-16s", "bms"), encoding="utf-8")
    listed = calibration.load("bms.toml")[1].assumptions()
    assert {f"limit {code}" for code in (*limits._VOLTS, *limits._CURRENTS)} <= {each.partition(":")[0] for each in listed}


def test_currents_and_steps_grow_with_the_pack() -> None:
    """Four strings of large cells: what is rounded stays at or below the share; steps follow the charge."""
    data = of_pack(cell(*LARGE), 10, strings=4)
    assert (846.0, 920.0, 993.0) == tuple(row(data, f"OvercurrentDischarge{t}")["above"] for t in ("Mol", "Rsl", "Msl"))
    assert (310.0, 330.0, 360.0) == tuple(row(data, f"OvercurrentCharge{t}")["above"] for t in ("Mol", "Rsl", "Msl"))
    assert (20.0, 100.0, 100.0, 200.0) == (
        *(data["plausibility"][key] for key in ("rest_A", "stuck_step_A", "direction_step_A")),
        data["contactors"]["open_max_A"],
    )
    assert (147.0, 300.0, 828.0) == (
        data["model"]["capacity_Ah"],
        max(data["power"]["charge_A"]),
        max(data["power"]["discharge_A"]),
    )


def test_a_narrow_window_shrinks_hysteresis_not_thresholds() -> None:
    """Requirements name the same margins for every chemistry; what is not required of them shrinks with a window of 1 V."""
    data = of_pack(cell(*NARROW), 16)
    assert (2.85, 2.92, 3.0, 3.15) == tuple(
        row(data, f"CellOvervoltage{t}")["above"] for t in ("Mol", "Rsl", "Msl", "Critical")
    )
    assert (2.2, 2.0, 1.9, 1.75) == tuple(row(data, f"CellUndervoltage{t}")["below"] for t in ("Mol", "Rsl", "Msl", "Critical"))
    assert (0.01, 0.04, 0.115) == tuple(
        row(data, f"Cell{code}")["hysteresis"] for code in ("OvervoltageMol", "OvervoltageMsl", "UndervoltageMsl")
    )
    assert (0.9, 0.12) == (row(data, "DeepDischarge")["below"], row(data, "CellSpread")["above"])


def test_insulation_and_supply_follow_the_voltage_class() -> None:
    """500 ohm/V, and a 24 V supply for a 24 V network."""
    assert (350.0, 700.0, 8.0) == tuple(
        row(of_pack("nfm-18650", 170), code)["below"] for code in ("InsulationLow", "InsulationWarning", "SupplyLow")
    )
    assert 16.0 == row(of_pack("nfm-18650", 8), "SupplyLow")["below"]


@pytest.mark.parametrize(("series", "strings"), [(1, 1), (4, 1), (16, 12), (192, 1)])
def test_what_is_derived_is_right_and_fits_the_wire(series: int, strings: int) -> None:
    """From one cell to all that the wire carries: both files pass the check, and the firmware takes them."""
    of_pack("nfm-18650", series, strings)
    Path("pack-bms.toml").write_text(drafts.draft("pack.toml", "pack-bms"), encoding="utf-8")
    ran = nabench("check", "pack.toml", "pack-bms.toml")
    assert (0, "") == (ran.code, ran.err)
    _, pack, _, _ = packfile.load("pack.toml")
    path, believed = calibration.load("pack-bms.toml")
    net = network.load("classic", pack.n_cells, len(pack.ntc_cells), 10_000_000)
    names = pack.cell_names()
    bound = binding.bind(believed, path, net.database, net.to_dut, net.from_dut, names, pack.strings, pack.ntc_cells)
    assert len(believed.limit) == len(bound.limits)


@pytest.mark.parametrize(("pairs", "series", "strings"), [((), 16, 1), (LARGE, 100, 1), (LARGE, 20, 8), (NARROW, 16, 1)])
def test_nothing_derived_is_laxer_than_what_is_required(pairs: tuple[tuple[str, str], ...], series: int, strings: int) -> None:
    """Every threshold lies at the one of the reference requirements or inside, on every pack."""
    data = of_pack(cell(*pairs), series, strings)
    _, pack, _, stands = packfile.load("pack.toml")
    for needed in requirement.load("reference")[1].requirement:
        for code in needed.codes if needed.trigger is not None else ():
            assert needed.trigger is not None
            threshold, required = row(data, code), needed.trigger.value(stands, pack)
            if needed.trigger.above is not None:
                assert threshold["above"] <= required, code
            else:
                assert threshold["below"] >= required, code


def test_sensors_are_spread_evenly() -> None:
    """From first to last cell; never two on one, never more than the wire carries."""
    assert [0, 3, 6, 9, 12, 15] == packs.sensor_places(16)
    assert ([0], [0, 1, 2, 3]) == (packs.sensor_places(1), packs.sensor_places(4))
    places = packs.sensor_places(192)
    assert (24, 0, 191) == (len(places), places[0], places[-1])
    assert {8, 9} >= set(np.diff(places).tolist())


def test_each_voltage_has_its_class() -> None:
    """Precharged in less than a second and a half with a first current that a resistor bears."""
    for kind in packs.CLASSES:
        assert kind is packs.class_of(kind.up_to_V)
        assert 0.04 <= kind.precharge_ohm * kind.capacitance_F <= 0.15
        assert 0.97 * kind.bleed_ohm > 0.96 * kind.precharge_ohm
        assert kind.up_to_V / kind.precharge_ohm <= 15.0


def test_from_a_cell_to_a_run_each_command_names_the_next(here: Path) -> None:
    """New pack, new calibration, check, and a run in which nothing is reported and the state of charge is right."""
    assert (
        "next: nabench new calibration --pack bank.toml"
        in nabench("new", "pack", "bank", "--cell", "nfm-18650", "--series", "8").out
    )
    ran = nabench("new", "calibration", "--pack", "bank.toml")
    assert "wrote bank-bms.toml\nnext: nabench check bank-bms.toml bank.toml\n" == ran.out
    assert 0 == nabench("check", "bank-bms.toml", "bank.toml").code
    quiet = (ROOT / "hil/scenarios/quiet-drive-cycle.scenario.toml").read_text(encoding="utf-8")
    quiet = changed(
        quiet,
        ('pack = "nfm-16s"', 'pack = "bank.toml"'),
        ("peak_W = 150.0", "peak_W = 75.0"),
        ("profiles/", f"{ROOT}/hil/scenarios/profiles/"),
    )
    Path("quiet.scenario.toml").write_text(quiet, encoding="utf-8")
    ran = nabench("run", "quiet.scenario.toml")
    assert (0, "") == (ran.code, ran.err)
    assert "PASS quiet-drive-cycle" in ran.out


def test_a_calibration_goes_where_its_pack_looks_for_it(here: Path) -> None:
    """Beside a pack in another folder; and to a name of one's own with --out or NAME."""
    assert 0 == nabench("new", "pack", "bank", "--cell", "nfm-18650", "--series", "8", "--dir", "deep").code
    assert "wrote deep/bank-bms.toml" in nabench("new", "calibration", "--pack", "deep/bank.toml").out
    assert "wrote other.toml" in nabench("new", "calibration", "--pack", "deep/bank.toml", "--out", "other.toml").out
    assert (
        "wrote mine.toml\nnext: nabench run SCENARIO --calibration mine.toml"
        in nabench("new", "calibration", "mine", "--pack", "nfm-16s").out
    )


def test_a_cell_of_ones_own_is_found_from_the_pack(here: Path) -> None:
    """The path in the pack counts from the pack, wherever it is written."""
    cell()
    assert 0 == nabench("new", "pack", "--cell", "cell.toml", "--series", "8", "--out", "deep/bank.toml").code
    assert 'cell = "../cell.toml"' in Path("deep/bank.toml").read_text()
    assert 0 == nabench("new", "calibration", "--pack", "deep/bank.toml").code
    assert 0 == nabench("check", "deep/bank.toml").code


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("calibration", "new calibration needs --pack: a shipped pack (nabench list packs), or a pack file of yours"),
        ("scenario --cell nfm-18650", "--cell belongs to new pack, not to new scenario"),
        ("pack --pack nfm-16s", "--pack belongs to new calibration, new firmware and new headers, not to new pack"),
        ("pack --cell nfm-1865 --series 4", 'cell "nfm-1865" is neither shipped nor a path; did you mean "nfm-18650"?'),
        ("pack --cell nfm-18650",
         "new pack of a cell needs --series (cells in a string) as well; without any of these options it writes a template"),
        ("pack q --cell nfm-18650 --series 200", "q.toml: series: expected 192 or less, found 200"),
        ("calibration --pack nfm-16", 'pack "nfm-16" is neither shipped nor a path; did you mean "nfm-16s"?'),
        ("calibration --pack nfm-16s --out x.tom",
         '--out x.tom: expected the name of a file that ends in .toml, as in "x.toml"'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(here: Path, words: str, sentence: str) -> None:
    """One sentence, and nothing is written."""
    ran = nabench("new", *words.split())
    assert (2, [sentence], []) == (ran.code, ran.problems, list(here.iterdir()))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "strings = 4",
            "strings = 9",
            "the cells stand 1863 A of discharge together and would be switched off at 2235 A; the wire carries at most 2000 A",
        ),
        (
            "bleed_ohm = 10000.0",
            "bleed_ohm = 100.0",
            (
                "link.bleed_ohm 100 and contactors.precharge_ohm 47 hold the link at 0.68 of the pack voltage; "
                "expected 0.96 or more, or precharge would never end"
            ),
        ),
    ],
)
def test_a_pack_beyond_the_wire_or_without_a_precharge_is_refused(old: str, new: str, sentence: str) -> None:
    """Currents that the wire cannot carry, and a bleed that keeps the link down, with the figures."""
    of_pack(cell(*LARGE), 16, strings=4)
    Path("pack.toml").write_text(changed(Path("pack.toml").read_text(), (old, new)))
    ran = nabench("new", "calibration", "--pack", "pack.toml")
    assert (2, [f"pack.toml: {sentence}"], False) == (ran.code, ran.problems, Path("pack-bms.toml").exists())


def test_a_pack_of_several_kinds_keeps_what_each_believes_and_the_tightest_of_what_they_share() -> None:
    """A group has model, power and rows on voltages of its own cell; temperature and current take the weaker kind's."""
    text = packs.draft("pack", "nfm-18650", packs.Shape(8), Path())
    group = '\n[[group]]\ncell = "lfp-12"\nfirst = 4\nlast = 7\n'
    Path("pack.toml").write_text(text + group, encoding="utf-8")
    assert 0 == nabench("new", "calibration", "--pack", "pack.toml").code
    joined = calibration.load(str(Path("pack-bms.toml").absolute()))[1]
    sodium, lithium = cellfile.load("nfm-18650")[1].limits, cellfile.load("lfp-12")[1].limits
    (one,) = joined.group
    assert ("lfp-12", 4, 7) == (one.name, one.first, one.last)
    assert one.model is not None
    assert 0.95 < one.model.capacity_Ah / cellfile.load("lfp-12")[1].capacity_Ah < 1.0
    rows = {row.label: row for row in joined.limit}
    assert sodium.absolute_max_V == rows["CellOvervoltageMsl"].above
    assert lithium.absolute_max_V == rows["CellOvervoltageMsl@lfp-12"].above
    assert max(sodium.charge_min_degC, lithium.charge_min_degC) == rows["UndertempChargeMsl"].below
    assert 1.2 * min(sodium.discharge_max_A, lithium.discharge_max_A) == pytest.approx(rows["OvercurrentDischargeMsl"].above)
    assert "UndertempChargeMsl@lfp-12" not in rows


def test_cells_in_parallel_are_one_cell_to_the_bms() -> None:
    """Six times the charge and the currents, a sixth of the resistance, less spread; the requirement counts them too."""
    Path("pack.toml").write_text(packs.draft("pack", "nfm-18650", packs.Shape(16, 6), Path()), encoding="utf-8")
    one, six = derived(), derived("pack.toml")
    assert (1.54, 9.25) == (one["model"]["capacity_Ah"], six["model"]["capacity_Ah"])
    assert (5.4, 32.4) == tuple(row(each, "OvercurrentDischargeMsl")["above"] for each in (one, six))
    ratio = np.array(one["model"]["resistance"]["r0_ohm"]) / np.array(six["model"]["resistance"]["r0_ohm"])
    assert np.all(np.abs(ratio / 6.0 - 1.0) < 0.1)
    _, pack, _, stands = packfile.load("pack.toml")
    assert (0.0082, 0.016) == (pack.spread.capacity_share, pack.spread.resistance_share)
    needed = next(each for each in requirement.load("reference")[1].requirement if each.id == "SR-CURRENT-DISCHARGE")
    assert needed.trigger is not None
    assert 32.4 == needed.trigger.value(stands, pack)
