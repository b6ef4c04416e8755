"""nabench run: exit codes, JSON, the run folder, and what it must not touch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import changed, nabench, tree
from inputs import ENDS, SHORT

from hil import files

FILES = {"report.html", "result.json", "junit.xml", "trace.npz", "signals.csv", "frames.blf", "environment.json", "inputs"}


# ---- exit codes


@pytest.mark.parametrize("name", ENDS)
def test_the_exit_code_is_that_of_the_verdict(ends: dict[str, Path], tmp_path: Path, name: str) -> None:
    """PASS 0, FAIL 1, nothing judged 2, INCONC 3; the run folder is written all the same."""
    ran = nabench("run", ends[name], "--out", tmp_path / "runs")
    assert (ENDS[name][0], "") == (ran.code, ran.err)
    assert f"{name.upper()} {name} (7 s; " in ran.out
    assert {name} == {path.name for path in (tmp_path / "runs").iterdir()}
    assert FILES == {path.name for path in (tmp_path / "runs" / name).iterdir()}


@pytest.mark.parametrize(
    ("names", "code", "counted"),
    [
        (["pass", "inconc"], 3, "INCONC over 2 scenarios: 1 PASS, 1 INCONC"),
        (["fail", "inconc", "pass"], 1, "FAIL over 3 scenarios: 1 PASS, 1 INCONC, 1 FAIL"),
        (["pass", "none"], 0, "PASS over 2 scenarios: 1 NONE, 1 PASS"),
    ],
)
def test_over_several_scenarios_the_worst_counts(
    ends: dict[str, Path], tmp_path: Path, names: list[str], code: int, counted: str
) -> None:
    """And an overview is written."""
    ran = nabench("run", *(ends[name] for name in names), "--out", tmp_path)
    assert code == ran.code
    assert counted in ran.out
    assert {*names, "index.html"} == {path.name for path in tmp_path.iterdir()}


def test_a_broken_scenario_among_others_is_an_error_and_the_others_run(ends: dict[str, Path], tmp_path: Path) -> None:
    """ERROR outweighs all; the overview lists what was wrong."""
    broken = tmp_path / "broken.scenario.toml"
    broken.write_text(changed(SHORT, ("cell[5]", "cell[99]")))
    ran = nabench("run", broken, ends["pass"], "--out", tmp_path / "runs")
    sentence = f'{broken}: fault[0].target "cell[99]" does not exist; this pack has cell[0] to cell[15]'
    assert (2, [sentence]) == (ran.code, ran.problems)
    assert "ERROR over 2 scenarios: 1 PASS, 1 ERROR" in ran.out
    assert {"pass", "index.html"} == {path.name for path in (tmp_path / "runs").iterdir()}
    assert "cell[99]" in (tmp_path / "runs" / "index.html").read_text(encoding="utf-8")


# ---- JSON


def test_json_is_all_that_stands_on_stdout(ends: dict[str, Path], tmp_path: Path) -> None:
    """Each result is that of its run folder, and says where it lies."""
    ran = nabench("run", ends["pass"], ends["fail"], "--json", "--out", tmp_path)
    document = json.loads(ran.out)
    assert (1, "FAIL", []) == (ran.code, document["verdict"], document["errors"])
    for result, name in zip(document["results"], ("pass", "fail"), strict=True):
        place = Path(result.pop("folder"))
        assert tmp_path / name == place
        assert json.loads((place / "result.json").read_text(encoding="utf-8")) == result


def test_json_tells_errors_too(ends: dict[str, Path], tmp_path: Path) -> None:
    """What stands in the way of the run, and what is wrong with a scenario, also when nothing is run."""
    ran = nabench("run", ends["pass"], "--dut", "emulater", "--json", "--out", tmp_path / "runs")
    sentence = 'there is no dut "emulater"; did you mean "emulator"?'
    assert {"verdict": "ERROR", "results": [], "errors": [sentence]} == json.loads(ran.out)
    assert (2, [sentence]) == (ran.code, ran.problems)
    broken = tmp_path / "broken.scenario.toml"
    broken.write_text(changed(SHORT, ("cell[5]", "cell[99]")))
    document = json.loads(nabench("run", broken, "--json", "--out", tmp_path / "runs").out)
    assert ("ERROR", [], 1) == (document["verdict"], document["results"], len(document["errors"]))
    assert not (tmp_path / "runs").exists()


def test_progress_goes_to_stderr(ends: dict[str, Path], tmp_path: Path) -> None:
    """As a process of its own: stdout holds the document, and nothing before or behind it."""
    call = [
        sys.executable,
        "-c",
        "from hil.cli import main; main()",
        "run",
        str(ends["pass"]),
        "--json",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert ("{\n", "}\n") == (done.stdout[:2], done.stdout[-2:])
    assert "PASS" == json.loads(done.stdout)["verdict"]


# ---- options


def test_seed_replaces_that_of_the_scenario_and_repeats_itself(ends: dict[str, Path], tmp_path: Path) -> None:
    """Equal seeds give equal bytes, other seeds others."""
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert 0 == nabench("run", ends["pass"], "--seed", seed, "--out", tmp_path / folder).code
    read = {
        (folder, name): (tmp_path / folder / "pass" / name).read_bytes()
        for folder in "abc"
        for name in ("trace.npz", "result.json")
    }
    assert 7 == json.loads(read["a", "result.json"])["seed"]
    assert (read["a", "trace.npz"], read["a", "result.json"]) == (read["b", "trace.npz"], read["b", "result.json"])
    assert read["a", "trace.npz"] != read["c", "trace.npz"]


def test_realtime_takes_wall_time(tmp_path: Path) -> None:
    """A second lasts a second, and the environment says how late the bench was."""
    path = tmp_path / "second.scenario.toml"
    rest = changed(SHORT, ("duration_s = 7.0", "duration_s = 1.1"), ("to_s = 3.0", "to_s = 1.1")).partition("[[load]]")
    path.write_text(rest[0] + "[[expect]]" + rest[2].split("[[expect]]")[1])
    ran = nabench("run", path, "--realtime", "--out", tmp_path)
    place = tmp_path / "bad"
    assert ran.code in (0, 3), ran.err  # a loaded machine misses deadlines, and says so
    assert "wall" == json.loads((place / "result.json").read_text())["clock"]
    environment = json.loads((place / "environment.json").read_text())
    assert 1.05 <= environment["speed"]["wall_s"]
    assert {"mean", "max", "tick"} == environment["jitter_ms"].keys()


def test_calibration_replaces_that_of_the_scenario(ends: dict[str, Path], tmp_path: Path) -> None:
    """A limit that was raised is found out."""
    text = (files.folder("calibration") / "nfm-16s.toml").read_text()
    (tmp_path / "raised.toml").write_text(changed(text, ("above = 4.2\n", "above = 4.3\n")))
    assert 1 == nabench("run", ends["pass"], "--calibration", tmp_path / "raised.toml", "--out", tmp_path).code
    assert 1 == nabench("judge", tmp_path / "pass").code


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--dut", "emulater"], 'there is no dut "emulater"; did you mean "emulator"?'),
        (["--calibration", "nfm"], 'calibration "nfm" is neither shipped nor a path; did you mean "nfm-16s"?'),
        (["--calibration", "./my.toml"], 'calibration file "./my.toml" does not exist (looked at my.toml)'),
    ],
)
def test_what_is_wrong_with_an_option_is_said_once(
    ends: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], sentence: str
) -> None:
    """However many scenarios there are, and before any of them is run."""
    monkeypatch.chdir(tmp_path)
    ran = nabench("run", *ends.values(), *options, "--out", tmp_path / "runs")
    assert (2, "", [sentence]) == (ran.code, ran.out, ran.problems)
    assert set() == tree(tmp_path)


def test_all_scenarios_that_are_not_there_are_named(tmp_path: Path) -> None:
    """With the nearest that is."""
    ran = nabench("run", "cell-overvoltage-sens", tmp_path / "x.scenario.toml", "--out", tmp_path / "runs")
    assert [
        'scenario "cell-overvoltage-sens" is neither shipped nor a path; did you mean "cell-overvoltage-sense"?',
        f'scenario file "{tmp_path / "x.scenario.toml"}" does not exist (looked at {tmp_path / "x.scenario.toml"})',
    ] == ran.problems
    assert (2, set()) == (ran.code, tree(tmp_path))


# ---- the run folder


def test_a_scenario_given_twice_is_run_once(ends: dict[str, Path], tmp_path: Path) -> None:
    """By whatever path."""
    ran = nabench(
        "run", ends["pass"], ends["pass"].parent / ".." / ends["pass"].parent.name / ends["pass"].name, "--out", tmp_path
    )
    assert (0, 1) == (ran.code, ran.out.count("report: "))


def test_two_scenarios_of_one_name_are_not_run(ends: dict[str, Path], tmp_path: Path) -> None:
    """The second would take the place of the first."""
    other = tmp_path / "other.scenario.toml"
    shutil.copy(ends["pass"], other)
    ran = nabench("run", ends["pass"], other, "--out", tmp_path / "runs")
    sentence = f'{other}: name "pass" is that of {ends["pass"]} too, and so would be its run folder'
    assert (2, [f"{sentence}; give it another, or run them apart"]) == (ran.code, ran.problems)
    assert {other.name} == tree(tmp_path)


def test_a_run_replaces_the_folder_of_an_earlier_one_wholly(ends: dict[str, Path], place: Path) -> None:
    """Nothing of it stays, and nothing is left beside it."""
    before = (place / "trace.npz").read_bytes()
    (place / "session.json").write_text("{}")
    (place / "inputs" / "old.dbc").write_text("")
    assert 0 == nabench("run", ends["pass"], "--seed", 9, "--out", place.parent).code
    assert FILES == {path.name for path in place.iterdir()}
    assert not (place / "inputs" / "old.dbc").exists()
    assert before != (place / "trace.npz").read_bytes()
    assert [place] == list(place.parent.iterdir())


def test_what_no_run_wrote_is_never_deleted(ends: dict[str, Path], place: Path) -> None:
    """A note in the run folder, and a page that would be the overview: refused before anything is run, and untouched."""
    (place / "notes.txt").write_text("mine")
    (place.parent / "index.html").write_text("<p>mine</p>")
    before = {path: path.read_bytes() for path in place.parent.rglob("*") if path.is_file()}
    ran = nabench("run", ends["pass"], ends["fail"], "--out", place.parent)
    assert 2 == ran.code
    assert [
        f"{place.parent / 'index.html'}: nabench did not write this; move it away, or give another --out",
        f"{place}: there is notes.txt, which no run wrote; move it away, or give another --out",
    ] == sorted(ran.problems)
    assert before == {path: path.read_bytes() for path in place.parent.rglob("*") if path.is_file()}


def test_a_place_that_is_no_folder_is_refused(ends: dict[str, Path], tmp_path: Path) -> None:
    """A file in the way of --out or of the run folder, and a link to somebody else's."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "fail").write_text("mine")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "pass").symlink_to(tmp_path / "theirs")
    ran = nabench("run", ends["pass"], "--out", tmp_path / "file" / "runs")
    assert [f"{tmp_path / 'file' / 'runs'}: {tmp_path / 'file'} is a file; expected a folder"] == ran.problems
    ran = nabench("run", ends["pass"], ends["fail"], "--out", tmp_path)
    sentence = "this is no run folder; move it away, or give another --out"
    assert [f"{tmp_path / 'fail'}: {sentence}", f"{tmp_path / 'pass'}: {sentence}"] == sorted(ran.problems)
    assert {"file", "fail", "theirs", "pass"} == tree(tmp_path)


