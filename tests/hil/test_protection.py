"""Counters and checks that a mapping says of a message: sent, judged by the device, disturbed by faults, refused when wrong."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import cantools
import numpy as np
import pytest
import rigs
from command import changed, nabench

from firmware_sim.wire import layout as w
from hil import journal as j
from hil import network, runner
from hil.errors import ScenarioError
from hil.verdict import Verdict
from hil.wirelog import WireLog

EXAMPLE = rigs.ROOT / "examples" / "paged_dbc"
TICK_NS = 10_000_000
CELLS = 'message = "CMU_CellPage"\nprofile = "P11"\ndata_id = 0x0A50\ncrc = "CellPage_CRC"\ncounter = "CellPage_CNT"\n'
RELAYS = 'message = "HVB_RelayCmd"\nprofile = "P11"\ndata_id = 0x0A80\ncrc = "RelayCmd_CRC"\ncounter = "RelayCmd_CNT"\n'
ALIVE = '[[constant]]\nsignal = "PDU_Alive"              # no role, but the device may look at it\nvalue = 1\n'


def protected(folder: Path, cells: str, relays: str, alive: str = ALIVE) -> Path:
    """The loader's example with other protections. Returns its folder."""
    shutil.copytree(EXAMPLE, folder)
    path = folder / "loader.mapping.toml"
    both = (CELLS, f'message = "CMU_CellPage"\n{cells}'), (RELAYS, f'message = "HVB_RelayCmd"\n{relays}')
    path.write_text(changed(path.read_text(encoding="utf-8"), *both, (ALIVE, alive)), encoding="utf-8")
    return folder


def on(signals: str, **said: object) -> str:
    """Keys of a row, with the CRC and counter of a message."""
    names = f'crc = "{signals}_CRC"\ncounter = "{signals}_CNT"\n'
    return "".join(f"{key} = {value}\n" for key, value in said.items()) + names


SCHEMES: dict[str, dict[str, object]] = {
    "CRC-8 SAE J1850": {"profile": '"CRC-8-SAE-J1850"', "counter_last": 14},
    "CRC-8H2F with a list": {"profile": '"CRC-8H2F"', "data_ids": list(range(3, 19))},
    "any CRC": {"profile": '"CRC"', "poly": 0x85, "init": 0x3C, "reflect": "true", "over_crc": "true", "bytes": [0, 6]},
    "sum of id, length and bytes": {"profile": '"sum"', "before": [0x18, 0xFF, 0x00, 0x50, 8]},
    "nibbles off 8": {"profile": '"nibble-sum"', "init": 8, "subtract": "true", "counter_first": 1},
    "exclusive or": {"profile": '"xor"', "xor_out": 0x55, "counter_step": 5},
    "P01 alternating": {"profile": '"P01"', "id_mode": '"alternating"', "data_id": 0x1234, "per_page": 1},
    "P02": {"profile": '"P02"', "data_ids": list(range(16, 0, -1))},
    "P22": {"profile": '"P22"', "data_ids": [0x86] * 16},
}


@pytest.mark.parametrize("what", SCHEMES)
def test_bench_and_device_understand_each_other(tmp_path: Path, what: str) -> None:
    """Both directions carry the scheme; the device drives, hears the cell of a page and opens, as with its own profile."""
    said = SCHEMES[what]
    plain = {key: value for key, value in said.items() if key != "per_page"}
    folder = protected(tmp_path / "x", on("CellPage", **said), on("RelayCmd", **plain))
    record = runner.run(folder / "loader-overvoltage.scenario.toml", runner.Options())
    assert {Verdict.PASS} == {finding.verdict for finding in record.findings}
    counters = set()
    for kind, name in ((j.TO_DUT, "CMU_CellPage"), (j.FROM_DUT, "HVB_RelayCmd")):
        data, layout = frames(record, kind, name)
        assert len(data) > 50
        assert {int(slot[w.E2E]) for slot in layout.slots if slot[w.CAN_ID] == data[0][0]} == {w.OTHER}
        counters |= {int(row[1][1] & 0xF) for row in data}
    first, step = int(str(said.get("counter_first", 0))), int(str(said.get("counter_step", 1)))
    last = 14 if "P01" in what else int(str(said.get("counter_last", 15)))
    assert set(range(first, last + 1, step)) == counters


