"""Whose fault it is: your file (ScenarioError), our side (BenchError), their side (DutError).

A message is one sentence: where, what was found, what was expected, the nearest valid name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class NabenchError(Exception):
    """Base of all errors that a user sees as text; carries every problem found, one sentence each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ScenarioError(NabenchError):
    """A file or argument of the user's is wrong."""


class BenchError(NabenchError):
    """The bench itself cannot do what was asked."""


class DutError(NabenchError):
    """The device under test, or the way to it, failed."""


class LinkLostError(DutError):
    """The way to the device broke while a run was under way."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """A clause that names the nearest valid name, or lists them when they are few; empty when there is nothing to say."""
    names = sorted(set(valid))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"; valid: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


class Problems:
    """Collects what is wrong in several places, so that a user sees it all at once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def call(self, action: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """The result of an action, or None when it raised; its problems are kept."""
        try:
            return action(*args, **kwargs)
        except NabenchError as error:
            self.found += error.problems
            return None

    def settle(self) -> None:
        """Raise ScenarioError when anything was found."""
        if self.found:
            raise ScenarioError(*self.found)
