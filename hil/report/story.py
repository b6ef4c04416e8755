"""What happened in a run, in words and rows."""

from __future__ import annotations

from dataclasses import dataclass

from hil.observe import View, observe
from hil.plant.packfile import Pack
from hil.report.record import Outcome, RunRecord
from hil.report.table import figure
from hil.requirement import Requirement
from hil.scenario import Scenario
from hil.verdict import Finding, Verdict

_TOGETHER_S = 10.0
_MOST_NAMED = 3
WORDS = {
    Verdict.PASS: "every judgement passed",
    Verdict.FAIL: "the device broke a requirement",
    Verdict.INCONC: "the bench cannot know",
    Verdict.ERROR: "the scenario or the bench is wrong",
    Verdict.NONE: "nothing was judged",
}


@dataclass(frozen=True)
class FaultRow:
    """One fault: what, where, when, how strong, and what its observer saw."""

    label: str
    title: str
    target: str
    values: str
    start_s: float
    until: str
    happened: bool
    seen: str


@dataclass(frozen=True)
class Jump:
    """A stretch of time to show, [from_s, to_s], with the cursor at at_s. column: what it is evidence of."""

    text: str
    what: str
    column: str
    from_s: float
    to_s: float
    at_s: float


@dataclass(frozen=True)
class FindingRow:
    """A finding with its requirement (None for the bench's own) and the times it rests on."""

    finding: Finding
    requirement: Requirement | None
    figure: str
    jumps: list[Jump]


def faults(view: View) -> list[FaultRow]:
    """All faults of a run, with what was read back."""
    rows = []
    for fault in view.setup.faults:
        spec, effect = fault.spec, observe(view, fault)
        values = ", ".join(f"{name} = {value:g}" for name, value in fault.values.items())
        until = "one tick" if spec.single else "end of the run" if spec.stop_s is None else f"{spec.stop_s:g} s"
        if spec.on_ms is not None:
            until += f"; {spec.on_ms} ms on, {spec.off_ms} ms off"
        target = spec.target if spec.target is not None else fault.kind.target
        rows.append(FaultRow(spec.label, fault.kind.title, target, values, spec.start_s, until, effect.happened, effect.text))
    return rows


def findings(record: RunRecord) -> list[FindingRow]:
    """All findings of a run, in the order of the scenario."""
    required = record.setup.inputs.requirements.by_id()
    return [FindingRow(f, required.get(f.requirement), figure(f), _jumps(f)) for f in record.findings]


def _jumps(finding: Finding) -> list[Jump]:
    """One jump for each piece of evidence; pieces that lie close together are shown together."""
    if not finding.evidence:
        return []
    times = [e.t_ns * 1e-9 for e in finding.evidence]
    first, last = min(times), max(times)
    margin = max(0.3 * (last - first), 0.25)
    together = last - first <= _TOGETHER_S
    out = []
    for e, at_s in zip(finding.evidence, times, strict=True):
        near = (first - margin, last + margin) if together else (at_s - 1.0, at_s + 1.0)
        out.append(Jump(f"{at_s:.3f} s", e.what, e.column, *near, at_s))
    if not together:
        margin = 0.03 * (last - first)
        column = next((e.column for e in finding.evidence if e.column), "")
        whole = Jump(f"{first:.1f} to {last:.1f} s", "the whole stretch", column, first - margin, last + margin, first)
        out.append(whole)
    return out


def _contents(pack: Pack) -> str:
    """What a pack is made of: how many cells, or groups in parallel, of which kinds."""
    names = pack.cell_names()
    each = "cells" if pack.parallel == 1 else f"groups of {pack.parallel} cells"
    return ", ".join(f"{names.count(name)} {each} {name}" for name in dict.fromkeys(names))


def _around(s: Scenario) -> list[str]:
    """What changed around the pack, as a sentence, where anything did."""
    said = [
        f"from {row.at_s:g} s coolant {row.coolant_shift_K:+g} K, heater {row.heater_W:g} W, flow {row.flow:g}"
        for row in s.ambient
    ]
    return [f"Around the pack: {'; '.join(said)}."] if said else []


def summary(record: RunRecord, rows: list[FaultRow]) -> list[str]:
    """A paragraph as sentences: what was run, what was done to it, what came of it."""
    i, info = record.setup.inputs, record.trace.info
    clock = "real time" if info.get("clock") == "wall" else "virtual time"
    what = f"{i.scenario.duration_s:g} s of pack {i.pack.name} ({_contents(i.pack)}) with calibration "
    how = f"{i.calibration.name} on device {info.get('dut', '?')}, in {clock}, seed {info.get('seed', '?')}."
    out = [what + how, *_around(i.scenario)]
    for row in rows[:_MOST_NAMED]:
        until = "for one tick" if row.until == "one tick" else f"to {'the end' if row.until == 'end of the run' else row.until}"
        out.append(f"Fault “{row.label}” ({row.title}) acts on {row.target} from {row.start_s:g} s {until}.")
    if len(rows) > _MOST_NAMED:
        out.append(f"{len(rows) - _MOST_NAMED} more faults stand in the table below.")
    return [*out, *_outcome(record)]


def _outcome(record: RunRecord) -> list[str]:
    total = len(record.findings)
    if not total:
        return ["Nothing was judged: the scenario expects nothing."]
    if record.verdict is Verdict.PASS:
        measured = [f"{f.requirement} {f.what} {figure(f)}" for f in record.findings if f.value is not None]
        first = "The one judgement passed." if total == 1 else f"All {total} judgements passed."
        return [first, *([f"Measured: {'; '.join(measured)}."] if measured else [])]
    return [f"{judged(record)}.", reason(record)]


def judged(record: RunRecord) -> str:
    """How many judgements did not pass."""
    bad = sum(f.verdict is not Verdict.PASS for f in record.findings)
    return f"{bad} of {len(record.findings)} judgements did not pass"


def reason(record: Outcome | RunRecord) -> str:
    """In one sentence why a run did not pass: its first finding of the verdict's weight, with the next step."""
    worst = next((f for f in record.findings if f.verdict is record.verdict), None)
    if worst is None:
        return "Nothing was judged."
    step = f" Next: {worst.next_step}." if worst.next_step else ""
    return f"{worst.requirement}, {worst.what}: {worst.verdict.name}. Expected {worst.expected}; seen {worst.seen}.{step}"
