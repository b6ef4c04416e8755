"""report.html: one run on one page that opens anywhere, without a network."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hil import figures, files
from hil.errors import BenchError
from hil.observe import View
from hil.report import accuracy, bokehjs, bus, charts, environment, plots, rests, story
from hil.report.panels import Panel, Scene
from hil.report.record import RunRecord
from hil.report.story import Jump
from hil.wirelog import WireLog

_MOST_ENTRIES = 8  # of a list among the facts
_SIGN = b'<meta name="generator" content="nabench">'


@lru_cache
def templates(*also: Path) -> Environment:
    """The page templates, with those of other folders; every value is escaped."""
    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader([folder, *also]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def claim(path: Path, option: str = "--out") -> None:
    """Raise BenchError when something lies there that is no page of ours. option: that gave the path."""
    if not path.exists():
        return
    if path.is_dir():
        raise BenchError(f"{path}: is a folder; expected the name of a file; give another {option}")
    # a link in /dev may lead to a regular file: the one that the output goes to
    if not path.is_file() or path.absolute().parent == Path("/dev"):
        raise BenchError(f"{path}: is a device or a pipe; expected the name of a file; give another {option}")
    if _SIGN not in path.read_bytes()[:1000]:
        raise BenchError(f"{path}: nabench did not write this; move it away, or give another {option}")


def claim_early(path: Path, option: str) -> None:
    """The same, long before the page is written, and when it could not be: its folder is missing or read-only."""
    folder = path.parent
    try:
        if not folder.is_dir():
            why = f"{folder} is a file; expected a folder" if folder.exists() else f"the folder {folder} does not exist"
            raise BenchError(f"{option} {path}: {why}")
        claim(path, option)
        files.try_write(path)
    except OSError as error:
        raise BenchError(f"{option} {path}: cannot be written: {error.strerror or error}") from None


def write(record: RunRecord, path: Path) -> None:
    """Write the report. The environment is that of environment.json beside it, when there is one."""
    beside = path.parent / "environment.json"
    facts = beside.read_text(encoding="utf-8") if beside.is_file() else environment.text(record)
    files.write(path, text(record, json.loads(facts)))


def text(record: RunRecord, facts: dict[str, Any]) -> str:
    """The report as HTML. Equal records and facts give equal text."""
    view = View(record.trace, WireLog(record.trace.journal, record.setup.network), record.setup)
    scene = Scene(view, charts.events(view, record.findings))
    drawn = charts.panels(scene)
    spans = charts.fault_spans(scene)
    document, roots = plots.document(drawn, spans, scene.end_s)
    faults = story.faults(view)
    low, high = accuracy.soc_window(record.setup.inputs.cell)
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            record=record,
            scenario=record.setup.inputs.scenario,
            words=story.WORDS[record.verdict],
            summary=story.summary(record, faults),
            findings=story.findings(record),
            faults=faults,
            bus_nodes=bus.nodes(scene),
            bus_frames=bus.frames(scene),
            panels=drawn,
            right=plots.right_border(drawn),
            keys={panel.key: _legend(panel) for panel in drawn},
            place=lambda column: charts.place(column, drawn),
            jumps=_jumps(scene, spans),
            accuracy=accuracy.table(view),
            no_accuracy=figures.why_no_leg(view),
            window=(accuracy.OCV_WINDOW_V, (low, high)),
            assumptions=record.resting(),
            shares=rests.shares(record.setup.inputs, record.setup.kinds[1:]),
            inputs=record.trace.info.get("inputs", {}),
            facts=_flat({**facts, **{key: record.trace.info.get(key, {}) for key in ("link", "firmware")}}),
            script=bokehjs.script(),
            document=document.replace("<", "\\u003c"),
            roots=json.dumps({root: f"plot-{key}" for key, root in roots.items()}),
        )
    )


def _legend(panel: Panel) -> list[tuple[str, str, str, float]]:
    """(name, how it is drawn, colour, width) of each group, once."""
    rows: dict[str, tuple[str, str, str, float]] = {}
    for band in panel.bands:
        rows.setdefault(band.group, (band.group, "area", band.colour, 10.0))
    for line in panel.lines:
        rows.setdefault(line.group, (line.group, "none" if line.dash == "solid" else "4 3", line.colour, line.width))
    return [*rows.values(), *((name, "area", colour, 5.0) for name, colour in panel.keys)]


def _jumps(scene: Scene, spans: list[tuple[float, float, str]]) -> list[Jump]:
    """The whole run, and each fault with what stands around its start."""
    out = [Jump("whole run", "", "", -0.01 * scene.end_s, 1.01 * scene.end_s, -1.0)]
    for start_s, stop_s, label in spans:
        after = min(max(stop_s - start_s, 0.5), 2.0)
        out.append(Jump(f"fault {label}", "", "", start_s - 0.5, start_s + after, start_s))
    return out


def _flat(facts: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as rows."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{label}: ")
        else:
            left = len(value) - _MOST_ENTRIES if isinstance(value, list) else 0
            rows.append((label, f"{value[:_MOST_ENTRIES]} and {left} more in result.json" if left > 0 else str(value)))
    return rows
