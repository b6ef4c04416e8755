"""The bench must not lie, second part: silence, lies about codes and contacts, and what the bench did itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tamper
from tamper import DRIVE, LIE, REACTION, STATE, Tape

from hil import figures, judge
from hil import journal as j
from hil.errors import ScenarioError
from hil.observe import View
from hil.requirement import Requirement
from hil.scenario import Inputs
from hil.verdict import Verdict
from hil.wirelog import WireLog

DETECTION, ISOLATION = "detection", "reaction"
CODE = "Diag_CellOvervoltageMsl"


@pytest.fixture(scope="module")
def overvoltage() -> Tape:
    """See tamper.overvoltage."""
    return tamper.overvoltage()


@pytest.fixture(scope="module")
def precharge() -> Tape:
    """See tamper.precharge."""
    return tamper.precharge()


# ---- silence


def test_a_device_that_falls_silent_has_failed(overvoltage: Tape) -> None:
    """Nothing came from 1.4 s on: a finding of its own, and no expectation passes on what it did not say."""
    tape = overvoltage.copy().mute(from_s=1.4)
    assert Verdict.FAIL == tape.finding("DEVICE").verdict
    assert Verdict.FAIL == tape.finding("SR-QUIET").verdict
    assert Verdict.FAIL == tape.finding("SR-LATCH").verdict
    assert Verdict.FAIL == tape.finding("SR-CELL-OV", DETECTION).verdict


def test_a_device_that_was_dead_before_its_supply_was_lost_has_failed() -> None:
    """That the loss of supply shows no effect is the device's doing, not the bench's: FAIL, not ERROR."""
    fault = {"fault": "reset", "start_s": 2.5}
    tape = Tape.of(request=DRIVE, fault=[fault], expect=[{**STATE, "to_s": 1.8}], duration_s=4.0)
    assert Verdict.PASS == judge.overall(tape.findings())
    assert Verdict.FAIL == judge.overall(tape.mute(from_s=1.9).findings())


def test_a_device_that_never_spoke_is_an_error(overvoltage: Tape) -> None:
    """It never came up, so nothing that it should have done was tested."""
    tape = overvoltage.copy().mute()
    assert Verdict.ERROR == tape.finding("DEVICE").verdict == judge.overall(tape.findings())


def test_a_device_that_has_not_come_up_yet_is_inconclusive() -> None:
    """After 1.5 s without a frame it may still come."""
    expect = [{"kind": "quiet", "requirement": "SR-QUIET", "from_s": 0.5, "to_s": 1.5}, {**STATE, "from_s": 1.0, "to_s": 1.5}]
    tape = Tape.of(expect=expect, duration_s=1.5).mute()
    assert {"INCONC"} == {finding.verdict.name for finding in tape.findings()}
    assert 3 == len(tape.findings())


@pytest.mark.parametrize("slot", ["BMS_DiagLimits", "BMS_Contactors", "BMS_SocValues"])
def test_a_message_that_never_comes_is_a_silent_device(overvoltage: Tape, slot: str) -> None:
    """All else comes; one message of the database does not, not once."""
    found = overvoltage.copy().mute([slot]).finding("DEVICE")
    assert (Verdict.FAIL, True) == (found.verdict, f"no {slot} from" in found.seen)


@pytest.mark.parametrize("how", ["hang", "break_crc", "shorten"])
def test_frames_that_no_receiver_may_believe_are_silence(overvoltage: Tape, how: str) -> None:
    """From 1.3 s on the flags come with a counter that stands still, a wrong CRC, or a byte too few: nobody said a thing."""
    tape = getattr(overvoltage.copy(), how)("BMS_DiagLimits", 1.3)
    assert Verdict.FAIL == tape.finding("DEVICE").verdict
    assert Verdict.FAIL == tape.finding("SR-QUIET").verdict
    assert Verdict.FAIL == tape.finding("SR-CELL-OV", DETECTION).verdict


def test_no_value_is_not_the_value_that_is_expected(overvoltage: Tape) -> None:
    """One frame says that there is no state: it was not "run" all the time."""
    tape = overvoltage.copy().say("BMS_State", 15, 1.6, 1.61)
    found = tape.finding("SR-LATCH")
    assert (Verdict.FAIL, True) == (found.verdict, found.seen.startswith("no value at 1.60"))


def test_never_is_not_proven_by_no_value(overvoltage: Tape) -> None:
    """A device that says all the time that it knows no state has not shown that it was never in error."""
    tape = overvoltage.expecting({**STATE, "mode": "never", "is": "error"})
    assert Verdict.PASS == tape.finding("SR-LATCH").verdict
    assert Verdict.FAIL == tape.say("BMS_State", 15, 1.3, 1.95).finding("SR-LATCH").verdict


def test_a_soc_that_is_not_told_when_it_is_wrong_is_no_right_soc() -> None:
    """A device that sends "not available" for most of the run, and a right value at its end, does not pass."""
    expect = {"kind": "soc", "requirement": "SR-SOC"}
    tape = Tape.of(request=DRIVE, load=[{"at_s": 1.5, "kind": "current", "current_A": 2.0}], expect=[expect], duration_s=5.0)
    assert Verdict.PASS == tape.finding("SR-SOC").verdict
    signal = tape.setup.network.database.signal("BMS_Soc")
    silent = tape.copy().say("BMS_Soc", (1 << signal.length) - 1, 1.0, 4.0)
    found = silent.finding("SR-SOC")
    assert (Verdict.FAIL, True) == (found.verdict, "no valid SOC" in found.seen)


# ---- lies


def test_a_code_that_stood_before_its_cause_is_a_false_trip(overvoltage: Tape) -> None:
    """One frame with the flag, long before the fault, spoils the detection: the device did not detect, it guessed."""
    found = overvoltage.copy().say(CODE, 1, 1.7, 1.71).finding("SR-CELL-OV", DETECTION)
    assert (Verdict.FAIL, True) == (found.verdict, "before the cause" in found.seen)


def test_a_code_of_an_earlier_cause_does_not_count_against_a_later_one() -> None:
    """The second of two faults is judged from its from_s on; a code still standing there would be a false trip."""
    press = [*DRIVE, {"at_s": 3.5, "mode": "drive", "fault_reset": True}]
    faults = [{**LIE, "name": "one", "stop_s": 3.0}, {**LIE, "name": "two", "target": "cell[8]", "start_s": 5.5}]
    expect = [REACTION, {**REACTION, "from_s": 4.5}]
    tape = Tape.of(request=press, fault=faults, expect=expect, duration_s=7.0)
    assert ["PASS"] * 4 == [finding.verdict.name for finding in tape.findings()]
    assert 5.5e9 < tape.findings()[2].evidence[0].t_ns < 5.61e9
    held = tape.copy().say(CODE, 1, 4.4, 4.6)
    assert Verdict.FAIL == held.findings()[2].verdict


@pytest.mark.parametrize(("from_s", "verdicts"), [(0.0, ["FAIL", "PASS"]), (4.0, ["PASS", "PASS"]), (5.6, ["INCONC"])])
def test_the_second_of_two_faults_is_judged_from_its_time_on(from_s: float, verdicts: list[str]) -> None:
    """Without from_s the code of the first stood before the second; with one behind the fault its start was not judged."""
    request = [*DRIVE, {"at_s": 3.0, "mode": "drive", "fault_reset": True}]
    faults = [
        {"fault": "hvil_open", "name": "one", "start_s": 1.5, "stop_s": 2.0},
        {"fault": "hvil_open", "name": "two", "start_s": 5.0},
    ]
    expect = [{"kind": "reaction", "requirement": "SR-HVIL", "fault": "two", "from_s": from_s}]
    tape = Tape.of(request=request, fault=faults, expect=expect, duration_s=6.5)
    assert verdicts == [finding.verdict.name for finding in tape.findings()]


def test_a_fault_beside_a_trigger_is_refused() -> None:
    """The requirement's own trigger starts the clock; a fault named there would be silently ignored."""
    with pytest.raises(ScenarioError, match="has a trigger of its own"):
        Tape.of(request=DRIVE, fault=[LIE], expect=[{**REACTION, "fault": "cell_reads"}], duration_s=3.0)


