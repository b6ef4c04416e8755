"""The cell file of the NVPF / hard-carbon cell, and what each table rests on."""

from __future__ import annotations

from nfm_model import Cell, array, tables

CURVES = (
    "Chayambuka et al., Electrochimica Acta 404 (2022) 139726 and 139764, 3 mAh lab cell, 25 degC, digitised by "
    "github.com/BattMoTeam/BattMo.jl ea2f1f9 (MIT)"
)
SCALED = "scaled from 2.83 mAh to 0.7 Ah by equal voltage at equal C rate; that a commercial 18650 behaves so: assumption"

EXTRAS = """
[self_discharge]
source = "assumption: 3 % a month as quoted for sodium-ion cells in general; 50 kJ/mol"
confidence = "assumption"
share_per_month = 0.03
activation_kJ_per_mol = 50.0

[ageing]
source = "assumption: no law was found; 20 % in 4000 full cycles, polyanion cells are held to last longer than layered oxides"
confidence = "assumption"
calendar_share_per_sqrt_year = 0.025
activation_kJ_per_mol = 50.0
cycle_share_per_full_cycle = 5e-5
overvoltage_V = 4.25
overvoltage_share_per_hour = 0.002
resistance_per_capacity = 1.5

[deep]
source = "assumption: an aluminium collector does not dissolve at 0 V, yet capacity is lost by a stay there (Carter et al., Energies 18 (2025) 661); how much was not found"
confidence = "assumption"
reverse_V = -1.0
loss_share_per_hour = 0.001

[plating]
source = "assumption: hard carbon works within tens of mV of sodium metal on its plateau (Nanoscale Horizons 2025, d5nh00471c); half of the overvoltage at the anode"
confidence = "assumption"
margin_full_V = 0.02
margin_empty_V = 0.3
anode_share = 0.5

[runaway]
source = "gas 0.05 mol/Ah and 0.07 mol/Ah when overcharged, vent gas at most 265 degC: Ferdigg and Essl, Batteries 11 (2025) 323, NVPF cell; such cells heat themselves by less than 1 K/min (Carter et al., Energies 18 (2025) 661), so little heat and a late onset are taken: assumption"
confidence = "assumption"
onset_degC = 220.0
activation_kJ_per_mol = 120.0
heat_J_per_Ah = 2500.0
gas_mol_per_Ah = 0.05
overcharge_gas_mol_per_Ah = 0.07
cid_mol = 0.0
hcn = false
"""


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
mass_kg = 0.037

[capacity]
source = "assumption: size of a power 18650 (Tiamat class); mass of an 18650; together 70 Wh/kg, between 47 measured on a power 18650 (Carter et al., Energies 18 (2025) 661) and 90 on a 17.6 Ah cell (Ferdigg and Essl, Batteries 11 (2025) 323)"
confidence = "assumption"

[limits]
source = "4.2 to 4.25 V and 2.0 V: Chayambuka et al. 2022 and makers of this class; currents 1C and 2C, since the lab cell was measured up to 1.4C; temperatures and absolute limits: assumption"
confidence = "assumption"
charge_max_V = 4.25
absolute_max_V = 4.35
discharge_min_V = 2.0
absolute_min_V = 0.0
charge_max_A = 0.7
discharge_max_A = 1.4
charge_min_degC = 0.0
charge_max_degC = 45.0
discharge_min_degC = -20.0
discharge_max_degC = 60.0"""
    tail = f"""
[thermal]
source = "assumption: 1000 J/kg/K; neighbours and room in still air"
confidence = "assumption"
heat_capacity_J_per_K = 37.0
neighbour_W_per_K = 0.1
coolant_W_per_K = 0.1

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
    return "\n".join([head, *tables(cell, source), tail, EXTRAS])
