"""Who talks on a bus: every id with its period and length, and the message and node of a DBC that it fits. It only listens."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.wire.layout import EXTENDED, FD
from hil.database import Database
from hil.link.can_bus import CanBus, Frame
from hil.link.frame import hex_id

_LOOSE = 0.25  # a period so much off the DBC's is said to be another
_FEW = 3


@dataclass
class Talk:
    """What was heard of an id. lengths: bytes to frames.  gaps_ns: between frames."""

    can_id: int
    extended: bool
    fd: bool = False
    n: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    gaps_ns: list[int] = field(default_factory=list)
    last: bytes = b""
    _last_ns: int = 0

    def note(self, frame: Frame) -> None:
        """One more frame."""
        if self.n:
            self.gaps_ns.append(frame.t_ns - self._last_ns)
        self.n, self._last_ns, self.last = self.n + 1, frame.t_ns, frame.data
        self.fd = self.fd or bool(frame.flags & FD)
        self.lengths[len(frame.data)] += 1

    @property
    def label(self) -> str:
        """The id."""
        return hex_id(self.can_id, self.extended)

    @property
    def period_ms(self) -> float | None:
        """Median gap; None after one frame."""
        gaps = sorted(self.gaps_ns)
        return gaps[len(gaps) // 2] / 1e6 if gaps else None


@dataclass(frozen=True)
class Line:
    """An id and what it fits. remark: how it differs from the DBC; empty when it does not."""

    talk: Talk
    message: str
    node: str
    remark: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        t = self.talk
        gaps = [gap / 1e6 for gap in t.gaps_ns]
        return {
            "id": t.label, "extended": t.extended, "fd": t.fd, "frames": t.n, "lengths": sorted(t.lengths),
            "period_ms": None if t.period_ms is None else round(t.period_ms, 2),
            "shortest_ms": round(min(gaps), 2) if gaps else None, "longest_ms": round(max(gaps), 2) if gaps else None,
            "message": self.message, "node": self.node, "remark": self.remark, "data": t.last.hex(),
        }  # fmt: skip


def listen(bus: CanBus, for_s: float) -> list[Talk]:
    """All ids that speak in a time. Raises LinkLostError."""
    heard: dict[tuple[int, bool], Talk] = {}
    until_ns = time.monotonic_ns() + round(for_s * 1e9)
    while (frame := bus.receive(until_ns)) is not None:
        key = frame.can_id, bool(frame.flags & EXTENDED)
        heard.setdefault(key, Talk(*key)).note(frame)
        if frame.t_ns > until_ns:
            break
    return [heard[key] for key in sorted(heard)]


def fit(talks: list[Talk], database: Database) -> list[Line]:
    """Each id with its message, if the database has one."""
    known = {(message.frame_id, message.is_extended_frame): message for message in database.messages}
    lines = []
    for talk in talks:
        message = known.get((talk.can_id, talk.extended))
        if message is None:
            lines.append(Line(talk, "", "", "no message of the DBC has this id"))
        else:
            lines.append(Line(talk, message.name, "/".join(message.senders), _remark(talk, message, database)))
    return lines


def _remark(talk: Talk, message: Any, database: Database) -> str:
    found = []
    wrong = sorted(set(talk.lengths) - {message.length})
    if wrong:
        found.append(f"{'/'.join(map(str, wrong))} bytes, the DBC says {message.length}")
    pages = {page for s in message.signals for page in s.multiplexer_ids or ()}
    cycle_ms, period_ms = database.cycle_ms(message), talk.period_ms
    if cycle_ms and period_ms is not None and talk.n > _FEW and not pages and abs(period_ms / cycle_ms - 1) > _LOOSE:
        found.append(f"every {period_ms:.0f} ms, the DBC says {cycle_ms}")
    return "; ".join(found)


def nodes(lines: list[Line], database: Database) -> dict[str, tuple[int, int]]:
    """Each sender of the database: how many of its messages were heard, and how many it has."""
    have: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    names = {line.message for line in lines}
    for message in database.messages:
        for sender in message.senders:
            have[sender] += 1
            heard[sender] += message.name in names
    return {name: (heard[name], have[name]) for name in sorted(have)}
