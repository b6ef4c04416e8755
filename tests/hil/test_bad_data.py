"""Data files that are broken, hostile or of the wrong kind: recordings, profiles, databases, and anything instead of a file.

They are read in bounded room and time, and what is wrong is said by the real command, with the line where there is one.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command import changed, nabench, tree
from inputs import SCENARIO

from hil import files

ROWS = [f"{n},3.{n % 10},0.5" for n in range(60)]
RECORDING = """
[recording]
file = "data.csv"
source = "a test"
time = { column = "t" }
voltage = { column = "u" }
current = { column = "i", positive = "charge" }
temperature_degC = 23.0
start_s = 1.0
full_V = 4.1
empty_V = 1.5
discharge_uncertainty = 0.005
charge_uncertainty = 0.01

[[load]]
at_s = 4.0
kind = "recorded"
"""
PROFILE = changed(SCENARIO, ('kind = "current"\ncurrent_A = 2.0', 'kind = "profile"\nfile = "data.csv"\npeak_W = 100.0'))


def rows(*pairs: tuple[int, str], head: str = "t,u,i") -> bytes:
    """A recording with some lines, counted from 1, replaced."""
    lines = [head, *ROWS]
    for number, line in pairs:
        lines[number - 1] = line
    return "\n".join(lines).encode() + b"\n"


PACKED = gzip.compress(rows())
# Name of the file, its bytes, and everything that is said; {data} and {scenario} stand for the paths.
RECORDINGS = {
    "empty": ("data.csv", b"", ["{data}: the file is empty; expected a header and rows of numbers"]),
    "only a header": ("data.csv", b"t,u,i\n", ["{data}: there is only a header; expected rows of numbers"]),
    "no header": (
        "data.csv",
        rows(head="-1,3.0,0.0"),
        ["{data}: line 1 holds numbers; expected a header with the names of the columns"],
    ),
    "a missing column": (
        "data.csv",
        rows(head="t,v,i"),
        ['{scenario}: recording.voltage.column "u" is not a column of {data}; valid: i, t, v'],
    ),
    "a column twice": (
        "data.csv",
        rows(head="t,u,u"),
        ['{scenario}: recording.current.column "i" is not a column of {data}; valid: t, u', '{data}: 2 columns are called "u"'],
    ),
    "semicolons": (
        "data.csv",
        rows().replace(b",", b";"),
        ['{data}: line 1 has one column, "t;u;i"; expected commas between columns'],
    ),
    "text among numbers": (
        "data.csv",
        rows((12, "10,abc,0.5"), (20, "18,def,x")),
        [
            '{data}: line 12, column "u": expected a number, found "abc", and so in 1 more lines',
            '{data}: line 20, column "i": expected a number, found "x"',
        ],
    ),
    "a short row": ("data.csv", rows((12, "10,3.0")), ['{data}: line 12, column "i": expected a number, found nothing']),
    "a comment": (
        "data.csv",
        rows((12, "# pause")),
        [
            '{data}: line 12, column "t": expected a number, found "# pause"',
            '{data}: line 12, column "u": expected a number, found nothing',
            '{data}: line 12, column "i": expected a number, found nothing',
        ],
    ),
    "NaN behind a blank line": (
        "data.csv",
        rows((12, ""), (20, "18,nan,0.5"), (21, "19,3.0,inf")),
        [
            '{data}: line 20, column "u": expected a finite number, found nan',
            '{data}: line 21, column "i": expected a finite number, found inf',
        ],
    ),
    "time that runs backwards": (
        "data.csv",
        rows((12, "5,3.0,0.5")),
        ['{data}: line 12, column "t": 5 must lie after 9 in the row before'],
    ),
    "another unit": (
        "data.csv",
        b"t,u,i\n" + b"".join(b"%d,3100,0.5\n" % n for n in range(60)),
        ["{data}: the voltage runs from 3100 to 3100 V; expected one cell, -0.5 to 6 V; check recording.voltage.scale"],
    ),
    "a few rows": ("data.csv", b"\n".join(rows().splitlines()[:5]), ["{data}: 4 rows; expected at least 10"]),
    "another alphabet": (
        "data.csv",
        rows((12, "10,3.0,0.5")).replace(b"10,3.0", b"10,\xe9"),
        ["{data}: line 12 is not UTF-8; save the file as UTF-8"],
    ),
    "line ends of another age": (
        "data.csv",
        rows().replace(b"\n", b"\r"),
        ["{data}: line 1 is not the header of a CSV file; expected names, commas and line feeds"],
    ),
    "a line without end": (
        "data.csv",
        b"t,u,i" + b"x" * 100_000,
        ["{data}: line 1 has more than 65536 bytes; expected a row of a CSV file"],
    ),
    "not packed": ("data.csv.gz", rows(), ["{data}: cannot be read: Not a gzipped file (b't,')"]),
    "packed and cut": (
        "data.csv.gz",
        PACKED[:-20],
        ["{data}: cannot be read: Compressed file ended before the end-of-stream marker was reached"],
    ),
    "packed and garbled": (
        "data.csv.gz",
        PACKED[:40] + b"\xff" * 20 + PACKED[60:],
        ["{data}: cannot be read: Error -3 while decompressing data: invalid distance too far back"],
    ),
}
PROFILES = {
    "empty": (b"", "the file is empty; expected a header and rows of numbers"),
    "only a header": (b"t,w\n", "there is only a header; expected rows of numbers"),
    "one column": (b"t\n1\n2\n", 'expected a header with two columns, time [s] and power [W]; found only "t"'),
    "text": (b"t,w\n0,1\n1,ten\n", 'line 3, column "w": expected a number, found "ten"'),
    "NaN": (b"t,w\n0,1\n1,nan\n", 'line 3, column "w": expected a finite number, found nan'),
    "time that stands still": (b"t,w\n0,1\n0,2\n", 'line 3, column "t": 0 must lie after 0 in the row before'),
    "no power": (b"t,w\n0,0\n1,0\n", "the power is 0 throughout; expected a profile"),
}


@pytest.mark.parametrize("what", RECORDINGS)
def test_a_recording_that_is_wrong_is_not_played(tmp_path: Path, what: str) -> None:
    """The file and the line, or the key path of the scenario that asks for what is not in it."""
    name, raw, sentences = RECORDINGS[what]
    data, path = tmp_path / name, tmp_path / "bad.scenario.toml"
    data.write_bytes(raw)
    path.write_text(changed(SCENARIO + RECORDING, ("data.csv", name)))
    ran = nabench("check", path)
    assert (2, "") == (ran.code, ran.out)
    wanted = [text.replace("{data}", str(data)).replace("{scenario}", str(path)) for text in sentences]
    said = [re.sub("invalid distances? .*", "invalid distance too far back", problem) for problem in ran.problems]
    assert sorted(wanted) == sorted(said)


@pytest.mark.parametrize("what", PROFILES)
def test_a_profile_that_is_wrong_is_not_driven(tmp_path: Path, what: str) -> None:
    """As with recordings."""
    raw, sentence = PROFILES[what]
    data, path = tmp_path / "data.csv", tmp_path / "bad.scenario.toml"
    data.write_bytes(raw)
    path.write_text(PROFILE)
    assert (2, [f"{data}: {sentence}"]) == (nabench("check", path).code, nabench("check", path).problems)


def test_a_profile_may_be_packed_and_is_not_begun_behind_its_end(tmp_path: Path) -> None:
    """As a recording; skip_s lies within."""
    path = tmp_path / "bad.scenario.toml"
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(b"t,w\n0,1\n9,5\n"))
    packed = changed(PROFILE, ("data.csv", "data.csv.gz"))
    path.write_text(packed)
    assert 0 == nabench("check", path).code
    path.write_text(changed(packed, ("peak_W = 100.0", "peak_W = 100.0\nskip_s = 9.5")))
    assert [f"{path}: load[0].skip_s 9.5 lies behind the end of the profile, 9"] == nabench("check", path).problems


# ---- databases

BMS = (files.dbc_folder() / "bms.dbc").read_text(encoding="cp1252")
OWN = """\
format = 1
title = "own"

