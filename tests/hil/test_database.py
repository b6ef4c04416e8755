"""Our databases as a bus engineer would accept them, and what becomes of broken or foreign ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rigs import ROOT
from wires import compiled, of_file, theirs

from firmware_sim.types import MS_NS
from firmware_sim.wire import layout as w
from hil.database import Bus, Database, parse
from hil.errors import ScenarioError

FILES = sorted((ROOT / "dbc").glob("*.dbc"))
BY_NAME = {"ids": lambda path: path.name}
HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: A BMS\n'


def sig_type(signal: Any) -> str:
    """Default, MessageCounter or MessageChecksum."""
    attribute = signal.dbc.attributes.get("SigType")
    if attribute is None:
        return "Default"
    value = attribute.value
    return ("Default", "MessageCounter", "MessageChecksum")[value] if isinstance(value, int) else str(value)


def words(signal: Any) -> set[str]:
    """Names of its values."""
    return {str(name) for name in (signal.choices or {}).values()}


@pytest.mark.parametrize("path", FILES, **BY_NAME)
class TestShipped:
    """What every shipped database must have."""

    def test_everything_has_a_comment(self, path: Path) -> None:
        """Database, nodes, messages and signals say what they are, in whole sentences."""
        database = theirs(path)
        assert database.dbc.comment if hasattr(database.dbc, "comment") else "CM_ " in path.read_text()
        for thing in (*database.nodes, *database.messages, *(s for m in database.messages for s in m.signals)):
            assert thing.comment, thing.name
            assert thing.comment.endswith((".", ";")), thing.name

    def test_messages_say_who_sends_to_whom_and_how_often(self, path: Path) -> None:
        """Sender, receivers and cycle time; all of them nodes of the file."""
        database = theirs(path)
        nodes = {node.name for node in database.nodes}
        for message in database.messages:
            assert len(message.senders) == 1 and set(message.senders) <= nodes, message.name
            assert message.cycle_time and message.send_type == "Cyclic", message.name
            for signal in message.signals:
                assert signal.receivers and set(signal.receivers) <= nodes - set(message.senders), signal.name

    def test_what_is_physical_has_a_unit_and_codes(self, path: Path) -> None:
        """A number has a unit; it and every state know "error" and "not_available" outside their range."""
        for message in theirs(path).messages:
            for signal in message.signals:
                plain = sig_type(signal) != "Default" or signal.is_multiplexer or signal.length == 1
                if plain or signal.name.endswith(("Index", "Tries")):
                    continue
                is_state = bool(words(signal) - {"error", "not_available"})
                assert signal.unit or is_state, signal.name
                if signal.name == "BMS_Uptime":
                    continue
                assert "not_available" in words(signal), signal.name
                assert is_state or "error" in words(signal), signal.name
                for raw, name in signal.choices.items():
                    outside = not signal.minimum <= raw * signal.scale + signal.offset <= signal.maximum
                    reserved = str(name) == "not_available" or (str(name) == "error" and signal.name != "BMS_State")
                    assert outside == reserved, (signal.name, name)  # "error" is a state of the mode machine

    def test_ranges_fit_their_bits(self, path: Path) -> None:
        """Minimum and maximum can be sent, and stand on the grid of the signal."""
        for message in theirs(path).messages:
            for signal in message.signals:
                if signal.is_multiplexer:
                    continue
                for end in (signal.minimum, signal.maximum):
                    raw = (end - signal.offset) / signal.scale
                    assert raw == pytest.approx(round(raw), abs=1e-6), signal.name
                    assert 0 <= round(raw) < 1 << signal.length, signal.name

    def test_signals_do_not_overlap(self, path: Path) -> None:
        """On no page do two signals share a bit, and every one lies in the payload."""
        for message in theirs(path).messages:
            pages = sorted({page for s in message.signals for page in s.multiplexer_ids or ()}) or [None]
            for page in pages:
                taken = np.zeros(8 * message.length, int)
                for signal in message.signals:
                    if signal.multiplexer_ids is None or page in signal.multiplexer_ids:
                        assert signal.byte_order == "little_endian"
                        taken[signal.start : signal.start + signal.length] += 1
                        assert signal.start + signal.length <= 8 * message.length
                assert taken.max() == 1, (message.name, page)

    def test_names_are_short_and_unique(self, path: Path) -> None:
        """32 characters, as Vector's tools want it; a signal name stands for one signal."""
        database = theirs(path)
        names = [s.name for m in database.messages for s in m.signals]
        for name in (*names, *(m.name for m in database.messages), *(n.name for n in database.nodes)):
            assert len(name) <= 32, name
        assert len(names) == len(set(names))

    def test_counters_and_checksums_are_marked_where_they_lie(self, path: Path) -> None:
        """E2E header of the stated profile: CRC and counter at their bits, marked by SigType."""
        places = {"P11": ((0, 8), (8, 4)), "P05": ((0, 16), (16, 8))}
        for message in theirs(path).messages:
            profile = ("None", "P11", "P05")[int(message.dbc.attributes["E2eProfile"].value)]
            marked = {sig_type(s): (s.start, s.length) for s in message.signals if sig_type(s) != "Default"}
            crc, counter = places[profile]
            assert {"MessageChecksum": crc, "MessageCounter": counter} == marked, message.name

    def test_start_values_say_not_available(self, path: Path) -> None:
        """Before the first sample a signal says that it has none, wherever it can."""
        for message in theirs(path).messages:
            for signal in message.signals:
                if "not_available" in words(signal):
                    (code,) = [raw for raw, name in signal.choices.items() if str(name) == "not_available"]
                    assert code == signal.raw_initial, signal.name


