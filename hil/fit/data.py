"""Runs: one file each, in s, V, A (positive on discharge) and degC, and everything that speaks against believing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.types import F64, I64
from hil import columns
from hil.errors import Problems, ScenarioError
from hil.fit import datamap
from hil.fit.datamap import Columns, Facts, Map, RunFacts

MIN_ROWS = 50
REST_SHARE = 0.02  # of the largest current; less is a rest
_HIGHEST_RATE, _LOWEST_RATE = 60.0, 1.0 / 300.0  # of the capacity an hour
_MOST_UNSEEN = 0.02  # of the capacity, within one gap
_GAP_PERIODS = 10.0
_COLDEST_DEGC, _HOTTEST_DEGC = -60.0, 150.0
_AGAINST = 0.8
_LEAST_STEP_V = 1e-3


@dataclass(frozen=True)
class Run:
    """A file. amps: positive on discharge.  surface_degC, soc: NaN where not logged.  told: what was taken for granted.

    soc: somebody else's state of charge, 0..1; a fit does not look at it, the score does.
    """

    name: str
    t_s: F64
    volt: F64
    amps: F64
    surface_degC: F64
    ambient_degC: F64
    starts_full: bool
    told: tuple[str, ...] = ()
    soc: F64 | None = None

    @property
    def rest_A(self) -> float:
        """Current below which the cell counts as at rest."""
        return REST_SHARE * float(np.abs(self.amps).max())

    @property
    def dt_s(self) -> F64:
        """Seconds since the row before; 0 for the first."""
        return np.diff(self.t_s, prepend=self.t_s[0])


def load(paths: Sequence[Path], map_: Map, where: str) -> list[Run]:
    """All runs. where: how the map is called in messages. Raises ScenarioError with everything that is wrong."""
    facts_of = datamap.runs_of(map_, where, paths)
    problems = Problems()
    twice = [path for n, path in enumerate(paths) if path in paths[:n]]
    problems.found += [f"{path}: given twice" for path in dict.fromkeys(twice)]
    runs = [problems.call(read, path, map_, facts, where) for path, facts in facts_of.items()]
    there = [run for run in runs if run is not None]
    problems.settle()
    if not any((run.amps > run.rest_A).any() for run in there):
        names = ", ".join(run.name for run in there)
        raise ScenarioError(f"{names}: no discharge: the current is never positive on discharge; a fit needs one at least")
    return there


def read(
    path: Path, map_: Map, facts: RunFacts, where: str, user: str = "a fit", believed_Ah: float | None = None
) -> Run:  # fmt: skip
    """One run. Raises ScenarioError with everything that is wrong with it.

    user: who needs it, for messages.  believed_Ah: capacity to hold the data against where the map states none.
    """
    bdf = map_.columns is None
    chosen = datamap.bdf_columns(path, columns.header(path)) if map_.columns is None else map_.columns
    wanted = {key: column for key in type(chosen).model_fields if (column := getattr(chosen, key)) is not None}
    raw = columns.read(path, {f"{where}: columns.{key}.column": column.column for key, column in wanted.items()})
    if len(raw) < MIN_ROWS:
        raise ScenarioError(f"{path}: {len(raw)} rows; {user} needs {MIN_ROWS} at least")
    scaled = {key: raw[:, n] * column.scale + column.offset for n, (key, column) in enumerate(wanted.items())}
    none = np.full(len(raw), np.nan)
    amps = scaled["current"] * (1.0 if chosen.current.positive == "discharge" else -1.0)
    surface_degC = scaled.get("temperature", none)
    ambient_degC, told = _ambient(map_, facts, scaled)
    soc = scaled.get("soc")
    run = Run(path.name, scaled["time"], scaled["voltage"], amps, surface_degC, ambient_degC, facts.starts_full, told, soc)
    key = f"{where}: columns" if not bdf else "a map: columns"
    warm: dict[str, F64] = {name: degC for name, degC in scaled.items() if name in ("temperature", "ambient")}
    found = _wrong_units(run, warm, key, path) or _wrong_charge(run, map_.cell, believed_Ah, key, path)
    found = found or _wrong_sign(run, chosen, bdf, where, path)
    found = found or _gaps(run, map_.cell, path)
    if found:
        raise ScenarioError(*found)
    return run


def _ambient(map_: Map, facts: RunFacts, scaled: dict[str, F64]) -> tuple[F64, tuple[str, ...]]:
    """Temperature of the surroundings at each row [degC], and a word on it when nobody stated it."""
    stated = facts.temperature_degC if facts.temperature_degC is not None else map_.temperature_degC
    n = len(scaled["time"])
    if stated is not None:
        return np.full(n, stated), ()
    if "ambient" in scaled:
        return scaled["ambient"], ()
    if "temperature" in scaled:
        return np.full(n, scaled["temperature"][0]), ("surroundings as warm as the surface in the first row",)
    return np.full(n, datamap.ROOM_DEGC), (f"temperature not logged: {datamap.ROOM_DEGC:g} degC taken",)


def _wrong_units(run: Run, warm: dict[str, F64], key: str, path: Path) -> list[str]:
    """Sentences on magnitudes that no cell has, with the scale that would mend each. warm: logged temperatures by key."""
    found = []
    middle_V = float(np.median(np.abs(run.volt)))
    if 200.0 <= middle_V <= 6500.0:
        found.append(f"{path}: voltages around {middle_V:.4g} V look like mV; expected V: {key}.voltage.scale = 0.001")
    elif run.volt.min() < -0.5 or run.volt.max() > 6.0:
        found.append(
            f"{path}: voltages from {run.volt.min():.4g} to {run.volt.max():.4g} V; expected one cell, -0.5 to 6 V; "
            f"check {key}.voltage"
        )
    for name, degC in warm.items():
        middle_degC, low_degC, high_degC = float(np.median(degC)), float(degC.min()), float(degC.max())
        if 150.0 < middle_degC <= 500.0:
            found.append(
                f"{path}: temperatures around {middle_degC:.4g} degC look like K; expected degC: {key}.{name}.offset = -273.15"
            )
        elif low_degC < _COLDEST_DEGC or high_degC > _HOTTEST_DEGC:
            found.append(
                f"{path}: temperatures from {low_degC:.4g} to {high_degC:.4g} degC; expected {_COLDEST_DEGC:g} to "
                f"{_HOTTEST_DEGC:g} degC; check {key}.{name}"
            )
    return found


def _wrong_charge(run: Run, facts: Facts, believed_Ah: float | None, key: str, path: Path) -> list[str]:
    """Whether current, time and capacity fit together, where somebody knows the capacity."""
    stated = facts.capacity_Ah is not None
    capacity_Ah = facts.capacity_Ah if facts.capacity_Ah is not None else believed_Ah
    if capacity_Ah is None:
        return []
    peak_A = float(np.abs(run.amps).max())
    if peak_A == 0.0:
        return [f"{path}: the current is 0 in all rows; check {key}.current"]
    passed_Ah = float(np.sum(np.abs(run.amps) * run.dt_s)) / 3600.0
    ends_V = facts.charge_max_V, facts.discharge_min_V
    window_V = float(np.ptp(run.volt)) if None in ends_V else float(ends_V[0]) - float(ends_V[1])  # type: ignore[arg-type]
    swings = float(np.ptp(run.volt)) >= 0.5 * window_V and window_V > 0.2
    rate = peak_A / capacity_Ah
    has = f"cell.capacity_Ah {capacity_Ah:g}" if stated else f"a calibration of {capacity_Ah:g} Ah"
    other = "" if stated else "; or is the calibration another cell's?"
    if rate > _HIGHEST_RATE:
        much = f"a current of {peak_A:.4g} A on a cell of {capacity_Ah:g} Ah"
        return [f"{path}: {much} looks like mA; expected A: {key}.current.scale = 0.001{other}"]
    if rate < _LOWEST_RATE:
        mend = "is the capacity in mAh? Expected Ah" if stated else f"expected A: check {key}.current{other}"
        return [f"{path}: {has} and a largest current of {peak_A:.3g} A: {mend}"]
    largest_Ah = max((abs(q_Ah) for q_Ah in _one_way(run)), default=0.0)
    if largest_Ah > 20.0 * capacity_Ah:
        unit, scale = ("ms", "0.001") if largest_Ah < 2e4 * capacity_Ah else ("us", "1e-6")
        mend = f"time looks like {unit}; expected s: {key}.time.scale = {scale}{other}"
        return [f"{path}: one leg carries {largest_Ah:.4g} Ah, {has}; {mend}"]
    if swings and passed_Ah < 0.1 * capacity_Ah:
        hours = abs(np.log(passed_Ah * 3600.0 / capacity_Ah)) < abs(np.log(passed_Ah * 60.0 / capacity_Ah))
        unit, scale = ("hours", "3600") if hours else ("minutes", "60")
        much = f"the voltage goes through its whole range while {passed_Ah:.3g} Ah pass, {has}"
        return [f"{path}: {much}; time looks like {unit}; expected s: {key}.time.scale = {scale}{other}"]
    return []


def _one_way(run: Run) -> list[float]:
    """Charge of each stretch of one direction [Ah], positive on discharge."""
    way = np.where(np.abs(run.amps) > run.rest_A, np.sign(run.amps), 0.0)
    starts = np.flatnonzero(np.diff(way, prepend=way[0] + 1.0))
    moved = np.add.reduceat(run.amps * run.dt_s, starts) / 3600.0
    return [float(q) for q, k in zip(moved, starts, strict=True) if way[k] != 0.0]


def _wrong_sign(run: Run, chosen: Columns, bdf: bool, where: str, path: Path) -> list[str]:
    """Whether the voltage falls when the discharge current rises: at steps, and over long stretches."""
    steps, legs = _step_votes(run), _leg_votes(run)
    votes = [vote for vote in (steps, legs) if vote is not None]
    if not votes or not all(vote[0] >= _AGAINST for vote in votes):
        return []
    told = []
    if steps is not None:
        told.append(f"at {steps[1]} current steps the voltage rises where it should fall")
    if legs is not None:
        told.append(f"over {legs[1]:.3g} Ah called discharge it rises, or over charge it falls")
    other = "charge" if chosen.current.positive == "discharge" else "discharge"
    if bdf:
        mend = f'the Battery Data Format counts charge as positive; give a map with columns.current.positive = "{other}"'
    else:
        mend = f'{where}: columns.current.positive is "{chosen.current.positive}", expected "{other}"'
    return [f"{path}: the current has the wrong sign: {' and '.join(told)}; {mend}"]


def _step_votes(run: Run) -> tuple[float, int] | None:
    """Share of current steps at which the voltage goes the wrong way, and their number; None without steps."""
    step_A, step_V = np.diff(run.amps), np.diff(run.volt)
    is_step = (np.abs(step_A) > 0.1 * np.abs(run.amps).max()) & (np.abs(step_V) > _LEAST_STEP_V) & (np.diff(run.t_s) <= 60.0)
    n = int(is_step.sum())
    if n == 0:
        return None
    wrong = int((step_A[is_step] * step_V[is_step] > 0.0).sum())
    return wrong / n, wrong


def _leg_votes(run: Run) -> tuple[float, float] | None:
    """Share of the charge over which the voltage goes the wrong way, and that charge [Ah]; None without long stretches."""
    way = np.where(np.abs(run.amps) > run.rest_A, np.sign(run.amps), 0.0)
    starts = np.flatnonzero(np.diff(way, prepend=way[0] + 1.0))
    ends = np.append(starts[1:], len(way)) - 1
    moved = np.abs(np.add.reduceat(run.amps * run.dt_s, starts)) / 3600.0
    keep = (way[starts] != 0.0) & (moved >= 0.1 * moved.max()) & (ends - starts >= 10)
    if not keep.any():
        return None
    rise_V = run.volt[ends[keep]] - run.volt[starts[keep] + 2]
    wrong = rise_V * way[starts[keep]] > 0.05
    return float(moved[keep][wrong].sum() / moved[keep].sum()), float(moved[keep][wrong].sum())


def _gaps(run: Run, facts: Facts, path: Path) -> list[str]:
    """Stretches without rows over which an unknown charge passed."""
    dt_s, way = run.dt_s, np.maximum(np.abs(run.amps), np.abs(np.append(run.amps[0], run.amps[:-1])))
    capacity_Ah = facts.capacity_Ah if facts.capacity_Ah is not None else max(abs(q) for q in [*_one_way(run), 1e-9])
    unseen_Ah = np.where(way > run.rest_A, way * dt_s / 3600.0, 0.0)
    period_s = float(np.median(dt_s[1:]))
    wide: I64 = np.flatnonzero((dt_s > _GAP_PERIODS * period_s) & (unseen_Ah > _MOST_UNSEEN * capacity_Ah))
    if not len(wide):
        return []
    k = int(wide[0])
    more = f", and so at {len(wide) - 1} more places" if len(wide) > 1 else ""
    where = f"a gap of {dt_s[k]:.4g} s after {run.t_s[k - 1]:.6g} s, with {way[k]:.3g} A before or after it"
    unseen = f"up to {unseen_Ah[k]:.3g} Ah were not seen{more}"
    return [f"{path}: {where}: {unseen}; expected a row each {period_s:.3g} s; cut the file there"]
