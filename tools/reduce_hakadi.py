"""Reduce the Hakadi runs to one row a second: `python tools/reduce_hakadi.py SOURCE OUTPUT`.

Every leg (a stretch of one mode) gets its own grid, counted from the current edge that begins it, because a grid that
straddles the edge shows 100 to 150 mV of voltage error that no cell ever had. A row stands for the second that ends at
its time: the voltage at its end, the mean current within it. So the charge of whole seconds is kept, and a simulation
that takes one step a row, with the row's current, meets the row's voltage. The rest of a leg after its last whole
second is dropped, as are legs shorter than a second. The sign of the current becomes the state's: positive discharges.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
HEADER = "time_s,mode,voltage_V,current_A"


def read(path: Path) -> tuple[F64, F64, F64, F64]:
    """Time [s] from the first sample, mode, voltage [V] and current [A, positive on discharge] of a source run."""
    with gzip.open(path, "rt", encoding="ascii", newline="") as text:
        rows = list(csv.reader(text))
    table = np.array(rows[1:], dtype=np.float64)
    column = {name: table[:, j] for j, name in enumerate(rows[0])}
    time_s = (column["time"] - column["time"][0]) / 1000.0
    return time_s, column["mode"], column["voltage"], -column["current"]


def legs(mode: F64) -> list[tuple[int, int]]:
    """First and past-last sample of every stretch of one mode."""
    edges = [0, *(np.flatnonzero(np.diff(mode)) + 1).tolist(), len(mode)]
    return list(itertools.pairwise(edges))


def reduce(time_s: F64, mode: F64, voltage_V: F64, current_A: F64) -> list[tuple[float, int, float, float]]:
    """Rows (time, mode, voltage at that time, mean current over the second before it).

    The edge lies between the last sample of the leg before and the first of this one: the first of this one is its
    time, at most one sample period (0.1 s) late. The current of a sample holds until the next.
    """
    out = []
    for start, end in legs(mode):
        at_s = time_s[start:end] - time_s[start]
        charge_As = np.concatenate([[0.0], np.cumsum(current_A[start : end - 1] * np.diff(at_s))])
        for second in range(1, int(at_s[-1]) + 1):
            mean_A = np.interp(second, at_s, charge_As) - np.interp(second - 1, at_s, charge_As)
            cell_V = np.interp(second, at_s, voltage_V[start:end])
            out.append((float(time_s[start]) + second, int(mode[start]), float(cell_V), float(mean_A)))
    return out


def write(path: Path, rows: list[tuple[float, int, float, float]]) -> None:
    """Write rows as gzip-compressed CSV that depends on nothing but the rows."""
    lines = [HEADER, *(f"{t:.3f},{mode},{cell_V:.4f},{cell_A:.4f}" for t, mode, cell_V, cell_A in rows)]
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        stream.write(("\n".join(lines) + "\n").encode("ascii"))
    path.write_bytes(packed.getvalue())


def main(arguments: list[str]) -> int:
    """Reduce every run of a folder."""
    if len(arguments) != 2:
        print("usage: reduce_hakadi.py SOURCE OUTPUT", file=sys.stderr)
        return 2
    source, output = Path(arguments[0]), Path(arguments[1])
    runs = sorted(source.glob("static_test_*.csv.gz"))
    if not runs:
        print(f"{source}: holds no static_test_*.csv.gz", file=sys.stderr)
        return 1
    output.mkdir(parents=True, exist_ok=True)
    for run in runs:
        rows = reduce(*read(run))
        write(output / run.name.removeprefix("static_test_"), rows)
        print(f"{run.name}: {len(rows)} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