def test_another_code_is_not_the_code(overvoltage: Tape) -> None:
    """The device raises under-voltage where over-voltage is meant."""
    tape = overvoltage.copy().say(CODE, 0).say("Diag_CellUndervoltageMsl", 1, 2.51)
    found = tape.finding("SR-CELL-OV", DETECTION)
    assert (Verdict.FAIL, True) == (found.verdict, "no such code" in found.seen)


def test_the_right_code_on_the_wrong_cell_is_seen(overvoltage: Tape) -> None:
    """The device names cell 6 where cell 5 is over its limit."""
    where = {"kind": "signal", "requirement": "SR-LATCH", "signal": "BMS_CellMaxIndex", "is": 5.0, "from_s": 2.3, "to_s": 4.0}
    tape = overvoltage.expecting(where)
    assert Verdict.PASS == tape.finding("SR-LATCH").verdict
    assert Verdict.FAIL == tape.say("BMS_CellMaxIndex", 6, 3.0, 3.2).finding("SR-LATCH").verdict


def test_the_last_tier_without_the_one_before_is_seen() -> None:
    """A device that goes straight to the safety limit and never reports the recommended one fails that requirement alone."""
    tape = tamper.ladder().copy().say("Diag_CellOvervoltageRsl", 0)
    assert Verdict.FAIL == tape.finding("SR-CELL-OV-RSL", DETECTION).verdict
    assert Verdict.PASS == tape.finding("SR-CELL-OV", DETECTION).verdict


