"""Frames of a bus <-> Images and Events of a direction.

A frame belongs to the slot with its bus, id, extended flag and page. In each tick a slot holds the newest frame; older
ones of the same tick, and frames of a wrong length, become events, as in lockstep. Ids that no slot has are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from firmware_sim.types import I64
from firmware_sim.wire.layout import (
    BUS,
    CAN_ID,
    EVENT_BUS,
    EVENT_FLAGS,
    EVENT_ID,
    EVENT_LEN,
    EVENT_PACK,
    EVENT_T_NS,
    EVENT_WORD_0,
    EXTENDED,
    FD,
    FLAGS,
    LEN,
    LENGTH,
    N_WORDS,
    NOTED,
    PAGE_MASK,
    SENT,
    T_NS,
    WORD_0,
    Events,
    Image,
    Layout,
)
from hil.link.frame import Frame

_EVENT_ROOM = 512
_SIGN = 1 << 63
_FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)

Key = tuple[int, int, int]


def words_of(data: bytes, n_words: int) -> list[int]:
    """Payload as signed 64-bit words, little-endian, zeros behind its end."""
    padded = data[: 8 * n_words].ljust(8 * n_words, b"\0")
    raw = (int.from_bytes(padded[8 * w : 8 * w + 8], "little") for w in range(n_words))
    return [(x ^ _SIGN) - _SIGN for x in raw]


def bytes_of(words: list[int], length: int, flags: int) -> bytes:
    """Payload of a frame that can exist: at most 8 bytes, or the next length of CAN FD."""
    return sized(b"".join((word & ((1 << 64) - 1)).to_bytes(8, "little") for word in words)[:length], length, flags)


def sized(data: bytes, length: int, flags: int) -> bytes:
    """Payload with zeros up to the next length that a frame can have."""
    size = _size(length, flags)
    return data.ljust(size, b"\0")[:size]


def _size(length: int, flags: int) -> int:
    """Bytes that a frame of a length has on the bus."""
    return next(n for n in _FD_LENGTHS if n >= min(length, 64)) if flags & FD else min(length, 8)


class Finder:
    """Which slot a frame belongs to, by one look into a dictionary."""

    def __init__(self, layout: Layout) -> None:
        self._pages: dict[Key, dict[int, dict[int, int]]] = {}  # by mask: pages below pages are known by more bits
        for s, slot in enumerate(layout.slots.tolist()):
            mask, key = slot[PAGE_MASK], (slot[BUS], slot[CAN_ID], slot[FLAGS] & EXTENDED)
            page = int(layout.blank[slot[WORD_0]]) & mask
            self._pages.setdefault(key, {}).setdefault(mask, {})[page] = s

    def knows(self, bus: int, frame: Frame) -> bool:
        """True when the id is one of this direction, whatever its page."""
        return (bus, frame.can_id, frame.flags & EXTENDED) in self._pages

    def find(self, bus: int, frame: Frame) -> int:
        """Slot of a frame; -1 when none has its id and page."""
        found = self._pages.get((bus, frame.can_id, frame.flags & EXTENDED))
        if found is None:
            return -1
        word = words_of(frame.data, 1)[0]
        for mask, pages in found.items():
            if (slot := pages.get(word & mask, -1)) >= 0:
                return slot
        return -1


@dataclass
class _Waiting:
    t_ns: int
    bus: int
    slot: int
    frame: Frame


class Catcher:
    """Collects the frames of one direction and hands them over tick by tick.

    other: layout of the opposite direction; its ids are ours, heard back.
    unknown: (bus, id) to frames with ids of neither direction.  heard: slots that were ever seen.
    expected: standard ids that belong to neither, but are no surprise.
    """

    def __init__(self, layout: Layout, other: Layout, expected: frozenset[int] = frozenset()) -> None:
        self.layout = layout
        self.image = Image.empty(layout, 1)
        self.events = Events.empty(_EVENT_ROOM)
        self.unknown: Counter[tuple[int, int]] = Counter()
        self.heard: set[int] = set()
        self.n_frames = 0
        self.blur_ns = 0
        self._finder, self._own, self._expected = Finder(layout), Finder(other), expected
        self._slots: list[list[int]] = layout.slots.tolist()
        self._sizes = [_size(slot[LENGTH], slot[FLAGS]) for slot in self._slots]
        self._waiting: list[_Waiting] = []
        self._last_ns = 0

    def put(self, bus: int, frame: Frame, t_ns: int) -> bool:
        """Take a frame that arrived at t_ns; True when it is one of this direction."""
        slot = self._finder.find(bus, frame)
        if slot < 0:
            known = self._finder.knows(bus, frame) or self._own.knows(bus, frame)
            if not known and (frame.can_id not in self._expected or frame.flags & EXTENDED):
                self.unknown[bus, frame.can_id] += 1
            return False
        self._last_ns = max(self._last_ns + 1, t_ns)  # frames of a stream never change their order
        self._waiting.append(_Waiting(self._last_ns, bus, slot, frame))
        self.heard.add(slot)
        self.n_frames += 1
        self.blur_ns = max(self.blur_ns, frame.blur_ns)
        return True

    def take_blur(self) -> int:
        """The widest uncertainty of a time of arrival since the last call [ns]."""
        blur_ns, self.blur_ns = self.blur_ns, 0
        return blur_ns

    def echo(self, bus: int, frame: Frame) -> bool:
        """True when a frame has an id that our own side sends."""
        return self._own.knows(bus, frame)

    def take(self, before_ns: int, *, aside: bool = False) -> tuple[Image, Events]:
        """Image and Events of the frames that arrived before then; later ones stay. Both are used again.

        aside: all become events, which are noted, but which nobody obeys.
        """
        image, events = self.image, self.events
        image.meta[0, SENT, :] = 0
        events.count[0] = 0
        kept: list[_Waiting] = []
        newest: dict[int, _Waiting] = {}
        for item in self._waiting:
            if item.t_ns >= before_ns:
                kept.append(item)
            elif aside or len(item.frame.data) != self._sizes[item.slot]:
                self._add_event(item, NOTED if aside else 0)
            else:
                if item.slot in newest:
                    self._add_event(newest[item.slot])
                newest[item.slot] = item
        for s, item in newest.items():
            first, n_words = self._slots[s][WORD_0], self._slots[s][N_WORDS]
            image.words[0, first : first + n_words] = words_of(item.frame.data, n_words)
            image.meta[0, SENT, s], image.meta[0, LEN, s], image.meta[0, T_NS, s] = 1, self._slots[s][LENGTH], item.t_ns
        self._waiting = kept
        return image, events

    def _add_event(self, item: _Waiting, flags: int = 0) -> None:
        events = self.events
        n = int(events.count[0])
        if n >= len(events.rows):
            events.count[1] += 1
            return
        row: I64 = events.rows[n]
        row[EVENT_T_NS], row[EVENT_PACK], row[EVENT_BUS] = item.t_ns, 0, item.bus
        row[EVENT_ID], row[EVENT_FLAGS], row[EVENT_LEN] = item.frame.can_id, item.frame.flags | flags, len(item.frame.data)
        row[EVENT_WORD_0:] = words_of(item.frame.data, 8)
        events.count[0] = n + 1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame to send. t_ns: when it should have ended on the bus.  bulk: a page of a message, which may wait for others."""

    t_ns: int
    bus: int
    can_id: int
    flags: int
    data: bytes
    bulk: bool = False


