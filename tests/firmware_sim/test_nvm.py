"""Non-volatile memory: whatever piece a write stops at, the start is from a whole record, and nothing else counts as one."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest
from rigs import Device

from firmware_sim import bms, nvm
from firmware_sim import state as st
from firmware_sim.state import FirmwareState

SAVE_TICKS = 1000


def saved(n_saves: int = 2) -> Device:
    """A device that has driven at 1 A and written its memory so many times."""
    device = Device().driving()
    device.alive = True
    device.set("Shunt_Current", 1.0)
    device.tick(SAVE_TICKS * n_saves + 100 - device.k)
    assert 0 == device.dut.state.whole[st.NVM_PIECE, 0]
    assert n_saves == device.dut.state.whole[st.NVM_SEQUENCE, 0]
    return device


def started(device: Device) -> FirmwareState:
    """The state of a device that starts with this memory."""
    return bms.power_on(device.settings, 1, 0, device.dut.state)


def test_the_crc_is_that_of_zlib() -> None:
    """CRC-32 over format to the last word and the sequence number, by another program."""
    device = saved()
    for copy in (0, 1):
        words = device.dut.state.nvm[copy, 0].astype("<u4")
        stream = words[nvm.FORMAT :].tobytes() + words[nvm.SEQUENCE].tobytes()
        assert zlib.crc32(stream) == words[nvm.CRC]


def test_every_write_goes_to_the_older_copy() -> None:
    """Sequence numbers of the two copies follow each other, and the newer one is taken."""
    device = saved(3)
    assert {2, 3} == set(device.dut.state.nvm[:, 0, nvm.SEQUENCE].tolist())
    assert 3 == started(device).whole[st.NVM_SEQUENCE, 0]


def test_whatever_piece_a_write_stops_at_the_older_copy_is_taken() -> None:
    """A reset after every single piece of a write: SOC and counters are those of the write before, until it is whole."""
    device = saved()
    state, ends = device.dut.state, started(device)
    state.cell[st.KEPT_Z] -= 0.2
    state.real[st.OUT_AH] += 7.0
    state.whole[st.NVM_PIECE] = 1
    n_pieces = 2 + -(-(state.nvm.shape[2] - nvm.FORMAT) // nvm.PIECE)
    for piece in range(n_pieces):
        nvm.write(state.nvm, state.cell, state.real, state.whole, 0)
        begins = started(device)
        if piece < n_pieces - 1:
            assert 1 == state.whole[st.NVM_PIECE, 0] - piece - 1
            assert np.array_equal(ends.cell[st.KEPT_Z], begins.cell[st.KEPT_Z]), piece
            assert ends.real[st.OUT_AH, 0] == begins.real[st.OUT_AH, 0]
    assert 0 == state.whole[st.NVM_PIECE, 0]
    assert np.allclose(ends.cell[st.KEPT_Z] - 0.2, begins.cell[st.KEPT_Z], rtol=0, atol=2e-9)
    assert ends.real[st.OUT_AH, 0] + 7.0 == pytest.approx(begins.real[st.OUT_AH, 0], abs=2e-3)


def test_no_bit_of_a_record_may_be_another() -> None:
    """One flipped bit in each byte of each word, and the copy is refused."""
    device = saved()
    memory = device.dut.state.nvm
    newest = int(memory[:, 0, nvm.SEQUENCE].argmax())
    for word in range(memory.shape[2]):
        for byte in range(4):
            flip = 1 << (8 * byte + (word + 3 * byte) % 8)
            memory[newest, 0, word] ^= flip
            assert not nvm.is_record(memory, newest, 0, device.settings.n_cells), (word, byte)
            memory[newest, 0, word] ^= flip
    assert nvm.is_record(memory, newest, 0, device.settings.n_cells)


@pytest.mark.parametrize(
    "spoil",
    [lambda m: m.fill(0), lambda m: m.fill(nvm.ERASED), lambda m: m[:, :, nvm.CRC].fill(1)],
    ids=["zeros", "ones", "wrong CRC"],
)
def test_without_a_whole_record_it_starts_as_from_the_factory(spoil: Callable[[np.ndarray], None]) -> None:
    """Both copies blank, erased or torn: a first start, from the voltage, with counters at 0."""
    device, blank = saved(), Device()
    spoil(device.dut.state.nvm)
    device.dut.reset(device.k * device.dt_ns)
    assert 0 == device.dut.state.whole[st.NVM_FOUND, 0]
    assert 0.0 == device.dut.state.real[st.OUT_AH, 0]
    for one in (device, blank):
        one.set("Shunt_Current", 0.0)
        one.alive = False
        one.heard[:] = np.nan
        one.cells(3.3)
        one.standby()
    assert blank.read("BMS_SocMin") == pytest.approx(device.read("BMS_SocMin"), abs=0.5)


def test_a_record_of_another_pack_is_none() -> None:
    """A copy made for another number of cells is not taken, whatever its CRC."""
    memory = saved().dut.state.nvm
    assert nvm.is_record(memory, 0, 0, 16)
    assert not nvm.is_record(memory, 0, 0, 15)


def test_a_torn_write_costs_one_interval_of_saving() -> None:
    """With the supply lost in the middle of a write it starts from the copy before, SOC and counters as they stood there."""
    device = saved()
    kept, out_Ah = device.dut.state.cell[st.KEPT_Z].copy(), device.dut.state.real[st.OUT_AH, 0]
    device.tick(800)
    device.dut.tear(device.k * device.dt_ns)
    fresh = device.dut.state
    assert 2 == fresh.whole[st.NVM_SEQUENCE, 0]
    assert 1 == sum(nvm.is_record(fresh.nvm, copy, 0, 16) for copy in (0, 1))
    assert np.allclose(kept, fresh.cell[st.KEPT_Z], rtol=0, atol=1e-9)
    assert out_Ah == pytest.approx(fresh.real[st.OUT_AH, 0], abs=1e-3)
    assert device.dut.state.real[st.OUT_AH, 0] < 1.0 * 29.0 / 3600.0


def test_each_pack_of_a_batch_has_a_memory_of_its_own() -> None:
    """What tears the record of one pack leaves that of another whole."""
    settings = Device().settings
    state = bms.power_on(settings, 2)
    state.whole[st.NVM_PIECE] = 1
    for _ in range(3):
        nvm.write(state.nvm, state.cell, state.real, state.whole, 0)
    while state.whole[st.NVM_PIECE, 1] > 0:
        nvm.write(state.nvm, state.cell, state.real, state.whole, 1)
    after = bms.power_on(settings, 2, 0, state)
    assert [0, 1] == after.whole[st.NVM_FOUND].tolist()
