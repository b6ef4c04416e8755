"""The wire as one would write it first: cantools for the payloads, autosar-e2e for the protection, python-can to carry.

A frame is encoded by cantools with its strict checks from a dictionary of values, protected by the C library, sent as a
can.Message on a virtual bus, received, decoded by cantools, and its CRC and counter are checked by the receiver.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import can
from cantools.database.namedsignalvalue import NamedSignalValue
from e2e.p11 import e2e_p11_check, e2e_p11_protect

from firmware_sim.wire import layout as w
from hil.database import Database

MISSING = ("error", "not_available")


@dataclass(frozen=True)
class Frame:
    """One (message, page): what goes into it and when it is sent."""

    number: int
    message: Any
    page: int | None
    names: tuple[str, ...]
    crc: str
    counter: str
    selector: str | None
    data_id: int
    cycle_ns: int
    phase_ns: int
    duration_ns: int
    bus: int


def frames(layout: w.Layout, database: Database) -> list[Frame]:
    """Every frame of one direction, in order of arbitration."""
    out = []
    for number, (title, row) in enumerate(zip(layout.slot_names, layout.slots.tolist(), strict=True)):
        if row[w.E2E] != w.P11:
            raise ValueError(f"{title}: the baseline knows E2E profile 11 only")
        name, _, page = title.rstrip("]").partition("[")
        message = database.message(name)
        crc, counter = f"{name}_Crc", f"{name}_Counter"
        selector = next((s.name for s in message.signals if s.is_multiplexer), None)
        payload = layout.signal_names[row[w.FIRST] : row[w.FIRST] + row[w.COUNT]]
        out.append(
            Frame(
                number,
                message,
                int(page) if page else None,
                tuple(payload),
                crc,
                counter,
                selector,
                row[w.DATA_ID],
                row[w.CYCLE_NS],
                row[w.PHASE_NS],
                row[w.FRAME_NS],
                row[w.BUS],
            )  # fmt: skip
        )
    return out


def blank_values(frames: list[Frame]) -> dict[str, Any]:
    """What is sent of a signal before anybody has written it: "not available", or 0 where the DBC has no such code."""
    out: dict[str, Any] = {}
    for frame in frames:
        for name in frame.names:
            choices = frame.message.get_signal_by_name(name).choices or {}
            out[name] = "not_available" if "not_available" in {str(c) for c in choices.values()} else 0
    return out


def open_buses(channel: str, n_buses: int) -> list[can.BusABC]:
    """One virtual bus for each wire. Time stamps are ours: the end of the frame on a real bus."""
    return [can.Bus(interface="virtual", channel=f"{channel}-{number}", preserve_timestamps=True) for number in range(n_buses)]


class Sender:
    """Cyclic sending of one node's frames."""

    def __init__(self, frames: list[Frame], buses: list[can.BusABC], free_ns: list[int], journal: list[can.Message]) -> None:
        self.frames, self.buses, self.free_ns, self.journal = frames, buses, free_ns, journal
        self.next_ns = [frame.phase_ns for frame in frames]
        self.counters = [-1 for _ in frames]

    def due(self, t_ns: int) -> list[Frame]:
        """The frames whose time has come; each is handed out once a cycle."""
        found = [frame for frame in self.frames if self.next_ns[frame.number] <= t_ns]
        for frame in found:
            self.next_ns[frame.number] += frame.cycle_ns
            self.counters[frame.number] = (self.counters[frame.number] + 1) % 15
        return found

    def send(self, t_ns: int, due: list[Frame], values: dict[str, Any]) -> None:
        """Encode, protect and send frames, one behind the other on their bus."""
        for frame in due:
            data = {name: values[name] for name in frame.names}
            data[frame.crc] = 0
            data[frame.counter] = self.counters[frame.number]
            if frame.selector is not None:
                data[frame.selector] = frame.page
            payload = bytearray(frame.message.encode(data))
            e2e_p11_protect(payload, frame.data_id, increment_counter=False)
            end_ns = max(self.free_ns[frame.bus], t_ns) + frame.duration_ns
            self.free_ns[frame.bus] = end_ns
            message = can.Message(
                timestamp=end_ns * 1e-9, arbitration_id=frame.message.frame_id, is_extended_id=False, data=payload
            )
            self.buses[frame.bus].send(message)
            self.journal.append(message)


class Stream:
    """E2E receiver of one frame: counter and state machine."""

    def __init__(self, max_delta: int, window: int, min_ok: int, max_errors: int) -> None:
        self.max_delta, self.min_ok, self.max_errors = max_delta, min_ok, max_errors
        self.state = "nodata"
        self.counter = 0
        self.errors: deque[bool] = deque(maxlen=window)

    def accept(self, counter: int, crc_is_right: bool) -> bool:
        """Whether the data of this frame may be used."""
        if self.state == "nodata" and not crc_is_right:
            return False
        good = False
        if crc_is_right and counter <= 14:
            good = self.state == "nodata" or 1 <= (counter - self.counter) % 15 <= self.max_delta
            self.counter = counter
        self.errors.append(not good)
        n_errors = sum(self.errors)
        if len(self.errors) - n_errors >= self.min_ok and n_errors <= self.max_errors:
            self.state = "valid"
        elif self.state == "valid":
            self.state = "invalid"
        elif self.state == "nodata":
            self.state = "init"
        return good and self.state == "valid"


class Receiver:
    """Takes frames off the buses, decodes them and checks their CRC."""

    def __init__(self, frames: list[Frame], buses: list[can.BusABC]) -> None:
        self.buses = buses
        self.messages = {(frame.bus, frame.message.frame_id): frame for frame in frames}
        self.by_page = {(frame.bus, frame.message.frame_id, frame.page): frame for frame in frames}

    def take(self) -> list[tuple[Frame, dict[str, Any], bool, float]]:
        """All frames that wait: which one, its values by name, whether its CRC is right, when it ended [s]."""
        out = []
        for at, bus in enumerate(self.buses):
            while (message := bus.recv(timeout=0)) is not None:
                frame = self.messages[at, message.arbitration_id]
                values: dict[str, Any] = frame.message.decode(message.data)
                if frame.selector is not None:
                    frame = self.by_page[at, message.arbitration_id, int(number(values[frame.selector]))]
                right = e2e_p11_check(message.data, frame.data_id)
                out.append((frame, values, right, message.timestamp))
        return out


def is_value(value: Any) -> bool:
    """False for the codes that say "error" or "not available"."""
    return not (isinstance(value, NamedSignalValue) and value.name in MISSING)


def number(value: Any) -> float:
    """A decoded value as a number, also where the DBC names it."""
    return value.value if isinstance(value, NamedSignalValue) else value
