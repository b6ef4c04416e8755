"""A protection as the columns of its slot in the wire tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from firmware_sim.wire import layout as w
from firmware_sim.wire.crc import p11_seed
from hil.protection.scheme import Bits, IdByte, Scheme

_WORD = 64


class Place(NamedTuple):
    """Where a number lies: the word, its lowest bit there, whether the word's bytes are reversed before."""

    word: int
    shift: int
    turned: bool


def place_of(bits: Bits) -> Place | None:
    """Place of a number from its bits in the payload, the lowest first; None where it does not lie in one word."""
    if len({bit // _WORD for bit in bits}) != 1:
        return None
    word, first = divmod(bits[0], _WORD)
    if list(bits) == list(range(bits[0], bits[0] + len(bits))):
        return Place(word, first, False)
    return Place(word, 8 * (7 - first // 8) + first % 8, True)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _packed(numbers: Iterable[int]) -> int:
    return _signed(sum(number << 8 * n for n, number in enumerate(numbers)))


def _reversed(number: int, width: int) -> int:
    return int(format(number, f"0{width}b")[::-1], 2)


def _mask(bits: Iterable[int]) -> int:
    return sum(1 << bit % _WORD for bit in bits)


def fixed(scheme: Scheme, data_id: int, length: int) -> tuple[int, int]:
    """(mask, bits) of the first word that stand in every frame of a scheme, unsigned."""
    number = sum((length >> n & 1) << bit for n, bit in enumerate(scheme.length_at))
    number |= sum((data_id >> scheme.id_shift >> n & 1) << bit for n, bit in enumerate(scheme.id_at))
    return _mask(scheme.fixed_at), number


def of(scheme: Scheme, data_id: int, length: int, crc_at: Bits, counter_at: Bits) -> dict[int, int]:
    """Column to number, of all that protects a frame.

    data_id: of the page.  length: of the frame [bytes].  crc_at, counter_at: bits of both, the lowest first; empty: none.
    """
    out = {w.E2E: scheme.way, w.DATA_ID: data_id, w.CRC_SEED: p11_seed(data_id) if scheme.way == w.P11 else 0}
    mask, number = fixed(scheme, data_id, length)
    out |= {w.FIXED_MASK: _signed(mask), w.FIXED: _signed(number)}
    counter = place_of(counter_at) if counter_at else None
    if counter is not None:
        last = (1 << len(counter_at)) - 1 if scheme.last is None else scheme.last
        out |= {w.COUNTER_WORD: counter.word, w.COUNTER_SHIFT: counter.shift, w.COUNTER_MASK: (1 << len(counter_at)) - 1}
        out |= {w.COUNTER_FIRST: scheme.first, w.COUNTER_STEP: scheme.step}
        out |= {w.COUNTER_MAX: (last - scheme.first) // scheme.step}
    check = place_of(crc_at) if crc_at else None
    out[w.TURNED] = (w.COUNTER_TURNED if counter is not None and counter.turned else 0) | (
        w.CHECK_TURNED if check is not None and check.turned else 0
    )
    if check is not None:
        out |= {w.CHECK_WORD: check.word, w.CHECK_SHIFT: check.shift, w.CHECK_BITS: _signed(_mask(crc_at))}
        out |= _computed(scheme, data_id, length, crc_at)
    return out


def _computed(scheme: Scheme, data_id: int, length: int, crc_at: Bits) -> dict[int, int]:
    """The columns that say what a check is computed from, and how."""
    width, kind, poly, start = len(crc_at), scheme.kind, scheme.poly, scheme.init
    if kind == w.CRC_HIGH and scheme.reflect:
        kind, poly, start = w.CRC_LOW, _reversed(poly, width), _reversed(start, width)
    elif kind == w.CRC_HIGH:
        poly, start = poly << 32 - width, start << 32 - width
    else:
        poly = -1 if scheme.minus else 1
    first, last = scheme.data or (0, length - 1)
    whole = (
        set() if scheme.over_crc else {bit // 8 for bit in crc_at if set(range(bit // 8 * 8, bit // 8 * 8 + 8)) <= set(crc_at)}
    )
    named = {"low": data_id & 0xFF, "high": data_id >> 8 & 0xFF}

    def filled(given: Sequence[IdByte]) -> list[int]:
        """Bytes as numbers, with those of the data id put in."""
        return [named[byte] if isinstance(byte, str) else byte for byte in given]

    listed = filled(scheme.listed)
    return {
        w.CHECK: kind, w.WIDTH: width, w.POLY: poly, w.START: start, w.FINAL: scheme.xor_out,
        w.BYTES: _signed(sum(1 << n for n in range(first, last + 1) if n not in whole)),
        w.BEFORE: _packed(filled(scheme.before)), w.N_BEFORE: len(scheme.before),
        w.AFTER: _packed(filled(scheme.after)), w.N_AFTER: len(scheme.after),
        w.LISTED: scheme.list_at, w.LIST_LOW: _packed(listed[:8]), w.LIST_HIGH: _packed(listed[8:]),
    }  # fmt: skip
