"""The whole way from files to a finished cell: read, lay out, fit, refuse what is no cell, and say how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from firmware_sim.types import F64
from hil.errors import Problems, ScenarioError
from hil.fit import data, known, legs, model, residual, solve
from hil.fit.datamap import Facts, Map
from hil.fit.heat import Thermal
from hil.fit.known import Reference
from hil.fit.model import OCV_SOC, Tables
from hil.fit.residual import Report
from hil.fit.solve import Bar, Fit
from hil.plant.cellfile import Cell
from hil.tables import MAX_NODES

J_PER_KG_K = 1000.0
_MOST_DIP_V, _MOST_KNEE_V = 0.005, 0.3
_LEAST_RISE_V = 2e-4

_FACTOR = 1.4  # between the capacity of a map and what the data give


@dataclass(frozen=True)
class Made:
    """A finished cell. volt_ends: upper and lower voltage.  reference: None when the map says the capacity.

    covered: lowest and highest share of charge that was measured.  flattened_V: deepest dip of a branch that was levelled.
    """

    map_: Map
    lender: Cell
    facts: Facts
    fit: Fit
    reference: Reference | None
    volt_ends: tuple[float, float]
    discharge_V: F64
    charge_V: F64
    covered: tuple[float, float]
    flattened_V: float
    reports: tuple[Report, ...]

    @property
    def tables(self) -> Tables:
        """The tables."""
        return self.fit.tables


def make(paths: Sequence[Path], map_: Map, lender: Cell, where: str, bar: Bar) -> Made:
    """Fit a cell to files. where: how the map is called in messages.  Raises ScenarioError with what is wrong."""
    runs = data.load(paths, map_, where)
    facts = map_.cell
    high_V = facts.charge_max_V if facts.charge_max_V is not None else max(legs.upper_V(run) for run in runs)
    low_V = facts.discharge_min_V if facts.discharge_min_V is not None else min(float(run.volt.min()) for run in runs)
    guess_Ah = facts.capacity_Ah if facts.capacity_Ah is not None else max(legs.largest_swing_Ah(run) for run in runs)
    problems, tracks, first = Problems(), [], 0
    for run in runs:
        track = problems.call(legs.lay_out, run, high_V, guess_Ah, first)
        if track is not None:
            tracks.append(track)
            first = int(track.span.max()) + 1
    problems.settle()
    tells = known.look(tracks, guess_Ah)
    if len(tells.data_degC) > MAX_NODES:
        shown = ", ".join(f"{degC:.3g}" for degC in tells.data_degC)
        raise ScenarioError(
            f"{where}: the data were taken at {len(tells.data_degC)} temperatures ({shown} degC); a cell file holds {MAX_NODES}"
        )
    reference = known.reference(tracks, tells, low_V)
    if reference is None and facts.capacity_Ah is None:
        names = ", ".join(run.name for run in runs)
        raise ScenarioError(
            f"{names}: no discharge goes from full to {low_V:.4g} V, so the capacity is not known; "
            "give cell.capacity_Ah in a map, or a run that goes so far"
        )
    capacity_Ah = guess_Ah
    if reference is not None:
        capacity_Ah = reference.charge_Ah / float(np.interp(reference.degC, lender.reach.temp_degC, lender.reach.share))
    _check_capacity(tracks, facts.capacity_Ah, capacity_Ah, where)
    _check_covered(tracks, capacity_Ah)
    tables = model.lent(lender, capacity_Ah, tells.data_degC)
    span = -1 if reference is None else reference.span
    fit = solve.fit(tables, tracks, tells, _thermal(map_, lender, capacity_Ah), span, bar)
    return _finish(map_, lender, fit, reference, (high_V, low_V))


def _check_capacity(tracks: Sequence[legs.Track], stated_Ah: float | None, found_Ah: float, where: str) -> None:
    """Raises ScenarioError when the data hold another charge than the map says: a current of another unit, or another cell."""
    if stated_Ah is not None and not stated_Ah / _FACTOR < found_Ah < stated_Ah * _FACTOR:
        names = ", ".join(track.run.name for track in tracks)
        raise ScenarioError(
            f"{names}: a discharge from full to empty gives {found_Ah:.3g} Ah; expected about cell.capacity_Ah {stated_Ah:g} "
            f"of {where}; look at unit and scale of the current, or correct the map"
        )


def _check_covered(tracks: Sequence[legs.Track], capacity_Ah: float) -> None:
    """Raises ScenarioError when the data move through too little of the charge to make a curve."""
    low = min(1.0 - float(track.missing_Ah.max()) / capacity_Ah for track in tracks)
    if low > 0.7:
        names = ", ".join(track.run.name for track in tracks)
        raise ScenarioError(
            f"{names}: the data go from full down to {100 * low:.0f} % of {capacity_Ah:.3g} Ah; "
            "a fit needs a discharge to 70 % or less"
        )


def _thermal(map_: Map, lender: Cell, capacity_Ah: float) -> Thermal:
    """Heat capacity from the mass, else the lender's for this size; cooling grows with the surface."""
    size = capacity_Ah / lender.capacity_Ah
    heat = lender.thermal.heat_capacity_J_per_K * size if map_.cell.mass_kg is None else map_.cell.mass_kg * J_PER_KG_K
    return Thermal(heat, lender.thermal.coolant_W_per_K * float(size ** (2.0 / 3.0)))


