"""Late in wall time: what a late frame, a late tick and a wide band do to a verdict on a time, and to no other."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import tamper
import wall
from tamper import QUIET, REACTION, STATE, Tape

from firmware_sim.wire.layout import CYCLE_NS
from hil import journal as j
from hil import runner
from hil.report import environment, folder, html
from hil.trace import Trace
from hil.verdict import Finding, Verdict

MS_NS = 1_000_000
DETECTION, ISOLATION = "detection (FDTI)", "reaction (FHTI)"
OPEN = {"kind": "contactors", "requirement": "SR-CELL-OV", "state": "open", "from_s": 2.8, "to_s": 3.6}
CLOSED = {"kind": "contactors", "requirement": "SR-MODE-RUN", "state": "closed", "from_s": 1.2, "to_s": 1.9}


@pytest.fixture(scope="module")
def overvoltage() -> Tape:
    """The wrong value stands on the wire from 2.0 s, the code at 2.5 s, the path opens at 2.61 s."""
    return tamper.overvoltage().expecting(REACTION, QUIET, STATE, OPEN, CLOSED)


def linked(tape: Tape, *late: tuple[float, float], stamp_ms: float = 0.0) -> Tape:
    """The run as if over a link. late: (time [s], by [ms]) of frames of the bench."""
    out = tape.copy()
    if not len(out.trace.late_ns):
        out.late(0.0, 0.0, 4.0)
    out.trace.info["link"] = {
        "stamp_ns": round(stamp_ms * MS_NS), "blind": [], "lost": "",
        "late_frames": [[round(at_s * 1e9) // out.trace.dt_ns * out.trace.dt_ns, round(ms * 1e6)] for at_s, ms in late],
    }  # fmt: skip
    return out


def verdicts(tape: Tape) -> dict[str, str]:
    """What was judged, to its verdict; contactors by what was expected of them."""
    return {(f.expected.split(",")[0] if f.what == "contactors" else f.what): f.verdict.name for f in tape.findings()}


def doubtful(tape: Tape) -> set[str]:
    """What is INCONC; all else passes, and all that is says that the bench missed a deadline of its own."""
    found = verdicts(tape)
    assert {"PASS", "INCONC"} >= set(found.values())
    assert all("missed" in f.seen and "deadlines" in f.seen for f in tape.findings() if f.verdict is Verdict.INCONC)
    return {what for what, verdict in found.items() if verdict == "INCONC"}


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [
        (2.01, {DETECTION, ISOLATION}),
        (2.3, set()),
        (2.5, {DETECTION}),
        (2.61, {ISOLATION}),
        (2.8, {"current path open"}),
        (3.6, {"current path open"}),
        (1.2, {"current path closed"}),
        (1.6, set()),
        (3.9, set()),
    ],
)
def test_a_late_frame_makes_the_times_doubtful_that_begin_or_end_there(
    overvoltage: Tape, at_s: float, expected: set[str]
) -> None:
    """7 ms late near cause, code, opening, or an end of what was expected of the contacts; never a state or a quiet time."""
    assert expected == doubtful(linked(overvoltage, (at_s, 7.0)))


def test_a_late_frame_counts_from_one_tick_before_to_one_after(overvoltage: Tape) -> None:
    """The code's frame ends in the tick of its own: two ticks from there a late frame is nothing to it."""
    code = next(f for f in overvoltage.findings() if f.what == DETECTION).evidence[1].t_ns / 1e9
    for ticks, is_near in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        assert is_near == (DETECTION in doubtful(linked(overvoltage, (code + 0.01 * ticks, 5.1))))


def test_several_late_frames_are_counted_and_the_worst_is_named(overvoltage: Tape) -> None:
    """The sentence has the shape of all that the bench says of its own deadlines."""
    found = linked(overvoltage, (2.01, 5.5), (2.02, 8.25)).finding("SR-CELL-OV", "detection")
    assert "missed 2 of its own deadlines where this time begins or ends: frames left up to 8.2 ms late" in found.seen
    assert "idle machine" in found.next_step


