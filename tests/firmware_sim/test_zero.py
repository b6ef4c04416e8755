"""Zero of the current sensor: learned where no current can flow, and nowhere else; used for counting alone."""

from __future__ import annotations

import pytest
from rigs import Device

from firmware_sim import mode, zero
from firmware_sim import state as st

OFFSET_A = 0.02  # of a cell of 1.5 Ah; the largest that is learned is 0.0309
TICKS_PER_S = 100


def parked(offset_A: float = OFFSET_A, seconds: float = 60.0) -> Device:
    """A device in standby for so long, with a shunt that reads this at no current."""
    device = Device().standby()
    device.alive = True
    device.set("Shunt_Current", offset_A)
    device.tick(round(seconds * TICKS_PER_S))
    return device


def zero_A(device: Device) -> float:
    """What was learned."""
    return float(device.dut.state.real[st.ZERO_A, 0])


def test_it_is_learned_with_open_contactors_and_kept() -> None:
    """A minute of standby finds an offset of 20 mA within 2; the record in memory holds it over a reset."""
    device = parked()
    assert OFFSET_A == pytest.approx(zero_A(device), abs=0.002)
    device.tick(1000)
    kept = zero_A(device)
    device.dut.reset(device.k * device.dt_ns)
    assert kept == pytest.approx(zero_A(device), abs=0.002)


def test_counting_uses_it_and_diagnosis_does_not() -> None:
    """Driving at 1 A plus the offset for half a minute counts 1 A; the wire tells what the sensor reads."""
    device = parked(seconds=120.0)
    device.driving()
    device.set("Shunt_Current", 1.0 + OFFSET_A)
    device.tick(2)
    before_Ah = device.dut.state.real[st.DRAWN_AH, 0]
    device.tick(3000)
    counted_A = (device.dut.state.real[st.DRAWN_AH, 0] - before_Ah) * 3600.0 / 30.0
    assert 1.0 == pytest.approx(counted_A, abs=0.001)
    assert 1.0 + OFFSET_A == pytest.approx(device.read("BMS_PackCurrent"), abs=0.003)


def test_nothing_is_learned_in_the_first_seconds() -> None:
    """Until the contactors have been open for SETTLE_NS the zero stays."""
    device = Device()
    device.set("Shunt_Current", OFFSET_A)
    device.tick(zero.SETTLE_NS // device.dt_ns - 1)
    assert 0.0 == zero_A(device)


def test_nothing_is_learned_while_driving() -> None:
    """A small current through closed contactors is a current."""
    device = Device().driving()
    device.alive = True
    device.set("Shunt_Current", OFFSET_A)
    before = zero_A(device)
    device.tick(1000)
    assert before == zero_A(device)


def test_nothing_is_learned_from_a_large_reading() -> None:
    """More than 2 % of 1C is no zero; the limit on the raw reading reports it."""
    device = parked(0.2, 10.0)
    assert 0.0 == zero_A(device)
    assert 1.0 == device.read("Diag_CurrentOffset")


@pytest.mark.parametrize("name", ["MainPlus", "MainMinus", "Precharge"])
def test_nothing_is_learned_while_a_contact_reads_closed(name: str) -> None:
    """A welded contact may carry a current, whatever was commanded."""
    device = Device().standby()
    device.echoes = False
    device.set(f"PackIO_{name}Feedback", 1.0)
    device.set("Shunt_Current", OFFSET_A)
    device.tick(1000)
    assert 0.0 == zero_A(device)


@pytest.mark.parametrize("name", ["MainPlus", "MainMinus", "Precharge"])
def test_nothing_is_learned_while_a_feedback_is_unknown(name: str) -> None:
    """A feedback that is not available says nothing about the contact."""
    device = Device().standby()
    device.echoes = False
    device.set(f"PackIO_{name}Feedback", float("nan"))
    device.tick(2)
    before = zero_A(device)
    device.set("Shunt_Current", OFFSET_A)
    device.tick(1000)
    assert before == zero_A(device)


def test_nothing_is_learned_from_frames_that_do_not_come() -> None:
    """Without the I/O unit's frames, and without the shunt's, the zero stays as it is."""
    for signal in ("PackIO_MainPlusFeedback", "Shunt_Current"):
        device = Device().standby()
        device.tick(300)
        device.lost = {device.slot(signal)}
        device.tick(20)
        before = zero_A(device)
        device.set("Shunt_Current", OFFSET_A)
        device.tick(1000)
        assert before == zero_A(device), signal
        assert mode.RUN != device.state
