"""State of health and trends: what is found, how surely, and that nothing is told without evidence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rigs import Device, wired

from firmware_sim import counters
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, sodium, soh, spread, trend
from firmware_sim.types import F64, S_NS

_, SETTINGS, CALIBRATION = wired("nfm-16s", "nfm-16s", "classic", 10_000_000)
MINUTE_NS = 60 * S_NS


class Life:
    """The kernels of health alone, in steps of a minute: cells with capacities of their own that follow the tables.

    capacity: relative to the model's.  loss_per_month: of SOC, by cell.
    """

    def __init__(self, capacity: F64, z: float = 0.8, loss_per_month: F64 | None = None) -> None:
        self.capacity, self.n = capacity, len(capacity)
        self.true_z = np.full(self.n, z)
        self.loss_per_month = np.zeros(self.n) if loss_per_month is None else loss_per_month
        self.cell, self.real = np.zeros((st.N_CELL, 1, self.n)), np.zeros((st.N_REAL, 1))
        self.whole = np.zeros((st.N_WHOLE, 1), np.int64)
        self.cell[st.REACH], self.cell[st.TEMP], self.cell[st.RHO], self.whole[st.IS_SEEDED] = 1.0, 25.0, 1.0, 1
        self.real[[st.PACK_CAPACITY, st.PACK_LEAK, st.IMBALANCE, st.IMBALANCE_RATE]] = math.nan
        self.cell_map = np.zeros((4, self.n), np.int64)
        self.stretches = np.array([[0, self.n, 0, 0]])
        self.real[st.LOOP_H] = 1.0
        soh.begin(self.cell, 0)

    def minutes(self, n: int, current_A: float = 0.0, error_V: float = 0.0) -> Life:
        """So many minutes at a current. error_V: on every reading."""
        s = SETTINGS
        for _ in range(n):
            self.true_z -= current_A / 60.0 / (CALIBRATION.model.capacity_Ah * self.capacity)
            self.true_z -= self.loss_per_month / (730.5 * 60.0)
            self.whole[st.UP_NS] += MINUTE_NS
            self.real[st.CURRENT_A], self.real[st.SOC] = current_A, self.true_z.min()
            counters.charge(self.real, self.whole, s.real, s.kinds, 0, MINUTE_NS, 1, True)
            for i in range(self.n):
                volt, _ = belief.ocv(self.true_z[i], self.real[st.LOOP_H, 0], 1.0, 25.0, 0, s.curves)
                self.cell[st.VOLT, 0, i] = round((volt + error_V) / 0.001) * 0.001
            soh.step(
                cfg.COUNTING, self.cell, self.real, self.whole, self.cell_map, self.stretches, s.kinds, s.curves, 0, MINUTE_NS
            )
            trend.step(self.cell, self.real, self.whole, self.stretches, s.kinds, s.curves, True, 0, MINUTE_NS)
        return self

    def cycles(self, n: int, error_V: float = 0.0) -> Life:
        """Partial cycles of 80 to 30 %, with half an hour of rest at each end."""
        for _ in range(n):
            self.minutes(30, 0.0, error_V).minutes(45, 1.0, error_V).minutes(30, 0.0, error_V).minutes(45, -1.0, error_V)
        return self.minutes(30, 0.0, error_V).minutes(1, 1.0, error_V)


def test_capacity_is_found_from_rests_by_a_method_that_only_counts() -> None:
    """Cells of 75 to 102 %, five partial cycles: each within 1.5 %, and within what is stated; the pack has the weakest."""
    capacity = np.array([0.75, 0.9, 1.02])
    life = Life(capacity).cycles(5)
    found, sigma = life.cell[[st.SOH_CAPACITY, st.SOH_CAPACITY_SIGMA], 0]
    assert 0.015 > np.abs(found / capacity - 1.0).max()
    assert (np.abs(found - capacity) < 1.96 * sigma).all()
    assert found.min() == life.real[st.PACK_CAPACITY, 0]
    assert 0 == life.whole[st.CAPACITY_AT, 0]
    assert 1.96 * sigma[0] == pytest.approx(life.real[st.PACK_CAPACITY_BAND, 0])


def test_capacity_is_not_told_before_there_is_a_pair_of_rests() -> None:
    """One rest says nothing; nor do two without charge in between."""
    life = Life(np.array([0.8, 0.8])).minutes(60)
    assert math.isnan(life.real[st.PACK_CAPACITY, 0])
    life.minutes(5, 1.0).minutes(60).minutes(5, -1.0).minutes(60)
    assert math.isnan(life.real[st.PACK_CAPACITY, 0])
    assert (soh.PRIOR_CAPACITY == life.cell[st.SOH_CAPACITY_SIGMA, 0]).all()


def test_more_cycles_do_not_make_a_wrong_curve_right() -> None:
    """With readings 20 mV high the error stays inside the band after two cycles and after twenty: the band has a floor."""
    for cycles in (2, 20):
        life = Life(np.array([0.9]), loss_per_month=np.zeros(1)).cycles(cycles, 0.02)
        assert abs(life.cell[st.SOH_CAPACITY, 0, 0] - 0.9) < 1.96 * life.cell[st.SOH_CAPACITY_SIGMA, 0, 0]


def test_a_gap_in_the_current_makes_a_pair_worthless() -> None:
    """Ten minutes without a reading inside a discharge: the pair that spans them changes next to nothing."""
    life = Life(np.array([0.8])).minutes(30).minutes(35, 1.0)
    for _ in range(10):
        counters.charge(life.real, life.whole, SETTINGS.real, SETTINGS.kinds, 0, MINUTE_NS, 1, False)
    life.minutes(30).minutes(1, 1.0)
    assert 0.9 < life.cell[st.SOH_CAPACITY, 0, 0]
    assert soh.KNOWN_CAPACITY < life.cell[st.SOH_CAPACITY_SIGMA, 0, 0]


def test_resistance_follows_the_methods_scale() -> None:
    """A scale of 1.4, known to 5 %: found within an hour or two, not told at once, and never surer than the method."""
    device = Device()
    s, state = device.settings, device.dut.state
    rho = spread.row_of(cfg.SODIUM, st.RHO)
    state.whole[st.IS_SEEDED], state.cell[st.RHO], state.cell[rho] = 1, 1.4, 0.05**2
    state.cell[spread.row_of(cfg.SODIUM, st.CAPACITY)] = 0.2**2
    for n in range(240):
        state.whole[st.UP_NS] += MINUTE_NS
        soh.step(cfg.SODIUM, state.cell, state.real, state.whole, s.cell_map, s.stretches, s.kinds, s.curves, 0, MINUTE_NS)
        if n == 0:
            assert math.isnan(state.real[st.PACK_RESISTANCE, 0]) or state.real[st.PACK_RESISTANCE_BAND, 0] > 0.2
    assert 1.4 == pytest.approx(state.real[st.PACK_RESISTANCE, 0], abs=0.03)
    assert (state.cell[st.SOH_RESISTANCE_SIGMA, 0] >= 0.05 - 1e-9).all()
    assert math.isnan(state.real[st.PACK_CAPACITY, 0])  # 20 % is no evidence
    state.cell[st.SOH_RESISTANCE_SIGMA, 0, 3] = 0.2
    soh.summarise(state.cell, state.real, state.whole, 0)
    assert np.isnan(state.real[[st.PACK_RESISTANCE, st.PACK_RESISTANCE_BAND], 0]).all()  # nor is what is no longer known told


def restarted(device: Device, **told: float) -> F64:
    """State of the cells of a device that was reset with this in its memory."""
    cell = device.dut.state.cell
    for name, value in told.items():
        cell[getattr(st, name)] = value
    device.dut.state.whole[st.NVM_PIECE] = 1
    device.tick(40)
    device.dut.reset(device.k * device.dt_ns)
    device.heard[:] = np.nan
    device.standby()
    return device.dut.state.cell


def covariance(cell: F64, i: int) -> F64:
    """That of method sodium, of one cell, over the square roots of its diagonal."""
    rows = [[cell[sodium.of(a, b), 0, i] for b in range(sodium.N)] for a in range(sodium.N)]
    sigma = np.sqrt(np.diag(rows))
    return np.array(rows) / sigma / sigma[:, None]


def test_what_was_learned_is_where_a_method_starts_after_a_reset() -> None:
    """Capacity, resistance and current error come back from memory into the filter, as sure as they were but not surer."""
    device = Device()
    device.alive = True
    device.driving()
    cell = restarted(device, SOH_CAPACITY=0.85, SOH_CAPACITY_SIGMA=0.04, SOH_RESISTANCE=1.3, SOH_RESISTANCE_SIGMA=0.03)
    assert 0.85 == pytest.approx(float(cell[st.CAPACITY, 0].mean()), abs=0.01)
    assert 1.3 == pytest.approx(float(cell[st.RHO, 0].mean()), abs=0.02)
    sigma = np.sqrt(cell[spread.row_of(cfg.SODIUM, st.CAPACITY), 0])
    assert (np.abs(sigma - math.sqrt(0.04**2 - soh.UNSEEN_CAPACITY**2)) < 0.005).all()


def test_what_a_reset_leaves_known_is_a_covariance() -> None:
    """Resistance and capacity hang together as cells age: where memory knows both, so must what lies between them."""
    device = Device()
    device.alive = True
    device.driving()
    cell = restarted(device, SOH_CAPACITY=0.9, SOH_CAPACITY_SIGMA=0.045, SOH_RESISTANCE=1.2, SOH_RESISTANCE_SIGMA=0.03)
    assert 0.0 < np.linalg.eigvalsh(covariance(cell, 0)).min()
    assert 1.2 == pytest.approx(cell[st.RHO, 0, 0], abs=0.02)
    assert 0.9 == pytest.approx(cell[st.CAPACITY, 0, 0], abs=0.01)


def test_a_capacity_that_is_remembered_as_unsure_is_remembered_all_the_same() -> None:
    """Three quarters, by 11 %, beside a resistance that says nothing of age: the mean is taken, however little is known."""
    device = Device()
    device.alive = True
    device.driving()
    cell = restarted(device, SOH_CAPACITY=0.75, SOH_CAPACITY_SIGMA=0.11, SOH_RESISTANCE=1.0, SOH_RESISTANCE_SIGMA=0.03)
    assert 0.75 == pytest.approx(cell[st.CAPACITY, 0, 0], abs=0.01)
    assert 0.0 < np.linalg.eigvalsh(covariance(cell, 0)).min()


def test_resistance_is_remembered_together_with_the_error_of_its_sensor() -> None:
    """1.4 by a sensor that may be off: scale and temperature are each as unsure as before, what load sees of both is not."""
    device = Device()
    device.alive = True
    device.driving()
    cell = restarted(device, SOH_RESISTANCE=1.4, SOH_RESISTANCE_SIGMA=0.03, SOH_R_PER_K=-0.04)
    told, var = spread.resistance(cfg.SODIUM, cell, 0, 0)
    warm = cell[st.LN_R_PER_K, 0, 0]
    assert 1.4 == pytest.approx(cell[st.RHO, 0, 0] - 1.4 * 0.04 * cell[st.TEMP_OFF_K, 0, 0], abs=0.01)
    assert 4.5 < math.sqrt(cell[sodium.at(sodium.T, sodium.T), 0, 0])
    assert 0.15 < math.sqrt(cell[sodium.at(sodium.RHO, sodium.RHO), 0, 0])
    assert math.sqrt(var) < 0.05 + 1.4 * abs(warm + 0.04) * 8.0
    assert 1.4 == pytest.approx(told, abs=0.1)


# ---- trends


def test_a_leaking_cell_is_named_with_its_rate() -> None:
    """One of four loses 30 % a month more than its sisters: found within two days, 20 % right, with its number."""
    life = Life(np.ones(4), 0.6, np.array([0.0, 0.0, 0.3, 0.0])).minutes(48 * 60)
    assert 0.3 == pytest.approx(life.real[st.PACK_LEAK, 0], rel=0.2)
    assert 2 == life.whole[st.LEAK_AT, 0]
    assert life.real[st.IMBALANCE, 0] == pytest.approx(0.3 / 730.5 * 48.0, rel=0.2)
    assert life.real[st.IMBALANCE_RATE, 0] == pytest.approx(0.3, rel=0.2)


def test_a_healthy_pack_is_not_judged_before_there_is_evidence() -> None:
    """After a day nothing is told; after two weeks it is known that no cell loses more than 1 % a month."""
    life = Life(np.ones(4), 0.6).minutes(24 * 60)
    assert math.isnan(life.real[st.PACK_LEAK, 0])
    assert math.isnan(life.real[st.IMBALANCE_RATE, 0])
    assert -1 == life.whole[st.LEAK_AT, 0]
    life.minutes(14 * 24 * 60)
    assert 0.01 > life.real[st.PACK_LEAK, 0]


def test_a_cell_is_named_on_the_wire_with_its_value_and_never_without() -> None:
    """Cell 0 is a cell, so what is not known goes out as not available."""
    device = Device()
    device.alive = True
    device.driving()
    device.tick(200)
    names = ("BMS_SelfDischarge", "BMS_SelfDischargeIndex", "BMS_SohCapacity", "BMS_SohCellIndex")
    assert all(math.isnan(device.read(name)) for name in names)
    state = device.dut.state
    state.real[[st.PACK_LEAK, st.PACK_CAPACITY]] = np.array([[0.3], [0.9]])
    state.whole[[st.LEAK_AT, st.CAPACITY_AT]] = np.array([[0], [5]])
    device.tick(200)
    assert [30.0, 0.0, 90.0, 5.0] == pytest.approx([device.read(name) for name in names])


def test_unequal_cells_at_another_soc_are_no_leak() -> None:
    """Capacities 10 % apart drift apart while the pack is discharged and come back with it: nothing is told of that."""
    life = Life(np.array([0.9, 1.0, 1.0]), 0.8).minutes(30)
    for _ in range(3):
        life.minutes(40, 1.0).minutes(60)
        assert math.isnan(life.real[st.PACK_LEAK, 0])
        life.minutes(40, -1.0).minutes(60)
        assert math.isnan(life.real[st.PACK_LEAK, 0])


def test_one_cell_has_no_sisters() -> None:
    """Of a single cell no trend is told."""
    life = Life(np.ones(1), 0.6, np.array([0.5])).minutes(24 * 60)
    assert math.isnan(life.real[st.IMBALANCE, 0])
    assert math.isnan(life.real[st.PACK_LEAK, 0])


def test_an_undated_reset_gives_the_anchor_up_and_a_dated_one_goes_on() -> None:
    """With the parked time told the trend goes on over a reset; without it it begins anew."""
    for hours, kept in ((240.0, 1), (math.nan, 0)):
        device = Device().standby()
        device.alive = True
        state = device.dut.state
        state.whole[st.TREND_SET], state.whole[st.TREND_AT_NS], state.cell[st.TREND_D] = 1, 5 * S_NS, 0.01
        device.tick(1100 - device.k)
        device.dut.reset(device.k * device.dt_ns)
        device.set("Vehicle_ParkedTime", hours)
        device.heard[:] = np.nan
        device.standby()
        state = device.dut.state
        assert kept == state.whole[st.TREND_SET, 0]
        assert 0.01 == pytest.approx(float(state.cell[st.TREND_D, 0, 7]))
        assert 240.0 * 3600.0 * S_NS * kept == state.whole[st.PARKED_NS, 0]
