"""What a test demanded of a device, and the finding that the record gives for it.

A claim holds data only, no code, so the same function judges it while the test runs and again from the run folder. Times
run from the first wrong value that is physically present, as an observer reads it back from the record: for what the
device says, from the first frame that could tell it; for what the contacts and the plant do, from the wrong value itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from firmware_sim.types import F64, I64
from hil import lacks, roles, silence
from hil.benchfile import quantity_of
from hil.fault.catalogue import Bound
from hil.observe import Moment, View
from hil.opening import Deeds, opened_by_other
from hil.reaction import straddles
from hil.session.goal import Goal, course, shown
from hil.session.since import Absent, Since, locate
from hil.session.tape import Piece
from hil.setup import Setup
from hil.taint import taint
from hil.verdict import Evidence, Finding, Verdict, inside
from hil.wirelog import WireLog

_LEAD_NS = 2_000_000_000
_NEED_SWITCHING = ("contactor", "feedback")  # faults that show only when the contact is told to move


class Unmet(AssertionError):
    """A device did not do what a test demanded, or the bench cannot know whether it did (see finding.verdict)."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        doubt = "the bench cannot tell: " if finding.verdict is Verdict.INCONC else ""
        hint = f". Next: {finding.next_step}" if finding.next_step else ""
        super().__init__(f"{doubt}expected {finding.expected}; seen: {finding.seen}{hint}.")


@dataclass(frozen=True)
class Measured:
    """A measured time with its band [ms], and when it ended [s]."""

    value: float
    low: float
    high: float
    t_s: float
    unit: str = "ms"

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.1f} {self.unit} ({self.low:.1f} to {self.high:.1f})"


@dataclass(frozen=True)
class Claim:
    """A demand, and the stretch of the record that it is judged by.

    mode: within, always, never or quiet.  low_ms, high_ms: window of `within`; None is open.  from_ns, until_ns: ticks
    that were recorded when it was settled.  context_ns: where that stretch begins for `within`.
    """

    mode: str
    requirement: str
    from_ns: int
    until_ns: int
    goal: Goal | None = None
    since: Since | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    allow: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the run folder."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Claim:
        """From the run folder."""
        goal = None if data["goal"] is None else Goal(**data["goal"])
        since = None if data["since"] is None else Since(**{**data["since"], "signals": tuple(data["since"]["signals"])})
        return cls(**{**data, "goal": goal, "since": since, "allow": tuple(data["allow"])})


def first_tick(claim: Claim, dt_ns: int) -> int:
    """Where the record begins that a claim is judged by: what came shortly before tells a pause from a silence."""
    lead_ns = 0 if claim.mode == "within" else _LEAD_NS
    return max(claim.from_ns - lead_ns, 0) // dt_ns


def judge(piece: Piece, setup: Setup, faults: Sequence[Bound], claim: Claim) -> Finding:
    """The finding that a piece of the record gives for a claim. faults: of the run.  Times in it count from time 0."""
    view = View(piece.trace, WireLog(piece.trace.journal, setup.network), setup)
    found = _JUDGES[claim.mode](view, piece.base_ns, faults, claim)
    moved = tuple(Evidence(e.t_ns + piece.base_ns, e.what, e.column) for e in found.evidence)
    return taint(piece.trace, replace(found, evidence=moved), setup.network, piece.base_ns)


