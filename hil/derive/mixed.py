"""A calibration for a pack that mixes kinds of cells, joined from those that each kind would have by itself.

Every kind keeps its beliefs, its currents and its rows on cell voltages. What the whole pack has one row for, temperature
and current among it, takes the tightest threshold of all: sodium may discharge at -30 degC, but lithium beside it must not.
The filter's figures are those of the first kind, but that swings of the load teach no resistance: what flows in one string of
several is inferred with the resistance that they would teach, and one figure serves flat kinds too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hil.plant.packfile import Pack


def join(parts: Sequence[dict[str, Any]], pack: Pack) -> dict[str, Any]:
    """One calibration from those of the pack's kinds, in their order; the first is that of the cells that no group names."""
    names = pack.group_cells()
    seen: set[str] = set()
    groups = []
    for group in pack.group:
        row: dict[str, Any] = {"name": group.cell, "first": group.first, "last": group.last}
        if group.cell not in seen:
            part = parts[1 + names.index(group.cell)]
            row |= {"power": part["power"], "model": part["model"]}
        seen.add(group.cell)
        groups.append(row)
    first = parts[0]
    whole = [_tightest([part["limit"][n] for part in parts]) for n in range(len(first["limit"]))]
    own = [
        {"code": row["code"], "group": name, **{key: value for key, value in row.items() if key != "code"}}
        for name, part in zip(names, parts[1:], strict=True)
        for row in part["limit"]
        if _is_of_cells(row)
    ]
    kinds = " and ".join([pack.cell, *names])
    title = f"{pack.series}S, {pack.strings} strings of {kinds}: derived from cells and pack"
    told = {**first["filter"], "sodium": {**first["filter"]["sodium"], "swing_V2s": 0.0}}
    return {**first, "title": title, "filter": told, "group": groups, "limit": [*whole, *own]}


def _is_of_cells(row: dict[str, Any]) -> bool:
    return str(row["quantity"]).startswith("cell_V_") or row["quantity"] == "cell_spread_V"


def _tightest(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row that trips first; of rows on cells the first kind's, since the others have their own."""
    if _is_of_cells(rows[0]):
        return rows[0]
    if rows[0].get("above") is not None:
        return min(rows, key=lambda row: float(row["above"]))
    return max(rows, key=lambda row: float(row["below"]))
