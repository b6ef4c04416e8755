"""The calibration file: what the BMS believes and how it decides; hil.binding makes the firmware's arrays of it.

Rows and groups are checked here: names against what the firmware knows, limits against each other, groups against the
cells of a pack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from firmware_sim import soa
from hil import files
from hil.calibration_tables import (
    AgeMs,
    ContactorTimes,
    E2e,
    Filter,
    Group,
    Kind,
    Millis,
    Model,
    Plausibility,
    Power,
    Precharge,
    Pulse,
    Start,
)
from hil.errors import nearest
from hil.shape import settle
from hil.tables import Sourced

# By what factor the capacity that is believed may be another one than that of the cells: a third is an aged cell or a wrong
# belief on purpose, a sixth are cells in parallel that were left out, a thousandth is a unit.
MOST_APART = 4.0
_TIERS = ("mol", "rsl", "msl")
# Quantities that each kind of cells has of its own.
_OF_CELLS = soa.QUANTITIES[soa.CELL_V_MAX :]


class Limit(files.FileModel):
    """One protection: a quantity, a threshold, how long, and what follows.

    group: whose cells it looks at; without one, at those that no group names.
    """

    code: str
    group: str | None = None
    quantity: str
    above: float | None = None
    below: float | None = None
    hysteresis: Annotated[float, Field(ge=0)] = 0.0
    tier: Literal["mol", "rsl", "msl"]
    when: Literal["always", "charging", "not_charging", "closed", "opened"] = "always"
    debounce_ms: Millis
    clear_ms: Millis | None = None
    delay_ms: Millis = 0
    reaction: Literal["none", "stop_charge", "stop_discharge", "stop", "open"]
    latch: Literal["no", "until_reset", "survives_power_loss"] = "no"
    source: Annotated[str, Field(min_length=4)]

    @model_validator(mode="after")
    def _one_side(self) -> Limit:
        found = []
        if (self.above is None) == (self.below is None):
            found.append(f': limit "{self.code}" needs exactly one of "above" and "below"')
        if self.quantity not in soa.QUANTITIES:
            found.append(f'quantity "{self.quantity}" does not exist{nearest(self.quantity, soa.QUANTITIES)}')
        elif self.group is not None and self.quantity not in _OF_CELLS:
            found.append(f'group "{self.group}": {self.quantity} is one of the whole pack; groups have {", ".join(_OF_CELLS)}')
        settle(found)
        return self

    @property
    def label(self) -> str:
        """Its code, that of a group's row as code@group: no two rows have the same."""
        return self.code if self.group is None else f"{self.code}@{self.group}"

    @property
    def side(self) -> str:
        """Key of its threshold."""
        return "above" if self.above is not None else "below"

    @property
    def threshold(self) -> float:
        """The value beyond which the condition is bad."""
        return self.above if self.above is not None else self.below if self.below is not None else 0.0


class Calibration(files.Document):
    """A calibration file."""

    KIND: ClassVar[str] = "calibration"
    name: str
    title: str
    e2e: E2e
    age_ms: AgeMs
    start: Start
    precharge: Precharge
    contactors: ContactorTimes
    plausibility: Plausibility
    power: Power
    pulse: Pulse = Pulse(source="assumption: defaults, see docs/power.md", confidence="assumption")
    filter: Filter
    model: Model
    group: list[Group] = []
    limit: Annotated[list[Limit], Field(min_length=1)]

    @model_validator(mode="after")
    def _rows(self) -> Calibration:
        first: dict[str, int] = {}
        found = [
            f'limit[{n}].code "{row.code}" is that of limit[{first[row.label]}] too'
            for n, row in enumerate(self.limit)
            if first.setdefault(row.label, n) != n
        ]
        found += [*_narrow_tiers(self.limit), *_crossed(self.limit)]
        if self.group and self.filter.sodium.flat_V > 0.0:
            found.append("filter.sodium.flat_V must be 0 in a pack of unlike cells: it is one figure for all kinds")
        settle(found + (_groups(self.group) or _of_groups(self.group, self.limit)))
        return self

    @property
    def kinds(self) -> list[Kind]:
        """Every kind of cells, first that of the cells that no group names."""
        own = [Kind(g.name, g.power, g.model) for g in self.group if g.power is not None and g.model is not None]
        return [Kind(None, self.power, self.model), *own]

    def kind_of(self, n_cells: int) -> list[int]:
        """Which of the kinds each cell is."""
        names = [kind.name for kind in self.kinds]
        out = [0] * n_cells
        for group in self.group:
            for i in range(group.first, min(group.last + 1, n_cells)):
                out[i] = names.index(group.name)
        return out

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name, those of the model as "model.NAME", those of a group with its name before."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        tables = {name: table for name, table in fields.items() if isinstance(table, Sourced) and name != "model"}
        tables["filter.sodium"] = self.filter.sodium
        for name, power, model in self.kinds:
            whose = "" if name is None else f"group {name} "
            tables |= {f"{whose}power": power} | {f"{whose}model.{key}": table for key, table in model.tables().items()}
        return tables

    def assumptions(self) -> list[str]:
        """Rows and tables that rest on an assumption."""
        out = [f"{name}: {table.source}" for name, table in self.tables().items() if table.confidence == "assumption"]
        return out + [f"limit {row.label}: {row.source}" for row in self.limit if row.source.startswith("assumption")]