def test_a_dropped_latch_is_seen(overvoltage: Tape) -> None:
    """The code goes away while its cause stands, and later without a reset."""
    latch = {"kind": "signal", "requirement": "SR-LATCH", "signal": CODE, "is": "active", "from_s": 2.6, "to_s": 4.0}
    tape = overvoltage.expecting(latch)
    assert Verdict.PASS == tape.finding("SR-LATCH").verdict
    assert Verdict.FAIL == tape.say(CODE, 0, 3.9).finding("SR-LATCH").verdict


@pytest.mark.parametrize(("from_s", "to_s"), [(2.7, 2.71), (3.0, 4.0), (3.99, 4.0)])
def test_a_path_that_closes_again_has_not_stayed_open(overvoltage: Tape, from_s: float, to_s: float) -> None:
    """For a tick soon after it opened, for good, or in the last tick of the run."""
    found = overvoltage.copy().path(True, from_s, to_s).finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.FAIL, True) == (found.verdict, f"closed again at {from_s:.3f} s" in found.seen)


def test_closing_again_after_a_reset_or_a_loss_of_supply_is_another_matter(overvoltage: Tape) -> None:
    """What a device must keep over these is a requirement of its own; the reaction was over."""
    pressed = overvoltage.expecting(REACTION, request=[*DRIVE, {"at_s": 3.0, "mode": "drive", "fault_reset": True}])
    assert Verdict.PASS == pressed.path(True, 3.1).finding("SR-CELL-OV", ISOLATION).verdict
    lost = overvoltage.expecting(REACTION)
    lost.setup.resets_ns = (3_000_000_000,)
    assert Verdict.PASS == lost.path(True, 3.1).finding("SR-CELL-OV", ISOLATION).verdict


def test_no_current_is_no_open_path() -> None:
    """The load is gone after the trip, the current is zero, but the contacts are closed: the path is not open."""
    tape = Tape.of(
        request=DRIVE, load=[{"at_s": 1.5, "kind": "current", "current_A": 2.0}, {"at_s": 2.55, "kind": "none"}],
        fault=[LIE], expect=[REACTION], duration_s=4.0,
    ).path(True, 2.6)  # fmt: skip
    assert 0.02 > np.abs(tape.trace.column("current")[300:]).max()
    found = tape.finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.FAIL, True) == (found.verdict, "still closed" in found.seen)


def test_a_command_or_a_feedback_that_lies_changes_nothing(overvoltage: Tape) -> None:
    """Command and feedback say open while the contacts are closed: FAIL. They say closed while the path is open: PASS."""
    names = ("MainPlus", "MainMinus")
    tape = overvoltage.copy().path(True, 2.6)
    for name in names:
        tape.say(f"BMS_{name}Command", 0, 2.6).say(f"PackIO_{name}Feedback", 0, 2.6, kind=j.TO_DUT)
    assert Verdict.FAIL == tape.finding("SR-CELL-OV", ISOLATION).verdict
    tape = overvoltage.copy()
    for name in names:
        tape.say(f"BMS_{name}Command", 1, 2.6).say(f"PackIO_{name}Feedback", 1, 2.6, kind=j.TO_DUT)
    assert Verdict.PASS == tape.finding("SR-CELL-OV", ISOLATION).verdict


