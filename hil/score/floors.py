"""What is asked of a row of figures, and whether it is met. The numbers stand in floors.toml, with where they are from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from hil import files
from hil.score.figures import COUNTING, Row, rounded, within
from hil.score.health import HealthRow
from hil.score.power import PowerRow
from hil.tables import Positive

_HERE = Path(__file__).with_name("floors.toml")


class Floor(files.FileModel):
    """What is asked in some regions of one condition. Limits are upper ones but for the shares of starts."""

    condition: str
    regions: Annotated[list[Literal["all", "window", "20-40"]], Field(min_length=1)]
    rmse: Positive | None = None
    worst: Positive | None = None
    max: Positive | None = None
    of_counting: Annotated[float, Field(ge=0)] | None = None
    band_half_width_of_rmse: Annotated[float, Field(ge=0)] | None = None
    band_at_least: Positive | None = None
    within_3_percent: Positive | None = None
    within_2_percent: Positive | None = None


class PowerFloor(files.FileModel):
    """What is asked of current limits: violations at most, and the median waste by condition."""

    violations: Annotated[int, Field(ge=0)]
    waste: dict[Literal["exact", "shown", "reset"], Positive]


class HealthFloor(files.FileModel):
    """What is asked of capacity, by whose tables are believed, and of the worst resistance."""

    capacity_rmse: dict[Literal["own", "unseen"], Positive]
    resistance_max: Positive


class Floors(files.Document):
    """All floors, and what is asked everywhere."""

    source: Annotated[str, Field(min_length=4)]
    band_coverage: Annotated[list[float], Field(min_length=2, max_length=2)]
    band_half_width_of_rmse: Positive
    of_counting: Positive
    power: PowerFloor
    health: HealthFloor
    floor: list[Floor]


@dataclass(frozen=True)
class Asked:
    """One thing that is asked of a row. value: what was found, None when the method does not say.  low, high: its range."""

    what: str
    value: float | None
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether it is: a method that does not say has not met it."""
        return self.value is not None and self.low <= self.value <= self.high

    @property
    def above(self) -> bool:
        """Whether it is more than what is asked."""
        return self.value is not None and self.value > self.high

    def as_json(self) -> dict[str, Any]:
        """As printed by --json; a bound that is none is null."""
        low = None if self.low == 0.0 else self.low
        high = None if self.high == float("inf") else self.high
        return {"what": self.what, "value": rounded(self.value), "at_least": low, "at_most": rounded(high), "met": self.met}


@lru_cache(maxsize=1)
def load() -> Floors:
    """The floors that ship."""
    return files.load(_HERE, Floors)


def asked(row: Row) -> list[Asked]:
    """What is asked of a row; nothing in a condition or a region without a floor."""
    every = load()
    floor = next((f for f in every.floor if f.condition == row.condition and row.region in f.regions), None)
    if floor is None:
        return []
    sums, no_end = row.sums, float("inf")
    found = [("rmse", sums.rmse, floor.rmse), ("worst_rmse", row.worst, floor.worst), ("max", sums.max, floor.max)]
    out = [Asked(what, value, 0.0, limit) for what, value, limit in found if limit is not None]
    for what, share, least in (
        ("within_3_percent", 0.03, floor.within_3_percent),
        ("within_2_percent", 0.02, floor.within_2_percent),
    ):
        if least is not None:
            out.append(Asked(what, within(row.ends, share), least, no_end))
    ratio = _chosen(floor.of_counting, every.of_counting)
    if row.method != COUNTING and ratio > 0.0:
        out.append(Asked("rmse_of_counting", _over(sums.rmse, row.counting_rmse), 0.0, ratio))
    low, high = every.band_coverage
    out.append(Asked("band_coverage", sums.band_coverage, low, high))
    width = _chosen(floor.band_half_width_of_rmse, every.band_half_width_of_rmse)
    if width > 0.0:
        out.append(Asked("band_half_width_of_rmse", _over(sums.band_half_width, sums.rmse), 0.0, width))
    if floor.band_at_least is not None:
        out.append(Asked("band_half_width", sums.band_half_width, floor.band_at_least, no_end))
    return out


def beyond(row: Row) -> list[Asked]:
    """What is asked of a row and missed on the same side with the cell's own tables too, as these reach it."""
    if row.bound is None:
        return []
    own = {one.what: one for one in asked(row.bound)}
    pairs = [(one, own[one.what]) for one in asked(row)]
    told = [(one, least) for one, least in pairs if one.value is not None and least.value is not None]
    return [least for one, least in told if not one.met and not least.met and one.above == least.above]


def asked_of_power(row: PowerRow) -> list[Asked]:
    """What is asked of one line of the current limits."""
    floor, waste = load().power, {str(name): most for name, most in load().power.waste.items()}
    out = [Asked("violations", float(row.violations), 0.0, float(floor.violations))]
    if row.condition in waste:
        out.append(Asked("waste", max(row.waste, 0.0), 0.0, waste[row.condition]))
    return out


def asked_of_health(row: HealthRow) -> list[Asked]:
    """What is asked of one line of capacity or resistance."""
    floor, rmse = load().health, {str(name): most for name, most in load().health.capacity_rmse.items()}
    if row.quantity == "capacity":
        return [Asked("rmse", rounded(row.rmse), 0.0, rmse[row.tables])]
    return [Asked("max", rounded(row.max), 0.0, floor.resistance_max)]


def _chosen(own: float | None, every: float) -> float:
    return every if own is None else own


def _over(value: float | None, of: float) -> float | None:
    return None if value is None or of == 0.0 else value / of
