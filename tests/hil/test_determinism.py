"""Same seed, same trace.npz and result.json, byte for byte; and a run folder that is judged again gives the same verdict."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from firmware_sim import jit
from hil import judge, runner, scenario, setup
from hil.bench import Bench
from hil.dut.emulator import Emulator
from hil.errors import ScenarioError
from hil.report import folder
from hil.report.record import RunRecord, fingerprint, result_text
from hil.trace import Trace
from hil.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]

# Two seconds with a fault at every seam, a load, noise, a code and an opening.
SCENARIO = """
format = 1
name = "every-seam"
title = "A fault at every seam"
pack = "nfm-16s"
duration_s = 2.0

[initial]
soc = 0.6

[[request]]
at_s = 0.1
mode = "drive"

[[load]]
at_s = 0.9
kind = "power"
power_W = 60.0

[[fault]]
fault = "frame_lost"
target = "message:CellTemperatures"
start_s = 0.3
on_ms = 20
off_ms = 50

[[fault]]
fault = "resistance_raised"
target = "cell[9]"
start_s = 0.4
with = { factor = 1.5 }

[[fault]]
fault = "cell_reads"
target = "cell[5]"
start_s = 1.0
with = { value_V = 4.2002 }

[[expect]]
kind = "reaction"
requirement = "SR-CELL-OV"

[[expect]]
kind = "soc"
requirement = "SR-SOC"
to_s = 0.9

[[expect]]
kind = "quiet"
requirement = "SR-QUIET"
from_s = 0.95
to_s = 1.1
"""

CHILD = """
import sys
from pathlib import Path
from hil import runner
from hil.report.record import result_text
record = runner.run(Path(sys.argv[1]), runner.Options())
record.trace.save(Path(sys.argv[2]) / "trace.npz")
(Path(sys.argv[2]) / "result.json").write_text(result_text(record), encoding="utf-8")
"""
BUSY = "while True: sum(range(10_000))"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario file of this module."""
    file = tmp_path_factory.mktemp("scenario") / "every-seam.scenario.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def first(path: Path) -> RunRecord:
    """A run in this process, staged."""
    return runner.run(path, runner.Options())


@pytest.fixture(scope="module")
def hashes(first: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What every other run must give."""
    return saved(first.trace, first.setup, tmp_path_factory.mktemp("first"))


def sha(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def saved(trace: Trace, built: setup.Setup, place: Path) -> tuple[str, str]:
    """Hashes of trace.npz and result.json of a run."""
    trace.save(place / "trace.npz")
    record = RunRecord(built, trace, judge.judge(trace, built), None)
    (place / "result.json").write_text(result_text(record), encoding="utf-8")
    return sha(place / "trace.npz"), sha(place / "result.json")


def of_bench(bench: Bench, place: Path) -> tuple[str, str]:
    """The same of a bench that has run, with the notes that the runner makes."""
    trace, built = bench.trace(), bench.setup
    trace.info = {"dut": "emulator", "seed": built.inputs.scenario.seed, "clock": "virtual", "inputs": fingerprint(built)}
    return saved(trace, built, place)


def in_a_process(path: Path, place: Path, **environment: str) -> tuple[str, str]:
    """The same of a run in a fresh interpreter."""
    command = [sys.executable, "-c", CHILD, str(path), str(place)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, timeout=100)
    return sha(place / "trace.npz"), sha(place / "result.json")


def switched_on(path: Path, n_packs: int = 1) -> Bench:
    built = setup.build(scenario.load(path), n_packs=n_packs)
    bench = Bench(built, Emulator(built.settings, built.rig.dt_ns, built.rig.bus_free_ns))
    bench.start()
    return bench


def test_the_run_has_something_to_differ_in(first: RunRecord) -> None:
    """Every finding passes, figures with a band among them, and there are more than a thousand frames."""
    assert {Verdict.PASS} == {finding.verdict for finding in first.findings}
    assert 3 <= sum(finding.value is not None for finding in first.findings)
    assert 1_000 < len(first.trace.journal)


def test_twice_in_one_process(path: Path, hashes: tuple[str, str], tmp_path: Path) -> None:
    """Nothing that the first run left behind shows in the second."""
    again = runner.run(path, runner.Options())
    assert hashes == saved(again.trace, again.setup, tmp_path)


def test_another_seed_gives_another_trace(path: Path, hashes: tuple[str, str], tmp_path: Path) -> None:
    """So equality is no accident of a run without noise."""
    other = runner.run(path, runner.Options(seed=2))
    assert hashes[0] != saved(other.trace, other.setup, tmp_path)[0]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_in_processes_with_other_hash_seeds(path: Path, hashes: tuple[str, str], tmp_path: Path, hash_seed: str) -> None:
    """No order of a set or a dictionary of strings gets into the files."""
    assert hashes == in_a_process(path, tmp_path, PYTHONHASHSEED=hash_seed, TZ="Pacific/Auckland")


@pytest.mark.compiled_only
def test_interpreted(path: Path, hashes: tuple[str, str], tmp_path: Path) -> None:
    """Plain Python, with no kernel compiled, writes the same bytes."""
    assert jit.is_compiled()
    assert hashes == in_a_process(path, tmp_path, NUMBA_DISABLE_JIT="1")


@contextmanager
def every_core_busy() -> Iterator[None]:
    """Twice as many busy processes as there are cores."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for child in busy:
            child.kill()
            child.wait()


def test_on_a_loaded_machine(path: Path, hashes: tuple[str, str], tmp_path: Path) -> None:
    """Virtual time does not care how long a tick takes."""
    with every_core_busy():
        again = runner.run(path, runner.Options())
    assert hashes == saved(again.trace, again.setup, tmp_path)


def test_fused(path: Path, hashes: tuple[str, str], tmp_path: Path) -> None:
    """The compiled loop writes what the staged one writes."""
    bench = switched_on(path)
    bench.run_fused(200)
    assert hashes == of_bench(bench, tmp_path)


@pytest.mark.parametrize("fused", [False, True])
def test_pack_0_of_a_batch(path: Path, hashes: tuple[str, str], tmp_path: Path, fused: bool) -> None:
    """The record of a batch of three is that of its first pack alone."""
    bench = switched_on(path, n_packs=3)
    (bench.run_fused if fused else bench.run)(200)
    assert hashes == of_bench(bench, tmp_path)


def test_the_trace_holds_no_time_of_day(first: RunRecord, tmp_path: Path) -> None:
    """Every member of the archive carries the zip format's first day, uncompressed; saved a second later it is the same."""
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    first.trace.save(one)
    with zipfile.ZipFile(one) as archive:
        members = archive.infolist()
    assert {(1980, 1, 1, 0, 0, 0)} == {member.date_time for member in members}
    assert {zipfile.ZIP_STORED} == {member.compress_type for member in members}
    os.utime(one, (0, 0))
    first.trace.save(two)
    assert one.read_bytes() == two.read_bytes()
    assert 1e9 < time.time() - one.stat().st_mtime


def test_a_trace_read_back_is_the_trace(first: RunRecord, tmp_path: Path) -> None:
    """All arrays, names and notes."""
    first.trace.save(tmp_path / "trace.npz")
    read = Trace.load(tmp_path / "trace.npz")
    for name, value in vars(first.trace).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(read, name))
        else:
            assert value == getattr(read, name)


