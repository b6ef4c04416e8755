"""The tables of the layered-oxide 18650 beyond voltage, resistance and heat, as TOML, with what each rests on."""

from __future__ import annotations

from nfm_model import Cell, array

# A third pair is too slow for TUB's pulses and 6 min rests; tools/loo_nfm.py finds it in the Hakadi discharges.
R3_SHARE, TAU3_S = 0.17, 1500.0


def law_tables(cell: Cell, rig: str, hakadi: str) -> list[str]:
    """[rate] and [slow]."""
    if cell.rate is None or cell.slow is None:
        return []
    return [
        "",
        "[rate]",
        f'source = "{rig}: 10 s pulses of 2C and 3C at 30, 50 and 70 % SOC, 5 to 45 degC, self-heating within the pulse '
        'counted; below 1C nothing was measured"',
        'confidence = "fitted"',
        *array("temp_degC", cell.rate.degC, "g"),
        *array("i0_A", cell.rate.i0_A, ".3f"),
        f"reference_A = {cell.rate.reference_A}",
        f"r0_share = {cell.rate.r0_share:.3f}",
        "",
        "[slow]",
        f'source = "constant-current discharges of {hakadi} (tools/loo_nfm.py); they see it weakly, a fit without it errs by '
        '2 mV more; nobody has rested such a cell for hours"',
        'confidence = "fitted"',
        f"r3_share = {cell.slow.r3_share}",
        f"tau3_s = {cell.slow.tau3_s}",
    ]


ASSUMED = """
[self_discharge]
source = "assumption: 3 % a month as quoted for sodium-ion cells; makers advise a top-up every 3 to 6 months; 50 kJ/mol"
confidence = "assumption"
share_per_month = 0.03
activation_kJ_per_mol = 50.0

[ageing]
source = "assumption: no calendar law was found in the literature; 2000 to 4500 cycles are claimed for such cells (HiNa), 2500 to 80 % taken, since retail cells fall short of claims, by voltage rather than by rate (EES Batteries 2026, d5eb00161g; Laufen et al., Cell Rep. Phys. Sci. 2024, 101945)"
confidence = "assumption"
calendar_share_per_sqrt_year = 0.03
activation_kJ_per_mol = 50.0
cycle_share_per_full_cycle = 8e-5
overvoltage_V = 4.1
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
source = "assumption: such cells do run away (Carter et al., Energies 18 (2025) 661), modules peak at 502 to 660 degC (Wu et al., Applied Energy 413 (2026)), which 10 kJ/Ah gives; gas as measured on NVPF, 0.05 mol/Ah, LFP has 0.02 and NMC 0.07 (Ferdigg and Essl, Batteries 11 (2025) 323); onset and energy typical of NMC; a device that gas has opened ended a life test (Laufen et al. 2024), here at 1 mmol (12 bar in 2 ml), reached after 0.2 Ah of overcharge"
confidence = "assumption"
onset_degC = 140.0
activation_kJ_per_mol = 120.0
heat_J_per_Ah = 10000.0
gas_mol_per_Ah = 0.05
overcharge_gas_mol_per_Ah = 0.005
cid_mol = 0.001
hcn = false
"""
