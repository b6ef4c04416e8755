"""Wall time: the bench keeps absolute deadlines, says how late it was, and does not judge what rests on a missed one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import rigs

from hil import judge, runner
from hil.bench import Bench, Hook
from hil.clock import Clock, VirtualClock, WallClock
from hil.dut.emulator import Emulator
from hil.report import environment
from hil.rig import Rig
from hil.scenario import Inputs
from hil.trace import Trace
from hil.verdict import Finding, Verdict

MS_NS = 1_000_000
TICK_NS = 10 * MS_NS
STALL_NS = 30 * MS_NS
# Judged: 0.6 to 0.7 s, and 0.8 to 0.9 s.
EXPECT = [
    {"kind": "signal", "requirement": "SR-MODE-RUN", "signal": "BMS_State", "is": "standby", "from_s": 0.6, "to_s": 0.7},
    {"kind": "signal", "requirement": "SR-MODE-RUN", "signal": "BMS_State", "is": "standby", "from_s": 0.8, "to_s": 0.9},
]


def waiting() -> Inputs:
    """0.95 s of standby."""
    return rigs.scenario(expect=EXPECT, duration_s=0.95)


def run(clock: Clock, *hooks: Hook) -> tuple[Trace, list[Finding]]:
    """The scenario with a clock, staged, with hooks behind the sensors."""
    built = rigs.build(waiting())
    bench = Bench(built, Emulator(built.settings, built.rig.dt_ns, built.rig.bus_free_ns), clock)
    bench.hooks.sensed += hooks
    bench.start()
    bench.run(built.inputs.scenario.n_ticks)
    trace = bench.trace()
    return trace, judge.judge(trace, built)


def verdicts(findings: list[Finding]) -> list[str]:
    return [finding.verdict.name for finding in findings]


def expected_of(late_ns: np.ndarray) -> list[str]:
    """What lateness allows the judge to say: PASS where no deadline between a tick before and after was missed."""
    windows = ((0.6, 0.7), (0.8, 0.9))
    spans = [late_ns[round(a * 100) - 1 : round(b * 100) + 2] for a, b in windows]
    return ["INCONC" if (span > TICK_NS).any() else "PASS" for span in spans]


def stall(at_tick: int) -> Hook:
    """Keep the processor for 30 ms in one tick."""

    def hook(rig: Rig) -> None:
        until_ns = time.monotonic_ns() + STALL_NS
        while rig.k == at_tick and time.monotonic_ns() < until_ns:
            pass

    return hook


def test_a_stall_of_the_bench_makes_what_it_falls_into_inconclusive() -> None:
    """30 ms at 0.64 s: the ticks behind it were late by 20 ms and more, and the first window cannot be judged."""
    trace, findings = run(WallClock(), stall(64))
    late_ns = trace.late_ns
    assert (95, True) == (len(late_ns), bool(late_ns[65] >= STALL_NS - TICK_NS))
    assert expected_of(late_ns) == verdicts(findings)
    assert Verdict.INCONC == findings[0].verdict == judge.overall(findings)
    assert "of its own deadlines" in findings[0].seen


def test_a_run_without_a_stall_is_judged() -> None:
    """It passes in wall time, unless the machine itself missed a deadline, and then the judge says INCONC and no more."""
    trace, findings = run(WallClock())
    assert expected_of(trace.late_ns) == verdicts(findings)


def test_a_stall_does_not_move_what_follows() -> None:
    """Deadlines are absolute: 30 ms lost in tick 10 are caught up, and the run ends when it should."""
    begin_ns = time.monotonic_ns()
    trace, _ = run(WallClock(), stall(10))
    taken_ns = time.monotonic_ns() - begin_ns
    assert 940 * MS_NS <= taken_ns  # the last tick begins at 940 ms
    assert trace.late_ns[-1] < STALL_NS or taken_ns > 1100 * MS_NS


def test_wall_time_changes_nothing_but_the_lateness() -> None:
    """A lockstep device in wall time leaves the same truth and the same frames as in virtual time."""
    (virtual, _), (real, _) = run(VirtualClock()), run(WallClock())
    assert (0, 95) == (len(virtual.late_ns), len(real.late_ns))
    np.testing.assert_array_equal(virtual.truth, real.truth)
    np.testing.assert_array_equal(virtual.journal, real.journal)


class Recorded:
    """A clock whose lateness was written down before: tick to nanoseconds. Nobody waits."""

    real = True

    def __init__(self, late_ns: dict[int, int]) -> None:
        self.late_ns, self.asked_ns = late_ns, list[int]()
        self.started = 0

    def start(self) -> None:
        """Count the starts."""
        self.started += 1

    def wait(self, t_ns: int) -> int:
        """Note the deadline."""
        self.asked_ns.append(t_ns)
        return self.late_ns.get(t_ns // TICK_NS, 0)


@pytest.mark.parametrize(
    ("tick", "late_ns", "expected"),
    [
        (64, TICK_NS, ["PASS", "PASS"]),
        (64, TICK_NS + 1, ["INCONC", "PASS"]),
        (58, 5 * TICK_NS, ["PASS", "PASS"]),
        (59, 5 * TICK_NS, ["INCONC", "PASS"]),
        (71, 5 * TICK_NS, ["INCONC", "PASS"]),
        (72, 5 * TICK_NS, ["PASS", "PASS"]),
        (85, 5 * TICK_NS, ["PASS", "INCONC"]),
    ],
)
def test_a_clock_of_ones_own_tells_which_ticks_were_late(tick: int, late_ns: int, expected: list[str]) -> None:
    """Any clock of the protocol will do: each tick is asked for once, and its lateness counts from one tick around a window."""
    clock = Recorded({tick: late_ns})
    trace, findings = run(clock)
    assert (1, [k * TICK_NS for k in range(95)]) == (clock.started, clock.asked_ns)
    assert late_ns == trace.late_ns[tick] == trace.late_ns.sum()
    assert expected == verdicts(findings)


def test_virtual_time_never_waits_and_is_never_late() -> None:
    """A thousand seconds pass at once."""
    clock = VirtualClock()
    clock.start()
    begin_s = time.perf_counter()
    assert {0} == {clock.wait(k * TICK_NS) for k in range(100_000)}
    assert 100.0 > time.perf_counter() - begin_s


def test_the_wall_clock_waits_for_its_deadline_and_says_what_it_missed() -> None:
    """A deadline ahead is waited for; one that has passed returns at once with how long ago it was."""
    clock = WallClock()
    clock.start()
    begin_ns = time.monotonic_ns()
    late_ns = clock.wait(20 * MS_NS)
    assert 20 * MS_NS <= time.monotonic_ns() - begin_ns + MS_NS
    assert 0 <= late_ns < clock.now()
    before_ns = clock.now()
    passed_ns = clock.wait(5 * MS_NS)
    assert before_ns - 5 * MS_NS <= passed_ns <= clock.now() - 5 * MS_NS


def test_a_realtime_run_reports_its_own_jitter(tmp_path: Path) -> None:
    """environment.json says mean and worst lateness, the tick, and how many deadlines were missed; a virtual run none of it."""
    path = tmp_path / "short.scenario.toml"
    path.write_text('format = 1\nname = "short"\ntitle = "Short"\npack = "nfm-16s"\nduration_s = 0.3\n', encoding="utf-8")
    real = runner.run(path, runner.Options(realtime=True))
    told, late_ns = json.loads(environment.text(real)), real.trace.late_ns
    assert ("wall", 30) == (real.trace.info["clock"], len(late_ns))
    assert {"mean": late_ns.mean() / 1e6, "max": late_ns.max() / 1e6, "tick": 10.0} == pytest.approx(
        told["jitter_ms"], abs=1e-4
    )
    assert (late_ns > TICK_NS).sum() == told["missed_deadlines"]
    assert 0.28 < real.speed.wall_s  # type: ignore[union-attr]
    virtual = runner.run(path, runner.Options())
    assert "virtual" == virtual.trace.info["clock"]
    assert {"jitter_ms", "missed_deadlines"}.isdisjoint(json.loads(environment.text(virtual)))
