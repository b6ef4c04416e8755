"""The journal on disk: frames that survive whatever ends the program, in a file that is only ever appended to.

File: MAGIC, then records. Record: crc32 of what follows (u32), length of the payload (u16), kind (u16), payload; all
little-endian. Kinds:

    HEAD    JSON, first and once: format, wall_ns and monotonic_ns of one moment, which is time 0, versions, hashes
    FRAME   t_ns i64 since time 0 on the monotonic clock, id u32, flags u16, channel u8, length u8, data
    ANCHOR  t_ns i64, wall_ns i64: the time of day again, every 10 s and at the end, because it may be set meanwhile
    LOST    count u64: frames that found no room before this place
    END     JSON, last and once: frames, why the journal ended

A record is *acknowledged* when the file was synced after it was written. Frames are packed where they occur and written by a
thread, a group at a time, so that the loop never waits for the disk. A file that ends inside a record is read up to the last
whole one, as it stands; nothing is repaired. A whole record with a wrong CRC is damage, and said as such.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from hil import files
from hil.errors import BenchError, ScenarioError
from hil.record.frame import KNOWN_FLAGS, MOST_FRAMES, About, LogFrame, flaw, refuse

MAGIC = b"NABENCHJ"
FORMAT = 1
HEAD, FRAME, ANCHOR, LOST, END = range(1, 6)
COMMIT_NS = 10_000_000
_ANCHOR_NS = 10_000_000_000
_RECORD = struct.Struct("<IHH")
_BODY = struct.Struct("<qIHBB")
_PAIR = struct.Struct("<qq")
_COUNT = struct.Struct("<Q")
_MOST_BYTES = 64 << 30
_MOST_WAITING = 1 << 20
_MOST_DEPTH = 20


def _record(kind: int, payload: bytes) -> bytes:
    tail = struct.pack("<HH", len(payload), kind) + payload
    return zlib.crc32(tail).to_bytes(4, "little") + tail


class Journal:
    """A journal that is being written. head: what else its head says (JSON). Raises BenchError when it cannot be made.

    acknowledged: frames that are safe on the disk.  lost: frames that found no room because the disk stood still.
    worst_ns: the longest time from a frame's arrival to its being safe, as the groups had it.
    failure: why nothing more can be written; empty while all is well.
    """

    def __init__(self, path: Path, head: dict[str, Any], commit_ns: int = COMMIT_NS) -> None:
        self.path, self.commit_ns = path, commit_ns
        self.acknowledged = self.lost = self.worst_ns = 0
        self.failure = ""
        self._told_lost = 0
        self._waiting: deque[bytes] = deque()
        self._closing = threading.Event()
        self.wall_ns, self.monotonic_ns = time.time_ns(), time.monotonic_ns()
        text = {"format": FORMAT, "wall_ns": self.wall_ns, "monotonic_ns": self.monotonic_ns, **head}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("xb", buffering=0)
            self._file.write(MAGIC + _record(HEAD, json.dumps(text, sort_keys=True).encode()))
            os.fsync(self._file.fileno())
            _sync_folder(path.parent)
        except FileExistsError:
            raise BenchError(f"{path}: is there already; a journal is never written over: give another name") from None
        except OSError as error:
            raise BenchError(f"{path}: the journal cannot be written: {error.strerror or error}") from None
        self._anchor_ns = self.monotonic_ns
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def put(self, at_ns: int, channel: int, can_id: int, flags: int, data: bytes, length: int | None = None) -> None:
        """Take a frame that was on the bus at a time of the monotonic clock. Never waits.

        length: of a remote frame, the bytes asked for; of others that of the data.
        """
        if len(self._waiting) >= _MOST_WAITING or self.failure:
            self.lost += 1
            return
        body = _BODY.pack(at_ns - self.monotonic_ns, can_id, flags, channel, len(data) if length is None else length) + data
        self._waiting.append(_record(FRAME, body))

    def _work(self) -> None:
        """Commit groups at absolute times until the journal is closed."""
        due_ns = time.monotonic_ns()
        while not self._closing.is_set():
            due_ns = max(due_ns + self.commit_ns, time.monotonic_ns())
            self._closing.wait(max(due_ns - time.monotonic_ns(), 0) * 1e-9)
            self._commit()

    def _commit(self) -> None:
        """Write and sync what waits. A disk that fails is noted, not raised: the run goes on, and its end says so."""
        group = [self._waiting.popleft() for _ in range(len(self._waiting))]
        begun, n_frames = time.monotonic_ns(), len(group)
        if self.lost > self._told_lost:
            group.append(_record(LOST, _COUNT.pack(self.lost - self._told_lost)))
            self._told_lost = self.lost
        if not group or self.failure:
            return
        if begun - self._anchor_ns >= _ANCHOR_NS:
            self._anchor_ns = begun
            group.append(self._anchor())
        try:
            _write_all(self._file, b"".join(group))
            os.fdatasync(self._file.fileno())
        except OSError as error:
            self.failure = f"{self.path}: the journal cannot be written: {error.strerror or error}"
            self.lost += n_frames
            return
        self.worst_ns = max(self.worst_ns, time.monotonic_ns() - begun + self.commit_ns)
        self.acknowledged += n_frames

    def _anchor(self) -> bytes:
        return _record(ANCHOR, _PAIR.pack(time.monotonic_ns() - self.monotonic_ns, time.time_ns()))

    def notes(self) -> dict[str, Any]:
        """For the record of a run."""
        return {
            "frames": self.acknowledged,
            "lost": self.lost,
            "worst_commit_ms": round(self.worst_ns / 1e6, 1),
            "failure": self.failure,
        }

    def close(self, why: str = "complete") -> None:
        """Commit the rest and the end; `failure` says what of it could not be written."""
        if self._file.closed:
            return
        self._closing.set()
        self._thread.join()
        self._commit()
        try:
            if not self.failure:
                end = {"frames": self.acknowledged, "lost": self.lost, "why": why}
                _write_all(self._file, self._anchor() + _record(END, json.dumps(end, sort_keys=True).encode()))
                os.fsync(self._file.fileno())
        except OSError as error:
            self.failure = f"{self.path}: the journal cannot be written: {error.strerror or error}"
        finally:
            self._file.close()


def _write_all(file: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file as safe as its contents."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a journal as far as it goes; about.cut says when that is not its end. Raises ScenarioError."""
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise refuse(path, "size", f"{size >> 30} GiB", f"at most {_MOST_BYTES >> 30} GiB")
    n, headed, ended = 0, False, False
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
        if magic != MAGIC[: len(magic)] or not magic:
            raise ScenarioError(f"{path}: not a journal; expected {MAGIC!r} at its begin, found {magic!r}")
        for at, kind, payload in _records(path, file, about):
            if ended:
                raise refuse(path, f"byte {at}", "a record behind the end", "nothing")
            if headed == (kind == HEAD):
                raise refuse(path, f"byte {at}", f"a record of kind {kind}", "the head first, and once")
            headed = True
            if kind == FRAME:
                n += 1
                if n > MOST_FRAMES:
                    raise refuse(path, f"byte {at}", f"more than {MOST_FRAMES} frames", "at most that")
                yield _frame(path, at, payload)
            else:
                ended = _take(path, at, kind, payload, about)
    if not ended and not about.cut:
        about.cut = f"it has no end after {n} frames: whoever wrote it was ended"
    about.notes["frames"] = n


