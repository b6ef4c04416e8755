"""The frames of a run as frames of a log, as they arrived."""

from __future__ import annotations

from collections.abc import Iterator

from firmware_sim.wire.layout import EXTENDED, FD
from hil import journal as j
from hil.record.frame import RX, SWITCHED, TX, LogFrame
from hil.trace import Trace


def frames(trace: Trace) -> Iterator[LogFrame]:
    """Those that arrived, in order of time. Channels as buses in the network; Tx is the bench, Rx the device.

    What a fault did to a frame before it arrived is in trace.npz alone.
    """
    rows = trace.journal
    rows = rows[(rows[:, j.KIND] == j.TO_DUT) | (rows[:, j.KIND] == j.FROM_DUT)]
    rows = rows[rows[:, j.T_NS].argsort(kind="stable")]
    payload = rows[:, j.WORD :].astype("<i8").tobytes()
    width = 8 * (rows.shape[1] - j.WORD)
    for n, row in enumerate(rows[:, : j.WORD].tolist()):
        length = row[j.LENGTH]
        flags = row[j.FRAME_FLAGS] & (EXTENDED | FD) | (SWITCHED if row[j.FRAME_FLAGS] & FD else 0)
        flags |= RX if row[j.KIND] == j.FROM_DUT else TX
        yield LogFrame(row[j.T_NS], row[j.BUS_NO], row[j.ID], flags, length, payload[n * width : n * width + length])
