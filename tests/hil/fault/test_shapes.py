"""Permanent, intermittent, single: the ticks and frames in which a fault acts, written out for each seam."""

from __future__ import annotations

import numpy as np
import pytest
from fault_cases import KINDS, Case, Run, built, driven, read_back, run, spec
from fault_cases import case as case_of

from firmware_sim.types import I64
from hil import journal as j
from hil.fault.catalogue import catalogue
from hil.wirelog import WireLog

# 30 ms on, 40 ms off from 1.2 s on, until 1.38 s: ticks of 10 ms.
ON_TICKS = [120, 121, 122, 127, 128, 129, 134, 135, 136]
RHYTHM = {"start_s": 1.2, "stop_s": 1.38, "on_ms": 30, "off_ms": 40}
_ONE_OF_EACH = {catalogue()[name].primitive: name for name in reversed(KINDS) if catalogue()[name].seam != "supply"}


def _ran(**keys: object) -> Run:
    return run(built(driven(spec(**keys))))


def _ticks(rows: I64) -> list[int]:
    """Ticks at which the 10 ms frames of a slot were sent."""
    return [int(t_ns) // 10_000_000 for t_ns in rows[:, j.T_NS]]


def _absent(finished: Run, kind: int, offered: int, slot: int) -> list[int]:
    log = WireLog(finished.trace.journal, finished.setup.network)
    came = set(_ticks(log.frames(kind, slot)))
    return [k for k in _ticks(log.frames(offered, slot)) if k not in came]


def test_a_sensor_fault_acts_in_its_ticks_only() -> None:
    """The reading is wrong in the ticks of the on-times and in no other."""
    finished = _ran(fault="cell_reads", target="cell[5]", **RHYTHM, **{"with": {"value_V": 3.9}})
    before, after = finished.trace.sides[:, 0, 0], finished.trace.sides[:, 1, 0]
    assert ON_TICKS == np.flatnonzero(before != after).tolist()
    assert {3.9} == set(after[ON_TICKS].tolist())
    assert "" == read_back(finished)


def test_a_frozen_reading_freezes_anew_each_time() -> None:
    """Each on-time holds the value with which it began."""
    finished = _ran(fault="cell_stuck", target="cell[5]", **RHYTHM)
    before, after = finished.trace.sides[:, 0, 0], finished.trace.sides[:, 1, 0]
    for k in (120, 127, 134):
        assert [before[k]] * 3 == after[k : k + 3].tolist()
    assert "" == read_back(finished)


def test_a_loose_wire_drifts_from_where_it_came_off_each_time() -> None:
    """With a filter of 50 ms every on-time begins at the true reading and covers the same share of the way."""
    finished = _ran(fault="tap_open", target="tap[8]", **RHYTHM)
    before, after = finished.trace.sides[:, 0], finished.trace.sides[:, 1]
    share = (after[ON_TICKS, 0] - before[ON_TICKS, 0]) / before[ON_TICKS, 1]
    assert [0.0, 0.18127, 0.32968] * 3 == pytest.approx(share.tolist(), abs=1e-5)
    assert "" == read_back(finished)


def test_a_plant_fault_acts_in_its_ticks_only() -> None:
    """The parameter that acts from tick k to k + 1 stands in row k + 1 of the trace."""
    finished = _ran(fault="hvil_open", **RHYTHM)
    assert [k + 1 for k in ON_TICKS] == np.flatnonzero(finished.trace.parameter[:, 0] == 0.0).tolist()
    assert "" == read_back(finished)


def test_a_network_fault_hits_the_frames_of_its_time_in_both_directions() -> None:
    """Of a stream of 10 ms exactly the frames that end in the on-times are lost."""
    for target, kind, offered in (
        ("message:Shunt_Values", j.TO_DUT, j.OFFERED_TO_DUT),
        ("message:BMS_Status", j.FROM_DUT, j.OFFERED_FROM_DUT),
    ):
        finished = _ran(fault="frame_lost", target=target, **RHYTHM)
        fault = finished.setup.faults[0]
        slot = (fault.to_dut or fault.from_dut)[0]
        assert ON_TICKS == _absent(finished, kind, offered, slot)
        assert "" == read_back(finished)


def test_a_frozen_counter_freezes_anew_each_time() -> None:
    """Each on-time repeats the counter with which it began; between them the counter is the sender's."""
    finished = _ran(fault="counter_frozen", target="message:Shunt_Values", **RHYTHM)
    log, slot = WireLog(finished.trace.journal, finished.setup.network), finished.setup.faults[0].to_dut[0]
    offered, came = (log.frames(kind, slot)[:, j.WORD] >> 8 & 0xF for kind in (j.OFFERED_TO_DUT, j.TO_DUT))
    expected = offered.copy()
    for k in (120, 127, 134):
        expected[k : k + 3] = offered[k]
    np.testing.assert_array_equal(came, expected)
    assert log.crc_right(j.TO_DUT, slot, log.frames(j.TO_DUT, slot)).all()
    assert "" == read_back(finished)


@pytest.mark.parametrize(
    ("name", "target", "with_"),
    [
        ("cell_reads", "cell[5]", {"value_V": 3.9}),
        ("hvil_open", None, {}),
        ("frame_lost", "message:Shunt_Values", {}),
        ("frame_lost", "message:BMS_Status", {}),
    ],
)
def test_a_single_fault_lasts_one_tick(name: str, target: str | None, with_: dict[str, float]) -> None:
    """One sample, one frame, one tick of the plant; not one more."""
    keys = {} if target is None else {"target": target}
    finished = _ran(fault=name, start_s=1.2, single=True, **keys, **{"with": with_})
    trace, fault = finished.trace, finished.setup.faults[0]
    hit = [120] if fault.signals else []
    assert hit == np.flatnonzero((trace.sides[:, 0] != trace.sides[:, 1]).any(axis=1)).tolist()
    assert ([121] if fault.addresses else []) == np.flatnonzero((trace.parameter != trace.parameter[0]).any(axis=1)).tolist()
    for slot in fault.to_dut:
        assert [120] == _absent(finished, j.TO_DUT, j.OFFERED_TO_DUT, slot)
    for slot in fault.from_dut:
        assert [120] == _absent(finished, j.FROM_DUT, j.OFFERED_FROM_DUT, slot)
    assert "" == read_back(finished)


@pytest.mark.parametrize("name", _ONE_OF_EACH.values())
@pytest.mark.parametrize(
    "shape", [{"on_ms": 70, "off_ms": 50}, {"on_ms": 35, "off_ms": 15}, {"stop_s": None}], ids=["slow", "odd", "permanent"]
)
def test_every_primitive_is_read_back_in_every_shape(name: str, shape: dict[str, object]) -> None:
    """Rhythms of whole and of broken ticks, and no end at all; and the reading back still notices a wrong rhythm."""
    fast = {"target": "message:Shunt_Values"} if catalogue()[name].target == "message" else {}
    case = Case(catalogue()[name], {**shape, **fast})
    assert "" == read_back(case.run)
    rows = case.bound.rows.copy()
    rows[:, 8] += 20_000_000
    assert shape == {"stop_s": None} or "ERROR" in read_back(run(case.altered(rows, case.bound.numbers)))


def test_a_fault_between_two_ticks_waits_for_the_next() -> None:
    """A start that lies between two ticks acts from the next tick on, a stop between them up to it."""
    case = case_of("cell_reads")
    finished = run(built(driven(case.spec(start_s=1.2049, stop_s=1.2301))))
    assert [121, 122, 123] == np.flatnonzero(finished.trace.sides[:, 0, 0] != finished.trace.sides[:, 1, 0]).tolist()
    assert "" == read_back(finished)
