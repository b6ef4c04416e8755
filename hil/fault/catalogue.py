"""The fault catalogue: names, targets and parameters, and how a fault of a scenario becomes rows of the table.

A row of the catalogue says what a scenario may ask for and in which bounds; `bind` checks a scenario's fault against its
row, the pack and the network, and reports everything that does not fit at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firmware_sim.types import F64, I64
from firmware_sim.wire.crc import crc8, crc16, p11_seed
from firmware_sim.wire.layout import (
    CHECK_BITS,
    CHECK_WORD,
    COUNTER_MASK,
    COUNTS_WITH,
    DATA_ID,
    E2E,
    FD,
    FLAGS,
    LENGTH,
    P05,
    P11,
    WIDTH,
    Layout,
)
from hil import files
from hil import names as signal_names
from hil.errors import ScenarioError, nearest
from hil.fault import bus, parameter, sensed
from hil.fault import network as net
from hil.fault import table as t
from hil.fault.target import Place, Row, Targets, find

PRIMITIVES = {
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
    "set_sensor": parameter.SET_SENSOR,
    "set_contactor": parameter.SET_CONTACTOR,
    "bit_errors": bus.BIT_ERRORS,
    "noise": bus.NOISE,
    "hear_errors": bus.HEAR_ERRORS,
    "cut": bus.CUT,
    "babble": bus.BABBLE,
    "reset": -1,
    "reset_torn": -1,
}
_LENGTHS = {0: range(9), FD: (*range(9), 12, 16, 20, 24, 32, 48, 64)}
_NEEDED = {"check": "a CRC or checksum", "counter": "a counter", "data_id": "the data id of profile P01, P05 or P11"}
_LONGEST_S = 1e7
_LONGEST_MS = 86_400_000


class Parameter(files.FileModel):
    """One parameter of a fault: where its number goes, its default (none: it must be given), bounds and conversion."""

    column: Literal["A", "B", "C", "EXTRA", "MASK", "BIT", "DATA_ID"]
    default: float | None = None
    example: float
    min: float
    max: float
    whole: bool = False
    scale: float = 1.0
    inverse: bool = False

    def refuses(self, value: float) -> str:
        """Why a value cannot be; empty when it can."""
        if self.min <= value <= self.max and (not self.whole or value == int(value)):
            return ""
        return f"is {value:g}; expected {'a whole number from ' if self.whole else ''}{self.min:g} to {self.max:g}"

    def converted(self, value: float) -> float:
        """The number that the primitive takes."""
        return self.scale * (1.0 / value if self.inverse else value)


class FaultKind(files.FileModel):
    """One row of the catalogue."""

    name: str
    title: str
    catalogue: str
    seam: Literal["sensor", "network", "bus", "plant", "supply"]
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
        "bus",
        "contactor",
        "pack",
        "dut",
    ]
    address: str | None = None
    needs: Literal["", "check", "counter", "data_id"] = ""
    fixed: dict[Literal["A", "B", "C", "EXTRA", "MASK"], float | int | Literal["nan"]] = {}
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
            "bus": "bus:pack",
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
    start_s: Annotated[float, Field(ge=0, le=_LONGEST_S)]
    stop_s: Annotated[float, Field(gt=0, le=_LONGEST_S)] | None = None
    single: bool = False
    on_ms: Annotated[int, Field(ge=1, le=_LONGEST_MS)] | None = None
    off_ms: Annotated[int, Field(ge=1, le=_LONGEST_MS)] | None = None
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


def _stop_ns(spec: FaultSpec, dt_ns: int) -> int:
    if spec.single:
        return round(spec.start_s * 1e9) + dt_ns
    return t.FOREVER_NS if spec.stop_s is None else round(spec.stop_s * 1e9)


def alone(spec: FaultSpec, dt_ns: int, where: str) -> list[str]:
    """What is wrong with a fault, whatever pack and network it is for."""
    kinds = catalogue()
    if spec.fault not in kinds:
        return [f'{where}.fault "{spec.fault}" is not in the catalogue{nearest(spec.fault, kinds)}']
    return _values(spec, kinds[spec.fault], where)[1] + _shape_problems(spec, kinds[spec.fault], dt_ns, where)


def bind(spec: FaultSpec, place: Place, group: int, where: str) -> Bound:
    """Check a fault against catalogue, pack and network. where: file and key path for messages.

    Raises ScenarioError with everything that does not fit.
    """
    kinds = catalogue()
    if spec.fault not in kinds:
        raise ScenarioError(f'{where}.fault "{spec.fault}" is not in the catalogue{nearest(spec.fault, kinds)}')
    kind = kinds[spec.fault]
    values, problems = _values(spec, kind, where)
    problems += _shape_problems(spec, kind, place.dt_ns, where)
    try:
        targets = find(spec.target, kind, place, where)
    except ScenarioError as error:
        raise ScenarioError(*problems, *error.problems) from None
    targets, of_frames = _fitting(targets, kind, values, place, f'{where}.target "{spec.target}"', where)
    problems += of_frames
    if kind.target == "tap" and not problems:
        problems += _wires(targets, kind, values, place, where)
    if problems:
        raise ScenarioError(*problems)
    rows, numbers = _rows(targets, kind, values, place)
    rows[:, t.GROUP], rows[:, t.PACK] = group, -1
    rows[:, t.START_NS], rows[:, t.STOP_NS] = round(spec.start_s * 1e9), _stop_ns(spec, place.dt_ns)
    if spec.on_ms is not None and spec.off_ms is not None:
        rows[:, t.ON_NS], rows[:, t.PERIOD_NS] = spec.on_ms * 1_000_000, (spec.on_ms + spec.off_ms) * 1_000_000
    return Bound(
        spec,
        kind,
        rows,
        numbers,
        tuple(targets.signals),
        tuple(row.target for row in targets.rows if row.seam == t.TO_DUT),
        tuple(row.target for row in targets.rows if row.seam == t.FROM_DUT),
        tuple((PRIMITIVES[kind.primitive], row.target, row.at) for row in targets.rows if row.seam == t.PLANT),
        values,
    )


def _values(spec: FaultSpec, kind: FaultKind, where: str) -> tuple[dict[str, float], list[str]]:
    """Parameters as given or by default, and what is wrong with them."""
    values: dict[str, float] = {}
    problems = [
        f'{where}.with.{name} is not a parameter of fault "{kind.name}"{nearest(name, kind.parameters)}'
        for name in spec.values
        if name not in kind.parameters
    ]
    for name, parameter_ in kind.parameters.items():
        value = spec.values.get(name, parameter_.default)
        if value is None:
            problems.append(
                f'{where}.with.{name} is missing; fault "{kind.name}" needs it, for example {name} = {parameter_.example:g}'
            )
        elif why := parameter_.refuses(value):
            problems.append(f"{where}.with.{name} {why}")
        else:
            values[name] = value
    return values, problems


def _shape_problems(spec: FaultSpec, kind: FaultKind, dt_ns: int, where: str) -> list[str]:
    found = []
    start_ns, stop_ns = round(spec.start_s * 1e9), _stop_ns(spec, dt_ns)
    if not stop_ns > start_ns:
        found.append(f"{where}.stop_s {spec.stop_s:g} must lie after start_s {spec.start_s:g}")
    elif kind.seam not in ("network", "bus") and -(-start_ns // dt_ns) * dt_ns >= stop_ns:
        found.append(f"{where}: no tick of {dt_ns / 1e6:g} ms lies between start_s {spec.start_s:g} and stop_s {spec.stop_s:g}")
    if spec.single and spec.stop_s is not None:
        found.append(f"{where}: give either single or stop_s, not both")
    if (spec.on_ms is None) != (spec.off_ms is None):
        found.append(f"{where}: on_ms and off_ms go together")
    if spec.single and spec.on_ms is not None:
        found.append(f"{where}: give either single or on_ms and off_ms, not both")
    for name, value in (("on_ms", spec.on_ms), ("off_ms", spec.off_ms)):
        if value is not None and value * 1_000_000 < dt_ns:
            found.append(f"{where}.{name} {value} is shorter than the tick; expected at least {dt_ns / 1e6:g}")
    if kind.seam == "supply" and (spec.stop_s is not None or spec.on_ms is not None):
        found.append(f'{where}: fault "{kind.name}" is an instant; it takes neither stop_s nor on_ms and off_ms')
    return found


def _fitting(
    targets: Targets, kind: FaultKind, values: dict[str, float], place: Place, label: str, where: str
) -> tuple[Targets, list[str]]:
    """The frames among a fault's targets that can have it, and why the others cannot.

    Of a message, every frame must; of a node, those that cannot are left alone while others can.
    """
    frames = [row for row in targets.rows if row.seam in (t.TO_DUT, t.FROM_DUT)]
    if not frames:
        return targets, []
    layouts = {t.TO_DUT: place.to_dut, t.FROM_DUT: place.from_dut}
    if kind.needs:
        protected = [row for row in frames if _carries(layouts[row.seam].slots[row.target], kind.needs)]
        if not protected:
            return targets, [f'{label} carries no E2E protection with {_NEEDED[kind.needs]}; fault "{kind.name}" needs one']
        targets = Targets(protected, targets.signals)
    problems = []
    if kind.needs == "counter":
        shared = [int(layouts[row.seam].slots[row.target, COUNTS_WITH]) for row in targets.rows]
        if len(set(shared)) < len(shared):
            problems.append(f'{label} has one counter over all its pages; fault "{kind.name}" needs one page of it')
    for row in targets.rows:
        layout = layouts[row.seam]
        slot, name = layout.slots[row.target], layout.slot_names[row.target]
        length = int(slot[LENGTH])
        if "bit" in values and values["bit"] >= 8 * length:
            problems.append(
                f"{where}.with.bit is {values['bit']:g}; frame {name} has {length} bytes, expected 0 to {8 * length - 1}"
            )
        if "length" in values:
            lengths = [n for n in _LENGTHS[int(slot[FLAGS]) & FD] if n != length]
            if values["length"] not in lengths:
                problems.append(
                    f"{where}.with.length is {values['length']:g}; frame {name} has {length} bytes, "
                    f"expected one of {', '.join(map(str, lengths))}"
                )
        if "data_id" in values and values["data_id"] == slot[DATA_ID]:
            problems.append(f"{where}.with.data_id is {values['data_id']:g}, the own data id of frame {name}; expected another")
    return targets, problems


def _carries(slot: I64, what: str) -> bool:
    """True when a frame carries a check, a counter, or a check whose data id can be another one."""
    return bool({"check": slot[WIDTH] != 0, "counter": slot[COUNTER_MASK] != 0, "data_id": slot[E2E] in (P11, P05)}[what])


def _wires(targets: Targets, kind: FaultKind, values: dict[str, float], place: Place, where: str) -> list[str]:
    """Enter the cells between the touched sense wires' neighbours; a swap needs its second wire above the first."""
    low = high = targets.rows[0].target
    if kind.primitive == "swap_taps":
        high = int(values["with_tap"])
        if not low < high <= place.series:
            return [f"{where}.with.with_tap is {high}; expected a tap above {low}, at most {place.series}"]
    cells = range(max(low - 1, 0), min(high, place.series - 1) + 1)
    targets.signals += [place.to_dut.index(signal_names.cell_signal(i)) for i in cells]
    return []


