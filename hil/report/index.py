"""index.html over several runs: verdicts, and which requirement is covered by what, or by nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hil import files
from hil.errors import BenchError
from hil.report import story
from hil.report.html import templates
from hil.report.record import Outcome
from hil.requirement import Requirement
from hil.verdict import Verdict, worst

_SIGN = b'<meta name="generator" content="nabench">'


@dataclass(frozen=True)
class Cover:
    """A requirement in one run. verdict: the heaviest of its findings, NONE when it was expected but not judged."""

    outcome: Outcome
    link: str
    verdict: Verdict


@dataclass(frozen=True)
class Matrix:
    """One requirements file: its rows, and those that no run judged."""

    name: str
    title: str
    rows: list[tuple[Requirement, list[Cover]]]
    uncovered: list[tuple[Requirement, list[Cover]]]


def write(outcomes: list[tuple[Outcome, Path]], broken: list[str], out: Path) -> Path:
    """Write `out/index.html` and return its path.

    outcomes: runs with their folders.  broken: what was wrong with scenarios that could not be run.
    Raises BenchError when it cannot be written.
    """
    path = place(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files.write(path, text(outcomes, broken, out))
    except OSError as error:
        raise BenchError(f"{path}: the overview cannot be written: {error.strerror or error}") from None
    return path


def place(out: Path) -> Path:
    """Where the overview goes. Raises BenchError when a page lies there that is not ours."""
    path = out / "index.html"
    if path.exists() and not (path.is_file() and _SIGN in path.read_bytes()[:1000]):
        raise BenchError(f"{path}: nabench did not write this; move it away, or give another --out")
    return path


def text(outcomes: list[tuple[Outcome, Path]], broken: list[str], out: Path) -> str:
    """The overview as HTML; links count from `out`."""
    runs = [(outcome, _link(folder, out)) for outcome, folder in outcomes]
    verdicts = [outcome.verdict for outcome, _ in runs] + ([Verdict.ERROR] if broken else [])
    total = worst(verdicts)
    counts = [(v, sum(outcome.verdict is v for outcome, _ in runs)) for v in sorted(Verdict, reverse=True)]
    reasons = {n: story.reason(outcome) for n, (outcome, _) in enumerate(runs) if outcome.verdict is not Verdict.PASS}
    matrices = _matrices(runs)
    return (
        templates()
        .get_template("index.html.j2")
        .render(
            verdict=total,
            words=story.WORDS[total] if total is not Verdict.PASS else "every run passed",
            runs=runs,
            counts=[(v, n) for v, n in counts if n],
            reasons=reasons,
            broken=broken,
            matrices=matrices,
            n_uncovered=sum(len(matrix.uncovered) for matrix in matrices),
        )
    )


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
        covers = [
            Cover(outcome, link, _verdict(outcome, requirement.id)) for outcome, link in runs if _named(outcome, requirement.id)
        ]
        rows.append((requirement, covers))
    uncovered = [(r, covers) for r, covers in rows if all(cover.verdict is Verdict.NONE for cover in covers)]
    return Matrix(file.name, file.title, rows, uncovered)


def _named(outcome: Outcome, requirement: str) -> bool:
    return any(row.requirement == requirement for row in outcome.inputs.scenario.expect)


def _verdict(outcome: Outcome, requirement: str) -> Verdict:
    return worst([finding.verdict for finding in outcome.findings if finding.requirement == requirement])
