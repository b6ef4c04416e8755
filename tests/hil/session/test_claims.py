"""What a session demands is not met by what was not seen: silence, a deaf link, times that a link does not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import instruments
import numpy as np
import pytest
import wall
from command import changed

from firmware_sim.wire.layout import Events, Image
from hil.clock import Clock
from hil.dut.emulator import Emulator
from hil.report import folder
from hil.session import Session, Unmet, judge
from hil.session.claim import Claim
from hil.session.tape import Piece
from hil.verdict import Finding, Verdict


def driving(dut: str = "emulator") -> Session:
    """A pack in operation, at 3 s."""
    bench = Session(dut=dut, soc=0.7)
    bench.request("drive")
    bench.run_for(3.0)
    return bench


@pytest.mark.parametrize(
    "demand",
    [
        lambda bench: bench.always("BMS_State", "run", for_s=3.0),
        lambda bench: bench.never("code", "HvilOpen", for_s=3.0),
        lambda bench: bench.quiet(3.0),
    ],
    ids=["always", "never", "quiet"],
)
def test_a_device_that_falls_silent_has_not_shown_anything(demand: Callable[[Session], None]) -> None:
    """It stops after a second of three: what it said until then does not stand for the rest."""
    demand(driving())
    with pytest.raises(Unmet, match=r"no (frame with|valid) \w+ came from 4\.00\d to 6\.000 s") as caught:
        demand(driving("broken:goes-silent"))
    assert Verdict.FAIL == caught.value.finding.verdict


def test_a_fault_on_the_devices_frames_is_not_its_silence() -> None:
    """The bench loses half of the flag frames for two seconds, but the device did send them."""
    bench = driving()
    bench.run_for(0.5)
    bench.inject("frame_lost", "message:BMS_DiagSensors", for_s=2.0)
    bench.quiet(3.0)
    assert Verdict.PASS == bench.findings[-1].verdict


def over_a_link(bench: Session, claim: Claim, **link: Any) -> Finding:
    """A claim judged as if its record had come over a link."""
    run = bench._run
    piece = run.piece(claim.from_ns // run.dt_ns, claim.until_ns // run.dt_ns)
    trace = replace(
        piece.trace, late_ns=np.zeros(piece.trace.n_ticks, np.int64), info={"link": {"stamp_ns": 0, "blind": [], **link}}
    )
    return judge.judge(Piece(trace, piece.base_ns), run.setup, run.bounds(), claim)


def detected() -> tuple[Session, Claim]:
    """A session that has measured a detection, and its claim."""
    bench = driving()
    bench.set("cell[5].value_V", 4.25)
    bench.expect("code", "CellOvervoltageMsl", within_ms=(450, 550))
    return bench, bench._demands.claims[-1]


def test_a_time_over_a_link_is_known_no_better_than_its_stamps() -> None:
    """Both ends of the time are off by up to 3 ms more."""
    bench, claim = detected()
    alone, linked = over_a_link(bench, claim), over_a_link(bench, claim, stamp_ns=3_000_000)
    assert (alone.low - 6.0, alone.high + 6.0) == pytest.approx((linked.low, linked.high))
    assert Verdict.PASS == alone.verdict
    tight = replace(claim, low_ms=alone.low - 3.0)
    assert Verdict.PASS == over_a_link(bench, tight).verdict
    assert Verdict.INCONC == over_a_link(bench, tight, stamp_ns=3_000_000).verdict


def test_a_time_that_begins_or_ends_at_a_late_frame_is_not_known() -> None:
    """A frame 7 ms late in the tick of the cause, or of the code, makes the time INCONC; one between them does not."""
    bench, claim = detected()
    begin_ns, end_ns = (e.t_ns for e in bench.findings[-1].evidence)
    for at_ns, verdict in ((begin_ns, "INCONC"), ((begin_ns + end_ns) // 2, "PASS"), (end_ns, "INCONC")):
        found = over_a_link(bench, claim, late_frames=[[at_ns // 10_000_000 * 10_000_000, 7_000_000]])
        assert (verdict, verdict == "INCONC") == (found.verdict.name, "missed 1 of its own deadlines" in found.seen)
    bench.always("BMS_State", "run", for_s=0.05)
    held = bench._demands.claims[-1]
    ends = [[held.from_ns, 7_000_000], [held.until_ns - 10_000_000, 7_000_000]]
    assert Verdict.PASS == over_a_link(bench, held, late_frames=ends).verdict


def test_a_time_that_begins_at_an_instrument_may_be_shorter_by_its_delay() -> None:
    """What an instrument shows late widens the band of times that begin there, to one side; loads show in several ways."""
    bench = driving()
    bench.set("cell[5].value_V", 4.25)
    bench.expect("contactor", "open", within_ms=750)
    claim = bench._demands.claims[-1]
    alone = over_a_link(bench, claim)
    for shown, by_ms in (({"cell_voltage": 40_000_000}, 40.0), ({"hvil": 40_000_000}, 0.0)):
        found = over_a_link(bench, claim, instrument_ns=shown)
        assert (alone.low - by_ms, alone.high) == pytest.approx((found.low, found.high))
    bench = driving()
    bench.load(current_A=7.0)
    bench.expect("contactor", "open", within_ms=1000)
    claim = bench._demands.claims[-1]
    alone, found = over_a_link(bench, claim), over_a_link(bench, claim, instrument_ns={"current": 30_000_000})
    assert (alone.low - 30.0, alone.high) == pytest.approx((found.low, found.high))


def cleared(bench: Session) -> None:
    """A cell that read too much reads right again."""
    bench.set("cell[5].value_V", 4.08)
    bench.run_until("code", "CellOvervoltageMol", timeout_s=2.0)
    bench.clear("cell[5].value_V")


STIMULI: dict[str, tuple[Callable[[Session], Any], str, dict[str, Any]]] = {
    "fault": (
        lambda bench: bench.set("cell[5].value_V", 4.25),
        "cell_voltage",
        {"what": "code", "wanted": "CellOvervoltageMsl"},
    ),
    "clear": (cleared, "cell_voltage", {"what": "Diag_CellOvervoltageMol", "below": 0.5}),
    "request": (lambda bench: bench.request("standby"), "request", {"what": "BMS_State", "wanted": "standby"}),
    "load": (lambda bench: bench.load(current_A=7.0), "current", {"what": "code", "wanted": "OvercurrentDischargeMsl"}),
}


@pytest.mark.parametrize("what", STIMULI)
def test_when_a_device_could_know_what_an_instrument_shows_it_is_not_known(what: str) -> None:
    """What frames tell is measured; of what an instrument shows, a frame of the same message says nothing."""
    act, quantity, demand = STIMULI[what]
    bench = driving()
    act(bench)
    bench.expect(**demand, within_ms=5000)
    claim = bench._demands.claims[-1]
    assert Verdict.PASS == over_a_link(bench, claim, instrument_ns={"hvil": 40_000_000}).verdict
    found = over_a_link(bench, claim, instrument_ns={quantity: 40_000_000})
    assert Verdict.INCONC == found.verdict
    assert "an instrument feeds the device, so that it is on no frame" in found.seen


def test_the_contacts_answer_to_a_request_that_an_instrument_shows() -> None:
    """Their time runs from the request itself, and may be shorter by what the instrument took."""
    bench = driving()
    asked = bench.request("standby")
    bench.expect("contactor", "open", within_ms=3000)
    claim = bench._demands.claims[-1]
    framed, shown = over_a_link(bench, claim), over_a_link(bench, claim, instrument_ns={"request": 40_000_000})
    assert (Verdict.PASS, asked.at_ns) == (shown.verdict, shown.evidence[0].t_ns)
    from_frame_ms = (framed.evidence[0].t_ns - asked.at_ns) / 1e6
    assert from_frame_ms > 0.0
    assert from_frame_ms == pytest.approx(shown.value - framed.value)
    assert from_frame_ms - 40.0 == pytest.approx(shown.low - framed.low)


def test_what_never_came_failed_only_when_its_window_was_surely_over() -> None:
    """The record ends a tick or two behind the window, which fails, unless its beginning is known to 30 ms only."""
    bench = driving()
    bench.set("cell[5].value_V", 4.25)
    with pytest.raises(Unmet, match="codes raised: none"):
        bench.expect("code", "CellOvervoltageMsl", within_ms=200)
    claim = bench._demands.claims[-1]
    assert Verdict.FAIL == over_a_link(bench, claim, stamp_ns=3_000_000).verdict
    found = over_a_link(bench, claim, stamp_ns=30_000_000)
    assert (Verdict.INCONC, True) == (found.verdict, "is known to 30.0 ms only" in found.seen)


class Linked(Emulator):
    """The emulator, with what a link and an instrument would say of themselves; the instrument gets slower at 3.2 s."""

    def pace(self, clock: Clock) -> None:
        """Nothing to learn."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As over a link."""
        self.late_ns = [0] * (t_ns // 10_000_000 + 1)
        self.instrument_ns = 60_000_000 if t_ns < 3_200_000_000 else 85_000_000
        return super().exchange(t_ns, image, events)

    def notes(self) -> dict[str, Any]:
        """How well times are known."""
        return {"stamp_ns": 1_100_000, "blind": [], "lost": "", "instrument_ns": {"cell_voltage": self.instrument_ns}}


def test_a_reaction_that_never_comes_fails_however_slow_an_instrument_is() -> None:
    """The record goes on until the window is surely over, also when the instrument showed its delay only meanwhile."""
    bench = Session(soc=0.7)
    run = bench._run
    run.dut.__class__, run.bench.late_ns = Linked, [0] * 1000
    bench.request("drive")
    bench.run_for(3.0)
    bench.set("cell[5].value_V", 4.25)
    with pytest.raises(Unmet, match="codes raised: none") as caught:
        bench.expect("contactor", "open", within_ms=200)
    finding = caught.value.finding
    start, end = finding.evidence
    assert Verdict.FAIL == finding.verdict
    assert 286.1 <= (end.t_ns - start.t_ns) / 1e6 <= 310.0
    bench.expect("contactor", "open", within_ms=750, since=bench.faults[0])


@pytest.mark.wall
def test_a_dead_device_fails_though_an_instrument_shows_what_it_should_have_seen(tmp_path: Path) -> None:
    """It is told the voltages every 60 ms, and nothing closes its contactors."""
    slow = ("every_ms = 5", "every_ms = 60"), ('insulation = "io"', 'cell_voltage = "io"')
    cells = ("PackIO_Insulation", "CellVoltage_{n:03}"), ("RES {value:.0f}", "VOLT {value:.4f},(@{n1})")
    path = tmp_path / "bench.toml"
    with instruments.served() as served, wall.device(wall.virtual()) as device:
        path.write_text(changed(instruments.bench(device.bus, served.address), *slow, *cells), encoding="utf-8")
        with Session(soc=0.7, bench=path, arm=True) as bench:
            bench.run_for(0.5)
            bench.set("cell[5].value_V", 4.25)
            with pytest.raises(Unmet, match="contactors not closed") as caught:
                bench.expect("contactor", "closed", within_ms=200)
            shown_ns = bench._run.dut.notes()["instrument_ns"]
    assert shown_ns["cell_voltage"] > 40e6
    finding = caught.value.finding
    assert Verdict.FAIL == finding.verdict or "deadlines" in finding.seen, finding


@pytest.mark.wall
def test_a_code_after_a_fault_that_an_instrument_shows_cannot_be_timed(tmp_path: Path) -> None:
    """Cells are on no frame at all, the interlock's message goes on without it: the bench cannot tell, now and later."""
    path, hvil = tmp_path / "bench.toml", 'signal = "PackIO_Hvil"\nset = "OUTP {value:.0f},(@32)"'
    feeds = ('insulation = "io"', 'cell_voltage = "io"\nhvil = "io"')
    cells = ("PackIO_Insulation", "CellVoltage_{n:03}"), ("RES {value:.0f}", "VOLT {value:.4f},(@{n1})")
    with instruments.served() as served, wall.device(wall.virtual()) as device:
        text = changed(instruments.bench(device.bus, served.address), feeds, *cells) + f"[[instrument.channel]]\n{hvil}\n"
        path.write_text(text, encoding="utf-8")
        with Session(soc=0.7, bench=path, arm=True) as bench:
            bench.run_for(0.5)
            for short, value, code in (
                ("cell[5].value_V", 4.25, "CellOvervoltageMsl"),
                ("signal[PackIO_Hvil].value", 0, "HvilOpen"),
            ):
                bench.set(short, value)
                with pytest.raises(Unmet, match=r"the bench cannot tell: .* an instrument feeds the device") as caught:
                    bench.expect("code", code, within_ms=200)
                assert Verdict.INCONC == caught.value.finding.verdict
            again = folder.load(bench.write(tmp_path, name="again")).findings
    assert [finding.as_dict() for finding in bench.findings] == [finding.as_dict() for finding in again]


def test_what_happened_while_the_link_was_deaf_cannot_be_known() -> None:
    """Deaf between cause and code: INCONC, with the reason; deaf before both: judged."""
    bench, claim = detected()
    deaf = over_a_link(bench, claim, blind=[[3_200_000_000, 3_300_000_000, "nothing was heard"]])
    assert (Verdict.INCONC, True) == (deaf.verdict, "nothing was heard" in deaf.seen)
    assert Verdict.PASS == over_a_link(bench, claim, blind=[[1_000_000_000, 2_000_000_000, "nothing was heard"]]).verdict


# ---- who opened the path

OFF = "broken:reaction-off=CellOvervoltageMsl"
OPEN_IN_TIME: dict[str, Any] = {"what": "contactor", "wanted": "open", "within_ms": 750}


def unknown(bench: Session, sentence: str, **since: Any) -> None:
    """The path opened, and the session says why that shows nothing; so does the record when it is judged again."""
    with pytest.raises(Unmet, match=sentence) as caught:
        bench.expect(**OPEN_IN_TIME, **since)
    assert Verdict.INCONC == caught.value.finding.verdict


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_path_that_never_was_closed_does_not_open(seconds: float) -> None:
    """Without any stimulus, and with the first act of a test."""
    bench = Session(dut=OFF)
    bench.run_for(seconds)
    unknown(bench, "nothing was measured")
    bench = Session(dut=OFF)
    bench.run_for(seconds)
    bench.set("cell[5].value_V", 4.25)
    unknown(bench, "nothing was measured")


@pytest.mark.parametrize("first_s", [0.0, 0.2])
def test_a_path_that_opens_on_request_shows_no_reaction_to_a_fault(first_s: float) -> None:
    """The bench itself asked for standby; as an answer to that request the same opening counts."""
    bench = driving(OFF)
    wrong = bench.set("cell[5].value_V", 4.25)
    bench.run_for(first_s)
    asked = bench.request("standby")
    unknown(bench, "standby was requested at 3", since=wrong)
    unknown(bench, "standby was requested at 3", since=3.0)
    bench.expect(**OPEN_IN_TIME, since=asked)


def test_a_fault_after_the_request_for_standby_is_not_what_opened_the_path() -> None:
    """The path was about to open when the cell began to read wrong."""
    bench = driving(OFF)
    bench.request("standby")
    bench.set("cell[5].value_V", 4.25)
    unknown(bench, "standby was requested at 3 s")


def test_a_path_that_opens_with_the_supply_shows_no_reaction_to_a_fault() -> None:
    """Coils drop by themselves."""
    bench = driving(OFF)
    wrong = bench.set("cell[5].value_V", 4.25)
    bench.run_for(0.2)
    bench.reset()
    unknown(bench, "took the supply away at 3.2 s", since=wrong)


@pytest.mark.parametrize("dut", ["emulator", OFF])
def test_a_path_that_another_fault_opened_shows_no_reaction(dut: str) -> None:
    """The interlock opened it before the over-voltage could."""
    bench = driving(dut)
    wrong = bench.set("cell[5].value_V", 4.25)
    bench.run_for(0.3)
    bench.set("signal[PackIO_Hvil].value", 0)
    unknown(bench, r"something else \(signal_reads-2, HvilOpen\) may have opened the path", since=wrong)


def test_a_code_that_stood_before_the_stimulus_opened_the_path() -> None:
    """The delay of one code runs out just after something else was done."""
    bench = driving()
    bench.set("cell[5].value_V", 4.25)
    bench.run_until("code", "CellOvervoltageMsl", timeout_s=1)
    bench.load(current_A=1.0)
    unknown(bench, r"something else \(CellOvervoltageMsl\) opened the path")


def test_another_fault_behind_the_first_code_takes_nothing_from_the_reaction() -> None:
    """Over-voltage was reported before the interlock opened, and the device names it."""
    bench = driving()
    wrong = bench.set("cell[5].value_V", 4.25)
    bench.run_until("code", "CellOvervoltageMsl", timeout_s=1)
    bench.set("signal[PackIO_Hvil].value", 0)
    bench.expect(**OPEN_IN_TIME, since=wrong)


# ---- no frame due


@pytest.mark.parametrize(
    ("seconds", "demand"),
    [
        (0.0, lambda bench: bench.never("BMS_State", "error", for_s=0.01)),
        (0.0, lambda bench: bench.quiet(0.01)),
        (3.0, lambda bench: bench.always("BMS_Soc", above=0.0, for_s=0.01)),
        (3.0, lambda bench: bench.expect("BMS_Soc", below=20.0, within_ms=10, since=bench.time_s)),
        (3.0, lambda bench: bench.never("CellVoltage_005", above=4.0, for_s=0.01)),
    ],
    ids=["never", "quiet", "always", "within", "of the bench"],
)
def test_a_time_in_which_no_frame_was_due_says_nothing_of_the_device(seconds: float, demand: Callable[[Session], None]) -> None:
    """Before the device was up, or shorter than the cycle of the message, or on a message that it does not send."""
    bench = Session()
    bench.run_for(seconds + 0.02 if seconds else 0.0)
    with pytest.raises(Unmet, match="the bench cannot tell") as caught:
        demand(bench)
    assert Verdict.INCONC == caught.value.finding.verdict


def test_a_short_time_inside_a_long_silence_is_silence() -> None:
    """The device fell silent long before."""
    bench = driving("broken:goes-silent")
    bench.run_for(3.0)
    with pytest.raises(Unmet, match="silent") as caught:
        bench.never("BMS_State", "error", for_s=0.01)
    assert Verdict.FAIL == caught.value.finding.verdict


def test_a_folder_says_the_same_when_it_is_judged_again(tmp_path: Path) -> None:
    """Requests, supply and other faults are read back from the scenario that the session wrote."""
    bench = driving(OFF)
    wrong = bench.set("cell[5].value_V", 4.25)
    bench.run_for(0.2)
    bench.request("standby")
    unknown(bench, "standby", since=wrong)
    bench.run_until(lambda b: round(b.time_s * 1e3) % 100 == 30, timeout_s=1)
    with pytest.raises(Unmet):
        bench.never("BMS_Soc", above=90.0, for_s=0.01)
    again = folder.load(bench.write(tmp_path, name="again")).findings
    assert [finding.as_dict() for finding in bench.findings] == [finding.as_dict() for finding in again]
