"""nabench check: is a file of ours right, and if not, everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli import say

_MOST_NOTES = 50


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Scenario, cell, pack, calibration, network, requirements, map, bench or DBC files."
        ),
    ],
    pack: Annotated[
        str | None, typer.Option("--pack", help="Networks: the pack that they are for, shipped or a file.", show_default=False)
    ] = None,
    bits: Annotated[
        bool, typer.Option("--bits", help="DBC files and networks: show where every signal lies, as a picture.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="The same pictures as an HTML file.", show_default=False)] = None,
) -> None:
    """Validate files and say all that is wrong with each. Exit code 0 or 2.

    With a bench file, scenarios (names or files) are held against it: what of each it can neither stimulate nor see.
    """
    from hil import checker, files
    from hil.errors import NabenchError

    bad = 0
    bench = next((path for path in paths if checker.is_bench(path)), None)
    scenarios = []
    for named in paths:
        path = named
        try:
            if bench is not None and not path.suffix and not path.exists():
                path = files.resolve("scenario", str(path))
            checked = checker.check(path, pack)
        except NabenchError as error:
            bad += 1
            say.errors(error.problems)
        else:
            typer.echo(f"{path}: ok, {checked.text}")
            for n, note in enumerate(checked.notes):
                if n == _MOST_NOTES:
                    typer.echo(f"  and {len(checked.notes) - n} more")
                    break
                typer.echo(f"  {note}")
            scenarios += [path] if path.name.endswith(files.SUFFIXES["scenario"]) else []
    if bench is not None and scenarios and not bad:
        _against(bench, scenarios)
    if bits or html is not None:
        bad += _pictures(paths, bits, html)
    raise typer.Exit(2 if bad else 0)


def _pictures(paths: list[Path], bits: bool, html: Path | None) -> int:
    """Show the bits of every message of DBC files and networks; 1 when there were none to show."""
    from hil import files, layouts
    from hil.errors import BenchError, NabenchError

    shown = []
    for path in paths:
        try:
            shown += layouts.drawn(path)
        except NabenchError as error:
            say.errors(error.problems)
    if not shown:
        say.errors(["--bits and --html show DBC files and networks; there is none that can be read"])
        return 1
    for drawn in shown if bits else ():
        for line in drawn.lines():
            typer.echo(line)
    if html is not None:
        try:
            files.write(html, layouts.page(shown))
        except OSError as error:
            raise BenchError(f"{html}: cannot be written: {error.strerror}") from None
        typer.echo(f"wrote {html}")
    return 0


def _against(bench: Path, scenarios: list[Path]) -> None:
    """A table of what a bench lacks for each scenario. Raises ScenarioError."""
    from rich.markup import escape
    from rich.table import Table

    from hil import checker

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scenario", no_wrap=True)
    table.add_column("what this bench can neither stimulate nor see", overflow="fold")
    for name, lines in checker.benches(bench, scenarios):
        for n, line in enumerate(lines or ["nothing: all can be stimulated and seen"]):
            table.add_row(name if n == 0 else "", escape(line))
    say.console().print(table)
