"""What a test demanded of a whole stretch of time: always, never, and quiet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_sim.types import I64
from hil import roles, silence
from hil.fault.catalogue import Bound
from hil.observe import View
from hil.session.claim import Claim
from hil.session.due import nothing_due
from hil.session.goal import Goal, course, shown
from hil.verdict import Evidence, Finding, Verdict


def throughout(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim) -> Finding:
    """The finding for `always` and `never`, from the samples of the stretch that was demanded."""
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
    elif nothing_due(view, base_ns, faults, name, (first_ns, last_ns)):
        verdict, hint = Verdict.INCONC, silence.hint_of(view, silence.slot_of(view, name))
        seen = f"{seen}: no frame was due there"
    evidence = Evidence(first_ns, "from"), Evidence(last_ns, "to")
    return Finding(claim.requirement, what, expected, seen, verdict, evidence=evidence, next_step=hint)


def quiet(view: View, base_ns: int, faults: Sequence[Bound], claim: Claim) -> Finding:
    """The finding for `quiet`: no code but those allowed, no contact that moves, and flags that came all the time."""
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