def test_data_ids_are_unique_over_pages_and_files() -> None:
    """A frame of one stream can never be taken for that of another, on any network that is shipped."""
    for network in ((f for f in FILES if f.name != "monitor_fd.dbc"), (f for f in FILES if f.name != "monitor.dbc")):
        seen: dict[int, str] = {}
        for path in network:
            for frames in compiled(of_file(path)):
                data_id = int(frames.layout.slots[frames.s, w.DATA_ID])
                assert data_id not in seen, (frames.slot.name, seen[data_id])
                seen[data_id] = frames.slot.name
        assert len(seen) > 70


def test_the_wire_holds_what_was_promised() -> None:
    """192 cells at 0.2 mV from -0.5 to 6 V, -60 to 150 degC, 2000 A either way at 5 mA."""
    for name in ("monitor.dbc", "monitor_fd.dbc"):
        database = theirs(ROOT / "dbc" / name)
        cells = [s for s in database.get_message_by_name("CellVoltages").signals if s.name.startswith("CellVoltage_")]
        assert 192 == len(cells)
        assert {(0.0002, -0.5, -0.5, 6.0)} == {(s.scale, s.offset, s.minimum, s.maximum) for s in cells}
        assert {"V"} == {s.unit for s in cells}
        warm = [s for s in database.get_message_by_name("CellTemperatures").signals if s.name.startswith("CellTemperature_")]
        assert {(-60, 150, "degC")} == {(s.minimum, s.maximum, s.unit) for s in warm}
    current = theirs(ROOT / "dbc" / "shunt.dbc").get_message_by_name("Shunt_Values").get_signal_by_name("Shunt_Current")
    assert (0.005, -2000, 2000, "A") == (current.scale, current.minimum, current.maximum, current.unit)


# ---- what is broken


def written(folder: Path, body: str, name: str = "some.dbc") -> Path:
    """A DBC file of a test."""
    path = folder / name
    path.write_text(HEAD + body, encoding="cp1252")
    return path


