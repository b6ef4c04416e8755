"""A scenario's expectations on a replay: what the wire can tell is judged, the rest is INCONC, and listed.

A log carries no truth of the pack, and its feedback and currents are answers to the recorded device. So signals of the device
are judged; that it is quiet, by its codes and contactor commands; reactions, contactors, SOC and limits of the pack are not.
"""

from __future__ import annotations

from hil import judge as judges
from hil import silence
from hil.observe import View
from hil.requirement import Requirement
from hil.scenario import Expect, QuietExpect
from hil.verdict import Evidence, Finding, Verdict

_WHY = {
    "reaction": "when the hazard began is not in a log, and its contacts obeyed the recorded device",
    "contactors": "the contacts in a log obeyed the recorded device",
    "precharge": "the link voltage in a log obeyed the recorded device",
    "soc": "a log carries no true state of charge",
    "within": "the pack in a log obeyed the recorded device",
}


def expectations(view: View, rows: list[Expect]) -> list[Finding]:
    """A finding for each expectation, in their order."""
    required = view.setup.inputs.requirements.by_id()
    found: list[Finding] = []
    for row in rows:
        req = required[row.requirement]
        if row.kind == "signal":
            found += [judges.cut(view, row, finding) for finding in judges.signal(view, row, req, {})]
        elif row.kind == "quiet":
            found.append(judges.cut(view, row, _quiet(view, row, req)))
        else:
            seen, hint = f"not judged: {_WHY[row.kind]}", "judge it with nabench run, or expect a signal"
            found.append(Finding(req.id, row.kind, f"{row.kind} as in the scenario", seen, Verdict.INCONC, next_step=hint))
    return found


def _quiet(view: View, row: QuietExpect, req: Requirement) -> Finding:
    """No code but the allowed, and no contactor command that moves."""
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    but = f" but {', '.join(row.allow)}" if row.allow else ""
    expected = f"no diagnosis flag{but} and contactor commands as they are, {row.from_s:g} to {row.to_s:g} s"
    names = [n for n in view.setup.network.from_dut.signal_names if n.startswith("Diag_") or n.endswith("Command")]
    names = [n for n in names if n.removeprefix("Diag_") not in row.allow]
    if not names:
        return Finding(req.id, "no nuisance trip", expected, "the network has no such flag", Verdict.INCONC)
    trips: list[Evidence] = []
    counts: list[int] = []
    for name in names:
        series = view.log.said(name)
        span = series.valid & (series.t_ns >= first_ns) & (series.t_ns <= last_ns)
        t_ns, value = series.t_ns[span], series.value[span]
        counts.append(len(t_ns))
        slot = silence.slot_of(view, name)
        gap = silence.gap(t_ns, first_ns, last_ns, silence.allowed_ns(view, slot))
        if gap is not None or not len(t_ns):
            return silence.nothing_seen(view, req, "no nuisance trip", expected, gap or (first_ns, last_ns), name, slot)
        bad = value > 0.5 if name.startswith("Diag_") else value != value[0]
        if bad.any():
            at_ns = int(t_ns[bad.argmax()])
            trips.append(Evidence(at_ns, name.removeprefix("Diag_") + ("" if name.startswith("Diag_") else " moves"), name))
    trips.sort(key=lambda e: e.t_ns)
    evidence = (Evidence(first_ns, "quiet from"), *(trips or [Evidence(last_ns, "quiet to")]))
    seen = "; ".join(f"{e.what} at {e.t_ns / 1e9:.3f} s" for e in trips) or f"quiet in {min(counts)} frames"
    hint = "a nuisance trip: look at limit, hysteresis and debounce" if trips else ""
    verdict = Verdict.FAIL if trips else Verdict.PASS
    return Finding(req.id, "no nuisance trip", expected, seen, verdict, evidence=evidence, next_step=hint)
