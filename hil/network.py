"""A network: which databases make up which bus, and the wire tables that follow for a pack of a given size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from firmware_sim.wire.layout import CYCLE_NS, FRAME_NS, SENT, Image, Layout
from hil import bus as bus_model
from hil import files
from hil.database import Bus, Database
from hil.errors import ScenarioError

DUT_NODE = "BMS"
BENCH_NODE = "Bench"
_PER_ITEM = re.compile(r"(CellVoltage|CellTemperature|CellSoc)_(\d+)$")


class BusFile(files.FileModel):
    """One bus of a network file."""

    name: str
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)]
    data_bitrate: Annotated[int, Field(ge=10_000, le=8_000_000)] | None = None
    dbc: Annotated[list[str], Field(min_length=1)]
    cycle_ms: dict[str, Annotated[int, Field(ge=1, le=65_535)]] = {}


class NetworkFile(files.Document):
    """A network file."""

    title: str
    bus: Annotated[list[BusFile], Field(min_length=1, max_length=8)]


@dataclass(frozen=True, eq=False)
class Network:
    """A network bound to a pack.

    to_dut, from_dut: wire tables of both directions.  loads: share of each bus that the schedule takes, worst case.
    """

    name: str
    paths: tuple[Path, ...]
    database: Database
    to_dut: Layout
    from_dut: Layout
    loads: dict[str, float]

    @property
    def n_buses(self) -> int:
        """Count of buses."""
        return len(self.loads)


def load(name: str, n_cells: int, n_ntc: int, dt_ns: int, near: Path | None = None) -> Network:
    """A network by shipped name or path, for a pack with n_cells and n_ntc sensors.

    Raises ScenarioError: broken files, missing signals, or a schedule that does not fit the bit rate.
    """
    path = files.resolve("network", name, near)
    file = files.load(path, NetworkFile)
    buses = [
        Bus(
            b.name,
            tuple(files.data_file(dbc, path, "database", files.dbc_folder()) for dbc in b.dbc),
            b.bitrate,
            b.data_bitrate or b.bitrate,
            b.cycle_ms,
        )
        for b in file.bus
    ]
    database = Database(buses)
    counts = {"CellVoltage": n_cells, "CellTemperature": n_ntc, "CellSoc": n_cells}

    def has_page(message: Any, page: int) -> bool:
        signals = [s for s in message.signals if s.multiplexer_ids is not None and page in s.multiplexer_ids]
        items = [match for s in signals if (match := _PER_ITEM.match(s.name))]
        return not items or any(int(match[2]) < counts[match[1]] for match in items)

    def to_dut(message: Any) -> bool:
        return DUT_NODE not in message.senders and BENCH_NODE not in message.senders

    incoming = database.slots(to_dut, has_page)
    outgoing = database.slots(lambda m: DUT_NODE in m.senders, has_page)
    if not incoming or not outgoing:
        raise ScenarioError(f'{path}: the databases need messages sent by node "{DUT_NODE}" and by others')
    layouts = database.layout(incoming, dt_ns), database.layout(outgoing, dt_ns)
    loads = {}
    for number, bus in enumerate(buses):
        rows: dict[str, tuple[int, int, int]] = {}
        for slots, layout in zip((incoming, outgoing), layouts, strict=True):
            for slot, row in zip(slots, layout.slots, strict=True):
                if slot.bus == number:
                    count = rows[slot.message.name][0] if slot.message.name in rows else 0
                    rows[slot.message.name] = count + 1, int(row[CYCLE_NS]), int(row[FRAME_NS])
        schedule = [(message, *numbers) for message, numbers in rows.items()]
        loads[bus.name] = bus_model.check_load(bus.name, schedule, bus.bitrate)
    paths = tuple(p for bus in buses for p in bus.paths)
    return Network(name, (path, *paths), database, *layouts, loads)


def clear(image: Image) -> None:
    """Mark all slots of an image as not sent."""
    image.meta[:, SENT, :] = 0
