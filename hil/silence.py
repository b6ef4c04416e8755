"""What was not seen: how long a device may say nothing, and what it means when it did.

Nothing passes on what was not seen: a device that falls silent, a run that ended early, an empty stretch. Where no frame was
due, because the time is shorter than its cycle or the device is still coming up, silence is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def ended_early(view: View) -> bool:
    """Whether the run ended before the scenario did."""
    return view.trace.n_ticks < view.setup.inputs.scenario.n_ticks


def never_spoke(view: View) -> bool:
    """Whether no frame of the device told anything, from beginning to end."""
    return not any(len(view.log.told_ns(slot)) for slot in range(view.setup.network.from_dut.n_slots))


def gap(t_ns: I64, first_ns: int, last_ns: int, allowed_ns: int) -> tuple[int, int] | None:
    """First pause longer than allowed_ns in [first, last]."""
    at = np.concatenate([[first_ns], t_ns[(t_ns >= first_ns) & (t_ns <= last_ns)], [last_ns]])
    k = np.flatnonzero(np.diff(at) > allowed_ns)
    return (int(at[k[0]]), int(at[k[0] + 1])) if len(k) else None


def pause_ns(view: View) -> int:
    """How long a pause a restart explains: SILENCE_NS, or what the bus of a device says of it where the run has a restart."""
    link = view.trace.info.get("link") or {}
    return max(SILENCE_NS, int(link.get("boot_ns", 0))) if view.setup.resets_ns else SILENCE_NS


def allowed_ns(view: View, slot: int) -> int:
    """How long the device may say nothing in a slot: five cycles, and as long as a restart takes."""
    return max(5 * int(view.setup.network.from_dut.slots[slot, CYCLE_NS]), pause_ns(view))


def slot_of(view: View, signal: str) -> int:
    """Slot in which the device sends a signal."""
    layout = view.setup.network.from_dut
    return int(layout.signals[layout.index(signal), SLOT])


def span(view: View, from_s: float, to_s: float | None) -> tuple[int, int]:
    """A time of the scenario, as far as the record goes [ns]."""
    end = end_ns(view)
    return round(from_s * 1e9), end if to_s is None else min(round(to_s * 1e9), end)


def nothing_due(view: View, slot: int, told_ns: I64, gap_ns: tuple[int, int], starts_ns: Sequence[int]) -> bool:
    """Whether a sound device owed no frame of a slot in a stretch: it was coming up, or the stretch is shorter than a cycle.

    told_ns: (n,) frames of the slot that told something.  starts_ns: when the device got its supply.  A stretch inside a
    silence that is too long is silence, however short it is.
    """
    first_ns, last_ns = gap_ns
    up_ns = max((at_ns for at_ns in starts_ns if at_ns <= first_ns), default=min(starts_ns))
    first = told_ns[told_ns >= up_ns][:1]
    if last_ns <= up_ns + READY_NS and (not len(first) or first[0] >= last_ns):
        return True
    cycle_ns = int(view.setup.network.from_dut.slots[slot, CYCLE_NS])
    if last_ns - first_ns > cycle_ns + view.trace.dt_ns or ((told_ns > first_ns) & (told_ns < last_ns)).any():
        return False
    since_ns = max([up_ns, 0, *told_ns[told_ns <= first_ns][-1:].tolist()])
    until_ns = min([end_ns(view), *told_ns[told_ns >= last_ns][:1].tolist()])
    return bool(until_ns - since_ns <= allowed_ns(view, slot))


def nothing_seen(
    view: View, req: Requirement, what: str, expected: str, gap_ns: tuple[int, int], missing: str, slot: int
) -> Finding:
    """FAIL for silence in a slot; INCONC when no frame was due, or the device has not come up yet and may still do so."""
    first_ns, last_ns = gap_ns
    evidence = (Evidence(first_ns, "from"), Evidence(last_ns, "to"))
    span = f"from {first_ns / 1e9:.3f} to {last_ns / 1e9:.3f} s"
    if nothing_due(view, slot, view.log.told_ns(slot), gap_ns, (0, *view.setup.resets_ns)):
        seen, verdict, hint = f"no {missing} {span}: no frame was due there", Verdict.INCONC, hint_of(view, slot)
    else:
        seen, hint = f"no {missing} {span}", "the device was silent: look at the link and at the device itself"
        verdict = Verdict.INCONC if never_spoke(view) and end_ns(view) <= READY_NS else Verdict.FAIL
    return Finding(req.id, what, expected, seen, verdict, evidence=evidence, next_step=hint)


def hint_of(view: View, slot: int) -> str:
    """What to do about a stretch in which no frame of a slot was due."""
    layout = view.setup.network.from_dut
    name, cycle_ms = layout.slot_names[slot], int(layout.slots[slot, CYCLE_NS]) / 1e6
    return f"judge a time longer than the {cycle_ms:g} ms from one {name} to the next, when the device is up"
