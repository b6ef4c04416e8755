"""The pack file: how cells, contactors, link and sensors stand together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, model_validator

from hil import files
from hil.errors import Problems, ScenarioError
from hil.plant import cellfile
from hil.shape import is_mended, refuse
from hil.tables import Positive, Sourced

NotNegative = Annotated[float, Field(ge=0)]
TravelMs = Annotated[float, Field(gt=0, le=60_000)]


class Spread(Sourced):
    """Standard deviations over the cells of a pack; drawn from the seed."""

    capacity_share: Annotated[float, Field(ge=0, le=0.2)]
    resistance_share: Annotated[float, Field(ge=0, le=0.5)]
    soc: Annotated[float, Field(ge=0, le=0.2)]
    ocv_V: Annotated[float, Field(ge=0, le=0.1)]


class Contactors(Sourced):
    """Travel times and contact resistance of the contactors, resistance of the precharge path."""

    close_ms: TravelMs
    open_ms: TravelMs
    contact_ohm: Positive
    precharge_ohm: Positive
    busbar_ohm: NotNegative


class Link(Sourced):
    """DC link behind the contactors."""

    capacitance_F: Positive
    bleed_ohm: Positive


class Analog(files.FileModel):
    """One kind of sensor: standard deviations of gain and offset over sensors, noise of a sample, smallest step."""

    gain_share: NotNegative = 0.0
    offset: NotNegative = 0.0
    noise: NotNegative = 0.0
    step: NotNegative = 0.0


class Sensors(Sourced):
    """Sensor errors; units: V for cell, pack and link, degC for ntc and shunt temperature, A for shunt, Ah for charge."""

    cell: Analog
    ntc: Analog
    shunt: Analog
    pack: Analog
    link: Analog


class Surroundings(Sourced):
    """What the pack stands in."""

    insulation_kohm: Positive
    supply_V: Positive


class Pack(files.Document):
    """A pack file."""

    KIND: ClassVar[str] = "pack"
    name: str
    title: str
    cell: str
    calibration: str
    series: Annotated[int, Field(ge=1, le=192)]
    strings: Annotated[int, Field(ge=1, le=16)] = 1
    ntc_cells: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=64)]
    spread: Spread
    contactors: Contactors
    link: Link
    sensors: Sensors
    surroundings: Surroundings

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Pack:
        count = self.series * self.strings
        found = [
            f"ntc_cells[{j}] {at} does not exist; this pack has cell 0 to {count - 1}"
            for j, at in enumerate(self.ntc_cells)
            if at >= count
        ]
        if count > 192:
            found = [f"strings {self.strings} times series {self.series} are {count} cells; the wire carries at most 192"]
        refuse([] if is_mended(info, "series", "strings") else found, self, info)
        return self

    @property
    def n_cells(self) -> int:
        """Cells that are measured one by one."""
        return self.series * self.strings

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name."""
        return {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Sourced)}

    def assumptions(self) -> list[str]:
        """Names of the tables that rest on an assumption, with what is assumed."""
        return [f"{name}: {table.source}" for name, table in self.tables().items() if table.confidence == "assumption"]


def load(name: str, near: Path | None = None) -> tuple[Path, Pack, Path, cellfile.Cell]:
    """A pack and its cell by shipped name or path. Raises ScenarioError with what is wrong with either."""
    path = files.resolve("pack", name, near)
    far = files.load_far(path, Pack)
    problems, pack = Problems(), far.model
    problems.found += far.problems
    cell = problems.call(_cell, path, pack) if pack is not None else None
    problems.settle()
    if pack is None or cell is None:
        raise ScenarioError(f"{path}: the pack could not be loaded")
    return path, pack, *cell


def _cell(path: Path, pack: Pack) -> tuple[Path, cellfile.Cell]:
    """The cell of a pack; what is wrong with it names the pack too."""
    try:
        return cellfile.load(pack.cell, path)
    except ScenarioError as error:
        raise ScenarioError(*(p if str(path) in p else f"{path}: cell: {p}" for p in error.problems)) from None
