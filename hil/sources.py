"""How much of a file is measured and how much is assumed: its numbers, counted by the confidence of their table.

A number is any number that stands in a table with `source` and `confidence`; the capacity of a cell counts to its table
[capacity]. Numbers that no table holds (format, series, nominal voltage, mass) describe and are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack
from hil.tables import Confidence, Sourced

LEVELS: tuple[str, ...] = get_args(Confidence)
ASSUMED = "assumption"


def count(value: Any) -> int:
    """Numbers in a value of a file, in its tables and lists too; true and false are none."""
    if isinstance(value, BaseModel):
        return sum(count(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, Mapping):
        return sum(count(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(count(item) for item in value)
    return int(isinstance(value, int | float) and not isinstance(value, bool))


def by_table(document: Cell | Pack) -> dict[str, tuple[Sourced, int]]:
    """Every sourced table of a file with the count of its numbers."""
    found = {name: (table, count(table)) for name, table in document.tables().items()}
    if isinstance(document, Cell):
        found["capacity"] = (document.capacity, 1)
    return found


def by_confidence(document: Cell | Pack) -> dict[str, int]:
    """Count of numbers at each level of confidence, in the order of trust; levels without a number are left out."""
    counts = dict.fromkeys(LEVELS, 0)
    for table, n in by_table(document).values():
        counts[table.confidence] += n
    return {level: n for level, n in counts.items() if n}


def assumed_share(document: Cell | Pack) -> float:
    """Numbers in tables of confidence "assumption" over all numbers; 0 when there are none."""
    counts = by_confidence(document)
    total = sum(counts.values())
    return counts.get(ASSUMED, 0) / total if total else 0.0


def assumed(document: Cell | Pack) -> str:
    """That share in words: "2 % of 1240 numbers, 30 % in tables that are so in part, 2 of 8 tables"."""
    tables = document.tables().values()
    whole = sum(table.confidence == ASSUMED for table in tables)
    total = sum(by_confidence(document).values())
    in_part = sum(n for table, n in by_table(document).values() if partly(table))
    more = f", {percent(in_part / total)} in tables that are so in part" if in_part else ""
    return f"{percent(assumed_share(document))} of {total} numbers{more}, {whole} of {len(tables)} tables"


def percent(share: float) -> str:
    """A share as a whole percentage; what is more than nothing does not read as nothing."""
    return "< 1 %" if 0.0 < share < 0.005 else f"{100 * share:.0f} %"


def partly(table: Sourced) -> bool:
    """True when a table is not an assumption as a whole, but its source says that a part of it is one."""
    return table.confidence != ASSUMED and ASSUMED in table.source.lower()
