"""When a stimulus was first physically there, read back from the record and not from the injector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hil import lacks, observe
from hil.benchfile import quantity_of
from hil.fault.catalogue import Bound
from hil.observe import Moment, View
from hil.session.tape import cut
from hil.verdict import Verdict
from hil.wirelog import WireLog


@dataclass(frozen=True)
class Since:
    """Where a time begins: at the effect of a fault (label), of a request, load or clearing, or at a known moment."""

    kind: str
    what: str
    at_ns: int
    until_ns: int
    signals: tuple[str, ...] = ()
    label: str | None = None


@dataclass(frozen=True)
class Absent:
    """Why there is no such time. verdict: ERROR where nothing was stimulated, INCONC where the bench cannot see when."""

    why: str
    verdict: Verdict = Verdict.ERROR


_UNTOLD = Absent("no frame told it")
_BY_INSTRUMENT = Absent("an instrument feeds the device, so that it is on no frame", Verdict.INCONC)


def locate(view: View, base_ns: int, faults: Sequence[Bound], since: Since, told: bool) -> Moment | Absent:
    """When a stimulus was first physically there. told: for what the device says, from when it could know."""
    if since.kind == "fault":
        return _effect(view, base_ns, faults, since, told)
    at_ns = since.at_ns - base_ns
    if since.kind == "instant":
        return Moment(at_ns, since.until_ns - base_ns, since.what)
    if since.kind == "load":
        flow, k = view.trace.column("load_current"), at_ns // view.trace.dt_ns
        moved = np.flatnonzero(np.abs(flow[k + 1 :] - flow[k]) > 1e-9) if k < len(flow) else np.zeros(0)
        if not len(moved):
            return Absent("the load did not change the current; are the contactors closed?")
        row_ns = int(view.t_ns[k + 1 + moved[0]])
        start = Moment(row_ns - view.trace.dt_ns, row_ns, since.what, "load_current")
        return _first_frame(view, ("Shunt_Current",), start.low_ns, since.what) if told else start
    if since.signals and (told or any(map(view.trace.on_frames, map(quantity_of, since.signals)))):
        return _first_frame(view, since.signals, at_ns, since.what)
    return Moment(at_ns, at_ns, since.what)


def _first_frame(view: View, signals: Sequence[str], from_ns: int, what: str) -> Moment | Absent:
    """The first frame with one of these signals; none of what an instrument shows counts."""
    found: list[Moment] = []
    known = [name for name in signals if name in view.setup.network.to_dut.signal_names]
    on_frames = [name for name in known if view.trace.on_frames(quantity_of(name))]
    for name in on_frames:
        series = view.log.series(name)
        later = series.t_ns[series.t_ns >= from_ns + series.frame_ns]
        if len(later):
            found.append(Moment(int(later[0]) - series.frame_ns, int(later[0]), f"first frame after {what}", name))
    if not found:
        return _UNTOLD if on_frames == known else _BY_INSTRUMENT
    return min(found, key=lambda moment: moment.high_ns)


def _earlier(fault: Bound, by_ns: int) -> Bound:
    """A fault on the clock of a piece of the record that begins at by_ns."""
    stop_s = None if fault.spec.stop_s is None else fault.spec.stop_s - by_ns / 1e9
    return replace(fault, spec=fault.spec.model_copy(update={"start_s": (fault.start_ns - by_ns) / 1e9, "stop_s": stop_s}))


def _effect(view: View, base_ns: int, faults: Sequence[Bound], since: Since, told: bool) -> Moment | Absent:
    """The observer's word on a fault, from the stretch in which it alone was on."""
    dt_ns = view.trace.dt_ns
    fault = next((bound for bound in faults if bound.spec.label == since.label), None)
    if fault is None:
        return Absent("it was taken away before it was on")
    k_0 = 0 if fault.kind.seam == "supply" else (fault.start_ns - base_ns) // dt_ns
    sub = cut(view.trace, k_0, min((since.until_ns - base_ns) // dt_ns, view.trace.n_ticks))
    if sub.trace.n_ticks <= 1:
        return Absent("it was never on")
    moved = {bound.spec.label: _earlier(bound, base_ns + sub.base_ns) for bound in faults}
    log = WireLog(sub.trace.journal, view.setup.network)
    effect = observe.observe(View(sub.trace, log, replace(view.setup, faults=tuple(moved.values()))), moved[fault.spec.label])
    if not effect.happened or effect.start is None:
        return Absent(effect.text)
    found = effect.start if effect.wire is None or not told else effect.wire
    if told and effect.wire is None and fault.kind.seam == "sensor":
        on_frames = all(map(view.trace.on_frames, lacks.quantities(view.setup, fault)))
        return _UNTOLD if on_frames else _BY_INSTRUMENT
    return Moment(found.low_ns + sub.base_ns, found.high_ns + sub.base_ns, found.what, found.column)
