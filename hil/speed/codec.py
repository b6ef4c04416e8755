"""The table codec in bulk against cantools: the same message, the same values, interleaved rounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_sim.types import F64
from firmware_sim.wire.codec import decode_many, encode_many
from firmware_sim.wire.layout import COUNT, FIRST, LENGTH, N_WORDS, OFFSET, RAW_MAX, RAW_MIN, SCALE, Layout
from hil import network
from hil.errors import BenchError
from hil.speed.rounds import Ratio, cpu_s

# label to (network, message): a classic frame of three voltages, a CAN FD frame of thirty
MESSAGES = {"classic, 3 voltages": ("bench", "CellVoltages"), "CAN FD, 30 voltages": ("fd", "CellVoltages")}
_BULK = 4096
_FEW = 256


class Codecs:
    """One page of a message, with random values of every signal."""

    def __init__(self, network_name: str, name: str) -> None:
        net = network.load(network_name, 96, 32, 10_000_000)
        self.layout: Layout = net.to_dut
        self.message: Any = net.database.message(name)
        self.slot = self.layout.slot_names.index(f"{name}[0]")
        row = self.layout.slots[self.slot]
        first, count = int(row[FIRST]), int(row[COUNT])
        signals, scales = self.layout.signals[first : first + count], self.layout.scales[first : first + count]
        raw = np.random.default_rng(1).integers(signals[:, RAW_MIN] + 1, signals[:, RAW_MAX], (_BULK, count))
        self.values: F64 = raw * scales[:, SCALE] + scales[:, OFFSET]
        self.payloads = np.zeros((_BULK, int(row[N_WORDS])), np.int64)
        self.read, self.valid = np.zeros((_BULK, count)), np.zeros((_BULK, count), np.uint8)
        self.encode()
        own = self.layout.signal_names[first : first + count]
        rest = {s.name: 0 for s in self.message.signals if s.multiplexer_ids is None}
        self.dictionaries = [{**rest, **dict(zip(own, values, strict=True))} for values in self.values[:_FEW].tolist()]
        self.frames = [words.tobytes()[: int(row[LENGTH])] for words in self.payloads[:_FEW]]

    def encode(self) -> None:
        """Encode _BULK frames with the table."""
        at = self.layout
        encode_many(self.values, self.slot, at.signals, at.scales, at.slots, at.blank, self.payloads)

    def decode(self) -> None:
        """Decode _BULK frames with the table."""
        at = self.layout
        decode_many(self.payloads, self.slot, at.signals, at.scales, at.slots, self.read, self.valid)

    def agree(self) -> bool:
        """True when both codecs make the same bytes of the same values, and the same values of the same bytes."""
        same = all(bytes(self.message.encode(v)) == f for v, f in zip(self.dictionaries, self.frames, strict=True))
        self.decode()
        own = list(self.dictionaries[0])[-self.values.shape[1] :]
        decoded = [self.message.decode(frame) for frame in self.frames]
        return same and [[d[name] for name in own] for d in decoded] == self.read[:_FEW].tolist()

    def variants(self) -> dict[str, tuple[Callable[[], None], int]]:
        """Name to (call, frames in a call)."""

        def theirs_encode(strict: bool) -> None:
            """All values by cantools. strict: with its check of ranges."""
            for values in self.dictionaries:
                self.message.encode(values, strict=strict)

        def theirs_decode() -> None:
            """All frames by cantools."""
            for frame in self.frames:
                self.message.decode(frame)

        return {
            "decode": (self.decode, _BULK),
            "encode": (self.encode, _BULK),
            "cantools decode": (theirs_decode, _FEW),
            "cantools encode strict=False": (lambda: theirs_encode(strict=False), _FEW),
            "cantools encode strict": (lambda: theirs_encode(strict=True), _FEW),
        }


def measure(n_rounds: int) -> dict[str, dict[str, Any]]:
    """Each message: nanoseconds a frame of every variant, and the ratios."""
    out: dict[str, dict[str, Any]] = {}
    for label, (network_name, name) in MESSAGES.items():
        codecs = Codecs(network_name, name)
        if not codecs.agree():
            raise BenchError(f"{label}: the table codec and cantools do not agree, so their speed cannot be compared")
        variants = codecs.variants()
        taken = {variant: np.zeros(n_rounds) for variant in variants}
        for n in range(n_rounds):
            for variant, (call, n_frames) in variants.items():
                taken[variant][n] = cpu_s(call) / n_frames
        pairs = {
            "decode_ratio": ("cantools decode", "decode"),
            "encode_ratio": ("cantools encode strict=False", "encode"),
            "encode_ratio_strict": ("cantools encode strict", "encode"),
        }
        ratios = {key: round(Ratio.of(taken[a] / taken[b]).median, 1) for key, (a, b) in pairs.items()}
        frame_ns = {variant: round(float(np.median(seconds)) * 1e9, 1) for variant, seconds in taken.items()}
        out[label] = {**ratios, "ns_per_frame": frame_ns}
    return out
