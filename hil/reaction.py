"""How long a device took: from the wrong value that is physically present to its code and to the open current path.

Two clocks. FDTI runs from the first wrong frame on the wire to the device, because before that it cannot know. FHTI runs
from the hazard itself, in the truth or on the wire, whichever was first, to the contacts. A value that goes back inside
its limit ends the hazard: both clocks run from the start of the uninterrupted stretch that the device had to answer, the
one in which it answered or the first that outlasted its window. In the truth the hazard begins where the limit is left by
more than the requirement's measuring tolerance; on the wire at the limit itself.

What the bench cannot hold against a device is no FAIL, and what it did itself is no PASS: a stream that was lost while a
clock ran, a path that opened on request or with the supply, a path that nobody asked to close.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire.layout import CYCLE_NS, SLOT
from hil import hazard, lacks, silence
from hil.fault.catalogue import Bound
from hil.hazard import Stretch
from hil.observe import GO_ON, Effect, Moment, View
from hil.opening import Deeds, cascade, holder, opened_by_other, opening, path_open
from hil.requirement import LimitTrigger, Requirement
from hil.scenario import ReactionExpect
from hil.trace import Trace
from hil.verdict import Evidence, Finding, Verdict, inside

_HOLD_CYCLES, _HOLD_NS = 3, 300 * MS_NS  # reference profile, loss of data: three cycles or 300 ms
_LINK = "on a link a time is known to its stamps and to how late the bench was; an idle machine makes the band narrower"
_ALONE = "put the two causes to separate tests, so that only the one that is judged can open the path"
_ASKED_NS = 1_000 * MS_NS  # a pack that was asked to close for so long would have closed


def judge(view: View, row: ReactionExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    """Findings of a reaction expectation: detection when there are codes, isolation when the path must open."""
    if not req.codes and req.reaction != "open":
        return [_nothing_to_judge(req)]
    start: Moment | None
    wire: Moment | None
    from_ns = round(row.from_s * 1e9)
    if req.trigger is not None:
        high_ms = (row.fdti_ms or req.fdti_ms or [0.0, np.inf])[1]
        if hazard.under_way(view, req.trigger, from_ns):
            return [_began_before(req, row)]
        on_wire = hazard.on_wire(view, req.trigger, from_ns)
        wire = _answered(on_wire, _flag_start(view, req.codes, from_ns, from_ns)[1], high_ms)
        start = hazard.first(hazard.in_truth(view, req.trigger, from_ns, row.fhti_ms or req.fhti_ms), wire)
        if start is None:
            return [_not_stimulated(view, req, on_wire, high_ms, req.trigger)]
        earliest_ns = min([start.low_ns, *(stretch.start.low_ns for stretch in on_wire)])
    else:
        effect = effects[row.fault or ""]
        if not effect.happened and silence.ended_early(view):
            return [Finding(req.id, "stimulus", req.title, effect.text, Verdict.INCONC, next_step=GO_ON)]
        if not effect.happened or effect.start is None:
            return []  # the fault's own finding says so already
        if effect.start.high_ns < from_ns:
            return [_began_before(req, row)]
        start, wire = effect.start, effect.start if effect.wire is None else effect.wire
        earliest_ns = wire.low_ns
    late_ns = _instrument_ns(view, row, req)
    findings = []
    if req.codes:
        found = _detection(view, row, req, wire, from_ns, earliest_ns, late_ns)
        findings.append(_blinded(view, req, found, (row.fdti_ms or req.fdti_ms or [0.0, np.inf])[1]))
    if req.reaction == "open":
        findings.append(_blinded(view, req, _isolation(view, row, req, start, late_ns), row.fhti_ms or req.fhti_ms or np.inf))
    return findings


def _instrument_ns(view: View, row: ReactionExpect, req: Requirement) -> int:
    """How much later than it is noted the stimulus may have reached the device, because an instrument showed it."""
    if req.trigger is not None:
        return view.trace.instrument_ns([lacks.OF_TRIGGER[req.trigger.quantity]])
    fault = next(fault for fault in view.setup.faults if fault.spec.label == row.fault)
    return view.trace.instrument_ns(lacks.quantities(view.setup, fault))


def _nothing_to_judge(req: Requirement) -> Finding:
    return Finding(
        req.id, "reaction", req.title, "the requirement names no code, and its path may stay closed", Verdict.ERROR,
        next_step='give the requirement codes, or reaction = "open"; else expect a signal',
    )  # fmt: skip


def _began_before(req: Requirement, row: ReactionExpect) -> Finding:
    return Finding(
        req.id, "stimulus", req.title, f"the limit was left before {row.from_s:g} s, from when it should be judged",
        Verdict.INCONC, next_step="begin to judge before the hazard, or after an earlier one is over",
    )  # fmt: skip


def _answered(stretches: list[Stretch], code: Moment | None, high_ms: float) -> Moment | None:
    """Start of the stretch that the device answered, or of the first that outlasted the window without an answer."""
    for n, stretch in enumerate(stretches):
        next_ns = stretches[n + 1].start.high_ns if n + 1 < len(stretches) else np.inf
        if (code is not None and code.high_ns <= next_ns) or stretch.length_ns >= high_ms * 1e6:
            return stretch.start
    return stretches[0].start if stretches and not np.isfinite(high_ms) else None


def _not_stimulated(view: View, req: Requirement, on_wire: list[Stretch], high_ms: float, trigger: LimitTrigger) -> Finding:
    seen = f"{trigger.quantity} never left its limit: nothing was stimulated"
    if on_wire:
        longest_ms = max(stretch.length_ns for stretch in on_wire) / 1e6
        seen = f"{trigger.quantity} was outside its limit for {longest_ms:.0f} ms at most; the device may take {high_ms:g} ms"
    hint = "make the stimulus stronger or longer, or look whether something else reacted first"
    if silence.ended_early(view):
        ended, hint = f"the run ended at {silence.end_ns(view) / 1e9:g} s", GO_ON
        left_ms = (silence.end_ns(view) - on_wire[-1].start.high_ns) / 1e6 if on_wire else 0.0
        seen = f"{ended}, before {trigger.quantity} left its limit"
        if on_wire:
            seen = f"{ended}, {left_ms:.0f} ms after {trigger.quantity} left its limit; the device may take {high_ms:g} ms"
    return Finding(req.id, "stimulus", req.title, seen, Verdict.INCONC, next_step=hint)


# ---- when it was reported


def _flag_start(view: View, codes: list[str], from_ns: int, split_ns: int) -> tuple[Moment | None, Moment | None]:
    """First frame from from_ns on with one of the codes raised, before split_ns and from then on, as the device sent it."""
    before: Moment | None = None
    after: Moment | None = None
    for code in codes:
        series = view.log.said(f"Diag_{code}")
        raised = series.valid & (series.value > 0.5) & (series.t_ns >= from_ns)
        for early in (True, False):
            k = np.flatnonzero(raised & ((series.t_ns < split_ns) == early))
            if not len(k):
                continue
            at = int(series.t_ns[k[0]])
            moment = Moment(at - series.frame_ns, at, f"code {code}", f"Diag_{code}")
            if early:
                before = hazard.first(before, moment)
            else:
                after = hazard.first(after, moment)
    return before, after


def _detection(
    view: View, row: ReactionExpect, req: Requirement, wire: Moment | None, from_ns: int, earliest_ns: int, late_ns: int
) -> Finding:
    low, high = row.fdti_ms or req.fdti_ms or [0.0, float("inf")]
    names = " or ".join(req.codes)
    expected = f"{names} within {low:g} to {high:g} ms" if np.isfinite(high) else names
    before, code = _flag_start(view, req.codes, from_ns, earliest_ns)
    if before is not None:
        evidence = Evidence(from_ns, "from"), Evidence(before.high_ns, before.what, before.column)
        known = earliest_ns - before.high_ns > view.trace.blur_ns(before.high_ns) + view.trace.blur_ns(earliest_ns)
        return Finding(
            req.id, "detection (FDTI)", expected,
            f"{before.what} stood at {before.high_ns / 1e9:.3f} s, before the cause"
            + ("" if known else ", but by less than times on this link are known to"),
            Verdict.FAIL if known else Verdict.INCONC, evidence=evidence,
            next_step="a false trip: look at its limit and debounce" if known else _LINK,
        )  # fmt: skip
    if wire is None:
        return Finding(
            req.id, "detection (FDTI)", expected, "the wrong value never stood on the wire long enough", Verdict.INCONC,
            next_step="the device could not see the hazard; look at what the sensors sent",
        )  # fmt: skip
    start = Evidence(wire.high_ns, wire.what, wire.column)
    end_ns = view.trace.n_ticks * view.trace.dt_ns
    if code is None:
        left_ms = (end_ns - wire.high_ns) / 1e6
        ended = np.isfinite(high) and left_ms - (view.trace.blur_ns(wire.high_ns) + late_ns) / 1e6 < high
        seen = (
            f"the run ended {left_ms:.0f} ms after {wire.what}, before the window did"
            if ended
            else f"no such code in {left_ms:.0f} ms"
        )
        return Finding(
            req.id, "detection (FDTI)", expected, seen, Verdict.INCONC if ended else Verdict.FAIL,
            evidence=(start, Evidence(end_ns, "end of the run")),
            next_step="make the run longer" if ended else "look at limit, debounce and whether the check is on",
        )  # fmt: skip
    value, least, most = _duration(view.trace, wire, code, late_ns)
    verdict = inside(least, most, (low, high))
    return Finding(
        req.id, "detection (FDTI)", expected, f"{code.what} after {value:.1f} ms", verdict, value, least, most, "ms",
        (start, Evidence(code.high_ns, code.what, code.column)), _time_hint(view, verdict, value, low, high),
        timed=bool(low > 0.0 or np.isfinite(high)),
    )  # fmt: skip


def _blinded(view: View, req: Requirement, finding: Finding, limit_ms: float) -> Finding:
    """A FAIL on time while the stream with the wrong value was lost is INCONC: the device's clock may have stood still."""
    layout = view.setup.network.to_dut
    if finding.verdict is not Verdict.FAIL or req.trigger is None or len(finding.evidence) != 2:
        return finding
    start, end = finding.evidence
    if start.column not in layout.signal_names:
        return finding
    series = view.log.series(start.column)
    until_ns = min(end.t_ns, start.t_ns + limit_ms * 1e6)
    heard = series.t_ns[series.valid & (series.t_ns > start.t_ns) & (series.t_ns < until_ns)]
    longest_ns = float(np.diff(np.concatenate([[start.t_ns], heard, [until_ns]])).max())
    cycle_ns = int(layout.slots[int(layout.signals[layout.index(start.column), SLOT]), CYCLE_NS])
    if longest_ns <= max(_HOLD_CYCLES * cycle_ns, _HOLD_NS):
        return finding
    seen = f"{finding.seen}; but no {start.column} came for {longest_ns / 1e6:.0f} ms meanwhile"
    return replace(
        finding, seen=seen, verdict=Verdict.INCONC, next_step="put the loss of data and this limit to separate tests"
    )


