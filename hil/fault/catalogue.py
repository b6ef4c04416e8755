"""The fault catalogue: names, targets and parameters, and how a fault of a scenario becomes rows of the table."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import SLOT, Layout
from hil import files
from hil import names as signal_names
from hil.database import Database
from hil.errors import ScenarioError, nearest
from hil.fault import network as net
from hil.fault import parameter, sensed
from hil.fault import table as t
from hil.plant import cell, contactor, sensor
from hil.plant import pack as pk

SEAMS = ("sensor", "network", "plant", "supply")
_PRIMITIVES = {
    "gain_offset": sensed.GAIN_OFFSET,
    "hold": sensed.HOLD,
    "constant": sensed.CONSTANT,
    "swap_taps": sensed.SWAP_TAPS,
    "open_tap": sensed.OPEN_TAP,
    "drop": net.DROP,
    "delay": net.DELAY,
    "double": net.DOUBLE,
    "flip": net.FLIP,
    "freeze_counter": net.FREEZE_COUNTER,
    "length": net.LENGTH,
    "set_cell": parameter.SET_CELL,
    "scale_cell": parameter.SCALE_CELL,
    "set_pack": parameter.SET_PACK,
    "set_contactor": parameter.SET_CONTACTOR,
    "reset": -1,
}
_BLOCKS = {"set_cell": cell, "scale_cell": cell, "set_pack": pk, "set_contactor": contactor}
_CONTACTORS = {"main_plus": contactor.MAIN_PLUS, "main_minus": contactor.MAIN_MINUS, "precharge": contactor.PRECHARGE}
_FEEDBACK = {
    "main_plus": "PackIO_MainPlusFeedback",
    "main_minus": "PackIO_MainMinusFeedback",
    "precharge": "PackIO_PrechargeFeedback",
}
_NUMBERS = {"A": t.A, "B": t.B, "C": t.C}
_INDEXED = re.compile(r"(\w+)\[(\d+|\*)\]$")
_NAMED = re.compile(r"(\w+):(\w+)(?:\[(\d+)\])?$")


class Parameter(files.FileModel):
    """One parameter of a fault: where its number goes, its default (none: it must be given), and its conversion."""

    column: Literal["A", "B", "C", "EXTRA", "MASK", "BIT"]
    default: float | None = None
    scale: float = 1.0
    inverse: bool = False


class FaultKind(files.FileModel):
    """One row of the catalogue."""

    name: str
    title: str
    catalogue: str
    seam: Literal["sensor", "network", "plant", "supply"]
    primitive: str
    target: Literal[
        "cell",
        "tap",
        "ntc",
        "shunt",
        "pack_voltage",
        "link_voltage",
        "signal",
        "feedback",
        "message",
        "node",
        "contactor",
        "pack",
        "dut",
    ]
    address: str | None = None
    fixed: dict[str, float | int | Literal["nan"]] = {}
    parameters: dict[str, Parameter] = {}

    def example(self) -> str:
        """How a scenario names this fault's target."""
        return {
            "cell": "cell[5] or cell[*]",
            "tap": "tap[3]",
            "ntc": "ntc[0] or ntc[*]",
            "signal": "signal:NAME",
            "feedback": "feedback:main_plus",
            "message": "message:CellVoltages, message:CellVoltages[2] or node:Monitor",
            "node": "node:Monitor",
            "contactor": "contactor:main_plus",
        }.get(self.target, self.target)


class CatalogueFile(files.Document):
    """The catalogue file."""

    fault: Annotated[list[FaultKind], Field(min_length=1)]


@lru_cache(maxsize=1)
def catalogue() -> dict[str, FaultKind]:
    """All fault kinds by name."""
    file = files.load(Path(__file__).parent / "catalogue.toml", CatalogueFile)
    return {kind.name: kind for kind in file.fault}


class FaultSpec(files.FileModel):
    """A fault in a scenario: what, where, when, how strong."""

    fault: str
    target: str | None = None
    name: str | None = None
    start_s: Annotated[float, Field(ge=0)]
    stop_s: Annotated[float, Field(gt=0)] | None = None
    single: bool = False
    on_ms: Annotated[int, Field(ge=1)] | None = None
    off_ms: Annotated[int, Field(ge=1)] | None = None
    values: Annotated[dict[str, float], Field(alias="with")] = {}

    @property
    def label(self) -> str:
        """The name by which expectations call it."""
        return self.name if self.name is not None else self.fault


@dataclass(frozen=True)
class Bound:
    """A fault bound to a pack and a network.

    rows, numbers: its rows of the table.  signals: signals it touches, in the layout to the device.
    to_dut, from_dut: slots it touches.  addresses: plant parameters it touches, rows (primitive, row, index).
    values: parameters as given or by default.
    """

    spec: FaultSpec
    kind: FaultKind
    rows: I64
    numbers: F64
    signals: tuple[int, ...]
    to_dut: tuple[int, ...]
    from_dut: tuple[int, ...]
    addresses: tuple[tuple[int, int, int], ...]
    values: dict[str, float]

    @property
    def start_ns(self) -> int:
        """When it starts."""
        return round(self.spec.start_s * 1e9)

    def stop_ns(self, dt_ns: int) -> int:
        """When it ends; FOREVER_NS when it stays."""
        return _stop_ns(self.spec, dt_ns)


