"""The pack file: how cells, contactors, link and sensors stand together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, model_validator

from hil import files
from hil.errors import Problems, ScenarioError
from hil.plant import cellfile
from hil.plant.cell import KIND_NAMES
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
    """DC link behind the contactors. clamp_V: the most to which a source behind open contacts can raise it, where limited."""

    capacitance_F: Positive
    bleed_ohm: Positive
    clamp_V: Positive | None = None


class Group(files.FileModel):
    """Cells of another kind, numbered as on the wire: through the strings, from 0."""

    cell: str
    first: Annotated[int, Field(ge=0)]
    last: Annotated[int, Field(ge=0)]


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
    parallel: Annotated[int, Field(ge=1, le=64)] = 1
    group: Annotated[list[Group], Field(max_length=8)] = []
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
        found += self._groups(count)
        if len(self.group_cells()) > len(KIND_NAMES) - 1:
            found.append(f"the groups name {len(self.group_cells())} other cells; a pack may mix {len(KIND_NAMES)} kinds")
        refuse([] if is_mended(info, "series", "strings") else found, self, info)
        return self

    def _groups(self, count: int) -> list[str]:
        """What is wrong with the groups: order, range, overlap."""
        found, taken = [], -1
        for n, group in enumerate(self.group):
            if group.last < group.first:
                found.append(f"group[{n}].last {group.last} lies below its first, {group.first}")
            elif group.last >= count:
                found.append(f"group[{n}].last {group.last} does not exist; this pack has cell 0 to {count - 1}")
            elif group.first <= taken:
                found.append(f"group[{n}].first {group.first} must lie above {taken}, the last cell of the group before")
            taken = max(taken, group.last)
        return found

    def kinds(self) -> list[int]:
        """Kind of each measured cell: 0 is `cell`, then the groups' cells in their order."""
        names = [self.cell, *self.group_cells()]
        out = [0] * self.n_cells
        for group in self.group:
            for at in range(group.first, min(group.last + 1, self.n_cells)):
                out[at] = names.index(group.cell)
        return out

    def cell_names(self) -> list[str]:
        """Name of the cell at each measured number."""
        names = [self.cell, *self.group_cells()]
        return [names[kind] for kind in self.kinds()]

    def group_cells(self) -> list[str]:
        """Names of the groups' cells, each once."""
        return [name for name in dict.fromkeys(group.cell for group in self.group) if name != self.cell]

    @property
    def n_cells(self) -> int:
        """Cells, or groups in parallel, that are measured one by one."""
        return self.series * self.strings

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name."""
        return {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Sourced)}


def load(name: str, near: Path | None = None) -> tuple[Path, Pack, Path, cellfile.Cell]:
    """A pack and its cell by shipped name or path. Raises ScenarioError with what is wrong with either."""
    path = files.resolve("pack", name, near)
    far = files.load_far(path, Pack)
    problems, pack = Problems(), far.model
    problems.found += far.problems
    cell = problems.call(_cell, path, pack.cell) if pack is not None else None
    for name in pack.group_cells() if pack is not None else []:
        problems.call(_cell, path, name)
    problems.settle()
    if pack is None or cell is None:
        raise ScenarioError(f"{path}: the pack could not be loaded")
    return path, pack, *cell


def others(path: Path, pack: Pack) -> list[tuple[Path, cellfile.Cell]]:
    """The cells that a pack's groups name, in the order of its kinds from 1 on."""
    return [_cell(path, name) for name in pack.group_cells()]


def held_Ah(pack: Pack, cells: Sequence[cellfile.Cell]) -> dict[str, float]:
    """What a measured cell of each name holds, all in parallel together [Ah]. cells: in the order of the pack's kinds."""
    named = zip([pack.cell, *pack.group_cells()], cells, strict=True)
    return {name: pack.parallel * one.capacity_Ah for name, one in named}


def _cell(path: Path, name: str) -> tuple[Path, cellfile.Cell]:
    """A cell of a pack; what is wrong with it names the pack too."""
    try:
        return cellfile.load(name, path)
    except ScenarioError as error:
        raise ScenarioError(*(p if str(path) in p else f"{path}: cell: {p}" for p in error.problems)) from None