def test_what_has_no_window_rests_on_no_late_frame(overvoltage: Tape) -> None:
    """A requirement without times asks only that code and opening come: a late frame takes nothing from that."""
    tape = overvoltage.expecting(REACTION)
    rows = [row.model_copy(update={"fdti_ms": None, "fhti_ms": None}) for row in tape.setup.inputs.requirements.requirement]
    free = tape.setup.inputs.requirements.model_copy(update={"requirement": rows})
    tape.setup.inputs = replace(tape.setup.inputs, requirements=free)
    assert set() == doubtful(linked(tape, (2.01, 7.0), (2.5, 7.0), (2.61, 7.0)))


def test_a_failure_on_time_is_doubtful_too_and_a_missing_latch_is_not(overvoltage: Tape) -> None:
    """The opening came after its window, but began at a late frame; a path that closes again needs no clock."""
    slow = overvoltage.expecting({**REACTION, "fdti_ms": [450.0, 460.0]})
    assert Verdict.FAIL == slow.finding("SR-CELL-OV", "detection").verdict
    assert Verdict.INCONC == linked(slow, (2.01, 7.0)).finding("SR-CELL-OV", "detection").verdict
    again = overvoltage.expecting(REACTION).path(True, 3.0)
    assert Verdict.FAIL == linked(again, (2.01, 7.0)).finding("SR-CELL-OV", "reaction").verdict


def test_precharge_is_timed_but_for_the_number_of_its_tries() -> None:
    """A late frame at the end of the first try: how long it took is doubtful, how many there were is not."""
    tape = tamper.precharge()
    end_s = next(e.t_ns for e in tape.findings()[0].evidence if "ends" in e.what) / 1e9
    assert {"precharge end", "precharge pause"} == doubtful(linked(tape, (end_s, 6.0)))


def test_an_end_that_the_device_tells_once_a_cycle_is_moved_by_a_frame_before_it(overvoltage: Tape) -> None:
    """A code that is sent every 100 ms came too late, and a frame was late 60 ms before; in time it is in time all the same."""
    slow = overvoltage.expecting({**REACTION, "fdti_ms": [450.0, 460.0]})
    code_s = overvoltage.finding("SR-CELL-OV", "detection").evidence[1].t_ns / 1e9
    for tape, cycle_ms, ms, verdict in (
        (slow, 100, 60, "INCONC"), (slow, 100, 130, "FAIL"), (slow, 10, 60, "FAIL"), (overvoltage, 100, 60, "PASS"),
    ):  # fmt: skip
        told = tape.copy()
        told.setup = copy.copy(told.setup)
        layout = told.setup.network.from_dut
        slots = layout.slots.copy()
        slots[told.slot("Diag_CellOvervoltageMsl"), CYCLE_NS] = cycle_ms * MS_NS
        told.setup.network = replace(told.setup.network, from_dut=replace(layout, slots=slots))
        assert verdict == linked(told, (code_s - ms / 1e3, 7.0)).finding("SR-CELL-OV", "detection").verdict.name


def states(tape: Tape, mode: str, from_s: float, to_s: float, *late: tuple[float, float], **link: float) -> str:
    """The verdict on the state of a pack that runs from 0.871 s on."""
    asked = linked(tape.expecting({**STATE, "mode": mode, "from_s": from_s, "to_s": to_s}), *late, **link)
    return asked.finding("SR-LATCH", "BMS_State").verdict.name


