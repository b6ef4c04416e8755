"""The table codec against cantools: every message and page of every shipped database, and foreign ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_checks import check_codes, check_decode, check_encode
from rigs import ROOT
from wires import Frames, compiled, of_file

from hil.database import Bus, Database
from hil.errors import ScenarioError

SHIPPED = sorted((ROOT / "dbc").glob("*.dbc"))
FOREIGN = sorted((ROOT / "tests" / "data" / "dbc").glob("*/*.dbc"))


@pytest.mark.compiled_only
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_messages_decode_as_cantools_does(path: Path) -> None:
    """Every message and every page, from random bits."""
    rng = np.random.default_rng(1)
    for frames in compiled(of_file(path)):
        check_decode(frames, rng)


@pytest.mark.compiled_only
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_messages_encode_as_cantools_does(path: Path) -> None:
    """Every message and every page, values on and beside the grid, at the ends of the range, and no values at all."""
    rng = np.random.default_rng(2)
    for frames in compiled(of_file(path)):
        check_encode(frames, rng)
        check_codes(frames)


@pytest.mark.parametrize("name", ["shunt.dbc", "pack_io.dbc", "vehicle.dbc"])
def test_small_shipped_messages_agree_with_cantools_in_both_directions(name: str) -> None:
    """The same on few messages, so that it also runs interpreted."""
    rng = np.random.default_rng(3)
    for frames in compiled(of_file(ROOT / "dbc" / name)):
        check_decode(frames, rng, 10)
        check_encode(frames, rng, 10)
        check_codes(frames)


@pytest.mark.compiled_only
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_foreign_messages_agree_or_are_refused_in_a_sentence(path: Path) -> None:
    """Whatever we compile of a foreign file means what cantools says; the rest ends in a ScenarioError with the name."""
    rng = np.random.default_rng(4)
    try:
        database = Database([Bus("bus", (path,), 500_000, 2_000_000, {})], tolerant=True)
    except ScenarioError as error:
        assert path.stem in ("bad_message_length", "issue_63", "issue_199", "issue_199_extended")
        assert all(str(path) in problem and "\n" not in problem for problem in error.problems)
        return
    n = 20 if len(database.messages) < 60 else 4
    for message in database.messages:
        try:
            slots = database.slots(lambda other, own=message: other is own, lambda _slot: True)
            layout = database.layout(slots, 10_000_000)
        except ScenarioError as error:
            names = {message.name} | {signal.name for signal in message.signals}
            assert all(any(f'"{name}"' in problem for name in names) for problem in error.problems)
            continue
        for s, slot in enumerate(slots):
            if message.length:
                check_decode(Frames(layout, s, slot), rng, n)
                check_encode(Frames(layout, s, slot), rng, n)


def test_which_foreign_messages_are_compiled() -> None:
    """How much of the foreign files we understand, at least."""
    counts = {}
    for path in FOREIGN:
        try:
            database = of_file(path)
        except ScenarioError:
            continue
        counts[path.stem] = sum(_is_compiled(database, message) for message in database.messages)
    assert counts["gm_global_a_high_voltage_management"] >= 8
    assert 11 == counts["signed"]
    assert counts["multiplex_2"] >= 2
    assert counts["foobar"] >= 3
    assert sum(counts.values()) >= 70


def _is_compiled(database: Database, message: Any) -> bool:
    try:
        database.layout(database.slots(lambda other: other is message, lambda _slot: True), 10_000_000)
    except ScenarioError:
        return False
    return True


@pytest.mark.parametrize(
    ("scale", "value", "raw"),
    [
        (1.0, 0.5, 0),
        (1.0, 1.5, 2),
        (1.0, 2.5, 2),
        (1.0, 3.5, 4),
        (0.5, 0.25, 0),
        (0.5, 0.75, 2),
        (0.25, 0.375, 2),
        (1.0, 254.5, 254),
    ],
)
def test_half_a_step_goes_to_the_even_side(tmp_path: Path, scale: float, value: float, raw: int) -> None:
    """Ties are rounded to even, as cantools and IEEE 754 do."""
    path = tmp_path / "tie.dbc"
    path.write_text(f'VERSION ""\nBU_: A\nBO_ 1 M: 8 A\n SG_ S : 0|8@1+ ({scale},0) [0|0] "" A\n')
    (frames,) = compiled(of_file(path))
    assert bytes([raw]) == frames.encode(np.array([[value]]))[0][:1]
