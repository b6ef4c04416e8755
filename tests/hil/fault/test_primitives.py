"""The primitives themselves, on arrays and in packs where the catalogue's own cases do not look."""

from __future__ import annotations

import numpy as np
import pytest
from fault_cases import built, driven, read_back, run, spec
from oracles.crc import profile_5, profile_11

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import E2E, P11
from hil import journal as j
from hil.fault import sensed
from hil.fault import table as t
from hil.plant import cell
from hil.plant.sensor import FIRST_SENSOR
from hil.verdict import Verdict
from hil.wirelog import WireLog


def _sensed(cells: list[float], primitive: int, tap: int, extra: int, numbers: tuple[float, float, float]) -> list[float]:
    """What one tick of a fault that came on just now makes of the readings of a string; a guard stands behind them."""
    rows: I64 = np.zeros((1, t.N_COLUMNS), np.int64)
    rows[0, [t.SEAM, t.PRIMITIVE, t.TARGET, t.EXTRA, t.PACK, t.STOP_NS]] = t.SENSOR, primitive, tap, extra, -1, t.FOREVER_NS
    index = np.concatenate([np.full(FIRST_SENSOR, -1), np.arange(len(cells))])
    values: F64 = np.array([[*cells, 77.0]])
    sensed.apply(0, rows, np.array([numbers]), np.zeros((2, 1, 1)), index, len(cells), values)
    assert 77.0 == values[0, -1]
    return [float(x) for x in values[0, :-1]]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1, 3, [6.0, -3.0, -2.0, 9.0]),
        (1, 2, [3.0, -2.0, 5.0, 4.0]),
        (0, 1, [-1.0, 3.0, 3.0, 4.0]),
        (0, 4, [-9.0, 2.0, 3.0, -6.0]),
        (3, 4, [1.0, 2.0, 7.0, -4.0]),
    ],
)
def test_swapped_taps_read_what_the_wires_carry(a: int, b: int, expected: list[float]) -> None:
    """Cells of 1, 2, 3 and 4 V put the wires at 0, 1, 3, 6 and 10 V; two of them change places."""
    assert expected == _sensed([1.0, 2.0, 3.0, 4.0], sensed.SWAP_TAPS, a, b, (0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("tap", "expected"), [(0, [0.0, 2.0, 4.0]), (1, [2.25, 0.75, 4.0]), (2, [1.0, 4.5, 1.5]), (3, [1.0, 2.0, 0.0])]
)
def test_open_tap_shares_the_sum_of_its_neighbours(tap: int, expected: list[float]) -> None:
    """Without a filter the cell below the loose wire reads its share of both at once; at an end the reading is nothing."""
    assert expected == _sensed([1.0, 2.0, 4.0], sensed.OPEN_TAP, tap, 0, (0.75, 0.0, 0.0))


def test_a_masquerade_carries_the_crc_of_the_other_id() -> None:
    """Counter and payload are the frame's own; the CRC is that which the oracle gives for the other data id."""
    for network_name in ("classic", "fd"):
        fault = spec(fault="frame_data_id", target="message:CellVoltages", start_s=1.2, **{"with": {"data_id": 0x1234}})
        finished = run(built(driven(fault, network_name=network_name)))
        log, slot = WireLog(finished.trace.journal, finished.setup.network), finished.setup.faults[0].to_dut[0]
        frames = log.frames(j.TO_DUT, slot)
        frame = frames[frames[:, j.T_NS] > 1_200_000_000][0]
        payload = np.ascontiguousarray(frame[j.WORD :]).tobytes()[: int(frame[j.LENGTH])]
        if log.layout(j.TO_DUT).slots[slot, E2E] == P11:
            assert profile_11(0x1234, payload) == payload[0]
        else:
            assert profile_5(0x1234, payload) == payload[0] | payload[1] << 8
        assert "" == read_back(finished)


def test_a_noisier_sensor_is_noisier_by_what_was_asked() -> None:
    """The standard deviation of what is sent is that of the scenario, and the packs' truth is untouched."""
    quiet = run(built(driven()))
    fault = spec(fault="current_noise", start_s=0.0, **{"with": {"noise_A": 0.2}})
    noisy = run(built(driven(fault)))
    values = WireLog(noisy.trace.journal, noisy.setup.network).series("Shunt_Current").value[1:42]  # the contactors are open
    assert 0.2 == pytest.approx(float(values.std()), rel=0.3)
    assert quiet.trace.truth[:40].tobytes() == noisy.trace.truth[:40].tobytes()


# ---- several faults on one thing


def test_the_end_of_one_fault_leaves_the_other_standing() -> None:
    """Of two overlapping faults on one parameter the later in the scenario acts; at the end the nominal value is back."""
    all_cells = spec(
        fault="cooling_blocked", target="cell[*]", name="all", start_s=0.3, stop_s=0.7, **{"with": {"flow_share": 0.5}}
    )
    one_cell = spec(
        fault="cooling_blocked", target="cell[3]", name="one", start_s=0.5, stop_s=1.0, **{"with": {"flow_share": 0.1}}
    )
    for order in ((all_cells, one_cell), (one_cell, all_cells)):
        ready = built(driven(*order))
        finished = run(ready)
        column = finished.trace.parameters.index(f"0.{cell.COOLING}.3")
        seen = finished.trace.parameter[:, column]
        both = 0.1 if order[1] is one_cell else 0.5
        assert [1.0, 0.5, both, 0.1, 1.0] == [float(seen[k + 1]) for k in (29, 30, 50, 70, 100)]
        assert [1.0, 0.5, both, 0.1, 1.0] == [float(seen[k]) for k in (30, 50, 70, 100, 169)]
        assert (ready.rig.plant.par[cell.COOLING] == 1.0).all()
        assert "" == read_back(finished)


def test_scaling_faults_multiply() -> None:
    """Two that scale one parameter act together, and undo themselves in any order."""
    faults = [
        spec(fault="resistance_raised", target="cell[3]", name="a", start_s=0.3, stop_s=0.7, **{"with": {"factor": 2.0}}),
        spec(fault="resistance_raised", target="cell[3]", name="b", start_s=0.5, stop_s=1.0, **{"with": {"factor": 4.0}}),
    ]
    seen = run(built(driven(*faults))).trace.parameter[:, 0]
    assert [1.0, 2.0, 8.0, 4.0, 1.0] == [float(seen[k] / seen[0]) for k in (30, 50, 70, 100, 169)]


def test_two_loose_wires_apart_are_read_back_each() -> None:
    """Faults on wires that share no cell do not hide each other."""
    faults = [spec(fault="tap_open", target=f"tap[{n}]", name=f"tap-{n}", start_s=1.2, stop_s=1.4) for n in (3, 9)]
    assert "" == read_back(run(built(driven(*faults))))


def test_two_faults_on_one_reading_cannot_be_told_apart() -> None:
    """Where another fault acts on the same signal all the time, the bench says so instead of passing."""
    faults = [
        spec(fault="cell_offset", target="cell[3]", name="a", start_s=1.2, stop_s=1.4, **{"with": {"offset_V": 0.1}}),
        spec(fault="cell_stuck", target="cell[3]", name="b", start_s=1.0, stop_s=1.5),
    ]
    assert "another fault acted on CellVoltage_003 all the time" in read_back(run(built(driven(*faults))))


# ---- frames in crowds


def test_late_frames_carry_no_bytes_of_others() -> None:
    """Long and short frames wait in the same rows; behind the end of a short one nothing of a long one is left."""
    faults = [
        spec(fault="frame_late", target=f"message:{name}", name=name, start_s=0.3, **{"with": {"delay_ms": 12.0}})
        for name in ("CellVoltages", "Shunt_Values", "BMS_Status")
    ]
    finished = run(built(driven(*faults, network_name="fd")))
    assert "" == read_back(finished)
    rows = finished.trace.journal
    short = rows[rows[:, j.LENGTH] <= 8]
    assert (short[:, j.SLOT] == -1).sum() > 200
    assert not short[:, j.WORD + 1 :].any()


@pytest.mark.parametrize("start_ms", range(200, 210))
def test_frames_that_wait_for_their_bus_are_hit_when_they_cross_it(start_ms: int) -> None:
    """At a tick of 1 ms a burst takes several ticks; a frame belongs to the fault in whose time it ends, both ways."""
    faults = [
        spec(fault="frame_flip", target=f"node:{node}", name=node, start_s=start_ms / 1e3, stop_s=0.3, **{"with": {"bit": 63}})
        for node in ("Monitor", "Shunt", "PackIO", "BMS")
    ]
    finished = run(built(driven(*faults, duration_s=0.4, tick_ms=1)), fused=True)
    assert "" == read_back(finished)
    assert (finished.trace.journal[:, j.T_NS] % 10_000_000 > 3_000_000).any()


@pytest.mark.compiled_only
def test_late_frames_that_find_no_room_spoil_the_run() -> None:
    """What the bench cannot deliver it does not hide."""
    fault = spec(fault="frame_late", target="node:Monitor", start_s=0.0, **{"with": {"delay_ms": 10_000.0}})
    ready = built(driven(fault, network_name="bench", duration_s=8.0))
    finished = run(ready, fused=True)
    assert finished.trace.lost_frames > 0
    assert Verdict.ERROR in {f.verdict for f in finished.findings if "found no room" in f.seen}


@pytest.mark.compiled_only
def test_doubled_frames_of_many_packs_all_arrive() -> None:
    """Forty packs double all their cell frames: none is lost, and pack 0 is the pack alone."""
    fault = spec(fault="frame_doubled", target="node:Monitor", start_s=0.2)
    one, many = (run(built(driven(fault, network_name="bench", duration_s=0.5), n_packs), fused=True) for n_packs in (1, 40))
    assert 0 == many.trace.lost_frames
    assert one.bytes() == many.bytes()
