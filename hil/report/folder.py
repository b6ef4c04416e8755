"""The run folder: everything a run leaves behind, written beside its place and moved there whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hil import files, judge, scenario, setup
from hil.errors import BenchError, ScenarioError
from hil.report.record import RunRecord, input_files, result_text
from hil.trace import Trace
from hil.verdict import Finding


def write(record: RunRecord, out: Path) -> Path:
    """Write the run folder `out/<scenario name>`; one of an earlier run is replaced. Returns its path.

    Raises BenchError when the place cannot be written.
    """
    from hil.record import blf, signals
    from hil.report import environment, html, junit

    target = out / record.name
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".nabench-", dir=out) as scratch:
            folder = Path(scratch) / record.name
            folder.mkdir()
            copy_inputs(record, folder / "inputs")
            record.trace.save(folder / "trace.npz")
            (folder / "result.json").write_text(result_text(record), encoding="utf-8")
            (folder / "junit.xml").write_text(junit.text([record]), encoding="utf-8")
            (folder / "environment.json").write_text(environment.text(record), encoding="utf-8")
            signals.write(record.trace, record.setup.network, folder / "signals.csv")
            blf.write(record.trace, folder / "frames.blf")
            html.write(record, folder / "report.html")
            if target.exists():
                shutil.rmtree(target)
            folder.rename(target)
    except OSError as error:
        raise BenchError(f"{target}: the run folder cannot be written: {error.strerror or error}") from None
    return target


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
    """A run from its folder alone, judged anew. Raises ScenarioError when the folder is not one."""
    index = folder / "inputs" / files.INDEX
    if not index.is_file():
        raise ScenarioError(f"{folder}: not a run folder (there is no {index}); expected one written by nabench run")
    names = json.loads(index.read_text(encoding="utf-8"))
    inputs = scenario.load(folder / "inputs" / names["scenario:"])
    replaced = [key.removeprefix("calibration:") for key in names if key.startswith("calibration:")]
    inputs = _with_calibration(inputs, replaced[0], index)
    trace = Trace.load(folder / "trace.npz")
    built = setup.build(inputs, int(trace.info.get("seed", inputs.scenario.seed)))
    return RunRecord(built, trace, _findings(folder, trace, built), None)


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
