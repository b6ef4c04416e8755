"""A bare arbitrated bus for tests: nodes, mailboxes, and what came, without plant or firmware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hil.bus import arbiter, length
from hil.bus import table as tb
from hil.fault import bus as fb
from hil.fault import table as ft

NEVER_NS = 1 << 62
KBIT_500, BIT_NS = 500_000, 2_000


@dataclass(frozen=True)
class Stream:
    """A mailbox: its node, id, flags and payload."""

    node: int
    can_id: int
    payload: bytes = b""
    flags: int = 0


def fault(primitive: int, target: int, a: float = 1.0, extra: int = 0, mask: int = 0, start_ns: int = 0,
          stop_ns: int = NEVER_NS) -> tuple[list[int], list[float]]:  # fmt: skip
    """A row of the fault table and its numbers."""
    row = [0] * ft.N_COLUMNS
    row[ft.SEAM], row[ft.PRIMITIVE], row[ft.TARGET], row[ft.EXTRA], row[ft.MASK] = ft.BUS, primitive, target, extra, mask
    row[ft.PACK], row[ft.START_NS], row[ft.STOP_NS] = -1, start_ns, stop_ns
    return row, [a, 0.0, 85.0]


class Wire:
    """One bus with n nodes. A payload takes a slot of eight words."""

    def __init__(self, streams: list[Stream], n_nodes: int, faults: Any = (), bitrate: int = KBIT_500, data: int = 0) -> None:
        self.streams, self.bitrate, self.data = streams, bitrate, data or bitrate
        self.buses = np.array([[bitrate, self.data, 1, -1, -1]], np.int64)
        self.wire = np.zeros((1, 1, tb.N_WIRE_COLUMNS), np.int64)
        self.wire[:, :, [tb.SENDER, tb.RIVAL]] = -1
        self.nodes = np.zeros((1, n_nodes, tb.N_NODE_COLUMNS), np.int64)
        keys = [length.arbitration_key(s.can_id, s.flags) for s in streams]
        rows = [[0, keys[m], s.node, 0, m, s.can_id, s.flags, 8 * m, 8] for m, s in enumerate(streams)]
        self.mails = np.array(rows, np.int64)
        self.boxes = np.zeros((1, len(streams), tb.N_BOX_COLUMNS), np.int64)
        self.payload = np.zeros((1, 8 * len(streams)), np.int64)
        self.flight = np.zeros((1, 1, 8), np.int64)
        self.rows = np.array([row for row, _ in faults], np.int64).reshape(-1, ft.N_COLUMNS)
        self.numbers = np.array([numbers for _, numbers in faults], np.float64).reshape(-1, ft.N_NUMBERS)
        self.memory = np.zeros((ft.N_MEMORY, 1, len(self.rows)))
        self.came, self.n_came = np.zeros((4096, tb.N_CAME_COLUMNS), np.int64), np.zeros(2, np.int64)
        self.records, self.count = np.zeros((8192, tb.N_RECORD_COLUMNS), np.int64), np.zeros(2, np.int64)
        self.now_ns = 0

    def post(self, m: int, payload: bytes | None = None) -> None:
        """Fill a mailbox now."""
        data = self.streams[m].payload if payload is None else payload
        self.payload[0, 8 * m : 8 * m + 8] = np.frombuffer(data.ljust(64, b"\0"), np.int64)
        self.boxes[0, m, tb.FULL], self.boxes[0, m, tb.RELEASE_NS], self.boxes[0, m, tb.LENGTH] = 1, self.now_ns, len(data)

    def run(self, until_ns: int) -> None:
        """Move the bus."""
        arbiter.run(
            self.now_ns, until_ns, self.buses, self.wire, self.nodes, self.mails, self.boxes, self.payload, self.payload,
            self.flight, self.rows, self.numbers, self.memory, self.came, self.n_came, self.records, self.count,
        )  # fmt: skip
        assert self.n_came[1] == self.count[1] == 0
        self.now_ns = until_ns

    def frames(self) -> list[tuple[int, int]]:
        """(mailbox, end [ns]) of the good frames, in order."""
        rows = self.came[: self.n_came[0]]
        return [(int(row[tb.CAME_SENDER]), int(row[tb.CAME_NS])) for row in rows]

    def order(self) -> list[int]:
        """Mailboxes of the good frames, in order."""
        return [m for m, _ in self.frames()]

    def of_kind(self, kind: int) -> np.ndarray[Any, Any]:
        """Records of a kind."""
        rows = self.records[: self.count[0]]
        return rows[rows[:, tb.RECORD_KIND] == kind]

    def frame_ns(self, m: int) -> int:
        """Exact time of a mailbox's frame, with its intermission."""
        s = self.streams[m]
        words = np.frombuffer(s.payload.ljust(64, b"\0"), np.int64).reshape(1, 8).copy()
        nominal, data = length.frame_bits(words, 0, 0, s.can_id, s.flags, len(s.payload), 0)
        return length.duration_ns(nominal + length.INTERMISSION_BITS, data, self.bitrate, self.data)

    def node(self, n: int, column: int) -> int:
        """State of a node."""
        return int(self.nodes[0, n, column])


__all__ = ["BIT_NS", "KBIT_500", "Stream", "Wire", "fault", "fb", "tb"]
