"""A finished run: what was set up, what happened, what was found, and how fast it went."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.judge import overall
from hil.report import rests
from hil.scenario import Inputs
from hil.setup import Setup
from hil.trace import Trace
from hil.verdict import Finding, Verdict


@dataclass(frozen=True)
class Speed:
    """Simulated, processor and wall time of the loop alone [s]."""

    simulated_s: float
    cpu_s: float
    wall_s: float

    @property
    def x_real_time(self) -> float:
        """Simulated time over wall time."""
        return self.simulated_s / self.wall_s if self.wall_s > 0 else 0.0


@dataclass(frozen=True)
class Outcome:
    """What an overview of several runs keeps of one: all but the record itself, which can be large.

    result: contents of result.json.
    """

    inputs: Inputs
    findings: list[Finding]
    result: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.inputs.scenario.name

    @property
    def verdict(self) -> Verdict:
        """Verdict of the run."""
        return overall(self.findings)


@dataclass(frozen=True)
class RunRecord:
    """One run of one scenario.

    speed: None when the run was loaded from its folder.  logs: of the device, by file name.  journal: its journal on disk.
    """

    setup: Setup
    trace: Trace
    findings: list[Finding]
    speed: Speed | None
    logs: dict[str, bytes] = field(default_factory=dict)
    journal: Path | None = None

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.setup.inputs.scenario.name

    @property
    def verdict(self) -> Verdict:
        """Verdict of the run."""
        return overall(self.findings)

    def outcome(self) -> Outcome:
        """The run without its record."""
        return Outcome(self.setup.inputs, self.findings, self.result())

    def resting(self) -> list[rests.Assumption]:
        """What the verdict rests on without a source, those first that a judgement was made with."""
        return rests.assumptions(self.setup.inputs, {finding.requirement for finding in self.findings}, self.setup.kinds[1:])

    def assumptions(self) -> list[str]:
        """The same in words."""
        return [assumption.text for assumption in self.resting()]

    def result(self) -> dict[str, Any]:
        """Contents of result.json: equal runs give equal bytes."""
        s = self.setup.inputs.scenario
        return {
            **self.trace.info,
            "format": 1,
            "scenario": s.name,
            "title": s.title,
            "verdict": self.verdict.name,
            "findings": [finding.as_dict() for finding in self.findings],
            "requirements": sorted({row.requirement for row in s.expect}),
            "duration_s": self.trace.n_ticks * self.trace.dt_ns / 1e9,
            "tick_ns": self.trace.dt_ns,
            "assumptions": self.assumptions(),
        }


def result_text(record: RunRecord) -> str:
    """result.json as text."""
    return json.dumps(record.result(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def input_files(setup: Setup) -> dict[str, Any]:
    """Every file that went into a run: "kind:name as written" to path, the scenario first."""
    i, s = setup.inputs, setup.inputs.scenario
    calibration = s.calibration if s.calibration is not None else i.pack.calibration
    found = {
        "scenario:": i.path,
        f"pack:{s.pack}": i.pack_path,
        f"cell:{i.pack.cell}": i.cell_path,
        f"calibration:{calibration}": i.calibration_path,
        f"requirements:{s.requirements}": i.requirements_path,
        f"network:{s.network}": setup.network.path,
    }
    found.update({f"cell:{name}": path for name, (path, _) in zip(i.pack.group_cells(), setup.others, strict=True)})
    found.update({} if setup.bench is None else {"bench:": setup.bench})
    found.update({f"data:{name}": path for name, path in (*setup.network.data, *setup.data_files)})
    return found


def fingerprint(setup: Setup) -> dict[str, str]:
    """SHA-256 of every file that went in, by "kind:name"."""
    return {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in sorted(input_files(setup).items())}
