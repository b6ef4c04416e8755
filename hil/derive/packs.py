"""A pack of one kind of cell: contactors, link and sensors of its voltage class, sized by its current."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil import files
from hil.derive import text
from hil.derive.figures import digits, to_step
from hil.plant import cellfile
from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack

_HEAD = """\
A pack of cell "{cell}", drafted by nabench new pack; docs/packs.md says what each key means. Contactors, link and sensors are
those of its voltage class: assumptions, to be replaced by what stands in your data sheets.
  nabench new calibration --pack {name}.toml    what the BMS believes and decides by
  nabench check {name}.toml"""
_COMMENTS = {
    "spread": "Standard deviations over the cells, drawn from the seed",
    "contactors": "Travel times, resistance of each closed contact, of the precharge path, and of a string's bus bars",
    "link": "What lies behind the contactors",
    "sensors": "Standard deviations of gain and offset over sensors, noise of a sample, smallest step; V, degC, A",
    "surroundings": "Insulation against chassis, supply of the BMS",
}
_NO_CONTACTORS = "; such a battery often has one switch and no precharge, the wire has three contacts"
_FEW_NTC, _MOST_NTC, _CELLS_PER_NTC = 6, 64, 8


@dataclass(frozen=True)
class VoltageClass:
    """What is usual up to a voltage. contact_ohm: of a contact for a current class that a starter or traction pack needs."""

    title: str
    up_to_V: float
    contact_ohm: float
    precharge_ohm: float
    capacitance_F: float
    bleed_ohm: float
    supply_V: float
    note: str = ""
    clamp_V: float | None = None


CLASSES = (
    VoltageClass("12 V network", 20.0, 0.0001, 22.0, 0.002, 5_000.0, 12.6, _NO_CONTACTORS, 35.0),
    VoltageClass("24 V network", 40.0, 0.0001, 22.0, 0.0033, 5_000.0, 25.2, _NO_CONTACTORS),
    VoltageClass("48 V inverter", 100.0, 0.0003, 47.0, 0.0022, 10_000.0, 12.6),
    VoltageClass("400 V inverter", 500.0, 0.0003, 47.0, 0.0011, 50_000.0, 12.6),
    VoltageClass("800 V inverter", 1_300.0, 0.0003, 100.0, 0.0006, 100_000.0, 12.6),
)
_BUSBAR_PER_JOINT_OHM = 0.00005  # between two cells, or groups of cells, of tens of ampere-hours
_SMALL_AH, _SMALL_JOINT_OHM = 5.0, 0.00025  # nickel strip between small cells


def class_of(top_V: float) -> VoltageClass:
    """The voltage class of a pack that is full at this voltage."""
    return next((each for each in CLASSES if top_V <= each.up_to_V), CLASSES[-1])


def sensor_places(n_cells: int) -> list[int]:
    """Cells on which temperature sensors sit: one for every eighth, six at least where there are as many, spread evenly."""
    n = min(n_cells, _MOST_NTC, max(_FEW_NTC, n_cells // _CELLS_PER_NTC))
    return sorted({round(j * (n_cells - 1) / max(n - 1, 1)) for j in range(n)})


@dataclass(frozen=True)
class Shape:
    """How many cells stand how: series of groups of parallel cells, strings side by side."""

    series: int
    parallel: int = 1
    strings: int = 1


def draft(name: str, cell_name: str, shape: Shape, folder: Path, title: str = "", calibration: str = "") -> str:
    """Text of a pack file that will lie in a folder. title, calibration: instead of the usual ones. Raises ScenarioError."""
    cell_path, cell = cellfile.load(cell_name)
    shipped = files.shipped("cell").get(cell_name) == cell_path
    data = _data(name, cell_name if shipped else _beside(cell_path, folder), cell, shape)
    data |= {key: value for key, value in (("title", title), ("calibration", calibration)) if value}
    files.decode(folder / f"{name}.toml", data, Pack)
    return text.document(data, _COMMENTS, _HEAD.format(cell=cell.name, name=name))


def _beside(path: Path, folder: Path) -> str:
    """A path as it is written into a file of a folder."""
    beside = Path(os.path.relpath(path, folder)).as_posix()
    return beside if "/" in beside or beside.endswith(".toml") else f"./{beside}"


def _data(name: str, cell_name: str, cell: Cell, shape: Shape) -> dict[str, Any]:
    series, parallel, strings = shape.series, shape.parallel, shape.strings
    stands, abreast = cell.limits, parallel * strings
    top_V, most_A = series * stands.charge_max_V, stands.discharge_max_A * abreast
    kind = class_of(top_V)
    joint_ohm = _BUSBAR_PER_JOINT_OHM if cell.capacity_Ah * parallel >= _SMALL_AH else _SMALL_JOINT_OHM
    said = f"{series}S" + (f"{parallel}P" if parallel > 1 else "") + (f", {strings} strings" if strings > 1 else "")
    volt = {"gain_share": 0.002, "offset": digits(top_V * 1.5e-4, 1), "noise": digits(top_V * 7.5e-5, 1), "step": 0.001}
    return {
        "format": 1,
        "name": name,
        "title": f"{said} of {cell.name}: {kind.title}, {cell.capacity_Ah * abreast:.3g} Ah",
        "cell": cell_name,
        "calibration": f"{name}-bms.toml",
        "series": series,
        **({"parallel": parallel} if parallel > 1 else {}),
        **({"strings": strings} if strings > 1 else {}),
        "ntc_cells": sensor_places(series * strings),
        "spread": {
            "source": "100 fresh sodium-ion cells: capacity CV 2.1 %; resistance 3.6 to 3.9 % over three cells (TUB); "
            "divided by the root of the cells of a group; SOC and OCV: assumption",
            "confidence": "literature",
            "capacity_share": digits(0.02 / parallel**0.5, 2),
            "resistance_share": digits(0.038 / parallel**0.5, 2),
            "soc": 0.005,
            "ocv_V": 0.002,
        },
        "contactors": {
            "source": f"assumption: contactors of a {kind.title}, {1e3 * joint_ohm:g} mohm a joint between cells{kind.note}",
            "confidence": "assumption",
            "close_ms": 20.0,
            "open_ms": 10.0,
            "contact_ohm": kind.contact_ohm,
            "precharge_ohm": kind.precharge_ohm,
            "busbar_ohm": digits(joint_ohm * series, 3),
        },
        "link": {
            "source": f"assumption: {kind.title} with {1e3 * kind.capacitance_F:g} mF"
            + (f"; load dump held to {kind.clamp_V:g} V (ISO 16750-2, test B, central suppression)" if kind.clamp_V else ""),
            "confidence": "assumption",
            "capacitance_F": kind.capacitance_F,
            "bleed_ohm": kind.bleed_ohm,
            **({"clamp_V": kind.clamp_V} if kind.clamp_V is not None else {}),
        },
        "sensors": {
            "source": "assumption: 16-bit front end, 10 k NTC, shunt and dividers for the pack's current and voltage",
            "confidence": "assumption",
            "cell": {"gain_share": 0.0, "offset": 0.0005, "noise": 0.0003, "step": 0.0001},
            "ntc": {"gain_share": 0.0, "offset": 0.3, "noise": 0.05, "step": 0.1},
            "shunt": {
                "gain_share": 0.002,
                "offset": max(0.003, digits(most_A * 2e-4, 1)),
                "noise": max(0.003, digits(most_A * 1e-4, 1)),
                "step": max(0.001, to_step(most_A * 5e-5, 0.005)),
            },
            "pack": volt,
            "link": volt,
        },
        "surroundings": {
            "source": "assumption: a new, dry pack and a charged battery of the vehicle or plant",
            "confidence": "assumption",
            "insulation_kohm": 10_000.0,
            "supply_V": kind.supply_V,
        },
    }
