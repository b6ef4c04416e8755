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
        self.problems = tuple(_plain(problem) for problem in problems)
        super().__init__("\n".join(self.problems))


_LONGEST = 2000


def _plain(text: str) -> str:
    """A sentence without the control characters that a hostile file may bring to a terminal, and not without end."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 3]}..."
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class ScenarioError(NabenchError):
    """A file or argument of the user's is wrong."""


class BenchError(NabenchError):
    """The bench itself cannot do what was asked."""


class DutError(NabenchError):
    """The device under test, or the way to it, failed."""


class LinkLostError(DutError):
    """The way to the device broke while a run was under way."""


class SafeStopError(LinkLostError):
    """The device was made safe while a run was under way, because the bench's own loop stood still."""


class NotArmedError(NabenchError):
    """A device is real, and nobody said that it may be driven. listing: what would be sent, a line each."""

    def __init__(self, problem: str, listing: list[str]) -> None:
        super().__init__(problem)
        self.listing = listing


def closest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that looks most like this one, in the first place but for capitals, or None when none does."""
    names = sorted(set(valid))
    same = [other for other in names if other.casefold() == name.casefold()]
    return next(iter(same or difflib.get_close_matches(name[:200], names, n=1, cutoff=0.6)), None)


def nearest(name: str, valid: Iterable[str]) -> str:
    """A clause that names the nearest valid name, or lists them when they are few; empty when there is nothing to say."""
    names = sorted(set(valid))
    close = closest(name, names)
    if close is not None:
        return f'; did you mean "{close}"?'
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
