"""The bench must not lie: no PASS without evidence, no FAIL where it cannot know. Real runs, tampered with.

Runs that the device did well are judged as they are, and then as if it had not; each lie must be found out.
"""

from __future__ import annotations

from pathlib import Path

import cantools
import numpy as np
import pytest
import rigs
import tamper
from tamper import DRIVE, LIE, NS, QUIET, REACTION, Tape

from hil import files, judge
from hil import journal as j
from hil.verdict import Verdict, inside, worst

DETECTION, ISOLATION = "detection", "reaction"
CODE = "Diag_CellOvervoltageMsl"


@pytest.fixture(scope="module")
def overvoltage() -> Tape:
    """See tamper.overvoltage."""
    return tamper.overvoltage()


# ---- verdicts


@pytest.mark.parametrize(
    ("lighter", "heavier"), [("NONE", "PASS"), ("PASS", "INCONC"), ("INCONC", "FAIL"), ("FAIL", "ERROR"), ("NONE", "ERROR")]
)
def test_across_findings_the_heavier_verdict_wins(lighter: str, heavier: str) -> None:
    """NONE < PASS < INCONC < FAIL < ERROR, in whatever order they come."""
    assert Verdict[heavier] == worst([Verdict[lighter], Verdict[heavier]]) == worst([Verdict[heavier], Verdict[lighter]])


def test_exit_codes_are_those_of_the_command() -> None:
    """0 PASS, 1 FAIL, 2 ERROR and NONE, 3 INCONC."""
    assert {"PASS": 0, "FAIL": 1, "ERROR": 2, "NONE": 2, "INCONC": 3} == {v.name: v.exit_code for v in Verdict}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (450.0, 550.0, "PASS"),
        (449.99, 500.0, "INCONC"),
        (500.0, 550.01, "INCONC"),
        (400.0, 600.0, "INCONC"),
        (550.01, 551.0, "FAIL"),
        (440.0, 449.99, "FAIL"),
        (float("nan"), float("nan"), "INCONC"),
    ],
)
def test_a_pass_needs_the_whole_band_inside(low: float, high: float, verdict: str) -> None:
    """A band that touches the window from inside passes, one that straddles an edge is unknown, one outside fails."""
    assert Verdict[verdict] == inside(low, high, (450.0, 550.0))


def test_a_run_that_expects_nothing_has_no_verdict(overvoltage: Tape) -> None:
    """Nothing was judged: NONE, which is exit code 2."""
    assert Verdict.NONE == judge.overall(overvoltage.expecting().findings())


def test_the_untouched_runs_pass() -> None:
    """What is tampered with here and in test_judge_lies is found good as it was."""
    for tape in (tamper.overvoltage(), tamper.ladder(), tamper.precharge()):
        assert {Verdict.PASS} == {finding.verdict for finding in tape.findings()}


# ---- times


def told_s(tape: Tape, dbc: str, message: str, signal: str, above: float) -> float:
    """End of the first frame in which cantools, from the bytes alone, reads a signal above a value [s]."""
    decoder = cantools.database.load_file(files.dbc_folder() / dbc).get_message_by_name(message)
    rows = tape.trace.journal[np.argsort(tape.trace.journal[:, j.T_NS], kind="stable")]
    for row in rows[rows[:, j.ID] == decoder.frame_id]:
        payload = row[j.WORD :].tobytes()[: row[j.LENGTH]]
        if decoder.decode(payload, decode_choices=False).get(signal, above) > above:
            return float(row[j.T_NS]) / NS
    raise AssertionError(signal)


