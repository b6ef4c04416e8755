"""Did the fault really happen? Read back from the trace, without a line of the code that injected it.

Each observer says when the effect was first present, or why it was not what was asked for. A fault without effect makes
the run an ERROR: a verdict on a stimulus that did not happen would be a lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import FRAME_NS, SLOT
from hil import journal as j
from hil.fault.catalogue import Bound
from hil.names import cell_signal
from hil.setup import Setup
from hil.trace import Trace
from hil.truth import CELL_BLOCK, CONTACTOR_BLOCK, PACK_BLOCK
from hil.wirelog import WireLog

Bools = npt.NDArray[np.bool_]
_RESTART_NS = 1_000_000_000


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
    (None where there is none).
    """

    happened: bool
    text: str
    start: Moment | None = None
    wire: Moment | None = None


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
        offered = self.log.frames(j.OFFERED_FROM_DUT, slot)
        return (offered if len(offered) else self.log.frames(j.FROM_DUT, slot))[:, j.T_NS]


Observer = Callable[[View, Bound], Effect]


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


def observe(view: View, fault: Bound) -> Effect:
    """Find the effect of one fault."""
    name = fault.kind.primitive
    if fault.start_ns >= view.trace.n_ticks * view.trace.dt_ns:
        return Effect(False, f"the run ended at {view.trace.n_ticks * view.trace.dt_ns / 1e9:g} s, before it could start")
    return _OBSERVERS[name](view, fault)


# ---- sensor seam: both sides of each touched signal stand in the trace


def _sides(view: View, fault: Bound, signal: int) -> tuple[F64, F64]:
    name = view.setup.network.to_dut.signal_names[signal]
    at = view.trace.touched.index(name)
    return view.trace.sides[:, 0, at], view.trace.sides[:, 1, at]


def _first_frame(view: View, signal: int, from_ns: int) -> Moment | None:
    """First frame with a signal that was sent at or after from_ns."""
    layout = view.setup.network.to_dut
    slot = int(layout.signals[signal, SLOT])
    rows = view.log.frames(j.TO_DUT, slot)
    frame_ns = int(layout.slots[slot, FRAME_NS])
    later = rows[rows[:, j.T_NS] >= from_ns + frame_ns]
    if not len(later):
        return None
    end_ns = int(later[0, j.T_NS])
    return Moment(end_ns - frame_ns, end_ns, f"first frame with {layout.signal_names[signal]}", layout.signal_names[signal])


def _sensed(view: View, fault: Bound, wanted: Callable[[F64, I64, Bools], F64], what: str) -> Effect:
    """Check that `after` is what `wanted` says where the fault is on, and untouched elsewhere."""
    t_ns, dt_ns = view.t_ns, view.trace.dt_ns
    on = expected_on(t_ns, fault, dt_ns)
    if not on.any():
        return Effect(False, "it was never on")
    starts: list[Moment] = []
    for signal in fault.signals:
        before, after = _sides(view, fault, signal)
        name = view.setup.network.to_dut.signal_names[signal]
        asked = wanted(before, t_ns, on)

        def shares(other: Bound, signal: int = signal) -> bool:
            return signal in other.signals

        shared = others_on(view, fault, t_ns, shares)
        alone, off = on & ~shared, ~on & ~shared
        if not alone.any():
            return Effect(False, f"another fault acted on {name} all the time")
        same = np.isclose(after, asked, rtol=1e-12, atol=1e-9, equal_nan=True)
        if not same[alone].all():
            k = int(np.flatnonzero(alone & ~same)[0])
            return Effect(False, f"{name} read {after[k]:g} at {t_ns[k] / 1e9:g} s; {what} should give {asked[k]:g}")
        if not np.array_equal(before[off], after[off], equal_nan=True):
            return Effect(False, f"{name} was touched outside the fault's time")
        wrong = np.flatnonzero(alone & ~np.isclose(before, after, rtol=0, atol=1e-12, equal_nan=True))
        if len(wrong):
            at = int(t_ns[wrong[0]])
            starts.append(Moment(at, at, f"{name} reads wrong", name))
    if not starts:
        return Effect(False, f"{what} changed nothing")
    start = min(starts, key=lambda moment: moment.low_ns)
    wire = [m for signal in fault.signals if (m := _first_frame(view, signal, start.low_ns)) is not None]
    return Effect(True, f"{what} from {start.low_ns / 1e9:g} s", start, min(wire, key=lambda m: m.high_ns) if wire else None)