[[bus]]
name = "pack"
bitrate = 500_000
dbc = ["monitor.dbc", "shunt.dbc", "pack_io.dbc", "vehicle.dbc", "own.dbc"]
"""
SMALL = 'BO_ {id} {name}: 8 A\n SG_ {name}_x : 0|8@1+ (1,0) [0|255] "" BMS\n'
DATABASES = {
    "empty": ("", ["{dbc}: not a CAN database: it holds no message"]),
    "no database": ("hello\n", ['{dbc}: not a usable DBC file: DBC: "Invalid syntax at line 1, column 1: ">>!<<hello""']),
    "cut short": (
        BMS[: BMS.index("SG_ BMS_FaultCode") + 20],
        ["{dbc}: not a usable DBC file: it ends in the middle of a statement; was it cut short?"],
    ),
    "without a signal that is needed": (
        BMS.replace("BMS_PrechargeCommand", "BMS_PreCommand"),
        ['{all}: there is no signal "BMS_PrechargeCommand", which the device must send; did you mean "BMS_PreCommand"?'],
    ),
    "without the codes": (
        re.sub(r"VAL_ \d+ BMS_FaultCode.*\n", "", BMS),
        ['{all}: signal "BMS_FaultCode" has no table of values; expected a number for each code'],
    ),
    "another node": (
        re.sub(r"\bBMS\b", "BMU", BMS),
        ['{net}: the databases need messages sent by node "BMS" and by others; did you mean "BMU"?'],
    ),
    "an id of another database": (
        BMS
        + SMALL.format(
            id=int(re.findall(r"^BO_ (\d+)", (files.dbc_folder() / "shunt.dbc").read_text("cp1252"), re.MULTILINE)[0]),
            name="Other",
        ),
        ['{dbc}: message "Other" has the id 0x30 of "Shunt_Values"; ids on a bus must differ'],
    ),
    "a scale of nothing": (
        BMS.replace("(1,0)", "(0,0)", 1),
        ['{dbc}: line 9: message "BMS_Contactors" signal "BMS_Contactors_Crc" has scale 0'],
    ),
    "a scale without end": (
        BMS.replace("(1,0)", "(1e999,0)", 1),
        ['{dbc}: line 9: message "BMS_Contactors" signal "BMS_Contactors_Crc" has scale 1e999; expected a finite number'],
    ),
    "a signal of too many bits": (
        BMS.replace("BMS_FaultCode : 16|8@", "BMS_FaultCode : 16|4294967295@"),
        ['{dbc}: line 16: message "BMS_Status" signal "BMS_FaultCode" has 4294967295 bits; expected 1 to 64'],
    ),
    "a range that no raw value meets": (
        BMS.replace("(1,0) [0|1]", "(1,99999999999999999999) [0|1]", 1),
        ['{all}: signal "BMS_MainPlusCommand": no raw value of it lies in its range [0|1]'],
    ),
    "a range without end": (
        BMS.replace("[0|255]", "[0|1e999]", 1),
        ['{dbc}: line 9: message "BMS_Contactors" signal "BMS_Contactors_Crc" has maximum 1e999; expected a finite number'],
    ),
}


@pytest.mark.parametrize("what", DATABASES)
def test_a_database_that_is_wrong_is_not_spoken(tmp_path: Path, what: str) -> None:
    """Through the scenario that uses it, so that signals it lacks are missed."""
    text, sentences = DATABASES[what]
    dbc, net, path = (tmp_path / name for name in ("own.dbc", "own.network.toml", "bad.scenario.toml"))
    dbc.write_text(text, encoding="cp1252")
    net.write_text(OWN)
    path.write_text(changed(SCENARIO, ('pack = "nfm-16s"', 'pack = "nfm-16s"\nnetwork = "own.network.toml"')))
    ran = nabench("check", path)
    assert (2, "") == (ran.code, ran.out)
    names = {"{dbc}": str(dbc), "{net}": str(net), "{all}": "monitor.dbc, shunt.dbc, pack_io.dbc, vehicle.dbc, own.dbc"}
    assert [re.sub(r"\{\w+\}", lambda m: names[m[0]], sentence) for sentence in sentences] == ran.problems


def test_a_name_twice_in_a_database_is_told_once(tmp_path: Path) -> None:
    """The parser behind it keeps its own warning to itself."""
    path = tmp_path / "own.dbc"
    path.write_text(SMALL.format(id=1, name="A") + SMALL.format(id=2, name="A").replace("A_x", "B_x"))
    assert (
        f'error: {path}: line 1: message "A" is defined twice in this file, with 2 definitions\n' == nabench("check", path).err
    )


def test_a_database_of_endless_pages_ends_soon(tmp_path: Path) -> None:
    """Thousands of pages of a message would each be compiled against all others."""
    pages = "".join(f' SG_ s{n} m{n} : 16|8@1+ (1,0) [0|1] "" X\n' for n in range(1025))
    path = tmp_path / "own.dbc"
    path.write_text(f'BO_ 1 M: 8 BMS\n SG_ p M : 0|16@1+ (1,0) [0|1] "" X\n{pages}')
    ran = nabench("check", path)
    assert (0, '  not for a bench: message "M" has more than 1024 pages; expected at most that') == (
        ran.code,
        ran.out.splitlines()[1],
    )


# ---- anything instead of a file

# The command, which says at its end how much room it took. Not ru_maxrss, which begins with that of the parent.
MEASURED = """
import sys
from pathlib import Path
from hil.cli import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""
NO_TOML = {
    "empty": (b"", "the file is empty"),
    "broken": (
        b'format = 1\n[initial\nname = "x"\n',
        "not valid TOML: Expected ']' at the end of a table declaration (at line 2, column 9)",
    ),
    "a key twice": (b"format = 1\nformat = 1\n", "not valid TOML: Cannot overwrite a value (at line 2, column 11)"),
    "another alphabet": (b'format = 1\nname = "caf\xe9"\n', "byte 22 is not UTF-8; save the file as UTF-8"),
    "another word size": ("format = 1\n".encode("utf-16"), "byte 0 is not UTF-8; save the file as UTF-8"),
    "nested lists": (b"a = " + b"[" * 100_000 + b"]" * 100_000, "brackets are nested deeper than 20"),
    "nested tables": (b"a = " + b"{a = " * 500, "brackets are nested deeper than 20"),
    "a key of many parts": (b".".join([b"a"] * 50_000) + b" = 1", "a key has more than 20 parts"),
    "a number without end": (b"a = " + b"9" * 100_000, "not valid TOML: a number has too many digits"),
    "two megabytes": (b"# " + b"x" * (2 << 20), "the file has more than 1 MiB; expected at most that"),
}


