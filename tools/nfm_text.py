"""What the fit of the layered-oxide 18650 writes: cell file and belief, with the source of each table; and how files differ."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from nfm_extras import ASSUMED, law_tables
from nfm_model import HEAT_CAPACITY_J_PER_K, Cell, tables

RIG = "TU Berlin, DOI 10.14279/depositonce-25036, CC BY 4.0 (tables: github.com/DNV007/delivered-energy-decomposition 4fcb643)"
HAKADI_REPOSITORY = "github.com/MaxMax-embedded/hakadi_soidum_ion_18650 a13c42d (CC0)"
LIMITS = (
    f"Hakadi data sheet as quoted with {HAKADI_REPOSITORY}: 1C charge, 3C discharge, 1.5 to 4.1 V, charge -10 to 45 degC, "
    "discharge -30 to 60 degC; absolute limits: assumption"
)
THERMAL = "assumption: 1000 J/kg/K; neighbours in still air. coolant_W_per_K is fitted"
COLD = "row of -20 degC: assumption, 5 degC row times one Arrhenius factor"
SLIDE = "assumption: 20 to 60 per unit SOC is usual, 40 taken; neither rig has partial cycles to fit it"


def cell_text(cell: Cell, activation_kJ_per_mol: float, smallest_half_V: float, cold_reach: float) -> str:
    """The cell file, with what the fit chose: smallest half width of the loop, reach at -20 degC."""
    energy = f"{activation_kJ_per_mol:.1f} kJ/mol"
    source = {
        "ocv": f"measured: {RIG}: voltage after 6 min of rest at 25 degC, each branch over its share of throughput; "
        f"half width at least {smallest_half_V * 1e3:g} mV; slope below empty fitted to the charge at 35 and 45 degC",
        "hysteresis": SLIDE,
        "resistance": f"fitted: {RIG}: 1C pulses at 0.02, 1 and 10 s at the rested voltages where they were taken, "
        f"and 1C segments of 42 s; tau2 chosen; {COLD} of {energy}",
        "reach": f"fitted: {RIG}: share such that circuit and table together give the charge of the 1C checkup discharge at "
        "5 and 15 degC; the circuit alone gives 0.94 of the 25 degC charge at 5 degC where 0.816 was measured; from 25 degC "
        f"on 1, the rest is circuit; {cold_reach} at -20 degC: assumption",
        "entropy": f"measured: {RIG}: mean of discharge and charge",
    }
    head = f"""format = 1
name = "nfm-18650"
title = "Layered oxide / hard carbon, retail 18650, 1.5 Ah"
chemistry = "NFM/HC"
nominal_V = 3.1
capacity_Ah = {cell.capacity_Ah:.5f}
mass_kg = 0.037

[capacity]
source = "{RIG}: charge at 25 degC and the lowest measured rate, 1C segments of 42 s with 6 min rests (0.1C on average)"
confidence = "measured"

[limits]
source = "{LIMITS}"
confidence = "datasheet"
charge_max_V = 4.1
absolute_max_V = 4.2
discharge_min_V = 1.5
absolute_min_V = 0.0
charge_max_A = 1.5
discharge_max_A = 4.5
charge_min_degC = -10.0
charge_max_degC = 45.0
discharge_min_degC = -30.0
discharge_max_degC = 60.0"""
    thermal = f"""
[thermal]
source = "{THERMAL}: {RIG}: warming in continuous discharges at 1C, 2C, 3C"
confidence = "assumption"
heat_capacity_J_per_K = {HEAT_CAPACITY_J_PER_K}
neighbour_W_per_K = 0.1
coolant_W_per_K = {cell.coolant_W_per_K:.3f}
"""
    laws = law_tables(cell, RIG, f"two cells of {HAKADI_REPOSITORY}")
    return "\n".join([head, *tables(cell, source), thermal.rstrip(), *laws, ASSUMED])


class Fitted(NamedTuple):
    """Recorded runs that a belief is fitted to. cell: which, in words.  discharges: how many, and their range of charge."""

    runs: tuple[str, ...]
    cell: str
    discharges: str


CELL_1 = Fitted(
    ("0c5-1-1", "0c75-1-1", "1c-1-1", "1c5-1-1", "2c-1-1"),
    f"cell 1 (runs *-1-1) of {HAKADI_REPOSITORY}",
    "five discharges (0.5C to 2C, 1.47 to 1.54 Ah)",
)
CELL_2 = Fitted(
    ("0c5-2-1", "0c5-2-2", "0c75-2-1", "1c-2-1", "1c-2-2", "05_1c-2-3", "1c5-2-1", "1c5-2-2", "2c-2-1"),
    f"cell 2 (runs *-2-*) of {HAKADI_REPOSITORY}",
    "nine discharges (0.5C to 2C, 1.45 to 1.49 Ah)",
)


def belief_text(cell: Cell, of: Fitted) -> str:
    """The part of a calibration file that says what the BMS believes about the cell."""
    source = {
        "ocv": f"fitted: constant-current discharges and recharges of {of.cell}; never rested, so it leans on "
        f"[model.resistance], and the loop on what two rigs report; slope below empty: {RIG}",
        "hysteresis": SLIDE,
        "resistance": f"fitted: a factor over SOC to constant-current discharges and recharges of {of.cell}; course over "
        f"temperature, tau1 and tau2: {RIG}; {COLD}",
        "reach": f"fitted: charge at 5 and 15 degC relative to 25 degC: {RIG}; -20 degC: assumption",
        "entropy": f"measured: {RIG}: mean of discharge and charge",
    }
    head = f"""[model]
source = "mean charge of the {of.discharges} of {of.cell}; Hall sensor, few % uncertain"
confidence = "measured"
capacity_Ah = {cell.capacity_Ah:.5f}"""
    return "\n".join([head, *tables(cell, source, "model."), ""])


def with_belief(text: str, belief: str) -> str:
    """A calibration file with its [model] tables replaced; they stand between [model] and the first [[limit]]."""
    head, tail = text.index("[model]"), text.index("[[limit]]")
    return text[:head] + belief + "\n" + text[tail:]


def differences(here: Any, there: Any, where: str = "") -> list[str]:
    """Key paths at which two decoded files differ; numbers may differ by 0.2 %, since libraries round differently."""
    if isinstance(here, dict) and isinstance(there, dict) and here.keys() == there.keys():
        return [line for key in here for line in differences(here[key], there[key], f"{where}.{key}")]
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        return [line for k, pair in enumerate(zip(here, there, strict=True)) for line in differences(*pair, f"{where}[{k}]")]
    if isinstance(here, float) and isinstance(there, float):
        same = math.isclose(here, there, rel_tol=2e-3, abs_tol=1e-6)
    else:
        same = here == there
    return [] if same else [f"{where.removeprefix('.')}: file has {there!r}, fit gives {here!r}"]