@pytest.mark.parametrize(
    ("mode", "from_s", "to_s", "plain", "late"),
    [
        ("once", 0.5, 0.866, "FAIL", "INCONC"),  # it ran 5 ms after the time was over
        ("once", 0.5, 0.855, "FAIL", "FAIL"),  # 16 ms: more than a cycle
        ("once", 0.5, 0.876, "PASS", "INCONC"),
        ("once", 0.5, 0.95, "PASS", "PASS"),
        ("always", 0.866, 1.5, "PASS", "INCONC"),
        ("always", 0.856, 1.5, "FAIL", "INCONC"),
        ("always", 0.7, 1.5, "FAIL", "FAIL"),
        ("always", 0.9, 1.5, "PASS", "PASS"),
        ("never", 0.5, 0.866, "PASS", "INCONC"),
        ("never", 0.5, 0.876, "FAIL", "INCONC"),
        ("never", 0.5, 0.95, "FAIL", "FAIL"),
    ],
)
def test_a_state_is_a_time_where_it_changes_at_an_end(
    overvoltage: Tape, mode: str, from_s: float, to_s: float, plain: str, late: str
) -> None:
    """The bench's frames were 9.9 ms late before the pack ran; only within a cycle of the change that may have moved it."""
    held_up = [(at_s, 9.9) for at_s in (0.84, 0.85, 0.86, 0.87, 0.88, 0.89)]
    assert plain == states(overvoltage, mode, from_s, to_s)
    assert plain == states(overvoltage, mode, from_s, to_s, (0.6, 9.9), (1.1, 9.9))
    assert late == states(overvoltage, mode, from_s, to_s, *held_up)


def test_a_state_that_changes_within_the_band_of_an_end_cannot_be_judged(overvoltage: Tape) -> None:
    """5 ms off the end, known to 4 or to 6 ms, by the link or by an instrument; far from it that is nothing."""
    ran_s = overvoltage.first("BMS_State", 2.5, 0.5)
    for end_s, verdict in ((ran_s - 0.005, "FAIL"), (ran_s + 0.005, "PASS")):
        assert [verdict, "INCONC"] == [states(overvoltage, "once", 0.5, end_s, stamp_ms=ms) for ms in (4.0, 6.0)]
        asked = overvoltage.expecting({**STATE, "mode": "once", "from_s": 0.5, "to_s": end_s})
        found = [told_by(asked, insulation=ms).finding("SR-LATCH", "BMS_State") for ms in (4.0, 6.0)]
        assert [verdict, "INCONC"] == [f.verdict.name for f in found]
        assert "known to 6.0 ms only" in found[1].seen
    assert "PASS" == states(overvoltage, "once", 0.5, 2.0, stamp_ms=90.0)


# ---- bands


@pytest.mark.parametrize(("edge", "key"), [("high", "fdti_ms"), ("low", "fdti_ms"), ("high", "fhti_ms")])
def test_a_band_that_the_link_widens_over_an_edge_is_inconclusive(overvoltage: Tape, edge: str, key: str) -> None:
    """1 ms inside its window in lockstep; stamps known to 1 ms at both ends, and a bench 4 ms late, reach beyond it."""
    what = "detection" if key == "fdti_ms" else "reaction"
    found = overvoltage.finding("SR-CELL-OV", what)
    assert found.low is not None
    assert found.high is not None
    low, high = (found.low - 1.0, 550.0) if edge == "low" else (450.0, found.high + 1.0)
    tape = overvoltage.expecting({**REACTION, key: [low, high] if key == "fdti_ms" else high})
    assert Verdict.PASS == tape.finding("SR-CELL-OV", what).verdict
    wide = linked(tape, stamp_ms=1.0).finding("SR-CELL-OV", what)
    assert Verdict.INCONC == wide.verdict
    assert "straddles the window; on a link a time is known to its stamps" in wide.next_step
    late = linked(tape.copy().late(4.0, 2.0, 2.03)).finding("SR-CELL-OV", what)
    assert Verdict.INCONC == late.verdict


