"""The score of the limits: a load that obeys them breaks no voltage limit of a cell of another structure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hil.score import floors, power


@pytest.mark.compiled_only
def test_no_limit_is_broken_and_the_median_state_wastes_little() -> None:
    """60 states in each condition, all horizons and directions, every sensor error; after a cold reset much is held back."""
    rows = power.power(seed=7, n=60)
    assert 24 == len(rows)
    assert {"sodium"} == {row.method for row in rows}
    assert 0 == sum(row.violations for row in rows)
    for row in rows:
        assert row.waste <= (0.6 if row.condition == "reset" else 0.05), row


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
