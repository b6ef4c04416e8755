"""What a mapping says beyond names and units, on the wire: validity, meanings, flags, protection, schedule, direction.

The example of the loader is read by cantools and by autosar-e2e, which know nothing of mappings.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cantools
import e2e
import numpy as np
import pytest
import rigs
from command import changed

from firmware_sim.wire.codec import decode_many, encode_many
from firmware_sim.wire.layout import (
    CYCLE_NS,
    DATA_ID,
    E2E,
    FIRST,
    N_WORDS,
    P11,
    PHASE_NS,
    SENT,
    SLOT,
    Image,
    Layout,
)
from firmware_sim.wire.send import send_due, sender_state
from hil import journal as j
from hil import judge, network, runner
from hil.errors import ScenarioError
from hil.link.can_bus import Frame
from hil.link.match import Finder
from hil.verdict import Verdict
from hil.wirelog import Series, _either, meanings

EXAMPLE = rigs.ROOT / "examples" / "paged_dbc"
DATA = rigs.ROOT / "tests" / "data" / "dbc"
TICK_NS = 10_000_000
MS = 1_000_000


@pytest.fixture(scope="module")
def loader() -> network.Network:
    return network.load(str(EXAMPLE / "loader.network.toml"), 16, 6, TICK_NS)


@pytest.fixture(scope="module")
def foreign() -> Any:
    """The example's DBC as cantools reads it, without us."""
    return cantools.database.load_file(EXAMPLE / "loader.dbc")


def sent(layout: Layout, slot: str, values: dict[str, float]) -> bytes:
    """Payload of a slot, as its sender sends it, CRC and counter included."""
    row = np.full((1, layout.n_signals), np.nan)
    for name, value in values.items():
        row[0, layout.index(name)] = value
    image, state = Image.empty(layout, 1), sender_state(layout, 1)
    state[:, 0] = 0
    send_due(
        0, row, np.zeros((1, 1), np.int64), state, layout.signals, layout.scales, layout.slots, layout.blank, image.words,
        image.meta,
    )  # fmt: skip
    s = layout.slot_names.index(slot)
    assert 1 == image.meta[0, SENT, s]
    word = int(layout.slots[s, 3])
    return image.words[0, word : word + int(layout.slots[s, N_WORDS])].astype("<i8").tobytes()


def said(layout: Layout, slot: str, data: bytes) -> dict[str, float | None]:
    """What a frame says by role; None where it holds no value."""
    s = layout.slot_names.index(slot)
    count, first = int(layout.slots[s, 6]), int(layout.slots[s, FIRST])
    words = np.frombuffer(data.ljust(8 * int(layout.slots[s, N_WORDS]), b"\0"), "<i8").reshape(1, -1).copy()
    value, valid = np.zeros((1, count)), np.zeros((1, count), np.uint8)
    decode_many(words, s, layout.signals, layout.scales, layout.slots, value, valid)
    return {layout.signal_names[first + n]: float(value[0, n]) if valid[0, n] else None for n in range(count)}


def test_a_value_and_its_validity_are_sent_together(loader: network.Network, foreign: Any) -> None:
    """A voltage says "valid", none says "invalid", in the polarity of each; the others of the frame are untouched."""
    data = sent(loader.to_dut, "CMU_CellPage[1]", {"CellVoltage_003": 3.2, "CellVoltage_005": 2.5})
    page = foreign.decode_message("CMU_CellPage", data)
    names = ("CMU_U_Cell04", "CMU_U_Cell04_Invalid", "CMU_U_Cell05_Invalid", "CMU_U_Cell06", "CMU_U_Cell06_Invalid")
    assert (1, [3200.0, 0, 1, 2500.0, 0]) == (page["CellPage_No"], [page[name] for name in names])
    temps = foreign.decode_message("CMU_Temps", sent(loader.to_dut, "CMU_Temps", {"CellTemperature_02": 25.0}))
    assert (25, 1, 0) == (temps["CMU_Temp3"], temps["CMU_Temp3_Valid"], temps["CMU_Temp1_Valid"])


