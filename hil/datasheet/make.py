"""A cell file from a data sheet, checked as `nabench check` would before anybody sees it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil import files, sources
from hil.datasheet import borrow, text
from hil.datasheet import sheet as sh
from hil.errors import ScenarioError
from hil.plant.cellfile import Cell


@dataclass(frozen=True)
class Made:
    """The text of a cell file and what it holds. notes: what is seldom meant.  like: name of the cell borrowed from."""

    text: str
    cell: Cell
    notes: list[str]
    like: str

    @property
    def borrowed(self) -> list[str]:
        """Tables that rest on the other cell."""
        return [name for name, table in self.cell.tables().items() if table.confidence == sources.ASSUMED]


def make(path: Path, data: dict[str, Any]) -> Made:
    """A cell file from the contents of a sheet. path: how messages call it. Raises ScenarioError with all that is wrong."""
    sheet, like = sh.load(path, data)
    try:
        contents = borrow.build(sheet, like)
    except ScenarioError as error:
        raise ScenarioError(*(f"{path}: {problem}" for problem in error.problems)) from None
    head = (
        f"Written by nabench new cell --from-datasheet; what the data sheet does not give is borrowed from {like.name}.",
        "source and confidence of each table say which is which. Put measurements in their place as you get them.",
    )
    written = text.cell(contents, head)
    return Made(written, files.decode(path, tomllib.loads(written), Cell), sh.notes(sheet, like), like.name)


def describe(path: Path) -> str:
    """A sheet file in a few words. Raises ScenarioError with all that is wrong with it."""
    made = make(path, files.read_toml(path))
    return f'data sheet of "{made.cell.name}": {made.cell.capacity_Ah:g} Ah; the rest like {made.like}'