def test_precharge_is_known_no_better_than_the_link(overvoltage: Tape) -> None:
    """Its band grows by both ends of a try, and of a pause."""
    tape = tamper.precharge()
    for what in ("precharge end", "precharge pause"):
        alone, wide = tape.finding("SR-PRECHARGE-TRIES", what), linked(tape, stamp_ms=3.0).finding("SR-PRECHARGE-TRIES", what)
        assert alone.low is not None
        assert wide.low is not None
        assert wide.high is not None
        assert (alone.low - 6.0, alone.high + 6.0) == pytest.approx((wide.low, wide.high))


@pytest.mark.parametrize(("what", "key", "off_ms"), [("precharge end", "end_ms", 13.0), ("precharge pause", "gap_ms", -13.0)])
def test_each_try_and_each_pause_is_judged_by_its_own_band(what: str, key: str, off_ms: float) -> None:
    """All are as long; 3 ms inside the limit they pass, but the bench was late at the end of the second one."""
    tape = tamper.precharge()
    length = tape.finding("SR-PRECHARGE-TRIES", what).value
    assert length is not None
    tape = tape.expecting({"kind": "precharge", "requirement": "SR-PRECHARGE-TRIES"})
    file = tape.setup.inputs.requirements
    rows = [
        row.model_copy(update={"limits": {**row.limits, key: length + off_ms}}) if row.id == "SR-PRECHARGE-TRIES" else row
        for row in file.requirement
    ]
    tape.setup.inputs = replace(tape.setup.inputs, requirements=file.model_copy(update={"requirement": rows}))
    moved = "try 2 ends" if what == "precharge end" else "try 3"
    late_s = next(e.t_ns for e in tape.findings()[0].evidence if e.what == moved) / 1e9
    assert Verdict.PASS == linked(tape).finding("SR-PRECHARGE-TRIES", what).verdict
    late = linked(tape.late(0.0, 0.0, 17.0).late(5.0, late_s, late_s + 0.01))
    assert Verdict.INCONC == late.finding("SR-PRECHARGE-TRIES", what).verdict


def contacts(tape: Tape, from_s: float, to_s: float, stamp_ms: float) -> Finding:
    """Whether the path was open all through a time, over a link."""
    asked = tape.expecting({**OPEN, "from_s": from_s, "to_s": to_s})
    return linked(asked, stamp_ms=stamp_ms).finding("SR-CELL-OV", "contactors")


def test_contacts_that_move_within_the_band_of_an_end_cannot_be_judged(overvoltage: Tape) -> None:
    """The path opens at 2.61 s: so close before or after `from` that the link cannot tell, or well away from it."""
    opened_s = overvoltage.finding("SR-CELL-OV", "reaction").evidence[1].t_ns / 1e9
    before, after = opened_s + 0.005, opened_s - 0.005
    assert ["PASS", "INCONC"] == [contacts(overvoltage, before, 3.0, ms).verdict.name for ms in (4.9, 5.1)]
    assert ["FAIL", "INCONC"] == [contacts(overvoltage, after, 3.0, ms).verdict.name for ms in (4.9, 5.1)]
    assert "known to 5.1 ms" in contacts(overvoltage, after, 3.0, 5.1).seen
    again = overvoltage.copy().path(True, 2.9)
    assert Verdict.FAIL == contacts(again, after, 3.0, 5.1).verdict  # it closes again in the middle: no doubt about that
    assert ["FAIL", "INCONC"] == [contacts(again, 2.7, 2.9 + 0.005, ms).verdict.name for ms in (4.9, 5.1)]


@pytest.mark.parametrize(("left_ms", "verdict"), [(3.0, "INCONC"), (5.0, "FAIL")])
def test_what_never_came_failed_only_when_its_window_was_surely_over(overvoltage: Tape, left_ms: float, verdict: str) -> None:
    """The run ends 3 or 5 ms behind the window, and its beginning is known to 4 ms."""
    start_ns = overvoltage.finding("SR-CELL-OV", "detection").evidence[0].t_ns
    tape = overvoltage.expecting({**REACTION, "fdti_ms": [450.0, (4.0e9 - start_ns) / 1e6 - left_ms]})
    tape = tape.say("Diag_CellOvervoltageMsl", 0).say("Diag_CellOvervoltageCritical", 0)
    assert Verdict.FAIL == linked(tape).finding("SR-CELL-OV", "detection").verdict
    assert Verdict[verdict] == linked(tape, stamp_ms=4.0).finding("SR-CELL-OV", "detection").verdict


