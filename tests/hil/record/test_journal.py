"""The journal on disk: what was acknowledged is there, whatever ended the program, and a damaged file never says otherwise."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.errors import BenchError, ScenarioError
from hil.record import journal
from hil.record.frame import OWN, RX, TX, About, LogFrame

pytestmark = pytest.mark.wall

# A process that starts children. Each fills a journal as fast as it may and says after each group how many frames are safe.
STARTER = """
import os, sys, time
from pathlib import Path
from hil.record.journal import Journal

def fill(path, commit_ns):
    log = Journal(Path(path), {"who": "child"}, int(commit_ns))
    n = told = 0
    while True:
        for _ in range(20):
            log.put(time.monotonic_ns(), 0, 0x100 + n % 64, 128, n.to_bytes(8, "little"))
            n += 1
        if log.acknowledged != told:
            told = log.acknowledged
            os.write(1, f"{os.getpid()} {told}\\n".encode())
        time.sleep(0.0003)

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        fill(*line.split())
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""
FRAMES = [
    (0, 0x123, RX, b"\x01\x02"),
    (1, 0x18FF1234, TX | 1, b""),
    (0, 0x7FF, RX | OWN, bytes(8)),
    (2, 0x20, RX | 2, bytes(64)),
]


def read(path: Path) -> tuple[About, list[LogFrame]]:
    """All frames of a journal and what it says."""
    about = About()
    return about, list(journal.read(path, about))


def written(path: Path) -> bytes:
    """A small journal of all kinds of records."""
    log = journal.Journal(path, {"dut": "none"})
    for channel, can_id, flags, data in FRAMES:
        log.put(time.monotonic_ns(), channel, can_id, flags, data)
    log.close()
    assert len(FRAMES) == log.acknowledged
    return path.read_bytes()


@pytest.mark.timeout(120)
def test_no_acknowledged_frame_is_lost_to_kill_9(tmp_path: Path) -> None:
    """A child is killed at random moments, many times; its journal opens and holds at least what it said was safe."""
    dice, total = random.Random(5), 0
    with subprocess.Popen([sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        for n in range(30):
            path = tmp_path / f"{n}.journal"
            starter.stdin.write(f"{path} {dice.choice([0, 2_000_000, 10_000_000])}\n")
            starter.stdin.flush()
            pid, told = (int(word) for word in starter.stdout.readline().split())
            time.sleep(dice.uniform(0.0, 0.1))
            os.kill(pid, signal.SIGKILL)
            while (line := starter.stdout.readline()) != "dead\n":
                told = int(line.split()[1])
            about, frames = read(path)
            assert about.cut
            assert told <= len(frames)
            assert [int.from_bytes(frame.data, "little") for frame in frames] == list(range(len(frames)))
            assert all(a.t_ns <= b.t_ns for a, b in zip(frames, frames[1:], strict=False))
            total += len(frames)
        starter.stdin.close()
    assert total > 1_000


def test_a_whole_journal_says_all_it_was_told(tmp_path: Path) -> None:
    """Frames with channel, id, direction and data; the time of day; the end."""
    before = time.time_ns()
    written(tmp_path / "a.journal")
    about, frames = read(tmp_path / "a.journal")
    assert not about.cut
    assert about.start_ns is not None
    assert before <= about.start_ns <= time.time_ns()
    assert [(f.channel, f.can_id, f.flags, f.data) for f in frames] == FRAMES
    assert all(0 <= frame.t_ns < 5e9 for frame in frames)
    assert {"frames": 4, "lost": 0, "why": "complete"} == about.notes["end"]


def test_cut_at_any_byte_it_opens_with_its_whole_records(tmp_path: Path) -> None:
    """A torn tail is cut at the last whole record, and said."""
    whole = written(tmp_path / "a.journal")
    path, seen = tmp_path / "cut.journal", []
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        about, frames = read(path)
        assert about.cut, size
        seen.append(len(frames))
    assert seen == sorted(seen)
    assert set(range(len(FRAMES) + 1)) == set(seen)


def test_a_flipped_bit_is_damage_and_never_a_frame(tmp_path: Path) -> None:
    """A bit of each byte in turn: an error, or a tail that is said to be missing; what is read is what was written."""
    whole = written(tmp_path / "a.journal")
    good = read(tmp_path / "a.journal")[1]
    path = tmp_path / "flipped.journal"
    for bit in (8 * byte + (5 * byte + 3) % 8 for byte in range(len(whole))):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        about, frames = About(), []
        reading = journal.read(path, about)
        try:
            frames += reading
        except ScenarioError as error:
            assert str(path) in str(error)
        else:
            assert about.cut, bit
        assert frames == good[: len(frames)], bit


def test_room_that_was_never_filled_is_a_tail(tmp_path: Path) -> None:
    """Zeros behind the last record, as a file system may leave them after a power cut."""
    whole = written(tmp_path / "a.journal")
    (tmp_path / "a.journal").write_bytes(whole[:-20] + bytes(5_000))
    about, frames = read(tmp_path / "a.journal")
    assert "CRC" not in about.cut
    assert len(FRAMES) == len(frames)


def hostile(kind: int, payload: bytes) -> bytes:
    """A record with a right CRC."""
    return journal._record(kind, payload)


def test_records_that_nobody_writes_are_refused(tmp_path: Path) -> None:
    """Right CRCs, wrong contents: each is one sentence."""
    head = hostile(journal.HEAD, b'{"format": 1, "wall_ns": 5}')
    cases = {
        b"NABENCHX": "not a journal",
        journal.MAGIC + hostile(journal.FRAME, bytes(16)): "the head first",
        journal.MAGIC + head + head: "the head first, and once",
        journal.MAGIC + hostile(journal.HEAD, b'{"format": 9, "wall_ns": 5}'): "format 9",
        journal.MAGIC + hostile(journal.HEAD, b"[" * 5_000): "nested",
        journal.MAGIC + hostile(journal.HEAD, b'{"format": 1, "wall_ns": -1}'): "wall_ns -1",
        journal.MAGIC + head + hostile(journal.FRAME, bytes(3)): "a frame of 3 bytes",
        journal.MAGIC + head + hostile(journal.FRAME, bytes(14) + b"\x00\x09" + bytes(9)): "length 9",
        journal.MAGIC + head + hostile(77, b""): "a record of kind 77",
        journal.MAGIC + head + hostile(journal.END, b"{}") + hostile(journal.LOST, bytes(8)): "behind the end",
    }
    for n, (data, expected) in enumerate(cases.items()):
        path = tmp_path / f"{n}.journal"
        path.write_bytes(data)
        with pytest.raises(ScenarioError, match=expected):
            read(path)


def test_a_full_disk_is_said_and_the_loop_goes_on(tmp_path: Path) -> None:
    """A file that may not grow: the frames before are safe, later ones are counted, and nothing is raised in the loop."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        log = journal.Journal(tmp_path / "a.journal", {}, commit_ns=1_000_000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        end = time.monotonic() + 5.0
        while not log.failure and time.monotonic() < end:
            for _ in range(50):
                log.put(time.monotonic_ns(), 0, 1, RX, bytes(8))
            time.sleep(0.002)
        log.put(time.monotonic_ns(), 0, 1, RX, bytes(8))
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert "cannot be written" in log.failure
    assert log.lost > 0
    assert log.acknowledged <= len(read(tmp_path / "a.journal")[1])


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    """It may be all that is left of a run."""
    data = written(tmp_path / "a.journal")
    with pytest.raises(BenchError, match="already"):
        journal.Journal(tmp_path / "a.journal", {})
    assert data == (tmp_path / "a.journal").read_bytes()
