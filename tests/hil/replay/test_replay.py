"""Recorded logs against a device: what its name promises, what a scenario expects, and what the recorded device did."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as xml

import numpy as np
import pytest
import rigs
import wall
from command import nabench

from hil import journal as j
from hil.errors import ScenarioError
from hil.record import logs, of_trace
from hil.record.frame import RX, TX, About, LogFrame
from hil.replay import case, expect
from hil.trace import Trace
from hil.verdict import Verdict

NAMES = ("BMS_State", "Diag_HvilOpen", "Diag_CellOvervoltageMol", "Diag_CellOvervoltageMsl", "Diag_CurrentLost")
READS = {"fault": "cell_reads", "target": "cell[5]", "start_s": 2.0, "with": {"value_V": 4.2002}}


@pytest.fixture(scope="module")
def overvoltage() -> Trace:
    """A drive in which a sense wire makes a cell read too much."""
    return rigs.run(rigs.drive({"kind": "current", "current_A": 2.0}, fault=[READS], duration_s=3.5))[1]


@pytest.fixture(scope="module")
def quiet() -> Trace:
    """A drive in which nothing happens."""
    return rigs.run(rigs.drive({"kind": "current", "current_A": 2.0}))[1]


def log(path: Path, trace: Trace, keep: int = RX | TX) -> Path:
    """A log of a run. keep: directions that stand in it."""
    logs.write_log(path, About(), (frame for frame in of_trace.frames(trace) if frame.flags & keep))
    return path


def lines(path: Path) -> list[LogFrame]:
    """All frames of a log."""
    return list(logs.open_log(path)[1])


def replayed(path: Path, *words: object) -> tuple[int, dict[str, object]]:
    """Exit code and result of a replay."""
    ran = nabench("replay", path, "--json", "--out", path.parent / "out", *words)
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)["results"][0]


def said(result: dict[str, object]) -> list[tuple[str, str]]:
    """(what, verdict) of all findings."""
    findings = result["findings"]
    assert isinstance(findings, list)
    return [(finding["what"], finding["verdict"]) for finding in findings]


def test_in_lockstep_the_device_says_again_what_it_said(overvoltage: Trace, tmp_path: Path) -> None:
    """Frame for frame, bit for bit, nanosecond for nanosecond: the log holds all that a device can know."""
    path = log(tmp_path / "0001.CellOvervoltage.blf", overvoltage)
    done = case.replay(path, case.Options())
    assert done.played is not None
    rows = done.played.trace.journal
    again = rows[rows[:, j.KIND] == j.FROM_DUT]
    first = overvoltage.journal[overvoltage.journal[:, j.KIND] == j.FROM_DUT]
    first = first[np.argsort(first[:, j.T_NS], kind="stable")]
    columns = [j.T_NS, j.ID, j.LENGTH, j.WORD]
    assert first[:, columns].tolist() == again[np.argsort(again[:, j.T_NS], kind="stable")][:, columns].tolist()
    assert Verdict.PASS is done.verdict


@pytest.mark.parametrize("suffix", [".asc", ".log", ".csv", ".journal"])
def test_the_promised_event_comes(suffix: str, overvoltage: Trace, tmp_path: Path) -> None:
    """From a log of any format, with nothing of the recorded device in it."""
    code, result = replayed(log(tmp_path / f"0001.CellOvervoltageMsl{suffix}", overvoltage, TX))
    assert 0 == code
    assert [("CellOvervoltageMsl", "PASS")] == said(result)


def test_an_event_that_does_not_come_is_a_failure(quiet: Trace, overvoltage: Trace, tmp_path: Path) -> None:
    """A log that lacks what its name says, a device that does not see it, and a code where none may be."""
    assert 1 == replayed(log(tmp_path / "1.HvilOpen.asc", quiet))[0]
    path = log(tmp_path / "2.CellOvervoltage.asc", overvoltage)
    code, result = replayed(path, "--dut", "broken:check-off=CellOvervoltageMsl", "--expect", "CellOvervoltageMsl")
    assert 1 == code
    assert ("CellOvervoltageMsl", "FAIL") in said(result)
    code, result = replayed(path, "--expect", "none")
    assert (1, [("no code", "FAIL")]) == (code, said(result))
    assert 0 == replayed(log(tmp_path / "3.none.asc", quiet))[0]


def test_beside_the_promised_code_others_are_told_unless_exact(overvoltage: Trace, tmp_path: Path) -> None:
    """The spread of the cells trips too."""
    path = log(tmp_path / "1.CellOvervoltage.csv", overvoltage)
    code, result = replayed(path, "--exact")
    assert (1, ("no other code", "FAIL")) == (code, said(result)[-1])
    assert "CellSpread" in str(result["findings"])


def test_what_is_missing_behind_a_cut_is_not_known(quiet: Trace, overvoltage: Trace, tmp_path: Path) -> None:
    """INCONC for an event that did not come and for quiet; what came before the cut has come."""
    for name, trace, code in (
        ("1.HvilOpen.log", quiet, 3),
        ("2.none.log", quiet, 3),
        ("3.CellOvervoltage.log", overvoltage, 0),
    ):
        path = log(tmp_path / name, trace)
        path.write_bytes(path.read_bytes()[:-7])
        assert code == replayed(path)[0], name


@pytest.mark.parametrize(("frames", "expected"), [
    ([(0x700, 0), (0x701, 0)], 'none of its 2 frames is one that network "classic" sends to the device'),
    ([(0x1FF, 0)], "the nearest are 0x1FF and 0x110"),
    ([(0x10, RX)], "of the device itself, none is of the rest of the bus"),
    ([(0x20, 0), (0x20, -3_000_000_000)], "the time goes back"),
    ([(0x20, 0), (0x20, 10 * 86_400 * 10**9)], "240.0 h; expected at most 24"),
])  # fmt: skip
def test_a_log_that_does_not_fit_is_an_error(frames: list[tuple[int, int]], expected: str, tmp_path: Path) -> None:
    """One sentence with what was found, what was expected, and the nearest."""
    path = tmp_path / "a.csv"
    found = [LogFrame(5_000_000_000 + max(t, -4_000_000_000) * (t != RX), 0, can_id, RX, 8, bytes(8)) for can_id, t in frames]
    logs.write_log(path, About(), iter(found))
    ran = nabench("replay", path, "--out", tmp_path / "out")
    assert 2 == ran.code
    assert 1 == len(ran.problems)
    assert expected in ran.problems[0]


def test_a_log_of_another_network_names_it(tmp_path: Path) -> None:
    """The ids are those of a shipped network."""
    path = tmp_path / "a.csv"
    own = LogFrame(0, 0, 0x321, RX, 8, bytes(8))
    logs.write_log(path, About(), iter([own]))
    network = tmp_path / "other.toml"
    (tmp_path / "other.dbc").write_text(
        'VERSION ""\nNS_ :\nBS_:\nBU_: BMS Other\nBO_ 801 Told: 8 Other\n SG_ X : 0|8@1+ (1,0) [0|255] "" BMS\n'
        'BO_ 802 Answer: 8 BMS\n SG_ Y : 0|8@1+ (1,0) [0|255] "" Other\n'
    )
    network.write_text('format = 1\ntitle = "Other"\n[[bus]]\nname = "a"\nbitrate = 500000\ndbc = ["other.dbc"]\n')
    ran = nabench("replay", path, "--network", network, "--out", tmp_path / "out")
    assert 2 == ran.code
    ran = nabench("replay", path, "--network", "clasic", "--out", tmp_path / "out")
    assert 'did you mean "classic"' in ran.problems[0]


def test_a_log_without_a_part_of_the_bus_is_inconclusive(quiet: Trace, tmp_path: Path) -> None:
    """The device rightly misses what the log does not hold."""
    path = tmp_path / "1.CurrentLost.csv"
    logs.write_log(path, About(), (frame for frame in of_trace.frames(quiet) if frame.can_id not in (0x30, 0x31)))
    code, result = replayed(path)
    assert 3 == code
    assert [("messages", "INCONC"), ("CurrentLost", "INCONC")] == said(result)
    assert "Shunt_Values, Shunt_Charge" in str(result["findings"])


def test_a_scenario_is_judged_by_what_the_wire_can_tell(tmp_path: Path) -> None:
    """Signals and quiet are judged as in the run; the rest is INCONC and listed; a log too short leaves open what it lacks."""
    assert 0 == nabench("run", "hvil-open", "--out", tmp_path).code
    ran = nabench("convert", tmp_path / "hvil-open", tmp_path / "a.asc")
    assert 0 == ran.code
    expected = [("BMS_State", "PASS"), ("no nuisance trip", "PASS"), ("reaction", "INCONC"), ("device", "PASS")]
    for source in (tmp_path / "a.asc", tmp_path / "hvil-open"):
        code, result = replayed(source, "--scenario", "hvil-open", "--compare")
        assert (3, expected) == (code, said(result))
    short = [frame for frame in lines(tmp_path / "a.asc") if frame.t_ns < 2_000_000_000]
    logs.write_log(tmp_path / "b.asc", About(), iter(short))
    code, result = replayed(tmp_path / "b.asc", "--scenario", "hvil-open")
    assert 3 == code
    assert [("run", "INCONC"), ("BMS_State", "PASS"), ("no nuisance trip", "INCONC"), ("reaction", "INCONC")] == said(result)


def test_what_differs_from_the_recorded_device_is_listed(overvoltage: Trace, tmp_path: Path) -> None:
    """By signal and time, with both values; another device that answers alike differs in nothing."""
    path = log(tmp_path / "a.blf", overvoltage)
    code, result = replayed(path, "--compare", "--dut", "broken:check-off=CellOvervoltageMsl")
    assert 1 == code
    named = [what for what, verdict in said(result) if verdict == "FAIL"]
    assert "Diag_CellOvervoltageMsl" in named
    assert "recorded active, replayed ok" in str(result["findings"])
    assert (0, [("device", "PASS")]) == (lambda code, result: (code, said(result)))(*replayed(path, "--compare"))
    path = log(tmp_path / "b.blf", overvoltage, TX)
    assert (3, [("device", "INCONC")]) == (lambda code, result: (code, said(result)))(*replayed(path, "--compare"))


def test_a_foreign_log_is_replayed_through_its_mapping(tmp_path: Path) -> None:
    """A truck's DBC in other units and orders, on some channel of the logger; of its DBC alone the cycles are not known."""
    own = rigs.ROOT / "examples" / "own_dbc"
    ran = nabench("run", own / "truck-overvoltage.scenario.toml", "--out", tmp_path)
    assert 0 == ran.code, ran.err
    frames = (frame._replace(channel=5) for frame in lines(tmp_path / "truck-overvoltage"))
    logs.write_log(tmp_path / "1.CellOvervoltageMsl.asc", About(), frames)
    code, result = replayed(tmp_path / "1.CellOvervoltageMsl.asc", "--network", own / "truck.network.toml", "--compare")
    assert (0, [("CellOvervoltageMsl", "PASS"), ("device", "PASS")]) == (code, said(result))
    words = ["--dbc", own / "truck.dbc", "--map", own / "truck.mapping.toml", "--bitrate", "250000"]
    ran = nabench("replay", tmp_path / "1.CellOvervoltageMsl.asc", "--out", tmp_path / "out", *words)
    assert 2 == ran.code
    assert 'message "ShuntData" has no GenMsgCycleTime' in ran.problems[0]
    text = (own / "truck.dbc").read_text(encoding="cp1252")
    (tmp_path / "truck.dbc").write_text(f'{text}BA_ "GenMsgCycleTime" BO_ 320 10;\n', encoding="cp1252")
    words[1] = tmp_path / "truck.dbc"
    assert 0 == replayed(tmp_path / "1.CellOvervoltageMsl.asc", *words)[0]


