"""nabench list, check and doctor: what there is, whether it is right, and what this machine can do."""

from __future__ import annotations

import json

import pytest
from command import nabench

from hil import files, inventory
from hil.cli.show import What

KINDS = ("scenario", "requirements", "cell", "pack", "network", "calibration")


@pytest.mark.parametrize("what", inventory.LISTS)
def test_a_list_is_a_table_with_a_line_for_each(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Every column has its heading, every name stands whole in a line of its own; --json says the same as data."""
    monkeypatch.setenv("COLUMNS", "80")
    rows = json.loads(nabench("list", what, "--json").out)
    ran = nabench("list", what)
    assert (0, "") == (ran.code, ran.err)
    head, *lines = ran.out.splitlines()
    columns = list(rows[0])
    assert columns == [column for column in columns if f" {column} " in f" {head} "]
    width = max(len(row[columns[0]]) for row in rows)
    assert [row[columns[0]] for row in rows] == [name for line in lines if (name := line[:width].strip())]
    assert all(isinstance(value, str) for row in rows for value in row.values())


def test_every_word_has_its_list() -> None:
    """The command line offers what the inventory has."""
    assert set(inventory.LISTS) == {what.value for what in What}


@pytest.mark.parametrize("kind", ["scenario", "cell", "pack", "calibration"])
def test_a_list_names_all_that_is_shipped(kind: str) -> None:
    """By the names that files use."""
    rows = json.loads(nabench("list", f"{kind}s", "--json").out)
    assert list(files.shipped(kind)) == [row[kind] for row in rows]


def test_limits_and_signals_are_those_of_the_pack() -> None:
    """A pack that is not there is answered with those that are."""
    ran = nabench("list", "signals", "--pack", "nfm-16")
    assert (2, "", ['pack "nfm-16" is neither shipped nor a path; did you mean "nfm-16s"?']) == (
        ran.code,
        ran.out,
        ran.problems,
    )
    signals = {row["signal"] for row in json.loads(nabench("list", "signals", "--json").out)}
    assert {"CellVoltage_015", "BMS_State"} <= signals
    assert "CellVoltage_020" not in signals


@pytest.mark.parametrize("kind", KINDS)
def test_everything_shipped_is_right(kind: str) -> None:
    """One call, one line for each file."""
    paths = list(files.shipped(kind).values())[:12]
    ran = nabench("check", *paths)
    assert (0, "") == (ran.code, ran.err)
    assert len(paths) == ran.out.count(": ok, ")


def test_every_shipped_database_is_right() -> None:
    """With the count of what is in it."""
    ran = nabench("check", *sorted(files.dbc_folder().glob("*.dbc")))
    assert (0, "") == (ran.code, ran.err)
    assert "bms.dbc: ok, database with 21 messages, " in ran.out


def test_doctor_says_what_the_machine_has_and_what_would_mend_the_rest() -> None:
    """As data and as a table; what is missing comes with a way to it."""
    ran = nabench("doctor", "--json")
    assert (0, "") == (ran.code, ran.err)
    rows = json.loads(ran.out)
    assert {"what", "ok", "found", "fix"} == {key for row in rows for key in row}
    assert {"nabench", "python", "numba", "kernels", "kernel cache", "timer", "processors", "multicast"} <= {
        row["what"] for row in rows
    }
    assert [] == [row["what"] for row in rows if not row["ok"] and not row["fix"]]
    assert [] == [row["what"] for row in rows if row["ok"] and row["fix"]]
    table = nabench("doctor")
    assert 0 == table.code
    assert [] == [row["what"] for row in rows if row["what"] not in table.out]
