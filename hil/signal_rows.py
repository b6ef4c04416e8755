"""One signal of a DBC as a row of the wire tables: where its bits lie, and which raw values are values."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from firmware_sim.wire import layout as w

_FIRST_WORD = 64
_NEAR_HALF = 1e-6
_LARGEST = {32: 3.4028234663852886e38, 64: 1.7976931348623157e308}


@dataclass(frozen=True)
class Guard:
    """The signal that says whether another one is a value. good, bad: its raw values for that."""

    signal: str
    good: int
    bad: int


@dataclass(frozen=True)
class Meaning:
    """Raw values that stand for the values 0 to 7 of a role, and for none. values: role value to raw."""

    values: Mapping[int, int]
    none: int | None

    def packed(self) -> int:
        """Column LINK."""
        number = sum(self.values.get(value, w.NO_VALUE) << 8 * value for value in range(8))
        return number - (1 << 64) if number >> 63 else number


def place(signal: Any) -> tuple[int, int]:
    """(first bit, kind) of a cantools signal; a big-endian one is counted from the top of each byte."""
    if signal.byte_order == "little_endian":
        return signal.start, 0
    return signal.start // 8 * 8 + 7 - signal.start % 8, w.BIG_ENDIAN


def bits_of(signal: Any) -> list[int]:
    """Bits of the payload that a signal takes, the least significant first, byte by byte from the lowest bit up."""
    first, kind = place(signal)
    if not kind:
        return list(range(first, first + signal.length))
    return [8 * (at // 8) + 7 - at % 8 for at in range(first + signal.length - 1, first - 1, -1)]


def page_bits(signal: Any, page: int) -> tuple[int, int]:
    """(mask, bits) of the first word for a page of a multiplexer. Raises ValueError with what is wrong."""
    bits = bits_of(signal)
    if max(bits) >= _FIRST_WORD:
        raise ValueError(f"a multiplexer must lie in the first {_FIRST_WORD} bits, found it at {signal.start}")
    if page >> signal.length:
        raise ValueError(f"page {page} does not fit a multiplexer of {signal.length} bits")
    mask = sum(1 << bit for bit in bits)
    value = sum((page >> n & 1) << bit for n, bit in enumerate(bits))
    return mask, value


def compile_signal(signal: Any, slot: int, word_0: int, problems: list[str]) -> tuple[list[int], tuple[float, float]]:
    """Rows of Layout.signals and Layout.scales for a cantools signal; LINK is 0.

    slot, word_0: its slot and that slot's first word.  problems: sentences are added to it.
    """
    bits = signal.length
    if bits > 64:
        problems.append(f'signal "{signal.name}" has {bits} bits; expected at most 64')
        bits = 64
    position, kind = place(signal)
    if position % 64 + bits > 64:
        kind |= w.SPLIT
    mask = (1 << bits) - 1 if bits < 64 else -1
    scale = (float(signal.scale), float(signal.offset))
    where = [slot, word_0 + position // 64, position % 64, bits, mask]
    if signal.is_float:
        if bits not in _LARGEST:
            problems.append(f'signal "{signal.name}" is a float of {bits} bits; expected 32 or 64')
            bits = 64
        low, high = (float64_bits(x) for x in _float_range(signal, bits))
        return [*where, kind | w.FLOAT, low, high, low, high, float64_bits(float("nan")), 0], scale
    if signal.is_signed:
        kind |= w.SIGNED
    low, high = raw_range(signal, bits)
    if low > high:
        problems.append(f'signal "{signal.name}": no raw value of it lies in its range [{signal.minimum}|{signal.maximum}]')
        low = high = 0
    error, none = (None if code is not None and low <= code <= high else code for code in raw_codes(signal))
    below = low if error is None else error
    above = high if error is None else error
    nan = none if none is not None else error if error is not None else low
    return [*where, kind, low, high, below, above, nan, 0], scale


def with_meaning(row: list[int], meaning: Meaning) -> list[int]:
    """A row whose values go through a table."""
    row = list(row)
    values = sorted(meaning.values)
    none = ~(meaning.none if meaning.none is not None else meaning.values[values[0]])
    row[w.KIND] |= w.TABLE
    row[w.RAW_MIN], row[w.RAW_MAX], row[w.LINK] = values[0], values[-1], meaning.packed()
    row[w.RAW_LOW] = row[w.RAW_HIGH] = row[w.RAW_NAN] = none
    return row


def float64_bits(value: float) -> int:
    """The bits of a float as a whole number with sign."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def _float_range(signal: Any, bits: int) -> tuple[float, float]:
    """Smallest and largest float that is a value: the DBC's [min|max], or all that are finite."""
    most = _LARGEST[bits]
    if signal.minimum is None or signal.maximum is None or signal.minimum >= signal.maximum:
        return -most, most
    ends = sorted((end - signal.offset) / signal.scale for end in (signal.minimum, signal.maximum))
    return max(float(ends[0]), -most), min(float(ends[1]), most)


def raw_range(signal: Any, bits: int) -> tuple[int, int]:
    """Smallest and largest raw value that is a value: the DBC's [min|max], or all that the bits hold."""
    if signal.is_signed:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    else:
        low, high = 0, min((1 << bits) - 1, (1 << 63) - 1)
    if signal.minimum is None or signal.maximum is None or signal.minimum >= signal.maximum:
        return low, high
    ends = sorted(_nearest_raw(end, signal) for end in (signal.minimum, signal.maximum))
    return max(low, ends[0]), min(high, ends[1])


def _nearest_raw(value: float, signal: Any) -> int:
    """Raw value nearest to a physical one, by the decimal numbers of the DBC where their floats cannot tell."""
    raw = float((value - signal.offset) / signal.scale)
    if abs(raw - math.floor(raw) - 0.5) > _NEAR_HALF:
        return round(raw)
    exact = [Fraction(repr(number)) for number in (value, signal.offset, signal.scale)]
    return round((exact[0] - exact[1]) / exact[2])


def raw_codes(signal: Any) -> tuple[int | None, int | None]:
    """Raw values whose names say "error" and "not available"; None where no value that fits the bits has such a name."""
    most = 1 << min(signal.length, 63)
    choices = {int(raw): str(name) for raw, name in (signal.choices or {}).items()}
    named = {name.lower().replace(" ", "_"): raw for raw, name in choices.items() if -most <= raw < most}
    return named.get("error"), named.get("not_available")
