"""The journal: every frame that crossed the wire, in both directions, as rows of integers."""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import I64
from firmware_sim.wire.layout import (
    BUS,
    CAN_ID,
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
    WORD_0,
)
from firmware_sim.wire.layout import T_NS as META_T_NS

# Columns. T_NS: end of frame.  KIND: what the row is.  SLOT: -1 for a frame that no slot held.
T_NS, KIND, BUS_NO, ID, FRAME_FLAGS, LENGTH, SLOT, WORD = range(8)
# KIND. OFFERED: as the sender meant it, kept for slots that a fault touches.  QUEUED_FROM_DUT: as the device gave it to an
# arbitrated bus, at the time it would end if nobody else sent.
TO_DUT, FROM_DUT, OFFERED_TO_DUT, OFFERED_FROM_DUT, QUEUED_FROM_DUT = range(5)


def n_columns(n_words: int) -> int:
    """Columns of a journal whose frames have up to n_words words."""
    return WORD + n_words


@kernel
def write(
    kind: int, only: I64, words: I64, meta: I64, slots: I64, events: I64, n_events: int, journal: I64, count: I64
) -> None:
    """Append the frames of an image, and its events, of pack 0.

    only: (n_slots,) 1 for the slots to write.  journal: (capacity, columns).  count: (2,) rows in use, rows lost.
    """
    room = journal.shape[0]
    width = journal.shape[1] - WORD
    for s in range(slots.shape[0]):
        if meta[0, SENT, s] == 0 or only[s] == 0:
            continue
        n = count[0]
        if n >= room:
            count[1] += 1
            continue
        row = journal[n]
        row[T_NS], row[KIND], row[SLOT] = meta[0, META_T_NS, s], kind, s
        row[BUS_NO], row[ID], row[FRAME_FLAGS], row[LENGTH] = slots[s, BUS], slots[s, CAN_ID], slots[s, FLAGS], meta[0, LEN, s]
        for w in range(min(slots[s, N_WORDS], width)):
            row[WORD + w] = words[0, slots[s, WORD_0] + w]
        count[0] = n + 1
    for e in range(n_events):
        n = count[0]
        if events[e, EVENT_PACK] != 0:
            continue
        if n >= room:
            count[1] += 1
            continue
        row = journal[n]
        row[T_NS], row[KIND], row[SLOT] = events[e, EVENT_T_NS], kind, -1
        row[BUS_NO], row[ID], row[FRAME_FLAGS], row[LENGTH] = (
            events[e, EVENT_BUS],
            events[e, EVENT_ID],
            events[e, EVENT_FLAGS],
            events[e, EVENT_LEN],
        )
        for w in range(width):
            row[WORD + w] = events[e, EVENT_WORD_0 + w]
        count[0] = n + 1
