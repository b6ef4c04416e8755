"""Arbitration, error frames, counters, error-passive, bus-off and recovery, on a bare bus of a few nodes at 500 kbit/s."""

from __future__ import annotations

import pytest
from bus_rig import BIT_NS, Stream, Wire, fault, fb, tb

from firmware_sim.wire.layout import EXTENDED
from hil.bus.length import REMOTE

MS = 1_000_000
EIGHT = bytes(range(8))
INTERMISSION_NS = 3 * BIT_NS


def test_frames_go_in_order_of_arbitration_without_a_gap() -> None:
    """Released together, from four nodes: data, remote, standard, extended."""
    wire = Wire(
        [
            Stream(0, 0x200 << 18, EIGHT, EXTENDED), Stream(1, 0x200, EIGHT, REMOTE), Stream(2, 0x200, EIGHT),
            Stream(3, 0x1FF, EIGHT),
        ],
        4,
    )  # fmt: skip
    for m in range(4):
        wire.post(m)
    wire.run(10 * MS)
    assert [3, 2, 1, 0] == wire.order()
    at_ns = 0
    for m, end_ns in wire.frames():
        at_ns += wire.frame_ns(m)
        assert at_ns - INTERMISSION_NS == end_ns


def test_an_urgent_frame_waits_for_the_one_under_way() -> None:
    """Nothing is interrupted; what is released at the very end of the intermission still contends."""
    wire = Wire([Stream(0, 0x300, EIGHT), Stream(1, 0x010, EIGHT), Stream(2, 0x301, EIGHT)], 3)
    wire.post(0)
    wire.post(2)
    wire.run(wire.frame_ns(0))
    wire.post(1)
    wire.run(10 * MS)
    assert [0, 1, 2] == wire.order()


def test_a_state_goes_over_the_edge_of_a_tick() -> None:
    """Cut into pieces of 1 us the run is the same."""
    ends = []
    for piece_ns in (10 * MS, 1_000):
        wire = Wire([Stream(0, 0x300, EIGHT), Stream(1, 0x010, EIGHT)], 2, [fault(fb.BIT_ERRORS, 0, a=3.0)])
        wire.post(0)
        wire.post(1)
        while wire.now_ns < 2 * MS:
            wire.run(min(wire.now_ns + piece_ns, 2 * MS))
        ends.append(wire.frames())
    assert ends[0] == ends[1]
    assert 2 == len(ends[0])


def test_every_sender_counts_eight_up_and_one_down() -> None:
    """Two destroyed, then good: TEC 8, 16, 15, ...; a receiver 1, 2, 1, ..."""
    wire = Wire([Stream(0, 0x100, EIGHT)], 2, [fault(fb.BIT_ERRORS, 0, stop_ns=200_000)])
    wire.post(0)
    wire.run(MS)
    ends = wire.of_kind(tb.FRAME_IS)
    assert [tb.BIT_ERROR, tb.BIT_ERROR, tb.GOOD] == ends[:, tb.RECORD_A].tolist()
    assert (15, 1) == (wire.node(0, tb.TEC), wire.node(1, tb.REC))
    for _ in range(20):
        wire.post(0)
        wire.run(wire.now_ns + MS)
    assert (0, 0) == (wire.node(0, tb.TEC), wire.node(1, tb.REC))


def test_the_error_frame_by_hand() -> None:
    """From the middle of the frame: six bits of flag, six of the answer, eight of delimiter; then the intermission."""
    wire = Wire([Stream(0, 0x100, EIGHT)], 2, [fault(fb.BIT_ERRORS, 0, stop_ns=100_000)])
    wire.post(0)
    wire.run(MS)
    whole_ns = wire.frame_ns(0) - INTERMISSION_NS
    destroyed_ns = whole_ns // 2 + 20 * BIT_NS
    assert destroyed_ns == wire.of_kind(tb.FRAME_IS)[0, tb.RECORD_NS]
    assert destroyed_ns + INTERMISSION_NS + whole_ns == wire.frames()[0][1]


