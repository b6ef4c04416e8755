"""Recordings: measured CSV data as samples of cell 0, and the reference SOC that the data itself gives.

The reference of a leg is the share of the leg's own throughput: a discharge from full to empty runs from 1 to 0, a charge
from empty to full from 0 to 1. Counting across a whole file would add up the offset of the current sensor.
"""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.types import F64, I64
from hil import files
from hil.errors import ScenarioError, nearest
from hil.plant import replay
from hil.scenario import Column, Recording

_MAX_BYTES = 512 << 20
_FULL_NEAR_V = 0.15
_EMPTY_NEAR_V = 0.03


@dataclass(frozen=True)
class Leg:
    """A stretch between full and empty, or back.

    first, last: rows of the recording.  charge_Ah: its throughput.  discharges: direction.
    """

    first: int
    last: int
    charge_Ah: float
    discharges: bool


def read_columns(path: Path, names: list[str]) -> F64:
    """(n, len(names)) numbers from a CSV file with a header, plain or gzip. Raises ScenarioError."""
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.open(io.BytesIO(raw)) as packed:
                raw = packed.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ScenarioError(f"{path}: more than {_MAX_BYTES >> 20} MiB of data; cut the recording")
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read as CSV text: {error}") from None
    head, _, body = text.partition("\n")
    header = [name.strip() for name in next(csv.reader([head]), [])]
    missing = [f'{path}: there is no column "{name}"{nearest(name, header)}' for name in names if name not in header]
    if missing:
        raise ScenarioError(*missing)
    if not body.strip():
        raise ScenarioError(f"{path}: the recording is empty; expected rows behind the header")
    try:
        table = np.loadtxt(io.StringIO(body), delimiter=",", usecols=[header.index(name) for name in names], ndmin=2)
    except ValueError as error:
        raise ScenarioError(f"{path}: {_first_bad_row(body, header, names) or error}") from None
    return table


def _first_bad_row(body: str, header: list[str], names: list[str]) -> str | None:
    for number, line in enumerate(body.splitlines(), start=2):
        fields = line.split(",")
        for name in names:
            at = header.index(name)
            found = fields[at].strip() if at < len(fields) else "nothing"
            try:
                float(found)
            except ValueError:
                return f'line {number}, column "{name}": expected a number, found "{found}"'
    return None


def _scaled(raw: F64, column: Column) -> F64:
    return raw * column.scale + column.offset


def load(recording: Recording, near: Path) -> tuple[Path, F64, list[Leg]]:
    """Path, samples (columns of hil.plant.replay) and scored legs. Raises ScenarioError."""
    path = files.data_file(recording.file, near, "recording.file")
    columns: list[Column] = [recording.time, recording.voltage, recording.current]
    if recording.temperature is not None:
        columns.append(recording.temperature)
    raw = read_columns(path, [column.column for column in columns])
    scaled = np.column_stack([_scaled(raw[:, n], column) for n, column in enumerate(columns)])
    _check(path, scaled)
    out = np.zeros((len(scaled), replay.N_REPLAY_COLUMNS))
    out[:, replay.TIME_S] = scaled[:, 0] - scaled[0, 0] + recording.start_s
    out[:, replay.VOLT] = scaled[:, 1]
    out[:, replay.AMPS] = scaled[:, 2] * (1.0 if recording.current.positive == "discharge" else -1.0)
    out[:, replay.DEGC] = scaled[:, 3] if recording.temperature is not None else np.nan
    legs = find_legs(out, recording.full_V, recording.empty_V)
    out[:, replay.SOC] = np.nan
    for leg in legs:
        out[leg.first : leg.last + 1, replay.SOC] = reference(out, leg)
    return path, out, legs


def _check(path: Path, table: F64) -> None:
    if len(table) < 10:
        raise ScenarioError(f"{path}: {len(table)} rows; expected at least 10")
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise ScenarioError(f"{path}: line {bad[0] + 2} holds a value that is not finite")
    back = np.flatnonzero(np.diff(table[:, 0]) <= 0)
    if len(back):
        n = int(back[0]) + 1
        raise ScenarioError(f"{path}: line {n + 2}: time {table[n, 0]:g} s does not lie after {table[n - 1, 0]:g} s")
    if not -0.5 <= table[:, 1].min() <= table[:, 1].max() <= 6.0:
        low, high = table[:, 1].min(), table[:, 1].max()
        raise ScenarioError(f"{path}: voltages run from {low:g} to {high:g} V; expected one cell, -0.5 to 6 V (check scale)")


def _runs(mask: F64) -> I64:
    """(n, 2) first and last index of each run of true."""
    edge = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.column_stack([np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - 1])


def find_legs(samples: F64, full_V: float, empty_V: float) -> list[Leg]:
    """Discharges from full to empty and charges back. A rest or a current below 2 % of the largest ends a leg."""
    amps, volt = samples[:, replay.AMPS], samples[:, replay.VOLT]
    least_A = 0.02 * np.abs(amps).max()
    legs = []
    for first, last in _runs(amps > least_A):
        starts_full = volt[max(first - 5, 0) : first + 1].max() >= full_V - _FULL_NEAR_V
        if starts_full and volt[last] <= empty_V + _EMPTY_NEAR_V:
            legs.append(Leg(int(first), int(last), _throughput(samples, first, last), True))
    for first, last in _runs(amps < -least_A):
        after_empty = volt[max(first - 5, 0) : first + 1].min() <= empty_V + _FULL_NEAR_V
        if after_empty and volt[last] >= full_V - _EMPTY_NEAR_V:
            legs.append(Leg(int(first), int(last), -_throughput(samples, first, last), False))
    return sorted(legs, key=lambda leg: leg.first)


def _counted(samples: F64, first: int, last: int) -> F64:
    """Charge drawn since the leg's start at each of its rows [Ah], positive on discharge; trapezoids."""
    t, amps = samples[first : last + 1, replay.TIME_S], samples[first : last + 1, replay.AMPS]
    steps = 0.5 * (amps[1:] + amps[:-1]) * np.diff(t) / 3600.0
    return np.concatenate([[0.0], np.cumsum(steps)])


def _throughput(samples: F64, first: int, last: int) -> float:
    return float(_counted(samples, first, last)[-1])


def reference(samples: F64, leg: Leg) -> F64:
    """SOC at each row of a leg as the share of its own throughput."""
    share = np.abs(_counted(samples, leg.first, leg.last)) / leg.charge_Ah
    return 1.0 - share if leg.discharges else share
