"""Does the BMS protect the pack? Each test makes one thing wrong and demands the reaction in time."""

import pytest

from hil.session import Session


@pytest.fixture
def driving(bench: Session) -> Session:
    """A pack in operation, with a load of 2 A."""
    bench.request("drive")
    bench.run_until("BMS_State", "run", timeout_s=3)
    bench.load(current_A=2.0)
    bench.run_for(2.0)
    return bench


@pytest.mark.requirement("SR-CELL-OV", "SR-LATCH")
@pytest.mark.nabench(soc=0.7)
def test_overvoltage_reading_opens_the_contactors_and_holds_them(driving: Session) -> None:
    """The sense wire of cell 5 reads one step above the absolute maximum: code, opening, and no closing by itself."""
    wire = driving.set("cell[5].value_V", 4.2002)
    driving.expect("code", "CellOvervoltageMsl", within_ms=(450, 550))
    driving.expect("contactor", "open", within_ms=750)
    wire.clear()
    driving.always("contactor", "open", for_s=5)
    driving.fault_reset()
    driving.expect("BMS_State", "run", within_ms=3000)


@pytest.mark.requirement("SR-CELL-OV")
@pytest.mark.nabench(soc=0.7)
def test_reading_one_step_below_the_limit_never_trips(driving: Session) -> None:
    """4.2 V is the limit; a reading that only touches it is no over-voltage."""
    driving.set("cell[5].value_V", 4.2)
    driving.never("code", "CellOvervoltageMsl", for_s=5)
    driving.always("contactor", "closed", for_s=1)
    driving.clear_all()


@pytest.mark.requirement("SR-TEMP-CHARGE-LOW", "SR-LIMIT-COLD")
@pytest.mark.nabench(soc=0.4, temperature_degC=-15.0)
def test_charging_a_frozen_pack_opens_the_contactors(bench: Session) -> None:
    """A charger that ignores its limit charges at -15 degC; below -10 degC the BMS must stop it."""
    bench.set("charger_ignores_limits.charger_ignores_limits")
    bench.request("charge")
    bench.run_until("BMS_State", "charge", timeout_s=3)
    bench.quiet(2.0)
    assert bench.signal("BMS_ChargeCurrentLimit") < 0.11
    bench.charger(current_A=0.3, voltage_V=66.0)
    bench.expect("code", "UndertempChargeMsl", within_ms=(4500, 5600))
    bench.expect("contactor", "open", within_ms=6200)
    bench.clear_all()


@pytest.mark.requirement("SR-CELL-DATA-LOST")
def test_silent_monitor_opens_the_contactors(driving: Session) -> None:
    """Not one frame of the cell monitor arrives any more."""
    monitor = driving.inject("node_silent", "node:Monitor")
    driving.expect("code", "CellDataLost", within_ms=300)
    driving.expect("contactor", "open", within_ms=500)
    monitor.clear()
    driving.run_for(1.0)
    assert driving.signal("BMS_State") == "error"


@pytest.mark.requirement("SR-DATA-CORRUPT")
@pytest.mark.parametrize("message", ["CellVoltages", "Shunt_Values"])
def test_corrupt_frames_are_never_used(driving: Session, message: str) -> None:
    """A few frames with a wrong CRC cost nothing; the values in them are not believed."""
    driving.inject("frame_crc", f"message:{message}", for_s=0.05)
    driving.quiet(2.0)


@pytest.mark.requirement("SR-CONTACTOR-WELDED")
def test_welded_contactor_is_found_when_the_pack_is_switched_off(driving: Session) -> None:
    """The weld shows when the coil is released and the contact stays; then the BMS must know it."""
    weld = driving.set("contactor[main_plus].welded")
    driving.load()
    driving.request("standby")
    driving.expect("code", "MainPlusWelded", within_ms=200, since=weld)
    driving.request("drive")
    driving.never("contactor", "closed", for_s=3)
    weld.clear()


@pytest.mark.requirement("SR-CURRENT-DISCHARGE")
def test_short_overload_is_borne_and_a_long_one_is_not(driving: Session) -> None:
    """6 A for 50 ms passes; 6 A for good opens the contactors."""
    driving.load(current_A=6.0)
    driving.run_for(0.05)
    driving.load(current_A=2.0)
    driving.quiet(2.0)
    driving.load(current_A=6.0)
    driving.expect("code", "OvercurrentDischargeMsl", within_ms=(80, 120))
    driving.expect("contactor", "open", within_ms=250)
