"""Our end of a kernel's bus, against can-utils and bare sockets: frames, stamps, errors, overflow, an end."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from kernel_can import BUS, OTHER

from firmware_sim.wire.layout import EXTENDED, FD
from hil.errors import DutError, LinkLostError
from hil.link import ethtool
from hil.link.can_bus import CanBus
from hil.link.frame import Frame
from hil.link.spec import parse

SECOND_NS = 1_000_000_000
FRAME = struct.Struct("=IB3x8s")
FRAMES = [
    (0x123, 0, b"\x11\x22"),
    (0x7FF, 0, b""),
    (0x1ABCDEF5, EXTENDED, bytes(range(8))),
    (0x100, FD, bytes(range(64))),
    (0x1F334455, FD | EXTENDED, bytes(12)),
]


@contextmanager
def bus_on(name: str, device: bool = False) -> Iterator[CanBus]:
    bus = CanBus(parse(f"socketcan:{name}"), 500_000, True, device)
    try:
        yield bus
    finally:
        bus.close()


@pytest.fixture
def raw() -> Iterator[socket.socket]:
    """A socket that shares no code with ours."""
    with socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW) as bare:
        bare.bind((BUS,))
        yield bare


def all_of(bus: CanBus, wait_s: float = 0.2) -> list[Frame]:
    found = []
    while (frame := bus.receive(time.monotonic_ns() + round(wait_s * SECOND_NS))) is not None:
        found.append(frame)
    return found


def in_candump(can_id: int, flags: int, data: bytes, code: int = 5) -> str:
    """How candump -L writes a frame. code: of an FD frame, 1 for a fast data phase plus 4 for FD itself."""
    number = f"{can_id:08X}" if flags & EXTENDED else f"{can_id:03X}"
    return f"{number}##{code}{data.hex().upper()}" if flags & FD else f"{number}#{data.hex().upper()}"


def test_candump_reads_what_we_send() -> None:
    """Standard, extended, FD with a fast data phase: can-utils sees the very frames, and so do we, as our own."""
    with bus_on(BUS) as bus:
        dump = subprocess.Popen(["candump", "-L", "-n", str(len(FRAMES)), BUS], stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        for frame in FRAMES:
            assert bus.send(*frame)
        out, _ = dump.communicate(timeout=10)
        assert [in_candump(*frame) for frame in FRAMES] == [line.split()[2] for line in out.splitlines()]
        assert FRAMES == [(frame.can_id, frame.flags, frame.data) for frame in all_of(bus)]
        assert (True, "kernel") == (bus.echoes, bus.stamps)


def test_we_read_what_cansend_sends_at_the_time_at_which_it_was_sent() -> None:
    """The frames of an independent sender, with the kernel's stamps, although they are read much later."""
    with bus_on(BUS, device=True) as bus:
        times = []
        for frame in FRAMES:
            before_ns = time.monotonic_ns()
            subprocess.run(["cansend", BUS, in_candump(*frame)], check=True)
            times.append((before_ns, time.monotonic_ns()))
        subprocess.run(["cansend", BUS, "123#R"], check=True)
        time.sleep(0.1)
        got = all_of(bus)
        assert FRAMES == [(frame.can_id, frame.flags, frame.data) for frame in got]
        assert 1 == bus.counts.remote
        for frame, (low_ns, high_ns) in zip(got, times, strict=True):
            assert low_ns - SECOND_NS // 1000 <= frame.t_ns <= high_ns + SECOND_NS // 1000


def test_the_kernel_is_asked_who_stamps_and_says_it_does() -> None:
    """A virtual bus has no controller: the kernel stamps, in SO_TIMESTAMPING's first time; an absent one is told of nothing."""
    assert "driver vcan, time stamps by the kernel, known to 0.1 ms" == str(ethtool.about(BUS))
    assert "unknown driver, time stamps by the kernel, known to 0.1 ms" == str(ethtool.about("can7"))
    done = subprocess.run(
        [sys.executable, "-c", "from hil.cli import main; main()", "doctor", "--json"], stdout=subprocess.PIPE
    )
    rows = {row["what"]: row["found"] for row in json.loads(done.stdout)}
    assert "up; driver vcan, time stamps by the kernel, known to 0.1 ms" == rows[f"bus {BUS}"]
    assert rows["SocketCAN"] == "in the kernel"


