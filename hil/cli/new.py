"""nabench new: a commented file to start from."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hil.cli import say

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


class What(StrEnum):
    """What can be started."""

    scenario = "scenario"
    cell = "cell"
    pack = "pack"
    mapping = "mapping"
    map = "map"
    suite = "suite"


# Template to file, NAME standing for the name; and what to do next.
_FILES = {
    What.scenario: {"scenario.toml": "NAME.scenario.toml"},
    What.cell: {"cell.toml": "NAME.toml"},
    What.pack: {"pack.toml": "NAME.toml"},
    What.mapping: {"mapping.toml": "NAME.mapping.toml", "network.toml": "NAME.network.toml"},
    What.map: {"map.toml": "NAME.map.toml"},
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
}


def new(
    what: Annotated[What, typer.Argument(help="What to start.", metavar="WHAT", parser=say.one_of(What))],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Its name; my-WHAT by default.", show_default=False)
    ] = None,
    dir_: Annotated[Path, typer.Option("--dir", help="Folder to write to; made when it is missing.")] = Path(),
) -> None:
    """Write a commented file (for a suite a folder) to start from. Nothing that exists is overwritten."""
    from hil import files
    from hil.errors import BenchError, ScenarioError

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
    first = next(iter(wanted)) if what in (What.scenario, What.cell, What.pack, What.map) else dir_ / name
    typer.echo(f"next: {_NEXT[what].replace('{}', str(first))}")
