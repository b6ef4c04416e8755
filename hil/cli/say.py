"""How a command says what is wrong: a sentence a line, on stderr, and not without end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

_MOST = 100


def console(*, stderr: bool = False, markup: bool = True, paper: int = 120) -> Console:
    """Where tables go. paper: columns where there is no terminal that says how many: a log, a file, a CI page."""
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False, markup=markup, soft_wrap=True)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = paper
    return out


def errors(problems: Sequence[str]) -> None:
    """Say the first problems, and how many more there are."""
    for problem in problems[:_MOST]:
        typer.echo(f"error: {problem}", err=True)
    if len(problems) > _MOST:
        typer.echo(f"error: and {len(problems) - _MOST} problems more", err=True)