def test_the_device_end_does_not_hear_itself() -> None:
    """A served device needs no echo; the bench has one, by which it proves the bus alive."""
    with bus_on(BUS, device=True) as device, bus_on(BUS) as bench:
        assert device.send(0x10, 0, b"a")
        assert bench.send(0x11, 0, b"b")
        assert [0x11] == [frame.can_id for frame in all_of(device)]
        assert [0x10, 0x11] == [frame.can_id for frame in all_of(bench)]


def test_what_found_no_room_in_the_socket_is_counted(raw: socket.socket) -> None:
    """A reader that sleeps through a burst knows afterwards how many frames it has lost; without a burst none is lost."""
    sent = 12_000
    with bus_on(BUS, device=True) as bus:
        for n in range(sent):
            raw.send(FRAME.pack(n % 0x800, 8, bytes(8)))
        got = len(all_of(bus))
        raw.send(FRAME.pack(1, 8, bytes(8)))  # the kernel tells with the next frame
        assert 1 == len(all_of(bus))
        assert sent == got + bus.counts.lost
        assert bus.counts.lost > 0


def test_a_full_second_of_a_full_bus_is_not_lost(raw: socket.socket) -> None:
    """4,504 frames at once wait in the socket until they are read."""
    with bus_on(BUS, device=True) as bus:
        for n in range(2_252):
            raw.send(FRAME.pack(n % 0x800, 8, n.to_bytes(8, "little")))
        got = all_of(bus)
        assert list(range(2_252)) == [int.from_bytes(frame.data, "little") for frame in got]
        assert 0 == bus.counts.lost


def test_error_frames_are_counted_and_bus_off_is_the_end(raw: socket.socket) -> None:
    """A controller problem is counted; a controller that left the bus is a lost link."""
    with bus_on(BUS) as bus:
        raw.send(FRAME.pack(0x2000_0004, 8, bytes(8)))
        assert [] == all_of(bus)
        assert 1 == bus.counts.errors
        raw.send(FRAME.pack(0x2000_0040, 8, bytes(8)))
        with pytest.raises(LinkLostError, match="the controller went bus-off"):
            bus.receive(time.monotonic_ns() + SECOND_NS)


def test_an_interface_that_goes_down_is_a_lost_link() -> None:
    """Reading and sending end in a sentence, and so does opening what is not there."""
    with bus_on(OTHER) as bus:
        subprocess.run(["ip", "link", "set", OTHER, "down"], check=True)
        with pytest.raises(LinkLostError, match=f'bus "socketcan:{OTHER}" was lost: Network is down'):
            bus.receive(time.monotonic_ns() + SECOND_NS)
        with pytest.raises(LinkLostError, match="was lost while sending: Network is down"):
            bus.send(1, 0, b"x")
    subprocess.run(["ip", "link", "set", OTHER, "up"], check=True)
    with pytest.raises(DutError, match=r'bus "socketcan:can7" cannot be opened: .*No such device'):
        CanBus(parse("socketcan:can7"), 500_000, False)


def test_frames_that_the_kernel_repeats_come_at_its_period() -> None:
    """The kernel's broadcast manager sends 100 frames 10 ms apart; by the kernel's stamps we see each of them, on time."""
    setup = struct.Struct("@IIIllllII")
    operation, flags, count = 1, 0x0001 | 0x0002, 100  # TX_SETUP; SETTIMER, STARTTIMER
    head = setup.pack(operation, flags, count, 0, 10_000, 0, 0, 0x55, 1)
    with bus_on(BUS) as bus, socket.socket(socket.AF_CAN, socket.SOCK_DGRAM, socket.CAN_BCM) as manager:
        manager.connect((BUS,))
        manager.send(head.ljust(-(-len(head) // 8) * 8, b"\0") + FRAME.pack(0x55, 2, b"ok"))
        got = all_of(bus, 0.5)
    gaps_ms = np.diff([frame.t_ns for frame in got]) / 1e6
    assert count == len(got)
    assert {(0x55, b"ok")} == {(frame.can_id, frame.data) for frame in got}
    assert abs(float(np.median(gaps_ms)) - 10.0) < 1.0  # a busy host takes time from its guest
