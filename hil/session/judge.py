"""The finding that the record gives for what a test demanded, while the test runs and again from the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hil.fault.catalogue import Bound
from hil.observe import View
from hil.session import reaction, steady
from hil.session.claim import Claim
from hil.session.tape import Piece
from hil.setup import Setup
from hil.taint import taint
from hil.verdict import Evidence, Finding
from hil.wirelog import WireLog

_LEAD_NS = 2_000_000_000
_JUDGES: dict[str, Callable[[View, int, Sequence[Bound], Claim], Finding]] = {
    "within": reaction.judge,
    "always": steady.throughout,
    "never": steady.throughout,
    "quiet": steady.quiet,
}


def first_tick(claim: Claim, dt_ns: int) -> int:
    """Where the record begins that a claim is judged by: what came shortly before tells a pause from a silence."""
    lead_ns = 0 if claim.mode == "within" else _LEAD_NS
    return max(claim.from_ns - lead_ns, 0) // dt_ns


def judge(piece: Piece, setup: Setup, faults: Sequence[Bound], claim: Claim) -> Finding:
    """The finding that a piece of the record gives for a claim. faults: of the run.  Times in it count from time 0."""
    view = View(piece.trace, WireLog(piece.trace.journal, setup.network), setup)
    found = _JUDGES[claim.mode](view, piece.base_ns, faults, claim)
    moved = tuple(Evidence(e.t_ns + piece.base_ns, e.what, e.column) for e in found.evidence)
    return taint(piece.trace, replace(found, evidence=moved), setup.network, piece.base_ns)