def test_a_run_that_cannot_be_written_leaves_nothing_of_itself(ends: dict[str, Path], place: Path) -> None:
    """A disk that is full in the middle of the trace: one sentence, and the folder of the earlier run as it was."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); from hil.cli import main; main()"
    before = {path: path.read_bytes() for path in place.parent.rglob("*") if path.is_file()}
    call = [sys.executable, "-c", full, "run", str(ends["pass"]), "--out", str(place.parent)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (2, f"error: {place}: the run folder cannot be written: File too large\n") == (done.returncode, done.stderr)
    assert before == {path: path.read_bytes() for path in place.parent.rglob("*") if path.is_file()}
    assert [place] == list(place.parent.iterdir())


# ---- odd scenarios that are right


@pytest.mark.parametrize(("tick_ms", "cells_every_ms"), [(10, 1500), (10, 60_000), (10, 15), (7, 100), (3, 700)])
def test_samples_of_the_cells_may_be_as_rare_as_one_likes(tmp_path: Path, tick_ms: int, cells_every_ms: int) -> None:
    """Ticks and samples that do not go into each other, or into the bench's own blocks, run and are judged."""
    path = tmp_path / "odd.scenario.toml"
    record = f"[record]\ncells_every_ms = {cells_every_ms}\n\n[initial]"
    path.write_text(changed(SHORT, ("tick_ms = 10", f"tick_ms = {tick_ms}"), ("[initial]", record)))
    assert 0 == nabench("run", path, "--out", tmp_path).code
    assert 0 == nabench("judge", tmp_path / "bad").code


