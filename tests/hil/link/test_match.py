"""Frames of a bus become Images and Events, and back, without losing or reordering anything."""

from __future__ import annotations

import numpy as np
import pytest
import rigs
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.wire.layout import (
    CAN_ID,
    EVENT_ID,
    EVENT_LEN,
    EVENT_T_NS,
    EVENT_WORD_0,
    EXTENDED,
    FD,
    LEN,
    SENT,
    T_NS,
    WORD_0,
    Events,
    Image,
    Layout,
)
from hil import network
from hil.dut.emulator import Emulator
from hil.link.frame import Frame
from hil.link.match import Catcher, Finder, Reader, bytes_of, words_of
from hil.network import Network

TICK_NS = 10_000_000
STATUS = 0xA0
BLUR_NS = 7


@pytest.fixture(scope="module")
def classic() -> Network:
    return network.load("classic", 16, 6, TICK_NS)


def frame(can_id: int, data: bytes, flags: int = 0) -> Frame:
    return Frame(0, can_id, flags, data, BLUR_NS)


def catcher(net: Network) -> Catcher:
    return Catcher(net.from_dut, net.to_dut, frozenset({0x7E0}))


def slot_of(layout: Layout, name: str) -> int:
    return layout.slot_names.index(name)


@given(st.binary(max_size=64))
def test_bytes_become_words_and_bytes_again(data: bytes) -> None:
    """Byte i of a payload is bits 8 i to 8 i + 7 of its words, and comes back the same."""
    words = words_of(data, 8)
    assert data.ljust(64, b"\0") == np.array(words, np.int64).astype("<i8").tobytes()
    size = next(n for n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64) if n >= len(data))
    assert data.ljust(size, b"\0") == bytes_of(words, len(data), FD)


def test_a_classic_frame_never_leaves_with_more_than_eight_bytes() -> None:
    """A wrong length of a fault is cut to what CAN can carry."""
    assert bytes(range(8)) == bytes_of(words_of(bytes(range(16)), 2), 12, 0)
    assert b"\1\2\3" == bytes_of(words_of(b"\1\2\3\4\5\6\7\x08", 1), 3, 0)


def test_a_page_is_found_by_its_multiplexer(classic: Network) -> None:
    """The same id with another page is another slot; a page that this pack lacks is none."""
    layout, finder = classic.to_dut, Finder(classic.to_dut)
    for page in (0, 3, 5):
        data = (page << 12).to_bytes(8, "little")
        assert slot_of(layout, f"CellVoltages[{page}]") == finder.find(0, frame(0x100, data))
    assert -1 == finder.find(0, frame(0x100, (40 << 12).to_bytes(8, "little")))
    assert finder.knows(0, frame(0x100, (40 << 12).to_bytes(8, "little")))


def test_an_extended_id_is_not_the_standard_one(classic: Network) -> None:
    """0xA0 in 29 bits is a stranger, and so is 0xA0 on another bus."""
    finder = Finder(classic.from_dut)
    assert slot_of(classic.from_dut, "BMS_Status") == finder.find(0, frame(STATUS, bytes(8)))
    assert -1 == finder.find(0, frame(STATUS, bytes(8), EXTENDED))
    assert -1 == finder.find(1, frame(STATUS, bytes(8)))


def test_the_newest_frame_of_a_tick_is_in_the_slot_and_older_ones_are_events(classic: Network) -> None:
    """Whoever obeys the slot obeys the latest word; the record keeps both, in their order."""
    c, s = catcher(classic), slot_of(classic.from_dut, "BMS_Status")
    assert c.put(0, frame(STATUS, b"\1" * 8), 1000)
    assert c.put(0, frame(STATUS, b"\2" * 8), 2000)
    image, events = c.take(TICK_NS)
    assert (1, 8, 2000) == tuple(int(image.meta[0, row, s]) for row in (SENT, LEN, T_NS))
    assert 0x0202020202020202 == image.words[0, classic.from_dut.slots[s, WORD_0]]
    assert 1 == events.count[0]
    assert [1000, STATUS, 8, 0x0101010101010101] == [
        int(events.rows[0, c]) for c in (EVENT_T_NS, EVENT_ID, EVENT_LEN, EVENT_WORD_0)
    ]


def test_frames_stay_until_their_tick(classic: Network) -> None:
    """What arrives at the end of a tick belongs to the next one."""
    c, s = catcher(classic), slot_of(classic.from_dut, "BMS_Status")
    c.put(0, frame(STATUS, bytes(8)), TICK_NS)
    assert 0 == c.take(TICK_NS)[0].meta[0, SENT, s]
    assert 1 == c.take(2 * TICK_NS)[0].meta[0, SENT, s]
    assert 0 == c.take(3 * TICK_NS)[0].meta[0, SENT, s]


def test_frames_with_one_time_keep_their_order(classic: Network) -> None:
    """Where times are moments of reading, many frames have the same; their order is that of the bus."""
    c = catcher(classic)
    for n in range(5):
        c.put(0, frame(STATUS, bytes([n]) * 8), 1000)
    image, events = c.take(TICK_NS)
    times = [int(t) for t in events.rows[: events.count[0], EVENT_T_NS]]
    assert [0, 1, 2, 3] == [int(w) & 0xFF for w in events.rows[: events.count[0], EVENT_WORD_0]]
    assert sorted({*times, int(image.meta[0, T_NS].max())}) == [*times, int(image.meta[0, T_NS].max())]


