"""MF4, the ASAM measurement format, bus logging as its standard names it. Needs asammdf, which does not come with nabench.

Channels count from 1 in the file. Times are float seconds there: a nanosecond survives for 50 days. Files are read as a whole
by asammdf; frames are written in blocks of at most _BLOCK.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.wire.layout import EXTENDED, FD
from hil import files
from hil.errors import BenchError, NabenchError, ScenarioError
from hil.record.frame import ERROR, FD_LENGTHS, OWN, PASSIVE, REMOTE, RX, SWITCHED, TX, About, LogFrame, flaw, refuse

_MOST_BYTES = 256 << 20
_BLOCK = 100_000
_BUS, _CAN = 2, 2  # kinds of source and bus in the standard
_GROUPS = {"CAN_DataFrame": 0, "CAN_ErrorFrame": ERROR, "CAN_RemoteFrame": REMOTE}
_FIELDS = {
    "BusChannel": "<u1", "ID": "<u4", "IDE": "<u1", "DLC": "<u1", "DataLength": "<u1", "Dir": "<u1", "EDL": "<u1",
    "BRS": "<u1", "ESI": "<u1", "DataBytes": "(64,)u1",
}  # fmt: skip


def require() -> Any:
    """The package asammdf. Raises BenchError, with how to help it, when it is not there."""
    if find_spec("asammdf") is None:
        raise BenchError('MF4 needs the package asammdf, which is not installed; install it with: pip install "nabench[mf4]"')
    return import_module("asammdf")


def read(path: Path, about: About) -> Iterator[LogFrame]:
    """The frames of a file, in order of time. Raises ScenarioError, BenchError."""
    asammdf = require()
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise refuse(path, "size", f"{size >> 20} MiB", f"at most {_MOST_BYTES >> 20} MiB, because MF4 is read as a whole")
    with path.open("rb") as file:
        begin = file.read(8)
    if not begin.startswith((b"MDF ", b"UnFinMF")):
        raise ScenarioError(f'{path}: not an MF4 file; expected "MDF" at its begin, found {begin!r}')
    if begin.startswith(b"UnFin"):
        about.cut = "it was never finished"
    try:
        with asammdf.MDF(path) as mdf:
            start = mdf.header.start_time
            about.start_ns = round(start.timestamp() * 1_000) * 1_000_000 if start.year > 1970 else None
            found = [frame for name, flags in _GROUPS.items() for frame in _group(mdf, name, flags)]
    except NabenchError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything in there; all mean the same to the user
        raise ScenarioError(f"{path}: not a readable MF4 file: {type(error).__name__}: {error}") from None
    if not found:
        raise ScenarioError(f"{path}: no CAN frames in this MF4 file; expected bus logging ({', '.join(_GROUPS)})")
    first = 0 if any(frame.channel == 0 for frame in found) else 1  # some writers count channels from 0
    for n, frame in enumerate(sorted(found, key=lambda each: each.t_ns)):
        counted = frame._replace(channel=frame.channel - first)
        if wrong := flaw(counted):
            raise refuse(path, f"frame {n}", wrong, "a frame that a bus can carry")
        yield counted


def _group(mdf: Any, name: str, flags: int) -> Iterator[LogFrame]:
    """Frames of all groups of a kind, channels as they stand in the file."""
    for group, _ in mdf.channels_db.get(f"{name}.ID", ()):
        ids = mdf.get(f"{name}.ID", group=group, raw=True)
        n = len(ids.samples)
        columns = {field: np.zeros(n, np.int64) for field in _FIELDS if field != "DataBytes"}
        for field in columns:
            if any(at == group for at, _ in mdf.channels_db.get(f"{name}.{field}", ())):
                columns[field] = np.asarray(mdf.get(f"{name}.{field}", group=group, raw=True).samples).astype(np.int64)
        has_data = any(at == group for at, _ in mdf.channels_db.get(f"{name}.DataBytes", ()))
        data = mdf.get(f"{name}.DataBytes", group=group, raw=True).samples if has_data else np.zeros((n, 0), np.uint8)
        t_ns = np.rint(np.asarray(ids.timestamps, np.float64) * 1e9).astype(np.int64).tolist()
        rows = {field: column.tolist() for field, column in columns.items()}
        for i in range(n):
            yield _frame(t_ns[i], {field: row[i] for field, row in rows.items()}, bytes(data[i]), flags)


def _frame(t_ns: int, row: dict[str, int], data: bytes, flags: int) -> LogFrame:
    flags |= (EXTENDED if row["IDE"] else 0) | (TX if row["Dir"] else RX)
    if row["EDL"] and not flags & ERROR:
        flags |= FD | (SWITCHED if row["BRS"] else 0) | (PASSIVE if row["ESI"] else 0)
    length = min(row["DLC"], 8) if flags & REMOTE else row["DataLength"]
    payload = b"" if flags & REMOTE else data[:length]
    return LogFrame(t_ns, row["BusChannel"], row["ID"] & 0x1FFF_FFFF, flags, length, payload)


class Writer:
    """Frames to an MF4 file. Raises BenchError without asammdf."""

    def __init__(self, path: Path, about: About) -> None:
        self._asammdf, self._path = require(), path
        self._start_ns = about.start_ns or 0
        self._mdf = self._asammdf.MDF(version="4.10")
        seconds, ms = divmod(self._start_ns // 1_000_000, 1_000)
        start = datetime.datetime.fromtimestamp(seconds, datetime.UTC) + datetime.timedelta(milliseconds=ms)
        self._mdf.header.start_time = start
        self._rows: dict[str, list[LogFrame]] = {name: [] for name in _GROUPS}
        self._groups: dict[str, int] = {}

    def put(self, frame: LogFrame) -> None:
        """One record."""
        name = next(name for name, flag in reversed(_GROUPS.items()) if frame.flags & flag or not flag)
        self._rows[name].append(frame)
        if len(self._rows[name]) >= _BLOCK:
            self._flush(name)

    def _flush(self, name: str) -> None:
        frames, self._rows[name] = self._rows[name], []
        if not frames:
            return
        table = np.zeros(len(frames), [(f"{name}.{field}", kind) for field, kind in _FIELDS.items()])
        flags = np.array([frame.flags for frame in frames])
        lengths = [frame.length for frame in frames]
        columns = {
            "BusChannel": np.array([frame.channel + 1 for frame in frames]),
            "ID": np.array([frame.can_id for frame in frames]),
            "IDE": flags & EXTENDED != 0,
            "DLC": np.array([FD_LENGTHS.index(n) for n in lengths]),
            "DataLength": np.array([len(frame.data) for frame in frames]),
            "Dir": flags & TX != 0,
            "EDL": flags & FD != 0,
            "BRS": flags & SWITCHED != 0,
            "ESI": flags & PASSIVE != 0,
        }
        for field, column in columns.items():
            table[f"{name}.{field}"] = column
        data = b"".join(frame.data.ljust(64, b"\0") for frame in frames)
        table[f"{name}.DataBytes"] = np.frombuffer(data, np.uint8).reshape(-1, 64)
        t_s = (np.array([frame.t_ns for frame in frames], np.int64) + self._start_ns % 1_000_000) * 1e-9
        if name in self._groups:
            self._mdf.extend(self._groups[name], [(t_s, None), (table, None)])
            return
        blocks = import_module("asammdf.blocks.v4_blocks")
        source = blocks.SourceInformation(source_type=_BUS, bus_type=_CAN)
        self._groups[name] = len(self._mdf.groups)
        self._mdf.append(self._asammdf.Signal(name=name, samples=table, timestamps=t_s, source=source))

    def close(self) -> None:
        """Write the file."""
        for name in _GROUPS:
            self._flush(name)
        self._mdf.save(self._path, overwrite=True, compression=1)
        self._mdf.close()


def losses(frame: LogFrame, about: About) -> Iterator[str]:
    """What of a frame this format cannot hold."""
    del about
    if not frame.flags & (RX | TX | OWN):
        yield "that the direction is unknown (written as Rx)"
    if frame.flags & OWN:
        yield "that a frame is the log writer's own, heard back"
