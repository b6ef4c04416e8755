"""nabench new: files to start from, which are right as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import changed, nabench, tree

ROOT = Path(__file__).parents[3]
WRITTEN = {
    "scenario": {"my-scenario.scenario.toml"},
    "cell": {"my-cell.toml"},
    "pack": {"my-pack.toml"},
    "mapping": {"my-mapping.mapping.toml", "my-mapping.network.toml"},
    "map": {"my-map.map.toml"},
    "bench": {"my-bench.toml"},
    "suite": {"README.md", "pytest.ini", "test_protection.py", "my-suite.scenario.toml"},
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("what", WRITTEN)
def test_it_says_what_it_wrote_and_what_comes_next(here: Path, what: str) -> None:
    """Every file, commented, with its name in it and no gap left to fill."""
    ran = nabench("new", what)
    assert (0, "") == (ran.code, ran.err)
    paths = [Path(line.removeprefix("wrote ")) for line in ran.out.splitlines()[:-1]]
    assert WRITTEN[what] == {path.name for path in paths}
    assert ran.out.splitlines()[-1].startswith("next: ")
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert "NAME" not in text
        assert "#" in text or path.suffix == ".py"


def test_a_new_scenario_is_right_and_passes(here: Path) -> None:
    """Checked and run as its last line says."""
    nabench("new", "scenario", "first")
    assert (0, "") == (nabench("check", "first.scenario.toml").code, nabench("check", "first.scenario.toml").err)
    ran = nabench("run", "first.scenario.toml")
    assert (0, "") == (ran.code, ran.err)
    assert "PASS first" in ran.out


def test_a_new_cell_is_right_and_drives_a_pack(here: Path) -> None:
    """In a new pack, as its last line says; what both rest on is said to be assumed."""
    assert "nabench check own.toml; then nabench new pack" in nabench("new", "cell", "own").out
    assert 'own.toml: ok, cell "own": 1.5 Ah, 8 of 8 tables assumed\n' == nabench("check", "own.toml").out
    assert "nabench check own-pack.toml; then nabench new scenario" in nabench("new", "pack", "own-pack").out
    assert (0, "") == (nabench("check", "own-pack.toml").code, nabench("check", "own-pack.toml").err)
    pack = Path("own-pack.toml").read_text()
    Path("own.pack.toml").write_text(changed(pack, ('cell = "nfm-18650"', 'cell = "own.toml"')))
    nabench("new", "scenario", "drives")
    scenario = Path("drives.scenario.toml")
    scenario.write_text(changed(scenario.read_text(), ('pack = "nfm-16s"', 'pack = "own.pack.toml"')))
    ran = nabench("run", scenario, "--json")
    assert (0, "") == (ran.code, ran.err)
    assert "cell own, capacity: assumption: template" in ran.out
    assert "pack own-pack, spread: assumption: template" in ran.out


def test_a_new_mapping_is_right_and_waits_for_its_database(here: Path) -> None:
    """The one thing that is missing is named; with a database that has these signals the network is right."""
    nabench("new", "mapping", "truck")
    assert 0 == nabench("check", "truck.mapping.toml").code
    (problem,) = nabench("check", "truck.network.toml").problems
    assert problem.startswith('truck.network.toml: bus[0].dbc[0] "truck.dbc" does not exist')
    shutil.copy(ROOT / "examples/own_dbc/truck.dbc", here)
    assert (0, "") == (nabench("check", "truck.network.toml").code, nabench("check", "truck.network.toml").err)


def test_a_new_suite_passes(here: Path) -> None:
    """Its scenario under the command, and all of it under pytest."""
    nabench("new", "suite", "tests-of-mine")
    assert 0 == nabench("run", "tests-of-mine/tests-of-mine.scenario.toml").code
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "NABENCH_D"))}
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests-of-mine"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=own)
    assert 0 == done.returncode, done.stdout
    assert "6 passed" in done.stdout


@pytest.mark.parametrize("name", ["../evil", "Großer", "with blank", "", "-x", "a" * 81])
def test_a_name_that_is_no_name_is_refused(here: Path, name: str) -> None:
    """It becomes the name of a file."""
    ran = nabench("new", "scenario", "--", name)
    sentence = f'name "{name}": expected small letters, digits and dashes, as in my-scenario'
    assert (2, [sentence], set()) == (ran.code, ran.problems, tree(here))


def test_what_exists_is_not_overwritten(here: Path) -> None:
    """Not one file of several is written then."""
    Path("my-mapping.network.toml").write_text("mine")
    ran = nabench("new", "mapping")
    assert (2, ["my-mapping.network.toml exists already; give another name, or remove it first"]) == (ran.code, ran.problems)
    assert {"my-mapping.network.toml"} == tree(here)
    assert "mine" == Path("my-mapping.network.toml").read_text()


def test_a_folder_is_made_and_a_file_in_its_place_is_said(here: Path) -> None:
    """With --dir."""
    assert 0 == nabench("new", "cell", "--dir", "deep/down").code
    assert 0 == nabench("check", "deep/down/my-cell.toml").code
    Path("file").write_text("")
    ran = nabench("new", "cell", "--dir", "file")
    assert (2, ["file: cannot be written: File exists"]) == (ran.code, ran.problems)
