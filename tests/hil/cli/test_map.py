"""nabench map: what it guesses of a database, that its drafts load, and what it says of the rest."""

from __future__ import annotations

import contextlib
import re
import shutil
from pathlib import Path

import pytest
import rigs
from command import nabench

from hil import files
from hil.dbcfile import reading
from hil.errors import ScenarioError
from hil.guess import words
from hil.guess.place import SURE, guess

DATA = rigs.ROOT / "tests" / "data" / "dbc"
EXAMPLES = rigs.ROOT / "examples"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path: Path) -> dict[str, object]:
    """Role to signal of a mapping."""
    return {row["role"]: row["signal"] for row in files.read_toml(path)["signal"]}


@pytest.mark.parametrize(("folder", "stem", "needed"), [("own_dbc", "truck", 14), ("paged_dbc", "loader", 15)])
def test_the_examples_are_guessed_as_they_were_written(here: Path, folder: str, stem: str, needed: int) -> None:
    """Every role that the draft places is placed as a person did; the device too; and the draft loads."""
    shutil.copy(EXAMPLES / folder / f"{stem}.dbc", here)
    ran = nabench("map", f"{stem}.dbc", "--pack", "nfm-16s")
    assert (0 if needed == 15 else 3, "") == (ran.code, ran.err)
    assert ran.out.startswith(f"{needed} of 15 needed roles placed")
    drafted, written = rows(here / f"{stem}.mapping.toml"), rows(EXAMPLES / folder / f"{stem}.mapping.toml")
    plain = {role: str(signal).rpartition(".")[2] for role, signal in written.items()}
    assert {role: plain[role] for role in drafted} == {role: str(signal).rpartition(".")[2] for role, signal in drafted.items()}
    assert (
        files.read_toml(here / f"{stem}.mapping.toml")["dut"]
        == files.read_toml(EXAMPLES / folder / f"{stem}.mapping.toml")["dut"]
    )
    checked = nabench("check", f"{stem}.network.toml")
    assert (0, "") == (checked.code, checked.err)
    assert "16 cells, each once, 6 sensors, each once" in checked.out


def test_units_signs_polarity_and_meanings_are_guessed_too(here: Path) -> None:
    """What the draft says of the loader besides names is what its mapping says."""
    shutil.copy(EXAMPLES / "paged_dbc" / "loader.dbc", here)
    nabench("map", "loader.dbc")
    keys = ("scale", "offset", "positive", "valid", "valid_is", "meaning", "not_available")
    drafted, written = (
        {row["role"]: {key: row[key] for key in keys if key in row} for row in files.read_toml(path)["signal"]}
        for path in (here / "loader.mapping.toml", EXAMPLES / "paged_dbc" / "loader.mapping.toml")
    )
    assert drafted == {role: written[role] for role in drafted}


def test_counters_and_checks_are_rows_to_complete_and_never_guessed(here: Path) -> None:
    """The loader's: uncommented, with a scheme, they are taken; as they stand they say nothing."""
    shutil.copy(EXAMPLES / "paged_dbc" / "loader.dbc", here)
    nabench("map", "loader.dbc")
    path = here / "loader.mapping.toml"
    text = path.read_text(encoding="utf-8")
    assert (
        '# [[e2e]]\n# message = "CMU_CellPage"\n# profile = "?"\n# crc = "CellPage_CRC"\n# counter = "CellPage_CNT"\n' in text
    )
    assert '# message = "PDU_Relays"\n# profile = "counter"  # or one with a check\n# counter = "PDU_Alive"\n' in text
    assert "e2e" not in files.read_toml(path)
    rows_ = re.sub(r"^# (?=(\[\[e2e|message =|profile =|crc =|counter =))", "", text, flags=re.MULTILINE)
    path.write_text(rows_.replace('profile = "?"', 'profile = "CRC-8-SAE-J1850"'), encoding="utf-8")
    assert 3 == len(files.read_toml(path)["e2e"])
    checked = nabench("check", "loader.network.toml")
    assert (0, "") == (checked.code, checked.err)


