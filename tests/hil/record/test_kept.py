"""Journals of what crosses a real wire: of runs, of runs that were killed, of a bus that is watched."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import wall
from command import nabench

from hil import journal as j
from hil import runner
from hil.record import logs
from hil.record.frame import OWN, RX, TX, About, LogFrame
from hil.report import folder

pytestmark = pytest.mark.wall


def read(path: Path) -> tuple[About, list[LogFrame]]:
    """All frames of a log and what it says."""
    about, frames = logs.open_log(path)
    return about, list(frames)


def test_a_run_on_a_wire_keeps_every_frame_in_its_folder(tmp_path: Path) -> None:
    """The journal holds all that the trace holds, in both directions, and what came before and after; it says what ran."""
    bus, path = wall.virtual(), tmp_path / "a.journal"
    with wall.device(bus):
        record = runner.run(wall.shipped("hvil-open"), runner.Options(dut=f"remote:{bus}", journal=path, armed=True))
    place = folder.write(record, tmp_path / "runs")
    assert not path.exists()
    about, frames = read(place / folder.JOURNAL)
    assert not about.cut
    head, end = about.notes["head"], about.notes["end"]
    assert isinstance(head, dict)
    assert isinstance(end, dict)
    assert "complete" == end["why"]
    assert {"network:classic", "scenario:"} <= set(head["inputs"])
    assert "nabench" in head["versions"]
    rows = record.trace.journal
    n_told = int((rows[:, j.KIND] == j.FROM_DUT).sum())
    heard = [frame for frame in frames if frame.flags & RX and not frame.flags & OWN]
    assert len(heard) >= n_told > 500
    sent = {(frame.can_id, frame.data) for frame in frames if frame.flags & TX}
    fed = rows[rows[:, j.KIND] == j.TO_DUT]
    assert {(int(row[j.ID]), int(row[j.WORD]).to_bytes(8, "little", signed=True)[: row[j.LENGTH]]) for row in fed} <= sent
    assert len(frames) == record.trace.info["journal"]["frames"]
    assert 0 == record.trace.info["journal"]["lost"]


def test_a_run_that_is_killed_leaves_its_frames(tmp_path: Path) -> None:
    """SIGKILL in the middle of a run: no run folder, but a journal that opens, says that it is cut, and can be converted."""
    bus = wall.multicast()
    with wall.device(bus):
        child = wall.nabench("run", "quiet-drive-cycle", "--dut", f"remote:{bus}", "--arm", "--out", str(tmp_path))
        end = time.monotonic() + 60.0
        while time.monotonic() < end and not any(path.stat().st_size > 60_000 for path in tmp_path.glob("*.journal")):
            assert child.poll() is None, child.communicate()
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=20.0)
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("quiet-drive-cycle.")
    about, frames = read(path)
    assert about.cut
    assert len(frames) > 1_000
    assert {RX, TX} == {frame.flags & (RX | TX) for frame in frames}
    ran = nabench("convert", path, tmp_path / "a.asc")
    assert 3 == ran.code
    assert [frame.can_id for frame in frames] == [frame.can_id for frame in read(tmp_path / "a.asc")[1]]


def test_watch_records_what_it_hears(tmp_path: Path) -> None:
    """Every frame of the bus, also those that no database knows; a journal that is there is not written over."""
    bus, path = wall.virtual(), tmp_path / "heard.journal"
    with wall.device(bus):
        ran = nabench("watch", bus, "--json", "--for", "0.5", "--record", path)
        assert 0 == ran.code
        again = nabench("watch", bus, "--json", "--for", "0.5", "--record", path)
    about, frames = read(path)
    assert not about.cut
    assert len(frames) > 50
    assert f"{path}: {len(frames)} frames" in ran.err
    assert {RX} == {frame.flags for frame in frames}
    assert ["is there already; a journal is never written over: give another name"] == [
        problem.removeprefix(f"{path}: ") for problem in again.problems
    ]
    assert ".journal" in nabench("watch", bus, "--for", "0.1", "--record", tmp_path / "a.blf").problems[0]
