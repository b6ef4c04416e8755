"""The judge: from a trace and what was required to findings. It never asks the device whether it was right.

How times are taken stands in hil.reaction. Every figure carries the band in which it lies, and PASS needs the whole band
inside. Nothing passes on what was not seen: a device that falls silent, a run that ended early, an empty stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firmware_sim.types import F64
from hil import contacts, edge, figures, observe, opening, reaction, roles, silence, within
from hil.observe import Effect, View
from hil.requirement import Requirement
from hil.scenario import Expect, QuietExpect, SignalExpect
from hil.setup import Setup
from hil.taint import taint
from hil.trace import Trace
from hil.verdict import Evidence, Finding, Verdict, worst
from hil.wirelog import Bools, WireLog, meanings


def judge(trace: Trace, setup: Setup) -> list[Finding]:
    """All findings of a run: what is wrong with the run itself, then the expectations in the order of the scenario."""
    view = View(trace, WireLog(trace.journal, setup.network), setup)
    required = setup.inputs.requirements.by_id()
    findings: list[Finding] = []
    effects: dict[str, Effect] = {}
    device = _device(view)
    lacks = (trace.info.get("bench") or {}).get("lacks") or {}
    for fault in setup.faults:
        effect = observe.observe(view, fault)
        effects[fault.spec.label] = effect
        if fault.spec.label in lacks.get("faults", {}):
            findings.append(_not_made(fault.spec.label, lacks["faults"][fault.spec.label]))
            continue
        too_late = silence.ended_early(view) and fault.start_ns >= silence.end_ns(view)
        was_dead = fault.kind.seam == "supply" and _silent_at(device, fault.start_ns)
        if not effect.happened and not too_late and not was_dead:
            findings.append(_no_effect(fault.spec.label, effect))
        elif effect.start is None and not was_dead:
            findings.append(_not_tested(fault.spec.label, effect))
    if trace.lost_frames:
        findings.append(_lost_frames(trace))
    if silence.ended_early(view):
        findings.append(_ended_early(view))
    findings += _fallen(view) + device
    for n, row in enumerate(setup.inputs.scenario.expect):
        found = _JUDGES[row.kind](view, row, required[row.requirement], effects)
        missing = lacks.get("expects", {}).get(str(n), [])
        findings += [_beyond(_cut(view, row, finding), missing) for finding in found or _blank(row, missing)]
    return [*(taint(trace, finding, setup.network) for finding in findings), *_process(view)]


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
        next_step=effect.hint or "let the device command the contact while the fault is on, or look why it did not",
    )  # fmt: skip


def _not_made(label: str, why: str) -> Finding:
    return Finding(
        "BENCH", f'fault "{label}"', "the fault is stimulated", f"this bench cannot: {why}", Verdict.INCONC,
        next_step="let the bench feed this quantity (bench file), or run the scenario where it can be",
    )  # fmt: skip


def _blank(row: Expect, missing: list[list[str]]) -> list[Finding]:
    """In the place of an expectation that gave no finding, because its fault was not made."""
    return [Finding(row.requirement, row.kind, "it is put to the test", "it was not", Verdict.INCONC)] if missing else []


def _beyond(finding: Finding, missing: list[list[str]]) -> Finding:
    """What the bench can neither stimulate nor see is INCONC, whatever it looked like. missing: (part, reason)."""
    why = next((why for part, why in missing if part in ("", finding.what)), "")
    if not why or finding.verdict is Verdict.ERROR:
        return finding
    hint = "let the bench feed or see this (bench file), or run the scenario where it can be"
    return replace(finding, seen=f"{finding.seen}; but {why}", verdict=Verdict.INCONC, next_step=hint)


def _process(view: View) -> list[Finding]:
    """A firmware that the bench started has died or was stopped: that is known, whatever the bus says."""
    process = (view.trace.info.get("link") or {}).get("process") or {}
    found = []
    for t_ns, how in process.get("ended", ()):
        found.append((t_ns, t_ns, "the firmware runs to the end of the run", f"it ended at {t_ns / 1e9:.3f} s with {how}"))
    for from_ns, to_ns in process.get("frozen", ()):
        seen = f"it lived but stood still from {from_ns / 1e9:.3f} s to {to_ns / 1e9:.3f} s at least"
        found.append((from_ns, to_ns, "the firmware runs all the time", seen))
    hint = "look at device.log in the run folder"
    return [
        Finding("DEVICE", "process", expected, seen, Verdict.FAIL, next_step=hint,
                evidence=(Evidence(from_ns, "the firmware stands still or is gone"), Evidence(to_ns, "until then")))
        for from_ns, to_ns, expected, seen in sorted(found)
    ]  # fmt: skip


def _lost_frames(trace: Trace) -> Finding:
    return Finding(
        "BENCH", "journal", "every frame is recorded", f"{trace.lost_frames} frames found no room", Verdict.ERROR,
        next_step="use fewer doubled or delayed streams at once",
    )  # fmt: skip


def _ended_early(view: View) -> Finding:
    end_ns, duration_s = silence.end_ns(view), view.setup.inputs.scenario.duration_s
    return Finding(
        "BENCH", "run", f"the run goes on for {duration_s:g} s", f"it ended at {end_ns / 1e9:g} s", Verdict.INCONC,
        evidence=(Evidence(0, "start of the run"), Evidence(end_ns, "end of the run")), next_step=observe.GO_ON,
    )  # fmt: skip


def _fallen(view: View) -> list[Finding]:
    """That a firmware which the bench ran itself died or hung after it was ready, once for each time."""
    rows = view.trace.info.get("firmware", {}).get("fallen", ())
    return [
        Finding(
            "DEVICE", "firmware", "the firmware runs to the end of the run", f"at {t_ns / 1e9:.3f} s {why}", Verdict.FAIL,
            evidence=(Evidence(t_ns, "the firmware falls"),), next_step="run it in a debugger, or build it with sanitizers",
        )
        for t_ns, why in rows
    ]  # fmt: skip


def _device(view: View) -> list[Finding]:
    """Nothing when the device spoke from its first frame to the end; else that it fell silent, or never spoke.

    Frames that no receiver may believe are silence too.
    """
    end_ns, layout = silence.end_ns(view), view.setup.network.from_dut
    expected = "the device sends its frames to the end of the run"
    if silence.never_spoke(view):
        never = f"not one frame in {end_ns / 1e9:g} s"
        hint = "the device never came up: look at its supply, its link and its log"
        verdict = Verdict.ERROR if end_ns > silence.READY_NS else Verdict.INCONC
        return [Finding("DEVICE", "frames", expected, never, verdict, next_step=hint)]
    told = [view.log.told_ns(slot) for slot in range(layout.n_slots)]
    ready_ns = min(int(t_ns[0]) for t_ns in told if len(t_ns))
    every = silence.gap(np.sort(np.concatenate(told)), ready_ns, end_ns, silence.pause_ns(view))
    gaps = [(every, "frame")] if every is not None else []
    for slot in range(layout.n_slots) if every is None else ():
        gap = silence.gap(told[slot], ready_ns, end_ns, silence.allowed_ns(view, slot))
        gaps += [(gap, layout.slot_names[slot])] if gap is not None else []
    if not gaps:
        return []
    (from_ns, until_ns), name = min(gaps)
    seen = f"no {name} from {from_ns / 1e9:.3f} s to " + ("the end" if until_ns == end_ns else f"{until_ns / 1e9:.3f} s")
    evidence = (Evidence(from_ns, f"last {name}"), Evidence(until_ns, "silent until then"))
    hint = "the device stopped or hung after it was ready"
    return [Finding("DEVICE", "frames", expected, seen, Verdict.FAIL, evidence=evidence, next_step=hint)]


def _silent_at(device: list[Finding], t_ns: int) -> bool:
    """Whether the device was found silent at a time: then a loss of its supply cannot show."""
    spans = [(f.evidence[0].t_ns, f.evidence[1].t_ns) for f in device if f.evidence]
    return any(from_ns <= t_ns <= to_ns for from_ns, to_ns in spans)


def _cut(view: View, row: Expect, finding: Finding) -> Finding:
    """What was expected of a time that the run did not reach is unknown, unless it is decided already."""
    end_ns, from_s, to_s = silence.end_ns(view), row.from_s, getattr(row, "to_s", None)
    if to_s is None and row.kind == "soc":
        to_s = view.setup.inputs.scenario.duration_s
    decided = Verdict.PASS if row.kind == "signal" and row.mode == "once" else Verdict.FAIL
    if finding.verdict is Verdict.ERROR or not silence.ended_early(view):
        return finding
    ended = f"the run ended at {end_ns / 1e9:g} s"
    if from_s * 1e9 >= end_ns:
        seen = f"{ended}, before {from_s:g} s, from when on this is judged"
        finding = replace(finding, evidence=(Evidence(end_ns, "end of the run"),))
    elif (to_s is not None and to_s * 1e9 > end_ns and finding.verdict is not decided) or (
        row.kind == "precharge" and finding.verdict is Verdict.INCONC
    ):
        seen = f"{finding.seen}; but {ended}" + ("" if to_s is None else f", before {to_s:g} s")
    else:
        return finding
    return replace(finding, seen=seen, verdict=Verdict.INCONC, next_step=observe.GO_ON)


def _quiet(view: View, row: QuietExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    but = f" but {', '.join(row.allow)}" if row.allow else ""
    expected = f"no diagnosis flag{but} and contactors as they are, {row.from_s:g} to {row.to_s:g} s"
    flags = [n for n in view.setup.network.from_dut.signal_names if n.startswith("Diag_") and roles.code_of(n) not in row.allow]
    if not flags:
        nothing, hint = "the network has no such flag to look at", "expect contactors or signals instead"
        return [Finding(req.id, "no nuisance trip", expected, nothing, Verdict.INCONC, next_step=hint)]
    found: list[Evidence] = []
    counts: list[int] = []
    unseen: list[Finding] = []
    for name in flags:
        series = view.log.said(name)
        span = series.valid & (series.t_ns >= first_ns) & (series.t_ns <= last_ns)
        counts.append(int(span.sum()))
        k = np.flatnonzero(span & (series.value > 0.5))
        if len(k):
            found.append(Evidence(int(series.t_ns[k[0]]), roles.code_of(name), name))
        slot = silence.slot_of(view, name)
        gap = silence.gap(series.t_ns[series.valid], first_ns, last_ns, silence.allowed_ns(view, slot))
        if gap is not None or not counts[-1]:
            missed = gap or (first_ns, last_ns)
            unseen.append(silence.nothing_seen(view, req, "no nuisance trip", expected, missed, "valid diagnosis", slot))
    silent = [finding for finding in unseen if finding.verdict is Verdict.FAIL]
    if silent:
        return [min(silent, key=lambda finding: finding.evidence[0].t_ns)]
    span = (view.t_ns >= first_ns) & (view.t_ns <= last_ns)
    moved = [
        Evidence(int(view.t_ns[span][k[0] + 1]), f"{name.replace('_', ' ')} moves", name)
        for name in opening.CONTACTS
        if len(k := np.flatnonzero(np.diff(view.trace.column(name)[span])))
    ]
    found += sorted(moved, key=lambda e: e.t_ns)[:1]
    if unseen and not found:
        return [min(unseen, key=lambda finding: finding.evidence[0].t_ns)]
    trips = tuple(sorted(found, key=lambda e: e.t_ns))
    evidence = (Evidence(first_ns, "quiet from"), *(trips or (Evidence(last_ns, "quiet to"),)))
    seen = "; ".join(f"{e.what} at {e.t_ns / 1e9:.3f} s" for e in trips) if trips else f"quiet in {min(counts)} frames"
    verdict = Verdict.FAIL if found else Verdict.PASS
    hint = "a nuisance trip: look at limit, hysteresis and debounce" if found else ""
    return [Finding(req.id, "no nuisance trip", expected, seen, verdict, evidence=evidence, next_step=hint)]


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


def _span_text(value: F64, names: dict[float, str]) -> str:
    """Values of a signal for people: the names in the order in which they came, or the least and the greatest number."""
    came = list(dict.fromkeys(value.tolist()))
    if any(x not in names for x in came):
        least, most = (names.get(float(x), f"{x:g}") for x in (value.min(), value.max()))
        return least if least == most else f"{least} to {most}"
    *others, last = (names[x] for x in came)
    return f"{', '.join(others)} and {last}" if others else last


def _signal(view: View, row: SignalExpect, req: Requirement, effects: dict[str, Effect]) -> list[Finding]:
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    holds, text = _condition(view, row)
    expected = f"{row.signal} {row.mode} {text}, {row.from_s:g} to {row.to_s:g} s"
    series = view.log.said(row.signal)
    span = series.told & (series.t_ns >= first_ns) & (series.t_ns <= last_ns)
    # "never" must have been seen all the time; where something must be, "no value" is a miss and not a gap
    seen_ns = series.t_ns[series.valid if row.mode == "never" else series.told]
    slot, missing = silence.slot_of(view, row.signal), f"valid {row.signal}"
    gap = silence.gap(seen_ns, first_ns, last_ns, silence.allowed_ns(view, slot)) if row.mode != "once" else None
    if gap is not None or not (span & series.valid).any():
        return [silence.nothing_seen(view, req, row.signal, expected, gap or (first_ns, last_ns), missing, slot)]
    if row.mode != "always":
        span &= series.valid
    value, valid, t_ns = series.value[span], series.valid[span], series.t_ns[span]
    good = holds(value) & valid
    if row.mode == "never":
        good = ~good
    names = meanings(view.setup.network, row.signal)

    def said(x: float) -> str:
        """A value by its name, where the database gives one."""
        return names.get(float(x), f"{x:g}")

    def shown(k: int) -> str:
        """Sample k with its time."""
        return f"{said(value[k]) if valid[k] else 'no value'} at {t_ns[k] / 1e9:.3f} s"

    if row.mode == "once":
        hits = np.flatnonzero(good)
        verdict = Verdict.PASS if len(hits) else Verdict.FAIL
        seen = shown(int(hits[0])) if len(hits) else f"never; last {shown(len(value) - 1)}"
        at = int(t_ns[hits[0]]) if len(hits) else last_ns
    else:
        misses = np.flatnonzero(~good)
        verdict = Verdict.FAIL if len(misses) else Verdict.PASS
        span_text = _span_text(value, names)
        seen = shown(int(misses[0])) if len(misses) else f"{span_text} in all {len(value)} frames"
        at = int(t_ns[misses[0]]) if len(misses) else last_ns
    evidence = (Evidence(first_ns, "from"), Evidence(at, seen, row.signal))
    hint = "" if verdict is Verdict.PASS else f"look at {row.signal} in the plot"
    found = Finding(req.id, row.signal, expected, seen, verdict, evidence=evidence, next_step=hint)
    so = series.valid & holds(series.value)
    deciding_ns = series.t_ns[series.told & ~so if row.mode == "always" else so]
    ends_ns = row.from_s * 1e9 if row.from_s else -np.inf, np.inf if row.to_s is None else row.to_s * 1e9
    return [edge.judged(view, found, deciding_ns, slot, ends_ns)]


_JUDGES: dict[str, Callable[..., list[Finding]]] = {
    "reaction": reaction.judge,
    "quiet": _quiet,
    "signal": _signal,
    "contactors": contacts.judge,
    "precharge": figures.judge_precharge,
    "soc": figures.judge_soc,
    "within": within.judge,
}

# What a replay is judged by too, which has no truth.
signal, cut, ended_early, device_spoke, fallen = _signal, _cut, _ended_early, _device, _fallen