def straddles(trace: Trace) -> str:
    """What to do about a band that lies across an edge of its window."""
    narrower = _LINK if trace.info.get("link") else "use a shorter tick or frame cycle"
    return f"the band of the measurement straddles the window; {narrower}"


def _duration(trace: Trace, start: Moment, end: Moment, late_ns: int) -> tuple[float, float, float]:
    """Best figure and band of end - start [ms]; the band counts what times are off on a real link.

    late_ns: how much later than it is noted the start may have reached the device.
    """
    blur_ns = trace.blur_ns(start.high_ns) + trace.blur_ns(end.high_ns)
    low, high = (end.low_ns - start.high_ns - late_ns - blur_ns) / 1e6, (end.high_ns - start.low_ns + blur_ns) / 1e6
    return (end.high_ns - start.high_ns) / 1e6, low, high


def _time_hint(view: View, verdict: Verdict, value: float, low: float, high: float) -> str:
    if verdict is Verdict.PASS:
        return ""
    if verdict is Verdict.INCONC:
        return straddles(view.trace)
    if value > high:
        return "too late: look at debounce, delay and frame cycle"
    return f"too early (the window starts at {low:g} ms): look at debounce"


# ---- when the path was open


def _isolation(view: View, row: ReactionExpect, req: Requirement, hazard: Moment, late_ns: int) -> Finding:
    limit_ms = row.fhti_ms or req.fhti_ms
    expected = "contactors open" + (f" within {limit_ms:g} ms" if limit_ms is not None else "") + " and stay open"
    opened = opening(view, hazard.high_ns)
    start = Evidence(hazard.high_ns, hazard.what, hazard.column)
    if opened is None:
        end_ns = view.trace.n_ticks * view.trace.dt_ns
        left_ms = (end_ns - hazard.high_ns) / 1e6
        ended = limit_ms is not None and left_ms - (view.trace.blur_ns(hazard.high_ns) + late_ns) / 1e6 < limit_ms
        return Finding(
            req.id, "reaction (FHTI)", expected, f"still closed {left_ms:.0f} ms after {hazard.what}",
            Verdict.INCONC if ended else Verdict.FAIL, evidence=(start, Evidence(end_ns, "end of the run")),
            next_step="make the run longer" if ended else "look at the reaction of the limit and its delay",
        )  # fmt: skip
    value, least, most = _duration(view.trace, hazard, opened, late_ns)
    verdict = Verdict.PASS if limit_ms is None else inside(least, most, (-1.0, limit_ms))
    seen = f"open after {value:.1f} ms"
    hint = _time_hint(view, verdict, value, 0.0, np.inf if limit_ms is None else limit_ms)
    evidence = [start, Evidence(opened.high_ns, opened.what, opened.column)]
    if opened.low_ns == hazard.high_ns:
        value, least, most = 0.0, 0.0, 0.0
        verdict, seen, hint = _open_already(view, req, hazard.high_ns)
    else:
        verdict, why, other = _credited(view, row, req, hazard, opened, verdict)
        seen, hint = f"{seen}{why}", other if verdict is Verdict.INCONC and other else hint
    again = _closes_again(view, opened.high_ns)
    if again is not None:
        seen += f"; closed again at {again / 1e9:.3f} s"
        verdict, hint = Verdict.FAIL, "a latch is missing: the fault must hold the contactors open until it is reset"
        evidence.append(Evidence(again, "contactors close again", "main_plus"))
    timed = limit_ms is not None and again is None and opened.low_ns != hazard.high_ns
    return Finding(
        req.id, "reaction (FHTI)", expected, seen, verdict, value, least, most, "ms", tuple(evidence), hint, timed=timed
    )  # fmt: skip