def _records(path: Path, file: BinaryIO, about: About) -> Iterator[tuple[int, int, bytes]]:
    """(byte, kind, payload) of whole records."""
    n = 0
    while True:
        at = file.tell()
        head = file.read(_RECORD.size)
        if not head:
            return
        if len(head) == _RECORD.size:
            crc, length, kind = _RECORD.unpack(head)
            payload = file.read(length)
            if len(payload) == length:
                if zlib.crc32(payload, zlib.crc32(head[4:])) != crc:
                    if not (payload or head)[-1] and _all_zero(file):
                        about.cut = f"the record at byte {at} was never filled, after {n} whole ones"
                        return
                    raise refuse(
                        path, f"byte {at}, after {n} whole records", "a record whose CRC is wrong", "an undamaged file"
                    )
                yield at, kind, payload
                n += 1
                continue
        about.cut = f"it ends inside the record at byte {at}, after {n} whole ones"
        return


def _all_zero(file: BinaryIO) -> bool:
    """True when nothing but zeros follows: room that was given to the file before a power cut, and not filled to its end."""
    while block := file.read(1 << 20):
        if any(block):
            return False
    return True


def _frame(path: Path, at: int, payload: bytes) -> LogFrame:
    if len(payload) < _BODY.size:
        raise refuse(path, f"byte {at}", f"a frame of {len(payload)} bytes", f"at least {_BODY.size}")
    t_ns, can_id, flags, channel, length = _BODY.unpack_from(payload)
    frame = LogFrame(max(t_ns, 0), channel, can_id, flags & KNOWN_FLAGS, length, payload[_BODY.size :])
    if wrong := flaw(frame):
        raise refuse(path, f"byte {at}", wrong, "a frame that a bus can carry")
    return frame


