"""How a device at the end of a wire is left safe: which frames say so, in every form that their counters may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firmware_sim.wire.layout import COUNTER_MAX, EXTENDED, FD
from firmware_sim.wire.send import COUNTER, NEXT_NS
from hil.link.guardian import Handle, Plan, SafeFrame, Send, Within
from hil.link.link import Link
from hil.link.match import Outgoing, Reader
from hil.link.supply import Supply
from hil.network import Network

if TYPE_CHECKING:
    from hil.dut.rest import RestOfBus

Instruments = tuple[tuple[str, tuple[str, ...]], ...]
_SUPPLY_FORMS = 3
_MOST_FORMS = 256


def plan(
    rest: RestOfBus, network: Network, request_slots: Sequence[int], supply: Supply | None, link: Link, instruments: Instruments
) -> Plan:
    """What a guardian does in need.

    rest: of the bus, asking for standby; its state is used up.  request_slots: slots with the mode request.
    supply: where the device is switched by frame.  instruments: (address, commands) that make each safe.
    """
    layout, reader = network.to_dut, Reader(network.to_dut)
    n_forms = max((min(int(layout.slots[slot, COUNTER_MAX]) + 1, _MOST_FORMS) for slot in request_slots), default=0)
    forms: dict[tuple[int, int, int], list[str]] = {}
    for counter in range(n_forms):
        rest.sender[:, NEXT_NS] = 1 << 62
        rest.sender[:, NEXT_NS, list(request_slots)] = 0
        rest.sender[:, COUNTER] = counter
        for frame in reader.frames(rest.image_at(0), rest.events):
            forms.setdefault((frame.bus, frame.can_id, frame.flags), []).append(frame.data.hex())
    standby = tuple(_safe(*key, payloads) for key, payloads in forms.items())
    orders = [] if supply is None else [supply.frame(on=False) for _ in range(_SUPPLY_FORMS)]
    off = (_safe(orders[0].bus, orders[0].can_id, orders[0].flags, [_hex(order) for order in orders]),) if orders else ()
    handles = tuple(Handle(bus.interface, *bus.reopened) for bus in link.buses)
    return Plan(standby, off, handles, instruments)


def _hex(frame: Outgoing) -> str:
    return frame.data.hex()


def _safe(bus: int, can_id: int, flags: int, payloads: list[str]) -> SafeFrame:
    return SafeFrame(bus, can_id, bool(flags & EXTENDED), bool(flags & FD), tuple(payloads))


def within(made: Plan, link: Link) -> Within:
    """A guardian in a thread of the bench, for buses that cannot be opened a second time."""
    return Within(made, sender(link))


def sender(link: Link) -> Send:
    """Frames onto the bench's own link."""

    def send(bus: int, can_id: int, extended: bool, fd: bool, data: bytes) -> None:
        """One frame; its flags follow from what it is."""
        link.send(bus, can_id, (EXTENDED if extended else 0) | (FD if fd else 0), data)

    return send
