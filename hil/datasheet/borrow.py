"""A whole cell from a data sheet: its own numbers where it gives them, those of a known cell, scaled, where it does not.

Size for size cells of a kind are alike: resistance times capacity, current over capacity, heat capacity over mass are
borrowed, not the numbers themselves. What is borrowed is an assumption, and every table that rests on it says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.datasheet import pulse
from hil.datasheet.sheet import Sheet
from hil.errors import ScenarioError
from hil.plant.cellfile import Cell, Limits
from hil.tables import MAX_NODES, ZERO_DEGC_K, Sourced, grid

_OWN = ("capacity", "limits", "ocv", "resistance", "entropy", "thermal")
_SILENT = ("rate", "slow")  # of which a 10 s resistance says nothing
_ANYWHERE_DEGC = (-20.0, 45.0)  # a cell's voltage rises with its charge from here to there, and as far as its limits reach
_LEAST_CUT = 0.4  # of a borrowed curve that must be left between the limits
_SURFACE = 2.0 / 3.0  # power of the size by which cooling grows


def build(sheet: Sheet, like: Cell) -> dict[str, Any]:
    """Contents of the cell file. Raises ScenarioError when what is to be borrowed does not fit."""
    source = sheet.source if sheet.source is not None else f"data sheet of {sheet.name}"
    chemistry = sheet.chemistry if sheet.chemistry is not None else like.chemistry
    ocv, mean_V = _ocv(sheet, like, source)
    title = f"{chemistry}, {sheet.capacity_Ah:g} Ah, from a data sheet; the rest like {like.name}"
    limits = _limits(sheet, like, source)
    mass_kg = sheet.given("mass_kg", like.mass_kg * sheet.capacity_Ah / like.capacity_Ah)
    return {
        "format": 1,
        "name": sheet.name,
        "title": sheet.title if sheet.title is not None else title,
        "chemistry": chemistry,
        "nominal_V": sheet.given("nominal_V", round(_mean(ocv["soc"], mean_V), 2)),
        "capacity_Ah": sheet.capacity_Ah,
        "mass_kg": _digits(mass_kg),
        "capacity": {"source": source, "confidence": "datasheet"},
        "limits": limits,
        "ocv": ocv,
        "resistance": _resistance(sheet, like, source, ocv["soc"], mean_V),
        "entropy": _entropy(like, ocv, limits),
        "thermal": _thermal(like, sheet, mass_kg),
        **{name: _as_it_is(like, table, sheet) for name, table in like.tables().items() if name not in _OWN + _SILENT},
    }


def _borrowed(like: Cell, table: Sourced, how: str) -> dict[str, str]:
    return {"source": f"borrowed from {like.name} ({table.confidence} there), {how}", "confidence": "assumption"}


def _limits(sheet: Sheet, like: Cell, source: str) -> dict[str, Any]:
    """Those of the sheet; currents at the same rate as the other cell, absolute voltages as far beyond."""
    times, its = sheet.capacity_Ah / like.capacity_Ah, like.limits
    below_V = sheet.discharge_min_V - min(its.discharge_min_V - its.absolute_min_V, 0.5)
    other = {
        **{name: float(getattr(its, name)) for name in Limits.model_fields if name.endswith("_degC")},
        "absolute_max_V": round(min(sheet.charge_max_V + its.absolute_max_V - its.charge_max_V, 6.0), 3),
        "absolute_min_V": its.absolute_min_V if its.absolute_min_V < sheet.discharge_min_V else round(max(below_V, -0.5), 3),
        "charge_max_A": _digits(its.charge_max_A * times),
        "discharge_max_A": _digits(its.discharge_max_A * times),
    }
    names = [name for name in Limits.model_fields if name not in Sourced.model_fields]
    lent = [name for name in names if getattr(sheet, name) is None]
    rest = f"; borrowed from {like.name}, an assumption: {', '.join(lent)}" if lent else ""
    return {
        "source": f"{source}{rest}",
        "confidence": "datasheet" if 2 * len(lent) <= len(names) else "assumption",
        **{name: other[name] if name in lent else getattr(sheet, name) for name in names},
    }


def _ocv(sheet: Sheet, like: Cell, source: str) -> tuple[dict[str, Any], F64]:
    """Both branches over SOC, and their mean."""
    old = like.ocv
    at = np.array(old.soc)
    old_V = 0.5 * (np.array(old.discharge_V) + np.array(old.charge_V))
    half_V = 0.5 * (np.array(old.charge_V) - np.array(old.discharge_V))
    points = sheet.points("ocv")
    if points:
        soc = _merged(at, [a for a, _ in points])
        mean_V, loop_V = monotone(np.array(points), soc), np.interp(soc, at, half_V)
        said = (
            f"{source}: {len(points)} points, a monotone cubic between them; loop and slopes outside borrowed from {like.name}"
        )
        note = {"source": f"{said}: assumption", "confidence": "datasheet"}
    else:
        low, high = (float(np.interp(volt, old_V, at)) for volt in (sheet.discharge_min_V, sheet.charge_max_V))
        if high - low < _LEAST_CUT:
            raise ScenarioError(
                f"ocv: {100 * (high - low):.0f} % of the curve of {like.name} ({old_V[0]:.2f} to {old_V[-1]:.2f} V) lies "
                f"between {sheet.discharge_min_V:g} and {sheet.charge_max_V:g} V; give points, or another cell to be like"
            )
        cut = low > 0 or high < 1
        soc = _merged((at[(at > low) & (at < high)] - low) / (high - low), [0.0, 1.0])
        kept = low + soc * (high - low)
        mean_V, loop_V = np.interp(kept, at, old_V), np.interp(kept, at, half_V)
        note = _borrowed(like, old, f"cut to {mean_V[0]:.2f} to {mean_V[-1]:.2f} V" if cut else "as it is")
    room_V = np.minimum(sheet.charge_max_V - mean_V, mean_V - sheet.discharge_min_V)
    low_V, high_V = _branches(mean_V, np.minimum(loop_V, 0.5 * np.maximum(room_V, 0.0)))
    table = {
        **note,
        "soc": [float(x) for x in soc],
        "discharge_V": [round(float(x), 6) for x in low_V],
        "charge_V": [round(float(x), 6) for x in high_V],
        "below_empty_V_per_soc": old.below_empty_V_per_soc,
        "above_full_V_per_soc": old.above_full_V_per_soc,
    }
    return table, mean_V


def _merged(a: F64, b: list[float]) -> F64:
    """Both in order, each value once, to six digits: 0.3 and 3 times 0.1 are one."""
    return np.unique(np.round(np.concatenate([a, b]), 6))


def _branches(mean_V: F64, half_V: F64) -> tuple[F64, F64]:
    """Both branches; where the mean is too flat for the loop the loop is made narrower until both rise."""
    for share in (1.0, 0.5, 0.25, 0.1):
        low_V, high_V = mean_V - share * half_V, mean_V + share * half_V
        if np.diff(np.round(low_V, 6)).min() > 0 and np.diff(np.round(high_V, 6)).min() > 0:
            return low_V, high_V
    return mean_V, mean_V.copy()


def monotone(points: F64, x: F64) -> F64:
    """Monotone cubic through points (x, y) that rise in x (Fritsch and Carlson 1980, with the slopes of PCHIP)."""
    at, y = points[:, 0], points[:, 1]
    h, rise = np.diff(at), np.diff(y) / np.diff(at)
    slope = np.zeros(len(at))
    if len(at) == 2:
        slope[:] = rise[0]
    else:
        a, b = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
        both = rise[:-1] * rise[1:] > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            slope[1:-1] = np.where(both, (a + b) / (a / rise[:-1] + b / rise[1:]), 0.0)
        slope[0], slope[-1] = _end(h[0], h[1], rise[0], rise[1]), _end(h[-1], h[-2], rise[-1], rise[-2])
    n = np.clip(np.searchsorted(at, x, side="right") - 1, 0, len(h) - 1)
    t = (x - at[n]) / h[n]
    cubic = y[n] * (1 + 2 * t) * (1 - t) ** 2 + y[n + 1] * t**2 * (3 - 2 * t)
    return np.asarray(cubic + h[n] * t * (1 - t) * (slope[n] * (1 - t) - slope[n + 1] * t), np.float64)


def _end(h: float, next_h: float, rise: float, next_rise: float) -> float:
    """Slope at an end: that of three points, held to what stays monotone."""
    slope = ((2 * h + next_h) * rise - h * next_rise) / (h + next_h)
    if slope * rise <= 0:
        return 0.0
    return 3 * rise if rise * next_rise <= 0 and abs(slope) > abs(3 * rise) else slope


def _resistance(sheet: Sheet, like: Cell, source: str, soc: list[float], mean_V: F64) -> dict[str, Any]:
    """The other cell's shape over SOC, split over the pairs and course over temperature; its level is the sheet's."""
    r, points = like.resistance, sheet.points("resistance")
    temps = list(r.temp_degC)
    if points:
        given = [temp for temp, _ in points]
        kept = [t for t in temps if t not in given]
        if len(kept) + len(given) > MAX_NODES:
            kept = [t for t in kept if not given[0] < t < given[-1]][: max(MAX_NODES - len(given), 0)]
        temps = sorted({*given, *kept})
        if len(temps) > MAX_NODES:
            raise ScenarioError(f"resistance: expected at most {MAX_NODES} temperatures, found {len(points)}")
        levels = [_level(temp, ohm, sheet, like, soc, mean_V) for temp, ohm in points]
        level = np.exp(np.interp([-_inverse(t) for t in temps], [-_inverse(t) for t in given], np.log(levels)))
        at = ", ".join(f"{ohm:g} ohm at {temp:g} degC" for temp, ohm in points)
        said = f"{source}: DC after 10 s at half charge {at}; shape over SOC, split and the rest borrowed from {like.name}"
        note = {"source": f"{said} ({r.confidence} there): assumption", "confidence": "assumption"}
    else:
        level = np.full(len(temps), like.capacity_Ah / sheet.capacity_Ah)
        note = _borrowed(like, r, f"scaled by {level[0]:.4g}, the ratio of the capacities")
    names = ("r0_ohm", "r1_ohm", "r2_ohm")
    return {
        **note,
        "soc": list(r.soc),
        "temp_degC": temps,
        **{
            name: [[_digits(float(x)) for x in times * pulse.row(r, name, t)] for t, times in zip(temps, level, strict=True)]
            for name in names
        },
        "tau1_s": r.tau1_s,
        "tau2_s": r.tau2_s,
    }


def _level(temp_degC: float, ohm: float, sheet: Sheet, like: Cell, soc: list[float], mean_V: F64) -> float:
    """By how much the other cell's circuit is scaled so that a 10 s pulse meets this resistance."""
    falls = pulse.ocv_ohm(soc, mean_V, sheet.capacity_Ah, pulse.reach_at(like, temp_degC))
    if ohm <= 1.2 * falls:
        raise ScenarioError(
            f"resistance: {ohm:g} ohm at {temp_degC:g} degC is no more than what the fall of the open-circuit voltage alone "
            f"gives in 10 s ({falls:.3g} ohm); DC after 10 s is wanted, not AC"
        )
    return (ohm - falls) / pulse.circuit_ohm(like.resistance, temp_degC)


