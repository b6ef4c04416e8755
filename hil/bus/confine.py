"""Fault confinement of a CAN controller: two counters, three states.

    error-active --TEC or REC above 127--> error-passive --TEC above 255--> bus-off
         ^------both below 128 again-------------|                             |
         ^------128 sequences of 11 recessive bits on the bus, counters 0------|

A sender whose frame is destroyed adds 8, one whose frame is through takes 1 away. A receiver adds 1 for a frame that was
destroyed, 8 more when its own error flag was the first, and takes 1 away for each good frame; from above 127 it goes back to
127. An error-passive sender that nobody acknowledges adds nothing: alone on a bus a node never goes bus-off.
A node in bus-off comes back by itself; what waits in its mailboxes is sent then.
Source: ISO 11898-1:2015, 12.1 (fault confinement).
"""

from __future__ import annotations

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import I64
from hil.bus.table import (
    ACTIVE,
    BUS_OFF,
    COUNT_IS,
    MOST_REC,
    MOST_TEC,
    N_OFF,
    OFF_COUNT,
    OFF_NS,
    PASSIVE,
    READY_NS,
    REC,
    RECORD_A,
    RECORD_B,
    RECORD_BUS,
    RECORD_C,
    RECORD_D,
    RECORD_E,
    RECORD_KIND,
    RECORD_NODE,
    RECORD_NS,
    STATE,
    STATE_IS,
    TEC,
    TOLD_REC,
    TOLD_TEC,
)

PASSIVE_FROM, OFF_FROM = 128, 256
SENDER_STEP, FIRST_STEP = 8, 8
_MOST = 255  # a receive counter holds no more; above 127 it says nothing new
SEQUENCES, SEQUENCE_BITS = 128, 11


@kernel
def note(
    records: I64, count: I64, p: int, t_ns: int, kind: int, bus: int, node: int, a: int, b: int, c: int, d: int = 0, e: int = 0
) -> None:
    """Append a record of pack 0; a full table counts what it lost in count[1]."""
    if p != 0:
        return
    n = count[0]
    if n >= records.shape[0]:
        count[1] += 1
        return
    row = records[n]
    row[RECORD_NS], row[RECORD_KIND], row[RECORD_BUS], row[RECORD_NODE] = t_ns, kind, bus, node
    row[RECORD_A], row[RECORD_B], row[RECORD_C], row[RECORD_D], row[RECORD_E] = a, b, c, d, e
    count[0] = n + 1


@inlined
def sent_well(nodes: I64, p: int, n: int) -> None:
    """The node's frame is through."""
    nodes[p, n, TEC] = max(nodes[p, n, TEC] - 1, 0)


@inlined
def heard_well(nodes: I64, p: int, n: int) -> None:
    """The node received a good frame."""
    rec = nodes[p, n, REC]
    nodes[p, n, REC] = 127 if rec > 127 else max(rec - 1, 0)


@kernel
def settle(nodes: I64, p: int, n: int, bus: int, t_ns: int, records: I64, count: I64) -> None:
    """Go over to the state that the counters ask for; note it. t_ns: now."""
    tec, rec, state = nodes[p, n, TEC], nodes[p, n, REC], nodes[p, n, STATE]
    nodes[p, n, REC] = rec = min(rec, _MOST)
    nodes[p, n, MOST_TEC], nodes[p, n, MOST_REC] = max(nodes[p, n, MOST_TEC], tec), max(nodes[p, n, MOST_REC], rec)
    if state == BUS_OFF:
        return
    new = BUS_OFF if tec >= OFF_FROM else PASSIVE if tec >= PASSIVE_FROM or rec >= PASSIVE_FROM else ACTIVE
    if new == state:
        return
    nodes[p, n, STATE] = new
    if new == BUS_OFF:
        nodes[p, n, OFF_NS], nodes[p, n, OFF_COUNT] = t_ns, 0
        nodes[p, n, N_OFF] += 1
    note(records, count, p, t_ns, STATE_IS, bus, n, new, tec, rec)


@kernel
def recovers_ns(nodes: I64, p: int, n: int, recessive_ns: int, bitrate: int) -> int:
    """When a node in bus-off is back, if the bus stays recessive from recessive_ns on."""
    bits = (SEQUENCES - nodes[p, n, OFF_COUNT]) * SEQUENCE_BITS
    return int(max(recessive_ns, nodes[p, n, OFF_NS]) + -(-bits * 1_000_000_000 // bitrate))


@kernel
def wait_off(nodes: I64, p: int, n: int, recessive_ns: int, until_ns: int, bitrate: int) -> None:
    """Count the sequences of 11 recessive bits that a node in bus-off saw in one recessive stretch."""
    since_ns = max(recessive_ns, nodes[p, n, OFF_NS])
    if until_ns > since_ns:
        nodes[p, n, OFF_COUNT] += (until_ns - since_ns) * bitrate // 1_000_000_000 // SEQUENCE_BITS


@kernel
def come_back(nodes: I64, p: int, n: int, bus: int, t_ns: int, records: I64, count: I64) -> None:
    """Leave bus-off."""
    nodes[p, n, TEC] = nodes[p, n, REC] = nodes[p, n, OFF_COUNT] = 0
    nodes[p, n, STATE], nodes[p, n, READY_NS] = ACTIVE, t_ns
    note(records, count, p, t_ns, STATE_IS, bus, n, ACTIVE, 0, 0)


@kernel
def tell(nodes: I64, p: int, n: int, bus: int, t_ns: int, records: I64, count: I64) -> None:
    """Note counters that changed since they were last told."""
    tec, rec = nodes[p, n, TEC], nodes[p, n, REC]
    if tec != nodes[p, n, TOLD_TEC] or rec != nodes[p, n, TOLD_REC]:
        nodes[p, n, TOLD_TEC], nodes[p, n, TOLD_REC] = tec, rec
        note(records, count, p, t_ns, COUNT_IS, bus, n, nodes[p, n, STATE], tec, rec)
