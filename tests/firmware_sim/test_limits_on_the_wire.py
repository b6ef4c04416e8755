"""Every limit row of every shipped calibration, through encoded frames: sensors in, flags, codes and commands out."""

from __future__ import annotations

import cantools
import pytest
from limit_rows import REACTIONS, TIERS, Row, all_rows, cases
from rigs import ROOT, Device
from stimuli import GRADED, STIMULI, base, level

from firmware_sim import mode, soa
from firmware_sim.types import MS_NS

ROWS = all_rows()
WIRE = [row for row in ROWS if row.table["quantity"] in GRADED]
_CODES = (
    cantools.database.load_file(ROOT / "dbc" / "bms.dbc").get_message_by_name("BMS_Status").get_signal_by_name("BMS_FaultCode")
)
CODE = {str(name): int(number) for number, name in _CODES.choices.items()}
OPENING = [row for row in ROWS if row.table["reaction"] == "open"]


def device_at(row: Row) -> Device:
    """A device in the state in which the row's quantity counts, near its threshold where it is graded."""
    device = Device(row.calibration)
    device.kind = row.kind
    graded = GRADED.get(row.table["quantity"])
    if graded is not None and graded.step != "0.005":
        graded.apply(device, base(row, ROWS))
    STIMULI[row.table["quantity"]].place(device, row)
    if row.when == "charging":
        device.set("Shunt_Current", -10.0 * device.calibration.plausibility.rest_A)
        device.tick(2)
    return device