def _gain_offset(view: View, fault: Bound) -> Effect:
    values = {**{name: float(value) for name, value in fault.kind.fixed.items()}, **fault.values}
    gain = values.get("gain", values.get("A", 1.0))
    offset = sum(value for name, value in values.items() if name.startswith("offset_"))
    drift = sum(value for name, value in values.items() if name.startswith("drift_"))

    def wanted(before: F64, t_ns: I64, on: Bools) -> F64:
        return before * gain + offset + drift * (t_ns - fault.start_ns) / 1e9

    return _sensed(view, fault, wanted, f"gain {gain:g}, offset {offset:g}, drift {drift:g}/s")


def _hold(view: View, fault: Bound) -> Effect:
    def wanted(before: F64, t_ns: I64, on: Bools) -> F64:
        out = before.copy()
        kept = math.nan
        for k in np.flatnonzero(on):
            if k == 0 or not on[k - 1]:
                kept = before[k]
            out[k] = kept
        return out

    return _sensed(view, fault, wanted, "a frozen value")


def _constant(view: View, fault: Bound) -> Effect:
    given = [*fault.values.values(), *fault.kind.fixed.values()]
    value = float(given[0])
    return _sensed(view, fault, lambda before, t_ns, on: np.full_like(before, value), f"a constant {value:g}")


def _taps(view: View, fault: Bound, wires: Callable[[F64], F64]) -> Effect:
    """Sense wires: rebuild what the front end must see from the wires' potentials."""
    t_ns, dt_ns, n = view.t_ns, view.trace.dt_ns, view.setup.place.n_cells
    on = expected_on(t_ns, fault, dt_ns)
    at = [view.trace.touched.index(cell_signal(i)) for i in range(n)]
    before, after = view.trace.sides[:, 0, at], view.trace.sides[:, 1, at]
    shared = others_on(view, fault, t_ns, lambda other: bool(set(other.signals) & set(fault.signals)))
    off = ~on & ~shared
    on &= ~shared
    if not np.array_equal(before[off], after[off], equal_nan=True):
        return Effect(False, "cells were touched outside the fault's time")
    asked = wires(before)
    last = np.flatnonzero(on)[-1:]
    if not len(last):
        return Effect(False, "it was never on")
    if not np.allclose(asked[last], after[last], rtol=0, atol=1e-6):
        return Effect(False, "the cells' readings are not those of the altered sense wires")
    wrong = np.argwhere(on[:, None] & (np.abs(before - after) > 1e-6))
    if not len(wrong):
        return Effect(False, "no reading changed")
    start_ns = int(t_ns[wrong[0, 0]])
    cells = sorted({int(i) for _, i in wrong})
    signals = [view.setup.network.to_dut.index(cell_signal(i)) for i in cells]
    wire = [m for signal in signals if (m := _first_frame(view, signal, start_ns)) is not None]
    name = cell_signal(cells[0])
    text = f"cells {', '.join(map(str, cells))} read wrong from {start_ns / 1e9:g} s"
    start = Moment(start_ns, start_ns, f"{name} reads wrong", name)
    return Effect(True, text, start, min(wire, key=lambda m: m.high_ns) if wire else None)


def _swap_taps(view: View, fault: Bound) -> Effect:
    a, b = int(fault.rows[0, 2]), int(fault.values["with_tap"])

    def wires(before: F64) -> F64:
        tap_V = np.concatenate([np.zeros((len(before), 1)), np.cumsum(before, axis=1)], axis=1)
        tap_V[:, [a, b]] = tap_V[:, [b, a]]
        return np.diff(tap_V, axis=1)

    return _taps(view, fault, wires)


