"""The second denominator, which nobody here wrote: cantools and python-can's virtual bus alone.

The frames of the same network in the same ticks, both ways: cantools' strict encode, a can.Message, send, receive, decode.
No plant, no firmware, no E2E. What goes in are values that a run really sent.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import can

from firmware_sim.wire.layout import CAN_ID, CYCLE_NS, LENGTH, PHASE_NS, Image, Layout
from hil.network import Network

_CHANNEL = itertools.count()


class CodecAndBus:
    """Encode, carry and decode. to_dut, from_dut: images of a run that has sent every frame at least once."""

    def __init__(self, network: Network, to_dut: Image, from_dut: Image, dt_ns: int) -> None:
        channel = f"nabench-codec-{next(_CHANNEL)}"
        self.ends = [[can.Bus(interface="virtual", channel=f"{channel}-{n}") for n in range(network.n_buses)] for _ in range(2)]
        both = (network.to_dut, to_dut), (network.from_dut, from_dut)
        cycle = math.lcm(*(int(row[CYCLE_NS]) // dt_ns for layout, _ in both for row in layout.slots))
        self.messages = {m.frame_id: m for m in network.database.messages}
        self.plan = [[_due(network, layout, image, k * dt_ns) for layout, image in both] for k in range(cycle)]
        self.k = 0

    @property
    def n_frames(self) -> float:
        """Frames in a tick, both directions, on average."""
        return sum(len(frames) for tick in self.plan for frames in tick) / len(self.plan)

    def run(self, n_ticks: int) -> None:
        """Carry the frames of n_ticks."""
        for _ in range(n_ticks):
            to_dut, from_dut = self.plan[self.k % len(self.plan)]
            self.carry(to_dut, self.ends[0], self.ends[1])
            self.carry(from_dut, self.ends[1], self.ends[0])
            self.k += 1

    def carry(self, frames: list[tuple[int, Any, dict[str, Any]]], near: list[can.BusABC], far: list[can.BusABC]) -> None:
        """Encode and send frames at the near end, receive and decode them at the far end."""
        for bus, message, values in frames:
            near[bus].send(can.Message(arbitration_id=message.frame_id, is_extended_id=False, data=message.encode(values)))
        for end in far:
            while (received := end.recv(timeout=0)) is not None:
                self.messages[received.arbitration_id].decode(received.data)

    def forget(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Close the buses."""
        for bus in (*self.ends[0], *self.ends[1]):
            bus.shutdown()


def _due(network: Network, layout: Layout, image: Image, t_ns: int) -> list[tuple[int, Any, dict[str, Any]]]:
    """Bus, message and values of each frame of one direction that is due at t."""
    out = []
    for name, row in zip(layout.slot_names, layout.slots, strict=True):
        if t_ns % int(row[CYCLE_NS]) != int(row[PHASE_NS]):
            continue
        message = network.database.message(name.partition("[")[0])
        assert message.frame_id == row[CAN_ID]
        word = image.words[0, int(row[3])]
        payload = int(word).to_bytes(8, "little", signed=True)[: int(row[LENGTH])]
        out.append((int(row[14]), message, message.decode(payload)))
    return out