@pytest.mark.parametrize("damage", ["shorter", "columns", "rubbish"])
def test_a_trace_that_does_not_fit_itself_is_refused(first: RunRecord, tmp_path: Path, damage: str) -> None:
    """Tables of different lengths, columns of another version, no archive at all: one sentence each, no verdict."""
    file = tmp_path / "trace.npz"
    first.trace.save(file)
    with np.load(file) as archive:
        arrays = dict(archive)
    if damage == "shorter":
        arrays["truth"] = arrays["truth"][:-1]
    head = json.loads(arrays["head"].tobytes())
    if damage == "columns":
        head["columns"][0], head["columns"][1] = head["columns"][1], head["columns"][0]
    arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(file, **arrays)
    if damage == "rubbish":
        file.write_bytes(file.read_bytes()[:1000])
    told = {"shorter": "array cells is|array sides is", "columns": "columns of truth", "rubbish": "not a readable trace"}
    with pytest.raises(ScenarioError, match=told[damage]):
        Trace.load(file)


# ---- judged again


@pytest.fixture
def run_folder(first: RunRecord, tmp_path: Path) -> Path:
    """A run folder, moved to where nobody expects it."""
    place = folder.write(first, tmp_path / "runs")
    moved = tmp_path / "somewhere else" / "x"
    moved.parent.mkdir()
    shutil.move(place, moved)
    return moved


def test_a_run_folder_gives_its_result_again(run_folder: Path) -> None:
    """Also after it was moved: result.json, byte for byte."""
    assert (run_folder / "result.json").read_text(encoding="utf-8") == result_text(folder.load(run_folder))


def test_a_run_folder_needs_no_shipped_file(run_folder: Path, tmp_path: Path) -> None:
    """In an installation whose shipped data is broken or gone, in a process without compiled kernels: the same result."""
    home = tmp_path / "installation"
    home.mkdir()
    for package in ("hil", "firmware_sim"):
        shutil.copytree(ROOT / package, home / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in [*home.rglob("*.toml"), *home.rglob("*.dbc")]:
        if "fault" not in file.parts:  # the catalogue is code in the form of a table
            file.write_text("broken", encoding="utf-8")
    assert not (home / "dbc").exists()
    code = "import hil, sys; from hil.cli import main; print(hil.__file__, file=sys.stderr); main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "judge", str(run_folder), "--json"],
        cwd=home, env={**os.environ, "NUMBA_DISABLE_JIT": "1", "NABENCH_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.stderr.startswith(str(home)), done.stderr
    assert (0, (run_folder / "result.json").read_text(encoding="utf-8")) == (done.returncode, done.stdout), done.stderr


@pytest.mark.parametrize("kind", ["requirements.toml", "calibration.toml", "cell.toml", "pack.toml", "scenario.scenario.toml"])
def test_a_copy_that_was_changed_is_refused(run_folder: Path, kind: str) -> None:
    """The copies are what is judged by, so another file there would give a verdict on another run."""
    copy = run_folder / "inputs" / kind
    copy.write_text(copy.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"inputs/{kind}: was changed after the run"):
        folder.load(run_folder)


def test_a_trace_that_was_changed_gives_another_result(run_folder: Path) -> None:
    """Contacts that close again in the record are a FAIL, whatever result.json says."""
    trace = Trace.load(run_folder / "trace.npz")
    trace.truth[-5:, [14, 15]] = 1.0
    trace.save(run_folder / "trace.npz")
    record = folder.load(run_folder)
    assert Verdict.FAIL == record.verdict
    assert (run_folder / "result.json").read_text(encoding="utf-8") != result_text(record)


def test_notes_in_a_trace_cannot_stand_for_a_verdict(first: RunRecord) -> None:
    """A trace that calls itself PASS, or brings findings along, is judged like any other."""
    trace = Trace(**{**vars(first.trace), "info": {**first.trace.info, "verdict": "FAIL", "findings": []}})
    result = RunRecord(first.setup, trace, first.findings, None).result()
    assert ("PASS", len(first.findings)) == (result["verdict"], len(result["findings"]))
