"""A run that ended early, as a reader sees it: what it did not reach is said to be so, and nothing else is said of it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tamper
from tamper import QUIET, REACTION, STATE, Tape

from hil.verdict import Finding, Verdict

NEVER = {
    "kind": "signal",
    "requirement": "SR-LATCH",
    "signal": "BMS_State",
    "is": "init",
    "mode": "never",
    "from_s": 1.4,
    "to_s": 3.0,
}
ONCE = {**NEVER, "is": "error", "mode": "once", "from_s": 2.4}
OPEN = {"kind": "contactors", "requirement": "SR-MODE-RUN", "state": "open", "from_s": 3.2, "to_s": 3.9}
SOC = {"kind": "soc", "requirement": "SR-SOC", "from_s": 3.0, "to_s": 3.5}
WITHIN = {"kind": "within", "requirement": "SR-CELL-OV", "from_s": 3.0, "to_s": 3.5}
PRECHARGE = {"kind": "precharge", "requirement": "SR-PRECHARGE-ONCE", "from_s": 0.0}
SPAN = re.compile(r"(\d+\.\d+) to (\d+\.\d+) s")


@pytest.fixture(scope="module")
def whole() -> Tape:
    """A drive of 4 s whose fault begins at 2 s, with an expectation of every kind."""
    return tamper.overvoltage().expecting(REACTION, QUIET, STATE, NEVER, ONCE, OPEN, SOC, WITHIN, PRECHARGE)


def said(tape: Tape, requirement: str, what: str = "") -> tuple[str, str, str]:
    """Verdict, what was seen, and what to do."""
    found: Finding = tape.finding(requirement, what)
    return found.verdict.name, found.seen, found.next_step


@pytest.mark.parametrize("to_s", [0.01, 0.15, 0.6, 1.21, 1.6, 2.41, 2.8, 3.9])
def test_no_sentence_speaks_of_what_was_not_recorded(whole: Tape, to_s: float) -> None:
    """No time runs backwards, no tick is counted where there was none, and no evidence lies behind the end."""
    for finding in whole.copy().cut(to_s).findings():
        assert all(float(a) <= float(b) for a, b in SPAN.findall(finding.seen)), finding
        assert "all 0" not in finding.seen, finding
        assert all(evidence.t_ns <= round(to_s * 1e9) for evidence in finding.evidence), finding
        assert finding.verdict in (Verdict.PASS, Verdict.INCONC), finding


@pytest.mark.parametrize("row", [NEVER, ONCE, OPEN, SOC, WITHIN, {**PRECHARGE, "from_s": 3.0}])
def test_what_was_not_reached_is_said_in_one_sentence(whole: Tape, row: dict[str, object]) -> None:
    """The run ended at 1.2 s: when, before what, and what to do; nothing about frames, ticks or tries."""
    tape = whole.expecting(row).cut(1.2)
    seen = f"the run ended at 1.2 s, before {row['from_s']:g} s, from when on this is judged"
    assert ("INCONC", seen, "let the run go to its end") == said(tape, str(row["requirement"]))


def test_a_hazard_that_had_no_time_is_told_from_one_that_was_too_weak(whole: Tape) -> None:
    """Before the limit was left, and 488 ms after it: the run was too short, not the stimulus."""
    before, after = whole.copy().cut(1.6), whole.copy().cut(2.5)
    go_on = "let the run go to its end"
    told = "the run ended at 1.6 s, before cell_voltage left its limit"
    assert ("INCONC", told, go_on) == said(before, "SR-CELL-OV", "stimulus")
    told = "the run ended at 2.5 s, 488 ms after cell_voltage left its limit; the device may take 550 ms"
    assert ("INCONC", told, go_on) == said(after, "SR-CELL-OV", "stimulus")
    told = "the run ended at 1.6 s, before it could start"
    assert ("INCONC", told, go_on) == said(before, "BENCH", 'fault "cell_reads"')


def test_a_reaction_to_a_fault_that_never_began_is_not_left_out() -> None:
    """A requirement that the scenario serves has a finding, also when its fault had no time to start."""
    fault = {"fault": "hvil_open", "start_s": 1.0}
    tape = Tape.of(fault=[fault], expect=[{"kind": "reaction", "requirement": "SR-HVIL", "fault": "hvil_open"}], duration_s=1.5)
    assert "PASS" == said(tape, "SR-HVIL", "detection")[0]
    told = "the run ended at 0.8 s, before it could start"
    assert ("INCONC", told, "let the run go to its end") == said(tape.cut(0.8), "SR-HVIL")


def test_tries_of_precharge_that_may_follow_need_a_longer_run(whole: Tape) -> None:
    """Cut in the first try; a run that is whole keeps its own hint."""
    tape = whole.copy().cut(0.6)
    told = "1, and another may follow; but the run ended at 0.6 s"
    assert ("INCONC", told, "let the run go to its end") == said(tape, "SR-PRECHARGE-ONCE", "precharge tries")
    late = whole.expecting({**PRECHARGE, "from_s": 0.6})
    assert "begin to judge before the first try" in said(late, "SR-PRECHARGE-ONCE", "precharge tries")[2]


def test_states_that_were_seen_are_named_as_they_came(whole: Tape) -> None:
    """Names have no order in which one reaches from one to another; numbers have."""
    tape = whole.expecting(NEVER)
    assert "run and error in all 160 frames" == said(tape, "SR-LATCH")[1]
    volts = {**NEVER, "signal": "BMS_PackVoltage", "below": 20.0}
    del volts["is"]
    assert re.fullmatch(r"\d+\.?\d* to \d+\.?\d* in all \d+ frames", said(whole.expecting(volts), "SR-LATCH")[1])


def test_a_lost_link_is_the_reason_that_is_given(whole: Tape) -> None:
    """The run ended because the line went: what was not reached says that too, what was over before is judged."""
    tape = whole.copy().cut(2.8)
    tape.trace.late_ns = np.zeros(tape.trace.n_ticks, np.int64)
    tape.trace.info["link"] = {"stamp_ns": 0, "lost": "it is gone", "blind": [[2_780_000_000, 1 << 62, "the link was lost"]]}
    verdict, seen, hint = said(tape, "SR-MODE-RUN", "contactors")
    assert ("INCONC", "the run ended at 2.8 s, before 3.2 s, from when on this is judged; but the link was lost") == (
        verdict,
        seen,
    )
    assert hint.startswith("look at the link")
    assert "PASS" == said(tape, "SR-QUIET")[0]
