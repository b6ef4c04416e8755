"""What a test does to a bench: handles of it, and short forms of faults.

A short form is a target, a dot, and a parameter of the one fault that has this target and parameter, or the fault's own
word where it needs no number:

    cell[5].offset_V = 0.2      cell_offset on cell[5] with offset_V
    ntc[0].value_degC = 80      ntc_reads
    contactor[main_plus].welded = True
    message[CellVoltages].lost = True
    insulation.resistance_kohm = 40    the fault's name stands for the target where a pack has only one
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hil.errors import ScenarioError, nearest
from hil.fault.catalogue import Bound, FaultKind, catalogue

_SHORT = re.compile(r"(?P<word>\w+)(?P<at>\[[\w*]+\](?:\[\d+\])?|\[\w+\[\d+\]\]|:\w+(?:\[\d+\])?)?\.(?P<last>\w+)$")
_NAMED_TARGETS = ("contactor", "feedback", "message", "node", "signal")
_PREFIX = {"shunt": "current", "message": "frame"}
_POSITIONS = {"open": 0.0, "closed": 1.0}


class Instant(float):
    """A time [s] that is known to lie between low_ns and high_ns, and what happened then."""

    low_ns: int
    high_ns: int
    what: str

    @classmethod
    def of(cls, low_ns: int, high_ns: int, what: str) -> Instant:
        """A time from its band."""
        found = cls(high_ns / 1e9)
        found.low_ns, found.high_ns, found.what = low_ns, high_ns, what
        return found


@dataclass(eq=False)
class Stimulus:
    """Something that was done at at_ns. kind: start, request, load, clear or fault.  signals: that tell the device."""

    kind: str
    what: str
    at_ns: int
    signals: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.what} at {self.at_ns / 1e9:g} s"


@dataclass(eq=False, repr=False)
class Fault(Stimulus):
    """An injected fault. end: how the bench takes it away."""

    bound: Bound = field(kw_only=True)
    end: Callable[[Fault], Stimulus] = field(kw_only=True, repr=False)
    stop_ns: int | None = None

    def __repr__(self) -> str:
        end = "active" if self.stop_ns is None else f"to {self.stop_ns / 1e9:g} s"
        return f"<{self.what} from {self.at_ns / 1e9:g} s, {end}>"

    @property
    def label(self) -> str:
        """Its name in the scenario of the run."""
        return self.bound.spec.label

    @property
    def key(self) -> tuple[str, str]:
        """Kind and target."""
        return self.bound.kind.name, self.bound.spec.target or self.bound.kind.target

    def is_active(self, t_ns: int) -> bool:
        """Whether it can still act at t_ns."""
        return self.stop_ns is None or t_ns < self.stop_ns

    def clear(self) -> Stimulus:
        """Take it away; returns that as a stimulus."""
        return self.end(self)


@dataclass(frozen=True)
class Short:
    """A short form: fault, target (None where a pack has only one) and parameter (None for a flag)."""

    fault: str
    target: str | None
    parameter: str | None

    @property
    def key(self) -> tuple[str, str]:
        """Kind and target, as of a Fault."""
        return self.fault, self.target or catalogue()[self.fault].target


def flag(kind: FaultKind) -> str | None:
    """The word by which a fault that needs no number is switched on: welded, open, stuck; None for others."""
    if any(parameter.default is None for parameter in kind.parameters.values()):
        return None
    return kind.name.removeprefix(f"{_PREFIX.get(kind.target, kind.target)}_")


def parse(name: str) -> Short:
    """A short form. Raises ScenarioError with the nearest valid one."""
    match = _SHORT.match(name)
    if match is None:
        raise ScenarioError(f'"{name}" is not the short form of a fault; expected TARGET.PARAMETER, as in cell[5].offset_V')
    word, at, last = match["word"], match["at"] or "", match["last"]
    kinds = catalogue()
    if word in kinds:
        if at:
            raise ScenarioError(f'"{name}": write the target first, as in {kinds[word].example().split(" or ")[0]}.{last}')
        fitting, target = [kinds[word]], None
    else:
        words = {kind.target for kind in kinds.values()}
        if word not in words:
            raise ScenarioError(f'"{name}": there is no target "{word}"{nearest(word, [*words, *kinds])}')
        fitting = [kind for kind in kinds.values() if kind.target == word]
        target = _target(word, at)
    found = [kind for kind in fitting if last in kind.parameters] or [k for k in fitting if last in (flag(k), k.name)]
    if not found:
        known = {p for kind in fitting for p in kind.parameters} | {w for kind in fitting if (w := flag(kind)) is not None}
        hint = nearest(f"{word}{at}.{last}", {f"{word}{at}.{one}" for one in known})
        raise ScenarioError(f'"{name}": no fault of {word} has "{last}"{hint}')
    if len(found) > 1:
        ways = " or ".join(f'bench.inject("{k.name}", ...)' if at else f'"{k.name}.{last}"' for k in found)
        raise ScenarioError(f'"{name}" could be {" or ".join(kind.name for kind in found)}; write {ways}')
    return Short(found[0].name, target, last if last in found[0].parameters else None)


def _target(word: str, at: str) -> str | None:
    """contactor[main_plus] as contactor:main_plus, as scenarios write it."""
    if at and word in _NAMED_TARGETS and at.startswith("["):
        name, *page = re.findall(r"\w+", at)
        return f"{word}:{name}" + "".join(f"[{number}]" for number in page)
    return f"{word}{at}" if at else None


def number(value: float | bool | str, name: str) -> float:
    """The number of a parameter; "open" and "closed" are 0 and 1. Raises ScenarioError."""
    if isinstance(value, str):
        if value not in _POSITIONS:
            raise ScenarioError(f'"{name}" cannot be "{value}"; expected a number{nearest(value, _POSITIONS)}')
        return _POSITIONS[value]
    return float(value)
