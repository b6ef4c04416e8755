"""Kinetics, slow relaxation, self-discharge, ageing, deep discharge, plating, runaway: each against its closed form.

The tables are set here, so that no number of a cell file is its own oracle.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from stands import Stand, bare

from firmware_sim.types import F64
from hil import kinetics
from hil.plant import cell as c
from hil.plant import cellfile, load
from hil.plant import extras as x
from hil.plant import pack as pk
from hil.plant.cellfile import Cell

NOTE = {"source": "assumption: chosen for this test", "confidence": "assumption"}
PLAIN = cellfile.load("nfm-18650")[1].model_copy(
    update=dict.fromkeys(("rate", "slow", "self_discharge", "ageing", "deep", "plating", "runaway"))
)
GAS_J_PER_MOL_K = 8.314462618


def with_(**tables: object) -> Cell:
    """The plain cell with these tables."""
    return PLAIN.model_copy(update=tables)


def still(cell: Cell, dt_ms: int = 100, series: int = 1, soc: float = 0.5, temp_degC: float = 25.0) -> Stand:
    """A stand at one temperature that no heat changes."""
    stand = Stand(bare(cell, series), cell, dt_ms, soc=soc)
    stand.isothermal()
    stand.plant.cells[c.TEMP_DEGC] = temp_degC
    stand.plant.pack_par[pk.COOLANT_DEGC] = temp_degC
    stand.plant.settle()
    return stand


def large(stand: Stand) -> Stand:
    """Cells whose state of charge stands still."""
    stand.plant.par[c.CAPACITY_AH] *= 1e12
    stand.plant.cells[c.Q_AH] *= 1e12
    stand.plant.settle()
    return stand


@pytest.mark.parametrize("current_A", [0.3, 1.5, 4.5])
def test_kinetic_resistance_falls_with_current_as_asinh_does(current_A: float) -> None:
    """Half of R0 and all of R1 are R asinh(y) / y of I / i0, relative to the current at which the table was measured."""
    rate = x.Rate(temp_degC=[25.0], i0_A=[0.8], reference_A=1.5, r0_share=0.5, **NOTE)
    stand = large(still(with_(rate=rate), soc=0.5))
    r0, r1 = (float(stand.cell(row)[0, 0]) for row in (c.R0_OHM, c.R1_OHM))
    before_V = float(stand.plant.pack[pk.PACK_V, 0])
    for _ in range(20):
        stand.step(current_A)
    two = float(stand.cell(c.U2_V)[0, 0])

    def share(ampere: float) -> float:
        return math.asinh(ampere / 0.8) / (ampere / 0.8)

    factor = share(current_A) / share(1.5)
    fall_V = current_A * (r0 * (0.5 + 0.5 * factor) + r1 * factor) + two
    # 1e-3: the table of asinh(y) / y is linear between tenths of y
    assert fall_V == pytest.approx(before_V - float(stand.plant.pack[pk.PACK_V, 0]), rel=1e-3)


def test_kinetics_follow_temperature_by_arrhenius() -> None:
    """Ln i0 is linear in 1/T between two temperatures and constant beyond them."""
    rate = x.Rate(temp_degC=[0.0, 40.0], i0_A=[0.5, 5.0], reference_A=1.5, r0_share=0.0, **NOTE)
    kelvin = [273.15, 313.15]
    for temp_degC in (-20.0, 0.0, 17.0, 40.0, 60.0):
        stand = still(with_(rate=rate), temp_degC=temp_degC)
        inside = min(max(temp_degC, 0.0), 40.0) + 273.15
        i0 = math.exp(float(np.interp(-1.0 / inside, [-1.0 / k for k in kelvin], np.log([0.5, 5.0]))))
        assert 1.0 / i0 == pytest.approx(float(stand.cell(c.PER_I0)[0, 0]), rel=1e-9)


def test_voltage_creeps_back_for_an_hour_after_a_discharge() -> None:
    """The third pair holds I R3 (1 - exp(-t / tau)) at the end of a load and lets go of it with its own time constant."""
    stand = large(still(with_(slow=kinetics.Slow(r3_share=0.5, tau3_s=1800.0, **NOTE)), dt_ms=1000))
    r3 = 0.5 * float(stand.cell(c.R2_OHM)[0, 0])
    for _ in range(600):
        stand.step(1.5)
    for _ in range(3000):
        stand.step(0.0)
    held_V = 1.5 * r3 * (1.0 - math.exp(-600 / 1800)) * math.exp(-3000 / 1800)
    assert 1e-3 < held_V
    assert held_V == pytest.approx(float(stand.cell(c.U3_V)[0, 0]), rel=1e-9)
    below_V = float(stand.cell(c.OCV_V)[0, 0] - stand.cell(c.TERMINAL_V)[0, 0])
    assert held_V == pytest.approx(below_V, rel=1e-3)


def test_a_cell_on_the_shelf_loses_its_share_a_month() -> None:
    """3 % of capacity in a month at 25 degC, more at 45 by the Arrhenius factor; an empty cell loses nothing more."""
    leak = x.SelfDischarge(share_per_month=0.03, activation_kJ_per_mol=50.0, **NOTE)
    month_s = 365.25 * 86400.0 / 12.0
    lost = []
    for temp_degC in (25.0, 45.0):
        stand = still(with_(self_discharge=leak), dt_ms=600_000, soc=0.8, temp_degC=temp_degC)
        for _ in range(round(month_s / 600.0)):
            stand.step(0.0)
        lost.append(0.8 - float(stand.cell(c.Q_AH)[0, 0]) / PLAIN.capacity_Ah)
    warmer = math.exp(50_000 / GAS_J_PER_MOL_K * (1 / 298.15 - 1 / 318.15))
    assert [0.03, 0.03 * warmer] == pytest.approx(lost, rel=1e-6)
    stand = still(with_(self_discharge=leak), dt_ms=600_000, soc=0.01)
    for _ in range(4000):
        stand.step(0.0)
    assert 0.0 == pytest.approx(float(stand.cell(c.Q_AH)[0, 0]), abs=1e-5)


AGEING = x.Ageing(
    calendar_share_per_sqrt_year=0.04, activation_kJ_per_mol=40.0, cycle_share_per_full_cycle=1e-3, overvoltage_V=4.1,
    overvoltage_share_per_hour=0.01, resistance_per_capacity=2.0, **NOTE,
)  # fmt: skip


def test_calendar_ageing_is_a_square_root_of_time_and_joins_over_temperatures() -> None:
    """4 % after a year at 25 degC, 8 % after four; a year at 45 degC after one at 25 adds in squares."""
    stand = still(with_(ageing=AGEING), dt_ms=3_600_000)
    hours = round(365.25 * 24)
    for _ in range(hours):
        stand.step(0.0)
    assert 0.04 == pytest.approx(float(stand.cell(c.AGE_CALENDAR)[0, 0]), rel=1e-3)
    stand.plant.cells[c.TEMP_DEGC] = stand.plant.pack_par[pk.COOLANT_DEGC] = 45.0
    for _ in range(hours):
        stand.step(0.0)
    factor = math.exp(40_000 / GAS_J_PER_MOL_K * (1 / 298.15 - 1 / 318.15))
    lost = 0.04 * math.sqrt(1.0 + factor**2)
    assert lost == pytest.approx(float(stand.cell(c.AGE_CALENDAR)[0, 0]), rel=1e-3)
    fresh = still(PLAIN, temp_degC=45.0, soc=0.5)
    x_now = float(stand.cell(c.Q_AH)[0, 0]) / (PLAIN.capacity_Ah * (1.0 - lost))
    fresh.plant.cells[c.Q_AH] = x_now * PLAIN.capacity_Ah
    fresh.plant.settle()
    grown = float(stand.cell(c.R0_OHM)[0, 0] / fresh.cell(c.R0_OHM)[0, 0])
    assert 1.0 + 2.0 * lost == pytest.approx(grown, rel=1e-3)


def test_cycles_and_dwell_above_the_limit_age_a_cell() -> None:
    """One equivalent full cycle costs 0.1 %; an hour above 4.1 V costs 1 %; an hour just below it costs nothing."""
    timeless = AGEING.model_copy(update={"calendar_share_per_sqrt_year": 0.0})
    stand = still(with_(ageing=timeless), dt_ms=1000)
    for k in range(7200):
        stand.step(0.5 * PLAIN.capacity_Ah * (1.0 if k % 3600 < 1800 else -1.0))
    assert 1e-3 * 0.5 == pytest.approx(float(stand.cell(c.AGE_CYCLE)[0, 0]), rel=2e-3)
    for soc, lost in ((1.15, 0.01), (1.02, 0.0)):
        high = still(with_(ageing=timeless), dt_ms=1000, soc=1.0)
        high.plant.cells[c.Q_AH] *= soc
        high.plant.settle()
        assert (float(high.plant.pack[pk.PACK_V, 0]) > 4.1) == (lost > 0.0)
        for _ in range(3600):
            high.step(0.0)
        assert lost == pytest.approx(float(high.cell(c.AGE_CYCLE)[0, 0]), rel=1e-3)


def test_a_cell_driven_into_reversal_stops_at_its_floor_and_comes_back() -> None:
    """Below 0 V the voltage ends at reverse_V, what was taken out can be put back, and the stay costs capacity."""
    deep = x.Deep(reverse_V=-0.6, loss_share_per_hour=0.02, **NOTE)
    stand = still(with_(deep=deep), dt_ms=1000, series=3, soc=0.9)
    stand.plant.cells[c.Q_AH, 0, 0, 0] = 0.05 * PLAIN.capacity_Ah
    stand.plant.settle()
    stand.plant.pack[pk.LINK_V] = stand.plant.pack[pk.PACK_V]
    steps = 1000
    for _ in range(steps):
        stand.step(0.3 * PLAIN.capacity_Ah * 3.6)
    assert -0.6 == pytest.approx(float(stand.cell(c.OCV_V)[0, 0]), abs=0.05)
    assert float(stand.cell(c.Q_AH)[0, 0]) < -0.2 * PLAIN.capacity_Ah
    for _ in range(steps):
        stand.step(-0.3 * PLAIN.capacity_Ah * 3.6)
    # what was taken out is back, but for what the stay below 0 V has cost
    assert 0.05 * PLAIN.capacity_Ah == pytest.approx(float(stand.cell(c.Q_AH)[0, 0]), rel=0.02)
    assert 2.0 < float(stand.cell(c.OCV_V)[0, 0])
    assert 0.0 < float(stand.cell(c.AGE_CYCLE)[0, 0]) < 0.02


@pytest.mark.parametrize(("temp_degC", "rate_C", "plates"), [(-10.0, 1.0, True), (25.0, 0.3, False)])
def test_metal_is_plated_by_fast_charge_in_the_cold_alone(temp_degC: float, rate_C: float, plates: bool) -> None:
    """The indicator counts while the anode's share of the overvoltage exceeds its margin, and discharge strips it first."""
    plating = x.Plating(margin_full_V=0.02, margin_empty_V=0.3, anode_share=0.5, **NOTE)
    stand = still(with_(plating=plating), dt_ms=1000, soc=0.6, temp_degC=temp_degC)
    for _ in range(600):
        stand.step(-rate_C * PLAIN.capacity_Ah)
    plated_Ah = float(stand.cell(c.PLATED_AH)[0, 0])
    assert plates == (plated_Ah > 0.01 * PLAIN.capacity_Ah)
    assert plated_Ah <= rate_C * PLAIN.capacity_Ah * 600 / 3600
    for _ in range(700):
        stand.step(rate_C * PLAIN.capacity_Ah)
    assert 0.0 == float(stand.cell(c.PLATED_AH)[0, 0])


