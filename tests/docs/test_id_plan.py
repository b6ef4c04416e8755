"""dbc/README.md says what the databases say, by another reader than ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cantools
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "dbc" / "README.md").read_text(encoding="utf-8")
FILES = sorted((ROOT / "dbc").glob("*.dbc"))
PROFILES = ("None", "P11", "P05")


def database(path: Path) -> Any:
    """A database as cantools reads it."""
    return cantools.database.load_file(path)


def stated(name: str) -> list[list[str]]:
    """Rows of the table under a heading."""
    _, _, rest = TEXT.partition(f"### {name}\n")
    section = rest.partition("\n#")[0]
    return [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| 0x")
    ]


def row(message: Any) -> list[str]:
    """A message as the table should have it."""
    attributes = message.dbc.attributes
    pages = sorted({page for signal in message.signals for page in signal.multiplexer_ids or ()})
    assert pages == list(range(len(pages)))
    return [
        f"0x{message.frame_id:03X}",
        message.name,
        ", ".join(message.senders),
        ", ".join(sorted({node for signal in message.signals for node in signal.receivers})),
        str(message.length),
        str(message.cycle_time),
        PROFILES[attributes["E2eProfile"].value],
        f"0x{attributes['E2eDataId'].value:04X}",
        f"0 to {pages[-1]}" if pages else "",
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_table_of_a_database_holds_its_messages(path: Path) -> None:
    """Every message with id, sender, receivers, length, cycle, E2E and pages, in order of the ids, and none besides."""
    messages = sorted(database(path).messages, key=lambda message: message.frame_id)
    assert [row(message) for message in messages] == stated(path.name)


def test_every_id_lies_in_its_range() -> None:
    """The plan of ids covers all messages."""
    found = re.findall(r"^\| (0x[0-9A-F]{3})(?: to (0x[0-9A-F]{3}))? \|", TEXT.partition("### ")[0], re.MULTILINE)
    ranges = [(int(low, 16), int(high or low, 16)) for low, high in found]
    for path in FILES:
        for message in database(path).messages:
            assert not message.is_extended_frame
            assert any(low <= message.frame_id <= high for low, high in ranges), message.name


def test_codes_follow_from_the_bits_of_their_flags() -> None:
    """Bit position minus 11 in one frame, plus 53 in the other; first and last code as written."""
    bms = database(ROOT / "dbc" / "bms.dbc")
    names = {
        int(raw): str(name)
        for raw, name in bms.get_message_by_name("BMS_Status").get_signal_by_name("BMS_FaultCode").choices.items()
    }
    for message, shift, first, last in (("BMS_DiagLimits", -11, 1, 44), ("BMS_DiagSensors", 53, 65, 93)):
        flags = [s for s in bms.get_message_by_name(message).signals if s.name.startswith("Diag_")]
        assert {s.start + shift: s.name.removeprefix("Diag_") for s in flags} == {n: names[n] for n in range(first, last + 1)}
        assert f"({first} to {last})" in TEXT


def test_headers_pages_and_codes_lie_where_the_rules_say() -> None:
    """Header first, page behind it, values without gaps; the two largest raw values are codes."""
    few = {"BMS_State": 15, "BMS_FaultCode": 255, "BMS_WorstTier": 7, "Vehicle_ModeRequest": 3}
    plain = re.compile(r"Diag_\w+|BMS_\w+Index|BMS_PrechargeTries|BMS_Uptime")
    for path in FILES:
        for message in database(path).messages:
            attributes = message.dbc.attributes
            profile, data_id = PROFILES[attributes["E2eProfile"].value], attributes["E2eDataId"].value
            end = {"P11": 12, "P05": 24}[profile]
            paged = [s for s in message.signals if s.is_multiplexer]
            assert (data_id == 0x2000 + message.frame_id) is not bool(paged)
            assert all(s.start == end for s in paged)
            for signal in message.signals:
                assert (signal.byte_order, signal.is_signed) == ("little_endian", False)
                if signal.start < end or signal.is_multiplexer or plain.fullmatch(signal.name):
                    continue
                codes = {str(name): int(raw) for raw, name in (signal.choices or {}).items()}
                top = (1 << signal.length) - 1
                if signal.name in few:
                    assert few[signal.name] == codes["not_available"] == top
                else:
                    assert (top - 1, top) == (codes["error"], codes["not_available"]), signal.name
            first = min(s.start for s in message.signals if s.start >= end and not s.is_multiplexer)
            behind = end + sum(s.length for s in paged)
            assert first == (32 if message.is_fd else behind), message.name
            for page in sorted({p for s in message.signals for p in s.multiplexer_ids or ()}) or [None]:
                spans = sorted(
                    (s.start, s.length)
                    for s in message.signals
                    if s.start >= first and (s.multiplexer_ids is None or page in s.multiplexer_ids)
                )
                assert all(a + n == b for (a, n), (b, _) in zip(spans, spans[1:], strict=False)), message.name