def frames(record: Any, kind: int, name: str) -> tuple[list[tuple[int, np.ndarray[Any, Any]]], Any]:
    """(id, bytes) of the frames of a message, and the wire tables of their direction."""
    net = record.setup.network
    layout = net.to_dut if kind == j.TO_DUT else net.from_dut
    slots = [n for n, slot in enumerate(layout.slot_names) if slot.partition("[")[0] == name]
    rows = record.trace.journal
    rows = rows[(rows[:, j.KIND] == kind) & np.isin(rows[:, j.SLOT], slots)]
    can_id = int(layout.slots[slots[0], w.CAN_ID])
    return [(can_id, np.ascontiguousarray(row[j.WORD :]).view(np.uint8)) for row in rows], layout


def test_one_counter_may_run_over_all_pages(tmp_path: Path) -> None:
    """Each frame of the message counts on, whatever its page; the device takes that, and one page that stands still not."""
    said = {"profile": '"sum"', "counts": '"message"', "counter_last": 5}  # as many values as pages: each page's stands still
    folder = protected(tmp_path / "x", on("CellPage", **said), on("RelayCmd", **SCHEMES["P02"]))
    path = folder / "loader-overvoltage.scenario.toml"
    record = runner.run(path, runner.Options())
    assert {Verdict.PASS} == {finding.verdict for finding in record.findings}
    rows = sorted((int(row[j.T_NS]), int(row[j.WORD]) >> 8 & 0xF) for row in record.trace.journal if row[j.KIND] == j.TO_DUT
                  and record.setup.network.to_dut.slot_names[int(row[j.SLOT])].startswith("CMU_CellPage"))  # fmt: skip
    assert [n % 6 for n in range(len(rows))] == [counter for _, counter in rows]
    log = WireLog(record.trace.journal, record.setup.network)
    assert log.series("CellVoltage_005", j.TO_DUT).told.all()
    text = path.read_text(encoding="utf-8")
    frozen = FAULT.format(fault="counter_frozen", target="CMU_CellPage")
    path.write_text(text[: text.index("[[fault]]")] + frozen + text[text.index("[[expect]]") : text.rindex("[[expect]]")])
    with pytest.raises(ScenarioError, match="has one counter over all its pages"):
        runner.run(path, runner.Options())


def test_a_frame_by_hand_is_protected_as_the_mapping_says(tmp_path: Path) -> None:
    """The command fills in counter and check of the network's mapping."""
    folder = protected(tmp_path / "x", on("CellPage", **SCHEMES["P02"]), on("RelayCmd", **SCHEMES["nibbles off 8"]))
    ran = nabench("send", "virtual:none", "HVB_RelayCmd", "HVB_MainPos_Close=1", "--network", folder / "loader.network.toml")
    assert "counter and check as its mapping says" in ran.out


def test_c_tables_know_profile_11_of_each_page_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another scheme, or a counter over all pages, is refused by message, and nothing is written."""
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    plain, pages = RELAYS.partition("\n")[2], {f"CMU_CellPage[{page}]" for page in range(6)}
    for cells, named in (
        (CELLS.partition("\n")[2] + 'counts = "message"\n', pages - {"CMU_CellPage[0]"}),
        (SCHEMES["P02"], pages),
    ):
        said = cells if isinstance(cells, str) else on("CellPage", **cells)
        folder = protected(tmp_path / f"x{len(named)}", said, plain)
        ran = nabench("new", "headers", "x", "--pack", "nfm-16s", "--network", folder / "loader.network.toml")
        assert 2 == ran.code
        assert named == {text.split()[2] for text in ran.problems if "has a protection of its own" in text}
    assert [] == list((tmp_path / "out").iterdir())


def test_the_picture_shows_counter_and_check(tmp_path: Path) -> None:
    """Among the roles of a message's bits."""
    folder = protected(tmp_path / "x", on("CellPage", **SCHEMES["P02"]), on("RelayCmd", **SCHEMES["nibbles off 8"]))
    out = nabench("check", folder / "loader.network.toml", "--bits").out
    assert ["the check", "the counter"] == re.findall(r"RelayCmd_C(?:RC|NT): .*plays (.+)", out)


