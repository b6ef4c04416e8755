"""Limit rows of a pack: the reference profile's rows, with thresholds that follow from this cell and this pack.

What a row watches, how long, and what follows is that of the reference calibration. A threshold that belongs to the cell is
an anchor of the cell file and the margin to it; one that belongs to the pack is a share of its current, charge or voltage;
all others are the reference's own. Margins to cell voltages do not shrink with the cell: requirements name the same ones for
every chemistry. Hysteresis, taper and spread do, on a cell whose window is narrow.

Rounding goes to steps of the wire, and of an over-current limit downwards, so that no row is laxer than is required.
"""

from __future__ import annotations

from typing import Any

from hil.calibration import Limit
from hil.derive.figures import Figures, digits, down, to_step, up
from hil.plant.cellfile import Limits

# code: (limit of the cell, margin to it)
_VOLTS = {
    "CellOvervoltageMol": ("charge_max_V", -0.05),
    "CellOvervoltageRsl": ("charge_max_V", 0.02),
    "CellOvervoltageMsl": ("absolute_max_V", 0.0),
    "CellOvervoltageCritical": ("absolute_max_V", 0.15),
    "CellUndervoltageMol": ("discharge_min_V", 0.3),
    "CellUndervoltageRsl": ("discharge_min_V", 0.1),
    "CellUndervoltageMsl": ("discharge_min_V", 0.0),
    "CellUndervoltageCritical": ("discharge_min_V", -0.15),
}
_TEMPERATURES = {
    "OvertempChargeMol": ("charge_max_degC", -10.0),
    "OvertempChargeRsl": ("charge_max_degC", -5.0),
    "OvertempChargeMsl": ("charge_max_degC", 0.0),
    "OvertempDischargeMol": ("discharge_max_degC", -10.0),
    "OvertempDischargeRsl": ("discharge_max_degC", -5.0),
    "OvertempDischargeMsl": ("discharge_max_degC", 0.0),
    "UndertempChargeMol": ("charge_min_degC", 10.0),
    "UndertempChargeRsl": ("charge_min_degC", 5.0),
    "UndertempChargeMsl": ("charge_min_degC", 0.0),
    "UndertempDischargeMol": ("discharge_min_degC", 10.0),
    "UndertempDischargeRsl": ("discharge_min_degC", 5.0),
    "UndertempDischargeMsl": ("discharge_min_degC", 0.0),
}
# code: (current of the pack, share beyond it)
_CURRENTS = {
    "OvercurrentChargeMol": ("charge_A", 1.0 / 30.0),
    "OvercurrentChargeRsl": ("charge_A", 1.0 / 10.0),
    "OvercurrentChargeMsl": ("charge_A", 1.0 / 5.0),
    "OvercurrentDischargeMol": ("discharge_A", 1.0 / 45.0),
    "OvercurrentDischargeRsl": ("discharge_A", 1.0 / 9.0),
    "OvercurrentDischargeMsl": ("discharge_A", 1.0 / 5.0),
}
# code: amperes for each ampere-hour of the pack
_OPEN_CURRENTS = {"CurrentOffset": 1.0 / 15.0, "CurrentOnOpen": 2.0 / 3.0}
_HYSTERESIS_PER_H = 1.0 / 15.0

_WIDE_V = 2.0
_REFERENCE_SPAN_V = 2.6
_DEEP_V, _DEEP_SHARE = 1.0, 1.0 / 3.0
_INSULATION_LEAST_KOHM, _INSULATION_KOHM_PER_V = 50.0, 0.5
_SUPPLY_V, _SUPPLY_24_V = 8.0, 18.0


def narrowness(limits: Limits) -> float:
    """How much smaller than the reference's the small margins of a cell with a narrow voltage window are; 1 for a wide one."""
    span_V = limits.charge_max_V - limits.discharge_min_V
    return 1.0 if span_V >= _WIDE_V else span_V / _REFERENCE_SPAN_V


