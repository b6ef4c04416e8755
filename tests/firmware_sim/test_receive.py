"""Frames in: wrong lengths, second copies, late and foreign frames, and the age of what is held."""

from __future__ import annotations

import numpy as np
import pytest
from rigs import Device

from firmware_sim import state as st
from firmware_sim.wire import layout as w

CURRENT = "Shunt_Current"


def taken(device: Device, name: str = CURRENT) -> float:
    """What the firmware holds for a signal."""
    return float(device.dut.state.value[0, device.rows[name]])


def event(device: Device, name: str, t_ns: int = 0, **columns: int) -> None:
    """Put the last frame of a signal's slot among the events of the next tick, with other columns."""
    s, slots = device.slot(name), device.net.to_dut.slots
    row = device.events.rows[int(device.events.count[0])]
    row[:] = 0
    row[[w.EVENT_T_NS, w.EVENT_BUS, w.EVENT_ID, w.EVENT_FLAGS, w.EVENT_LEN]] = (
        t_ns, slots[s, w.BUS], slots[s, w.CAN_ID], slots[s, w.FLAGS], slots[s, w.LENGTH]
    )  # fmt: skip
    row[w.EVENT_WORD_0] = device.image.words[0, slots[s, w.WORD_0]]
    for column, value in columns.items():
        row[getattr(w, column)] = value
    device.events.count[0] += 1


def test_a_value_is_taken_in_the_tick_of_its_frame() -> None:
    """What stands on the wire in a tick is what the device works with in that tick."""
    device = Device().standby()
    device.set(CURRENT, 1.25)
    device.tick()
    assert 1.25 == pytest.approx(taken(device), abs=1e-9)


@pytest.mark.parametrize("length", [0, 7, 9, 64])
def test_a_frame_of_another_length_is_an_error(length: int) -> None:
    """Neither shorter nor longer frames are read; the last good value is held."""
    device = Device().standby()
    device.set(CURRENT, 1.25)
    s = device.slot(CURRENT)
    device.net.to_dut.slots[s, w.LENGTH], before = 8, int(device.dut.state.link[st.N_ERRORS, 0, s])
    device.lost = {s}
    device.tick()
    event(device, CURRENT, t_ns=device.k * device.dt_ns, EVENT_LEN=length)
    device.tick()
    assert before + 1 == device.dut.state.link[st.N_ERRORS, 0, s]
    assert 0.0 == taken(device)


def test_a_second_copy_is_a_repetition() -> None:
    """A doubled frame counts as an error and changes nothing."""
    device = Device().standby()
    s = device.slot(CURRENT)
    before = int(device.dut.state.link[st.N_ERRORS, 0, s])
    event(device, CURRENT)  # the frame of the last tick again, ahead of this tick's
    device.tick()
    assert before + 1 == device.dut.state.link[st.N_ERRORS, 0, s]


@pytest.mark.parametrize(
    "columns", [{"EVENT_ID": 0x7FF}, {"EVENT_BUS": 5}, {"EVENT_FLAGS": w.EXTENDED}, {"EVENT_PACK": 3}], ids=str
)
def test_frames_for_others_are_ignored(columns: dict[str, int]) -> None:
    """Another id, bus, frame format or pack: not an error, not a value."""
    device = Device().standby()
    s = device.slot(CURRENT)
    device.lost = {s}
    device.tick()
    before = device.dut.state.link[:, 0, s].copy()
    event(device, CURRENT, **columns)
    device.tick()
    assert np.array_equal(before, device.dut.state.link[:, 0, s])


def test_a_frame_of_a_page_the_pack_does_not_have_is_ignored() -> None:
    """Cells beyond the pack's last are not for this device."""
    device = Device().standby()
    name = "CellVoltage_015"
    s = device.slot(name)
    page = int(device.image.words[0, device.net.to_dut.slots[s, w.WORD_0]]) | int(device.net.to_dut.slots[s, w.PAGE_MASK])
    before = device.dut.state.link[st.N_ERRORS].copy()
    event(device, name, EVENT_WORD_0=page)
    device.tick()
    assert np.array_equal(before, device.dut.state.link[st.N_ERRORS])


def test_a_late_frame_is_read_after_the_one_in_its_slot() -> None:
    """Frames of one stream are taken in the order of their arrival, whether they stand in a slot or not."""
    device = Device().standby()
    s = device.slot(CURRENT)
    device.set(CURRENT, 2.0)
    device.lost = {s}
    device.tick()
    late_word = int(device.image.words[0, device.net.to_dut.slots[s, w.WORD_0]])
    device.lost = set()
    device.set(CURRENT, 3.0)
    event(device, CURRENT, t_ns=(device.k + 1) * device.dt_ns - 1, EVENT_WORD_0=late_word)
    device.tick()
    assert 3.0 == pytest.approx(taken(device), abs=1e-9)  # the late one steps back in its counter: refused
    assert device.dut.state.link[st.LAST_RESULT, 0, s] != 0


@pytest.mark.parametrize("bit", [0, 9, 13, 40, 63])
def test_a_flipped_bit_anywhere_is_refused(bit: int) -> None:
    """One inverted bit in a frame: the value is not taken."""
    device = Device().standby()
    s = device.slot(CURRENT)
    device.set(CURRENT, 2.0)
    device.lost = {s}
    device.tick()
    word = int(device.image.words[0, device.net.to_dut.slots[s, w.WORD_0]])
    flipped = word ^ (1 << bit if bit < 63 else -(1 << 63))
    event(device, CURRENT, t_ns=device.k * device.dt_ns, EVENT_WORD_0=flipped)
    device.tick()
    assert 0.0 == taken(device)


def test_not_available_holds_no_value_but_is_no_silence() -> None:
    """A frame that says "not available" is fresh; its signal is invalid and the old value stays."""
    device = Device().standby()
    s, at = device.slot(CURRENT), device.rows[CURRENT]
    device.set(CURRENT, float("nan"))
    device.tick()
    assert 0 == device.dut.state.valid[0, at]
    assert 1 == device.dut.state.link[st.FRESH, 0, s]
    assert device.dut.state.whole[st.UP_NS, 0] - device.dut.state.link[st.HEARD_NS, 0, s] == device.dt_ns
