"""nabench new: a commented file to start from."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hil.cli import from_datasheet, say

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


class What(StrEnum):
    """What can be started."""

    scenario = "scenario"
    cell = "cell"
    pack = "pack"
    mapping = "mapping"
    suite = "suite"


# Template to file, NAME standing for the name; and what to do next.
_FILES = {
    What.scenario: {"scenario.toml": "NAME.scenario.toml"},
    What.cell: {"cell.toml": "NAME.toml"},
    What.pack: {"pack.toml": "NAME.toml"},
    What.mapping: {"mapping.toml": "NAME.mapping.toml", "network.toml": "NAME.network.toml"},
    What.suite: {
        "suite/README.md": "NAME/README.md",
        "suite/pytest.ini": "NAME/pytest.ini",
        "suite/protection.py.txt": "NAME/test_protection.py",
        "scenario.toml": "NAME/NAME.scenario.toml",
    },
}
_NEXT = {
    What.scenario: "nabench run {}",
    What.cell: "nabench check {}; then nabench new pack, and write this file into it as its cell",
    What.pack: "nabench check {}; then nabench new scenario, and write this file into it as its pack",
    What.mapping: "put your DBC beside it as {}.dbc, fill in its names, then: nabench check {}.network.toml",
    What.suite: "pytest {}",
}


def _sheet(option: str, text: str) -> Any:
    """An option that only --from-datasheet knows."""
    return typer.Option(option, help=text, rich_help_panel="With --from-datasheet", show_default=False)


def new(
    what: Annotated[What, typer.Argument(help="What to start.", metavar="WHAT", parser=say.one_of(What))],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Its name; my-WHAT by default. Or a data sheet, SHEET.toml.", show_default=False),
    ] = None,
    dir_: Annotated[Path, typer.Option("--dir", help="Folder to write to; made when it is missing.")] = Path(),
    sheet: Annotated[
        bool, typer.Option("--from-datasheet", help="A cell from what a data sheet gives: the options below, or SHEET.toml.")
    ] = False,
    called: Annotated[str | None, _sheet("--name", "Name of the cell.")] = None,
    out: Annotated[Path | None, _sheet("--out", "File to write; NAME.toml by default.")] = None,
    like: Annotated[str | None, _sheet("--like", "Cell to borrow from; one of the same chemistry by default.")] = None,
    source: Annotated[str | None, _sheet("--source", "The data sheet: maker, type, revision.")] = None,
    chemistry: Annotated[str | None, _sheet("--chemistry", "As in nabench list cells.")] = None,
    capacity: Annotated[float | None, _sheet("--capacity", "Ah at 25 degC and a low rate.")] = None,
    charge_max: Annotated[float | None, _sheet("--charge-max-V", "End of charge.")] = None,
    discharge_min: Annotated[float | None, _sheet("--discharge-min-V", "End of discharge.")] = None,
    nominal: Annotated[float | None, _sheet("--nominal-V", "Nominal voltage.")] = None,
    absolute_max: Annotated[float | None, _sheet("--absolute-max-V", "Never above.")] = None,
    absolute_min: Annotated[float | None, _sheet("--absolute-min-V", "Never below.")] = None,
    mass: Annotated[float | None, _sheet("--mass-kg", "Mass.")] = None,
    charge: Annotated[float | None, _sheet("--charge-max-A", "Largest charge current.")] = None,
    discharge: Annotated[float | None, _sheet("--discharge-max-A", "Largest discharge current.")] = None,
    charge_cold: Annotated[float | None, _sheet("--charge-min-degC", "Coldest for charge.")] = None,
    charge_hot: Annotated[float | None, _sheet("--charge-max-degC", "Hottest for charge.")] = None,
    discharge_cold: Annotated[float | None, _sheet("--discharge-min-degC", "Coldest for discharge.")] = None,
    discharge_hot: Annotated[float | None, _sheet("--discharge-max-degC", "Hottest for discharge.")] = None,
    ocv: Annotated[str | None, _sheet("--ocv", 'Rested voltage over SOC: "0:1.99,0.2:2.72,1:3.99".')] = None,
    resistance: Annotated[
        str | None, _sheet("--resistance", 'Ohm over degC, DC after 10 s, not AC: "-20:0.12,25:0.02".')
    ] = None,
) -> None:
    """Write a commented file (for a suite a folder) to start from. Nothing that exists is overwritten."""
    from hil import files
    from hil.errors import BenchError, ScenarioError

    is_file = name is not None and name.lower().endswith(".toml")
    typed = {
        "name": called if called is not None or is_file else name, "like": like, "source": source, "chemistry": chemistry,
        "capacity_Ah": capacity, "charge_max_V": charge_max, "discharge_min_V": discharge_min, "nominal_V": nominal,
        "absolute_max_V": absolute_max, "absolute_min_V": absolute_min, "mass_kg": mass, "charge_max_A": charge,
        "discharge_max_A": discharge, "charge_min_degC": charge_cold, "charge_max_degC": charge_hot,
        "discharge_min_degC": discharge_cold, "discharge_max_degC": discharge_hot, "ocv": ocv, "resistance": resistance,
    }  # fmt: skip
    given = {key: value for key, value in typed.items() if value is not None}
    if sheet and what is What.cell:
        from_datasheet.write(Path(str(name)) if is_file else None, given, dir_, out)
        return
    if sheet or out is not None or called is not None or set(given) - {"name"}:
        raise ScenarioError("data sheets are for cells: nabench new cell --from-datasheet, with its options or SHEET.toml")
    name = f"my-{what.value}" if name is None else name
    if not _NAME.fullmatch(name):
        raise ScenarioError(f'name "{name}": expected small letters, digits and dashes, as in my-{what.value}')
    wanted = {dir_ / target.replace("NAME", name): _TEMPLATES / source for source, target in _FILES[what].items()}
    there = [path for path in wanted if path.exists()]
    if there:
        raise ScenarioError(*(f"{path} exists already; give another name, or remove it first" for path in there))
    try:
        for path, template in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, template.read_text(encoding="utf-8").replace("NAME", name))
    except OSError as error:
        raise BenchError(f"{error.filename}: cannot be written: {error.strerror}") from None
    for path in wanted:
        typer.echo(f"wrote {path}")
    first = next(iter(wanted)) if what in (What.scenario, What.cell, What.pack) else dir_ / name
    typer.echo(f"next: {_NEXT[what].replace('{}', str(first))}")