def _open_tap(view: View, fault: Bound) -> Effect:
    tap, n = int(fault.rows[0, 2]), view.setup.place.n_cells

    def wires(before: F64) -> F64:
        out = before.copy()
        seconds = (view.t_ns[np.flatnonzero(expected_on(view.t_ns, fault, view.trace.dt_ns))[-1]] - fault.start_ns) / 1e9
        filter_s = fault.values["filter_s"]
        settled = 1.0 - math.exp(-seconds / filter_s) if filter_s > 0 else 1.0
        if tap in (0, n):
            out[:, 0 if tap == 0 else n - 1] *= 1.0 - settled
            return out
        pair = before[:, tap - 1] + before[:, tap]
        out[:, tap - 1] = before[:, tap - 1] + (fault.values["share"] * pair - before[:, tap - 1]) * settled
        out[:, tap] = pair - out[:, tap - 1]
        return out

    return _taps(view, fault, wires)


# ---- network seam: frames as offered and as they arrived


def _network(view: View, fault: Bound, differs: Callable[[I64, I64], tuple[bool, str]], what: str) -> Effect:
    """Compare offered with delivered frames of every touched slot. differs: (offered on-frames, delivered) -> ok, text."""
    starts: list[Moment] = []
    for kind, offered_kind, slots in (
        (j.TO_DUT, j.OFFERED_TO_DUT, fault.to_dut),
        (j.FROM_DUT, j.OFFERED_FROM_DUT, fault.from_dut),
    ):
        layout = view.log.layout(kind)
        for slot in slots:
            offered, delivered = view.log.frames(offered_kind, slot), view.log.frames(kind, slot)
            sent_ns = offered[:, j.T_NS] // view.trace.dt_ns * view.trace.dt_ns
            name = layout.slot_names[slot]

            def shares(other: Bound, kind: int = kind, slot: int = slot) -> bool:
                return slot in (other.to_dut if kind == j.TO_DUT else other.from_dut)

            shared = others_on(view, fault, sent_ns, shares)
            on = expected_on(sent_ns, fault, view.trace.dt_ns) & ~shared
            off = ~on & ~shared
            if not on.any():
                continue
            ok, text = differs(offered[on], delivered)
            if not ok:
                return Effect(False, f"{name}: {text}")
            untouched = _rows_in(offered[off], delivered)
            if not untouched.all():
                return Effect(False, f"{name}: a frame was touched outside the fault's time")
            at, frame_ns = int(offered[on][0, j.T_NS]), int(layout.slots[slot, FRAME_NS])
            starts.append(Moment(at - frame_ns, at, f"first frame of {name} that {what}", name))
    if not starts:
        return Effect(False, "no frame was sent while it was on")
    start = min(starts, key=lambda moment: moment.high_ns)
    return Effect(True, f"{len(starts)} streams: {what}, from {start.high_ns / 1e9:.3f} s", start, start)


def _key(rows: I64) -> list[tuple[int, ...]]:
    return [tuple(int(x) for x in (row[j.T_NS], row[j.LENGTH], *row[j.WORD :])) for row in rows]


def _rows_in(rows: I64, among: I64) -> Bools:
    """(n,) which rows stand unchanged (time, length, payload) among others."""
    there = set(_key(among))
    return np.array([key in there for key in _key(rows)], bool)


def _drop(view: View, fault: Bound) -> Effect:
    def differs(offered: I64, delivered: I64) -> tuple[bool, str]:
        n = int(np.isin(offered[:, j.T_NS], delivered[:, j.T_NS]).sum())
        return n == 0, f"{n} of {len(offered)} frames arrived"

    return _network(view, fault, differs, "did not arrive")


