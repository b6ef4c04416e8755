"""The small BMS in C passes what the emulator passes, and decides the same in the same frame.

Both believe and decide by the same calibration, and share no line of code: what one of them gets wrong, shows. Commands,
state, fault code and every diagnosis flag must be equal in each frame (tolerance: none). The emulator takes the filter of the
other; SOC in single precision may lie SOC_APART from that in double.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rigs
import twins
import wall

from hil import devices, judge, runner
from hil.bench import Bench
from hil.verdict import Verdict

SOC_APART = 0.05  # points of %, five steps of the wire

# Protections, loss and corruption of data, contactors and precharge, latches and memory.
SCENARIOS = (
    "hvil-open", "mode-walk", "cell-overvoltage-critical", "cell-frames-corrupt", "monitor-silent", "overcurrent-charge-ladder",
    "contactor-welded-minus", "precharge-short", "link-voltage-full-too-early", "weld-latched-over-reset",
)  # fmt: skip


@pytest.fixture(scope="module")
def ekf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The calibration of the pack, with the method of the small BMS."""
    return twins.method_of_twin(tmp_path_factory.mktemp("belief"))


@pytest.mark.compiled_only
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_passes_and_decides_as_the_emulator_does(bms_so: Path, ekf: Path, name: str) -> None:
    """Verdict for verdict, frame for frame."""
    emulated, native = twins.run_both(wall.shipped(name), f"native:{bms_so}", ekf)
    assert Verdict.PASS == native.verdict
    verdicts = [[(f.requirement, f.what, f.verdict) for f in run.findings] for run in (emulated, native)]
    assert verdicts[0] == verdicts[1]
    decided = twins.decided(emulated)
    assert len(decided) > 60
    assert [] == twins.differences(emulated, native, decided)
    (soc,) = twins.differences(emulated, native, ["BMS_Soc"]) or [None]
    assert soc is None or soc.most <= SOC_APART
    assert np.array_equal(emulated.trace.column("main_plus"), native.trace.column("main_plus"))


@pytest.mark.compiled_only
def test_a_torn_write_and_the_state_of_charge(bms_so: Path) -> None:
    """Under load, over a loss of supply in the middle of a write: PASS with SOC judged, and the record says two power-ups."""
    run = runner.run(wall.shipped("reset-torn-write"), runner.Options(dut=f"native:{bms_so}"))
    assert Verdict.PASS == run.verdict
    assert 2 == run.result()["firmware"]["power_ups"]
    assert any(f.requirement == "SR-SOC-KEPT" for f in run.findings)


@pytest.mark.compiled_only
def test_what_it_lacks_fails_by_its_name(bms_so: Path) -> None:
    """No foresight of energy: sent as not available, and an expectation that rests on it fails."""
    keys = {
        "kind": "signal",
        "requirement": "SR-DUTY",
        "signal": "BMS_RemainingEnergy",
        "above": 0.2,
        "from_s": 1.0,
        "to_s": 2.0,
    }
    built = rigs.build(rigs.scenario(duration_s=4.0, expect=[keys]))
    bench = Bench(built, devices.create(f"native:{bms_so}", built))
    bench.start()
    bench.run(400)
    bench.dut.close()
    (finding,) = judge.judge(bench.trace(), built)
    assert (Verdict.FAIL, "BMS_RemainingEnergy") == (finding.verdict, finding.what)
    assert "no valid BMS_RemainingEnergy" in finding.seen