def _groups(groups: list[Group]) -> list[str]:
    """Groups that share a cell, or of whose cells nothing is said, or twice."""
    found = []
    said: dict[str, int] = {}
    for n, group in enumerate(groups):
        found += [
            f'group[{n}].first {group.first}: cell {max(group.first, other.first)} is in group[{m}] "{other.name}" already'
            for m, other in enumerate(groups[:n])
            if group.first <= other.last and other.first <= group.last
        ][:1]
        again = said.setdefault(group.name, n) != n
        for key in ("model", "power"):
            if (getattr(group, key) is None) != again:
                found.append(
                    f'group[{n}].{key}: "{group.name}" has one in group[{said[group.name]}] already; leave it out here'
                    if again
                    else f"group[{n}].{key}: this key is missing; cells of another kind borrow nothing from [{key}]"
                )
    return found


def _of_groups(groups: list[Group], limits: list[Limit]) -> list[str]:
    """Rows of groups that do not exist, and groups without a row that opens the contactors where other cells have one."""
    names = list(dict.fromkeys(group.name for group in groups))
    hint = "" if names else "; this calibration has no [[group]]"
    found = [
        f'limit[{n}].group "{row.group}" does not exist{nearest(row.group, names)}{hint}'
        for n, row in enumerate(limits)
        if row.group is not None and row.group not in names
    ]
    opening = {(row.quantity, row.side, row.group) for row in limits if row.reaction == "open" and row.quantity in _OF_CELLS}
    return found + [
        f'limit: group "{name}" has no row that opens the contactors at {quantity} {side} a threshold, as other cells have; '
        "rows without a group do not look at its cells"
        for name in names
        for quantity, side, group in sorted(opening, key=str)
        if group is None and (quantity, side, name) not in opening
    ]


def _narrow_tiers(limits: list[Limit]) -> list[str]:
    """Limits that lie inside one of a lower tier, of the same quantity and side."""
    found = []
    for n, row in enumerate(limits):
        side = 1.0 if row.above is not None else -1.0
        for m, other in enumerate(limits):
            if (row.quantity, row.group, row.when, row.side) != (other.quantity, other.group, other.when, other.side):
                continue
            if _TIERS.index(row.tier) > _TIERS.index(other.tier) and side * (row.threshold - other.threshold) < 0:
                found.append(
                    f'limit[{n}].{row.side} {row.threshold:g} of "{row.code}" ({row.tier}) lies inside that of '
                    f'limit[{m}] "{other.code}" ({other.tier}), {other.threshold:g}; tiers must widen from mol to rsl to msl'
                )
                break
    return found


def _crossed(limits: list[Limit]) -> list[str]:
    """Upper limits that lie below the lower limit of the same quantity, in one tier: nothing would be allowed."""
    found = []
    for n, high in enumerate(limits):
        for m, low in enumerate(limits):
            if high.above is None or low.below is None:
                continue
            if (high.tier, high.when, high.group) != (low.tier, low.when, low.group):
                continue
            if high.quantity.replace("_max", "") == low.quantity.replace("_min", "") and not low.below < high.above:
                found.append(
                    f'limit[{n}].above {high.above:g} of "{high.code}" must lie above limit[{m}].below {low.below:g} '
                    f'of "{low.code}"'
                )
    return found


def load(name: str, near: Path | None = None) -> tuple[Path, Calibration]:
    """A calibration by shipped name or path. Raises ScenarioError."""
    path = files.resolve("calibration", name, near)
    return path, files.load(path, Calibration)


def far_off(calibration: Calibration, path: Path, cells: Sequence[str], held_Ah: Mapping[str, float]) -> list[str]:
    """Capacities that are believed and are no aged or wrong belief any more, but a slip of unit or cells in parallel left out.

    cells: name of the cell at each number.  held_Ah: what a measured cell of each name holds, all in parallel together.
    """
    found, kind_of = [], calibration.kind_of(len(cells))
    for k, kind in enumerate(calibration.kinds):
        told_Ah, where = kind.model.capacity_Ah, "model" if kind.name is None else f'group "{kind.name}": model'
        for name in dict.fromkeys(name for name, of in zip(cells, kind_of, strict=True) if of == k):
            least_Ah, most_Ah = held_Ah[name] / MOST_APART, held_Ah[name] * MOST_APART
            if not least_Ah <= told_Ah <= most_Ah:
                found.append(
                    f'{path}: {where}.capacity_Ah {told_Ah:g}: a measured cell "{name}" of this pack holds {held_Ah[name]:g} Ah'
                    f"; expected {least_Ah:.3g} to {most_Ah:.3g} Ah, for all cells in parallel"
                )
    return found


def strangers(calibration: Calibration, path: Path, cells: Sequence[str]) -> list[str]:
    """Groups of a calibration that do not fit the cells of a pack: every kind of cells must have beliefs of its own.

    cells: name of the cell at each number.
    """
    found = [
        f"{path}: group[{n}].last {group.last} does not exist; this pack has cell 0 to {len(cells) - 1}"
        for n, group in enumerate(calibration.group)
        if group.last >= len(cells)
    ]
    kind_of = calibration.kind_of(len(cells))
    if 0 not in kind_of:
        found.append(f"{path}: group: every cell is in a group, so that [model] is of none; leave one kind of cells to [model]")
    for k, kind in enumerate(calibration.kinds):
        at: dict[str, list[int]] = {}
        for i, name in enumerate(cells):
            if kind_of[i] == k:
                at.setdefault(name, []).append(i)
        if len(at) > 1:
            whose = "the cells that no group names" if kind.name is None else f'group "{kind.name}"'
            names = ", ".join(f'"{name}" (cell {rows[0]} to {rows[-1]})' for name, rows in at.items())
            found.append(f"{path}: group: this pack has {names} among {whose}; each kind of cells needs a [[group]] of its own")
    return found
