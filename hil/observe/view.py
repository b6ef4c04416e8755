"""What an observer may look at, when a fault should be on, and what an observer says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_sim.types import I64
from firmware_sim.wire.layout import FRAME_NS, SLOT
from hil import journal as j
from hil.benchfile import quantity_of
from hil.fault.catalogue import Bound
from hil.setup import Setup
from hil.trace import Trace
from hil.wirelog import WireLog

GO_ON = "let the run go to its end"  # what to do about a run that ended early
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Moment:
    """An instant known to lie in [low, high]."""

    low_ns: int
    high_ns: int
    what: str
    column: str = ""


@dataclass(frozen=True)
class Effect:
    """What an observer found.

    happened: the effect was there while it should, and only then.  text: what was seen.  start: when it was first
    present, None when it waited for something that never came; wire: when its first trace was on the wire to the device
    (None where there is none).  hint: what to do about a fault that was not put to the test.
    """

    happened: bool
    text: str
    start: Moment | None = None
    wire: Moment | None = None
    hint: str = ""


@dataclass(frozen=True)
class View:
    """What an observer may look at."""

    trace: Trace
    log: WireLog
    setup: Setup

    @property
    def t_ns(self) -> I64:
        """(n_ticks,) time of each row."""
        return np.arange(self.trace.n_ticks, dtype=np.int64) * self.trace.dt_ns

    def sent(self, slot: int) -> I64:
        """(n,) times of the device's frames in a slot as it sent them, whatever a network fault made of them."""
        return self.log.frames(self.log.sent_kind(slot), slot)[:, j.T_NS]


def expected_on(t_ns: I64, fault: Bound, dt_ns: int) -> Bools:
    """Where a fault should be on, from what the scenario says."""
    spec = fault.spec
    stop_ns = fault.stop_ns(dt_ns)
    on = (t_ns >= fault.start_ns) & (t_ns < stop_ns)
    if spec.on_ms is not None and spec.off_ms is not None:
        phase = (t_ns - fault.start_ns) % ((spec.on_ms + spec.off_ms) * 1_000_000)
        on &= phase < spec.on_ms * 1_000_000
    return on


def others_on(view: View, fault: Bound, t_ns: I64, shares: Callable[[Bound], bool]) -> Bools:
    """Where another fault that shares something with this one should be on: there nothing can be told apart."""
    mask = np.zeros(len(t_ns), bool)
    for other in view.setup.faults:
        if other is not fault and shares(other):
            mask |= expected_on(t_ns, other, view.trace.dt_ns)
    return mask


def first_frame(view: View, signal: int, from_ns: int) -> Moment | None:
    """First frame with a signal that was sent at or after from_ns; None too for what an instrument shows the device."""
    layout = view.setup.network.to_dut
    if not view.trace.on_frames(quantity_of(layout.signal_names[signal])):
        return None
    slot = int(layout.signals[signal, SLOT])
    rows = view.log.frames(j.TO_DUT, slot)
    frame_ns = int(layout.slots[slot, FRAME_NS])
    later = rows[rows[:, j.T_NS] >= from_ns + frame_ns]
    if not len(later):
        return None
    end_ns = int(later[0, j.T_NS])
    return Moment(end_ns - frame_ns, end_ns, f"first frame with {layout.signal_names[signal]}", layout.signal_names[signal])
