"""The judge: from a trace and what was required to findings. It never asks the device whether it was right.

How times are taken stands in hil.reaction. Every figure carries the band in which it lies, and PASS needs the whole band
inside. Nothing passes on what was not seen: a device that falls silent, a run that ended early, an empty stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import CYCLE_NS, SLOT
from hil import observe, reaction, truth
from hil.observe import Effect, View
from hil.requirement import Requirement
from hil.scenario import ContactorsExpect, Expect, PrechargeExpect, QuietExpect, SignalExpect, SocExpect
from hil.setup import Setup
from hil.trace import Trace
from hil.verdict import Evidence, Finding, Verdict, inside, worst
from hil.wirelog import Bools, WireLog, meanings

_READY_NS = 2_000_000_000  # within this a device is up, or it never comes
_SILENCE_NS = 500_000_000  # a pause that a restart explains


def judge(trace: Trace, setup: Setup) -> list[Finding]:
    """All findings of a run: what is wrong with the run itself, then the expectations in the order of the scenario."""
    view = View(trace, WireLog(trace.journal, setup.network), setup)
    required = setup.inputs.requirements.by_id()
    findings: list[Finding] = []
    effects: dict[str, Effect] = {}
    for fault in setup.faults:
        effect = observe.observe(view, fault)
        effects[fault.spec.label] = effect
        if not effect.happened:
            findings.append(_no_effect(fault.spec.label, effect))
        elif effect.start is None:
            findings.append(_not_tested(fault.spec.label, effect))
    if trace.lost_frames:
        findings.append(_lost_frames(trace))
    findings += _device(view)
    for row in setup.inputs.scenario.expect:
        found = _JUDGES[row.kind](view, row, required[row.requirement], effects)
        findings += [_cut(view, row, finding) for finding in found]
    return [_taint(view, finding) for finding in findings]


def overall(findings: list[Finding]) -> Verdict:
    """Verdict of a run."""
    return worst([finding.verdict for finding in findings])


def _no_effect(label: str, effect: Effect) -> Finding:
    return Finding(
        "BENCH", f'fault "{label}"', "the fault has its effect", effect.text, Verdict.ERROR,
        next_step="check target and times of the fault in the scenario; without its effect nothing was tested",
    )  # fmt: skip


def _not_tested(label: str, effect: Effect) -> Finding:
    return Finding(
        "BENCH", f'fault "{label}"', "the fault is put to the test", effect.text, Verdict.INCONC,
        next_step="let the device command the contact while the fault is on, or look why it did not",
    )  # fmt: skip


def _lost_frames(trace: Trace) -> Finding:
    return Finding(
        "BENCH", "journal", "every frame is recorded", f"{trace.lost_frames} frames found no room", Verdict.ERROR,
        next_step="use fewer doubled or delayed streams at once",
    )  # fmt: skip


def _device(view: View) -> list[Finding]:
    """Nothing when the device spoke from its first frame to the end; else that it fell silent, or never spoke."""
    end_ns, layout = view.trace.n_ticks * view.trace.dt_ns, view.setup.network.from_dut
    expected = "the device sends its frames to the end of the run"
    sent = {slot: t_ns for slot in range(layout.n_slots) if len(t_ns := view.sent(slot))}
    if not sent:
        never = f"not one frame in {end_ns / 1e9:g} s"
        hint = "the device never came up: look at its supply, its link and its log"
        return [Finding("DEVICE", "frames", expected, never, Verdict.ERROR, next_step=hint)] if end_ns > _READY_NS else []
    ready_ns = min(int(t_ns[0]) for t_ns in sent.values())
    every = _gap(np.sort(np.concatenate(list(sent.values()))), ready_ns, end_ns, _SILENCE_NS)
    gaps = [(every, "frame")] if every is not None else []
    for slot in sent if every is None else ():
        gap = _silence(view, slot, ready_ns, end_ns)
        gaps += [(gap, layout.slot_names[slot])] if gap is not None else []
    if not gaps:
        return []
    (from_ns, until_ns), name = min(gaps)
    seen = f"no {name} from {from_ns / 1e9:.3f} s to " + ("the end" if until_ns == end_ns else f"{until_ns / 1e9:.3f} s")
    evidence = (Evidence(from_ns, f"last {name}"), Evidence(until_ns, "silent until then"))
    hint = "the device stopped or hung after it was ready"
    return [Finding("DEVICE", "frames", expected, seen, Verdict.FAIL, evidence=evidence, next_step=hint)]


def _gap(t_ns: I64, first_ns: int, last_ns: int, allowed_ns: int) -> tuple[int, int] | None:
    """First pause longer than allowed_ns in [first, last]."""
    at = np.concatenate([[first_ns], t_ns[(t_ns >= first_ns) & (t_ns <= last_ns)], [last_ns]])
    k = np.flatnonzero(np.diff(at) > allowed_ns)
    return (int(at[k[0]]), int(at[k[0] + 1])) if len(k) else None


def _silence(view: View, slot: int, first_ns: int, last_ns: int) -> tuple[int, int] | None:
    """First gap in what the device sends in a slot that is longer than five cycles and than a restart takes."""
    cycle_ns = int(view.setup.network.from_dut.slots[slot, CYCLE_NS])
    return _gap(view.sent(slot), first_ns, last_ns, max(5 * cycle_ns, _SILENCE_NS))


def _slot_of(view: View, signal: str) -> int:
    layout = view.setup.network.from_dut
    return int(layout.signals[layout.index(signal), SLOT])


def _cut(view: View, row: Expect, finding: Finding) -> Finding:
    """What was expected until a time that the run did not reach is unknown, unless it is decided already."""
    to_s, end_ns = getattr(row, "to_s", None), view.trace.n_ticks * view.trace.dt_ns
    decided = Verdict.PASS if row.kind == "signal" and row.mode == "once" else Verdict.FAIL
    if to_s is None or to_s * 1e9 <= end_ns or finding.verdict in (decided, Verdict.ERROR):
        return finding
    seen = f"{finding.seen}; but the run ended at {end_ns / 1e9:g} s, before {to_s:g} s"
    return replace(finding, seen=seen, verdict=Verdict.INCONC, next_step="let the run go to its end")


def _taint(view: View, finding: Finding) -> Finding:
    """In real time a judgement that rests on a tick the bench was late for is INCONC, whatever it looked like."""
    blind = _blind(view, finding)
    if blind:
        seen, hint = f"{finding.seen}; but {blind}", "look at the link to the device: cable, adapter, bus"
        return replace(finding, seen=seen, verdict=Verdict.INCONC, next_step=hint)
    late_ns = view.trace.late_ns
    if not len(late_ns) or finding.verdict in (Verdict.ERROR, Verdict.NONE) or not finding.evidence:
        return finding
    first, last = min(e.t_ns for e in finding.evidence), max(e.t_ns for e in finding.evidence)
    dt_ns = view.trace.dt_ns
    missed = np.flatnonzero(late_ns[max(first // dt_ns - 1, 0) : last // dt_ns + 2] > dt_ns)
    if not len(missed):
        return finding
    worst_ms = late_ns[max(first // dt_ns - 1, 0) : last // dt_ns + 2].max() / 1e6
    seen = f"{finding.seen}; but the bench missed {len(missed)} of its own deadlines there, the worst by {worst_ms:.1f} ms"
    return replace(
        finding, seen=seen, verdict=Verdict.INCONC, next_step="run again on an idle machine, or in virtual time"
    )  # fmt: skip


def _blind(view: View, finding: Finding) -> str:
    """Why the link to the device could not be trusted while a finding's evidence was taken; empty when it could."""
    link = view.trace.info.get("link") or {}
    if finding.verdict is Verdict.NONE or (finding.verdict is Verdict.ERROR and not link.get("lost")):
        return ""
    times = [e.t_ns for e in finding.evidence] or [0, view.trace.n_ticks * view.trace.dt_ns]
    return next((why for from_ns, to_ns, why in link.get("blind", ()) if min(times) <= to_ns and max(times) >= from_ns), "")


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
    gaps = [gap for slot in sorted({_slot_of(view, n) for n in flags}) if (gap := _silence(view, slot, first_ns, last_ns))]
    if n_frames == 0 or gaps:
        return [_nothing_seen(req, "no nuisance trip", expected, min(gaps, default=(first_ns, last_ns)), "diagnosis frame")]
    span = (view.t_ns >= first_ns) & (view.t_ns <= last_ns)
    state = reaction.path_open(view.trace)[span]
    if len(state) and state.any() and not state.all():
        moved = int(np.flatnonzero(np.diff(state.astype(np.int8)))[0]) + 1
        found.append(Evidence(int(view.t_ns[span][moved]), "contactors move", "main_plus"))
    evidence = tuple(sorted(found, key=lambda e: e.t_ns)) or (Evidence(first_ns, "quiet from"), Evidence(last_ns, "quiet to"))
    seen = "; ".join(f"{e.what} at {e.t_ns / 1e9:.3f} s" for e in evidence) if found else f"quiet in {n_frames} frames"
    verdict = Verdict.FAIL if found else Verdict.PASS
    hint = "a nuisance trip: look at limit, hysteresis and debounce" if found else ""
    return [Finding(req.id, "no nuisance trip", expected, seen, verdict, evidence=evidence, next_step=hint)]


