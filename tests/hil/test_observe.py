"""The observers: they share no code with the injectors, and they notice what the injectors of the catalogue would not do."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fault_cases import SHIFT_NS, Run, built, case, driven, read_back, run, spec

from hil import journal as j
from hil import observe
from hil.fault.catalogue import PRIMITIVES
from hil.judge import judge
from hil.observe import OBSERVERS, View
from hil.session import Session
from hil.trace import Trace
from hil.wirelog import WireLog

_INJECTORS = {"hil.fault.sensed", "hil.fault.network", "hil.fault.parameter", "hil.stages", "firmware_sim.wire.crc"}


def _imported(path: Path) -> set[str]:
    """Every module that a file imports, and every name that it imports from one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _seen(trace: Trace, finished: Run) -> str:
    """What the observer says of the run's first fault, given another record of it."""
    effect = observe.observe(
        View(trace, WireLog(trace.journal, finished.setup.network), finished.setup), finished.setup.faults[0]
    )
    return "" if effect.happened else effect.text


def test_observers_import_nothing_of_the_injectors() -> None:
    """Neither the code that disturbs nor the CRC with which frames are mended; what they share is data."""
    files = sorted(Path(observe.__file__).parent.glob("*.py"))
    assert len(files) > 3
    for path in files:
        assert set() == _imported(path) & _INJECTORS, path


def test_every_primitive_has_its_observer() -> None:
    """A new primitive without an observer does not get far."""
    assert PRIMITIVES.keys() == OBSERVERS.keys()


@pytest.mark.parametrize(
    "name", ["frame_late", "frame_doubled", "counter_frozen", "frame_flip", "frame_length", "frame_data_id"]
)
def test_one_wrong_bit_in_one_altered_frame_is_noticed(name: str) -> None:
    """Every frame that arrives must be the offered one with the fault's change and no other."""
    finished = case(name).run
    rows = finished.trace.journal.copy()
    log = WireLog(rows, finished.setup.network)
    slot = finished.setup.faults[0].to_dut[0]
    stopped = log.frames(j.TO_DUT, slot)
    last = stopped[(stopped[:, j.T_NS] > 1_200_000_000) & (stopped[:, j.T_NS] < 1_450_000_000)][-1]
    n = np.flatnonzero((rows == last).all(axis=1))[0]
    rows[n, j.WORD] ^= 1 << 40
    assert "" == _seen(finished.trace, finished)
    assert "no frame arrived that" in _seen(replace(finished.trace, journal=rows), finished)


def test_a_frame_too_many_is_noticed() -> None:
    """A copy that nobody asked for, while the fault is on or after it."""
    finished = case("frame_doubled").run
    rows = finished.trace.journal
    for at_ns in (1_300_000_000, 1_600_000_000):
        n = np.flatnonzero((rows[:, j.KIND] == j.TO_DUT) & (rows[:, j.SLOT] == finished.setup.faults[0].to_dut[0]))
        copy = rows[n[np.searchsorted(rows[n, j.T_NS], at_ns)]].copy()
        copy[j.T_NS] += 3_000_000
        more = np.concatenate([rows, [copy]])
        assert "a frame arrived that none had offered" in _seen(replace(finished.trace, journal=more), finished)


def test_one_tick_of_a_neighbours_wire_is_noticed() -> None:
    """Of swapped wires every reading counts in every tick, also of the cells between them, which read right."""
    finished = case("taps_swapped").run
    for column, name in ((0, "CellVoltage_002"), (4, "CellVoltage_006")):
        sides = finished.trace.sides.copy()
        sides[125, 1, column] += 0.001
        assert name in _seen(replace(finished.trace, sides=sides), finished)


def test_a_reading_touched_after_the_end_is_noticed() -> None:
    """One tick after the fault's end, one step."""
    finished = case("cell_offset").run
    sides = finished.trace.sides.copy()
    sides[145, 1, 0] += 0.0001
    assert "CellVoltage_005 was touched outside the fault's time" == _seen(replace(finished.trace, sides=sides), finished)


def test_a_parameter_that_is_not_put_back_is_noticed() -> None:
    """The nominal value must be back in the tick after the end."""
    finished = case("hvil_open").run
    parameter = finished.trace.parameter.copy()
    parameter[146, 0] = 0.0
    assert "HVIL was changed outside the fault's time" == _seen(replace(finished.trace, parameter=parameter), finished)


def test_a_stuck_contact_that_moves_shows_nothing() -> None:
    """A contact that was never asked to move is INCONC, for nothing was tested."""
    finished = run(built(driven(spec(fault="contactor_welded", target="contactor:main_plus", start_s=0.9, stop_s=1.2))))
    assert "INCONC the fault is put to the test" in read_back(finished)


def _stretched(finished: Run, at_ns: int, by_ns: int) -> Trace:
    """A record in which all frames of the device before a time came later."""
    rows = finished.trace.journal.copy()
    moved = (rows[:, j.KIND] == j.FROM_DUT) & (rows[:, j.T_NS] < at_ns)
    rows[moved, j.T_NS] += by_ns
    return replace(finished.trace, journal=rows)


def test_a_reset_is_seen_by_its_pause_or_by_its_uptime() -> None:
    """The device is silent for a moment, or counts anew; either at the time of the fault, or it was no reset of ours."""
    finished = case("reset").run
    assert "" == _seen(finished.trace, finished)
    for by_ns in (-SHIFT_NS, SHIFT_NS):
        moved = _stretched(finished, 1_215_000_000, by_ns)
        assert "the device went on as if nothing had happened" == _seen(moved, finished)


def test_a_reset_at_the_end_of_the_run_cannot_be_seen() -> None:
    """Where the record ends before the device could be back, the bench does not guess."""
    finished = run(built(driven(spec(fault="reset", start_s=1.69))))
    assert "the run ended before a restart could be seen" in read_back(finished)