def _inverse(temp_degC: float) -> float:
    return 1.0 / (temp_degC + ZERO_DEGC_K)


def _entropy(like: Cell, ocv: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """The other cell's dU/dT; over a curve that is flatter than its own so much closer to its mean that the voltage rises.

    V = U(x) + dU/dT(x) (T - 25): where U hardly rises, a steep dU/dT would let V fall with charge in the cold.
    """
    old, at = like.entropy, _merged(grid(0.0, 0.005, 201), ocv["soc"])
    dudt = np.array(old.dudt_mV_per_K)
    ends_degC = (min(limits["discharge_min_degC"], _ANYWHERE_DEGC[0]), max(limits["discharge_max_degC"], _ANYWHERE_DEGC[1]))
    for share in (1.0, 0.5, 0.25, 0.1, 0.0):
        flatter = dudt.mean() + share * (dudt - dudt.mean())
        shift_V = 1e-3 * np.interp(at, old.soc, flatter)
        curves = [np.interp(at, ocv["soc"], ocv[branch]) for branch in ("discharge_V", "charge_V")]
        if all(np.diff(volt + shift_V * (t - 25.0)).min() > 0 for volt in curves for t in ends_degC):
            break
    how = "as it is" if share == 1.0 else f"its distance from the mean times {share:g}, or the voltage would fall with charge"
    contents = {"soc": list(old.soc), "dudt_mV_per_K": [_digits(float(x)) for x in flatter]}
    return {**_borrowed(like, old, how), **contents}


def _thermal(like: Cell, sheet: Sheet, mass_kg: float) -> dict[str, Any]:
    """Heat capacity with the mass, cooling with the surface."""
    times = mass_kg / like.mass_kg
    table = _table(like.thermal)
    for key, value in table.items():
        table[key] = _digits(value * (times if key == "heat_capacity_J_per_K" else times**_SURFACE))
    how = f"heat capacity scaled by {times:.3g}, the ratio of the masses" + ("" if sheet.mass_kg else " if alike")
    return {**_borrowed(like, like.thermal, f"{how}, the rest by its power of 2/3"), **table}


def _as_it_is(like: Cell, table: Sourced, sheet: Sheet) -> dict[str, Any]:
    """Another table whole; its currents and amounts of substance grow with the capacity."""
    times = sheet.capacity_Ah / like.capacity_Ah
    contents = _table(table)
    sized = [key for key in contents if key.endswith(("_A", "_mol")) and not key.endswith("_per_mol")]
    for key in sized:
        value = contents[key]
        contents[key] = [_digits(times * x) for x in value] if isinstance(value, list) else _digits(times * value)
    if "overvoltage_V" in contents:  # as far above the charge limit as there
        moved_V = contents["overvoltage_V"] - like.limits.charge_max_V + sheet.given("charge_max_V", like.limits.charge_max_V)
        contents["overvoltage_V"] = _digits(moved_V)
    how = f"{', '.join(sized)} scaled by {times:.4g}, the ratio of the capacities" if sized else "as it is"
    return {**_borrowed(like, table, how), **contents}


def _table(table: Sourced) -> dict[str, Any]:
    """Contents of a table without its source."""
    return table.model_dump(by_alias=True, exclude_none=True, exclude=set(Sourced.model_fields))


def _mean(soc: list[float], volt: F64) -> float:
    """Mean of a curve over SOC."""
    return float(np.sum(0.5 * (volt[1:] + volt[:-1]) * np.diff(soc)))


def _digits(x: float) -> float:
    """Four significant digits, as a shipped cell has them."""
    return float(f"{x:.4g}")