def test_after_32_destroyed_frames_a_node_is_off_and_back_after_1408_bits() -> None:
    """TEC 256. On an idle bus 128 times 11 recessive bits, which begin with the delimiter, are 2.816 ms."""
    wire = Wire([Stream(0, 0x100, EIGHT)], 2, [fault(fb.BIT_ERRORS, 0, stop_ns=9 * MS)])
    wire.post(0)
    wire.run(20 * MS)
    states = wire.of_kind(tb.STATE_IS)
    own = states[states[:, tb.RECORD_NODE] == 0]
    assert [tb.PASSIVE, tb.BUS_OFF, tb.ACTIVE] == own[:3, tb.RECORD_A].tolist()
    off_ns, back_ns = own[1:3, tb.RECORD_NS]
    destroyed = wire.of_kind(tb.FRAME_IS)
    assert 32 == (destroyed[:, tb.RECORD_NS] <= off_ns).sum()
    assert 256 == own[1, tb.RECORD_B]
    assert off_ns + 1408 * BIT_NS == back_ns
    assert [0] == wire.order()[-1:]
    assert tb.ACTIVE == wire.node(0, tb.STATE)


def test_on_a_full_bus_a_node_comes_back_after_128_frames() -> None:
    """Each frame ends with one sequence of eleven recessive bits, and no more, while others send without a pause."""
    rows = [fault(fb.BIT_ERRORS, 0, stop_ns=8 * MS), fault(fb.BABBLE, 1, a=0.0, extra=0x700, mask=8, start_ns=9 * MS)]
    wire = Wire([Stream(0, 0x100, EIGHT)], 3, rows)
    wire.nodes[0, 0, tb.STATE], wire.nodes[0, 0, tb.TEC], wire.nodes[0, 0, tb.OFF_NS] = tb.BUS_OFF, 256, 9 * MS
    wire.run(60 * MS)
    (back_ns,) = wire.of_kind(tb.STATE_IS)[:, tb.RECORD_NS]
    frames = wire.of_kind(tb.FRAME_IS)
    assert 128 <= (frames[:, tb.RECORD_NS] < back_ns).sum() + 1 <= 129


def test_alone_on_a_bus_a_node_never_goes_off() -> None:
    """Nobody acknowledges: 16 tries to error-passive, then TEC stands at 128 while it goes on trying."""
    wire = Wire([Stream(0, 0x100, EIGHT)], 1)
    wire.post(0)
    wire.run(500 * MS)
    assert (128, tb.PASSIVE, 0) == (wire.node(0, tb.TEC), wire.node(0, tb.STATE), wire.node(0, tb.N_OFF))
    tries = wire.of_kind(tb.FRAME_IS)
    assert {tb.ACK_ERROR} == set(tries[:, tb.RECORD_A].tolist())
    assert 1500 < len(tries)
    assert [] == wire.frames()


def test_a_node_that_is_cut_off_leaves_the_bus_to_the_others() -> None:
    """It goes error-passive on its own piece of wire; the others hear each other, and what it held comes when it is back."""
    wire = Wire([Stream(0, 0x100, EIGHT), Stream(1, 0x200, EIGHT)], 3, [fault(fb.CUT, 0, stop_ns=50 * MS)])
    wire.post(0)
    wire.post(1)
    wire.run(50 * MS)
    assert [1] == wire.order()
    assert (128, tb.PASSIVE) == (wire.node(0, tb.TEC), wire.node(0, tb.STATE))
    wire.run(60 * MS)
    assert [1, 0] == wire.order()
    assert 50 * MS + wire.frame_ns(0) - INTERMISSION_NS == wire.frames()[-1][1]
    assert (127, tb.ACTIVE) == (wire.node(0, tb.TEC), wire.node(0, tb.STATE))