@pytest.mark.parametrize("what", NO_TOML)
def test_what_is_no_toml_is_said_with_its_line(tmp_path: Path, what: str) -> None:
    """One sentence, before anything is believed of it."""
    raw, sentence = NO_TOML[what]
    path = tmp_path / "bad.scenario.toml"
    path.write_bytes(raw)
    ran = nabench("run", path, "--out", tmp_path / "runs")
    assert (2, "", [f"{path}: {sentence}"]) == (ran.code, ran.out, ran.problems)
    assert {path.name} == tree(tmp_path)


def test_a_mark_that_an_editor_left_at_the_start_is_overlooked(tmp_path: Path) -> None:
    """Windows editors write a byte order mark, and end lines with two characters."""
    path = tmp_path / "bad.scenario.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SCENARIO.replace("\n", "\r\n").encode())
    assert (0, "") == (nabench("check", path).code, nabench("check", path).err)


def test_what_is_not_a_file_is_called_what_it_is(tmp_path: Path) -> None:
    """A folder, a pipe, a loop of links, a name that nothing can have, nothing at all, and an unreadable file."""
    pipe, loop, near = tmp_path / "pipe.toml", tmp_path / "loop.toml", tmp_path / "truck.scenario.toml"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    near.write_text(SCENARIO)
    unreadable = tmp_path / "unreadable.toml"
    unreadable.symlink_to("/proc/self/mem")
    said = {
        tmp_path: "is a folder; expected a file",
        pipe: "is not a regular file",
        loop: "cannot be read: Too many levels of symbolic links",
        unreadable: "cannot be read: Input/output error",
        tmp_path / f"{'a' * 300}.toml": "cannot be read: File name too long",
        tmp_path / "truck.scenaro.toml": 'does not exist; did you mean "truck.scenario.toml"?',
        tmp_path / "truck.yaml": "does not exist",
    }
    ran = nabench("check", *said)
    assert (2, "") == (ran.code, ran.out)
    assert [f"{path}: {sentence}" for path, sentence in said.items()] == ran.problems


