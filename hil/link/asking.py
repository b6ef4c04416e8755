"""Who answers on a bus: diagnostic questions that change nothing, and the J1939 request for addresses.

Questions are UDS (ISO 14229) over ISO-TP (ISO 15765-2): tester present to all (functional) and to the usual eight of 11 bits,
then, to each node that answered, a few data identifiers of its identity. J1939: the request for address claimed, to all.
What may be sent is known before, and shown (`questions`). A long answer is asked on with a flow control frame.

Any frame can look like an answer by chance. So an id of UDS that was sending before anything was asked has not answered,
whatever it sends now; it is told, as another tester may be talking to that node. A claim of an address is one at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.wire.layout import EXTENDED
from hil.errors import DutError
from hil.link.can_bus import CanBus
from hil.link.frame import Frame, hex_id

KINDS = ("uds", "uds29", "j1939")
PRESENT = bytes.fromhex("023E00")
# What a node is asked of itself.
IDENTITY = {0xF197: "system", 0xF187: "part", 0xF189: "software", 0xF18C: "serial"}
_FUNCTIONAL, _FIRST, _N = 0x7DF, 0x7E0, 8
_FUNCTIONAL_29, _PHYSICAL_29, _ANSWER_29 = 0x18DB33F1, 0x18DA00F1, 0x18DAF100
_REQUEST, _CLAIM, _ADDRESS_CLAIMED = 0x18EAFFF9, 0x18EEFF00, bytes.fromhex("00EE00")
_FLOW = bytes.fromhex("300000")
_PAD = 0xCC
_WAIT_NS = 250_000_000  # for the first word of an answer
_PENDING_NS = 3_000_000_000  # after "response pending"
_WHOLE_NS = 6_000_000_000  # for a whole answer
_CLAIM_NS = 600_000_000
_GAP_S = 0.01
_MOST = 4095
_REFUSALS = {
    0x10: "general reject", 0x11: "service not supported", 0x12: "sub-function not supported", 0x13: "wrong length",
    0x22: "conditions not correct", 0x31: "out of range", 0x33: "access denied", 0x7F: "not in this session",
}  # fmt: skip
_PENDING = 0x78


@dataclass(frozen=True)
class Question:
    """A frame that will be sent. what: for people."""

    can_id: int
    flags: int
    data: bytes
    what: str

    @property
    def label(self) -> str:
        """Its id."""
        return hex_id(self.can_id, bool(self.flags & EXTENDED))


@dataclass
class Answer:
    """A node that answered. label: of the id it answers on.  asked: of the id it is asked on; "" where that is not known.

    said: what it is and how it answered, by name.  was_sending: so the id did before it was asked; that is no answer.
    """

    kind: str
    label: str
    asked: str
    said: dict[str, str] = field(default_factory=dict)
    was_sending: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": self.kind, "id": self.label, "asked": self.asked, "said": self.said}


def questions(kinds: Iterable[str]) -> list[Question]:
    """The frames that are sent whoever answers; `more` says what may follow."""
    out = []
    for kind in kinds:
        if kind == "uds":
            out.append(Question(_FUNCTIONAL, 0, _padded(PRESENT), "UDS tester present, to all"))
            out += [Question(_FIRST + n, 0, _padded(PRESENT), "UDS tester present") for n in range(_N)]
        elif kind == "uds29":
            out.append(Question(_FUNCTIONAL_29, EXTENDED, _padded(PRESENT), "UDS tester present, to all"))
        else:
            out.append(Question(_REQUEST, EXTENDED, _ADDRESS_CLAIMED, "J1939 request for address claimed, to all"))
    return out


def more(kinds: Iterable[str]) -> list[str]:
    """What is sent to nodes that answer."""
    dids = ", ".join(f"22 {did >> 8:02X} {did & 0xFF:02X} ({name})" for did, name in IDENTITY.items())
    at = {"uds": "0x7E0 to 0x7E7", "uds29": "0x18DAxxF1"}
    return [
        f"to each of {at[kind]} that answers: UDS read data {dids}; 30 00 00 (flow control) where an answer is long"
        for kind in kinds
        if kind in at
    ]


def ask(bus: CanBus, kinds: Iterable[str], before: Collection[tuple[int, bool]]) -> list[Answer]:
    """Send the questions and hear who answers. Raises DutError when the bus takes no frame, LinkLostError.

    before: (id, extended) of all that was sending before.
    """
    out: list[Answer] = []
    for kind in kinds:
        asked = questions([kind])
        if kind == "j1939":
            out += _claims(bus, asked[0])
        else:
            out += _tested(bus, kind, asked, {can_id for can_id, extended in before if extended == (kind == "uds29")})
    return out


def _padded(data: bytes) -> bytes:
    return data.ljust(8, bytes([_PAD]))


def _send(bus: CanBus, can_id: int, flags: int, data: bytes) -> None:
    if not bus.send(can_id, flags, data):
        raise DutError(f'bus "{bus.name}" took no frame: its queue is full; is anybody there to acknowledge?')


def _frames(bus: CanBus, wait_ns: int, wanted: Callable[[Frame], bool]) -> Iterable[Frame]:
    """Frames that are wanted, until a time from now."""
    until_ns = time.monotonic_ns() + wait_ns
    while time.monotonic_ns() < until_ns and (frame := bus.receive(until_ns)) is not None:
        if wanted(frame):
            yield frame


def _claims(bus: CanBus, question: Question) -> list[Answer]:
    """Nodes of J1939, with what their names say."""
    _send(bus, question.can_id, question.flags, question.data)
    found: dict[int, Answer] = {}

    def wanted(frame: Frame) -> bool:
        """An address claimed, to whomever."""
        return bool(frame.flags & EXTENDED) and frame.can_id & 0x03FFFF00 == _CLAIM & 0x03FFFF00 and len(frame.data) == 8

    for frame in _frames(bus, _CLAIM_NS, wanted):
        address, name = frame.can_id & 0xFF, int.from_bytes(frame.data, "little")
        said = {
            "address": f"{address}", "manufacturer": f"{name >> 21 & 0x7FF}", "function": f"{name >> 40 & 0xFF}",
            "instance": f"{name >> 35 & 0x1F}", "system": f"{name >> 49 & 0x7F}", "group": f"{name >> 60 & 0x7}",
            "number": f"{name & 0x1FFFFF}",
        }  # fmt: skip
        found[address] = Answer("j1939", hex_id(frame.can_id, True), question.label, said)
    return [found[address] for address in sorted(found)]


def _is_present(data: bytes) -> bool:
    """True for an answer to tester present, also for a refusal."""
    return data[:3] == b"\x02\x7e\x00" or (data[:3] == b"\x03\x7f\x3e" and len(data) > 3)


def _tested(bus: CanBus, kind: str, asked: list[Question], before: set[int]) -> list[Answer]:
    """Nodes that answer tester present, and what they say of themselves. before: ids that were sending already."""
    extended = kind == "uds29"
    heard: set[int] = set()

    def wanted(frame: Frame) -> bool:
        """An answer to tester present, on the ids of this kind of question."""
        if bool(frame.flags & EXTENDED) != extended or not _is_present(frame.data):
            return False
        return frame.can_id & 0x1FFFFF00 == _ANSWER_29 if extended else frame.can_id >= 0x600

    for question in asked:
        _send(bus, question.can_id, question.flags, question.data)
        to_all = question is asked[0]
        for frame in _frames(bus, _WAIT_NS if to_all else _WAIT_NS // 5, wanted):
            heard.add(frame.can_id)
    found = []
    for can_id in sorted(heard):
        to = _PHYSICAL_29 | (can_id & 0xFF) << 8 if extended else can_id - 8
        known = extended or _FIRST <= to < _FIRST + _N
        answer = Answer(kind, hex_id(can_id, extended), hex_id(to, extended) if known else "", was_sending=can_id in before)
        for did, name in IDENTITY.items() if known and not answer.was_sending else ():
            _send(bus, to, EXTENDED if extended else 0, _padded(bytes([3, 0x22, did >> 8, did & 0xFF])))
            answer.said[name] = _read(bus, to, can_id, EXTENDED if extended else 0, did)
            time.sleep(_GAP_S)
        found.append(answer)
    return found


def _read(bus: CanBus, to: int, can_id: int, flags: int, did: int) -> str:
    """What a node says to the request for a data identifier, as text."""
    payload = _message(bus, to, can_id, flags)
    if payload is None:
        return "no answer"
    if payload[:1] == b"\x7f":
        code = payload[2] if len(payload) > 2 else 0
        return f"refused: {_REFUSALS.get(code, f'0x{code:02X}')}"
    if payload[:3] != bytes([0x62, did >> 8, did & 0xFF]):
        return f"another answer: {payload[:16].hex(' ').upper()}"
    data = payload[3:].rstrip(b"\0\xff ")
    text = data.decode("ascii", "replace")
    return text if data and text.isprintable() and text.isascii() else payload[3:].hex(" ").upper()


def _message(bus: CanBus, to: int, can_id: int, flags: int) -> bytes | None:
    """One message of ISO-TP; None when none came, or it broke off."""
    wait_ns, until_ns = _WAIT_NS, time.monotonic_ns() + _WHOLE_NS
    size, data, turn = 0, b"", 0
    while time.monotonic_ns() < until_ns:

        def wanted(frame: Frame) -> bool:
            """Whether a frame is a part of the answer."""
            return frame.can_id == can_id and frame.flags & EXTENDED == flags and len(frame.data) > 0

        frame = next(iter(_frames(bus, wait_ns, wanted)), None)
        if frame is None:
            return None
        kind, low = frame.data[0] >> 4, frame.data[0] & 0xF
        if kind == 0 and size == 0:
            payload = frame.data[1 : 1 + low]
            if payload[:1] == b"\x7f" and payload[2:3] == bytes([_PENDING]):
                wait_ns = _PENDING_NS
                continue
            return payload if low and len(payload) == low else None
        if kind == 1 and size == 0 and len(frame.data) == 8:
            size, data, turn = low << 8 | frame.data[1], frame.data[2:], 1
            if size < 8 or size > _MOST:
                return None
            _send(bus, to, flags, _padded(_FLOW))
        elif kind == 2 and size and low == turn & 0xF:
            data, turn = data + frame.data[1:], turn + 1
            if len(data) >= size:
                return data[:size]
        else:
            return None
    return None
