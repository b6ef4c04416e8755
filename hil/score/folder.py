"""A folder of the user's own CSV files as cases: columns and signs by a map, the reference by a column or by counting.

Without a column `soc` the reference is counted between the ends: from a row where the cell is full to one where it is
empty, or back, rests and partial charges between them included, it is the share of the stretch's own net charge. So a wrong
gain of the sensor does not enter, and of a constant offset only what the shares of time and charge do not have in common;
that part, for an offset of 0.2 % of 1C, is the uncertainty that is stated, at least 0.5 % (1 % for a charge). Outside such
stretches nothing is scored.

The rows become ticks of one length, the median distance of rows: current is the mean over a tick, so no charge is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.types import F64
from hil import calibration
from hil.calibration import Calibration
from hil.errors import Problems, ScenarioError, closest
from hil.fit import data, datamap, legs
from hil.fit.data import Run
from hil.fit.datamap import Map
from hil.report.accuracy import soc_window
from hil.score.case import Case

CONDITION = "own"
_MOST_FILES = 200
_MOST_TICKS = 400_000
_SHORTEST_S, _LONGEST_S = 0.05, 60.0
_KNOWN_SIGMA, _UNKNOWN_SIGMA = 0.02, 0.3
_OFFSET_SHARE = 0.002  # of 1C
_LEAST = {1.0: 0.005, 0.0: 0.01}  # uncertainty of a stretch that begins full, empty
_LEAST_THROUGHPUT = 0.3  # of the capacity, between full and empty
_LEAST_SHARE, _MOST_SHARE = 0.4, 1.6  # of the capacity that is believed: less is no aged or cold cell, more another one
_LEAST_MOVE, _STEP = 0.2, 0.02  # of the capacity: passed before a reference says something of capacity, and between two looks
_LEAST_FALL = 0.05  # of SOC over the capacity, or the column is none
# Past full or empty by so much, with so much of the capacity moved there: then these are not the cell's ends.
_BEYOND_V, _BEYOND_SHARE = 0.1, 0.02
_LEAST_DOUBT = 0.01  # of SOC, of a start that is taken for full


@dataclass(frozen=True)
class Own:
    """Cases of a folder. notes: what was taken for granted or left out."""

    cases: list[Case]
    notes: list[str]


def cases(folder: Path, map_path: Path | None = None) -> Own:
    """All files of a folder. Raises ScenarioError with everything that is wrong."""
    paths = _files(folder)
    map_path = _map_in(folder) if map_path is None else map_path
    chosen = datamap.load(map_path)[0] if map_path is not None else datamap.without(folder / "own.toml")[0]
    where = str(map_path) if map_path is not None else "no map"
    where_beliefs, beliefs = calibration.load(chosen.score.calibration, map_path)
    believed_Ah = beliefs.model.capacity_Ah
    if chosen.cell.capacity_Ah is not None:
        _check_capacity(f"{where}: cell.capacity_Ah {chosen.cell.capacity_Ah:g}", chosen.cell.capacity_Ah, chosen, beliefs)
    facts_of = datamap.runs_of(chosen, where, paths)
    problems = Problems()
    runs = [
        (path, problems.call(data.read, path, chosen, facts, where, "the score", believed_Ah))
        for path, facts in facts_of.items()
    ]
    for path, run in runs:
        if run is not None and run.soc is not None:
            problems.call(_check_soc, run, run.soc, path, where, chosen, beliefs)
    problems.settle()
    there = [run for _, run in runs if run is not None]
    told: dict[str, list[str]] = {run.name: [] for run in there}
    named = [
        (run, problems.call(_case, run, folder, chosen, beliefs, str(where_beliefs), told[run.name])) for run in there
    ]  # fmt: skip
    problems.settle()
    notes = [f"{_shown(run.name)}: {note}" for run in there for note in (*run.told, *told[run.name])]
    if beliefs.group:
        notes.append(f'calibration "{chosen.score.calibration}": scored is its [model], not that of a group')
    notes += [f"{_shown(run.name)}: left out: {found}" for run, found in named if isinstance(found, str)]
    made = [found for _, found in named if isinstance(found, Case)]
    if not made:
        raise ScenarioError(*(f"{folder / run.name}: no reference: {found}" for run, found in named if isinstance(found, str)))
    return Own(made, notes)


def _shown(name: str) -> str:
    """A name without the control characters that a file's may bring to a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _files(folder: Path) -> list[Path]:
    """CSV files of a folder, in the order of their names. Raises ScenarioError when there are none."""
    if not folder.is_dir():
        beside = [p.name for p in folder.parent.iterdir() if p.is_dir()] if folder.parent.is_dir() else []
        close = closest(folder.name, beside)
        hint = f'; did you mean "{close}"?' if close is not None else ""
        raise ScenarioError(f"--data {folder}: {'is a file; expected a folder' if folder.exists() else 'does not exist'}{hint}")
    found = sorted(p for p in folder.iterdir() if p.name.lower().endswith((".csv", ".csv.gz")))
    if not found:
        raise ScenarioError(f"--data {folder}: holds no file that ends in .csv or .csv.gz")
    if len(found) > _MOST_FILES:
        raise ScenarioError(f"--data {folder}: holds {len(found)} CSV files; expected at most {_MOST_FILES}")
    return found