def test_a_silent_device_fails(quiet: Trace, tmp_path: Path) -> None:
    """Not by its codes, which nobody hears, but by its silence."""
    last = quiet.n_ticks * quiet.dt_ns
    frames = [frame._replace(t_ns=frame.t_ns + n * last) for n in range(2) for frame in of_trace.frames(quiet)]
    logs.write_log(tmp_path / "1.none.blf", About(), iter(frames))
    code, result = replayed(tmp_path / "1.none.blf", "--dut", "broken:goes-silent")
    assert 1 == code
    assert ("frames", "FAIL") in said(result)


def test_a_folder_is_a_suite(quiet: Trace, overvoltage: Trace, tmp_path: Path) -> None:
    """A verdict each, the worst as exit code, JUnit XML, a page; a broken log is an error of its own."""
    suite = tmp_path / "suite"
    suite.mkdir()
    log(suite / "0001.CellOvervoltage.blf", overvoltage)
    log(suite / "0002.none.asc", quiet)
    out = tmp_path / "out"
    ran = nabench("replay", suite, "--out", out)
    assert 0 == ran.code
    assert "PASS 2 logs" in ran.out
    log(suite / "0003.HvilOpen.log", quiet)
    (suite / "0004.none.log").write_text("rubbish\n")
    log(suite / "0005.CelOvervoltage.csv", quiet)
    (suite / "README.md").write_text("not a log")
    ran = nabench("replay", suite, "--out", out, "--json")
    assert 2 == ran.code
    results = json.loads(ran.out)["results"]
    assert ["PASS", "PASS", "FAIL", "ERROR", "ERROR"] == [result["verdict"] for result in results]
    assert 'did you mean "CellOvervoltage"' in results[4]["findings"][0]["seen"]
    cases = xml.parse(out / "junit.xml").getroot().findall(".//testcase")
    tags = [[child.tag for child in each if child.tag != "properties"] for each in cases]
    assert [[], [], ["failure"], ["error"], ["error"]] == tags
    page = (out / "index.html").read_text()
    assert all(name in page for name in ("0003.HvilOpen.log", "rubbish", "CellOvervoltageMsl at"))
    assert {"result.json", "frames.blf"} == {path.name for path in (out / "0001.CellOvervoltage").iterdir()}
    assert 2 == nabench("replay", tmp_path / "out" / "0001.CellOvervoltage" / "nothing").code
    (tmp_path / "empty").mkdir()
    assert "no log in this folder" in nabench("replay", tmp_path / "empty").problems[0]


