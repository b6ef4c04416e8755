"""Cells in parallel, cells of several kinds, and what a broken cell does to those around it.

Oracles are the closed forms of resistive networks over the numbers that the cells hold, and sums of charge.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from stands import Stand, bare

from hil.plant import cell as c
from hil.plant import cellfile
from hil.plant import pack as pk
from hil.plant.cellfile import Cell
from hil.plant.packfile import Group, Pack
from hil.plant.plant import Initial, build

# Neither ages nor leaks, so that sums close to 1e-9.
CELL = cellfile.load("nfm-18650")[1].model_copy(update=dict.fromkeys(("ageing", "self_discharge", "rate")))


def grouped(series: int, parallel: int, strings: int = 1, **link: float) -> Pack:
    """A bare pack of groups of equal cells."""
    return bare(CELL, series, strings, **link).model_copy(update={"parallel": parallel})


def flatter(cell: Cell) -> Cell:
    """Another kind: half the capacity, 100 mV lower, twice the resistance."""
    ocv = cell.ocv.model_copy(
        update={name: [volt - 0.1 for volt in getattr(cell.ocv, name)] for name in ("discharge_V", "charge_V")}
    )
    doubled = {
        name: [[2 * r for r in row] for row in getattr(cell.resistance, name)] for name in ("r0_ohm", "r1_ohm", "r2_ohm")
    }
    return cell.model_copy(
        update={
            "name": "flatter",
            "capacity_Ah": 0.5 * cell.capacity_Ah,
            "ocv": ocv,
            "resistance": cell.resistance.model_copy(update=doubled),
        }
    )


def test_equal_cells_in_parallel_are_one_cell_of_their_capacity() -> None:
    """Six equal cells at 9 A are the cell at 1.5 A: voltage, temperature and share of charge, over ten minutes."""
    six, one = Stand(grouped(1, 6), CELL, 100), Stand(grouped(1, 1), CELL, 100)
    for k in range(6000):
        six.step(9.0 if k % 900 < 600 else -3.0)
        one.step(1.5 if k % 900 < 600 else -0.5)
    # cells renew their resistance in turn, in up to a second
    assert [float(one.cell(c.TERMINAL_V)[0, 0])] * 6 == pytest.approx(list(six.cell(c.TERMINAL_V)[0]), abs=2e-4)
    assert [float(one.cell(c.Q_AH)[0, 0])] * 6 == pytest.approx(list(six.cell(c.Q_AH)[0]), rel=1e-5)


@pytest.mark.parametrize("dt_ms", [10, 1000])
def test_unlike_cells_in_parallel_share_current_by_emf_and_resistance(dt_ms: int) -> None:
    """In the first tick I_j = (E_j - V) / R_j with the common V of Kirchhoff's law, and their charge adds up for ever."""
    stand = Stand(grouped(2, 3), CELL, dt_ms)
    stand.plant.par[c.R_SCALE, 0, 0] = [1.0, 2.0, 4.0, 1.0, 1.0, 1.0]
    stand.plant.cells[c.Q_AH, 0, 0, :3] = CELL.capacity_Ah * np.array([0.5, 0.6, 0.7])
    stand.plant.settle()
    emf_V, ohm = stand.cell(c.EMF_V)[0, :3].copy(), stand.cell(c.OHM)[0, :3].copy()
    stand.plant.pack[pk.LINK_V] = stand.plant.pack[pk.PACK_V]
    before_Ah = math.fsum(stand.cell(c.Q_AH)[0, :3])
    stand.step(6.0)
    common_V = (np.sum(emf_V / ohm) - 6.0) / np.sum(1.0 / ohm)
    assert list((emf_V - common_V) / ohm) == pytest.approx(list(stand.cell(c.CELL_A)[0, :3]), rel=1e-9)
    for _ in range(2 * 60_000 // dt_ms):
        stand.step(6.0)
    n_ticks = 2 * 60_000 // dt_ms + 1
    given_Ah = before_Ah - math.fsum(stand.cell(c.Q_AH)[0, :3])
    assert 6.0 * n_ticks * stand.dt_s / 3600.0 == pytest.approx(given_Ah, rel=1e-9)
    assert float(np.ptp(stand.cell(c.TERMINAL_V)[0, :3])) == 0.0


def test_coarse_ticks_of_a_group_come_to_the_same_state() -> None:
    """What circulates between unlike cells is solved without a time-step limit: 1 s ticks end within 0.1 % of 10 ms ticks."""
    ends = []
    for dt_ms in (10, 1000):
        stand = Stand(grouped(1, 2), CELL, dt_ms)
        stand.plant.par[c.R_SCALE, 0, 0] = [0.02, 0.02]
        stand.plant.cells[c.Q_AH, 0, 0] = CELL.capacity_Ah * np.array([0.45, 0.75])
        stand.plant.settle()
        for _ in range(300_000 // dt_ms):
            stand.step(0.0)
        ends.append(stand.cell(c.Q_AH)[0].copy())
    assert list(ends[0]) == pytest.approx(list(ends[1]), rel=1e-3)


def test_strings_of_two_kinds_exchange_what_their_sources_allow() -> None:
    """Sodium beside another chemistry: without a load I = (E1 - E2) / (R1 + R2) flows from one string into the other."""
    pack = bare(CELL, 4, strings=2).model_copy(update={"group": [Group(cell="flatter", first=4, last=7)]})
    plant = build(pack, CELL, Initial(soc=0.6), 10_000_000, 0, others=[flatter(CELL)])
    assert [[0.0] * 4, [1.0] * 4] == plant.par[c.KIND, 0].tolist()
    emf_V, ohm = plant.strings[pk.STRING_EMF_V, 0].copy(), plant.strings[pk.STRING_OHM, 0].copy()
    demand = np.zeros((1, 8))
    plant.step(0, demand)
    wanted_A = (emf_V[0] - emf_V[1]) / ohm.sum()
    assert 0.3 < wanted_A
    assert [wanted_A, -wanted_A] == pytest.approx(list(plant.strings[pk.STRING_MEAN_A, 0]), rel=1e-6)


def test_a_pack_knows_the_kinds_of_its_cells() -> None:
    """Cells that no group names are of the pack's cell; groups may repeat a kind."""
    groups = [Group(cell="b", first=1, last=2), Group(cell="a2", first=3, last=3), Group(cell="b", first=5, last=5)]
    pack = bare(CELL, 6).model_copy(update={"group": groups})
    assert ["b", "a2"] == pack.group_cells()
    assert [0, 1, 1, 2, 0, 1] == pack.kinds()


def test_an_opened_cell_stops_its_string_and_not_its_group() -> None:
    """A current-interrupt device opens: alone in series the current ends; in a group the others carry all of it."""
    alone, beside = Stand(grouped(3, 1, capacitance_F=1e-3), CELL, 10), Stand(grouped(3, 2), CELL, 10)
    for stand in (alone, beside):
        stand.step(1.0)
        stand.plant.par[c.CID, 0, 0, 2] = 1.0
        for _ in range(200):
            stand.step(1.0)
            # the old current never meets the new resistance, not for a tick: no megavolt, no heat of it
            assert abs(float(stand.plant.pack[pk.PACK_V, 0])) < 20.0
            assert float(stand.cell(c.TEMP_DEGC).max()) < 26.0
    assert abs(float(alone.plant.pack[pk.CURRENT_A, 0])) < 1e-4
    assert float(alone.plant.pack[pk.LINK_V, 0]) == pytest.approx(0.0, abs=1e-6)
    assert [0.0, 1.0] == pytest.approx(list(beside.cell(c.CELL_A)[0, 2:4]), abs=1e-5)


def test_the_monitor_sees_the_missing_voltage_across_an_opened_cell() -> None:
    """With its contactors closed and the link empty, an open cell reads its own voltage less that of the whole string."""
    stand = Stand(grouped(3, 1, capacitance_F=1e-3), CELL, 10)
    stand.plant.par[c.CID, 0, 0, 1] = 1.0
    for _ in range(300):
        stand.step(1.0)
    others_V = float(stand.cell(c.EMF_V)[0, 0] + stand.cell(c.EMF_V)[0, 2])
    assert -others_V == pytest.approx(float(stand.cell(c.TERMINAL_V)[0, 1]), abs=0.01)


def test_a_loose_joint_drops_current_times_resistance_and_warms_its_cell() -> None:
    """20 mohm in a joint at 2 A are 40 mV at the monitor and 80 mW of heat, within what the warmer cell changes."""
    stand = Stand(grouped(2, 1), CELL, 100)
    stand.isothermal()
    stand.plant.par[c.JOINT_OHM, 0, 0, 1] = 0.02
    stand.plant.settle()
    for _ in range(50):
        stand.step(2.0)
    first_V, second_V = stand.cell(c.TERMINAL_V)[0]
    assert 0.04 == pytest.approx(float(first_V - second_V), rel=1e-4)
    first_W, second_W = stand.cell(c.HEAT_W)[0]
    assert 0.08 == pytest.approx(float(second_W - first_W), rel=1e-4)


def test_a_clamp_bounds_the_link_when_the_battery_leaves_its_alternator() -> None:
    """Load dump: 20 A into the link, both mains open; it rises to the clamp, no further, and not with contacts closed."""
    stand = Stand(grouped(4, 1, capacitance_F=5e-3, bleed_ohm=1e4).model_copy(), CELL, 10)
    stand.plant.pack_par[pk.CLAMP_V] = 35.0
    stand.demand[0, 4] = 1.0  # always
    for _ in range(50):
        stand.step(-3.0)
    assert float(stand.plant.pack[pk.LINK_V, 0]) < 20.0
    stand.plant.block[0] = stand.plant.block[1] = 0
    for _ in range(200):
        stand.step(-20.0)
        assert float(stand.plant.pack[pk.LINK_V, 0]) <= 35.0
    assert 35.0 == float(stand.plant.pack[pk.LINK_V, 0])
    stand.plant.pack_par[pk.CLAMP_V] = 1e9
    stand.step(-20.0)
    assert 35.03 < float(stand.plant.pack[pk.LINK_V, 0])


@pytest.mark.parametrize("temp_degC", [-10.0, 5.0, 25.0])
@pytest.mark.parametrize("dt_ms", [50, 1000])
def test_a_group_is_its_cell_at_every_tick_and_any_length_of_it(dt_ms: int, temp_degC: float) -> None:
    """Six equal cells under steps of load follow one cell with a sixth of it, kinetics included, within 3 mV."""
    cell = cellfile.load("lo-ev-12")[1].model_copy(update=dict.fromkeys(("ageing", "self_discharge")))
    one, six = (Stand(bare(cell).model_copy(update={"parallel": n}), cell, dt_ms, soc=0.6) for n in (1, 6))
    for stand in (one, six):
        stand.plant.cells[c.TEMP_DEGC] = stand.plant.pack_par[pk.COOLANT_DEGC] = temp_degC
        stand.plant.settle()
    apart_V = []
    for k in range(60_000 // dt_ms):
        current_A = 6.0 if k * dt_ms // 20_000 % 2 == 0 else -3.0
        one.step(current_A)
        six.step(6.0 * current_A)
        apart_V.append(abs(float(one.cell(c.TERMINAL_V)[0, 0]) - float(six.cell(c.TERMINAL_V)[0, 0])))
    assert max(apart_V) < 3e-3


@pytest.mark.parametrize("temp_degC", [-20.0, 5.0, 25.0])
@pytest.mark.parametrize("dt_ms", [100, 1000])
def test_what_circulates_in_a_group_settles_and_does_not_swing(dt_ms: int, temp_degC: float) -> None:
    """Two cells at 45 and 55 % without a load: the current between them falls from tick to tick and keeps its sign."""
    cell = cellfile.load("nfm-18650")[1]
    stand = Stand(bare(cell).model_copy(update={"parallel": 2}), cell, dt_ms)
    stand.plant.cells[c.TEMP_DEGC] = stand.plant.pack_par[pk.COOLANT_DEGC] = temp_degC
    stand.plant.cells[c.Q_AH, 0, 0] = cell.capacity_Ah * np.array([0.45, 0.55])
    stand.plant.settle()
    flows = []
    for _ in range(60):
        stand.step(0.0)
        flows.append(float(stand.cell(c.CELL_A)[0, 1]))
    assert min(flows) > 0.0
    assert max(np.diff(flows[2:])) < 1e-3 * flows[2]


@pytest.mark.parametrize("ohm", [0.001, 0.05, 1.0])
@pytest.mark.parametrize("dt_ms", [10, 100, 1000])
def test_a_short_draws_what_cell_and_short_allow_from_its_first_tick(ohm: float, dt_ms: int) -> None:
    """I = E / (R + short) in the first tick, R with what the pairs reach in it; it falls from there and brings nothing back."""
    stand = Stand(grouped(2, 1), CELL, dt_ms)
    stand.isothermal()
    for _ in range(3):
        stand.step(0.0)
    emf_V, inner_ohm = (float(stand.cell(row)[0, 0]) for row in (c.EMF_V, c.OHM))
    stand.plant.par[c.SHORT_S, 0, 0, 0] = 1.0 / ohm
    drawn_A = []
    for _ in range(20):
        stand.step(0.0)
        drawn_A.append(float(stand.cell(c.SHORT_A)[0, 0]))
    assert emf_V / (inner_ohm + ohm) == pytest.approx(drawn_A[0], rel=1e-6)
    assert max(drawn_A) < 1.3 * drawn_A[0]
    assert min(drawn_A) > 0.0
    assert np.isfinite(stand.plant.cells).all()


def test_an_open_interrupt_device_does_not_cure_a_short_inside() -> None:
    """A short stands inside the device: 50 mohm draw the same through an opened cell as through a whole one."""
    drawn_A = []
    for opened in (0.0, 1.0):
        stand = Stand(grouped(2, 1), CELL, 10)
        stand.plant.par[c.SHORT_S, 0, 0, 0], stand.plant.par[c.CID, 0, 0, 0] = 20.0, opened
        for _ in range(50):
            stand.step(0.0)
        drawn_A.append(float(stand.cell(c.SHORT_A)[0, 0]))
    assert 10.0 < drawn_A[0]
    assert drawn_A[0] == pytest.approx(drawn_A[1], rel=1e-4)


def test_a_joint_that_loosens_as_the_load_changes_makes_no_energy() -> None:
    """2 ohm appear in the tick in which 3 A become 0.1 A: the cell reads its voltage less 0.2 V."""
    stand = Stand(grouped(4, 1), CELL, 10)
    for _ in range(20):
        stand.step(3.0)
    stand.plant.par[c.JOINT_OHM, 0, 0, 1] = 2.0
    for _ in range(5):
        stand.step(0.1)
    inner_V, seen_V = float(stand.cell(c.INNER_V)[0, 1]), float(stand.cell(c.TERMINAL_V)[0, 1])
    assert 0.2 == pytest.approx(inner_V - seen_V, rel=1e-3)
    assert 2.5 < inner_V < 4.0
