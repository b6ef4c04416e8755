"""Frames that no slot holds, as a receiver takes them: is this one for that slot, and what is in it."""

from __future__ import annotations

from firmware_sim.jit import inlined
from firmware_sim.types import I64
from firmware_sim.wire.layout import (
    BUS,
    CAN_ID,
    EVENT_BUS,
    EVENT_FLAGS,
    EVENT_ID,
    EVENT_PACK,
    EVENT_WORD_0,
    EXTENDED,
    FLAGS,
    N_WORDS,
    NOTED,
    PAGE_MASK,
    WORD_0,
)


@inlined
def is_for(events: I64, e: int, slots: I64, blank: I64, p: int, s: int) -> bool:
    """True when event e has the pack p, and the bus, id and page of slot s, and is there to be obeyed."""
    return (
        events[e, EVENT_PACK] == p
        and slots[s, CAN_ID] == events[e, EVENT_ID]
        and slots[s, BUS] == events[e, EVENT_BUS]
        and slots[s, FLAGS] & EXTENDED == events[e, EVENT_FLAGS] & (EXTENDED | NOTED)
        and (events[e, EVENT_WORD_0] ^ blank[slots[s, WORD_0]]) & slots[s, PAGE_MASK] == 0
    )


@inlined
def unpack(events: I64, e: int, slots: I64, p: int, s: int, words: I64) -> None:
    """Copy the payload of event e to where slot s has its words. words: (n_packs, n_words), changed in place."""
    for w in range(slots[s, N_WORDS]):
        words[p, slots[s, WORD_0] + w] = events[e, EVENT_WORD_0 + w]
