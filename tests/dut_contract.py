"""The contract of every device in lockstep: time moves only when asked, equal runs are equal, memory outlives the supply.

A test class inherits from it and brings a fixture `make`: a device for a setup.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import rigs

from firmware_sim.wire.layout import CYCLE_NS, SENT, T_NS
from hil import journal as j
from hil.bench import Bench
from hil.dut import Dut, Torn
from hil.setup import Setup
from hil.trace import Trace
from hil.wirelog import WireLog

Make = Callable[[Setup], Dut]
DRIVE = {"duration_s": 12.0, "request": [{"at_s": 0.5, "mode": "drive"}], "initial": {"soc": 0.6}}
LOAD = {"load": [{"at_s": 1.6, "kind": "current", "current_A": 1.5}]}


def bench_of(make: Make, *, tear: bool = False, **keys: object) -> Bench:
    """A bench with the device, switched on. tear: the resets of the scenario fall into a write to memory."""
    built = rigs.build(rigs.scenario(**{**DRIVE, **LOAD, **keys}))
    built.torn_ns = built.resets_ns if tear else built.torn_ns
    bench = Bench(built, make(built))
    bench.start()
    return bench


def drive(make: Make, seconds: float = 12.0, *, tear: bool = False, **keys: object) -> tuple[Bench, Trace]:
    """A drive, recorded."""
    bench = bench_of(make, tear=tear, **keys)
    try:
        bench.run(round(seconds * 100))
        return bench, bench.trace()
    finally:
        bench.dut.close()


def said(bench: Bench, trace: Trace, signal: str, from_s: float, to_s: float) -> list[float]:
    """What a signal was, frame by frame, as far as it was a value."""
    series = WireLog(trace.journal, bench.setup.network).said(signal)
    span = series.valid & (series.t_ns >= from_s * 1e9) & (series.t_ns < to_s * 1e9)
    return [float(x) for x in series.value[span]]


@pytest.mark.compiled_only
class DutContract:
    """Of one device in lockstep."""

    def test_it_moves_only_when_asked(self, make: Make) -> None:
        """In each tick it sends what is due, from the end of the tick on, one frame after another on its bus."""
        bench = bench_of(make)
        slots = bench.setup.network.from_dut.slots
        try:
            for k in range(60):
                image, events = bench.rig.send()
                reply, others = bench.dut.exchange(10_000_000 * k, image, events)
                sent = reply.meta[0, SENT] == 1
                times = np.sort(reply.meta[0, T_NS][sent])
                assert 0 == others.count[0]
                assert len(times) == 0 or times[0] > 10_000_000 * (k + 1)
                assert (np.diff(times) > 0).all()
                if k >= 10:
                    assert sent[slots[:, CYCLE_NS] == 10_000_000].all()
        finally:
            bench.dut.close()

    def test_equal_runs_are_equal(self, make: Make) -> None:
        """Same seed, same bytes in both directions."""
        one, other = drive(make, 4.0)[1], drive(make, 4.0)[1]
        assert one.journal.tobytes() == other.journal.tobytes()
        assert one.truth.tobytes() == other.truth.tobytes()

    def test_a_reset_opens_and_starts_again(self, make: Make) -> None:
        """Silent for its boot, the contactors open, then up and running again."""
        bench, trace = drive(make, 6.0, fault=[{"fault": "reset", "start_s": 3.0}])
        assert {1.0} == set(said(bench, trace, "BMS_MainPlusCommand", 2.0, 3.0))
        frames = trace.journal[(trace.journal[:, j.KIND] == j.FROM_DUT) & (trace.journal[:, j.T_NS] > 3.009e9)]
        assert frames[:, j.T_NS].min() > 3.03e9
        assert 0.0 == said(bench, trace, "BMS_MainPlusCommand", 3.0, 3.2)[-1]
        assert [3.0] == sorted(set(said(bench, trace, "BMS_State", 5.5, 6.0)))

    def test_memory_outlives_the_supply(self, make: Make) -> None:
        """SOC goes on where memory had it, charge counted as far as it was written; so after a write that was torn."""
        for tear in (False, True):
            bench, trace = drive(make, 12.0, tear=tear, fault=[{"fault": "reset", "start_s": 11.0}])
            before = said(bench, trace, "BMS_Soc", 10.5, 11.0)[-1]
            after = said(bench, trace, "BMS_Soc", 11.2, 12.0)[-1]
            assert abs(before - after) < 0.5
            assert [] == bench.untorn_ns
        counted = said(bench, trace, "BMS_DischargedTotal", 0.0, 11.0)
        assert counted == sorted(counted)

    def test_it_can_be_torn(self, make: Make) -> None:
        """Its memory is within the bench's reach."""
        dut = make(rigs.build(rigs.scenario()))
        assert isinstance(dut, Torn)
        assert dut.lockstep