def test_one_contact_that_moves_is_not_quiet(overvoltage: Tape) -> None:
    """Main plus drops for a tick while main minus and the precharge path stay closed."""
    tape = overvoltage.copy().truth("precharge", 1.0, 0.0).truth("main_plus", 0.0, 1.5, 1.51)
    found = tape.finding("SR-QUIET")
    assert (Verdict.FAIL, "main plus moves at 1.500 s") == (found.verdict, found.seen)


# ---- what the bench did itself


@pytest.mark.parametrize("at_s", [1.9, 2.1, 2.5])
def test_a_path_that_opened_on_request_shows_no_reaction(overvoltage: Tape, at_s: float) -> None:
    """Standby was asked for before the path opened, so it would have opened anyway."""
    tape = overvoltage.expecting(REACTION, request=[*DRIVE, {"at_s": at_s, "mode": "standby"}])
    found = tape.finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.INCONC, True) == (found.verdict, f"standby was requested at {at_s:g} s" in found.seen)
    assert Verdict.PASS == tape.finding("SR-CELL-OV", DETECTION).verdict


def test_a_request_after_the_path_opened_changes_nothing(overvoltage: Tape) -> None:
    """The device had reacted already."""
    tape = overvoltage.expecting(REACTION, request=[*DRIVE, {"at_s": 2.7, "mode": "standby"}])
    assert Verdict.PASS == tape.finding("SR-CELL-OV", ISOLATION).verdict


def both(hvil_s: float, dut: str = "emulator", **keys: Any) -> Tape:
    """Cell 5 reads 4.25 V from 2 s on, and the interlock opens at another time."""
    hvil = {"fault": "hvil_open", "start_s": hvil_s}
    wrong = {**LIE, "with": {"value_V": 4.25}}
    return Tape.of(dut, **{"request": DRIVE, "fault": [wrong, hvil], "expect": [REACTION], "duration_s": 5.0, **keys})


OFF = "broken:reaction-off=CellOvervoltageMsl"


@pytest.mark.parametrize("hvil_s", [1.95, 2.3, 2.55])
def test_a_path_that_another_fault_opened_shows_no_reaction(hvil_s: float) -> None:
    """The device has no reaction to over-voltage; the interlock opened the path in time, before the code or after it."""
    found = both(hvil_s, OFF).finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.INCONC, True) == (found.verdict, "something else (HvilOpen) opened the path" in found.seen)


def test_another_fault_behind_the_devices_own_code_takes_nothing_from_its_reaction() -> None:
    """Over-voltage was reported first, and the device names it as what holds the contactors."""
    assert Verdict.PASS == both(2.55).finding("SR-CELL-OV", ISOLATION).verdict


def test_a_late_opening_names_the_code_that_opened() -> None:
    """The interlock opens the path after 1.6 s: late is late, but a reader must know who opened it."""
    found = both(3.5, OFF).finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.FAIL, True) == (found.verdict, found.seen.endswith("ms, by HvilOpen"))


@pytest.mark.parametrize(("hvil_s", "dut", "verdict"), [
    (2.3, OFF, "INCONC"), (2.55, OFF, "PASS"), (2.55, "emulator", "PASS"), (4.5, "emulator", "PASS"),
])  # fmt: skip
def test_without_the_name_of_the_holder_the_order_of_codes_decides(hvil_s: float, dut: str, verdict: str) -> None:
    """A device that names no code is judged by the codes it raised: its own first is taken for the one that opened."""
    found = both(hvil_s, dut).say("BMS_FaultCode", 0).finding("SR-CELL-OV", ISOLATION)
    assert Verdict[verdict] == found.verdict