def _within(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim) -> Finding:
    assert claim.goal is not None
    assert claim.since is not None
    goal, since = claim.goal, claim.since
    what, expected = goal.text, f"{goal.text}{_window(claim)} after {since.what}"
    start = locate(view, base_ns, faults, since, goal.is_told)
    if isinstance(start, Absent):
        return _without_start(view, claim, since, start)
    low_ns, high_ns, x = course(view, goal)
    good = goal.holds(x)
    begin = Evidence(start.high_ns, start.what, start.column)
    # an instant may be the end of the very state that is demanded again, so what counts is how things stood at its end
    is_before = high_ns <= start.high_ns if since.kind == "instant" else low_ns < start.low_ns
    if (
        not is_before.any() and not goal.is_told
    ):  # a record that begins with the stimulus shows in its first row how things stood
        is_before = (np.arange(len(x)) == 0) & (high_ns <= start.high_ns)
    before = np.flatnonzero(is_before)
    if len(before) and good[before[-1]]:
        since_k = before[np.flatnonzero(~good[before])[-1:]] + 1
        at_ns = int(high_ns[int(since_k[0]) if len(since_k) else 0])
        when = f"from {(at_ns + base_ns) / 1e9:.3f} s on" if len(since_k) else "all the time"
        return Finding(
            claim.requirement, what, expected, f"it was so {when}, before {start.what}; nothing was measured",
            Verdict.INCONC if _opens(goal) else Verdict.FAIL, evidence=(Evidence(at_ns, goal.text, goal.name), begin),
            next_step="close the contactors first, so that there is something to open" if _opens(goal) else goal.hint,
        )  # fmt: skip
    after = np.flatnonzero(good & ~is_before)
    if not len(after):
        return _missed(view, base_ns, faults, claim, start, x, begin)
    k = int(after[0])
    value = (int(high_ns[k]) - start.high_ns) / 1e6
    blur_ns = view.trace.blur_ns(start.high_ns) + view.trace.blur_ns(int(high_ns[k]))
    late_ns = _instrument_ns(view, faults, since)
    least, most = (int(low_ns[k]) - start.high_ns - late_ns - blur_ns) / 1e6, (int(high_ns[k]) - start.low_ns + blur_ns) / 1e6
    window = (-np.inf if claim.low_ms is None else claim.low_ms, np.inf if claim.high_ms is None else claim.high_ms)
    verdict = inside(least, most, window)
    hint = {
        Verdict.PASS: "",
        Verdict.INCONC: straddles(view.trace),
    }.get(verdict, f"too {'late' if value > window[1] else 'early'}; {goal.hint}")
    band = f" ({least:.1f} to {most:.1f})" if verdict is Verdict.INCONC else ""
    seen = f"{value:.1f} ms{band} after {start.what}"
    opened = Moment(int(low_ns[k]), int(high_ns[k]), goal.text, goal.name)
    if (
        verdict is not Verdict.FAIL
        and _opens(goal)
        and (other := _opened_otherwise(view, base_ns, faults, since, start, opened))
    ):
        verdict, seen = Verdict.INCONC, f"{seen}, but {other}"
        hint = "let nothing but the stimulus that is named open the path"
    elif verdict is Verdict.FAIL and value > window[1] and _none_due(view, base_ns, faults, goal, (start.high_ns, window[1])):
        verdict, hint = Verdict.INCONC, silence.hint_of(view, silence.slot_of(view, goal.name))
    evidence = (begin, Evidence(int(high_ns[k]), goal.text, goal.name))
    return Finding(claim.requirement, what, expected, seen, verdict, value, least, most, "ms", evidence, hint, timed=True)


def _without_start(view: View, claim: Claim, since: Since, absent: Absent) -> Finding:
    """ERROR for a stimulus that did nothing; INCONC for one that the device was not told in a frame."""
    assert claim.goal is not None
    what, expected = claim.goal.text, f"{claim.goal.text}{_window(claim)} after {since.what}"
    if absent.verdict is Verdict.ERROR:
        return Finding(
            claim.requirement, what, expected, f"{since.what} had no effect: {absent.why}", Verdict.ERROR,
            next_step="make the stimulus do something first; without its effect nothing was tested",
        )  # fmt: skip
    return Finding(
        claim.requirement, what, expected,
        f"when the device could know of {since.what} is not known: {absent.why}; codes raised: {_raised(view)}",
        absent.verdict, next_step="demand what the contacts do, whose time is judged; run_until waits for a code",
    )  # fmt: skip


def _instrument_ns(view: View, faults: Sequence[Bound], since: Since) -> int:
    """How much later than it is noted a stimulus may have reached the device, because an instrument showed it."""
    if since.kind == "load":
        return view.trace.instrument_ns(lacks.OF_LOAD)
    fault = next((fault for fault in faults if since.kind == "fault" and fault.spec.label == since.label), None)
    shown = [quantity_of(name) for name in since.signals] if fault is None else lacks.quantities(view.setup, fault)
    return view.trace.instrument_ns(shown)


