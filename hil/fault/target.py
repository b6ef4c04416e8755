"""Where a fault can land, and what the target of a scenario's fault means: rows of plant blocks, signals, frames."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from firmware_sim.wire.layout import Layout
from hil import names as signal_names
from hil.bus.plan import Plan
from hil.bus.table import ON
from hil.database import Database
from hil.errors import ScenarioError, nearest
from hil.fault import table as t
from hil.plant import cell, contactor, sensor
from hil.plant import pack as pk

if TYPE_CHECKING:
    from hil.fault.catalogue import FaultKind

# Where the addresses of the parameter primitives stand.
BLOCKS: dict[str, ModuleType] = {
    "set_cell": cell,
    "scale_cell": cell,
    "set_pack": pk,
    "set_sensor": sensor,
    "set_contactor": contactor,
}
_CONTACTORS = {"main_plus": contactor.MAIN_PLUS, "main_minus": contactor.MAIN_MINUS, "precharge": contactor.PRECHARGE}
_FEEDBACK = {
    "main_plus": "PackIO_MainPlusFeedback",
    "main_minus": "PackIO_MainMinusFeedback",
    "precharge": "PackIO_PrechargeFeedback",
}
_PACK_SENSORS = {"shunt": sensor.SHUNT_A, "pack_voltage": sensor.PACK_V, "link_voltage": sensor.LINK_V}
_INDEXED = re.compile(r"(\w+)\[(\d{1,6}|\*)\]", re.ASCII)
_NAMED = re.compile(r"(\w+):(\w+)(?:\[(\d{1,6})\])?", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where faults can land: the size of the pack and the wire of both directions.

    n_cells: of all strings.  series: cells of one string; sense wires are counted along the first.  parallel: cells of a group;
    a fault in a cell hits the first of its group, one in all cells every one.  plan: of the arbitrated buses, or None.
    """

    database: Database
    to_dut: Layout
    from_dut: Layout
    n_cells: int
    series: int
    n_ntc: int
    dt_ns: int
    parallel: int = 1
    plan: Plan | None = None


class Row(NamedTuple):
    """One row of the fault table: its seam, what it hits there, and the cell, contactor or sensor of a plant parameter."""

    seam: int
    target: int
    at: int = 0


@dataclass
class Targets:
    """What a fault hits: rows of the table, and signals whose value it changes, in the layout to the device."""

    rows: list[Row] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)