def test_databases_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    """Both are in the run folder, and its judgement knows which is which."""
    for bus, names in (("a", ("monitor", "shunt", "pack_io")), ("b", ("vehicle", "bms"))):
        (tmp_path / bus).mkdir()
        for name in names:
            shutil.copy(
                files.dbc_folder() / f"{name}.dbc",
                tmp_path / bus / ("same.dbc" if name in ("monitor", "bms") else f"{name}.dbc"),
            )
    (tmp_path / "two.network.toml").write_text(
        'format = 1\ntitle = "two"\n'
        '[[bus]]\nname = "a"\nbitrate = 500_000\ndbc = ["a/same.dbc", "a/shunt.dbc", "a/pack_io.dbc"]\n'
        '[[bus]]\nname = "b"\nbitrate = 500_000\ndbc = ["b/vehicle.dbc", "b/same.dbc"]\n'
    )
    path = tmp_path / "two.scenario.toml"
    path.write_text(changed(SHORT, ('pack = "nfm-16s"', 'pack = "nfm-16s"\nnetwork = "two.network.toml"')))
    assert 0 == nabench("run", path, "--out", tmp_path / "runs").code
    assert {"same.dbc", "other-same.dbc"} <= tree(tmp_path / "runs" / "bad" / "inputs")
    shutil.rmtree(tmp_path / "a")
    assert 0 == nabench("judge", tmp_path / "runs" / "bad").code
