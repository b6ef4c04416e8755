"""What makes a finding of a run in wall time doubtful: a link that was deaf, a bench that was late.

Three degrees of late. A tick that began, or a frame that left, later than a tick: whatever rests on that time is INCONC. A
frame that left more than 5 ms late (hil.link.pacing): a verdict on a time is INCONC when it begins or ends there, or in the
cycle before an end that the device tells. Anything less only widens the band of the times around it (Trace.blur_ns).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_sim.wire.layout import CYCLE_NS, SLOT
from hil.network import Network
from hil.trace import Trace
from hil.verdict import Finding, Verdict

_IDLE = "run again on an idle machine, or in virtual time"


def taint(trace: Trace, finding: Finding, network: Network, base_ns: int = 0) -> Finding:
    """A finding as it stands, or INCONC with the reason. base_ns: where the trace begins in the run; evidence counts from 0."""
    deaf = _deaf(trace, finding, base_ns)
    if deaf:
        return _doubted(finding, deaf, "look at the link to the device: cable, adapter, bus")
    if not finding.evidence or finding.verdict in (Verdict.ERROR, Verdict.NONE):
        return finding
    missed_ns = _ticks(trace, finding, base_ns)
    if missed_ns:
        return _doubted(finding, f"{_missed(missed_ns)} there, the worst by {max(missed_ns) / 1e6:.1f} ms", _IDLE)
    late_ns = _frames(trace, finding, network)
    if late_ns:
        where = f"where this time begins or ends: frames left up to {max(late_ns) / 1e6:.1f} ms late"
        return _doubted(finding, f"{_missed(late_ns)} {where}", _IDLE)
    return finding


def _doubted(finding: Finding, why: str, hint: str) -> Finding:
    return replace(finding, seen=f"{finding.seen}; but {why}", verdict=Verdict.INCONC, next_step=hint)


def _missed(late_ns: list[int]) -> str:
    return f"the bench missed {len(late_ns)} of its own deadlines"


def _deaf(trace: Trace, finding: Finding, base_ns: int) -> str:
    """Why the link to the device could not be trusted while a finding's evidence was taken; empty when it could."""
    link = trace.info.get("link") or {}
    if finding.verdict is Verdict.NONE or (finding.verdict is Verdict.ERROR and not link.get("lost")):
        return ""
    times = [e.t_ns for e in finding.evidence] or [base_ns, base_ns + trace.n_ticks * trace.dt_ns]
    return next((why for from_ns, to_ns, why in link.get("blind", ()) if min(times) <= to_ns and max(times) >= from_ns), "")


def _ticks(trace: Trace, finding: Finding, base_ns: int) -> list[int]:
    """How late the ticks were that were missed by more than a tick, from one before the evidence to one after it [ns]."""
    first, last = (f(e.t_ns for e in finding.evidence) - base_ns for f in (min, max))
    span = trace.late_ns[max(first // trace.dt_ns - 1, 0) : last // trace.dt_ns + 2]
    return [int(x) for x in span[np.flatnonzero(span > trace.dt_ns)]]


def _frames(trace: Trace, finding: Finding, network: Network) -> list[int]:
    """How late frames left in the ticks, and those around them, in which a time that is judged begins or ends [ns].

    An end that the device tells may be a whole cycle of its message later through a frame that was late before it. What was
    measured and passes all the same would have been shorter, and is left.
    """
    if not finding.timed:
        return []
    back = finding.verdict is Verdict.FAIL or finding.value is None
    ticks = {
        k
        for e in finding.evidence
        for k in range((e.t_ns - back * _cycle_ns(network, e.column)) // trace.dt_ns - 1, e.t_ns // trace.dt_ns + 2)
    }
    rows = (trace.info.get("link") or {}).get("late_frames", ())
    return [late_ns for t_ns, late_ns in rows if t_ns // trace.dt_ns in ticks]


def _cycle_ns(network: Network, signal: str) -> int:
    """Cycle of the message in which the device tells a signal; 0 for what it does not tell."""
    layout = network.from_dut
    return int(layout.slots[layout.signals[layout.index(signal), SLOT], CYCLE_NS]) if signal in layout.signal_names else 0