def test_a_value_that_is_not_valid_is_none(loader: network.Network, foreign: Any) -> None:
    """Random frames: a cell reads what cantools reads, or nothing while its bit says invalid."""
    rng = np.random.default_rng(3)
    counted = [0, 0]
    for _ in range(200):
        page = int(rng.integers(0, 6))
        data = bytearray(rng.bytes(8))
        data[1] = data[1] & 0x0F | page << 4
        theirs = foreign.decode_message("CMU_CellPage", bytes(data), scaling=True)
        for role, value in said(loader.to_dut, f"CMU_CellPage[{page}]", bytes(data)).items():
            if not role.startswith("CellVoltage_"):
                continue
            name = f"CMU_U_Cell{int(role[-3:]) + 1:02}"
            is_value = theirs[f"{name}_Invalid"] == 0 and theirs[name] <= 8000
            counted[is_value] += 1
            assert (pytest.approx(theirs[name] / 1000) if is_value else None) == value, role
    assert min(counted) > 50


def test_one_validity_for_several_values(tmp_path: Path) -> None:
    """A common bit says "valid" only while all its values are, and makes none of them a value while it is off."""
    (tmp_path / "x.dbc").write_text(
        'VERSION ""\nBU_: D M\nBO_ 1 Cells: 8 M\n SG_ C0 : 0|16@1+ (0.001,0) [0|0] "V" D\n'
        ' SG_ C1 : 16|16@1+ (0.001,0) [0|0] "V" D\n SG_ Ok : 40|2@1+ (1,0) [0|0] "" D\nBO_ 2 Out: 1 D\n'
        ' SG_ St : 0|3@1+ (1,0) [0|0] "" M\n',
        encoding="ascii",
    )
    (tmp_path / "x.mapping.toml").write_text(
        'format = 1\ntitle = "x"\ndut = "D"\n[[signal]]\nrole = "CellVoltage_{n:03}"\nsignal = "C{n}"\nvalid = "Ok"\n'
        'valid_is = 2\ninvalid_is = 3\n[[signal]]\nrole = "BMS_State"\nsignal = "St"\n',
        encoding="ascii",
    )
    (tmp_path / "x.network.toml").write_text(
        'format = 1\ntitle = "x"\nmapping = "x.mapping.toml"\n[[bus]]\nname = "b"\nbitrate = 500000\ndbc = ["x.dbc"]\n'
        "cycle_ms = { Cells = 10, Out = 10 }\n",
        encoding="ascii",
    )
    layout = network.load(str(tmp_path / "x.network.toml"), 2, 1, TICK_NS).to_dut
    both, one = (
        sent(layout, "Cells", {"CellVoltage_000": 3.0, "CellVoltage_001": 3.1}),
        sent(layout, "Cells", {"CellVoltage_000": 3.0}),
    )
    assert (2, 3) == (both[5] & 3, one[5] & 3)
    assert {"CellVoltage_000": 3.0, "CellVoltage_001": 3.1} == {
        k: v for k, v in said(layout, "Cells", both).items() if k != "Ok"
    }
    for wrong in (0, 1, 3):
        data = both[:5] + bytes([wrong]) + both[6:]
        assert {None} == {v for k, v in said(layout, "Cells", data).items() if k != "Ok"}


def test_meanings_go_both_ways(loader: network.Network, foreign: Any) -> None:
    """Our standby, drive and charge are their 1, 4 and 8; no value is theirs for none; a raw value of none is no value."""
    for ours, theirs in ((0, 1), (1, 4), (2, 8)):
        data = sent(loader.to_dut, "VMS_Request", {"Vehicle_ModeRequest": ours})
        assert theirs == foreign.decode_message("VMS_Request", data[:2], decode_choices=False)["VMS_Batt_ModeRequest"]
        assert ours == said(loader.to_dut, "VMS_Request", data)["Vehicle_ModeRequest"]
    assert 15 == sent(loader.to_dut, "VMS_Request", {})[0] & 0xF
    for raw in (0, 2, 3, 5, 15):
        assert said(loader.to_dut, "VMS_Request", bytes([raw, 0]))["Vehicle_ModeRequest"] is None
    for value in (-1.0, 3.0, 7.0, 1e9):  # what no raw value means is sent as none
        assert 15 == sent(loader.to_dut, "VMS_Request", {"Vehicle_ModeRequest": value})[0] & 0xF
    assert {0.0: "Init", 3.0: "Operating", 6.0: "Disconnecting"}.items() <= meanings(loader, "BMS_State").items()


