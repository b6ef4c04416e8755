"""Recordings: measured CSV data as samples of cell 0, and the reference SOC that the data itself gives.

The reference of a leg is the share of the leg's own throughput: a discharge from full to empty runs from 1 to 0, a charge
from empty to full from 0 to 1. Counting across a whole file would add up the offset of the current sensor. Outside such
legs, and on one that the run does not play whole, there is no reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.types import F64, I64
from hil import columns, files
from hil.errors import ScenarioError
from hil.plant import replay
from hil.plant.cellfile import Cell
from hil.scenario import Column, Recording, Scenario
from hil.wirelog import Bools

# What one cell can show, in the units of the bench.
_PLAUSIBLE = {"voltage": (-0.5, 6.0, "V"), "current": (-5000.0, 5000.0, "A"), "temperature": (-80.0, 200.0, "degC")}
_FULL_NEAR_V = 0.15
_EMPTY_NEAR_V = 0.03
# Current and throughput beyond this factor of what the cell stands and holds are in another unit.
_FACTOR = 10.0
# A sign is refused when the voltage moves against it by so much, over so much of the charge.
_AGAINST_V = 0.1
_AGAINST_SHARE = 0.8


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


@dataclass(frozen=True)
class Played:
    """A recording as the bench plays it.

    samples: columns of hil.plant.replay.  legs: those that the run plays whole.  no_leg: why there is none, else empty.
    """

    path: Path
    samples: F64
    legs: tuple[Leg, ...]
    no_leg: str


def load(s: Scenario, recording: Recording, near: Path, cell: Cell | None) -> Played:
    """The recording of a scenario that stands at `near`. Raises ScenarioError.

    cell: whose place it takes; None when that could not be loaded.
    """
    path = files.data_file(recording.file, near, "recording.file")
    wanted = {"time": recording.time, "voltage": recording.voltage, "current": recording.current}
    if recording.temperature is not None:
        wanted["temperature"] = recording.temperature
    raw = columns.read(path, {f"{near}: recording.{key}.column": column.column for key, column in wanted.items()})
    scaled = np.column_stack([_scaled(raw[:, n], column) for n, column in enumerate(wanted.values())])
    _check(path, near, scaled, cell)
    out = np.zeros((len(scaled), replay.N_REPLAY_COLUMNS))
    out[:, replay.TIME_S] = scaled[:, 0] - scaled[0, 0] + recording.start_s
    out[:, replay.VOLT] = scaled[:, 1]
    out[:, replay.AMPS] = scaled[:, 2] * (1.0 if recording.current.positive == "discharge" else -1.0)
    out[:, replay.DEGC] = scaled[:, 3] if recording.temperature is not None else np.nan
    out[:, replay.SOC] = np.nan
    _check_sign(path, recording, out)
    found = find_legs(out, recording.full_V, recording.empty_V)
    _check_throughput(path, found, cell)
    legs = tuple(leg for leg in found if _is_played(s, out, leg))
    for leg in legs:
        out[leg.first : leg.last + 1, replay.SOC] = reference(out, leg)
    return Played(path, out, legs, "" if legs else _why_no_leg(s, recording, path.name, out, found))


def unreferenced(s: Scenario, near: Path, played: Played) -> list[str]:
    """Expectations of a SOC that the recording gives no reference for."""
    found = []
    for n, row in enumerate(s.expect):
        if row.kind != "soc" or row.cell not in (None, 0):
            continue
        from_s, to_s = row.from_s, s.duration_s if row.to_s is None else row.to_s
        spans = [(played.samples[leg.first, replay.TIME_S], played.samples[leg.last, replay.TIME_S]) for leg in played.legs]
        if not spans:
            found.append(f'{near}: expect[{n}] of kind "soc" needs the reference of the recording: {played.no_leg}')
        elif not any(first_s <= to_s and last_s >= from_s for first_s, last_s in spans):
            legs = ", ".join(f"{first_s:.0f} to {last_s:.0f} s" for first_s, last_s in spans)
            found.append(
                f"{near}: expect[{n}].from_s {from_s:g} to {to_s:g} s holds no leg of the recording; its SOC is known in {legs}"
            )
    return found


def not_driven(s: Scenario, near: Path) -> list[str]:
    """A recording whose current nothing draws."""
    if s.recording is None or any(row.kind == "recorded" for row in s.load):
        return []
    kinds = ", ".join(sorted({f'"{row.kind}"' for row in s.load}))
    there = f"found only {kinds}" if kinds else "found none"
    add = f'add [[load]] with at_s = {s.recording.start_s:g} and kind = "recorded"'
    return [f'{near}: recording: its current needs a load of kind "recorded", {there}; {add}']


def _is_played(s: Scenario, samples: F64, leg: Leg) -> bool:
    """Whether a leg lies wholly in the run, and the load is the recorded one all the time."""
    first_s, last_s = samples[leg.first, replay.TIME_S], samples[leg.last, replay.TIME_S]
    before = [row.kind for row in s.load if row.at_s <= first_s][-1:]
    meanwhile = [row.kind for row in s.load if first_s < row.at_s < last_s]
    return bool(last_s <= s.duration_s and before and {*before, *meanwhile} == {"recorded"})


def _why_no_leg(s: Scenario, recording: Recording, name: str, samples: F64, found: list[Leg]) -> str:
    """In one sentence, with the voltages or the times that were found."""
    low_V, high_V = samples[:, replay.VOLT].min(), samples[:, replay.VOLT].max()
    none = f"no leg between full (recording.full_V {recording.full_V:g}) and empty (recording.empty_V {recording.empty_V:g})"
    if found:
        first_s, last_s = (samples[row, replay.TIME_S] for row in (found[0].first, found[0].last))
        where = f"the first one in {name} lasts from {first_s:.0f} to {last_s:.0f} s"
        if last_s > s.duration_s:
            return f"{none} is wholly inside the run: {where}, and duration_s is {s.duration_s:g}"
        return f'{none} is driven by a load of kind "recorded" throughout: {where}'
    missed = []
    if high_V < recording.full_V - _EMPTY_NEAR_V:
        missed.append(f"full was never reached, the highest voltage is {high_V:.4g} V")
    if low_V > recording.empty_V + _EMPTY_NEAR_V:
        missed.append(f"empty was never reached, the lowest voltage is {low_V:.4g} V")
    why = "; ".join(missed) or "no discharge or charge goes from one to the other without a pause"
    return f"{none} in {name}: {why}"


def _check(path: Path, near: Path, scaled: F64, cell: Cell | None) -> None:
    """Whether the numbers can be those of one cell, in the units that the scenario says."""
    found = []
    if len(scaled) < 10:
        found.append(f"{path}: {len(scaled)} rows; expected at least 10")
    if np.any(np.diff(scaled[:, 0]) <= 0):
        found.append(f"{near}: recording.time.scale makes the time stand still or run backwards")
    for (what, (low, high, unit)), values in zip(_PLAUSIBLE.items(), scaled.T[1:], strict=False):
        who = "one cell"
        if what == "current" and cell is not None:
            most_A = _FACTOR * max(cell.capacity_Ah, cell.limits.discharge_max_A, cell.limits.charge_max_A)
            low, high, who = -most_A, most_A, f"one cell of {cell.capacity_Ah:g} Ah"
        if not low <= values.min() <= values.max() <= high:
            found.append(
                f"{path}: the {what} runs from {values.min():g} to {values.max():g} {unit}; expected {who}, "
                f"{low:g} to {high:g} {unit}; check recording.{what}.scale"
            )
    if found:
        raise ScenarioError(*found)


def _check_throughput(path: Path, legs: list[Leg], cell: Cell | None) -> None:
    """Whether a leg from full to empty carries about what the cell holds."""
    if cell is None:
        return
    low, high = cell.capacity_Ah / _FACTOR, cell.capacity_Ah * _FACTOR
    for leg in legs:
        if not low <= leg.charge_Ah <= high:
            raise ScenarioError(
                f"{path}: a leg between full and empty carries {leg.charge_Ah:.3g} Ah; expected one cell of "
                f"{cell.capacity_Ah:g} Ah, {low:.3g} to {high:.3g} Ah; check recording.current.scale and recording.time.scale"
            )


def _check_sign(path: Path, recording: Recording, samples: F64) -> None:
    """Whether the voltage falls on discharge and rises on charge, over the whole file. Raises ScenarioError.

    Stretches of one direction vote with their charge; short ones, of less than a tenth of the largest, do not.
    """
    runs = [(*_moved(samples, first, last), 1.0) for first, last in _one_way(samples, 1.0)]
    runs += [(*_moved(samples, first, last), -1.0) for first, last in _one_way(samples, -1.0)]
    largest_Ah = max((charge_Ah for charge_Ah, _, _ in runs), default=0.0)
    large = [run for run in runs if run[0] >= 0.1 * largest_Ah]
    total_Ah = sum(charge_Ah for charge_Ah, _, _ in large)
    against_Ah = sum(charge_Ah for charge_Ah, moved_V, way in large if moved_V * way > 0.0)
    told = []
    for way, what, goes in ((1.0, "discharge", "rises"), (-1.0, "charge", "falls")):
        of = [(charge_Ah, moved_V) for charge_Ah, moved_V, w in large if w == way]
        moved_V = sum(moved for _, moved in of)
        if of and moved_V * way < _AGAINST_V:
            return
        if of:
            told.append(f"over {sum(q for q, _ in of):.3g} Ah of {what} the voltage {goes} by {abs(moved_V):.3g} V")
    if told and against_Ah >= _AGAINST_SHARE * total_Ah:
        other = "charge" if recording.current.positive == "discharge" else "discharge"
        raise ScenarioError(
            f"{path}: {' and '.join(told)}; expected it to fall on discharge and to rise on charge; "
            f'check recording.current.positive, is it "{other}"?'
        )


def _moved(samples: F64, first: int, last: int) -> tuple[float, float]:
    """Charge of a stretch [Ah, magnitude], and how far the voltage went [V], from its first few rows to its last few."""
    few = 5 if last - first >= 15 else 1
    volt = samples[first : last + 1, replay.VOLT]
    return abs(_throughput(samples, first, last)), float(np.median(volt[-few:]) - np.median(volt[:few]))


def _one_way(samples: F64, way: float) -> I64:
    """Stretches (see _runs) of discharge (way 1) or of charge (-1). A current below 2 % of the largest is a rest."""
    amps = samples[:, replay.AMPS]
    return _runs(way * amps > 0.02 * np.abs(amps).max())


def _runs(mask: Bools) -> I64:
    """(n, 2) first and last index of each run of true."""
    edge = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.column_stack([np.flatnonzero(edge == 1), np.flatnonzero(edge == -1) - 1])


def find_legs(samples: F64, full_V: float, empty_V: float) -> list[Leg]:
    """Discharges from full to empty and charges back. A rest or a current below 2 % of the largest ends a leg."""
    volt = samples[:, replay.VOLT]
    legs = []
    for first, last in _one_way(samples, 1.0):
        starts_full = volt[max(first - 5, 0) : first + 1].max() >= full_V - _FULL_NEAR_V
        if starts_full and volt[last] <= empty_V + _EMPTY_NEAR_V:
            legs.append(Leg(int(first), int(last), _throughput(samples, first, last), True))
    for first, last in _one_way(samples, -1.0):
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
