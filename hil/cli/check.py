"""nabench check: is a file of ours right, and if not, everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hil.cli import say


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Scenario, cell, pack, calibration, network, requirements, map or DBC files."),
    ],
) -> None:
    """Validate files and say all that is wrong with each. Exit code 0 or 2."""
    from hil import checker
    from hil.errors import NabenchError

    bad = 0
    for path in paths:
        try:
            what = checker.check(path)
        except NabenchError as error:
            bad += 1
            say.errors(error.problems)
        else:
            typer.echo(f"{path}: ok, {what}")
    raise typer.Exit(2 if bad else 0)
