"""A folder of one's own CSV files: the same data in other units give the same case, and what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import nabench
from own_files import AMPS, CASE, COUNTED, MAP, SOC, TIME, VOLT, refused, table, use, write
from pages import Page

from hil.score import folder

pytestmark = pytest.mark.usefixtures("own_folder")


def test_the_same_data_in_other_units_are_the_same_case():
    """Current, voltage and reference of the recorded case come back, tick by tick."""
    write(table())
    (case,) = folder.cases(Path("data")).cases
    assert (1.5, 10**9, 0.015, "data, run.csv") == (case.capacity_Ah, case.dt_ns, case.uncertainty, case.data)
    assert case.current_A == pytest.approx(CASE.current_A[1:], abs=1e-5)
    assert case.cell_V == pytest.approx(CASE.cell_V[1:], abs=1e-5)
    assert case.reference == pytest.approx(CASE.reference[1:], abs=1e-5)
    assert (1.0, 0.02) == pytest.approx((case.start_soc, case.start_sigma), abs=1e-4)


def test_without_a_reference_column_charge_is_counted_between_full_and_empty():
    """The share of the stretch's own charge, known to half a per cent."""
    write(table())
    use(COUNTED)
    (case,) = folder.cases(Path("data")).cases
    assert 0.005 == case.uncertainty
    assert case.reference == pytest.approx(CASE.reference[1:], abs=2e-4)


def test_a_wrong_gain_does_not_enter_a_counted_reference_and_a_long_rest_widens_it():
    """A fifth more current gives the same shares; ten hours of rest in the middle let an offset count apart from the charge."""
    rows = table()
    rows[:, AMPS] *= 1.2
    half = len(rows) // 2
    rest = np.zeros((601, 4))
    rest[:, TIME], rest[:, VOLT] = half + np.append(np.arange(0.0, 36000.0, 60.0), 35999.0), rows[half, VOLT]
    late = rows[half:] + np.array([36000.0, 0.0, 0.0, 0.0])
    write(np.vstack([rows[:half], rest, late]))
    use(COUNTED)
    (case,) = folder.cases(Path("data")).cases
    assert case.reference[: half - 1] == pytest.approx(CASE.reference[1:half], abs=2e-3)
    drift = 0.002 * 1.5 * 36000 / 2 / (1.2 * 1.457 * 3600)
    assert drift == pytest.approx(case.uncertainty, rel=0.1)


def test_a_file_without_ends_is_left_out_and_alone_is_an_error():
    """With the ends that were looked for."""
    write(table())
    write(table()[300:1200], "middle.csv")
    use(COUNTED)
    found = folder.cases(Path("data"))
    assert ["data, run.csv"] == [case.data for case in found.cases]
    (note,) = found.notes
    assert note.startswith(
        "middle.csv: left out: no column soc in the map, and no stretch between full (4.1 V) and empty (1.5 V)"
    )
    Path("data/run.csv").unlink()
    (problem,) = refused()
    assert problem.startswith("data/middle.csv: no reference: no column soc in the map, and no stretch")


def test_the_battery_data_format_needs_no_map():
    """Charge is positive there; the temperature that nobody logged is said."""
    rows = table() * np.array([1.0, 1.0, -1.0, 1.0])
    lines = ["Test Time / s,Voltage / V,Current / A", *(f"{t:.0f},{u:.6f},{i:.6f}" for t, u, i, _ in rows)]
    Path("data/own.map.toml").unlink()
    Path("data/run.csv").write_text("\n".join(lines) + "\n")
    ran = nabench("score", "--data", "data", "--method", "counting", "--json")
    assert (0, "note: run.csv: temperature not logged: 25 degC taken\n") == (ran.code, ran.err)
    row = json.loads(ran.out)["rows"][0]
    assert ("data", "own", "all", 0.005) == tuple(row[key] for key in ("data", "condition", "region", "reference_uncertainty"))


def test_rows_far_apart_become_ticks_without_losing_charge():
    """A row each 7 s: ticks of 7 s, and the charge of the whole."""
    write(table()[::7])
    (case,) = folder.cases(Path("data")).cases
    assert 7 * 10**9 == case.dt_ns
    rows = table()[::7]
    assert 7.0 * case.current_A.sum() == pytest.approx(7.0 * rows[1:, AMPS].sum(), rel=1e-6)


