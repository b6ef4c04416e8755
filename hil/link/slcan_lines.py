"""CAN frames as lines of text: the protocol of the Lawicel CANUSB, with CAN FD as python-can and the CANable speak it.

    t iii l dd..   standard          T iiiiiiii l dd..  extended        r, R  remote, without data
    d iii l dd..   CAN FD            D                  extended FD     b, B  the same with a fast data phase

Everything is hexadecimal, l is the length code, and a line ends with CR. Two further bytes of a time stamp (Z1) are
passed over. An adapter answers a command with CR, or with BEL when it refuses it.
"""

from __future__ import annotations

from binascii import Error, unhexlify
from typing import NamedTuple

from firmware_sim.wire.layout import EXTENDED, FD

END = b"\r"
REFUSED = b"\a"
LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
REMOTE = 1 << 16  # beside the flags of a frame
_CODES = {length: b"%X" % code for code, length in enumerate(LENGTHS)}
_MOST = (0x7FF, 0x1FFF_FFFF)
_STAMP = 2
_KINDS = {
    ord(letter): flags
    for letter, flags in {
        "t": 0, "T": EXTENDED, "x": EXTENDED, "r": REMOTE, "R": REMOTE | EXTENDED,
        "d": FD, "b": FD, "D": FD | EXTENDED, "B": FD | EXTENDED,
    }.items()
}  # fmt: skip

# Bit rate of the bus to the command that sets it, and that of the fast data phase.
RATES = {
    10_000: b"S0", 20_000: b"S1", 50_000: b"S2", 100_000: b"S3", 125_000: b"S4",
    250_000: b"S5", 500_000: b"S6", 750_000: b"S7", 1_000_000: b"S8",
}  # fmt: skip
DATA_RATES = {2_000_000: b"Y2", 5_000_000: b"Y5"}


class Line(NamedTuple):
    """A frame from a line. flags: as in layouts, or REMOTE.  length: bytes; of a remote frame, those asked for.

    switched: a frame of CAN FD with a fast data phase.
    """

    can_id: int
    flags: int
    data: bytes
    length: int
    switched: bool = False


def encode(can_id: int, flags: int, data: bytes) -> bytes:
    """A frame as a line, its end included. data: of a length that exists."""
    number = b"%08X" % can_id if flags & EXTENDED else b"%03X" % can_id
    letter = (b"B" if flags & EXTENDED else b"b") if flags & FD else (b"T" if flags & EXTENDED else b"t")
    return b"".join((letter, number, _CODES[len(data)], data.hex().upper().encode(), END))


def parse(line: bytes) -> Line | None:
    """The frame of a line without its end; None when it holds none, or not a whole one."""
    if not line:
        return None
    flags = _KINDS.get(line[0])
    if flags is None:
        return None
    try:
        if flags & EXTENDED:
            raw = unhexlify(b"%b0%b" % (line[1:9], line[9:]))
            can_id, code, data = int.from_bytes(raw[:4], "big"), raw[4], raw[5:]
        else:
            raw = unhexlify(b"0%b0%b" % (line[1:4], line[4:]))
            can_id, code, data = int.from_bytes(raw[:2], "big"), raw[2], raw[3:]
    except (Error, IndexError):
        return None
    if can_id > _MOST[bool(flags & EXTENDED)] or (code > 8 and not flags & FD):
        return None
    size = 0 if flags & REMOTE else LENGTHS[code]
    if len(data) not in (size, size + _STAMP):
        return None
    return Line(can_id, flags, data[:size], LENGTHS[code], line[:1] in b"bB")