def test_an_error_passive_sender_lets_others_go_first() -> None:
    """It waits eight bits more after its own frame, so a less urgent frame of another node comes between."""
    wire = Wire([Stream(0, 0x100, EIGHT), Stream(1, 0x200, EIGHT), Stream(0, 0x101, EIGHT)], 3)
    wire.nodes[0, 0, tb.TEC], wire.nodes[0, 0, tb.STATE] = 140, tb.PASSIVE
    for m in range(3):
        wire.post(m)
    wire.run(10 * MS)
    assert [0, 1, 2] == wire.order()
    alone = Wire([Stream(0, 0x100, EIGHT), Stream(0, 0x101, EIGHT)], 2)
    alone.nodes[0, 0, tb.TEC], alone.nodes[0, 0, tb.STATE] = 140, tb.PASSIVE
    alone.post(0)
    alone.post(1)
    alone.run(10 * MS)
    first, second = (end_ns for _, end_ns in alone.frames())
    assert second - first == alone.frame_ns(1) + 8 * BIT_NS


def test_a_receiver_that_sees_errors_everywhere_silences_itself() -> None:
    """Nine a frame: after 15 frames it is error-passive and destroys nothing more; the sender is not even passive."""
    wire = Wire([Stream(0, 0x100, EIGHT)], 3, [fault(fb.HEAR_ERRORS, 2)])
    wire.post(0)
    wire.run(10 * MS)
    frames = wire.of_kind(tb.FRAME_IS)
    assert [tb.HEAR_ERROR] * 15 + [tb.GOOD] == frames[:, tb.RECORD_A].tolist()
    assert tb.PASSIVE == wire.node(2, tb.STATE)
    assert (119, tb.ACTIVE) == (wire.node(0, tb.TEC), wire.node(0, tb.STATE))
    assert 14 == wire.node(1, tb.REC)


def test_noise_is_made_good() -> None:
    """Every third frame is destroyed for all at once: no second flag; everything arrives in the end."""
    wire = Wire([Stream(0, 0x100 + n, EIGHT) for n in range(6)], 2, [fault(fb.NOISE, 0, a=3.0)])
    for m in range(6):
        wire.post(m)
    wire.run(10 * MS)
    assert [0, 1, 2, 3, 4, 5] == wire.order()
    assert 2 == (wire.of_kind(tb.FRAME_IS)[:, tb.RECORD_A] == tb.NOISE_ERROR).sum()


def test_two_nodes_with_one_id_collide_until_they_are_off() -> None:
    """Other data under the same id: both count eight, again and again; the same data to the last bit go through."""
    wire = Wire([Stream(0, 0x100, EIGHT), Stream(1, 0x100, EIGHT[::-1])], 3)
    wire.post(0)
    wire.post(1)
    wire.run(12 * MS)
    assert 1 == wire.node(0, tb.N_OFF) == wire.node(1, tb.N_OFF)
    same = Wire([Stream(0, 0x100, EIGHT), Stream(1, 0x100, EIGHT)], 3)
    same.post(0)
    same.post(1)
    same.run(12 * MS)
    assert [0] == same.order()
    assert not same.boxes[0, :, tb.FULL].any()


@pytest.mark.parametrize("pause_ns", [0, 50_000])
def test_a_babbling_node_starves_what_is_less_urgent(pause_ns: int) -> None:
    """Without a pause nothing below it is sent; with one of 25 bits everything is. What is more urgent waits for a frame."""
    wire = Wire(
        [Stream(0, 0x100, EIGHT), Stream(1, 0x300, EIGHT)], 3, [fault(fb.BABBLE, 2, a=float(pause_ns), extra=0x200, mask=8)]
    )
    wire.run(MS)
    wire.post(0)
    wire.post(1)
    wire.run(20 * MS)
    own = [(m, end_ns) for m, end_ns in wire.frames() if m < 2]
    assert ([0, 1] if pause_ns else [0]) == [m for m, _ in own]
    assert own[0][1] - MS < 2 * 135 * BIT_NS
    assert pause_ns or 0.99 < wire.wire[0, 0, tb.ALL_BUSY_NS] / wire.now_ns <= 1.001
