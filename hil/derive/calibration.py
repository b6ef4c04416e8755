"""A whole calibration for a pack: limits, belief, and all that hangs on the size of the pack, in one commented file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hil import calibration as form
from hil import calibration_tables as tables
from hil import files
from hil.derive import belief, limits, mixed, text
from hil.derive.figures import Figures, digits, of, to_step, up
from hil.derive.flat import FLAT, is_flat
from hil.errors import ScenarioError
from hil.plant import packfile
from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack
from hil.tables import interp

REFERENCE = "nfm-16s"
_HEAD = """\
What the BMS of pack "{pack}" believes and how it decides; docs/protection.md and docs/estimation.md say what each key means.
A draft by nabench new calibration from cell "{cell}" and the reference profile (calibration "{reference}"): no figure was
fitted to this pack. Replace what you know better, and write where it is from into its source.
  nabench check {name}.toml"""
# Above the first row of each kind.
_GROUPS = {
    "limit:CellOvervoltageMol": "---- Cell voltage: operating limit, recommended safety limit, safety limit, far beyond",
    "limit:OvertempChargeMol": "---- Temperature, by the direction of the current",
    "limit:OvercurrentChargeMol": "---- Current of the whole pack",
    "limit:CellDataLost": "---- Data that is lost, invalid or not plausible: those of the reference profile",
    "limit:MainPlusFeedback": "---- Contactors and precharge",
    "limit:HvilOpen": "---- Lines and surroundings",
}
_MOST_A = 1990.0  # the wire carries 2000 A and 1310 V; what is rounded or drifts stays below
_MOST_V = 1300.0
# temperature above the cell's lowest [K]: share of the largest current; practice table for sodium-ion
_COLD_CHARGE = ((0.0, 0.1), (10.0, 0.3), (20.0, 1.0))
_COLD_DISCHARGE = ((0.0, 0.0), (10.0, 1.0 / 3.0), (20.0, 2.0 / 3.0), (30.0, 1.0))


def draft(pack_name: str, name: str) -> str:
    """Text of a calibration for a pack, by shipped name or path.

    Raises ScenarioError with what is wrong with pack or cell, or what of them does not fit the wire.
    """
    path, pack, _, cell = packfile.load(pack_name)
    figures = of(pack, cell)
    data = _data(name, pack, cell, figures)
    others = [other for _, other in packfile.others(path, pack)]
    if others:
        data = mixed.join([data, *(_data(name, pack, other, of(pack, other)) for other in others)], pack)
    problems = _misfits(pack, figures, data)
    if problems:
        raise ScenarioError(*(f"{path}: {problem}" for problem in problems))
    files.decode(Path(f"{name}.toml"), data, form.Calibration)
    head = _HEAD.format(pack=pack.name, cell=", ".join([cell.name, *pack.group_cells()]), reference=REFERENCE, name=name)
    return text.document(data, {**_tables(), **_GROUPS}, head)


def _misfits(pack: Pack, figures: Figures, data: dict[str, Any]) -> list[str]:
    """What would not work on the wire, or could never be precharged."""
    found = []
    for key, code in (("charge", "OvercurrentChargeMsl"), ("discharge", "OvercurrentDischargeMsl")):
        most_A = next(row["above"] for row in data["limit"] if row["code"] == code)
        if most_A > _MOST_A:
            found.append(
                f"the cells stand {getattr(figures, f'{key}_A'):g} A of {key} together and would be switched off at "
                f"{most_A:g} A; the wire carries at most 2000 A"
            )
    if figures.top_V > _MOST_V:
        found.append(f"series {pack.series} makes {figures.top_V:g} V; the wire carries at most 1310 V")
    share = pack.link.bleed_ohm / (pack.link.bleed_ohm + pack.contactors.precharge_ohm)
    full = data["precharge"]["link_share"]
    if share < full + 0.01:
        found.append(
            f"link.bleed_ohm {pack.link.bleed_ohm:g} and contactors.precharge_ohm {pack.contactors.precharge_ohm:g} hold the "
            f"link at {share:.2f} of the pack voltage; expected {full + 0.01:g} or more, or precharge would never end"
        )
    return found


def _tables() -> dict[str, str]:
    """What each table is for, in the words of its model."""
    whole = {name: field.annotation for name, field in form.Calibration.model_fields.items()}
    parts = {f"model.{name}": field.annotation for name, field in tables.Model.model_fields.items()}
    found = {name: kind.__doc__ for name, kind in {**whole, **parts}.items() if isinstance(kind, type)}
    return {name: said.splitlines()[0] for name, said in found.items() if said and name not in ("name", "title", "format")}


def _data(name: str, pack: Pack, cell: Cell, figures: Figures) -> dict[str, Any]:
    """All of the file, in its order."""
    _, reference = form.load(REFERENCE)
    shape = f"{pack.series}S" + (f"{figures.parallel}P" if figures.parallel > 1 else "")
    shape += f", {pack.strings} strings" if pack.strings > 1 else ""
    return {
        "format": 1,
        "name": name,
        "title": f"{shape} of {cell.name}, {figures.pack_Ah:.3g} Ah: derived from cell and pack",
        "e2e": reference.e2e.model_dump(),
        "age_ms": reference.age_ms.model_dump(),
        "start": reference.start.model_dump(),
        "precharge": _precharge(reference, pack, figures),
        "contactors": _contactors(reference, pack, figures),
        "plausibility": _plausibility(reference, figures),
        "power": _power(reference, cell, figures),
        "filter": _filter(reference, cell, figures),
        "model": belief.model(cell, figures),
        "limit": limits.rows(reference.limit, cell.limits, figures, pack.surroundings.supply_V),
    }


def _precharge(reference: form.Calibration, pack: Pack, figures: Figures) -> dict[str, Any]:
    """Times by the time constant of path and link, end current by what the path can carry."""
    tau_ms = 1000.0 * pack.contactors.precharge_ohm * pack.link.capacitance_F
    most_A = figures.top_V / pack.contactors.precharge_ohm
    seen_A = 4.0 * (pack.sensors.shunt.offset + pack.sensors.shunt.noise)
    return {
        **reference.precharge.model_dump(),
        "source": f"reference profile 1.4 for tries and pauses. Path and link have a time constant of {tau_ms:.3g} ms: ten of "
        f"them for time-out when that is longer, half of one as shortest time; at the end a seventh of the first "
        f"{most_A:.3g} A, or what the shunt makes out: assumption",
        "timeout_ms": max(reference.precharge.timeout_ms, int(up(10.0 * tau_ms, 500.0))),
        "min_ms": max(10, int(to_step(0.5 * tau_ms - 4.0, 10.0))),
        "end_A": max(digits(most_A / 7.0, 1), digits(seen_A, 1)),
    }


def _contactors(reference: form.Calibration, pack: Pack, figures: Figures) -> dict[str, Any]:
    """Ten times its travel for a contact to close, twice and 20 ms to follow."""
    close_ms, open_ms = pack.contactors.close_ms, pack.contactors.open_ms
    return {
        **reference.contactors.model_dump(),
        "source": "assumption: ten times the travel to close, twice and 20 ms to settle; opening at less than C/3 is easy",
        "close_ms": max(100, int(up(10.0 * close_ms, 10.0))),
        "settle_ms": int(up(2.0 * max(close_ms, open_ms) + 20.0, 10.0)),
        "open_max_A": digits(figures.pack_Ah / 3.0, 1),
    }


def _plausibility(reference: form.Calibration, figures: Figures) -> dict[str, Any]:
    """Steps as shares of the pack's charge."""
    return {
        **reference.plausibility.model_dump(),
        "source": "assumption: a current step of a fifth of 1C moves any cell by more than its sensor's step; rest below C/30",
        "rest_A": digits(figures.pack_Ah / 30.0, 1),
        "stuck_step_A": digits(figures.pack_Ah / 5.0, 1),
        "direction_step_A": digits(figures.pack_Ah / 5.0, 1),
    }


