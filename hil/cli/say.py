"""How a command says what is wrong: a sentence a line, on stderr, and not without end."""

from __future__ import annotations

from collections.abc import Sequence

import typer

_MOST = 100


def errors(problems: Sequence[str]) -> None:
    """Say the first problems, and how many more there are."""
    for problem in problems[:_MOST]:
        typer.echo(f"error: {problem}", err=True)
    if len(problems) > _MOST:
        typer.echo(f"error: and {len(problems) - _MOST} problems more", err=True)
