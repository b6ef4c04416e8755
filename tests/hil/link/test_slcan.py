"""slcan from both ends: the lines, what an adapter answers, what noise costs, and how fast it is."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import can
import pytest

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import DutError, LinkLostError
from hil.link import slcan_lines as lines
from hil.link.can_bus import CanBus
from hil.link.frame import GoneError
from hil.link.port import Port
from hil.link.pty_pair import PtyPair
from hil.link.slcan import Slcan
from hil.link.spec import parse

SECOND_NS = 1_000_000_000


@pytest.fixture
def line() -> Iterator[PtyPair]:
    pair = PtyPair()
    yield pair
    pair.close()


@contextmanager
def far_end(line: PtyPair) -> Iterator[int]:
    """The bytes at the other end of a line."""
    far = os.open(line.far, os.O_RDWR | os.O_NOCTTY)
    try:
        yield far
    finally:
        os.close(far)


@contextmanager
def end(line: PtyPair, device: bool, **options: object) -> Iterator[Slcan]:
    bus = Slcan(str(line.near), dict(options), device)
    try:
        yield bus
    finally:
        bus.close()


def heard_until(far: int, tail: bytes) -> bytes:
    heard = b""
    while not heard.endswith(tail):
        heard += os.read(far, 256)
    return heard


def asked(bus: Slcan, far: int, question: bytes) -> bytes:
    """What the adapter end answers."""
    os.write(far, question)
    assert bus.receive(time.monotonic_ns() + SECOND_NS // 20) is None
    return os.read(far, 64)


def test_slcan_speaks_the_published_words(line: PtyPair) -> None:
    """What leaves and arrives is what the LAWICEL manual prints, letter by letter."""
    with far_end(line) as far, end(line, device=False, bitrate=500_000) as bus:
        bus.send(0x100, 0, b"\x11\x22\x33")
        bus.send(0x456789, EXTENDED, b"\x44")
        assert heard_until(far, b"144\r").endswith(b"C\rS6\rO\rt1003112233\rT00456789144\r")
        os.write(far, b"T0000010021122\rt7FF0\rr1238\rt1232AABB1A2B\r")
        found = [bus.receive(time.monotonic_ns() + SECOND_NS) for _ in range(3)]
        assert [(0x100, EXTENDED, b"\x11\x22"), (0x7FF, 0, b""), (0x123, 0, b"\xaa\xbb")] == [
            (frame.can_id, frame.flags, frame.data) for frame in found if frame is not None
        ]
        assert 1 == bus.counts.remote


@pytest.mark.parametrize(
    "text",
    [
        b"t8001AA", b"t1239001122334455667788", b"t1232AA", b"t1232AABBC", b"t12", b"t+121AA", b"t1_21AA", b"t 121AA",
        b"d123911", b"T2000000000", b"\xff\xfe", b"q1230", b"tGGG0", b"t123", b"R0000010",
    ],
)  # fmt: skip
def test_a_line_that_is_no_frame_is_none(text: bytes) -> None:
    """Too large an id, a wrong length, half a byte, signs and spaces that int() would take: nothing is guessed."""
    assert lines.parse(text) is None


def test_every_frame_survives_its_line() -> None:
    """All lengths, both kinds of id, classic and FD, against python-can's reading of the same line."""
    for flags, lengths in (
        (0, lines.LENGTHS[:9]),
        (EXTENDED, lines.LENGTHS[:9]),
        (FD, lines.LENGTHS),
        (FD | EXTENDED, lines.LENGTHS),
    ):
        for length in lengths:
            can_id, data = (0x1FFFFFFF if flags & EXTENDED else 0x7FF), bytes(range(length))
            assert lines.Line(can_id, flags, data, length, bool(flags & FD)) == lines.parse(
                lines.encode(can_id, flags, data).rstrip(b"\r")
            )


def test_the_adapter_end_answers_commands(line: PtyPair) -> None:
    """Version, serial number, state, rate, open, close, listen-only; what no adapter knows is refused with BEL."""
    with far_end(line) as far, end(line, device=True) as bus:
        assert b"V1013\r" == asked(bus, far, b"V\r")
        assert b"NNAB1\r" == asked(bus, far, b"N\r")
        assert b"\r\r\r" == asked(bus, far, b"C\rS6\rO\r")
        assert b"\a" == asked(bus, far, b"what\r")
        assert b"\r\a" == asked(bus, far, b"C\rC\r")
        assert bus.send(1, 0, b"x")  # into a closed channel: nobody is there
        assert b"\r" == asked(bus, far, b"L\rt0011AA\r")  # the frame is not heeded in listen-only
        bus.send(1, 0, b"x")
        assert b"t001178\r" == os.read(far, 64)