def test_a_higher_tier_of_the_same_limit_is_the_same_reaction() -> None:
    """A cell far beyond its limit trips the critical tier first: the hazard of the lower one is answered."""
    tape = Tape.of(request=DRIVE, fault=[{**LIE, "with": {"value_V": 4.6}}], expect=[REACTION], duration_s=4.0)
    assert tape.first("Diag_CellOvervoltageCritical", 0.5) < tape.first(CODE, 0.5)
    assert Verdict.PASS == tape.finding("SR-CELL-OV", ISOLATION).verdict


def test_a_pack_that_something_else_kept_open_has_not_refused() -> None:
    """The interlock was open before anyone asked for operation; over-voltage would not have kept the path open."""
    found = both(0.5, OFF, request=[{"at_s": 2.8, "mode": "drive"}]).finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.INCONC, True) == (found.verdict, "something else (HvilOpen) held it open" in found.seen)


# ---- no frame due


@pytest.mark.parametrize("expect", [
    {"kind": "soc", "requirement": "SR-SOC", "from_s": 3.99},
    {"kind": "soc", "requirement": "SR-SOC", "from_s": 3.913, "to_s": 3.917},
    {"kind": "quiet", "requirement": "SR-QUIET", "from_s": 0.0, "to_s": 0.02},
    {"kind": "quiet", "requirement": "SR-QUIET", "from_s": 1.503, "to_s": 1.504},
    {**STATE, "mode": "never", "is": "error", "from_s": 0.0, "to_s": 0.02},
    {**STATE, "from_s": 1.503, "to_s": 1.504},
    {**STATE, "mode": "once", "from_s": 1.503, "to_s": 1.504},
])  # fmt: skip
def test_a_time_in_which_no_frame_was_due_says_nothing_of_the_device(overvoltage: Tape, expect: dict[str, Any]) -> None:
    """Shorter than the cycle of the message, or before the device was up: nobody was silent."""
    found = overvoltage.expecting(expect).finding(expect["requirement"])
    assert (Verdict.INCONC, True) == (found.verdict, "no frame was due there" in found.seen)
    silent = overvoltage.expecting(expect).mute(from_s=1.0) if expect["from_s"] else None
    assert silent is None or Verdict.FAIL == silent.finding(expect["requirement"]).verdict


def test_a_code_in_a_short_time_is_seen_although_other_flags_were_not_due(overvoltage: Tape) -> None:
    """What came was wrong, whatever did not come."""
    at_s = overvoltage.first("Diag_CellOvervoltageRsl", 0.5)
    short = {"kind": "quiet", "requirement": "SR-QUIET", "from_s": at_s - 0.0001, "to_s": at_s + 0.0001}
    assert Verdict.FAIL == overvoltage.expecting(short).finding("SR-QUIET").verdict


def test_a_path_that_opened_with_the_supply_shows_no_reaction(overvoltage: Tape) -> None:
    """The bench took the supply away between cause and opening: coils drop by themselves."""
    tape = overvoltage.expecting(REACTION)
    tape.setup.resets_ns = (2_300_000_000,)
    found = tape.finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.INCONC, True) == (found.verdict, "the bench took the supply away at 2.3 s" in found.seen)


def test_a_path_that_nobody_asked_to_close_shows_no_reaction() -> None:
    """In standby the path is open anyway; asked to close while the hazard stands, staying open is what was required."""
    tape = Tape.of(fault=[LIE], expect=[REACTION], duration_s=4.0)
    found = tape.finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.INCONC, True) == (found.verdict, "nobody asked it to close" in found.seen)
    asked = Tape.of(request=[{"at_s": 2.8, "mode": "drive"}], fault=[LIE], expect=[REACTION], duration_s=4.0)
    assert Verdict.PASS == asked.finding("SR-CELL-OV", ISOLATION).verdict


def test_a_path_that_was_open_before_the_hazard_shows_no_reaction(overvoltage: Tape) -> None:
    """Something else had opened it at 1.8 s."""
    found = overvoltage.copy().path(False, 1.8).finding("SR-CELL-OV", ISOLATION)
    assert (Verdict.INCONC, True) == (found.verdict, "open already since 1.800 s" in found.seen)


