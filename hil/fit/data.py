"""Runs: one file each, in s, V, A (positive on discharge) and degC, and everything that speaks against believing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.types import F64, I64
from hil import columns
from hil.errors import Problems, ScenarioError
from hil.fit import datamap
from hil.fit.datamap import Columns, Facts, Map, RunFacts
from hil.wirelog import Bools

MIN_ROWS = 50
REST_SHARE = 0.02  # of the largest current; less is a rest
_HIGHEST_RATE, _LOWEST_RATE = 60.0, 1.0 / 300.0  # of the capacity an hour
_MOST_UNSEEN = 0.02  # of the capacity, within one gap
_GAP_PERIODS = 10.0
_COLDEST_DEGC, _HOTTEST_DEGC = -60.0, 150.0
_MOST_WARMER_K, _AS_WARM_K = 40.0, 15.0  # a cell over its surroundings in the median of a run; one that merely warms itself
_AGAINST = 0.8
_LEAST_STEP_V = 1e-3
_LEAST_V, _MOST_V = -0.5, 6.0  # of one cell
_SPIKE_TIMES = 10.0  # a current this many times that of all other rows is a spike where the voltage does not bend
_QUIET_V = 0.002  # by more, from the straight line between its neighbours
_LONELY_V, _LONELY_K = 0.5, 20.0  # how far a lonely row lies from both of its neighbours
_FEW = 3  # rows, or one in a thousand: more are no slip of a logger
_TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "minutes": 60.0, "hours": 3600.0}
_MOST_CYCLES = 30.0  # of the capacity in one leg, or one over it, with the unit that fits best; else no unit is named
_LARGEST = 1e18  # of any value: beyond lies not even a time in ns, and squares overflow


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
    wild = [key for key, values in scaled.items() if not np.all(np.abs(values) < _LARGEST)]
    if wild:
        raise ScenarioError(
            *(f"{path}: values beyond {_LARGEST:g} after scaling; check {where}: columns.{name}" for name in wild)
        )
    amps = scaled["current"] * (1.0 if chosen.current.positive == "discharge" else -1.0)
    surface_degC = scaled.get("temperature", none)
    ambient_degC, told = _ambient(map_, facts, scaled)
    soc = scaled.get("soc")
    run = Run(path.name, scaled["time"], scaled["voltage"], amps, surface_degC, ambient_degC, facts.starts_full, told, soc)
    key = f"{where}: columns" if not bdf else "a map: columns"
    warm: dict[str, F64] = {name: degC for name, degC in scaled.items() if name in ("temperature", "ambient")}
    found = _spikes(run, warm, path) or _wrong_units(run, warm, chosen, key, path)
    found = found or _wrong_charge(run, map_.cell, believed_Ah, chosen, key, path)
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


def _spikes(run: Run, warm: dict[str, F64], path: Path) -> list[str]:
    """Rows that no cell can have shown: a logger's slip that would shift what counts as rest, or a unit, for all the others."""
    n_few = max(_FEW, len(run.t_s) // 1000)
    size_A = np.abs(run.amps)
    usual_A = max(float(np.sort(size_A)[-n_few - 1]), 1e-9)
    high = size_A > _SPIKE_TIMES * usual_A
    # One row of a large current that neither this row's voltage nor the next one's follows: loggers may be a row late.
    alone = high[1:-2] & ~high[:-3] & ~high[2:-1]
    bend_V = np.abs(np.diff(run.volt, 2))
    spike = np.zeros(len(high), np.bool_)
    spike[1:-2] = alone & (bend_V[:-1] < _QUIET_V) & (bend_V[1:] < _QUIET_V)
    steps_A = np.abs(np.diff(run.amps, prepend=run.amps[0]))
    still = np.maximum(steps_A, np.append(steps_A[1:], 0.0)) < 0.1 * usual_A
    beyond = (run.volt < _LEAST_V) | (run.volt > _MOST_V)
    odd = [("current", "A", run.amps, spike), ("voltage", "V", run.volt, beyond | (still & _lonely(run.volt, _LONELY_V)))]
    odd += [(name, "degC", degC, _lonely(degC, _LONELY_K)) for name, degC in warm.items()]
    found = []
    for name, unit, values, rows in odd:
        at: I64 = np.flatnonzero(rows)
        if 0 < len(at) <= n_few:
            k = int(at[0])
            beside = values[k - 1] if k > 0 else values[1]
            more = f", and {len(at) - 1} rows more" if len(at) > 1 else ""
            found.append(
                f"{path}: line {columns.line_of(path, k)} (time {run.t_s[k]:.6g} s): a {name} of {values[k]:.4g} {unit} beside "
                f"{beside:.4g} {unit}{more}; a slip of the logger: leave such rows out"
            )
    return found


def _lonely(values: F64, apart: float) -> Bools:
    """Rows that lie far from both rows beside them, which agree with each other; at the ends from the next two."""
    padded = np.concatenate([values[2:3], values, values[-3:-2]])
    before, here, after = padded[:-2], padded[1:-1], padded[2:]
    return np.asarray(
        (np.minimum(np.abs(here - before), np.abs(here - after)) > apart) & (np.abs(after - before) < 0.1 * apart)
    )


def _wrong_units(run: Run, warm: dict[str, F64], chosen: Columns, key: str, path: Path) -> list[str]:
    """Sentences on magnitudes that no cell has, with the scale that would mend each. warm: logged temperatures by key."""
    found = []
    middle_V = float(np.median(np.abs(run.volt)))
    if 200.0 <= middle_V <= 6500.0:
        mend = f"{key}.voltage.scale = {0.001 * chosen.voltage.scale:g}{and_offset(0.001 * chosen.voltage.offset)}"
        found.append(f"{path}: voltages around {middle_V:.4g} V look like mV; expected V: {mend}")
    elif run.volt.min() < _LEAST_V or run.volt.max() > _MOST_V:
        found.append(
            f"{path}: voltages from {run.volt.min():.4g} to {run.volt.max():.4g} V; expected one cell, "
            f"{_LEAST_V:g} to {_MOST_V:g} V; "
            f"check {key}.voltage"
        )
    for name, degC in warm.items():
        middle_degC, low_degC, high_degC = float(np.median(degC)), float(degC.min()), float(degC.max())
        if 150.0 < middle_degC <= 500.0:
            found.append(
                f"{path}: temperatures around {middle_degC:.4g} degC look like K; expected degC: {key}.{name}.offset = "
                f"{getattr(chosen, name).offset - 273.15:g}"
            )
        elif name == "temperature" and _fahrenheit(middle_degC, float(run.ambient_degC[0])):
            scale, offset = getattr(chosen, name).scale / 1.8, (getattr(chosen, name).offset - 32.0) / 1.8
            found.append(
                f"{path}: temperatures around {middle_degC:.4g} degC in surroundings of {run.ambient_degC[0]:g} degC look like "
                f"Fahrenheit; expected degC: {key}.{name}.scale = {scale:.6g} and offset = {offset:.6g}"
            )
        elif low_degC < _COLDEST_DEGC or high_degC > _HOTTEST_DEGC:
            found.append(
                f"{path}: temperatures from {low_degC:.4g} to {high_degC:.4g} degC; expected {_COLDEST_DEGC:g} to "
                f"{_HOTTEST_DEGC:g} degC; check {key}.{name}"
            )
    return found


def _fahrenheit(middle: float, ambient_degC: float) -> bool:
    """Whether a cell is far warmer than its surroundings, and not so in degrees Celsius if its own were Fahrenheit."""
    return middle - ambient_degC > _MOST_WARMER_K and abs((middle - 32.0) / 1.8 - ambient_degC) < _AS_WARM_K


def _wrong_charge(
    run: Run, facts: Facts, believed_Ah: float | None, chosen: Columns, key: str, path: Path
) -> list[str]:  # fmt: skip
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
        return [f"{path}: {much} looks like mA; expected A: {key}.current.scale = {0.001 * chosen.current.scale:g}{other}"]
    if rate < _LOWEST_RATE:
        mend = "is the capacity in mAh? Expected Ah" if stated else f"expected A: check {key}.current{other}"
        return [f"{path}: {has} and a largest current of {peak_A:.3g} A: {mend}"]
    largest_Ah = max((abs(q_Ah) for q_Ah in _one_way(run)), default=0.0)
    if largest_Ah > 20.0 * capacity_Ah:
        mend = _time_like(largest_Ah / capacity_Ah, chosen, key)
        return [f"{path}: one leg carries {largest_Ah:.4g} Ah, {has}; {mend}{other}"]
    if swings and passed_Ah < 0.1 * capacity_Ah:
        much = f"the voltage goes through its whole range while {passed_Ah:.3g} Ah pass, {has}"
        return [f"{path}: {much}; {_time_like(passed_Ah / capacity_Ah, chosen, key)}{other}"]
    return []


def _time_like(cycles: float, chosen: Columns, key: str) -> str:
    """The unit in which the time would make about one capacity of what is so many of it with the map's scale."""
    present = chosen.time.scale
    name, scale = min(_TIME_UNITS.items(), key=lambda unit: abs(math.log(cycles * unit[1] / present)))
    if not 1.0 / _MOST_CYCLES < cycles * scale / present < _MOST_CYCLES:
        return f"check {key}.time.scale and {key}.current.scale"
    return f"time looks like {name}; expected s: {key}.time.scale = {scale:g}"


def and_offset(offset: float) -> str:
    """The offset that a hint of a scale needs, where there is one."""
    return f" and offset = {offset:g}" if offset else ""


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
