"""nabench cells: cells to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def cells(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CELL]...", help="Names or files; none means all shipped ones.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("cells.html"),
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
) -> None:
    """Write a page of cells: voltage, resistance, charge in the cold, and where each number is from. Prints its path."""
    import webbrowser

    from hil import files
    from hil.errors import BenchError, Problems
    from hil.gallery import page
    from hil.plant import cellfile

    problems = Problems()
    loaded = [problems.call(cellfile.load, name) for name in dict.fromkeys(names or files.shipped("cell"))]
    problems.settle()
    page.write([pair for pair in loaded if pair is not None], out)
    typer.echo(out)
    if open_ and not webbrowser.open(out.resolve().as_uri()):
        raise BenchError(f"no browser was found; open {out} yourself")
