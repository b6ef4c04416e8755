"""The score of the limits: a load that obeys them breaks no voltage limit of a cell of another structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_sim import state as st
from firmware_sim.types import I64
from hil.score import floors, power


@pytest.mark.compiled_only
def test_no_limit_is_broken_and_the_median_state_wastes_little() -> None:
    """60 states in each condition, all horizons and directions, every sensor error; what remembers nothing holds much back."""
    rows = power.power(seed=7, n=60)
    assert 32 == len(rows)
    assert {"sodium"} == {row.method for row in rows}
    assert 0 == sum(row.violations for row in rows)
    for row in rows:
        assert row.waste <= {"reset": 0.3, "first": 0.8}.get(row.condition, 0.05), row


@pytest.mark.compiled_only
def test_twice_the_allowed_current_would_break_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge sees it: with all limits doubled, where they are not nothing, states break."""
    true = power.Estimator.limits_A
    monkeypatch.setattr(power.Estimator, "limits_A", lambda self: np.minimum(2.0 * true(self), 20.0))
    rows = power.power(seed=7, n=20)
    assert sum(row.violations for row in rows if row.direction == "discharge") > 3


def test_a_single_violation_misses_what_is_asked() -> None:
    """And so does waste of a hundredth too much, in each condition its own."""
    row = power.PowerRow("reset", "sodium", "discharge", "2 s", 100, 0, 0.0, 0.24, 10, 0.5)
    assert [True, True] == [one.met for one in floors.asked_of_power(row)]
    assert [False, True] == [one.met for one in floors.asked_of_power(replace(row, violations=1))]
    assert [True, False] == [one.met for one in floors.asked_of_power(replace(row, condition="shown"))]
    assert [True, False] == [one.met for one in floors.asked_of_power(replace(row, waste=0.26))]
    first = replace(row, condition="first", waste=0.9)
    assert ["violations"] == [one.what for one in floors.asked_of_power(first)]


@pytest.mark.compiled_only
def test_what_a_load_has_shown_is_worth_current_after_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same cold cells, with a memory and with one that lost what load had shown: a quarter less is held back, or better."""
    monkeypatch.setattr(power, "CONDITIONS", ("reset",))
    whole = [row for row in power.power(seed=7, n=30) if row.direction == "discharge"]
    remember = power.Estimator.remember

    def forget(self: power.Estimator, memory: I64) -> None:
        remember(self, memory)
        self.cell[[st.SHOWN_FAST, st.SHOWN_SLOW]] = 0.0

    monkeypatch.setattr(power.Estimator, "remember", forget)
    lost = [row for row in power.power(seed=7, n=30) if row.direction == "discharge"]
    assert all(one.waste < 0.75 * other.waste for one, other in zip(whole, lost, strict=True)), (whole, lost)
