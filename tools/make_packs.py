"""Write the packs of the shipped systems and the calibrations that are derived for them.

    python tools/make_packs.py

Cells, shapes and titles stand here; contactors, links, sensors and every threshold follow by hil.derive. What was written by
hand (nfm-16s and its like) is not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from hil import files
from hil.derive import calibration, packs
from hil.derive.packs import Shape


@dataclass(frozen=True)
class System:
    """A shipped pack that is derived. edits: what a person knew better in the calibration, old text and new."""

    name: str
    cell: str
    shape: Shape
    title: str
    edits: tuple[tuple[str, str], ...] = ()


_INVERTER = (
    ('source = "assumption: currents of the cell file',
     'source = "voltage window of a 40 to 60 V inverter over 15 cells, 2.667 to 4.0 V; assumption: currents of the cell file'),
    ("charge_max_V = 4.05", "charge_max_V = 4.0"),
    ("discharge_min_V = 1.5", "discharge_min_V = 2.6667"),
)  # fmt: skip

SYSTEMS = (
    System("pw-starter-4s", "pw-starter-60", Shape(4), "Starter battery: 4 Prussian-white cells in series, 12 V, 60 Ah"),
    System("truck-24v-8s", "lo-truck-100", Shape(8), "Truck start-stop battery: 8 layered-oxide cells in series, 24 V, 100 Ah"),
    System("ev-110s6p", "lo-ev-12", Shape(110, 6), "Traction pack: 110 groups of 6 layered-oxide cells, 400 V, 72 Ah"),
    System("ev-192s", "lo-ev-12", Shape(192, 6), "Traction pack, all that the wire carries: 192 groups of 6 cells, 72 Ah"),
    System("pba-rack", "pba-natron", Shape(32, strings=4), "Data-centre rack: 4 strings of 32 Prussian-blue cells, 50 V"),
    System("nfpp-15s", "nfpp-ess-100", Shape(15), "Off-highway and AGV: 15 NFPP cells in series, 48 V, 100 Ah"),
    System(
        "lo-15s",
        "lo-ess-240",
        Shape(15),
        "Storage for a 40 to 60 V inverter: 15 layered-oxide cells in series, 240 Ah",
        _INVERTER,
    ),
    System("ess-1p", "lo-ess-240", Shape(96), "Storage string of large cells: 96 layered-oxide cells in series, 240 Ah"),
)


def pack_text(system: System) -> str:
    """The pack file."""
    return packs.draft(system.name, system.cell, system.shape, files.folder("pack"), system.title, system.name)


def calibration_text(system: System) -> str:
    """The calibration file, once its pack is there."""
    text = calibration.draft(system.name, system.name)
    for old, new in system.edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def main() -> None:
    """Write all of them."""
    for system in SYSTEMS:
        files.write(files.folder("pack") / f"{system.name}.toml", pack_text(system))
        files.write(files.folder("calibration") / f"{system.name}.toml", calibration_text(system))
        print(system.name)


if __name__ == "__main__":
    main()