@pytest.mark.parametrize("start_s", [2.0, 2.03, 2.09])
def test_detection_takes_debounce_task_and_frames(start_s: float) -> None:
    """490 ms from the task that first reads the wrong frame, then three frames of 135 bits at 500 kbit/s, whenever it starts.

    The task of a tick runs at its end; before the flag's frame two of higher priority leave.
    """
    tape = Tape.of(request=DRIVE, fault=[{**LIE, "start_s": start_s}], expect=[REACTION], duration_s=3.2)
    wrong_s = told_s(tape, "monitor.dbc", "CellVoltages", "CellVoltage_005", 4.2)
    flag_s = told_s(tape, "bms.dbc", "BMS_DiagLimits", CODE, 0.5)
    task_ms = 10.0 * (1000.0 * wrong_s // 10.0 + 1.0)
    expected_ms = task_ms + 490.0 + 3 * 135 / 500.0 - 1000.0 * wrong_s
    found = tape.finding("SR-CELL-OV", DETECTION)
    assert expected_ms == pytest.approx(1000.0 * (flag_s - wrong_s), abs=1e-6)
    assert expected_ms == pytest.approx(found.value, abs=1e-6)


def test_reaction_takes_detection_delay_and_travel() -> None:
    """After the flag's task 100 ms of delay, one command frame of 135 bits, and 10 ms until the contact has left."""
    tape = Tape.of(request=DRIVE, fault=[LIE], expect=[REACTION], duration_s=3.2)
    wrong_s = told_s(tape, "monitor.dbc", "CellVoltages", "CellVoltage_005", 4.2)
    open_ms = 10.0 * (1000.0 * wrong_s // 10.0 + 1.0) + 490.0 + 100.0 + 135 / 500.0 + tape.setup.inputs.pack.contactors.open_ms
    assert open_ms - 1000.0 * wrong_s == pytest.approx(tape.finding("SR-CELL-OV", ISOLATION).value, abs=1e-6)


def test_a_band_between_frames_is_one_frame_to_either_side(overvoltage: Tape) -> None:
    """A frame is known to its own duration on the bus, 135 bits at 500 kbit/s, at both ends of the time."""
    found = overvoltage.finding("SR-CELL-OV", DETECTION)
    assert (found.value - 0.27, found.value + 0.27) == pytest.approx((found.low, found.high), abs=1e-9)


def test_a_band_from_the_truth_holds_the_sample_period() -> None:
    """A real over-current is known to one tick of 10 ms, and the path's opening to the nanosecond."""
    tape = Tape.of(
        request=DRIVE, load=[{"at_s": 2.0, "kind": "current", "current_A": 7.0}],
        expect=[{"kind": "reaction", "requirement": "SR-CURRENT-DISCHARGE"}], duration_s=3.0,
    )  # fmt: skip
    found = tape.finding("SR-CURRENT-DISCHARGE", ISOLATION)
    assert 10.0 == pytest.approx(found.high - found.low, abs=1e-9)
    over = tape.trace.column("mean_current") > 5.45
    first_ms, moved = 10.0 * float(np.argmax(over)), tape.trace.column("main_plus_changed")[-1] / 1e6
    assert moved - first_ms == pytest.approx(found.value, abs=1e-6)


@pytest.mark.parametrize(("edge", "step_ms", "verdict"), [
    ("high", 0.0, "PASS"), ("high", -0.01, "INCONC"), ("low", 0.0, "INCONC"), ("low", -0.01, "FAIL"),
])  # fmt: skip
def test_a_window_that_ends_inside_the_band_cannot_be_judged(
    overvoltage: Tape, edge: str, step_ms: float, verdict: str
) -> None:
    """The window's end is moved over the band: PASS at its far edge, INCONC inside, FAIL before its near edge."""
    for what, key in ((DETECTION, "fdti_ms"), (ISOLATION, "fhti_ms")):
        end_ms = getattr(overvoltage.finding("SR-CELL-OV", what), edge) + step_ms
        tape = overvoltage.expecting({**REACTION, key: [450.0, end_ms] if key == "fdti_ms" else end_ms})
        assert Verdict[verdict] == tape.finding("SR-CELL-OV", what).verdict


@pytest.mark.parametrize(
    ("by_ms", "verdict"),
    [(50.8, "PASS"), (50.82, "INCONC"), (51.34, "INCONC"), (51.36, "FAIL"),
     (-48.64, "PASS"), (-48.66, "INCONC"), (-49.18, "INCONC"), (-49.2, "FAIL")],
)  # fmt: skip
def test_a_code_too_late_or_too_early_is_told_from_one_in_time(overvoltage: Tape, by_ms: float, verdict: str) -> None:
    """The flag at 498.92 +- 0.27 ms is moved over both edges of 450 to 550 ms."""
    tape = overvoltage.copy()
    tape.move("BMS_DiagLimits", by_ms, tape.first(CODE, 0.5))
    assert Verdict[verdict] == tape.finding("SR-CELL-OV", DETECTION).verdict


@pytest.mark.parametrize(("debounce_ms", "verdict"), [(440, "FAIL"), (450, "PASS"), (540, "PASS"), (550, "FAIL")])
def test_a_debounce_one_tick_off_is_seen(tmp_path: Path, debounce_ms: int, verdict: str) -> None:
    """Devices whose debounce is a tick too short or too long for the window of 450 to 550 ms fail, the next ones pass."""
    path = rigs.edited(tmp_path, "nfm-16s", {"CellOvervoltageMsl": {"debounce_ms": debounce_ms}})
    tape = Tape.of(request=DRIVE, fault=[LIE], expect=[REACTION], calibration=str(path), duration_s=3.0)
    assert Verdict[verdict] == tape.finding("SR-CELL-OV", DETECTION).verdict


# ---- what the bench cannot know


@pytest.mark.parametrize("ms", [10.001, 30.0])
def test_a_missed_deadline_makes_what_rests_on_it_inconclusive(overvoltage: Tape, ms: float) -> None:
    """The bench was late by more than a tick between cause and code: the times are worth nothing, what passed before is."""
    tape = overvoltage.copy().late(0.0, 0.0, 4.0).late(ms, 2.3, 2.31)
    found = {finding.what: finding for finding in tape.findings()}
    assert [Verdict.INCONC, Verdict.INCONC] == [found[what].verdict for what in ("detection (FDTI)", "reaction (FHTI)")]
    assert "missed 1 of its own deadlines" in found["detection (FDTI)"].seen
    assert [Verdict.PASS, Verdict.PASS] == [found[what].verdict for what in ("no nuisance trip", "BMS_State")]


def test_a_deadline_met_within_a_tick_is_no_miss(overvoltage: Tape) -> None:
    """Late by a whole tick, but not more: everything is known."""
    tape = overvoltage.copy().late(10.0, 0.0, 4.0)
    assert {Verdict.PASS} == {finding.verdict for finding in tape.findings()}


def test_a_missed_deadline_also_excuses_a_failure(overvoltage: Tape) -> None:
    """A code that never came, a nuisance trip and a path that stayed closed, all while the bench was late: unknown."""
    tape = overvoltage.copy().say(CODE, 0).say("Diag_HvilOpen", 1, 1.5).path(True, 2.6)
    assert Verdict.FAIL == judge.overall(tape.findings())
    findings = tape.late(50.0, 1.2, 4.0).findings()
    assert {Verdict.INCONC} == {f.verdict for f in findings if f.what != "BMS_State"}


def test_a_stall_before_a_nuisance_trip_taints_it(overvoltage: Tape) -> None:
    """The bench stalled 300 ms before the device tripped: it may have tripped because of that."""
    tape = overvoltage.copy().say("Diag_CellDataLost", 1, 1.8).late(300.0, 1.5, 1.51)
    assert Verdict.INCONC == tape.finding("SR-QUIET").verdict


def test_a_failure_elsewhere_still_fails_the_run(overvoltage: Tape) -> None:
    """One finding is tainted, another was seen well: across findings the FAIL wins."""
    tape = overvoltage.copy().say("Diag_HvilOpen", 1, 1.5).late(50.0, 2.3, 2.4)
    assert {"INCONC", "FAIL", "PASS"} == {finding.verdict.name for finding in tape.findings()}
    assert Verdict.FAIL == judge.overall(tape.findings())


def test_what_a_link_does_not_know_widens_the_band(overvoltage: Tape) -> None:
    """On a link whose stamps are known to 3 ms and whose bench was 5 ms late, cause and code are 8 ms wider to either side."""
    tape = overvoltage.copy().late(5.0, 0.0, 4.0)
    tape.trace.info["link"] = {"stamp_ns": 3_000_000, "blind": [], "lost": ""}
    found = tape.finding("SR-CELL-OV", DETECTION)
    assert (498.92 - 16.27, 498.92 + 16.27) == pytest.approx((found.low, found.high), abs=1e-6)
    tight = tape.expecting({**REACTION, "fdti_ms": [483.0, 550.0]})
    assert Verdict.INCONC == tight.finding("SR-CELL-OV", DETECTION).verdict


def test_a_link_that_was_deaf_makes_inconclusive_what_lies_in_that_time(overvoltage: Tape) -> None:
    """Nothing was heard from 2.1 to 2.4 s: detection and reaction are unknown, the quiet before is not."""
    tape = overvoltage.copy().late(0.0, 0.0, 4.0)
    tape.trace.info["link"] = {"stamp_ns": 0, "blind": [[2_100_000_000, 2_400_000_000, "nothing was heard"]], "lost": ""}
    verdicts = {finding.what: finding.verdict.name for finding in tape.findings()}
    assert {
        "detection (FDTI)": "INCONC", "reaction (FHTI)": "INCONC", "no nuisance trip": "PASS", "BMS_State": "PASS"
    } == verdicts  # fmt: skip


@pytest.mark.parametrize(("to_s", "expected"), [
    (1.0, {"BENCH": ["INCONC", "INCONC"], "SR-CELL-OV": ["INCONC"], "SR-QUIET": ["INCONC"], "SR-LATCH": ["INCONC"]}),
    (1.6, {"BENCH": ["INCONC", "INCONC"], "SR-CELL-OV": ["INCONC"], "SR-QUIET": ["INCONC"], "SR-LATCH": ["INCONC"]}),
    (2.4, {"BENCH": ["INCONC"], "SR-CELL-OV": ["INCONC"], "SR-QUIET": ["PASS"], "SR-LATCH": ["PASS"]}),
    (2.55, {"BENCH": ["INCONC"], "SR-CELL-OV": ["PASS", "INCONC"], "SR-QUIET": ["PASS"], "SR-LATCH": ["PASS"]}),
    (3.9, {"BENCH": ["INCONC"], "SR-CELL-OV": ["PASS", "PASS"], "SR-QUIET": ["PASS"], "SR-LATCH": ["PASS"]}),
])  # fmt: skip
def test_a_record_that_ends_early_is_inconclusive_from_there_on(
    overvoltage: Tape, to_s: float, expected: dict[str, list[str]]
) -> None:
    """Cut before the windows, inside them, before the code, before the path opened, and after all of it."""
    found: dict[str, list[str]] = {}
    for finding in overvoltage.copy().cut(to_s).findings():
        found.setdefault(finding.requirement, []).append(finding.verdict.name)
    assert expected == found


def test_a_failure_before_the_record_ends_stays_one(overvoltage: Tape) -> None:
    """What was seen and wrong is wrong, however the run would have gone on."""
    tape = overvoltage.copy().say("Diag_HvilOpen", 1, 1.4).cut(1.6)
    assert Verdict.FAIL == tape.finding("SR-QUIET").verdict


def test_a_hazard_that_goes_away_before_the_device_must_answer_tests_nothing() -> None:
    """400 ms beyond a limit that may take 550 ms: no code is no failure."""
    tape = Tape.of(request=DRIVE, fault=[{**LIE, "stop_s": 2.4}], expect=[REACTION], duration_s=3.5)
    found = tape.finding("SR-CELL-OV")
    assert (Verdict.INCONC, "stimulus") == (found.verdict, found.what)
    assert "400 ms at most" in found.seen


@pytest.mark.parametrize(("from_s", "verdict"), [(1.9, "PASS"), (2.2, "INCONC"), (3.0, "INCONC")])
def test_a_clock_that_began_before_judging_does_is_not_read(overvoltage: Tape, from_s: float, verdict: str) -> None:
    """Judged from inside the hazard on, the device would look faster than it was."""
    findings = overvoltage.expecting({**REACTION, "from_s": from_s}).findings()
    assert {verdict} == {finding.verdict.name for finding in findings}


def test_a_limit_cannot_be_judged_while_its_data_was_lost() -> None:
    """From 300 ms after the cause on no cell came for 2 s: no code is no failure of this limit."""
    lost = {"fault": "node_silent", "target": "node:Monitor", "start_s": 2.3, "stop_s": 4.3}
    tape = Tape.of(request=DRIVE, fault=[LIE, lost], expect=[REACTION], duration_s=5.0)
    found = tape.say(CODE, 0).finding("SR-CELL-OV", DETECTION)
    assert Verdict.INCONC == found.verdict
    assert "no CellVoltage_005 came for" in found.seen


def test_data_lost_long_after_the_window_excuses_nothing() -> None:
    """The device had all it needed and said nothing; that the stream broke later does not matter."""
    lost = {"fault": "node_silent", "target": "node:Monitor", "start_s": 3.0}
    tape = Tape.of(request=DRIVE, fault=[LIE, lost], expect=[REACTION], duration_s=5.0)
    assert Verdict.FAIL == tape.say(CODE, 0).finding("SR-CELL-OV", DETECTION).verdict


def test_what_the_bench_did_to_the_devices_frames_is_not_held_against_it() -> None:
    """Every flag frame was dropped on its way to the rest of the bus; the device is judged by what it sent."""
    deaf = {"fault": "frame_lost", "target": "message:BMS_DiagLimits", "start_s": 0.5}
    tape = Tape.of(request=DRIVE, fault=[LIE, deaf], expect=[REACTION, QUIET], duration_s=3.0)
    assert len(tape.rows(j.FROM_DUT, tape.slot(CODE), 0.5)) == 0
    assert {Verdict.PASS} == {finding.verdict for finding in tape.findings()}


# ---- faults


def test_a_fault_whose_effect_is_not_in_the_record_is_an_error(overvoltage: Tape) -> None:
    """Both sides of the seam read the same: nothing was tested, whatever the device did."""
    tape = overvoltage.copy()
    tape.trace.sides[:, 1] = tape.trace.sides[:, 0]
    found = tape.finding("BENCH")
    assert (Verdict.ERROR, 'fault "cell_reads"') == (found.verdict, found.what)
    assert Verdict.ERROR == judge.overall(tape.findings())


def test_a_fault_that_changes_nothing_is_an_error() -> None:
    """A line that reads what it read anyway."""
    fault = {"fault": "signal_reads", "target": "signal:PackIO_Hvil", "start_s": 1.0, "with": {"value": 1.0}}
    tape = Tape.of(fault=[fault], expect=[], duration_s=2.0)
    assert Verdict.ERROR == tape.finding("BENCH").verdict


def test_a_fault_that_starts_at_the_end_of_the_scenario_is_an_error() -> None:
    """The scenario is wrong, not the device and not the bench."""
    tape = Tape.of(fault=[{**LIE, "start_s": 2.0}], expect=[REACTION], duration_s=2.0)
    assert Verdict.ERROR == tape.finding("BENCH").verdict


def test_a_fault_that_was_never_put_to_the_test_is_inconclusive() -> None:
    """A welded contactor that nobody asks to open: its reaction is not judged, and not passed either."""
    tape = Tape.of(
        request=DRIVE, fault=[{"fault": "contactor_welded", "target": "contactor:main_plus", "start_s": 1.5}],
        expect=[{"kind": "reaction", "requirement": "SR-CONTACTOR-WELDED", "fault": "contactor_welded"}], duration_s=3.0,
    )  # fmt: skip
    assert [("BENCH", "INCONC")] == [(f.requirement, f.verdict.name) for f in tape.findings()]


def test_a_frame_that_found_no_room_in_the_journal_is_an_error(overvoltage: Tape) -> None:
    """What is not in the record may have been the proof."""
    tape = overvoltage.copy()
    tape.trace.lost_frames = 1
    assert Verdict.ERROR == tape.finding("BENCH", "journal").verdict
