"""The run folder of a session, and how it is judged again.

A session has no scenario file, so one is written that does what the test did; in virtual time `nabench run` on it gives
the same run. session.json keeps what the test demanded, as data: `nabench judge` reads the record and judges all of it
again. What Python code decided (the test's own assert) cannot be judged again; it is kept as it was said.

A record whose beginning is gone (memory_MB) cannot be judged from its folder: then there is no trace, only the scenario,
the findings as they were, and the frames that are left.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hil import journal as j
from hil import scenario, setup
from hil.dut import Compiled, Paced
from hil.errors import ScenarioError
from hil.session import judge
from hil.session.claim import Claim
from hil.session.demand import Demands
from hil.session.run import Run
from hil.session.tape import cut
from hil.setup import Setup
from hil.trace import Trace
from hil.verdict import Evidence, Finding, Verdict

NAME = "session.json"


def write(run: Run, demands: Demands, out: Path, name: str, title: str, said: Sequence[Finding]) -> Path:
    """Write the run folder out/name. said: findings that are not of the record, as the failure of the test itself.

    Raises ScenarioError when nothing ran, BenchError when the place cannot be written.
    """
    if run.rig.k == 0:
        raise ScenarioError("nothing ran in this session, so there is nothing to write")
    with tempfile.TemporaryDirectory(prefix="nabench-") as scratch:
        path = Path(scratch) / "session.scenario.toml"
        run.story.write(path, name, title, f"Run by {title}.", run.t_ns)
        built = setup.build(scenario.load(path))
        filed = _whole if run.tape.first_tick == 0 else _reduced
        place = filed(run, demands, built, out, said)
    data = {
        "format": 1,
        "test": title,
        "claims": [claim.as_dict() for claim in demands.claims],
        "said": [finding.as_dict() for finding in said],
    }
    (place / NAME).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return place


def _whole(run: Run, demands: Demands, built: Setup, out: Path, said: Sequence[Finding]) -> Path:
    from hil.report import folder
    from hil.report.record import RunRecord, Speed, fingerprint

    trace = run.tape.whole(run.late_ns(), run.setup.touched)
    trace.info = {
        "dut": run.dut_name,
        "seed": built.inputs.scenario.seed,
        "clock": "wall" if run.bench.clock.real else "virtual",
        "inputs": fingerprint(built),
    }
    if isinstance(run.dut, Paced):
        trace.info["link"] = run.dut.notes()
    if isinstance(run.dut, Compiled):
        trace.info["firmware"] = run.dut.account()
    speed = Speed(run.t_ns * 1e-9, run.cpu_s, run.wall_s)
    return folder.write(RunRecord(built, trace, [*demands.findings, *said], speed), out)


def _reduced(run: Run, demands: Demands, built: Setup, out: Path, said: Sequence[Finding]) -> Path:
    """What is left of a long session. Raises BenchError."""
    from hil.record import blf
    from hil.report import folder
    from hil.report.record import RunRecord

    piece = run.piece(run.tape.first_tick, run.rig.k)
    trace = piece.trace
    trace.journal[:, j.T_NS] += piece.base_ns
    findings = [*demands.findings, *said]
    with folder.whole(out, built.inputs.scenario.name) as place:
        folder.copy_inputs(RunRecord(built, trace, findings, None), place / "inputs")
        blf.write(trace, place / "frames.blf")
        rows = {"kept_from_s": piece.base_ns / 1e9, "findings": [finding.as_dict() for finding in findings]}
        (place / "findings.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return out / built.inputs.scenario.name


def judge_again(place: Path, trace: Trace, built: Setup) -> list[Finding]:
    """The findings of a session's run folder, from its trace. Raises ScenarioError when session.json is damaged."""
    path = place / NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        demanded = [Claim.of(row) for row in data["claims"]]
        said = [_finding(row) for row in data["said"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScenarioError(f"{path}: not what a session wrote: {error}") from None
    found = []
    for n, claim in enumerate(demanded):
        try:
            piece = cut(trace, judge.first_tick(claim, trace.dt_ns), claim.until_ns // trace.dt_ns)
            found.append(judge.judge(piece, built, built.faults, claim))
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise ScenarioError(f"{path}: claims[{n}] is not what a session wrote: {error}") from None
    return [*found, *said]


def _finding(row: dict[str, Any]) -> Finding:
    evidence = tuple(Evidence(**e) for e in row["evidence"])
    return Finding(**{**row, "verdict": Verdict[row["verdict"]], "evidence": evidence})
