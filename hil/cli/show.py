"""nabench list: what there is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """What can be listed."""

    scenarios = "scenarios"
    faults = "faults"
    cells = "cells"
    packs = "packs"
    calibrations = "calibrations"
    limits = "limits"
    requirements = "requirements"
    signals = "signals"
    duts = "duts"


def show(
    what: Annotated[What, typer.Argument(help="What to list.")],
    pack: Annotated[str, typer.Option(help="Pack for signals and limits.")] = "nfm-16s",
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List scenarios, faults, cells, packs, calibrations, limits, requirements, signals or devices."""
    import json

    from rich.console import Console
    from rich.table import Table

    from hil import inventory

    rows = inventory.LISTS[what.value](pack)
    if json_:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for n, column in enumerate(rows[0] if rows else {}):
        table.add_column(column, no_wrap=n == 0, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(highlight=False, markup=False).print(table)
