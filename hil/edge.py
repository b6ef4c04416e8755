"""Where a verdict on a signal hangs on an end of the time in which it is expected.

That a state came once, or held always, rests on frames well inside its time, and then no small lateness takes anything from
it. Where it rests on frames near from or to, the time of a frame counts: within what the link and its instruments do not
know, nobody can tell on which side it came; within a tick or a cycle of its message, a bench that was late there (hil.taint)
may have moved it across.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.layout import CYCLE_NS
from hil.benchfile import QUANTITIES, SUPPLY
from hil.observe import View
from hil.verdict import Finding, Verdict


def judged(view: View, finding: Finding, deciding_ns: I64, slot: int, ends_ns: tuple[float, float]) -> Finding:
    """A finding as it stands, timed, or INCONC; as it stands in lockstep.

    deciding_ns: (n,) all frames of the run, one of which inside the time decides the verdict.  slot: of the device, theirs.
    ends_ns: from and to; infinite where there is no such end.
    """
    if not view.trace.info.get("link"):
        return finding
    shown_ns = view.trace.instrument_ns((*QUANTITIES, SUPPLY))
    known_ns = max((view.trace.blur_ns(int(end)) for end in ends_ns if np.isfinite(end)), default=0) + shown_ns
    if known_ns and _hangs(deciding_ns, ends_ns, known_ns):
        doubt = f"what decides came at an end of this time, and when it came is known to {known_ns / 1e6:.1f} ms only"
        hint = "judge from and to times at which nothing should change"
        return replace(finding, seen=f"{finding.seen}; but {doubt}", verdict=Verdict.INCONC, next_step=hint)
    near_ns = max(view.trace.dt_ns, int(view.setup.network.from_dut.slots[slot, CYCLE_NS]))
    return replace(finding, timed=_hangs(deciding_ns, ends_ns, near_ns))


def _hangs(deciding_ns: I64, ends_ns: tuple[float, float], by_ns: int) -> bool:
    """Whether ends that lay elsewhere by so much at most could bring another verdict."""
    first_ns, last_ns = ends_ns
    outer = (deciding_ns >= first_ns - by_ns) & (deciding_ns <= last_ns + by_ns)
    inner = (deciding_ns > first_ns + by_ns) & (deciding_ns < last_ns - by_ns)
    return bool(outer.any() and not inner.any())
