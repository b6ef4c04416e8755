"""The mode machine through the wire: who closes which contactor when, and that nothing else ever does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as hyp
from rigs import Device, edited

from firmware_sim import mode
from firmware_sim import state as st
from firmware_sim.wire.layout import SENT

COMMANDS = ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand")


def commands(device: Device) -> tuple[float, ...]:
    """Plus, minus, precharge as they stand on the wire."""
    return tuple(device.read(name) for name in COMMANDS)


def changes(device: Device, ticks: int) -> list[tuple[float, ...]]:
    """The commands in the order in which they change."""
    seen = [commands(device)]
    for _ in range(ticks):
        device.tick()
        if commands(device) != seen[-1]:
            seen.append(commands(device))
    return seen


def test_nothing_is_sent_while_it_boots() -> None:
    """The first frame comes in the tick in which the boot time is over."""
    device = Device()
    silent = 0
    while not device.dut.image.meta[0, SENT].any():
        device.tick()
        silent += 1
    assert device.calibration.start.boot_ms == 10 * silent


def test_contactors_close_in_order() -> None:
    """Minus, precharge, then plus beside it, then precharge opens."""
    device = Device().standby()
    device.ask(mode.ASK_DRIVE)
    assert [(0, 0, 0), (0, 1, 0), (0, 1, 1), (1, 1, 1), (1, 1, 0)] == changes(device, 60)
    assert mode.RUN == device.state


def test_init_waits_for_data_of_every_node() -> None:
    """With one slot missing it does not leave INIT, whichever it is that limits rest on."""
    for name in ("CellVoltage_015", "CellTemperature_05", "Shunt_Current", "PackIO_Hvil"):
        device = Device()
        device.lost.add(device.slot(name))
        device.tick(300)
        assert device.state in (mode.INIT, mode.ERROR), name


def test_a_link_that_stays_low_gives_as_many_tries_as_told() -> None:
    """Each try ends at its time-out, the next comes after the pause, and after the last the fault stands."""
    device = Device().standby()
    told = device.calibration.precharge
    device.link_rise = 0.0
    device.ask(mode.ASK_DRIVE)
    begins, ends, before = [], [], False
    for _ in range(1500):
        device.tick()
        now = device.read("BMS_PrechargeCommand") == 1.0
        if now and not before:
            begins.append(device.k)
        if before and not now:
            ends.append(device.k)
        before = now
    assert told.tries == len(begins) == len(ends)
    for begin, end in zip(begins, ends, strict=True):
        assert told.timeout_ms <= (end - begin) * 10 <= told.timeout_ms + 50
    for end, begin in zip(ends, begins[1:], strict=False):
        assert told.retry_ms <= (begin - end) * 10 <= told.retry_ms + 60
    assert mode.ERROR == device.state
    assert 1.0 == device.read("Diag_PrechargeFailed")


@pytest.mark.parametrize(("share", "closes"), [(0.0, False), (-0.02, False), (0.02, True)])
def test_plus_closes_only_at_a_full_link(share: float, closes: bool) -> None:
    """The link must reach its share of the pack voltage (48 V, steps of 0.02 V)."""
    device = Device().standby()
    device.link_rise = 0.0
    device.ask(mode.ASK_DRIVE)
    while commands(device) != (0, 1, 1):
        device.tick()
    device.tick(8)
    full_V = 48.0 * device.calibration.precharge.link_share
    device.set("Shunt_LinkVoltage", full_V + share if share else full_V - 0.04)
    device.tick(30)
    assert closes == device.closed()


def test_plus_waits_for_a_small_current() -> None:
    """A full link with current through the resistor is a load on the link: plus stays open."""
    device = Device().standby()
    device.set("Shunt_Current", 2 * device.calibration.precharge.end_A)
    device.ask(mode.ASK_DRIVE)
    device.tick(100)
    assert mode.PRECHARGE == device.state
    assert not device.closed()
    device.set("Shunt_Current", 0.0)
    device.tick(5)
    assert device.closed()


@pytest.mark.parametrize(("name", "so_far"), [("MainMinus", (0, 1, 0)), ("Precharge", (0, 1, 1)), ("MainPlus", (1, 1, 1))])
def test_a_contact_that_does_not_follow_ends_the_try(tmp_path: Path, name: str, so_far: tuple[int, ...]) -> None:
    """Without feedback in the time a contact may take everything opens and a try is counted (to the tick in which
    the phase began, one before its command).
    """
    slow = edited(
        tmp_path, "nfm-16s", {f"{other}Feedback": {"debounce_ms": 1000} for other in ("MainPlus", "MainMinus", "Precharge")}
    )
    device = Device(str(slow)).standby()
    device.ask(mode.ASK_DRIVE)
    device.echoes = False
    waited = 0
    for _ in range(100):
        for other in ("MainMinus", "Precharge", "MainPlus"):
            device.set(f"PackIO_{other}Feedback", float(other != name and device.read(f"BMS_{other}Command") == 1.0))
        if device.read("BMS_PrechargeCommand") == 1.0:
            device.set("Shunt_LinkVoltage", min(device.values[0, device.rows["Shunt_LinkVoltage"]] + 5.0, 48.0))
        device.tick()
        waited += commands(device) == so_far
        if waited and commands(device) == (0, 0, 0):
            break
    assert device.calibration.contactors.close_ms - 10 <= 10 * waited <= device.calibration.contactors.close_ms
    assert 1.0 == device.read("BMS_PrechargeTries")


def test_drive_and_charge_change_without_opening() -> None:
    """From RUN to CHARGE and back the contactors stay closed."""
    device = Device().driving()
    for request, state in ((mode.ASK_CHARGE, mode.CHARGE), (mode.ASK_DRIVE, mode.RUN)):
        device.ask(request)
        assert [(1, 1, 0)] == changes(device, 15)
        assert state == device.state


def test_opening_waits_for_a_small_current() -> None:
    """Asked for standby under load it opens when the current is small, or when the grace time is over."""
    for drops in (True, False):
        device = Device().driving()
        device.set("Shunt_Current", 3.0)
        device.ask(mode.ASK_STANDBY)
        device.until(mode.OPENING)
        since = device.k
        device.tick(30)
        assert device.closed()
        if drops:
            device.set("Shunt_Current", device.calibration.contactors.open_max_A)
            device.tick(1)
        else:
            while device.closed():
                device.tick()
            assert (
                device.calibration.contactors.open_grace_ms
                <= 10 * (device.k - since)
                <= 20 + device.calibration.contactors.open_grace_ms
            )
        assert (0, 0, 0) == commands(device)
        assert mode.STANDBY == device.state


def test_a_request_that_grows_old_leads_to_opening() -> None:
    """When nobody asks any more the device opens in good order, without a latched fault."""
    device = Device().driving()
    device.lost.add(device.slot("Vehicle_ModeRequest"))
    device.tick(70)
    assert mode.STANDBY == device.state
    assert 0.0 == device.read("BMS_FaultCode")


@pytest.mark.parametrize("at", ["init", "standby", "precharge", "run", "charge", "opening"])
def test_from_every_state_a_fault_opens_at_once(at: str) -> None:
    """The emergency line leads to ERROR with everything open in the tick in which its row is due."""
    device = Device()
    if at == "init":
        device.tick(20)
    else:
        device.standby()
    if at in ("run", "opening"):
        device.driving()
    if at == "charge":
        device.driving(mode.ASK_CHARGE)
    if at == "opening":
        device.set("Shunt_Current", 3.0)
        device.ask(mode.ASK_STANDBY)
        device.until(mode.OPENING)
    if at == "precharge":
        device.link_rise = 0.02
        device.ask(mode.ASK_DRIVE)
        device.until(mode.PRECHARGE)
    device.set("PackIO_EmergencyLine", 0.0)
    (row,) = [limit for limit in device.calibration.limit if limit.code == "EmergencyLine"]
    device.tick(row.debounce_ms // 10)
    assert mode.ERROR != device.state
    device.tick()
    assert mode.ERROR == device.state
    assert (0, 0, 0) == commands(device)


def test_after_an_error_it_closes_only_after_a_reset() -> None:
    """The request for drive stands all the time; nothing happens until the cause is gone and a reset was asked for."""
    device = Device().driving()
    device.set("PackIO_EmergencyLine", 0.0)
    device.until(mode.ERROR)
    device.press_reset()
    assert [(0, 0, 0)] == changes(device, 100)
    device.set("PackIO_EmergencyLine", 1.0)
    assert [(0, 0, 0)] == changes(device, 100)
    device.press_reset()
    device.until(mode.RUN)


def test_a_held_reset_button_acts_once() -> None:
    """Only the edge counts: a button that sticks cannot clear the next fault."""
    device = Device().driving()
    device.set("Vehicle_FaultReset", 1.0)
    device.tick(20)
    device.set("PackIO_EmergencyLine", 0.0)
    device.until(mode.ERROR)
    device.set("PackIO_EmergencyLine", 1.0)
    device.tick(200)
    assert mode.ERROR == device.state


PLAY = hyp.fixed_dictionaries({
    "request": hyp.sampled_from((mode.ASK_STANDBY, mode.ASK_DRIVE, mode.ASK_DRIVE, mode.ASK_CHARGE)),
    "link_rise": hyp.sampled_from((0.0, 0.05, 0.1, 0.1, 1.0)),
    "current_A": hyp.sampled_from((0.0, 0.0, 0.1, 1.0, -1.0, 3.0)),
    "cell_V": hyp.sampled_from((3.0, 3.0, 3.0, 4.25, 1.4)),
    "emergency": hyp.sampled_from((1.0, 1.0, 1.0, 0.0)),
    "reset": hyp.sampled_from((0.0, 0.0, 1.0)),
    "echoes": hyp.sampled_from((True, True, True, False)),
    "lost": hyp.sampled_from((None, None, None, "Shunt_Current", "Vehicle_ModeRequest", "CellVoltage_004")),
    "ticks": hyp.integers(1, 60),
})  # fmt: skip


@pytest.mark.compiled_only
@given(hyp.lists(PLAY, min_size=3, max_size=12))
@settings(max_examples=40)
def test_whatever_happens_the_rules_hold(play: list[dict[str, object]]) -> None:
    """Random requests, faults, silence and lying contacts: the invariants of the sequence in every single tick."""
    device = Device()
    before = (0.0, 0.0, 0.0)
    for scene in play:
        device.ask(int(str(scene["request"])))
        device.link_rise, device.echoes = float(str(scene["link_rise"])), bool(scene["echoes"])
        device.set("Shunt_Current", float(str(scene["current_A"])))
        device.cells(float(str(scene["cell_V"])))
        device.set("PackIO_EmergencyLine", float(str(scene["emergency"])))
        device.set("Vehicle_FaultReset", float(str(scene["reset"])))
        device.lost = set() if scene["lost"] is None else {device.slot(str(scene["lost"]))}
        for _ in range(int(str(scene["ticks"]))):
            device.tick()
            now, state = commands(device), device.state
            if state == -1:
                continue
            plus, minus, pre = now
            assert minus or not (plus or pre), "plus or precharge without minus"
            assert state in (mode.PRECHARGE, mode.RUN, mode.CHARGE, mode.OPENING) or now == (0, 0, 0)
            assert not (plus and not before[0]) or before[2], "plus closes without precharge before"
            assert device.dut.state.whole[st.OPEN_NOW, 0] == 0 or now == (0, 0, 0)
            assert device.read("BMS_PrechargeTries") <= device.calibration.precharge.tries
            before = now
