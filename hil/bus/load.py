"""What a frame costs on a CAN bus, and whether a schedule fits.

Times are the longest a frame can take: with worst-case stuffing and the three bits of inter-frame space.
Source: ISO 11898-1 frame formats; the classic figures (135 and 160 bits for 8 bytes) are tested as literals.
"""

from __future__ import annotations

from hil.errors import ScenarioError

_SHOWN = 6
_FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


def classic_bits(length: int, extended: bool) -> int:
    """Bits of a classic frame with worst-case stuffing and inter-frame space."""
    header = 54 if extended else 34
    return header + 8 * length + 13 + (header + 8 * length - 1) // 4


def frame_ns(length: int, extended: bool, fd: bool, bitrate: int, data_bitrate: int) -> int:
    """Longest duration of a frame on the bus [ns].

    length: payload [byte].  bitrate, data_bitrate: of the arbitration and of the data phase [bit/s].
    """
    if not fd:
        return classic_bits(length, extended) * 1_000_000_000 // bitrate
    padded = next(n for n in _FD_LENGTHS if n >= length)
    arbitration = (36 if extended else 17) + ((36 if extended else 17) - 1) // 4 + 13
    crc = 17 if padded <= 16 else 21
    data = 5 + 8 * padded + (5 + 8 * padded - 1) // 4 + 4 + crc + (crc + 4 + 3) // 4
    return arbitration * 1_000_000_000 // bitrate + data * 1_000_000_000 // data_bitrate


def check_load(where: str, rows: list[tuple[str, int, int, int]], bitrate: int) -> float:
    """Share of a bus that a schedule takes. Raises ScenarioError with the arithmetic when it does not fit.

    where: the bus, for the message.  rows: (message, frames in a cycle, cycle [ns], duration of one frame [ns]).
    """
    load = sum(n * frame / cycle for _, n, cycle, frame in rows)
    if load > 1.0:
        heaviest = sorted(rows, key=lambda row: -row[1] * row[3] / row[2])
        parts = ", ".join(
            f"{name} {n} x {frame / 1000:.0f} us / {cycle / 1e6:g} ms" for name, n, cycle, frame in heaviest[:_SHOWN]
        ) + (f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else "")
        raise ScenarioError(
            f"{where}: the schedule needs {100 * load:.0f} % of {bitrate} bit/s ({parts}); expected at most 100 %, "
            "so use longer cycles, a higher bit rate, CAN FD or fewer cells"
        )
    return load
