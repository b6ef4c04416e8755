"""nabench new: a commented file to start from."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hil.cli import draft, firmware, from_datasheet, say

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


class What(StrEnum):
    """What can be started."""

    scenario = "scenario"
    cell = "cell"
    pack = "pack"
    calibration = "calibration"
    mapping = "mapping"
    map = "map"
    suite = "suite"
    firmware = "firmware"
    headers = "headers"
    bench = "bench"


# Template to file, NAME standing for the name; and what to do next.
_FILES = {
    What.scenario: {"scenario.toml": "NAME.scenario.toml"},
    What.cell: {"cell.toml": "NAME.toml"},
    What.pack: {"pack.toml": "NAME.toml"},
    What.mapping: {"mapping.toml": "NAME.mapping.toml", "network.toml": "NAME.network.toml"},
    What.map: {"map.toml": "NAME.map.toml"},
    What.bench: {"bench.toml": "NAME.toml"},
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
    What.map: "write your columns into it, then: nabench check {}; nabench fit DATA.csv --map {} --out my-cell.toml",
    What.suite: "pytest {}",
    What.bench: "nabench check {} hvil-open; nabench run hvil-open --bench {}",
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
    pack: Annotated[
        str | None, typer.Option(help="calibration, firmware, headers: the pack that it is for, shipped or a file.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(help="firmware, headers: its network, shipped or a file; classic by default.", show_default=False),
    ] = None,
    cell: Annotated[str | None, typer.Option(help="pack: its cell, shipped or a file, instead of a template.")] = None,
    series: Annotated[int | None, typer.Option(min=1, help="pack: cells, or groups, in a string.")] = None,
    parallel: Annotated[int | None, typer.Option(min=1, help="pack: cells of a group, 1 by default.")] = None,
    strings: Annotated[int | None, typer.Option(min=1, help="pack: strings in parallel, 1 by default.")] = None,
    sheet: Annotated[
        bool, typer.Option("--from-datasheet", help="A cell from what a data sheet gives: the options below, or SHEET.toml.")
    ] = False,
    called: Annotated[str | None, _sheet("--name", "Name of the cell.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="cell of a data sheet, calibration, pack: the file to write.", show_default=False),
    ] = None,
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
    from hil.errors import ScenarioError

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
    if sheet or set(given) - {"name"} or (out is not None and what not in (What.pack, What.calibration)):
        raise ScenarioError("data sheets are for cells: nabench new cell --from-datasheet, with its options or SHEET.toml")
    name = name if called is None else called
    stem = _stem(what, name, out)
    if what in (What.firmware, What.headers):
        others = {"--cell": cell, "--series": series, "--parallel": parallel, "--strings": strings}
        made: tuple[dict[Path, str], str] | None = firmware.files_of(what.value, dir_ / stem, pack, network, others)
    elif network is not None:
        raise ScenarioError(f"--network belongs to new firmware and new headers, not to new {what.value}")
    else:
        made = draft.wanted(what.value, draft.Wish(pack, cell, series, parallel, strings, out), name, dir_)
    _write(*(made if made is not None else _from_templates(what, stem, dir_)))


def _stem(what: What, name: str | None, out: Path | None) -> str:
    """The name, else that of the file to write, else my-WHAT. Raises ScenarioError for one that cannot name files."""
    from hil.errors import ScenarioError

    stem = name if name is not None else out.stem if out is not None else f"my-{what.value}"
    if not _NAME.fullmatch(stem):
        raise ScenarioError(f'name "{stem}": expected small letters, digits and dashes, as in my-{what.value}')
    return stem


def _write(texts: dict[Path, str], then: str) -> None:
    """Write files of which none may be there yet, and say what to do next. Raises ScenarioError, BenchError."""
    from hil import files
    from hil.errors import BenchError, ScenarioError

    there = [path for path in texts if path.exists()]
    if there:
        raise ScenarioError(*(f"{path} exists already; give another name, or remove it first" for path in there))
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write(path, text)
    except OSError as error:
        raise BenchError(f"{error.filename}: cannot be written: {error.strerror}") from None
    for path in texts:
        typer.echo(f"wrote {path}")
    typer.echo(f"next: {then}")


def _from_templates(what: What, name: str, folder: Path) -> tuple[dict[Path, str], str]:
    """Files to write with their texts, and what to do next."""
    sources = {folder / target.replace("NAME", name): _TEMPLATES / source for source, target in _FILES[what].items()}
    texts = {path: source.read_text(encoding="utf-8").replace("NAME", name) for path, source in sources.items()}
    first = next(iter(texts)) if what in (What.scenario, What.cell, What.pack, What.map, What.bench) else folder / name
    return texts, _NEXT[what].replace("{}", str(first))