RUNAWAY = x.Runaway(
    onset_degC=140.0, activation_kJ_per_mol=120.0, heat_J_per_Ah=10_000.0, gas_mol_per_Ah=0.05, overcharge_gas_mol_per_Ah=0.5,
    cid_mol=0.0, **NOTE,
)  # fmt: skip


def adiabatic(cell: Cell, series: int, between_W_per_K: float, soc: float = 1.0) -> Stand:
    """Cells that give heat to each other and to nobody else."""
    thermal = cell.thermal.model_copy(update={"neighbour_W_per_K": between_W_per_K})
    stand = Stand(bare(cell, series), cell.model_copy(update={"thermal": thermal}), 100, soc=soc)
    stand.plant.par[c.COOLING] = 0.0
    return stand


def test_a_full_cell_at_its_onset_warms_by_a_kelvin_a_minute() -> None:
    """The rate is set by that definition; 50 K lower it is slower by the Arrhenius factor, 100 K lower nothing happens."""
    rises = []
    for temp_degC in (140.0, 90.0, 40.0):
        stand = adiabatic(with_(runaway=RUNAWAY), 1, 0.0)
        stand.plant.cells[c.TEMP_DEGC] = temp_degC
        stand.step(0.0)
        rises.append((float(stand.cell(c.TEMP_DEGC)[0, 0]) - temp_degC) / stand.dt_s * 60.0)
    factor = math.exp(120_000 / GAS_J_PER_MOL_K * (1 / 413.15 - 1 / 363.15))
    assert [1.0, factor, 0.0] == pytest.approx(rises, rel=1e-3, abs=1e-9)


