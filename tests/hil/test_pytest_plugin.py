"""The pytest plugin as a user has it: in a process of its own, with real tests, real files, and JUnit XML."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import wall
from rigs import ROOT

from hil import files

HEAD = """
import pytest


@pytest.fixture
def driving(bench):
    bench.request("drive")
    bench.run_until("BMS_State", "run", timeout_s=3)
    return bench
"""
SUITE = (
    HEAD
    + """

@pytest.mark.requirement("SR-CELL-OV", "SR-LATCH")
def test_passes(driving):
    wire = driving.set("cell[5].value_V", 4.2002)
    driving.expect("code", "CellOvervoltageMsl", within_ms=(450, 550))
    driving.expect("contactor", "open", within_ms=750)
    wire.clear()


def test_misses_its_window(driving):
    driving.set("cell[5].value_V", 4.2002)
    driving.expect("code", "CellOvervoltageMsl", within_ms=100)


def test_leaves_a_fault_behind(driving):
    driving.set("cell[5].offset_V", 0.01)


@pytest.mark.nabench_leaves_faults
def test_may_leave_a_fault_behind(driving):
    driving.set("cell[5].offset_V", 0.01)


def test_finds_nothing_left_behind(driving):
    assert driving.faults == []
    assert not driving.codes()


def test_names_a_signal_that_does_not_exist(bench):
    bench.run_for(0.1)
    bench.signal("BMS_Sock")


@pytest.mark.requirement()
def test_names_no_requirement(bench):
    bench.run_for(0.1)


@pytest.mark.nabench(packs="nfm-16s")
def test_marks_nonsense(bench):
    bench.run_for(0.1)


@pytest.mark.nabench(soc=0.9, seed=3)
def test_captures_arrays(bench):
    bench.run_for(1.0)
    seen = bench.capture("BMS_Soc", "soc")
    assert seen["BMS_Soc"].value.shape == seen["BMS_Soc"].t_s.shape
    assert 0.85 < seen["soc"].value[-1] < 0.95
"""
)
BROKEN_SCENARIO = 'format = 1\nname = "broken"\ntitle = "x"\ntext = "x"\npack = "nfm-16t"\nduration_s = 1.0\n'
IDLE_SCENARIO = 'format = 1\nname = "idle"\ntitle = "Nothing is asked"\ntext = "x"\npack = "nfm-16s"\nduration_s = 1.0\n'


@dataclass
class Ran:
    """A finished pytest: its text, exit code, and JUnit cases by name."""

    text: str
    code: int
    cases: dict[str, ET.Element]

    def outcome(self, name: str) -> str:
        """passed, failure or error."""
        return next((child.tag for child in self.cases[name] if child.tag in ("failure", "error")), "passed")

    def told(self, name: str) -> str:
        """What was said of a test that did not pass."""
        return "".join(child.text or "" for child in self.cases[name] if child.tag in ("failure", "error"))

    def properties(self, name: str) -> list[tuple[str, str]]:
        """Its properties, in order."""
        return [(p.get("name", ""), p.get("value", "")) for p in self.cases[name].iter("property")]

    def requirements(self, name: str) -> list[str]:
        """Requirements that it serves."""
        return [value for key, value in self.properties(name) if key == "requirement"]


def run(folder: Path, *options: str, env: dict[str, str] | None = None) -> Ran:
    """Pytest in a folder."""
    xml = folder / "junit.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={xml}", *options],
        cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    cases = {case.get("name", ""): case for case in ET.parse(xml).getroot().iter("testcase")} if xml.exists() else {}
    return Ran(done.stdout + done.stderr, done.returncode, cases)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """One run of a suite with everything in it."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_all.py").write_text(SUITE, encoding="utf-8")
    (folder / "broken.scenario.toml").write_text(BROKEN_SCENARIO, encoding="utf-8")
    (folder / "idle.scenario.toml").write_text(IDLE_SCENARIO, encoding="utf-8")
    shipped = (files.folder("scenario") / "hvil-open.scenario.toml").read_text(encoding="utf-8")
    (folder / "hvil-open.scenario.toml").write_text(shipped, encoding="utf-8")
    return run(folder, "--nabench-out=runs"), folder


def test_a_good_test_passes_and_carries_its_requirements_and_figures(suite: tuple[Ran, Path]) -> None:
    """Requirement markers and measured times with their bands are properties in JUnit XML."""
    ran = suite[0]
    assert "passed" == ran.outcome("test_passes")
    assert ["SR-CELL-OV", "SR-LATCH"] == ran.requirements("test_passes")
    assert any("ms" in key for key, _ in ran.properties("test_passes"))
    assert any("band" in key for key, _ in ran.properties("test_passes"))


