"""When a quantity left a limit of the cell: in the truth, and on the wire.

A pack may mix kinds of cells, and each kind has limits of its own: a quantity is watched once for every kind, in the truth
of its cells and in the signals that carry them. Currents are the pack's: its weakest kind counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_sim.types import F64, I64
from hil.names import cell_signal, ntc_signal
from hil.observe import Moment, View
from hil.opening import opening
from hil.plant.cell import KIND_NAMES
from hil.requirement import LimitTrigger
from hil.wirelog import Bools

_ON_LIMIT = 1e-6
_TRUTH_OF = {"cell_voltage": "cell_voltage", "cell_temperature": "temperature"}


@dataclass(frozen=True)
class Stretch:
    """An uninterrupted time beyond a limit."""

    start: Moment
    end_ns: int

    @property
    def length_ns(self) -> int:
        """How long it lasted."""
        return self.end_ns - self.start.high_ns


@dataclass(frozen=True)
class Watch:
    """A limit, the column of the truth that tells when it is left, and the signals that do on the wire."""

    limit: float
    column: str
    signals: tuple[str, ...]


def watched(view: View, trigger: LimitTrigger) -> list[Watch]:
    """What has to be looked at for a trigger: one entry for every kind of cell."""
    pack, kinds = view.setup.inputs.pack, view.setup.kinds
    limits = [trigger.value(cell, pack) for cell in kinds]
    if trigger.quantity not in _TRUTH_OF:
        return [Watch(min(limits, key=abs), "mean_current", ("Shunt_Current",))]
    side = "max" if trigger.above is not None else "min"
    of = pack.kinds()
    out = []
    for kind, limit in enumerate(limits):
        if trigger.quantity == "cell_voltage":
            signals = [cell_signal(i) for i in range(view.setup.place.n_cells) if of[i] == kind]
        else:
            signals = [ntc_signal(j) for j in range(view.setup.place.n_ntc) if of[pack.ntc_cells[j]] == kind]
        name = _TRUTH_OF[trigger.quantity] if len(kinds) == 1 else f"{KIND_NAMES[kind]}_{_TRUTH_OF[trigger.quantity]}"
        out.append(Watch(limit, f"{name}_{side}", tuple(signals)))
    return out


def first(*moments: Moment | None) -> Moment | None:
    """The earliest of some moments."""
    return min((m for m in moments if m is not None), key=lambda m: m.high_ns, default=None)


def in_truth(view: View, trigger: LimitTrigger, from_ns: int, fhti_ms: float | None) -> Moment | None:
    """Start of the true hazard that the path's opening answered, or of the first that lasted longer than it may."""
    return first(*(_in_truth(view, trigger, watch, from_ns, fhti_ms) for watch in watched(view, trigger)))


def on_wire(view: View, trigger: LimitTrigger, from_ns: int) -> list[Stretch]:
    """Stretches in which at least one signal stood beyond its limit on the wire. Between frames the last value holds."""
    found = [(name, watch.limit) for watch in watched(view, trigger) for name in watch.signals]
    names, limits = [name for name, _ in found], [limit for _, limit in found]
    at: list[I64] = [np.zeros((0, 3), np.int64)]
    for n, (name, limit) in enumerate(found):
        series = view.log.series(name)
        there = series.valid & (series.t_ns >= from_ns)
        t_ns, bad = series.t_ns[there], beyond(trigger, limit, series.value[there]).astype(np.int64)
        change = np.diff(np.concatenate([[0], bad]))
        k = np.flatnonzero(change)
        at.append(np.column_stack([t_ns[k], -change[k], np.full(len(k), n)]))
    edges = np.concatenate(at)
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    count = np.cumsum(-edges[:, 1])
    out: list[Stretch] = []
    for n in np.flatnonzero((count > 0) & (np.concatenate([[0], count[:-1]]) == 0)).tolist():
        at_ns, name, limit = int(edges[n, 0]), names[int(edges[n, 2])], limits[int(edges[n, 2])]
        over = np.flatnonzero(count[n:] == 0)
        end_ns = int(edges[n + over[0], 0]) if len(over) else view.trace.n_ticks * view.trace.dt_ns
        if out and at_ns - out[-1].end_ns < view.trace.dt_ns:  # one frame takes over from another: no tick saw a good value
            out[-1] = replace(out[-1], end_ns=end_ns)
            continue
        series = view.log.series(name)
        value = series.value[int(np.searchsorted(series.t_ns, at_ns))]
        out.append(Stretch(Moment(at_ns - series.frame_ns, at_ns, f"{name} = {value:g} beyond {limit:g}", name), end_ns))
    return out


def under_way(view: View, trigger: LimitTrigger, from_ns: int) -> bool:
    """Whether from_ns lies inside a hazard: its clock began earlier, unseen.

    A temperature is one only while the pack is charged, or is not; that is what from_s is for there.
    """
    if from_ns <= 0 or trigger.quantity == "cell_temperature":
        return False
    return any(_under_way(view, trigger, watch, from_ns) for watch in watched(view, trigger))


def beyond(trigger: LimitTrigger, limit: float, x: F64) -> Bools:
    """Where a value lies beyond a limit; one that stands on it, but for what floats make of it, does not."""
    if trigger.quantity == "charge_current":
        x = -x
    return x > limit + _ON_LIMIT if trigger.above is not None else x < limit - _ON_LIMIT


def outside(trigger: LimitTrigger, limit: float) -> float:
    """Where the true hazard begins: beyond the limit by more than the device need know the quantity."""
    return limit + trigger.tolerance * (1.0 if trigger.above is not None else -1.0)


def _in_truth(view: View, trigger: LimitTrigger, watch: Watch, from_ns: int, fhti_ms: float | None) -> Moment | None:
    edge_of = outside(trigger, watch.limit)
    bad = beyond(trigger, edge_of, view.trace.column(watch.column)) & (view.t_ns >= from_ns)
    edge = np.diff(np.concatenate([[0], bad.astype(np.int8), [0]]))
    dt_ns = view.trace.dt_ns
    what = f"{watch.column} beyond {watch.limit:g}" + (f" by more than {trigger.tolerance:g}" if trigger.tolerance else "")
    for begin, end in zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True):
        start = Moment(max(int(begin) - 1, 0) * dt_ns, int(begin) * dt_ns, what, watch.column)
        end_ns = int(end) * dt_ns
        opened = opening(view, start.high_ns)
        answered = opened is not None and opened.low_ns <= end_ns
        if answered or fhti_ms is None or end_ns - start.high_ns >= fhti_ms * 1e6:
            return start
    return None


def _under_way(view: View, trigger: LimitTrigger, watch: Watch, from_ns: int) -> bool:
    k = int(np.searchsorted(view.t_ns, from_ns))
    edge_of = outside(trigger, watch.limit)
    if 0 < k < view.trace.n_ticks and beyond(trigger, edge_of, view.trace.column(watch.column)[k - 1 : k + 1]).all():
        return True
    for signal in watch.signals:
        series = view.log.series(signal)
        t_ns, value = series.t_ns[series.valid], series.value[series.valid]
        at = int(np.searchsorted(t_ns, from_ns))
        if 0 < at < len(t_ns) and beyond(trigger, watch.limit, value[at - 1 : at + 1]).all():
            return True
    return False