def heated(stand: Stand, pad_W: float, seconds: float) -> F64:
    """Heat cell 0 until it burns, then look on; the highest temperature of each cell."""
    stand.plant.par[c.PAD_W, 0, 0, 0] = pad_W
    highest = np.full(stand.cell(c.TEMP_DEGC).shape[1], -273.0)
    for _ in range(round(seconds / stand.dt_s)):
        if float(stand.cell(c.REACTED)[0, 0]) > 0.5:
            stand.plant.par[c.PAD_W] = 0.0
        stand.step(0.0)
        highest = np.maximum(highest, stand.cell(c.TEMP_DEGC)[0])
    return highest


@pytest.mark.parametrize(("between_W_per_K", "spreads"), [(0.3, True), (0.002, False)])
def test_runaway_spreads_where_neighbours_are_close(between_W_per_K: float, spreads: bool) -> None:
    """One cell is heated until it burns; the others follow one by one when the conductance is large, and only then."""
    stand = adiabatic(with_(runaway=RUNAWAY), 3, between_W_per_K)
    if not spreads:
        stand.plant.par[c.COOLING] = 1.0
    heated(stand, 20.0, 1500.0)
    reacted = stand.cell(c.REACTED)[0]
    assert float(reacted[0]) > 0.99
    assert (reacted[1:] > 0.99).tolist() == [spreads, spreads]


