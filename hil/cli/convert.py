"""nabench convert: a log of frames from one format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A log, the journal of a run, or a run folder.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The log to write: .blf .asc .log (candump) .csv .mf4 .journal")
    ],
    force: Annotated[bool, typer.Option("--force", help="Replace OUT when it is there.")] = False,
) -> None:
    """Convert a log of CAN frames; what OUT cannot hold is said. IN may be packed (.asc.gz .log.gz .csv.gz).

    Exit code 0; 3 when IN is cut: what is there was converted.
    """
    from hil.errors import ScenarioError
    from hil.record import logs

    logs.suffix_of(target, packed=False)
    if target.exists() and not force:
        raise ScenarioError(f"{target}: is there already; give another name, or --force")
    about, frames = logs.open_log(source)
    done = logs.write_log(target, about, frames)
    odd = " and ".join(f"{n} {what}" for what, n in sorted(done.odd.items()))
    typer.echo(f"{target}: {done.n_frames} frames{f', of them {odd} frames' if odd else ''}")
    for what, n in sorted(done.lost.items()):
        typer.echo(f"not kept: {what}, of {n} frames")
    for what, n in sorted(about.skipped.items()):
        typer.echo(f"not read: {n} {what}")
    if about.cut:
        typer.echo(f"{source}: is cut: {about.cut}", err=True)
        raise typer.Exit(3)
