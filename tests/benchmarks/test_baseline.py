"""The denominator of the speed figures does the same work and comes to the same result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from firmware_sim import state as st
from firmware_sim.types import MS_NS
from hil import journal as j
from hil import truth
from hil.bench import Bench
from hil.speed import case

_TICKS = 320
_RUN = 3


def _baseline(bench: Bench) -> Any:
    return case.benchmark("baseline").Baseline(case.build(bench.rig.plant.n_cells), bench.setup.inputs.scenario.seed)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Bench, Any, np.ndarray]]:
    """Emulator and baseline after precharge and load step, and the largest difference of any cell's SOC in each tick."""
    bench = case.switched_on(16)
    baseline = _baseline(bench)
    differences = []
    for _ in range(_TICKS):
        bench.tick()
        baseline.tick()
        differences.append(np.abs(bench.dut.state.cell[st.Z, 0] - baseline.soc).max())
    yield bench, baseline, np.array(differences)
    baseline.close()


def test_soc_of_every_cell_equals_the_emulators(pair: tuple[Bench, Any, np.ndarray]) -> None:
    """In every tick, from power-on over the precharge into the load, no cell's SOC differs by more than 1e-9."""
    bench, baseline, differences = pair
    assert _RUN == baseline.state == bench.dut.state.whole[st.STATE, 0]
    assert bench.dut.state.real[st.SOC, 0] > 0.5
    assert 1e-9 >= differences.max()


def test_every_frame_carries_the_same_bytes(pair: tuple[Bench, Any, np.ndarray]) -> None:
    """cantools, autosar-e2e and NumPy put the same payloads on the wire, in the same order, at the same time."""
    bench, baseline, _ = pair
    rows = bench.trace().journal
    words = [word.to_bytes(8, "little", signed=True) for word in rows[:, j.WORD].tolist()]
    assert len(words) > 12 * _TICKS
    assert [m.arbitration_id for m in baseline.journal] == rows[:, j.ID].tolist()
    assert [bytes(m.data) for m in baseline.journal] == words
    ended_ns = np.array([round(m.timestamp * 1e9) for m in baseline.journal])
    booted = rows[:, j.T_NS] > 60 * MS_NS  # until then the emulator keeps the bus for frames that it does not send yet
    assert ended_ns[booted].tolist() == rows[booted, j.T_NS].tolist()


def test_truth_is_the_same(pair: tuple[Bench, Any, np.ndarray]) -> None:
    """Both plants hold the same currents, voltages, temperatures and contactor instants."""
    bench, baseline, _ = pair
    trace = bench.trace()
    assert truth.N_COLUMNS == len(baseline.truth[0])
    np.testing.assert_allclose(np.array(baseline.truth), trace.truth, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.array(baseline.samples), trace.cells, rtol=1e-9, atol=1e-9)


def test_a_batch_of_status_frames_is_decoded_whole(pair: tuple[Bench, Any, np.ndarray]) -> None:
    """What our gears decode at the end of a run, with what the I/O unit obeys, is every frame of the device."""
    bench, _, _ = pair
    rows = bench.trace().journal
    sent = rows[rows[:, j.KIND] == j.FROM_DUT]
    obeyed = np.isin(sent[:, j.ID], (0x10, 0xA1))
    assert 0 < case.Gear(bench, fused=False).decode_answers() == int((~obeyed).sum())


def test_codec_and_bus_carries_as_many_frames_as_the_bench(pair: tuple[Bench, Any, np.ndarray]) -> None:
    """The second denominator has the same frames in a schedule of 100 ticks, both ways."""
    bench, _, _ = pair
    rows, period_ns = bench.trace().journal, 1_000_000_000
    per_schedule = sum(period_ns // int(c) for layout in (bench.rig.network.to_dut, bench.rig.network.from_dut)
                       for c in layout.slots[:, 11])  # fmt: skip
    bare = case.benchmark("codec_and_bus").CodecAndBus(bench.rig.network, bench.rig.image, bench.dut.image, bench.rig.dt_ns)
    try:
        bare.run(100)
        assert per_schedule == round(100 * bare.n_frames)
    finally:
        bare.close()
    in_second = (rows[:, j.T_NS] >= 2 * period_ns) & (rows[:, j.T_NS] < 3 * period_ns)
    assert abs(int(in_second.sum()) - per_schedule) <= 2


def test_a_pack_it_does_not_know_is_refused() -> None:
    """Loads that the baseline has no equations for are refused instead of being left out in silence."""
    built = case.build(16)
    built.rig.inputs.demand[-1, 1] = 2
    with pytest.raises(ValueError, match="current as load"):
        case.benchmark("baseline").Baseline(built, 1)
