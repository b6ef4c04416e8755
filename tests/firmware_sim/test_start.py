"""What a device starts from after a reset: its memory, how long it was parked, and the first voltage."""

from __future__ import annotations

import numpy as np
import pytest
from rigs import Device

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, start


class Stored:
    """One cell with 60 % in memory, known to 1 %; its kernel with whatever else is given."""

    def __init__(self, z: float = 0.6, sigma: float = 0.01) -> None:
        device = Device()
        self.s, self.cell = device.settings, device.dut.state.cell[:, :, :1].copy()
        self.cell[st.KEPT_Z], self.cell[st.KEPT_SIGMA], self.cell[st.Z] = z, sigma, z
        self.at(25.0)

    def at(self, temp_degC: float) -> Stored:
        """The cell at a temperature, at the voltage at which it rests with what is stored."""
        self.cell[st.TEMP] = temp_degC
        s = self.s
        belief.refresh(self.cell, 0, 0, 0, s.kinds, s.curves, s.ln_r, s.nodes, s.n_nodes, belief.EVER)
        self.rests_at(float(self.cell[st.KEPT_Z, 0, 0]))
        return self

    def rests_at(self, z: float) -> None:
        """The voltage at which a cell rests in the middle of its loop."""
        x = 1.0 - (1.0 - z) / self.cell[st.REACH, 0, 0]
        self.cell[st.VOLT] = np.interp(x, cfg.X_LOW + cfg.X_STEP * np.arange(cfg.N_X), self.s.curves[0, cfg.MEAN_V])

    def choose(self, parked_h: float = -1.0, current_A: float = 0.0) -> tuple[float, float]:
        """SOC and standard deviation."""
        s = self.s
        return start.choose(self.cell, 0, 0, 0, s.real, s.kinds, s.curves, True, parked_h, current_A)


def test_unknown_time_keeps_what_is_stored() -> None:
    """Without a clock a voltage that fits changes nothing; what was not written any more is added to the doubt."""
    one = Stored()
    z, sigma = one.choose()
    assert 0.6 == z
    assert 0.01 + one.s.real[cfg.STORED_SIGMA] == pytest.approx(sigma)


def test_a_month_takes_three_per_cent_and_doubt_grows_with_time() -> None:
    """In the cold, where the voltage is not asked: 3 % less after a month, and unsure by as much."""
    one = Stored().at(0.0)
    told = [one.choose(parked_h) for parked_h in (0.5, 100.0, 730.5)]
    assert 0.57 == pytest.approx(told[2][0], abs=1e-9)
    assert told[0][1] < told[1][1] < told[2][1]
    assert np.hypot(0.01 + one.s.real[cfg.STORED_SIGMA], 0.03) == pytest.approx(told[2][1])


def test_rested_and_warm_the_voltage_helps() -> None:
    """After a week in the warm both are joined: between them, and surer than each."""
    one = Stored()
    one.rests_at(0.56)
    z, sigma = one.choose(168.0)
    alone = np.hypot(0.01 + one.s.real[cfg.STORED_SIGMA], 168.0 * start.LEAK_PER_H)
    assert 0.56 < z < 0.6 - 168.0 * start.LEAK_PER_H
    assert sigma < alone
    one.rests_at(0.56)
    assert alone == pytest.approx(one.choose(168.0, current_A=1.0)[1])  # under load it is not asked


@pytest.mark.parametrize("parked_h", [-1.0, 0.1, 48.0])
@pytest.mark.parametrize("true_z", [0.1, 0.95])
def test_a_voltage_that_contradicts_memory_is_heard(parked_h: float, true_z: float) -> None:
    """Memory says 60 %, the cell rests at another SOC: the band covers both."""
    one = Stored()
    one.rests_at(true_z)
    z, sigma = one.choose(parked_h)
    assert min(true_z, 0.6) < z < max(true_z, 0.6)
    assert z - 1.96 * sigma <= min(true_z, 0.6)
    assert z + 1.96 * sigma >= max(true_z, 0.6)


@pytest.mark.parametrize("current_A", [-1.5, 0.0, 1.5, 4.5])
@pytest.mark.parametrize("z", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_load_and_loop_are_no_contradiction(z: float, current_A: float) -> None:
    """At either end of the loop and under any load of the pack the stored SOC stays."""
    one = Stored(z)
    rest_V = float(one.cell[st.VOLT, 0, 0])
    drop_V = current_A * float(one.cell[[st.R0, st.R1, st.R2], 0, 0].sum())
    half_V = float(np.interp(z, cfg.X_LOW + cfg.X_STEP * np.arange(cfg.N_X), one.s.curves[0, cfg.HALF_V]))
    for side in (-1.0, 1.0):
        one.cell[st.VOLT] = rest_V + side * half_V - drop_V
        assert z == one.choose(-1.0, current_A)[0]


def restarted(hours: float, volt: float, stored_V: float = 3.3) -> Device:
    """A device that had stored what belongs to one voltage, told how long it was parked, at its first voltage after that."""
    device = Device()
    device.alive = True
    device.cells(stored_V)
    device.tick(1100)
    device.dut.reset(device.k * device.dt_ns)
    device.heard[:] = np.nan
    device.set("Vehicle_ParkedTime", hours)
    device.cells(volt)
    return device.standby()


def test_the_parked_time_comes_over_the_wire() -> None:
    """Parked for two months with an unchanged voltage less is believed than without a clock; the band says so."""
    unknown, known = restarted(np.nan, 3.3), restarted(1461.0, 3.3)
    assert 1461.0 * 3600e9 == known.dut.state.whole[st.PARKED_NS, 0]
    assert 0 == unknown.dut.state.whole[st.PARKED_NS, 0]
    assert known.read("BMS_Soc") < unknown.read("BMS_Soc")


@pytest.mark.parametrize(("stored_V", "volt"), [(3.3, 2.2), (2.0, 3.3), (4.0, 3.0), (2.9, 3.9)])
def test_after_a_reset_a_strange_voltage_is_believed_within_the_band(stored_V: float, volt: float) -> None:
    """Memory says one thing and the cells another: on the wire, what a blank device reads from the cells lies in the band."""
    blank, strange = Device(), restarted(np.nan, volt, stored_V)
    blank.cells(volt)
    blank.standby()
    apart = strange.read("BMS_SocMin") - blank.read("BMS_SocMin")
    assert abs(apart) <= strange.read("BMS_SocBand") + blank.read("BMS_SocBand")
    assert 15.0 < abs(restarted(np.nan, stored_V, stored_V).read("BMS_SocMin") - blank.read("BMS_SocMin"))
