"""The figures of a whole pack that thresholds are measured by, and rounding as a person rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack

_ROOM = 1e-9  # of a float: 240.0000000001 is 240


@dataclass(frozen=True)
class Figures:
    """What a pack stands and holds.

    parallel: cells of a group.  string_Ah: what a cell on the wire holds, a group of cells in parallel.  pack_Ah: all strings.
    charge_A, discharge_A: largest currents of the whole pack, both magnitudes.  top_V, bottom_V: pack at its voltage limits.
    """

    parallel: int
    string_Ah: float
    pack_Ah: float
    charge_A: float
    discharge_A: float
    top_V: float
    bottom_V: float


def of(pack: Pack, cell: Cell) -> Figures:
    """Figures of a pack of one kind of cell."""
    abreast = pack.parallel * pack.strings
    return Figures(
        parallel=pack.parallel,
        string_Ah=cell.capacity_Ah * pack.parallel,
        pack_Ah=cell.capacity_Ah * abreast,
        charge_A=cell.limits.charge_max_A * abreast,
        discharge_A=cell.limits.discharge_max_A * abreast,
        top_V=cell.limits.charge_max_V * pack.series,
        bottom_V=cell.limits.discharge_min_V * pack.series,
    )


def digits(value: float, n: int) -> float:
    """A value to n significant digits."""
    return float(f"{value:.{n - 1}e}")


def to_step(value: float, step: float) -> float:
    """The nearest whole number of steps."""
    return round(round(value / step) * step, 9)


def down(value: float, step: float) -> float:
    """The largest whole number of steps that does not lie above a value."""
    return round(math.floor(value / step + _ROOM) * step, 9)


def up(value: float, step: float) -> float:
    """The smallest whole number of steps that does not lie below a value."""
    return round(math.ceil(value / step - _ROOM) * step, 9)
