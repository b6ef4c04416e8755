"""Write the packs of the shipped systems and the calibrations that are derived for them.

    python tools/make_packs.py

Cells, shapes and titles stand here; contactors, links, sensors and every threshold follow by hil.derive, but for the mends:
what a system must do and the derivation cannot know. What was written by hand (nfm-16s and its like) is not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from hil import files
from hil.derive import calibration, packs
from hil.derive.packs import Shape


@dataclass(frozen=True)
class System:
    """A shipped pack that is derived. mends: parts of the derived calibration, each with what stands there instead.
    groups: cells of other kinds, with the first and the last of each.
    """

    name: str
    cell: str
    shape: Shape
    title: str
    mends: tuple[tuple[str, str], ...] = ()
    groups: tuple[tuple[str, int, int], ...] = ()


_THIRDS = "thirds of the discharge current at 10, 20 and 30 K above discharge_min_degC"
_STARTER_SAYS = (
    "of the discharge current none at discharge_min_degC, 0.83 at 10 K and all at 20 K above it, by hand: a starter battery "
    "says what a crank may draw, and 750 A at -30 degC leave 13.1 V - 4 x 750 A x 1.95 mohm = 7.2 V"
)
_TRUCK_SAYS = (
    "of the discharge current none at discharge_min_degC, 0.7, 0.85 and all at 10, 20 and 30 K above it, by hand: a start at "
    "-40 degC is claimed, and 700 A leave 29.3 V - 8 x 700 A x 2.4 mohm = 15.9 V there"
)
_STARTER = (
    ("discharge_A = [0.0, 300.0, 600.0, 900.0, ", "discharge_A = [0.0, 750.0, 900.0, 900.0, "),
    (_THIRDS, _STARTER_SAYS),
)
_TRUCK = (
    ("discharge_A = [0.0, 333.3, 666.7, 1000.0, ", "discharge_A = [0.0, 700.0, 850.0, 1000.0, "),
    (_THIRDS, _TRUCK_SAYS),
)
_INVERTER_DEGC = [-20.0, -10.0, 0.0, 5.0, 10.0, 20.0, 25.0, 45.0, 50.0, 55.0, 60.0]
_INVERTER_SAYS = (
    "of the charge current none up to 5 K, 0.3 and all at 10 and 20 K above charge_min_degC, by hand: below 5 K the "
    "recommended limit stops it, so that offer and stop would take turns"
)
_INVERTER = (
    ("charge_max_V = 4.05\n", "charge_max_V = 4.0\n"),
    ("discharge_min_V = 1.5\n", "discharge_min_V = 2.6667\n"),
    (
        "assumption: currents of the cell file",
        "voltage window of a 40 to 60 V inverter over 15 cells, 2.667 to 4.0 V; assumption: currents of the cell file",
    ),
    (
        "temp_degC = [-20.0, -10.0, 0.0, 10.0, 20.0, 25.0, 45.0, 50.0, 55.0, 60.0]\ncharge_A = [0.0, 0.0, 12.0, 36.0, ",
        f"temp_degC = {_INVERTER_DEGC}\ncharge_A = [0.0, 0.0, 0.0, 0.0, 36.0, ",
    ),
    ("discharge_A = [0.0, 80.0, 160.0, 240.0, ", "discharge_A = [0.0, 80.0, 160.0, 200.0, 240.0, "),
    ("0.1, 0.3 and 1 of the charge current at 0, 10 and 20 K above charge_min_degC", _INVERTER_SAYS),
)
SYSTEMS = (
    System(
        "pw-starter-4s", "pw-starter-60", Shape(4), "Starter battery: 4 Prussian-white cells in series, 12 V, 60 Ah", _STARTER
    ),
    System(
        "truck-24v-8s",
        "lo-truck-100",
        Shape(8),
        "Truck start-stop battery: 8 layered-oxide cells in series, 24 V, 100 Ah",
        _TRUCK,
    ),
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
    System(
        "ab-na-lfp-16s",
        "lo-ev-12",
        Shape(16),
        "AB pack in series: 8 layered-oxide and 8 LFP cells of 12 Ah, 48 V",
        groups=(("lfp-12", 8, 15),),
    ),
    System(
        "ab-na-nmc-16s",
        "lo-ev-12",
        Shape(16),
        "AB pack in series: 8 layered-oxide and 8 NMC cells of 12 Ah, 53 V",
        groups=(("nmc811-12", 8, 15),),
    ),
    System(
        "ab-na-lfp-2x16s",
        "lo-ev-12",
        Shape(16, strings=2),
        "AB pack of parallel strings: 16 layered-oxide cells beside 16 LFP cells, 12 Ah each, 50 V",
        groups=(("lfp-12", 16, 31),),
    ),
    System(
        "ab-na-nmc-2x16s",
        "lo-ev-12",
        Shape(16, strings=2),
        "AB pack of parallel strings: 16 layered-oxide cells beside 16 NMC cells, 12 Ah each, 55 V",
        groups=(("nmc811-12", 16, 31),),
    ),
    System("nvpf-16s", "nvpf-hc", Shape(16), "Bench pack of a plateau chemistry: 16 NVPF cells in series, 59 V, 0.7 Ah"),
    System("ess-1p", "lo-ess-240", Shape(96), "Storage string of large cells: 96 layered-oxide cells in series, 240 Ah"),
)


def pack_text(system: System) -> str:
    """The pack file."""
    text = packs.draft(system.name, system.cell, system.shape, files.folder("pack"), system.title, system.name)
    rows = [f'\n[[group]]\ncell = "{cell}"\nfirst = {first}\nlast = {last}\n' for cell, first, last in system.groups]
    return text + "".join(rows)


def calibration_text(system: System) -> str:
    """The calibration file."""
    text = calibration.draft(system.name, system.name)
    for found, instead in system.mends:
        if text.count(found) != 1:
            raise ValueError(
                f'{system.name}: "{found}" stands {text.count(found)} times in the derived calibration; expected once'
            )
        text = text.replace(found, instead)
    return text


def main() -> None:
    """Write all of them."""
    for system in SYSTEMS:
        files.write(files.folder("pack") / f"{system.name}.toml", pack_text(system))
        files.write(files.folder("calibration") / f"{system.name}.toml", calibration_text(system))
        print(system.name)


if __name__ == "__main__":
    main()
