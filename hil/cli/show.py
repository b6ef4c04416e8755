"""nabench list: what there is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hil.cli import say

_WORD = 24  # columns of at most this width are not broken, as the names in the first never are
_PAPER = 160  # columns where there is no terminal


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
    what: Annotated[What, typer.Argument(help="What to list.", metavar="WHAT", parser=say.one_of(What))],
    pack: Annotated[str, typer.Option(help="Pack for signals and limits.")] = "nfm-16s",
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List scenarios, faults, cells, packs, calibrations, limits, requirements, signals or devices."""
    import json

    from rich.table import Table

    from hil import inventory

    rows = inventory.LISTS[what.value](pack)
    if json_:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for n, column in enumerate(rows[0] if rows else {}):
        longest = max(len(row[column]) for row in rows)
        table.add_column(column, no_wrap=n == 0 or longest <= _WORD, min_width=min(longest, _WORD), overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    console = say.console(markup=False, paper=_PAPER)
    console.width = max(console.width, console.measure(table, options=console.options.update(max_width=1000)).minimum)
    console.print(table)
