"""The run folder: everything a run leaves behind, written beside its place and moved there whole."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hil import files, judge, scenario, setup
from hil.errors import BenchError, ScenarioError
from hil.report.record import RunRecord, input_files, result_text
from hil.trace import Trace
from hil.verdict import Finding

_OURS = {
    "report.html", "result.json", "junit.xml", "trace.npz", "signals.csv", "frames.blf", "environment.json", "inputs",
    "session.json", "findings.json", "device.log",
}  # fmt: skip
JOURNAL = "frames.journal"
_OURS.add(JOURNAL)
_SCRATCH = re.compile(r"\.nabench-([^-]*)-(\d+)-\w+")
_STALE_S = 86_400.0


def place(out: Path, name: str) -> Path:
    """Where the run folder of a scenario goes; nothing is made yet.

    Raises BenchError when nothing can be written there, or when there is something that no run wrote.
    """
    stands = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    if not stands.is_dir():
        raise BenchError(f"{out}: {stands} is a file; expected a folder")
    if not os.access(stands, os.W_OK | os.X_OK):
        raise BenchError(f"{out}: nothing may be written to {stands}")
    target = out / name
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BenchError(f"{target}: this is no run folder; move it away, or give another --out")
    foreign = sorted({path.name for path in target.iterdir()} - _OURS) if target.exists() else []
    if foreign:
        raise BenchError(f"{target}: there is {foreign[0]}, which no run wrote; move it away, or give another --out")
    return target


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "", platform.node())


def _sweep(out: Path) -> None:
    """Remove what a run that was killed left here: its process is gone, or it is a day old."""
    for path in out.glob(".nabench-*"):
        is_ours = path.is_dir() and not path.is_symlink() and {part.name for part in path.iterdir()} <= {"new", "old"}
        if is_ours and (_is_orphan(path) or time.time() - path.stat().st_mtime > _STALE_S):
            shutil.rmtree(path, ignore_errors=True)


def _is_orphan(path: Path) -> bool:
    """True when the process of this machine that made it is gone; one of another machine may be at work in a shared folder."""
    match = _SCRATCH.fullmatch(path.name)
    if match is None or match[1] != _host() or sys.platform == "win32":  # there, signal 0 is Ctrl-C
        return False
    try:
        os.kill(int(match[2]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def whole(out: Path, name: str) -> Iterator[Path]:
    """A folder to write to, which comes to its place when the block ends well; one of an earlier run is replaced.

    Raises BenchError when the place cannot be written.
    """
    target = place(out, name)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        with tempfile.TemporaryDirectory(prefix=f".nabench-{_host()}-{os.getpid()}-", dir=out) as scratch:
            folder = Path(scratch) / "new"
            folder.mkdir()
            yield folder
            if target.exists():
                target.rename(Path(scratch) / "old")
            folder.rename(target)
    except OSError as error:
        raise BenchError(f"{target}: the run folder cannot be written: {error.strerror or error}") from None


def write(record: RunRecord, out: Path) -> Path:
    """Write the run folder `out/<scenario name>`; one of an earlier run is replaced. Returns its path.

    Raises BenchError when the place cannot be written.
    """
    from hil.record import blf, signals
    from hil.report import environment, html, junit

    with whole(out, record.name) as folder:
        copy_inputs(record, folder / "inputs")
        if record.journal is not None:
            shutil.copyfile(record.journal, folder / JOURNAL)
        record.trace.save(folder / "trace.npz")
        (folder / "result.json").write_text(result_text(record), encoding="utf-8")
        (folder / "junit.xml").write_text(junit.text([record]), encoding="utf-8")
        (folder / "environment.json").write_text(environment.text(record), encoding="utf-8")
        signals.write(record.trace, record.setup.network, folder / "signals.csv")
        blf.write(record.trace, folder / "frames.blf")
        html.write(record, folder / "report.html")
        for name, text in record.logs.items():
            (folder / name).write_bytes(text)
    if record.journal is not None:
        record.journal.unlink()
    return out / record.name


def copy_inputs(record: RunRecord, folder: Path) -> None:
    """Copy every file that went in, and an index that says which name meant which file."""
    folder.mkdir()
    index: dict[str, str] = {}
    for key, path in input_files(record.setup).items():
        kind = key.split(":")[0]
        name = path.name if kind == "data" else f"{kind}{files.SUFFIXES['scenario'] if kind == 'scenario' else '.toml'}"
        while name in index.values():
            name = f"other-{name}"
        shutil.copyfile(path, folder / name)
        index[key] = name
    (folder / files.INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> RunRecord:
    """A run from its folder alone, judged anew. Raises ScenarioError when the folder is not one, or was changed."""
    index = folder / "inputs" / files.INDEX
    if not index.is_file():
        raise ScenarioError(f"{folder}: not a run folder (there is no {index}); expected one written by nabench run")
    names = files.copies(index.parent)
    trace = Trace.load(folder / "trace.npz")
    _check_inputs(index, names, trace)
    inputs = scenario.load(index.parent / names["scenario:"])
    replaced = [key.removeprefix("calibration:") for key in names if key.startswith("calibration:")]
    inputs = _with_calibration(inputs, replaced[0], index)
    built = setup.build(inputs, trace.info["seed"])
    _check_fit(folder / "trace.npz", trace, built)
    return RunRecord(built, trace, _findings(folder, trace, built), None)


def _check_inputs(index: Path, names: dict[str, str], trace: Trace) -> None:
    """The copies are what the run was made from. Raises ScenarioError with every one that is not."""
    recorded = trace.info.get("inputs")
    kinds = {key.split(":")[0] for key in names}
    if not isinstance(recorded, dict) or set(recorded) != set(names) or not {"scenario", "calibration"} <= kinds:
        raise ScenarioError(f"{index}: lists other files than those that the trace was recorded with")
    if type(trace.info.get("seed")) is not int or trace.info["seed"] < 0:
        raise ScenarioError(f"{index.parents[1] / 'trace.npz'}: not a trace of this version: expected a seed in its head")
    found = []
    for key, name in names.items():
        path = index.parent / name
        if not path.is_file():
            found.append(f"{path}: does not exist; expected the file that the run was made from")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != recorded[key]:
            found.append(f"{path}: was changed after the run; expected the file that the run was made from")
    if found:
        raise ScenarioError(*found)


def _check_fit(path: Path, trace: Trace, built: setup.Setup) -> None:
    """The trace can be one of this scenario. Raises ScenarioError."""
    addresses = {".".join(str(x) for x in address) for address in built.rig.addresses.tolist()}
    pairs = {
        "the tick": (trace.dt_ns, built.rig.dt_ns),
        "the number of cells": (trace.cells.shape[2], built.inputs.pack.n_cells),
        "the width of a frame": (trace.journal.shape[1], built.rig.chunk.log.shape[1]),
        "the signals that faults touch": (set(built.touched) - set(trace.touched), set()),
        "the parameters that faults touch": (addresses - set(trace.parameters), set()),
    }
    for what, (found, expected) in pairs.items():
        if found != expected:
            raise ScenarioError(f"{path}: not a trace of this scenario: it differs in {what}")


def _findings(folder: Path, trace: Trace, built: setup.Setup) -> list[Finding]:
    """What the record gives: for a scenario what it expects, for a session what its test demanded."""
    from hil.session import filed

    return filed.judge_again(folder, trace, built) if (folder / filed.NAME).is_file() else judge.judge(trace, built)


def _with_calibration(inputs: scenario.Inputs, name: str, near: Path) -> scenario.Inputs:
    """The inputs with the calibration the run really had (it may have been replaced on the command line)."""
    from dataclasses import replace

    from hil import calibration

    path, decoded = calibration.load(name, near)
    changed = inputs.scenario.model_copy(update={"calibration": name})
    return replace(inputs, scenario=changed, calibration_path=path, calibration=decoded)
