"""The cell file as text: every table with its source, its residual, and what of it is borrowed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firmware_sim.types import F64
from hil import files
from hil.fit import residual
from hil.fit.cell import J_PER_KG_K, Made
from hil.fit.model import OCV_SOC, R_SOC
from hil.plant.cellfile import Cell
from hil.tables import MAX_NODES

_SAME_K = 3.0
_LONGEST = 400


def text(made: Made) -> str:
    """The whole file."""
    parts = [
        _head(made), _capacity(made), _limits(made), _ocv(made), _hysteresis(made), _resistance(made), _reach(made),
        _entropy(made), _thermal(made),
    ]  # fmt: skip
    return "\n".join(line for part in parts for line in [*part, ""])


def checked(path: Path, written: str) -> Cell:
    """The cell that a text says. Raises ScenarioError with what `nabench check` would say of it."""
    return files.decode(path, tomllib.loads(written), Cell)


def quoted(words: str) -> str:
    """A TOML string."""
    return json.dumps(_plain(words), ensure_ascii=False)


def _plain(words: str) -> str:
    """Words on one line."""
    return "".join(c if c.isprintable() else " " for c in words)


def array(name: str, values: Sequence[float] | F64, form: str) -> list[str]:
    """Lines of a TOML array, at most ten numbers each."""
    cells = [_number(float(value), form) for value in values]
    if len(cells) <= 16:
        return [f"{name} = [{', '.join(cells)}]"]
    return [f"{name} = [", *(f"  {', '.join(cells[k : k + 10])}," for k in range(0, len(cells), 10)), "]"]


def _number(value: float, form: str) -> str:
    shown = format(value, form)
    return shown if any(c in shown for c in ".e") else f"{shown}.0"


def _table(name: str, confidence: str, source: str) -> list[str]:
    return [f"[{name}]", f"source = {quoted(source)}", f"confidence = {quoted(confidence)}"]


def _borrowed(made: Made, table: str) -> str:
    """Whose table it is, and what that says of itself."""
    said = made.lender.tables()[table].source
    return f"borrowed from {made.map_.borrow} ({said if len(said) <= _LONGEST else said[:_LONGEST] + '...'})"


def _names(made: Made) -> str:
    return ", ".join(report.name for report in made.reports)


def _head(made: Made) -> list[str]:
    facts, capacity_Ah = made.facts, made.tables.capacity_Ah
    mean_V = float(np.trapezoid(made.tables.mean_V, OCV_SOC))
    mass_kg = facts.mass_kg if facts.mass_kg is not None else made.lender.mass_kg * capacity_Ah / made.lender.capacity_Ah
    lines = [
        f"# Fitted by nabench fit; what the data cannot tell is borrowed from {_plain(made.map_.borrow)}.",
        "# Residuals are model less measurement, from 5 to 100 % of the charge; below, the knee is told apart.",
        *(f"# run = {_plain(line)}" for line in run_lines(made)),
        "format = 1",
        f"name = {quoted(facts.name)}",
        f"title = {quoted(facts.title or facts.name)}",
        f"chemistry = {quoted(facts.chemistry)}",
        f"nominal_V = {facts.nominal_V if facts.nominal_V is not None else round(mean_V, 2)}",
        f"capacity_Ah = {capacity_Ah:.5f}",
        f"mass_kg = {mass_kg:.4g}",
    ]
    if facts.mass_kg is None:
        lines[-1] += f"  # assumption: that of {made.map_.borrow} for this capacity"
    return lines


def run_lines(made: Made) -> list[str]:
    """A line a run: residuals, its number for the capacity, what its sensor lost."""
    lines = []
    for report in made.reports:
        parts = [
            f"{kind} {getattr(report, kind)}" for kind in ("discharge", "charge", "rest", "knee") if getattr(report, kind).n
        ]
        parts += [f"capacity x {share:.3f}" for share in report.capacity_share]
        parts += [f"charge returned {100 * drift:.1f} %" for drift in report.drift]
        lines.append(f"{report.name}: {'; '.join(parts)}")
    return lines


def _capacity(made: Made) -> list[str]:
    said = [share for report in made.reports for share in report.capacity_share]
    spread = f"; one number per run, {min(said):.3f} to {max(said):.3f} of it" if len(said) > 1 else ""
    if made.reference is None:
        return _table("capacity", "assumption", f"cell.capacity_Ah of the map; no run goes from full to empty{spread}")
    return _table("capacity", "measured", f"{made.map_.source}: charge of {made.reference.told}{spread}")


def _limits(made: Made) -> list[str]:
    facts, lender = made.facts, made.lender.limits
    size = made.tables.capacity_Ah / made.lender.capacity_Ah
    own = [
        name
        for name in ("charge_max_V", "discharge_min_V", "charge_max_A", "discharge_max_A")
        if getattr(facts, name) is not None
    ]
    seen = [name for name in ("charge_max_V", "discharge_min_V") if name not in own]
    told = [f"{', '.join(own)}: given with the map"] if own else []
    told += [f"{', '.join(seen)}: the ends of the data"] if seen else []
    lines = _table(
        "limits", "assumption", "; ".join([*told, f"the rest {_borrowed(made, 'limits')}, currents for this capacity"])
    )
    high_V, low_V = round(made.volt_ends[0], 3), round(made.volt_ends[1], 3)
    charge_A = facts.charge_max_A if facts.charge_max_A is not None else lender.charge_max_A * size
    discharge_A = facts.discharge_max_A if facts.discharge_max_A is not None else lender.discharge_max_A * size
    values = {
        "charge_max_V": high_V,
        "absolute_max_V": round(high_V + lender.absolute_max_V - lender.charge_max_V, 3),
        "discharge_min_V": low_V,
        "absolute_min_V": min(lender.absolute_min_V, round(low_V - 0.1, 3)),
        "charge_max_A": float(f"{charge_A:.4g}"),
        "discharge_max_A": float(f"{discharge_A:.4g}"),
        **{name: getattr(lender, name) for name in type(lender).model_fields if name.endswith("_degC")},
    }
    return [*lines, *(f"{name} = {float(value)}" for name, value in values.items())]


def loop_words(made: Made) -> str:
    """How far loop width and charge resistance can be told apart."""
    tells = made.fit.known
    if tells.both_rested:
        return "rests after discharge and after charge show both branches"
    if not tells.charge_rates:
        return f"no charge was measured: the loop's width is that of {made.map_.borrow}"
    rates = (
        f"{min(tells.charge_rates):.3g} to {max(tells.charge_rates):.3g} A"
        if tells.loop_apart
        else f"{np.mean(tells.charge_rates):.3g} A"
    )
    apart = "hardly" if tells.loop_apart else "not"
    return (
        f"charges at {rates} and no rests on both branches: loop and charge resistance can {apart} be told apart, and the "
        f"width holds whatever of the charge's voltage does not grow with current; it leans on {made.map_.borrow}"
    )


def _ocv(made: Made) -> list[str]:
    low, _ = made.covered
    every = [getattr(report, kind) for report in made.reports for kind in ("discharge", "charge", "rest")]
    told = [f"{made.map_.source}: {_names(made)}: {residual.pooled(every)} at 5 to 100 %", loop_words(made)]
    if low > 0.02:
        told.append(f"below soc {low:.2f} nothing was measured: the course there is borrowed from {made.map_.borrow}")
    if made.flattened_V > 1e-4:
        told.append(f"dips of up to {1e3 * made.flattened_V:.1f} mV levelled")
    told.append(f"slope below empty borrowed from {made.map_.borrow}")
    lines = _table("ocv", "fitted", "; ".join(told)) + array("soc", OCV_SOC, "g")
    lines += array("discharge_V", made.discharge_V, ".4f") + array("charge_V", made.charge_V, ".4f")
    ends = made.tables.below_V_per_soc, made.tables.above_V_per_soc
    return [*lines, f"below_empty_V_per_soc = {float(ends[0])}", f"above_full_V_per_soc = {float(ends[1])}"]


def _hysteresis(made: Made) -> list[str]:
    source = f"{_borrowed(made, 'hysteresis')}; the width stands in [ocv]"
    return [*_table("hysteresis", "assumption", source), f"decay_per_soc = {float(made.tables.decay_per_soc)}"]


def resistance_words(made: Made) -> tuple[str, str]:
    """Confidence and source of the resistances."""
    tells, lender = made.fit.known, made.map_.borrow
    steps = residual.pooled([report.steps for report in made.reports])
    degC = ", ".join(f"{value:.3g}" for value in tells.data_degC)
    if tells.pulses:
        how = f"current steps at rests along the charge, rows {tells.period_s:.3g} s apart"
        if made.fit.coarse:
            how += ": too far apart for the fast pair, which became part of R0"
        confidence = "fitted"
    else:
        how = "constant current only: it cannot tell resistance from open-circuit voltage, so the course over SOC leans on "
        how += lender
        how += " and the steps at the ends" if tells.rates_apart else " and only its level, from the steps at the ends, is data"
        confidence = "fitted" if tells.rates_apart else "assumption"
        how += f"; the shares of R0, R1, R2 and both time constants are those of {lender}"
    told = f"{made.map_.source}: {how}; within a minute of a current step: {steps}; data at {degC} degC"
    return (
        confidence,
        f"{told}; course over temperature {'beyond these ' if len(tells.data_degC) > 1 else ''}borrowed from {lender}",
    )


def _resistance(made: Made) -> list[str]:
    degC = resistance_degC(made)
    r = np.exp(made.tables.ln_r(degC))
    lines = _table("resistance", *resistance_words(made)) + array("soc", R_SOC, "g") + array("temp_degC", degC, ".4g")
    for pair in range(3):
        rows = [array("", row, ".4g")[0].removeprefix(" = ") for row in r[:, pair]]
        lines += [f"r{pair}_ohm = [", *(f"  {row}," for row in rows), "]"]
    return [*lines, f"tau1_s = {made.tables.tau1_s:.4g}", f"tau2_s = {_number(made.tables.tau2_s, '.4g')}"]


def resistance_degC(made: Made) -> F64:
    """Temperatures of the table: those of the data, and the lender's that are not near one of them."""
    data = np.round(made.tables.data_degC, 1)
    if len(data) == 1:
        return made.tables.base_degC
    apart = [degC for degC in made.tables.base_degC if np.abs(data - degC).min() > _SAME_K]
    ends = sorted(apart, key=lambda degC: -float(np.abs(data - degC).min()))[: MAX_NODES - len(data)]
    return np.sort(np.concatenate([data, ends]))


