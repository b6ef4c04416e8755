"""Error figures of methods, over runs and sensor errors: what `nabench score` prints, and nothing else.

An error is belief less reference, a share of SOC. Figures are pooled: every row of every run under every combination of
sensor errors counts once, so a long run weighs more than a short one. Where no reference is stated, nothing counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.score.case import Case
from hil.wirelog import Bools

REGIONS = ("all", "window", "20-40")
# Tracks of coulomb counting stand beside all others; those of a method with true tables give the bound.
COUNTING, BOUND = "counting", "bound"
WRONG_START = "wrong-start"
TEMPERATURES_DEGC = (-40.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0, 60.0)
_DIGITS = 6


def data_name(case: Case) -> str:
    """Name of the data set that a case is one run of: all of its name before the last word, or before a comma."""
    name = case.data
    return name.partition(",")[0] if "," in name else name.rpartition(" ")[0] or name


def bare(case: Case) -> Case:
    """A case without what it went through."""
    none = np.empty(0)
    return replace(case, current_A=none, cell_V=none, temp_degC=none, reference=none, drawn=None, truth=None)


@dataclass(frozen=True)
class Track:
    """What a method said of a case.

    t_s, reference, temp_degC: (row,), temperature of the cell.  error, band: (row, pack), belief less reference and half
    width of the 95 % band; axis pack: combinations of sensor errors.
    """

    case: Case
    method: str
    t_s: F64
    reference: F64
    temp_degC: F64
    error: F64
    band: F64

    @property
    def data(self) -> str:
        """Name of its data set."""
        return data_name(self.case)


def inside(track: Track, region: str) -> Bools:
    """(row,) rows of a track that count in a region: by its reference, and only where there is one."""
    low, high = {"all": (-math.inf, math.inf), "window": track.case.window, "20-40": (0.2, 0.4)}[region]
    return np.asarray(np.isfinite(track.reference) & (track.reference >= low) & (track.reference <= high))


@dataclass(frozen=True)
class Sums:
    """Errors of some rows, as shares. band_coverage, band_half_width: None where the method states no band."""

    count: int
    rmse: float
    mae: float
    max: float
    bias: float
    band_coverage: float | None
    band_half_width: float | None


def sums(error: F64, band: F64) -> Sums | None:
    """Figures of errors of any shape, with the half widths of their bands; None when there are none."""
    if not error.size:
        return None
    stated = np.isfinite(band)
    covered = np.abs(error[stated]) <= band[stated]
    return Sums(
        count=int(error.size),
        rmse=float(np.sqrt(np.mean(error**2))),
        mae=float(np.mean(np.abs(error))),
        max=float(np.max(np.abs(error))),
        bias=float(np.mean(error)),
        band_coverage=float(np.mean(covered)) if stated.any() else None,
        band_half_width=float(np.median(band[stated])) if stated.any() else None,
    )


def pooled(tracks: Sequence[Track], region: str, between_degC: tuple[float, float] = (-math.inf, math.inf)) -> Sums | None:
    """Figures over tracks in a region, at cell temperatures from the lower to below the upper bound."""
    errors, bands = [], []
    for track in tracks:
        rows = inside(track, region) & (track.temp_degC >= between_degC[0]) & (track.temp_degC < between_degC[1])
        errors.append(track.error[rows].ravel())
        bands.append(track.band[rows].ravel())
    return sums(np.concatenate(errors), np.concatenate(bands)) if errors else None


@dataclass(frozen=True)
class Row:
    """Figures of a method in a condition and a region, as shares of SOC.

    counting_rmse: of coulomb counting on the same rows under the same sensor errors.  bound: the same figures of the subject of
    the score with the cell's own tables; None for recordings whose tables nobody knows.  runs: figures of each run.
    worst, worst_run: RMSE of the worst run with one combination of sensor errors, and which run that is.
    temperatures: figures by temperature of the cell.  ends: errors at the first row that counts, of wrong starts only.
    """

    data: str
    method: str
    condition: str
    region: str
    recorded: bool
    sums: Sums
    counting_rmse: float
    bound: Row | None
    reference_uncertainty: float
    worst: float
    worst_run: str
    runs: tuple[tuple[str, Sums], ...]
    temperatures: tuple[tuple[float, float, Sums], ...]
    ends: tuple[float, ...]

    @property
    def kind(self) -> str:
        """On what its figures rest."""
        return "recorded" if self.recorded else "simulated"

    @property
    def bound_rmse(self) -> float | None:
        """RMSE of the bound."""
        return None if self.bound is None else self.bound.sums.rmse

    def short(self) -> dict[str, Any]:
        """All rows together and the worst run, as printed by --json."""
        return {**_shown(self.sums), "worst_rmse": rounded(self.worst), "worst_run": self.worst_run}

    def as_json(self) -> dict[str, Any]:
        """As printed by --json."""
        return {
            "data": self.data,
            "method": self.method,
            "condition": self.condition,
            "region": self.region,
            **_shown(self.sums),
            "counting_rmse": rounded(self.counting_rmse),
            "reference_uncertainty": rounded(self.reference_uncertainty),
            "bound_rmse": rounded(self.bound_rmse),
            "recorded": self.recorded,
            "samples": self.sums.count,
            "worst_rmse": rounded(self.worst),
            "worst_run": self.worst_run,
            **({"within_3_percent": within(self.ends, 0.03), "within_2_percent": within(self.ends, 0.02)} if self.ends else {}),
            "runs": [{"data": name, **_counted(of)} for name, of in self.runs],
            "temperatures": [{"from_degC": low, "to_degC": high, **_counted(of)} for low, high, of in self.temperatures],
        }


def _shown(of: Sums) -> dict[str, Any]:
    keys = ("rmse", "mae", "max", "bias", "band_coverage", "band_half_width")
    return {key: rounded(getattr(of, key)) for key in keys}


def _counted(of: Sums) -> dict[str, Any]:
    return _shown(of) | {"samples": of.count}


def rounded(value: float | None) -> float | None:
    """A figure as it is printed: six digits behind the point."""
    return None if value is None or not math.isfinite(value) else round(value, _DIGITS)


def within(ends: Sequence[float], most: float) -> float | None:
    """Share of starts that end with at most this error; None when there are none."""
    return rounded(float(np.mean(np.abs(np.asarray(ends)) <= most))) if len(ends) else None


def rows(tracks: Sequence[Track]) -> list[Row]:
    """All rows in the order of the tracks: data and condition, then method, then region. Counting must be among the tracks."""
    out = []
    for data, condition in dict.fromkeys((track.data, track.case.condition) for track in tracks):
        of = [track for track in tracks if (track.data, track.case.condition) == (data, condition)]
        by = {method: [track for track in of if track.method == method] for method in dict.fromkeys(t.method for t in of)}
        least = by.pop(BOUND, [])
        bounds = {region: _row(data, condition, BOUND, region, least, by[COUNTING], None) for region in REGIONS}
        for method, own in by.items():
            for region in REGIONS:
                row = _row(data, condition, method, region, own, by[COUNTING], bounds[region])
                if row is not None:
                    out.append(row)
    return out


def _row(
    data: str, condition: str, method: str, region: str, own: list[Track], counting: list[Track], bound: Row | None
) -> Row | None:  # fmt: skip
    total, beside = pooled(own, region), pooled(counting, region)
    if total is None or beside is None:
        return None
    worst, worst_run = max(
        ((rmse, track.case.data) for track in own for rmse in singles(track, region)), default=(math.nan, "")
    )
    bounds = zip(TEMPERATURES_DEGC, TEMPERATURES_DEGC[1:], strict=False)
    return Row(
        data=data,
        method=method,
        condition=condition,
        region=region,
        recorded=all(track.case.recorded for track in own),
        sums=total,
        counting_rmse=beside.rmse,
        bound=bound,
        reference_uncertainty=max(track.case.uncertainty for track in own),
        worst=worst,
        worst_run=worst_run,
        runs=tuple((track.case.data, found) for track in own if (found := pooled([track], region)) is not None),
        temperatures=tuple(
            (low, high, found) for low, high in bounds if (found := pooled(own, region, (low, high))) is not None
        ),
        ends=tuple(float(x) for track in own for x in _first(track, region)) if condition == WRONG_START else (),
    )


def singles(track: Track, region: str) -> list[float]:
    """RMSE of each combination of sensor errors of one run; empty when the region holds none of its rows."""
    error = track.error[inside(track, region)]
    return np.sqrt(np.mean(error**2, axis=0)).tolist() if len(error) else []


def _first(track: Track, region: str) -> F64:
    """Error at the first row that counts, of each combination of sensor errors: what is left of a wrong start by then."""
    scored = np.flatnonzero(inside(track, region))
    return track.error[scored[0]] if len(scored) else np.empty(0)
