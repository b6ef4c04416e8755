"""A session: stimuli act, demands measure what really happened, and wrong names get a sentence."""

from __future__ import annotations

import math
from pathlib import Path

import cantools
import numpy as np
import pytest

from hil import files
from hil.errors import BenchError, ScenarioError
from hil.session import Session, Unmet, stimulus


def _driving(soc: float = 0.7) -> Session:
    bench = Session(soc=soc)
    bench.request("drive")
    bench.run_until("BMS_State", "run", timeout_s=3)
    return bench


def _first(bench: Session, dbc: str, message: str, signal: str, above: float) -> float:
    """End of the first frame in which cantools reads a signal above a value."""
    database = cantools.database.load_file(files.dbc_folder() / dbc)
    for t_s, _, payload in bench.network.frames(message):
        read = database.get_message_by_name(message).decode(payload, decode_choices=False)
        if signal in read and read[signal] > above:
            return t_s
    raise AssertionError(f"{signal} was never above {above}")


def test_detection_time_is_that_between_the_frames_on_the_wire() -> None:
    """What expect measures is what cantools reads in the recorded frames: from the first wrong one to the first flag."""
    bench = _driving()
    bench.set("cell[5].value_V", 4.25)
    measured = bench.expect("code", "CellOvervoltageMsl", within_ms=(450, 550))
    wrong_s = _first(bench, "monitor.dbc", "CellVoltages", "CellVoltage_005", 4.2)
    flag_s = _first(bench, "bms.dbc", "BMS_DiagLimits", "Diag_CellOvervoltageMsl", 0.5)
    assert 1000 * (flag_s - wrong_s) == pytest.approx(measured.value, abs=1e-6)
    assert measured.low < measured.value < measured.high
    assert flag_s == pytest.approx(measured.t_s)


def test_opening_time_ends_where_the_contact_moved() -> None:
    """Opening is measured in the truth: after it no current flows and the link decays."""
    bench = _driving()
    bench.load(current_A=2.0)
    bench.run_for(1.0)
    bench.set("cell[5].value_V", 4.25)
    measured = bench.expect("contactor", "open", within_ms=750)
    bench.run_for(0.1)
    seen = bench.capture("current", "main_plus")
    after = seen["current"].t_s > measured.t_s + bench.tick_s
    assert np.abs(seen["current"].value[after]).max() < 1e-6
    before = (seen["main_plus"].t_s > 2.0) & (seen["main_plus"].t_s < measured.t_s - bench.tick_s)
    assert 1.0 == seen["main_plus"].value[before].min()


def test_equal_sessions_give_equal_bits() -> None:
    """The same calls on the same seed leave the same truth and the same frames."""
    one, two = (_driving() for _ in range(2))
    for bench in (one, two):
        bench.inject("cell_offset", "cell[3]", offset_V=0.1, for_s=0.5)
        bench.run_for(1.0)
    assert one.capture("current", "cell_voltage_max")["current"].value.tobytes() == two.capture("current").value.tobytes()
    assert one.network.frames("BMS_Status") == two.network.frames("BMS_Status")


def test_time_moves_in_whole_ticks_and_never_back() -> None:
    """25 ms take three ticks of 10 ms; negative, endless and missing times are refused."""
    bench = Session()
    bench.run_for(0.025)
    assert 0.03 == bench.time_s
    for wrong in (-1.0, math.inf, math.nan):
        with pytest.raises(ScenarioError, match="not a time"):
            bench.run_for(wrong)


def test_waiting_ends_with_the_condition_or_with_a_sentence() -> None:
    """run_until returns the instant of a condition, also of one in Python, and says what it saw when it gives up."""
    bench = _driving()
    bench.load(current_A=2.0)
    instant = bench.run_until(lambda b: b.truth("current") > 1.0, timeout_s=1)
    assert instant.low_ns < instant.high_ns == round(bench.time_s * 1e9)
    with pytest.raises(Unmet, match=r"expected BMS_State error within 0.5 s; seen: BMS_State is <BMS_State = run>"):
        bench.run_until("BMS_State", "error", timeout_s=0.5)


