"""Is everything there that a pack needs: each cell and sensor once, and the roles without which a bench cannot run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hil.binding import NEEDED_RX, NEEDED_TX
from hil.network import Network

_MOST_NAMED = 8
_FAMILIES = {"cell": ("CellVoltage", 3), "sensor": ("CellTemperature", 2)}


@dataclass(frozen=True)
class Coverage:
    """text: what is there.  wrong: what cannot be.  missing: roles that nothing plays, which a run needs."""

    text: str
    wrong: tuple[str, ...]
    missing: tuple[str, ...]


def cover(network: Network, n_cells: int | None = None, n_sensors: int | None = None) -> Coverage:
    """What a network has of cells and roles. n_cells, n_sensors: of a pack; without them numbers must only have no gap."""
    texts, wrong = [], []
    names = network.to_dut.signal_names
    for (word, (family, digits)), wanted in zip(_FAMILIES.items(), (n_cells, n_sensors), strict=True):
        numbers = [int(match[1]) for name in names if (match := re.fullmatch(rf"{family}_(\d+)", name))]
        found = sorted(set(numbers))
        twice = [k for k in found if numbers.count(k) > 1]
        count = wanted if wanted is not None else max(found, default=-1) + 1
        absent = [k for k in range(count) if k not in set(found)]
        if absent:
            named = ", ".join(f"{family}_{k:0{digits}}" for k in absent[:_MOST_NAMED])
            more = f" and {len(absent) - _MOST_NAMED} more" if len(absent) > _MOST_NAMED else ""
            wrong.append(f"{word}s that no signal carries: {named}{more}; there are {len(found)} of {count}")
        if twice:
            named = ", ".join(f"{family}_{k:0{digits}}" for k in twice[:_MOST_NAMED])
            wrong.append(f"{word}s that are carried twice: {named}")
        if found and not absent and not twice:
            texts.append(f"{len(found)} {word}s, each once")
    there = set(names) | set(network.from_dut.signal_names)
    missing = [name for name in (*NEEDED_RX, *NEEDED_TX) if name not in there]
    missing += [f"{family}_{0:0{digits}}" for family, digits in _FAMILIES.values() if f"{family}_{0:0{digits}}" not in there]
    return Coverage(", ".join(texts) if texts else "no cells", tuple(wrong), tuple(missing))