def test_a_missed_demand_is_a_failure_with_the_sentence_of_the_bench(suite: tuple[Ran, Path]) -> None:
    """The text points at the line of the test, says what was expected, and shows none of our frames."""
    ran = suite[0]
    assert "failure" == ran.outcome("test_misses_its_window")
    assert "within_ms=100" in ran.told("test_misses_its_window")
    assert "CellOvervoltageMsl" in ran.told("test_misses_its_window")
    assert "hil/session" not in ran.told("test_misses_its_window")


def test_a_fault_left_behind_is_an_error_unless_it_is_marked(suite: tuple[Ran, Path]) -> None:
    """The health check names the fault; the marker says that it is meant."""
    ran = suite[0]
    assert "error" == ran.outcome("test_leaves_a_fault_behind")
    assert "left behind: " in ran.told("test_leaves_a_fault_behind")
    assert "passed" == ran.outcome("test_may_leave_a_fault_behind")


def test_nothing_of_one_test_reaches_the_next(suite: tuple[Ran, Path]) -> None:
    """Each test has a bench of its own."""
    assert "passed" == suite[0].outcome("test_finds_nothing_left_behind")


@pytest.mark.parametrize(
    ("name", "outcome", "sentence"),
    [
        ("test_names_a_signal_that_does_not_exist", "failure", 'did you mean "BMS_Soc"'),
        ("test_names_no_requirement", "error", "names no requirement"),
        ("test_marks_nonsense", "error", 'did you mean "pack"'),
        ("broken", "error", 'did you mean "nfm-16s"'),
        ("idle", "error", "nothing was judged"),
    ],
)
def test_what_is_wrong_gets_a_sentence(suite: tuple[Ran, Path], name: str, outcome: str, sentence: str) -> None:
    """One sentence, with the nearest that is right, and no traceback of ours."""
    ran = suite[0]
    assert outcome == ran.outcome(name)
    assert sentence in ran.told(name)
    assert "Traceback" not in ran.told(name)


def test_captures_are_arrays(suite: tuple[Ran, Path]) -> None:
    """Signals and truths over time, with the state of charge that the marker asked for."""
    assert "passed" == suite[0].outcome("test_captures_arrays")


def test_scenario_files_are_tests_that_serve_their_requirements(suite: tuple[Ran, Path]) -> None:
    """A *.scenario.toml is collected, judged, and named by the requirements of its expectations."""
    ran = suite[0]
    assert "passed" == ran.outcome("hvil-open")
    assert "SR-HVIL" in ran.requirements("hvil-open")


def test_run_folders_are_written_and_not_collected_again(suite: tuple[Ran, Path]) -> None:
    """Each bench test and scenario has its folder with a report; the copies of scenarios in it are no tests."""
    ran, folder = suite
    assert (folder / "runs" / "hvil-open" / "report.html").is_file()
    assert any("test-passes" in path.name for path in (folder / "runs").iterdir())
    assert 1 == ran.code
    assert 12 == len(ran.cases)
    assert 12 == len(run(folder, "--collect-only").text.split("::")) - 1