def test_a_counter_alone_counts(tmp_path: Path) -> None:
    """The alive signal of a message counts from 2 to 14 in steps of 3, as cantools reads it; nothing else changes."""
    row = (
        '[[e2e]]\nmessage = "PDU_Relays"\nprofile = "counter"\ncounter = "PDU_Alive"\n'
        "counter_first = 2\ncounter_last = 14\ncounter_step = 3\n"
    )
    folder = protected(tmp_path / "x", CELLS.partition("\n")[2], RELAYS.partition("\n")[2], row)
    record = runner.run(folder / "loader-overvoltage.scenario.toml", runner.Options())
    assert {Verdict.PASS} == {finding.verdict for finding in record.findings}
    theirs = cantools.database.load_file(EXAMPLE / "loader.dbc").get_message_by_name("PDU_Relays")
    seen = [theirs.decode(data[:2].tobytes())["PDU_Alive"] for _, data in frames(record, j.TO_DUT, "PDU_Relays")[0]]
    assert [2, 5, 8, 11, 14, 2, 5] == seen[:7]


FAULT = """
[[fault]]
fault = "{fault}"
target = "message:{target}"
start_s = 3.0
"""
FAULTED = {
    "wrong sum": ("frame_crc", "CMU_CellPage[1]", SCHEMES["sum of id, length and bytes"], ""),
    "wrong CRC": ("frame_crc", "CMU_CellPage[1]", SCHEMES["any CRC"], ""),
    "frozen counter": ("counter_frozen", "CMU_CellPage[1]", SCHEMES["P02"], ""),
    "frozen counter, with a sum": ("counter_frozen", "CMU_CellPage[1]", SCHEMES["nibbles off 8"], ""),
    "frozen counter alone": ("counter_frozen", "PDU_Relays", SCHEMES["P02"], 'message = "PDU_Relays"\nprofile = "counter"\n'),
}


