"""Broken, foreign and hostile DBC files: what is sound is read, the rest is named, and nothing takes for ever."""

from __future__ import annotations

import time
from pathlib import Path

import cantools
import pytest
from rigs import ROOT

from hil.database import Bus, Database
from hil.dbcfile import reading
from hil.errors import ScenarioError
from hil.link import spec
from hil.link.can_bus import Frame
from hil.link.watching import open_watch

DATA = ROOT / "tests" / "data" / "dbc"
HEAD = 'VERSION ""\nBU_: A B\n'
GOOD = 'BO_ 1 Good: 8 A\n SG_ G : 0|8@1+ (1,0) [0|0] "" B\n'


def written(folder: Path, body: str) -> Path:
    path = folder / "some.dbc"
    path.write_text(HEAD + body, encoding="cp1252")
    return path


def signal(name: str, where: str, scale: str = "(1,0)", span: str = "[0|0]") -> str:
    return f' SG_ {name} : {where} {scale} {span} "" B\n'


BAD = {
    "id of 12 bits": ("BO_ 2048 Bad: 8 A\n" + signal("S", "0|8@1+"), "more than 11 bits, without the mark of an extended one"),
    "id of 30 bits": (f"BO_ {1 << 31 | 1 << 29} Bad: 8 A\n" + signal("S", "0|8@1+"), "more than 29 bits"),
    "too long": ("BO_ 2 Bad: 65 A\n" + signal("S", "0|8@1+"), "has 65 bytes; expected at most 64"),
    "very long": ("BO_ 2 Bad: 100000 A\n" + signal("S", "0|8@1+"), "has 100000 bytes"),
    "65 bits": ("BO_ 2 Bad: 16 A\n" + signal("S", "0|65@1+"), "has 65 bits; expected 1 to 64"),
    "no bits": ("BO_ 2 Bad: 8 A\n" + signal("S", "0|0@1+"), "has 0 bits"),
    "beyond the end": ("BO_ 2 Bad: 2 A\n" + signal("S", "9|8@1+"), "does not fit in its message"),
    "beyond the end, Motorola": ("BO_ 2 Bad: 2 A\n" + signal("S", "8|8@0+"), "does not fit in its message"),
    "scale 0": ("BO_ 2 Bad: 8 A\n" + signal("S", "0|8@1+", "(0,0)"), 'signal "S" has scale 0'),
    "scale of no number": ("BO_ 2 Bad: 8 A\n" + signal("S", "0|8@1+", "(1e400,0)"), "has scale 1e400; expected a finite"),
    "offset of no number": ("BO_ 2 Bad: 8 A\n" + signal("S", "0|8@1+", "(1,-1e999)"), "has offset -1e999"),
    "overlap": ("BO_ 2 Bad: 8 A\n" + signal("S", "0|8@1+") + signal("T", "7|8@0+"), 'signals "S" and "T" are overlapping'),
    "overlap on a page": (
        "BO_ 2 Bad: 8 A\n" + signal("P M", "0|4@1+") + signal("S m1", "8|8@1+") + signal("T m1", "12|8@1+"),
        'signals "S" and "T" are overlapping',
    ),
    "signal twice": ("BO_ 2 Bad: 8 A\n" + signal("S", "0|8@1+") + signal("S", "8|8@1+"), 'has the signal "S" twice'),
    "digit first": ("BO_ 2 2Bad: 8 A\n" + signal("S", "0|8@1+"), '"2Bad" has a name that is none; it begins with a digit'),
    "digit first in a signal": ("BO_ 2 Bad: 8 A\n" + signal("9S", "0|8@1+"), 'signal "9S" has a name that is none'),
    "page of nothing": ("BO_ 2 Bad: 8 A\n" + signal("S m0", "0|8@1+"), "page 0 of a multiplexer that is not there"),
    "page too high": ("BO_ 2 Bad: 8 A\n" + signal("P M", "0|2@1+") + signal("S m4", "8|8@1+"), "counts to 3"),
    "pages without end": (
        "BO_ 2 Bad: 8 A\n" + signal("P M", "0|32@1+") + signal("S m0", "32|8@1+") + "SG_MUL_VAL_ 2 S P 0-4294967295;\n",
        "more than 1024 pages",
    ),
    "pages of itself": (
        "BO_ 2 Bad: 8 A\n" + signal("P m0M", "0|4@1+") + signal("Q m0M", "4|4@1+")
        + "SG_MUL_VAL_ 2 P Q 0-0;\nSG_MUL_VAL_ 2 Q P 0-0;\n",
        "or on itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_message_is_left_out_and_named_and_the_rest_is_read(tmp_path: Path, what: str) -> None:
    """One sentence with file, line and message; the good message beside it is there."""
    body, said = BAD[what]
    path = written(tmp_path, body + GOOD + 'VAL_ 2 S 0 "off" 1 "on";\nVAL_ 1 G 0 "zero";\n')
    read = reading.read(path)
    assert ["Good"] == [message.name for message in read.database.messages]
    assert {0: "zero"} == {raw: str(name) for raw, name in read.database.messages[0].signals[0].choices.items()}
    assert any(said in sentence for sentence in read.sentences()), read.sentences()
    assert all(sentence.startswith(f"{path}: line 3: message ") for sentence in read.sentences())
    with pytest.raises(ScenarioError) as caught:
        Database([Bus("bus", (path,), 500_000, 500_000, {})])
    assert tuple(read.sentences()) == caught.value.problems


def test_two_messages_with_one_id_or_one_name_are_both_left_out(tmp_path: Path) -> None:
    """The parser would keep the last and say nothing; which one is meant is not known."""
    twice = "BO_ 2 X: 8 A\nBO_ 2 Y: 8 A\nBO_ 3 Z: 8 A\nBO_ 4 Z: 8 A\n"
    read = reading.read(written(tmp_path, twice + GOOD))
    assert ["Good"] == [message.name for message in read.database.messages]
    assert {"X", "Y", "Z"} == set(read.left_out)
    assert 'has the id 0x2 of "X"' in read.left_out["Y"][0]


def test_what_does_no_harm_is_a_note(tmp_path: Path) -> None:
    """Names of values of nothing, and a range that runs backwards."""
    body = GOOD.replace("[0|0]", "[9|1]") + 'VAL_ 77 Gone 0 "a";\nVAL_ 1 Lost 1 "b";\n'
    read = reading.read(written(tmp_path, body))
    assert not read.left_out
    assert 3 == len(read.notes)
    assert "its range is not looked at" in read.notes[0]
    assert "Gone in message 77, which is not there" in read.notes[1]
    assert 'Lost in message "Good", which does not have them' in read.notes[2]


@pytest.mark.parametrize(
    ("name", "messages", "left_out"),
    [
        ("opendbc/vw_meb_common.dbc", 101, {"ESC_50", "VZE_04", "Battery_Heating_Status"}),
        ("opendbc/tesla_can.dbc", 44, set()),
        ("opendbc/gm_global_a_high_voltage_management.dbc", 12, set()),
        ("tesla_model3/Model3CAN.dbc", 146, {"ID5D5RearDItemps", "ID556FrontDItemps"}),
        ("cantools/long_names.dbc", 10, set()),
    ],
)
def test_real_files_are_read_but_for_what_is_wrong_with_them(name: str, messages: int, left_out: set[str]) -> None:
    """Files that no strict parser takes, because of a few of their messages."""
    read = reading.read(DATA / name)
    assert messages == len(read.database.messages)
    assert left_out <= set(read.left_out)


def hostile() -> dict[str, str]:
    """Files that were made to keep a parser busy."""
    many = "".join(f"BO_ {n} M{n}: 8 A\n" for n in range(1, 2000))
    deep = "".join(signal(f"P{n} {'m0M' if n else 'M'}", f"{n}|1@1+") for n in range(40))
    chain = "".join(f"SG_MUL_VAL_ 2 P{n} P{n - 1} 0-0;\n" for n in range(1, 40))
    wide = "".join(signal(f"S{n} m{n % 1000}", "16|8@1+") for n in range(3000))
    return {
        "9 MiB": "x" * (9 << 20),
        "an endless string": 'CM_ "' + '\\"' * (1 << 20),
        "brackets": "BO_ 2 M: 8 A\n SG_ S : 0|8@1+ (" + "(" * (1 << 17),
        "blanks": "BO_ 2 M: 8 A\n SG_ S" + " " * (1 << 20) + "x",
        "a long name": f"BO_ 2 {'M' * (1 << 20)}: 8 A\n",
        "a long number": f"BO_ {'9' * (1 << 20)} M: 8 A\n",
        "message after message": many * 8,
        "deep pages": "BO_ 2 M: 8 A\n" + deep + chain,
        "signal upon signal": "BO_ 2 M: 64 A\n" + "".join(signal(f"S{n}", "0|64@1+") for n in range(20_000)),
        "page upon page": "BO_ 2 M: 8 A\n" + signal("P M", "0|16@1+") + wide,
        "all values named": GOOD + "VAL_ 1 G " + "".join(f'{n} "v" ' for n in range(30_000)) + ";\n",
        "nothing at all": "",
        "no text": "\x00\x01\x02" * 1000,
        "half a message": 'BO_ 2 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] "',
    }


@pytest.mark.parametrize("what", hostile())
def test_a_hostile_file_ends_soon_and_in_sentences(tmp_path: Path, what: str) -> None:
    """Read or refused, within seconds, and never with another exception."""
    path = written(tmp_path, hostile()[what])
    begun_s = time.monotonic()
    try:
        reading.read(path)
    except ScenarioError as error:
        assert all(problem.startswith(f"{path}: ") and len(problem) <= 2000 for problem in error.problems)
    assert time.monotonic() - begun_s < 1.5 * reading.MOST_S


def test_a_large_file_is_parsed_apart_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own the first time; then it is known, in this process and in later ones."""
    monkeypatch.setenv("NABENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "_KEPT", {})
    body = "".join(f"BO_ {n} M{n}: 8 A\n" + signal("S", "0|8@1+") for n in range(1, 900))
    path = written(tmp_path, body)
    assert path.stat().st_size > 32 << 10
    first = reading.read(path).database
    assert 1 == len(list((tmp_path / "cache" / "dbc").iterdir()))
    monkeypatch.setattr(reading, "MOST_S", 0)  # whatever is still started ends at once
    assert first.messages[0] is not reading.read(path).database.messages[0]
    monkeypatch.setattr(reading, "_KEPT", {})
    assert 899 == len(reading.read(path).database.messages)
    path.write_text(HEAD + body + GOOD.replace("BO_ 1 ", "BO_ 1001 "), encoding="ascii")
    with pytest.raises(ScenarioError, match="the parser takes more than 0 s"):
        reading.read(path)


def test_a_parser_without_memory_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that needs more than there may be is refused by name."""
    monkeypatch.setenv("NABENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "MOST_BYTES", 32 << 20)
    path = written(tmp_path, GOOD + "VAL_ 1 G " + "".join(f'{n} "v{n}" ' for n in range(20_000)) + ";\n")
    with pytest.raises(ScenarioError) as caught:
        reading.read(path)
    assert any("32 MiB" in problem for problem in caught.value.problems), caught.value.problems


def test_a_message_that_was_left_out_says_why_when_it_is_asked_for(tmp_path: Path) -> None:
    """Whoever needs it hears what is wrong with it, not that it is not there."""
    path = written(tmp_path, GOOD + BAD["overlap"][0])
    database = Database([Bus("bus", (path,), 500_000, 500_000, {})], tolerant=True)
    with pytest.raises(ScenarioError, match='signals "S" and "T" are overlapping'):
        database.message("Bad")


def test_a_watch_reads_what_can_be_read_of_a_foreign_file() -> None:
    """A car's database with broken messages names the frames of all the others."""
    path = DATA / "tesla_model3" / "Model3CAN.dbc"
    watch = open_watch(spec.parse("virtual:foreign"), "classic", [path])
    try:
        theirs = cantools.database.load_file(path, strict=False).get_message_by_name("ID401CellVoltages")
        data = theirs.encode({"MultiplexSelector": 1, "StatusFlags": 0, "Cell3": 3.1, "Cell4": 3.2, "Cell5": 3.3}, strict=False)
        assert watch.books[0].note(Frame(0, 0x401, 0, data, 0))
        assert not watch.books[0].note(Frame(0, 0x5D5, 0, bytes(5), 0))  # its message was left out
        rows = {row.signal: row.value for row in watch.rows()}
        assert (3.1, 3.2, 3.3) == tuple(pytest.approx(rows[f"Cell{n}"], abs=1e-4) for n in (3, 4, 5))
    finally:
        watch.bus.close()


def test_pages_of_a_multiplexer_with_a_long_name_are_found() -> None:
    """Its signals name it by the short name; left so, a frame would read as if nothing were in it."""
    read = reading.read(DATA / "tesla_model3" / "Model3CAN.dbc")
    message = read.database.get_message_by_name("ID201VCFRONT_loggingAndVitals10Hz")
    assert 500 == message.decode(bytes([50 << 3 & 0xFF, 50 >> 5, 0, 0, 0, 0, 0, 0]))["VCFRONT_pumpBatteryRPMActual"]
