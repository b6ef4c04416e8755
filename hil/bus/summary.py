"""What an arbitrated bus came to in a run: load, longest delays, error counters. For result.json and the report."""

from __future__ import annotations

from typing import Any

from hil.bus import table as tb
from hil.bus.virtual import VirtualBus

STATES = ("error-active", "error-passive", "bus-off")


def of(bus: VirtualBus, end_ns: int) -> dict[str, Any]:
    """Of pack 0, by node and by frame. end_ns: how long the run was."""
    plan, nodes, boxes = bus.plan, bus.nodes[0], bus.boxes[0]
    return {
        "nodes": {
            plan.node_name(n): {
                "state": STATES[int(row[tb.STATE])],
                "TEC": int(row[tb.TEC]),
                "REC": int(row[tb.REC]),
                "largest TEC": int(row[tb.MOST_TEC]),
                "largest REC": int(row[tb.MOST_REC]),
                "times bus-off": int(row[tb.N_OFF]),
            }
            for n, row in enumerate(nodes)
        },
        "frames": {
            name: {
                "sent": int(row[tb.N_SENT]),
                "overwritten": int(row[tb.N_REPLACED]),
                "longest_ms": row[tb.WORST_NS] / 1e6,
                "waits_ms": (end_ns - row[tb.RELEASE_NS]) / 1e6 if row[tb.FULL] == 1 and row[tb.RELEASE_NS] < end_ns else 0.0,
            }
            for name, row in zip(plan.mail_names, boxes, strict=True)
        },
        "load": {name: bus.load(b, end_ns) for b, name in enumerate(plan.bus_names) if plan.buses[b, tb.ON] == 1},
    }
