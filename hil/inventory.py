"""What there is to use: one list of rows for each word of `nabench list`."""

from __future__ import annotations

from collections.abc import Callable

from hil import calibration, files, requirement, scenario, sources
from hil.plant import cellfile, packfile

Row = dict[str, str]


def _scenarios(pack: str) -> list[Row]:
    rows = []
    for name, path in files.shipped("scenario").items():
        s = files.load(path, scenario.Scenario)
        served = sorted({row.requirement for row in s.expect})
        rows.append(
            {
                "scenario": name,
                "pack": s.pack,
                "seconds": f"{s.duration_s:g}",
                "title": s.title,
                "requirements": " ".join(served),
            }
        )
    return rows


def _faults(pack: str) -> list[Row]:
    from hil.fault.catalogue import catalogue

    rows = []
    for kind in catalogue().values():
        parameters = ", ".join(n if p.default is None else f"{n}={p.default:g}" for n, p in kind.parameters.items())
        rows.append(
            {
                "fault": kind.name,
                "seam": kind.seam,
                "target": kind.example(),
                "with": parameters,
                "title": kind.title,
                "catalogue": kind.catalogue,
            }
        )
    return rows


def _cells(pack: str) -> list[Row]:
    rows = []
    for name in files.shipped("cell"):
        _, cell = cellfile.load(name)
        rows.append(
            {
                "cell": name,
                "chemistry": cell.chemistry,
                "Ah": f"{cell.capacity_Ah:g}",
                "nominal V": f"{cell.nominal_V:g}",
                "assumed": sources.assumed(cell),
                "title": cell.title,
            }
        )
    return rows


def _packs(pack: str) -> list[Row]:
    rows = []
    for name in files.shipped("pack"):
        _, p, _, cell = packfile.load(name)
        rows.append(
            {
                "pack": name,
                "cells": f"{p.series}S{p.strings * p.parallel}P",
                "cell": cell.name,
                "calibration": p.calibration,
                "assumed": sources.assumed(p),
                "title": p.title,
            }
        )
    return rows


def _calibrations(pack: str) -> list[Row]:
    rows = []
    for name in files.shipped("calibration"):
        _, c = calibration.load(name)
        rows.append({"calibration": name, "limits": str(len(c.limit)), "assumed": str(len(c.assumptions())), "title": c.title})
    return rows


def _limits(pack: str) -> list[Row]:
    _, p, _, _ = packfile.load(pack)
    _, c = calibration.load(p.calibration)
    rows = []
    for row in c.limit:
        side = ">" if row.above is not None else "<"
        rows.append({
            "limit": row.label, "condition": f"{row.quantity} {side} {row.threshold:g}", "when": row.when, "tier": row.tier,
            "debounce ms": str(row.debounce_ms), "delay ms": str(row.delay_ms), "reaction": row.reaction, "latch": row.latch,
            "source": row.source,
        })  # fmt: skip
    return rows


def _requirements(pack: str) -> list[Row]:
    rows = []
    for name in files.shipped("requirements"):
        _, file = requirement.load(name)
        for r in file.requirement:
            fdti = "" if r.fdti_ms is None else f"{r.fdti_ms[0]:g}-{r.fdti_ms[1]:g}"
            fhti = "" if r.fhti_ms is None else f"{r.fhti_ms:g}"
            rows.append({"requirement": r.id, "FDTI ms": fdti, "FHTI ms": fhti, "title": r.title, "source": r.source})
    return rows


def _signals(pack: str) -> list[Row]:
    from hil import network

    _, p, _, _ = packfile.load(pack)
    net = network.load("classic", p.n_cells, len(p.ntc_cells), 10_000_000)
    rows = []
    for layout, direction in ((net.to_dut, "to device"), (net.from_dut, "from device")):
        for n, name in enumerate(layout.signal_names):
            signal = net.database.signal(name)
            slot = layout.slot_names[int(layout.signals[n, 0])]
            rows.append(
                {
                    "signal": name,
                    "direction": direction,
                    "frame": slot,
                    "unit": layout.units[n],
                    "comment": signal.comment or "",
                }
            )
    return rows


def _duts(pack: str) -> list[Row]:
    from hil import devices

    return [{"dut": name, "what": what} for name, (what, _) in devices.makers().items()]


LISTS: dict[str, Callable[[str], list[Row]]] = {
    "scenarios": _scenarios,
    "faults": _faults,
    "cells": _cells,
    "packs": _packs,
    "calibrations": _calibrations,
    "limits": _limits,
    "requirements": _requirements,
    "signals": _signals,
    "duts": _duts,
}
