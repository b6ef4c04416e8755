"""The supply frame (dbc/bench.dbc): how the bench switches a served device off and on.

It stands in for a programmable supply. A device that knows nothing of it goes on as before.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.types import MS_NS
from firmware_sim.wire.codec import decode_many
from firmware_sim.wire.crc import crc_many
from firmware_sim.wire.layout import CAN_ID, EXTENDED, FLAGS, LENGTH, Image
from firmware_sim.wire.send import NEXT_NS, send_due, sender_state
from hil import files
from hil.database import Bus, Database
from hil.link.frame import Frame
from hil.link.match import Outgoing, bytes_of, words_of
from hil.network import BENCH_NODE

CYCLE_NS = 100 * MS_NS
_ANY_RATE = 500_000


class Supply:
    """Both ends of the supply frame."""

    def __init__(self) -> None:
        path = files.dbc_folder() / "bench.dbc"
        database = Database([Bus("bench", (path,), _ANY_RATE, _ANY_RATE, {})])
        slots = database.slots(lambda message: BENCH_NODE in message.senders, lambda _slot: True)
        self._layout = database.layout(slots, MS_NS)
        self._image = Image.empty(self._layout, 1)
        self._sender = sender_state(self._layout, 1)
        self._on, self._memory = self._layout.index("Bench_DutSupply"), self._layout.index("Bench_DutMemory")
        self.can_id = int(self._layout.slots[0, CAN_ID])

    def frame(self, on: bool, erase: bool = False) -> Outgoing:
        """The next supply frame, for bus 0. erase: start with blank non-volatile memory when the supply comes."""
        layout, image = self._layout, self._image
        values = np.full((1, layout.n_signals), np.nan)
        values[0, self._on], values[0, self._memory] = on, erase
        self._sender[:, NEXT_NS] = 0
        send_due(
            0, values, np.zeros((1, 1), np.int64), self._sender, layout.signals, layout.scales, layout.slots, layout.blank,
            image.words, image.meta,
        )  # fmt: skip
        slot = layout.slots[0]
        data = bytes_of(image.words[0].tolist(), int(slot[LENGTH]), int(slot[FLAGS]))
        return Outgoing(0, 0, self.can_id, int(slot[FLAGS]), data)

    def read(self, frame: Frame) -> tuple[bool, bool] | None:
        """(on, erase) from a frame; None when it is another frame, or not a sound one."""
        layout = self._layout
        if frame.can_id != self.can_id or frame.flags & EXTENDED or len(frame.data) != layout.slots[0, LENGTH]:
            return None
        words = np.array([words_of(frame.data, 1)], np.int64)
        right = np.zeros(1, np.uint8)
        crc_many(words, layout.slots, 0, right)
        value, valid = np.zeros((1, layout.n_signals)), np.zeros((1, layout.n_signals), np.uint8)
        decode_many(words, 0, layout.signals, layout.scales, layout.slots, value, valid)
        if right[0] == 0 or valid[0, self._on] == 0:
            return None
        return bool(value[0, self._on] == 1), bool(valid[0, self._memory] == 1 and value[0, self._memory] == 1)
