"""The figures of the wire for people, and which targets they meet."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from hil.speed.table import Target, verdicts
from hil.speed.wire import WITHIN, WITHIN_WIDE

_WHAT = {"hard": "one period each", "bulk": "pages behind them"}


def targets(found: dict[str, Any]) -> list[Target]:
    """Every target. The pacing is an aim: it is promised for a machine that is otherwise idle."""
    slcan, pace = found["slcan"], found["pacing"]
    rate = f"{found['frames_per_s']:,} frames/s"
    out = [
        Target(f"slcan reader at {rate} (cores)", slcan["core_share"], 0.10, at_least=False),
        Target("slcan reader: times less than python-can's", slcan["ratio"], 4.0),
        Target("slcan reader: frames lost", slcan["lost"], 0, at_least=False),
    ]
    for kind, row in found["bench"].items():
        out.append(Target(f"decode, journal and judge at {rate} over {kind} (cores)", row["core_share"], 0.5, at_least=False))
        out.append(Target(f"frames lost between bus and journal over {kind}", row["lost"], 0, at_least=False))
    out.append(Target("800 frames/s: share within 1.5 ms", pace["within_1_5_ms"], WITHIN, aim=True))
    out.append(Target("800 frames/s: share within 5 ms", pace["within_5_ms"], WITHIN_WIDE, aim=True))
    return out


def show(found: dict[str, Any], console: Console) -> None:
    """Print everything."""
    machine, slcan, pace = found["machine"], found["slcan"], found["pacing"]
    console.print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average']}; {machine['platform']}")
    table = Table(title=f"{found['frames_per_s']:,} frames/s of 8 bytes", title_justify="left", header_style="bold")
    for column in ("who", "share of a core", "lost"):
        table.add_column(column, justify="left" if column == "who" else "right")
    table.add_row("slcan on a pty, our reader", f"{100 * slcan['core_share']:.1f} %", str(slcan["lost"]))
    table.add_row("slcan on a pty, python-can's reader", f"{100 * slcan['python_can_core_share']:.1f} %", "")
    for kind, row in found["bench"].items():
        table.add_row(f"the whole bench over {kind}", f"{100 * row['core_share']:.1f} %", str(row["lost"]))
    console.print(table)
    console.print(pace_text(pace))
    console.print(verdicts(targets(found)))


def pace_text(pace: dict[str, Any]) -> str:
    """How well frames kept their times, all and by class, on what, and whether that is what is promised."""
    rows = [("all", pace), *((f"{name}, {_WHAT[name]}", row) for name, row in pace["classes"].items())]
    shares = [
        f"{who}: {row['frames']} frames, {100 * row['within_1_5_ms']:.2f} % within 1.5 ms, "
        f"{100 * row['within_5_ms']:.3f} % within 5 ms"
        for who, row in rows
    ]
    before, after = pace["load_average"]
    load = "" if before is None else f", load average {before:g} before and {after:g} after"
    head = (
        f"800 frames a second for {pace['seconds']:g} s: {pace['late']} late, none by more than {pace['worst_ms_at_most']:g} ms"
    )
    promise = f"{100 * WITHIN:g} % within 1.5 ms and {100 * WITHIN_WIDE:g} % within 5 ms"
    end = f"promised on an otherwise idle machine, {promise}: {'kept' if pace['kept'] else 'not kept'}"
    return "\n".join([head, *shares, f"{pace['scheduling']}; {pace['cores']} cores{load}", end])
