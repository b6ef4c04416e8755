"""Own CSV files without a reference: where the cell is full and empty, and what is known of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_files import AMPS, CASE, COUNTED, SET, SOC, TIME, VOLT, refused, table, use, write

from firmware_sim.types import F64
from hil.score import folder, recorded

pytestmark = pytest.mark.usefixtures("own_folder")


def test_a_start_that_is_taken_for_full_is_known_as_well_as_its_voltage_says():
    """A rest at 3.9 V lies within what a full cell may rest at, and is 90 % by the belief: said, and in the uncertainty."""
    rows = table()
    first = int(np.argmax(rows[:, SOC] < 0.92))
    rest = rows[first : first + 1].repeat(600, axis=0)
    rest[:, TIME], rest[:, VOLT], rest[:, AMPS] = np.arange(600), 3.96, 0.0
    late = rows[first:].copy()
    late[:, TIME] += 600 - first
    write(np.vstack([rest, late]))
    use(COUNTED)
    found = folder.cases(Path("data"))
    assert 0.05 < found.cases[0].uncertainty < 0.11
    assert found.cases[0].uncertainty == found.cases[0].start_sigma
    (note,) = found.notes
    assert note.startswith("run.csv: taken as full at the start, at 3.96 V, where nfm-16s believes 9")
    use(COUNTED, ("[score]", '[[run]]\nfile = "run.csv"\nstarts_full = true\n\n[score]'))
    found = folder.cases(Path("data"))
    assert ([], 0.005) == (found.notes, found.cases[0].uncertainty)


def test_data_that_go_on_past_the_stated_ends_have_no_reference():
    """Where the cell goes on it was not empty, or not full: a reference between such ends would be wrong, and look sure."""
    whole = recorded.case(SET, "2c-2-1", "recharge")
    write(np.column_stack([np.arange(len(whole.cell_V)), whole.cell_V, whole.current_A, whole.reference]))
    use(COUNTED, ("discharge_min_V = 1.5", "discharge_min_V = 2.5"))
    (problem,) = refused()
    assert problem.startswith("data/run.csv: no reference: a discharge goes on to 1.503 V, past discharge_min_V 2.5 V"), problem
    use(COUNTED, ("charge_max_V = 4.1", "charge_max_V = 3.6"))
    found = folder.cases(Path("data"))
    (note,) = found.notes
    assert note.startswith("run.csv: not scored there: a charge goes on to 4.107 V, past charge_max_V 3.6 V")
    down = np.flatnonzero(np.isfinite(found.cases[0].reference))
    assert (0, True) == (down[0], found.cases[0].cell_V[down[-1]] < 1.52)


def twice(second: float) -> F64:
    """Two whole cycles, the second with so many times the current."""
    case = recorded.case(SET, "2c-2-1", "recharge")
    one = np.column_stack([np.arange(len(case.cell_V)), case.cell_V, case.current_A, np.zeros(len(case.cell_V))])
    down, up = one[:, AMPS] > 0.0, one[:, AMPS] < 0.0
    one[up, AMPS] *= -one[down, AMPS].sum() / one[up, AMPS].sum()
    other = one[1:].copy()
    other[:, TIME] += one[-1, TIME]
    other[:, AMPS] *= second
    return np.vstack([one, other])


@pytest.mark.parametrize("second", [0.99, 1.01])
def test_every_cycle_is_scored_whether_the_next_is_deeper_or_not(second):
    """An offset of the sensor, or an older discharge, makes the one or the other."""
    rows = twice(second)
    write(rows)
    use(COUNTED)
    (case,) = folder.cases(Path("data")).cases
    assert np.isfinite(case.reference).sum() > 0.99 * len(rows)


def test_a_peak_past_the_end_is_none_and_a_last_discharge_past_it_leaves_the_others():
    """A second of a strong load at 1.3 V; two cycles, and then a discharge to 0 V for the shelf: said, and not scored."""
    rows = table()
    half = len(rows) // 2
    rows[half : half + 3, VOLT] = 1.3
    write(rows)
    use(COUNTED)
    (case,) = folder.cases(Path("data")).cases
    assert np.isfinite(case.reference).all()
    cycles = twice(1.0)
    shelf = np.zeros((2000, 4))
    shelf[:, TIME], shelf[:, AMPS] = cycles[-1, TIME] + 1.0 + np.arange(2000), 3.0
    shelf[:, VOLT] = np.linspace(4.0, 0.0, 2000)
    write(np.vstack([cycles, shelf]))
    found = folder.cases(Path("data"))
    assert len(cycles) - 10 < np.isfinite(found.cases[0].reference).sum() < len(cycles) + 10
    (note,) = found.notes
    assert note.startswith("run.csv: not scored there: a discharge goes on to 0 V, past discharge_min_V 1.5 V")


def test_a_start_under_load_is_no_rest():
    """What the series resistance takes is put back before the voltage is believed."""
    case = recorded.case(SET, "1c-2-1", "discharge")
    rows = np.column_stack([np.arange(len(case.cell_V)), case.cell_V, case.current_A, case.reference])[2:]
    write(rows)
    use(COUNTED)
    under_load = folder.cases(Path("data")).cases[0].uncertainty
    rows[:2, AMPS] = 0.0
    write(rows)
    rested = folder.cases(Path("data")).cases[0].uncertainty
    assert 0.005 <= under_load < rested - 0.01


def test_a_sag_before_the_end_is_not_the_end():
    """A discharge that comes near the empty voltage, gives a little back and goes on is empty where it ends."""
    rows = table()
    at = int(np.argmax(rows[:, SOC] < 0.10))
    rows[at - 1, VOLT], rows[at, AMPS] = 1.52, -0.5
    write(rows)
    use(COUNTED)
    (case,) = folder.cases(Path("data")).cases
    assert case.reference == pytest.approx(CASE.reference[1:], abs=2e-3)