def test_a_code_just_before_its_cause_may_have_come_after_it(overvoltage: Tape) -> None:
    """2 ms before the wrong value in lockstep it is a false trip; where both are known to 1.5 ms only, nobody knows."""
    start_ns = overvoltage.finding("SR-CELL-OV", "detection").evidence[0].t_ns
    tape = overvoltage.copy().say("Diag_CellOvervoltageMsl", 1, 2.0)
    slot = tape.rows(j.FROM_DUT, tape.slot("Diag_CellOvervoltageMsl"), 2.0)
    tape.trace.journal[slot[0], j.T_NS] = start_ns - 2 * MS_NS
    assert Verdict.FAIL == linked(tape).finding("SR-CELL-OV", "detection").verdict
    assert Verdict.INCONC == linked(tape, stamp_ms=1.5).finding("SR-CELL-OV", "detection").verdict


# ---- instruments


def told_by(tape: Tape, **instrument_ms: float) -> Tape:
    """The run as if instruments had shown some quantities, each so late at the worst."""
    out = linked(tape)
    out.trace.info["link"]["instrument_ns"] = {name: round(ms * MS_NS) for name, ms in instrument_ms.items()}
    return out


def band(tape: Tape, what: str, requirement: str = "SR-CELL-OV") -> tuple[float | None, float | None]:
    found = tape.finding(requirement, what)
    return found.low, found.high


def test_a_time_that_begins_at_an_instrument_may_be_shorter_by_its_delay(overvoltage: Tape) -> None:
    """The device got the value up to 60 ms later than it was noted, so it took less; other quantities change nothing."""
    for what in ("detection", "reaction"):
        low, high = band(overvoltage, what)
        assert low is not None
        assert (low - 60.0, high) == pytest.approx(band(told_by(overvoltage, cell_voltage=60.0, hvil=90.0), what))
        assert (low, high) == band(told_by(overvoltage, hvil=90.0, supply=90.0), what)
    assert Verdict.INCONC == told_by(overvoltage, cell_voltage=60.0).finding("SR-CELL-OV", "detection").verdict
    slow = overvoltage.expecting({**REACTION, "fhti_ms": 600.0})
    assert ["FAIL", "INCONC"] == [
        told_by(slow, cell_voltage=ms).finding("SR-CELL-OV", "reaction").verdict.name for ms in (5, 15)
    ]


def test_a_fault_that_an_instrument_shows_begins_at_the_instrument() -> None:
    """The interlock opens through a relay: its reaction may be shorter by what the relay took, and by no other's delay."""
    fault = {"fault": "hvil_open", "start_s": 1.5}
    row = {"kind": "reaction", "requirement": "SR-HVIL", "fault": "hvil_open"}
    tape = Tape.of(request=tamper.DRIVE, fault=[fault], expect=[row], duration_s=2.0)
    low, high = band(tape, "reaction", "SR-HVIL")
    assert low is not None
    assert (low - 40.0, high) == pytest.approx(band(told_by(tape, hvil=40.0, insulation=90.0), "reaction", "SR-HVIL"))


