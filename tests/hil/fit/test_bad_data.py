"""Data that no cell gives, or not in these units: each is refused in one sentence that says how to mend it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from command import changed, nabench, tree

from firmware_sim.types import F64

MAP = """
format = 1
borrow = "nfm-18650"
source = "made for a test"
temperature_degC = 25.0

[columns]
time = { column = "t" }
voltage = { column = "u" }
current = { column = "i", positive = "discharge" }

[cell]
name = "own"
capacity_Ah = 1.5
charge_max_V = 4.1
discharge_min_V = 1.5
"""
TIME, VOLT, AMPS = range(3)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a map."""
    monkeypatch.chdir(tmp_path)
    Path("own.map.toml").write_text(MAP)
    return tmp_path


def rows() -> F64:
    """A minute of rest, full to empty at 1.5 A, 10 min of rest, and back to full."""
    amps = np.concatenate([np.zeros(6), np.full(360, 1.5), np.zeros(60), np.full(360, -1.5)])
    time_s = 10.0 * np.arange(len(amps))
    soc = 1.0 - np.cumsum(amps) * 10.0 / 3600.0 / 1.5
    volt = 1.65 + 2.3 * np.clip(soc, 0.0, 1.0) - 0.1 * amps
    return np.column_stack([time_s, volt, amps])


def write(table: F64, name: str = "data.csv", head: str = "t,u,i") -> None:
    """A CSV file of a table."""
    lines = [head, *(",".join(f"{value:.6g}" if np.isfinite(value) else "nan" for value in row) for row in table)]
    Path(name).write_text("\n".join(lines) + "\n")


def told(*files: str, map_: str | None = "own.map.toml") -> list[str]:
    """What a fit of files complains about; it writes nothing then."""
    before = tree(Path())
    words = ["--map", map_] if map_ is not None else []
    ran = nabench("fit", *(files or ("data.csv",)), *words, "--out", "own.toml")
    assert 2 == ran.code, ran.out
    assert before == tree(Path())
    return ran.problems


def scaled(column: int, factor: float, offset: float = 0.0) -> F64:
    """The rows with a column in another unit."""
    table = rows()
    table[:, column] = table[:, column] * factor + offset
    return table


@pytest.mark.parametrize(
    ("column", "factor", "sentence"),
    [
        (VOLT, 1e3, "data.csv: voltages around 2714 V look like mV; expected V: own.map.toml: columns.voltage.scale = 0.001"),
        (
            AMPS,
            1e3,
            (
                "data.csv: a current of 1500 A on a cell of 1.5 Ah looks like mA; expected A: own.map.toml: "
                "columns.current.scale = 0.001"
            ),
        ),
        (
            TIME,
            1e3,
            (
                "data.csv: one leg carries 1500 Ah, cell.capacity_Ah 1.5; time looks like ms; expected s: own.map.toml: "
                "columns.time.scale = 0.001"
            ),
        ),
        (
            TIME,
            1 / 3600,
            (
                "data.csv: the voltage goes through its whole range while 0.000833 Ah pass, cell.capacity_Ah 1.5; time looks "
                "like hours; expected s: own.map.toml: columns.time.scale = 3600"
            ),
        ),
        (
            TIME,
            1 / 60,
            (
                "data.csv: the voltage goes through its whole range while 0.05 Ah pass, cell.capacity_Ah 1.5; time looks like "
                "minutes; expected s: own.map.toml: columns.time.scale = 60"
            ),
        ),
        (
            VOLT,
            16.0,
            "data.csv: voltages from 24 to 65.6 V; expected one cell, -0.5 to 6 V; check own.map.toml: columns.voltage",
        ),
    ],
)
def test_another_unit_is_known_by_its_size(column, factor, sentence):
    """The key that mends it is named."""
    write(scaled(column, factor))
    assert [sentence] == told()