def ticks(device: Device, ms: int) -> int:
    """Ticks after a sample until this time has passed."""
    return -(-ms * MS_NS // device.dt_ns)


def flag(device: Device, row: Row) -> bool:
    """The row's flag on the wire."""
    return device.read(f"Diag_{row.code}") == 1.0


def go_bad(device: Device, row: Row, value: float | None = None) -> int:
    """Disturb until the first bad sample has arrived; returns the tick."""
    stimulus = STIMULI[row.table["quantity"]]
    if value is None:
        stimulus.bad(device)
    else:
        GRADED[row.table["quantity"]].apply(device, value)
    for _ in range(100):
        stimulus.each(device)
        device.tick()
        if device.arrives(stimulus.frame.format(device.of_kind[device.kind][3])):
            return device.k
    raise AssertionError(f"{stimulus.frame} did not arrive")


def first_opening(row: Row, value: float) -> str:
    """Code of the row that asks for open contactors first at this value: shortest debounce, then place in the file."""
    rivals = [
        other
        for other in OPENING
        if (other.calibration, other.table["quantity"], other.kind, other.when)
        == (row.calibration, row.table["quantity"], row.kind, row.when)
        and other.side * value > other.side * other.threshold
    ]
    return min(rivals, key=lambda other: (other.debounce_ms, other.at)).code


def test_every_quantity_has_a_stimulus() -> None:
    """A quantity that a limit may watch can be made bad from outside."""
    assert set(soa.QUANTITIES) == set(STIMULI)


@pytest.mark.compiled_only
@pytest.mark.parametrize("n", [0, -1, -2])
@pytest.mark.parametrize("row", cases(WIRE))
def test_up_to_the_threshold_the_flag_stays_down(row: Row, n: int) -> None:
    """The last value that the wire can carry on the good side of a threshold, and the two before it, never trip."""
    device = device_at(row)
    GRADED[row.table["quantity"]].apply(device, level(row, n))
    for _ in range(2 * ticks(device, row.debounce_ms) + 30):
        device.tick()
        assert not flag(device, row)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("row", cases(WIRE))
def test_beyond_the_threshold_flag_and_reaction_come_in_their_ticks(row: Row, n: int) -> None:
    """Flag exactly the debounce after the first bad frame, reaction exactly the delay after the flag, code of the first."""
    device = device_at(row)
    value = level(row, n)
    go_bad(device, row, value)
    expect_flag_and_reaction(device, row)
    if row.table["reaction"] == "open":
        assert CODE[first_opening(row, value)] == device.read("BMS_FaultCode")


@pytest.mark.parametrize("row", cases([row for row in ROWS if row not in WIRE and STIMULI[row.table["quantity"]].frame]))
def test_flag_and_reaction_follow_the_first_bad_frame(row: Row) -> None:
    """The same for what is not a level: a line, an invalid value, a contradiction."""
    device = device_at(row)
    go_bad(device, row)
    expect_flag_and_reaction(device, row)
    if row.table["reaction"] == "open":
        assert CODE[row.code] == device.read("BMS_FaultCode")


def expect_flag_and_reaction(device: Device, row: Row) -> None:
    """With the first bad sample just taken: flag after the debounce, reaction after the delay, to the tick."""
    stimulus = STIMULI[row.table["quantity"]]
    for _ in range(ticks(device, row.debounce_ms)):
        assert not flag(device, row)
        stimulus.each(device)
        device.tick()
    assert flag(device, row)
    expect_reaction(device, row)


def expect_reaction(device: Device, row: Row) -> None:
    """With the flag just raised: the reaction comes after the delay, to the tick; until then it is announced."""
    stimulus = STIMULI[row.table["quantity"]]
    no_charge, no_discharge, opens = REACTIONS[row.table["reaction"]]
    for _ in range(ticks(device, row.delay_ms)):
        assert device.read("BMS_ReactionPending") == 1.0
        assert not opens or device.state != mode.ERROR
        stimulus.each(device)
        device.tick()
    assert TIERS[row.table["tier"]] <= device.read("BMS_WorstTier")
    assert not no_charge or device.read("BMS_ChargeAllowed") == 0.0
    assert not no_discharge or device.read("BMS_DischargeAllowed") == 0.0
    if opens:
        assert mode.ERROR == device.state
        assert 0.0 == device.read("BMS_MainPlusCommand") == device.read("BMS_MainMinusCommand")


@pytest.mark.parametrize("row", cases([row for row in ROWS if not STIMULI[row.table["quantity"]].frame]))
def test_what_builds_up_trips_in_its_time(row: Row) -> None:
    """Ages, rates and sequences: the flag comes in the stated time plus the debounce, the reaction the delay after it."""
    device, stimulus = device_at(row), STIMULI[row.table["quantity"]]
    stimulus.bad(device)
    first, last = (ticks(device, ms + row.debounce_ms) for ms in stimulus.after_ms)
    n = 0
    while not flag(device, row):
        assert n <= last
        stimulus.each(device)
        device.tick()
        n += 1
    assert first <= n
    expect_reaction(device, row)


@pytest.mark.parametrize(
    ("signal", "code", "age_ms"),
    [
        ("CellVoltage_000", "CellDataLost", 250), ("CellTemperature_00", "TemperatureLost", 500),
        ("Shunt_Current", "CurrentLost", 100), ("PackIO_Hvil", "PackIoLost", 100), ("Vehicle_ModeRequest", "RequestLost", 500),
    ],
)  # fmt: skip
def test_a_lost_frame_is_old_one_tick_after_its_age(signal: str, code: str, age_ms: int) -> None:
    """At exactly its age limit data still counts; one tick later it is lost. Age counts from the start of its tick."""
    device = Device().driving()
    while not device.arrives(signal):
        device.tick()
    device.lost.add(device.slot(signal))
    device.tick(ticks(device, age_ms) - 1)
    assert device.read(f"Diag_{code}") == 0.0
    device.tick()
    assert device.read(f"Diag_{code}") == 1.0


@pytest.mark.compiled_only
@pytest.mark.parametrize("row", cases([row for row in WIRE if row.latch != "no"]))
def test_a_latched_row_needs_a_press_of_reset(row: Row) -> None:
    """With the cause gone the flag and ERROR stay until a reset is asked for; then the device comes back to standby."""
    device = device_at(row)
    go_bad(device, row, level(row, 1))
    device.tick(ticks(device, row.debounce_ms + row.delay_ms) + 1)
    assert flag(device, row)
    device.press_reset()
    assert flag(device, row)
    device.rest()
    device.tick(2 * ticks(device, row.clear_ms) + 30)
    assert flag(device, row)
    assert mode.ERROR == device.state
    device.press_reset()
    assert not flag(device, row)
    device.until(mode.STANDBY)


@pytest.mark.compiled_only
@pytest.mark.parametrize("row", cases([row for row in WIRE if row.latch != "no"]))
def test_power_loss_forgets_only_what_may_be_forgotten(row: Row) -> None:
    """After a power cycle a row that survives stands again in the first frames; another does not."""
    device = device_at(row)
    go_bad(device, row, level(row, 1))
    device.tick(ticks(device, row.debounce_ms + row.delay_ms) + 1)
    assert flag(device, row)
    device.rest()
    device.tick(60)
    device.dut.reset(device.k * device.dt_ns)
    device.heard[:] = float("nan")
    device.tick(20)
    assert (row.latch == "survives_power_loss") == flag(device, row)


@pytest.mark.compiled_only
@pytest.mark.parametrize("row", cases([row for row in ROWS if row not in WIRE and row.latch != "no"]))
def test_one_press_of_reset_clears_whatever_is_latched(row: Row) -> None:
    """Lines, contradictions, sequences: with the cause gone one press is enough, and without one nothing is cleared."""
    device, stimulus = device_at(row), STIMULI[row.table["quantity"]]
    stimulus.bad(device)
    for _ in range(ticks(device, 13_000)):
        if flag(device, row):
            break
        stimulus.each(device)
        device.tick()
    device.tick(ticks(device, row.delay_ms) + 1)
    assert flag(device, row)
    device.lost, device.echoes, device.link_rise, device.alive = set(), True, 0.1, True
    device.rest()
    device.tick(2 * ticks(device, row.clear_ms) + 60)
    assert flag(device, row)
    assert mode.ERROR == device.state
    device.press_reset()
    assert not flag(device, row)
    device.until(mode.STANDBY)
