"""How a device is fed on a bench: what is not sent as a frame, and the instruments and people that do it instead.

The loop never waits for an instrument: each has a thread that takes the newest values, at most so often, and sends what
changed. `worst_ns` of each is the longest time from the first tick that was not told yet until the instrument said that it
was set, the pause between two tellings included.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from firmware_sim.types import F64
from firmware_sim.wire.layout import COUNT, FIRST, Layout
from hil.benchfile import SUPPLY, BenchFile, Channel, Instrument, names, quantity_of
from hil.errors import LinkLostError, NabenchError, ScenarioError
from hil.io.modbus import Modbus, coil_of
from hil.io.port import Port
from hil.io.scpi import Scpi

_LATE_S = 5.0


def roles(layout: Layout, slot: int) -> list[str]:
    """Signals of a slot that belong to a quantity."""
    first, count = int(layout.slots[slot, FIRST]), int(layout.slots[slot, COUNT])
    return [name for name in layout.signal_names[first : first + count] if quantity_of(name)]


def is_sent(bench: BenchFile, layout: Layout, slot: int) -> bool:
    """Whether a frame to the device is sent: at least one of its signals is fed by frames."""
    own = roles(layout, slot)
    return not own or any(bench.feed(quantity_of(name)) == "frames" for name in own)


def silent_slots(bench: BenchFile, layout: Layout) -> list[int]:
    """Slots that are not sent on this bench."""
    return [slot for slot in range(layout.n_slots) if not is_sent(bench, layout, slot)]


def blank_signals(bench: BenchFile, layout: Layout) -> list[int]:
    """Signals that are sent without a value, because they reach the device in another way."""
    known = {n: quantity_of(name) for n, name in enumerate(layout.signal_names)}
    return [n for n, quantity in known.items() if quantity and bench.feed(quantity) != "frames"]


@dataclass(frozen=True)
class Wire:
    """A channel and what it follows. row: signal in the layout; -1 for the supply."""

    channel: Channel
    row: int
    n: int

    def command(self, value: float) -> str | None:
        """What the instrument gets for a value; None when there is no value and nothing to send for that."""
        if math.isnan(value):
            text = self.channel.lost
            return None if text is None else text.format(value=0.0, n=self.n, n1=self.n + 1)
        number = value * self.channel.scale + self.channel.offset
        return self.channel.set.format(value=number, n=self.n, n1=self.n + 1)


def port_of(file: Instrument) -> Port:
    """The driver of an instrument. Raises ScenarioError for commands that it cannot mean."""
    return Modbus(file) if file.driver == "modbus" else Scpi(file)


def wires_of(bench: BenchFile, layout: Layout) -> list[list[Wire]]:
    """Channels of each instrument. Raises ScenarioError for a signal that nothing feeds, or a command that means nothing."""
    known, found, problems, fed = list(layout.signal_names), [], [], set()
    for instrument in bench.instrument:
        wires = []
        for channel in instrument.channel:
            if channel.signal == SUPPLY:
                wires.append(Wire(channel, -1, 0))
            for name, n in names(channel, known):
                wires.append(Wire(channel, known.index(name), n))
                fed.add(name)
        found.append(wires)
        if instrument.driver == "modbus":
            for wire in wires:
                coil_of(wire.command(1.0) or "")
    for name in known:
        if (quantity := quantity_of(name)) and bench.feed(quantity) == "io" and name not in fed:
            problems.append(f'feeds.{quantity} is "io", but no channel follows {name}')
    if problems:
        raise ScenarioError(*problems)
    return found


class _Hand:
    """One instrument with its thread."""

    def __init__(self, file: Instrument, wires: list[Wire]) -> None:
        self.port, self.wires, self.begins, self.ends = port_of(file), wires, file.begin, file.safe
        self.error = ""
        self.worst_ns = self.n_sets = 0
        self.who = ""
        self._every_s = file.every_ms / 1e3
        self._last: dict[int, str] = {}
        self._news = threading.Condition()
        self._values: tuple[int, F64, bool] | None = None
        self._is_over = False
        self._thread: threading.Thread | None = None
        self.since_ns: int | None = None  # the first tick of what it is being told, until it says that it was set

    def begin(self, values: F64, on: bool) -> None:
        """Connect, prepare, set the first values. Raises NabenchError."""
        self.who = self.port.begin()
        self._set(values, on)
        self._thread = threading.Thread(target=self._work, name=f"instrument {self.port.name}", daemon=True)
        self._thread.start()

    def post(self, values: F64, on: bool) -> None:
        """The newest values; their time is that of the first ones that were not told."""
        with self._news:
            since_ns = time.monotonic_ns() if self._values is None else self._values[0]
            self._values = since_ns, values, on
            self._news.notify()

    def _work(self) -> None:
        try:
            while True:
                with self._news:
                    while self._values is None and not self._is_over:
                        self._news.wait()
                    if self._is_over:
                        return
                    assert self._values is not None
                    (since_ns, values, on), self._values = self._values, None
                    self.since_ns = since_ns
                is_told = self._set(values, on)
                self.since_ns = None
                if is_told:
                    self.worst_ns = max(self.worst_ns, time.monotonic_ns() - since_ns)
                    time.sleep(self._every_s)
        except NabenchError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - a thread must not die unseen: the loop asks for this
            self.error = f'instrument "{self.port.name}": {error}'

    def _set(self, values: F64, on: bool) -> bool:
        """Send what changed; False when nothing did."""
        changed = {}
        for k, wire in enumerate(self.wires):
            command = wire.command(float(on) if wire.row < 0 else float(values[wire.row]))
            if command is not None and self._last.get(k) != command:
                changed[k] = command
        if changed:
            self.port.set(list(changed.values()))
            self._last.update(changed)
            self.n_sets += 1
        return bool(changed)

    def end(self) -> str:
        """Stop following, leave it safe, hang up; what went wrong, empty when nothing did."""
        with self._news:
            self._is_over = True
            self._news.notify()
        if self._thread is not None:
            self._thread.join(timeout=_LATE_S)
        try:
            self.port.safe()
        except NabenchError as error:
            return str(error)
        finally:
            self.port.close()
        return ""


class Feeder:
    """All instruments of a bench. Raises ScenarioError when they do not fit the network."""

    def __init__(self, bench: BenchFile, layout: Layout) -> None:
        self._hands = [_Hand(file, wires) for file, wires in zip(bench.instrument, wires_of(bench, layout), strict=True)]
        self.safe_words = tuple((hand.port.address, hand.port.safe_words) for hand in self._hands)
        self._is_on = False
        self._began = False

    def sends(self) -> list[str]:
        """Each instrument with what its channels follow, and what makes it safe."""
        found = []
        for hand in self._hands:
            found.append(f"to instrument {hand.port.name} at {hand.port.address}:")
            found += [f"  first {'; '.join(hand.begins)}"] if hand.begins else []
            for channel in {id(wire.channel): wire.channel for wire in hand.wires}.values():
                lost = "" if channel.lost is None else f", without a value {channel.lost}"
                found.append(f"  {channel.signal} as {channel.set}{lost}")
            found.append(f"  in the end {'; '.join(hand.ends)}")
        return found

    def begin(self, values: F64) -> None:
        """Connect all, with the supply off. Raises NabenchError."""
        self._began = True
        for hand in self._hands:
            hand.begin(values.copy(), False)

    def switch(self, on: bool) -> None:
        """The device's supply, with the next values."""
        self._is_on = on

    def post(self, values: F64) -> None:
        """The values of a tick. Raises LinkLostError when an instrument failed."""
        for hand in self._hands:
            if hand.error:
                raise LinkLostError(hand.error)
        newest = values.copy()
        for hand in self._hands:
            hand.post(newest, self._is_on)

    def delays_ns(self) -> dict[str, int]:
        """Quantity that an instrument feeds, or the supply, to the longest that a value took to it."""
        found: dict[str, int] = {}
        for hand in self._hands:
            for wire in hand.wires:
                fed = quantity_of(wire.channel.signal) or SUPPLY
                found[fed] = max(found.get(fed, 0), hand.worst_ns)
        return found

    def untold(self) -> tuple[int, str] | None:
        """Since when an instrument did not say that a value was set (monotonic), and which; None when all have."""
        late = [(hand.since_ns, hand.port.name) for hand in self._hands if hand.since_ns is not None]
        return min(late, default=None)

    def notes(self) -> dict[str, dict[str, object]]:
        """What each did."""
        return {h.port.name: {"is": h.who, "sets": h.n_sets, "worst_ms": round(h.worst_ns / 1e6, 1)} for h in self._hands}

    def end(self) -> Sequence[str]:
        """Leave all safe; what went wrong."""
        return [why for hand in self._hands if self._began and (why := hand.end())]
