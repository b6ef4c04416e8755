"""Optional tables of a cell file: what a cell does beyond voltage, resistance and heat. What has no table is not modelled."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firmware_sim.types import F64
from hil.kinetics import Rate
from hil.plant import abuse, drift
from hil.plant import cell as k
from hil.tables import ZERO_DEGC_K, CellVolt, Positive, Share, Sourced, log

NotNegative = Annotated[float, Field(ge=0)]
Activation = Annotated[float, Field(ge=0, le=400)]

GAS_CONSTANT = 8.314462618
_HOURS_PER_MONTH = 365.25 * 24.0 / 12.0
_YEAR_S = 365.25 * 86400.0
_NEVER_V = 1e9
# What the temperature may fall short of the onset and still be worth a look [K]: at 120 kJ/mol it is a rate 1e4 times lower.
_WATCH_K = 90.0


class SelfDischarge(Sourced):
    """Share of the capacity that is lost in a month at 25 degC, and how it rises with temperature."""

    share_per_month: Annotated[float, Field(ge=0, le=0.5)]
    activation_kJ_per_mol: Activation


class Ageing(Sourced):
    """Capacity lost with time (square root, Arrhenius), by throughput and above a voltage; what resistance gains with it."""

    calendar_share_per_sqrt_year: Annotated[float, Field(ge=0, le=0.5)]
    activation_kJ_per_mol: Activation
    cycle_share_per_full_cycle: Annotated[float, Field(ge=0, le=0.01)]
    overvoltage_V: CellVolt
    overvoltage_share_per_hour: Annotated[float, Field(ge=0, le=1)]
    resistance_per_capacity: NotNegative


class Deep(Sourced):
    """Below empty: where the voltage of a cell that is driven into reversal stops falling, and what the stay there costs."""

    reverse_V: Annotated[float, Field(ge=-5, le=1)]
    loss_share_per_hour: Annotated[float, Field(ge=0, le=1)]


class Plating(Sourced):
    """When metal is plated on the negative electrode: its margin when full and when empty, its share of the overvoltage."""

    margin_full_V: NotNegative
    margin_empty_V: NotNegative
    anode_share: Share


class Runaway(Sourced):
    """Self-heating from its onset (1 K/min for a full cell) on, the gas that comes of it, and what the gas opens."""

    onset_degC: Annotated[float, Field(ge=40, le=400)]
    activation_kJ_per_mol: Annotated[float, Field(gt=0, le=400)]
    heat_J_per_Ah: Positive
    gas_mol_per_Ah: NotNegative
    overcharge_gas_mol_per_Ah: NotNegative = 0.0
    cid_mol: NotNegative = 0.0
    hcn: bool = False


def fill_rate(rate: Rate, nodes: F64) -> None:
    """Write a rate table into the kernels' nodes of one kind."""
    n = len(rate.i0_A)
    nodes[k.RATE_PER_K, :n] = [1.0 / (t + ZERO_DEGC_K) for t in rate.temp_degC]
    nodes[k.RATE_LN_I0, :n] = [log(i0) for i0 in rate.i0_A]
    nodes[k.SCALARS, k.N_RATE] = n
    nodes[k.SCALARS, k.RATE_REFERENCE_A] = rate.reference_A
    nodes[k.SCALARS, k.R0_KINETIC] = rate.r0_share


def fill_slow(
    self_discharge: SelfDischarge | None, ageing: Ageing | None, deep: Deep | None, plating: Plating | None, row: F64
) -> None:
    """Write self-discharge, ageing, deep discharge and plating into row SLOW of one kind."""
    row[drift.OVER_V] = _NEVER_V
    if self_discharge is not None:
        row[drift.LEAK_PER_H] = self_discharge.share_per_month / _HOURS_PER_MONTH
        row[drift.LEAK_K] = self_discharge.activation_kJ_per_mol * 1e3 / GAS_CONSTANT
    if ageing is not None:
        row[drift.CALENDAR_PER_SQRT_S] = ageing.calendar_share_per_sqrt_year / np.sqrt(_YEAR_S)
        row[drift.AGE_K] = ageing.activation_kJ_per_mol * 1e3 / GAS_CONSTANT
        row[drift.LOSS_PER_CYCLE] = ageing.cycle_share_per_full_cycle
        row[drift.OVER_V] = ageing.overvoltage_V
        row[drift.OVER_PER_S] = ageing.overvoltage_share_per_hour / 3600.0
        row[drift.R_PER_LOSS] = ageing.resistance_per_capacity
    if deep is not None:
        row[drift.DEEP_PER_S] = deep.loss_share_per_hour / 3600.0
    if plating is not None:
        row[drift.PLATE_FULL_V], row[drift.PLATE_EMPTY_V] = plating.margin_full_V, plating.margin_empty_V
        row[drift.PLATE_SHARE] = plating.anode_share


def fill_abuse(
    runaway: Runaway | None, capacity_Ah: float, heat_capacity_J_per_K: float, absolute_max_V: float, row: F64
) -> None:
    """Write runaway and gas into row ABUSE of one kind. The rate at the onset gives 1 K/min: C dT/dt = rate heat."""
    row[abuse.WATCH_DEGC] = 1e9
    row[abuse.GASES_V] = absolute_max_V
    if runaway is None:
        return
    row[abuse.WATCH_DEGC] = runaway.onset_degC - _WATCH_K
    row[abuse.ONSET_PER_K] = 1.0 / (runaway.onset_degC + ZERO_DEGC_K)
    row[abuse.ACTIVATION_K] = runaway.activation_kJ_per_mol * 1e3 / GAS_CONSTANT
    row[abuse.ONSET_PER_S] = heat_capacity_J_per_K / (60.0 * runaway.heat_J_per_Ah * capacity_Ah)
    row[abuse.HEAT_J_PER_AH] = runaway.heat_J_per_Ah
    row[abuse.GAS_PER_AH] = runaway.gas_mol_per_Ah
    row[abuse.OVER_GAS_PER_AH] = runaway.overcharge_gas_mol_per_Ah
    row[abuse.CID_MOL] = runaway.cid_mol