def _nothing_seen(req: Requirement, what: str, expected: str, gap_ns: tuple[int, int], missing: str) -> Finding:
    first_ns, last_ns = gap_ns
    evidence = (Evidence(first_ns, "from"), Evidence(last_ns, "to"))
    seen = f"no {missing} from {first_ns / 1e9:.3f} to {last_ns / 1e9:.3f} s"
    return Finding(
        req.id, what, expected, seen, Verdict.FAIL, evidence=evidence,
        next_step="the device was silent: look at the link and at the device itself",
    )  # fmt: skip


def _condition(view: View, row: SignalExpect) -> tuple[Callable[[F64], Bools], str]:
    names = meanings(view.setup.network, row.signal)
    if row.value is not None:
        wanted = next(value for value, name in names.items() if name == row.value) if isinstance(row.value, str) else row.value
        scale = abs(float(view.setup.network.database.signal(row.signal).scale))
        return (
            lambda x: np.abs(x - wanted) < 0.5 * scale + 1e-9,
            f"is {row.value if isinstance(row.value, str) else f'{row.value:g}'}",
        )
    low = -np.inf if row.above is None else row.above
    high = np.inf if row.below is None else row.below
    sides = (("above", row.above), ("below", row.below))
    text = " and ".join(f"{side} {limit:g}" for side, limit in sides if limit is not None)
    return lambda x: (x > low) & (x < high), text