def test_python_cans_own_end_finds_an_adapter(line: PtyPair) -> None:
    """Its version and serial number commands are answered as by hardware."""
    with end(line, device=True) as bus:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                bus.receive(time.monotonic_ns() + SECOND_NS // 100)

        thread = threading.Thread(target=work)
        thread.start()
        other = can.Bus(interface="slcan", channel=str(line.far), bitrate=500_000, sleep_after_open=0)
        try:
            assert (10, 13) == other.get_version(2.0)
            assert "NAB1" == other.get_serial_number(2.0)
        finally:
            stop.set()
            thread.join()
            other.shutdown()


def test_a_rate_that_the_adapter_refuses_is_a_sentence(line: PtyPair) -> None:
    """BEL to the rate, and a rate that slcan has no command for."""
    with far_end(line) as far:

        def refuse() -> None:
            heard_until(far, b"S6\r")
            os.write(far, b"\a")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(DutError, match="cannot be opened: the adapter refused the command S6"):
            CanBus(parse(f"slcan:{line.near}"), 500_000, False)
        thread.join()
    with pytest.raises(DutError, match="slcan has no bit rate 300000; it has 10000, 20000"):
        CanBus(parse(f"slcan:{line.near}"), 300_000, False)


def test_noise_costs_the_lines_it_hits_and_no_other(line: PtyPair) -> None:
    """Frames between bursts of random bytes all arrive, in order; the bursts are counted."""
    rng = random.Random(5)
    with far_end(line) as far, end(line, device=True) as bus:
        for n in range(200):
            noise = bytes(rng.choices([b for b in range(256) if b not in b"\r\a"], k=rng.randrange(1, 40)))
            os.write(far, b"~" + noise + b"\r" + lines.encode(n, 0, bytes(8)))
            got = bus.receive(time.monotonic_ns() + SECOND_NS)
            assert got is not None
            assert n == got.can_id
        assert 200 == bus.counts.garbled
        for _ in range(3):
            os.write(far, b"x" * 2000)
            assert bus.receive(time.monotonic_ns() + SECOND_NS // 50) is None
        os.write(far, b"\rt0010\r")
        got = bus.receive(time.monotonic_ns() + SECOND_NS)
        assert got is not None
        assert 1 == got.can_id


def test_an_adapter_on_another_machine(line: PtyPair) -> None:
    """socket://HOST:PORT is a line as any other; the far end hanging up is a lost link, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"slcan:socket://127.0.0.1:{server.getsockname()[1]}"
        bus = CanBus(parse(where), 500_000, False)
        far, _ = server.accept()
        with far:
            far.sendall(b"t1FF2BEEF\r")
            got = bus.receive(time.monotonic_ns() + SECOND_NS)
            assert got is not None
            assert (0x1FF, b"\xbe\xef") == (got.can_id, got.data)
            assert bus.send(2, 0, b"")
            heard = b""
            while not heard.endswith(b"t0020\r"):
                heard += far.recv(64)
        with pytest.raises(LinkLostError, match="was lost: the other end is gone"):
            bus.receive(time.monotonic_ns() + SECOND_NS)
        bus.close()
    with pytest.raises(DutError, match=r"cannot be opened: expected socket://HOST:PORT"):
        CanBus(parse("slcan:socket://127.0.0.1"), 500_000, False)


def test_a_line_that_is_full_refuses_whole_frames_only() -> None:
    """A frame that was begun is ended before the next one; what found no room at all is refused."""
    master, slave = os.openpty()
    import tty

    tty.setraw(slave)
    port = Port(os.ttyname(slave), 115_200)
    row, taken, room = b"t1238" + b"00" * 8 + b"\r", 0, True
    while room:
        room = port.write(row, 0)
        taken += room
    text = b""
    while not port.write(row, 1_000_000):
        text += os.read(master, 4096)
    os.set_blocking(master, False)
    while True:
        try:
            text += os.read(master, 4096)
        except BlockingIOError:
            break
    assert (taken + 1) * row == text
    os.close(master)
    with pytest.raises(GoneError):
        port.write(row, 0)
    port.close()
    os.close(slave)