def test_a_burnt_cell_has_given_its_heat_its_gas_and_its_voltage() -> None:
    """Adiabatic rise = what pad and reaction gave over the heat capacity; half full, half the heat; then 0 V is left."""
    for soc in (1.0, 0.5):
        stand = adiabatic(with_(runaway=RUNAWAY), 1, 0.0, soc)
        pad_J = 0.0
        stand.plant.par[c.PAD_W] = 20.0
        for _ in range(9000):
            if float(stand.cell(c.REACTED)[0, 0]) > 0.01:
                stand.plant.par[c.PAD_W] = 0.0
            pad_J += float(stand.plant.par[c.PAD_W, 0, 0, 0]) * stand.dt_s
            stand.step(0.0)
        rise_K = float(stand.cell(c.TEMP_DEGC)[0, 0]) - 25.0
        wanted_J = pad_J + soc * 10_000.0 * PLAIN.capacity_Ah
        assert wanted_J == pytest.approx(rise_K * PLAIN.thermal.heat_capacity_J_per_K, rel=1e-3)
        assert 0.05 * PLAIN.capacity_Ah == pytest.approx(float(stand.cell(c.GAS_MOL)[0, 0]), rel=1e-3)
        assert 0.0 == pytest.approx(float(stand.cell(c.TERMINAL_V)[0, 0]), abs=0.01)
        assert 0.0 == pytest.approx(float(stand.cell(c.Q_AH)[0, 0]), abs=1e-3)


def test_overcharge_makes_gas_until_the_interrupt_device_opens() -> None:
    """Charge above absolute_max_V makes 0.5 mol/Ah; at 0.02 mol, after 0.04 Ah, the device opens and the current ends."""
    cell = with_(runaway=RUNAWAY.model_copy(update={"cid_mol": 0.02}))
    stand = Stand(bare(cell, 2, capacitance_F=1e-3), cell, 100, soc=1.0)
    stand.plant.pack_par[pk.CLAMP_V] = 20.0
    stand.demand[0, load.ALWAYS] = 1.0
    while float(stand.plant.pack[pk.PACK_V, 0]) < 2 * 4.2:
        stand.step(-1.0)
    from_Ah = float(stand.cell(c.Q_AH)[0, 0])
    while float(stand.cell(c.OPENED)[0, 0]) == 0.0:
        stand.step(-1.0)
    assert 0.04 == pytest.approx(float(stand.cell(c.Q_AH)[0, 0]) - from_Ah, rel=0.01)
    for _ in range(10):
        stand.step(-1.0)
    assert abs(float(stand.plant.pack[pk.CURRENT_A, 0])) < 1e-4