def _delay(view: View, fault: Bound) -> Effect:
    delay_ns = round(fault.values["delay_ms"] * 1e6)

    def differs(offered: I64, delivered: I64) -> tuple[bool, str]:
        due = offered[:, j.T_NS] + delay_ns
        due = due[due < view.trace.n_ticks * view.trace.dt_ns]
        missing = int((~np.isin(due, delivered[:, j.T_NS])).sum())
        early = int(np.isin(offered[:, j.T_NS], np.setdiff1d(delivered[:, j.T_NS], due)).sum())
        return missing == 0 and early == 0, f"{missing} late frames did not come, {early} came on time"

    return _network(view, fault, differs, f"came {delay_ns / 1e6:g} ms late")


def _double(view: View, fault: Bound) -> Effect:
    delay_ns = round(fault.values["delay_ms"] * 1e6)

    def differs(offered: I64, delivered: I64) -> tuple[bool, str]:
        due = offered[:, j.T_NS] + delay_ns
        due = due[due < view.trace.n_ticks * view.trace.dt_ns]
        missing = int((~np.isin(due, delivered[:, j.T_NS])).sum())
        return missing == 0 and bool(_rows_in(offered, delivered).all()), f"{missing} second copies did not come"

    return _network(view, fault, differs, "came twice")


