"""A network: which databases make up which bus, and the wire tables that follow for a pack of a given size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from firmware_sim.wire.layout import CYCLE_NS, FRAME_NS, SENT, Image, Layout
from hil import bus as bus_model
from hil import casting, files, holding, mapping, roles
from hil.bus import plan as bus_plan
from hil.bus.plan import NOBODY, BusRow, Plan, Sender
from hil.database import Bus, Database, Schedule, Slot
from hil.errors import Problems, ScenarioError, nearest
from hil.shape import settle

DUT_NODE = "BMS"
BENCH_NODE = "Bench"
_COILS_SIGNAL = "PackIO_MainPlusFeedback"
_PER_ITEM = re.compile(r"(CellVoltage|CellTemperature|CellSoc)_(\d+)$")


class BusFile(files.FileModel):
    """One bus of a network file."""

    name: str
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)]
    data_bitrate: Annotated[int, Field(ge=10_000, le=8_000_000)] | None = None
    dbc: Annotated[list[str], Field(min_length=1)]
    cycle_ms: dict[str, Annotated[int, Field(ge=1, le=65_535)]] = {}
    arbitration: bool = False


class NetworkFile(files.Document):
    """A network file. mapping: file that ties foreign databases to our roles; none for our own."""

    KIND: ClassVar[str] = "network"
    title: str
    mapping: str | None = None
    bus: Annotated[list[BusFile], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _once(self) -> NetworkFile:
        found, names, listed = [], set[str](), set[str]()
        for n, bus in enumerate(self.bus):
            if bus.name in names:
                found.append(f'bus[{n}].name "{bus.name}" is used twice')
            names.add(bus.name)
            for m, dbc in enumerate(bus.dbc):
                if dbc in listed:
                    found.append(f'bus[{n}].dbc[{m}] "{dbc}" is listed twice in this network')
                listed.add(dbc)
        settle(found)
        return self


@dataclass(frozen=True, eq=False)
class Network:
    """A network bound to a pack.

    path: its file.  data: mapping and databases, (name as written there, path).  to_dut, from_dut: wire tables of both
    directions.  loads: share of each bus that the schedule takes, worst case.  dut_node: name of the device in the databases.
    along: codes that come along with others.
    plan: of its arbitrated buses; None when there is none.
    """

    name: str
    path: Path
    data: tuple[tuple[str, Path], ...]
    database: Database
    to_dut: Layout
    from_dut: Layout
    loads: dict[str, float]
    dut_node: str = DUT_NODE
    along: frozenset[str] = frozenset()
    plan: Plan | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All its files."""
        return (self.path, *(path for _, path in self.data))

    @property
    def n_buses(self) -> int:
        """Count of buses."""
        return len(self.loads)


def load(
    name: str, n_cells: int, n_ntc: int, dt_ns: int, near: Path | None = None, left_out: frozenset[str] = frozenset()
) -> Network:
    """A network by shipped name or path, for a pack with n_cells and n_ntc sensors.

    left_out: messages of the device that it does not send.
    Raises ScenarioError: broken files, missing signals, or a schedule that does not fit the bit rate.
    """
    path = files.resolve("network", name, near)
    file = files.load(path, NetworkFile)
    buses, mapped = parts(path, file)
    database = Database(buses, tolerant=mapped is not None)
    dut_node = DUT_NODE
    if mapped is not None:
        casting.apply(mapped[1], mapped[0], database)
        dut_node = mapped[1].dut
    counts = {"CellVoltage": n_cells, "CellTemperature": n_ntc, "CellSoc": n_cells}

    def has_page(slot: Slot) -> bool:
        """Whether a page is sent: it is in the order of pages, plays a role, and has items that this pack has."""
        signals = [s for s in slot.signals if s.multiplexer_ids is not None]
        items = [match for s in signals if (match := _PER_ITEM.match(s.name))]
        order = database.schedules.get(slot.message.name, Schedule()).pages
        if (order is not None and slot.page not in order) or (mapped is not None and not any(map(_plays, signals))):
            return False
        return not items or any(int(match[2]) < counts[match[1]] for match in items)

    def wanted(message: Any) -> bool:
        """Whether a message counts: all without a mapping, else those that play a role for this pack."""
        return mapped is None or _is_mapped(message, counts)

    def to_dut(message: Any) -> bool:
        """Whether a message goes to the device: sent neither by it nor by the bench itself."""
        return dut_node not in message.senders and BENCH_NODE not in message.senders and wanted(message)

    incoming = database.slots(to_dut, has_page)
    outgoing = database.slots(lambda m: dut_node in m.senders and wanted(m) and m.name not in left_out, has_page)
    if not incoming or not outgoing:
        senders = {sender for message in database.messages for sender in message.senders}
        raise ScenarioError(
            f'{path}: the databases need messages sent by node "{dut_node}" and by others{nearest(dut_node, senders)}'
        )
    if mapped is not None:
        _check_cycles(path, database, incoming + outgoing)
    layouts = database.layout(incoming, dt_ns), database.layout(outgoing, dt_ns)
    if mapped is not None:
        layouts = holding.hold(mapped[1], layouts[0], sent=False), holding.hold(mapped[1], layouts[1], sent=True)
    loads = _loads(buses, (incoming, outgoing), layouts)
    data = [pair for b, bus in zip(file.bus, buses, strict=True) for pair in zip(b.dbc, bus.paths, strict=True)]
    if mapped is not None and file.mapping is not None:
        data.insert(0, (file.mapping, mapped[0]))
    along = mapped[1].along if mapped is not None else frozenset()
    plan = _plan(file, (incoming, outgoing), layouts, dut_node)
    return Network(name, path, tuple(data), database, *layouts, loads, dut_node, along, plan)


