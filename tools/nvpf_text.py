"""The cell file of the NVPF / hard-carbon cell, and what each table rests on."""

from __future__ import annotations

from pathlib import Path

from nfm_model import Cell, tables

CURVES = (
    "Chayambuka et al., Electrochimica Acta 404 (2022) 139726 and 139764, 3 mAh lab cell, 25 degC, digitised by "
    "github.com/BattMoTeam/BattMo.jl ea2f1f9 (MIT)"
)
SCALED = "scaled from 2.83 mAh to 0.7 Ah by equal voltage at equal C rate; that a commercial 18650 behaves so: assumption"

ASSUMED = (Path(__file__).parent / "nvpf-hc.assumed.toml").read_text(encoding="utf-8")


def cell_text(cell: Cell) -> str:
    """The cell file."""
    source = {
        "ocv": f"fitted: {CURVES}: C/20 discharge plus the circuit's own drop at C/20, rising by at least 0.4 mV per % SOC; "
        "a charge branch was not measured, 10 mV above: assumption; ends 2.0 and 4.2 V: published model of that cell",
        "hysteresis": "assumption: 20 to 60 per unit SOC is usual, 40 taken",
        "resistance": f"fitted: {CURVES}: 0.1C, 0.6C, 1.4C discharges; {SCALED}; rows other than 25 degC: assumption, "
        "one Arrhenius factor of 35 kJ/mol, near the layered-oxide cell's 33; tau1 chosen",
        "reach": "assumption: nothing was measured below 25 degC; less lost than by the layered-oxide cell (0.86 at 5 degC)",
        "entropy": "literature: NVP against hard carbon, about -0.20 mV/K from 10 to 90 %, -0.11 at 60 % (Wei et al., "
        "J. Electrochem. Soc. 169 (2022) 050503); that NVPF has the same: assumption",
    }
    if cell.rate is None or cell.slow is None:
        raise ValueError("nvpf-hc: expected a rate law and a third pair")
    head = f"""format = 1
name = "nvpf-hc"
title = "NVPF / hard carbon, 18650 class, 0.7 Ah"
chemistry = "NVPF/HC"
nominal_V = 3.7
capacity_Ah = {cell.capacity_Ah}
mass_kg = 0.037"""
    tail = f"""
[rate]
source = "{CURVES}: 0.1C, 0.6C, 1.4C discharges; {SCALED}; half of R0 kinetic: assumption"
confidence = "fitted"
temp_degC = [25.0]
i0_A = [{cell.rate.i0_A[0]:.3f}]
reference_A = {cell.rate.reference_A:.4f}
r0_share = {cell.rate.r0_share}

[slow]
source = "{CURVES}: 0.1C, 0.6C, 1.4C discharges; no rest was recorded"
confidence = "fitted"
r3_share = {cell.slow.r3_share:.3f}
tau3_s = {cell.slow.tau3_s:.0f}.0"""
    return "\n".join([head, "", ASSUMED.rstrip(), *tables(cell, source), tail, ""])
