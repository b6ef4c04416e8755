"""How long a frame is on the wire, bit for bit, and what it is worth in arbitration.

A frame ends with the last bit of its end-of-frame field; the three bits of intermission that follow are not part of it.
Source: ISO 11898-1:2015, 10.4 (frame formats) and 10.5 (bit stuffing).
"""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import I64
from firmware_sim.wire.layout import EXTENDED, FD

# One more flag of a frame, beside those of the wire: it asks for data and carries none.
REMOTE = 8
INTERMISSION_BITS = 3
_CRC15 = 0x4599
# CRC delimiter, acknowledge slot and its delimiter, end of frame: never stuffed.
TAIL_BITS = 10


@kernel
def arbitration_key(can_id: int, flags: int) -> int:
    """The bits of a frame that decide arbitration, as a number: the smaller one wins.

    In the order of the wire: base id, RTR or SRR, IDE, id extension, RTR, FDF. So a data frame beats the remote frame of
    its id, a standard frame the extended ones of its base id, and a classic frame the FD frame of its id.
    """
    remote = 1 if flags & REMOTE else 0
    fd = 1 if flags & FD else 0
    if flags & EXTENDED:
        return (can_id >> 18) << 22 | 3 << 20 | (can_id & 0x3FFFF) << 2 | remote << 1 | fd
    return can_id << 22 | remote << 21 | fd << 19


@kernel
def dlc_of(length: int) -> int:
    """Data length code of the shortest frame that holds so many bytes."""
    if length <= 8:
        return length
    if length <= 24:
        return 9 + (length - 9) // 4
    return 13 if length <= 32 else 14 if length <= 48 else 15


@kernel
def padded(length: int) -> int:
    """Bytes of the shortest FD frame that holds so many."""
    dlc = dlc_of(length)
    if dlc <= 8:
        return dlc
    return 4 * (dlc - 6) if dlc <= 12 else 16 * (dlc - 11)


@kernel
def frame_bits(words: I64, p: int, word_0: int, can_id: int, flags: int, length: int, passive: int) -> tuple[int, int]:
    """Bits of a frame in its nominal and in its data phase, stuff bits counted; a classic frame has no data phase.

    words: (n_packs, n_words) payload, little-endian, from word word_0 on.  flags: EXTENDED, FD, REMOTE.  passive: 1 when
    the sender is error-passive, which an FD frame says of itself.

    Stuffing covers a classic frame from its start to the end of its CRC, an FD frame to the end of its data. The stuff
    count and the CRC of an FD frame have a fixed stuff bit before each four bits whatever they hold, and the first of them
    stands for the one that might be due after the data: so their values, 17 and 21 bits of CRC, do not change its length.
    """
    base, low = (can_id >> 18) & 0x7FF, can_id & 0x3FFFF
    is_fd = flags & FD != 0
    remote = 1 if flags & REMOTE and not is_fd else 0
    if flags & EXTENDED:
        head, n_head = (base << 20 | 3 << 18 | low) << 1 | remote, 33
    else:
        head, n_head = (can_id & 0x7FF) << 1 | remote, 13
    if is_fd:
        # standard: IDE FDF res BRS; extended: FDF res BRS, its IDE stands before the id extension
        head, n_head = (head << 3 | 5, n_head + 3) if flags & EXTENDED else (head << 4 | 5, n_head + 4)
    n_nominal = n_head
    if is_fd:
        head, n_head = head << 5 | passive << 4 | dlc_of(length), n_head + 5
    else:
        # standard: IDE r0; extended: r1 r0
        head, n_head = head << 6 | length, n_head + 6
    n_data = 0 if remote else 8 * (padded(length) if is_fd else length)
    n_free = n_head + n_data
    n_stuffed = n_free if is_fd else n_free + 15
    crc, last, run, stuff_nominal, stuff_data = 0, -1, 0, 0, 0
    for i in range(n_stuffed):
        if i < n_head:
            bit = head >> (n_head - 1 - i) & 1
        elif i < n_free:
            k = i - n_head
            byte = k >> 3
            bit = words[p, word_0 + (byte >> 3)] >> (8 * (byte & 7) + 7 - (k & 7)) & 1 if byte < length else 0
        else:
            bit = crc >> (14 - (i - n_free)) & 1
        if i < n_free:
            crc = (crc << 1 & 0x7FFF) ^ (_CRC15 if (crc >> 14 & 1) != bit else 0)
        run = run + 1 if bit == last else 1
        last = bit
        if run == 5 and not (is_fd and i == n_stuffed - 1):
            last, run = 1 - bit, 1
            if is_fd and i >= n_nominal - 1:
                stuff_data += 1
            else:
                stuff_nominal += 1
    if not is_fd:
        return n_stuffed + stuff_nominal + TAIL_BITS, 0
    tail = 21 + 6 if padded(length) <= 16 else 25 + 7
    return n_nominal + stuff_nominal + TAIL_BITS, 5 + n_data + stuff_data + tail


@kernel
def duration_ns(nominal_bits: int, data_bits: int, bitrate: int, data_bitrate: int) -> int:
    """Time that so many bits take [ns]."""
    return nominal_bits * 1_000_000_000 // bitrate + data_bits * 1_000_000_000 // data_bitrate
