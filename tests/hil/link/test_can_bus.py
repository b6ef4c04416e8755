"""One bus through python-can: what arrives, when, and what becomes of everything that is no frame for us."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import can
import pytest
import wall

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import DutError, LinkLostError
from hil.link.can_bus import CanBus, Frame
from hil.link.pty_pair import PtyPair
from hil.link.spec import parse

SECOND_NS = 1_000_000_000


@contextmanager
def bus_on(text: str, fd: bool = False) -> Iterator[CanBus]:
    bus = CanBus(parse(text), 500_000, fd)
    try:
        yield bus
    finally:
        bus.close()


@contextmanager
def peer(text: str, **options: Any) -> Iterator[can.BusABC]:
    """The other end, by python-can alone."""
    spec = parse(text)
    other = can.Bus(interface=spec.interface, channel=spec.channel, **spec.options, **options)
    try:
        yield other
    finally:
        other.shutdown()


def next_of(bus: CanBus) -> Frame:
    frame = bus.receive(time.monotonic_ns() + 2 * SECOND_NS)
    assert frame is not None, "no frame came"
    return frame


@pytest.fixture
def line() -> Iterator[PtyPair]:
    pair = PtyPair()
    yield pair
    pair.close()


@pytest.mark.parametrize(
    ("can_id", "flags", "data"),
    [(0x10, 0, b""), (0x7FF, 0, bytes(range(8))), (0x1ABCDEF, EXTENDED, b"\xff\0\r\a"), (0x100, FD, bytes(range(64)))],
)
@pytest.mark.parametrize("kind", ["virtual", "udp_multicast", "slcan", "serial"])
def test_a_frame_crosses_as_it_is_both_ways(line: PtyPair, kind: str, can_id: int, flags: int, data: bytes) -> None:
    """Standard, extended and CAN FD frames, over every kind of wire, to and from python-can's own end."""
    if kind == "serial" and flags & FD:
        with pytest.raises(DutError, match="this framing has no CAN FD"):
            CanBus(parse(f"serial:{line.near}"), 500_000, True)
        return
    near = {"virtual": wall.virtual(), "udp_multicast": wall.multicast()}.get(kind, f"{kind}:{line.near}")
    far = f"{kind}:{line.far}" if kind in ("slcan", "serial") else near
    with peer(far, **({"sleep_after_open": 0} if kind == "slcan" else {})) as other, bus_on(near, fd=bool(flags & FD)) as bus:
        assert bus.send(can_id, flags, data)
        arrived = other.recv(2.0)
        assert arrived is not None
        assert (can_id, bool(flags & EXTENDED), bool(flags & FD)) == (
            arrived.arbitration_id,
            arrived.is_extended_id,
            arrived.is_fd,
        )
        assert data == bytes(arrived.data)
        other.send(arrived)
        got = next_of(bus)
        while got.t_ns < 0 or (bus.echoes and got.can_id != can_id):
            got = next_of(bus)
        assert (can_id, flags, data) == (got.can_id, got.flags, got.data)


def test_a_stamped_frame_has_the_time_at_which_it_was_sent() -> None:
    """A reader that comes late still learns when a frame arrived; the band around it is microseconds."""
    text = wall.multicast()
    with bus_on(text) as bus, peer(text) as other:
        other.send(can.Message(arbitration_id=2, is_extended_id=False))
        next_of(bus)
        time.sleep(0.05)  # the kernel begins to stamp a little after it was asked to
        before_ns = time.monotonic_ns()
        other.send(can.Message(arbitration_id=1, is_extended_id=False, data=b"x"))
        after_ns = time.monotonic_ns()
        time.sleep(0.05)
        got = next_of(bus)
        assert before_ns - SECOND_NS // 1000 <= got.t_ns <= after_ns + SECOND_NS // 1000
        assert got.blur_ns < SECOND_NS // 100


