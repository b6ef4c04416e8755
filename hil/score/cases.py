"""Which conditions there are, and their cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from hil.errors import ScenarioError, nearest
from hil.score import conditions, recorded
from hil.score.case import Case

RECORDED = ("discharge", "recharge")
# Not of SOC: the current limits (hil.score.power), capacity and resistance (hil.score.health).
POWER, HEALTH = "power", "health"
# Cells of which capacity and resistance are asked, for each simulated cell of the other conditions: where those give hours of
# errors, a cell gives one number here, and that of four cells is decided by the one with the worst curve.
HEALTH_PER_DRAW = 4


class Group(NamedTuple):
    """Cases that are made together when their turn comes, since all draws of all conditions would fill the memory."""

    name: str
    make: Callable[[], list[Case]]


def names() -> tuple[str, ...]:
    """All conditions, recorded ones first, those that are not of SOC last."""
    return (*RECORDED, *conditions.CONDITIONS, POWER, HEALTH)


def check(wanted: Sequence[str]) -> tuple[str, ...]:
    """Conditions by name, in the order of the table; all when there are none. Raises ScenarioError."""
    known = names()
    wrong = [f'--condition "{name}" does not exist{nearest(name, known)}' for name in wanted if name not in known]
    if wrong:
        raise ScenarioError(*wrong)
    return tuple(name for name in known if name in wanted) if wanted else known


def groups(wanted: Sequence[str], seed: int, draws: int) -> list[Group]:
    """The cases of those conditions that are of SOC. draws: simulated plants of each."""
    made = []
    for name in wanted:
        if name in RECORDED:
            made.append(Group(name, partial(recorded.cases, name)))
        elif name in conditions.CONDITIONS:
            made.append(Group(name, partial(conditions.CONDITIONS[name], seed, draws)))
    return made
