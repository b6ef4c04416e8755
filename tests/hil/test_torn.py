"""A supply that goes in the middle of a write: caught where a device trusts half a record, INCONC where it cannot be done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rigs

from firmware_sim import nvm
from firmware_sim.types import I64
from firmware_sim.wire.layout import Events, Image
from hil import judge, scenario
from hil.bench import Bench
from hil.dut import Dut, Torn, broken
from hil.dut.emulator import Emulator
from hil.setup import Setup
from hil.verdict import Finding, Verdict

PATH = rigs.ROOT / "hil" / "scenarios" / "reset-torn-write.scenario.toml"


class OutOfReach:
    """The emulator behind a wall: nobody reaches its memory."""

    lockstep = True

    def __init__(self, inner: Emulator) -> None:
        self.inner = inner

    def start(self, t_ns: int) -> None:
        """Power on."""
        self.inner.start(t_ns)

    def reset(self, t_ns: int) -> None:
        """Lose and regain supply."""
        self.inner.reset(t_ns)

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """One task."""
        return self.inner.exchange(t_ns, image, events)

    def close(self) -> None:
        """Nothing to release."""


def judged(built: Setup, dut: Dut) -> tuple[list[Finding], Bench]:
    """A run of the shipped scenario."""
    bench = Bench(built, dut)
    bench.start()
    bench.run(built.inputs.scenario.n_ticks)
    return judge.judge(bench.trace(), built), bench


def built() -> tuple[Setup, int, I64]:
    """The shipped scenario, and what a device is made with."""
    ready = rigs.build(scenario.load(PATH))
    return ready, ready.rig.dt_ns, ready.rig.bus_free_ns


@pytest.mark.compiled_only
def test_the_emulator_starts_from_the_whole_record() -> None:
    """PASS, and of the two copies in memory one is half a record just before the next write repairs it."""
    ready, dt_ns, free_ns = built()
    torn: list[list[bool]] = []

    class Watched(Emulator):
        def tear(self, t_ns: int) -> bool:
            was_torn = super().tear(t_ns)
            torn.append([nvm.is_record(self.state.nvm, copy, 0, 16) for copy in (0, 1)])
            return was_torn

    findings, _ = judged(ready, Watched(ready.settings, dt_ns, free_ns))
    assert Verdict.PASS == judge.overall(findings)
    assert [[False, True]] == [sorted(one) for one in torn]


@pytest.mark.compiled_only
def test_a_device_that_trusts_half_a_record_fails() -> None:
    """Its counters are what an erased page reads."""
    ready, dt_ns, free_ns = built()
    findings, _ = judged(ready, broken.create(ready.settings, dt_ns, free_ns, "trusts-torn-copy"))
    assert {"SR-COUNTERS-KEPT"} <= {f.requirement for f in findings if f.verdict is Verdict.FAIL}


@pytest.mark.compiled_only
def test_a_memory_out_of_reach_is_inconclusive() -> None:
    """The device is reset, which is seen; that its write was not torn is said."""
    ready, dt_ns, free_ns = built()
    findings, bench = judged(ready, OutOfReach(Emulator(ready.settings, dt_ns, free_ns)))
    assert Verdict.INCONC == judge.overall(findings)
    (finding,) = [f for f in findings if f.verdict is Verdict.INCONC]
    assert "cannot disturb the memory" in finding.seen
    assert "emulator" in finding.next_step
    assert [25_060_000_000] == bench.untorn_ns


def test_who_can_be_torn() -> None:
    """The emulator, and a broken one; not a device behind a wall."""
    ready, dt_ns, free_ns = built()
    inner = Emulator(ready.settings, dt_ns, free_ns)
    can: list[Any] = [inner, broken.create(ready.settings, dt_ns, free_ns, "trusts-torn-copy")]
    assert all(isinstance(one, Torn) for one in can)
    assert not isinstance(OutOfReach(inner), Torn)
    assert np.array_equal(inner.state.nvm, nvm.blank(1, 16))
