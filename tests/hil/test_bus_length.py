"""Frame lengths: worked by hand, against bit strings built another way, and inside the bounds that schedules use."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from firmware_sim.wire.layout import EXTENDED, FD
from hil.bus import classic_bits, frame_ns
from hil.bus.length import INTERMISSION_BITS, REMOTE, arbitration_key, duration_ns, frame_bits

FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


def bits(can_id: int, payload: bytes = b"", flags: int = 0, length: int | None = None, passive: int = 0) -> tuple[int, int]:
    """Nominal and data bits of a frame, without intermission."""
    words = np.frombuffer(payload.ljust(64, b"\0"), np.int64).reshape(1, 8).copy()
    return frame_bits(words, 0, 0, can_id, flags, len(payload) if length is None else length, passive)


def crc15(text: str) -> str:
    """Remainder of a bit string times x^15 by the CAN polynomial, as long division of one big integer."""
    rest, divisor = int(text, 2) << 15, 0xC599
    while rest.bit_length() > 15:
        rest ^= divisor << (rest.bit_length() - 16)
    return f"{rest:015b}"


def stuffed(text: str) -> str:
    """A bit string with stuff bits, by rewriting it from left to right."""
    out = ""
    for bit in text:
        out += bit
        if re.search(r"(0{5}|1{5})$", out):
            out += "10"[int(out[-1])]
    return out


def classic(can_id: int, payload: bytes, flags: int) -> str:
    """A whole classic frame as a string, stuffed, with end of frame and intermission."""
    remote = str(int(bool(flags & REMOTE)))
    data = "" if flags & REMOTE else "".join(f"{byte:08b}" for byte in payload)
    if flags & EXTENDED:
        head = f"0{can_id >> 18:011b}11{can_id & 0x3FFFF:018b}{remote}00{len(payload):04b}"
    else:
        head = f"0{can_id:011b}{remote}00{len(payload):04b}"
    return stuffed(head + data + crc15(head + data)) + "1" + "0" + "1" + "1" * 7 + "1" * 3


def flexible(can_id: int, payload: bytes, flags: int, passive: int) -> tuple[int, int]:
    """Bits of an FD frame in both phases: BRS is the last of the nominal phase, the CRC delimiter the first after the data."""
    dlc = FD_LENGTHS.index(len(payload))
    if flags & EXTENDED:
        nominal = f"0{can_id >> 18:011b}11{can_id & 0x3FFFF:018b}0101"
    else:
        nominal = f"0{can_id:011b}00101"
    whole = nominal + f"{passive}{dlc:04b}" + "".join(f"{byte:08b}" for byte in payload)
    out, phase, counts = "", 0, [0, 0]
    for n, bit in enumerate(whole):
        out += bit
        counts[phase] += 1
        if n == len(nominal) - 1:
            phase = 1
        if re.search(r"(0{5}|1{5})$", out) and n < len(whole) - 1:
            out += "10"[int(out[-1])]
            counts[phase] += 1
    count_and_crc = 4 + (17 if len(payload) <= 16 else 21)
    fixed = 1 + count_and_crc // 4
    return counts[0] + 1 + 1 + 1 + 7, counts[1] + count_and_crc + fixed


def test_the_empty_frame_of_id_0_by_hand() -> None:
    """34 zeros up to the end of the CRC, whose CRC is zero too: a stuff bit after each five, 6 in all; 10 bits of tail."""
    assert (34 + 6 + 10, 0) == bits(0)


def test_one_byte_of_one_by_hand() -> None:
    """Id 0x014, data 01: 0 0000|0010100 000|0001 00000|001 has three stuff bits before the CRC; its own are counted in text."""
    text = "0" + "00000010100" + "000" + "0001" + "00000001"
    assert "0000010010100000100010000010" + "01" == stuffed(text)
    assert (len(stuffed(text + crc15(text))) + 10, 0) == bits(0x14, b"\1")


def test_a_remote_frame_carries_nothing() -> None:
    """Its length code stands, its data do not: 44 bits and stuffing."""
    assert 44 <= bits(0x2AA, b"\0" * 8, REMOTE)[0] < 44 + 8
    assert len(classic(0x2AA, b"\0" * 8, REMOTE)) - 3 == bits(0x2AA, b"\0" * 8, REMOTE)[0]


def test_a_zero_fd_frame_of_64_bytes_by_hand() -> None:
    """Start, id, RRS, IDE: 14 zeros, 2 stuff bits; FDF res BRS; tail. Then ESI, DLC, 512 zeros with 102, 25 + 7 bits of CRC."""
    assert (17 + 2 + 10, 5 + 512 + 102 + 32) == bits(0, bytes(64), FD)


def test_the_figures_of_the_field() -> None:
    """8 bytes, 11-bit id, with intermission: 111 bits unstuffed and 135 at most, so 4,504 to 3,703 frames/s at 500 kbit/s."""
    shortest = min(bits(0x555, b"\xaa" * 6 + bytes([n, m]))[0] for n in (0x55, 0xAA, 0xA5) for m in range(256))
    assert 111 == shortest + INTERMISSION_BITS
    assert 135 == classic_bits(8, False)
    assert 160 == classic_bits(8, True)
    assert (4504, 3703) == (500_000 // 111, 500_000 // 135)


@pytest.mark.parametrize("flags", [0, EXTENDED, REMOTE, EXTENDED | REMOTE])
def test_classic_lengths_are_those_of_the_bit_string(flags: int) -> None:
    """Random ids and payloads, and those with long runs; never longer than the schedule assumes."""
    draw = random.Random(flags)
    for n in range(400):
        can_id = draw.getrandbits(29 if flags & EXTENDED else 11)
        payload = draw.choice([draw.randbytes(8), b"\0" * 8, b"\xff" * 8, b"\x0f\x87\xc3\xe1" * 2, b"\x1e\x3c" * 4])[: n % 9]
        text = classic(can_id, payload, flags)
        assert (len(text) - 3, 0) == bits(can_id, payload, flags), (hex(can_id), payload.hex())
        assert len(text) <= classic_bits(len(payload), bool(flags & EXTENDED))


@pytest.mark.parametrize("flags", [FD, FD | EXTENDED])
def test_fd_lengths_are_those_of_the_bit_string(flags: int) -> None:
    """Every length, both phases, error-active and error-passive; never longer than the schedule assumes."""
    draw = random.Random(flags)
    for n in range(320):
        can_id = draw.getrandbits(29 if flags & EXTENDED else 11)
        size = FD_LENGTHS[n % 16]
        payload = draw.choice([draw.randbytes(64), bytes(64), b"\xff" * 64, b"\x0f\x87\xc3\xe1" * 16])[:size]
        found = bits(can_id, payload, flags, passive=n % 2)
        assert flexible(can_id, payload, flags, n % 2) == found, (hex(can_id), payload.hex())
        longest = frame_ns(size, bool(flags & EXTENDED), True, 500_000, 2_000_000)
        assert duration_ns(found[0] + INTERMISSION_BITS, found[1], 500_000, 2_000_000) <= longest


def test_an_fd_frame_of_a_length_between_is_padded() -> None:
    """Nine bytes travel as twelve, with zeros behind."""
    assert bits(0x123, b"\x55" * 9 + b"\0" * 3, FD) == bits(0x123, b"\x55" * 9, FD)


def test_who_wins_arbitration() -> None:
    """Data before remote, standard before extended of its base, smaller before larger, classic before FD of its id."""
    base = 0x123
    order = [
        arbitration_key(base - 1, REMOTE),
        arbitration_key(base, 0),
        arbitration_key(base, FD),
        arbitration_key(base, REMOTE),
        arbitration_key(base << 18, EXTENDED),
        arbitration_key(base << 18, EXTENDED | FD),
        arbitration_key(base << 18, EXTENDED | REMOTE),
        arbitration_key(base << 18 | 1, EXTENDED),
        arbitration_key(base + 1, 0),
    ]
    assert sorted(order) == order
    assert len(order) == len(set(order))
