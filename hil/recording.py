"""Recordings: measured CSV data as samples of cell 0, and the reference SOC that the data itself gives.

The reference of a leg is the share of the leg's own throughput: a discharge from full to empty runs from 1 to 0, a charge
from empty to full from 0 to 1. Counting across a whole file would add up the offset of the current sensor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.types import F64, I64
from hil import columns, files
from hil.errors import ScenarioError
from hil.plant import replay
from hil.scenario import Column, Recording

# What one cell can show, in the units of the bench.
_PLAUSIBLE = {"voltage": (-0.5, 6.0, "V"), "current": (-5000.0, 5000.0, "A"), "temperature": (-80.0, 200.0, "degC")}
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


def _scaled(raw: F64, column: Column) -> F64:
    return raw * column.scale + column.offset


def load(recording: Recording, near: Path) -> tuple[Path, F64, list[Leg]]:
    """Path, samples (columns of hil.plant.replay) and scored legs. Raises ScenarioError."""
    path = files.data_file(recording.file, near, "recording.file")
    wanted = {"time": recording.time, "voltage": recording.voltage, "current": recording.current}
    if recording.temperature is not None:
        wanted["temperature"] = recording.temperature
    raw = columns.read(path, {f"{near}: recording.{key}.column": column.column for key, column in wanted.items()})
    scaled = np.column_stack([_scaled(raw[:, n], column) for n, column in enumerate(wanted.values())])
    _check(path, near, scaled)
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


def _check(path: Path, near: Path, scaled: F64) -> None:
    """Whether the numbers can be those of one cell, in the units that the scenario says."""
    found = []
    if len(scaled) < 10:
        found.append(f"{path}: {len(scaled)} rows; expected at least 10")
    if np.any(np.diff(scaled[:, 0]) <= 0):
        found.append(f"{near}: recording.time.scale makes the time stand still or run backwards")
    for (what, (low, high, unit)), values in zip(_PLAUSIBLE.items(), scaled.T[1:], strict=False):
        if not low <= values.min() <= values.max() <= high:
            found.append(
                f"{path}: the {what} runs from {values.min():g} to {values.max():g} {unit}; expected one cell, "
                f"{low:g} to {high:g} {unit}; check recording.{what}.scale"
            )
    if found:
        raise ScenarioError(*found)


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
