"""The arbitrated buses of a run: their state, and what a rig asks of them in a tick."""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.layout import Events, Image, Layout
from hil.bus import arbiter
from hil.bus import post as mail
from hil.bus import table as tb
from hil.bus.plan import Plan
from hil.fault.table import FaultTable

_IN: Any = np.int64(tb.INCOMING)
_OUT: Any = np.int64(tb.OUTGOING)
_CAME_ROOM = 256
RECORD_ROOM = 1 << 15
EVENT_ROOM = 512


class VirtualBus:
    """State of the arbitrated buses of n packs, each pack with its own.

    heard: frames of the device that came over the bus in this tick.  deaf: (n_packs, n_slots), 1 for those of them that the
    pack's I/O unit did not hear.  heard_events: those that no slot held.
    """

    def __init__(self, plan: Plan, to_dut: Layout, from_dut: Layout, n_packs: int) -> None:
        self.plan = plan
        n_buses, n_mail = len(plan.bus_names), len(plan.mails)
        self.wire = np.zeros((n_packs, n_buses, tb.N_WIRE_COLUMNS), np.int64)
        self.wire[:, :, [tb.SENDER, tb.RIVAL]] = -1
        self.nodes = np.zeros((n_packs, len(plan.nodes), tb.N_NODE_COLUMNS), np.int64)
        self.nodes[:, :, tb.ON_BUS] = [bus for bus, _ in plan.nodes]
        self.boxes = np.zeros((n_packs, n_mail, tb.N_BOX_COLUMNS), np.int64)
        self.payload = np.zeros((n_packs, to_dut.n_words), np.int64), np.zeros((n_packs, from_dut.n_words), np.int64)
        self.flight = np.zeros((n_packs, n_buses, 8), np.int64)
        self.came = np.zeros((_CAME_ROOM * n_packs, tb.N_CAME_COLUMNS), np.int64)
        self.n_came = np.zeros(2, np.int64)
        self.heard = Image.empty(from_dut, n_packs)
        self.heard_events = Events.empty(EVENT_ROOM * n_packs)
        self.deaf = np.zeros((n_packs, from_dut.n_slots), np.int64)

    def hand_over(self, t_ns: int, image: Image, events: Events, records: I64, count: I64) -> None:
        """Take the device's frames, which may start at t. What goes over a bus without arbitration is kept as it is."""
        self.heard.words[:] = image.words
        self.heard.meta[:] = image.meta
        self.deaf[:] = 0
        n = int(events.count[0])
        self.heard_events.rows[:n] = events.rows[:n]
        self.heard_events.count[0] = n
        self._post(_OUT, t_ns, self.heard, records, count)

    def move(
        self, t_ns: int, dt_ns: int, image: Image, events: Events, faults: FaultTable, records: I64, count: I64
    ) -> None:  # fmt: skip
        """Move the buses from t to t + dt. image: the bench's frames that may start at t; those that arrive at the device."""
        self._post(_IN, t_ns, image, records, count)
        self.n_came[0] = 0
        arbiter.run(
            t_ns, t_ns + dt_ns, self.plan.buses, self.wire, self.nodes, self.plan.mails, self.boxes, *self.payload, self.flight,
            faults.rows, faults.numbers, faults.memory, self.came, self.n_came, records, count,
        )  # fmt: skip
        events.count[0] = 0
        self._deliver(_IN, faults, self.plan.known_in, image, events)
        self._deliver(_OUT, faults, self.plan.known_out, self.heard, self.heard_events)

    def _post(self, direction: int, t_ns: int, image: Image, records: I64, count: I64) -> None:
        mail.post(
            t_ns, direction, image.words, image.meta, self.plan.mails, self.boxes, self.payload[direction], self.wire, records,
            count,
        )  # fmt: skip

    def _deliver(self, direction: int, faults: FaultTable, known: I64, image: Image, events: Events) -> None:
        mail.deliver(
            direction, self.came, self.n_came, self.plan.mails, faults.rows, known, image.words, image.meta, events.rows,
            events.count, self.deaf,
        )  # fmt: skip

    def power_off(self) -> None:
        """The device lost its supply: its controllers forget counters and mailboxes. What is under way is finished."""
        self.boxes[:, self.plan.mails[:, tb.DIRECTION] == tb.OUTGOING, tb.FULL] = 0
        for n in set(self.plan.buses[:, tb.DUT].tolist()) - {-1}:
            self.nodes[:, n, [tb.TEC, tb.REC, tb.STATE, tb.READY_NS, tb.OFF_NS, tb.OFF_COUNT]] = 0

    def load(self, b: int, end_ns: int) -> float:
        """Share of the time that a bus was taken in pack 0."""
        return float(self.wire[0, b, tb.ALL_BUSY_NS]) / end_ns if end_ns else 0.0

    @property
    def lost(self) -> int:
        """Frames for which there was no room: from here on the run is not what the scenario says."""
        return int(self.n_came[1] + self.heard_events.count[1])