def _plan(
    file: NetworkFile, slots: tuple[list[Slot], list[Slot]], layouts: tuple[Layout, Layout], dut_node: str
) -> Plan | None:
    """Who is on the arbitrated buses. The pack's I/O unit is the node that sends the feedback of the main contactor."""
    rows = [BusRow(b.name, b.bitrate, b.data_bitrate or b.bitrate, b.arbitration) for b in file.bus]
    senders = tuple([Sender(s.bus, (s.message.senders or [NOBODY])[0]) for s in direction] for direction in slots)
    coils = [
        sender.node for sender, slot in zip(senders[0], slots[0], strict=True)
        if any(signal.name == _COILS_SIGNAL for signal in slot.message.signals)
    ]  # fmt: skip
    return bus_plan.build(rows, layouts, (senders[0], senders[1]), dut_node, coils[0] if coils else None)


def parts(path: Path, file: NetworkFile) -> tuple[list[Bus], tuple[Path, mapping.Mapping] | None]:
    """What a network file names: its buses with their databases, and the mapping. Raises ScenarioError."""
    problems = Problems()
    shipped = files.dbc_folder()
    buses = []
    for n, b in enumerate(file.bus):
        paths = [problems.call(files.data_file, dbc, path, f"bus[{n}].dbc[{m}]", shipped) for m, dbc in enumerate(b.dbc)]
        found = tuple(p for p in paths if p is not None)
        buses.append(Bus(b.name, found, b.bitrate, b.data_bitrate or b.bitrate, b.cycle_ms, f"{path}: bus[{n}]"))
    mapped = None if file.mapping is None else problems.call(mapping.load, file.mapping, path)
    if problems.found and mapped is not None:
        problems.call(mapping.check_roles, mapped[1], mapped[0])
    problems.settle()
    return buses, mapped


def _loads(buses: list[Bus], slots: tuple[list[Slot], list[Slot]], layouts: tuple[Layout, Layout]) -> dict[str, float]:
    """Share of each bus that the schedule takes. Raises ScenarioError where it does not fit."""
    problems = Problems()
    loads = {}
    for number, bus in enumerate(buses):
        rows: dict[str, tuple[int, int, int]] = {}
        for direction, layout in zip(slots, layouts, strict=True):
            for slot, row in zip(direction, layout.slots, strict=True):
                if slot.bus == number:
                    count = rows[slot.message.name][0] if slot.message.name in rows else 0
                    rows[slot.message.name] = count + 1, int(row[CYCLE_NS]), int(row[FRAME_NS])
        schedule = [(message, *numbers) for message, numbers in rows.items()]
        loads[bus.name] = problems.call(bus_model.check_load, f'{bus.where} "{bus.name}"', schedule, bus.bitrate) or 0.0
    problems.settle()
    return loads


def _plays(signal: Any) -> bool:
    return roles.is_role(signal.name)


def _is_mapped(message: Any, counts: dict[str, int]) -> bool:
    """True for a foreign message that plays a role in a pack of this size."""
    if not casting.has_role(message):
        return False
    items = [_PER_ITEM.match(signal.name) for signal in message.signals]
    return not all(items) or any(int(match[2]) < counts[match[1]] for match in items if match is not None)


def _check_cycles(path: Path, database: Database, slots: list[Slot]) -> None:
    """Foreign databases often leave cycle times out; nothing is invented for them."""
    names = sorted({slot.message.name for slot in slots if database.cycle_ms(slot.message) <= 0})
    if names:
        where = f"{path}: bus[].cycle_ms"
        raise ScenarioError(
            *(f'{where}: message "{name}" has no GenMsgCycleTime in its DBC; give its cycle here' for name in names)
        )


def clear(image: Image) -> None:
    """Mark all slots of an image as not sent."""
    image.meta[:, SENT, :] = 0