def test_a_frame_that_was_read_late_says_how_late_it_may_be(line: PtyPair) -> None:
    """Without stamps a frame has the time of reading, and its band reaches back to when the line was last seen empty."""
    with bus_on(f"slcan:{line.near}") as bus, peer(f"slcan:{line.far}", sleep_after_open=0) as other:
        while bus.receive(time.monotonic_ns() + SECOND_NS // 50) is not None:
            pass
        empty_ns = time.monotonic_ns()
        other.send(can.Message(arbitration_id=1, is_extended_id=False, data=b"x"))
        sent_ns = time.monotonic_ns()
        time.sleep(0.05)
        got = next_of(bus)
        assert got.t_ns - sent_ns >= SECOND_NS // 20
        assert empty_ns - SECOND_NS // 100 <= got.t_ns - got.blur_ns <= sent_ns


def test_error_and_remote_frames_are_counted_and_passed_over() -> None:
    """They are no data, but they are not nothing."""
    text = wall.virtual()
    with bus_on(text) as bus, peer(text) as other:
        other.send(can.Message(is_error_frame=True))
        other.send(can.Message(arbitration_id=5, is_extended_id=False, is_remote_frame=True, dlc=8))
        other.send(can.Message(arbitration_id=6, is_extended_id=False, data=b"ok"))
        assert 6 == next_of(bus).can_id
        assert (1, 1) == (bus.counts.errors, bus.counts.remote)


def test_half_a_line_is_counted_and_the_next_frame_is_read(line: PtyPair) -> None:
    """Noise on a serial line costs the frames it hits, not the run."""
    with bus_on(f"slcan:{line.near}") as bus:
        far = os.open(line.far, os.O_RDWR | os.O_NOCTTY)
        os.write(far, b"t1G32\r" + b"\xff\xfe\r" + b"t12" + b"\r" + b"t0102AABB\r")
        got = next_of(bus)
        os.close(far)
        assert (0x10, b"\xaa\xbb") == (got.can_id, got.data)
        assert bus.counts.garbled >= 2


def test_a_foreign_datagram_is_counted(line: PtyPair) -> None:
    """Somebody else's traffic on the multicast port is no frame and no end."""
    import socket

    text = wall.multicast()
    port = int(parse(text).options["port"])
    with bus_on(text) as bus, peer(text) as other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for junk in (b"hello", b"\xc1", b"\x81\xa1x\x01", b""):
            stranger.sendto(junk, (wall.GROUP, port))
        other.send(can.Message(arbitration_id=7, is_extended_id=False, data=b"ok"))
        assert 7 == next_of(bus).can_id
        assert bus.counts.garbled >= 3


def test_a_port_that_vanishes_is_a_sentence(line: PtyPair) -> None:
    """The other end going away ends in LinkLostError, reading and writing, and the bus still closes."""
    pair = PtyPair()
    bus = CanBus(parse(f"slcan:{pair.near}"), 500_000, False)
    pair.close()
    with pytest.raises(LinkLostError, match=r'bus "slcan:.*" was lost'):
        bus.receive(time.monotonic_ns() + SECOND_NS)
    with pytest.raises(LinkLostError, match=r'bus "slcan:.*" was lost while sending'):
        bus.send(1, 0, b"x")
    bus.close()


def test_a_port_that_is_not_there_is_a_sentence() -> None:
    """What cannot be opened is said with its name and the system's reason."""
    with pytest.raises(DutError, match=r'bus "slcan:/dev/nothing" cannot be opened: .*No such file'):
        CanBus(parse("slcan:/dev/nothing"), 500_000, False)
    with pytest.raises(DutError, match=r'bus "udp_multicast:192\.0\.2\.1" cannot be opened'):
        CanBus(parse("udp_multicast:192.0.2.1"), 500_000, False)


def test_python_cans_own_configuration_is_used_when_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty description takes CAN_INTERFACE and CAN_CHANNEL; without them it is said what to set."""
    monkeypatch.delenv("CAN_INTERFACE", raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(DutError, match="set CAN_INTERFACE and CAN_CHANNEL"):
        CanBus(parse(""), 500_000, False)
    monkeypatch.setenv("CAN_INTERFACE", "virtual")
    monkeypatch.setenv("CAN_CHANNEL", wall.virtual())
    with bus_on("") as bus:
        assert "virtual" == bus.interface


def test_a_burst_of_a_thousand_frames_is_not_lost() -> None:
    """The socket holds what a full bus sends in a quarter of a second."""
    text = wall.multicast()
    with bus_on(text) as bus, peer(text) as other:
        for n in range(1000):
            other.send(can.Message(arbitration_id=n, is_extended_id=False, data=bytes(8)))
        got = []
        while (frame := bus.receive(time.monotonic_ns() + SECOND_NS // 10)) is not None:
            got.append(frame.can_id)
        assert list(range(1000)) == got


def test_noise_between_serial_frames_costs_no_frame(line: PtyPair) -> None:
    """Starts that are none, a length that cannot be, an end in the wrong place, remote and error frames; frames survive."""
    frame = b"\xaa\x01\0\0\0\x02\x23\x01\0\0\x11\x22\xbb"
    noise = (b"", b"\xaa", b"\x00\xff\xbb", b"\xaa\xaa\xaa", b"\xaa\0\0\0\0\x09\0\0\0\0", frame[:-1] + b"\x00", frame[:7])
    with bus_on(f"serial:{line.near}") as bus:
        far = os.open(line.far, os.O_RDWR | os.O_NOCTTY)
        for junk in noise:
            os.write(far, junk + frame * 2)
        os.write(far, b"\xaa\0\0\0\0\0\x01\0\0\x40\xbb" + b"\xaa\0\0\0\0\0\x01\0\0\x20\xbb")
        got = []
        while (found := bus.receive(time.monotonic_ns() + SECOND_NS // 5)) is not None:
            got.append((found.can_id, found.data))
        os.close(far)
        assert [(0x123, b"\x11\x22")] * (2 * len(noise)) == got
        assert bus.counts.garbled >= 5
        assert (1, 1) == (bus.counts.remote, bus.counts.errors)