@dataclass(frozen=True)
class Place:
    """Where faults can land: the size of the pack and the wire of both directions."""

    database: Database
    to_dut: Layout
    from_dut: Layout
    n_cells: int
    n_ntc: int
    dt_ns: int


def _stop_ns(spec: FaultSpec, dt_ns: int) -> int:
    if spec.single:
        return round(spec.start_s * 1e9) + dt_ns
    return t.FOREVER_NS if spec.stop_s is None else round(spec.stop_s * 1e9)


def bind(spec: FaultSpec, place: Place, group: int, where: str) -> Bound:
    """Check a fault against catalogue, pack and network. where: file and key path for messages.

    Raises ScenarioError with everything that does not fit.
    """
    kinds = catalogue()
    if spec.fault not in kinds:
        raise ScenarioError(f'{where}.fault "{spec.fault}" is not in the catalogue{nearest(spec.fault, kinds)}')
    kind = kinds[spec.fault]
    problems = _shape_problems(spec, kind, where)
    values = {}
    for name, parameter_ in kind.parameters.items():
        if name in spec.values:
            values[name] = spec.values[name]
        elif parameter_.default is not None:
            values[name] = parameter_.default
        else:
            problems.append(f'{where}.with.{name} is missing; fault "{kind.name}" needs it')
    try:
        targets = _targets(spec, kind, place, where)
    except ScenarioError as error:
        problems += error.problems
        targets = _Targets()
    if problems:
        raise ScenarioError(*problems)

    columns = {"A": 1.0 if kind.primitive == "gain_offset" else 0.0, "B": 0.0, "C": 0.0, "EXTRA": 0.0, "MASK": 0.0, "BIT": -1.0}
    columns.update({name: math.nan if value == "nan" else float(value) for name, value in kind.fixed.items()})
    for name, parameter_ in kind.parameters.items():
        value = values[name]
        if parameter_.inverse and value == 0.0:
            raise ScenarioError(f"{where}.with.{name} is 0; expected a number that is not 0")
        columns[parameter_.column] = parameter_.scale * (1.0 / value if parameter_.inverse else value)
    extra, mask = int(columns["EXTRA"]), int(columns["MASK"])
    if columns["BIT"] >= 0:
        extra, mask = int(columns["BIT"]) // 64, _signed(1 << int(columns["BIT"]) % 64)
    rows, numbers = [], []
    for seam, target, own_extra in targets.rows:
        row = [0] * t.N_COLUMNS
        row[t.SEAM], row[t.PRIMITIVE], row[t.TARGET] = seam, _PRIMITIVES[kind.primitive], target
        row[t.EXTRA] = extra if own_extra is None else own_extra
        row[t.PACK], row[t.MASK], row[t.GROUP] = -1, mask, group
        row[t.START_NS], row[t.STOP_NS] = round(spec.start_s * 1e9), _stop_ns(spec, place.dt_ns)
        if spec.on_ms is not None and spec.off_ms is not None:
            row[t.ON_NS], row[t.PERIOD_NS] = spec.on_ms * 1_000_000, (spec.on_ms + spec.off_ms) * 1_000_000
        rows.append(row)
        numbers.append([columns["A"], columns["B"], columns["C"]])
    if kind.target == "tap":
        _check_taps(targets, extra, kind, place, where)
    return Bound(
        spec,
        kind,
        np.array(rows, np.int64).reshape(-1, t.N_COLUMNS),
        np.array(numbers, np.float64).reshape(-1, t.N_NUMBERS),
        tuple(targets.signals),
        tuple(s for seam, s, _ in targets.rows if seam == t.TO_DUT),
        tuple(s for seam, s, _ in targets.rows if seam == t.FROM_DUT),
        tuple((_PRIMITIVES[kind.primitive], row, at or 0) for seam, row, at in targets.rows if seam == t.PLANT),
        values,
    )


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word


def _shape_problems(spec: FaultSpec, kind: FaultKind, where: str) -> list[str]:
    found = [
        f'{where}.with.{name} is not a parameter of fault "{kind.name}"{nearest(name, kind.parameters)}'
        for name in spec.values
        if name not in kind.parameters
    ]
    if spec.stop_s is not None and not spec.stop_s > spec.start_s:
        found.append(f"{where}.stop_s {spec.stop_s:g} must lie after start_s {spec.start_s:g}")
    if spec.single and spec.stop_s is not None:
        found.append(f"{where}: give either single or stop_s, not both")
    if (spec.on_ms is None) != (spec.off_ms is None):
        found.append(f"{where}: on_ms and off_ms go together")
    return found


