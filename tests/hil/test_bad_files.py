"""What is wrong with a pack, cell, calibration, requirements, network or mapping file is said at once, by the real command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import changed, nabench, told
from inputs import CALIBRATION, CELL, MAPPING, NETWORK, PACK, REQUIREMENTS, SCENARIO

from hil import files

FIRST_LIMIT = 'code = "CellOvervoltageMsl"\nquantity = "cell_V_max"\nabove = 4.2\n'
OTHERS = {
    "pack: no cell": (PACK, [("series = 16", "series = 0")], ["series: expected 1 or more, found 0"]),
    "pack: ten thousand cells": (PACK, [("series = 16", "series = 10_000")], ["series: expected 192 or less, found 10000"]),
    "pack: more cells than the wire carries": (
        PACK,
        [("series = 16", "series = 100\nstrings = 2")],
        ["strings 2 times series 100 are 200 cells; the wire carries at most 192"],
    ),
    "pack: sensors beside the cells": (
        PACK,
        [("[0, 3, 6, 9, 12, 15]", "[0, 16, 17]")],
        [
            "ntc_cells[1] 16 does not exist; this pack has cell 0 to 15",
            "ntc_cells[2] 17 does not exist; this pack has cell 0 to 15",
        ],
    ),
    "pack: no sensor": (PACK, [("[0, 3, 6, 9, 12, 15]", "[]")], ["ntc_cells: expected 1 or more entries, found []"]),
    "pack: files that are not shipped": (
        PACK,
        [('cell = "nfm-18650"', 'cell = "nfm-1865"'), ('calibration = "nfm-16s"', 'calibration = "nfm-17s"')],
        [
            'cell "nfm-1865" is neither shipped nor a path; did you mean "nfm-18650"?',
            'calibration "nfm-17s" is neither shipped nor a path; did you mean "nfm-16s"?',
        ],
    ),
    "pack: ranges, sensors and files at once": (
        PACK,
        [
            ("[0, 3, 6, 9, 12, 15]", "[0, 16]"),
            ("close_ms = 20.0", "close_ms = 0.0"),
            ('cell = "nfm-18650"', 'cell = "nfm-1865"'),
        ],
        [
            "ntc_cells[1] 16 does not exist; this pack has cell 0 to 15",
            "contactors.close_ms: expected more than 0, found 0.0",
            'cell "nfm-1865" is neither shipped nor a path; did you mean "nfm-18650"?',
        ],
    ),
    "pack: its own cell": (PACK, [('cell = "nfm-18650"', 'cell = "file.toml"')], ["this is a pack file; expected a cell file"]),
    "pack: a table without a source": (re.sub(r"source = .*\n", "", PACK, count=1), [], ["spread.source: this key is missing"]),
    "pack: a contactor that never closes": (
        PACK,
        [("close_ms = 20.0", "close_ms = 1e300")],
        ["contactors.close_ms: expected 60000 or less, found 1e+300"],
    ),
    "cell: limits in the wrong order": (
        CELL,
        [("charge_max_V = 4.1", "charge_max_V = 4.3"), ("discharge_min_degC = -30.0", "discharge_min_degC = 70.0")],
        [
            "limits.charge_max_V 4.3 must lie below absolute_max_V 4.2",
            "limits.discharge_min_degC 70 must lie below discharge_max_degC 60",
        ],
    ),
    "cell: a key in another unit": (
        CELL,
        [("capacity_Ah = ", "capacity_mAh = ")],
        ['capacity_mAh: unknown key; did you mean "capacity_Ah"?'],
    ),
    "cell: a column that is too short": (
        CELL,
        [("[entropy]", "[entropy]\nsoc = [0.0, 1.0]\ndudt_mV_per_K = [0.1]\n[entropi]")],
        [
            'entropi: unknown key; did you mean "entropy"?',
            "entropy.confidence: this key is missing",
            "entropy.source: this key is missing",
        ],
    ),
    "calibration: tiers that do not widen": (
        CALIBRATION,
        [(FIRST_LIMIT, FIRST_LIMIT.replace("4.2", "4.06"))],
        [
            (
                'limit[2].above 4.06 of "CellOvervoltageMsl" (msl) lies inside that of limit[1] "CellOvervoltageRsl" (rsl)'
                ", 4.12; tiers must widen from mol to rsl to msl"
            )
        ],
    ),
    "calibration: an upper limit below the lower": (
        CALIBRATION,
        [("below = 1.8\n", "below = 4.06\n")],
        ['limit[0].above 4.05 of "CellOvervoltageMol" must lie above limit[4].below 4.06 of "CellUndervoltageMol"'],
    ),
    "calibration: a code twice": (
        CALIBRATION,
        [('code = "CellOvervoltageRsl"', 'code = "CellOvervoltageMol"')],
        ['limit[1].code "CellOvervoltageMol" is that of limit[0] too'],
    ),
    "calibration: an unknown quantity": (
        CALIBRATION,
        [('"cell_V_max"', '"cell_V_mx"')],
        ['limit[0].quantity "cell_V_mx" does not exist; did you mean "cell_V_max"?'],
    ),
    "calibration: two sides": (
        CALIBRATION,
        [("above = 4.2\n", "above = 4.2\nbelow = 1.0\n")],
        ['limit[2]: limit "CellOvervoltageMsl" needs exactly one of "above" and "below"'],
    ),
    "calibration: an unknown tier": (
        CALIBRATION,
        [('tier = "msl"', 'tier = "msk"')],
        ['limit[2].tier: found "msk"; expected one of "mol", "rsl", "msl"; did you mean "msl"?'],
    ),
    "calibration: a power that stops before it begins": (
        CALIBRATION,
        [("charge_max_V = 4.1\n", "charge_max_V = 1.1\n")],
        ["power.discharge_min_V 1.5 must lie below charge_max_V 1.1"],
    ),
    "calibration: no limit at all": (CALIBRATION.partition("[[limit]]")[0], [], ["limit: this key is missing"]),
    "requirements: a limit that no cell has": (
        REQUIREMENTS,
        [('"cell.absolute_max_V"', '"cell.absolut_max_V"')],
        ['requirement[0].trigger.above "cell.absolut_max_V" is not a limit of a cell; did you mean "cell.absolute_max_V"?'],
    ),
    "requirements: an id twice": (
        REQUIREMENTS,
        [('id = "SR-SOC"', 'id = "SR-CELL-OV"')],
        ['requirement[1].id "SR-CELL-OV" is that of requirement[0] too'],
    ),
    "requirements: a window that runs backwards": (
        REQUIREMENTS,
        [("fdti_ms = [450", "fdti_ms = [950")],
        ["requirement[0].fdti_ms: runs backwards: 950 to 550"],
    ),
    "requirements: a figure that nobody judges by": (
        REQUIREMENTS,
        [("max_error", "max_eror")],
        [
            (
                'requirement[1].limits.max_eror: found "max_eror"; expected one of "max_error", "rmse", "tries", "end_ms", '
                '"gap_ms"; did you mean "max_error"?'
            )
        ],
    ),
    "network: databases that are not there": (
        NETWORK,
        [('"monitor.dbc", "shunt.dbc"', '"monitr.dbc", "shnt.dbc"')],
        [
            'bus[0].dbc[0] "monitr.dbc" does not exist (looked at {folder}/monitr.dbc and {dbc}/monitr.dbc)',
            'bus[0].dbc[1] "shnt.dbc" does not exist (looked at {folder}/shnt.dbc and {dbc}/shnt.dbc)',
        ],
    ),
    "network: a database twice": (
        NETWORK,
        [('"shunt.dbc"', '"monitor.dbc"')],
        ['bus[0].dbc[1] "monitor.dbc" is listed twice in this network'],
    ),
    "network: the cycle of a message that does not exist": (
        NETWORK,
        [("bitrate = 500_000", "bitrate = 500_000\ncycle_ms = { CellVoltags = 10 }")],
        ['bus[0].cycle_ms.CellVoltags: there is no message "CellVoltags"; did you mean "CellVoltages"?'],
    ),
    "network: no bit rate": (
        NETWORK,
        [("bitrate = 500_000", "bitrate = 0")],
        ["bus[0].bitrate: expected 10000 or more, found 0"],
    ),
    "mapping: a role that does not exist": (
        MAPPING,
        [('role = "Shunt_Current"', 'role = "Shunt_Curent"')],
        ['signal[2].role "Shunt_Curent" is not a role; did you mean "Shunt_Current"?'],
    ),
    "mapping: a number of endless digits": (
        MAPPING,
        [("CellTemperature_{n:02}", "CellTemperature_{n:4294967295}")],
        ['signal[1].role "CellTemperature_{n:4294967295}": expected a number as {n}, {n1} or with digits as {n:03}'],
    ),
    "mapping: a scale of nothing": (MAPPING, [("scale = 0.001 ", "scale = 0 ")], ["signal[0].scale must not be 0"]),
    "nothing known": (
        'format = 1\nname = "x"\n',
        [],
        [
            (
                'not a file of a known kind; expected one of these keys: "buses" (bench), "duration_s" (scenario), '
                '"requirement" (requirements)'
                ', "bus" (network), "signal" (mapping), "series" (pack), "limit" (calibration), '
                '"charge_max_V" (data sheet), "chemistry" (cell), "borrow" (map)'
            )
        ],
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_that_is_wrong_says_so(tmp_path: Path, what: str) -> None:
    """`check` says every problem once, with the key path as it stands in the file."""
    text, pairs, sentences = OTHERS[what]
    path = tmp_path / "file.toml"
    path.write_text(changed(text, *pairs))
    ran = nabench("check", path)
    assert (2, "") == (ran.code, ran.out)
    assert told(path, [sentence.replace("{dbc}", str(files.dbc_folder())) for sentence in sentences]) == sorted(ran.problems)


def test_all_that_is_wrong_with_a_mapping_is_said_in_one_round(tmp_path: Path) -> None:
    """A role, the node of the device and a signal that do not exist; what hangs on the node is not complained of as well."""
    examples = Path(__file__).parents[2] / "examples/own_dbc"
    for path in examples.glob("truck.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "truck.mapping.toml"
    text = changed(MAPPING, ('role = "Shunt_Current"', 'role = "Shunt_Curent"'))
    path.write_text(re.sub('dut = "[^"]*"', 'dut = "Nobody"', text.replace('signal = "', 'signal = "x', 1)))
    problems = nabench("check", tmp_path / "truck.network.toml").problems
    role = f'{path}: signal[2].role "Shunt_Curent" is not a role; did you mean "Shunt_Current"?'
    starts = (f'{path}: dut "Nobody" sends no message of these databases; ', f'{path}: signal[0].signal "x', role)
    assert 3 == len(problems), problems
    assert all(any(problem.startswith(start) for problem in problems) for start in starts)


def test_a_bus_that_is_too_slow_is_shown_the_arithmetic(tmp_path: Path) -> None:
    """Which bus, how much too much, and the messages that weigh most."""
    path = tmp_path / "slow.network.toml"
    path.write_text(changed(NETWORK, ("500_000", "10_000")))
    (problem,) = nabench("check", path).problems
    assert problem.startswith(
        f'{path}: bus[0] "pack": the schedule needs 2215 % of 10000 bit/s (CellVoltages 64 x 13500 us / 100 ms, '
    )
    assert problem.endswith(" more); expected at most 100 %, so use longer cycles, a higher bit rate, CAN FD or fewer cells")


def test_a_calibration_is_held_against_the_network_of_its_scenario(tmp_path: Path) -> None:
    """A code without a number stands with its row, and the file that a scenario names is the one to mend."""
    believed = tmp_path / "my.toml"
    believed.write_text(changed(CALIBRATION, ('code = "CellOvervoltageMsl"', 'code = "CellOvervoltageMsll"')))
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, ('pack = "nfm-16s"', 'pack = "nfm-16s"\ncalibration = "my.toml"')))
    sentence = (
        'limit[2].code "CellOvervoltageMsll" has no number in the values of BMS_FaultCode; did you mean "CellOvervoltageMsl"?'
    )
    ran = nabench("check", path)
    assert (2, [f"{believed}: {sentence}"]) == (ran.code, ran.problems)


def test_a_requirement_is_held_against_the_device_of_its_scenario(tmp_path: Path) -> None:
    """A code that the device has no flag for is named with its place in the requirements."""
    required = tmp_path / "my.toml"
    required.write_text(changed(REQUIREMENTS, ('"CellOvervoltageMsl"', '"CellOvervoltageMsll"')))
    path = tmp_path / "bad.scenario.toml"
    path.write_text(changed(SCENARIO, ('pack = "nfm-16s"', 'pack = "nfm-16s"\nrequirements = "my.toml"')))
    sentence = 'requirement[0].codes[0] "CellOvervoltageMsll" is not a diagnosis flag; did you mean "CellOvervoltageMsl"?'
    assert f"{required}: {sentence}" in nabench("check", path).problems


def test_a_link_to_nothing_is_called_one(tmp_path: Path) -> None:
    """It lies there, so its own name is no hint."""
    link = tmp_path / "loop.csv"
    link.symlink_to("gone.csv")
    assert "is a link to a file that does not exist" == files.why_not(link)


def beyond(path: Path, head: str, branch: str, tail: str, count: int) -> list[str]:
    """What check says of a file in which the first numbers of a list, or all with 0, are a thousand times as large."""
    larger = re.sub(r"\d+\.\d+", lambda found: f"{1e3 * float(found[0]):g}", branch, count=count)
    path.write_text(head + larger + tail, encoding="utf-8")
    return [line for line in nabench("check", path).problems if "expected 6 or less" in line]


def test_a_curve_in_millivolts_is_one_problem(tmp_path: Path) -> None:
    """Not one for each of its 35 entries; a few that are beyond a bound are named one by one."""
    text = files.shipped("calibration")["nfm-16s"].read_text(encoding="utf-8")
    head, branch, tail = re.split(r"(?<=discharge_V = \[)([^\]]*)", text, maxsplit=1)
    path = tmp_path / "own.toml"
    found = beyond(path, head, branch, tail, 0)
    assert 1 == len(found)
    assert re.search(r"model\.ocv\.discharge_V\[0\]: expected 6 or less, found \d+.*, and so in 34 entries more$", found[0])
    assert 2 == len(beyond(path, head, branch, tail, 2))