def _reach(made: Made) -> list[str]:
    lent, tables = made.lender.reach, made.tables
    if np.abs(tables.reach - 1.0).max() < 1e-6:
        lines = _table("reach", "assumption", _borrowed(made, "reach"))
        return [*lines, *array("temp_degC", lent.temp_degC, "g"), *array("share", lent.share, ".4f")]
    data_degC = np.round(tables.data_degC, 1)
    apart = [degC for degC in lent.temp_degC if np.abs(data_degC - degC).min() > _SAME_K]
    degC = np.sort(np.concatenate([data_degC, apart]))[:MAX_NODES]
    cold = ", ".join(f"{value:.3g}" for value in data_degC[np.abs(tables.reach - 1.0) > 1e-6])
    source = f"{made.map_.source}: fitted with the circuit at {cold} degC; elsewhere {_borrowed(made, 'reach')}"
    lines = _table("reach", "fitted", source) + array("temp_degC", degC, "g")
    return lines + array("share", np.clip(tables.reach_at(degC), 0.2, 1.0), ".4f")


def _entropy(made: Made) -> list[str]:
    entropy = made.lender.entropy
    lines = _table("entropy", "assumption", _borrowed(made, "entropy")) + array("soc", entropy.soc, "g")
    return lines + array("dudt_mV_per_K", entropy.dudt_mV_per_K, ".4f")


