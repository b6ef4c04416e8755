"""The judge: from a trace and what was required to findings. It never asks the device whether it was right.

Times run from the first wrong value that is physically present. FDTI counts from the first wrong frame on the wire to the
device, because before that the device cannot know; FHTI from the hazard itself, in the truth or on the wire, whichever
was first, to the open current path. Every time carries the band in which it lies, and PASS needs the whole band inside.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firmware_sim.types import F64, I64
from hil import observe, truth
from hil.names import cell_signal, ntc_signal
from hil.observe import Effect, Moment, View
from hil.requirement import LimitTrigger, Requirement
from hil.scenario import ContactorsExpect, PrechargeExpect, QuietExpect, ReactionExpect, SignalExpect, SocExpect
from hil.setup import Setup
from hil.trace import Trace
from hil.verdict import Evidence, Finding, Verdict, inside, worst
from hil.wirelog import Bools, WireLog, choices

_TRUTH_OF = {
    "cell_voltage": ("cell_voltage_max", "cell_voltage_min"),
    "cell_temperature": ("temperature_max", "temperature_min"),
    "discharge_current": ("mean_current", "mean_current"),
    "charge_current": ("mean_current", "mean_current"),
}


def judge(trace: Trace, setup: Setup) -> list[Finding]:
    """All findings of a run, in the order of the scenario."""
    view = View(trace, WireLog(trace.journal, setup.network), setup)
    required = setup.inputs.requirements.by_id()
    findings: list[Finding] = []
    effects: dict[str, Effect] = {}
    for fault in setup.faults:
        effect = observe.observe(view, fault)
        effects[fault.spec.label] = effect
        if not effect.happened:
            findings.append(_no_effect(fault.spec.label, effect))
    if trace.lost_frames:
        findings.append(_lost_frames(trace))
    for row in setup.inputs.scenario.expect:
        findings += _JUDGES[row.kind](view, row, required[row.requirement], effects)
    return [_taint(view, finding) for finding in findings]


def overall(findings: list[Finding]) -> Verdict:
    """Verdict of a run."""
    return worst([finding.verdict for finding in findings])


def _no_effect(label: str, effect: Effect) -> Finding:
    return Finding(
        "BENCH", f'fault "{label}"', "the fault has its effect", effect.text, Verdict.ERROR,
        next_step="check target and times of the fault in the scenario; without its effect nothing was tested",
    )  # fmt: skip


def _lost_frames(trace: Trace) -> Finding:
    return Finding(
        "BENCH", "journal", "every frame is recorded", f"{trace.lost_frames} frames found no room", Verdict.ERROR,
        next_step="use fewer doubled or delayed streams at once",
    )  # fmt: skip


def _taint(view: View, finding: Finding) -> Finding:
    """In real time a judgement that rests on a tick the bench was late for is INCONC, whatever it looked like."""
    late_ns = view.trace.late_ns
    if not len(late_ns) or finding.verdict in (Verdict.ERROR, Verdict.NONE) or not finding.evidence:
        return finding
    first, last = min(e.t_ns for e in finding.evidence), max(e.t_ns for e in finding.evidence)
    dt_ns = view.trace.dt_ns
    missed = np.flatnonzero(late_ns[max(first // dt_ns - 1, 0) : last // dt_ns + 2] > dt_ns)
    if not len(missed):
        return finding
    worst_ms = late_ns[max(first // dt_ns - 1, 0) : last // dt_ns + 2].max() / 1e6
    return Finding(
        finding.requirement, finding.what, finding.expected,
        f"{finding.seen}; but the bench missed {len(missed)} of its own deadlines there, the worst by {worst_ms:.1f} ms",
        Verdict.INCONC, finding.value, finding.low, finding.high, finding.unit, finding.evidence,
        "run again on an idle machine, or in virtual time",
    )  # fmt: skip


# ---- times


def _duration(start: Moment, end: Moment) -> tuple[float, float, float]:
    """Best figure and band of end - start [ms]."""
    low, high = (end.low_ns - start.high_ns) / 1e6, (end.high_ns - start.low_ns) / 1e6
    return (end.high_ns - start.high_ns) / 1e6, low, high


def _path_open(trace: Trace) -> Bools:
    """(n_ticks,) no closed path between cells and link."""
    plus, minus, pre = (trace.column(name) for name in ("main_plus", "main_minus", "precharge"))
    return (minus == 0) | ((plus == 0) & (pre == 0))


def _opening(view: View, from_ns: int) -> Moment | None:
    """When the path opened at or after from_ns; a moment at from_ns when it was open then already."""
    trace, t_ns = view.trace, view.t_ns
    is_open = _path_open(trace)
    first = int(np.searchsorted(t_ns, from_ns))
    later = np.flatnonzero(is_open[first:])
    if not len(later):
        return None
    k = first + int(later[0])
    if k == first:
        return Moment(from_ns, from_ns, "the path was open already", "main_plus")
    moved = [int(trace.column(f"{name}_changed")[k]) for name in ("main_plus", "main_minus", "precharge")]
    inside_tick = [ns for ns in moved if t_ns[k - 1] <= ns <= t_ns[k]]
    at = min(inside_tick) if inside_tick else int(t_ns[k])
    return Moment(at, at, "contactors open", "main_plus")


def _crossing(t_ns: I64, bad: Bools, dt_ns: int, what: str, column: str) -> Moment | None:
    k = np.flatnonzero(bad)
    return None if not len(k) else Moment(int(t_ns[k[0]]) - dt_ns, int(t_ns[k[0]]), what, column)


def _signals_of(view: View, trigger: LimitTrigger) -> list[str]:
    if trigger.quantity == "cell_voltage":
        return [cell_signal(i) for i in range(view.setup.place.n_cells)]
    if trigger.quantity == "cell_temperature":
        return [ntc_signal(j) for j in range(view.setup.place.n_ntc)]
    return ["Shunt_Current"]


def _beyond(trigger: LimitTrigger, limit: float) -> Callable[[F64], Bools]:
    if trigger.quantity == "charge_current":
        return lambda x: -x > limit
    return (lambda x: x > limit) if trigger.above is not None else (lambda x: x < limit)


def _limit_start(view: View, trigger: LimitTrigger, from_ns: int) -> tuple[Moment | None, Moment | None]:
    """First wrong value in the truth and on the wire."""
    limit = trigger.value(view.setup.inputs.cell, view.setup.inputs.pack)
    bad = _beyond(trigger, limit)
    name = _TRUTH_OF[trigger.quantity][0 if trigger.above is not None else 1]
    there = bad(view.trace.column(name)) & (view.t_ns >= from_ns)
    in_truth = _crossing(view.t_ns, there, view.trace.dt_ns, f"{name} beyond {limit:g}", name)
    on_wire: Moment | None = None
    for signal in _signals_of(view, trigger):
        series = view.log.series(signal)
        k = np.flatnonzero(bad(series.value) & series.valid & (series.t_ns >= from_ns))
        if len(k) and (on_wire is None or series.t_ns[k[0]] < on_wire.high_ns):
            at = int(series.t_ns[k[0]])
            on_wire = Moment(at - series.frame_ns, at, f"{signal} = {series.value[k[0]]:g} beyond {limit:g}", signal)
    return in_truth, on_wire


# ---- the kinds of expectation


def _reaction(view: View, row: ReactionExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    from_ns = round(row.from_s * 1e9)
    hazard: Moment | None
    if req.trigger is not None:
        in_truth, wire = _limit_start(view, req.trigger, from_ns)
        hazard = min((m for m in (in_truth, wire) if m is not None), key=lambda m: m.high_ns, default=None)
        missing = f"{req.trigger.quantity} never left its limit"
    else:
        effect = effects[row.fault or ""]
        if not effect.happened:
            return []  # the fault's own finding says so already
        hazard, wire = effect.start, effect.wire if effect.wire is not None else effect.start
        missing = "the fault had no start"
    if hazard is None or wire is None:
        return [
            Finding(
                req.id,
                "stimulus",
                req.title,
                f"{missing}: nothing was stimulated",
                Verdict.INCONC,
                next_step="make the stimulus stronger or longer, or look whether something else reacted first",
            )  # fmt: skip
        ]
    findings = []
    if req.codes:
        findings.append(_detection(view, row, req, wire))
    if req.reaction == "open":
        findings += _isolation(view, row, req, hazard)
    return findings


def _flag_start(view: View, codes: list[str], from_ns: int) -> tuple[Moment | None, Moment | None]:
    """First frame with one of the codes raised, before and from from_ns on."""
    before: Moment | None = None
    after: Moment | None = None
    for code in codes:
        series = view.log.series(f"Diag_{code}")
        raised = series.valid & (series.value > 0.5)
        early = np.flatnonzero(raised & (series.t_ns < from_ns))
        late = np.flatnonzero(raised & (series.t_ns >= from_ns))
        if len(early):
            at = int(series.t_ns[early[0]])
            before = Moment(at - series.frame_ns, at, f"code {code}", f"Diag_{code}")
        elif len(late) and (after is None or series.t_ns[late[0]] < after.high_ns):
            at = int(series.t_ns[late[0]])
            after = Moment(at - series.frame_ns, at, f"code {code}", f"Diag_{code}")
    return before, after


def _detection(view: View, row: ReactionExpect, req: Requirement, wire: Moment) -> Finding:
    low, high = row.fdti_ms or req.fdti_ms or [0.0, float("inf")]
    names = " or ".join(req.codes)
    expected = f"{names} within {low:g} to {high:g} ms" if np.isfinite(high) else names
    before, code = _flag_start(view, req.codes, wire.low_ns)
    evidence: tuple[Evidence, ...] = (Evidence(wire.high_ns, wire.what, wire.column),)
    if before is not None:
        evidence = (Evidence(before.high_ns, before.what, before.column), *evidence)
        return Finding(
            req.id, "detection (FDTI)", expected, f"{before.what} stood at {before.high_ns / 1e9:.3f} s, before the fault",
            Verdict.FAIL, evidence=evidence, next_step="a false trip: look at its limit and debounce",
        )  # fmt: skip
    end_ns = view.trace.n_ticks * view.trace.dt_ns
    if code is None:
        left_ms = (end_ns - wire.high_ns) / 1e6
        evidence = (*evidence, Evidence(end_ns, "end of the run"))
        if left_ms < high:
            return Finding(
                req.id, "detection (FDTI)", expected, f"the run ended {left_ms:.0f} ms after the fault, before the window did",
                Verdict.INCONC, evidence=evidence, next_step="make the run longer",
            )  # fmt: skip
        return Finding(
            req.id, "detection (FDTI)", expected, f"no such code in {left_ms:.0f} ms", Verdict.FAIL, evidence=evidence,
            next_step="look at limit, debounce and whether the check is on",
        )  # fmt: skip
    value, least, most = _duration(wire, code)
    verdict = inside(least, most, (low, high))
    return Finding(
        req.id, "detection (FDTI)", expected, f"{code.what} after {value:.1f} ms", verdict, value, least, most, "ms",
        (*evidence, Evidence(code.high_ns, code.what, code.column)), _time_hint(verdict, value, low, high),
    )  # fmt: skip


def _time_hint(verdict: Verdict, value: float, low: float, high: float) -> str:
    if verdict is Verdict.PASS:
        return ""
    if verdict is Verdict.INCONC:
        return "the band of the measurement straddles the window; use a shorter tick or frame cycle"
    return (
        "too late: look at debounce and frame cycle"
        if value > high
        else f"too early (window starts at {low:g} ms): look at debounce"
    )


def _isolation(view: View, row: ReactionExpect, req: Requirement, hazard: Moment) -> list[Finding]:
    limit_ms = row.fhti_ms or req.fhti_ms
    expected = "contactors open" + (f" within {limit_ms:g} ms" if limit_ms is not None else "") + " and stay open"
    opening = _opening(view, hazard.high_ns)
    evidence: tuple[Evidence, ...] = (Evidence(hazard.high_ns, hazard.what, hazard.column),)
    if opening is None:
        end_ns = view.trace.n_ticks * view.trace.dt_ns
        left_ms = (end_ns - hazard.high_ns) / 1e6
        ended = limit_ms is not None and left_ms < limit_ms
        return [
            Finding(
                req.id,
                "reaction (FHTI)",
                expected,
                f"still closed {left_ms:.0f} ms after the hazard",
                Verdict.INCONC if ended else Verdict.FAIL,
                evidence=(*evidence, Evidence(end_ns, "end of the run")),
                next_step="make the run longer" if ended else "look at the reaction of the limit and its delay",
            )  # fmt: skip
        ]
    value, least, most = _duration(hazard, opening)
    verdict = Verdict.PASS if limit_ms is None else inside(least, most, (-1.0, limit_ms))
    seen = "open already" if opening.low_ns == hazard.high_ns else f"open after {value:.1f} ms"
    again = _closes_again(view, opening.high_ns)
    evidence = (*evidence, Evidence(opening.high_ns, opening.what, opening.column))
    hint = _time_hint(verdict, value, 0.0, limit_ms or 0.0)
    if again is not None:
        seen += f"; closed again at {again / 1e9:.3f} s"
        verdict, hint = Verdict.FAIL, "a latch is missing: the fault must hold the contactors open until it is reset"
        evidence = (*evidence, Evidence(again, "contactors close again", "main_plus"))
    return [Finding(req.id, "reaction (FHTI)", expected, seen, verdict, value, least, most, "ms", evidence, hint)]


def _closes_again(view: View, from_ns: int) -> int | None:
    """When the path closed again before anyone asked for a reset."""
    pressed = [round(r.at_s * 1e9) for r in view.setup.inputs.scenario.request if r.fault_reset and r.at_s * 1e9 > from_ns]
    until_ns = min([*pressed, view.trace.n_ticks * view.trace.dt_ns])
    span = (view.t_ns > from_ns) & (view.t_ns <= until_ns)
    k = np.flatnonzero(span & ~_path_open(view.trace))
    return int(view.t_ns[k[0]]) if len(k) else None


def _span(view: View, from_s: float, to_s: float | None) -> tuple[int, int]:
    end_ns = view.trace.n_ticks * view.trace.dt_ns
    return round(from_s * 1e9), end_ns if to_s is None else min(round(to_s * 1e9), end_ns)


def _quiet(view: View, row: QuietExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = _span(view, row.from_s, row.to_s)
    but = f" but {', '.join(row.allow)}" if row.allow else ""
    expected = f"no diagnosis flag{but} and contactors as they are, {row.from_s:g} to {row.to_s:g} s"
    flags = [
        n
        for n in view.setup.network.from_dut.signal_names
        if n.startswith("Diag_") and n.removeprefix("Diag_") not in row.allow
    ]
    found: list[Evidence] = []
    n_frames = 0
    for name in flags:
        series = view.log.series(name)
        span = series.valid & (series.t_ns >= first_ns) & (series.t_ns <= last_ns)
        n_frames = max(n_frames, int(span.sum()))
        k = np.flatnonzero(span & (series.value > 0.5))
        if len(k):
            found.append(Evidence(int(series.t_ns[k[0]]), name.removeprefix("Diag_"), name))
    if n_frames == 0:
        return [_nothing_seen(req, "no nuisance trip", expected, first_ns, last_ns, "no diagnosis frame came")]
    span = (view.t_ns >= first_ns) & (view.t_ns <= last_ns)
    state = _path_open(view.trace)[span]
    if len(state) and state.any() and not state.all():
        moved = int(np.flatnonzero(np.diff(state.astype(np.int8)))[0]) + 1
        found.append(Evidence(int(view.t_ns[span][moved]), "contactors move", "main_plus"))
    evidence = tuple(sorted(found, key=lambda e: e.t_ns)) or (Evidence(first_ns, "quiet from"), Evidence(last_ns, "quiet to"))
    seen = "; ".join(f"{e.what} at {e.t_ns / 1e9:.3f} s" for e in evidence) if found else f"quiet in {n_frames} frames"
    verdict = Verdict.FAIL if found else Verdict.PASS
    hint = "a nuisance trip: look at limit, hysteresis and debounce" if found else ""
    return [Finding(req.id, "no nuisance trip", expected, seen, verdict, evidence=evidence, next_step=hint)]


def _nothing_seen(req: Requirement, what: str, expected: str, first_ns: int, last_ns: int, seen: str) -> Finding:
    evidence = (Evidence(first_ns, "from"), Evidence(last_ns, "to"))
    return Finding(
        req.id, what, expected, seen, Verdict.FAIL, evidence=evidence,
        next_step="the device was silent: look at the link and at the device itself",
    )  # fmt: skip


def _condition(view: View, row: SignalExpect) -> tuple[Callable[[F64], Bools], str]:
    names = choices(view.setup.network, row.signal)
    if row.value is not None:
        wanted = next(raw for raw, name in names.items() if name == row.value) if isinstance(row.value, str) else row.value
        scale = float(view.setup.network.database.signal(row.signal).scale)
        return lambda x: np.abs(x - wanted) < 0.5 * scale + 1e-9, f"is {row.value}"
    low = -np.inf if row.above is None else row.above
    high = np.inf if row.below is None else row.below
    text = " and ".join([f"above {row.above:g}"] * (row.above is not None) + [f"below {row.below:g}"] * (row.below is not None))
    return lambda x: (x > low) & (x < high), text


def _signal(view: View, row: SignalExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = _span(view, row.from_s, row.to_s)
    holds, text = _condition(view, row)
    expected = f"{row.signal} {row.mode} {text}, {row.from_s:g} to {row.to_s:g} s"
    series = view.log.series(row.signal)
    span = (series.t_ns >= first_ns) & (series.t_ns <= last_ns)
    if not (span & series.valid).any():
        return [_nothing_seen(req, row.signal, expected, first_ns, last_ns, "no valid frame with it came")]
    value, t_ns = series.value[span & series.valid], series.t_ns[span & series.valid]
    good = holds(value)
    if row.mode == "never":
        good = ~good
    names = choices(view.setup.network, row.signal)

    def shown(k: int) -> str:
        return f"{names.get(int(value[k]), f'{value[k]:g}')} at {t_ns[k] / 1e9:.3f} s"

    if row.mode == "once":
        hits = np.flatnonzero(good)
        verdict = Verdict.PASS if len(hits) else Verdict.FAIL
        seen = shown(int(hits[0])) if len(hits) else f"never; last {shown(len(value) - 1)}"
        at = int(t_ns[hits[0]]) if len(hits) else last_ns
    else:
        misses = np.flatnonzero(~good)
        verdict = Verdict.FAIL if len(misses) else Verdict.PASS
        seen = shown(int(misses[0])) if len(misses) else f"in all {len(value)} frames, {value.min():g} to {value.max():g}"
        at = int(t_ns[misses[0]]) if len(misses) else last_ns
    evidence = (Evidence(first_ns, "from"), Evidence(at, seen, row.signal))
    return [
        Finding(
            req.id,
            row.signal,
            expected,
            seen,
            verdict,
            evidence=evidence,
            next_step="" if verdict is Verdict.PASS else f"look at {row.signal} in the plot",
        )
    ]


def _contactors(view: View, row: ContactorsExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = _span(view, row.from_s, row.to_s)
    expected = f"current path {row.state}, {row.from_s:g} to {row.to_s:g} s"
    span = (view.t_ns >= first_ns) & (view.t_ns <= last_ns)
    good = _path_open(view.trace)[span] if row.state == "open" else _mains_closed(view.trace)[span]
    misses = np.flatnonzero(~good)
    at = int(view.t_ns[span][misses[0]]) if len(misses) else last_ns
    seen = f"not so at {at / 1e9:.3f} s" if len(misses) else f"so in all {len(good)} ticks"
    verdict = Verdict.FAIL if len(misses) else Verdict.PASS
    evidence = (Evidence(first_ns, "from", "main_plus"), Evidence(at, seen, "main_plus"))
    return [
        Finding(
            req.id,
            "contactors",
            expected,
            seen,
            verdict,
            evidence=evidence,
            next_step="" if verdict is Verdict.PASS else "look at the state of the BMS and at its codes",
        )
    ]


def _mains_closed(trace: Trace) -> Bools:
    return (trace.column("main_plus") == 1) & (trace.column("main_minus") == 1)


def _precharge(view: View, row: PrechargeExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    """Count, length and spacing of the times the precharge coil was energised."""
    coil = view.trace.column("precharge_coil") * (view.t_ns >= round(row.from_s * 1e9))
    edge = np.diff(np.concatenate([[0], coil, [0]]))
    on, off = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    dt_ms = view.trace.dt_ns / 1e6
    tries, end_ms, gap_ms = req.limits["tries"], req.limits["end_ms"], req.limits["gap_ms"]
    evidence = tuple(Evidence(int(view.t_ns[k]), f"try {n + 1}", "precharge") for n, k in enumerate(on))
    if not len(on):
        seen = "precharge was never tried"
        return [
            Finding(
                req.id,
                "precharge",
                req.title,
                seen,
                Verdict.INCONC,
                next_step="look at the request and at the state of the BMS",
            )
        ]
    longest = float((off - on).max()) * dt_ms
    count = float(len(on))
    verdict = Verdict.PASS if count == tries else Verdict.FAIL
    hint = "" if verdict is Verdict.PASS else "look at the retry counter"
    found = [
        Finding(
            req.id, "precharge tries", f"exactly {tries:g}", f"{len(on)}", verdict, count, count, count, "1", evidence, hint
        ),
        _bounded(req, "precharge end", f"at most {end_ms:g} ms", longest, dt_ms, (-1.0, end_ms), evidence),
    ]
    if len(on) > 1:
        shortest = float((on[1:] - off[:-1]).min()) * dt_ms
        found.append(_bounded(req, "precharge pause", f"at least {gap_ms:g} ms", shortest, dt_ms, (gap_ms, np.inf), evidence))
    return found


def _bounded(
    req: Requirement,
    what: str,
    expected: str,
    value: float,
    dt_ms: float,
    window: tuple[float, float],
    evidence: tuple[Evidence, ...],
) -> Finding:
    verdict = inside(value - dt_ms, value + dt_ms, window)
    hint = "" if verdict is Verdict.PASS else "look at the precharge times of the calibration"
    return Finding(
        req.id, what, expected, f"{value:.0f} ms", verdict, value, value - dt_ms, value + dt_ms, "ms", evidence, hint
    )


def soc_pair(view: View, cell: int | None) -> tuple[I64, F64, F64]:
    """Times, estimated and true SOC, as shares; only where both are known."""
    name = "BMS_Soc" if cell is None else f"CellSoc_{cell:03d}"
    series = view.log.series(name)
    t_ns, believed = series.t_ns[series.valid], series.value[series.valid] / 100.0
    k = np.minimum(t_ns // view.trace.dt_ns, view.trace.n_ticks - 1)
    if cell is None:
        return t_ns, believed, view.trace.column("soc")[k]
    samples = np.minimum(k // view.trace.cells_every, view.trace.cells.shape[0] - 1)
    true = view.trace.cells[samples, truth.CELL_SOC, cell]
    if cell == 0 and view.setup.legs:
        true = recorded_soc(view.setup, t_ns)
    known = np.isfinite(true)
    return t_ns[known], believed[known], true[known]


def recorded_soc(setup: Setup, t_ns: I64) -> F64:
    """Reference SOC of a recording at given times; NaN outside its legs."""
    samples = setup.rig.inputs.recording
    k = np.searchsorted(samples[:, 0], t_ns * 1e-9, side="right") - 1
    return np.where(k >= 0, samples[np.maximum(k, 0), 4], np.nan)


def _soc(view: View, row: SocExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = _span(view, row.from_s, row.to_s)
    t_ns, believed, true = soc_pair(view, row.cell)
    span = (t_ns >= first_ns) & (t_ns <= last_ns)
    who = "pack" if row.cell is None else f"cell {row.cell}"
    limit = req.limits["max_error"]
    expected = f"SOC of {who} within {100 * limit:g} % of the truth"
    if not span.any():
        return [_nothing_seen(req, f"SOC of {who}", expected, first_ns, last_ns, "no valid SOC came")]
    error = believed[span] - true[span]
    at = int(np.abs(error).argmax())
    biggest, rmse = float(np.abs(error[at])), float(np.sqrt(np.mean(error**2)))
    slack = _reference_uncertainty(view, row)
    verdict = inside(biggest - slack, biggest + slack, (-1.0, limit))
    mean = float(error.mean())
    seen = f"largest error {100 * error[at]:+.2f} % at {t_ns[span][at] / 1e9:.1f} s"
    seen += f", RMSE {100 * rmse:.2f} %, mean {100 * mean:+.2f} %"
    if slack:
        seen += f" (reference known to {100 * slack:g} %)"
    evidence = (
        Evidence(first_ns, "from"),
        Evidence(int(t_ns[span][at]), "largest error", "soc"),
        Evidence(int(t_ns[span][-1]), "to"),
    )
    hint = "" if verdict is Verdict.PASS else "look at the SOC plot; see docs on estimation for what moves the error"
    return [
        Finding(
            req.id,
            f"SOC of {who}",
            expected,
            seen,
            verdict,
            100 * biggest,
            100 * (biggest - slack),
            100 * (biggest + slack),
            "%",
            evidence,
            hint,
        )
    ]


def _reference_uncertainty(view: View, row: SocExpect) -> float:
    recording = view.setup.inputs.scenario.recording
    if recording is None or row.cell != 0:
        return 0.0
    return max(recording.discharge_uncertainty, recording.charge_uncertainty)


_JUDGES: dict[str, Callable[..., list[Finding]]] = {
    "reaction": _reaction,
    "quiet": _quiet,
    "signal": _signal,
    "contactors": _contactors,
    "precharge": _precharge,
    "soc": _soc,
}
