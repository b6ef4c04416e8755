"""Schemes of protection as data: the profiles of AUTOSAR, named CRCs, and what else a mapping can put together.

A scheme says how a check is computed (CRC, sum, exclusive or), over which bytes, and how the counter counts; a profile says
besides where everything lies. Sources: AUTOSAR E2E protocol specification and the CRC library's, vectors and check values
in tests/hil/test_protection.py; names of the other CRCs as in the catalogue of parametrised CRC algorithms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from firmware_sim.wire import layout as w

IdByte = int | Literal["low", "high"]
Bits = tuple[int, ...]


def little(start: int, length: int) -> Bits:
    """Bits of a little-endian number in the payload, the lowest first."""
    return tuple(range(start, start + length))


def big(byte: int, n_bytes: int) -> Bits:
    """Bits of a big-endian number of whole bytes, the lowest first."""
    return tuple(8 * (byte + n) + bit for n in reversed(range(n_bytes)) for bit in range(8))


@dataclass(frozen=True)
class Scheme:
    """How a message is protected.

    way: NO_E2E, P11, P05 or OTHER.  kind: how the check is computed; NO_CHECK for a counter alone.  width: of a CRC by name,
    0: of its signal.  poly, init, xor_out, reflect: of the CRC.  init: of a sum, where it begins.  minus: what is summed is
    taken off.  over_crc: the bytes of a CRC count too, as 0.
    data: first and last byte that is checked; None: all.  before, after: bytes that stand only in the check, "low" and "high"
    are those of the data id.  listed, list_at: 16 bytes, picked by the counter, and where they come in.
    first, last, step: of the counter; last None: all that its signal can say.  over_pages: one runs over all pages.
    crc_at, counter_at: where they lie; empty: where their signals do.  length_at, id_at: the length of the frame and the data
    id, which stand in the frame.  id_shift: lowest bit of the id that does.  shortest: bytes of the header.
    """

    way: int = w.OTHER
    kind: int = w.NO_CHECK
    width: int = 0
    poly: int = 0
    init: int = 0
    xor_out: int = 0
    reflect: bool = False
    minus: bool = False
    over_crc: bool = False
    data: tuple[int, int] | None = None
    before: tuple[IdByte, ...] = ()
    after: tuple[IdByte, ...] = ()
    listed: tuple[IdByte, ...] = ()
    list_at: int = w.NOT_LISTED
    first: int = 0
    last: int | None = None
    step: int = 1
    over_pages: bool = False
    crc_at: Bits = ()
    counter_at: Bits = ()
    length_at: Bits = ()
    id_at: Bits = ()
    id_shift: int = 0
    shortest: int = 0
    id_bits: int = 16

    @property
    def fixed_at(self) -> Bits:
        """Bits that stand in every frame."""
        return self.length_at + self.id_at


def _crc(width: int, poly: int, init: int, xor_out: int, *, reflect: bool = False) -> Scheme:
    return Scheme(kind=w.CRC_HIGH, width=width, poly=poly, init=init, xor_out=xor_out, reflect=reflect)


# CRCs by name, with their check values over "123456789".
NAMED = {
    "CRC-8-SAE-J1850": (_crc(8, 0x1D, 0xFF, 0xFF), 0x4B),
    "CRC-8H2F": (_crc(8, 0x2F, 0xFF, 0xFF), 0xDF),
    "CRC-8-SMBUS": (_crc(8, 0x07, 0x00, 0x00), 0xF4),
    "CRC-8-NRSC-5": (_crc(8, 0x31, 0xFF, 0x00), 0xF7),
    "CRC-15-CAN": (_crc(15, 0x4599, 0x0000, 0x0000), 0x059E),
    "CRC-16-CCITT": (_crc(16, 0x1021, 0xFFFF, 0x0000), 0x29B1),
    "CRC-16-XMODEM": (_crc(16, 0x1021, 0x0000, 0x0000), 0x31C3),
    "CRC-16-ARC": (_crc(16, 0x8005, 0x0000, 0x0000, reflect=True), 0xBB3D),
    "CRC-16-MODBUS": (_crc(16, 0x8005, 0xFFFF, 0x0000, reflect=True), 0x4B37),
    "CRC-32": (_crc(32, 0x04C11DB7, 0xFFFFFFFF, 0xFFFFFFFF, reflect=True), 0xCBF43926),
    "CRC-32P4": (_crc(32, 0xF4ACFB13, 0xFFFFFFFF, 0xFFFFFFFF, reflect=True), 0x1697D06A),
}

_CLASSIC = replace(_crc(8, 0x1D, 0, 0), crc_at=little(0, 8), counter_at=little(8, 4), last=14, shortest=2)
_LISTED = replace(
    NAMED["CRC-8H2F"][0], crc_at=little(0, 8), counter_at=little(8, 4), last=15, list_at=w.LISTED_AFTER, shortest=2
)
_BOTH = replace(_CLASSIC, way=w.P11, before=("low", "high"))
_NIBBLE = replace(_CLASSIC, before=("low", 0), id_at=little(12, 4), id_shift=8)
_P05 = replace(
    NAMED["CRC-16-CCITT"][0], way=w.P05, crc_at=little(0, 16), counter_at=little(16, 8), last=255, after=("low", "high"),
    shortest=3,
)  # fmt: skip
# Profile and mode of the data id, the usual one first.
PROFILES: dict[str, dict[str, Scheme]] = {
    "None": {"": Scheme(way=w.NO_E2E, last=0)},
    "P01": {
        "both": _BOTH,
        "alternating": replace(_CLASSIC, listed=("low", "high") * 8, list_at=w.LISTED_BEFORE),
        "low": replace(_CLASSIC, before=("low",)),
        "nibble": _NIBBLE,
    },
    "P02": {"": _LISTED},
    "P04": {
        "": replace(
            NAMED["CRC-32P4"][0],
            crc_at=big(8, 4),
            counter_at=big(2, 2),
            last=65_535,
            length_at=big(0, 2),
            id_at=big(4, 4),
            shortest=12,
            id_bits=32,
        )  # fmt: skip
    },
    "P05": {"": _P05},
    "P06": {
        "": replace(
            _P05,
            way=w.OTHER,
            crc_at=big(0, 2),
            counter_at=little(32, 8),
            length_at=big(2, 2),
            after=("high", "low"),
            shortest=5,
        )  # fmt: skip
    },
    "P11": {"both": _BOTH, "nibble": _NIBBLE},
    "P22": {"": _LISTED},
}
# What a mapping puts together itself.
FREE = {
    "counter": Scheme(),
    "CRC": Scheme(kind=w.CRC_HIGH),
    "sum": Scheme(kind=w.SUM),
    "nibble-sum": Scheme(kind=w.HALF_SUM),
    "xor": Scheme(kind=w.XOR),
    "nibble-xor": Scheme(kind=w.HALF_XOR),
    **{name: scheme for name, (scheme, _) in NAMED.items()},
}
