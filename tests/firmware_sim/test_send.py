"""Cyclic sending: which slot is due in which tick, in what order frames leave, and when each is done."""

from __future__ import annotations

import numpy as np
import pytest
from rigs import wired

from firmware_sim.types import I64, MS_NS
from firmware_sim.wire import layout as w
from firmware_sim.wire.crc import crc_is_right, read_counter
from firmware_sim.wire.send import send_due, sender_state


class Sender:
    """A node that sends one direction of a network."""

    def __init__(self, network: str, dt_ms: int, n_packs: int = 1) -> None:
        net, _, _ = wired("nfm-16s", "nfm-16s", network, dt_ms * MS_NS)
        self.layout, self.dt_ns = net.to_dut, dt_ms * MS_NS
        self.values = np.full((n_packs, self.layout.n_signals), 1.0)
        self.state = sender_state(self.layout, n_packs)
        self.image = w.Image.empty(self.layout, n_packs)
        self.free_ns = np.zeros((n_packs, net.n_buses), np.int64)

    def tick(self, k: int) -> I64:
        """Slots sent in tick k."""
        lay = self.layout
        send_due(
            k * self.dt_ns, self.values, self.free_ns, self.state, lay.signals, lay.scales, lay.slots, lay.blank,
            self.image.words, self.image.meta,
        )  # fmt: skip
        return np.flatnonzero(self.image.meta[0, w.SENT])


@pytest.mark.parametrize("network", ["classic", "fd", "bench"])
@pytest.mark.parametrize("dt_ms", [1, 10])
def test_every_slot_keeps_its_cycle(network: str, dt_ms: int) -> None:
    """Over two seconds each slot is sent at its phase and then once a cycle, to the tick."""
    sender = Sender(network, dt_ms)
    times: dict[int, list[int]] = {s: [] for s in range(sender.layout.n_slots)}
    for k in range(2000 // dt_ms):
        for s in sender.tick(k):
            times[int(s)].append(k * dt_ms)
    for s, row in enumerate(sender.layout.slots):
        cycle, phase = int(row[w.CYCLE_NS]) // MS_NS, int(row[w.PHASE_NS]) // MS_NS
        assert list(range(phase, 2000, cycle)) == times[s]


def test_pages_of_a_message_are_spread_over_its_cycle() -> None:
    """The six pages of 16 cells do not come in one burst."""
    sender = Sender("classic", 10)
    phases = [
        int(row[w.PHASE_NS])
        for name, row in zip(sender.layout.slot_names, sender.layout.slots, strict=True)
        if "CellVoltages" in name
    ]
    assert 6 == len(set(phases)) == len(phases)


def test_frames_follow_each_other_in_order_of_their_ids() -> None:
    """In a tick the lowest id goes first; each frame ends its own length after the one before."""
    sender = Sender("classic", 10)
    sent = sender.tick(0)
    ends = sender.image.meta[0, w.T_NS, sent]
    ids = sender.layout.slots[sent, w.CAN_ID]
    assert list(ids) == sorted(ids)
    assert np.array_equal(np.cumsum(sender.layout.slots[sent, w.FRAME_NS]), ends)


def test_a_busy_bus_delays_what_follows() -> None:
    """Frames queue behind what is still on the bus."""
    sender = Sender("classic", 10)
    sender.free_ns[:] = 3_000_000
    sent = sender.tick(0)
    assert 3_000_000 + sender.layout.slots[sent[0], w.FRAME_NS] == sender.image.meta[0, w.T_NS, sent[0]]


def test_each_slot_counts_and_protects_for_itself() -> None:
    """Every frame has a right CRC, and the counter of its slot goes on by one and rolls over."""
    sender = Sender("classic", 10)
    seen: dict[int, list[int]] = {s: [] for s in range(sender.layout.n_slots)}
    for k in range(400):
        for s in sender.tick(k):
            assert crc_is_right(sender.image.words, 0, sender.layout.slots, s)
            seen[int(s)].append(int(read_counter(sender.image.words, 0, sender.layout.slots, s)))
    for s, counters in seen.items():
        top = int(sender.layout.slots[s, w.COUNTER_MAX]) + 1
        assert [n % top for n in range(len(counters))] == counters


def test_packs_of_a_batch_do_not_share_a_bus() -> None:
    """Each pack has its own frames and its own bus times."""
    sender = Sender("classic", 10, n_packs=3)
    sender.values[1] = 2.0
    sender.tick(0)
    assert np.array_equal(sender.image.words[0], sender.image.words[2])
    assert not np.array_equal(sender.image.words[0], sender.image.words[1])
    assert np.array_equal(sender.image.meta[0], sender.image.meta[1])