SIGN = 'own.map.toml: columns.current.positive is "discharge", expected "charge"'


@pytest.mark.parametrize(
    ("pairs", "end"),
    [
        ([('"charge" }', '"discharge" }')], f"data/{SIGN}"),
        (
            [('mA", scale = 0.001', 'mA"')],
            "looks like mA; expected A: data/own.map.toml: columns.current.scale = 0.001",
        ),
        ([('mV", scale = 0.001', 'mV"')], "look like mV; expected V: data/own.map.toml: columns.voltage.scale = 0.001"),
        (
            [('percent", scale = 0.01', 'percent"')],
            "looks like per cent; expected 0 to 1: data/own.map.toml: columns.soc.scale = 0.01",
        ),
        (
            [('percent", scale = 0.01', 'percent", scale = -0.01, offset = 1.0')],
            "Expected the charge that is left: data/own.map.toml: columns.soc.scale = 0.01 and offset = 0",
        ),
        (
            [('percent", scale = 0.01', 'percent", scale = 0.1')],
            "looks like per cent; expected 0 to 1: data/own.map.toml: columns.soc.scale = 0.001",
        ),
        (
            [('percent", scale = 0.01', 'percent", scale = -1, offset = 100')],
            "looks like per cent; expected 0 to 1: data/own.map.toml: columns.soc.scale = -0.01 and offset = 1",
        ),
        (
            [('mA", scale = 0.001', 'mA", scale = 1e300')],
            "values beyond 1e+18 after scaling; check data/own.map.toml: columns.current",
        ),
        ([('ms", scale = 0.001', 'ms", scale = -0.001')], "columns.time.scale -0.001 must be more than 0"),
        ([('mV", scale = 0.001', 'mV", scale = 0')], "columns.voltage.scale is 0, so that every row is alike"),
        (
            [('mA", scale = 0.001', 'mA", scale = 0.01'), COUNTED],
            "empty and full, but cell.capacity_Ah 1.5; check columns.current.scale and columns.time.scale, or cell.capacity_Ah",
        ),
        ([('"percent"', '"percnt"')], '"percnt" is not a column of data/run.csv; did you mean "percent"?'),
        ([("[score]", '[score]\ncalibration = "nfm16s"')], '"nfm16s" is neither shipped nor a path; did you mean "nfm-16s"?'),
        ([("soc_uncertainty", "soc_uncertanty")], 'unknown key; did you mean "soc_uncertainty"?'),
    ],
)
def test_what_cannot_be_is_refused_with_the_key_that_mends_it(pairs, end):
    """Signs, units, names."""
    write(table())
    use(*pairs)
    (problem,) = refused()
    assert problem.endswith(end), problem


WITHOUT_CAPACITY = ("capacity_Ah = 1.5\n", "")
OTHERS = "; or is the calibration another cell's?"


@pytest.mark.parametrize(
    ("pairs", "end"),
    [
        (
            [('mA", scale = 0.001', 'mA"')],
            f"looks like mA; expected A: data/own.map.toml: columns.current.scale = 0.001{OTHERS}",
        ),
        ([('ms", scale = 0.001', 'ms"')], f"looks like ms; expected s: data/own.map.toml: columns.time.scale = 0.001{OTHERS}"),
        (
            [('ms", scale = 0.001', 'ms", scale = 1000')],
            f"time looks like ms; expected s: data/own.map.toml: columns.time.scale = 0.001{OTHERS}",
        ),
        (
            [('mA", scale = 0.001', 'mA", scale = 1e-6')],
            f"expected A: check data/own.map.toml: columns.current{OTHERS}",
        ),
    ],
    ids=["mA", "ms", "ks", "kA"],
)
def test_units_are_held_against_the_calibration_where_the_map_states_no_capacity(pairs, end):
    """A current in mA would else be counted as a thousand times the charge, and every method be called wrong."""
    write(table())
    use(WITHOUT_CAPACITY, *pairs)
    (problem,) = refused()
    assert problem.endswith(end), problem


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([("capacity_Ah = 1.5", "capacity_Ah = 3.0")], "data/own.map.toml: cell.capacity_Ah 3: "),
        ([WITHOUT_CAPACITY, ('mA", scale = 0.001', 'mA", scale = 0.003')], "data/run.csv: 4.37 Ah between empty and full: "),
        (
            [WITHOUT_CAPACITY, ('mA", scale = 0.001', 'mA", scale = 0.003'), COUNTED],
            "data/run.csv: 4.37 Ah between empty and full: ",
        ),
    ],
    ids=["stated", "by a column", "counted"],
)
def test_the_calibration_of_another_cell_is_refused(pairs, sentence):
    """Figures of a cell of twice the capacity would be those of the map, not of a method."""
    write(table())
    use(*pairs)
    believed = (
        'calibration "nfm-16s" believes a cell of 1.50675 Ah; expected 0.603 to 2.41 Ah, or in score.calibration one of this '
        "cell (nabench new calibration)"
    )
    assert [f"{sentence}{believed}"] == refused()


