"""What a verdict rests on without a source: tables and rows of the files that are assumptions, those that matter first.

A table matters when a judgement of the run is made with it: the requirement itself, the limits of the calibration that
report what the requirement waits for, the cell's limits and tables behind the quantity that starts its clock, and what the
kind of expectation looks at. The others went into the run too and may matter in ways that nobody can list; they follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hil import sources
from hil.plant.cellfile import Cell
from hil.requirement import Requirement
from hil.scenario import Expect, Inputs
from hil.tables import Sourced

_MODEL = ("capacity", "ocv", "hysteresis", "resistance", "reach", "entropy", "rate", "slow")
# Tables behind an expectation, by its kind; "cell.*" for all of a file.
_KINDS = {
    "reaction": ("calibration.e2e", "calibration.age_ms", "calibration.contactors", "pack.contactors", "pack.sensors"),
    "quiet": ("cell.*", "pack.spread", "pack.sensors", "calibration.plausibility", "calibration.power", "calibration.age_ms"),
    "signal": ("calibration.start",),
    "contactors": ("calibration.start", "calibration.precharge", "calibration.contactors", "pack.contactors", "pack.link"),
    "precharge": ("calibration.precharge", "pack.contactors", "pack.link"),
    "soc": ("calibration.filter", "calibration.model.*", *(f"cell.{name}" for name in _MODEL), "pack.sensors", "pack.spread"),
    "within": (
        "calibration.power",
        "calibration.pulse",
        "calibration.filter",
        "calibration.model.*",
        "pack.sensors",
        "pack.spread",
    ),
}
# Tables behind the quantity that starts a clock.
_QUANTITIES = {
    "cell_voltage": ("cell.limits", *(f"cell.{name}" for name in _MODEL), "pack.spread"),
    "cell_temperature": ("cell.limits", "cell.thermal", "cell.entropy", "pack.surroundings"),
    "discharge_current": ("cell.limits", "pack.sensors"),
    "charge_current": ("cell.limits", "pack.sensors", "calibration.power"),
}
# Tables behind a signal, by the beginning of its name.
_SIGNALS = {
    "BMS_ChargeAllowed": ("calibration.power",),
    "BMS_ChargeCurrentLimit": ("calibration.power",),
    "BMS_ChargeVoltageLimit": ("calibration.power",),
    "BMS_Discharge": ("calibration.power",),
    "BMS_CellVoltage": ("pack.sensors", "pack.spread", *(f"cell.{name}" for name in _MODEL)),
    "BMS_Temperature": ("pack.sensors", "cell.thermal", "cell.entropy"),
    "BMS_Precharge": _KINDS["precharge"],
    "BMS_Soc": _KINDS["soc"],
    "CellSoc": _KINDS["soc"],
}


@dataclass(frozen=True)
class Assumption:
    """One assumption in words. matters: a judgement of the run is made with it."""

    text: str
    matters: bool


def assumptions(i: Inputs, judged: set[str], others: Sequence[Cell] = ()) -> list[Assumption]:
    """All assumptions that went into a run, those that matter first.

    judged: ids of the requirements of its findings.  others: further kinds of cell in the pack.
    """
    required = [r for r in i.requirements.requirement if r.id in judged]
    touched = _touched([row for row in i.scenario.expect if row.requirement in judged], required)
    found = [Assumption(f"requirement {r.id}: {r.source}", True) for r in required if sources.ASSUMED in r.source]
    found += _limits(i, {code for r in required for code in r.codes} | _flags(i))
    for key, text in _tables(i, others):
        whole = key.rpartition(".")[0] + ".*"
        found.append(Assumption(text, key in touched or whole in touched))
    return [a for a in found if a.matters] + [a for a in found if not a.matters]


def shares(i: Inputs, others: Sequence[Cell] = ()) -> list[str]:
    """How much of the cells and the pack is assumed."""
    return [f"cell {cell.name}: {sources.assumed(cell)}" for cell in (i.cell, *others)] + [
        f"pack {i.pack.name}: {sources.assumed(i.pack)}"
    ]


def _touched(expected: list[Expect], required: list[Requirement]) -> set[str]:
    keys = {key for row in expected for key in _KINDS[row.kind]}
    for row in expected:
        if row.kind == "signal":
            keys |= {key for start, more in _SIGNALS.items() if row.signal.startswith(start) for key in more}
    return keys | {key for r in required if r.trigger is not None for key in _QUANTITIES[r.trigger.quantity]}


def _flags(i: Inputs) -> set[str]:
    """Codes whose flags an expectation looks at."""
    return {row.signal.removeprefix("Diag_") for row in i.scenario.expect if row.kind == "signal"}


def _limits(i: Inputs, codes: set[str]) -> list[Assumption]:
    """Limits of the calibration, those with one source together."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for row in i.calibration.limit:
        if sources.ASSUMED in row.source:
            groups.setdefault((row.code in codes, row.source), []).append(row.code)
    return [
        Assumption(
            f"calibration {i.calibration.name}, {'limit' if len(rows) == 1 else 'limits'} {', '.join(rows)}: {source}", on
        )
        for (on, source), rows in groups.items()
    ]


def _tables(i: Inputs, others: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    """Key and words of every table that is an assumption, as a whole or in part."""
    files: tuple[tuple[str, str, dict[str, Sourced]], ...] = (
        *(("cell", cell.name, cell.tables()) for cell in (i.cell, *others)),
        ("pack", i.pack.name, i.pack.tables()),
        ("calibration", i.calibration.name, i.calibration.tables()),
    )
    for kind, name, tables in files:
        for key, table in tables.items():
            if table.confidence == sources.ASSUMED or sources.partly(table):
                part = " (in part)" if sources.partly(table) else ""
                yield f"{kind}.{key}", f"{kind} {name}, {key}{part}: {table.source}"
