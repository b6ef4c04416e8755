"""Our logs read back by other programs, and theirs by us: can-utils, Wireshark, asammdf."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asammdf
import can
import cantools
import numpy as np
import pytest
import rigs
from logs import FINE, FRAMES, START_NS, meant, seen

from hil import files
from hil.record import blf, logs, of_trace
from hil.record.frame import ERROR, REMOTE, RX, TX, About, LogFrame
from hil.trace import Trace

EXT, FD = 1, 2
CLASSIC = [frame for frame in FRAMES if not frame.flags & (FD | ERROR)]


def written(path: Path, frames: list[LogFrame], start_ns: int | None = START_NS) -> Path:
    """A log of ours."""
    logs.write_log(path, About(start_ns), iter(frames))
    return path


def read(path: Path) -> list[LogFrame]:
    """All frames of a log."""
    return list(logs.open_log(path)[1])


def told(command: list[str], text: str | None = None) -> str:
    """What a program prints. It must end well."""
    return subprocess.run(command, capture_output=True, text=True, input=text, check=True, timeout=60).stdout


def parts(frames: list[LogFrame]) -> list[tuple[object, ...]]:
    """Frames without time and direction; candump does not say how much a remote frame asks for."""
    return [(f.channel, f.can_id, f.flags & ~(RX | TX), f.data) for f in frames]


def test_can_utils_reads_our_candump_log(tmp_path: Path) -> None:
    """log2asc makes an ASC of it with the same frames."""
    path = written(tmp_path / "a.log", CLASSIC)
    out = tmp_path / "b.asc"
    told(["log2asc", "-I", str(path), "-O", str(out), "can0", "can1"])
    assert parts(CLASSIC) == parts(read(out))


def test_can_utils_reads_our_asc_log(tmp_path: Path) -> None:
    """asc2log makes a candump log of it with the same frames at the same times."""
    path = written(tmp_path / "a.asc", CLASSIC, None)
    out = tmp_path / "b.log"
    told(["asc2log", "-I", str(path), "-O", str(out)])
    back = read(out)
    assert parts(CLASSIC) == parts(back)
    assert [frame.t_ns - CLASSIC[0].t_ns for frame in CLASSIC] == [frame.t_ns - back[0].t_ns for frame in back]


@pytest.mark.parametrize("suffix", [".blf", ".log"])
def test_wireshark_reads_our_log(suffix: str, tmp_path: Path) -> None:
    """As many frames as we wrote are shown, with their ids and lengths, at their times. It leaves error frames of BLF out."""
    frames = [frame for frame in FRAMES if not frame.flags & ERROR]
    path = written(tmp_path / f"a{suffix}", frames)
    fields = ["frame.time_epoch", "can.id", "can.flags.xtd", "can.len"]
    text = told(["tshark", "-r", str(path), "-T", "fields", *(word for field in fields for word in ("-e", field))])
    rows = [line.split("\t") for line in text.splitlines()]
    assert [frame.can_id for frame in frames] == [int(row[1], 0) for row in rows]
    assert [bool(frame.flags & EXT) for frame in frames] == [row[2] in ("1", "True") for row in rows]
    data = [frame for frame in frames if not frame.flags & REMOTE]
    lengths = [row[3] for row, frame in zip(rows, frames, strict=True) if not frame.flags & REMOTE]
    assert [len(frame.data) for frame in data] == [int(n) for n in lengths]
    stamps = [(START_NS + frame.t_ns) / 1e9 for frame in frames]
    assert stamps == pytest.approx([float(row[0]) for row in rows], abs=2e-6)


@pytest.fixture(scope="module")
def run() -> Trace:
    """A drive on the shipped network."""
    return rigs.run(rigs.drive({"kind": "current", "current_A": 2.0}))[1]


def test_asammdf_decodes_our_mf4_as_cantools_does(run: Trace, tmp_path: Path) -> None:
    """Every value of a signal of the device, by its own bus logging with our DBC."""
    path = tmp_path / "a.mf4"
    logs.write_log(path, About(START_NS), of_trace.frames(run))
    dbc = files.dbc_folder() / "bms.dbc"
    with asammdf.MDF(path) as mdf:
        found = mdf.extract_bus_logging({"CAN": [(str(dbc), 0)]})
        series = found.get("BMS_PackVoltage")
    database = cantools.database.load_file(dbc)
    name = next(m for m in database.messages if any(s.name == "BMS_PackVoltage" for s in m.signals))
    frames = [f for f in of_trace.frames(run) if f.can_id == name.frame_id]
    values = [name.decode(f.data, decode_choices=False)["BMS_PackVoltage"] for f in frames]
    theirs = np.asarray(series.samples, np.float64)
    told = ~np.isnan(theirs)  # it leaves out what lies above the signal's maximum, which says that there is no value
    assert len(values) == len(theirs)
    assert told.sum() > 20
    assert np.array(values)[told] == pytest.approx(theirs[told], abs=1e-9)


def test_mf4_keeps_all_shapes(tmp_path: Path) -> None:
    """What we write is read back by us and by python-can, whole."""
    path = written(tmp_path / "a.mf4", [*FRAMES, FINE])
    back = read(path)
    assert sorted(map(str, [frame._replace(t_ns=0) for frame in [*FRAMES, FINE]])) == sorted(
        str(frame._replace(t_ns=0, flags=frame.flags & ~(RX if frame.flags & ERROR else 0))) for frame in back
    )
    with can.MF4Reader(path) as reader:
        theirs = sorted(str((parts[0] - 1, *parts[1:])) for parts in map(seen, reader))
    assert sorted(str(meant(frame)) for frame in [*FRAMES, FINE]) == theirs


# A bit and a CRC error with an overrun; a controller that is error passive: as in linux/can/error.h.
ERRORS = [
    LogFrame(0, 0, 0x8C, ERROR | RX, 8, b"\0\x02\x09\x08\0\0\0\0"),
    LogFrame(1_000, 0, 0x204, ERROR | RX, 8, b"\0\x20\0\0\0\0\x80\x10"),
]


def test_others_read_what_error_frames_carry(tmp_path: Path) -> None:
    """Classes and bytes by python-can from MF4; can-utils takes them for error frames in a candump log."""
    path = written(tmp_path / "a.mf4", ERRORS, None)
    assert ERRORS == read(path)
    with can.MF4Reader(path) as reader:
        assert [(f.can_id, f.data) for f in ERRORS] == [(m.arbitration_id, bytes(m.data)) for m in reader if m.is_error_frame]
    text = told(["log2asc", "-I", str(written(tmp_path / "a.log", ERRORS)), "can0"])
    assert 2 == text.count("ErrorFrame")


def test_a_blf_of_a_run_is_one_for_wireshark(run: Trace, tmp_path: Path) -> None:
    """frames.blf as it lies in a run folder."""
    blf.write(run, tmp_path / "frames.blf")
    text = told(["tshark", "-r", str(tmp_path / "frames.blf"), "-T", "fields", "-e", "can.id"])
    assert [frame.can_id for frame in of_trace.frames(run)] == [int(line, 0) for line in text.splitlines()]
