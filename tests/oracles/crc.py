"""CRCs bit by bit, most significant bit first, as the specifications draw them."""

from __future__ import annotations

from collections.abc import Iterable


def bitwise(data: Iterable[int], width: int, polynomial: int, start: int, final: int = 0) -> int:
    """CRC without reflection over bytes."""
    top, mask = 1 << (width - 1), (1 << width) - 1
    crc = start
    for byte in data:
        crc ^= byte << (width - 8)
        for _ in range(8):
            crc = ((crc << 1) ^ polynomial if crc & top else crc << 1) & mask
    return crc ^ final


def profile_11(data_id: int, frame: bytes) -> int:
    """CRC of a frame whose byte 0 holds it: data id low, data id high, bytes 1 to the end; start and final 0."""
    return bitwise(bytes([data_id & 0xFF, data_id >> 8]) + frame[1:], 8, 0x1D, 0)


def profile_5(data_id: int, frame: bytes) -> int:
    """CRC of a frame whose bytes 0 and 1 hold it, low byte first: bytes 2 to the end, data id low, data id high."""
    return bitwise(frame[2:] + bytes([data_id & 0xFF, data_id >> 8]), 16, 0x1021, 0xFFFF)