def test_frames_are_protected_as_the_mapping_says(loader: network.Network) -> None:
    """Another library finds CRC and counter right, and wrong for another data id; unprotected messages stay as they are."""
    layout = loader.to_dut
    for page in range(6):
        data = bytearray(sent(layout, f"CMU_CellPage[{page}]", {}))
        assert e2e.p11.e2e_p11_check(data, 0x0A50)
        assert not e2e.p11.e2e_p11_check(data, 0x0A51)
    protected = {name for name, slot in zip(layout.slot_names, layout.slots, strict=True) if slot[E2E] == P11}
    assert {f"CMU_CellPage[{page}]" for page in range(6)} == protected
    assert {0x0A50} == {int(slot[DATA_ID]) for slot in layout.slots if slot[E2E] == P11}
    assert "CellPage_CRC" not in layout.signal_names


def test_the_schedule_is_the_mappings(loader: network.Network) -> None:
    """Pages come in the order that was asked for, one every 10 ms; a phase moves a message; a cycle is given."""
    slots = dict(zip(loader.to_dut.slot_names, loader.to_dut.slots, strict=True))
    pages = sorted(range(6), key=lambda page: slots[f"CMU_CellPage[{page}]"][PHASE_NS])
    assert [0, 2, 4, 1, 3, 5] == pages
    assert {60 * MS} == {int(slots[f"CMU_CellPage[{page}]"][CYCLE_NS]) for page in pages}
    assert [k * 10 * MS for k in range(6)] == sorted(int(slots[f"CMU_CellPage[{page}]"][PHASE_NS]) for page in pages)
    assert (20 * MS, 100 * MS) == (slots["CMU_Temps"][PHASE_NS], slots["CMU_Temps"][CYCLE_NS])
    assert 10 * MS == slots["PDU_Relays"][CYCLE_NS]


def test_a_message_without_a_sender_gets_one(loader: network.Network) -> None:
    """The direction is the mapping's where the DBC has none."""
    assert ["PDU"] == loader.database.message("PDU_Relays").senders
    assert "PDU_Relays" in loader.to_dut.slot_names


def test_two_flags_say_one_code(loader: network.Network) -> None:
    """Each is read; the code is raised while one of them is."""
    layout = loader.from_dut
    for byte, first, second in ((0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1)):
        values = said(layout, "HVB_Alarms", bytes([byte, 0]))
        assert (first, second) == (values["Diag_CellOvervoltageMsl"], values["Diag_CellOvervoltageMsl__2"])

    def flag(times: list[int], values: list[float]) -> Series:
        t_ns, value, valid = np.array(times, np.int64), np.array(values), np.ones(len(times), bool)
        return Series(t_ns, value, valid, 100, valid)

    both = _either(flag([10, 20, 30], [0, 1, 0]), flag([15, 25, 35], [0, 0, 1]))
    assert [10, 15, 20, 25, 30, 35] == both.t_ns.tolist()
    assert [0, 0, 1, 1, 0, 1] == both.value.tolist()


def test_the_judge_hears_the_second_flag_as_well() -> None:
    """A device whose first flag stays silent, and whose second speaks, has told its code; one that tells neither has not."""
    record = runner.run(EXAMPLE / "loader-overvoltage.scenario.toml", runner.Options())
    slot = record.setup.network.from_dut.slot_names.index("HVB_Alarms")
    rows = (record.trace.journal[:, j.KIND] == j.FROM_DUT) & (record.trace.journal[:, j.SLOT] == slot)
    for second, wanted in ((1, {Verdict.PASS}), (0, {Verdict.PASS, Verdict.FAIL})):
        journal = record.trace.journal.copy()
        word = journal[rows, j.WORD]
        journal[rows, j.WORD] = word & ~3 | (word & second) << 1
        findings = judge.judge(replace(record.trace, journal=journal), record.setup)
        assert wanted == {finding.verdict for finding in findings}