def _open_already(view: View, req: Requirement, from_ns: int) -> tuple[Verdict, str, str]:
    """Verdict, what was seen and what to do about a path that was open when the hazard began."""
    before = np.flatnonzero(~path_open(view.trace)[: np.searchsorted(view.t_ns, from_ns)])
    if len(before):
        seen = f"open already since {view.t_ns[before[-1] + 1] / 1e9:.3f} s"
        return Verdict.INCONC, seen, "something else reacted first, so this reaction was not put to the test"
    deeds = Deeds.of(view.setup, ())
    if not _asked_to_close(view, deeds, from_ns):
        seen = "open all the time before, but nobody asked it to close"
        return Verdict.INCONC, seen, "request operation while the hazard stands, so that the device must refuse"
    own = cascade(req, view.setup.inputs.requirements)
    named = holder(view, from_ns, view.trace.n_ticks * view.trace.dt_ns)
    if own and named and named not in own:
        return Verdict.INCONC, f"open all the time before, but something else ({named}) held it open", _ALONE
    return Verdict.PASS, "open all the time before", ""


def _credited(
    view: View, row: ReactionExpect, req: Requirement, hazard: Moment, opened: Moment, verdict: Verdict
) -> tuple[Verdict, str, str]:
    """The verdict on a time when the path was not opened by what is judged, what is to be said of that, and what to do.

    Late is late, whoever opened the path in the end. A limit may not be left while the pack is being switched off, nor
    before; a fault may need that to show.
    """
    rivals = _rivals(view, row, req)
    deeds = Deeds.of(view.setup, rivals)
    by_bench = deeds.switched_off(hazard.high_ns, opened.high_ns, or_before=req.trigger is not None)
    if verdict is Verdict.FAIL:
        named = holder(view, opened.high_ns)
        return verdict, f", when {by_bench}" if by_bench else f", by {named}" if named else "", ""
    if by_bench:
        return Verdict.INCONC, f", but {by_bench}", "keep request and supply as they are until the device has reacted"
    begun = [(at_ns, name) for at_ns, name in deeds.begun if hazard.high_ns < at_ns <= opened.high_ns]
    alone = req.trigger is None and not any(at_ns <= opened.high_ns for at_ns, _ in deeds.begun)
    own = cascade(req, view.setup.inputs.requirements)
    other = opened_by_other(view, own, hazard.high_ns, opened, begun, alone)
    return (Verdict.INCONC, f", but {other}", _ALONE) if other else (verdict, "", "")


