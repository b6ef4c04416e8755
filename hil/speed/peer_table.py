"""The plant beside other solvers, for people, and which targets it meets."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from hil.speed.peers import OURS
from hil.speed.table import Target, verdicts

NAMES = {"thevenin": "thevenin", "pybamm": "PyBaMM"}
_AT_LEAST = {"thevenin": 1000.0, "pybamm": 5000.0}
_SIZES = ("1", "96")
_DIFFERENCE_MV = 1.0


def targets(found: dict[str, Any]) -> list[Target]:
    """Every target that this measurement has a figure for."""
    out = []
    for peer, limit in _AT_LEAST.items():
        ratios = found[f"ratio_vs_{peer}"]["compiled"]
        sizes = [size for size in _SIZES if size in ratios]
        out += [Target(f"compiled, {cells_of(n)}: times {NAMES[peer]}", ratios[n], limit) for n in sizes]
    for peer, difference_mV in found["difference_mV"].items():
        out.append(Target(f"difference of voltage to {NAMES[peer]}, mV", difference_mV, _DIFFERENCE_MV, at_least=False))
    return out


def cells_of(size: str) -> str:
    """A count of cells in words."""
    return f"{size} cell{'' if size == '1' else 's'}"


def show(found: dict[str, Any], console: Console) -> None:
    """Print everything."""
    machine = found["machine"]
    versions = ", ".join(f"{NAMES[peer]} {machine[peer]}" for peer in NAMES if peer in machine)
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average']}; {machine['platform']}; "
        f"Python {machine['python']}, NumPy {machine['numpy']}, Numba {machine['numba']}, {versions}"
    )
    console.print(
        "The plant alone, one circuit: R0, two RC pairs, OCV, at 25 degC. CPU time, interleaved rounds in one process, "
        "medians; ratios of simulated cell-seconds per CPU-second, quartiles in brackets."
    )
    console.print(_stepped(found))
    console.print(_hour(found))
    for peer, difference_mV in found["difference_mV"].items():
        console.print(f"largest difference of voltage to {NAMES[peer]} at 10 ms: {difference_mV:g} mV")
    console.print(verdicts(targets(found)))


def _stepped(found: dict[str, Any]) -> Table:
    table = Table(title="Closed loop, steps of 10 ms", title_justify="left", header_style="bold")
    columns = ("solver", "cells", "step [us]", "cell-s per CPU-s", *(f"x {name}" for name in NAMES.values()))
    for column in columns:
        table.add_column(column, justify="left" if column == "solver" else "right")
    for gear, sizes in found["tick_us"].items():
        for cells, tick_us in sizes.items():
            ratios = [ratio(found, peer, gear, cells) if gear in OURS else "" for peer in NAMES]
            name = f"nabench, {gear}" if gear in OURS else NAMES[gear]
            table.add_row(name, cells, f"{tick_us:,.2f}", f"{found['cell_s_per_cpu_s'][gear][cells]:,.0f}", *ratios)
        table.add_section()
    return table


def ratio(found: dict[str, Any], peer: str, gear: str, cells: str) -> str:
    """A ratio with its quartiles."""
    low, high = found["quartiles"][cells][f"{gear} vs {peer}"]
    return f"{found[f'ratio_vs_{peer}'][gear][cells]:,.0f} ({low:,.0f} to {high:,.0f})"


def _hour(found: dict[str, Any]) -> Table:
    table = Table(title="An hour of one cell at one current, nobody looks between", title_justify="left", header_style="bold")
    for column in ("solver", "CPU [ms]", "cell-s per CPU-s", "voltage at its end [V]"):
        table.add_column(column, justify="left" if column == "solver" else "right")
    for name, row in found["hour"].items():
        solver = f"{NAMES[name]}, its own steps" if name in NAMES else f"nabench, {name}"
        table.add_row(solver, f"{row['cpu_ms']:,.2f}", f"{row['cell_s_per_cpu_s']:,.0f}", f"{row['end_V']:.6f}")
    return table