def _finish(map_: Map, lender: Cell, fit: Fit, reference: Reference | None, ends: tuple[float, float]) -> Made:
    """Branches that rise, and errors of the tables as the file will hold them."""
    tables = fit.tables
    low_V, high_V = tables.mean_V - tables.half_V, tables.mean_V + tables.half_V
    dips = [_dip(name, branch) for name, branch in (("discharge", low_V), ("charge", high_V))]
    told = [text for depth_V, soc, text in dips if depth_V > (_MOST_DIP_V if soc > residual.KNEE else _MOST_KNEE_V)]
    if told:
        raise ScenarioError(
            f"{map_.cell.name}: {' and '.join(told)}; a cell's voltage rises with its charge; are all files of one cell, "
            "is the temperature right, and is the charge counted from full (cell.charge_max_V)?"
        )
    discharge_V, charge_V = _risen(low_V), _risen(high_V)
    top = float((discharge_V[-1] + charge_V[-1] - discharge_V[-3] - charge_V[-3]) / (2.0 * (OCV_SOC[-1] - OCV_SOC[-3])))
    final = replace(
        tables,
        mean_V=0.5 * (discharge_V + charge_V),
        half_V=0.5 * (charge_V - discharge_V),
        above_V_per_soc=max(round(top, 2), 0.1),
    )
    unknown = {course.track.open_span for course in fit.courses}
    own = {n for n in range(len(fit.ln_s)) if fit.ln_s[n] != 0.0} | ({reference.span} if reference is not None else set())
    spans = sorted(own - unknown)
    reports = tuple(residual.report(final, course, fit.ln_s, spans) for course in fit.courses)
    seen = np.concatenate([report.soc for report in reports])
    return Made(
        map_=map_,
        lender=lender,
        facts=map_.cell,
        fit=replace(fit, tables=final),
        reference=reference,
        volt_ends=ends,
        discharge_V=discharge_V,
        charge_V=charge_V,
        covered=(max(float(seen.min()), 0.0), min(float(seen.max()), 1.0)),
        flattened_V=max(depth_V for depth_V, *_ in dips),
        reports=reports,
    )


def _dip(name: str, branch_V: F64) -> tuple[float, float, str]:
    """How far a branch falls where it should rise [V], up to which SOC, and that in words."""
    deep_V = np.maximum.accumulate(branch_V) - branch_V
    k = int(np.argmax(deep_V))
    j = int(np.argmax(branch_V[: k + 1]))
    text = (
        f"the open-circuit voltage on {name} that fits best falls from {branch_V[j]:.3f} V at soc {OCV_SOC[j]:g} to "
        f"{branch_V[k]:.3f} V at soc {OCV_SOC[k]:g}"
    )
    return float(deep_V[k]), float(OCV_SOC[k]), text


def _risen(branch_V: F64) -> F64:
    """A branch that rises from node to node, rounded as the file holds it."""
    out = np.round(branch_V, 4)
    for k in range(1, len(out)):
        out[k] = max(out[k], round(float(out[k - 1]) + _LEAST_RISE_V, 4))
    return out