class _Targets:
    """Rows (seam, target, extra or None) and the signals they touch."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int | None]] = []
        self.signals: list[int] = []


def _targets(spec: FaultSpec, kind: FaultKind, place: Place, where: str) -> _Targets:
    out = _Targets()
    target = spec.target if spec.target is not None else kind.target
    expected = f'expected {kind.example()} for fault "{kind.name}"'
    names = {name: n for n, name in enumerate(place.to_dut.signal_names)}

    def add_signal(name: str) -> None:
        if name not in names:
            raise ScenarioError(f'{where}.target "{target}": the bench does not send signal "{name}"{nearest(name, names)}')
        out.rows.append((t.SENSOR, names[name], None))
        out.signals.append(names[name])

    if kind.target in ("cell", "ntc", "tap"):
        count = {"cell": place.n_cells, "ntc": place.n_ntc, "tap": place.n_cells + 1}[kind.target]
        for i in _indices(target, kind.target, count, where, expected):
            if kind.target == "tap":
                out.rows.append((t.SENSOR, i, None))
                out.signals += [names[signal_names.cell_signal(n)] for n in range(place.n_cells)]
            elif kind.seam == "plant":
                out.rows.append((t.PLANT, getattr(cell, kind.address or ""), i))
            else:
                add_signal(signal_names.cell_signal(i) if kind.target == "cell" else signal_names.ntc_signal(i))
    elif kind.target in ("shunt", "pack_voltage", "link_voltage"):
        which = {"shunt": sensor.SHUNT_A, "pack_voltage": sensor.PACK_V, "link_voltage": sensor.LINK_V}[kind.target]
        add_signal(signal_names.PACK_SENSORS[which])
    elif kind.target == "pack":
        out.rows.append((t.PLANT, getattr(pk, kind.address or ""), 0))
    elif kind.target != "dut":
        _named(out, target, kind, place, where, expected, add_signal)
    return out


def _named(out: _Targets, target: str, kind: FaultKind, place: Place, where: str, expected: str, add_signal: object) -> None:
    match = _NAMED.match(target)
    words = ("message", "node") if kind.target == "message" else (kind.target,)
    if match is None or match[1] not in words:
        raise ScenarioError(f'{where}.target "{target}": {expected}')
    name, page = match[2], match[3]
    if kind.target in ("contactor", "feedback"):
        if name not in _CONTACTORS:
            raise ScenarioError(f'{where}.target "{target}": there is no contactor "{name}"{nearest(name, _CONTACTORS)}')
        if kind.target == "feedback":
            add_signal(_FEEDBACK[name])  # type: ignore[operator]
        else:
            out.rows.append((t.PLANT, getattr(contactor, kind.address or ""), _CONTACTORS[name]))
    elif kind.target == "signal":
        add_signal(name)  # type: ignore[operator]
    else:
        out.rows += _slots(match[1], name, page, place, where, target)


def _indices(target: str, word: str, count: int, where: str, expected: str) -> list[int]:
    match = _INDEXED.match(target)
    if match is None or match[1] != word:
        raise ScenarioError(f'{where}.target "{target}": {expected}')
    if match[2] == "*":
        return list(range(count))
    i = int(match[2])
    if i >= count:
        raise ScenarioError(f'{where}.target "{target}" does not exist; this pack has {word}[0] to {word}[{count - 1}]')
    return [i]


def _slots(kind: str, name: str, page: str | None, place: Place, where: str, target: str) -> list[tuple[int, int, int | None]]:
    """Slots of a message or of all messages of a node, in either direction."""
    nodes = {sender for message in place.database.messages for sender in message.senders}
    messages = {message.name for message in place.database.messages}
    if kind == "node":
        if name not in nodes:
            raise ScenarioError(f'{where}.target "{target}": there is no node "{name}"{nearest(name, nodes)}')
        wanted = {message.name for message in place.database.messages if name in message.senders}
    elif name not in messages:
        raise ScenarioError(f'{where}.target "{target}": there is no message "{name}"{nearest(name, messages)}')
    else:
        wanted = {name}
    found: list[tuple[int, int, int | None]] = []
    for seam, layout in ((t.TO_DUT, place.to_dut), (t.FROM_DUT, place.from_dut)):
        for s, slot in enumerate(layout.slot_names):
            base = slot.split("[")[0]
            if base in wanted and (page is None or slot == f"{base}[{page}]"):
                found.append((seam, s, None))
    if not found:
        raise ScenarioError(f'{where}.target "{target}": this pack sends no such frame')
    return found


def _check_taps(targets: _Targets, other: int, kind: FaultKind, place: Place, where: str) -> None:
    tap = targets.rows[0][1]
    if kind.primitive == "swap_taps" and not (0 <= tap < other <= place.n_cells):
        raise ScenarioError(f"{where}.with.with_tap {other} must lie above the target tap {tap} and at most at {place.n_cells}")


def slot_of(layout: Layout, signal: int) -> int:
    """Slot that carries a signal."""
    return int(layout.signals[signal, SLOT])
