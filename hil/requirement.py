"""Requirements: what a BMS must do, in what time, why, and who says so. The judge uses them; the firmware never sees them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hil import files
from hil.errors import ScenarioError
from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack

Window = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]
Quantity = Literal["cell_voltage", "cell_temperature", "discharge_current", "charge_current"]
_LIMIT_NAME = re.compile(r"cell\.(\w+)$")


class LimitTrigger(files.FileModel):
    """The hazard begins when a quantity leaves a limit of the cell.

    above, below: name of a limit in the cell file ("cell.absolute_max_V"), times `factor` plus `offset`. Currents count
    for the whole pack: the cell's limit times the strings in parallel. tolerance: how exactly the device must know the
    quantity; as long as the truth is beyond the limit by less, only what stands on the wire starts a clock.
    """

    quantity: Quantity
    above: str | None = None
    below: str | None = None
    factor: float = 1.0
    offset: float = 0.0
    tolerance: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _one_side(self) -> LimitTrigger:
        if (self.above is None) == (self.below is None):
            raise ValueError('needs exactly one of "above" and "below"')
        if _LIMIT_NAME.match(self.above or self.below or "") is None:
            raise ValueError(
                f'limit "{self.above or self.below}" must be the name of a cell limit, as in "cell.absolute_max_V"'
            )
        return self

    def value(self, cell: Cell, pack: Pack) -> float:
        """The limit in physical units. Raises ScenarioError when the cell has no limit of that name."""
        name = (self.above or self.below or "").removeprefix("cell.")
        if name not in type(cell.limits).model_fields or name in ("source", "confidence"):
            raise ScenarioError(f'requirement limit "cell.{name}" does not exist in the limits of cell "{cell.name}"')
        base = float(getattr(cell.limits, name))
        if self.quantity in ("discharge_current", "charge_current"):
            base *= pack.strings
        return round(base * self.factor + self.offset, 9)  # 4.1 + 0.02 is 4.12, which a reading of 4.12 does not exceed


class Requirement(files.FileModel):
    """One requirement.

    codes: diagnosis codes of which one must be reported.  trigger: what starts the clock; without it, the start of the
    fault that the expectation names.  fdti_ms: allowed time from the first wrong value on the wire to the code.
    fhti_ms: longest time from the hazard to the open contactor path.  ftti_ms: what the hazard allows.  reaction: "open"
    or "report".  limits: other figures that an expectation is judged by.
    """

    id: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$")]
    title: str
    text: str
    hazard: str
    source: Annotated[str, Field(min_length=4)]
    codes: list[str] = []
    trigger: LimitTrigger | None = None
    reaction: Literal["open", "report"] = "open"
    fdti_ms: Window | None = None
    fhti_ms: Annotated[float, Field(gt=0)] | None = None
    ftti_ms: Annotated[float, Field(gt=0)] | None = None
    limits: dict[str, float] = {}

    @model_validator(mode="after")
    def _order(self) -> Requirement:
        if self.fdti_ms is not None and self.fdti_ms[0] > self.fdti_ms[1]:
            raise ValueError(f"{self.id}: fdti_ms runs backwards: {self.fdti_ms[0]:g} to {self.fdti_ms[1]:g}")
        if self.fhti_ms is not None and self.ftti_ms is not None and self.fhti_ms > self.ftti_ms:
            raise ValueError(f"{self.id}: fhti_ms {self.fhti_ms:g} is longer than ftti_ms {self.ftti_ms:g}")
        return self


class RequirementsFile(files.Document):
    """A requirements file."""

    name: str
    title: str
    requirement: Annotated[list[Requirement], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> RequirementsFile:
        seen: set[str] = set()
        for n, row in enumerate(self.requirement):
            if row.id in seen:
                raise ValueError(f'requirement[{n}].id "{row.id}" is used twice')
            seen.add(row.id)
        return self

    def by_id(self) -> dict[str, Requirement]:
        """Requirements by id."""
        return {row.id: row for row in self.requirement}


def load(name: str, near: Path | None = None) -> tuple[Path, RequirementsFile]:
    """A requirements file by shipped name or path. Raises ScenarioError."""
    path = files.resolve("requirements", name, near)
    return path, files.load(path, RequirementsFile)
