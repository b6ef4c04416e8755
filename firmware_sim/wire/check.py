"""The check of a frame by any scheme that its slot's columns can say: CRC of 1 to 32 bits, sums and exclusive or.

The bytes are, in this order: BEFORE, the byte of the list, the chosen bytes of the frame, AFTER, the byte of the list. Where
the check itself stands the frame counts as 0. A CRC is worked out bit by bit; sums need no table either.
"""

from __future__ import annotations

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import I64
from firmware_sim.wire.codec import swap_bytes
from firmware_sim.wire.layout import (
    AFTER,
    BEFORE,
    BYTES,
    CHECK,
    CHECK_BITS,
    CHECK_SHIFT,
    CHECK_TURNED,
    CHECK_WORD,
    COUNTER_MASK,
    COUNTER_SHIFT,
    COUNTER_TURNED,
    COUNTER_WORD,
    CRC_HIGH,
    CRC_LOW,
    FINAL,
    FIXED,
    FIXED_MASK,
    HALF_SUM,
    HALF_XOR,
    LENGTH,
    LIST_HIGH,
    LIST_LOW,
    LISTED,
    LISTED_AFTER,
    LISTED_BEFORE,
    LISTED_ONTO,
    N_AFTER,
    N_BEFORE,
    NO_CHECK,
    POLY,
    START,
    SUM,
    TURNED,
    WIDTH,
    WORD_0,
    XOR,
)


@inlined
def read_counter(words: I64, p: int, slots: I64, s: int) -> int:
    """The counter that stands in a frame; 0 where it has none."""
    w = words[p, slots[s, WORD_0] + slots[s, COUNTER_WORD]]
    if slots[s, TURNED] & COUNTER_TURNED:
        w = swap_bytes(w)
    return (w >> slots[s, COUNTER_SHIFT]) & slots[s, COUNTER_MASK]


@kernel
def write_counter(words: I64, p: int, slots: I64, s: int, counter: int) -> None:
    """Write a counter over the frame's own."""
    word = slots[s, WORD_0] + slots[s, COUNTER_WORD]
    mask, bits = slots[s, COUNTER_MASK] << slots[s, COUNTER_SHIFT], counter << slots[s, COUNTER_SHIFT]
    if slots[s, TURNED] & COUNTER_TURNED:
        mask, bits = swap_bytes(mask), swap_bytes(bits)
    words[p, word] = (words[p, word] & ~mask) | bits


@kernel
def _with(state: int, byte: int, kind: int, poly: int) -> int:
    """The state of a check after one more byte. A CRC with the highest bit first stands at the top of 32 bits."""
    if kind == CRC_HIGH:
        state ^= byte << 24
        for _ in range(8):
            state = ((state << 1) ^ poly if state & 0x80000000 else state << 1) & 0xFFFFFFFF
    elif kind == CRC_LOW:
        for n in range(8):
            bit = (state ^ (byte >> n)) & 1
            state = (state >> 1) ^ poly if bit else state >> 1
    elif kind == SUM:
        state += poly * byte
    elif kind == HALF_SUM:
        state += poly * ((byte & 0xF) + (byte >> 4))
    elif kind == XOR:
        state ^= byte
    elif kind == HALF_XOR:
        state ^= (byte & 0xF) ^ (byte >> 4)
    return state


@kernel
def check_of(words: I64, p: int, slots: I64, s: int) -> int:
    """The check that a frame should carry."""
    kind, width, poly, state = slots[s, CHECK], slots[s, WIDTH], slots[s, POLY], slots[s, START]
    n = read_counter(words, p, slots, s) & 15
    listed = ((slots[s, LIST_LOW] if n < 8 else slots[s, LIST_HIGH]) >> (8 * (n & 7))) & 0xFF
    for i in range(slots[s, N_BEFORE]):
        state = _with(state, (slots[s, BEFORE] >> (8 * i)) & 0xFF, kind, poly)
    if slots[s, LISTED] == LISTED_BEFORE:
        state = _with(state, listed, kind, poly)
    for i in range(slots[s, LENGTH]):
        if (slots[s, BYTES] >> i) & 1:
            w = words[p, slots[s, WORD_0] + (i >> 3)]
            if i >> 3 == slots[s, CHECK_WORD]:
                w &= ~slots[s, CHECK_BITS]
            state = _with(state, (w >> (8 * (i & 7))) & 0xFF, kind, poly)
    for i in range(slots[s, N_AFTER]):
        state = _with(state, (slots[s, AFTER] >> (8 * i)) & 0xFF, kind, poly)
    if slots[s, LISTED] == LISTED_AFTER:
        state = _with(state, listed, kind, poly)
    if kind == CRC_HIGH:
        state >>= 32 - width
    if slots[s, LISTED] == LISTED_ONTO:
        state ^= listed
    return (state ^ slots[s, FINAL]) & ((1 << width) - 1)


@kernel
def _in_place(slots: I64, s: int, check: int) -> int:
    """The bits of a check where it stands in its word."""
    bits = check << slots[s, CHECK_SHIFT]
    return swap_bytes(bits) if slots[s, TURNED] & CHECK_TURNED else bits


@kernel
def is_right(words: I64, p: int, slots: I64, s: int) -> bool:
    """True when check and fixed bits are those that a frame of this slot has."""
    word = slots[s, WORD_0]
    if (words[p, word] ^ slots[s, FIXED]) & slots[s, FIXED_MASK] != 0:
        return False
    if slots[s, CHECK] == NO_CHECK:
        return True
    found = words[p, word + slots[s, CHECK_WORD]] & slots[s, CHECK_BITS]
    return bool(found == _in_place(slots, s, check_of(words, p, slots, s)))


@kernel
def write(words: I64, p: int, slots: I64, s: int) -> None:
    """Put the right check into a frame whose payload and counter are done."""
    if slots[s, CHECK] != NO_CHECK:
        word = slots[s, WORD_0] + slots[s, CHECK_WORD]
        words[p, word] = (words[p, word] & ~slots[s, CHECK_BITS]) | _in_place(slots, s, check_of(words, p, slots, s))
