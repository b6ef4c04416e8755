"""Two serial ports wired to each other."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.link.pty_pair import PtyPair


def read(file: int, size: int) -> bytes:
    got = b""
    while len(got) < size:
        ready, _, _ = select.select([file], [], [], 5.0)
        assert ready, f"only {len(got)} of {size} bytes came"
        got += os.read(file, size)
    return got


def test_every_byte_crosses_both_ways_as_it_is() -> None:
    """The line discipline eats nothing: no interrupt, no flow control, no change of line ends."""
    data = bytes(range(256))
    pair = PtyPair()
    near, far = (os.open(port, os.O_RDWR | os.O_NOCTTY) for port in (pair.near, pair.far))
    try:
        os.write(near, data)
        assert data == read(far, 256)
        os.write(far, data)
        assert data == read(near, 256)
        pair.check()
    finally:
        os.close(near)
        os.close(far)
        pair.close()


def test_links_are_made_replaced_and_removed(tmp_path: Path) -> None:
    """A name that a dead process left behind is taken over, and is gone after the end."""
    link = tmp_path / "bms"
    link.symlink_to(tmp_path / "gone")
    pair = PtyPair(far=link)
    assert link == pair.far
    assert link.exists()
    pair.close()
    assert not link.is_symlink()


def test_a_file_is_not_replaced_by_a_link(tmp_path: Path) -> None:
    """Only links are taken over; anything else in the way is said."""
    (tmp_path / "bms").write_text("mine", encoding="utf-8")
    with pytest.raises(BenchError, match="the link to a serial port cannot be made"):
        PtyPair(far=tmp_path / "bms")
    assert "mine" == (tmp_path / "bms").read_text(encoding="utf-8")


def test_a_side_that_nobody_reads_loses_bytes_and_holds_nobody_up() -> None:
    """Writing goes on for ever; what finds no reader is counted."""
    pair = PtyPair()
    near = os.open(pair.near, os.O_RDWR | os.O_NOCTTY)
    try:
        for _ in range(100):
            os.write(near, b"x" * 1000)
        pair.check()
        while pair.lost == 0:
            select.select([], [], [], 0.01)
        assert pair.lost > 0
    finally:
        os.close(near)
        pair.close()


def test_the_end_of_the_thread_is_not_silent() -> None:
    """When the wire between the ports breaks, the next look says so."""
    pair = PtyPair()
    os.close(pair._masters[0])
    os.write(pair._slaves[1], b"wake")
    pair._thread.join(timeout=5.0)
    with pytest.raises(BenchError, match=r"the serial pair .* broke"):
        pair.check()
    pair.close()