def test_a_code_that_comes_along_never_opened_the_path() -> None:
    """Named as the one that holds the contactors it makes the reaction INCONC, but not when it is known to come along."""
    record = runner.run(EXAMPLE / "loader-overvoltage.scenario.toml", runner.Options())
    network_ = record.setup.network
    assert frozenset({"CellSpread"}) == network_.along
    slot = network_.from_dut.slot_names.index("HVB_Status")
    number = next(raw for raw, name in meanings(network_, "BMS_FaultCode").items() if name == "CellSpread")
    rows = (record.trace.journal[:, j.KIND] == j.FROM_DUT) & (record.trace.journal[:, j.SLOT] == slot)
    journal = record.trace.journal.copy()
    word = journal[rows, j.WORD]
    fault = (word >> 8) & 0xFF
    journal[rows, j.WORD] = np.where(fault > 0, word & ~0xFF00 | int(number) << 8, word)
    for along, wanted in ((frozenset({"CellSpread"}), Verdict.PASS), (frozenset[str](), Verdict.INCONC)):
        setup = replace(record.setup, network=replace(network_, along=along))
        findings = judge.judge(replace(record.trace, journal=journal), setup)
        assert wanted == findings[-1].verdict, findings[-1].seen


def test_gm_pages_are_known_by_motorola_bits_of_the_seventh_byte(tmp_path: Path) -> None:
    """12-bit Motorola voltages of a real database, its multiplexer in the seventh byte: frames of cantools find their page."""
    gm = cantools.database.load_file(DATA / "opendbc" / "gm_global_a_high_voltage_management.dbc")
    from hil.database import Bus, Database

    database = Database([Bus("b", (DATA / "opendbc" / "gm_global_a_high_voltage_management.dbc",), 500_000, 500_000, {})])
    slots = database.slots(lambda message: message.name.startswith("Battery_Module"), lambda _slot: True)
    layout = database.layout(slots, TICK_NS)
    finder = Finder(layout)
    for module in (1, 2, 3, 4):
        for page in range(8):
            volts = {f"Voltage_{module}_{page}_{x}": 3.0 + 0.1 * n + 0.01 * page for n, x in enumerate("ABC")}
            message = gm.get_message_by_name(f"Battery_Module_{module}")
            data = message.encode({**volts, f"Cell_Bank_Number_{module}": page}, strict=False)
            slot = layout.slot_names[finder.find(0, Frame(0, message.frame_id, 0, data, 0))]
            assert f"Battery_Module_{module}[{page}]" == slot
            values = said(layout, slot, data)
            assert {name: pytest.approx(value, abs=0.001) for name, value in volts.items()} == values


def test_pages_below_pages_are_found() -> None:
    """Cascaded multiplexers: cantools' frames of each page find the slot with that page's signals."""
    from hil.database import Bus, Database

    path = DATA / "cantools" / "issue_184_extended_mux_cascaded.dbc"
    theirs = cantools.database.load_file(path)
    database = Database([Bus("b", (path,), 500_000, 500_000, {})])
    slots = database.slots(lambda _message: True, lambda _slot: True)
    layout = database.layout(slots, TICK_NS)
    finder = Finder(layout)
    assert max(len(slot.chosen) for slot in slots) == 2
    for s, slot in enumerate(slots):
        message = theirs.get_message_by_name(slot.message.name)
        values = {signal.name: 1 for signal in slot.signals} | dict(slot.chosen)
        data = message.encode(values, scaling=False, strict=False)
        assert s == finder.find(0, Frame(0, message.frame_id, int(message.is_extended_frame), data, 0))
        decoded = message.decode(data, decode_choices=False, scaling=False)
        assert {signal.name for signal in slot.signals} | dict(slot.chosen).keys() == set(decoded)