def test_a_draft_is_the_same_every_time_and_says_how_sure_it_is(here: Path) -> None:
    """Two drafts are equal byte for byte; each row stands behind its figure and its reason."""
    shutil.copy(EXAMPLES / "own_dbc" / "truck.dbc", here)
    for name in ("one", "two"):
        assert 3 == nabench("map", "truck.dbc", "--out", f"{name}.mapping.toml").code
    one, two = ((here / f"{name}.mapping.toml").read_text(encoding="utf-8") for name in ("one", "two"))
    assert one == two
    blocks = one.partition("# ---- needed")[0].split("[[signal]]")[:-1]
    assert all(re.search(r"\n# \d+ %: .+\n$", block) for block in blocks)


# Read by hand in the databases of cars and of cantools' tests: what plays a role there, as far as anything does.
JUDGED = {
    "Model3CAN": {
        "CellVoltage_{n:03}": "Cell0", "BMS_State": "BMS_hvState", "BMS_PrechargeCommand": "BMS_pcsPrechargeRequestActive",
        "BMS_Soc": "SOCave292", "BMS_ChargeCurrentLimit": "MaxChargeCurrent2D2",
        "BMS_DischargeCurrentLimit": "MaxDischargeCurrent2D2", "Shunt_Current": "RawBattCurrent132",
        "Shunt_PackVoltage": "BattVoltage132", "Shunt_LinkVoltage": "HVP_dcLinkVoltage",
    },
    "vw_meb_common": {"BMS_State": "BMS_IstModus"},
    "gm_global_a_high_voltage_management": {
        "CellVoltage_{n:03}": "Voltage_1_0_A", "Shunt_Current": "Pack_Current", "Shunt_PackVoltage": "Pack_Voltage",
    },
    "truck": {}, "loader": {},  # the examples, judged above
}  # fmt: skip


def test_what_is_placed_for_sure_is_right() -> None:
    """Of all databases at hand: each role at 75 % and more is what a reader found, and each that a reader found is placed."""
    found = {}
    for path in sorted([*DATA.rglob("*.dbc"), *EXAMPLES.rglob("*.dbc")]):
        with contextlib.suppress(ScenarioError):
            placed = [row for row in guess(reading.read(path).database).placed if not row.role.name.startswith("Diag_")]
            if path.stem not in ("truck", "loader"):
                found[path.stem] = placed
    assert len(found) > 25
    for stem, placed in found.items():
        right = JUDGED.get(stem, {})
        assert right == {row.role.name: row.signals[0].signal.name for row in placed if row.role.name in right}, stem
        strange = {row.role.name for row in placed if row.role.name not in right and row.score >= 0.9}
        assert set() == strange, stem
        doubtful = {row.role.name for row in placed if row.role.name not in right and row.score >= 0.75}
        assert doubtful <= ({"CellTemperature_{n:02}"} if stem == "j1939" else set()), stem  # two batteries of a lorry


def test_a_draft_that_cannot_run_says_so_first_and_what_is_to_fill_in(here: Path) -> None:
    """A car's file: the count is the first line, the code is 3, and each missing role stands as a row to complete."""
    ran = nabench("map", DATA / "tesla_model3" / "Model3CAN.dbc", "--out", "x.mapping.toml")
    assert (3, "") == (ran.code, ran.err)
    lines = ran.out.splitlines()
    assert "7 of 15 needed roles placed: nothing can be run with this draft before the others are filled in" == lines[0]
    missing = [line.partition(": ")[2].partition(";")[0] for line in lines if line.startswith("needed, not placed: ")]
    assert 8 == len(missing)
    assert all(line.startswith("needed, not placed: ") for line in lines[1:9])
    text = (here / "x.mapping.toml").read_text(encoding="utf-8")
    assert missing == re.findall(r'^# \[\[signal\]\]\n# role = "(.+)"\n# signal = "\?"', text, re.MULTILINE)
    assert "HVP_packContPositiveState (48 %)" in text
    rows_ = {"CellVoltage_{n:03}": "Cell{n}", "BMS_State": "BMS_hvState"}
    assert rows_.items() <= rows(here / "x.mapping.toml").items()
    checked = nabench("check", "x.network.toml")
    assert (0, "") == (checked.code, checked.err)
    assert "nabench run needs them" in checked.out


