"""How long a device took to do what a test demanded.

Times run from the first wrong value that is physically present, as an observer reads it back from the record: for what the
device says, from the first frame that could tell it; for what the contacts and the plant do, from the wrong value itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_sim.types import F64
from hil import lacks, roles, silence
from hil.benchfile import quantity_of
from hil.fault.catalogue import Bound
from hil.observe import Moment, View
from hil.opening import Deeds, opened_by_other
from hil.reaction import straddles
from hil.session.claim import Claim
from hil.session.due import nothing_due
from hil.session.goal import Goal, course, shown
from hil.session.since import Absent, Since, locate
from hil.verdict import Evidence, Finding, Verdict, inside

_NEED_SWITCHING = ("contactor", "feedback")  # faults that show only when the contact is told to move


def judge(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim) -> Finding:
    """The finding for `within`: how long after its stimulus a goal was reached. Times count from the piece's beginning."""
    assert claim.goal is not None
    assert claim.since is not None
    goal, since = claim.goal, claim.since
    start = locate(view, base_ns, faults, since, goal.is_told)
    if isinstance(start, Absent):
        return _without_start(view, claim, since, start)
    low_ns, high_ns, x = course(view, goal)
    good = goal.holds(x)
    # an instant may be the end of the very state that is demanded again, so what counts is how things stood at its end
    is_before = high_ns <= start.high_ns if since.kind == "instant" else low_ns < start.low_ns
    if not is_before.any() and not goal.is_told:
        # a record that begins with the stimulus shows in its first row how things stood
        is_before = (np.arange(len(x)) == 0) & (high_ns <= start.high_ns)
    before = np.flatnonzero(is_before)
    if len(before) and good[before[-1]]:
        since_k = before[np.flatnonzero(~good[before])[-1:]] + 1
        at_ns = int(high_ns[int(since_k[0]) if len(since_k) else 0])
        when = f"from {(at_ns + base_ns) / 1e9:.3f} s on" if len(since_k) else "all the time"
        return _so_before(claim, goal, start, at_ns, when)
    after = np.flatnonzero(good & ~is_before)
    if not len(after):
        return _missed(view, base_ns, faults, claim, start, x)
    k = int(after[0])
    reached = Moment(int(low_ns[k]), int(high_ns[k]), goal.text, goal.name)
    return _measured(view, base_ns, faults, claim, start, reached)


def _begin(start: Moment) -> Evidence:
    return Evidence(start.high_ns, start.what, start.column)


def _so_before(claim: Claim, goal: Goal, start: Moment, at_ns: int, when: str) -> Finding:
    """What was so before the stimulus is no reaction to it; a path that was open before shows nothing at all."""
    return Finding(
        claim.requirement, goal.text, _expected(claim), f"it was so {when}, before {start.what}; nothing was measured",
        Verdict.INCONC if _opens(goal) else Verdict.FAIL, evidence=(Evidence(at_ns, goal.text, goal.name), _begin(start)),
        next_step="close the contactors first, so that there is something to open" if _opens(goal) else goal.hint,
    )  # fmt: skip


def _measured(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim, start: Moment, reached: Moment) -> Finding:
    """The time from a stimulus to the goal with its band, and whether the band lies in the window."""
    assert claim.goal is not None
    assert claim.since is not None
    goal, since = claim.goal, claim.since
    value = (reached.high_ns - start.high_ns) / 1e6
    blur_ns = view.trace.blur_ns(start.high_ns) + view.trace.blur_ns(reached.high_ns)
    late_ns = _instrument_ns(view, faults, since)
    least = (reached.low_ns - start.high_ns - late_ns - blur_ns) / 1e6
    most = (reached.high_ns - start.low_ns + blur_ns) / 1e6
    window = (-np.inf if claim.low_ms is None else claim.low_ms, np.inf if claim.high_ms is None else claim.high_ms)
    verdict = inside(least, most, window)
    hint = {
        Verdict.PASS: "",
        Verdict.INCONC: straddles(view.trace),
    }.get(verdict, f"too {'late' if value > window[1] else 'early'}; {goal.hint}")
    band = f" ({least:.1f} to {most:.1f})" if verdict is Verdict.INCONC else ""
    seen = f"{value:.1f} ms{band} after {start.what}"
    if (
        verdict is not Verdict.FAIL
        and _opens(goal)
        and (other := _opened_otherwise(view, base_ns, faults, since, start, reached))
    ):
        verdict, seen = Verdict.INCONC, f"{seen}, but {other}"
        hint = "let nothing but the stimulus that is named open the path"
    elif verdict is Verdict.FAIL and value > window[1] and _none_due(view, base_ns, faults, goal, (start.high_ns, window[1])):
        verdict, hint = Verdict.INCONC, silence.hint_of(view, silence.slot_of(view, goal.name))
    evidence = (_begin(start), Evidence(reached.high_ns, goal.text, goal.name))
    return Finding(
        claim.requirement, goal.text, _expected(claim), seen, verdict, value, least, most, "ms", evidence, hint, timed=True
    )


def _without_start(view: View, claim: Claim, since: Since, absent: Absent) -> Finding:
    """ERROR for a stimulus that did nothing; INCONC for one that the device was not told in a frame."""
    assert claim.goal is not None
    what, expected = claim.goal.text, _expected(claim)
    if absent.verdict is Verdict.ERROR:
        return Finding(
            claim.requirement, what, expected, f"{since.what} had no effect: {absent.why}", Verdict.ERROR,
            next_step="make the stimulus do something first; without its effect nothing was tested",
        )  # fmt: skip
    return Finding(
        claim.requirement, what, expected,
        f"from when on the device could know of {since.what} cannot be said: {absent.why}; codes raised: {_raised(view)}",
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


def _missed(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim, start: Moment, x: F64) -> Finding:
    """The finding for a goal that was not reached. x: its course, whose last value is told."""
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
        claim.requirement, claim.goal.text, _expected(claim), seen, verdict,
        evidence=(_begin(start), Evidence(end_ns, "not so until here", claim.goal.name)), next_step=hint,
    )  # fmt: skip


def _none_due(view: View, base_ns: int, faults: Sequence[Bound], goal: Goal, window: tuple[float, float]) -> bool:
    """Whether the device owed no frame with a goal's signal in a window: from [ns], for [ms]."""
    if not goal.is_told or goal.name not in view.setup.network.from_dut.signal_names or not np.isfinite(window[1]):
        return False
    return nothing_due(view, base_ns, faults, goal.name, (int(window[0]), int(window[0] + window[1] * 1e6)))


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


def _expected(claim: Claim) -> str:
    """The goal with its window and stimulus, for readers."""
    assert claim.goal is not None
    assert claim.since is not None
    if claim.low_ms is None:
        window = "" if claim.high_ms is None else f" within {claim.high_ms:g} ms"
    else:
        window = f" within {claim.low_ms:g} to {claim.high_ms:g} ms"
    return f"{claim.goal.text}{window} after {claim.since.what}"