WRONG = {
    "validity of another frame": ('valid = "CMU_Temp{n1}_Valid"', 'valid = "PDU_Alive"', "comes in another frame than"),
    "validity that is not there": ('valid = "CMU_Temp{n1}_Valid"', 'valid = "CMU_Temp{n1}_Vald"', 'mean "CMU_Temp1_Valid"?'),
    "validity of both kinds": ("valid_is = 1", "valid_is = 1\ninvalid_is = 1", "valid_is and invalid_is are both 1"),
    "validity that does not fit": ("valid_is = 1", "valid_is = 5", "has 1 bits; 5 and 0 must fit"),
    "valid_is of nothing": ("positive = ", "valid_is = 1\npositive = ", "for the signal that `valid` names"),
    "meaning twice": ("meaning = { 1 = 0, 4 = 1, 8 = 2 }", "meaning = { 1 = 0, 4 = 1, 8 = 1 }", "4 and 8 both mean 1"),
    "meaning of no word": ("meaning = { 1 = 0, 4 = 1, 8 = 2 }", 'meaning = { 1 = "stanby" }', 'did you mean "standby"?'),
    "meaning too large": ("meaning = { 1 = 0, 4 = 1, 8 = 2 }", "meaning = { 1 = 9 }", "expected a value of 0 to 7, found 9"),
    "meaning of no raw value": ("meaning = { 1 = 0, 4 = 1, 8 = 2 }", "meaning = { x = 0 }", '"x" is no raw value'),
    "meaning that does not fit": ("meaning = { 1 = 0, 4 = 1, 8 = 2 }", "meaning = { 16 = 0 }", "16 does not fit the 4 bits"),
    "meaning and scale": ("meaning = { 1 = 0, 4 = 1, 8 = 2 }", "meaning = { 1 = 0 }\nscale = 2.0", "leave out scale"),
    "list for no code": ('signal = "HVB_SOC"', 'signal = ["HVB_SOC", "HVB_OverTemp"]', "a list is for the flags of one code"),
    "flag twice": ('"HVB_CellOverVoltage_Hw"]', '"HVB_CellOverVoltage"]', "a flag stands twice"),
    "cleared elsewhere": ('signal = "HVB_SOC"', 'signal = "HVB_SOC"\ncleared = [0]', 'are for the role "BMS_FaultCode"'),
    "along of no code": ('along = ["CellSpread"]', 'along = ["CelSpread"]', 'is no code; did you mean "CellSpread"?'),
    "another profile": ('profile = "P11"', 'profile = "P07"', 'profile "P07" is not computed here; expected one of "None"'),
    "profile without id": ("data_id = 0x0A50\n", "", 'profile "P11" needs data_id, crc and counter'),
    "crc that is not there": ('crc = "CellPage_CRC"', 'crc = "CellPage_CRX"', 'did you mean "CellPage_CRC"?'),
    "crc in another place": ('crc = "RelayCmd_CRC"', 'crc = "RelayCmd_CNT"', "this E2E profile has it at bits 0 to 7"),
    "counter with a role": ('counter = "RelayCmd_CNT"', 'counter = "HVB_MainPos_Close"', 'the role "BMS_MainPlusCommand"'),
    "message that is not there": ('name = "PDU_Relays"', 'name = "PDU_Relais"', 'did you mean "PDU_Relays"?'),
    "page that is not there": ("pages = [0, 2, 4, 1, 3, 5]", "pages = [0, 9]", "has no page 9; it has 0, 1, 2"),
    "page twice": ("pages = [0, 2, 4, 1, 3, 5]", "pages = [0, 0]", "a page stands twice"),
    "pages of none": ("cycle_ms = 10", "page_ms = 10", 'message "PDU_Relays" has no multiplexer'),
    "two cycles": ("page_ms = 10", "page_ms = 10\ncycle_ms = 20", "expected one of"),
    "role of a multiplexer": ('signal = "VMS_FaultReset"', 'signal = "CellPage_No"', "is the multiplexer of message"),
    "first of no pattern": ('signal = "HVB_SOC"', 'signal = "HVB_SOC"\nfirst = 2', "first is for patterns with a number"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_a_mapping_cannot_mean_is_one_sentence(tmp_path: Path, what: str) -> None:
    """Where, what was found, and what is right."""
    old, new, told = WRONG[what]
    shutil.copytree(EXAMPLE, tmp_path / "x")
    path = tmp_path / "x" / "loader.mapping.toml"
    path.write_text(changed(path.read_text(encoding="utf-8"), (old, new)), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        network.load(str(tmp_path / "x" / "loader.network.toml"), 16, 6, TICK_NS)
    assert any(told in problem for problem in caught.value.problems), caught.value.problems
    assert len(caught.value.problems) <= 6


def test_cells_of_two_modules_follow_each_other(tmp_path: Path) -> None:
    """`first` says where the numbers of the next module begin."""
    lines = "".join(
        f"BO_ {m} Mod{m}: 8 M\n" + "".join(f' SG_ M{m}C{k} : {16 * k}|16@1+ (0.001,0) [0|0] "V" D\n' for k in range(4))
        for m in (1, 2)
    )
    (tmp_path / "x.dbc").write_text(f'VERSION ""\nBU_: D M\n{lines}BO_ 9 O: 1 D\n SG_ St : 0|3@1+ (1,0) [0|0] "" M\n')
    (tmp_path / "x.mapping.toml").write_text(
        'format = 1\ntitle = "x"\ndut = "D"\n[[signal]]\nrole = "BMS_State"\nsignal = "St"\n'
        + "".join(f'[[signal]]\nrole = "CellVoltage_{{n:03}}"\nsignal = "M{m}C{{n}}"\nfirst = {4 * m - 4}\n' for m in (1, 2))
    )
    (tmp_path / "x.network.toml").write_text(
        'format = 1\ntitle = "x"\nmapping = "x.mapping.toml"\n[[bus]]\nname = "b"\nbitrate = 500000\ndbc = ["x.dbc"]\n'
        "cycle_ms = { Mod1 = 10, Mod2 = 10, O = 10 }\n"
    )
    net = network.load(str(tmp_path / "x.network.toml"), 8, 1, TICK_NS)
    assert [f"CellVoltage_{k:03}" for k in range(8)] == [name for name in net.to_dut.signal_names if "Cell" in name]
    assert ["M1C0", "M2C3"] == [
        key[1] for key, role in net.database.played.items() if role in ("CellVoltage_000", "CellVoltage_007")
    ]


def test_a_signal_that_stands_still_does_so_on_every_page_and_as_a_float(tmp_path: Path) -> None:
    """A constant of the common part of a paged message, and one of a float."""
    (tmp_path / "x.dbc").write_text(
        'VERSION ""\nBU_: D M\nBO_ 1 Cells: 8 M\n SG_ P M : 0|4@1+ (1,0) [0|0] "" D\n SG_ Alive : 4|4@1+ (1,0) [0|0] "" D\n'
        ' SG_ C0 m0 : 8|16@1+ (0.001,0) [0|0] "V" D\n SG_ C1 m1 : 8|16@1+ (0.001,0) [0|0] "V" D\n'
        ' SG_ Gain : 32|32@1- (1,0) [0|0] "" D\nBO_ 2 Out: 1 D\n SG_ St : 0|3@1+ (1,0) [0|0] "" M\nSIG_VALTYPE_ 1 Gain : 1;\n',
        encoding="ascii",
    )
    (tmp_path / "x.mapping.toml").write_text(
        'format = 1\ntitle = "x"\ndut = "D"\n[[signal]]\nrole = "CellVoltage_{n:03}"\nsignal = "C{n}"\n'
        '[[signal]]\nrole = "BMS_State"\nsignal = "St"\n[[constant]]\nsignal = "Alive"\nvalue = 9\n'
        '[[constant]]\nsignal = "Cells.Gain"\nvalue = 1.5\n',
        encoding="ascii",
    )
    (tmp_path / "x.network.toml").write_text(
        'format = 1\ntitle = "x"\nmapping = "x.mapping.toml"\n[[bus]]\nname = "b"\nbitrate = 500000\ndbc = ["x.dbc"]\n'
        "cycle_ms = { Cells = 10, Out = 10 }\n",
        encoding="ascii",
    )
    layout = network.load(str(tmp_path / "x.network.toml"), 2, 1, TICK_NS).to_dut
    foreign = cantools.database.load_file(tmp_path / "x.dbc")
    for page in (0, 1):
        decoded = foreign.decode_message("Cells", sent(layout, f"Cells[{page}]", {f"CellVoltage_00{page}": 3.0}))
        assert (page, 9, 1.5, 3.0) == (decoded["P"], decoded["Alive"], decoded["Gain"], decoded[f"C{page}"])


def test_a_guard_keeps_its_row_when_a_constant_is_put_before_it(loader: network.Network) -> None:
    """Constants move rows; what is tied to a row moves along."""
    layout = loader.to_dut
    for i, name in enumerate(layout.signal_names):
        if name.startswith(("CellVoltage", "CellTemperature")):
            guard = int(layout.signals[i, 11])
            assert layout.signals[guard, SLOT] == layout.signals[i, SLOT]
            assert layout.signal_names[guard].endswith(("_Invalid", "_Valid"))
    words = np.zeros((1, int(layout.n_words)), np.int64)
    encode_many(np.full((1, 99), np.nan), 0, layout.signals, layout.scales, layout.slots, layout.blank, words)
