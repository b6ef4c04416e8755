"""How much of a cell and a pack is assumed, counted here from the files as text."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command import changed, nabench

from hil import files, sources
from hil.plant import cellfile, packfile


def counted(value: Any) -> int:
    """Numbers in a value of a TOML file."""
    if isinstance(value, dict):
        return sum(counted(item) for item in value.values())
    if isinstance(value, list):
        return sum(counted(item) for item in value)
    return int(type(value) in (int, float))


def in_part(path: Path) -> int:
    """Numbers of tables that are no assumption as a whole, but whose source says that a part of them is."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {key: value for key, value in data.items() if isinstance(value, dict) and "confidence" in value}
    partly = {k: v for k, v in tables.items() if v["confidence"] != "assumption" and "assumption" in v["source"].lower()}
    return sum(counted(value) + (key == "capacity") for key, value in partly.items())


def split(path: Path) -> tuple[int, int, int, int]:
    """Assumed numbers, numbers, assumed tables, tables of a file."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {key: value for key, value in data.items() if isinstance(value, dict) and "confidence" in value}
    numbers = {key: counted(value) + (key == "capacity") for key, value in tables.items()}
    wrong = [key for key, value in tables.items() if value["confidence"] == "assumption"]
    return sum(numbers[key] for key in wrong), sum(numbers.values()), len(wrong), len(tables)


@pytest.mark.parametrize("name", files.shipped("cell"))
def test_a_list_of_cells_shows_the_share_that_is_assumed(name: str) -> None:
    """Numbers in tables of confidence assumption over all numbers, and the tables."""
    few, numbers, whole, tables = split(files.shipped("cell")[name])
    share = f"{100 * few / numbers:.0f} %" if few == 0 or few / numbers >= 0.005 else "< 1 %"
    (row,) = [row for row in json.loads(nabench("list", "cells", "--json").out) if row["cell"] == name]
    partly = in_part(files.shipped("cell")[name])
    more = f", {100 * partly / numbers:.0f} % in tables that are so in part" if partly else ""
    assert f"{share} of {numbers} numbers{more}, {whole} of {tables} tables" == row["assumed"]
    assert few / numbers == pytest.approx(sources.assumed_share(cellfile.load(name)[1]))


def test_the_shipped_cell_in_numbers() -> None:
    """Counted by eye: hysteresis 1, thermal 3, slow, self-discharge and deep 2 each, ageing 6, plating 3, runaway 6."""
    counts = sources.by_confidence(cellfile.load("nfm-18650")[1])
    assert 1 + 3 + 3 * 2 + 6 + 3 + 6 == counts["assumption"]
    assert {"measured", "fitted", "datasheet"} <= set(counts)


def test_a_table_that_becomes_an_assumption_counts_with_all_its_numbers(tmp_path: Path) -> None:
    """A user's file that says so of its resistance."""
    path = tmp_path / "mine.toml"
    text = files.shipped("cell")["nfm-18650"].read_text(encoding="utf-8")
    head, mark, tail = text.partition("[resistance]")
    path.write_text(head + mark + changed(tail, ('confidence = "fitted"', 'confidence = "assumption"')), encoding="utf-8")
    before, after = (sources.by_confidence(cellfile.load(str(p))[1]) for p in (files.shipped("cell")["nfm-18650"], path))
    resistance = tomllib.loads(text)["resistance"]
    assert after["assumption"] - before["assumption"] == counted(resistance)


def test_packs_show_it_too() -> None:
    """Of their own tables; that of the cell stands in the list of cells."""
    rows = json.loads(nabench("list", "packs", "--json").out)
    for row in rows:
        few, numbers, whole, tables = split(files.shipped("pack")[row["pack"]])
        assert row["assumed"].endswith(f" of {tables} tables")
        assert few / numbers == pytest.approx(sources.assumed_share(packfile.load(row["pack"])[1]), abs=0.15)
        assert f", {whole} of " in row["assumed"]


WORDS = [(0.0, "0 %"), (1e-6, "< 1 %"), (0.0049, "< 1 %"), (0.006, "1 %"), (0.734, "73 %"), (1.0, "100 %")]


@pytest.mark.parametrize(("share", "text"), WORDS)
def test_what_is_more_than_nothing_does_not_read_as_nothing(share: float, text: str) -> None:
    """And what is all reads as all."""
    assert text == sources.percent(share)
