"""Capacity and resistance after partial cycles, held against those of the drawn cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firmware_sim.estimate import soh as soh_firmware
from hil import calibration
from hil.calibration import Calibration
from hil.dut.estimator import Beliefs, Estimator, Readings
from hil.score import floors, health
from hil.score.believe import Device
from hil.score.conditions import soh

pytestmark = pytest.mark.compiled_only  # twenty hours of readings for 24 sensors at once


class Sure(Estimator):
    """Says that the cell is as new, and is sure of it."""

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """As ever, with capacity and resistance of the calibration."""
        said = super().run(readings, every)
        ones = np.ones_like(said.soc)
        return replace(
            said, capacity_share=ones, capacity_sigma=0.001 * ones, resistance_scale=ones, resistance_sigma=0.001 * ones
        )


class Deaf(Estimator):
    """Learns nothing of resistance."""

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """As ever, with the resistance of the start."""
        said = super().run(readings, every)
        return replace(said, resistance_scale=np.ones_like(said.soc), resistance_sigma=np.full_like(said.soc, 0.5))


def deafened(beliefs: Calibration, n_packs: int, method: str, dt_ns: int) -> Device:
    """That estimator."""
    return Deaf(beliefs, n_packs, 1, method, dt_ns)


def sure(beliefs: Calibration, n_packs: int, method: str, dt_ns: int) -> Device:
    """That estimator."""
    return Sure(beliefs, n_packs, 1, method, dt_ns)


def test_an_estimator_that_learns_nothing_errs_by_what_the_cell_is_apart() -> None:
    """Of capacity by how far the cell's lies from what is believed; resistance of its own tables by the drawn scale."""
    (case,) = soh(1, 1)
    drawn = case.drawn
    assert drawn is not None
    believed_Ah = {"unseen": calibration.load(case.calibration)[1].model.capacity_Ah, "own": drawn.cell.capacity_Ah}
    rows = {(row.quantity, row.tables): row for row in health.health(1, 1, make=sure)}
    assert [("capacity", "own"), ("resistance", "own"), ("capacity", "unseen"), ("resistance", "unseen")] == list(rows)
    for tables, told_Ah in believed_Ah.items():
        row = rows["capacity", tables]
        assert row.bias == pytest.approx(told_Ah / drawn.capacity_Ah - 1.0, abs=1e-9)
        assert row.rmse == pytest.approx(abs(row.bias), abs=1e-9)
        assert 0.0 == row.coverage
        assert (1, 16) == (row.cells, row.runs)
    assert rows["resistance", "own"].bias == pytest.approx(1.0 / drawn.resistance_scale - 1.0, abs=1e-9)


def test_the_estimator_that_ships_finds_the_resistance_of_its_own_tables() -> None:
    """Within 10 % at the true temperature, and the truth lies inside its band; what is asked is judged by these figures."""
    rows = {(row.quantity, row.tables): row for row in health.health(5, 1)}
    own = rows["resistance", "own"]
    assert own.max <= 0.10
    assert 1.0 == own.coverage
    (asked,) = floors.asked_of_health(own)
    assert asked.met
    (asked,) = floors.asked_of_health(replace(own, max=0.11))
    assert not asked.met
    (asked,) = floors.asked_of_health(replace(rows["capacity", "unseen"], rmse=0.041))
    assert (0.04, False) == (asked.high, asked.met)


def test_a_method_that_estimates_no_resistance_has_no_line_of_it_and_progress_is_told() -> None:
    """What it tells is the 1 that it began with, as unsure as it began; capacity it does tell, from rests."""
    done: list[float] = []
    rows = health.health(5, 1, ["counting"], done=done.append)
    assert [("capacity", "own"), ("capacity", "unseen")] == [(row.quantity, row.tables) for row in rows]
    assert [0.0, 0.5] == done
    deaf = {(row.quantity, row.tables): row for row in health.health(5, 1, make=deafened)}
    assert deaf["resistance", "own"].sigma > 0.5  # asked of this method: told badly it stays, and is missed
    assert soh_firmware.PRIOR_RESISTANCE == health.UNKNOWN_RESISTANCE
