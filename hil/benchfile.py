"""The bench file: what stands on the table, and what this bench can stimulate and observe."""

from __future__ import annotations

import re
import string
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from hil import files
from hil.errors import Problems, ScenarioError, nearest
from hil.link import spec
from hil.shape import settle

Feed = Literal["frames", "io", "ask", "none"]
QUANTITIES = (
    "cell_voltage", "cell_temperature", "current", "pack_voltage", "link_voltage", "feedback", "hvil", "emergency_line",
    "insulation", "supply_voltage", "coolant", "request",
)  # fmt: skip
_OF_SIGNAL = (
    ("CellVoltage_*", "cell_voltage"),
    ("CellTemperature_*", "cell_temperature"),
    ("Shunt_PackVoltage", "pack_voltage"),
    ("Shunt_LinkVoltage", "link_voltage"),
    ("Shunt_*", "current"),
    ("PackIO_*Feedback", "feedback"),
    ("PackIO_Hvil", "hvil"),
    ("PackIO_EmergencyLine", "emergency_line"),
    ("PackIO_Insulation", "insulation"),
    ("PackIO_SupplyVoltage", "supply_voltage"),
    ("PackIO_CoolantTemperature", "coolant"),
    ("Vehicle_*", "request"),
)
_OF_ANY = ("cell_voltage", "cell_temperature", "current")  # "none" says that the device has cells of its own
PTY = "slcan:pty"  # a serial line that the bench makes for a firmware it starts
SUPPLY = "supply"  # the channel that switches the device
_ADDRESS = re.compile(r"tcp:[\w.:\[\]-]+:\d{1,5}|serial:[^@\s]+(@\d+)?", re.ASCII)
_NUMBER = re.compile(r"\{(n1?)(?::0\d)?\}")


class Device(files.FileModel):
    """The device under test. kind "process": a firmware that the bench starts, then as "remote".

    supply: how it is switched; by default "frame", of a process "process".  ready_line: regular expression of a line that it
    prints when it is up; without one, its first contactor command counts.  stop_signal, grace_s: how it is ended, and how
    long it may take.  reset_signal: what the loss of its supply is.
    """

    kind: Literal["remote", "process"] = "remote"
    name: str = ""
    supply: Literal["frame", "channel", "process", "none"] | None = None
    ready_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    command: list[str] = []
    environment: dict[str, str] = {}
    folder: str = "."
    ready_line: str | None = None
    stop_signal: Literal["TERM", "INT", "HUP", "KILL"] = "TERM"
    reset_signal: Literal["TERM", "INT", "HUP", "KILL"] = "KILL"
    grace_s: Annotated[float, Field(gt=0, le=60)] = 2.0

    @model_validator(mode="after")
    def _whole(self) -> Device:
        found = []
        if self.kind == "process" and not self.command:
            found.append(
                'command: kind "process" needs the command that starts the firmware, as in ["./bms", "--can", "vcan0"]'
            )
        if self.kind == "remote":
            given = {"command", "environment", "folder", "ready_line", "stop_signal", "reset_signal", "grace_s"}
            found += [f'{key}: only kind "process" has it' for key in sorted(given & self.model_fields_set)]
            if self.supply == "process":
                found.append('supply "process" needs kind "process"')
        if self.ready_line is not None:
            try:
                re.compile(self.ready_line)
            except re.error as error:
                found.append(f"ready_line: not a regular expression: {error}")
        settle(found)
        return self

    @property
    def is_emulator(self) -> bool:
        """Whether the command, as far as it can be read, starts our own emulator, which has no inputs but frames."""
        return "serve" in self.command and any(Path(word).name == "nabench" for word in self.command)

    @property
    def switched_by(self) -> str:
        """How it is switched."""
        return self.supply or ("process" if self.kind == "process" else "frame")


class Feeds(files.FileModel):
    """Who feeds the device a quantity: frames of the bench, an instrument, a person who is asked, or nobody."""

    cell_voltage: Feed = "frames"
    cell_temperature: Feed = "frames"
    current: Feed = "frames"
    pack_voltage: Feed = "frames"
    link_voltage: Feed = "frames"
    feedback: Feed = "frames"
    hvil: Feed = "frames"
    emergency_line: Feed = "frames"
    insulation: Feed = "frames"
    supply_voltage: Feed = "frames"
    coolant: Feed = "frames"
    request: Feed = "frames"


class Observes(files.FileModel):
    """What of the device the bench sees. contactors: its commands come as frames, or its contacts are out of sight.

    not_seen: patterns of signals or messages that this device does not send.
    """

    contactors: Literal["frames", "none"] = "frames"
    not_seen: list[str] = []


class Channel(files.FileModel):
    """A channel of an instrument that follows a signal of ours, or many with {n}; "supply" switches the device.

    set: command with {value}; for modbus "coil {n}" or a number.  scale, offset: of the number that the instrument gets.
    lost: what is sent instead when there is no value, as with an open wire.
    """

    signal: str
    set: str
    scale: float = 1.0
    offset: float = 0.0
    lost: str | None = None


class Instrument(files.FileModel):
    """An instrument. begin: commands before the run.  safe: commands that leave it safe.  every_ms: at most so often."""

    name: str
    driver: Literal["scpi", "modbus"]
    address: str
    begin: list[str] = []
    safe: Annotated[list[str], Field(min_length=1)]
    every_ms: Annotated[int, Field(ge=5, le=10_000)] = 50
    channel: Annotated[list[Channel], Field(min_length=1, max_length=400)]

    @model_validator(mode="after")
    def _sound(self) -> Instrument:
        found = []
        if not _ADDRESS.fullmatch(self.address):
            found.append(f'address "{self.address}": expected tcp:HOST:PORT or serial:PATH[@BAUD]')
        for n, channel in enumerate(self.channel):
            for key in ("set", "lost"):
                text = getattr(channel, key)
                if text is not None and (why := _template(text)):
                    found.append(f'channel[{n}].{key} "{text}": {why}')
        settle(found)
        return self


