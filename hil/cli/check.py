"""nabench check: is a file of ours right, and if not, everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli import say


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Scenario, cell, pack, calibration, network, requirements, map, bench or DBC files."
        ),
    ],
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
            what = checker.check(path)
        except NabenchError as error:
            bad += 1
            say.errors(error.problems)
        else:
            typer.echo(f"{path}: ok, {what}")
            scenarios += [path] if path.name.endswith(files.SUFFIXES["scenario"]) else []
    if bench is not None and scenarios and not bad:
        _against(bench, scenarios)
    raise typer.Exit(2 if bad else 0)


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
