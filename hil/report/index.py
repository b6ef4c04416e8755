"""index.html over several runs: verdicts, and which requirement is covered by what, or by nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hil import files
from hil.errors import BenchError
from hil.report import story
from hil.report.html import templates
from hil.report.record import RunRecord
from hil.requirement import Requirement
from hil.verdict import Verdict, worst

_SIGN = b'<meta name="generator" content="nabench">'


@dataclass(frozen=True)
class Cover:
    """A requirement in one run. verdict: the heaviest of its findings, NONE when it was expected but not judged."""

    record: RunRecord
    link: str
    verdict: Verdict


@dataclass(frozen=True)
class Matrix:
    """One requirements file: its rows, and those that no run judged."""

    name: str
    title: str
    rows: list[tuple[Requirement, list[Cover]]]
    uncovered: list[tuple[Requirement, list[Cover]]]


def write(records: list[tuple[RunRecord, Path]], broken: list[str], out: Path) -> Path:
    """Write `out/index.html` and return its path.

    records: runs with their folders.  broken: what was wrong with scenarios that could not be run.
    Raises BenchError when it cannot be written.
    """
    path = place(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        files.write(path, text(records, broken, out))
    except OSError as error:
        raise BenchError(f"{path}: the overview cannot be written: {error.strerror or error}") from None
    return path


def place(out: Path) -> Path:
    """Where the overview goes. Raises BenchError when a page lies there that is not ours."""
    path = out / "index.html"
    if path.exists() and not (path.is_file() and _SIGN in path.read_bytes()[:1000]):
        raise BenchError(f"{path}: nabench did not write this; move it away, or give another --out")
    return path


def text(records: list[tuple[RunRecord, Path]], broken: list[str], out: Path) -> str:
    """The overview as HTML; links count from `out`."""
    runs = [(record, _link(folder, out)) for record, folder in records]
    verdicts = [record.verdict for record, _ in runs] + ([Verdict.ERROR] if broken else [])
    total = worst(verdicts)
    counts = [(v, sum(record.verdict is v for record, _ in runs)) for v in sorted(Verdict, reverse=True)]
    reasons = {n: story.reason(record) for n, (record, _) in enumerate(runs) if record.verdict is not Verdict.PASS}
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


def _matrices(runs: list[tuple[RunRecord, str]]) -> list[Matrix]:
    """One matrix for each requirements file that was used, told apart by its contents."""
    groups: list[list[tuple[RunRecord, str]]] = []
    for run in runs:
        required = run[0].setup.inputs.requirements
        group = next((g for g in groups if g[0][0].setup.inputs.requirements == required), None)
        if group is None:
            groups.append([run])
        else:
            group.append(run)
    return [_matrix(group) for group in groups]


def _matrix(runs: list[tuple[RunRecord, str]]) -> Matrix:
    file = runs[0][0].setup.inputs.requirements
    rows = []
    for requirement in file.requirement:
        covers = [
            Cover(record, link, _verdict(record, requirement.id)) for record, link in runs if _named(record, requirement.id)
        ]
        rows.append((requirement, covers))
    uncovered = [(r, covers) for r, covers in rows if all(cover.verdict is Verdict.NONE for cover in covers)]
    return Matrix(file.name, file.title, rows, uncovered)


def _named(record: RunRecord, requirement: str) -> bool:
    return any(row.requirement == requirement for row in record.setup.inputs.scenario.expect)


def _verdict(record: RunRecord, requirement: str) -> Verdict:
    return worst([finding.verdict for finding in record.findings if finding.requirement == requirement])