def test_replaced_fault_keeps_its_other_parameters() -> None:
    """A gain set after an offset acts together with it, as one fault; cleared, the reading is right again."""
    bench = Session()
    bench.set("cell[5].offset_V", 0.2)
    bench.run_for(0.5)
    both = bench.set("cell[5].gain", 1.01)
    assert [both] == bench.faults
    bench.run_for(0.5)
    true_V = bench.truth("cell_voltage[5]")
    assert 1.01 * true_V + 0.2 == pytest.approx(float(bench.signal("CellVoltage_005")), abs=0.003)
    bench.clear("cell[5].offset_V")
    bench.run_for(0.5)
    assert [] == bench.faults
    assert true_V == pytest.approx(float(bench.signal("CellVoltage_005")), abs=0.003)


def test_cleared_plant_fault_puts_the_parameter_back() -> None:
    """Insulation reads what it was before, and the device forgets its warning."""
    bench = Session()
    bench.run_for(0.5)
    before = bench.signal("PackIO_Insulation")
    with_fault = bench.set("insulation.resistance_kohm", 80)
    bench.expect("code", "InsulationWarning", within_ms=1000)
    with_fault.clear()
    bench.run_for(1.0)
    assert before == bench.signal("PackIO_Insulation")
    assert frozenset() == bench.codes()


def test_reaction_that_came_before_its_stimulus_is_no_reaction() -> None:
    """Open contactors cannot be opened: the demand fails and says that nothing was measured."""
    bench = Session()
    bench.run_for(1.0)
    bench.set("cell[5].value_V", 4.25)
    with pytest.raises(Unmet, match="nothing was measured"):
        bench.expect("contactor", "open", within_ms=750)


def test_stimulus_without_effect_is_an_error_of_the_bench() -> None:
    """A load behind open contactors draws nothing; what follows would test nothing."""
    bench = Session()
    bench.run_for(1.0)
    bench.load(current_A=2.0)
    with pytest.raises(BenchError, match="contactors closed"):
        bench.expect("code", "OvercurrentDischargeMsl", within_ms=100)


def test_missed_demand_says_what_was_expected_seen_and_where_to_look() -> None:
    """One step below the limit there is no code, and the sentence names the codes that are there."""
    bench = _driving()
    bench.set("cell[5].value_V", 4.2)
    with pytest.raises(Unmet) as caught:
        bench.expect("code", "CellOvervoltageMsl", within_ms=(450, 550))
    text = str(caught.value)
    assert "expected code CellOvervoltageMsl within 450 to 550 ms after cell_reads on cell[5]" in text
    assert "codes raised: CellOvervoltageMol, CellOvervoltageRsl" in text
    assert "look at limit and debounce" in text


def test_band_that_straddles_the_window_is_no_pass() -> None:
    """A window that ends inside the measurement's uncertainty cannot be judged, and the sentence says so."""
    bench = _driving()
    bench.set("cell[5].value_V", 4.25)
    measured = bench.expect("code", "CellOvervoltageMsl", within_ms=600)
    again = _driving()
    again.set("cell[5].value_V", 4.25)
    with pytest.raises(Unmet, match="the bench cannot tell"):
        again.expect("code", "CellOvervoltageMsl", within_ms=(measured.value, 600))


def test_since_counts_from_the_stimulus_that_is_named() -> None:
    """A time may start at an earlier stimulus, at an instant of run_until, or at a time."""
    bench = _driving()
    asked = bench.request("standby")
    opened = bench.run_until("contactor", "open", timeout_s=3)
    bench.request("drive")
    from_request = bench.expect("contactor", "open", within_ms=3000, since=asked)
    from_second = bench.expect("contactor", "closed", within_ms=3000, since=float(opened))
    from_instant = bench.expect("contactor", "closed", within_ms=3000, since=opened)
    assert from_request.t_s <= float(opened) <= from_request.t_s + bench.tick_s
    assert from_second.value == pytest.approx(from_instant.value)
    assert from_instant.high - from_instant.low == pytest.approx(1000 * bench.tick_s)