def test_a_heater_warms_and_a_standing_fan_does_not_cool() -> None:
    """A pack heater of 8 W on 4 cells is 2 W each, C dT = P dt; with no flow the coolant takes none of it away."""
    stand = Stand(bare(PLAIN, 4), PLAIN, 100)
    stand.demand[0, load.HEATER_W], stand.demand[0, load.FLOW] = 8.0, 0.0
    for _ in range(600):
        stand.step(0.0)
    assert [25.0 + 2.0 * 60.0 / PLAIN.thermal.heat_capacity_J_per_K] * 4 == pytest.approx(
        list(stand.cell(c.TEMP_DEGC)[0]), rel=1e-9
    )
    stand.demand[0, load.HEATER_W], stand.demand[0, load.FLOW], stand.demand[0, load.COOLANT_SHIFT_K] = 0.0, 2.0, -10.0
    tau_s = PLAIN.thermal.heat_capacity_J_per_K / (2.0 * PLAIN.thermal.coolant_W_per_K)
    start_degC = float(stand.cell(c.TEMP_DEGC)[0, 0])
    for _ in range(600):
        stand.step(0.0)
    expected = 15.0 + (start_degC - 15.0) * math.exp(-60.0 / tau_s)
    assert [expected] * 4 == pytest.approx(list(stand.cell(c.TEMP_DEGC)[0]), abs=0.02)


def test_minor_loops_lie_inside_the_major_loop_and_forget_it() -> None:
    """After a reversal the voltage leaves its branch towards the other by exp(-decay |dSOC|), and joins it when far enough."""
    stand = still(PLAIN, dt_ms=1000, soc=0.7)
    decay = PLAIN.hysteresis.decay_per_soc

    def swing(soc: float) -> float:
        steps = 200
        for _ in range(steps):
            stand.step(-soc * PLAIN.capacity_Ah * 3600.0 / steps)
        return float(stand.cell(c.HYST)[0, 0])

    swing(-0.35)
    low = float(stand.cell(c.HYST)[0, 0])
    assert -1.0 == pytest.approx(low, abs=1e-4)
    turned = swing(0.01)
    assert 1.0 + (low - 1.0) * math.exp(-0.01 * decay) == pytest.approx(turned, rel=1e-4)
    back = swing(-0.01)
    assert -1.0 < back < turned
    closed = [swing(0.01), swing(-0.01), swing(0.01), swing(-0.01)]
    assert abs(closed[3] - closed[1]) < abs(closed[1] - back)
    assert 1.0 == pytest.approx(swing(0.3), abs=1e-4)


def test_a_step_of_the_load_shows_the_link_no_resistance_of_the_current_before() -> None:
    """From rest to 3C with kinetics: in the first tick the link stands where the cells do, less the contacts."""
    rate = x.Rate(temp_degC=[5.0, 25.0], i0_A=[0.1, 0.3], reference_A=1.5, r0_share=0.9, **NOTE)
    for kind, value in ((load.CURRENT, 4.5), (load.POWER, 40.0)):
        stand = Stand(bare(with_(rate=rate), 4, capacitance_F=1e-6, bleed_ohm=1e9), with_(rate=rate), 10, soc=0.7)
        for _ in range(50):
            stand.step(0.0)
        stand.demand[0, load.KIND], stand.demand[0, load.VALUE] = kind, value
        stand.plant.step(stand.t_ns, stand.demand)
        pack_V, link_V = float(stand.plant.pack[pk.PACK_V, 0]), float(stand.plant.pack[pk.LINK_V, 0])
        assert 2.5 < float(stand.plant.pack[pk.MEAN_A, 0])
        # the pairs have moved within this tick, which the link learns in the next
        assert pack_V == pytest.approx(link_V, abs=0.12)
