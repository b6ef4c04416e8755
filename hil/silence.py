"""What was not seen: how long a device may say nothing, and what it means when it did.

Nothing passes on what was not seen: a device that falls silent, a run that ended early, an empty stretch.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.layout import CYCLE_NS, SLOT
from hil.observe import View
from hil.requirement import Requirement
from hil.verdict import Evidence, Finding, Verdict

READY_NS = 2_000_000_000  # within this a device is up, or it never comes
SILENCE_NS = 500_000_000  # a pause that a restart explains


def end_ns(view: View) -> int:
    """When the record ends."""
    return view.trace.n_ticks * view.trace.dt_ns


def never_spoke(view: View) -> bool:
    """Whether no frame of the device told anything, from beginning to end."""
    return not any(len(view.log.told_ns(slot)) for slot in range(view.setup.network.from_dut.n_slots))


def gap(t_ns: I64, first_ns: int, last_ns: int, allowed_ns: int) -> tuple[int, int] | None:
    """First pause longer than allowed_ns in [first, last]."""
    at = np.concatenate([[first_ns], t_ns[(t_ns >= first_ns) & (t_ns <= last_ns)], [last_ns]])
    k = np.flatnonzero(np.diff(at) > allowed_ns)
    return (int(at[k[0]]), int(at[k[0] + 1])) if len(k) else None


def allowed_ns(view: View, slot: int) -> int:
    """How long the device may say nothing in a slot: five cycles, and as long as a restart takes."""
    return max(5 * int(view.setup.network.from_dut.slots[slot, CYCLE_NS]), SILENCE_NS)


def slot_of(view: View, signal: str) -> int:
    """Slot in which the device sends a signal."""
    layout = view.setup.network.from_dut
    return int(layout.signals[layout.index(signal), SLOT])


def span(view: View, from_s: float, to_s: float | None) -> tuple[int, int]:
    """A time of the scenario, as far as the record goes [ns]."""
    end = end_ns(view)
    return round(from_s * 1e9), end if to_s is None else min(round(to_s * 1e9), end)


def nothing_seen(view: View, req: Requirement, what: str, expected: str, gap_ns: tuple[int, int], missing: str) -> Finding:
    """FAIL for silence; a device that has not come up yet may still do so."""
    first_ns, last_ns = gap_ns
    verdict = Verdict.INCONC if never_spoke(view) and end_ns(view) <= READY_NS else Verdict.FAIL
    evidence = (Evidence(first_ns, "from"), Evidence(last_ns, "to"))
    seen = f"no {missing} from {first_ns / 1e9:.3f} to {last_ns / 1e9:.3f} s"
    return Finding(
        req.id, what, expected, seen, verdict, evidence=evidence,
        next_step="the device was silent: look at the link and at the device itself",
    )  # fmt: skip
