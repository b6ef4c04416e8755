"""Error and remote frames: from a wire into a journal, from there to every format and back, and what a replay makes of them."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import can
import pytest
import rigs
import wall
from command import nabench

from hil.link.kept import KeptLink
from hil.link.pty_pair import PtyPair
from hil.link.spec import parse
from hil.record import logs, of_trace
from hil.record.frame import ERROR, REMOTE, RX, SWITCHED, TX, About, LogFrame
from hil.record.journal import Journal

EXT, FD = 1, 2
MS_NS = 1_000_000
# Classes and bytes as in linux/can/error.h: a bit and a CRC error with an overrun of what was to be sent; a controller that is
# error passive in transmitting, with its counters. Then remote frames that ask for 5 bytes and for none.
PROTOCOL = LogFrame(0, 0, 0x8C, ERROR | RX, 8, b"\0\x02\x09\x08\0\0\0\0")
PASSIVE = LogFrame(0, 0, 0x204, ERROR | RX, 8, b"\0\x20\0\0\0\0\x80\x10")
ASKED = LogFrame(0, 0, 0x123, REMOTE | RX, 5, b"")
ASKED_LONG = LogFrame(0, 0, 0x18000300, EXT | REMOTE | RX, 0, b"")
DATA = LogFrame(0, 0, 0x100, RX, 2, b"\xaa\xbb")
HEARD = [DATA, PROTOCOL, ASKED, DATA, PASSIVE, ASKED_LONG, DATA]
ON_SLCAN = b"t1002AABB\re3bcO\rr1235\rt1002AABB\rsp016128\rsp016129\rR180003000\rt1002AABB\r"
ON_SERIAL = (
    b"\xaa\0\0\0\0\x02\0\x01\0\0\xaa\xbb\xbb" b"\xaa\0\0\0\0\x08\x8c\0\0\x20\0\x02\x09\x08\0\0\0\0\xbb"
    b"\xaa\0\0\0\0\0\x23\x01\0\x40\xbb"
)  # fmt: skip


def read(path: Path) -> list[LogFrame]:
    """All frames of a log, without their times."""
    return [frame._replace(t_ns=0) for frame in logs.open_log(path)[1]]


def recorded(kind: str, text: bytes, n: int, path: Path) -> list[LogFrame]:
    """What `nabench watch --record` keeps of bytes on a serial line."""
    pair = PtyPair()
    far = os.open(pair.far, os.O_RDWR | os.O_NOCTTY)

    def speak() -> None:
        wall.wait_until(path.exists, 20.0)  # the bus was opened before
        os.write(far, text)

    thread = threading.Thread(target=speak)
    thread.start()
    ran = nabench("watch", f"{kind}:{pair.near}", "--json", "--for", "0.6", "--record", path)
    thread.join()
    os.close(far)
    pair.close()
    assert 0 == ran.code, ran.err
    assert f"{n} frames" in ran.err
    return read(path)


def test_what_a_serial_line_tells_of_errors_is_in_the_journal_in_its_place(tmp_path: Path) -> None:
    """Over slcan as the kernel's driver understands it, a state told twice kept once, a fast data phase known as such, and
    in python-can's own framing.
    """
    assert HEARD == recorded("slcan", ON_SLCAN, len(HEARD), tmp_path / "slcan.journal")
    fast = [LogFrame(0, 0, 0x101, FD | RX, 12, bytes(12)), LogFrame(0, 0, 0x102, FD | SWITCHED | RX, 1, b"\x01")]
    assert fast == recorded("slcan", b"d1019" + b"00" * 12 + b"\rb102101\r", 2, tmp_path / "fd.journal")
    assert [DATA, PROTOCOL, ASKED._replace(length=0)] == recorded("serial", ON_SERIAL, 3, tmp_path / "serial.journal")


@pytest.mark.parametrize("suffix", [".blf", ".asc", ".log", ".csv"])
def test_a_journal_with_errors_is_converted_and_read_back(suffix: str, tmp_path: Path) -> None:
    """Every format holds them, and says what of them it cannot: an ASC log knows that there was an error, not which."""
    frames = [frame._replace(t_ns=n * MS_NS) for n, frame in enumerate(HEARD)]
    logs.write_log(tmp_path / "a.journal", About(), iter(frames))
    ran = nabench("convert", tmp_path / "a.journal", tmp_path / f"b{suffix}")
    assert 0 == ran.code
    told = {
        ".blf": ["not kept: the direction of error frames, of 2 frames"],
        ".asc": ["not kept: what an error frame carries, of 2 frames"],
        ".log": ["not kept: direction, of 7 frames"],
        ".csv": [],
    }
    assert [f"{tmp_path / f'b{suffix}'}: 7 frames, of them 2 error and 2 remote frames", *told[suffix]] == ran.out.splitlines()
    mask = ~(RX | TX) if suffix == ".log" else ~0
    back = read(tmp_path / f"b{suffix}")
    for frame, got in zip(HEARD, back, strict=True):
        if frame.flags & ERROR:
            assert got.flags & ERROR
            assert suffix == ".asc" or (frame.can_id, frame.data) == (got.can_id, got.data)
        else:
            assert frame._replace(flags=frame.flags & mask) == got


def test_python_can_sees_the_errors_of_our_logs(tmp_path: Path) -> None:
    """Which frames are errors in BLF and ASC logs, in BLF also of what kind. Of candump's it takes bus errors alone for such;
    there they stand as candump writes them.
    """
    for suffix, reader in ((".blf", can.BLFReader), (".asc", can.ASCReader), (".log", None)):
        path = tmp_path / f"a{suffix}"
        logs.write_log(path, About(), (frame._replace(t_ns=n * MS_NS) for n, frame in enumerate(HEARD)))
        if reader is None:
            ids = [line.split()[2].split("#")[0] for line in path.read_text().splitlines()]
            assert ["100", "2000008C", "123", "100", "20000204", "18000300", "100"] == ids
            continue
        with reader(path) as log:
            theirs = list(log)
        assert [bool(frame.flags & ERROR) for frame in HEARD] == [message.is_error_frame for message in theirs]
        assert [bool(frame.flags & REMOTE) for frame in HEARD] == [message.is_remote_frame for message in theirs]
        if suffix == ".blf":
            errors = [(m.arbitration_id, bytes(m.data)) for m in theirs if m.is_error_frame]
            assert [(PROTOCOL.can_id, PROTOCOL.data), (PASSIVE.can_id, PASSIVE.data)] == errors


def test_a_run_keeps_errors_of_each_bus(tmp_path: Path) -> None:
    """The link of a bench with a journal: what came on which bus, before the data frame behind it."""
    net = rigs.wired("nfm-16s", "nfm-16s", "classic", 10 * MS_NS)[0]
    pair, journal = PtyPair(), Journal(tmp_path / "a.journal", {})
    far = os.open(pair.far, os.O_RDWR | os.O_NOCTTY)
    link = KeptLink([parse(f"slcan:{pair.near}")], net, journal)
    os.write(far, ON_SLCAN)
    for _ in range(3):
        got = link.receive(time.monotonic_ns() + 1000 * MS_NS)
        assert got is not None
    assert {"errors": 2, "remote": 2, "garbled": 0, "refused": 0, "lost": 0} == link.counts()
    link.close()
    journal.close()
    os.close(far)
    pair.close()
    assert HEARD == read(tmp_path / "a.journal")


def test_a_replay_tells_of_errors_and_does_not_feed_them(tmp_path: Path) -> None:
    """Two errors and two remote frames with ids of the rest of the bus among a run's frames: said, and no more."""
    trace = rigs.run(rigs.drive({"kind": "current", "current_A": 2.0}, duration_s=2.0))[1]
    frames = list(of_trace.frames(trace))
    odd = [PROTOCOL, PASSIVE, ASKED._replace(can_id=0x80), ASKED_LONG]
    mixed = [*frames[:400], *(frame._replace(t_ns=frames[400].t_ns) for frame in odd), *frames[400:]]
    path = tmp_path / "1.none.journal"
    logs.write_log(path, About(), iter(mixed))
    ran = nabench("replay", path, "--out", tmp_path / "out")
    assert 0 == ran.code, ran.out
    assert "1.none.journal: 2 error frames left out" in ran.err + ran.out
    assert "1.none.journal: 2 remote frames left out" in ran.err + ran.out
    result = json.loads((tmp_path / "out" / "1.none" / "result.json").read_text())
    assert "PASS" == result["verdict"]


def test_a_bus_with_nothing_but_errors_is_told_from_a_silent_one(tmp_path: Path) -> None:
    """Nothing is acknowledged, say: watch has no signals to show, and says what it heard."""
    pair, path = PtyPair(), tmp_path / "a.journal"
    far = os.open(pair.far, os.O_RDWR | os.O_NOCTTY)
    thread = threading.Thread(target=lambda: (wall.wait_until(path.exists, 20.0), os.write(far, b"e1a\re1a\r")))
    thread.start()
    ran = nabench("watch", f"slcan:{pair.near}", "--once", "--for", "0.4", "--record", path)
    thread.join()
    os.close(far)
    pair.close()
    assert 3 == ran.code
    assert f'no data frame was heard on "slcan:{pair.near}", only 2 error frames' in ran.err
    assert [0xA8, 0xA8] == [frame.can_id for frame in read(path)]