def _filter(reference: form.Calibration, cell: Cell, figures: Figures) -> dict[str, Any]:
    """The reference's noise figures, those of a flat curve where the cell has one; errors of the current for this pack."""
    size = figures.string_Ah / reference.model.capacity_Ah
    said = f"assumption: as tuned for calibration {REFERENCE} on another cell; current error scaled to the capacity"
    sodium = {**reference.filter.sodium.model_dump(), "source": said}
    if is_flat(cell):
        sodium |= {
            **FLAT,
            "source": f"{said}; flat curve: searched on simulated NVPF cells (nabench score, seeds 7 and 11; seed 1 is judged)",
        }
    for key, power in (("current_error_A", 1), ("bias_sigma_A", 1), ("bias_walk_A2_per_s", 2)):
        sodium[key] = digits(float(sodium[key]) * size**power, 2)
    return {
        **reference.filter.model_dump(),
        "source": said,
        "confidence": "assumption",
        "current_error_A": digits(reference.filter.current_error_A * size, 1),
        "sodium": {**sodium, "confidence": "assumption"},
    }


def _power(reference: form.Calibration, cell: Cell, figures: Figures) -> dict[str, Any]:
    """Currents over temperature from the cell's windows, tapers from its voltage span and its resistance."""
    stands = cell.limits
    charge = [(stands.charge_min_degC + at, share) for at, share in _COLD_CHARGE]
    charge = [(charge[0][0] - 10.0, 0.0), *charge, (stands.charge_max_degC - 5.0, 1.0), (stands.charge_max_degC, 0.0)]
    discharge = [(stands.discharge_min_degC + at, share) for at, share in _COLD_DISCHARGE]
    discharge += [(stands.discharge_max_degC - 15.0, 1.0), (stands.discharge_max_degC, 0.0)]
    charge, discharge = _rising(charge), _rising(discharge)
    temp_degC = sorted({25.0, *(at for at, _ in charge), *(at for at, _ in discharge)})
    narrow = limits.narrowness(stands)
    warm = min(range(len(cell.resistance.temp_degC)), key=lambda j: abs(cell.resistance.temp_degC[j] - 25.0))
    fast_ohm = max(cell.resistance.r0_ohm[warm][-1] + cell.resistance.r1_ohm[warm][-1], 1e-6)
    stable_V = up(1.5 * stands.charge_max_A * fast_ohm, 0.01)
    return {
        "source": f"assumption: currents of the cell file; 0.1, 0.3 and 1 of the charge current at 0, 10 and 20 K above "
        f"charge_min_degC, thirds of the discharge current at 10, 20 and 30 K above discharge_min_degC, none at the hot ends; "
        f"taper of the reference profile, but wide enough that a charger that obeys does not oscillate: 1.5 x "
        f"{stands.charge_max_A:g} A x {fast_ohm:.3g} ohm",
        "confidence": "assumption",
        "temp_degC": temp_degC,
        "charge_A": _over(temp_degC, charge, figures.charge_A),
        "discharge_A": _over(temp_degC, discharge, figures.discharge_A),
        "charge_max_V": stands.charge_max_V,
        "charge_taper_V": max(to_step(reference.power.charge_taper_V * narrow, 0.01), stable_V),
        "discharge_min_V": stands.discharge_min_V,
        "discharge_taper_V": to_step(reference.power.discharge_taper_V * narrow, 0.01),
    }


def _rising(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of a course over temperature; where a narrow window lets hot and cold ends cross, the hot end decides."""
    hot = points[-2:]
    return [point for point in points[:-2] if point[0] < hot[0][0]] + hot


def _over(temp_degC: list[float], points: list[tuple[float, float]], amps: float) -> list[float]:
    """A current over temperature from shares at some points."""
    shares = interp(np.array(temp_degC), [at for at, _ in points], [share for _, share in points])
    return [digits(float(share) * amps, 4) for share in shares]
