"""When the current path opened, and who opened it: the reaction that is judged, another one, or the bench itself.

A reaction is shown by a path only when nothing else explains its opening. Three witnesses, the best first: the code that
the device names as the one that holds the contactors open (BMS_FaultCode); the codes that it raised, and when; the deeds of
the bench. A device behind a foreign database may lack the first, a requirement without codes is judged by the others.
Codes of one cascade answer one hazard: those of all requirements on the same side of the same quantity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.wire.layout import CYCLE_NS, SLOT
from hil import roles
from hil.fault.catalogue import Bound
from hil.observe import Moment, View
from hil.requirement import Requirement, RequirementsFile
from hil.setup import Setup
from hil.trace import Trace
from hil.wirelog import Bools, meanings

CONTACTS = ("main_plus", "main_minus", "precharge")
_HOLDER = "BMS_FaultCode"
_NAMED_WITHIN = 5  # cycles in which the device names the code that opened


@dataclass(frozen=True)
class Deeds:
    """What the bench did, in time of the run [ns].

    asked: when operation (True) or standby was asked for.  lost_ns: when the supply was taken away.
    begun: when faults began, and their names, in order.
    """

    asked: tuple[tuple[int, bool], ...]
    lost_ns: tuple[int, ...]
    begun: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, setup: Setup, faults: Iterable[Bound]) -> Deeds:
        """The deeds of a scenario; faults: those that may explain an opening."""
        rows = sorted(((round(row.at_s * 1e9), row.mode != "standby") for row in setup.inputs.scenario.request), key=_when)
        known = list(faults)
        lost = {*setup.resets_ns, *(fault.start_ns for fault in known if fault.kind.seam == "supply")}
        begun = sorted((fault.start_ns, fault.spec.label) for fault in known if fault.kind.seam != "supply")
        return cls(((0, False), *rows), tuple(sorted(lost)), tuple(begun))

    def switched_off(self, since_ns: int, opened_ns: int, or_before: bool) -> str:
        """What opened the path anyway: standby asked for since then (or before), the supply lost; empty when nothing did."""
        asked_ns, operate = [row for row in self.asked if row[0] <= opened_ns][-1]
        if not operate and (asked_ns > since_ns or or_before):
            return f"standby was requested at {asked_ns / 1e9:g} s"
        lost = [at_ns for at_ns in self.lost_ns if since_ns < at_ns <= opened_ns]
        return f"the bench took the supply away at {lost[0] / 1e9:g} s" if lost else ""


def _when(row: tuple[int, bool]) -> int:
    return row[0]


def path_open(trace: Trace) -> Bools:
    """(n_ticks,) no closed path between cells and link."""
    plus, minus, pre = (trace.column(name) for name in CONTACTS)
    return np.asarray((minus == 0) | ((plus == 0) & (pre == 0)))


def opening(view: View, from_ns: int) -> Moment | None:
    """When the path opened at or after from_ns; a moment at from_ns when it was open then already."""
    trace, t_ns = view.trace, view.t_ns
    first = int(np.searchsorted(t_ns, from_ns))
    later = np.flatnonzero(path_open(trace)[first:])
    if not len(later):
        return None
    k = first + int(later[0])
    if k == first and (k == 0 or path_open(trace)[k - 1]):
        return Moment(from_ns, from_ns, "the path was open already", "main_plus")
    return Moment(*moved_ns(view, k), "contactors open", "main_plus")


def moved_ns(view: View, k: int) -> tuple[int, int]:
    """First and last instant at which a contact moved in the tick before row k, k > 0; the row's time when none did."""
    moved = [int(view.trace.column(f"{name}_changed")[k]) for name in CONTACTS]
    inside_tick = [ns for ns in moved if view.t_ns[k - 1] <= ns <= view.t_ns[k]] or [int(view.t_ns[k])]
    return min(inside_tick), max(inside_tick)


def cascade(req: Requirement, required: RequirementsFile) -> frozenset[str]:
    """Codes that answer the hazard of a requirement: its own, and those of all tiers of its limit."""
    if not req.codes or req.trigger is None:
        return frozenset(req.codes)
    quantity, is_above = req.trigger.quantity, req.trigger.above is not None
    tiers = [
        row.codes
        for row in required.requirement
        if row.trigger is not None and row.trigger.quantity == quantity and (row.trigger.above is not None) == is_above
    ]
    return frozenset(req.codes).union(*tiers)


