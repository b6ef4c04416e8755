"""Bus seam: every frame of an arbitrated bus stands in its record, with how it ended; so does every node that was cut off."""

from __future__ import annotations

import numpy as np

from firmware_sim.types import I64
from hil.bus import table as tb
from hil.fault.catalogue import Bound
from hil.fault.table import TARGET
from hil.observe.view import Bools, Effect, Moment, View, expected_on

_SUSPEND_BITS, _INTERMISSION_BITS = 8, 3


def _frames(view: View, bus: int) -> I64:
    """Records of the frames of a bus, in order of their starts."""
    rows = view.trace.bus
    rows = rows[(rows[:, tb.RECORD_KIND] == tb.FRAME_IS) & (rows[:, tb.RECORD_BUS] == bus)]
    return np.asarray(rows[np.argsort(rows[:, tb.RECORD_D], kind="stable")], np.int64)


def _targets(view: View, fault: Bound) -> list[tuple[int, int]]:
    """(bus, node) that a fault hits; node -1 for a whole bus."""
    plan = view.setup.network.plan
    assert plan is not None  # a fault of this seam cannot be bound without
    hit = [int(row[TARGET]) for row in fault.rows]
    return [(n, -1) if fault.kind.target == "bus" else (plan.nodes[n][0], n) for n in hit]


def _alone(view: View, fault: Bound) -> bool:
    """Whether no other fault acts on a bus: only then can frames be counted."""
    return not any(other is not fault and other.kind.seam == "bus" for other in view.setup.faults)


def _errors(view: View, fault: Bound, outcome: int, what: str) -> Effect:
    """Check that every so many frames of the target, counted while the fault is on, ended so, and no other."""
    every, dt_ns = int(fault.values["every"]), view.trace.dt_ns
    starts: list[Moment] = []
    for bus, node in _targets(view, fault):
        rows = _frames(view, bus)
        t_ns = rows[:, tb.RECORD_D]
        on = expected_on(t_ns, fault, dt_ns)
        own = _counted(view, rows, outcome, node)
        hit = rows[:, tb.RECORD_A] == outcome
        if outcome == tb.BIT_ERROR:
            hit &= rows[:, tb.RECORD_NODE] == node
        if outcome == tb.HEAR_ERROR:
            # an error-passive node cannot destroy what seems wrong to it, and does not hear it
            hit = (hit | (rows[:, tb.RECORD_A] == tb.GOOD)) & (rows[:, tb.RECORD_C] == node)
        if (hit & ~on).any():
            return Effect(False, f"at {t_ns[hit & ~on][0] / 1e9:.4f} s a frame {what} outside the fault's time")
        if _alone(view, fault):
            expected = np.zeros(len(rows), bool)
            expected[np.flatnonzero(on & own)[every - 1 :: every]] = True
            if (expected != hit).any():
                at_ns = int(t_ns[expected != hit][0])
                return Effect(False, f"at {at_ns / 1e9:.4f} s {'no' if expected[t_ns == at_ns][0] else 'a'} frame {what}")
        if hit.any():
            first = rows[np.flatnonzero(hit)[0]]
            starts.append(Moment(int(first[tb.RECORD_D]), int(first[tb.RECORD_NS]), f"first frame that {what}"))
    if not starts:
        return Effect(False, f"no frame {what}")
    start = min(starts, key=lambda moment: moment.high_ns)
    which = "every frame" if every == 1 else f"one frame in {every}"
    return Effect(True, f"{which} {what}, from {start.low_ns / 1e9:.3f} s", start, start)


def _counted(view: View, rows: I64, outcome: int, node: int) -> Bools:
    """Frames that a fault counts: those of the node, of all, or those that the node could hear."""
    if outcome == tb.NOISE_ERROR:
        return np.ones(len(rows), bool)
    if outcome == tb.BIT_ERROR:
        return np.asarray(rows[:, tb.RECORD_NODE] == node)
    states = view.trace.bus[(view.trace.bus[:, tb.RECORD_KIND] == tb.STATE_IS) & (view.trace.bus[:, tb.RECORD_NODE] == node)]
    at = np.searchsorted(states[:, tb.RECORD_NS], rows[:, tb.RECORD_D], side="right")
    state = np.concatenate([[tb.ACTIVE], states[:, tb.RECORD_A]])[at]
    return np.asarray((rows[:, tb.RECORD_NODE] != node) & (state != tb.BUS_OFF))


def bit_errors(view: View, fault: Bound) -> Effect:
    """The node destroyed its own frames."""
    return _errors(view, fault, tb.BIT_ERROR, "was destroyed by its sender")


def noise(view: View, fault: Bound) -> Effect:
    """Frames were destroyed on the line."""
    return _errors(view, fault, tb.NOISE_ERROR, "was destroyed on the line")


def hear_errors(view: View, fault: Bound) -> Effect:
    """The node destroyed frames of others, or did not hear them."""
    return _errors(view, fault, tb.HEAR_ERROR, "seemed wrong to the node")


