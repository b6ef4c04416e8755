"""Is bench and device well at the end of a test? Every sentence names what to do."""

from __future__ import annotations

from hil import journal as j
from hil.dut import Compiled
from hil.fault.table import FROM_DUT, SEAM
from hil.session.run import Run
from hil.wirelog import WireLog

_ALIVE_S = 0.2
_READY_S = 1.0


def problems(run: Run, faults_may_stay: bool = False) -> list[str]:
    """What is wrong, a sentence each."""
    found = []
    left = run.active()
    if left and not faults_may_stay:
        names = ", ".join(fault.what for fault in left)
        found.append(
            f"left behind: {names}; end injected faults with .clear() or bench.clear_all(), "
            "or mark the test nabench_leaves_faults"
        )
    lost = run.tape.frames_lost()
    if lost:
        found.append(f"{lost} frames found no room in the journal; use fewer doubled or delayed streams at once")
    found += _fallen(run) + _unknown(run) + _silent(run)
    return found


def _fallen(run: Run) -> list[str]:
    """What became of a firmware that the bench runs itself."""
    rows = run.dut.account()["fallen"] if isinstance(run.dut, Compiled) else []
    return [f"the firmware fell at {t_ns / 1e9:.3f} s: {why}" for t_ns, why in rows]


def _kept(run: Run, seconds: float) -> WireLog:
    first = max(run.rig.k - run.ticks(seconds), run.tape.first_tick)
    return WireLog(run.piece(first, run.rig.k).trace.journal, run.setup.network)


def _unknown(run: Run) -> list[str]:
    """Frames of the device that no message of the network explains, in all that is kept."""
    trace = run.piece(run.tape.first_tick, run.rig.k).trace
    strays = trace.journal[(trace.journal[:, j.SLOT] < 0) & (trace.journal[:, j.KIND] == j.FROM_DUT)]
    if not len(strays):
        return []
    log, layout = WireLog(strays, run.setup.network), run.setup.network.from_dut
    known = sum(len(log.frames(j.FROM_DUT, slot)) for slot in range(layout.n_slots))
    if known == len(strays):
        return []
    ids = sorted({int(row[j.ID]) for row in strays} - {int(slot[0]) for slot in layout.slots})
    shown = ", ".join(f"0x{one:X}" for one in ids) or "known ids with unknown pages"
    return [f"{len(strays) - known} frames from the device have no message in the network: {shown}; complete its DBC"]


def _silent(run: Run) -> list[str]:
    """Whether the device sent something lately, also where a fault kept it from arriving."""
    if run.t_ns - run.restarted_ns < round(_READY_S * 1e9):
        return []
    log = _kept(run, _ALIVE_S)
    kinds = [j.FROM_DUT]
    if any((fault.bound.rows[:, SEAM] == FROM_DUT).any() for fault in run.faults.values()):
        kinds.append(j.OFFERED_FROM_DUT)
    layout = run.setup.network.from_dut
    if any(len(log.frames(kind, slot)) for kind in kinds for slot in range(layout.n_slots)):
        return []
    return [f"the device sent nothing in the last {_ALIVE_S * 1000:g} ms: look at the link and at the device itself"]
