"""Physical values <-> payload bits, for every signal a DBC can describe.

Encoding: raw = (value - offset) / scale, rounded half to even; a value outside the signal's range is sent as its error
code, NaN as its "not available" code; where the DBC has no such code it is clipped. Decoding: raw * scale + offset, and
a raw value outside the range is not a value. Floats are neither rounded nor have codes: NaN is no value, and what lies
outside the range is clipped when sent and no value when read.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64, U8
from firmware_sim.wire.layout import (
    BIG_ENDIAN,
    BITS,
    COUNT,
    FIRST,
    FLOAT,
    GUARD,
    GUARDED,
    KIND,
    LINK,
    MASK,
    N_WORDS,
    NO_VALUE,
    OFFSET,
    RAW_HIGH,
    RAW_LOW,
    RAW_MAX,
    RAW_MIN,
    RAW_NAN,
    SCALE,
    SHIFT,
    SIGNED,
    SPLIT,
    TABLE,
    WORD,
    WORD_0,
)

_TABLE_SIZE = 8
_SAME: Any = np.int64(0)  # `words` starts where the layout does
_EXACT = 2251799813685248.0  # 2^51: from here on a float has no half to round
_TOO_LARGE = 9223372036854775808.0  # 2^63 as a float is also high + 0.5 of a signal of 63 or 64 bits
_HALF_EVEN = 6755399441055744.0  # 1.5 * 2^52: adding it leaves no room for a fraction, so the sum is rounded half to even


@inlined
def swap_bytes(w: int) -> int:
    """Reverse the eight bytes of a word."""
    a = ((w >> 8) & 0x00FF00FF00FF00FF) | ((w & 0x00FF00FF00FF00FF) << 8)
    b = ((a >> 16) & 0x0000FFFF0000FFFF) | ((a & 0x0000FFFF0000FFFF) << 16)
    return ((b >> 32) & 0x00000000FFFFFFFF) | ((b & 0x00000000FFFFFFFF) << 32)


@inlined
def to_raw(value: float, i: int, signals: I64, scales: F64) -> int:
    """Raw integer of signal i for a physical value; see the module text."""
    x = (value - scales[i, OFFSET]) / scales[i, SCALE]
    low, high = signals[i, RAW_MIN], signals[i, RAW_MAX]
    if not x >= low - 0.5:
        raw = signals[i, RAW_LOW] if x == x else signals[i, RAW_NAN]
    elif x > high + 0.5 or x >= _TOO_LARGE:
        raw = signals[i, RAW_HIGH]
    else:
        raw = int((x + _HALF_EVEN) - _HALF_EVEN) if -_EXACT < x < _EXACT else int(x)
        if raw < low:
            raw = signals[i, RAW_LOW]
        elif raw > high:
            raw = signals[i, RAW_HIGH]
    return raw


@kernel
def _float_value(bits: int, length: int) -> float:
    """The float that these bits are; NaN for infinities too. length: 32 or 64."""
    if length == 32:
        sign, exponent, fraction, one, least = (bits >> 31) & 1, (bits >> 23) & 0xFF, bits & 0x7FFFFF, 0x800000, -149
        top = 0xFF
    else:
        sign, exponent, fraction = (bits >> 63) & 1, (bits >> 52) & 0x7FF, bits & 0xFFFFFFFFFFFFF
        one, least, top = 0x10000000000000, -1074, 0x7FF
    if exponent == top:
        x = math.nan
    elif exponent == 0:
        x = math.ldexp(float(fraction), int(least))
    else:
        x = math.ldexp(float(fraction + one), int(least + exponent - 1))
    return -x if sign else x


@kernel
def _nearest_bits(x: float, length: int) -> int:
    """Bits of the float nearest to x, which is finite and in range; of two as near the even one. length: 32 or 64.

    Floats of one sign are ordered as their bits are, so the bits are found by halving.
    """
    size = math.fabs(x)
    low, high = 0, 0x7F800000 if length == 32 else 0x7FF0000000000000
    infinite = high
    while high - low > 1:
        middle = low + ((high - low) >> 1)
        if _float_value(middle, length) <= size:
            low = middle
        else:
            high = middle
    if high < infinite:
        below, above = size - _float_value(low, length), _float_value(high, length) - size
        if below > above or (below == above and low & 1):
            low = high
    if x < 0.0:
        low = low | (0x80000000 if length == 32 else -1 << 63)
    return low


@kernel
def _float_bits(value: float, i: int, signals: I64, scales: F64) -> int:
    """Bits of signal i, a float, for a physical value."""
    x, length = (value - scales[i, OFFSET]) / scales[i, SCALE], signals[i, BITS]
    low, high = _float_value(signals[i, RAW_MIN], 64), _float_value(signals[i, RAW_MAX], 64)
    if x != x:
        x = _float_value(signals[i, RAW_NAN], 64)
    elif x < low:
        x = low
    elif x > high:
        x = high
    if x == x:
        bits = _nearest_bits(x, length)
    else:
        bits = 0x7FC00000 if length == 32 else 0x7FF8000000000000
    return bits


@kernel
def _guard_raw(values: F64, p: int, at: int, i: int, first: int, count: int, signals: I64) -> int:
    """Raw value of a guard: whether all that it stands for are values.

    values: of the signals from `at` on in its row p.  first, count: rows of its slot.
    """
    raw = signals[i, LINK]
    for k in range(first, first + count):
        if signals[k, KIND] & GUARDED and signals[k, LINK] == i and values[p, k - at] != values[p, k - at]:
            raw = signals[i, RAW_NAN]
    return raw


@kernel
def _raw_any(values: F64, p: int, at: int, i: int, signals: I64, scales: F64, first: int, count: int) -> int:
    """Raw bits of a signal of any kind. values, at, first, count: as for _guard_raw."""
    kind = signals[i, KIND]
    if kind & FLOAT:
        raw = _float_bits(values[p, i - at], i, signals, scales)
    elif kind & GUARD:
        raw = _guard_raw(values, p, at, i, first, count, signals)
    else:
        raw = to_raw(values[p, i - at], i, signals, scales)
        if kind & TABLE:
            raw = (signals[i, LINK] >> (8 * raw)) & NO_VALUE if raw >= 0 else ~raw
            if raw == NO_VALUE:
                raw = ~signals[i, RAW_NAN]
    return raw


@kernel
def _insert_any(raw: int, i: int, signals: I64, words: I64, p: int, base: int) -> None:
    """Put a raw value of any kind into a frame whose bits for it are 0."""
    word, shift, kind, length = signals[i, WORD] - base, signals[i, SHIFT], signals[i, KIND], signals[i, BITS]
    bits = raw & signals[i, MASK]
    if kind & BIG_ENDIAN:
        # shift counts from the top of the byte-swapped word to the signal's first bit
        free = 64 - shift - length
        if free >= 0:
            words[p, word] |= swap_bytes(bits << free)
        else:
            words[p, word] |= swap_bytes((bits >> -free) & ((1 << (length + free)) - 1))
            words[p, word + 1] |= swap_bytes(bits << (64 + free))
    elif kind & SPLIT:
        words[p, word] |= bits << shift
        words[p, word + 1] |= (bits >> (64 - shift)) & ((1 << (length - 64 + shift)) - 1)
    else:
        words[p, word] |= bits << shift


@kernel
def _extract_bits(i: int, signals: I64, words: I64, p: int, base: int) -> int:
    """The raw value of a signal in any place, sign-extended where it is signed."""
    word, shift, kind, length, mask = (
        signals[i, WORD] - base,
        signals[i, SHIFT],
        signals[i, KIND],
        signals[i, BITS],
        signals[i, MASK],
    )
    if kind & BIG_ENDIAN:
        free = 64 - shift - length
        if free >= 0:
            raw = (swap_bytes(words[p, word]) >> free) & mask
        else:
            low = (swap_bytes(words[p, word + 1]) >> (64 + free)) & ((1 << -free) - 1)
            raw = ((swap_bytes(words[p, word]) << -free) | low) & mask
    elif kind & SPLIT:
        low = (words[p, word] >> shift) & ((1 << (64 - shift)) - 1)
        raw = (low | (words[p, word + 1] << (64 - shift))) & mask
    else:
        raw = (words[p, word] >> shift) & mask
    if kind & SIGNED and length < 64 and (raw >> (length - 1)) & 1:
        raw = raw - mask - 1  # mask + 1 would not fit a signal of 63 bits
    return raw


@kernel
def _extract_any(i: int, signals: I64, words: I64, p: int, base: int) -> int:
    """The raw value of a signal of any kind; one above its range where a guard says that it is no value."""
    kind, raw = signals[i, KIND], _extract_bits(i, signals, words, p, base)
    if kind & TABLE:
        found = signals[i, RAW_MAX] + 1
        for value in range(_TABLE_SIZE):
            if raw != NO_VALUE and (signals[i, LINK] >> (8 * value)) & NO_VALUE == raw:
                found = value
        raw = found
    elif kind & GUARDED:
        guard = signals[i, LINK]
        if _extract_bits(guard, signals, words, p, base) != signals[guard, LINK]:
            raw = signals[i, RAW_MAX] + 1
    return raw


@kernel
def _float_of(i: int, signals: I64, words: I64, p: int, base: int) -> float:
    """The float that stands in signal i; NaN where it is no value."""
    x = _float_value(_extract_bits(i, signals, words, p, base), signals[i, BITS])
    if signals[i, KIND] & GUARDED:
        guard = signals[i, LINK]
        if _extract_bits(guard, signals, words, p, base) != signals[guard, LINK]:
            x = math.nan
    if not _float_value(signals[i, RAW_MIN], 64) <= x <= _float_value(signals[i, RAW_MAX], 64):
        x = math.nan
    return x


@inlined
def extract(i: int, signals: I64, words: I64, p: int, base: int) -> int:
    """The raw value of signal i. base: first word of its slot in the layout minus that in `words`."""
    if signals[i, KIND] == 0:
        raw = (words[p, signals[i, WORD] - base] >> signals[i, SHIFT]) & signals[i, MASK]
    else:
        raw = _extract_any(i, signals, words, p, base)
    return raw


@inlined
def encode_slot(values: F64, p: int, s: int, signals: I64, scales: F64, slots: I64, blank: I64, words: I64) -> None:
    """Build the payload of slot s from values[p, :]; the E2E header stays 0."""
    word_0 = slots[s, WORD_0]
    for w in range(word_0, word_0 + slots[s, N_WORDS]):
        words[p, w] = blank[w]
    first = slots[s, FIRST]
    for i in range(first, first + slots[s, COUNT]):
        if signals[i, KIND] == 0:
            words[p, signals[i, WORD]] |= to_raw(values[p, i], i, signals, scales) << signals[i, SHIFT]
        else:
            raw = _raw_any(values, p, _SAME, i, signals, scales, first, slots[s, COUNT])
            _insert_any(raw, i, signals, words, p, _SAME)


@inlined
def decode_slot(words: I64, p: int, s: int, signals: I64, scales: F64, slots: I64, values: F64, valid: U8) -> None:
    """Read the payload of slot s into values[p, :]; valid[p, i] = 0 and the old value stays where no value was sent."""
    first = slots[s, FIRST]
    for i in range(first, first + slots[s, COUNT]):
        if signals[i, KIND] >= FLOAT:
            x = _float_of(i, signals, words, p, _SAME)
            valid[p, i] = 1 if x == x else 0
            if x == x:
                values[p, i] = x * scales[i, SCALE] + scales[i, OFFSET]
            continue
        raw = extract(i, signals, words, p, _SAME)
        if signals[i, RAW_MIN] <= raw <= signals[i, RAW_MAX]:
            values[p, i] = raw * scales[i, SCALE] + scales[i, OFFSET]
            valid[p, i] = 1
        else:
            valid[p, i] = 0


@kernel
def decode_many(payloads: I64, s: int, signals: I64, scales: F64, slots: I64, values: F64, valid: U8) -> None:
    """Decode n frames of slot s at once.

    payloads: (n, n_words of the slot) int64.  values, valid: (n, COUNT of the slot), written.
    """
    first, base = slots[s, FIRST], slots[s, WORD_0]
    for p in range(payloads.shape[0]):
        for n in range(slots[s, COUNT]):
            i = first + n
            if signals[i, KIND] >= FLOAT:
                x = _float_of(i, signals, payloads, p, base)
                values[p, n] = x * scales[i, SCALE] + scales[i, OFFSET]
                valid[p, n] = 1 if x == x else 0
                continue
            raw = extract(i, signals, payloads, p, base)
            values[p, n] = raw * scales[i, SCALE] + scales[i, OFFSET]
            valid[p, n] = 1 if signals[i, RAW_MIN] <= raw <= signals[i, RAW_MAX] else 0


@kernel
def encode_many(values: F64, s: int, signals: I64, scales: F64, slots: I64, blank: I64, payloads: I64) -> None:
    """Encode n frames of slot s at once, without E2E header.

    values: (n, COUNT of the slot).  payloads: (n, n_words of the slot) int64, written.
    """
    first, base = slots[s, FIRST], slots[s, WORD_0]
    for p in range(payloads.shape[0]):
        for w in range(slots[s, N_WORDS]):
            payloads[p, w] = blank[base + w]
        for n in range(slots[s, COUNT]):
            i = first + n
            if signals[i, KIND] == 0:
                payloads[p, signals[i, WORD] - base] |= to_raw(values[p, n], i, signals, scales) << signals[i, SHIFT]
            else:
                raw = _raw_any(values, p, first, i, signals, scales, first, slots[s, COUNT])
                _insert_any(raw, i, signals, payloads, p, base)