def holder(view: View, from_ns: int, until_ns: int | None = None) -> str:
    """The code that the device first names from from_ns on as the one that holds the contactors; empty when it names none.

    until_ns: without it, within a few cycles.
    """
    if _HOLDER not in view.setup.network.from_dut.signal_names:
        return ""
    if until_ns is None:
        until_ns = from_ns + _NAMED_WITHIN * _cycle_ns(view, _HOLDER)
    series, names = view.log.said(_HOLDER), meanings(view.setup.network, _HOLDER)
    for k in np.flatnonzero(series.valid & (series.t_ns >= from_ns) & (series.t_ns <= until_ns)).tolist():
        name = names.get(float(series.value[k]), "")
        if name in _codes(view):
            return name
    return ""


def opened_by_other(
    view: View, own: Collection[str], since_ns: int, opened: Moment, rivals: Sequence[tuple[int, str]], alone: bool
) -> str:
    """What else opened the path, as a reader says it; empty when it was the reaction that is judged.

    own: codes of that reaction, empty when it has none.  since_ns: when its cause began.  rivals: other faults that began
    between cause and opening.  alone: nothing but the cause itself can have raised a code that came after it.  All times on
    the clock of the view.
    """
    named = holder(view, opened.high_ns)
    if named and named not in own and _stood(view, named, since_ns):
        return f"something else ({named}) opened the path; it stood before"
    if alone:
        return ""
    if own:
        if named:
            return "" if named in own else f"something else ({named}) opened the path"
        came_ns = _first_raised(view, own, 0, opened.high_ns)
        other = _first_code(view, since_ns, opened.high_ns) if came_ns is None else ""
        if other:
            return f"something else ({other}) opened the path"
    else:
        came_ns = _first_raised(view, [named] if named else _codes(view), since_ns, opened.high_ns)
    earlier = [name for at_ns, name in rivals if came_ns is None or at_ns + view.trace.dt_ns <= came_ns]
    if not earlier:
        return ""
    return f"something else ({', '.join([*earlier, *([named] if named else [])])}) may have opened the path"


def _codes(view: View) -> list[str]:
    """Codes that can say who opened the path: without those that come along with others."""
    network = view.setup.network
    return [code for code in roles.codes(network.from_dut.signal_names) if code not in network.along]


def _cycle_ns(view: View, signal: str) -> int:
    layout = view.setup.network.from_dut
    return int(layout.slots[int(layout.signals[layout.index(signal), SLOT]), CYCLE_NS])


def _raised_ns(view: View, code: str, from_ns: int, opened_ns: int) -> int | None:
    """First frame with a code; it may come one cycle behind the opening."""
    name = f"Diag_{code}"
    if name not in view.setup.network.from_dut.signal_names:
        return None
    series = view.log.said(name)
    there = series.valid & (series.value > 0.5) & (series.t_ns >= from_ns)
    k = np.flatnonzero(there & (series.t_ns <= opened_ns + _cycle_ns(view, name)))
    return int(series.t_ns[k[0]]) if len(k) else None


def _first_raised(view: View, codes: Collection[str], from_ns: int, opened_ns: int) -> int | None:
    found = (_raised_ns(view, code, from_ns, opened_ns) for code in codes)
    return min((at_ns for at_ns in found if at_ns is not None), default=None)


def _first_code(view: View, from_ns: int, opened_ns: int) -> str:
    """The code that came first in this time."""
    found = ((_raised_ns(view, code, from_ns, opened_ns), code) for code in _codes(view))
    return min(((at_ns, code) for at_ns, code in found if at_ns is not None), default=(0, ""))[1]


def _stood(view: View, code: str, at_ns: int) -> bool:
    """Whether the last word on a code before a time was that it is raised; an answer to what happens then takes a tick."""
    series = view.log.said(f"Diag_{code}")
    k = np.flatnonzero(series.valid & (series.t_ns < at_ns + view.trace.dt_ns))
    return bool(len(k)) and bool(series.value[k[-1]] > 0.5)
