"""A frame that arrived, what a bus did that was none, and what every kind of wire can do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

# How well a time of arrival is known, by who says it; "host" is a reader behind an adapter with buffers of its own.
STAMP_NS = {"kernel": 100_000, "sender": 100_000, "host": 1_000_000}


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived. t_ns: on the monotonic clock.  blur_ns: it may have come this much earlier.

    fast: of CAN FD, SWITCHED and PASSIVE of hil.record.frame, where the wire tells.
    """

    t_ns: int
    can_id: int
    flags: int
    data: bytes
    blur_ns: int
    fast: int = 0


class Aside(NamedTuple):
    """What came over a bus besides data frames: a remote frame, or an error.

    flags: REMOTE or ERROR of hil.record.frame, and EXTENDED.  length: bytes; of a remote frame, those asked for.  data: of an
    error, as the Linux kernel has it (linux/can/error.h), its classes in can_id; empty where nothing more is known.
    """

    t_ns: int
    can_id: int
    flags: int
    length: int
    data: bytes


Tell = Callable[[Aside], None]


def to_nobody(aside: Aside) -> None:
    """Who does not keep it."""


def first(ready: deque[Frame | Aside], gone: str, tell: Tell) -> Frame | None:
    """The first frame that lies ready; what lies before it is told. Raises GoneError with `gone` when nothing more can come."""
    while ready:
        item = ready.popleft()
        if isinstance(item, Frame):
            return item
        tell(item)
    if gone:
        raise GoneError(gone)
    return None


@dataclass
class Counts:
    """What a bus did that was no frame for us: error and remote frames, garbled ones, refused sends, frames it lost."""

    errors: int = 0
    remote: int = 0
    garbled: int = 0
    refused: int = 0
    lost: int = 0


class GoneError(Exception):
    """The wire is gone: unplugged, taken down, closed by the other side. Its text is the reason."""


class Wire(Protocol):
    """One open bus, of whatever kind.

    stamps: who says when a frame arrived: "hardware", "kernel", "sender", or "host", which is the moment of reading.
    stamp_ns: how well that is known.
    echoes: it gives our own frames back.
    tell: is told in receive() of what came besides data frames, in its place among them; they are counted anyway.
    """

    counts: Counts
    echoes: bool
    tell: Tell

    @property
    def stamps(self) -> str:
        """Who says when a frame arrived."""

    @property
    def stamp_ns(self) -> int:
        """How well that is known [ns]."""

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the wire refused it for now. Raises GoneError."""

    def receive(self, until_ns: int) -> Frame | None:
        """The next frame, or None when none came until then (monotonic; the past: only look). Raises GoneError."""

    def close(self) -> None:
        """Close it; one that is gone is closed too."""


def hex_id(can_id: int, extended: bool) -> str:
    """An id for people: 3 digits of 11 bits, 8 of 29."""
    return f"0x{can_id:0{8 if extended else 3}X}"
