"""Verdicts and findings: what was seen against what was required."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Verdict(IntEnum):
    """In order of weight; across findings and scenarios the heaviest wins."""

    NONE = 0
    PASS = 1
    INCONC = 2
    FAIL = 3
    ERROR = 4

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0 PASS, 1 FAIL, 2 ERROR or NONE, 3 INCONC."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONC: 3}.get(self, 2)


@dataclass(frozen=True)
class Evidence:
    """Something that was seen at a time. column: which plot shows it."""

    t_ns: int
    what: str
    column: str = ""


@dataclass(frozen=True)
class Finding:
    """One judgement.

    requirement: its id.  what: what was judged.  expected, seen: sentences.  verdict.
    value, low, high: the measured figure and its band, in `unit`; None where there is no figure.
    evidence: what it rests on.  next_step: what to do when it is no PASS.
    timed: whether it rests on when exactly the evidence happened, and not only on that it did.
    """

    requirement: str
    what: str
    expected: str
    seen: str
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    evidence: tuple[Evidence, ...] = field(default_factory=tuple)
    next_step: str = ""
    timed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For result.json; figures rounded to what they mean (microseconds, 1e-6)."""
        return {
            "requirement": self.requirement,
            "what": self.what,
            "expected": self.expected,
            "seen": self.seen,
            "verdict": self.verdict.name,
            "value": _rounded(self.value),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "unit": self.unit,
            "evidence": [{"t_ns": e.t_ns, "what": e.what, "column": e.column} for e in self.evidence],
            "next_step": self.next_step,
        }


def _rounded(x: float | None) -> float | None:
    return round(x, 6) if x is not None and math.isfinite(x) else None


def worst(verdicts: list[Verdict]) -> Verdict:
    """The heaviest verdict; NONE when there is none."""
    return max(verdicts, default=Verdict.NONE)


def inside(low: float, high: float, window: tuple[float, float]) -> Verdict:
    """PASS when the whole band lies in the window, FAIL when all of it lies outside, else INCONC."""
    if window[0] <= low and high <= window[1]:
        return Verdict.PASS
    if high < window[0] or low > window[1]:
        return Verdict.FAIL
    return Verdict.INCONC
