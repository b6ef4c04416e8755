"""The map of measured data: which column is what, what the user knows of the cell, and which shipped cell lends the rest.

One map serves the fit of a cell and the score of estimators.

Column names of the Battery Data Format (BDF) need no map: github.com/battery-data-alliance/battery-data-format, README,
ontology 1.2.0: preferred label or machine-readable name, fixed units, and positive current charges.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from hil import files
from hil.errors import Problems, ScenarioError, nearest
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.scenario import Column, CurrentColumn
from hil.shape import settle
from hil.tables import CellVolt, Positive, TempDegC

LENDER = "nfm-18650"
ROOM_DEGC = 25.0

# By quantity, the preferred label and the machine-readable names of the Battery Data Format.
BDF = {
    "time": ("Test Time / s", "test_time_second"),
    "voltage": ("Voltage / V", "voltage_volt"),
    "current": ("Current / A", "current_ampere"),
    "temperature": ("Surface Temperature T1 / degC", "temperature_t1_celsius", "surface_temperature_t1_celsius"),
    "ambient": ("Ambient Temperature / degC", "ambient_temperature_celsius"),
}


class Columns(files.FileModel):
    """Columns by their headers; value = raw * scale + offset gives s, V, A and degC.

    temperature: of the cell's surface.  ambient: of its surroundings.  soc: reference of the score, 0..1 after scaling.
    """

    time: Column
    voltage: Column
    current: CurrentColumn
    temperature: Column | None = None
    ambient: Column | None = None
    soc: Column | None = None

    @model_validator(mode="after")
    def _forward(self) -> Columns:
        named = {key: column for key in type(self).model_fields if (column := getattr(self, key)) is not None}
        found = [f"{key}.scale is 0, so that every row is alike" for key, column in named.items() if column.scale == 0.0]
        settle(found + [f"time.scale {self.time.scale:g} must be more than 0"] * (self.time.scale < 0.0))
        return self


class Facts(files.FileModel):
    """What is known of the cell beside the data. Voltages that are not given are the ends that the data reach."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
    title: str = ""
    chemistry: str = "unknown"
    capacity_Ah: Positive | None = None
    nominal_V: CellVolt | None = None
    mass_kg: Positive | None = None
    charge_max_V: CellVolt | None = None
    discharge_min_V: CellVolt | None = None
    charge_max_A: Positive | None = None
    discharge_max_A: Positive | None = None

    @model_validator(mode="after")
    def _order(self) -> Facts:
        if self.charge_max_V is not None and self.discharge_min_V is not None and self.discharge_min_V >= self.charge_max_V:
            settle([f"discharge_min_V {self.discharge_min_V:g} must lie below charge_max_V {self.charge_max_V:g}"])
        return self


class RunFacts(files.FileModel):
    """What holds for one file only. starts_full: it begins with a full cell, though the voltage does not show it."""

    file: str
    temperature_degC: TempDegC | None = None
    starts_full: bool = False


class ScoreFacts(files.FileModel):
    """What the score needs to know, see hil.score.own. soc_uncertainty: of the reference column, as a share."""

    calibration: str = "nfm-16s"
    soc_uncertainty: Annotated[float, Field(ge=0, le=0.5)] = 0.02


class Map(files.Document):
    """A map file."""

    KIND: ClassVar[str] = "map"
    borrow: str = LENDER
    source: Annotated[str, Field(min_length=4)]
    temperature_degC: TempDegC | None = None
    columns: Columns | None = None
    cell: Facts
    run: list[RunFacts] = []
    score: ScoreFacts = ScoreFacts()

    @model_validator(mode="after")
    def _once(self) -> Map:
        names = [run.file for run in self.run]
        settle([f'run[{n}].file "{name}" stands there twice' for n, name in enumerate(names) if name in names[:n]])
        return self


def load(path: Path) -> tuple[Map, Cell]:
    """A map and the cell that lends what data cannot give. Raises ScenarioError."""
    read = files.load(path, Map)
    _, lender = cellfile.load(read.borrow, path)
    return read, lender


def without(out: Path) -> tuple[Map, Cell]:
    """What holds when no map is given: Battery Data Format, and a name from the file that will be written."""
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in out.stem.lower()).strip("-")[:80]
    facts = Facts(name=name or "cell")
    return Map(format=1, borrow=LENDER, source="no map was given", cell=facts), cellfile.load(LENDER)[1]


def bdf_columns(path: Path, header: Sequence[str]) -> Columns:
    """Columns of a file in the Battery Data Format. Raises ScenarioError that names what is missing."""
    found = {key: next((name for name in names if name in header), None) for key, names in BDF.items()}
    missing = [key for key in ("time", "voltage", "current") if found[key] is None]
    if missing:
        shown = ", ".join(f'"{name}"' for name in header[:8]) + (" ..." if len(header) > 8 else "")
        wanted = " and ".join(f'"{BDF[key][0]}" or "{BDF[key][1]}"{_close(BDF[key], header)}' for key in missing)
        raise ScenarioError(
            f"{path}: expected columns of the Battery Data Format, missing {wanted}; found {shown}; "
            "name your columns in a map (nabench new map) and give it with --map"
        )
    made = {key: Column(column=name) for key, name in found.items() if name is not None and key != "current"}
    return Columns(current=CurrentColumn(column=str(found["current"]), positive="charge"), **made)


def _close(names: Sequence[str], header: Sequence[str]) -> str:
    """A clause with the column that looks most like one of the names."""
    hints = [hint for name in names if (hint := nearest(name, header)).startswith("; did you mean")]
    return f" ({hints[0].removeprefix('; ')})" if hints else ""


def runs_of(map_: Map, where: str, paths: Sequence[Path]) -> dict[Path, RunFacts]:
    """What the map says of each file. Raises ScenarioError when it speaks of a file that was not given."""
    problems, names = Problems(), [path.name for path in paths]
    for n, run in enumerate(map_.run):
        if run.file not in names:
            problems.found.append(f'{where}: run[{n}].file "{run.file}" is none of the files given{nearest(run.file, names)}')
    problems.settle()
    by_name = {run.file: run for run in map_.run}
    return {path: by_name.get(path.name, RunFacts(file=path.name)) for path in paths}