def test_a_capacity_in_mAh_is_known_by_its_size():
    """The map is wrong then, not the data."""
    write(rows())
    Path("own.map.toml").write_text(changed(MAP, ("capacity_Ah = 1.5", "capacity_Ah = 1500.0")))
    sentence = "data.csv: cell.capacity_Ah 1500 and a largest current of 1.5 A: is the capacity in mAh? Expected Ah"
    assert [sentence] == told()


def test_a_temperature_in_kelvin_is_known_by_its_size():
    """With the offset that mends it."""
    table = np.column_stack([rows(), np.full(len(rows()), 298.15)])
    write(table, head="t,u,i,k")
    Path("own.map.toml").write_text(changed(MAP, ("[cell]", 'temperature = { column = "k" }\n\n[cell]')))
    sentence = "data.csv: temperatures around 298.1 degC look like K; expected degC: own.map.toml: columns.temperature.offset"
    assert [f"{sentence} = -273.15"] == told()


def test_a_reversed_current_is_known_by_the_voltage():
    """At steps and over long stretches, with the key that mends it."""
    write(scaled(AMPS, -1.0))
    (problem,) = told()
    assert problem.startswith(
        "data.csv: the current has the wrong sign: at 3 current steps the voltage rises where it should fall"
    )
    assert problem.endswith('own.map.toml: columns.current.positive is "discharge", expected "charge"')


def test_a_reversed_current_in_the_battery_data_format_is_known_too():
    """There a positive current charges; without a map the way to mend it is a map."""
    write(rows(), head="Test Time / s,Voltage / V,Current / A")
    (problem,) = told(map_=None)
    assert "the Battery Data Format counts charge as positive; give a map with columns.current.positive" in problem


def test_time_that_does_not_rise_and_numbers_that_are_none_are_found_by_their_line():
    """Unsorted, doubled, NaN."""
    table = rows()
    table[100, TIME], table[200, VOLT] = table[99, TIME], np.nan
    write(table)
    assert [
        'data.csv: line 202, column "u": expected a finite number, found nan',
        'data.csv: line 102, column "t": 990 must lie after 990 in the row before',
    ] == told()
    table = rows()
    table[[50, 51]] = table[[51, 50]]
    write(table)
    assert ['data.csv: line 53, column "t": 500 must lie after 510 in the row before'] == told()


def test_a_gap_under_current_is_found_and_one_at_rest_is_not():
    """Where it is, and how much charge nobody saw."""
    table = rows()
    write(np.delete(table, slice(100, 160), axis=0))
    assert [
        (
            "data.csv: a gap of 610 s after 990 s, with 1.5 A before or after it: up to 0.254 Ah were not seen; expected a row "
            "each 10 s; cut the file there"
        ),
    ] == told()
    write(np.delete(table, slice(370, 420), axis=0))
    assert 0 == nabench("fit", "data.csv", "--map", "own.map.toml", "--out", "own.toml").code


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (rows()[:20], "data.csv: 20 rows; a fit needs 50 at least"),
        (
            np.vstack([rows()[426:]]),
            "data.csv: no discharge: the current is never positive on discharge; a fit needs one at least",
        ),
        (
            rows()[:100],
            "data.csv: the data go from full down to 74 % of 1.5 Ah; a fit needs a discharge to 70 % or less",
        ),
        (
            rows()[200:400],
            (
                "data.csv: the cell is full nowhere: no charge ends within 30 mV of charge_max_V 4.1 V and the first discharge "
                "does not begin within 150 mV of it (highest voltage 2.554 V); check cell.charge_max_V, or say starts_full "
                "= true in a [[run]] of the map"
            ),
        ),
    ],
)
def test_too_little_is_refused(table, sentence):
    """Too few rows, no discharge, a shallow one, and none that begins full."""
    write(table)
    assert [sentence] == told()


def test_charge_that_does_not_come_back_is_refused():
    """From full to full a sensor may lose a quarter, not more."""
    table = rows()
    table[426:, AMPS] *= 1.5
    table[426:, TIME] = table[425, TIME] + np.arange(1, 361) * 10.0
    write(table)
    (problem,) = told()
    assert "the charge returned is 150 % of the 1.5 Ah taken; expected about 100 %" in problem


