"""A condition on what the device says, on the contacts or on the plant, and its course over a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64, I64
from hil import roles, truth
from hil.errors import ScenarioError, nearest
from hil.observe import View
from hil.opening import CONTACTS, path_open
from hil.setup import Setup
from hil.trace import Trace
from hil.wirelog import Bools, choices


@dataclass(frozen=True)
class Goal:
    """A condition: `name` of a `kind` lies above and below these bounds.

    kind: path (name open or closed), contact, signal, or truth.  text: as a reader says it.  hint: what to look at.
    """

    kind: str
    name: str
    text: str
    above: float | None = None
    below: float | None = None
    hint: str = ""

    def holds(self, x: F64) -> Bools:
        """Where it is so."""
        low = -np.inf if self.above is None else self.above
        high = np.inf if self.below is None else self.below
        return np.asarray((x > low) & (x < high))

    @property
    def is_told(self) -> bool:
        """True when the device says it in a frame, False when plant and contacts show it."""
        return self.kind == "signal"


def goal_of(setup: Setup, what: str, wanted: str | float | None, above: float | None, below: float | None) -> Goal:
    """A goal from what a test wrote. Raises ScenarioError with the nearest valid name."""
    layout = setup.network.from_dut
    if what in ("contactor", *CONTACTS):
        if wanted not in ("open", "closed"):
            raise ScenarioError(f'"{what}" cannot be {wanted!r}; expected "open" or "closed"')
        hint = "look at bench.codes() and at the reaction and delay of the limit" if wanted == "open" else "look at BMS_State"
        if what == "contactor":
            return Goal("path", str(wanted), f"contactors {wanted}", above=0.5, hint=hint)
        bounds = {"above": 0.5} if wanted == "closed" else {"below": 0.5}
        return Goal("contact", what, f"{what} {wanted}", **bounds, hint=hint)
    if what == "code":
        codes = roles.codes(layout.signal_names)
        if wanted not in codes:
            raise ScenarioError(f'code "{wanted}" is not a diagnosis flag of the device{nearest(str(wanted), codes)}')
        hint = "look at limit and debounce of that code, and whether the check is on"
        return Goal("signal", f"Diag_{wanted}", f"code {wanted}", above=0.5, hint=hint)
    units = dict(truth.COLUMNS)
    kind = "truth" if what in units else "signal"
    names = [*layout.signal_names, *setup.network.to_dut.signal_names]
    if kind == "signal" and what not in names:
        raise ScenarioError(f'"{what}" cannot be expected{nearest(what, ["contactor", "code", *CONTACTS, *names, *units])}')
    if wanted is None and above is None and below is None:
        raise ScenarioError(f'what should "{what}" be? Give a value, above or below')
    if wanted is None:
        parts = [f"{word} {x:g}" for word, x in (("above", above), ("below", below)) if x is not None]
        return Goal(kind, what, f"{what} {' and '.join(parts)}", above, below, f"look at {what} in the report")
    value, width = _value(setup, kind, what, wanted)
    return Goal(kind, what, f"{what} {wanted}", value - width, value + width, f"look at {what} in the report")


def _value(setup: Setup, kind: str, what: str, wanted: str | float | bool) -> tuple[float, float]:
    """A wanted value and half of the step by which it is told."""
    if kind == "truth":
        if isinstance(wanted, str):
            raise ScenarioError(f'"{what}" is a number, not "{wanted}"')
        return float(wanted), 1e-9
    signal = setup.network.database.signal(what)
    if not isinstance(wanted, str):
        return float(wanted), 0.5 * abs(float(signal.scale)) + 1e-9
    names = {name: raw for raw, name in choices(setup.network, what).items()}
    if wanted not in names:
        raise ScenarioError(f'"{wanted}" is not a value of {what}{nearest(wanted, names)}')
    return names[wanted] * float(signal.scale) + float(signal.offset), 0.5 * abs(float(signal.scale)) + 1e-9


def course(view: View, goal: Goal) -> tuple[I64, I64, F64]:
    """Earliest and latest time of each sample of a goal's quantity, and its value."""
    trace = view.trace
    if goal.kind == "signal":
        series = view.log.series(goal.name)
        t_ns = series.t_ns[series.valid]
        return t_ns - series.frame_ns, t_ns, series.value[series.valid]
    t_ns = view.t_ns
    if goal.kind == "path":
        closed = (trace.column("main_plus") == 1) & (trace.column("main_minus") == 1)
        x = path_open(trace) if goal.name == "open" else closed
        return *_moved(trace, t_ns, CONTACTS), x.astype(np.float64)
    if goal.kind == "contact":
        return *_moved(trace, t_ns, (goal.name,)), trace.column(goal.name)
    return t_ns - trace.dt_ns, t_ns, trace.column(goal.name)


def _moved(trace: Trace, t_ns: I64, names: Sequence[str]) -> tuple[I64, I64]:
    """Where a contact moved inside the tick before a row, the instant of it, else the row's time."""
    at = t_ns.copy()
    for name in names:
        changed = trace.column(f"{name}_changed").astype(np.int64)
        inside_tick = (changed > t_ns - trace.dt_ns) & (changed <= t_ns) & (changed < at)
        at = np.where(inside_tick, changed, at)
    return at, at


def shown(view: View, goal: Goal, x: float) -> str:
    """A value of a goal's quantity as a reader says it."""
    if goal.kind == "contact":
        return "closed" if x > 0.5 else "open"
    if goal.kind != "signal":
        return f"{x:g}"
    signal = view.setup.network.database.signal(goal.name)
    raw = round((x - float(signal.offset)) / float(signal.scale))
    return choices(view.setup.network, goal.name).get(raw, f"{x:g}")
