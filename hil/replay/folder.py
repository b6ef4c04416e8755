"""What is left of a replay: for each log its result and the frames on the bus, over all of them a page and JUnit XML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hil import files
from hil.errors import BenchError
from hil.record import blf
from hil.replay.case import Case
from hil.report import folder, html, junit
from hil.verdict import Verdict, worst


def place(out: Path, names: list[str]) -> None:
    """Whether everything can be written. Raises BenchError."""
    html.claim(out / "index.html")
    for name in names:
        folder.place(out, name)


def result(case: Case, dut: str) -> dict[str, Any]:
    """result.json: equal replays in lockstep give equal bytes."""
    trace = case.played.trace if case.played is not None else None
    return {
        "format": 1,
        "log": case.path.name,
        "dut": dut,
        "expected": case.expected,
        "verdict": case.verdict.name,
        "findings": [finding.as_dict() for finding in case.findings],
        "notes": case.notes,
        "duration_s": None if trace is None else trace.n_ticks * trace.dt_ns / 1e9,
    }


def write_one(case: Case, dut: str, out: Path) -> Path:
    """Folder of one log: result.json, and frames.blf when it was played. Raises BenchError."""
    with folder.whole(out, case.name) as place:
        text = json.dumps(result(case, dut), indent=1, sort_keys=True, ensure_ascii=False)
        (place / "result.json").write_text(text + "\n", encoding="utf-8")
        if case.played is not None:
            blf.write(case.played.trace, place / "frames.blf")
    return out / case.name


def write_all(cases: list[Case], dut: str, out: Path, stopped: str) -> Path:
    """index.html and junit.xml over all. stopped: how the rest was called off. Returns the page. Raises BenchError."""
    page = out / "index.html"
    verdict = worst([*(case.verdict for case in cases), *([Verdict.INCONC] if stopped else [])])
    counts = [(v, sum(case.verdict is v for case in cases)) for v in sorted(Verdict, reverse=True)]
    text = (
        html.templates()
        .get_template("replay.html.j2")
        .render(verdict=verdict, cases=cases, counts=[(v, n) for v, n in counts if n], dut=dut, stopped=stopped)
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        files.write(page, text)
        files.write(out / "junit.xml", junit.text(cases, "replay"))
    except OSError as error:
        raise BenchError(f"{page}: the overview cannot be written: {error.strerror or error}") from None
    return page
