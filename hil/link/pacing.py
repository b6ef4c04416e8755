"""Frames that leave at their times, and how well they kept them.

Deadlines are absolute: each frame has its own, so a late one moves no other. Two classes: hard frames are periodic with a
period of their own; bulk frames are the pages of a message, whose sender goes round. What is due within AHEAD_NS leaves
together; among those, and whenever the bench is late, every hard frame goes before the first bulk one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hil.link.match import Outgoing

AHEAD_NS = 1_000_000
LATE_NS, VERY_LATE_NS = 1_500_000, 5_000_000
_MOST_ROWS = 12


@dataclass
class Kept:
    """How a message kept its times. late: frames off by more than LATE_NS.  worst_ns: the latest."""

    n: int = 0
    late: int = 0
    worst_ns: int = 0


@dataclass
class Tally:
    """How a class of frames kept its times. within, within_wide: off by at most LATE_NS, VERY_LATE_NS."""

    n: int = 0
    within: int = 0
    within_wide: int = 0

    def note(self, off_ns: int) -> None:
        """A frame left so far from its time."""
        self.n += 1
        self.within += off_ns <= LATE_NS
        self.within_wide += off_ns <= VERY_LATE_NS

    def as_dict(self) -> dict[str, Any]:
        """Frames, and the shares of them within 1.5 and 5 ms of their times."""
        return {
            "frames": self.n,
            "within_1_5_ms": round(self.within / self.n, 6) if self.n else 1.0,
            "within_5_ms": round(self.within_wide / self.n, 6) if self.n else 1.0,
        }


class Record:
    """Every frame that left, by (bus, id), and how far from its time. names: of the messages, for people."""

    def __init__(self, names: dict[tuple[int, int], str]) -> None:
        self._names = names
        self._kept: dict[tuple[int, int], Kept] = {}
        self._all, self._classes = Tally(), {"hard": Tally(), "bulk": Tally()}

    def note(self, frame: Outgoing, late_ns: int) -> None:
        """A frame left this long after its time; negative: before it."""
        kept = self._kept.setdefault((frame.bus, frame.can_id), Kept())
        off_ns = abs(late_ns)
        kept.n += 1
        kept.late += off_ns > LATE_NS
        kept.worst_ns = max(kept.worst_ns, late_ns)
        self._all.note(off_ns)
        self._classes["bulk" if frame.bulk else "hard"].note(off_ns)

    def as_dict(self) -> dict[str, Any]:
        """For the trace: shares of frames within 1.5 and 5 ms of their times, of both classes, and what messages were late."""
        rows = sorted(((key, kept) for key, kept in self._kept.items() if kept.late), key=lambda row: -row[1].worst_ns)
        late = [
            {
                "frame": self._names.get(key, f"{key[0]}:0x{key[1]:X}"),
                "sent": kept.n,
                "late": kept.late,
                "worst_ms": round(kept.worst_ns / 1e6, 3),
            }
            for key, kept in rows[:_MOST_ROWS]
        ]
        return {
            **self._all.as_dict(),
            "late": self._all.n - self._all.within,
            "classes": {name: tally.as_dict() for name, tally in self._classes.items()},
            "late_by_message": late,
        }


def send_paced(
    frames: list[Outgoing],
    now: Callable[[], int],
    listen: Callable[[int], None],
    send: Callable[[Outgoing], object],
    record: Record,
) -> int:
    """Send frames, each at its time, and listen meanwhile; returns the worst lateness [ns].

    frames: by their time.  now: the time [ns].  listen: until a time.  send: at once.
    """
    waiting, worst_ns = list(frames), 0
    while waiting:
        opens_ns = waiting[0].t_ns - AHEAD_NS
        at_ns = now()
        if at_ns < opens_ns:
            listen(opens_ns)
            at_ns = now()
        k = _next(waiting, at_ns + AHEAD_NS)
        frame = waiting.pop(k)
        send(frame)
        late_ns = now() - frame.t_ns
        record.note(frame, late_ns)
        worst_ns = max(worst_ns, late_ns)
    return worst_ns


def _next(waiting: list[Outgoing], until_ns: int) -> int:
    """The first hard frame that is due until then, else the first of all."""
    for k, frame in enumerate(waiting):
        if k and frame.t_ns > until_ns:
            return 0
        if not frame.bulk:
            return k
    return 0
