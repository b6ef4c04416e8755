"""nabench scan --ask: nodes that answer diagnostic questions and the request for addresses, over the wires there are."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import wall
from command import nabench

from hil.link.can_bus import CanBus, Frame
from hil.link.pty_pair import PtyPair
from hil.link.spec import parse

SOON_NS = 20_000_000
SERIAL = b"SN-2026-0815-LONG-NUMBER"


@dataclass
class Node:
    """A node with a diagnostic server of its own: it hears, answers, and waits for flow control as ISO 15765-2 has it.

    asked, answers: its ids.  dids: what it says of itself; others are refused.  present: how it answers tester present.
    """

    asked: int
    answers: int
    flags: int = 0
    dids: dict[int, bytes] = field(default_factory=dict)
    to_all: int = 0x7DF
    pending: bool = False
    stalls: bool = False
    present: bytes = b"\x02\x7e\x00" + bytes(5)
    _rest: bytes = b""

    def take(self, frame: Frame, send: Callable[[int, int, bytes], object]) -> None:
        """Answer a frame."""
        if frame.can_id not in (self.asked, self.to_all) or frame.flags & 1 != self.flags:
            return
        data = frame.data
        if data[0] >> 4 == 3 and self._rest and not self.stalls:
            for n in range(0, len(self._rest), 7):
                send(self.answers, self.flags, (bytes([0x20 | (n // 7 + 1) & 0xF]) + self._rest[n : n + 7]).ljust(8, b"\0"))
            self._rest = b""
        elif data[:3] == b"\x02\x3e\x00":
            send(self.answers, self.flags, self.present)
        elif data[:2] == b"\x03\x22" and frame.can_id == self.asked:
            said = self.dids.get(data[2] << 8 | data[3])
            if said is None:
                send(self.answers, self.flags, b"\x03\x7f\x22\x31" + bytes(4))
                return
            if self.pending:
                send(self.answers, self.flags, b"\x03\x7f\x22\x78" + bytes(4))
            whole = b"\x62" + data[2:4] + said
            if len(whole) < 8:
                send(self.answers, self.flags, bytes([len(whole)]) + whole.ljust(7, b"\0"))
            else:
                self._rest = whole[6:]
                send(self.answers, self.flags, bytes([0x10 | len(whole) >> 8, len(whole) & 0xFF]) + whole[:6])


@dataclass
class Claimer:
    """A node of J1939 that says its name when it is asked."""

    address: int
    name: int

    def take(self, frame: Frame, send: Callable[[int, int, bytes], object]) -> None:
        """Answer the request for address claimed."""
        if frame.can_id & 0x00FF0000 == 0x00EA0000 and frame.data[:3] == b"\x00\xee\x00":
            send(0x18EEFF00 | self.address, 1, self.name.to_bytes(8, "little"))


@contextmanager
def listening(bus: str, nodes: list[Node | Claimer], *, device: bool = False) -> Iterator[list[Frame]]:
    """Nodes at work on a bus. Gives all frames that they heard."""
    import time

    opened, stop, heard = CanBus(parse(bus), 500_000, False, device), threading.Event(), list[Frame]()

    def work() -> None:
        while not stop.is_set():
            frame = opened.receive(time.monotonic_ns() + SOON_NS)
            if frame is not None:
                heard.append(frame)
                for node in nodes:
                    node.take(frame, opened.send)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield heard
    finally:
        stop.set()
        thread.join()
        opened.close()


@contextmanager
def sending(bus: str, can_id: int, data: bytes) -> Iterator[None]:
    """A frame that comes every 10 ms and answers nobody."""
    opened, stop = CanBus(parse(bus), 500_000, False), threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            opened.send(can_id, 0, data)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        opened.close()


def bms() -> Node:
    return Node(0x7E4, 0x7EC, 0, {0xF197: b"BMS", 0xF18C: SERIAL, 0xF189: bytes([1, 4, 200])})


def test_what_would_be_sent_is_shown_and_nothing_is_sent_before_it_is_armed() -> None:
    """Every frame by id and bytes, what may follow, and what to type."""
    bus = wall.virtual()
    with listening(bus, [bms()]) as heard:
        ran = nabench("scan", bus, "--ask", "all", "--for", "0.05")
    assert (2, []) == (ran.code, heard)
    assert ran.out.startswith(f"would ask on {bus}:\n  0x7DF  02 3E 00 CC CC CC CC CC  UDS tester present, to all\n")
    assert 8 == ran.out.count("UDS tester present\n")
    assert "0x18DB33F1  02 3E 00" in ran.out and "0x18EAFFF9  00 EE 00  J1939" in ran.out
    assert "22 F1 8C (serial)" in ran.out and "30 00 00 (flow control)" in ran.out
    assert [f"nothing was opened or sent; to go on: nabench scan {bus} --ask all --for 0.05 --arm"] == ran.problems


@pytest.mark.parametrize("wire", ["virtual", "multicast", "pty"])
def test_a_node_says_who_it_is(wire: str) -> None:
    """Short and long answers, bytes that are no text, and a refusal, over each wire."""
    if wire == "pty":
        pair = PtyPair()
        ours, theirs = (f"slcan:{port}" for port in (pair.near, pair.far))
    else:
        pair = None
        ours = theirs = wall.virtual() if wire == "virtual" else wall.multicast()
    with listening(theirs, [bms()], device=pair is not None) as heard:
        ran = nabench("scan", ours, "--ask", "uds", "--arm", "--for", "0.05")
    if pair is not None:
        pair.close()
    assert 0 == ran.code, ran.err
    assert (
        f"answered: uds 0x7EC (asked on 0x7E4): system BMS, part refused: out of range, software 01 04 C8, "
        f"serial {SERIAL.decode()}" in ran.out
    )
    shown = {tuple(line.split()[:4]) for line in ran.out.splitlines() if line.startswith("  0x")}
    assert {(f"0x{f.can_id:03X}", *f"{f.data[:3].hex(' ').upper()}".split()) for f in heard if f.data[1] == 0x3E} == shown
    asked = {frame.data[1] for frame in heard if frame.can_id != 0x7EC and frame.data[0] >> 4 == 0}
    assert {0x22, 0x3E} == asked  # nothing that changes a node


def test_several_nodes_and_29_bit_ids_and_j1939() -> None:
    """One frame to all finds them; those that take their time are waited for; names of J1939 are taken apart."""
    bus = wall.virtual()
    slow = Node(0x18DA2AF1, 0x18DAF12A, 1, {0xF187: b"1234567 8"}, 0x18DB33F1, pending=True)
    name = 1 << 63 | 2 << 60 | 3 << 49 | 130 << 40 | 1 << 35 | 300 << 21 | 4711
    nodes: list[Node | Claimer] = [slow, Node(0x18DA10F1, 0x18DAF110, 1, {}, 0x18DB33F1), Claimer(0xF3, name), Claimer(0x27, 9)]
    with listening(bus, nodes):
        ran = nabench("scan", bus, "--ask", "j1939", "--ask", "uds29", "--arm", "--for", "0.05", "--json")
    assert 0 == ran.code
    answers = json.loads(ran.out)["answers"]
    assert [("uds29", "0x18DAF110"), ("uds29", "0x18DAF12A"), ("j1939", "0x18EEFF27"), ("j1939", "0x18EEFFF3")] == [
        (one["kind"], one["id"]) for one in answers
    ]
    assert "1234567 8" == answers[1]["said"]["part"]
    assert {"refused: out of range"} == set(answers[0]["said"].values())
    assert {
        "address": "243", "manufacturer": "300", "function": "130", "instance": "1", "system": "3", "group": "2",
        "number": "4711",
    } == answers[3]["said"]  # fmt: skip


def test_a_node_that_breaks_off_or_sits_elsewhere_is_told_as_it_is() -> None:
    """An answer without its rest is none; of an unusual id it is not known where to ask."""
    bus = wall.virtual()
    stalls, odd = Node(0x7E0, 0x7E8, 0, {0xF197: b"LONGER THAN EIGHT"}, stalls=True), Node(0x6A0, 0x6B0)
    with listening(bus, [stalls, odd]):
        ran = nabench("scan", bus, "--ask", "uds", "--arm", "--for", "0.05")
    assert "answered: uds 0x7E8 (asked on 0x7E0): system no answer, part refused: out of range" in ran.out
    assert "answered: uds 0x6B0, on what id it is asked is not known" in ran.out


def test_a_bus_on_which_nobody_answers() -> None:
    """Said, with exit code 3; other words are refused, and so is --arm alone."""
    bus = wall.virtual()
    with listening(bus, []):
        ran = nabench("scan", bus, "--ask", "j1939", "--arm", "--for", "0.05")
    assert 3 == ran.code
    assert "nobody answered to j1939" in ran.out
    assert ['--ask udss: expected one of uds, uds29, j1939, all; did you mean "uds"?'] == (
        nabench("scan", bus, "--ask", "udss").problems
    )
    assert ["--arm is for --ask: a scan without it sends nothing"] == nabench("scan", bus, "--arm").problems


def test_who_was_sending_already_has_not_answered() -> None:
    """A periodic frame that looks like an answer is told, and asked nothing; a node that answers is found beside it."""
    bus = wall.virtual()
    with listening(bus, [bms()]) as heard, sending(bus, 0x7E9, bytes.fromhex("027E001122334455")):
        ran = nabench("scan", bus, "--ask", "uds", "--arm", "--for", "0.3")
        with_json = json.loads(nabench("scan", bus, "--ask", "uds", "--arm", "--for", "0.3", "--json").out)
    assert 0 == ran.code
    assert ["0x7EC (asked on 0x7E4)"] == [
        line.removeprefix("answered: uds ").partition(":")[0] for line in ran.out.splitlines() if line.startswith("answered")
    ]
    assert "no answer: uds 0x7E9: it sends what looks like one, but was sending already\n" in ran.out
    assert (["0x7EC"], ["0x7E9"]) == ([one["id"] for one in with_json["answers"]], with_json["was_sending"])
    assert {0x3E} == {frame.data[1] for frame in heard if frame.can_id == 0x7E1}


@pytest.mark.parametrize("present", ["027E11", "037F3E"])
def test_what_only_begins_like_an_answer_is_none(present: str) -> None:
    """Tester present is answered with its sub-function, refused with a reason."""
    bus = wall.virtual()
    with listening(bus, [Node(0x7E4, 0x7EC, present=bytes.fromhex(present))]):
        ran = nabench("scan", bus, "--ask", "uds", "--arm", "--for", "0.05")
    assert "nobody answered to uds" in ran.out
    assert "0x7EC" not in ran.out


def test_json_stands_alone_and_what_is_sent_beside_it() -> None:
    """The list of questions goes to stderr, before it is armed and after."""
    bus = wall.virtual()
    asked = f"on {bus}:\n  0x18EAFFF9  00 EE 00  J1939 request for address claimed, to all\n"
    words = ("scan", bus, "--ask", "j1939", "--for", "0.05", "--json")
    ran = nabench(*words)
    assert (2, "") == (ran.code, ran.out)
    assert f"would ask {asked}" in ran.err
    with listening(bus, [Claimer(0x27, 9)]):
        ran = nabench(*words, "--arm")
    assert f"asking {asked}" in ran.err
    assert ["0x18EEFF27"] == [one["id"] for one in json.loads(ran.out)["answers"]]