def test_a_device_that_stays_silent_after_its_reset_was_reset() -> None:
    """Silence from the loss of supply on is an effect; that the device never came back is the device's finding."""
    finished = case("reset").run
    rows = finished.trace.journal
    gone = replace(finished.trace, journal=rows[(rows[:, j.KIND] != j.FROM_DUT) | (rows[:, j.T_NS] < 1_215_000_000)])
    assert "" == _seen(gone, finished)


@pytest.mark.parametrize("cut_ticks", [120, 121])
def test_a_run_that_ends_before_the_fault_is_an_error(cut_ticks: int) -> None:
    """A fault that had no time to act tested nothing."""
    finished = case("frame_lost").run
    trace = finished.trace
    short = replace(
        trace, truth=trace.truth[:cut_ticks], sides=trace.sides[:cut_ticks], parameter=trace.parameter[:cut_ticks],
        cells=trace.cells[: -(-cut_ticks // 10)], journal=trace.journal[trace.journal[:, j.T_NS] < cut_ticks * 10_000_000],
    )  # fmt: skip
    said = _seen(short, finished)
    assert ("the run ended at 1.2 s, before it could start" if cut_ticks == 120 else "") == said
    assert cut_ticks > 120 or any("before it could start" in finding.seen for finding in judge(short, finished.setup))


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"fault": "frame_lost", "target": "message:CellVoltages[0]", "start_s": 1.22, "stop_s": 1.28},
            "no frame was sent while",
        ),
        ({"fault": "cell_offset", "target": "cell[5]", "start_s": 1.2}, "gain 1, offset 0, drift 0/s changed nothing"),
        ({"fault": "feedback_lies", "target": "feedback:precharge", "start_s": 1.2, "with": {"says": 0}}, "changed nothing"),
        ({"fault": "counter_frozen", "target": "message:CellVoltages[0]", "start_s": 1.2, "single": True}, "changed nothing"),
        ({"fault": "cooling_blocked", "target": "cell[5]", "start_s": 1.2, "with": {"flow_share": 1.0}}, "changed nothing"),
    ],
)
def test_a_fault_that_changes_nothing_is_an_error(keys: dict[str, object], expected: str) -> None:
    """What the scenario asked for was done, and was no stimulus."""
    said = read_back(run(built(driven(spec(**keys)))))
    assert said.startswith("ERROR the fault has its effect")
    assert expected in said


def test_the_first_repeated_counter_is_the_start() -> None:
    """A counter that stands still is first wrong in the second frame; a lost frame in the first."""
    starts: dict[str, float] = {}
    for name in ("counter_frozen", "frame_lost"):
        finished = run(built(driven(spec(fault=name, target="message:Shunt_Values", start_s=1.2))))
        effect = observe.observe(
            View(finished.trace, WireLog(finished.trace.journal, finished.setup.network), finished.setup),
            finished.setup.faults[0],
        )
        assert effect.start is not None
        starts[name] = effect.start.high_ns / 1e9
    assert 1.21 < starts["counter_frozen"] < 1.22
    assert 1.20 < starts["frame_lost"] < 1.21


def test_a_network_without_uptime_has_its_resets_seen() -> None:
    """A foreign device says nothing of its uptime; the pause remains."""
    finished = case("reset").run
    layout = finished.setup.network.from_dut
    names = tuple("Uptime" if name == "BMS_Uptime" else name for name in layout.signal_names)
    foreign = replace(finished.setup.network, from_dut=replace(layout, signal_names=names))
    assert "" == _seen(finished.trace, Run(replace(finished.setup, network=foreign), finished.bench))


@pytest.mark.parametrize(
    ("kind", "target", "first", "then", "goal"),
    [
        ("cell_reads", "cell[5]", {"value_V": 3.9}, {"value_V": 4.25}, ("code", "CellOvervoltageMsl")),
        ("insulation", None, {"resistance_kohm": 90.0}, {"resistance_kohm": 20.0}, ("contactor", "open")),
        ("frame_late", "message:CellVoltages", {"delay_ms": 30.0}, {"delay_ms": 300.0}, ("contactor", "open")),
    ],
)
def test_a_fault_that_takes_the_place_of_another_is_told_apart(
    kind: str, target: str | None, first: dict[str, float], then: dict[str, float], goal: tuple[str, str]
) -> None:
    """In a session the observer knows the faults before this one: what they left in the record is not held against it."""
    bench = Session(soc=0.7)
    bench.request("drive")
    bench.run_until("BMS_State", "run", timeout_s=3)
    before = bench.inject(kind, target, **first)
    bench.run_for(0.555)
    before.clear()
    bench.inject(kind, target, **then)
    assert 0.0 < bench.expect(*goal, within_ms=2000).value


@pytest.mark.parametrize("wait_ms", [0, 4, 10])
@pytest.mark.parametrize("target", ["message:BMS_DiagSensors", "message:CellVoltages"])
def test_a_fault_of_a_session_begins_behind_the_frames_that_have_passed(target: str, wait_ms: int) -> None:
    """At a tick of 1 ms frames of the tick before are still on the bus; they belong neither to its start nor to its end."""
    bench = Session(tick_ms=1)
    bench.run_for(0.3 + wait_ms / 1e3)
    fault = bench.inject("frame_lost", target)
    bench.run_for(0.25)
    fault.clear()
    bench.run_for(0.05)
    inside = bench._run
    trace, (bound,) = inside.tape.whole([], inside.setup.touched), inside.bounds()
    view = View(trace, WireLog(trace.journal, inside.setup.network), replace(inside.setup, faults=(bound,)))
    effect = observe.observe(view, bound)
    assert effect.happened, effect.text
