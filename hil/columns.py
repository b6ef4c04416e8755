"""Columns of numbers from a CSV file, plain or gzip, that may be broken, hostile, or a bomb: it is read line by line.

What is wrong is said once for each column, with the first line that has it and how many more have it too.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from firmware_sim.types import F64
from hil import files
from hil.errors import ScenarioError, nearest
from hil.shape import shown

_MAX_BYTES = 128 << 20
_MAX_LINE = 1 << 16


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, blank ones left out. Raises ScenarioError."""
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    left = _MAX_BYTES
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            for number in itertools.count(1):
                raw = file.readline(_MAX_LINE + 1)
                left -= len(raw)
                if not raw:
                    return
                if len(raw) > _MAX_LINE:
                    raise ScenarioError(f"{path}: line {number} has more than {_MAX_LINE} bytes; expected a row of a CSV file")
                if left < 0:
                    raise ScenarioError(f"{path}: more than {_MAX_BYTES >> 20} MiB of text; cut it into shorter files")
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise ScenarioError(f"{path}: line {number} is not UTF-8; save the file as UTF-8") from None
                if text.strip():
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from None


def header(path: Path) -> list[str]:
    """Names of the columns. Raises ScenarioError when there are none."""
    first = next(_lines(path), None)
    if first is None:
        raise ScenarioError(f"{path}: the file is empty; expected a header and rows of numbers")
    try:
        names = [name.strip() for name in next(csv.reader([first[1]]), [])]
    except csv.Error:
        raise ScenarioError(
            f"{path}: line {first[0]} is not the header of a CSV file; expected names, commas and line feeds"
        ) from None
    if len(names) == 1 and set(";\t") & set(first[1].strip()):
        raise ScenarioError(f"{path}: line {first[0]} has one column, {shown(names[0])}; expected commas between columns")
    if len(names) == 1 and names[0].startswith(("#", "%")):
        raise ScenarioError(f"{path}: line {first[0]} is a comment, {shown(names[0])}; expected the names of the columns there")
    if all(_number(name) is not None for name in names):
        raise ScenarioError(f"{path}: line {first[0]} holds numbers; expected a header with the names of the columns")
    return names


def read(path: Path, columns: dict[str, str]) -> F64:
    """(n, len(columns)) finite numbers; the first column is the time, and it rises.

    columns: by the key under which somebody asks for it ("file: key path"), the name of the column.
    Raises ScenarioError with everything that is wrong.
    """
    there = header(path)
    found = [
        f'{key} "{name}" is not a column of {path}{nearest(name, there)}' for key, name in columns.items() if name not in there
    ]
    found += [f'{path}: {there.count(name)} columns are called "{name}"' for name in columns.values() if there.count(name) > 1]
    if found:
        raise ScenarioError(*found)
    names = list(columns.values())
    at = [there.index(name) for name in names]
    rows = _rows(path, len(there))
    first = next(rows, None)
    if first is None:
        raise ScenarioError(f"{path}: there is only a header; expected rows of numbers")
    try:
        table = np.loadtxt(itertools.chain([first], rows), delimiter=",", usecols=at, ndmin=2, comments=None, quotechar='"')
    except ValueError as error:
        raise ScenarioError(*_no_numbers(path, names, at) or (f"{path}: {error}",)) from None
    found = []
    for n, name in enumerate(names):
        bad = np.flatnonzero(~np.isfinite(table[:, n]))
        if len(bad):
            here, value = f'{path}: line {line_of(path, bad[0])}, column "{name}"', table[bad[0], n]
            found.append(f"{here}: expected a finite number, found {value}{_more(len(bad))}")
    back = np.flatnonzero(np.diff(table[:, 0]) <= 0) + 1
    if len(back):
        k = int(back[0])
        here = f'{path}: line {line_of(path, k)}, column "{names[0]}"'
        found.append(f"{here}: {table[k, 0]:g} must lie after {table[k - 1, 0]:g} in the row before{_more(len(back))}")
    if found:
        raise ScenarioError(*found)
    return np.asarray(table, np.float64)


def _rows(path: Path, width: int) -> Iterator[str]:
    """Lines behind the header. Raises ScenarioError at one with more columns: nobody knows which is which."""
    for number, text in itertools.islice(_lines(path), 1, None):
        if text.count(",") >= width and any(field.strip() for field in _fields(text)[width:]):
            raise ScenarioError(
                f"{path}: line {number} has {len(_fields(text))} columns, the header {width}; "
                "expected as many, and points in the numbers, not commas"
            )
        yield text


def _fields(text: str) -> list[str]:
    """The fields of a line, without their quotes."""
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return text.split(",")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _more(count: int) -> str:
    return f", and so in {count - 1} more lines" if count > 1 else ""


def line_of(path: Path, row: int) -> int:
    """Number of the line on which a row stands."""
    return next(itertools.islice(_lines(path), int(row) + 1, None))[0]


def _no_numbers(path: Path, names: list[str], at: list[int]) -> list[str]:
    """A sentence for each column in which something stands that is no number."""
    first: dict[str, tuple[int, str]] = {}
    count = dict.fromkeys(names, 0)
    for number, text in itertools.islice(_lines(path), 1, None):
        fields = _fields(text)
        for name, n in zip(names, at, strict=True):
            found = fields[n].strip() if n < len(fields) else None
            if found is None or _number(found) is None:
                first.setdefault(name, (number, "nothing" if not found else shown(found)))
                count[name] += 1
    return [
        f'{path}: line {line}, column "{name}": expected a number, found {found}{_more(count[name])}'
        for name, (line, found) in first.items()
    ]
