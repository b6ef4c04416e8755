"""nabench new: a commented file to start from."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hil.cli import draft, say

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


class What(StrEnum):
    """What can be started."""

    scenario = "scenario"
    cell = "cell"
    pack = "pack"
    calibration = "calibration"
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


def new(
    what: Annotated[What, typer.Argument(help="What to start.", metavar="WHAT", parser=say.one_of(What))],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Its name; my-WHAT by default.", show_default=False)
    ] = None,
    dir_: Annotated[Path, typer.Option("--dir", help="Folder to write to; made when it is missing.")] = Path(),
    pack: Annotated[str | None, typer.Option(help="calibration: the pack that it is for, shipped or a file.")] = None,
    cell: Annotated[str | None, typer.Option(help="pack: its cell, shipped or a file, instead of a template.")] = None,
    series: Annotated[int | None, typer.Option(min=1, help="pack: cells, or groups, in a string.")] = None,
    parallel: Annotated[int | None, typer.Option(min=1, help="pack: cells of a group, 1 by default.")] = None,
    strings: Annotated[int | None, typer.Option(min=1, help="pack: strings in parallel, 1 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="calibration, pack: the file to write.", show_default=False)] = None,
) -> None:
    """Write a commented file (for a suite a folder) to start from. Nothing that exists is overwritten."""
    from hil import files
    from hil.errors import BenchError, ScenarioError

    stem = f"my-{what.value}" if name is None and out is None else name if name is not None else str(out and out.stem)
    if not _NAME.fullmatch(stem):
        raise ScenarioError(f'name "{stem}": expected small letters, digits and dashes, as in my-{what.value}')
    derived = draft.wanted(what.value, draft.Wish(pack, cell, series, parallel, strings, out), name, dir_)
    texts, then = derived if derived is not None else _from_templates(what, stem, dir_)
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
    first = next(iter(texts)) if what in (What.scenario, What.cell, What.pack) else folder / name
    return texts, _NEXT[what].replace("{}", str(first))