def _asked_to_close(view: View, deeds: Deeds, from_ns: int) -> bool:
    """Whether operation was asked for from from_ns on, for as long as a pack takes to close."""
    ends = [*(at_ns for at_ns, _ in deeds.asked[1:]), view.trace.n_ticks * view.trace.dt_ns]
    return any(
        operate and end_ns - max(at_ns, from_ns) >= _ASKED_NS
        for (at_ns, operate), end_ns in zip(deeds.asked, ends, strict=True)
    )


def _rivals(view: View, row: ReactionExpect, req: Requirement) -> list[Bound]:
    """Faults that may open the path for another reason: not the one that is judged, none on the quantity that is."""
    watches = hazard.watched(view, req.trigger) if req.trigger is not None else []
    own = {signal for watch in watches for signal in watch.signals}
    names = view.setup.network.to_dut.signal_names
    return [
        fault
        for fault in view.setup.faults
        if fault.spec.label != row.fault and not (fault.signals and {names[n] for n in fault.signals} <= own)
    ]


def _closes_again(view: View, from_ns: int) -> int | None:
    """When the path closed again before anyone asked for a reset, or took the supply away."""
    pressed = [round(r.at_s * 1e9) for r in view.setup.inputs.scenario.request if r.fault_reset and r.at_s * 1e9 > from_ns]
    lost = [at_ns for at_ns in view.setup.resets_ns if at_ns > from_ns]
    until_ns = min([*pressed, *lost, view.trace.n_ticks * view.trace.dt_ns])
    span = (view.t_ns > from_ns) & (view.t_ns <= until_ns)
    k = np.flatnonzero(span & ~path_open(view.trace))
    return int(view.t_ns[k[0]]) if len(k) else None