def _signal(view: View, row: SignalExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = _span(view, row.from_s, row.to_s)
    holds, text = _condition(view, row)
    expected = f"{row.signal} {row.mode} {text}, {row.from_s:g} to {row.to_s:g} s"
    series = view.log.series(row.signal)
    span = (series.t_ns >= first_ns) & (series.t_ns <= last_ns)
    gap = _silence(view, _slot_of(view, row.signal), first_ns, last_ns) if row.mode != "once" else None
    if gap is not None or not (span & series.valid).any():
        return [_nothing_seen(req, row.signal, expected, gap or (first_ns, last_ns), f"valid {row.signal}")]
    value, t_ns = series.value[span & series.valid], series.t_ns[span & series.valid]
    good = holds(value)
    if row.mode == "never":
        good = ~good
    names = meanings(view.setup.network, row.signal)

    def said(x: float) -> str:
        return names.get(float(x), f"{x:g}")

    def shown(k: int) -> str:
        return f"{said(value[k])} at {t_ns[k] / 1e9:.3f} s"

    if row.mode == "once":
        hits = np.flatnonzero(good)
        verdict = Verdict.PASS if len(hits) else Verdict.FAIL
        seen = shown(int(hits[0])) if len(hits) else f"never; last {shown(len(value) - 1)}"
        at = int(t_ns[hits[0]]) if len(hits) else last_ns
    else:
        misses = np.flatnonzero(~good)
        verdict = Verdict.FAIL if len(misses) else Verdict.PASS
        least, most = said(value.min()), said(value.max())
        span_text = least if least == most else f"{least} to {most}"
        seen = shown(int(misses[0])) if len(misses) else f"{span_text} in all {len(value)} frames"
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
    good = reaction.path_open(view.trace)[span] if row.state == "open" else _mains_closed(view.trace)[span]
    misses = np.flatnonzero(~good)
    at = int(view.t_ns[span][misses[0]]) if len(misses) else last_ns
    seen = f"not so at {at / 1e9:.3f} s" if len(misses) else f"so in all {len(good)} ticks"
    verdict = Verdict.FAIL if len(misses) else Verdict.PASS if len(good) else Verdict.INCONC
    hint = {Verdict.FAIL: "look at the state of the BMS and at its codes", Verdict.INCONC: "no tick lies in this time"}
    evidence = (Evidence(first_ns, "from", "main_plus"), Evidence(at, seen, "main_plus"))
    return [Finding(req.id, "contactors", expected, seen, verdict, evidence=evidence, next_step=hint.get(verdict, ""))]


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
        return [_nothing_seen(req, f"SOC of {who}", expected, (first_ns, last_ns), "valid SOC")]
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
    "reaction": reaction.judge,
    "quiet": _quiet,
    "signal": _signal,
    "contactors": _contactors,
    "precharge": _precharge,
    "soc": _soc,
}