def test_welded_contact_counts_from_the_moment_it_should_have_opened() -> None:
    """The first wrong value is the contact that stays when its coil goes, not the injection seconds before."""
    bench = _driving()
    weld = bench.set("contactor[main_plus].welded")
    bench.run_for(2.0)
    bench.request("standby")
    assert 200 > bench.expect("code", "MainPlusWelded", within_ms=200, since=weld).value


def test_silenced_device_lets_the_contactors_fall() -> None:
    """Frames from the device are lost from the next one on; the I/O unit releases the coils after 100 ms."""
    bench = _driving()
    silence = bench.inject("node_silent", "node:BMS")
    assert 90 < bench.expect("contactor", "open", within_ms=150).value
    silence.clear()
    bench.run_for(0.5)
    assert bench.signal("BMS_State").t_s > bench.time_s - 0.2


def test_reset_takes_the_supply_away_and_the_device_starts_again() -> None:
    """Contactors open and the uptime begins anew."""
    bench = _driving()
    bench.run_for(5.0)
    bench.reset()
    bench.expect("contactor", "open", within_ms=50)
    bench.run_for(1.0)
    assert 2 > bench.signal("BMS_Uptime")


def test_stays_and_never_are_judged_over_the_whole_span() -> None:
    """always, never and quiet pass on a sound pack and name the first offence on another."""
    bench = _driving()
    bench.load(current_A=2.0)
    bench.always("contactor", "closed", for_s=1)
    bench.always("BMS_State", "run", for_s=1)
    bench.never("cell_voltage_max", above=4.0, for_s=1)
    bench.quiet(1.0)
    bench.inject("cell_reads", "cell[2]", value_V=4.25, for_s=1.0)
    with pytest.raises(Unmet, match=r"Diag_CellOvervoltageMol is \S+ at \d"):
        bench.never("code", "CellOvervoltageMol", for_s=2)
    with pytest.raises(Unmet, match="contactors not closed at"):
        bench.always("contactor", "closed", for_s=1)
    with pytest.raises(Unmet, match="CellOvervoltageMsl at"):
        bench.quiet(1.0)
    assert ["PASS"] * 4 + ["FAIL"] * 3 == [finding.verdict.name for finding in bench.findings]


def test_signal_knows_its_names_and_refuses_others() -> None:
    """A value compares with its database's names, and with numbers; a name that does not exist is not just unequal."""
    bench = Session()
    assert math.isnan(bench.signal("BMS_State"))
    bench.run_for(1.0)
    state = bench.signal("BMS_State")
    assert state == "standby"
    assert state != "run"
    assert float(state) == state
    assert "%" == bench.signal("BMS_Soc").unit
    with pytest.raises(ScenarioError, match='did you mean "standby"'):
        assert state == "standbi"


