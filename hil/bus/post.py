"""Between the frames of a tick and the bus: into the mailboxes, and out of what came."""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import I64
from firmware_sim.wire.layout import (
    EVENT_BUS,
    EVENT_FLAGS,
    EVENT_ID,
    EVENT_LEN,
    EVENT_PACK,
    EVENT_T_NS,
    EVENT_WORD_0,
    LEN,
    SENT,
    T_NS,
)
from hil.bus import confine as cf
from hil.bus import table as tb
from hil.bus.arbiter import babble_id
from hil.fault.table import EXTRA


@kernel
def post(
    t_ns: int, direction: int, words: I64, meta: I64, mails: I64, boxes: I64, payload: I64, wire: I64, records: I64, count: I64
) -> None:
    """Put the frames of an image that go over an arbitrated bus into their mailboxes, and take them out of the image.

    A frame that still waits in its mailbox is overwritten and lost; one that is under way is not.
    """
    for m in range(mails.shape[0]):
        if mails[m, tb.DIRECTION] != direction:
            continue
        s, b = mails[m, tb.SLOT], mails[m, tb.BUS]
        for p in range(words.shape[0]):
            if meta[p, SENT, s] == 0:
                continue
            meta[p, SENT, s] = 0
            if boxes[p, m, tb.FULL] == 1 and wire[p, b, tb.SENDER] != m and wire[p, b, tb.RIVAL] != m:
                boxes[p, m, tb.N_REPLACED] += 1
                since_ns = boxes[p, m, tb.RELEASE_NS]
                cf.note(records, count, p, t_ns, tb.REPLACED, b, mails[m, tb.NODE], mails[m, tb.CAN_ID], s, since_ns)
            boxes[p, m, tb.FULL], boxes[p, m, tb.RELEASE_NS], boxes[p, m, tb.LENGTH] = 1, t_ns, meta[p, LEN, s]
            for w in range(mails[m, tb.WORD_0], mails[m, tb.WORD_0] + mails[m, tb.N_WORDS]):
                payload[p, w] = words[p, w]


@kernel
def deliver(
    direction: int, came: I64, n_came: I64, mails: I64, rows: I64, known: I64, words: I64, meta: I64, events: I64,
    event_count: I64, deaf: I64,
) -> None:  # fmt: skip
    """Put what came for one direction into its image, a second frame of a slot and a babbling node's into its events.

    To the device goes what it heard. Its own frames are on the bus whoever hears them; deaf, (n_packs, n_slots), is 1 for
    those that the pack's I/O unit did not hear.  known: (n, 2) bus and id of frames in this direction: others are no frames
    that anybody waits for.
    """
    for k in range(n_came[0]):
        p, sender = came[k, tb.CAME_PACK], came[k, tb.CAME_SENDER]
        s, n_words, is_known = -1, 8, False
        if sender < mails.shape[0]:
            if mails[sender, tb.DIRECTION] != direction:
                continue
            can_id, flags = mails[sender, tb.CAN_ID], mails[sender, tb.FLAGS]
            s, n_words, is_known = mails[sender, tb.SLOT], mails[sender, tb.N_WORDS], True
        else:
            can_id, flags = babble_id(rows[sender - mails.shape[0], EXTRA])
            for i in range(known.shape[0]):
                is_known = is_known or (known[i, 0] == came[k, tb.CAME_BUS] and known[i, 1] == can_id)
        if not is_known or (direction == tb.INCOMING and came[k, tb.CAME_DUT] == 0):
            continue
        if s >= 0 and meta[p, SENT, s] == 0:
            meta[p, SENT, s], meta[p, LEN, s], meta[p, T_NS, s] = 1, came[k, tb.CAME_BYTES], came[k, tb.CAME_NS]
            for w in range(n_words):
                words[p, mails[sender, tb.WORD_0] + w] = came[k, tb.CAME_WORD + w]
            if direction == tb.OUTGOING:
                deaf[p, s] = 1 - came[k, tb.CAME_COILS]
            continue
        n = event_count[0]
        if n >= events.shape[0]:
            event_count[1] += 1
            continue
        event_count[0] = n + 1
        events[n, EVENT_T_NS], events[n, EVENT_PACK], events[n, EVENT_BUS] = came[k, tb.CAME_NS], p, came[k, tb.CAME_BUS]
        events[n, EVENT_ID], events[n, EVENT_FLAGS], events[n, EVENT_LEN] = can_id, flags, came[k, tb.CAME_BYTES]
        for w in range(8):
            events[n, EVENT_WORD_0 + w] = came[k, tb.CAME_WORD + w] if w < n_words else 0