def test_what_looks_like_a_role_and_is_not_placed_has_a_reason(here: Path) -> None:
    """Each signal above the bound that the rows of worse ones passed: the way of its message, or who sends it."""
    ran = nabench("map", DATA / "tesla_model3" / "Model3CAN.dbc", "--out", "x.mapping.toml")
    lines = [line for line in ran.out.splitlines() if "not placed: " in line]
    said = [(int(share), why) for line in lines for share, why in re.findall(r"\((\d+) %(?:: ([^()]+))?\)", line)]
    assert {True, False} == {share >= 100 * SURE for share, _ in said}
    assert [] == [(share, why) for share, why in said if bool(why) != (share >= 100 * SURE)]
    text = "\n".join(lines)
    assert "BMS_chgRequestTerminatedCount (65 %: its message has BMS_PrechargeCommand, which goes the other way)" in text
    assert "HVP_hvilStatus (76 %: the device sends it, and the role is not needed)" in text
    assert "(65 %: its message has BMS_PrechargeCommand" in (here / "x.mapping.toml").read_text(encoding="utf-8")


def test_no_word_stands_twice_in_a_list() -> None:
    """Of the tables that guessing reads."""
    for name, table in vars(words).items():
        if isinstance(table, tuple) and all(isinstance(word, str) for word in table):
            assert len(set(table)) == len(table), name


def test_what_the_device_says_of_itself_must_come_from_the_bench(here: Path) -> None:
    """Cells that a database has sent by the device are turned round, and it is said."""
    ran = nabench("map", DATA / "tesla_model3" / "Model3CAN.dbc", "--out", "x.mapping.toml")
    (line,) = [line for line in ran.out.splitlines() if line.startswith('taken as sent by "CellMonitor": ')]
    assert "ID401CellVoltages (the DBC has it sent by VehicleBus itself" in line
    turned = {row["name"]: row["sender"] for row in files.read_toml(here / "x.mapping.toml")["message"]}
    assert "CellMonitor" == turned["ID401CellVoltages"]


def test_a_file_without_a_battery_is_refused(here: Path) -> None:
    """A steering and its gateway: nothing is placed, and nothing written."""
    ran = nabench("map", DATA / "opendbc" / "tesla_can.dbc")
    assert 2 == ran.code
    assert not any("found all the same" in problem for problem in ran.problems)
    assert any("Vehicle_ModeRequest is perhaps" in problem for problem in ran.problems), ran.problems
    assert not list(here.iterdir())


def test_a_database_of_which_no_bench_can_be_made_is_refused_with_what_was_found(here: Path) -> None:
    """96 cells of GM, and no word of a device: no file is written, and the cells are told."""
    ran = nabench("map", DATA / "opendbc" / "gm_global_a_high_voltage_management.dbc")
    assert 2 == ran.code
    assert any("too little of this looks like either" in problem for problem in ran.problems)
    assert any("Voltage_1_0_A to Voltage_4_7_C (96)" in problem for problem in ran.problems)
    assert not list(here.iterdir())


def test_nothing_that_exists_is_overwritten(here: Path) -> None:
    """A second draft of the same name is refused, and the first stays."""
    shutil.copy(EXAMPLES / "own_dbc" / "truck.dbc", here)
    (here / "truck.network.toml").write_text("mine")
    ran = nabench("map", "truck.dbc")
    assert (2, ["truck.network.toml exists already; give another name with --out, or remove it first"]) == (
        ran.code,
        ran.problems,
    )
    assert ["truck.dbc", "truck.network.toml"] == sorted(path.name for path in here.iterdir())
    assert 2 == nabench("map", "truck.dbc", "--out", "x.txt").code


def test_a_pack_with_more_cells_than_the_database_is_told(here: Path) -> None:
    """The count of both."""
    shutil.copy(EXAMPLES / "own_dbc" / "truck.dbc", here)
    ran = nabench("map", "truck.dbc", "--pack", "ev-192s")
    assert "the pack needs 192 of CellVoltage_{n:03}; the DBC has 16" in ran.out


@pytest.mark.parametrize("text", ["", "nonsense", 'VERSION ""\nBO_ 1 M: 100 A\n'])
def test_what_is_no_database_is_a_sentence(here: Path, text: str) -> None:
    """Never a traceback."""
    (here / "x.dbc").write_text(text)
    ran = nabench("map", "x.dbc")
    assert 2 == ran.code
    assert ran.problems and all(problem.startswith("x.dbc: ") for problem in ran.problems)