def start_blur_ns(view: View, faults: Sequence[Bound], since: Since, start: Moment) -> int:
    """How far from where it is noted a time may begin: what the link does not know, and what an instrument took."""
    return view.trace.blur_ns(start.high_ns) + _instrument_ns(view, faults, since)


def _opens(goal: Goal) -> bool:
    """Whether a goal is that the current path opens, or a main contact of it."""
    is_main = goal.kind == "contact" and goal.name != "precharge" and goal.below is not None
    return is_main or (goal.kind == "path" and goal.name == "open")


def _opened_otherwise(view: View, base_ns: int, faults: Sequence[Bound], since: Since, start: Moment, opened: Moment) -> str:
    """What else opened the path, bench or device; empty when it was the stimulus, or when only an instant is named."""
    stimulus = next((fault for fault in faults if fault.spec.label == since.label), None)
    deeds = Deeds.of(view.setup, [fault for fault in faults if fault is not stimulus])
    from_ns, until_ns = since.at_ns, opened.high_ns + base_ns
    begun = [(at_ns - base_ns, name) for at_ns, name in deeds.begun if from_ns < at_ns <= until_ns]
    if since.kind == "instant":
        begun_then = [name for at_ns, name in deeds.begun if from_ns <= at_ns <= until_ns]
        return deeds.switched_off(from_ns - 1, until_ns, or_before=False) if begun_then else ""
    needs = stimulus is not None and stimulus.kind.target in _NEED_SWITCHING
    by_bench = deeds.switched_off(from_ns, until_ns, or_before=not needs and since.kind != "request")
    if by_bench:
        return by_bench
    return opened_by_other(view, (), start.low_ns, opened, begun, alone=not begun)


def _none_due(view: View, base_ns: int, faults: Sequence[Bound], goal: Goal, window: tuple[float, float]) -> bool:
    """Whether the device owed no frame with a goal's signal in a window: from [ns], for [ms]."""
    if not goal.is_told or goal.name not in view.setup.network.from_dut.signal_names or not np.isfinite(window[1]):
        return False
    return _nothing_due(view, base_ns, faults, goal.name, (int(window[0]), int(window[0] + window[1] * 1e6)))


def _nothing_due(view: View, base_ns: int, faults: Sequence[Bound], name: str, gap_ns: tuple[int, int]) -> bool:
    """Whether the device owed no frame with a signal in a stretch of a piece."""
    lost = {*view.setup.resets_ns, *(fault.start_ns for fault in faults if fault.kind.seam == "supply")}
    starts_ns = [-base_ns, *(at_ns - base_ns for at_ns in sorted(lost))]
    return silence.nothing_due(view, silence.slot_of(view, name), _told_ns(view, name), gap_ns, starts_ns)


def _told_ns(view: View, name: str) -> I64:
    """Frames with a signal of the device that told something, as it sent them or as they arrived."""
    series = view.log.series(name), view.log.said(name)
    return np.asarray(np.union1d(*(one.t_ns[one.told] for one in series)), np.int64)


def _window(claim: Claim) -> str:
    if claim.low_ms is None:
        return "" if claim.high_ms is None else f" within {claim.high_ms:g} ms"
    return f" within {claim.low_ms:g} to {claim.high_ms:g} ms"