def test_a_failed_test_can_be_run_again_as_a_scenario(suite: tuple[Ran, Path]) -> None:
    """The run folder of the failed test holds a scenario of what was done, which gives the same truth, bit for bit."""
    _, folder = suite
    (place,) = [path for path in (folder / "runs").iterdir() if "misses-its-window" in path.name]
    nabench = [sys.executable, "-c", "from hil.cli import main; main()"]
    again = [*nabench, "run", str(place / "inputs" / "scenario.scenario.toml"), "--out", "again"]
    done = subprocess.run(again, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert 2 == done.returncode, done.stdout + done.stderr  # NONE: the demands were those of the test
    one, two = (np.load(root / place.name / "trace.npz")["truth"] for root in (folder / "runs", folder / "again"))
    assert len(one) > 100
    assert np.array_equal(one, two, equal_nan=True)


def test_requirements_reach_junit_xml_from_workers(tmp_path: Path) -> None:
    """Under xdist too the properties are there, each once."""
    (tmp_path / "test_all.py").write_text(SUITE, encoding="utf-8")
    ran = run(tmp_path, "-n", "2", "-k", "passes or captures")
    assert 0 == ran.code, ran.text
    assert ["SR-CELL-OV", "SR-LATCH"] == ran.requirements("test_passes")


LOOKS = """
def test_looks(bench):
    bench.run_for(0.05)
    print("seed", bench._run.setup.inputs.scenario.seed)
    assert bench._run.setup.inputs.scenario.seed == {seed}
"""


@pytest.mark.parametrize(
    ("options", "env", "expected"),
    [
        ((), {}, 5),
        ((), {"NABENCH_SEED": "6"}, 6),
        (("--nabench-seed=7",), {"NABENCH_SEED": "6"}, 7),
    ],
    ids=["ini value", "environment", "option"],
)
def test_settings_come_from_option_environment_or_ini(
    tmp_path: Path, options: tuple[str, ...], env: dict[str, str], expected: int
) -> None:
    """The first that is given counts: option, environment variable, ini value."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nnabench_seed = 5\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(LOOKS.format(seed=expected), encoding="utf-8")
    ran = run(tmp_path, *options, env=env)
    assert 0 == ran.code, ran.text


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--nabench-seed=three", "is not a whole number"),
        ("--nabench-pack=nfm-16t", 'did you mean "nfm-16s"'),
        ("--nabench-dut=emulato", 'did you mean "emulator"'),
        ("--nabench-calibration=none.toml", "none.toml"),
    ],
)
def test_wrong_settings_end_the_session_before_a_test_runs(tmp_path: Path, option: str, sentence: str) -> None:
    """Pytest's usage error, exit code 4, one sentence."""
    (tmp_path / "test_it.py").write_text("def test_it(bench):\n    pass\n", encoding="utf-8")
    ran = run(tmp_path, option)
    assert 4 == ran.code
    assert sentence in ran.text
    assert "Traceback" not in ran.text


def test_a_broken_device_fails_the_example_suite(tmp_path: Path) -> None:
    """The shipped example, unchanged, against a firmware whose limits are off: its tests fail, as they must."""
    for path in (ROOT / "examples" / "pytest_suite").iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    ran = run(tmp_path, "-n", "2", "--nabench-dut=broken:check-off", "test_protection.py", "open-interlock.scenario.toml")
    assert 1 == ran.code
    assert "failure" == ran.outcome("open-interlock")
    assert "failure" == ran.outcome("test_overvoltage_reading_opens_the_contactors_and_holds_them")


def test_a_project_without_nabench_tests_imports_nothing_of_it(tmp_path: Path) -> None:
    """The plugin is loaded in every project of the environment; there it must cost next to nothing."""
    heavy = '("numba", "numpy", "pydantic", "cantools", "can", "bokeh", "hil.session", "hil.scenario")'
    body = f"import sys\n\n\ndef test_it():\n    assert not [m for m in {heavy} if m in sys.modules]\n"
    (tmp_path / "test_it.py").write_text(body, encoding="utf-8")
    ran = run(tmp_path)
    assert 0 == ran.code, ran.text


def test_one_device_on_a_table_gets_one_worker(tmp_path: Path) -> None:
    """Two workers would talk to it at once; the emulator may have as many as are asked for."""
    for dut, count in (("remote:virtual:x", "1"), ("emulator", "2")):
        body = f'import os\n\n\ndef test_it():\n    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "{count}"\n'
        (tmp_path / "test_it.py").write_text(body, encoding="utf-8")
        ran = run(tmp_path, "-n", "2", f"--nabench-dut={dut}")
        assert 0 == ran.code, ran.text


BENCH = 'format = 1\ntitle = "t"\n[buses]\npack = "BUS"\n[feeds]\nhvil = "none"\n'


def test_a_real_device_is_driven_when_armed_only(tmp_path: Path) -> None:
    """What the first test would send is listed, and nothing runs; no ini value arms. A bench refuses faults it cannot make."""
    (tmp_path / "test_it.py").write_text(
        "def test_it(bench):\n    bench.run_for(0.1)\n    bench.inject('hvil_open')\n", encoding="utf-8"
    )
    with wall.device(wall.multicast()) as device:
        (tmp_path / "bench.toml").write_text(BENCH.replace("BUS", device.bus), encoding="utf-8")
        unarmed = run(tmp_path, "--nabench-bench=bench.toml")
        armed = run(tmp_path, "--nabench-bench=bench.toml", "--nabench-arm")
        starts = device.served.report.starts
    assert 4 == unarmed.code
    assert "test_it would send" in unarmed.text
    assert "0x080  Vehicle_Request  every 100 ms  as Vehicle" in unarmed.text
    assert "to go on: --nabench-arm" in unarmed.text
    assert (1, 2) == (armed.code, starts)
    assert "this bench cannot make this fault: hvil: nobody feeds it on this bench" in armed.text
    (tmp_path / "pytest.ini").write_text("[pytest]\nnabench_arm = 1\nnabench_bench = bench.toml\n", encoding="utf-8")
    assert 4 == run(tmp_path).code