def cut(view: View, fault: Bound) -> Effect:
    """The node was off the bus in the ticks of the fault, and no frame of it came in them."""
    rows, on = view.trace.bus, expected_on(view.t_ns, fault, view.trace.dt_ns)
    if not on.any():
        return Effect(False, "it was never on")
    for bus, node in _targets(view, fault):
        links = rows[(rows[:, tb.RECORD_KIND] == tb.LINK_IS) & (rows[:, tb.RECORD_NODE] == node)]
        at = np.searchsorted(links[:, tb.RECORD_NS], view.t_ns, side="right")
        off = np.concatenate([[1], links[:, tb.RECORD_A]])[at] == 0
        if _alone(view, fault) and (off != on).any():
            k = int(np.flatnonzero(off != on)[0])
            return Effect(False, f"at {view.t_ns[k] / 1e9:.4f} s the node was {'cut off' if off[k] else 'connected'}")
        frames = _frames(view, bus)
        own = frames[(frames[:, tb.RECORD_NODE] == node) & (frames[:, tb.RECORD_A] == tb.GOOD), tb.RECORD_D]
        ticks = own // view.trace.dt_ns
        if on[ticks[ticks < len(on)]].any():
            return Effect(False, "a frame of it came while it was cut off")
    start_ns = int(view.t_ns[on][0])
    start = Moment(start_ns, start_ns, "the node was cut off")
    return Effect(True, f"nothing went to it or came from it, from {start_ns / 1e9:.3f} s", start, start)


def babble(view: View, fault: Bound) -> Effect:
    """Frames of that id and length came as often as the bus let them, and only while the fault was on."""
    plan = view.setup.network.plan
    assert plan is not None
    pause_ns, starts = round(fault.values["pause_ms"] * 1e6), []
    for bus, node in _targets(view, fault):
        rows = _frames(view, bus)
        own = (rows[:, tb.RECORD_NODE] == node) & (rows[:, tb.RECORD_E] < 0)
        t_ns, end_ns, bit_ns = rows[:, tb.RECORD_D], rows[:, tb.RECORD_NS], 1_000_000_000 // int(plan.buses[bus, tb.BITRATE])
        on = expected_on(t_ns, fault, view.trace.dt_ns)
        if (own & ~on).any():
            return Effect(False, f"at {t_ns[own & ~on][0] / 1e9:.4f} s it sent outside the fault's time")
        if not own.any():
            return Effect(False, "it sent nothing")
        if (rows[own, tb.RECORD_B] != round(fault.values["id"])).any():
            return Effect(False, f"it sent id 0x{int(rows[own, tb.RECORD_B][0]):X}")
        good = rows[own & (rows[:, tb.RECORD_A] == tb.GOOD)]
        bits = (good[:, tb.RECORD_NS] - good[:, tb.RECORD_D]) / bit_ns
        least = (64 if fault.values["id"] > 0x7FF else 44) + 8 * fault.values["length"]
        if len(bits) and not least <= bits.min() <= bits.max() < 1.26 * least:
            return Effect(False, f"its frames took {bits.min():.0f} to {bits.max():.0f} bits")
        rest_ns = good[1:, tb.RECORD_D] - good[:-1, tb.RECORD_NS]
        if len(rest_ns) and rest_ns.min() < pause_ns:
            return Effect(False, f"it paused for {rest_ns.min() / 1e6:g} ms")
        longest = _longest_free(view, fault, t_ns, end_ns)
        if _alone(view, fault) and longest > pause_ns + (_SUSPEND_BITS + _INTERMISSION_BITS + 1) * bit_ns:
            return Effect(False, f"the bus was free for {longest / 1e6:g} ms while it should have sent")
        first = rows[np.flatnonzero(own)[0]]
        starts.append(Moment(int(first[tb.RECORD_D]), int(first[tb.RECORD_NS]), "first frame of the babbling node"))
    start = min(starts, key=lambda moment: moment.high_ns)
    n = int(sum((_frames(view, bus)[:, tb.RECORD_E] < 0).sum() for bus, _ in _targets(view, fault)))
    return Effect(True, f"{n} frames, from {start.low_ns / 1e9:.3f} s", start, start)


def _longest_free(view: View, fault: Bound, t_ns: I64, end_ns: I64) -> int:
    """Longest stretch in which the bus was free and the fault was on throughout."""
    spec, run_ns = fault.spec, view.trace.n_ticks * view.trace.dt_ns
    stop_ns = min(fault.stop_ns(view.trace.dt_ns), run_ns)
    spans = [(fault.start_ns, stop_ns)]
    if spec.on_ms is not None and spec.off_ms is not None:
        period_ns = (spec.on_ms + spec.off_ms) * 1_000_000
        first = np.arange(fault.start_ns, stop_ns, period_ns)
        spans = [(int(a), min(int(a) + spec.on_ms * 1_000_000, stop_ns)) for a in first]
    longest = 0
    for from_ns, to_ns in spans:
        inside = (end_ns > from_ns) & (t_ns < to_ns)
        free_from = np.concatenate([[from_ns], np.maximum(end_ns[inside], from_ns)])
        free_to = np.concatenate([np.minimum(t_ns[inside], to_ns), [to_ns]])
        if to_ns == run_ns:  # a frame that was under way at the end has no record
            free_from, free_to = free_from[:-1], free_to[:-1]
        longest = max(longest, int((free_to - free_from).max(initial=0)))
    return longest
