"""What the text of a DBC says, against what cantools reads of it: two programs that share no line of code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rigs import ROOT

from hil.dbcfile import faults, reading
from hil.dbcfile.scan import scan
from hil.errors import ScenarioError

FILES = sorted((ROOT / "tests" / "data" / "dbc").glob("*/*.dbc")) + sorted((ROOT / "dbc").glob("*.dbc"))


def taken(message: Any, signal: Any) -> set[int]:
    """Bits that change when cantools sends a signal as all ones instead of as 0, in a message without the others."""
    import cantools

    lone = cantools.database.can.Message(
        message.frame_id, "M", message.length, [_plain(signal)], is_extended_frame=message.is_extended_frame, strict=False
    )
    ones = -1 if signal.is_signed else (1 << signal.length) - 1
    data = lone.encode({signal.name: ones}, scaling=False, strict=False)
    return {8 * n + bit for n, byte in enumerate(data) for bit in range(8) if byte >> bit & 1}


def _plain(signal: Any) -> Any:
    import cantools

    return cantools.database.can.Signal(
        signal.name, signal.start, signal.length, byte_order=signal.byte_order, is_signed=signal.is_signed
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_text_says_what_cantools_reads(path: Path) -> None:
    """Ids, lengths, signs, orders, places, pages: of every message that is left in."""
    try:
        read = reading.read(path)
    except ScenarioError:
        return
    kept = faults.report(reading.scanned(path)).kept
    assert {(m.frame_id, m.is_extended_frame) for m in read.database.messages} == {
        (m.can_id, m.is_extended) for m in kept.values()
    }
    checked = 0
    for message in read.database.messages:
        text = kept[message.frame_id | message.is_extended_frame << 31]
        assert message.length == text.length
        ours = sorted((s.start, s.length, s.little, s.signed, float(s.scale), float(s.offset)) for s in text.signals)
        assert ours == sorted(
            (s.start, s.length, s.byte_order == "little_endian", s.is_signed, float(s.scale), float(s.offset))
            for s in message.signals
        )
        pages = sorted(sum(b - a + 1 for a, b in s.pages) for s in text.signals if s.mux[:1] == "m")
        assert pages == sorted(len(s.multiplexer_ids) for s in message.signals if s.multiplexer_ids is not None)
        for signal in message.signals[:: max(len(message.signals) // 6, 1)] if checked < 300 else ():
            bits = next(s for s in text.signals if (s.start, s.length) == (signal.start, signal.length)).bits()
            assert taken(message, signal) == set(bits), signal.name
            checked += 1


def test_words_in_comments_and_strings_are_no_messages() -> None:
    """A statement in quotes or behind // says nothing, and lines are counted through both."""
    text = (
        'VERSION "BO_ 1 No: 8 A SG_ N : 0|8@1+ (1,0) [0|0] \\"\\" A"\n// BO_ 2 NorThis: 8 A\n'
        'CM_ "two\nlines BO_ 3 Nor: 8 A";\nBO_ 4 This: 8 A\n SG_ S : 0|8@1+ (1,0) [0|0] "BO_ 5 X: 8" A,B\n'
    )
    found = scan(text)
    assert [("This", 5, ["S"], "BO_ 5 X: 8")] == [
        (m.name, m.line, [s.name for s in m.signals], m.signals[0].unit) for m in found.messages
    ]


def test_all_on_one_line_is_found_as_well() -> None:
    """Line breaks mean nothing in a DBC."""
    found = scan('BU_: A BO_ 1 M: 8 A SG_ S : 0|8@1+ (1,0) [0|0] "" A SG_ T : 8|8@1+ (1,0) [0|0] "" A BO_ 2 N: 1 A')
    assert [("M", ["S", "T"]), ("N", [])] == [(m.name, [s.name for s in m.signals]) for m in found.messages]
