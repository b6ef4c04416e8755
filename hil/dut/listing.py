"""What a bench would send to a device at the end of a wire, for people to read before anything moves."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from firmware_sim.wire.layout import BUS, CAN_ID, CYCLE_NS, EXTENDED, FLAGS
from hil.link.frame import hex_id
from hil.link.spec import NO_BUS, BusSpec
from hil.link.supply import Supply
from hil.network import Network


def frames(network: Network, specs: Sequence[BusSpec], silent: Collection[int], supply: Supply | None) -> list[str]:
    """Frames with bus, id, name, period and the node that the bench plays; the supply. silent: slots that are not sent."""
    layout, database = network.to_dut, network.database
    rows: dict[tuple[int, int, int], list[int]] = {}
    for slot, (bus, can_id, flags) in enumerate(layout.slots[:, [BUS, CAN_ID, FLAGS]].tolist()):
        if slot not in silent:
            rows.setdefault((bus, can_id, flags), []).append(slot)
    parts: list[list[str]] = [[f"on {spec.text or NO_BUS}:"] for spec in specs]
    for (bus, can_id, flags), slots in sorted(rows.items()):
        names = [layout.slot_names[slot] for slot in slots]
        name = names[0].partition("[")[0]
        pages = f", {len(names)} pages" if len(names) > 1 else ""
        cycle_ms = int(layout.slots[slots[0], CYCLE_NS]) / 1e6
        who = "/".join(next((m.senders for m in database.messages if m.name == name), ()))
        parts[bus].append(f"  {hex_id(can_id, bool(flags & EXTENDED))}  {name}  every {cycle_ms:g} ms{pages}  as {who}")
    if supply is not None:
        parts[0].append(f"  0x{supply.can_id:03X}  Bench_Supply  every 100 ms  switches the device off, then on")
    return [line for part in parts for line in part]


def names(network: Network) -> dict[tuple[int, int], str]:
    """Bus and id of the bench's messages to their names."""
    layout = network.to_dut
    return {
        (bus, can_id): layout.slot_names[slot].partition("[")[0]
        for slot, (bus, can_id) in enumerate(layout.slots[:, [BUS, CAN_ID]].tolist())
    }