def _take(path: Path, at: int, kind: int, payload: bytes, about: About) -> bool:
    """Note what a record says that is no frame; True for the end."""
    if kind == HEAD:
        head = _json(path, at, payload)
        if head.get("format") != FORMAT:
            raise refuse(path, f"byte {at}", f"format {head.get('format')!r}", f"{FORMAT}")
        wall = head.get("wall_ns")
        if not isinstance(wall, int) or not 0 <= wall < 1 << 62:
            raise refuse(path, f"byte {at}", f"wall_ns {wall!r}", "nanoseconds since 1970")
        about.start_ns = wall or None  # one that was converted from a log without a time of day
        about.notes["head"] = head
    elif kind == LOST and len(payload) == _COUNT.size:
        about.skipped["frames that the writer lost"] += min(_COUNT.unpack(payload)[0], MOST_FRAMES)
    elif kind == ANCHOR and len(payload) == _PAIR.size:
        t_ns, wall_ns = _PAIR.unpack(payload)
        about.notes["clock moved_ns"] = wall_ns - t_ns - (about.start_ns or 0)
    elif kind == END:
        about.notes["end"] = _json(path, at, payload)
        return True
    else:
        raise refuse(path, f"byte {at}", f"a record of kind {kind} with {len(payload)} bytes", "one of this version")
    return False


def _json(path: Path, at: int, payload: bytes) -> dict[str, Any]:
    try:
        if payload.count(b"[") + payload.count(b"{") > 1_000:
            raise ValueError("nested too deeply")
        data = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise refuse(path, f"byte {at}", f"no JSON ({error})", "JSON") from None
    if not isinstance(data, dict):
        raise refuse(path, f"byte {at}", "JSON that is no object", "an object")
    return data


class Writer:
    """Frames of another log to a journal, which then has the times of that log."""

    def __init__(self, file: Any, about: About) -> None:
        self._file, self._n = file, 0
        head = {"format": FORMAT, "wall_ns": about.start_ns or 0, "monotonic_ns": 0, "converted": True}
        file.write(MAGIC + _record(HEAD, json.dumps(head, sort_keys=True).encode()))

    def put(self, frame: LogFrame) -> None:
        """One record."""
        body = _BODY.pack(frame.t_ns, frame.can_id, frame.flags, frame.channel, frame.length) + frame.data
        self._file.write(_record(FRAME, body))
        self._n += 1

    def close(self) -> None:
        """The end."""
        self._file.write(_record(END, json.dumps({"frames": self._n, "lost": 0, "why": "converted"}).encode()))


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """Nothing of a frame is lost."""
    del frame, about
    yield from ()