@pytest.mark.parametrize("what", FAULTED)
def test_a_disturbed_stream_is_not_trusted(tmp_path: Path, what: str) -> None:
    """What the fault did is read back from the frames; the device takes no value of them, and leaves its drive."""
    fault, target, said, alone = FAULTED[what]
    alive = f'[[e2e]]\n{alone}counter = "PDU_Alive"\n' if alone else ALIVE
    folder = protected(tmp_path / "x", on("CellPage", **said), on("RelayCmd", **said), alive)
    path = folder / "loader-overvoltage.scenario.toml"
    text = path.read_text(encoding="utf-8")
    head, tail = text[: text.index("[[fault]]")], text[text.index("[[expect]]") : text.rindex("[[expect]]")]
    path.write_text(head + FAULT.format(fault=fault, target=target) + tail.replace("to_s = 5.0", "to_s = 3.0"))
    record = runner.run(path, runner.Options())
    assert {Verdict.PASS} == {finding.verdict for finding in record.findings}
    states, _ = frames(record, j.FROM_DUT, "HVB_Status")
    told = [int(data[0] & 0xF) for _, data in states]
    assert 5 == told[len(told) // 3]  # Operating
    assert 9 == told[-1]  # Failure


def test_faults_need_what_they_break(tmp_path: Path) -> None:
    """A frame with a counter alone has no CRC to be wrong and no data id to be another."""
    folder = protected(tmp_path / "x", 'profile = "counter"\ncounter = "CellPage_CNT"\n', RELAYS.partition("\n")[2])
    path = folder / "loader-overvoltage.scenario.toml"
    text = path.read_text(encoding="utf-8")
    for fault, needed in (("frame_crc", "a CRC or checksum"), ("frame_data_id", "the data id of profile P01, P05 or P11")):
        with_ = "with = { data_id = 7 }\n" if fault == "frame_data_id" else ""
        path.write_text(
            text[: text.index("[[fault]]")]
            + FAULT.format(fault=fault, target="CMU_CellPage")
            + with_
            + text[text.index("[[expect]]") :]
        )
        with pytest.raises(ScenarioError, match=f"carries no E2E protection with {needed}"):
            runner.run(path, runner.Options())


WRONG: dict[str, tuple[str, str]] = {
    "profile with a large header": ('profile = "P07"\n', 'profile "P07" is not computed here; expected one of "None", "P01"'),
    "profile misspelt": (on("CellPage", profile='"CRC-8-J1850"'), 'did you mean "CRC-8-SAE-J1850"?'),
    "polynomial missing": (on("CellPage", profile='"CRC"'), 'profile "CRC" needs crc and poly'),
    "polynomial too large": (on("CellPage", profile='"CRC"', poly=0x1021), 'must fit the 8 bits of CRC signal "CellPage_CRC"'),
    "CRC too wide": (on("CellPage", profile='"CRC-16-CCITT"'), "has 8 bits; this CRC has 16"),
    "key of another": (on("CellPage", profile='"sum"', poly=7), 'poly does not belong to profile "sum"'),
    "mode of another": (on("CellPage", profile='"P11"', data_id=1, id_mode='"low"'), 'id_mode "low" is none of profile "P11"'),
    "list too short": (on("CellPage", profile='"P02"', data_ids=[1, 2]), "16 or more entries"),
    "list without counter": (
        'profile = "sum"\ncrc = "CellPage_CRC"\ndata_ids = [' + "0, " * 16 + "]\n",
        "picked by the counter",
    ),
    "counter never at its end": (on("CellPage", profile='"sum"', counter_last=14, counter_step=4), "is not reached from 0"),
    "counter too small": (on("CellPage", profile='"sum"', counter_last=20), "cannot say what it should count to"),
    "one signal for both": (
        'profile = "sum"\ncrc = "CellPage_CNT"\ncounter = "CellPage_CNT"\n',
        'signal "CellPage_CNT" cannot be both CRC and counter',
    ),
    "bytes behind the end": (on("CellPage", profile='"xor"', bytes=[1, 8]), "bytes [1, 8] do not fit its 8 bytes"),
    "bytes backwards": (on("CellPage", profile='"xor"', bytes=[4, 2]), "expected the first and the last"),
    "data id of nothing": (on("CellPage", profile='"xor"', data_id=4), 'data_id and its bytes "low" and "high"'),
    "pages of no data id": (on("CellPage", profile='"sum"', per_page=3), "per_page is for data_id, which is not given"),
    "place of no list": (on("CellPage", profile='"sum"', list_at='"onto"'), "list_at is for data_ids, which is not given"),
    "nibble of a large id": (on("CellPage", profile='"P11"', data_id=0x1000, id_mode='"nibble"'), "at most 4095"),
    "fixed bits that are taken": (
        on("CellPage", profile='"P01"', data_id=0x100, id_mode='"nibble"'),
        'signal "CellPage_No" lies where this E2E profile has its own bits',
    ),
    "header longer than the frame": (on("CellPage", profile='"P04"', data_id=1), "has 8 bytes; this E2E profile has 12 bytes"),
    "data id of 32 bits": (on("CellPage", profile='"P11"', data_id=0x12345), "expected at most 65535"),
    "a counter that says what is valid": (
        'profile = "counter"\ncounter = "CMU_U_Cell01_Invalid"\n',
        'counter "CMU_U_Cell01_Invalid" plays the role "validity',
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, what: str) -> None:
    """Where, what was found, and what is possible."""
    said, told = WRONG[what]
    folder = protected(tmp_path / "x", said, RELAYS.partition("\n")[2])
    ran = nabench("check", folder / "loader.network.toml")
    assert 2 == ran.code
    assert any(told in problem for problem in ran.problems), ran.problems
    assert len(ran.problems) <= 3
    with pytest.raises(ScenarioError):
        network.load(str(folder / "loader.network.toml"), 16, 6, TICK_NS)


@pytest.mark.parametrize("adds", [0, 1])
def test_pages_of_a_message_without_pages_are_refused(tmp_path: Path, adds: int) -> None:
    """The one message is named; the same row without `per_page` is taken, and so is `per_page` where there are pages."""
    cells, relays = on("CellPage", profile='"P11"', data_id=0x0A50, per_page=adds), RELAYS.partition("\n")[2]
    wrong = protected(tmp_path / "wrong", cells, f"{relays}per_page = {adds}\n") / "loader.network.toml"
    ran = nabench("check", wrong)
    told = 'per_page: message "HVB_RelayCmd" has no multiplexer, so it has no pages; expected data_id alone'
    assert (2, 1) == (ran.code, len(ran.problems)), ran.problems
    assert told in ran.problems[0]
    assert 0 == nabench("check", protected(tmp_path / "right", cells, relays) / "loader.network.toml").code
