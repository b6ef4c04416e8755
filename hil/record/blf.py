"""frames.blf: every frame that crossed the wire, for CANalyzer, CANoe, python-can and Wireshark."""

from __future__ import annotations

from pathlib import Path

from firmware_sim.wire.layout import EXTENDED, FD
from hil import journal as j
from hil.trace import Trace


def write(trace: Trace, path: Path) -> None:
    """Write the frames that arrived, in order of time. Channels count from 1, buses as in the network.

    What a fault did to a frame before it arrived is in trace.npz, not here.
    """
    import can

    rows = trace.journal
    rows = rows[(rows[:, j.KIND] == j.TO_DUT) | (rows[:, j.KIND] == j.FROM_DUT)]
    rows = rows[rows[:, j.T_NS].argsort(kind="stable")]
    payload = rows[:, j.WORD :].astype("<i8").tobytes()
    width = 8 * (rows.shape[1] - j.WORD)
    head = rows[:, : j.WORD].tolist()
    with can.BLFWriter(path, compression_level=1) as writer:
        writer.start_timestamp = 0.0  # else times count from the first frame, and the reader never learns when that was
        for n, row in enumerate(head):
            flags, length = row[j.FRAME_FLAGS], row[j.LENGTH]
            writer.on_message_received(
                can.Message(
                    timestamp=(row[j.T_NS] + 0.5) * 1e-9,  # the writer cuts off: half a nanosecond keeps it from losing one
                    arbitration_id=row[j.ID],
                    is_extended_id=bool(flags & EXTENDED),
                    is_fd=bool(flags & FD),
                    channel=row[j.BUS_NO],
                    is_rx=row[j.KIND] == j.FROM_DUT,
                    dlc=length,
                    data=payload[n * width : n * width + length],
                )
            )
