"""E2E protection of a frame: profile 11 (CRC-8, classic frames) and profile 5 (CRC-16, CAN FD frames) by tables, every
other scheme as the columns of its slot say (firmware_sim.wire.check).

Profile 11, data id "both": byte 0 = CRC-8 (polynomial 0x1D, effective start 0) over data id low, data id high and bytes
1 to the last; low nibble of byte 1 = counter 0 to 14. Profile 5: bytes 0-1 = CRC-16 (0x1021, start 0xFFFF) over bytes 2
to the last, then data id low and high; byte 2 = counter 0 to 255. Source: AUTOSAR E2E protocol specification; vectors
in tests/firmware_sim/test_crc.py. The effect of the data id on a profile 11 CRC does not depend on the payload, so it
is kept with the slot as CRC_SEED.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import I64, U8
from firmware_sim.wire import check
from firmware_sim.wire.check import read_counter as read_counter
from firmware_sim.wire.layout import (
    COUNTER_FIRST,
    COUNTER_MASK,
    COUNTER_MAX,
    COUNTER_STEP,
    CRC_SEED,
    DATA_ID,
    E2E,
    LENGTH,
    NO_E2E,
    P05,
    P11,
    WORD_0,
)

_POWERS = 7


def _crc8_powers() -> I64:
    """[n, b]: CRC-8 0x1D of byte b followed by n zero bytes."""
    table = np.zeros((_POWERS, 256), np.int64)
    for byte in range(256):
        crc = byte
        for n in range(_POWERS):
            for _ in range(8):
                crc = ((crc << 1) ^ 0x1D) & 0xFF if crc & 0x80 else (crc << 1) & 0xFF
            table[n, byte] = crc
    return table


def _crc16_table() -> I64:
    """[b]: CRC-16 0x1021 of byte b."""
    table = np.zeros(256, np.int64)
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021) & 0xFFFF if crc & 0x8000 else (crc << 1) & 0xFFFF
        table[byte] = crc
    return table


_CRC8 = _crc8_powers()
_CRC16 = _crc16_table()


def p11_seed(data_id: int) -> int:
    """CRC-8 after both bytes of the data id."""
    return int(_CRC8[0, _CRC8[0, data_id & 0xFF] ^ (data_id >> 8)])


@inlined
def crc8(words: I64, p: int, word: int, length: int, seed: int) -> int:
    """CRC-8 of bytes 1 to length - 1 of a frame, from the state `seed` (data id).

    CRC is linear: the sum of what each byte alone gives, so the table loads do not wait for each other. Bytes of a frame
    shorter than 8 are 0 behind its end; a longer one goes on word by word.
    """
    w = words[p, word]
    if length == 8:
        crc = (
            _CRC8[6, ((w >> 8) & 0xFF) ^ seed]
            ^ _CRC8[5, (w >> 16) & 0xFF]
            ^ _CRC8[4, (w >> 24) & 0xFF]
            ^ _CRC8[3, (w >> 32) & 0xFF]
            ^ _CRC8[2, (w >> 40) & 0xFF]
            ^ _CRC8[1, (w >> 48) & 0xFF]
            ^ _CRC8[0, (w >> 56) & 0xFF]
        )
    else:
        crc = seed
        for i in range(1, length):
            crc = _CRC8[0, crc ^ ((words[p, word + (i >> 3)] >> (8 * (i & 7))) & 0xFF)]
    return crc


@kernel
def crc16(words: I64, p: int, word: int, length: int, data_id: int) -> int:
    """CRC-16 of bytes 2 to length - 1 of a frame, then of the data id."""
    crc = 0xFFFF
    for i in range(2, length):
        byte = (words[p, word + (i >> 3)] >> (8 * (i & 7))) & 0xFF
        crc = ((crc << 8) & 0xFFFF) ^ _CRC16[(crc >> 8) ^ byte]
    crc = ((crc << 8) & 0xFFFF) ^ _CRC16[(crc >> 8) ^ (data_id & 0xFF)]
    return ((crc << 8) & 0xFFFF) ^ _CRC16[(crc >> 8) ^ (data_id >> 8)]


@inlined
def crc_is_right(words: I64, p: int, slots: I64, s: int) -> bool:
    """True when the check that stands in a frame fits its payload and data id; always for a frame without one."""
    profile, word = slots[s, E2E], slots[s, WORD_0]
    if profile == P11:
        right = (words[p, word] & 0xFF) == crc8(words, p, word, slots[s, LENGTH], slots[s, CRC_SEED])
    elif profile == NO_E2E:
        right = True
    elif profile == P05:
        right = (words[p, word] & 0xFFFF) == crc16(words, p, word, slots[s, LENGTH], slots[s, DATA_ID])
    else:
        right = check.is_right(words, p, slots, s)
    return right


@kernel
def crc_many(payloads: I64, slots: I64, s: int, right: U8) -> None:
    """right[n] = 1 where the CRC of frame n of slot s fits. payloads: (n, n_words of the layout), filled at the slot."""
    for n in range(payloads.shape[0]):
        right[n] = 1 if crc_is_right(payloads, n, slots, s) else 0


@inlined
def write_crc(words: I64, p: int, slots: I64, s: int) -> None:
    """Put the right CRC into a frame whose payload and counter are done."""
    word = slots[s, WORD_0]
    if slots[s, E2E] == P11:
        words[p, word] = (words[p, word] & -256) | crc8(words, p, word, slots[s, LENGTH], slots[s, CRC_SEED])
    elif slots[s, E2E] == P05:
        words[p, word] = (words[p, word] & -65536) | crc16(words, p, word, slots[s, LENGTH], slots[s, DATA_ID])
    else:
        check.write(words, p, slots, s)


@inlined
def protect(words: I64, p: int, slots: I64, s: int, counter: int) -> int:
    """Write counter and CRC into a frame. counter: how often it has counted, 0 to COUNTER_MAX. Returns the next one."""
    following = counter
    if slots[s, E2E] != NO_E2E:
        if slots[s, COUNTER_MASK] != 0:
            check.write_counter(words, p, slots, s, slots[s, COUNTER_FIRST] + counter * slots[s, COUNTER_STEP])
        write_crc(words, p, slots, s)
        following = 0 if counter >= slots[s, COUNTER_MAX] else counter + 1
    return following