def _rows(targets: Targets, kind: FaultKind, values: dict[str, float], place: Place) -> tuple[I64, F64]:
    """Rows and numbers of the table; times are filled in later."""
    columns: dict[str, float] = {"A": 1.0 if kind.primitive == "gain_offset" else 0.0, "B": 0.0, "C": 0.0}
    columns.update({name: math.nan if value == "nan" else float(value) for name, value in kind.fixed.items()})
    columns.update({kind.parameters[name].column: kind.parameters[name].converted(value) for name, value in values.items()})
    rows = np.zeros((len(targets.rows), t.N_COLUMNS), np.int64)
    for row, target in zip(rows, targets.rows, strict=True):
        row[t.SEAM], row[t.PRIMITIVE], row[t.TARGET] = target.seam, PRIMITIVES[kind.primitive], target.target
        row[t.EXTRA], row[t.MASK] = int(columns.get("EXTRA", target.at)), int(columns.get("MASK", 0))
        if "BIT" in columns:
            row[t.EXTRA], row[t.MASK] = int(columns["BIT"]) // 64, _signed(1 << int(columns["BIT"]) % 64)
        if kind.needs == "check":
            row[t.EXTRA], row[t.MASK] = _check_bit(place, target)
        if "DATA_ID" in columns:
            row[t.MASK] = _other_id(place, target, int(columns["DATA_ID"]))
    numbers = np.array([[columns["A"], columns["B"], columns["C"]]] * len(rows), np.float64)
    return rows, numbers.reshape(-1, t.N_NUMBERS)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word


def _check_bit(place: Place, row: Row) -> tuple[int, int]:
    """(word, mask) of one bit of a frame's check."""
    slot = (place.to_dut if row.seam == t.TO_DUT else place.from_dut).slots[row.target]
    return int(slot[CHECK_WORD]), int(slot[CHECK_BITS] & -slot[CHECK_BITS])


def _other_id(place: Place, row: Row, data_id: int) -> int:
    """Bits in which the CRCs of a frame under two data ids differ. A CRC is linear, so the payload does not matter."""
    layout: Layout = place.to_dut if row.seam == t.TO_DUT else place.from_dut
    slot = layout.slots[row.target]
    length, own, words = int(slot[LENGTH]), int(slot[DATA_ID]), np.zeros((1, 8), np.int64)
    if slot[E2E] == P11:
        return int(crc8(words, 0, 0, length, p11_seed(own)) ^ crc8(words, 0, 0, length, p11_seed(data_id)))
    return int(crc16(words, 0, 0, length, own) ^ crc16(words, 0, 0, length, data_id))
