"""Sensor seam: both sides of each touched signal stand in the trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from firmware_sim.types import F64
from hil.fault.catalogue import Bound
from hil.observe.view import Bools, Effect, Moment, View, expected_on, first_frame, others_on


def _sensed(view: View, fault: Bound, wanted: Callable[[F64, Bools], F64], what: str) -> Effect:
    """Check that `after` is what `wanted` says where the fault is on, and untouched elsewhere.

    wanted: (before (n_ticks, n_signals), where it is on) -> after, for the fault's signals in their order.
    """
    t_ns, names = view.t_ns, [view.setup.network.to_dut.signal_names[signal] for signal in fault.signals]
    on = expected_on(t_ns, fault, view.trace.dt_ns)
    if not on.any():
        return Effect(False, "it was never on")
    at = [view.trace.touched.index(name) for name in names]
    before, after = view.trace.sides[:, 0, at], view.trace.sides[:, 1, at]
    asked = wanted(before, on)
    same = np.isclose(after, asked, rtol=1e-12, atol=1e-9, equal_nan=True)
    changed = ~np.isclose(before, after, rtol=0, atol=1e-12, equal_nan=True)
    untouched = (before == after) | (np.isnan(before) & np.isnan(after))
    starts: list[Moment] = []
    for n, name in enumerate(names):
        mine = fault.signals if fault.kind.target == "tap" else fault.signals[n : n + 1]  # wires mix what their cells read
        shared = others_on(view, fault, t_ns, partial(_shares, mine))
        alone = on & ~shared
        if not alone.any():
            return Effect(False, f"another fault acted on {name} all the time")
        wrong = np.flatnonzero(alone & ~same[:, n])
        if len(wrong):
            k = int(wrong[0])
            return Effect(False, f"{name} read {after[k, n]:g} at {t_ns[k] / 1e9:g} s; {what} should give {asked[k, n]:g}")
        if not untouched[~on & ~shared, n].all():
            return Effect(False, f"{name} was touched outside the fault's time")
        reads = np.flatnonzero(alone & changed[:, n])
        if len(reads):
            start_ns = int(t_ns[reads[0]])
            starts.append(Moment(start_ns, start_ns, f"{name} reads wrong", name))
    if not starts:
        return Effect(False, f"{what} changed nothing")
    start = min(starts, key=lambda moment: moment.low_ns)
    told = [signal for signal, name in zip(fault.signals, names, strict=True) if name in {m.column for m in starts}]
    wire = [m for signal in told if (m := first_frame(view, signal, start.low_ns)) is not None]
    text = f"{what} from {start.low_ns / 1e9:g} s"
    return Effect(True, text, start, min(wire, key=lambda m: m.high_ns) if wire else None)


def _shares(signals: tuple[int, ...], other: Bound) -> bool:
    return not set(signals).isdisjoint(other.signals)


def gain_offset(view: View, fault: Bound) -> Effect:
    """Gain, offset, and a drift that counts from the fault's start."""
    values: dict[str, float] = {**{str(name): float(value) for name, value in fault.kind.fixed.items()}, **fault.values}
    gain = values.get("gain", values.get("A", 1.0))
    offset = values.get("B", 0.0) + sum(value for name, value in values.items() if name.startswith("offset_"))
    drift = values.get("C", 0.0) + sum(value for name, value in values.items() if name.startswith("drift_"))
    drifted = drift * (view.t_ns - fault.start_ns)[:, None] / 1e9
    what = f"gain {gain:g}, offset {offset:g}, drift {drift:g}/s"
    return _sensed(view, fault, lambda before, on: before * gain + offset + drifted, what)


def hold(view: View, fault: Bound) -> Effect:
    """The value at which it came on, each time anew."""

    def wanted(before: F64, on: Bools) -> F64:
        """In each row the value, before the fault, of the row in which it last came on."""
        onset = on & ~np.concatenate([[False], on[:-1]])
        k = np.maximum.accumulate(np.where(onset, np.arange(len(on)), 0))
        return before[k]

    return _sensed(view, fault, wanted, "a frozen value")


def constant(view: View, fault: Bound) -> Effect:
    """One value, NaN included."""
    value = float([*fault.values.values(), *fault.kind.fixed.values()][0])
    return _sensed(view, fault, lambda before, on: np.full_like(before, value), f"a constant {value:g}")


def swap_taps(view: View, fault: Bound) -> Effect:
    """Two sense wires change places: rebuild the potentials of the wires from the cells between them."""
    low, high = int((fault.spec.target or "").strip("tap[]")), int(fault.values["with_tap"])
    first = max(low - 1, 0)

    def wanted(before: F64, on: Bools) -> F64:
        """Differences [V] of the tap potentials, two of which changed places."""
        tap_V = np.concatenate([np.zeros((len(before), 1)), np.cumsum(before, axis=1)], axis=1)
        tap_V[:, [low - first, high - first]] = tap_V[:, [high - first, low - first]]
        return np.diff(tap_V, axis=1)

    return _sensed(view, fault, wanted, f"wires {low} and {high} swapped")


def open_tap(view: View, fault: Bound) -> Effect:
    """A loose sense wire drifts from where it came off; at an end of the string the reading falls to nothing."""
    spec, filter_s = fault.spec, fault.values["filter_s"]
    loose_ns = view.t_ns - fault.start_ns
    if spec.on_ms is not None and spec.off_ms is not None:
        loose_ns %= (spec.on_ms + spec.off_ms) * 1_000_000
    gone = np.exp(-loose_ns / 1e9 / filter_s) if filter_s > 0.0 else np.zeros(len(loose_ns))

    def wanted(before: F64, on: Bools) -> F64:
        """The one reading that dies away, or the pair whose middle drifts to its share of both [V]."""
        if before.shape[1] == 1:
            return before * gone[:, None]
        pair = before.sum(axis=1)
        below = fault.values["share"] * pair * (1.0 - gone) + before[:, 0] * gone
        return np.column_stack([below, pair - below])

    return _sensed(view, fault, wanted, "an open sense wire")