def test_names_promise_events() -> None:
    """The part before the ending; a name without tier is any of its codes; a name that is none has the nearest."""
    names = {
        "0007.CellOvervoltage.blf": "CellOvervoltage",
        "a.none.asc": "none",
        "b.HvilOpen+CurrentLost.log.gz": "HvilOpen+CurrentLost",
    }
    assert names == {name: expect.of_name(Path(name)) for name in names}
    assert ["", "", ""] == [expect.of_name(Path(name)) for name in ("drive.blf", "2026.11.26.log", "run")]
    assert [["CellOvervoltageMol", "CellOvervoltageMsl"]] == expect.parse("CellOvervoltage", NAMES, "x")
    assert [["HvilOpen"], ["CurrentLost"]] == expect.parse("HvilOpen+CurrentLost", NAMES, "x")
    with pytest.raises(ScenarioError, match='no event "HvilOpn"; did you mean "HvilOpen"'):
        expect.parse("HvilOpn", NAMES, "x")


def test_a_device_on_a_wire_gets_the_log_in_its_own_time(overvoltage: Trace, tmp_path: Path) -> None:
    """The same verdict over a bus as in lockstep, in wall time; a busy machine leaves INCONC and says so."""
    path = log(tmp_path / "1.CellOvervoltage.blf", overvoltage)
    bus = wall.virtual()
    with wall.device(bus):
        with pytest.raises(ScenarioError, match=r"0x100 CellVoltages, 210 frames\n(.*\n)*.*to go on, give --arm"):
            case.replay(path, case.Options(dut=f"remote:{bus}"))
        done = case.replay(path, case.Options(dut=f"remote:{bus}", armed=True))
    assert done.played is not None
    assert done.played.wall_s >= 3.4
    late = [f for f in done.findings if f.verdict is Verdict.INCONC]
    assert all("missed" in f.seen for f in late)
    if not late:
        assert Verdict.PASS is done.verdict
