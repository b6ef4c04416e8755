"""What is wrong with a scenario is said at once: file, key path, expected, found, nearest; exit code 2.

Every case goes through the real command and compares all that it said, so that a problem is told once and none is made up.
Nothing is run and nothing is written as long as anything is wrong.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from command import changed, nabench, told, tree
from inputs import CELL, NETWORK, PACK, SCENARIO

KINDS = '"none", "current", "power", "resistance", "charger", "inverter", "profile", "recorded"'
UNIT = "write the number alone, in the unit that its key names"

# What was changed, and everything that is said about it, without the file.
SHAPES = {
    "a misspelt key at the top": ([("duration_s", "duratoin_s")], ['duratoin_s: unknown key; did you mean "duration_s"?']),
    "a misspelt key below": ([("soc = 0.6", "socc = 0.6")], ['initial.socc: unknown key; did you mean "soc"?']),
    "a misspelt key in a row": ([("mode =", "mod =")], ['request[0].mod: unknown key; did you mean "mode"?']),
    "a misspelt key in a union": (
        [('kind = "current"\ncurrent_A', 'kind = "current"\ncurent_A'), ("from_s = 3.0", "fromm_s = 3.0")],
        [
            'load[0].curent_A: unknown key; did you mean "current_A"?',
            'expect[1].fromm_s: unknown key; did you mean "from_s"?',
        ],
    ),
    "a key in another unit": ([("at_s = 0.5", "at_ms = 500")], ['request[0].at_ms: unknown key; did you mean "at_s"?']),
    "a unit behind the number": (
        [("at_s = 0.5", 'at_s = "500 ms"')],
        [f'request[0].at_s: expected a number, found "500 ms"; {UNIT}'],
    ),
    "wrong types": (
        [
            ("duration_s = 10.0", 'duration_s = "long"'),
            ("soc = 0.6", "soc = true"),
            ("at_s = 3.0", "at_s = [3.0]"),
            ("tick_ms = 10", "tick_ms = 2.5"),
        ],
        [
            'duration_s: expected a number, found "long"',
            "tick_ms: expected a whole number, found 2.5",
            "initial.soc: expected a number, found true",
            "load[0].at_s: expected a number, found [3.0]",
        ],
    ),
    "a value of two possible types": (
        [('is = "run"', "is = [1]")],
        ["expect[0].is: expected a number or text in quotes, found [1]"],
    ),
    "a date": ([("duration_s = 10.0", "duration_s = 2024-01-01")], ["duration_s: expected a number, found 2024-01-01"]),
    "a table for a number": ([("seed = 1", "seed = { is = 1 }")], ["seed: expected a whole number, found a table"]),
    "NaN and infinity": (
        [("duration_s = 10.0", "duration_s = nan"), ("soc = 0.6", "soc = inf"), ("value_V = 4.25", "value_V = -inf")],
        [
            "duration_s: expected a finite number, found nan",
            "initial.soc: expected a finite number, found inf",
            "fault[0].with.value_V: expected a finite number, found -inf",
        ],
    ),
    "a duration of nothing": ([("duration_s = 10.0", "duration_s = 0")], ["duration_s: expected more than 0, found 0"]),
    "an endless duration": (
        [("duration_s = 10.0", "duration_s = 1e12")],
        ["duration_s: expected 1e+07 or less, found 1000000000000.0"],
    ),
    "a duration below a tick": (
        [("duration_s = 10.0", "duration_s = 0.004")],
        ["duration_s 0.004 is less than a tick of 10 ms"],
    ),
    "no tick": ([("tick_ms = 10", "tick_ms = 0")], ["tick_ms: expected 1 or more, found 0"]),
    "a negative seed": ([("seed = 1", "seed = -1")], ["seed: expected 0 or more, found -1"]),
    "a huge seed": (
        [("seed = 1", "seed = 99999999999999999999")],
        ["seed: expected 9007199254740992 or less, found 99999999999999999999"],
    ),
    "an unknown kind": (
        [('kind = "current"', 'kind = "curent"')],
        [f'load[0].kind: found "curent"; expected one of {KINDS}; did you mean "current"?'],
    ),
    "a kind that is missing": ([('kind = "current"\n', "")], [f"load[0].kind: this key is missing; expected one of {KINDS}"]),
    "an unknown word": (
        [('mode = "drive"', 'mode = "Drive"')],
        ['request[0].mode: found "Drive"; expected one of "standby", "drive", "charge"; did you mean "drive"?'],
    ),
    "another format": ([("format = 1", "format = 2")], ["format: expected 1, found 2"]),
    "a name that would leave its folder": (
        [('name = "bad"', 'name = "../bad"')],
        ['name: expected text that matches ^[a-z0-9][a-z0-9-]*$, found "../bad"'],
    ),
    "times in the wrong order": (
        [("from_s = 3.0", "from_s = 7.0"), ("[[load]]", '[[request]]\nat_s = 0.4\nmode = "charge"\n\n[[load]]')],
        ["request[1].at_s 0.4 must lie after that of request[0], 0.5", "expect[1].to_s 6 must lie after from_s 7"],
    ),
    "times behind the end": (
        [
            ("at_s = 0.5", "at_s = 50.0"),
            ("at_s = 3.0", "at_s = 30.0"),
            ("start_s = 6.0", "start_s = 60.0"),
            ("to_s = 6.0", "to_s = 16.0"),
        ],
        [
            "request[0].at_s 50 lies behind the end of the run, 10",
            "load[0].at_s 30 lies behind the end of the run, 10",
            "fault[0].start_s 60 lies behind the end of the run, 10",
            "expect[1].to_s 16 lies behind the end of the run, 10",
        ],
    ),
    "one condition too many": (
        [('is = "run"', 'is = "run"\nabove = 1.0')],
        ['expect[0]: either "is" or "above" and "below"; expected not both'],
    ),
    "no condition": ([('is = "run"\n', "")], ['expect[0]: needs a condition: "is", "above" or "below"']),
    "a condition that nothing fulfils": (
        [('is = "run"', "above = 5.0\nbelow = 1.0")],
        ["expect[0]: above 5 must be less than below 1"],
    ),
    "a window that runs backwards": (
        [('SR-CELL-OV"', 'SR-CELL-OV"\nfdti_ms = [500.0, 450.0]')],
        ["expect[2].fdti_ms: runs backwards: 500 to 450"],
    ),
    "two faults of one name": (
        [
            (
                "[[expect]]",
                '[[fault]]\nfault = "cell_reads"\ntarget = "cell[6]"\nstart_s = 7.0\nwith = { value_V = 4.0 }\n\n[[expect]]',
            )
        ],
        ['fault[1]: "cell_reads" is the name of fault[0] too; give one of them a name'],
    ),
    "a recorded load without a recording": (
        [('kind = "current"\ncurrent_A = 2.0', 'kind = "recorded"')],
        ['load[0].kind "recorded" needs a [recording]'],
    ),
}
REFERENCES = {
    "a pack that is not shipped": (
        [('"nfm-16s"', '"nfm-16"')],
        ['pack "nfm-16" is neither shipped nor a path; did you mean "nfm-16s"?'],
    ),
    "a cell that does not exist": (
        [("cell[5]", "cell[17]")],
        ['fault[0].target "cell[17]" does not exist; this pack has cell[0] to cell[15]'],
    ),
    "an unknown fault": (
        [("cell_reads", "cell_read")],
        ['fault[0].fault "cell_read" is not in the catalogue; did you mean "cell_reads"?'],
    ),
    "a signal that does not exist": (
        [("BMS_State", "BMS_Stat")],
        ['expect[0].signal "BMS_Stat" is not sent by the device; did you mean "BMS_State"?'],
    ),
    "a value that the signal has not": (
        [('is = "run"', 'is = "runn"')],
        ['expect[0].is "runn" is not a value of BMS_State; did you mean "run"?'],
    ),
    "a requirement that does not exist": (
        [("SR-QUIET", "SR-QUIT")],
        ['expect[1].requirement "SR-QUIT" is not in reference.toml; did you mean "SR-QUIET"?'],
    ),
    "a code that does not exist": (
        [("to_s = 6.0", 'to_s = 6.0\nallow = ["CellOvervoltageMs"]')],
        ['expect[1].allow[0] "CellOvervoltageMs" is not a diagnosis flag; did you mean "CellOvervoltageMsl"?'],
    ),
    "a window wider than the requirement's": (
        [('SR-CELL-OV"', 'SR-CELL-OV"\nfhti_ms = 9e9')],
        ["expect[2].fhti_ms 9e+09 is looser than the requirement's 750; it may only be tighter"],
    ),
    "a cell that is not expected to exist": (
        [('kind = "reaction"\nrequirement = "SR-CELL-OV"', 'kind = "soc"\ncell = 16\nrequirement = "SR-SOC"')],
        ["expect[2].cell 16 does not exist; this pack has cell 0 to 15"],
    ),
    "a requirement without the figure": (
        [('kind = "reaction"', 'kind = "soc"')],
        ['expect[2].requirement "SR-CELL-OV" has no limits.max_error, which kind "soc" needs'],
    ),
    "files that are not there": (
        [('pack = "nfm-16s"', 'pack = "nfm-16s"\ncalibration = "nfm"\nnetwork = "clasic"\nrequirements = "my/own.toml"')],
        [
            'requirements file "my/own.toml" does not exist (looked at {folder}/my/own.toml)',
            'calibration "nfm" is neither shipped nor a path; did you mean "nfm-16s"?',
            'network "clasic" is neither shipped nor a path; did you mean "classic"?',
        ],
    ),
    "a missing file, and all that can be known without it": (
        [
            ('pack = "nfm-16s"', 'pack = "nfm-16s"\nrequirements = "nowhere.toml"'),
            ("cell[5]", "cell[16]"),
            ("BMS_State", "BMS_Stat"),
            ('kind = "current"\ncurrent_A = 2.0', 'kind = "profile"\nfile = "wltp.csv"\npeak_W = 100.0'),
        ],
        [
            'requirements file "nowhere.toml" does not exist (looked at {folder}/nowhere.toml)',
            'load[0].file "wltp.csv" does not exist (looked at {folder}/wltp.csv)',
            'expect[0].signal "BMS_Stat" is not sent by the device; did you mean "BMS_State"?',
            'fault[0].target "cell[16]" does not exist; this pack has cell[0] to cell[15]',
        ],
    ),
    "a run that no memory holds": (
        [("duration_s = 10.0", "duration_s = 1e7")],
        ["duration_s 1e+07 at tick_ms 10 makes a trace of about 927 GB; expected at most 4 GB, 46346 s"],
    ),
}

# Everything that is wrong once the shape is right, in one round.
TYPOS = [
    ("tick_ms = 10", "tick_ms = 0"),
    ("soc = 0.6", "soc = 1.6"),
    ("[[load]]", '[[request]]\nat_s = 0.4\nmode = "charge"\n\n[[load]]'),
    ("current_A = 2.0", "current_A = 9999.0"),
    ("cell_reads", "cell_read"),
    (
        "[[expect]]",
        (
            '[[fault]]\nfault = "cell_reads"\nname = "two"\ntarget = "cell[999]"\nstart_s = 7.0\nstop_s = 6.5\n'
            "with = { value_V = 999.0, valu_V = 4.0 }\n\n[[expect]]"
        ),
    ),
    ('mode = "once"', 'mode = "once"\nabove = 3.0'),
    ("BMS_State", "BMS_Stat"),
    ("to_s = 6.0", 'to_s = 2.0\nallow = ["CellOvervoltageMs"]'),
    ("SR-QUIET", "SR-QUIT"),
    ('SR-CELL-OV"', 'SR-CELL-OV"\nfdti_ms = [500.0, 450.0]\nfault = "cell_read"\nfhti_ms = 900.0'),
]
TOLD = [
    "tick_ms: expected 1 or more, found 0",
    "initial.soc: expected 1 or less, found 1.6",
    "request[1].at_s 0.4 must lie after that of request[0], 0.5",
    "load[0].current_A: expected 5000 or less, found 9999.0",
    'fault[0].fault "cell_read" is not in the catalogue; did you mean "cell_reads"?',
    'fault[1].with.valu_V is not a parameter of fault "cell_reads"; did you mean "value_V"?',
    "fault[1].with.value_V is 999; expected -100 to 100",
    "fault[1].stop_s 6.5 must lie after start_s 7",
    'expect[0]: either "is" or "above" and "below"; expected not both',
    "expect[1].to_s 2 must lie after from_s 3",
    'expect[1].requirement "SR-QUIT" is not in reference.toml; did you mean "SR-QUIET"?',
    "expect[2].fdti_ms: runs backwards: 500 to 450",
    "expect[2].fhti_ms 900 is looser than the requirement's 750; it may only be tighter",
    (
        'expect[2].fault: requirement "SR-CELL-OV" has a trigger of its own, which starts the clock; '
        "leave fault out, and use from_s where an earlier hazard should not count"
    ),
]
SENT = [
    'expect[0].signal "BMS_Stat" is not sent by the device; did you mean "BMS_State"?',
    'expect[1].allow[0] "CellOvervoltageMs" is not a diagnosis flag; did you mean "CellOvervoltageMsl"?',
]
ROUNDS = {
    "with its pack": ([], [*SENT, 'fault[1].target "cell[999]" does not exist; this pack has cell[0] to cell[15]']),
    "without its pack": (
        [('"nfm-16s"', '"nfm-16"')],
        [
            *SENT,
            'pack "nfm-16" is neither shipped nor a path; did you mean "nfm-16s"?',
            'fault[1].target "cell[999]" does not exist; this pack has cell[0] to cell[191]',
        ],
    ),
    "without its network": (
        [('"nfm-16s"', '"nfm-16s"\nnetwork = "clasic"')],
        ['network "clasic" is neither shipped nor a path; did you mean "classic"?'],
    ),
}


@pytest.mark.parametrize("what", ROUNDS)
def test_all_that_is_wrong_with_a_scenario_of_the_right_shape_is_said_in_one_round(tmp_path: Path, what: str) -> None:
    """Ranges, order, files, targets, signals, requirements, faults and their parameters; no value of ours is complained of."""
    pairs, sentences = ROUNDS[what]
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, *TYPOS, *pairs))
    assert told(path, [*TOLD, *sentences]) == sorted(nabench("check", path).problems)


@pytest.mark.parametrize("what", SHAPES)
def test_a_scenario_of_the_wrong_shape_says_so(tmp_path: Path, what: str) -> None:
    """Keys, types, ranges and order within the file: every problem once."""
    pairs, sentences = SHAPES[what]
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, *pairs))
    ran = nabench("check", path)
    assert (2, "") == (ran.code, ran.out)
    assert told(path, sentences) == sorted(ran.problems)


@pytest.mark.parametrize("what", REFERENCES)
def test_a_scenario_that_names_what_is_not_there_is_not_run(tmp_path: Path, what: str) -> None:
    """Files, cells, signals, requirements: every problem once, and no run folder, not even half of one."""
    pairs, sentences = REFERENCES[what]
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, *pairs))
    ran = nabench("run", path, "--out", tmp_path / "runs")
    assert (2, "") == (ran.code, ran.out)
    assert told(path, sentences) == sorted(ran.problems)
    assert {path.name} == tree(tmp_path)


def test_the_scenario_that_all_these_spoil_is_right(tmp_path: Path) -> None:
    """Without a change it passes."""
    path = tmp_path / "bad.scenario.toml"
    path.write_text(SCENARIO)
    assert (0, f'{path}: ok, scenario "bad": 10 s, 1 faults, 3 expectations\n', "") == nabench("check", path)


def test_a_chain_of_files_names_each_link(tmp_path: Path) -> None:
    """What is wrong with the cell of the pack of a scenario is said of the cell, and by whom it is used."""
    (tmp_path / "cell.toml").write_text(changed(CELL, ("charge_max_V = 4.1", "charge_max_V = 9.0")))
    (tmp_path / "pack.toml").write_text(changed(PACK, ('cell = "nfm-18650"', 'cell = "cell.toml"')))
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, ('pack = "nfm-16s"', 'pack = "pack.toml"')))
    sentence = "limits.charge_max_V: expected 6 or less, found 9.0"
    assert [f"{tmp_path / 'pack.toml'}: cell: {tmp_path / 'cell.toml'}: {sentence}"] == nabench("check", path).problems


def test_files_that_name_each_other_end(tmp_path: Path) -> None:
    """A scenario whose pack is the scenario itself, a network whose mapping is the network: one sentence each."""
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, ('pack = "nfm-16s"', 'pack = "bad.scenario.toml"')))
    assert [f"{path}: this is a scenario file; expected a pack file"] == nabench("check", path).problems
    net = tmp_path / "own.toml"
    net.write_text(changed(NETWORK, ("[[bus]]", 'mapping = "own.toml"\n\n[[bus]]')))
    assert [f"{net}: this is a network file; expected a mapping file"] == nabench("check", net).problems


def test_of_very_many_problems_the_first_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    """Ten thousand unknown keys do not fill the screen."""
    path = tmp_path / "bad.scenario.toml"
    path.write_text("\n".join(f"a{n} = 1" for n in range(10_000)) + f"\n{SCENARIO}")
    problems = nabench("check", path).problems
    assert 51 == len(problems)
    assert f"{path}: and 9950 problems more" == problems[-1]


def test_many_rows_of_one_fault_are_counted_too(tmp_path: Path) -> None:
    """What our own rules find is cut in the same way, and so is what only the whole scenario shows."""
    path = tmp_path / "bad.scenario.toml"
    row = '\n[[fault]]\nname = "{}"\nfault = "x"\nstart_s = 1.0\n'
    path.write_text(SCENARIO + row.format("same").replace('"x"', '"reset"') * 60)
    assert (51, f"{path}: and 9 problems more") == (len(nabench("check", path).problems), nabench("check", path).problems[-1])
    path.write_text(SCENARIO + "".join(row.format(n) for n in range(150)))
    assert (101, "and 50 problems more") == (len(nabench("check", path).problems), nabench("check", path).problems[-1])


def test_a_hostile_name_does_not_reach_the_terminal(tmp_path: Path) -> None:
    """Control characters of a file are spelled out, and what is endless is cut."""
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, ("seed = 1", '"\\u001b[2J" = 1\n' + f'"{"x" * 5000}" = 1')))
    ran = nabench("check", path)
    assert ran.problems[0].startswith(f'{path}: "\\u001b[2J": unknown key')
    assert all(line.isprintable() and len(line) < 2100 for line in ran.err.splitlines())
