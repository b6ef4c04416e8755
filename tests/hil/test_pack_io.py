"""The pack's I/O unit: what late, doubled and short frames of the device make it do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rigs

from hil.pack_io import SILENCE_NS

START_S = 3.0


def closed(fault: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Times [s], and whether both mains were closed, of a drive whose frames are disturbed from START_S on."""
    fault = {"start_s": START_S, **fault}
    trace = rigs.run(rigs.drive({"kind": "current", "current_A": 1.0}, fault=[fault], duration_s=5.0))[1]
    t_s = np.arange(trace.n_ticks) * trace.dt_ns / 1e9
    return t_s, (trace.column("main_plus") == 1) & (trace.column("main_minus") == 1)


@pytest.mark.parametrize("delay_ms", [1.0, 15.0, 80.0])
def test_a_command_that_comes_late_is_obeyed(delay_ms: float) -> None:
    """Late by less than the silence that releases the coils: nothing moves."""
    t_s, on = closed({"fault": "frame_late", "target": "message:BMS_Contactors", "with": {"delay_ms": delay_ms}})
    assert on[t_s > 2.0].all()


def test_a_gap_longer_than_the_silence_releases_the_coils() -> None:
    """Late by 150 ms: for 150 ms no command comes, and after 100 ms of that the coils drop."""
    t_s, on = closed({"fault": "frame_late", "target": "message:BMS_Contactors", "with": {"delay_ms": 150.0}})
    first_open_s = t_s[(t_s > START_S) & ~on][0]
    assert START_S + SILENCE_NS / 1e9 == pytest.approx(first_open_s, abs=0.04)


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "frame_length", "with": {"length": 4.0}},
        {"fault": "frame_crc"},
        {"fault": "frame_lost"},
        {"fault": "counter_frozen"},
    ],
    ids=lambda fault: str(fault["fault"]),
)
def test_a_command_that_is_not_valid_is_silence(fault: dict[str, Any]) -> None:
    """Cut short, with a wrong CRC, with a standing counter, or not there at all: the coils drop after the silence."""
    t_s, on = closed({"target": "message:BMS_Contactors", **fault})
    assert START_S + SILENCE_NS / 1e9 == pytest.approx(t_s[(t_s > START_S) & ~on][0], abs=0.04)


def test_a_doubled_command_counts_once() -> None:
    """The second copy has the counter of the first; it moves nothing."""
    t_s, on = closed({"fault": "frame_doubled", "target": "message:BMS_Contactors"})
    assert on[t_s > 2.0].all()


def test_a_late_charge_limit_reaches_the_charger() -> None:
    """The charger follows a limit that came late, as it follows one that came on time."""
    request = [{"at_s": 0.5, "mode": "charge", "charger_connected": True}]
    load = [{"kind": "charger", "at_s": 1.5, "current_A": 0.5, "voltage_V": 66.0}]
    late = [{"fault": "frame_late", "target": "message:BMS_Limits", "start_s": 0.0, "with": {"delay_ms": 30.0}}]
    drawn = [
        rigs.run(rigs.scenario(request=request, load=load, fault=fault, duration_s=4.0))[1].column("current")[-1]
        for fault in ([], late)
    ]
    assert -0.5 == pytest.approx(drawn[0], abs=0.02)
    assert drawn[0] == pytest.approx(drawn[1], abs=0.02)
