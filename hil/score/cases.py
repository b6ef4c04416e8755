"""Which conditions there are, and their cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hil.errors import ScenarioError, nearest
from hil.score import recorded
from hil.score.case import Case

RECORDED = ("discharge", "recharge")


def names() -> tuple[str, ...]:
    """All conditions, recorded ones first."""
    return RECORDED


def check(wanted: Sequence[str]) -> tuple[str, ...]:
    """Conditions by name, in the order of the table; all when there are none. Raises ScenarioError."""
    known = names()
    wrong = [f'--condition "{name}" does not exist{nearest(name, known)}' for name in wanted if name not in known]
    if wrong:
        raise ScenarioError(*wrong)
    return tuple(name for name in known if name in wanted) if wanted else known


def build(conditions: Sequence[str], seed: int, draws: int) -> tuple[int, Iterator[Case]]:
    """How many cases the conditions have, and the cases, made one at a time."""
    counts = [sum(len(of.unseen) for of in recorded.sets()) for name in conditions]
    return sum(counts), (case for name in conditions for case in recorded.cases(name))
