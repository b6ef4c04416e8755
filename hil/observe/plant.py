"""Plant and actuator seam: the plant's own parameters, read back every tick; and the supply."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from firmware_sim.wire.layout import CYCLE_NS
from hil.fault.catalogue import Bound
from hil.observe.view import Bools, Effect, Moment, View, expected_on, others_on
from hil.trace import UNTORN
from hil.truth import CELL_BLOCK, CONTACTOR_BLOCK, PACK_BLOCK, SENSOR_BLOCK

_BLOCKS = {
    "set_cell": CELL_BLOCK,
    "scale_cell": CELL_BLOCK,
    "set_pack": PACK_BLOCK,
    "set_sensor": SENSOR_BLOCK,
    "set_contactor": CONTACTOR_BLOCK,
}
_HOLD_UP_NS = 250_000_000  # for so long a real device may live on after its supply was taken away


def _asked(fault: Bound, nominal: float) -> float:
    """The value that a parameter should have. Names carry units, so they say how the scenario's number is converted."""
    address, given = fault.kind.address or "", [(name, value) for name, value in fault.values.items()]
    if not given:
        return float(fault.kind.fixed["A"])
    name, value = given[0]
    units = name.rpartition("_")[2], address.rpartition("_")[2]
    if units == ("ohm", "S"):
        return 1.0 / value
    if units == ("ms", "NS"):
        return value * 1e6
    return value * nominal if fault.kind.primitive.startswith("scale_") else value


def parameter(view: View, fault: Bound) -> Effect:
    """The value that the scenario asked for while it is on, the nominal one before and after."""
    t_ns, dt_ns, address = view.t_ns, view.trace.dt_ns, fault.kind.address
    acted_ns = t_ns - dt_ns  # row k of the trace holds what acted on [k - 1, k)
    on = expected_on(acted_ns, fault, dt_ns)
    if not on.any():
        return Effect(False, "it was never on")
    text = ""
    for own in fault.addresses:
        seen = view.trace.parameter[:, view.trace.parameters.index(f"{_BLOCKS[fault.kind.primitive]}.{own[1]}.{own[2]}")]
        shared = others_on(view, fault, acted_ns, partial(_meets, fault, own))
        inside, outside = seen[on & ~shared], seen[~on & ~shared]
        if not len(inside):
            return Effect(False, f"another fault acted on {address} all the time")
        nominal = float(outside[0]) if len(outside) else math.nan
        asked = _asked(fault, nominal)
        wrong = inside[~np.isclose(inside, inside[0] if math.isnan(asked) else asked, rtol=1e-9, atol=0.0)]
        if len(wrong):
            return Effect(False, f"{address} was {wrong[0]:g} while it should have been {asked:g}")
        if not (outside == nominal).all():
            return Effect(False, f"{address} was changed outside the fault's time")
        if asked != nominal:
            text = text or f"{address} = {inside[0]:g}"
    if not text:
        return Effect(False, f"{address} is what was asked for anyway: the fault changed nothing")
    first = int(t_ns[np.flatnonzero(on)[0]])
    text = f"{text} from {(first - dt_ns) / 1e9:g} s"
    if fault.kind.primitive == "set_contactor":
        return _contactor(view, fault, text, on)
    if address == "PRECHARGE_OHM":
        return _resistor(view, text, on)
    return Effect(True, text, Moment(first - dt_ns, first, text), None)


def _resistor(view: View, text: str, on: Bools) -> Effect:
    """A wrong precharge resistor is there for all to see only when its contact closes."""
    closed, changed_ns = view.trace.column("precharge") == 1, view.trace.column("precharge_changed")
    k = np.flatnonzero(on[1:] & closed[1:] & ~closed[:-1]) + 1
    if not len(k):
        return Effect(True, f"{text}, but the precharge contact never closed on it")
    at_ns = int(changed_ns[k[0]])
    what = f"the precharge contact closes on it at {at_ns / 1e9:.3f} s"
    return Effect(True, f"{text}; {what}", Moment(at_ns, at_ns, what, "precharge"))


def _meets(fault: Bound, address: tuple[int, int, int], other: Bound) -> bool:
    """Whether another fault acts on one parameter with this one."""
    same = _BLOCKS.get(other.kind.primitive) == _BLOCKS[fault.kind.primitive]
    return same and address[1:] in {row[1:] for row in other.addresses}


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


def reset(view: View, fault: Bound) -> Effect:
    """The device's life breaks off when its supply is lost: its frames pause, or its uptime starts again."""
    dt_ns, layout = view.trace.dt_ns, view.setup.network.from_dut
    end_ns, slots = view.trace.n_ticks * dt_ns, range(layout.n_slots)
    t_ns = np.sort(np.concatenate([*(view.sent(slot) for slot in slots), [end_ns]]))
    pause_ns = max(3 * dt_ns, 3 * int(layout.slots[:, CYCLE_NS].min()))
    latest_ns = fault.start_ns + (_HOLD_UP_NS if len(view.trace.late_ns) else 2 * dt_ns)
    moment = Moment(fault.start_ns, fault.start_ns + dt_ns, "the device restarts")
    if fault.start_ns + pause_ns >= end_ns:
        return Effect(False, "the run ended before a restart could be seen")
    k = np.flatnonzero(np.diff(t_ns) > pause_ns)
    last, back = t_ns[k], t_ns[k + 1]
    if "BMS_Uptime" in layout.signal_names:
        uptime = view.log.series("BMS_Uptime")
        fell = np.flatnonzero(np.diff(uptime.value) < 0)
        last, back = np.concatenate([last, uptime.t_ns[fell]]), np.concatenate([back, uptime.t_ns[fell + 1]])
    fits = (last > fault.start_ns - pause_ns) & (last <= latest_ns)
    if not fits.any():
        return Effect(False, "the device went on as if nothing had happened")
    n = int(np.flatnonzero(fits)[0])
    if back[n] == end_ns:
        return Effect(True, f"silent from the loss of supply at {fault.start_ns / 1e9:g} s on", moment, moment)
    text = f"restart at {fault.start_ns / 1e9:g} s; silent for {(back[n] - last[n]) / 1e6:.0f} ms"
    return Effect(True, text, moment, moment)


_NO_TEAR = "run this against a device whose memory the bench reaches, as the emulator's; native firmware needs nab_save"


def reset_torn(view: View, fault: Bound) -> Effect:
    """As reset. Memory is out of sight: where the bench could not disturb it, the fault was not put to the test."""
    effect = reset(view, fault)
    if effect.happened and fault.start_ns in view.trace.info.get(UNTORN, ()):
        text = f"{effect.text}; but the bench cannot disturb the memory of this device"
        return Effect(True, text, hint=_NO_TEAR)
    return effect
