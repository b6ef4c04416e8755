"""A folder `data` of one's own CSV files with its map: a recorded discharge in ms, mV, mA and per cent, to be changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from command import changed, nabench

from firmware_sim.types import F64
from hil.score import recorded

MAP = """
format = 1
source = "made for a test"
temperature_degC = 25.0

[columns]
time = { column = "ms", scale = 0.001 }
voltage = { column = "mV", scale = 0.001 }
current = { column = "mA", scale = 0.001, positive = "charge" }
soc = { column = "percent", scale = 0.01 }

[cell]
name = "own"
capacity_Ah = 1.5
charge_max_V = 4.1
discharge_min_V = 1.5

[score]
soc_uncertainty = 0.015
"""
COUNTED = ('soc = { column = "percent", scale = 0.01 }\n', "")
TIME, VOLT, AMPS, SOC = range(4)
(SET,) = recorded.sets()
CASE = recorded.case(SET, "2c-2-1", "discharge")


def begin() -> None:
    """Make the folder with the map in it, here."""
    Path("data").mkdir()
    Path("data/own.map.toml").write_text(MAP)


def table() -> F64:
    """A recorded discharge as s, V, A (positive discharges) and SOC."""
    return np.column_stack([np.arange(len(CASE.cell_V)), CASE.cell_V, CASE.current_A, CASE.reference])


def write(rows: F64, name: str = "run.csv", head: str = "ms,mV,mA,percent") -> None:
    """Rows in ms, mV, mA (positive charges) and per cent."""
    units = rows * np.array([1e3, 1e3, -1e3, 100.0])
    lines = [head, *(",".join(f"{value:.7g}" for value in row) for row in units)]
    Path("data", name).write_text("\n".join(lines) + "\n")


def use(*pairs: tuple[str, str]) -> None:
    """Change the map."""
    Path("data/own.map.toml").write_text(changed(MAP, *pairs))


def refused(*words: object) -> list[str]:
    """What the command complains about; it prints nothing else."""
    ran = nabench("score", "--data", "data", *words, "--method", "counting", "--json")
    assert (2, "") == (ran.code, ran.out), ran.err
    return ran.problems
