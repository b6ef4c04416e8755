"""Counters: charge, hours, cycles and events, over the wire and over a reset."""

from __future__ import annotations

import numpy as np
import pytest
from rigs import Device

from firmware_sim import counters
from firmware_sim import settings as cfg
from firmware_sim import state as st


def test_charge_is_counted_by_direction() -> None:
    """Half a minute of discharge and ten seconds of charge, each in its own counter; at rest neither moves."""
    device = Device().driving()
    device.alive = True
    real = device.dut.state.real
    for current_A, ticks in ((3.0, 3000), (-1.5, 1000), (0.02, 1000)):
        device.set("Shunt_Current", current_A)
        device.tick(ticks)
    assert 3.0 * 30.0 / 3600.0 == pytest.approx(real[st.OUT_AH, 0], rel=2e-3)
    assert 1.5 * 10.0 / 3600.0 == pytest.approx(real[st.IN_AH, 0], rel=5e-3)
    assert real[st.OUT_AH, 0] / device.calibration.model.capacity_Ah == pytest.approx(real[st.FULL_CYCLES, 0])


def test_hours_and_totals_are_told_and_survive_a_reset() -> None:
    """What memory holds goes on after a reset, and goes out on the wire."""
    device = Device().driving()
    device.alive = True
    state = device.dut.state
    state.real[st.OUT_AH], state.real[st.IN_AH], state.whole[st.ON_NS] = 123.4, 234.5, 77 * 3_600_000_000_000
    state.whole[[st.DEEP_COUNT, st.OVER_COUNT, st.UNDER_COUNT]] = [[1], [2], [3]]
    device.tick(1100)
    device.dut.reset(device.k * device.dt_ns)
    device.heard[:] = np.nan
    device.tick(200)
    told = {name: device.read(f"BMS_{name}") for name in ("ChargedTotal", "DischargedTotal", "OperatingHours", "FullCycles")}
    cycles = round(123.4 / device.calibration.model.capacity_Ah, 1)
    assert {"ChargedTotal": 234.5, "DischargedTotal": 123.4, "OperatingHours": 77.0, "FullCycles": cycles} == pytest.approx(
        told
    )
    events = [device.read(f"BMS_{name}") for name in ("DeepDischarges", "OvervoltageEvents", "UndervoltageEvents")]
    assert [1.0, 2.0, 3.0] == events


def test_events_count_their_beginnings() -> None:
    """A safety limit on the voltage counts when it trips, not while it stands; deep discharge counts by itself and once."""
    device = Device().standby()
    whole = device.dut.state.whole
    for volt, expected in ((4.5, (0, 1, 0)), (3.0, (0, 1, 0)), (4.5, (0, 2, 0)), (3.0, (0, 2, 0)), (0.3, (1, 2, 1))):
        device.cells(volt)
        device.tick(300)
        device.press_reset()
        device.tick(100)
        assert expected == tuple(whole[[st.DEEP_COUNT, st.OVER_COUNT, st.UNDER_COUNT], 0].tolist()), volt


def test_a_latch_that_survived_is_not_counted_again() -> None:
    """After a reset the deep discharge of before still stands, and its counter too."""
    device = Device().standby()
    device.alive = True
    device.cells(0.3)
    device.tick(1200)
    assert 1 == device.dut.state.whole[st.DEEP_COUNT, 0]
    device.dut.reset(device.k * device.dt_ns)
    device.tick(300)
    assert 1 == device.dut.state.whole[st.DEEP_COUNT, 0]


def test_without_a_current_the_charge_becomes_unsure() -> None:
    """In a tick without a reading a whole 1C may have flowed; with one, only the sensor's offset."""
    device = Device()
    s, real, whole = device.settings, device.dut.state.real, device.dut.state.whole
    unsure = []
    for is_known in (True, False):
        before = real[st.DRAWN_ERROR_AH, 0]
        counters.charge(real, whole, s.real, s.kinds, 0, 3_600_000_000_000, 1, is_known)
        unsure.append(real[st.DRAWN_ERROR_AH, 0] - before)
    assert [s.real[cfg.CURRENT_ERROR_A], s.kinds[0, cfg.CAPACITY_AH]] == pytest.approx(unsure)
