"""nabench scan: who talks on a bus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli import say


def scan(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="INTERFACE:CHANNEL[?KEY=VALUE&...].")],
    network: Annotated[str, typer.Option(help="Network (name or file) whose databases name the messages.")] = "classic",
    dbc: Annotated[list[Path] | None, typer.Option(help="DBC file instead of a network; may be repeated.")] = None,
    for_: Annotated[float, typer.Option("--for", min=0.01, max=3600, metavar="SECONDS", help="How long to listen.")] = 2.0,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Listen, and show every id with period, length, message and node. Exit code 3 when nothing was heard."""
    import json

    from rich.markup import escape
    from rich.table import Table

    from hil.link import scanning, sending, spec
    from hil.link.can_bus import CanBus

    where, database = spec.parse(bus), sending.database_of(network, dbc or [])
    opened = CanBus(where, database.buses[0].bitrate, any(message.is_fd for message in database.messages))
    try:
        lines = scanning.fit(scanning.listen(opened, for_), database)
    finally:
        opened.close()
    nodes = scanning.nodes(lines, database)
    if json_:
        typer.echo(json.dumps({"bus": bus, "ids": [line.as_dict() for line in lines], "nodes": nodes}))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("id", "frames", "every ms", "bytes", "message", "node", "remark"):
            table.add_column(name, no_wrap=name != "remark", justify="right" if name in ("frames", "every ms") else "left")
        for line in lines:
            talk, period = line.talk, line.talk.period_ms
            lengths = "/".join(map(str, sorted(talk.lengths)))
            shown = "" if period is None else f"{period:.1f}"
            table.add_row(talk.label, str(talk.n), shown, lengths, *map(escape, (line.message, line.node, line.remark)))
        say.console().print(table)
        told = ", ".join(f"{name} {heard} of {all_}" for name, (heard, all_) in nodes.items() if heard)
        silent = ", ".join(name for name, (heard, _) in nodes.items() if not heard)
        typer.echo(f"nodes by messages heard: {told or 'none'}" + (f"; silent: {silent}" if silent else ""))
    if not lines:
        typer.echo(f'nothing was heard on "{bus}" in {for_:g} s', err=True)
    raise typer.Exit(0 if lines else 3)
