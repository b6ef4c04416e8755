"""What a test demanded of a device: data, no code, so that it is judged alike while the test runs and from the run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hil.session.goal import Goal
from hil.session.since import Since
from hil.verdict import Finding, Verdict


class Unmet(AssertionError):
    """A device did not do what a test demanded, or the bench cannot know whether it did (see finding.verdict)."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        doubt = "the bench cannot tell: " if finding.verdict is Verdict.INCONC else ""
        hint = f". Next: {finding.next_step}" if finding.next_step else ""
        super().__init__(f"{doubt}expected {finding.expected}; seen: {finding.seen}{hint}.")


@dataclass(frozen=True)
class Measured:
    """A measured time with its band [ms], and when it ended [s]."""

    value: float
    low: float
    high: float
    t_s: float
    unit: str = "ms"

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.1f} {self.unit} ({self.low:.1f} to {self.high:.1f})"


@dataclass(frozen=True)
class Claim:
    """A demand, and the stretch of the record that it is judged by.

    mode: within, always, never or quiet.  low_ms, high_ms: window of `within`; None is open.  from_ns, until_ns: first and
    last tick of that stretch, as far as it was recorded when the demand was settled; of `within` it begins before `since`.
    """

    mode: str
    requirement: str
    from_ns: int
    until_ns: int
    goal: Goal | None = None
    since: Since | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    allow: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the run folder."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Claim:
        """From the run folder."""
        goal = None if data["goal"] is None else Goal(**data["goal"])
        since = None if data["since"] is None else Since(**{**data["since"], "signals": tuple(data["since"]["signals"])})
        return cls(**{**data, "goal": goal, "since": since, "allow": tuple(data["allow"])})