class Reader:
    """The frames of an image and its events, in the order in which they leave."""

    def __init__(self, layout: Layout) -> None:
        self._slots: list[list[int]] = layout.slots.tolist()

    def frames(self, image: Image, events: Events) -> list[Outgoing]:
        """All frames of a tick, by their time."""
        found = []
        sent = image.meta[0, SENT].nonzero()[0].tolist()
        for s in sent:
            slot = self._slots[s]
            first, n_words = slot[WORD_0], slot[N_WORDS]
            raw, length = image.words[0, first : first + n_words].tobytes(), int(image.meta[0, LEN, s])
            data = raw if length == len(raw) else sized(raw[:length], length, slot[FLAGS])
            at_ns = int(image.meta[0, T_NS, s])
            found.append(Outgoing(at_ns, slot[BUS], slot[CAN_ID], slot[FLAGS], data, slot[PAGE_MASK] != 0))
        for row in events.rows[: int(events.count[0])].tolist():
            if row[EVENT_PACK] == 0:
                data = bytes_of(row[EVENT_WORD_0:], row[EVENT_LEN], row[EVENT_FLAGS])
                found.append(Outgoing(row[EVENT_T_NS], row[EVENT_BUS], row[EVENT_ID], row[EVENT_FLAGS], data))
        return sorted(found, key=lambda frame: frame.t_ns)