def test_files_in_the_place_of_others_are_refused(tmp_path: Path) -> None:
    """A folder where the scenario names a recording, a pack or a database."""
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO + RECORDING, ("data.csv", "../"), ('pack = "nfm-16s"', 'pack = "./"')))
    sentence = f'"./" is a folder; expected a file (looked at {tmp_path})'
    assert [
        f"{path}: pack file {sentence}",
        f'{path}: recording.file "../" is a folder; expected a file (looked at {tmp_path}/..)',
    ] == nabench("check", path).problems


@pytest.mark.parametrize("name", ["large.scenario.toml", "large.dbc", "data.csv", "data.csv.gz"])
def test_large_files_take_little_room_and_time(tmp_path: Path, name: str) -> None:
    """100 MB of zeros, or what unpacks to them: refused by a process that never needs 300 MB."""
    large, path = tmp_path / name, tmp_path / "bad.scenario.toml"
    if name.endswith(".gz"):
        with gzip.open(large, "wb", compresslevel=1) as file:
            for _ in range(100):
                file.write(b"0" * 1_000_000)
    else:
        with large.open("wb") as file:
            file.truncate(100_000_000)
    path.write_text(changed(SCENARIO + RECORDING, ("data.csv", name)))
    what = path if name.startswith("data") else large
    call = [sys.executable, "-c", MEASURED, "check", str(what)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=60)
    problem, peak_KiB = done.stderr.splitlines()
    assert (2, "") == (done.returncode, done.stdout)
    assert problem.startswith(f"error: {large}: ")
    assert 300_000 > int(peak_KiB)
