"""Is the state of charge right? The plant knows the truth; the BMS has only its sensors."""

import numpy as np
import pytest

from hil.session import Session


@pytest.mark.requirement("SR-SOC")
@pytest.mark.nabench(soc=0.8)
def test_soc_follows_the_truth_through_a_drive(bench: Session) -> None:
    """Five minutes of pulses; the estimate stays within 5 % of the truth."""
    bench.request("drive")
    bench.run_until("BMS_State", "run", timeout_s=3)
    for _ in range(15):
        bench.load(current_A=3.0)
        bench.run_for(10.0)
        bench.load(current_A=-0.5)
        bench.run_for(10.0)

    seen = bench.capture("BMS_Soc", "soc", "current", from_s=5.0)
    believed = seen["BMS_Soc"]
    error = believed.value / 100.0 - seen["soc"].at(believed.t_s)
    assert np.abs(error).max() < 0.05
    assert np.sqrt(np.mean(error**2)) < 0.03


@pytest.mark.requirement("SR-SOC")
@pytest.mark.parametrize("soc", [pytest.param(x, marks=pytest.mark.nabench(soc=x)) for x in (0.15, 0.5, 0.95)])
def test_soc_is_known_after_the_start(bench: Session, soc: float) -> None:
    """A pack that has rested is known from its voltages, wherever it stands."""
    bench.run_for(5.0)
    assert bench.signal("BMS_Soc") == pytest.approx(100 * bench.truth("soc"), abs=5.0)
    assert bench.truth("soc") == pytest.approx(soc, abs=0.05)


@pytest.mark.requirement("SR-SOC")
def test_shunt_offset_does_not_run_away(bench: Session) -> None:
    """50 mA too much for five minutes is 4 mAh; the filter must not believe much more."""
    bench.request("drive")
    bench.run_until("BMS_State", "run", timeout_s=3)
    bench.load(current_A=1.0)
    offset = bench.set("shunt.offset_A", 0.05)
    bench.run_for(300.0)
    offset.clear()
    assert bench.signal("BMS_Soc") == pytest.approx(100 * bench.truth("soc"), abs=5.0)
