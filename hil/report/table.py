"""Tables for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hil.report.record import RunRecord
from hil.verdict import Finding, Verdict, worst

_STYLE = {
    Verdict.PASS: "bold green",
    Verdict.FAIL: "bold red",
    Verdict.INCONC: "bold yellow",
    Verdict.ERROR: "bold magenta",
    Verdict.NONE: "dim",
}


def styled(verdict: Verdict) -> str:
    """A verdict in its colour."""
    return f"[{_STYLE[verdict]}]{verdict.name}[/]"


def figure(finding: Finding) -> str:
    """The measured figure with its uncertainty: 498.9 ms (498.6 to 499.2)."""
    if finding.value is None:
        return ""
    if finding.low is None or finding.high is None or finding.low == finding.high:
        return f"{finding.value:.4g} {finding.unit}".replace(" 1", "")
    return f"{finding.value:.1f} {finding.unit} ({finding.low:.1f} to {finding.high:.1f})"


def show(record: RunRecord, folder: Path, console: Console, full: bool) -> None:
    """Print a run: its findings when `full`, else one line and what did not pass."""
    s = record.setup.inputs.scenario
    speed = f"; {record.speed.x_real_time:,.0f} x real time" if record.speed is not None else ""
    if full:
        table = Table(title=escape(f"{s.name}: {s.title}"), title_justify="left", header_style="bold", pad_edge=False)
        for column in ("requirement", "what", "expected", "seen", "time", "verdict"):
            table.add_column(column, overflow="fold", no_wrap=column in ("requirement", "verdict"))
        for f in record.findings:
            table.add_row(f.requirement, escape(f.what), escape(f.expected), escape(f.seen), figure(f), styled(f.verdict))
        console.print(table)
    console.print(f"{styled(record.verdict)} {escape(s.name)} ({s.duration_s:g} s{speed})")
    for f in record.findings:
        if f.verdict is not Verdict.PASS:
            console.print(f"  {styled(f.verdict)} {escape(f'{f.requirement}, {f.what}: expected {f.expected}; seen {f.seen}')}")
            if f.next_step:
                console.print(f"    next: {escape(f.next_step)}")
    if full:
        console.print(f"report: {escape(str(folder / 'report.html'))}")


def show_many(verdicts: list[Verdict], overview: Path, console: Console) -> None:
    """Print the count of verdicts over several runs and where the overview lies."""
    parts = [f"{verdicts.count(v)} {styled(v)}" for v in Verdict if v in verdicts]
    console.print(f"{styled(worst(verdicts))} over {len(verdicts)} scenarios: {', '.join(parts)}")
    console.print(f"overview: {escape(str(overview))}")