class _Finder:
    """Finds the targets of one fault; every refusal names the key path."""

    def __init__(self, target: str, kind: FaultKind, place: Place, where: str) -> None:
        self.target, self.kind, self.place = target, kind, place
        self.label = f'{where}.target "{target}"'
        self.expected = f'{self.label}: expected {kind.example()} for fault "{kind.name}"'
        self.found = Targets()

    def signal(self, name: str) -> None:
        """A row at the sensor seam. Raises ScenarioError for a signal that the bench does not send."""
        names = self.place.to_dut.signal_names
        if name not in names:
            raise ScenarioError(f'{self.label}: the bench does not send signal "{name}"{nearest(name, names)}')
        self.found.rows.append(Row(t.SENSOR, names.index(name)))
        self.found.signals.append(names.index(name))

    def parameter(self, at: int) -> None:
        """A row on the plant parameter of the fault's kind. at: which cell, contactor or sensor."""
        row = getattr(BLOCKS[self.kind.primitive], self.kind.address or "")
        self.found.rows.append(Row(t.PLANT, row, at))

    def indices(self, count: int) -> list[int]:
        """Numbers that the target means, of count that there are; all for `*`. Raises ScenarioError."""
        match = _INDEXED.fullmatch(self.target)
        if match is None or match[1] != self.kind.target or (match[2] == "*" and self.kind.target == "tap"):
            raise ScenarioError(self.expected)
        if match[2] == "*":
            return list(range(count))
        if int(match[2]) >= count:
            last = f"{match[1]}[{count - 1}]"
            raise ScenarioError(f"{self.label} does not exist; this pack has {match[1]}[0] to {last}")
        return [int(match[2])]

    def cells_and_sensors(self) -> None:
        """Cells, NTCs and the pack's own sensors: their signal, or a parameter of theirs."""
        place, word = self.place, self.kind.target
        if word in _PACK_SENSORS:
            if self.target != word:
                raise ScenarioError(f"{self.expected}{nearest(self.target, [word])}")
            indices = [_PACK_SENSORS[word]]
        else:
            indices = self.indices(place.n_cells if word == "cell" else place.n_ntc)
        first = {"cell": 0, "ntc": place.n_cells}.get(word, place.n_cells + place.n_ntc)
        name = {"cell": signal_names.cell_signal, "ntc": signal_names.ntc_signal}.get(
            word, signal_names.PACK_SENSORS.__getitem__
        )
        for i in indices:
            if self.kind.primitive not in BLOCKS:
                self.signal(name(i))
            elif BLOCKS[self.kind.primitive] is cell:
                for j in range(place.parallel if self.target.endswith("[*]") else 1):
                    self.parameter(i * place.parallel + j)
            else:
                self.parameter(first + i)

    def tap(self) -> None:
        """A sense wire: tap n stands above cell n - 1. The cells beside it read wrong."""
        tap = self.indices(self.place.series + 1)[0]
        self.found.rows.append(Row(t.SENSOR, tap))

    def named(self) -> None:
        """Contactors, feedback, signals."""
        match = _NAMED.fullmatch(self.target)
        if match is None or match[1] != self.kind.target or match[3] is not None:
            raise ScenarioError(self.expected)
        name = match[2]
        if self.kind.target == "signal":
            self.signal(name)
        elif name not in _CONTACTORS:
            raise ScenarioError(f'{self.label}: there is no contactor "{name}"{nearest(name, _CONTACTORS)}')
        elif self.kind.target == "feedback":
            self.signal(_FEEDBACK[name])
        else:
            self.parameter(_CONTACTORS[name])

    def frames(self) -> None:
        """Slots of a message or of all messages of a node, in either direction."""
        match = _NAMED.fullmatch(self.target)
        words = ("message", "node") if self.kind.target == "message" else (self.kind.target,)
        if match is None or match[1] not in words or (match[1] == "node" and match[3] is not None):
            raise ScenarioError(self.expected)
        word, name, page = match.groups()
        messages = self.place.database.messages
        known = {message.name for message in messages} if word == "message" else {s for m in messages for s in m.senders}
        if name not in known:
            raise ScenarioError(f'{self.label}: there is no {word} "{name}"{nearest(name, known)}')
        wanted = {name} if word == "message" else {message.name for message in messages if name in message.senders}
        slots = [
            (seam, s, slot)
            for seam, layout in ((t.TO_DUT, self.place.to_dut), (t.FROM_DUT, self.place.from_dut))
            for s, slot in enumerate(layout.slot_names)
            if slot.split("[")[0] in wanted
        ]
        self.found.rows += [Row(seam, s) for seam, s, slot in slots if page is None or slot == f"{name}[{page}]"]
        if not self.found.rows:
            sent = [f"{word}:{slot}" for _, _, slot in slots] if page is not None else []
            raise ScenarioError(f"{self.label}: this pack sends no such frame{nearest(self.target, sent)}")

    def bus(self) -> None:
        """An arbitrated bus, or a node on it."""
        plan, word = self.place.plan, self.kind.target
        match = _NAMED.fullmatch(self.target)
        if match is None or match[1] != word or match[3] is not None:
            raise ScenarioError(self.expected)
        if plan is None:
            raise ScenarioError(
                f'{self.label}: fault "{self.kind.name}" needs a bus with arbitration = true in the network file, '
                'as network "arbitrated" has it; this network has none'
            )
        names = [name for _, name in plan.nodes] if word == "node" else plan.bus_names
        on = [n for n, name in enumerate(names) if name == match[2] and (word == "node" or plan.buses[n, ON] == 1)]
        if not on:
            raise ScenarioError(f'{self.label}: there is no {word} "{match[2]}" with arbitration{nearest(match[2], names)}')
        self.found.rows += [Row(t.BUS, n) for n in on]


def find(target: str | None, kind: FaultKind, place: Place, where: str) -> Targets:
    """What a fault's target means in this place. where: key path of the fault.  Raises ScenarioError."""
    if target is None and kind.example() != kind.target:
        raise ScenarioError(f'{where}.target is missing; expected {kind.example()} for fault "{kind.name}"')
    finder = _Finder(kind.target if target is None else target, kind, place, where)
    if kind.target in ("cell", "ntc", *_PACK_SENSORS):
        finder.cells_and_sensors()
    elif kind.target == "tap":
        finder.tap()
    elif kind.target in ("pack", "dut"):
        if finder.target != kind.target:
            raise ScenarioError(f"{finder.expected}{nearest(finder.target, [kind.target])}")
        if kind.target == "pack":
            finder.parameter(0)
    elif kind.seam == "bus":
        finder.bus()
    elif kind.target in ("message", "node"):
        finder.frames()
    else:
        finder.named()
    return finder.found