def test_lost_sensor_is_not_a_number_with_a_name() -> None:
    """What the wire calls not available reads NaN, and says so."""
    bench = Session()
    bench.run_for(0.5)
    bench.set("cell[1].lost")
    bench.run_for(0.5)
    assert math.isnan(bench.signal("CellVoltage_001"))
    assert "not_available" == bench.signal("CellVoltage_001").name


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda b: b.signal("BMS_Sco"), 'did you mean "BMS_Soc"'),
        (lambda b: b.truth("curent"), 'did you mean "current"'),
        (lambda b: b.truth("cell_voltage[16]"), r"cell_voltage\[0\] to cell_voltage\[15\]"),
        (lambda b: b.request("drove"), 'did you mean "drive"'),
        (lambda b: b.set("cell[5].ofset_V", 1), r'did you mean "cell\[5\].offset_V"'),
        (lambda b: b.set("cell[16].offset_V", 1), r"cell\[0\] to cell\[15\]"),
        (lambda b: b.set("cell[5].stuck", 3), "takes no value"),
        (lambda b: b.clear("cell[5].offset_V"), "active faults: none"),
        (lambda b: b.inject("cell_ofset", "cell[5]"), 'did you mean "cell_offset"'),
        (lambda b: b.inject("cell_offset", "cell[5]", offset=1), 'did you mean "offset_V"'),
        (lambda b: b.inject("frame_lost", "message:CellVoltage"), 'did you mean "CellVoltages"'),
        (lambda b: b.load(current_A=1.0, power_W=2.0), "either current or power"),
        (lambda b: b.load(profile="/nowhere.csv", peak_W=1.0), "does not exist"),
        (lambda b: b.expect("code", "CellOvervoltage", within_ms=1), 'did you mean "CellOvervoltage'),
        (lambda b: b.expect("contactor", "shut", within_ms=1), '"open" or "closed"'),
        (lambda b: b.expect("BMS_State", "runn", within_ms=1), 'did you mean "run"'),
        (lambda b: b.expect("BMS_Stat", "run", within_ms=1), 'did you mean "BMS_State"'),
        (lambda b: b.expect("BMS_State", within_ms=1), "Give a value"),
        (lambda b: b.expect("BMS_State", "run", within_ms=(5, 1)), "not a window"),
        (lambda b: b.quiet(1, allow=["CellSpred"]), 'did you mean "CellSpread"'),
        (lambda b: b.always("contactor", "open", for_s=0), "no time"),
        (lambda b: b.capture("BMS_Sok"), 'did you mean "BMS_Soc"'),
        (lambda b: b.capture(), "capture what"),
    ],
)
def test_wrong_names_and_values_get_a_sentence(call: object, sentence: str) -> None:
    """What was wrong, and the nearest that is right; nothing is changed by it."""
    bench = _shared()
    with pytest.raises(ScenarioError, match=sentence):
        call(bench)
    assert [] == bench.faults


_KEPT: list[Session] = []


def _shared() -> Session:
    """One bench for all calls that must change nothing."""
    if not _KEPT:
        _KEPT.append(Session())
        _KEPT[0].run_for(0.5)
    return _KEPT[0]


def test_wrong_setup_is_told_at_once() -> None:
    """Unknown packs, networks and states, with the nearest name."""
    with pytest.raises(ScenarioError, match='did you mean "nfm-16s"'):
        Session("nfm-16")
    with pytest.raises(ScenarioError, match="soc"):
        Session(soc=1.5)
    with pytest.raises(ScenarioError, match='did you mean "emulator"'):
        Session(dut="emulater")


def test_closed_session_runs_no_more_but_can_be_read() -> None:
    """After the with statement time stands still and captures still work."""
    with Session() as bench:
        bench.run_for(0.5)
    assert 50 == len(bench.capture("soc").value)
    with pytest.raises(ScenarioError, match="closed"):
        bench.run_for(0.1)


@pytest.mark.parametrize("page", ["[CellVoltages][2]", "[CellVoltages[2]]", ":CellVoltages[2]"])
def test_a_page_may_be_written_in_any_bracket(page: str) -> None:
    """The spelling of the catalogue and that of Python both name one page of a message."""
    assert "message:CellVoltages[2]" == stimulus.parse(f"message{page}.lost").target


def test_a_profile_counts_from_the_folder_of_the_test(tmp_path: Path) -> None:
    """As every other path does, wherever pytest was started."""
    (tmp_path / "power.csv").write_text("t_s,P_W\n0,0\n1,5\n2,10\n", encoding="utf-8")
    with Session(near=tmp_path / "test_it.py") as bench:
        bench.request("drive")
        bench.run_until("BMS_State", "run", timeout_s=3)
        bench.load(profile="power.csv", peak_W=50.0)
        bench.run_for(1.9)
        assert 25.0 == pytest.approx(bench.truth("current") * bench.truth("link_voltage"), rel=0.02)