def _flip(view: View, fault: Bound) -> Effect:
    bit = int(fault.values.get("bit", 0))

    def differs(offered: I64, delivered: I64) -> tuple[bool, str]:
        there = {int(row[j.T_NS]): row for row in delivered}
        for row in offered:
            got = there.get(int(row[j.T_NS]))
            if got is None:
                return False, f"the frame of {row[j.T_NS] / 1e9:g} s is missing"
            bits = [
                n
                for n in range(64 * (len(row) - j.WORD))
                if (int(row[j.WORD + n // 64]) ^ int(got[j.WORD + n // 64])) >> n % 64 & 1
            ]
            if bits != [bit]:
                return False, f"bits {bits} were inverted, expected {bit}"
        return True, ""

    return _network(view, fault, differs, f"has bit {bit} inverted")


def _freeze_counter(view: View, fault: Bound) -> Effect:
    def differs(offered: I64, delivered: I64) -> tuple[bool, str]:
        there = {int(row[j.T_NS]): row for row in delivered}
        got = [there[int(t)] for t in offered[:, j.T_NS] if int(t) in there]
        if len(got) != len(offered):
            return False, f"{len(offered) - len(got)} frames are missing"
        classic = int(offered[0, j.LENGTH]) <= 8
        counters = {int(row[j.WORD]) >> (8 if classic else 16) & (0xF if classic else 0xFF) for row in got}
        return len(counters) == 1 and len(got) > 1, f"counters {sorted(counters)} were seen in {len(got)} frames"

    return _network(view, fault, differs, "repeats its counter")


def _length(view: View, fault: Bound) -> Effect:
    length = int(fault.values["length"])

    def differs(offered: I64, delivered: I64) -> tuple[bool, str]:
        there = {int(row[j.T_NS]): int(row[j.LENGTH]) for row in delivered}
        wrong = [t for t in offered[:, j.T_NS] if there.get(int(t)) != length]
        return not wrong, f"{len(wrong)} frames do not have {length} bytes"

    return _network(view, fault, differs, f"has {length} bytes")


# ---- plant and actuator seam: the plant's own parameters, read back every tick


def _parameter(view: View, fault: Bound) -> Effect:
    t_ns, dt_ns = view.t_ns, view.trace.dt_ns
    # row k of the trace holds what acted on [k - 1, k)
    on = expected_on(np.maximum(t_ns - dt_ns, 0), fault, dt_ns)
    on[0] = False
    if not on.any():
        return Effect(False, "it was never on")
    for _primitive, row, at in fault.addresses:
        block = {"set_cell": CELL_BLOCK, "scale_cell": CELL_BLOCK, "set_pack": PACK_BLOCK}.get(
            fault.kind.primitive, CONTACTOR_BLOCK
        )
        column = view.trace.parameters.index(f"{block}.{row}.{at}")
        seen = view.trace.parameter[:, column]
        nominal = seen[0]

        def shares(other: Bound, address: tuple[int, int, int] = (_primitive, row, at)) -> bool:
            return address in other.addresses

        shared = others_on(view, fault, np.maximum(t_ns - dt_ns, 0), shares)
        off = ~on & ~shared
        inside, outside = seen[on & ~shared], seen[1:][off[1:]]
        if not len(inside):
            return Effect(False, f"another fault acted on {fault.kind.address} all the time")
        if not (inside != nominal).all():
            return Effect(False, f"{fault.kind.address} stayed at {nominal:g}")
        if len(set(inside.tolist())) != 1:
            return Effect(False, f"{fault.kind.address} did not stay at one value")
        if not (outside == nominal).all():
            return Effect(False, f"{fault.kind.address} was changed outside the fault's time")
    first = int(t_ns[np.flatnonzero(on)[0]])
    text = f"{fault.kind.address} = {view.trace.parameter[on, column][0]:g} from {(first - dt_ns) / 1e9:g} s"
    moment = Moment(first - dt_ns, first, text)
    if fault.kind.primitive == "set_contactor":
        return _contactor(view, fault, text, on)
    return Effect(True, text, moment, None)


def _contactor(view: View, fault: Bound, text: str, on: Bools) -> Effect:
    """A welded contact shows when the coil is released and the contact stays; a stuck one when it is energised."""
    names = ("main_plus", "main_minus", "precharge")
    at = fault.addresses[0][2]
    closed, coil = view.trace.column(names[at]), view.trace.column(f"{names[at]}_coil")
    address = fault.kind.address
    if address == "OPEN_TRAVEL_NS":
        shown = on & (coil == 0) & (closed == 1)
    else:
        shown = on & (coil == (0 if address == "WELDED" else 1)) & (closed == (1 if address == "WELDED" else 0))
    travel = np.flatnonzero(shown)
    if not len(travel):
        return Effect(True, f"{text}, but the contact never had to move against it")
    first = int(view.t_ns[travel[0]])
    return Effect(
        True,
        f"{text}; the contact does not follow its coil from {first / 1e9:g} s",
        Moment(first - view.trace.dt_ns, first, f"{names[at]} does not follow its coil", names[at]),
    )


def _reset(view: View, fault: Bound) -> Effect:
    """The device's uptime starts again, or its frames pause, within a second of the loss of supply."""
    uptime = view.log.series("BMS_Uptime")
    near = (uptime.t_ns > fault.start_ns - 3 * view.trace.dt_ns) & (uptime.t_ns < fault.start_ns + _RESTART_NS)
    moment = Moment(fault.start_ns, fault.start_ns + view.trace.dt_ns, "the device restarts")
    if not (uptime.t_ns[near] > fault.start_ns + view.trace.dt_ns).any():
        return Effect(True, f"silent from the loss of supply at {fault.start_ns / 1e9:g} s on", moment, moment)
    pause_ns = int(np.diff(uptime.t_ns[near]).max(initial=0))
    fell = bool((np.diff(uptime.value[near]) < 0).any())
    if not fell and pause_ns <= 3 * view.trace.dt_ns:
        return Effect(False, "the device went on as if nothing had happened")
    return Effect(True, f"restart at {fault.start_ns / 1e9:g} s; silent for {pause_ns / 1e6:.0f} ms", moment, moment)


_OBSERVERS: dict[str, Observer] = {
    "gain_offset": _gain_offset,
    "hold": _hold,
    "constant": _constant,
    "swap_taps": _swap_taps,
    "open_tap": _open_tap,
    "drop": _drop,
    "delay": _delay,
    "double": _double,
    "flip": _flip,
    "freeze_counter": _freeze_counter,
    "length": _length,
    "set_cell": _parameter,
    "scale_cell": _parameter,
    "set_pack": _parameter,
    "set_contactor": _parameter,
    "reset": _reset,
}