def test_a_requirement_that_asks_for_nothing_is_an_error(overvoltage: Tape) -> None:
    """Neither a code nor an open path: such an expectation would pass on anything."""
    tape = overvoltage.expecting(REACTION)
    required = tape.setup.inputs.requirements
    rows = [
        r.model_copy(update={"codes": [], "reaction": "report"}) if r.id == "SR-CELL-OV" else r for r in required.requirement
    ]
    tape.setup.inputs = with_requirements(tape, rows)
    assert ["ERROR"] == [finding.verdict.name for finding in tape.findings()]


def with_requirements(tape: Tape, rows: list[Requirement]) -> Inputs:
    """The inputs of a run with other requirements."""
    inputs = tape.setup.inputs
    return replace(inputs, requirements=inputs.requirements.model_copy(update={"requirement": rows}))


# ---- precharge and SOC


def energised(tape: Tape, from_s: float, to_s: float) -> Tape:
    """The precharge coil was on in this time too."""
    return tape.copy().truth("precharge_coil", 1.0, from_s, to_s)


def test_one_try_too_many_or_too_few_fails(precharge: Tape) -> None:
    """A fourth try, and a third that never was."""
    for tape in (energised(precharge, 16.0, 16.5), precharge.copy().truth("precharge_coil", 0.0, 10.0)):
        assert Verdict.FAIL == tape.finding("SR-PRECHARGE-TRIES", "precharge tries").verdict


@pytest.mark.parametrize("to_s", [9.0, 12.0, 15.7])
def test_tries_that_may_go_on_are_not_counted(precharge: Tape, to_s: float) -> None:
    """The record ends between two tries, inside the third, and less than a pause after it: the count is open."""
    found = precharge.copy().cut(to_s).finding("SR-PRECHARGE-TRIES", "precharge tries")
    assert (Verdict.INCONC, True) == (found.verdict, "another may follow" in found.seen)


def test_a_try_that_was_not_seen_whole_has_no_length(precharge: Tape) -> None:
    """A try under way when the record ends, or when judging begins, may be longer than it looks."""
    cut = precharge.copy().cut(12.0)
    late = precharge.expecting({"kind": "precharge", "requirement": "SR-PRECHARGE-TRIES", "from_s": 1.5})
    for tape in (cut, late):
        assert Verdict.INCONC == tape.finding("SR-PRECHARGE-TRIES", "precharge end").verdict
    assert Verdict.INCONC == late.finding("SR-PRECHARGE-TRIES", "precharge tries").verdict


def test_a_try_too_long_and_a_pause_too_short_fail(precharge: Tape) -> None:
    """The second try lasts 200 ms longer, which also shortens the pause behind it to less than 3 s."""
    tape = energised(precharge, 7.6, 7.9)
    assert Verdict.FAIL == tape.finding("SR-PRECHARGE-TRIES", "precharge end").verdict
    assert Verdict.FAIL == tape.finding("SR-PRECHARGE-TRIES", "precharge pause").verdict


def test_a_stall_inside_a_try_taints_its_length(precharge: Tape) -> None:
    """The only evidence of a length is its beginning and its end; both ends belong to it."""
    tape = precharge.copy().late(50.0, 12.0, 12.1)
    assert Verdict.INCONC == tape.finding("SR-PRECHARGE-TRIES", "precharge end").verdict


def test_a_limit_on_the_rmse_is_judged(overvoltage: Tape) -> None:
    """The largest error passes, the root mean square does not pass its own limit."""
    tape = overvoltage.expecting({"kind": "soc", "requirement": "SR-SOC"})
    view = View(tape.trace, WireLog(tape.trace.journal, tape.setup.network), tape.setup)
    t_ns, believed, true = figures.soc_pair(view, None)
    rmse = float(np.sqrt(np.mean((believed - true)[t_ns <= 4 * tamper.NS] ** 2)))
    for limit, verdict in ((rmse * 1.01, Verdict.PASS), (rmse * 0.99, Verdict.FAIL)):
        rows = [
            r.model_copy(update={"limits": {"max_error": 0.9, "rmse": limit}})
            for r in tape.setup.inputs.requirements.requirement
        ]
        tape.setup.inputs = with_requirements(tape, rows)
        found = {f.what: f for f in tape.findings()}
        assert Verdict.PASS == found["SOC of pack"].verdict
        assert verdict == found["SOC of pack, RMSE"].verdict
        assert 100.0 * rmse == pytest.approx(found["SOC of pack, RMSE"].value)