def _thermal(made: Made) -> list[str]:
    thermal, size = made.fit.thermal, made.tables.capacity_Ah / made.lender.capacity_Ah
    if thermal.n:
        found = f"RMSE {thermal.rmse_K:.2f} K, max {thermal.worst_K:.1f} K, {thermal.n} points"
        source = f"{made.map_.source}: heat capacity and cooling from the logged surface temperature: {found}; "
        source += f"neighbours borrowed from {made.map_.borrow}"
        confidence = "fitted"
    else:
        heat = f"{J_PER_KG_K:g} J/kg/K" if made.facts.mass_kg is not None else "heat capacity for this capacity"
        odd_J_per_K = thermal.odd_J_per_K
        odd = "" if odd_J_per_K is None else f"; the logged temperature gave {odd_J_per_K:.3g} J/K, which no such cell has"
        source, confidence = f"assumption: {heat}; cooling and neighbours {_borrowed(made, 'thermal')}{odd}", "assumption"
    return [
        *_table("thermal", confidence, source),
        f"heat_capacity_J_per_K = {_number(thermal.heat_J_per_K, '.4g')}",
        f"neighbour_W_per_K = {made.lender.thermal.neighbour_W_per_K * size ** (2.0 / 3.0):.3g}",
        f"coolant_W_per_K = {_number(thermal.coolant_W_per_K, '.4g')}",
    ]