MESSAGE = 'BO_ 16 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] "" BMS\n'
E2E = 'BA_DEF_ BO_ "E2eProfile" ENUM "None","P11","P05","P02";\nBA_DEF_ BO_ "E2eDataId" INT 0 999999;\n'
BROKEN = {
    "no DBC at all": ("\x00\x01nonsense", "not a usable DBC"),
    "cut short": ("BO_ 16 M: 8 A\n SG_ S : 0|8@1+ (1,0) [0|", "not a usable DBC"),
    "scale 0": (MESSAGE.replace("(1,0)", "(0,0)"), 'signal "S" has scale 0'),
    "overlap": (MESSAGE + ' SG_ T : 4|8@1+ (1,0) [0|0] "" BMS\n', "overlapping"),
    "does not fit": (MESSAGE.replace("0|8@1+", "60|8@1+"), "does not fit"),
    "id of another message": (MESSAGE + MESSAGE.replace("M:", "N:").replace("S :", "T :"), "ids on a bus must differ"),
    "message twice": (MESSAGE + MESSAGE.replace("BO_ 16", "BO_ 17"), "defined twice"),
    "id too large": (MESSAGE.replace("BO_ 16", "BO_ 5000"), "more than 11 bits"),
    "too long": (MESSAGE.replace("M: 8", "M: 65"), "expected at most 64"),
    "name of digits": (MESSAGE.replace("S :", "2nd :"), "begins with a digit"),
    "65 bits": (MESSAGE.replace("M: 8", "M: 16").replace("0|8@", "0|65@"), "has 65 bits; expected 1 to 64"),
    "signal twice": (MESSAGE + ' SG_ S : 8|8@1+ (1,0) [0|0] "" BMS\n', 'has the signal "S" twice'),
    "scale of no number": (MESSAGE.replace("(1,0)", "(1e999,0)"), "expected a finite number"),
    "page of no multiplexer": (MESSAGE.replace("S :", "S m0 :"), "multiplexer that is not there"),
}
UNCOMPILED = {
    "half a float": (MESSAGE.replace("0|8@1+", "0|16@1-") + "SIG_VALTYPE_ 16 S : 1;\n", "is a float of 16 bits"),
    "E2E without header": (E2E + MESSAGE + 'BA_ "E2eProfile" BO_ 16 1;\n', "E2E needs its counter"),
    "another profile": (E2E + MESSAGE + 'BA_ "E2eProfile" BO_ 16 3;\n', "E2eProfile"),
    "a word as profile": (
        'BA_DEF_ BO_ "E2eProfile" STRING ;\n' + MESSAGE + 'BA_ "E2eProfile" BO_ 16 "P77";\n', "E2eProfile"
    ),
    "data id too large": (
        E2E + MESSAGE + ' SG_ C : 8|4@1+ (1,0) [0|14] "" BMS\nBA_ "E2eProfile" BO_ 16 1;\nBA_ "E2eDataId" BO_ 16 70000;\n',
        "E2eDataId",
    ),
    "a multiplexer behind the first word": (
        MESSAGE.replace("M: 8", "M: 16") + ' SG_ P M : 64|4@1+ (1,0) [0|0] "" BMS\n SG_ Q m0 : 70|4@1+ (1,0) [0|0] "" BMS\n',
        "first 64 bits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_ends_in_sentences(tmp_path: Path, what: str) -> None:
    """One sentence a problem, with the file in front; never another exception."""
    body, said = BROKEN[what]
    path = written(tmp_path, body)
    with pytest.raises(ScenarioError) as caught:
        Database([Bus("bus", (path,), 500_000, 500_000, {})])
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in caught.value.problems)
    assert any(said in problem for problem in caught.value.problems)


@pytest.mark.parametrize("what", UNCOMPILED)
def test_what_the_wire_cannot_carry_is_named(tmp_path: Path, what: str) -> None:
    """The message or signal stands in the sentence."""
    body, said = UNCOMPILED[what]
    database = Database([Bus("bus", (written(tmp_path, body),), 500_000, 500_000, {})])
    with pytest.raises(ScenarioError) as caught:
        compiled(database)
    assert any(said in problem and ('"M"' in problem or '"S"' in problem) for problem in caught.value.problems)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    """10 MiB are refused at once."""
    path = tmp_path / "large.dbc"
    path.write_bytes(b"VERSION\n" * (10 << 17))
    with pytest.raises(ScenarioError, match="expected at most"):
        parse(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path, and that it is not there."""
    with pytest.raises(ScenarioError, match=r"absent\.dbc: does not exist"):
        parse(tmp_path / "absent.dbc")


def test_an_unknown_name_brings_the_nearest(tmp_path: Path) -> None:
    """Messages, signals, and messages in a table of cycles."""
    path = written(tmp_path, MESSAGE.replace(" M:", " Motor:").replace("S :", "Speed :"))
    database = Database([Bus("bus", (path,), 500_000, 500_000, {})])
    with pytest.raises(ScenarioError, match='no message "Moter"; did you mean "Motor"'):
        database.message("Moter")
    with pytest.raises(ScenarioError, match=r'no signal "Sped".*did you mean "Speed"'):
        database.signal("Sped")
    with pytest.raises(ScenarioError, match='no message "Motr"; did you mean "Motor"'):
        Database([Bus("bus", (path,), 500_000, 500_000, {"Motr": 10})])


def test_ids_may_repeat_on_another_bus_and_between_frame_formats(tmp_path: Path) -> None:
    """The same number is another message on another bus, or as an extended id."""
    one = written(tmp_path, MESSAGE, "one.dbc")
    two = written(tmp_path, MESSAGE.replace("M:", "N:").replace("S :", "T :"), "two.dbc")
    assert 2 == len(Database([Bus("a", (one,), 500_000, 500_000, {}), Bus("b", (two,), 500_000, 500_000, {})]).messages)
    extended = written(tmp_path, MESSAGE.replace("BO_ 16 M:", f"BO_ {16 + (1 << 31)} N:").replace("S :", "T :"), "three.dbc")
    assert 2 == len(Database([Bus("a", (one, extended), 500_000, 500_000, {})]).messages)


@pytest.mark.parametrize(("cycle_ms", "tick_ms", "ticks"), [(100, 10, 10), (10, 10, 1), (15, 10, 2), (1, 10, 1), (25, 1, 25)])
def test_cycles_are_whole_ticks(tmp_path: Path, cycle_ms: int, tick_ms: int, ticks: int) -> None:
    """Rounded up, and never less than one."""
    path = written(tmp_path, MESSAGE)
    database = Database([Bus("bus", (path,), 500_000, 500_000, {"M": cycle_ms})])
    (frames,) = compiled(database, tick_ms * MS_NS)
    assert ticks * tick_ms * MS_NS == frames.layout.slots[0, w.CYCLE_NS]


def test_the_fingerprint_follows_the_text(tmp_path: Path) -> None:
    """Equal files, equal hash; another byte, another hash."""
    path = written(tmp_path, MESSAGE)
    first = Database([Bus("bus", (path,), 500_000, 500_000, {})]).fingerprint()
    assert first == Database([Bus("other", (path,), 250_000, 250_000, {})]).fingerprint()
    path.write_text(path.read_text() + "\n")
    assert first != Database([Bus("bus", (path,), 500_000, 500_000, {})]).fingerprint()
