"""Whether the truth kept a limit of the cell: what a load that obeys its BMS must find."""

from __future__ import annotations

import numpy as np

from hil import hazard, silence
from hil.observe import Effect, View
from hil.requirement import Requirement
from hil.scenario import WithinExpect
from hil.verdict import Evidence, Finding, Verdict


def judge(view: View, row: WithinExpect, req: Requirement, _effects: dict[str, Effect]) -> list[Finding]:
    """One finding: the furthest that the quantity of the requirement's trigger came, over all kinds of cells."""
    trigger = req.trigger
    assert trigger is not None  # checked where a scenario is loaded
    first_ns, last_ns = silence.span(view, row.from_s, row.to_s)
    span = (view.t_ns >= first_ns) & (view.t_ns <= last_ns)
    sign = 1.0 if trigger.above is not None else -1.0
    side = "below" if trigger.above is not None else "above"
    watches = hazard.watched(view, trigger)
    limits = ", ".join(f"{watch.limit:g}" for watch in watches)
    expected = f"true {trigger.quantity} {side} {limits}, {row.from_s:g} to {row.to_s:g} s"
    if not span.any():
        nothing = "no tick lies in this time"
        return [Finding(req.id, trigger.quantity, expected, nothing, Verdict.INCONC, next_step="let the run go on")]
    furthest = []
    for watch in watches:
        value = view.trace.column(watch.column)[span]
        at = int(np.argmax(sign * value))
        beyond = hazard.beyond(trigger, hazard.outside(trigger, watch.limit), value)
        first = int(np.argmax(beyond)) if beyond.any() else at
        furthest.append(
            (bool(beyond.any()), sign * (value[at] - watch.limit), watch.column, value[at], int(view.t_ns[span][first]))
        )
    broke, _, column, value_at, t_ns = max(furthest)
    seen = f"{column} reached {value_at:.4g}" + (f", beyond the limit from {t_ns / 1e9:.3f} s on" if broke else "")
    return [
        Finding(
            req.id,
            trigger.quantity,
            expected,
            seen,
            Verdict.FAIL if broke else Verdict.PASS,
            evidence=(Evidence(first_ns, "from", column), Evidence(t_ns, seen, column)),
            next_step="the limits allow more than the cells bear: look at the foreseen currents" if broke else "",
        )
    ]
