"""nabench check of databases and networks: cells each once, and the bits of every message as a picture."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import rigs
from command import changed, nabench

DATA = rigs.ROOT / "tests" / "data" / "dbc"
EXAMPLES = rigs.ROOT / "examples"
HEAD = 'VERSION ""\nBU_: A B\n'


class Cells(HTMLParser):
    """Text and title of every cell of the tables of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._title: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "td":
            self._title = dict(attrs).get("title") or ""
            self.found.append((self._title, ""))

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self.found[-1] = (self._title, data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._title = None


def test_both_byte_orders_stand_as_on_the_wire(tmp_path: Path) -> None:
    """The worked example of every DBC course: 12 bits Intel from 4, 12 bits Motorola from 31."""
    (tmp_path / "x.dbc").write_text(
        HEAD + 'BO_ 1 M: 5 A\n SG_ I : 4|12@1+ (1,0) [0|0] "" B\n SG_ O : 31|12@0+ (1,0) [0|0] "" B\n'
    )
    ran = nabench("check", tmp_path / "x.dbc", "--bits")
    assert 0 == ran.code
    lines = [line.split() for line in ran.out.splitlines()]
    at = lines.index(["byte", "7", "6", "5", "4", "3", "2", "1", "0"])
    assert [
        ["0", "a", "a", "a", "a", ".", ".", ".", "."],
        ["1", "A", "a", "a", "a", "a", "a", "a", "a"],
        ["2", ".", ".", ".", ".", ".", ".", ".", "."],
        ["3", "B", "b", "b", "b", "b", "b", "b", "b"],
        ["4", "b", "b", "b", "b", ".", ".", ".", "."],
    ] == lines[at + 1 : at + 6]


def test_overlaps_are_shown_where_they_are(tmp_path: Path) -> None:
    """A real file whose signals share a byte: the message is left out, and its picture shows why."""
    ran = nabench("check", DATA / "cantools" / "issue_63.dbc", "--bits", "--html", tmp_path / "x.html")
    assert 2 == ran.code
    assert "     5  ##  ##  ##  ##  ##  ##  ##  ##" in ran.out
    assert "HtrRes and MaxRes share bits" in ran.out
    cells = Cells((tmp_path / "x.html").read_text(encoding="utf-8")).found
    assert 8 == sum(title == "HtrRes, MaxRes" for title, _ in cells)


def test_the_page_is_safe_whatever_a_file_calls_its_things(tmp_path: Path) -> None:
    """Units are text of strangers."""
    (tmp_path / "x.dbc").write_text(HEAD + 'BO_ 1 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|0] "<script>alert(1)</script>" B\n')
    assert 0 == nabench("check", tmp_path / "x.dbc", "--html", tmp_path / "x.html").code
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;" in text


def test_a_network_shows_what_its_signals_play(tmp_path: Path) -> None:
    """Only messages with a role; validity and roles beside the signals."""
    ran = nabench("check", EXAMPLES / "paged_dbc" / "loader.network.toml", "--bits", "--html", tmp_path / "x.html")
    assert 0 == ran.code
    assert "  page CellPage_No = 5" in ran.out
    assert "CMU_U_Cell16: 14 bits from 16, Intel, unsigned, x0.5 +0 mV, m5  plays CellVoltage_015" in ran.out
    assert "plays the validity of CellVoltage_015" in ran.out
    assert "BcuVersion" not in nabench("check", EXAMPLES / "own_dbc" / "truck.network.toml", "--bits").out


def test_a_picture_of_something_else_is_refused(tmp_path: Path) -> None:
    """Packs have no bits."""
    ran = nabench("check", rigs.ROOT / "hil" / "plant" / "packs" / "nfm-16s.toml", "--html", tmp_path / "x.html")
    assert 2 == ran.code
    assert any("DBC files and networks" in problem for problem in ran.problems)
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    ("pack", "told"),
    [("ev-192s", "cells that no signal carries: CellVoltage_016, CellVoltage_017"), ("nfm-16s", None)],
)
def test_a_pack_that_the_network_does_not_carry_is_told_by_its_cells(pack: str, told: str | None) -> None:
    """Missing cells by name, and how many there are."""
    ran = nabench("check", EXAMPLES / "own_dbc" / "truck.network.toml", "--pack", pack)
    assert (2 if told else 0) == ran.code
    assert all(text in "\n".join(ran.problems) for text in ([told, "there are 16 of 192"] if told else []))


def test_missing_and_double_cells_are_named(tmp_path: Path) -> None:
    """A gap between two rules, and a cell that two signals claim."""
    shutil.copytree(EXAMPLES / "paged_dbc", tmp_path / "x")
    path = tmp_path / "x" / "loader.mapping.toml"
    text = path.read_text(encoding="utf-8")
    whole = (
        'role = "CellVoltage_{n:03}"\nsignal = "CMU_U_Cell{n1:02}"\nvalid = "CMU_U_Cell{n1:02}_Invalid"\n'
        "scale = 0.001\nvalid_is = 0\n"
    )
    single = "".join(
        f'role = "CellVoltage_{k:03}"\nsignal = "CMU_U_Cell{k + 1:02}"\nscale = 0.001\n\n[[signal]]\n'
        for k in range(16)
        if k not in (4, 9)
    ).removesuffix("\n[[signal]]\n")
    path.write_text(changed(text, (whole, single)), encoding="utf-8")
    ran = nabench("check", tmp_path / "x" / "loader.network.toml")
    assert 2 == ran.code
    assert any("cells that no signal carries: CellVoltage_004, CellVoltage_009; there are 14 of 16" in p for p in ran.problems)
    path.write_text(changed(text, (whole, single.replace("CellVoltage_007", "CellVoltage_006"))), encoding="utf-8")
    ran = nabench("check", tmp_path / "x" / "loader.network.toml")
    assert any('role "CellVoltage_006" is played by "CMU_U_Cell07" already' in p for p in ran.problems)


def test_what_is_wrong_with_parts_of_a_file_is_a_note_not_a_refusal() -> None:
    """The rest of the file can be used, and is counted."""
    ran = nabench("check", DATA / "opendbc" / "vw_meb_common.dbc")
    assert (0, "") == (ran.code, ran.err)
    assert "ok, database with 101 messages" in ran.out
    assert "left out: " in ran.out and 'message "ESC_50" signals "Standstill" and "Motion_State" are overlapping' in ran.out
