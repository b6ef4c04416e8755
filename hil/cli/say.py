"""How a command says what is wrong: a sentence a line, on stderr, and not without end."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

W = TypeVar("W", bound=StrEnum)
_MOST = 100


def console(*, stderr: bool = False, markup: bool = True, paper: int = 120) -> Console:
    """Where tables go. paper: columns where there is no terminal that says how many: a log, a file, a CI page."""
    from rich.console import Console

    out = Console(stderr=stderr, highlight=False, markup=markup, soft_wrap=True)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = paper
    return out


def one_of(words: type[W]) -> Callable[[str], W]:
    """A parser of arguments that are one of these words, which names the nearest to another."""

    def word(text: str) -> W:
        """The word. Raises BadParameter with all words and the nearest."""
        from hil.errors import closest

        if text in list(words):
            return words(text)
        close = closest(text, words)
        hint = f"; did you mean '{close}'?" if close is not None else ""
        raise typer.BadParameter(f"'{text}' is not one of {', '.join(repr(str(each)) for each in words)}{hint}")

    return word


def errors(problems: Sequence[str]) -> None:
    """Say the first problems, and how many more there are."""
    for problem in problems[:_MOST]:
        typer.echo(f"error: {problem}", err=True)
    if len(problems) > _MOST:
        typer.echo(f"error: and {len(problems) - _MOST} problems more", err=True)
