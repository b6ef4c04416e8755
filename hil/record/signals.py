"""signals.csv: truth and the device's main signals on one grid, for MATLAB, pandas and spreadsheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firmware_sim.types import I64
from hil import journal, truth
from hil.network import Network
from hil.trace import Trace
from hil.wirelog import WireLog

_MOST_ROWS = 10_000
_LEAST_NS = 100_000_000


def grid(trace: Trace) -> I64:
    """Times of the rows [ns]: every 0.1 s, or as many tenths as it takes to stay below 10,000 rows; never below a tick."""
    end_ns = trace.n_ticks * trace.dt_ns
    tenths = max(-(-end_ns // (_MOST_ROWS * _LEAST_NS)), 1)
    return np.arange(0, end_ns, max(tenths * _LEAST_NS, trace.dt_ns), dtype=np.int64)


def write(trace: Trace, network: Network, path: Path) -> None:
    """One row a grid time; a signal holds its last valid value, empty before the first."""
    at_ns = grid(trace)
    tick = at_ns // trace.dt_ns
    names, columns = ["t [s]"], [at_ns / 1e9]
    for n, (name, unit) in enumerate(truth.COLUMNS):
        if unit != "ns":
            names.append(f"true {name} [{unit}]")
            columns.append(trace.truth[tick, n])
    sample = np.minimum(tick // trace.cells_every, trace.cells.shape[0] - 1)
    for row, (name, unit) in enumerate(truth.CELL_COLUMNS):
        for i in range(trace.cells.shape[2]):
            names.append(f"true {name} {i} [{unit}]")
            columns.append(trace.cells[sample, row, i])
    log = WireLog(trace.journal, network)
    layout = network.from_dut
    for name, unit in zip(layout.signal_names, layout.units, strict=True):
        if name.startswith("Diag_User"):
            continue
        series = log.series(name, journal.FROM_DUT)
        t_ns, value = series.t_ns[series.valid], series.value[series.valid]
        at = np.searchsorted(t_ns, at_ns, side="right") - 1
        names.append(f"{name} [{unit or '1'}]")
        columns.append(np.where(at >= 0, value[np.maximum(at, 0)], np.nan) if len(value) else np.full(len(at_ns), np.nan))
    table = np.column_stack(columns)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(names) + "\n")
        for line in table.tolist():
            file.write(",".join("" if x != x else f"{x:.7g}" for x in line) + "\n")
