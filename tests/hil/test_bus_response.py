"""Worst-case response times: the published example, and the simulated bus, which never exceeds them and reaches them."""

from __future__ import annotations

import math
import random

import pytest
from bus_rig import BIT_NS, Stream, Wire

from hil.bus.response import Message, response_ns

MS = 1_000_000
# Name, bytes, period [ms], of the kind of the SAE benchmark: sporadic and periodic signals of a vehicle at 125 kbit/s,
# in order of priority.
VEHICLE = [
    ("brake", 2, 5), ("accelerator", 1, 5), ("shift lever", 2, 5), ("motor", 1, 5), ("torque", 2, 5), ("states", 6, 10),
    ("switches", 1, 10), ("inverter", 2, 10), ("contactors", 2, 10), ("temperature", 1, 100), ("battery", 4, 100),
    ("fluids", 1, 100), ("charger", 1, 100), ("clock", 3, 1000), ("lamp", 1, 1000), ("counter", 1, 1000),
]  # fmt: skip


def _wire(sizes: list[int], bitrate: int = 500_000) -> Wire:
    """One node a message, smaller ids first, with payloads that differ in their stuffing."""
    draw = random.Random(7)
    return Wire([Stream(m, 0x100 + 16 * m, draw.randbytes(n)) for m, n in enumerate(sizes)], len(sizes), bitrate=bitrate)


def _longest(wire: Wire, releases: list[tuple[int, int]], end_ns: int) -> list[int]:
    """Longest time of each message from release to the end of the intermission. releases: (time, message)."""
    waits: dict[int, list[int]] = {m: [] for m in range(len(wire.streams))}
    for t_ns, m in sorted(releases):
        if t_ns > wire.now_ns:
            wire.run(t_ns)
        waits[m].append(t_ns)
        assert not wire.boxes[0, m, 0], "a message is released before its last one was sent"
        wire.post(m)
    wire.run(end_ns)
    ifs_ns = 3 * 1_000_000_000 // wire.bitrate
    longest = [0] * len(wire.streams)
    for m, t_ns in wire.frames():
        longest[m] = max(longest[m], t_ns + ifs_ns - waits[m].pop(0))
    return longest


def _cyclic(periods_ns: list[int], until_ns: int, offsets_ns: list[int] | None = None) -> list[tuple[int, int]]:
    offsets = offsets_ns or [0] * len(periods_ns)
    return [
        (t, m)
        for m, (period, first) in enumerate(zip(periods_ns, offsets, strict=True))
        for t in range(first, until_ns, period)
    ]


def test_the_example_of_the_revised_analysis() -> None:
    """Davis et al. 2007: 1 ms each, every 2.5, 3.5 and 3.5 ms. Of the third not the first instance (3 ms) is the worst."""
    messages = [Message("A", 2_500_000, MS), Message("B", 3_500_000, MS), Message("C", 3_500_000, MS)]
    assert [2 * MS, 3 * MS, 3.5 * MS] == [response_ns(messages, m, 8_000) for m in range(3)]


def test_the_example_on_the_bus() -> None:
    """Frames of 125 bits at 125 kbit/s take 1 ms: released together, the second C comes after 3.5 ms, past its 3.25 ms."""
    draw = random.Random(1)
    payloads = []
    for can_id in (0x100, 0x110, 0x120):
        while True:
            payload = draw.randbytes(8)
            if Wire([Stream(0, can_id, payload)], 2, bitrate=125_000).frame_ns(0) == MS:
                break
            payload = bytes(b & 0xF0 for b in payload)
            if Wire([Stream(0, can_id, payload)], 2, bitrate=125_000).frame_ns(0) == MS:
                break
        payloads.append(Stream(len(payloads), can_id, payload))
    wire = Wire(payloads, 3, bitrate=125_000)
    longest = _longest(wire, _cyclic([2_500_000, 3_500_000, 3_500_000], 7 * MS), 20 * MS)
    assert 3.5 * MS == longest[2]
    assert longest[0] <= 2 * MS
    assert longest[1] <= 3 * MS


def test_an_overloaded_bus_has_no_answer() -> None:
    """More than the bus can carry: the message waits for ever, those above it do not."""
    messages = [Message("A", 2 * MS, MS), Message("B", 2 * MS, MS)]
    assert [2 * MS, math.inf] == [response_ns(messages, m, 2_000) for m in range(2)]


def test_a_bus_that_is_full_but_for_a_hair_takes_no_time_to_judge() -> None:
    """A busy period that grows and grows is given up, and said to have no bound."""
    messages = [*(Message(str(n), 40_000_000, 99_999) for n in range(400)), Message("last", 10**12, 200_000)]
    assert math.inf == response_ns(messages, 400, 2_000)


@pytest.mark.parametrize("m", range(len(VEHICLE)))
def test_each_message_of_a_vehicle_reaches_its_worst_case_at_the_critical_instant(m: int) -> None:
    """All more urgent ones are released with it, one bit after the longest of the others has started."""
    wire = _wire([size for _, size, _ in VEHICLE], 125_000)
    bit_ns = 8_000
    messages = [Message(name, period * MS, wire.frame_ns(n)) for n, (name, _, period) in enumerate(VEHICLE)]
    bound = response_ns(messages, m, bit_ns)
    lower = max(range(m + 1, len(messages)), key=lambda n: messages[n].frame_ns, default=None)
    start = 0 if lower is None else bit_ns
    releases = [(t + start, n) for t, n in _cyclic([row.period_ns for row in messages[: m + 1]], 60 * MS)]
    releases += [] if lower is None else [(0, lower)]
    assert bound - start == _longest(wire, releases, 200 * MS)[m]


def test_a_vehicle_never_exceeds_its_worst_cases() -> None:
    """1 s of the set with random phases, every message."""
    wire = _wire([size for _, size, _ in VEHICLE], 125_000)
    messages = [Message(name, period * MS, wire.frame_ns(n)) for n, (name, _, period) in enumerate(VEHICLE)]
    draw = random.Random(3)
    offsets = [draw.randrange(row.period_ns) for row in messages]
    longest = _longest(wire, _cyclic([row.period_ns for row in messages], 1000 * MS, offsets), 1100 * MS)
    for m in range(len(messages)):
        assert 0 < longest[m] <= response_ns(messages, m, 8_000), messages[m].name


@pytest.mark.parametrize("seed", range(6))
def test_random_sets_reach_and_never_exceed_them(seed: int) -> None:
    """Loads up to 95 %: released together the last message meets its bound to the bit, no other goes beyond its own."""
    draw = random.Random(seed)
    wire = _wire([draw.randrange(9) for _ in range(8)])
    periods = [MS * draw.choice([1, 2, 4, 5, 8]) for _ in range(8)]
    while sum(wire.frame_ns(m) / p for m, p in enumerate(periods)) > 0.95:
        periods = [p + MS for p in periods]
    messages = [Message(str(m), p, wire.frame_ns(m)) for m, p in enumerate(periods)]
    bounds = [response_ns(messages, m, BIT_NS) for m in range(8)]
    if any(bound > p for bound, p in zip(bounds, periods, strict=True)):
        messages = [Message(row.name, 4 * row.period_ns, row.frame_ns) for row in messages]
        bounds = [response_ns(messages, m, BIT_NS) for m in range(8)]
    longest = _longest(wire, _cyclic([row.period_ns for row in messages], 200 * MS), 250 * MS)
    assert longest[-1] == bounds[-1]
    assert all(0 < seen <= bound for seen, bound in zip(longest, bounds, strict=True))
