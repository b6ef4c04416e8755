"""What the firmware foresees, on the wire: limits for 2, 10, 30 s and continuously, energy and times."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rigs import Device

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.power import limits, tables

HORIZONS = ("2s", "10s", "30s", "Continuous")


def foreseen(device: Device, way: str, what: str = "Current") -> list[float]:
    """The four limits of a direction, from the shortest time on."""
    return [device.read(f"BMS_{way}{what}{horizon}") for horizon in HORIZONS]


def settled(device: Device, temp_degC: float, cell_V: float) -> Device:
    """The device in standby after two seconds of this voltage and temperature."""
    device.temperatures(temp_degC)
    device.cells(cell_V)
    device.standby()
    device.tick(200)
    return device


@pytest.mark.parametrize("way", ["Charge", "Discharge"])
def test_far_from_every_voltage_limit_the_tables_are_the_limit(way: str) -> None:
    """At 25 degC and half full the cells bear more than the power table allows, for every time."""
    device = settled(Device(), 25.0, 3.1)
    told = device.calibration.power
    allowed = np.interp(25.0, told.temp_degC, told.charge_A if way == "Charge" else told.discharge_A)
    assert [allowed] * 4 == pytest.approx(foreseen(device, way), abs=0.02)


@pytest.mark.parametrize(("way", "cell_V"), [("Discharge", 2.6), ("Charge", 3.75)])
def test_in_the_cold_the_cells_are_the_limit_and_the_longer_the_less(way: str, cell_V: float) -> None:
    """Less than the table, more than nothing for 2 s, and never more for a longer time."""
    device = settled(Device(), -2.0, cell_V)
    told = device.calibration.power
    table_A = np.interp(-2.0, told.temp_degC, told.charge_A if way == "Charge" else told.discharge_A)
    found = foreseen(device, way)
    assert 0.0 < found[0] < table_A
    assert sorted(found, reverse=True) == found


@pytest.mark.parametrize("way", ["Charge", "Discharge"])
def test_power_is_no_more_than_the_current_at_the_voltage_of_now(way: str) -> None:
    """A discharge ends below the voltage of now and a charge begins at it or above, by what resistance makes of the current."""
    device = settled(Device(), 25.0, 3.1)
    now_V = 16 * 3.1
    for current_A, power_W in zip(foreseen(device, way), foreseen(device, way, "Power"), strict=True):
        ratio = power_W / (current_A * now_V)
        assert (0.4 < ratio < 0.99) if way == "Discharge" else (0.96 < ratio < 1.1)


def test_the_weakest_cell_decides() -> None:
    """One cell near its lower voltage takes the discharge of the whole pack, and leaves its charge as it is."""
    device = Device()
    device.cells(3.1)
    device.set("CellVoltage_007", 2.05)
    device.standby()
    device.tick(200)
    assert foreseen(device, "Discharge")[1] < 3.0
    assert 1.5 == pytest.approx(foreseen(device, "Charge")[1], abs=0.02)


def test_a_forbidden_direction_is_foreseen_as_nothing_in_the_same_cycle() -> None:
    """What a limit forbids is zero for every time, current and power."""
    device = settled(Device(), 25.0, 3.1)
    device.set("PackIO_EmergencyLine", 0.0)
    device.tick(30)
    for way in ("Charge", "Discharge"):
        assert [0.0] * 4 == foreseen(device, way) == foreseen(device, way, "Power")


def test_before_the_estimator_has_started_nothing_is_foreseen() -> None:
    """Without data the limits are zero, and energy and times are not available."""
    device = Device()
    device.lost = set(range(device.net.to_dut.n_slots))
    device.tick(120)
    assert [0.0] * 4 == foreseen(device, "Charge") == foreseen(device, "Discharge")
    assert math.isnan(device.read("BMS_RemainingEnergy"))


def test_at_rest_no_time_is_told_but_that_at_the_reference_rate() -> None:
    """Time to empty and to full need a current; at the reference rate they are charge and room over that rate."""
    device = settled(Device(), 25.0, 3.1)
    device.tick(200)
    assert math.isnan(device.read("BMS_TimeToEmpty"))
    assert math.isnan(device.read("BMS_TimeToFull"))
    soc, rate_per_h = device.read("BMS_Soc") / 100.0, device.calibration.pulse.reference_rate_per_h
    assert 60.0 * soc / rate_per_h == pytest.approx(device.read("BMS_ReferenceTimeToEmpty"), rel=0.06)
    cc_min = 60.0 * (1.0 - soc) / rate_per_h
    assert 0.95 * cc_min < device.read("BMS_ReferenceTimeToFull") < 1.4 * cc_min


def test_energy_is_the_integral_of_the_voltage_over_the_charge() -> None:
    """Between the charge at the lowest and at the present voltage; share of the full pack, and what is missing to full."""
    device = settled(Device(), 25.0, 3.1)
    device.tick(200)
    charge_Ah = device.read("BMS_RemainingCharge")
    energy_Wh = device.read("BMS_RemainingEnergy")
    assert 16 * 2.3 * charge_Ah < energy_Wh < 16 * 3.1 * charge_Ah
    assert 0.8 * device.read("BMS_Soc") < device.read("BMS_EnergyShare") < device.read("BMS_Soc")
    missing_Ah = device.calibration.model.capacity_Ah - charge_Ah
    assert 16 * 3.1 * missing_Ah < device.read("BMS_EnergyToFull") < 16 * 4.1 * missing_Ah


def test_under_a_steady_current_time_to_empty_is_charge_over_current() -> None:
    """After some time constants of the mean; the charge is what is left above the lower voltage at that current."""
    device = settled(Device(), 25.0, 3.1)
    device.set("Shunt_Current", 1.5)
    device.tick(3000)
    hours = device.read("BMS_RemainingCharge") / device.read("BMS_AverageCurrent")
    assert 60.0 * hours == pytest.approx(device.read("BMS_TimeToEmpty"), rel=0.12)
    assert math.isnan(device.read("BMS_TimeToFull"))


def test_unlike_strings_share_what_the_first_of_them_bears() -> None:
    """Sodium and lithium in parallel: a limit above that of a single string, none above the table."""
    device = Device("ab-na-lfp-2x16s")
    device.values[0, device.cell_rows] = 3.25
    device.sum_up()
    device.standby()
    device.tick(200)
    told = [kind.power for kind in device.calibration.kinds]
    table_A = min(float(np.interp(25.0, power.temp_degC, power.discharge_A)) for power in told)
    found = foreseen(device, "Discharge")
    assert 0.0 < found[1] <= table_A + 0.02
    assert sorted(found, reverse=True) == found


def test_a_string_without_a_resistance_yet_is_worth_nothing() -> None:
    """Unlike strings whose scales have not been learnt: no current, no division by zero, never NaN; NaN is no index."""
    device = Device().driving()
    s, cell, real = device.settings, device.dut.state.cell.copy(), device.dut.state.real.copy()
    cell[[st.RHO_FAST, st.RHO_SLOW]] = 0.0
    stretches = np.array([[0, 8, 0, 0], [8, 16, 0, 1]])
    for way in (1, -1):
        for h in range(cfg.N_HORIZONS):
            limits.limit(
                cell, real, 0, way, h, s.power, stretches, 2, s.real, s.kinds, s.curves, s.ln_r, s.nodes, s.n_nodes
            )  # fmt: skip
    assert (real[st.PULSE_A : st.PULSE_A + 2 * cfg.N_HORIZONS] == 0.0).all()
    assert (real[st.PULSE_W : st.PULSE_W + 2 * cfg.N_HORIZONS] == 0.0).all()
    at_nan, at_0 = (tables.resistances(x, 25.0, 0, s.ln_r, s.nodes, s.n_nodes) for x in (np.nan, 0.0))
    assert at_nan == at_0


def test_the_first_limits_are_those_of_cells_with_a_resistance() -> None:
    """Cold and low, ticks of 10 ms: what is told first is no more than what is told when all has been renewed."""
    device = Device()
    device.temperatures(-2.0)
    device.cells(2.6)
    told = []
    for _ in range(400):
        device.tick()
        told.append(foreseen(device, "Discharge")[0])
    known = [one for one in told if one > 0.0]
    assert 0.0 < known[-1]
    assert max(known) < 1.1 * known[-1]
