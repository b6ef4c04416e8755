"""Lines in which an slcan adapter tells of errors; what they become is that of linux/can/error.h."""

from __future__ import annotations

import os
import time

import pytest

from hil.errors import LinkLostError
from hil.link.can_bus import CanBus
from hil.link.pty_pair import PtyPair
from hil.link.slcan_errors import parse
from hil.link.spec import parse as spec

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(("line", "can_id", "data"), [
    (b"e1a", 0xA8, "0000001900000000"),  # no acknowledge
    (b"e3bcO", 0x8C, "0002090800000000"),
    (b"e2fs", 0x88, "0000060000000000"),
    (b"e1B", 0x88, "0000100000000000"),
    (b"e1o", 0x8C, "0001000000000000"),
    (b"e0", 0x88, "0000000000000000"),
    (b"sa057033", 0x204, "0040000000002139"),
    (b"sw096000", 0x204, "0004000000000060"),
    (b"sp000200", 0x204, "002000000000c800"),
    (b"sp130130", 0x204, "0030000000008282"),
    (b"sb256256", 0x40, "0000000000000000"),
])  # fmt: skip
def test_a_line_of_errors_is_an_error_frame(line: bytes, can_id: int, data: str) -> None:
    """Classes in the id, kinds and places in the bytes, counters in the last two."""
    error = parse(line)
    assert error is not None
    assert (can_id, data) == (error.can_id, error.data.hex())


@pytest.mark.parametrize(
    "line", [b"", b"e", b"e1", b"e2a", b"e1x", b"e9", b"ea", b"sx000000", b"sa00000", b"sa0000000", b"sa00000a", b"s"]
)
def test_half_a_line_is_none(line: bytes) -> None:
    """Nor one with letters that mean nothing."""
    assert parse(line) is None


def test_a_controller_that_left_the_bus_ends_the_link_behind_what_it_heard_before() -> None:
    """The frames before it are still taken."""
    pair = PtyPair()
    far = os.open(pair.far, os.O_RDWR | os.O_NOCTTY)
    bus = CanBus(spec(f"slcan:{pair.near}"), 500_000, False)
    os.write(far, b"t1001AA\rsw100000\rsb255128\rt1001BB\r")
    frame = bus.receive(time.monotonic_ns() + SECOND_NS)
    assert frame is not None
    assert b"\xaa" == frame.data
    bus.receive(time.monotonic_ns() + SECOND_NS)
    with pytest.raises(LinkLostError, match="the controller went bus-off"):
        bus.receive(time.monotonic_ns() + SECOND_NS)
    assert 2 == bus.counts.errors
    bus.close()
    os.close(far)
    pair.close()
