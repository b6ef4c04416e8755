"""What a session demands: let time pass until it is settled, then judge it from the record alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from firmware_sim.wire.layout import FRAME_NS
from hil import journal as j
from hil.dut import Paced
from hil.errors import BenchError, ScenarioError
from hil.observe import Moment, View
from hil.opening import CONTACTS
from hil.session import judge, reaction
from hil.session.claim import Claim, Measured, Unmet
from hil.session.goal import Goal, goal_of
from hil.session.live import find
from hil.session.run import Run
from hil.session.since import Absent, Since, locate
from hil.session.stimulus import Fault, Instant, Stimulus
from hil.session.tape import Piece
from hil.verdict import Evidence, Finding, Verdict
from hil.wirelog import WireLog

if TYPE_CHECKING:
    from hil.session.session import Condition, Session

_LEAD_S = 2.0
_LOOK_S = 0.05
_EFFECT_S = 2.0
_PIECE_S = 60.0


class Demands:
    """Demands on a run. requirement: that findings serve."""

    def __init__(self, run: Run, requirement: str) -> None:
        self._run = run
        self.requirement = requirement
        self.claims: list[Claim] = []
        self.findings: list[Finding] = []

    # ---- waiting

    def until(
        self,
        session: Session,
        what: str | Condition,
        wanted: str | float | None,
        timeout_s: float,
        above: float | None,
        below: float | None,
    ) -> Instant:
        """Let time pass until a condition holds."""
        run = self._run
        goal: Goal | None = None
        text, hint = "the condition", ""
        if isinstance(what, str):
            goal = goal_of(run.setup, what, wanted, above, below)
            text, hint, holds = goal.text, goal.hint, self._now(goal)
        else:
            holds = partial(_is_true, what, session)
        end = run.rig.k + run.ticks(timeout_s)
        begin_ns = run.t_ns
        while not holds():
            if run.rig.k >= end:
                last = f"{goal.name} is {run.signal(goal.name)!r}" if goal is not None and goal.is_told else "it never was"
                raise Unmet(
                    Finding(
                        self.requirement, text, f"{text} within {timeout_s:g} s", f"{last} until {run.t_ns / 1e9:g} s",
                        Verdict.FAIL, evidence=(Evidence(begin_ns, "from"), Evidence(run.t_ns, "to")), next_step=hint,
                    )
                )  # fmt: skip
            run.advance(1)
        return self._instant(goal, text)

    def _instant(self, goal: Goal | None, text: str) -> Instant:
        """When a condition began to hold that was seen in the last tick: a frame's time, or between its last two rows."""
        run = self._run
        if goal is not None and goal.is_told:
            kind, slot, _ = find(run.setup.network, goal.name)
            layout = run.setup.network.to_dut if kind == j.TO_DUT else run.setup.network.from_dut
            end_ns = round(run.signal(goal.name).t_s * 1e9)
            return Instant.of(end_ns - int(layout.slots[slot, FRAME_NS]), end_ns, text)
        return Instant.of(max(run.t_ns - 2 * run.dt_ns, 0), max(run.t_ns - (0 if goal is None else run.dt_ns), 0), text)

    def _now(self, goal: Goal) -> Callable[[], bool]:
        """Whether a goal holds now, without reading the record."""
        run = self._run
        low = -math.inf if goal.above is None else goal.above
        high = math.inf if goal.below is None else goal.below

        def path() -> bool:
            """Whether the current path is as the goal wants it, by the truth of this tick."""
            plus, minus, pre = (run.truth(name) > 0.5 for name in CONTACTS)
            return (plus and minus) if goal.name == "closed" else not (minus and (plus or pre))

        if goal.kind == "path":
            return path
        read = run.signal if goal.kind == "signal" else run.truth
        return lambda: low < read(goal.name) < high

    # ---- demands

    def within(
        self,
        what: str,
        wanted: str | float | None,
        window_ms: tuple[float | None, float],
        above: float | None,
        below: float | None,
        since: Stimulus | Instant | float | None,
    ) -> Measured:
        """A reaction in time."""
        run = self._run
        goal = goal_of(run.setup, what, wanted, above, below)
        low_ms, high_ms = window_ms
        if not 0.0 < high_ms < math.inf or not 0.0 <= (low_ms or 0.0) <= high_ms:
            raise ScenarioError(f"within_ms {window_ms} is not a window; expected a time, or (shortest, longest)")
        begin = run.last if since is None else since
        from_k = max(_start_ns(begin) // run.dt_ns - run.ticks(_LEAD_S), 0)
        run.tape.need(_start_ns(begin) // run.dt_ns)
        from_k = max(from_k, run.tape.first_tick)
        self._settle(goal, begin, high_ms, from_k)
        claim = Claim(
            "within", self.requirement, from_k * run.dt_ns, run.t_ns, goal, self._since(begin), low_ms, high_ms
        )  # fmt: skip
        finding = self._judge(claim)
        assert finding.value is not None
        assert finding.low is not None
        assert finding.high is not None
        return Measured(finding.value, finding.low, finding.high, finding.evidence[-1].t_ns / 1e9)

    def _settle(self, goal: Goal, begin: Stimulus | Instant | float, high_ms: float, from_k: int) -> None:
        """Let time pass until the stimulus has shown and the goal is reached, or the time for either is over."""
        run = self._run
        look, called = run.ticks(_LOOK_S), run.rig.k
        last_k = called + run.ticks(max(_EFFECT_S, high_ms / 1e3))
        holds = self._now(goal)
        start: Moment | None = None
        told_ns = math.inf
        while True:
            if start is None and (run.rig.k - called) % look == 0:
                found = self._locate(goal, begin, from_k)
                if isinstance(found, Moment):
                    start, last_k = found, self._over_k(found, begin, high_ms)
                elif found.verdict is Verdict.INCONC:  # it will not show
                    last_k = called + run.ticks(high_ms / 1e3)
            if told_ns == math.inf and holds():
                told_ns = run.signal(goal.name).t_s * 1e9 if goal.is_told else 0.0
            over = run.rig.k > last_k
            if over and start is not None:  # what the link has shown of itself meanwhile counts too
                last_k = self._over_k(start, begin, high_ms)
                over = run.rig.k > last_k
            if over or (start is not None and max(told_ns, start.high_ns) < run.t_ns):
                return
            run.advance(1)

    def _over_k(self, start: Moment, begin: Stimulus | Instant | float, high_ms: float) -> int:
        """Last tick to wait for a reaction: the window is surely over then, however little is known of its start."""
        run, doubt_ns = self._run, 0
        if isinstance(run.dut, Paced):
            k = max(start.high_ns // run.dt_ns - 1, run.tape.first_tick)
            piece = self._piece(k, k + 3)
            view = View(piece.trace, WireLog(piece.trace.journal, run.setup.network), run.setup)
            here = replace(start, low_ns=start.low_ns - piece.base_ns, high_ns=start.high_ns - piece.base_ns)
            doubt_ns = reaction.start_blur_ns(view, run.bounds(), self._since(begin), here)
        return math.ceil((start.high_ns + high_ms * 1e6 + doubt_ns) / run.dt_ns) + 1

    def _piece(self, k_0: int, k_1: int) -> Piece:
        """Part of the record, with what the link says of itself until now."""
        run = self._run
        piece = run.piece(k_0, k_1)
        if isinstance(run.dut, Paced):
            piece.trace.info["link"] = run.dut.notes()
        return piece

    def _locate(self, goal: Goal, begin: Stimulus | Instant | float, from_k: int) -> Moment | Absent:
        run = self._run
        piece = self._piece(from_k, run.rig.k)
        if not piece.trace.n_ticks:
            return Absent("nothing is recorded yet")
        view = View(piece.trace, WireLog(piece.trace.journal, run.setup.network), run.setup)
        found = locate(view, piece.base_ns, run.bounds(), self._since(begin), goal.is_told)
        if isinstance(found, Absent):
            return found
        return Moment(found.low_ns + piece.base_ns, found.high_ns + piece.base_ns, found.what, found.column)

    def _since(self, begin: Stimulus | Instant | float) -> Since:
        """Data for a claim."""
        now = self._run.t_ns
        if isinstance(begin, Fault):
            until_ns = now if begin.stop_ns is None or begin.bound.kind.seam == "supply" else min(begin.stop_ns, now)
            return Since("fault", begin.what, begin.at_ns, until_ns, label=begin.label)
        if isinstance(begin, Stimulus):
            return Since(begin.kind, begin.what, begin.at_ns, now, begin.signals)
        if isinstance(begin, Instant):
            return Since("instant", begin.what, begin.low_ns, begin.high_ns)
        at_ns = round(begin * 1e9)
        return Since("instant", f"{begin:g} s", at_ns, at_ns)

    def throughout(
        self,
        mode: str,
        what: str,
        wanted: str | float | None,
        for_s: float,
        above: float | None,
        below: float | None,
    ) -> None:
        """Always or never, in pieces so that the record may be shorter than the time."""
        goal = goal_of(self._run.setup, what, wanted, above, below)
        self._pieces(for_s, lambda from_ns, until_ns: Claim(mode, self.requirement, from_ns, until_ns, goal))

    def quiet(self, for_s: float, allow: tuple[str, ...]) -> None:
        """No code, and contactors as they are."""
        for code in allow:
            goal_of(self._run.setup, "code", code, None, None)
        self._pieces(for_s, lambda from_ns, until_ns: Claim("quiet", self.requirement, from_ns, until_ns, allow=allow))

    def _pieces(self, for_s: float, claim: Callable[[int, int], Claim]) -> None:
        run = self._run
        end = run.rig.k + run.ticks(for_s)
        if end == run.rig.k:
            raise ScenarioError(f"for_s {for_s:g} is no time; expected more than 0")
        while run.rig.k < end:
            first_ns = run.t_ns
            left = end - run.rig.k
            run.advance(left if left <= run.ticks(_PIECE_S + _LEAD_S) else run.ticks(_PIECE_S))
            self._judge(claim(first_ns, run.t_ns))

    def _judge(self, claim: Claim) -> Finding:
        """Judge and keep a claim. Raises Unmet, or BenchError when the bench did not do its part."""
        run = self._run
        piece = self._piece(max(judge.first_tick(claim, run.dt_ns), run.tape.first_tick), claim.until_ns // run.dt_ns)
        told = replace(run.setup, inputs=run.story.told())
        finding = judge.judge(piece, told, run.bounds(), claim)
        self.claims.append(claim)
        self.findings.append(finding)
        if finding.verdict is Verdict.ERROR:
            raise BenchError(f"{finding.seen}; {finding.next_step}")
        if finding.verdict is not Verdict.PASS:
            raise Unmet(finding)
        return finding


def _is_true(what: Condition, session: Session) -> bool:
    return bool(what(session))


def _start_ns(begin: Stimulus | Instant | float) -> int:
    if isinstance(begin, Stimulus):
        return begin.at_ns
    return begin.low_ns if isinstance(begin, Instant) else round(begin * 1e9)
