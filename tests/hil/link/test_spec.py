"""A bus in one line of text."""

from __future__ import annotations

import pytest

from hil.errors import ScenarioError
from hil.link.spec import BusSpec, parse, parse_all


@pytest.mark.parametrize(
    ("text", "interface", "channel", "options"),
    [
        ("udp_multicast:239.74.163.2", "udp_multicast", "239.74.163.2", {}),
        ("udp_multicast:ff15::1?port=5000&fd=false", "udp_multicast", "ff15::1", {"port": 5000, "fd": False}),
        ("slcan:/dev/ttyACM0@115200?bitrate=250000", "slcan", "/dev/ttyACM0@115200", {"bitrate": 250_000}),
        ("socketcan:can0", "socketcan", "can0", {}),
        ("slcan:socket://host:4000", "slcan", "socket://host:4000", {}),
        ("virtual:x?a=1.5&b=true&c=text", "virtual", "x", {"a": 1.5, "b": True, "c": "text"}),
        ("", None, None, {}),
        ("?supply=none", None, None, {"supply": "none"}),
    ],
)
def test_a_text_becomes_interface_channel_and_options(
    text: str, interface: str | None, channel: str | None, options: dict[str, object]
) -> None:
    """The first colon ends the interface, the question mark the channel; values are numbers, booleans or texts."""
    assert BusSpec(text, interface, channel, options) == parse(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("socketcann:can0", 'there is no interface "socketcann"; did you mean "socketcan"?'),
        ("slcan", 'the channel is missing; expected "slcan:CHANNEL", as in "slcan:/dev/ttyACM0"'),
        ("virtual:x?port", 'option "port" is not of the form key=value'),
        ("virtual:x?=3", 'option "=3" is not of the form key=value'),
        ("serial:spy:///dev/ttyUSB0", "a port must be a device or socket://HOST:PORT"),
    ],
)
def test_a_text_that_is_none_is_refused_with_a_sentence(text: str, told: str) -> None:
    """What is wrong is said before any bus is touched."""
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    assert told in str(caught.value)


def test_each_bus_of_a_network_needs_its_own_text() -> None:
    """Two buses are two texts with a comma between."""
    assert ["a", "b"] == [spec.channel for spec in parse_all("virtual:a, virtual:b", 2)]
    with pytest.raises(ScenarioError, match='the network has 2 buses, but "virtual:a" names 1'):
        parse_all("virtual:a", 2)


@pytest.mark.parametrize(
    ("text", "typed"),
    [("udp_multicast:239.74.163.2", "udp_multicast:239.74.163.2"), ("virtual:x?a=1&b=2", "'virtual:x?a=1&b=2'"), ("", "''")],
)
def test_a_bus_can_be_typed_again(text: str, typed: str) -> None:
    """What hints print can be pasted into a shell: quoted where it must be."""
    assert typed == parse(text).typed
