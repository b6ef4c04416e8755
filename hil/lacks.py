"""What a bench cannot do for a scenario: faults that it cannot stimulate, expectations that it cannot see.

Known before the run, from the bench file and the scenario alone. What rests on it is INCONC, with this reason. An
expectation rests on every fault, load and request that begins before its end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from firmware_sim.wire.layout import SLOT
from hil.benchfile import SUPPLY, BenchFile, quantity_of
from hil.fault.catalogue import Bound
from hil.io.feed import is_sent, wires_of
from hil.scenario import Expect
from hil.setup import Setup

# Quantities through which a fault in the plant reaches the device.
OF_PLANT: dict[str, tuple[str, ...]] = {
    "cell_noise": ("cell_voltage",),
    "ntc_noise": ("cell_temperature",),
    "current_noise": ("current",),
    "hvil_open": ("hvil",),
    "emergency_line_lost": ("emergency_line",),
    "insulation": ("insulation",),
    "contactor_welded": ("feedback", "link_voltage"),
    "contactor_stuck_open": ("feedback", "link_voltage"),
    "contactor_slow": ("feedback", "link_voltage"),
    "contactor_closes_late": ("feedback", "link_voltage"),
    "precharge_open": ("link_voltage",),
    "precharge_short": ("link_voltage",),
    "link_leak": ("link_voltage",),
    "contact_resistance": ("link_voltage",),
    "busbar_resistance": ("pack_voltage",),
    "charger_ignores_limits": ("current", "cell_voltage"),
    "cooling_blocked": ("cell_temperature",),
    "coolant_temperature": ("cell_temperature", "coolant"),
    "internal_short": ("cell_voltage",),
    "capacity_lost": ("cell_voltage",),
    "self_discharge_raised": ("cell_voltage",),
    "supply_voltage": ("supply_voltage",),
    "resistance_raised": ("cell_voltage",),
    "cell_opened": ("cell_voltage",),
    "joint_loose": ("cell_voltage",),
    "cell_heated": ("cell_temperature",),
}
OF_TRIGGER = {
    "cell_voltage": "cell_voltage",
    "cell_temperature": "cell_temperature",
    "discharge_current": "current",
    "charge_current": "current",
}
OF_LOAD = ("current", "cell_voltage", "pack_voltage", "link_voltage")
OF_CLOSING = ("feedback", "link_voltage", "pack_voltage")  # what a device looks at while it precharges and closes
_ROOM_DEGC = (15.0, 35.0)  # cells that the bench does not feed stand in a room, and are neither empty nor full
_MIDDLE_SOC = (0.1, 0.9)
_WORDS = {"none": "nobody feeds it", "ask": "only a person could, and none is asked for it"}


@dataclass
class Lacks:
    """faults: label to reason.  expects: number of the expectation to (part of it, reason); an empty part means all.

    asked: labels of faults that a person makes.
    """

    faults: dict[str, str] = field(default_factory=dict)
    expects: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def as_info(self) -> dict[str, Any]:
        """For the trace, from which the judge takes it."""
        return {"faults": self.faults, "expects": {str(n): [list(row) for row in rows] for n, rows in self.expects.items()}}

    def lines(self, setup: Setup) -> list[str]:
        """One line each, for people."""
        found = [f'fault "{label}" cannot be stimulated: {why}' for label, why in self.faults.items()]
        for n, rows in self.expects.items():
            row = setup.inputs.scenario.expect[n]
            for part, why in rows:
                what = f"{row.kind}, {part}" if part else row.kind
                found.append(f"expect[{n}] ({row.requirement}, {what}) will be INCONC: {why}")
        return found


def of(
    setup: Setup,
    bench: BenchFile,
    *,
    interactive: bool,
    failed: Mapping[str, str] = MappingProxyType({}),
    unsure: Mapping[str, Sequence[tuple[float, float]]] = MappingProxyType({}),
) -> Lacks:
    """What a bench lacks for a scenario.

    interactive: somebody is there who can be asked.  failed: faults that were not made after all, with the reason.
    unsure: times [s] in which nobody knows whether a fault that a person makes was there.
    """
    found = Lacks()
    for fault in setup.faults:
        why, asked = of_fault(setup, bench, fault, interactive=interactive)
        why = failed.get(fault.spec.label, why)
        if why:
            found.faults[fault.spec.label] = why
        elif asked:
            found.asked.append(fault.spec.label)
    general = list(_of_stimuli(setup, bench))
    for n, row in enumerate(setup.inputs.scenario.expect):
        rows = [("", why) for why in _unseen(setup, bench, row)]
        begin_s = getattr(row, "from_s", None) or 0.0
        end_s = getattr(row, "to_s", None) or setup.inputs.scenario.duration_s
        rows += [("", why) for at_s, why in general if at_s < end_s]
        for fault in setup.faults:
            label = fault.spec.label
            if fault.spec.start_s >= end_s:
                continue
            if label in found.faults:
                rows.append(("", f'it rests on fault "{label}", which cannot be stimulated: {found.faults[label]}'))
            elif label in found.asked and row.kind == "reaction":
                rows.append(("", f'it rests on the time of fault "{label}", which a person makes'))
            elif label in found.asked:
                doubts = [*unsure.get(label, ()), *_never_ended(setup, bench, fault)]
                rows += [("", _doubt(label, *times)) for times in doubts if times[0] < end_s and begin_s < times[1]]
        rows += _of_time(setup, bench, row)
        if rows:
            found.expects[n] = list(dict.fromkeys(rows))
    return found


def _never_ended(setup: Setup, bench: BenchFile, fault: Bound) -> Iterator[tuple[float, float]]:
    """From when on a fault should be over, of which nobody is asked to end it."""
    stop_s = fault.stop_ns(setup.rig.dt_ns) / 1e9
    asked = [row for row in bench.ask if row.quantity in quantities(setup, fault) and bench.feed(row.quantity) == "ask"]
    if stop_s < setup.inputs.scenario.duration_s and not all(row.end for row in asked):
        yield stop_s, math.inf


def _doubt(label: str, from_s: float, to_s: float) -> str:
    until = "on" if math.isinf(to_s) else f"to {to_s:.1f} s"
    return f'nobody knows whether fault "{label}" was there from {from_s:.1f} s {until}: a person makes and ends it'


def of_fault(setup: Setup, bench: BenchFile, fault: Bound, *, interactive: bool) -> tuple[str, bool]:
    """Why a fault cannot be made, empty when it can; and whether a person makes it."""
    if fault.kind.seam == "supply":
        return ("the bench cannot switch the device's supply" if bench.dut.switched_by == "none" else ""), False
    layout = setup.network.to_dut
    if fault.kind.seam == "network":
        silent = [slot for slot in fault.to_dut if not is_sent(bench, layout, slot)]
        return ("its frame is not sent on this bench, the device is fed otherwise" if silent else ""), False
    if fault.kind.name.startswith("contactor_") and bench.observes.contactors == "none":
        return "the contacts are the device's own, out of the bench's reach", False
    asked = False
    for quantity in quantities(setup, fault):
        feed = bench.feed(quantity)
        if feed == "ask" and not interactive:
            return f"{quantity}: a person makes it, and nobody can be asked here", False
        if feed == "none":
            return f"{quantity}: {_WORDS['none']} on this bench", False
        if feed == "io" and fault.kind.fixed.get("A") == "nan" and (deaf := _deaf(setup, bench, fault)):
            return f'{quantity}: channel "{deaf}" has no "lost", so its instrument cannot show that there is no value', False
        asked = asked or feed == "ask"
    return "", asked


def _deaf(setup: Setup, bench: BenchFile, fault: Bound) -> str:
    """A channel that follows a signal of a fault and is told nothing when there is no value; empty when none is."""
    wires = [wire for group in wires_of(bench, setup.network.to_dut) for wire in group]
    return next((w.channel.signal for w in wires if w.row in fault.signals and w.channel.lost is None), "")


def quantities(setup: Setup, fault: Bound) -> Sequence[str]:
    """Quantities through which a fault at a sensor, in the plant or at the supply reaches the device."""
    if fault.kind.seam == "supply":
        return (SUPPLY,)
    if fault.kind.seam == "sensor":
        names = setup.network.to_dut.signal_names
        return sorted({quantity for n in fault.signals if (quantity := quantity_of(names[n]))})
    return OF_PLANT.get(fault.kind.name, ())


def _of_stimuli(setup: Setup, bench: BenchFile) -> Iterator[tuple[float, str]]:
    """Requests, loads and the state of the pack that the bench cannot give, with the time of the first."""
    s = setup.inputs.scenario
    asked = [row.at_s for row in s.request if row.mode != "standby"]
    if asked and bench.feed("request") == "none":
        yield min(asked), f"it rests on a request of the vehicle; {_WORDS['none']} on this bench"
    for quantity in OF_CLOSING if asked else ():
        if (feed := bench.feed(quantity)) in ("none", "ask"):
            yield min(asked), f"it rests on contactors that close, which shows as {quantity}; {_WORDS[feed]} on this bench"
    start = s.initial
    told = f"cells that start at {start.temperature_degC:g} degC", f"cells that start at {100 * start.soc:g} % SOC"
    for quantity, value, (low, high), what in (
        ("cell_temperature", start.temperature_degC, _ROOM_DEGC, told[0]),
        ("cell_voltage", start.soc, _MIDDLE_SOC, told[1]),
    ):
        if not low <= value <= high and (feed := bench.feed(quantity)) in ("none", "ask"):
            yield 0.0, f"it rests on {what}, which show as {quantity}; {_WORDS[feed]} on this bench"
    if s.ambient and (feed := bench.feed("cell_temperature")) in ("none", "ask"):
        yield s.ambient[0].at_s, f"it rests on heat and cooling, which show as cell_temperature; {_WORDS[feed]} on this bench"
    loads = [row.at_s for row in s.load if row.kind != "none"]
    for quantity in OF_LOAD[:2]:
        if loads and bench.feed(quantity) in ("none", "ask"):
            yield min(loads), f"it rests on a load, which shows as {quantity}; {_WORDS['none']} on this bench"


def _unseen(setup: Setup, bench: BenchFile, row: Expect) -> Iterator[str]:
    """Why an expectation cannot be seen, or was not stimulated."""
    layout, seen = setup.network.from_dut, _seen(setup, bench)
    required = setup.inputs.requirements.by_id()[row.requirement]
    no_contacts = bench.observes.contactors == "none"
    if row.kind == "reaction":
        if required.trigger is not None and bench.feed(OF_TRIGGER[required.trigger.quantity]) in ("none", "ask"):
            yield f"{required.trigger.quantity} cannot be stimulated: {_WORDS['none']} on this bench"
        codes = [f"Diag_{code}" for code in required.codes]
        if codes and not any(code in seen for code in codes):
            yield f"the device sends none of {', '.join(codes)}"
        if required.reaction == "open" and no_contacts:
            yield "the bench does not see the contacts"
    if row.kind in ("contactors", "precharge", "quiet") and no_contacts:
        yield "the bench does not see the contacts"
    if row.kind == "signal" and row.signal not in seen:
        yield f"the device does not send {row.signal}"
    if row.kind == "quiet" and any(n.startswith("Diag_") and n not in seen for n in layout.signal_names):
        yield "the device does not send all diagnosis flags"
    if row.kind in ("soc", "within"):
        for quantity in ("cell_voltage", "current"):
            if bench.feed(quantity) in ("none", "ask"):
                yield f"the truth is not known: the device's {quantity} is its own"


def _seen(setup: Setup, bench: BenchFile) -> set[str]:
    layout = setup.network.from_dut
    slots = layout.signals[:, SLOT].tolist()
    return {name for name, slot in zip(layout.signal_names, slots, strict=True) if bench.sees(name, layout.slot_names[slot])}


def _of_time(setup: Setup, bench: BenchFile, row: Expect) -> list[tuple[str, str]]:
    """Times that cannot be known, though the rest of the expectation can."""
    required = setup.inputs.requirements.by_id()[row.requirement]
    if row.kind != "reaction" or required.trigger is None or not required.codes:
        return []
    if bench.feed(OF_TRIGGER[required.trigger.quantity]) != "io":
        return []
    return [("detection (FDTI)", "an instrument feeds the device, so that the wrong value is on no frame")]