def _map_in(folder: Path) -> Path | None:
    """The one map that lies in the folder. Raises ScenarioError when there are several."""
    found = sorted(folder.glob("*.map.toml"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ScenarioError(f"--data {folder}: holds {len(found)} maps, {names}; say which with --map")
    return found[0] if found else None


def _check_capacity(what: str, capacity_Ah: float, chosen: Map, beliefs: Calibration) -> None:
    """Whether a calibration can be one of this cell. what: begins the sentence. Raises ScenarioError."""
    believed_Ah = beliefs.model.capacity_Ah
    if not _LEAST_SHARE <= capacity_Ah / believed_Ah <= _MOST_SHARE:
        raise ScenarioError(
            f'{what}: calibration "{chosen.score.calibration}" believes a cell of {believed_Ah:g} Ah; expected '
            f"{_LEAST_SHARE * believed_Ah:.3g} to {_MOST_SHARE * believed_Ah:.3g} Ah, or in score.calibration one of this cell "
            "(nabench new calibration)"
        )


def _check_soc(run: Run, soc: F64, path: Path, where: str, chosen: Map, beliefs: Calibration) -> None:
    """Whether a reference column can be a state of charge, 0..1, that falls on discharge. Raises ScenarioError."""
    column = None if chosen.columns is None else chosen.columns.soc
    scale, offset = (1.0, 0.0) if column is None else (column.scale, column.offset)
    low, high = float(soc.min()), float(soc.max())
    if high > 1.5 and high <= 150.0 and low >= -50.0:
        raise ScenarioError(
            f"{path}: SOC from {low:.4g} to {high:.4g} looks like per cent; expected 0 to 1: {where}: columns.soc.scale = "
            f"{0.01 * scale:g}{data.and_offset(0.01 * offset)}"
        )
    if low < -0.1 or high > 1.1:
        raise ScenarioError(f"{path}: SOC from {low:.4g} to {high:.4g}; expected 0 to 1; check {where}: columns.soc")
    fall = _fall_per_Ah(run, soc, beliefs.model.capacity_Ah)
    if fall is not None and fall * beliefs.model.capacity_Ah < -_LEAST_FALL:
        raise ScenarioError(
            f"{path}: SOC rises while charge is drawn: is it a depth of discharge? Expected the charge that is left: "
            f"{where}: columns.soc.scale = {-scale:g} and offset = {1.0 - offset:g}"
        )
    if fall is not None and fall * beliefs.model.capacity_Ah < _LEAST_FALL:
        raise ScenarioError(
            f"{path}: SOC from {low:.4g} to {high:.4g} does not move with the charge that passes; check {where}: columns.soc"
        )


def _fall_per_Ah(run: Run, reference: F64, capacity_Ah: float) -> float | None:
    """By how much a reference, NaN where there is none, falls with each ampere-hour drawn; None where too few pass to tell.

    From one step of charge to the next: over many cycles a sensor's offset counts charge that never was.
    """
    there = np.isfinite(reference)
    passed_Ah = drawn_As(run)[there] / 3600.0
    at = np.flatnonzero(np.diff(np.floor(passed_Ah / (_STEP * capacity_Ah))))
    drawn_Ah, moved = np.diff(passed_Ah[at]), np.diff(reference[there][at])
    if np.abs(drawn_Ah).sum() < _LEAST_MOVE * capacity_Ah:
        return None
    return -float(np.sum(drawn_Ah * moved) / np.sum(drawn_Ah**2))


def _check_shown(run: Run, path: Path, reference: F64, chosen: Map, beliefs: Calibration) -> None:
    """Whether the charge between two SOC is that of the cell that is believed. Raises ScenarioError."""
    fall, stated_Ah = _fall_per_Ah(run, reference, beliefs.model.capacity_Ah), chosen.cell.capacity_Ah
    if fall is not None:
        if stated_Ah is not None and not _LEAST_SHARE <= 1.0 / fall / stated_Ah <= _MOST_SHARE:
            raise ScenarioError(
                f"{path}: {1.0 / fall:.3g} Ah between empty and full, but cell.capacity_Ah {stated_Ah:g}; check "
                "columns.current.scale and columns.time.scale, or cell.capacity_Ah"
            )
        _check_capacity(f"{path}: {1.0 / fall:.3g} Ah between empty and full", 1.0 / fall, chosen, beliefs)


def _case(
    run: Run, folder: Path, chosen: Map, beliefs: Calibration, where_beliefs: str, told: list[str]
) -> Case | str:  # fmt: skip
    """A run as a case, or why it has no reference. Raises ScenarioError when it is not one of the cell that is believed.

    told: gets what was taken for granted.
    """
    capacity_Ah = chosen.cell.capacity_Ah if chosen.cell.capacity_Ah is not None else beliefs.model.capacity_Ah
    if run.soc is not None:
        reference, uncertainty = run.soc, chosen.score.soc_uncertainty
    else:
        counted = count(run, capacity_Ah, *_ends_V(chosen, beliefs), told)
        if isinstance(counted, str):
            return counted
        reference, uncertainty = counted
        doubt = _doubt(run, reference, beliefs)
        if doubt > _LEAST_DOUBT:
            uncertainty = max(uncertainty, doubt)
            told.append(
                f"taken as full at the start, at {run.volt[legs.start_row(run)]:.4g} V, where {chosen.score.calibration} "
                f"believes {100 * (1.0 - doubt):.0f} %; the reference is known no better; starts_full = true in a [[run]] of "
                "the map says that it is full"
            )
    _check_shown(run, folder / run.name, reference, chosen, beliefs)
    dt_s = min(max(float(np.median(run.dt_s[1:])), _SHORTEST_S), _LONGEST_S)
    dt_s = max(round(dt_s, 3), (run.t_s[-1] - run.t_s[0]) / _MOST_TICKS)
    if dt_s > _LONGEST_S:
        return f"{run.t_s[-1] - run.t_s[0]:.4g} s are too long for ticks of {_LONGEST_S:g} s; cut the file"
    dt_ns = round(dt_s * 1e9)
    at_s, amps = ticks(run, dt_ns / 1e9)
    known = np.isfinite(reference[0])
    warm = run.surface_degC if np.isfinite(run.surface_degC).all() else run.ambient_degC
    return Case(
        data=f"{_shown(folder.resolve().name).replace(',', '_')}, {_shown(run.name)}",
        condition=CONDITION,
        recorded=True,
        calibration=where_beliefs,
        capacity_Ah=capacity_Ah,
        dt_ns=dt_ns,
        current_A=amps,
        cell_V=np.interp(at_s, run.t_s, run.volt),
        temp_degC=np.interp(at_s, run.t_s, warm),
        reference=np.interp(at_s, run.t_s, reference),
        available=False,
        uncertainty=uncertainty,
        start_soc=float(np.clip(reference[0], 0.0, 1.0)) if known else np.nan,
        start_sigma=max(uncertainty, _KNOWN_SIGMA) if known else _UNKNOWN_SIGMA,
        window=soc_window(beliefs.model),
    )


def drawn_As(run: Run) -> F64:
    """Charge drawn since the first row, at each row [As].

    A row stands for the time since the row before; see hil.fit.legs for rows that follow a long pause.
    """
    moved_As = run.amps * run.dt_s
    k, before_s = legs.late_steps(run)
    moved_As[k] += (run.amps[k - 1] - run.amps[k]) * before_s
    return np.cumsum(moved_As)


def ticks(run: Run, dt_s: float) -> tuple[F64, F64]:
    """Ends of the ticks [s, as in the file] and the mean current in each [A], of the whole ticks of a run."""
    k, before_s = legs.late_steps(run)
    at_rows_As = drawn_As(run)
    t_s = np.insert(run.t_s, k, run.t_s[k - 1] + before_s)
    passed_As = np.insert(at_rows_As, k, at_rows_As[k - 1] + run.amps[k - 1] * before_s)
    n = int((t_s[-1] - t_s[0]) / dt_s + 1e-9)
    edges_s = t_s[0] + dt_s * np.arange(n + 1)
    return edges_s[1:], np.diff(np.interp(edges_s, t_s, passed_As)) / dt_s


def _ends_V(chosen: Map, beliefs: Calibration) -> tuple[float, float]:
    """Voltages at which the cell is full and empty: the map's, else those of the calibration."""
    full_V, empty_V = chosen.cell.charge_max_V, chosen.cell.discharge_min_V
    return (
        beliefs.power.charge_max_V if full_V is None else full_V,
        beliefs.power.discharge_min_V if empty_V is None else empty_V,
    )


def _doubt(run: Run, reference: F64, beliefs: Calibration) -> float:
    """By how much, at least, a start that was taken for full is less than that.

    The lower branch of the belief has the highest SOC at a voltage; where the file begins under load, its series resistance
    is taken off.
    """
    if run.starts_full or reference[0] != 1.0:
        return 0.0
    ocv, table, k = beliefs.model.ocv, beliefs.model.resistance, legs.start_row(run)
    at = int(np.argmin(np.abs(np.array(table.temp_degC) - run.ambient_degC[k])))
    rested_V = float(run.volt[k]) + float(run.amps[k]) * table.r0_ohm[at][-1]
    return 1.0 - float(np.interp(rested_V, ocv.discharge_V, ocv.soc))


def _beyond(run: Run, found: tuple[legs.Leg, ...], full_V: float, empty_V: float, capacity_Ah: float) -> dict[legs.Leg, str]:
    """Legs that go on far past where the cell is said to be full or empty, with a sentence each.

    What counts is charge that moves there: peaks of a load, and pulses, do not.
    """
    said = {}
    for leg in found:
        rows = slice(leg.first, leg.last + 1)
        volt, moved_Ah = run.volt[rows], np.abs(run.amps[rows]) * run.dt_s[rows] / 3600.0
        if leg.kind == "discharge":
            past, farthest_V, key, end_V = volt < empty_V - _BEYOND_V, float(volt.min()), "discharge_min_V", empty_V
        elif leg.kind == "charge":
            past, farthest_V, key, end_V = volt > full_V + _BEYOND_V, float(volt.max()), "charge_max_V", full_V
        else:
            continue
        if float(moved_Ah[past].sum()) > _BEYOND_SHARE * capacity_Ah:
            said[leg] = (
                f"a {leg.kind} goes on to {farthest_V:.4g} V, past {key} {end_V:g} V: expected the end of the data in the map"
            )
    return said


def _last_empty(run: Run, found: tuple[legs.Leg, ...], full: list[int], empty_V: float, passed_As: F64) -> list[int]:
    """Rows at which the cell is empty; of several with no full one between them, the one at which most has been drawn."""
    rows = [leg.last for leg in found if leg.kind == "discharge" and run.volt[leg.last] <= empty_V + legs.EMPTY_NEAR_V]
    kept: list[int] = []
    for row in rows:
        if kept and not any(kept[-1] < k < row for k in full) and passed_As[row] > passed_As[kept[-1]]:
            kept[-1] = row
        else:
            kept.append(row)
    return kept


def count(
    run: Run, capacity_Ah: float, full_V: float, empty_V: float, told: list[str]
) -> tuple[F64, float] | str:  # fmt: skip
    """Reference at each row, NaN outside stretches between full and empty, and its uncertainty; or why there is none.

    told: gets what was left out.
    """
    found = legs.find_legs(run, capacity_Ah)
    beyond = _beyond(run, found, full_V, empty_V, capacity_Ah)
    full = legs.full_rows(run, found, full_V, capacity_Ah)
    passed_As = drawn_As(run)
    empty = _last_empty(run, found, full, empty_V, passed_As)
    ends = sorted([(row, 1.0) for row in full] + [(row, 0.0) for row in empty])
    reference, uncertainty = np.full(len(run.t_s), np.nan), 0.0
    for (first, soc), (last, other) in zip(ends, ends[1:], strict=False):
        rows = slice(first, last + 1)
        passed = (passed_As[rows] - passed_As[first]) * (soc - other)
        if soc == other or passed[-1] < _LEAST_THROUGHPUT * capacity_Ah * 3600.0:
            continue
        if any(first <= leg.last and leg.first <= last for leg in beyond):
            continue
        share = passed / passed[-1]
        gone_s = run.t_s[rows] - run.t_s[first]
        apart_s = float(np.max(np.abs(gone_s - gone_s[-1] * share)))
        offset = _OFFSET_SHARE * capacity_Ah * apart_s / passed[-1]
        reference[rows] = soc + (other - soc) * share
        uncertainty = max(uncertainty, _LEAST[soc], offset)
    if uncertainty > 0.0:
        told += [f"not scored there: {sentence}" for sentence in beyond.values()]
        return reference, uncertainty
    if beyond:
        return next(iter(beyond.values()))
    low_V, high_V = float(run.volt.min()), float(run.volt.max())
    return (
        f"no column soc in the map, and no stretch between full ({full_V:g} V) and empty ({empty_V:g} V): "
        f"{len(full)} full and {len(empty)} empty ends found, {low_V:.4g} to {high_V:.4g} V"
    )
