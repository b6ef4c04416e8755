"""BLF of Vector's tools: binary, compressed, times in nanoseconds. Read by ourselves, within bounds; written by python-can.

The start of the measurement is known to the millisecond, UTC; what is finer goes into the times of the frames.
"""

from __future__ import annotations

import datetime
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from firmware_sim.wire.layout import EXTENDED, FD
from hil import files
from hil.errors import ScenarioError
from hil.record import of_trace
from hil.record.frame import ERROR, FD_LENGTHS, OWN, PASSIVE, REMOTE, RX, SWITCHED, TX, About, LogFrame, flaw, refuse
from hil.trace import Trace

_FILE = struct.Struct("<4sLBBBBBBBBQQLL8H8H72x")
_BASE = struct.Struct("<4sHHLL")  # signature, size of the header, its version, size of the object, type
_TIMED = struct.Struct("<LHHQ")  # flags, client or stamp status, version, time
_CONTAINER = struct.Struct("<H6xL4x")
_MESSAGE = struct.Struct("<HBBL8s")
_ERROR_EXT = struct.Struct("<HHLBBBxLLH2x8s")
_FD_MESSAGE = struct.Struct("<HBBLLBBB5x64s")
_FD_64 = struct.Struct("<BBBBLLLLLLLHBBL")
_CAN, _CAN_ERROR, _LOG_CONTAINER, _CAN_ERROR_EXT, _CAN_2, _CAN_FD, _CAN_FD_64 = 1, 2, 10, 73, 86, 100, 101
_LARGEST_CONTAINER = 16 << 20
_LARGEST_OBJECT = 4 << 20
_ID_EXTENDED = 0x8000_0000
_ID_MASK = 0x1FFF_FFFF
_TEN_US = 1


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a log. Raises ScenarioError with the byte in the file."""
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    with path.open("rb") as file:
        head = file.read(_FILE.size)
        if not head.startswith(b"LOGG"):
            raise ScenarioError(f'{path}: not a BLF log; expected "LOGG" at its begin, found {head[:4]!r}')
        if len(head) < _FILE.size:
            about.cut = "it ends within its head"
            return
        fields = _FILE.unpack(head)
        about.start_ns = _moment(fields[14:22])
        if not _FILE.size <= fields[1] <= 1 << 16:
            raise refuse(path, "byte 4", f"a head of {fields[1]} bytes", f"{_FILE.size} to {1 << 16}")
        file.seek(fields[1])
        promised, n = int(fields[12]), 0
        for where, kind, version, body in _objects(path, file, about):
            n += 1
            if (frame := _frame(path, where, kind, version, body, about)) is None:
                continue
            if wrong := flaw(frame):
                raise refuse(path, where, wrong, "a frame that a bus can carry")
            yield frame
        if not about.cut and promised == 0 < n:
            about.cut = "its head was never completed, so whoever wrote it did not end well"
        elif not about.cut and n < promised:
            about.cut = f"its head promises {promised} objects and {n} are there"


Object = tuple[str, int, int, bytes]


def _objects(path: Path, file: BinaryIO, about: About) -> Iterator[Object]:
    """(where, type, version of its header, all its bytes) of the objects inside the containers, and of those outside."""
    tail = b""
    while raw := file.read(_BASE.size):
        at = file.tell() - len(raw)
        if len(raw) < _BASE.size:
            about.cut = f"it ends within the object at byte {at}"
            return
        signature, _, version, size, kind = _BASE.unpack(raw)
        if signature != b"LOBJ" or size < _BASE.size:
            raise refuse(path, f"byte {at}", f"{signature!r} and {size} bytes", '"LOBJ" and the size of an object')
        if size > _LARGEST_CONTAINER:
            raise refuse(path, f"byte {at}", f"an object of {size} bytes", f"at most {_LARGEST_CONTAINER}")
        body = file.read(size - _BASE.size)
        if len(body) < size - _BASE.size:
            about.cut = f"it ends within the object at byte {at}"
            return
        file.read(size % 4)
        if kind != _LOG_CONTAINER:
            yield f"byte {at}", kind, version, raw + body
            continue
        data = tail + _unpacked(path, at, body)
        used = 0
        for found in _inside(path, at, data):
            yield found[0], found[1], found[2], found[3]
            used = found[4]
        tail = data[used:]
        if len(tail) > _LARGEST_OBJECT + 8:
            raise refuse(path, f"byte {at}", "an object over many containers", f"objects of at most {_LARGEST_OBJECT} bytes")
    if len(tail.strip(b"\0")) and not about.cut:
        about.cut = "its last object is not whole"


def _unpacked(path: Path, at: int, body: bytes) -> bytes:
    if len(body) < _CONTAINER.size:
        raise refuse(path, f"byte {at}", f"a container of {len(body)} bytes", f"at least {_CONTAINER.size}")
    method, size = _CONTAINER.unpack_from(body)
    data = body[_CONTAINER.size :]
    if method == 0:
        return data
    if method != 2:
        raise refuse(path, f"byte {at}", f"a container packed by method {method}", "0 (none) or 2 (zlib)")
    if size > _LARGEST_CONTAINER:
        raise refuse(path, f"byte {at}", f"a container of {size} bytes", f"at most {_LARGEST_CONTAINER}")
    unpacker = zlib.decompressobj()
    try:
        out = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise refuse(path, f"byte {at}", f"a damaged container ({error})", "zlib data") from None
    if len(out) != size:
        raise refuse(path, f"byte {at}", f"a container of {'more than ' if len(out) > size else ''}{len(out)} bytes", f"{size}")
    return out


def _inside(path: Path, at: int, data: bytes) -> Iterator[tuple[str, int, int, bytes, int]]:
    """Objects of a container that are whole, with the place behind each."""
    pos = 0
    while (start := data.find(b"LOBJ", pos, pos + 8)) >= 0 and start + _BASE.size <= len(data):
        _, _, version, size, kind = _BASE.unpack_from(data, start)
        where = f"container at byte {at}, byte {start} in it"
        if not _BASE.size <= size <= _LARGEST_OBJECT:
            raise refuse(path, where, f"an object of {size} bytes", f"{_BASE.size} to {_LARGEST_OBJECT}")
        if start + size > len(data):
            return
        pos = start + size
        yield where, kind, version, data[start:pos], pos
    if start < 0 and pos + 8 <= len(data):
        raise refuse(path, f"container at byte {at}, byte {pos} in it", f"{data[pos : pos + 8]!r}", '"LOBJ"')


def _frame(path: Path, where: str, kind: int, version: int, raw: bytes, about: About) -> LogFrame | None:
    """The frame of an object; None for one that is no frame, which is counted."""
    if kind not in (_CAN, _CAN_ERROR, _CAN_ERROR_EXT, _CAN_2, _CAN_FD, _CAN_FD_64) or version not in (1, 2):
        about.skipped["other objects"] += 1
        return None
    try:
        units, _, _, t = _TIMED.unpack_from(raw, _BASE.size)
        head = _BASE.unpack_from(raw)[1]
        return _decoded(kind, t * (10_000 if units == _TEN_US else 1), raw, head)
    except (struct.error, IndexError):
        raise refuse(path, where, f"an object of type {kind} with {len(raw)} bytes", "a whole one") from None


def _decoded(kind: int, t_ns: int, raw: bytes, at: int) -> LogFrame:
    if kind in (_CAN, _CAN_2):
        channel, bits, dlc, can_id, data = _MESSAGE.unpack_from(raw, at)
        flags, length = _id_flags(can_id) | (TX if bits & 1 else RX), min(dlc, 8)
        if bits & 0x80:
            return LogFrame(t_ns, channel - 1, can_id & _ID_MASK, flags | REMOTE, length, b"")
        return LogFrame(t_ns, channel - 1, can_id & _ID_MASK, flags, length, data[:length])
    if kind == _CAN_ERROR:
        (channel,) = struct.unpack_from("<H", raw, at)
        return LogFrame(t_ns, channel - 1, 0, ERROR, 0, b"")
    if kind == _CAN_ERROR_EXT:
        channel, _, _, _, _, dlc, _, can_id, _, data = _ERROR_EXT.unpack_from(raw, at)
        length = min(dlc, 8)
        return LogFrame(t_ns, channel - 1, can_id & _ID_MASK, _id_flags(can_id) | ERROR, length, data[:length])
    if kind == _CAN_FD:
        channel, bits, dlc, can_id, _, _, wire, valid, data = _FD_MESSAGE.unpack_from(raw, at)
        flags = _id_flags(can_id) | (TX if bits & 1 else RX) | (REMOTE if bits & 0x80 else 0)
        return _of_wire(t_ns, channel - 1, can_id & _ID_MASK, flags | _wire_flags(wire), dlc, data[:valid])
    channel, dlc, valid, _, can_id, _, wire, _, _, _, _, _, way, offset, _ = _FD_64.unpack_from(raw, at)
    data = raw[at + _FD_64.size : offset or len(raw)][:valid].ljust(valid, b"\0")
    flags = _id_flags(can_id) | (TX if way else RX) | (REMOTE if wire & 0x10 else 0)
    return _of_wire(t_ns, channel - 1, can_id & _ID_MASK, flags | _wire_flags(wire >> 12), dlc, data)


def _id_flags(can_id: int) -> int:
    return EXTENDED if can_id & _ID_EXTENDED else 0


def _wire_flags(bits: int) -> int:
    return (FD if bits & 1 else 0) | (SWITCHED if bits & 2 else 0) | (PASSIVE if bits & 4 else 0)


def _of_wire(t_ns: int, channel: int, can_id: int, flags: int, dlc: int, data: bytes) -> LogFrame:
    length = FD_LENGTHS[dlc] if flags & FD else min(dlc, 8)
    if flags & REMOTE and not flags & FD:
        return LogFrame(t_ns, channel, can_id, flags, length, b"")
    return LogFrame(t_ns, channel, can_id, flags, length, data[:length].ljust(length, b"\0"))


def _moment(fields: tuple[int, ...]) -> int | None:
    """Time of day of a SYSTEMTIME; None when there is none."""
    year, month, _, day, hour, minute, second, ms = fields
    try:
        at = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * 1_000_000_000 + ms * 1_000_000


class Writer:
    """Frames to a BLF log. compression: of zlib, 1 is the fastest."""

    def __init__(self, path: Path, about: About, compression: int = 1) -> None:
        import can

        self._message = can.Message
        self._start_ns, self._last_ns = about.start_ns, 0
        self._rest_ns = 0 if about.start_ns is None else about.start_ns % 1_000_000
        self._to = can.BLFWriter(path, compression_level=compression)
        self._to.start_timestamp = 0.0  # else times count from the first frame, and the reader never learns when that was

    def put(self, frame: LogFrame) -> None:
        """One object."""
        t_ns, channel, can_id, flags, length, data = frame
        self._last_ns = max(self._last_ns, t_ns)
        self._to.on_message_received(
            self._message(
                timestamp=(t_ns + self._rest_ns + 0.5)
                * 1e-9,  # the writer cuts off: half a nanosecond keeps it from losing one
                arbitration_id=can_id,
                is_extended_id=bool(flags & EXTENDED),
                is_fd=bool(flags & FD) and not flags & ERROR,
                is_remote_frame=bool(flags & REMOTE),
                is_error_frame=bool(flags & ERROR),
                bitrate_switch=bool(flags & SWITCHED),
                error_state_indicator=bool(flags & PASSIVE),
                channel=channel,
                is_rx=not flags & TX,
                dlc=length,
                data=data,
            )
        )

    def close(self) -> None:
        """Write the rest, and the head."""
        if self._start_ns is not None:
            seconds, ms = divmod(self._start_ns // 1_000_000, 1_000)
            self._to.start_timestamp = seconds + ms / 1_000
            self._to.stop_timestamp = (self._start_ns + self._last_ns) * 1e-9
        self._to.stop()


def write(trace: Trace, path: Path) -> None:
    """frames.blf of a run: every frame that arrived."""
    sink = Writer(path, About())
    try:
        for frame in of_trace.frames(trace):
            sink.put(frame)
    finally:
        sink.close()


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """What of a frame this format cannot hold."""
    del about
    if not frame.flags & (RX | TX | OWN | ERROR):
        yield "that the direction is unknown (written as Rx)"
    if frame.flags & OWN:
        yield "that a frame is the log writer's own, heard back"
    if frame.flags & ERROR and frame.flags & (RX | TX | OWN):
        yield "the direction of error frames"