def _missed(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim, start: Moment, x: F64, begin: Evidence) -> Finding:
    assert claim.goal is not None
    assert claim.since is not None
    end_ns = view.trace.n_ticks * view.trace.dt_ns
    last = f"no frame with {claim.goal.name} came"
    if len(x):
        last = f"{claim.goal.name} is {shown(view, claim.goal, float(x[-1]))}"
    if claim.goal.kind == "path":
        last = f"contactors not {claim.goal.name}"
    seen = f"{last} {(end_ns - start.high_ns) / 1e6:.0f} ms after {start.what}; codes raised: {_raised(view)}"
    verdict, hint = Verdict.FAIL, claim.goal.hint
    high_ms = np.inf if claim.high_ms is None else claim.high_ms
    if _none_due(view, base_ns, faults, claim.goal, (start.high_ns, high_ms)):
        verdict, hint = Verdict.INCONC, silence.hint_of(view, silence.slot_of(view, claim.goal.name))
        seen = f"{seen}; no frame was due in that time"
    elif end_ns - start.high_ns < high_ms * 1e6 + (blur_ns := start_blur_ns(view, faults, claim.since, start)) and blur_ns:
        verdict, hint = Verdict.INCONC, straddles(view.trace)
        seen = f"{seen}; that the window was over by then is known to {blur_ns / 1e6:.1f} ms only"
    return Finding(
        claim.requirement, claim.goal.text, f"{claim.goal.text}{_window(claim)} after {claim.since.what}", seen, verdict,
        evidence=(begin, Evidence(end_ns, "not so until here", claim.goal.name)), next_step=hint,
    )  # fmt: skip


def _raised(view: View) -> str:
    """Codes that the last frames of a piece raise, for readers."""
    found = []
    for name in view.setup.network.from_dut.signal_names:
        if name.startswith("Diag_"):
            series = view.log.series(name)
            last = series.value[series.valid][-1:]
            if len(last) and last[0] > 0.5:
                found.append(roles.code_of(name))
    return ", ".join(found) or "none"


def _throughout(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim) -> Finding:
    """Always and never."""
    assert claim.goal is not None
    goal, first_ns = claim.goal, claim.from_ns - base_ns
    last_ns = claim.until_ns - base_ns
    expected = f"{goal.text} {claim.mode}, {claim.from_ns / 1e9:g} to {claim.until_ns / 1e9:g} s"
    _, t_ns, x = course(view, goal)
    span = (t_ns >= first_ns) & (t_ns < last_ns)
    ends = Evidence(first_ns, "from", goal.name), Evidence(last_ns, "to", goal.name)
    gap = _gap(view, goal.name, first_ns, last_ns) if goal.kind == "signal" else None
    if gap is not None or not span.any():
        return _silent(view, base_ns, faults, claim, goal.text, expected, (gap or (first_ns, last_ns), goal.name))
    good = goal.holds(x[span]) if claim.mode == "always" else ~goal.holds(x[span])
    bad = np.flatnonzero(~good)
    if not len(bad):
        return Finding(claim.requirement, goal.text, expected, f"so in all {len(good)} samples", Verdict.PASS, evidence=ends)
    at_ns = int(t_ns[span][bad[0]])
    seen = f"{goal.name} is {shown(view, goal, float(x[span][bad[0]]))} at {(at_ns + base_ns) / 1e9:.3f} s"
    if goal.kind == "path":
        seen = f"contactors {'not ' if claim.mode == 'always' else ''}{goal.name} at {(at_ns + base_ns) / 1e9:.3f} s"
    evidence = (ends[0], Evidence(at_ns, seen, goal.name))
    return Finding(claim.requirement, goal.text, expected, seen, Verdict.FAIL, evidence=evidence, next_step=goal.hint)


def _gap(view: View, name: str, first_ns: int, last_ns: int) -> tuple[int, int] | None:
    """First stretch that is too long without a valid value of a signal of the device, as it sent it or as it arrived."""
    if name not in view.setup.network.from_dut.signal_names:
        return None
    came: list[I64] = [series.t_ns[series.valid] for series in (view.log.series(name), view.log.said(name))]
    allowed_ns = silence.allowed_ns(view, silence.slot_of(view, name))
    return silence.gap(np.union1d(*came), first_ns, last_ns, allowed_ns)


def _came(view: View, name: str, first_ns: int, last_ns: int) -> bool:
    """Whether the device sent a valid value of a signal, be it that the bench lost the frame."""
    series = view.log.said(name)
    return bool((series.valid & (series.t_ns >= first_ns) & (series.t_ns < last_ns)).any())


