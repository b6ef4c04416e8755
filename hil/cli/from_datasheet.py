"""nabench new cell --from-datasheet: a cell file from what a data sheet gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer


def write(sheet: Path | None, given: dict[str, Any], dir_: Path, out: Path | None) -> None:
    """Write a cell file and say what came from where. given: keys of a sheet, which come before those of the file."""
    from hil import files, sources
    from hil.datasheet import make
    from hil.datasheet import sheet as sh
    from hil.errors import BenchError, Problems, ScenarioError

    label = Path("--from-datasheet") if sheet is None else sheet
    problems = Problems()
    data = {"format": 1} if sheet is None else problems.call(files.read_toml, sheet)
    for key in ("ocv", "resistance"):
        if isinstance(given.get(key), str):
            given[key] = problems.call(sh.pairs, key, given[key])
    problems.settle()
    made = make.make(label, {"name": "my-cell", **(data or {}), **given})
    path = out if out is not None else dir_ / f"{made.cell.name}.toml"
    if path.exists():
        raise ScenarioError(f"{path} exists already; give another name, or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, made.text)
    except OSError as error:
        raise BenchError(f"{error.filename or path}: cannot be written: {error.strerror}") from None
    typer.echo(f"wrote {path}")
    for note in made.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"borrowed from {made.like}: {', '.join(made.borrowed)}; assumed: {sources.assumed(made.cell)}")
    typer.echo(f"next: nabench check {path}; nabench cells {path} {made.like}")
