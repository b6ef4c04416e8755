"""Logs: what goes out comes back, through our readers and through those of others; what is foreign is read within bounds."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from pathlib import Path

import can
import pytest
from command import nabench
from logs import EXT, FD, FINE, FRAMES, START_NS, meant, message, seen

from hil.errors import ScenarioError
from hil.record import logs
from hil.record.frame import ERROR, OWN, REMOTE, RX, TX, About, LogFrame

FORMATS = (".blf", ".asc", ".log", ".csv", ".journal")
BINARY = (".blf", ".journal")


def written(path: Path, frames: list[LogFrame] = FRAMES, start_ns: int | None = START_NS) -> logs.Written:
    """A log of ours."""
    return logs.write_log(path, About(start_ns), iter(frames))


def read(path: Path) -> tuple[About, list[LogFrame]]:
    """All frames of a log and what it says."""
    about, frames = logs.open_log(path)
    return about, list(frames)


def bare(frame: LogFrame) -> LogFrame:
    """A frame without its direction."""
    return frame._replace(flags=frame.flags & ~(RX | TX | OWN))


@pytest.mark.parametrize("start_ns", [None, START_NS], ids=["no date", "date"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_is_read_back(suffix: str, start_ns: int | None, tmp_path: Path) -> None:
    """Every frame whole, at its time of day, but for what the writer said it would lose."""
    path = tmp_path / f"a{suffix}"
    done = written(path, [*FRAMES, FINE], start_ns)
    about, frames = read(path)
    assert not about.cut
    assert len(FRAMES) + 1 == done.n_frames == len(frames)
    assert (start_ns is None) == (about.start_ns is None)
    kept = bare if done.lost["direction"] else lambda frame: frame
    expected = [kept(frame)._replace(t_ns=0) for frame in [*FRAMES, FINE]]
    assert expected == [frame._replace(t_ns=0) for frame in frames]
    grain_ns = 1_000 if done.lost["time below 1 us"] else 1
    for frame, got in zip([*FRAMES, FINE], frames, strict=True):
        off_ns = (start_ns or 0) + frame.t_ns - ((about.start_ns or 0) + got.t_ns)
        assert 0 <= off_ns < grain_ns


@pytest.mark.parametrize(("suffix", "expected"), [
    (".log", {"direction": 11, "time below 1 us": 1}),
    (".asc", {"time below 1 us": 1}),
    (".blf", {}), (".csv", {}), (".journal", {}),
])  # fmt: skip
def test_what_a_format_cannot_hold_is_said(suffix: str, expected: dict[str, int], tmp_path: Path) -> None:
    """Counted by frames; nothing is said where nothing is lost."""
    assert expected == dict(written(tmp_path / f"a{suffix}", [*FRAMES, FINE], None).lost)


@pytest.mark.parametrize(
    ("suffix", "reader"), [(".blf", can.BLFReader), (".asc", can.ASCReader), (".log", can.CanutilsLogReader)]
)
def test_python_can_reads_what_we_write(suffix: str, reader: type, tmp_path: Path) -> None:
    """All frames in all their parts; of candump logs not the direction, nor the length that a remote frame asks for."""
    path = tmp_path / f"a{suffix}"
    written(path, FRAMES, None)
    with reader(path) as log:
        theirs = list(log)
    if suffix == ".log":
        names = [f"can{frame.channel}" for frame in FRAMES if not frame.flags & ERROR]
        assert names == [m.channel for m in theirs if not m.is_error_frame]
        bits = [(m.is_extended_id, m.is_fd, m.is_remote_frame, m.is_error_frame) for m in theirs]
        assert [
            (bool(f.flags & (EXT | ERROR)), bool(f.flags & FD), bool(f.flags & REMOTE), bool(f.flags & ERROR)) for f in FRAMES
        ] == bits
        parts = [(m.arbitration_id, bytes(m.data)) for m in theirs if not m.is_error_frame]
        assert [(f.can_id, f.data) for f in FRAMES if not f.flags & ERROR] == parts
    else:
        assert [meant(frame) for frame in FRAMES] == [seen(m) for m in theirs]
    assert [frame.t_ns // 1_000 for frame in FRAMES] == [round(m.timestamp * 1e6) for m in theirs]


def test_python_can_knows_the_time_of_day(tmp_path: Path) -> None:
    """Absolute times of BLF, ASC and candump agree to what a float of seconds since 1970 holds."""
    kinds = [(".blf", can.BLFReader, {}), (".log", can.CanutilsLogReader, {})]
    for suffix, kind, options in [*kinds, (".asc", can.ASCReader, {"relative_timestamp": False})]:
        written(tmp_path / f"a{suffix}")
        with kind(tmp_path / f"a{suffix}", **options) as log:
            stamps = [m.timestamp for m in log]
        assert [START_NS * 1e-9 + frame.t_ns * 1e-9 for frame in FRAMES] == pytest.approx(stamps, abs=2e-6)


@pytest.mark.parametrize(
    ("suffix", "writer"), [(".blf", can.BLFWriter), (".asc", can.ASCWriter), (".log", can.CanutilsLogWriter)]
)
def test_we_read_what_python_can_writes(suffix: str, writer: type, tmp_path: Path) -> None:
    """Its logs, with the column of the direction where it writes one."""
    base_s = 1_795_702_041.0
    with writer(tmp_path / f"a{suffix}") as log:
        for frame in FRAMES:
            log.on_message_received(message(frame, base_s))
    about, frames = read(tmp_path / f"a{suffix}")
    assert not about.cut
    assert about.start_ns is not None
    ours = [meant(frame) for frame in frames]
    if suffix == ".log":  # it writes one name for all channels, and no length of a remote frame

        def plain(parts: tuple[object, ...]) -> tuple[object, ...]:
            return ("error",) if parts[1] == "error" else (*parts[1:-2], parts[-1])

        assert [plain(meant(frame)) for frame in FRAMES] == [plain(parts) for parts in ours]
    else:
        assert [meant(frame) for frame in FRAMES] == ours
    off = [
        abs(about.start_ns + frame.t_ns - round(base_s) * 1_000_000_000 - ours.t_ns)
        for frame, ours in zip(frames, FRAMES, strict=True)
    ]
    assert max(off) <= 1_000


def test_other_dialects_are_understood(tmp_path: Path) -> None:
    """ASC in decimal with relative times and a 12-hour date; candump with dots, nanoseconds and a raw DLC; a packed log."""
    (tmp_path / "a.asc").write_text(
        "date Thu Nov 26 01:45:00.123 pm 2026\nbase dec  timestamps relative\nno internal events logged\n// a comment\n"
        "0.5 1  256             Rx   d 2 10 255 Length = 0 BitCount = 64 ID = 256\n0.25 1 Statistic: D 0 R 0\n"
        "0.25 2  300x            Tx   d 0\nEnd TriggerBlock\n"
    )
    about, frames = read(tmp_path / "a.asc")
    expected = [(500_000_000, 0, 256, b"\x0a\xff"), (1_000_000_000, 1, 300, b"")]
    assert expected == [(f.t_ns, f.channel, f.can_id, f.data) for f in frames]
    assert {"other events": 1} == dict(about.skipped)
    assert about.start_ns is not None
    assert 123_000_000 == about.start_ns % 1_000_000_000
    text = "(1.000000001) vcan3 123#11.22\n(1.5) slcan0 123#1122334455667788_B\n"
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(text.encode()))
    about, frames = read(tmp_path / "b.log.gz")
    assert [(1_000_000_001, 3, 2), (1_500_000_000, 0, 8)] == [(f.t_ns, f.channel, f.length) for f in frames]
    assert {3: "vcan3", 0: "slcan0"} == about.channels


BAD = {
    "a.log": {
        "(1.0) can0 123#01\nrubbish\n": 'line 2: "rubbish"',
        "(1.0) can0 123#012\n": "line 1: an odd number",
        "(1.0) can0 800#01\n": "line 1: id 0x800 has more than 11 bits",
        "(1.0) can0 123#010203040506070809\n": "line 1: length 9 does not exist",
        "(1.0) can0 123##0010203040506070809\n": "line 1: length 9 does not exist on CAN FD",
        "(400000000.0) can0 1#\n(399999999.0) can0 123#01\n": "line 2",
        "(1.0) can0 123#01\0\n": "a byte of 0",
        "x" * 5_000: "more than 4096 bytes",
    },
    "a.asc": {
        "nothing\n": 'line 1: "nothing"',
        "0.1 1 123 Rx d 1 00\n": "line 1: an event before the head",
        "date Thu Foo 26 13:45:00 2026\n": 'line 1: "date Thu Foo',
        "base hex\n0.1 1 xyz Rx d 1 00\n": "line 2",
        "base hex\n0.1 1 123 Rx d 2 00\n": "line 2: 1 bytes of data",
        "base hex\n0.1 1 123 Rx d 1 1FF\n": "line 2",
        "base hex\n0.1 CANFD 1 Rx 123 0 0 9 64 00\n": "line 2",
    },
    "a.csv": {
        "": "an empty file",
        "a,b\n": 'line 1: "a,b"; expected the header',
        "t_ns,channel,direction,id,format,kind,length,data\n1,0,rx,0x1,std,data,1\n": "line 2: 7 columns",
        "t_ns,channel,direction,id,format,kind,length,data\n1,0,rz,0x1,std,data,1,00\n": 'line 2: direction "rz"',
        "t_ns,channel,direction,id,format,kind,length,data\n1,0,rx,0x1,std,dats,1,00\n": 'did you mean "data"',
        "t_ns,channel,direction,id,format,kind,length,data\n99999999999999999999999,0,rx,0x1,std,data,1,00\n": "line 2",
        "t_ns,channel,direction,id,format,kind,length,data\n-5,0,rx,0x1,std,data,1,00\n": "line 2: time -5e-09 s",
    },
    "a.blf": {"LOGX": "not a BLF log", "": "not a BLF log"},
    "a.trc": {"": "is not known"},
    "a.bfl": {"": 'did you mean ".blf"'},
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), [(n, text, e) for n, rows in BAD.items() for text, e in rows.items()])
def test_a_bad_log_gives_one_sentence(name: str, text: str, expected: str, tmp_path: Path) -> None:
    """Where, what was found, what was expected; and no file is left behind."""
    (tmp_path / name).write_text(text)
    ran = nabench("convert", tmp_path / name, tmp_path / "out.csv")
    assert 2 == ran.code
    assert 1 == len(ran.problems)
    assert expected in ran.problems[0]
    assert {name} == {path.name for path in tmp_path.iterdir()}


def container(data: bytes, size: int | None = None) -> bytes:
    """A BLF log with one packed container."""
    packed = zlib.compress(data, 9)
    head = struct.pack("<4sL", b"LOGG", 144).ljust(144, b"\0")
    body = struct.pack("<H6xL4x", 2, len(data) if size is None else size) + packed
    return head + struct.pack("<4sHHLL", b"LOBJ", 16, 1, 16 + len(body), 10) + body


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    """A container that unpacks to more than it says, or says more than there may be; a gzip of one line without end."""
    for data, expected in ((container(bytes(50 << 20), 1 << 20), "more than"), (container(b"", 1 << 30), "at most")):
        (tmp_path / "a.blf").write_bytes(data)
        with pytest.raises(ScenarioError, match=expected):
            read(tmp_path / "a.blf")
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"x" * (50 << 20), 1))
    with pytest.raises(ScenarioError, match="more than 4096 bytes"):
        read(tmp_path / "a.log.gz")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_log_cut_anywhere_says_so_or_is_refused(suffix: str, tmp_path: Path) -> None:
    """At every byte: what is read is a beginning of what was written; text that ends with a whole line cannot know."""
    path = tmp_path / f"a{suffix}"
    written(path, FRAMES, None)
    whole, good = path.read_bytes(), read(path)[1]
    for size in range(0, len(whole), 1 if suffix in BINARY else 4):
        path.write_bytes(whole[:size])
        try:
            about, frames = read(path)
        except ScenarioError as error:
            assert str(path) in str(error)
            continue
        assert frames == good[: len(frames)], size
        ends_well = suffix in (".log", ".csv") and whole[:size].endswith(b"\n")
        assert about.cut or ends_well or not size or len(frames) == len(good), size  # what may lack are bytes of padding


@pytest.mark.parametrize("suffix", FORMATS)
def test_noise_in_a_log_is_never_a_traceback(suffix: str, tmp_path: Path) -> None:
    """Random bytes changed, in random places: frames, or a sentence."""
    path, dice = tmp_path / f"a{suffix}", random.Random(7)
    written(path, FRAMES, START_NS)
    whole = path.read_bytes()
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        path.write_bytes(data)
        try:
            read(path)
        except ScenarioError as error:
            assert str(path) in str(error)


def test_convert_says_what_became_of_a_cut_log(tmp_path: Path) -> None:
    """Exit code 3, and what is there is written."""
    written(tmp_path / "a.log", FRAMES, None)
    whole = (tmp_path / "a.log").read_bytes()
    (tmp_path / "a.log").write_bytes(whole[:-5])
    ran = nabench("convert", tmp_path / "a.log", tmp_path / "b.blf")
    assert 3 == ran.code
    assert "is cut: line 11 has no end" in ran.err
    assert 10 == len(read(tmp_path / "b.blf")[1])
    again = nabench("convert", tmp_path / "a.log", tmp_path / "b.blf")
    assert 2 == again.code
    assert "--force" in again.problems[0]


def test_mf4_without_asammdf_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, and nothing is written."""
    monkeypatch.setattr("hil.record.mf4.find_spec", lambda _name: None)
    written(tmp_path / "a.csv")
    ran = nabench("convert", tmp_path / "a.csv", tmp_path / "b.mf4")
    assert 2 == ran.code
    assert [
        'MF4 needs the package asammdf, which is not installed; install it with: pip install "nabench[mf4]"'
    ] == ran.problems
    assert not (tmp_path / "b.mf4").exists()