def test_a_wrong_length_is_an_event(classic: Network) -> None:
    """A frame that is too short does not take a slot, but it is not swallowed either."""
    c = catcher(classic)
    c.put(0, frame(STATUS, b"\1\2\3"), 5)
    image, events = c.take(TICK_NS)
    assert 0 == image.meta[0, SENT].sum()
    assert (1, 3) == (int(events.count[0]), int(events.rows[0, EVENT_LEN]))


def test_set_aside_frames_are_noted_but_hold_no_slot(classic: Network) -> None:
    """What a device without supply still had under way is in the record, and nobody obeys it."""
    c = catcher(classic)
    c.put(0, frame(0x10, bytes(8)), 5)
    image, events = c.take(TICK_NS, aside=True)
    assert (0, 1) == (image.meta[0, SENT].sum(), events.count[0])


def test_strangers_are_counted_and_echoes_are_not(classic: Network) -> None:
    """Ids of neither direction are unknown; our own frames heard back, and the supply frame, are no surprise."""
    c = catcher(classic)
    for can_id, flags in ((0x123, 0), (0x123, 0), (0x80, 0), (0x7E0, 0), (0x7E0, EXTENDED)):
        assert not c.put(0, frame(can_id, bytes(8), flags), 0)
    assert {(0, 0x123): 2, (0, 0x7E0): 1} == dict(c.unknown)
    assert c.echo(0, frame(0x80, bytes(8)))


def test_too_many_events_are_counted_not_forgotten(classic: Network) -> None:
    """A flood is a number in the record, which the judge makes an error."""
    c = catcher(classic)
    for n in range(600):
        c.put(0, frame(STATUS, bytes(8)), n)
    _, events = c.take(TICK_NS)
    assert (512, 87) == tuple(events.count.tolist())


def test_an_fd_network_crosses_with_sixty_four_bytes() -> None:
    """A CAN FD slot of eight words leaves and arrives the same."""
    net = network.load("fd", 96, 6, TICK_NS)
    layout = net.to_dut
    s = slot_of(layout, "CellVoltages[1]")
    image = Image.empty(layout, 1)
    first = int(layout.slots[s, WORD_0])
    image.words[0, first : first + 8] |= np.arange(1, 9) << 40
    image.meta[0, :, s] = (1, 64, 1234)
    sent = Reader(layout).frames(image, Events.empty())
    assert [(64, FD)] == [(len(out.data), out.flags & FD) for out in sent]
    c = Catcher(layout, net.from_dut)
    c.put(0, frame(sent[0].can_id, sent[0].data, sent[0].flags), 9)
    arrived, _ = c.take(TICK_NS)
    assert np.array_equal(image.words[0, first : first + 8], arrived.words[0, first : first + 8])


def test_frames_leave_in_the_order_of_their_times() -> None:
    """A late frame of a fault stands among the others where its time puts it."""
    net = network.load("classic", 16, 6, TICK_NS)
    layout, image, events = net.to_dut, Image.empty(net.to_dut, 1), Events.empty()
    for n, s in enumerate((0, 2)):
        image.meta[0, :, s] = (1, 8, 1000 + 2000 * n)
    events.rows[0, EVENT_T_NS], events.rows[0, EVENT_ID], events.rows[0, EVENT_LEN], events.count[0] = 2000, 0x55, 2, 1
    out = Reader(layout).frames(image, events)
    ids = [int(layout.slots[0, CAN_ID]), 0x55, int(layout.slots[2, CAN_ID])]
    assert ids == [o.can_id for o in out]
    assert [8, 2, 8] == [len(o.data) for o in out]


def test_a_device_fed_through_bytes_ends_in_the_state_of_lockstep() -> None:
    """Images taken apart into frames, caught again in bursts and handed out tick by tick, are the images of lockstep."""
    bench = rigs.bench(rigs.drive({"kind": "current", "current_A": 1.5}, duration_s=1.5))
    rig, net = bench.rig, bench.setup.network
    apart = Emulator(bench.setup.settings, rig.dt_ns, np.zeros_like(rig.bus_free_ns))
    apart.start(0)
    c, reader = Catcher(net.to_dut, net.from_dut), Reader(net.to_dut)
    waiting = 0
    for k in range(150):
        rig.advance()
        rig.sense()
        image, events = rig.send()
        for out in reader.frames(image, events):
            got = Frame(0, out.can_id, out.flags, out.data, 0)
            c.put(out.bus, got, rig.t_ns + 1000)
        reply, others = bench.dut.exchange(rig.t_ns, image, events)
        rig.answer(reply, others)
        rig.record()
        waiting += 1
        if k % 7 == 0 or k == 149:  # this device slept, and makes up for the ticks it missed
            for late in range(k + 1 - waiting, k + 1):
                apart.exchange(late * rig.dt_ns, *c.take((late + 1) * rig.dt_ns))
            waiting = 0
    assert isinstance(bench.dut, Emulator)
    assert bench.dut.state.state_hash() == apart.state.state_hash()
