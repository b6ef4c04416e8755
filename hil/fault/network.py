"""Network faults: encoded frames lost, late, doubled, altered, frozen; in either direction.

A fault meets the frames whose end lies in its time, whenever they were given to the bus. A frame that no longer fits its
slot moves to the events, with its own time of arrival.
"""

from __future__ import annotations

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64
from firmware_sim.wire.check import read_counter, write_counter
from firmware_sim.wire.crc import write_crc
from firmware_sim.wire.layout import (
    BUS,
    CAN_ID,
    COUNTER_MASK,
    EVENT_BUS,
    EVENT_FLAGS,
    EVENT_ID,
    EVENT_LEN,
    EVENT_PACK,
    EVENT_T_NS,
    EVENT_WORD_0,
    FLAGS,
    LEN,
    N_WORDS,
    SENT,
    T_NS,
    WORD_0,
)
from hil.fault.table import EXTRA, KEPT, MASK, PACK, PRIMITIVE, SEAM, TARGET, WAS_ON, A, is_on, turn

# PRIMITIVE of the network seams. TARGET: slot.
# DROP            the frame does not arrive
# DELAY           it arrives A nanoseconds later
# DOUBLE          it arrives twice, the second time A nanoseconds later
# FLIP            bits MASK of its word EXTRA are inverted
# FREEZE_COUNTER  its E2E counter stands still, with a right CRC
# LENGTH          it arrives with EXTRA bytes
DROP, DELAY, DOUBLE, FLIP, FREEZE_COUNTER, LENGTH = range(6)


@kernel
def _add_event(table: I64, count: I64, words: I64, meta: I64, slots: I64, p: int, s: int, t_ns: int) -> None:
    """Copy slot s to an event table; a full table counts what it lost in count[1]."""
    n = int(count[0])
    if n >= table.shape[0]:
        count[1] += 1
        return
    table[n, EVENT_T_NS], table[n, EVENT_PACK], table[n, EVENT_BUS] = t_ns, p, slots[s, BUS]
    table[n, EVENT_ID], table[n, EVENT_FLAGS], table[n, EVENT_LEN] = slots[s, CAN_ID], slots[s, FLAGS], meta[p, LEN, s]
    for w in range(table.shape[1] - EVENT_WORD_0):
        table[n, EVENT_WORD_0 + w] = words[p, slots[s, WORD_0] + w] if w < slots[s, N_WORDS] else 0
    count[0] = n + 1


@inlined
def _copy_row(source: I64, n: int, target: I64, m: int) -> None:
    for c in range(source.shape[1]):
        target[m, c] = source[n, c]


@kernel
def _freeze(words: I64, slots: I64, p: int, s: int, counter: int) -> None:
    """Write a counter over the frame's own and mend the CRC."""
    write_counter(words, p, slots, s, counter)
    write_crc(words, p, slots, s)


@kernel
def apply(
    until_ns: int, seam: int, rows: I64, numbers: F64, memory: F64, pending: I64, n_pending: I64, words: I64,
    meta: I64, events: I64, event_count: I64, slots: I64,
) -> None:  # fmt: skip
    """Disturb the frames of one direction that are in the image, then deliver late ones that arrive before until_ns.

    seam: TO_DUT or FROM_DUT.  pending, n_pending: frames of this direction under way, and how many found no room.
    events, event_count: added to.
    """
    for n in range(rows.shape[0]):
        if rows[n, SEAM] != seam:
            continue
        primitive, s = rows[n, PRIMITIVE], rows[n, TARGET]
        for p in range(words.shape[0]):
            if (rows[n, PACK] >= 0 and rows[n, PACK] != p) or meta[p, SENT, s] == 0:
                continue
            end_ns = meta[p, T_NS, s]
            if not is_on(rows, n, end_ns):
                continue
            if primitive == DROP:
                meta[p, SENT, s] = 0
            elif primitive == DELAY or primitive == DOUBLE:
                _add_event(pending, n_pending, words, meta, slots, p, s, end_ns + int(numbers[n, A]))
                if primitive == DELAY:
                    meta[p, SENT, s] = 0
            elif primitive == FLIP:
                words[p, slots[s, WORD_0] + rows[n, EXTRA]] ^= rows[n, MASK]
            elif primitive == LENGTH:
                meta[p, LEN, s] = rows[n, EXTRA]
            elif slots[s, COUNTER_MASK] != 0:
                if memory[WAS_ON, p, n] != turn(rows, n, end_ns) + 1.0:
                    memory[WAS_ON, p, n] = turn(rows, n, end_ns) + 1.0
                    memory[KEPT, p, n] = read_counter(words, p, slots, s)
                _freeze(words, slots, p, s, int(memory[KEPT, p, n]))
    kept = 0
    for n in range(n_pending[0]):
        if pending[n, EVENT_T_NS] >= until_ns:
            _copy_row(pending, n, pending, kept)
            kept += 1
        elif event_count[0] < events.shape[0]:
            _copy_row(pending, n, events, event_count[0])
            event_count[0] += 1
        else:
            n_pending[1] += 1
    n_pending[0] = kept
