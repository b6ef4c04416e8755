"""What the codec must agree on with cantools, for one slot of any layout."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from wires import Frames, raw_limits

N = 40


def value_range(signal: Any) -> tuple[Fraction, Fraction]:
    """Smallest and largest raw value that means a value, from the text of the DBC, exactly; never beyond the bits."""
    low, high = (Fraction(x) for x in raw_limits(signal))
    scale, offset = Fraction(repr(signal.scale)), Fraction(repr(signal.offset))
    if signal.minimum is not None and signal.maximum is not None and signal.minimum < signal.maximum:
        ends = sorted((Fraction(repr(end)) - offset) / scale for end in (signal.minimum, signal.maximum))
        low, high = max(low, Fraction(round(ends[0]))), min(high, Fraction(round(ends[1])))
    return low, high


def float_range(signal: Any) -> tuple[float, float]:
    """Smallest and largest float that means a value."""
    most = float(np.finfo(np.float32 if signal.length == 32 else np.float64).max)
    if signal.minimum is not None and signal.maximum is not None and signal.minimum < signal.maximum:
        ends = sorted((end - signal.offset) / signal.scale for end in (signal.minimum, signal.maximum))
        return max(float(ends[0]), -most), min(float(ends[1]), most)
    return -most, most


def codes(signal: Any) -> tuple[int | None, int | None]:
    """Raw values that are named error and not available, and lie outside the range; inside, such a name is a state."""
    low, high = value_range(signal)
    named = {str(name): raw for raw, name in (signal.choices or {}).items() if not low <= raw <= high}
    return named.get("error"), named.get("not_available")


def check_decode(frames: Frames, rng: np.random.Generator, n: int = N) -> None:
    """Random bits: the same values, and "valid" exactly where the raw value lies in the signal's range."""
    bits = rng.integers(0, 256, (n, frames.length), np.uint8)
    edge = [bytes(frames.length), bytes([255] * frames.length)]
    payloads = [frames.theirs({}) if not frames.length else bytes(row) for row in bits] + edge
    payloads = [_with_page(frames, payload) for payload in payloads]
    value, valid = frames.decode(payloads)
    for k, payload in enumerate(payloads):
        scaled, raw = frames.read(payload), frames.read(payload, scaling=False)
        for n_signal, signal in enumerate(frames.signals):
            if signal.is_float:
                low, high = float_range(signal)
                is_value = low <= raw[signal.name] <= high  # NaN and infinities are none
                assert is_value == bool(valid[k, n_signal]), signal.name
                assert not is_value or scaled[signal.name] == value[k, n_signal], signal.name
                continue
            if signal.length == 64 and raw[signal.name] >= 1 << 63:
                assert valid[k, n_signal] == 0  # the words are signed; so large a number is no value
                continue
            low, high = value_range(signal)
            assert (low <= raw[signal.name] <= high) == bool(valid[k, n_signal]), signal.name
            assert math.isclose(scaled[signal.name], value[k, n_signal], rel_tol=1e-15, abs_tol=0.0), signal.name


def _with_page(frames: Frames, payload: bytes) -> bytes:
    """The payload with the multiplexers of this slot, bit by bit."""
    number = int.from_bytes(payload, "little")
    for name, page in frames.slot.chosen:
        signal = next(signal for signal in frames.slot.message.signals if signal.name == name)
        first = signal.start if signal.byte_order == "little_endian" else 8 * (signal.start // 8) + 7 - signal.start % 8
        for n in range(signal.length):
            bit = first + n
            if signal.byte_order == "big_endian":
                at = first + signal.length - 1 - n
                bit = 8 * (at // 8) + 7 - at % 8
            number = number & ~(1 << bit) | (page >> n & 1) << bit
    return number.to_bytes(len(payload), "little")


def check_encode(frames: Frames, rng: np.random.Generator, n: int = N) -> None:
    """Physical values on the grid, at its ends, and beside it: the bits that cantools makes of the right raw value."""
    wanted = []
    values = np.zeros((n, len(frames.rows)))
    for k in range(n):
        raw = {}
        for at, signal in enumerate(frames.signals):
            if signal.is_float:
                low, high = float_range(signal)
                number = float(rng.uniform(max(low, -1e6), min(high, 1e6))) if k > 1 else (low, high)[k]
                raw[signal.name] = number if signal.length == 64 else float(np.float32(number))
                values[k, at] = raw[signal.name] * signal.scale + signal.offset
                continue
            low, high = (int(x) for x in value_range(signal))
            most = 1 << (52 if (signal.scale, signal.offset) == (1, 0) else 44)  # what a float tells apart
            low, high = max(low, -most), min(high, most - 1)
            exact = int(rng.integers(low, high, endpoint=True)) if k > 1 else (low, high)[k]
            beside = float(rng.uniform(-0.49, 0.49)) if k % 2 and low < exact < high and high < 1 << 40 else 0.0
            values[k, at] = (exact + beside) * signal.scale + signal.offset
            raw[signal.name] = exact
        wanted.append(raw)
    for payload, raw in zip(frames.encode(values), wanted, strict=True):
        assert frames.theirs(raw) == payload


def check_codes(frames: Frames) -> None:
    """NaN is sent as not available, what is out of range as error; without codes it is clipped to the range."""
    for at, signal in enumerate(frames.signals):
        low, high = (int(x) for x in value_range(signal))
        error, none = codes(signal)
        inside = {s.name: int(value_range(s)[0]) for s in frames.signals}
        base = np.array([value_range(s)[0] * Fraction(repr(s.scale)) + Fraction(repr(s.offset)) for s in frames.signals], float)
        cases = [
            (math.nan, none if none is not None else error if error is not None else low),
            (1e30, (high if error is None else error) if signal.scale > 0 else (low if error is None else error)),
            (-1e30, (low if error is None else error) if signal.scale > 0 else (high if error is None else error)),
            (math.inf, (high if error is None else error) if signal.scale > 0 else (low if error is None else error)),
        ]
        for value, expected in cases:
            values = base.copy()
            values[at] = value
            if signal.length == 64 and not signal.is_signed and expected >= 1 << 63:
                expected = (1 << 63) - 1
            assert frames.theirs({**inside, signal.name: expected}) == frames.encode(values[None, :])[0], (signal.name, value)
