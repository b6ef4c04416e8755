"""nabench plot: the report of a run anew, from its run folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    open_: Annotated[bool, typer.Option("--open", help="Show the report in the browser.")] = False,
) -> None:
    """Judge a recorded run anew, write its report.html again and print where it lies."""
    import webbrowser

    from hil.errors import BenchError
    from hil.report import folder, html

    path = run / "report.html"
    record = folder.load(run)
    try:
        html.write(record, path)
    except OSError as error:
        raise BenchError(f"{path}: the report cannot be written: {error.strerror or error}") from None
    typer.echo(path)
    if open_ and not webbrowser.open(path.resolve().as_uri()):
        raise BenchError(f"no browser was found; open {path} yourself")
