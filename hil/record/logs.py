"""Logs of frames by the name of their file: read any of them, write any of them, and say what a format cannot hold."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hil.errors import BenchError, ScenarioError, nearest
from hil.record import asc, blf, candump, journal, mf4, of_trace, table
from hil.record.frame import ERROR, MOST_FRAMES, REMOTE, About, LogFrame, Sink
from hil.trace import Trace


@dataclass(frozen=True)
class Format:
    """A kind of log. opens: how its writer wants the file: "w" as text, "wb" as bytes, "" by its path."""

    title: str
    read: Callable[[Path, About], Iterator[LogFrame]]
    writer: Callable[[Any, About], Sink]
    losses: Callable[[LogFrame, About], Iterator[str]]
    opens: str


FORMATS = {
    ".journal": Format("the journal of nabench", journal.read, journal.Writer, journal.losses, "wb"),
    ".blf": Format("BLF of Vector's tools", blf.read, blf.Writer, blf.losses, ""),
    ".asc": Format("ASC of Vector's tools", asc.read, asc.Writer, asc.losses, "w"),
    ".log": Format("candump of can-utils", candump.read, candump.Writer, candump.losses, "w"),
    ".csv": Format("a table", table.read, table.Writer, table.losses, "w"),
    ".mf4": Format("ASAM MF4, with asammdf", mf4.read, mf4.Writer, mf4.losses, ""),
}
_PACKED = (".asc.gz", ".log.gz", ".csv.gz")
_NAMES = {"candump": ".log", "vector": ".blf"}


def suffix_of(path: Path, *, packed: bool) -> str:
    """Format of a file by its name. packed: also with .gz behind it. Raises ScenarioError with the nearest."""
    name = path.name.lower()
    if packed and name.endswith(_PACKED):
        return Path(name.removesuffix(".gz")).suffix
    suffix = Path(name).suffix
    if suffix not in FORMATS:
        known = ", ".join(f"{key} ({kind.title})" for key, kind in FORMATS.items())
        close = nearest(suffix, FORMATS) if suffix else ""
        close = close if "did you mean" in close else ""
        raise ScenarioError(f'{path}: a log named "{suffix or path.name}" is not known; expected {known}{close}')
    return suffix


def is_log(path: Path) -> bool:
    """True when the name of a file is that of a log."""
    name = path.name.lower()
    return Path(name).suffix in FORMATS or name.endswith(_PACKED)


def is_run(path: Path) -> bool:
    """True for a run folder."""
    return path.is_dir() and (path / "trace.npz").is_file()


def open_log(path: Path) -> tuple[About, Iterator[LogFrame]]:
    """What a log or run folder says, filled while its frames are taken, and the frames. Raises ScenarioError."""
    about = About()
    if is_run(path):
        return about, of_trace.frames(Trace.load(path / "trace.npz"))
    if not path.exists():
        raise ScenarioError(f"{path}: does not exist")
    if path.is_dir():
        raise ScenarioError(f"{path}: is a folder, and no run folder; expected a log or a run folder")
    return about, _bounded(path, FORMATS[suffix_of(path, packed=True)].read(path, about))


def _bounded(path: Path, frames: Iterator[LogFrame]) -> Iterator[LogFrame]:
    for n, frame in enumerate(frames):
        if n >= MOST_FRAMES:
            raise ScenarioError(f"{path}: more than {MOST_FRAMES} frames; split the log")
        yield frame


@dataclass
class Written:
    """What was written. odd: error and remote frames among them.  lost: what the format could not hold, with how many frames it
    concerns.
    """

    n_frames: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)


def write_log(path: Path, about: About, frames: Iterator[LogFrame]) -> Written:
    """Write a log wholly or not at all. Raises ScenarioError, BenchError."""
    suffix = suffix_of(path, packed=False)
    kind, done = FORMATS[suffix], Written()
    first = list(itertools.islice(frames, 1))  # what the log says of its start is known after its first frame
    part = path.with_name(f".{path.name}.part{suffix}")
    try:
        with ExitStack() as stack:
            file: Any = part
            if kind.opens:
                is_text = "b" not in kind.opens
                encoding, newline = ("ascii", "\n") if is_text else (None, None)
                file = stack.enter_context(part.open(kind.opens, encoding=encoding, newline=newline))
            sink = kind.writer(file, about)
            try:
                for frame in itertools.chain(first, frames):
                    sink.put(frame)
                    done.n_frames += 1
                    if frame.flags & (ERROR | REMOTE):
                        done.odd["error" if frame.flags & ERROR else "remote"] += 1
                    done.lost.update(kind.losses(frame, about))
            finally:
                sink.close()
        part.replace(path)
    except OSError as error:
        raise BenchError(f"{path}: the log cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return done
