"""Every row of the fault catalogue keeps the contract of faults."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from fault_cases import KINDS, Case
from fault_cases import case as case_of
from fault_contract import FaultContract, undisturbed

from hil.fault import catalogue as catalogue_module

__all__ = ["undisturbed"]


@pytest.fixture(scope="module", params=KINDS)
def case(request: pytest.FixtureRequest) -> Case:
    """One kind after another."""
    return case_of(request.param)


def test_no_name_is_given_twice() -> None:
    """Every row of the file is a kind of its own."""
    path = Path(catalogue_module.__file__).parent / "catalogue.toml"
    names = [row["name"] for row in tomllib.loads(path.read_text(encoding="utf-8"))["fault"]]
    assert names == KINDS
    assert len(names) == len(set(names))


def test_the_faults_that_a_bench_must_have_are_there() -> None:
    """Sense wires, NTCs, current, frames, contactors, cooling, a short, and a reset."""
    needed = {
        "cell_offset", "cell_stuck", "tap_open", "taps_swapped", "ntc_open", "ntc_short", "current_offset", "current_sign",
        "frame_lost", "frame_late", "frame_crc", "counter_frozen", "node_silent", "contactor_welded", "contactor_stuck_open",
        "feedback_lies", "precharge_open", "cooling_blocked", "internal_short", "reset",
    }  # fmt: skip
    assert set() == needed - set(KINDS)


class TestEveryFault(FaultContract):
    """All of it over all kinds."""
