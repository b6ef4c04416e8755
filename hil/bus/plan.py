"""Who is on which bus of a network, and which mailbox holds which slot: fixed for a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.layout import CAN_ID, FLAGS, N_WORDS, WORD_0, Layout
from hil.bus import table as tb
from hil.bus.length import arbitration_key

NOBODY = "(no sender)"


@dataclass(frozen=True, eq=False)
class Plan:
    """Arbitrated buses of a network.

    bus_names: of all buses.  buses: (n_buses, 5).  nodes: (bus, name) of each node.  mails: (n_mail, 9).  mail_names: slots.
    known_in, known_out: (n, 2) bus and id of the slots to and from the device.
    """

    bus_names: tuple[str, ...]
    buses: I64
    nodes: tuple[tuple[int, str], ...]
    mails: I64
    mail_names: tuple[str, ...]
    known_in: I64
    known_out: I64

    def node_name(self, n: int) -> str:
        """How a node is called; with its bus where it is on two."""
        bus, name = self.nodes[n]
        twice = sum(other == name for _, other in self.nodes) > 1
        return f"{name} ({self.bus_names[bus]})" if twice else name


@dataclass(frozen=True)
class BusRow:
    """One bus: its name, bit rates [bit/s], and whether it is arbitrated."""

    name: str
    bitrate: int
    data_bitrate: int
    arbitrated: bool


@dataclass(frozen=True)
class Sender:
    """Who sends a slot, on which bus."""

    bus: int
    node: str


def build(
    rows: Sequence[BusRow],
    layouts: tuple[Layout, Layout],
    senders: tuple[list[Sender], list[Sender]],
    dut: str,
    coils: str | None,
) -> Plan | None:
    """The plan of a network; None when no bus is arbitrated.

    layouts, senders: of the slots to and from the device.  dut, coils: nodes of the device and of the pack's I/O unit.
    """
    if not any(row.arbitrated for row in rows):
        return None
    used = {(sender.bus, sender.node) for direction in senders for sender in direction if rows[sender.bus].arbitrated}
    nodes = tuple(sorted(used))
    buses = np.array(
        [
            [row.bitrate, row.data_bitrate, int(row.arbitrated), *(_index(nodes, b, name) for name in (dut, coils))]
            for b, row in enumerate(rows)
        ],
        np.int64,
    )
    mails, names = [], []
    for direction, (layout, of) in enumerate(zip(layouts, senders, strict=True)):
        for s, (slot, sender) in enumerate(zip(layout.slots, of, strict=True)):
            if rows[sender.bus].arbitrated:
                key = arbitration_key(int(slot[CAN_ID]), int(slot[FLAGS]))
                node = nodes.index((sender.bus, sender.node))
                mails.append([sender.bus, key, node, direction, s, slot[CAN_ID], slot[FLAGS], slot[WORD_0], slot[N_WORDS]])
                names.append(layout.slot_names[s])
    order = sorted(range(len(mails)), key=lambda m: (mails[m][tb.BUS], mails[m][tb.KEY], m))
    known = [
        np.array(sorted({(of.bus, int(slot[CAN_ID])) for slot, of in zip(layout.slots, direction, strict=True)}), np.int64)
        for layout, direction in zip(layouts, senders, strict=True)
    ]
    return Plan(
        tuple(row.name for row in rows),
        buses,
        nodes,
        np.array([mails[m] for m in order], np.int64).reshape(-1, tb.N_MAIL_COLUMNS),
        tuple(names[m] for m in order),
        known[0].reshape(-1, 2),
        known[1].reshape(-1, 2),
    )


def _index(nodes: tuple[tuple[int, str], ...], bus: int, name: str | None) -> int:
    return nodes.index((bus, name)) if name is not None and (bus, name) in nodes else -1
