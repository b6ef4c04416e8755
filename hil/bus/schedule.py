"""The schedule of a network before it runs: load of each bus and worst-case response time of each message.

Every page of a message is a stream of its own. Releases lie on ticks and in phase; the analysis does not use that, so what
a run shows may be far less, and is never more while no frame is destroyed and no node babbles.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.wire.layout import BUS, CAN_ID, CYCLE_NS, FLAGS, FRAME_NS, Layout
from hil.bus.length import arbitration_key
from hil.bus.response import Message, response_ns


@dataclass(frozen=True)
class Row:
    """A message: frames in a cycle, cycle, longest frame, worst-case response of its last page; all with intermission."""

    name: str
    can_id: int
    n_frames: int
    cycle_ns: int
    frame_ns: int
    response_ns: float


def table(layouts: tuple[Layout, Layout], bus: int, bitrate: int, dt_ns: int) -> list[Row]:
    """Messages of a bus in order of arbitration. dt_ns: a cycle that is no multiple of the tick jitters by less than one."""
    streams = []
    for layout in layouts:
        for slot, name in zip(layout.slots, layout.slot_names, strict=True):
            if slot[BUS] == bus:
                jitter_ns = 0 if slot[CYCLE_NS] % dt_ns == 0 else dt_ns
                message = Message(name, int(slot[CYCLE_NS]), int(slot[FRAME_NS]), jitter_ns)
                streams.append((arbitration_key(int(slot[CAN_ID]), int(slot[FLAGS])), int(slot[CAN_ID]), message))
    streams.sort(key=lambda row: row[0])
    messages = [message for _, _, message in streams]
    bit_ns = -(-1_000_000_000 // bitrate)
    rows: dict[str, Row] = {}
    for m, (_, can_id, message) in enumerate(streams):
        name = message.name.split("[")[0]
        longest = response_ns(messages, m, bit_ns)
        before = rows.get(name)
        n_frames = 1 + (0 if before is None else before.n_frames)
        longest = longest if before is None else max(longest, before.response_ns)
        rows[name] = Row(name, can_id, n_frames, message.period_ns, message.frame_ns, longest)
    return list(rows.values())


def lines(rows: list[Row]) -> list[str]:
    """The table as text."""
    width = max((len(row.name) for row in rows), default=7)
    out = [f"  {'message':<{width}} {'id':>10} {'frames':>6} {'cycle':>8} {'frame':>9} {'response':>12}"]
    for row in rows:
        late = row.response_ns > row.cycle_ns
        response = "no bound" if row.response_ns == float("inf") else f"{row.response_ns / 1e6:.3f} ms"
        out.append(
            f"  {row.name:<{width}} {f'0x{row.can_id:03X}':>10} {row.n_frames:>6} {row.cycle_ns / 1e6:>5g} ms "
            f"{row.frame_ns / 1e3:>6.0f} us {response:>12}{'  may come after its next is due' if late else ''}"
        )
    return out
