"""Current limits on the wire: the table over temperature, the taper at the voltage limits, zero where forbidden."""

from __future__ import annotations

import numpy as np
import pytest
from rigs import Device

from firmware_sim import sop


@pytest.mark.parametrize("temp_degC", [-40.0, -30.0, -25.0, -5.0, 0.0, 5.0, 17.5, 25.0, 44.9, 45.0, 52.0, 60.0, 80.0])
def test_the_table_is_linear_between_its_points_and_flat_outside(temp_degC: float) -> None:
    """As NumPy interpolates the file's own columns."""
    device = Device()
    told = device.calibration.power
    for row, column in ((1, told.charge_A), (2, told.discharge_A)):
        assert np.interp(temp_degC, told.temp_degC, column) == pytest.approx(
            sop.table(device.settings.power, 0, row, temp_degC), abs=1e-12
        )


@pytest.mark.parametrize("temp_degC", [-15.0, 5.0, 25.0, 42.0])
def test_limits_go_out_as_the_worst_temperature_allows(temp_degC: float) -> None:
    """One cold or hot sensor among warm ones decides; the limits on the wire are magnitudes."""
    device = Device()
    device.temperatures(25.0)
    device.set("CellTemperature_03", temp_degC)
    device.standby()
    device.tick(20)
    told = device.calibration.power
    for name, column in (("Charge", told.charge_A), ("Discharge", told.discharge_A)):
        allowed = min(np.interp(t, told.temp_degC, column) for t in (temp_degC, 25.0))
        assert allowed == pytest.approx(device.read(f"BMS_{name}CurrentLimit"), abs=0.03)


@pytest.mark.parametrize(("room", "share"), [(2.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (-0.2, 0.0)])
def test_charge_tapers_to_zero_at_the_upper_voltage(room: float, share: float) -> None:
    """The highest cell decides, linearly over the taper. room: to the limit, in tapers."""
    device = Device()
    device.standby()
    told = device.calibration.power
    device.set("CellVoltage_007", told.charge_max_V - room * told.charge_taper_V)
    device.tick(20)
    assert 1.5 * share == pytest.approx(device.read("BMS_ChargeCurrentLimit"), abs=0.03)


@pytest.mark.parametrize(("room", "share"), [(3.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_discharge_tapers_to_zero_at_the_lower_voltage(room: float, share: float) -> None:
    """The lowest cell decides."""
    device = Device()
    told = device.calibration.power
    low_V = told.discharge_min_V + room * told.discharge_taper_V
    device.cells(low_V + 0.1)
    device.standby()
    device.set("CellVoltage_007", low_V)
    device.tick(20)
    assert 4.5 * share == pytest.approx(device.read("BMS_DischargeCurrentLimit"), abs=0.06)


def test_a_forbidden_direction_is_zero() -> None:
    """A row that stops charge takes the limit to zero whatever the table says."""
    device = Device()
    device.cells(3.0)
    device.standby()
    assert device.read("BMS_ChargeCurrentLimit") > 1.0
    device.set("PackIO_EmergencyLine", 0.0)
    device.tick(30)
    assert 0.0 == device.read("BMS_ChargeCurrentLimit") == device.read("BMS_DischargeCurrentLimit")


def test_before_the_estimator_has_started_nothing_is_allowed() -> None:
    """Without data the limits are zero."""
    device = Device()
    device.lost = set(range(device.net.to_dut.n_slots))
    device.tick(30)
    assert 0.0 == device.read("BMS_ChargeCurrentLimit") == device.read("BMS_DischargeCurrentLimit")
