"""All that the firmware remembers is in its state: copied, restored and compared in one line; NVM survives, nothing else."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from rigs import Device

from firmware_sim import bms, mode
from firmware_sim import state as st


def test_a_restored_device_goes_on_as_if_nothing_had_been() -> None:
    """Save, run on, put back, run the same again: equal state, bit for bit, and equal frames."""
    device = Device().driving()
    saved, at = device.dut.state.copy(), device.k
    wire = device.sender.copy(), device.bus_free_ns.copy(), device.values.copy(), device.heard.copy(), device.heard_valid.copy()

    def on() -> tuple[str, bytes]:
        for n in range(60):
            device.set("Shunt_Current", 0.1 * n)
            device.tick()
        return device.dut.state.state_hash(), device.dut.image.words.tobytes()

    first = on()
    assert first[0] != saved.state_hash()
    device.dut.state.restore(saved)
    device.k = at
    for block, kept in zip(
        (device.sender, device.bus_free_ns, device.values, device.heard, device.heard_valid), wire, strict=True
    ):
        block[...] = kept
    assert first == on()


def test_a_copy_is_independent() -> None:
    """Running on does not change what was saved."""
    device = Device().standby()
    saved = device.dut.state.copy()
    before = saved.state_hash()
    device.tick(10)
    assert before == saved.state_hash() != device.dut.state.state_hash()


def test_the_hash_sees_every_block() -> None:
    """One bit in any block changes it."""
    state = bms.power_on(Device().settings, 1)
    before = state.state_hash()
    for field in fields(state):
        block = getattr(state, field.name)
        if not block.size:
            continue
        kept = block.flat[0]
        block.flat[0] = kept + 1 if kept == kept else 1
        assert before != state.state_hash(), field.name
        block.flat[0] = kept
    assert before == state.state_hash()


def test_power_on_keeps_stored_soc_and_nothing_of_the_run() -> None:
    """After a reset the device starts in INIT with open contactors; the SOC it had stored is where its filter begins."""
    device = Device().driving()
    device.set("Shunt_Current", 1.5)
    device.alive = True
    device.tick(1100)
    soc = device.dut.state.cell[st.KEPT_Z, 0].copy()
    device.dut.reset(device.k * device.dt_ns)
    fresh = device.dut.state
    assert mode.INIT == fresh.whole[st.STATE, 0]
    assert 0 == fresh.whole[[st.PLUS, st.MINUS, st.PRE, st.UP_NS, st.IS_SEEDED], 0].sum()
    assert np.allclose(soc, fresh.cell[st.KEPT_Z, 0], rtol=0, atol=1e-9)
    device.set("Shunt_Current", 0.0)
    device.heard[:] = np.nan
    device.cells(2.9)  # a little less than what was stored: a blank one would say 0.38
    device.until(mode.STANDBY)
    assert np.allclose(soc, device.dut.state.cell[st.Z, 0], atol=0.02)
    assert (soc > 0.41).all()


def test_a_blank_device_takes_its_soc_from_the_voltage() -> None:
    """Without stored values the first valid voltage decides."""
    low, high = Device(), Device()
    low.cells(2.6)
    high.cells(3.6)
    low.standby()
    high.standby()
    assert low.read("BMS_Soc") < 20.0 < 60.0 < high.read("BMS_Soc")
