"""A bus in one line of text: interface:channel?key=value&key=value."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from hil.errors import ScenarioError, nearest

# Addresses that pyserial would follow to somewhere else than the port that was named, or that have no file to wait on.
_STRANGE_PORTS = ("spy://", "hwgrep://", "alt://", "cp2110://", "loop://", "rfc2217://")


NO_BUS = "python-can's configuration"  # what an empty bus text means


@dataclass(frozen=True)
class BusSpec:
    """One bus. interface: None means python-can's own configuration (CAN_INTERFACE, can.conf ...).

    options: further arguments of python-can's interface, as numbers, booleans or texts.
    """

    text: str
    interface: str | None
    channel: str | None
    options: dict[str, Any]

    @property
    def typed(self) -> str:
        """The bus as one word of a command line, with the options that are left."""
        options = "&".join(f"{key}={value}" for key, value in self.options.items())
        head = "" if self.interface is None else f"{self.interface}:{self.channel}"
        return shlex.quote(f"{head}?{options}" if options else head)


def parse(text: str) -> BusSpec:
    """A bus from its text. Raises ScenarioError: unknown interface, missing channel, malformed option."""
    head, _, tail = text.partition("?")
    interface, _, channel = head.partition(":")
    options: dict[str, Any] = {}
    for part in tail.split("&") if tail else []:
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ScenarioError(f'bus "{text}": option "{part}" is not of the form key=value')
        options[key] = _value(value)
    if not interface:
        return BusSpec(text, None, None, options)
    known = interfaces()
    if interface not in known:
        raise ScenarioError(f'bus "{text}": there is no interface "{interface}"{nearest(interface, known)}')
    if not channel:
        raise ScenarioError(
            f'bus "{text}": the channel is missing; expected "{interface}:CHANNEL", as in "{_example(interface)}"'
        )
    if channel.startswith(_STRANGE_PORTS):
        raise ScenarioError(f'bus "{text}": a port must be a device or socket://HOST:PORT')
    return BusSpec(text, interface, channel, options)


def parse_all(text: str, n_buses: int) -> list[BusSpec]:
    """The buses of a network from texts with commas between, in the network's order. Raises ScenarioError."""
    parts = text.split(",")
    if len(parts) != n_buses:
        raise ScenarioError(f'the network has {n_buses} buses, but "{text}" names {len(parts)}; expected one each, with commas')
    return [parse(part.strip()) for part in parts]


def interfaces() -> frozenset[str]:
    """Names of all interfaces that python-can and its plugins know."""
    from can.interfaces import VALID_INTERFACES

    return VALID_INTERFACES


def _value(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _example(interface: str) -> str:
    shown = {
        "slcan": "slcan:/dev/ttyACM0",
        "serial": "serial:/dev/ttyUSB0",
        "udp_multicast": "udp_multicast:239.74.163.2",
        "socketcan": "socketcan:can0",
        "virtual": "virtual:bench",
        "pcan": "pcan:PCAN_USBBUS1",
    }
    return shown.get(interface, f"{interface}:0")
