"""Requirements: what a BMS must do, in what time, why, and who says so. The judge uses them; the firmware never sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from hil import files
from hil.errors import nearest
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack
from hil.shape import settle


def _forwards(window: list[float]) -> list[float]:
    if window[0] > window[1]:
        raise ValueError(f"runs backwards: {window[0]:g} to {window[1]:g}")
    return window


Window = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2), AfterValidator(_forwards)]
Figure = Literal["max_error", "rmse", "tries", "end_ms", "gap_ms"]
Quantity = Literal["cell_voltage", "cell_temperature", "discharge_current", "charge_current"]
_CELL_LIMITS = {f"cell.{name}" for name in cellfile.Limits.model_fields if name not in ("source", "confidence")}


class LimitTrigger(files.FileModel):
    """The hazard begins when a quantity leaves a limit of the cell.

    above, below: name of a limit in the cell file ("cell.absolute_max_V"), times `factor` plus `offset`. Currents count
    for the whole pack: the cell's limit times cells and strings in parallel. tolerance: how exactly the device must know the
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
        sides = {"above": self.above, "below": self.below}
        settle(
            [
                f'{side} "{name}" is not a limit of a cell{nearest(name, _CELL_LIMITS)}'
                for side, name in sides.items()
                if name is not None and name not in _CELL_LIMITS
            ]
        )
        return self

    def value(self, cell: Cell, pack: Pack) -> float:
        """The limit in physical units."""
        base = float(getattr(cell.limits, (self.above or self.below or "").removeprefix("cell.")))
        if self.quantity in ("discharge_current", "charge_current"):
            base *= pack.strings * pack.parallel
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
    limits: dict[Figure, float] = {}

    @model_validator(mode="after")
    def _order(self) -> Requirement:
        if self.fhti_ms is not None and self.ftti_ms is not None and self.fhti_ms > self.ftti_ms:
            settle([f"fhti_ms {self.fhti_ms:g} is longer than ftti_ms {self.ftti_ms:g}"])
        return self


class RequirementsFile(files.Document):
    """A requirements file."""

    KIND: ClassVar[str] = "requirements"
    name: str
    title: str
    requirement: Annotated[list[Requirement], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> RequirementsFile:
        first: dict[str, int] = {}
        settle(
            [
                f'requirement[{n}].id "{row.id}" is that of requirement[{first[row.id]}] too'
                for n, row in enumerate(self.requirement)
                if first.setdefault(row.id, n) != n
            ]
        )
        return self

    def by_id(self) -> dict[str, Requirement]:
        """Requirements by id."""
        return {row.id: row for row in self.requirement}


def load(name: str, near: Path | None = None) -> tuple[Path, RequirementsFile]:
    """A requirements file by shipped name or path. Raises ScenarioError."""
    path = files.resolve("requirements", name, near)
    return path, files.load(path, RequirementsFile)
