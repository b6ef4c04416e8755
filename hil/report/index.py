"""index.html over several runs: verdicts, and which requirement is covered by what, or by nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hil import files
from hil.errors import BenchError
from hil.report import story
from hil.report.html import claim, templates
from hil.report.record import Outcome
from hil.requirement import Requirement
from hil.scenario import Expect, SignalExpect
from hil.verdict import Verdict, worst

# Figures of a requirement, by the kind of expectation that is judged by them.
_FIGURES = {"soc": ("max_error", "rmse"), "precharge": ("tries", "end_ms", "gap_ms")}


@dataclass(frozen=True)
class Cover:
    """A requirement in one run.

    verdict: the heaviest of its findings, NONE when it was expected but not judged.  tested: an expectation there can fail
    on what the requirement says; else it is only touched.
    """

    outcome: Outcome
    link: str
    verdict: Verdict
    tested: bool

    @property
    def counts(self) -> bool:
        """True when the requirement is covered here."""
        return self.tested and self.verdict is not Verdict.NONE


@dataclass(frozen=True)
class Matrix:
    """One requirements file: its rows, and those that no run judged."""

    name: str
    title: str
    rows: list[tuple[Requirement, list[Cover]]]
    uncovered: list[tuple[Requirement, list[Cover]]]


def write(outcomes: list[tuple[Outcome, Path]], broken: list[str], out: Path, stopped: str = "") -> Path:
    """Write `out/index.html` and return its path.

    outcomes: runs with their folders.  broken: what was wrong with scenarios that could not be run.  stopped: how the rest
    was called off; empty when all were run. Raises BenchError when it cannot be written.
    """
    path = place(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files.write(path, text(outcomes, broken, out, stopped))
    except OSError as error:
        raise BenchError(f"{path}: the overview cannot be written: {error.strerror or error}") from None
    return path


def place(out: Path) -> Path:
    """Where the overview goes. Raises BenchError when a page lies there that is not ours."""
    path = out / "index.html"
    claim(path)
    return path


def text(outcomes: list[tuple[Outcome, Path]], broken: list[str], out: Path, stopped: str = "") -> str:
    """The overview as HTML; links count from `out`."""
    runs = [(outcome, _link(folder, out)) for outcome, folder in outcomes]
    verdicts = [outcome.verdict for outcome, _ in runs] + ([Verdict.ERROR] if broken else [])
    verdicts += [Verdict.INCONC] if stopped else []
    total = worst(verdicts)
    counts = [(v, sum(outcome.verdict is v for outcome, _ in runs)) for v in sorted(Verdict, reverse=True)]
    reasons = {n: story.reason(outcome) for n, (outcome, _) in enumerate(runs) if outcome.verdict is not Verdict.PASS}
    matrices = _matrices(runs)
    return (
        templates()
        .get_template("index.html.j2")
        .render(
            verdict=total,
            words=_words(total, stopped),
            runs=runs,
            counts=[(v, n) for v, n in counts if n],
            reasons=reasons,
            broken=broken,
            stopped=stopped,
            matrices=matrices,
            n_uncovered=sum(len(matrix.uncovered) for matrix in matrices),
        )
    )


def _words(total: Verdict, stopped: str) -> str:
    if stopped and total is Verdict.INCONC:
        return "stopped before the end"
    return story.WORDS[total] if total is not Verdict.PASS else "every run passed"


def _link(folder: Path, out: Path) -> str:
    """Address of a report as seen from the overview."""
    return Path(os.path.relpath(folder / "report.html", out)).as_posix()


def _matrices(runs: list[tuple[Outcome, str]]) -> list[Matrix]:
    """One matrix for each requirements file that was used, told apart by its contents."""
    groups: list[list[tuple[Outcome, str]]] = []
    for run in runs:
        required = run[0].inputs.requirements
        group = next((g for g in groups if g[0][0].inputs.requirements == required), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return [_matrix(group) for group in groups]


def _matrix(runs: list[tuple[Outcome, str]]) -> Matrix:
    file = runs[0][0].inputs.requirements
    rows = []
    for requirement in file.requirement:
        named = [(outcome, link, expects) for outcome, link in runs if (expects := _naming(outcome, requirement.id))]
        found = [Cover(o, link, _verdict(o, requirement.id), covers(requirement, expects)) for o, link, expects in named]
        rows.append((requirement, found))
    uncovered = [(r, found) for r, found in rows if not any(cover.counts for cover in found)]
    return Matrix(file.name, file.title, rows, uncovered)


def covers(requirement: Requirement, rows: Sequence[Expect]) -> bool:
    """True when one of these expectations puts a requirement to the test: it is judged by its window or figures.

    A trigger without a window is a limit to be kept, which `within` judges.
    Where no hazard of its own starts the clock, so does one that waits for its code to be reported. A requirement that has
    neither window nor figure is a state, which any kind may judge.
    """
    timed = requirement.trigger is not None or requirement.fdti_ms is not None or requirement.fhti_ms is not None
    judging = {kind for kind, figures in _FIGURES.items() if set(figures) & set(requirement.limits)}
    judging |= {"reaction"} if timed else set()
    if requirement.trigger is not None and requirement.fdti_ms is None and requirement.fhti_ms is None:
        judging.add("within")
    if not judging:
        return bool(rows)
    codes = [] if requirement.trigger is not None else requirement.codes
    return any(row.kind in judging or (row.kind == "signal" and _waits_for(row, codes)) for row in rows)


def _waits_for(row: SignalExpect, codes: Sequence[str]) -> bool:
    return row.mode != "never" and row.value == "active" and row.signal.removeprefix("Diag_") in codes


def _naming(outcome: Outcome, requirement: str) -> list[Expect]:
    """Expectations that name a requirement."""
    return [row for row in outcome.inputs.scenario.expect if row.requirement == requirement]


def _verdict(outcome: Outcome, requirement: str) -> Verdict:
    return worst([finding.verdict for finding in outcome.findings if finding.requirement == requirement])