class Question(files.FileModel):
    """What a person is asked when a fault of a quantity begins, and when it ends; Enter is the answer."""

    quantity: str
    begin: str
    end: str = ""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0

    @model_validator(mode="after")
    def _known(self) -> Question:
        settle(
            []
            if self.quantity in QUANTITIES
            else [f'quantity "{self.quantity}" is unknown{nearest(self.quantity, QUANTITIES)}']
        )
        return self


class BenchFile(files.Document):
    """A bench file. buses: name of each bus of the network to its description (see hil.link.spec)."""

    KIND: ClassVar[str] = "bench"
    title: str
    dut: Device = Device()
    buses: Annotated[dict[str, str], Field(min_length=1, max_length=8)]
    feeds: Feeds = Feeds()
    observes: Observes = Observes()
    instrument: list[Instrument] = []
    ask: list[Question] = []

    @model_validator(mode="after")
    def _whole(self) -> BenchFile:
        found = []
        for quantity in QUANTITIES:
            feed = self.feed(quantity)
            if feed == "ask" and not any(row.quantity == quantity for row in self.ask):
                found.append(f'feeds.{quantity} is "ask", but no [[ask]] says what to ask for it')
            if feed == "io" and not any(quantity_of(c.signal) == quantity for i in self.instrument for c in i.channel):
                found.append(f'feeds.{quantity} is "io", but no channel of an [[instrument]] feeds it')
        for n, instrument in enumerate(self.instrument):
            for m, channel in enumerate(instrument.channel):
                where, fed = f"instrument[{n}].channel[{m}].signal", quantity_of(channel.signal)
                if channel.signal != SUPPLY and not fed:
                    found.append(f'{where} "{channel.signal}" is no role of ours; see: nabench list signals')
                elif fed and self.feed(fed) != "io":
                    found.append(f'{where} "{channel.signal}": feeds.{fed} is "{self.feed(fed)}"; set it to "io"')
        if self.dut.is_emulator:
            found += [
                f'feeds.{quantity} is "{feed}", but nabench serve takes all that it knows from frames; set it to "frames"'
                for quantity in QUANTITIES
                if (feed := self.feed(quantity)) in ("io", "ask") or (feed == "none" and quantity in _OF_ANY)
            ]
        if self.dut.kind == "remote":
            ptys = [name for name, text in self.buses.items() if text.partition("?")[0] == PTY]
            found += [
                f'buses.{name} "{PTY}" is made for a firmware that the bench starts; set dut.kind to "process"' for name in ptys
            ]
        if self.dut.supply == "channel" and not any(c.signal == SUPPLY for i in self.instrument for c in i.channel):
            found.append(f'dut.supply is "channel", but no channel has signal = "{SUPPLY}"')
        settle(found)
        return self

    def feed(self, quantity: str) -> Feed:
        """Who feeds a quantity."""
        found: Feed = getattr(self.feeds, quantity)
        return found

    def sees(self, signal: str, slot: str) -> bool:
        """Whether this device sends a signal, in this slot."""
        message = slot.partition("[")[0]
        return not any(fnmatchcase(name, pattern) for pattern in self.observes.not_seen for name in (signal, message))


def _template(text: str) -> str:
    """What is wrong with a command that is filled in; empty when nothing is."""
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        if fields <= {"value", "n", "n1"}:
            text.format(value=1.5, n=0, n1=1)
            return ""
    except (ValueError, IndexError, KeyError) as error:
        return f"not a command that can be filled in: {error}"
    return "expected only {value}, {n} and {n1} in braces"


def quantity_of(signal: str) -> str:
    """The quantity that a role belongs to; empty for a signal that is none."""
    return next((quantity for pattern, quantity in _OF_SIGNAL if fnmatchcase(signal, pattern)), "")


def names(channel: Channel, known: list[str]) -> list[tuple[str, int]]:
    """Signals that a channel follows, each with its number."""
    match = _NUMBER.search(channel.signal)
    if match is None:
        return [(channel.signal, 0)] if channel.signal in known else []
    shift = 1 if match[1] == "n1" else 0
    found = []
    for n in range(1000):
        name = channel.signal.format(n=n, n1=n + shift)
        if name in known:
            found.append((name, n))
    return found


def load(path: Path) -> BenchFile:
    """A bench file, with its buses checked. Raises ScenarioError."""
    decoded = files.load(path, BenchFile)
    problems = Problems()
    for name, text in decoded.buses.items():
        try:
            spec.parse(_bare(text))
        except ScenarioError as error:
            problems.found += [f"{path}: buses.{name}: {problem}" for problem in error.problems]
    if decoded.dut.kind == "process" and not (path.parent / decoded.dut.folder).is_dir():
        problems.found.append(f'{path}: dut.folder "{decoded.dut.folder}" is no folder (counted from the bench file)')
    problems.settle()
    return decoded


def _bare(text: str) -> str:
    """A description whose channel is made when the run begins stands for one that is there."""
    return "slcan:/dev/null" if text.partition("?")[0] == PTY else text


def wired(bench: BenchFile, path: Path, buses: list[str]) -> str:
    """Descriptions for the buses of a network, in its order. Raises ScenarioError."""
    missing = [name for name in buses if name not in bench.buses]
    if missing:
        have = ", ".join(bench.buses)
        raise ScenarioError(*(f'{path}: buses: the network has a bus "{name}", the bench has {have}' for name in missing))
    return ",".join(bench.buses[name] for name in buses)
