"""nabench watch: the signals on a bus, live and by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say

if TYPE_CHECKING:
    from rich.table import Table

    from hil.link.watching import Watch

_REFRESH_S = 0.25
_SNAPSHOT_S = 2.0
_WHY_NOT = (
    "; is the device powered, and on this bus? A run leaves its supply switched off: watch while the next run is under way, "
    "or start the device anew"
)


def watch(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="INTERFACE:CHANNEL[?KEY=VALUE&...].")],
    network: Annotated[str, typer.Option(help="Network (name or file) whose databases name the signals.")] = "classic",
    dbc: Annotated[list[Path] | None, typer.Option(help="DBC file instead of a network; may be repeated.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Signals or messages to show, as in Cell*; may be repeated.")] = None,
    for_: Annotated[
        float | None, typer.Option("--for", min=0.01, metavar="SECONDS", help="End after this time.", show_default=False)
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every frame to this journal too.", show_default=False)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Listen (2 s, or --for), print one table, end.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Listen (2 s, or --for), print one line of JSON, end.")] = False,
) -> None:
    """Show the signals on a bus by name, with value, age and period. Ctrl-C ends. Exit code 3 when nothing was heard."""
    import contextlib
    import time

    from hil.errors import BenchError, ScenarioError
    from hil.link import spec, watching
    from hil.record.journal import Journal
    from hil.report import environment

    if record is not None and record.suffix != ".journal":
        raise ScenarioError(
            f'--record {record}: expected a name that ends in ".journal"; nabench convert makes other logs of it'
        )
    wanted = only or ["*"]
    seen = watching.open_watch(spec.parse(bus), network, dbc or [], wanted)
    try:
        if record is not None:
            seen.journal = Journal(record, {"buses": [bus], "versions": environment.versions()})
        begun = time.monotonic_ns()
        if once or json_:
            seen.listen(begun + round((for_ or _SNAPSHOT_S) * 1e9))
            console = say.console()
            if json_:
                typer.echo(_snapshot(seen, bus, wanted))
            else:
                console.print(_table(seen, wanted))
        else:
            with contextlib.suppress(KeyboardInterrupt):
                _live(seen, wanted, None if for_ is None else begun + round(for_ * 1e9))
    finally:
        seen.bus.close()
        if seen.journal is not None:
            seen.journal.close()
    if seen.journal is not None:
        if seen.journal.failure:
            raise BenchError(seen.journal.failure)
        typer.echo(f"{record}: {seen.journal.acknowledged} frames", err=True)
    heard = bool(seen.unknown) or any(book.heard for book in seen.books)
    if not heard:
        odd = [f"{n} {what} frames" for n, what in ((seen.bus.counts.errors, "error"), (seen.bus.counts.remote, "remote")) if n]
        some = f'no data frame was heard on "{bus}", only {" and ".join(odd)}'
        typer.echo(some if odd else f'nothing was heard on "{bus}"{_WHY_NOT}', err=True)
    raise typer.Exit(0 if heard else 3)


def _live(seen: Watch, wanted: list[str], end_ns: int | None) -> None:
    import time

    from rich.live import Live

    with Live(_table(seen, wanted), auto_refresh=False, screen=False, vertical_overflow="crop") as live:
        while end_ns is None or time.monotonic_ns() < end_ns:
            until_ns = time.monotonic_ns() + round(_REFRESH_S * 1e9)
            seen.listen(until_ns if end_ns is None else min(until_ns, end_ns))
            live.update(_table(seen, wanted), refresh=True)


def _shown(wanted: list[str], *names: str) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name, pattern) for name in names for pattern in wanted)


def _table(seen: Watch, wanted: list[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("message", "left"),
        ("signal", "left"),
        ("value", "right"),
        ("age ms", "right"),
        ("period ms", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    before = ""
    for row in seen.rows():
        if _shown(wanted, row.signal, row.message):
            times = (f"{row.age_ms:.0f}", f"{row.period_ms:.1f}") if row.message != before else ("", "")
            table.add_row(row.message if row.message != before else "", row.signal, row.text, *times)
            before = row.message
    for can_id, heard in sorted(seen.unknown.items()):
        table.add_row(f"0x{can_id:X}", "unknown id", heard.frame.data.hex(" "), "", f"{heard.period_ns / 1e6:.1f}")
    return table


def _snapshot(seen: Watch, bus: str, wanted: list[str]) -> str:
    import json

    signals = [
        {
            "message": row.message,
            "signal": row.signal,
            "value": row.value,
            "text": row.text,
            "unit": row.unit,
            "age_ms": round(row.age_ms, 1),
            "period_ms": round(row.period_ms, 2),
        }
        for row in seen.rows()
        if _shown(wanted, row.signal, row.message)
    ]
    unknown = {
        f"0x{can_id:X}": {"frames": heard.n, "period_ms": round(heard.period_ns / 1e6, 2), "data": heard.frame.data.hex()}
        for can_id, heard in sorted(seen.unknown.items())
    }
    return json.dumps({"bus": bus, "signals": signals, "unknown": unknown})