def test_many_cycles_with_a_sensor_that_is_off_are_those_of_the_same_cell():
    """Ten of them, in each of which the tester counts 0.15 Ah too much into the cell."""
    down, up = table(), table()[::-1] * np.array([1.0, 1.0, -1.1, 1.0])
    write(np.vstack([down, up] * 10))
    lines = Path("data/run.csv").read_text().splitlines()
    rows = [f"{1000 * n},{line.partition(',')[2]}" for n, line in enumerate(lines[1:])]
    Path("data/run.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    assert 1 == len(folder.cases(Path("data")).cases)
    use(COUNTED)
    assert 1 == len(folder.cases(Path("data")).cases)


def test_a_reference_that_does_not_move_is_refused_and_one_that_stays_empty_for_hours_is_not():
    """The first is another column; the second a cell that rests empty, from which nothing converges."""
    rows = table()
    rows[:, SOC] = 0.0
    write(rows)
    assert [
        "data/run.csv: SOC from 0 to 0 does not move with the charge that passes; check data/own.map.toml: columns.soc"
    ] == refused()
    up = table()[::-1] * np.array([1.0, 1.0, -1.0, 1.0])
    rest = np.repeat(up[:1], 7300, axis=0) * np.array([1.0, 1.0, 0.0, 0.0])
    rows = np.vstack([rest, up])
    rows[:, TIME] = np.arange(len(rows))
    write(rows)
    ran = nabench("score", "--data", "data", "--method", "counting", "--json")
    assert (0, "", []) == (ran.code, ran.err, json.loads(ran.out)["convergence"])


@pytest.mark.parametrize("hot", [296.0, -300.0], ids=["kelvin", "less than nothing"])
def test_a_temperature_that_cannot_be_is_one_problem(hot):
    """Surroundings that were taken from the same column are not a second one."""
    rows = table()
    rows[:, SOC] = hot / 100.0
    write(rows, head="ms,mV,mA,t")
    use(('soc = { column = "percent", scale = 0.01 }', 'temperature = { column = "t" }'), ("temperature_degC = 25.0\n", ""))
    (problem,) = refused()
    mend = {296.0: "offset = -273.15", -300.0: "expected -60 to 150 degC; check data/own.map.toml: columns.temperature"}[hot]
    assert problem.endswith(mend), problem


def test_a_calibration_of_two_kinds_says_which_is_scored():
    """That of the cells that no group names."""
    write(table() * np.array([1.0, 1.0, 8.0, 1.0]))
    use(("capacity_Ah = 1.5", "capacity_Ah = 12.0"), ("[score]", '[score]\ncalibration = "ab-na-lfp-16s"'))
    ran = nabench("score", "--data", "data", "--method", "counting", "--json")
    note = 'note: calibration "ab-na-lfp-16s": scored is its [model], not that of a group\n'
    assert (0, note) == (ran.code, ran.err)


def test_quoted_fields_are_fields():
    """As spreadsheets write them, also with commas inside."""
    write(table())
    plain = nabench("score", "--data", "data", "--method", "ekf", "--json").out
    head, *lines = Path("data/run.csv").read_text().splitlines()
    quoted = ['"a, b, c","' + '","'.join(line.split(",")) + '"' for line in lines]
    Path("data/run.csv").write_text("\n".join([f'"note, if any",{head}', *quoted]) + "\n")
    assert plain == nabench("score", "--data", "data", "--method", "ekf", "--json").out


def test_a_folder_that_is_none_or_holds_nothing_is_refused():
    """With the nearest name."""
    assert ["--data data: holds no file that ends in .csv or .csv.gz"] == refused()
    ran = nabench("score", "--data", "dta")
    assert (2, ['--data dta: does not exist; did you mean "data"?']) == (ran.code, ran.problems)
    ran = nabench("score", "--data", "data/own.map.toml")
    assert (2, ["--data data/own.map.toml: is a file; expected a folder"]) == (ran.code, ran.problems)


def test_two_maps_are_one_too_many():
    """Unless --map says which."""
    write(table())
    Path("data/other.map.toml").write_text(MAP)
    assert ["--data data: holds 2 maps, other.map.toml, own.map.toml; say which with --map"] == refused()
    assert 0 == nabench("score", "--data", "data", "--map", "data/own.map.toml", "--method", "counting", "--json").code


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "data/run.csv: the file is empty; expected a header and rows of numbers"),
        ("ms,mV,mA,percent\n", "data/run.csv: there is only a header; expected rows of numbers"),
        ("ms,mV,mA,percent\n" + "0,1,nan,3\n", 'data/run.csv: line 2, column "mA": expected a finite number, found nan'),
        (
            "ms,mV,mA,percent\n" + "0,1,2,\x1b[31m\n",
            r'data/run.csv: line 2, column "percent": expected a number, found "\u001b[31m"',
        ),
        ("ms,mV,mA,percent\n0,4000,0,90\n", "data/run.csv: 1 rows; the score needs 50 at least"),
        (
            "ms,mV,mA,percent\n0,4000,0,90\n1000,3,999,0,90\n",
            "data/run.csv: line 3 has 5 columns, the header 4; expected as many, and points in the numbers, not commas",
        ),
        (
            "# logger\nms,mV,mA,percent\n",
            'data/run.csv: line 1 is a comment, "# logger"; expected the names of the columns there',
        ),
        ("x" * 70000, "data/run.csv: line 1 has more than 65536 bytes; expected a row of a CSV file"),
    ],
    ids=["empty", "header", "nan", "escape", "short", "decimal commas", "comment", "long line"],
)
def test_broken_files_are_refused_in_one_sentence(text, sentence):
    """And nothing that they hold reaches the terminal as it is."""
    Path("data/run.csv").write_text(text)
    (problem,) = refused()
    assert sentence == problem