def test_precharge_and_contacts_rest_on_the_instruments_that_show_the_path(overvoltage: Tape) -> None:
    """Link voltage and feedback end a try; whatever moved a contact may have been shown late."""
    tape, what = tamper.precharge(), "precharge end"
    low, high = band(tape, what, "SR-PRECHARGE-TRIES")
    assert low is not None
    assert high is not None
    wide = told_by(tape, link_voltage=20.0, cell_voltage=90.0)
    assert (low - 40.0, high + 40.0) == pytest.approx(band(wide, what, "SR-PRECHARGE-TRIES"))
    opened_s = overvoltage.finding("SR-CELL-OV", "reaction").evidence[1].t_ns / 1e9
    asked = overvoltage.expecting({**OPEN, "from_s": opened_s + 0.03})
    for ms, verdict in ((29.0, "PASS"), (31.0, "INCONC")):
        assert verdict == told_by(asked, cell_voltage=ms).finding("SR-CELL-OV", "contactors").verdict.name


# ---- a bench that really is late

HVIL = """
format = 1
name = "late"
title = "The interlock opens while the bench is held up"
pack = "nfm-16s"
duration_s = 2.0

[[request]]
at_s = 0.2
mode = "drive"

[[fault]]
fault = "hvil_open"
start_s = 1.3

[[expect]]
kind = "reaction"
requirement = "SR-HVIL"
fault = "hvil_open"

[[expect]]
kind = "signal"
requirement = "SR-HVIL"
signal = "BMS_State"
is = "error"
mode = "once"
from_s = 1.3
to_s = 1.9
"""


@pytest.mark.wall
def test_a_bench_that_sends_late_says_so_where_it_judges_a_time(tmp_path: Path) -> None:
    """Held up by 8 ms around the stimulus: the times of the reaction are INCONC, and that the device fell into error is not."""
    path = tmp_path / "late.scenario.toml"
    path.write_text(HVIL, encoding="utf-8")
    begun: list[float] = []

    def hold_up(tick: int, _total: int) -> None:
        begun[:] = begun or [time.monotonic() - 0.01 * (tick + 1)]
        if 126 <= tick <= 134:
            time.sleep(max(begun[0] + 0.01 * (tick + 1) + 0.0075 - time.monotonic(), 0.0))

    with wall.device(wall.virtual()) as device:
        record = runner.run(path, runner.Options(dut=f"remote:{device.bus}", armed=True), hold_up)
    trace, link = record.trace, record.trace.info["link"]
    near = [late_ns for t_ns, late_ns in link["late_frames"] if 1_270 * MS_NS <= t_ns <= 1_360 * MS_NS]
    assert near
    assert min(near) > 5 * MS_NS
    timed = [f for f in record.findings if f.timed]
    assert {"detection (FDTI)", "reaction (FHTI)"} == {f.what for f in timed}
    assert all(f.verdict is Verdict.INCONC and "missed" in f.seen for f in timed), record.result()
    state = next(f for f in record.findings if f.what == "BMS_State")
    assert Verdict.PASS == state.verdict or wall.excused(record) or device.was_late, state
    assert_shown(record, trace, tmp_path)


def assert_shown(record: runner.RunRecord, trace: Trace, out: Path) -> None:
    """How many were late stands in the result, in environment.json and in the report; so does every single one in the trace."""
    pacing = trace.info["link"]["pacing"]
    assert pacing["late"] >= len(trace.info["link"]["late_frames"]) > 0
    assert pacing["late_by_message"]
    assert pacing == record.result()["link"]["pacing"] == json.loads(environment.text(record))["pacing"]
    place = folder.write(record, out / "out")
    page = (place / "report.html").read_text(encoding="utf-8")
    assert f"{pacing['late']} of {pacing['frames']} frames left more than 1.5 ms off their times" in page
    assert f"in {len(trace.info['link']['late_frames'])} ticks one left more than 5 ms late" in page
    shown = dict(html._flat({"late": list(range(10)), "few": [1]}))
    assert {"late": "[0, 1, 2, 3, 4, 5, 6, 7] and 2 more in result.json", "few": "[1]"} == shown
    again = Trace.load(place / "trace.npz")
    assert trace.info["link"]["late_frames"] == again.info["link"]["late_frames"]