def test_voltage_that_falls_with_charge_is_no_cell():
    """Not one that rises and falls over its charge, far above what an error could do."""
    table = rows()
    soc = np.clip(1.0 - np.cumsum(table[:, AMPS]) * 10.0 / 3600.0 / 1.5, 0.0, 1.0)
    table[:, VOLT] += 0.5 * np.sin(9.0 * soc) - 0.5 * np.sin(9.0)
    table[:, VOLT] = np.clip(table[:, VOLT], 1.5, 4.1)
    write(table)
    (problem,) = told()
    assert problem.startswith("own: the open-circuit voltage on discharge that fits best falls from ")
    assert problem.endswith("is the temperature right, and is the charge counted from full (cell.charge_max_V)?")


def test_files_and_columns_that_are_not_there_are_named_with_the_nearest():
    """An empty file, no file, another name of a column, a run that is none of the files."""
    write(rows())
    Path("empty.csv").write_text("")
    assert ["empty.csv: the file is empty; expected a header and rows of numbers"] == told("empty.csv")
    assert ['dota.csv: does not exist; did you mean "data.csv"?'] == told("dota.csv")
    Path("other.map.toml").write_text(changed(MAP, ('column = "u"', 'column = "uu"')))
    assert ['other.map.toml: columns.voltage.column "uu" is not a column of data.csv; did you mean "u"?'] == told(
        map_="other.map.toml"
    )
    Path("other.map.toml").write_text(MAP + '\n[[run]]\nfile = "date.csv"\n')
    assert ['other.map.toml: run[0].file "date.csv" is none of the files given; did you mean "data.csv"?'] == told(
        map_="other.map.toml"
    )


def test_columns_of_no_known_format_ask_for_a_map():
    """What was expected, what was found, and what looks like it."""
    write(rows(), head="Test Time / s,Voltage / mV,Current / A")
    (problem,) = told(map_=None)
    assert problem.startswith(
        'data.csv: expected columns of the Battery Data Format, missing "Voltage / V" or "voltage_volt" (did you mean '
        '"Voltage / mV"?); found "Test Time / s", "Voltage / mV", "Current / A"; name your columns in a map'
    )


def test_all_files_are_looked_at_before_the_first_is_fitted():
    """One sentence for each that is wrong."""
    write(scaled(VOLT, 1e3), "a.csv")
    with gzip.open("b.csv.gz", "wt") as packed:
        packed.write("t,u,i\n")
    assert 2 == len(told("a.csv", "b.csv.gz"))


def test_a_map_is_checked_and_its_words_are_bound():
    """The check says what it is; an unknown key and a lender that is none are named."""
    assert (
        'own.map.toml: ok, map of the data of cell "own": 3 columns, borrows from nfm-18650\n'
        == nabench("check", "own.map.toml").out
    )
    Path("own.map.toml").write_text(changed(MAP, ("nfm-18650", "nfm-18651"), ("[cell]", "[cell]\nmas_kg = 0.03")))
    (problem,) = nabench("check", "own.map.toml").problems
    assert "cell.mas_kg" in problem
    Path("own.map.toml").write_text(changed(MAP, ("nfm-18650", "nfm-18651")))
    (problem,) = nabench("check", "own.map.toml").problems
    assert 'cell "nfm-18651" is neither shipped nor a path' in problem


def test_nothing_that_exists_is_written_over():
    """Unless it is asked for; and a name that is no cell file is refused."""
    write(rows())
    Path("own.html").write_text("mine")
    assert ["own.html exists already; give another --out, or --force to write over it"] == told()
    ran = nabench("fit", "data.csv", "--map", "own.map.toml", "--out", "own.cell")
    assert (2, ['own.cell: expected a name that ends in .toml, as in "own.toml"']) == (ran.code, ran.problems)