def current_step(amps: float) -> float:
    """The step to which a threshold near this current is rounded: a whole number of the wire's 5 mA, 0.1 % at most."""
    return next((step for step in (0.05, 0.1, 0.5) if step >= amps * 1e-3), 1.0)


def rows(reference: list[Limit], limits: Limits, figures: Figures, supply_V: float) -> list[dict[str, Any]]:
    """Every limit row as it stands in a file, in the reference's order."""
    out = []
    for row in reference:
        table = row.model_dump(exclude_unset=True)
        found = _derived(row, limits, figures, supply_V)
        if found is not None:
            table[row.side], table["hysteresis"], why = found
            table["source"] = f"assumption: {why}"
        out.append(table)
    return out


def _derived(row: Limit, limits: Limits, figures: Figures, supply_V: float) -> tuple[float, float, str] | None:
    """Threshold, hysteresis and reason of a row that belongs to cell or pack; None for any other."""
    narrow = narrowness(limits)
    if row.code in _VOLTS:
        key, margin_V = _VOLTS[row.code]
        volts = getattr(limits, key) + margin_V
        if row.code == "CellOvervoltageRsl":  # not beyond the tier that follows, where the cell leaves little room
            volts = min(volts, limits.absolute_max_V)
        return to_step(volts, 1e-3), _shrunk(row.hysteresis, narrow), _margin(key, margin_V, "V")
    if row.code in _TEMPERATURES:
        key, margin_K = _TEMPERATURES[row.code]
        return to_step(getattr(limits, key) + margin_K, 0.1), row.hysteresis, _margin(key, margin_K, "K")
    if row.code in _CURRENTS:
        key, share = _CURRENTS[row.code]
        amps = getattr(figures, key)
        why = f"{100 * share:.3g} % above the {amps:g} A that the cells of the pack stand together"
        return down(amps * (1.0 + share), current_step(amps)), digits(figures.pack_Ah * _HYSTERESIS_PER_H, 1), why
    if row.code in _OPEN_CURRENTS:
        amps = digits(figures.pack_Ah * _OPEN_CURRENTS[row.code], 1)
        return amps, digits(0.5 * amps, 1), f"{_OPEN_CURRENTS[row.code]:.2g} A for each Ah of the pack, with open contactors"
    if row.code == "DeepDischarge":
        deep_V = max(limits.discharge_min_V - _DEEP_V, limits.discharge_min_V * _DEEP_SHARE)
        why = "a third of discharge_min_V, at most 1 V below it; counted and kept, as 0 V is recoverable but not free"
        return to_step(deep_V, 0.01), _shrunk(row.hysteresis, narrow), why
    if row.code == "CellSpread":
        spread_V = to_step(row.threshold * narrow, 0.01)
        return spread_V, _shrunk(row.hysteresis, narrow), f"{1000 * spread_V:g} mV from the mean"
    if row.code in ("InsulationLow", "InsulationWarning"):
        low_kohm = max(_INSULATION_LEAST_KOHM, up(figures.top_V * _INSULATION_KOHM_PER_V, 50.0))
        is_low = row.code == "InsulationLow"
        why = f"500 ohm/V of a {figures.top_V:.4g} V pack, 50 kohm at least" if is_low else "twice the error limit"
        return low_kohm * (1.0 if is_low else 2.0), row.hysteresis, why
    if row.code == "SupplyLow":
        is_24_V = supply_V >= _SUPPLY_24_V
        return _SUPPLY_V * (1 + is_24_V), row.hysteresis, "24 V supply" if is_24_V else "12 V supply"
    return None


def _margin(key: str, margin: float, unit: str) -> str:
    """A threshold in words."""
    beside = "" if margin == 0.0 else f" {'+' if margin > 0.0 else '-'} {abs(margin):g} {unit}"
    return f"{key} of the cell file{beside}, as the reference profile has it"


def _shrunk(hysteresis_V: float, narrow: float) -> float:
    """A hysteresis of a cell voltage, 10 mV at least."""
    return hysteresis_V if narrow == 1.0 else max(to_step(hysteresis_V * narrow, 0.005), 0.01)