def test_names_of_files_bring_nothing_to_the_terminal_or_the_page():
    """Control characters become marks, markup stays words."""
    write(table(), "\x1b[31m<img src=x>.csv")
    use(COUNTED)
    ran = nabench("score", "--data", "data", "--method", "counting", "--html", "page.html")
    assert (0, "") == (ran.code, ran.err)
    text = Path("page.html").read_text(encoding="utf-8")
    assert not any("\x1b" in said for said in (ran.out, text))
    assert "data, ?[31m&lt;img src=x&gt;.csv" in text
    assert [] == Page(text).of("img")


def test_every_file_is_scored_and_named():
    """Two files are two runs of one data set."""
    write(table())
    write(table()[:1500], "short.csv")
    ran = nabench("score", "--data", "data", "--method", "ekf", "--json")
    assert (0, "") == (ran.code, ran.err)
    row = json.loads(ran.out)["rows"][0]
    assert ["data, run.csv", "data, short.csv"] == [run["data"] for run in row["runs"]]
    assert 0.015 == row["reference_uncertainty"]


def test_the_page_of_own_files_names_the_beliefs_and_asks_nothing():
    """One dot has two marks beside it on the axis; requirements are those of what ships."""
    write(table())
    ran = nabench("score", "--data", "data", "--method", "counting", "--html", "page.html")
    assert (0, "") == (ran.code, ran.err)
    page = Page(Path("page.html").read_text(encoding="utf-8"))
    assert "believed: calibration nfm-16s" in page.text
    assert "is asked" not in page.text
    figures = next(root for root in page.document()["roots"] if root["attributes"]["name"] == "figures")["attributes"]
    ends = [figures["y_range"]["attributes"][end] for end in ("start", "end")]
    ticks = figures["left"][0]["attributes"]["ticker"]["attributes"]["ticks"]
    assert 2 <= len([at for at in ticks if ends[0] <= at <= ends[1]])
