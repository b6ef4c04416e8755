"""A mapping makes somebody else's databases speak our names and units, and says all that is wrong with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import cantools
import numpy as np
import pytest
import rigs

from firmware_sim.wire.codec import decode_many, encode_many
from firmware_sim.wire.layout import COUNT, FIRST, N_WORDS, SLOT, Layout
from hil import checker, files, mapping, network, roles, runner
from hil.errors import ScenarioError
from hil.report import folder
from hil.report.record import result_text
from hil.verdict import Verdict
from hil.wirelog import meanings

OWN = rigs.ROOT / "examples" / "own_dbc"
TICK_NS = 10_000_000


def copy_of(tmp_path: Path) -> Path:
    """The example in a folder of its own; the path of its network file."""
    shutil.copytree(OWN, tmp_path / "own")
    return tmp_path / "own" / "truck.network.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The example with one change in its mapping."""
    net = copy_of(tmp_path)
    path = net.with_name("truck.mapping.toml")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return net


def load(path: Path) -> network.Network:
    return network.load(str(path), 16, 6, TICK_NS)


def problems_of(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return "\n".join(caught.value.problems)


def payload(layout: Layout, message: str, values: dict[str, float]) -> bytes:
    """A frame of ours from physical values by role."""
    slot = layout.slot_names.index(message)
    first, count = int(layout.slots[slot, FIRST]), int(layout.slots[slot, COUNT])
    row = np.full((1, count), np.nan)
    for name, value in values.items():
        row[0, layout.index(name) - first] = value
    words = np.zeros((1, int(layout.slots[slot, N_WORDS])), np.int64)
    encode_many(row, slot, layout.signals, layout.scales, layout.slots, layout.blank, words)
    return words.astype("<i8").tobytes()


def said(layout: Layout, message: str, data: bytes) -> dict[str, float | None]:
    """What a frame says by role; None where it holds no value."""
    slot = layout.slot_names.index(message)
    count, first = int(layout.slots[slot, COUNT]), int(layout.slots[slot, FIRST])
    words = np.frombuffer(data.ljust(8, b"\0"), "<i8").reshape(1, -1).copy()
    value, valid = np.zeros((1, count)), np.zeros((1, count), np.uint8)
    decode_many(words, slot, layout.signals, layout.scales, layout.slots, value, valid)
    return {layout.signal_names[first + n]: float(value[0, n]) if valid[0, n] else None for n in range(count)}


@pytest.fixture(scope="module")
def foreign() -> cantools.database.Database:
    """The example's DBC as cantools reads it, without us."""
    database = cantools.database.load_file(OWN / "truck.dbc")
    assert isinstance(database, cantools.database.Database)
    return database


@pytest.fixture(scope="module")
def truck() -> network.Network:
    return load(OWN / "truck.network.toml")


def test_frames_to_the_device_read_back_in_the_foreign_units(
    truck: network.Network, foreign: cantools.database.Database
) -> None:
    """Volts become millivolts in Motorola order, discharge becomes negative, a closed contact becomes "not open"."""
    cells = payload(truck.to_dut, "Cells_B", {f"CellVoltage_{n:03}": 3.0 + 0.1 * n for n in (4, 5, 6, 7)})
    assert {"Cell5_mV": 3400, "Cell6_mV": 3500, "Cell7_mV": 3600, "Cell8_mV": 3700} == foreign.decode_message(
        "Cells_B", cells[:7]
    )
    shunt = payload(truck.to_dut, "ShuntData", {"Shunt_Current": 1.234, "Shunt_PackVoltage": 51.2, "Shunt_LinkVoltage": 0.0})
    decoded = foreign.decode_message("ShuntData", shunt)
    assert (-1234, 0) == (decoded["I_Pack"], decoded["U_Link"])
    assert pytest.approx(51.2) == decoded["U_Pack"]
    feedback = {"PackIO_MainPlusFeedback": 1, "PackIO_MainMinusFeedback": 0, "PackIO_PrechargeFeedback": 1}
    box = foreign.decode_message("BoxState", payload(truck.to_dut, "BoxState", feedback)[:2], decode_choices=False)
    assert {"PlusIsOpen": 0, "MinusIsOpen": 1, "PrechargeIsOpen": 0, "BoxAlive": 1} == box


def test_random_frames_of_every_mapped_message_agree_with_cantools(
    truck: network.Network, foreign: cantools.database.Database
) -> None:
    """What cantools says of a random payload is, converted by hand, what our tables say."""
    factor = {"mV": 0.001, "mA": -0.001}
    rng = np.random.default_rng(7)
    text = files.read_toml(OWN / "truck.mapping.toml")
    names = {rule["role"]: rule["signal"].rpartition(".")[2] for rule in text["signal"]}
    names |= {f"CellVoltage_{n:03}": f"Cell{n + 1}_mV" for n in range(16)}
    names |= {f"CellTemperature_{n:02}": f"Temp{n + 1}_degC" for n in range(6)}
    compared = 0
    for layout in (truck.to_dut, truck.from_dut):
        for name in layout.slot_names:
            message = foreign.get_message_by_name(name)
            for _ in range(50):
                data = rng.bytes(message.length)
                theirs = message.decode(data, decode_choices=False)
                assert isinstance(theirs, dict)
                for role, value in said(layout, name, data).items():
                    if value is None or role not in names:
                        continue
                    signal = message.get_signal_by_name(names[role])
                    expected = theirs[signal.name] * factor.get(signal.unit or "", 1.0)
                    if role.endswith("Feedback"):
                        expected = 1 - expected
                    assert expected == pytest.approx(value, abs=1e-9), (role, data.hex())
                    compared += 1
    assert compared > 1000


def test_a_raw_value_that_means_no_value_is_none(truck: network.Network) -> None:
    """Codes of the mapping are no values, neither read nor sent as one."""
    assert said(truck.to_dut, "Temps", b"\xff" + bytes(7))["CellTemperature_00"] is None
    assert said(truck.to_dut, "Temps", b"\xfa" + bytes(7))["CellTemperature_00"] == 210.0
    assert 0xFF == payload(truck.to_dut, "Temps", {"CellTemperature_01": 20.0})[0]


def test_a_constant_comes_with_its_frame_and_takes_no_bit(truck: network.Network) -> None:
    """The charge limit that this BMS never sends reads 1.5 A in every state frame, whatever its bits."""
    for data in (bytes(4), b"\xff" * 4):
        assert 1.5 == said(truck.from_dut, "BcuState", data)["BMS_ChargeCurrentLimit"]
    assert 1.0 == said(truck.to_dut, "BoxState", b"\0\0")["PackIO_EmergencyLine"]


def test_messages_without_a_role_are_neither_sent_nor_expected(truck: network.Network) -> None:
    """The version message of the BMS plays no role; the cell messages beyond the pack are left out too."""
    assert "BcuVersion" not in truck.from_dut.slot_names
    small = network.load(str(OWN / "truck.network.toml"), 8, 6, TICK_NS)
    assert [True, True, False, False] == [f"Cells_{x}" in small.to_dut.slot_names for x in "ABCD"]


def test_a_network_without_mapping_is_untouched_by_one_with(truck: network.Network) -> None:
    """Giving roles changes only the databases of that network."""
    again = cantools.database.load_file(OWN / "truck.dbc")
    assert isinstance(again, cantools.database.Database)
    assert "I_Pack" in {s.name for s in again.get_message_by_name("ShuntData").signals}
    assert "BCU" == truck.dut_node


def test_the_emulator_runs_green_through_a_foreign_database(tmp_path: Path) -> None:
    """The example's scenario passes in lockstep, and its run folder judges itself the same without the example's files."""
    scenario = copy_of(tmp_path).with_name("truck-overvoltage.scenario.toml")
    record = runner.run(scenario, runner.Options())
    assert [Verdict.PASS] * 4 == [finding.verdict for finding in record.findings]
    place = folder.write(record, tmp_path / "runs")
    shutil.rmtree(scenario.parent)
    again = folder.load(place)
    assert (place / "result.json").read_text(encoding="utf-8") == result_text(again)


def test_names_of_values_follow_the_conversion() -> None:
    """A flag whose bit is inverted by the mapping is judged by the name its DBC gives it."""
    net = load(OWN / "truck.network.toml")
    assert {1.0: "closed", 0.0: "open"} == meanings(net, "PackIO_MainPlusFeedback")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('role = "Shunt_Current"', 'role = "Shunt_Curent"', 'role "Shunt_Curent" is not a role; did you mean "Shunt_Current"?'),
        ('signal = "U_Link"', 'signal = "U_Lnk"', 'signal "U_Lnk" does not exist; did you mean "U_Link"?'),
        ('signal = "U_Link"', 'signal = "U_Pack"', 'signal "U_Pack" plays the role "Shunt_PackVoltage" already'),
        ('role = "Shunt_LinkVoltage"', 'role = "Shunt_PackVoltage"', 'role "Shunt_PackVoltage" is played by "U_Pack" already'),
        ('signal = "Cell{n1}_mV"', 'signal = "Cel{n1}_mV"', '"Cel1_mV" or the like; did you mean "Cell1_mV"?'),
        ('dut = "BCU"', 'dut = "BCUU"', 'dut "BCUU" sends no message of these databases; did you mean "BCU"?'),
        ('signal = "ClosePlus"', 'signal = "VcuKeyOn"', 'role "BMS_MainPlusCommand", but message "VcuCommand" is sent by'),
        ("scale = 0.001 ", "scale = 0 ", "scale must not be 0"),
        ('signal = "Cell{n1}_mV"', 'signal = "Cell{x}_mV"', "expected a number as {n}, {n1}"),
        ('positive = "charge"', 'positive = "up"', 'expected one of "discharge", "charge"'),
        ('role = "BMS_ChargeCurrentLimit"', 'role = "BMS_Soc"', 'role "BMS_Soc" is played by signal "Soc" already'),
        ('signal = "VcuKeyOn"', 'signal = "VcuKeyOff"', 'signal "VcuKeyOff" does not exist; did you mean "VcuKeyOn"?'),
        ('with = "BMS_State"', 'with = "Shunt_Current"', "go in opposite directions"),
        ("[[constant]]\nrole", "[[constant]]\nvalu = 3\nrole", "unknown key; did you mean"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_nearest_name(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Every slip names the file, the key, what was found, and what was probably meant."""
    text = problems_of(changed(tmp_path, old, new))
    assert told in text
    assert "truck.mapping.toml" in text


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Three wrong names are three sentences in one go."""
    net = changed(tmp_path, 'signal = "U_Link"', 'signal = "U_Lnk"')
    path = net.with_name("truck.mapping.toml")
    text = path.read_text(encoding="utf-8").replace('"ClosePlus"', '"ClosPlus"').replace('"Temp{n1}_degC"', '"Tmp{n1}"')
    path.write_text(text, encoding="utf-8")
    assert 3 == len(problems_of(net).splitlines())


def test_a_gap_in_the_numbers_is_found(tmp_path: Path) -> None:
    """A cell that was forgotten in the DBC is named, rather than shifting its neighbours."""
    net = copy_of(tmp_path)
    dbc = net.with_name("truck.dbc")
    dbc.write_text(dbc.read_text(encoding="utf-8").replace("Cell7_mV", "CellSeven_mV"), encoding="utf-8")
    assert 'there is no signal "Cell7_mV", but there is "Cell16_mV"' in problems_of(net)


def test_a_name_that_exists_twice_needs_its_message(tmp_path: Path) -> None:
    """Signals of the same name in two messages are told apart by Message.Signal."""
    net = copy_of(tmp_path)
    dbc = net.with_name("truck.dbc")
    dbc.write_text(dbc.read_text(encoding="utf-8").replace("SG_ BoxAlive :", "SG_ U_Link :"), encoding="utf-8")
    assert 'exists 2 times; write "ShuntData.U_Link" or "BoxState.U_Link"' in problems_of(net)


def test_same_names_with_other_numbers_are_refused(tmp_path: Path) -> None:
    """A foreign "drive" that is not our number for drive would ask the device for something else."""
    net = copy_of(tmp_path)
    dbc = net.with_name("truck.dbc")
    dbc.write_text(dbc.read_text(encoding="utf-8").replace('1 "Drive" 2 "Charge"', '2 "Drive" 1 "Charge"'), encoding="utf-8")
    assert '"Drive" is 2, in ours 1' in problems_of(net)


def test_a_message_without_cycle_is_named(tmp_path: Path) -> None:
    """A cycle time that neither DBC nor network gives is asked for, not invented."""
    net = copy_of(tmp_path)
    text = net.read_text(encoding="utf-8").replace("cycle_ms", "# cycle_ms")
    net.write_text(text, encoding="utf-8")
    assert 'message "ShuntData" has no GenMsgCycleTime' in problems_of(net)


def test_a_fault_on_a_constant_is_refused(tmp_path: Path) -> None:
    """What no frame carries cannot be disturbed, so the scenario says so instead of testing nothing."""
    path = copy_of(tmp_path).with_name("truck-overvoltage.scenario.toml")
    text = path.read_text(encoding="utf-8")
    row = 'fault = "signal_reads"\ntarget = "signal:PackIO_EmergencyLine"\nstart_s = 6.0\nwith = { value = 0.0 }\n'
    fault = f"[[fault]]\n{row}\n[[expect]]"
    path.write_text(text.replace("[[expect]]", fault, 1), encoding="utf-8")
    with pytest.raises(ScenarioError, match="PackIO_EmergencyLine is a constant of the mapping"):
        checker.check(path)


def test_check_knows_a_mapping_file() -> None:
    """The check command says what a mapping holds."""
    assert 'mapping of node "BCU": 17 rules, 4 constants' in checker.check(OWN / "truck.mapping.toml").text


def test_roles_are_the_signals_of_the_shipped_databases() -> None:
    """Cells, sensors, requests and all that the BMS says are roles; E2E headers are not."""
    known = roles.sent_by_device()
    assert (False, False, True) == (known["CellVoltage_191"], known["Vehicle_ModeRequest"], known["BMS_Soc"])
    assert not any(name.endswith(("_Crc", "_Counter", "_Page")) for name in known)
    assert roles.is_role("Diag_MyOwnCheck")
    assert {0: "standby", 1: "drive", 2: "charge", 3: "not_available"} == roles.values("Vehicle_ModeRequest")


def test_a_constant_never_collides_with_the_layout_of_others(truck: network.Network) -> None:
    """Every signal row still belongs to the slot that counts it."""
    for layout in (truck.to_dut, truck.from_dut):
        for slot in range(layout.n_slots):
            first, count = int(layout.slots[slot, FIRST]), int(layout.slots[slot, COUNT])
            assert {slot} == set(layout.signals[first : first + count, SLOT].tolist())


def test_the_shipped_databases_map_onto_themselves(tmp_path: Path) -> None:
    """A mapping that gives each of our signals its own name changes no table."""
    names = [name for name in roles.sent_by_device() if not name.startswith(("CellVoltage", "CellTemperature", "CellSoc"))]
    rules = [f'[[signal]]\nrole = "{name}"\nsignal = "{name}"\n' for name in names]
    rules += [
        f'[[signal]]\nrole = "{name}_{{n:0{digits}}}"\nsignal = "{name}_{{n:0{digits}}}"\n'
        for name, digits in (("CellVoltage", 3), ("CellTemperature", 2), ("CellSoc", 3))
    ]
    (tmp_path / "own.toml").write_text('format = 1\ntitle = "ours"\ndut = "BMS"\n' + "".join(rules), encoding="utf-8")
    text = files.shipped("network")["classic"].read_text(encoding="utf-8")
    (tmp_path / "net.toml").write_text(text.replace("[[bus]]", 'mapping = "own.toml"\n\n[[bus]]', 1), encoding="utf-8")
    plain, mapped = network.load("classic", 16, 6, TICK_NS), network.load(str(tmp_path / "net.toml"), 16, 6, TICK_NS)
    for ours, theirs in ((plain.to_dut, mapped.to_dut), (plain.from_dut, mapped.from_dut)):
        assert ours.signal_names == theirs.signal_names
        assert np.array_equal(ours.signals, theirs.signals)
        assert np.array_equal(ours.scales, theirs.scales)
        assert np.array_equal(ours.slots, theirs.slots)
    assert mapping.Mapping.model_validate(files.read_toml(tmp_path / "own.toml")).dut == "BMS"
