"""nabench map: a first mapping for a DBC, guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def map_(
    dbc: Annotated[Path, typer.Argument(metavar="DBC", help="The database of your network.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Mapping to write, NAME.mapping.toml; the network goes beside it.", show_default=False),
    ] = None,
    pack: Annotated[
        str | None, typer.Option("--pack", help="Pack that it is for, shipped or a file: are there enough cells?")
    ] = None,
) -> None:
    """Draft a mapping and a network for a DBC: roles guessed from names, units, comments and values, and what is left to do.

    Exit code 0 when every role that a run needs was placed, 3 when some are left to fill in, 2 when nothing could be written.
    """
    from hil.guess import write

    cells = sensors = None
    if pack is not None:
        from hil.plant import packfile

        _, model, _, _ = packfile.load(pack)
        cells, sensors = model.series * model.strings, len(model.ntc_cells)
    path = Path(write.file_name(dbc)) if out is None else out
    made = write.draft(dbc, path, cells, sensors)
    mapping, network = write.write(dbc, path, made)
    for line in made.lines:
        typer.echo(line)
    typer.echo(f"wrote {mapping}")
    typer.echo(f"wrote {network}")
    if made.missing:
        typer.echo(f'next: fill in the {len(made.missing)} roles marked "needed, not placed" in {mapping}, and read every row')
        typer.echo(f"then: nabench check {network} --pack PACK")
        raise typer.Exit(3)
    typer.echo(f"next: read every row of {mapping}, then: nabench check {network}")
