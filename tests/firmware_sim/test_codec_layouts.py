"""The codec on made-up messages: any byte order, sign, length and place that fits, against cantools."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from codec_checks import check_decode, check_encode
from hypothesis import assume, given, settings
from hypothesis import strategies as hyp
from wires import compiled

from hil.database import Bus, Database

SCALES = ("1", "0.1", "0.0002", "-0.5", "2.5", "1e-3", "4096")
OFFSETS = ("0", "-2000", "0.5", "-40", "1e6")


@dataclass(frozen=True)
class Made:
    """A signal as a DBC says it. start: as in the file; first: its first bit in the order of the payload."""

    start: int
    length: int
    little: bool
    signed: bool
    scale: str
    offset: str

    def line(self, n: int) -> str:
        """Its line in the file."""
        order, sign = int(self.little), "-" if self.signed else "+"
        return f' SG_ S{n} : {self.start}|{self.length}@{order}{sign} ({self.scale},{self.offset}) [0|0] "" B\n'

    def bits(self) -> set[int]:
        """Bits of the payload that it takes, as little-endian numbers."""
        if self.little:
            return set(range(self.start, self.start + self.length))
        first = 8 * (self.start // 8) + 7 - self.start % 8
        return {8 * (at // 8) + 7 - at % 8 for at in range(first, first + self.length)}


made = hyp.builds(
    Made,
    hyp.integers(0, 511),
    hyp.integers(1, 64),
    hyp.booleans(),
    hyp.booleans(),
    hyp.sampled_from(SCALES),
    hyp.sampled_from(OFFSETS),
)


def fitting(wanted: list[Made], length: int) -> list[Made]:
    """Those that lie in the payload and do not overlap."""
    taken: set[int] = set()
    kept = []
    for signal in wanted:
        bits = signal.bits()
        if max(bits) < 8 * length and min(bits) >= 0 and not bits & taken:
            taken |= bits
            kept.append(signal)
    return kept


def database(signals: list[Made], length: int, folder: Path) -> Database:
    """A message of these signals."""
    path = folder / "made.dbc"
    lines = "".join(signal.line(n) for n, signal in enumerate(signals))
    path.write_text(f'VERSION ""\nBU_: A B\nBO_ 1 M: {length} A\n{lines}', encoding="ascii")
    return Database([Bus("bus", (path,), 500_000, 500_000, {})])


@pytest.mark.compiled_only
@given(
    hyp.lists(made, min_size=1, max_size=40), hyp.sampled_from((1, 2, 3, 5, 7, 8, 8, 8, 12, 20, 48, 64)), hyp.integers(0, 2**32)
)
@settings(max_examples=200)
def test_any_layout_means_what_cantools_says(wanted: list[Made], length: int, seed: int) -> None:
    """Classic and FD payloads, both byte orders, signals across the borders of bytes and words."""
    signals = fitting(wanted, length)
    assume(signals)
    with tempfile.TemporaryDirectory() as folder:
        (frames,) = compiled(database(signals, length, Path(folder)))
    rng = np.random.default_rng(seed)
    check_decode(frames, rng, 8)
    check_encode(frames, rng, 8)


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 31, 32, 33, 63, 64])
def test_a_signal_at_every_place_of_an_fd_frame(tmp_path: Path, length: int, signed: bool, little: bool) -> None:
    """One signal alone, moved bit by bit over the border of the first two words."""
    rng = np.random.default_rng(5)
    for at in range(40, 72, 3):
        start = at if little else 8 * (at // 8) + 7 - at % 8
        (frames,) = compiled(database([Made(start, length, little, signed, "1", "0")], 24, tmp_path))
        check_decode(frames, rng, 3)
        check_encode(frames, rng, 3)


@pytest.mark.parametrize("length", [53, 62, 63, 64])
@pytest.mark.parametrize("signed", [True, False])
def test_a_value_too_large_for_a_wide_signal_is_clipped_at_its_end(tmp_path: Path, length: int, signed: bool) -> None:
    """Also where the end of the range is no float of its own: 2^63 goes to the largest raw value, never to the smallest."""
    (frames,) = compiled(database([Made(0, length, True, signed, "1", "0")], 8, tmp_path))
    top = (1 << (length - 1)) - 1 if signed else min((1 << length) - 1, (1 << 63) - 1)
    for value in (2.0**63, 2.0**64, 1e300, float("inf")):
        assert top == int.from_bytes(frames.encode(np.array([[value]]))[0], "little")
    low = -(1 << (length - 1)) if signed else 0
    for value in (-(2.0**63) * 1.5, -1e300, float("-inf")):
        assert low % (1 << length) == int.from_bytes(frames.encode(np.array([[value]]))[0], "little")


def of_floats(folder: Path, lines: str, kinds: dict[str, int], length: int) -> Database:
    """A message whose signals are floats: 1 for 32 bits, 2 for 64."""
    path = folder / "float.dbc"
    types = "".join(f"SIG_VALTYPE_ 1 {name} : {kind};\n" for name, kind in kinds.items())
    path.write_text(f'VERSION ""\nBU_: A B\nBO_ 1 M: {length} A\n{lines}{types}', encoding="ascii")
    return Database([Bus("bus", (path,), 500_000, 500_000, {})])


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("length", [32, 64])
def test_a_float_at_every_place_of_an_fd_frame(tmp_path: Path, length: int, little: bool) -> None:
    """Floats in both byte orders and over the border of two words, beside a whole number, with a scale and a range."""
    rng = np.random.default_rng(6)
    for at in range(8, 72, 9):
        start = at if little else 8 * (at // 8) + 7 - at % 8
        line = f' SG_ F : {start}|{length}@{int(little)}- (0.5,-3) [-1e5|2e5] "" B\n SG_ N : 0|7@1+ (1,0) [0|0] "" B\n'
        (frames,) = compiled(of_floats(tmp_path, line, {"F": length // 32}, 24))
        check_decode(frames, rng, 8)
        check_encode(frames, rng, 8)


@pytest.mark.parametrize("length", [32, 64])
def test_floats_that_are_no_value(tmp_path: Path, length: int) -> None:
    """NaN is sent as NaN and read as none, infinities and what lies outside the range are none; sent they are clipped."""
    form, line = f"<f{length // 8}", f' SG_ F : 0|{length}@1- (1,0) [-5|100] "" B\n'
    (frames,) = compiled(of_floats(tmp_path, line, {"F": length // 32}, 8))

    def sent(value: float) -> float:
        return float(np.frombuffer(frames.encode(np.array([[value]]))[0][: length // 8], form)[0])

    assert np.isnan(sent(float("nan")))
    assert [100.0, 100.0, -5.0, -5.0, 2.5] == [sent(x) for x in (float("inf"), 1e300, float("-inf"), -5.001, 2.5)]
    bad = [float("nan"), float("inf"), float("-inf"), 100.5, -6.0]
    _, valid = frames.decode([np.array([x], form).tobytes().ljust(8, b"\0") for x in [*bad, 100.0, -5.0, 0.0]])
    assert [0, 0, 0, 0, 0, 1, 1, 1] == valid[:, 0].tolist()
