"""What a session demands is not met by what was not seen: silence, a deaf link, times that a link does not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hil.session import Session, Unmet
from hil.session import claim as claims
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


def over_a_link(bench: Session, claim: claims.Claim, **link: Any) -> Finding:
    """A claim judged as if its record had come over a link."""
    run = bench._run
    piece = run.piece(claim.from_ns // run.dt_ns, claim.until_ns // run.dt_ns)
    trace = replace(
        piece.trace, late_ns=np.zeros(piece.trace.n_ticks, np.int64), info={"link": {"stamp_ns": 0, "blind": [], **link}}
    )
    return claims.judge(Piece(trace, piece.base_ns), run.setup, run.bounds(), claim)


def detected() -> tuple[Session, claims.Claim]:
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


def test_what_happened_while_the_link_was_deaf_cannot_be_known() -> None:
    """Deaf between cause and code: INCONC, with the reason; deaf before both: judged."""
    bench, claim = detected()
    deaf = over_a_link(bench, claim, blind=[[3_200_000_000, 3_300_000_000, "nothing was heard"]])
    assert (Verdict.INCONC, True) == (deaf.verdict, "nothing was heard" in deaf.seen)
    assert Verdict.PASS == over_a_link(bench, claim, blind=[[1_000_000_000, 2_000_000_000, "nothing was heard"]]).verdict