def _silent(
    view: View,
    base_ns: int,
    faults: Sequence[Bound],
    claim: Claim,
    what: str,
    expected: str,
    unseen: tuple[tuple[int, int], str],
) -> Finding:
    """FAIL for a device that was silent; INCONC when it owed no frame, or the frames are those of the bench."""
    (first_ns, last_ns), name = unseen
    of_device = name in view.setup.network.from_dut.signal_names
    missing = "valid diagnosis" if claim.mode == "quiet" else f"frame with {name}"
    seen = f"no {missing} came from {(first_ns + base_ns) / 1e9:.3f} to {(last_ns + base_ns) / 1e9:.3f} s"
    verdict, hint = Verdict.FAIL, "the device was silent: look at the link and at the device itself"
    if not of_device:
        verdict, hint = Verdict.INCONC, "the bench sends this; judge a longer time, or end the fault that takes the frames away"
    elif _nothing_due(view, base_ns, faults, name, (first_ns, last_ns)):
        verdict, hint = Verdict.INCONC, silence.hint_of(view, silence.slot_of(view, name))
        seen = f"{seen}: no frame was due there"
    evidence = Evidence(first_ns, "from"), Evidence(last_ns, "to")
    return Finding(claim.requirement, what, expected, seen, verdict, evidence=evidence, next_step=hint)


def _quiet(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim) -> Finding:
    first_ns, last_ns = claim.from_ns - base_ns, claim.until_ns - base_ns
    but = f" but {', '.join(claim.allow)}" if claim.allow else ""
    expected = f"no code{but} and contactors as they are, {claim.from_ns / 1e9:g} to {claim.until_ns / 1e9:g} s"
    found: list[Evidence] = []
    unseen: list[Finding] = []
    n_frames = 0
    for name in view.setup.network.from_dut.signal_names:
        if not name.startswith("Diag_") or roles.code_of(name) in claim.allow:
            continue
        series = view.log.series(name)
        span = series.valid & (series.t_ns >= first_ns) & (series.t_ns < last_ns)
        n_frames = max(n_frames, int(span.sum()))
        gap = _gap(view, name, first_ns, last_ns)
        if gap is not None or (not span.any() and not _came(view, name, first_ns, last_ns)):
            missed = (gap or (first_ns, last_ns)), name
            unseen.append(_silent(view, base_ns, faults, claim, "quiet", expected, missed))
        raised = np.flatnonzero(span & (series.value > 0.5))
        if len(raised):
            found.append(Evidence(int(series.t_ns[raised[0]]), roles.code_of(name), name))
    _, t_ns, x = course(view, Goal("path", "open", "contactors open"))
    rows = x[(view.t_ns >= first_ns) & (view.t_ns < last_ns)]
    moved = np.flatnonzero(np.diff(rows))
    if len(moved):
        at = int(np.searchsorted(view.t_ns, first_ns)) + int(moved[0]) + 1
        found.append(Evidence(int(t_ns[at]), "contactors move", "main_plus"))
    ends = Evidence(first_ns, "quiet from"), Evidence(last_ns, "quiet to")
    silent = [finding for finding in unseen if finding.verdict is Verdict.FAIL]
    if silent or (unseen and not found):
        return min(silent or unseen, key=lambda finding: finding.evidence[0].t_ns)
    if not found:
        return Finding(claim.requirement, "quiet", expected, f"quiet in {n_frames} frames", Verdict.PASS, evidence=ends)
    found.sort(key=lambda e: e.t_ns)
    seen = "; ".join(f"{e.what} at {(e.t_ns + base_ns) / 1e9:.3f} s" for e in found)
    return Finding(
        claim.requirement, "quiet", expected, seen, Verdict.FAIL, evidence=(ends[0], *found),
        next_step="a nuisance trip: look at limit, hysteresis and debounce",
    )  # fmt: skip


_JUDGES: dict[str, Callable[[View, int, Sequence[Bound], Claim], Finding]] = {
    "within": _within,
    "always": _throughout,
    "never": _throughout,
    "quiet": _quiet,
}
