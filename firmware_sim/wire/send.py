"""Cyclic sending, the same for every node: which slots are due in this tick, in what order, done when."""

from __future__ import annotations

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64
from firmware_sim.wire.codec import encode_slot
from firmware_sim.wire.crc import protect
from firmware_sim.wire.layout import BUS, COUNTS_WITH, CYCLE_NS, FRAME_NS, LEN, LENGTH, PHASE_NS, SENT, T_NS, Layout

# Rows of a sender's state: next due time of a slot, and the E2E counter of its next frame.
NEXT_NS, COUNTER = range(2)


def sender_state(layout: Layout, n_packs: int, t_ns: int = 0) -> I64:
    """State of a sender that starts at t_ns: (n_packs, 2, n_slots) int64, rows NEXT_NS and COUNTER."""
    state = np.zeros((n_packs, 2, layout.n_slots), np.int64)
    state[:, NEXT_NS] = t_ns + layout.slots[:, PHASE_NS]
    return state


@kernel
def send_due(
    t_ns: int,
    values: F64,
    bus_free_ns: I64,
    state: I64,
    signals: I64,
    scales: F64,
    slots: I64,
    blank: I64,
    words: I64,
    meta: I64,
) -> None:
    """Encode and protect every slot whose time has come; mark the others as not sent.

    t_ns: time of the tick.  values: (n_packs, n_signals) physical.  bus_free_ns: (n_packs, n_buses), when each bus is
    free again, changed in place.  state: see sender_state, changed in place.  words, meta: the image to fill.
    Slots stand in order of arbitration, so the frames of a tick follow each other on their bus without a gap.
    """
    for p in range(values.shape[0]):
        for s in range(slots.shape[0]):
            if state[p, NEXT_NS, s] > t_ns:
                meta[p, SENT, s] = 0
                continue
            state[p, NEXT_NS, s] += slots[s, CYCLE_NS]
            encode_slot(values, p, s, signals, scales, slots, blank, words)
            own = slots[s, COUNTS_WITH]
            state[p, COUNTER, own] = protect(words, p, slots, s, state[p, COUNTER, own])
            bus = slots[s, BUS]
            end_ns = max(bus_free_ns[p, bus], t_ns) + slots[s, FRAME_NS]
            bus_free_ns[p, bus] = end_ns
            meta[p, SENT, s] = 1
            meta[p, LEN, s] = slots[s, LENGTH]
            meta[p, T_NS, s] = end_ns
