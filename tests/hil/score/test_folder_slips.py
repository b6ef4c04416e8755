"""Own CSV files with rows that no cell has shown, and those that merely look so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_files import AMPS, TIME, VOLT, refused, table, use, write

from hil.fit import data
from hil.score import folder

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        (AMPS, 99.999, "line 902 (time 900 s): a current of 100 A beside "),
        (AMPS, 1e8, "line 902 (time 900 s): a current of 1e+08 A beside "),
        (VOLT, 1e8, "line 902 (time 900 s): a voltage of 1e+08 V beside "),
        (VOLT, 0.0, "line 902 (time 900 s): a voltage of 0 V beside "),
        (VOLT, 5.9, "line 902 (time 900 s): a voltage of 5.9 V beside "),
    ],
)
def test_one_row_that_no_cell_has_shown_is_named_and_no_unit_is_blamed(column, value, sentence):
    """It would shift what counts as rest for all other rows, or be scored without a word."""
    rows = table()
    rows[900, column] = value
    write(rows)
    (problem,) = refused()
    assert problem.startswith(f"data/run.csv: {sentence}"), problem
    assert problem.endswith("a slip of the logger: leave such rows out")


def test_one_temperature_that_jumps_and_comes_back_is_named():
    """A sensor that reads -40 degC for a row."""
    rows = np.column_stack([table(), np.full(len(table()), 25.0)])
    rows[700, 4] = -40.0
    units = rows * np.array([1e3, 1e3, -1e3, 100.0, 1.0])
    lines = ["ms,mV,mA,percent,degC", *(",".join(f"{value:.7g}" for value in row) for row in units)]
    Path("data/run.csv").write_text("\n".join(lines) + "\n")
    use(("[cell]", 'temperature = { column = "degC" }\n\n[cell]'), ("temperature_degC = 25.0\n", ""))
    (problem,) = refused()
    assert problem.startswith("data/run.csv: line 702 (time 700 s): a temperature of -40 degC beside 25 degC")


def test_degrees_fahrenheit_are_known_by_the_surroundings():
    """77 to 95 of them where the map says 25 degC; a cell that warms itself by 35 K is believed."""
    for low, high, units in ((77.0, 95.0, 1), (45.0, 62.0, 0)):
        rows = np.column_stack([table(), np.linspace(low, high, len(table()))]) * np.array([1e3, 1e3, -1e3, 100.0, 1.0])
        lines = ["ms,mV,mA,percent,warm", *(",".join(f"{value:.7g}" for value in row) for row in rows)]
        Path("data/run.csv").write_text("\n".join(lines) + "\n")
        use(("[cell]", 'temperature = { column = "warm" }\n\n[cell]'))
        if units:
            (problem,) = refused()
            assert "look like Fahrenheit; expected degC: " in problem
            assert problem.endswith("columns.temperature.scale = 0.555556 and offset = -17.7778")
            continue
        assert 1 == len(folder.cases(Path("data")).cases)


@pytest.mark.parametrize(
    ("name", "rows", "amps", "sag_V"),
    [
        ("pulse", (900, 902), 30.0, 0.3),
        ("at the start", (0, 3), 30.0, 0.3),
        ("low-ohmic, one row", (900, 901), 56.0, 0.008),
        ("voltage a row late", (900, 901), 30.0, 0.3),
    ],
)
def test_a_short_strong_pulse_is_no_spike(name, rows, amps, sag_V):
    """Ten times the current of all others, but the voltage falls with it, if only by 8 mV or in the row after."""
    n = 3000
    run = data.Run(
        name,
        np.arange(float(n)),
        np.full(n, 3.1) - 1e-5 * np.arange(n),
        np.full(n, 0.5),
        np.full(n, 25.0),
        np.full(n, 25.0),
        False,
    )
    run.amps[slice(*rows)] = amps
    late = int(name.endswith("late"))
    run.volt[rows[0] + late : rows[1] + late] -= sag_V
    assert [] == data._spikes(run, {}, Path("run.csv"))


def test_slips_in_the_first_and_the_last_row_are_slips():
    """The first one would else be the temperature of the surroundings for the whole run."""
    degC = np.full(100, 25.0)
    rows = table()[:100]
    write(rows)
    run = data.Run("run.csv", rows[:, TIME], rows[:, VOLT], np.zeros(100), degC, degC, False)
    assert [] == data._spikes(run, {"temperature": degC}, Path("data/run.csv"))
    for k in (0, 99):
        wrong = degC.copy()
        wrong[k] = 85.0
        (problem,) = data._spikes(run, {"temperature": wrong}, Path("data/run.csv"))
        assert problem.startswith(f"data/run.csv: line {k + 2} (time {k} s): a temperature of 85 degC beside 25 degC")
