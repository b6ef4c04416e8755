"""Records of an arbitrated bus, taken to another time base."""

from __future__ import annotations

from firmware_sim.types import I64
from hil.bus import table as tb


def moved(rows: I64, by_ns: int) -> I64:
    """Records with all their times later by by_ns."""
    out = rows.copy()
    out[:, tb.RECORD_NS] += by_ns
    out[out[:, tb.RECORD_KIND] == tb.FRAME_IS, tb.RECORD_D] += by_ns
    out[out[:, tb.RECORD_KIND] == tb.REPLACED, tb.RECORD_C] += by_ns
    return out


def between(rows: I64, from_ns: int, until_ns: int) -> I64:
    """Records of [from, until)."""
    t_ns = rows[:, tb.RECORD_NS]
    return rows[(t_ns >= from_ns) & (t_ns < until_ns)]
