"""Whether the current path was open, or closed, all through a time of the scenario.

On a real link the instant of a contact is known to a band, and an instrument may have shown late what moved it. Where one
moved so close to an end of the time that the band lies across it, nobody knows on which side it moved.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hil import opening, silence
from hil.benchfile import QUANTITIES, SUPPLY
from hil.observe import Effect, View
from hil.requirement import Requirement
from hil.scenario import ContactorsExpect
from hil.trace import Trace
from hil.verdict import Evidence, Finding, Verdict
from hil.wirelog import Bools


def judge(view: View, row: ContactorsExpect, req: Requirement, _effects: dict[str, Effect]) -> list[Finding]:
    """One finding: every tick of the time counts."""
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    expected = f"current path {row.state}, {row.from_s:g} to {row.to_s:g} s"
    span = (view.t_ns >= first_ns) & (view.t_ns <= last_ns)
    so = opening.path_open(view.trace) if row.state == "open" else _mains_closed(view.trace)
    good = so[span]
    misses = np.flatnonzero(~good)
    at = int(view.t_ns[span][misses[0]]) if len(misses) else last_ns
    seen = f"not so at {at / 1e9:.3f} s" if len(misses) else f"so in all {len(good)} ticks"
    verdict = Verdict.FAIL if len(misses) else Verdict.PASS if len(good) else Verdict.INCONC
    hint = {Verdict.FAIL: "look at the state of the BMS and at its codes", Verdict.INCONC: "no tick lies in this time"}
    evidence = (Evidence(first_ns, "from", "main_plus"), Evidence(at, seen, "main_plus"))
    found = Finding(
        req.id, "contactors", expected, seen, verdict, evidence=evidence, next_step=hint.get(verdict, ""), timed=True
    )
    return [_at_the_edge(view, found, so, first_ns, last_ns)]


def _mains_closed(trace: Trace) -> Bools:
    return np.asarray((trace.column("main_plus") == 1) & (trace.column("main_minus") == 1))


def _at_the_edge(view: View, finding: Finding, so: Bools, first_ns: int, last_ns: int) -> Finding:
    """INCONC where what was found hangs on a move whose band lies across an end of the time.

    so: (n_ticks,) whether it was as expected.
    """
    after_ns, before_ns, doubt = first_ns - 1, last_ns + 1, ""
    for k in (np.flatnonzero(np.diff(so)) + 1).tolist():
        low_ns, high_ns = opening.moved_ns(view, k)
        blur_ns = view.trace.blur_ns(high_ns) + view.trace.instrument_ns((*QUANTITIES, SUPPLY))
        at_first, at_last = (low_ns - blur_ns <= end_ns <= high_ns + blur_ns for end_ns in (first_ns, last_ns))
        if not blur_ns or not (at_first or at_last):
            continue
        after_ns = max(after_ns, high_ns) if at_first else after_ns
        before_ns = min(before_ns, low_ns) if at_last else before_ns
        doubt = f"contacts moved at {high_ns / 1e9:.4f} s, known to {blur_ns / 1e6:.1f} ms"
    inner = (view.t_ns > after_ns) & (view.t_ns < before_ns)
    if not doubt or (finding.verdict is Verdict.FAIL and not so[inner].all()):
        return finding
    hint = "judge from and to times at which nothing should move"
    return replace(finding, seen=f"{finding.seen}; but {doubt}", verdict=Verdict.INCONC, next_step=hint)
