"""nabench fit: a cell file from the data of a cycler, and a page of the fit against them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hil.cli import say

if TYPE_CHECKING:
    from hil.fit.cell import Made
    from hil.fit.datamap import Map
    from hil.plant.cellfile import Cell


def fit(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help="CSV files of one kind of cell, plain or gzip.")],
    out: Annotated[Path, typer.Option(help="Cell file to write; the page of plots goes beside it as .html.")],
    map_: Annotated[
        Path | None,
        typer.Option("--map", help="What the columns mean; none for Battery Data Format.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that exist.")] = False,
) -> None:
    """Fit a cell to measured data and write its file, with source and residuals of each table. Exit code 0 or 2."""
    from hil import files
    from hil.errors import BenchError, ScenarioError
    from hil.fit import celltext, datamap
    from hil.fit import page as fit_page

    if out.suffix != ".toml":
        raise ScenarioError(f'{out}: expected a name that ends in .toml, as in "{out.with_suffix(".toml")}"')
    page = out.with_suffix(".html")
    there = [path for path in (out, page) if path.exists()]
    if there and not force:
        raise ScenarioError(*(f"{path} exists already; give another --out, or --force to write over it" for path in there))
    if not out.parent.is_dir():
        raise ScenarioError(f"{out}: the folder {out.parent} does not exist")
    chosen, lender = datamap.load(map_) if map_ is not None else datamap.without(out)
    made = _with_bar(data, chosen, lender, str(map_) if map_ is not None else "no map")
    text = celltext.text(made)
    cell = celltext.checked(out, text)
    try:
        files.write(out, text)
        files.write(page, fit_page.text(made))
    except OSError as error:
        raise BenchError(f"{error.filename}: cannot be written: {error.strerror}") from None
    _tell(made, out, page, sum(table.confidence == "assumption" for table in cell.tables().values()), len(cell.tables()))


def _with_bar(data: list[Path], chosen: Map, lender: Cell, where: str) -> Made:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from hil.fit import cell

    console = say.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"fit {len(data)} {'file' if len(data) == 1 else 'files'}", total=None)
        return cell.make(data, chosen, lender, where, lambda done, total: bar.update(task, completed=done, total=total))


def _tell(made: Made, out: Path, page: Path, assumed: int, tables: int) -> None:
    """What came out, a line a run."""
    from hil.fit import celltext

    for line in celltext.run_lines(made):
        typer.echo(line)
    for note in dict.fromkeys(note for course in made.fit.courses for note in course.track.run.told):
        typer.echo(f"note: {note}")
    typer.echo(f"note: {celltext.loop_words(made)}")
    typer.echo(f"wrote {out}: {made.tables.capacity_Ah:.4g} Ah, {assumed} of {tables} tables assumed")
    typer.echo(f"wrote {page}")
