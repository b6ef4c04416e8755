"""Devices by name: what `--dut` accepts."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from hil.dut import Dut, broken
from hil.errors import ScenarioError, nearest
from hil.setup import Setup

Maker = Callable[[Setup, str], Dut]


def _emulator(setup: Setup, options: str) -> Dut:
    from hil.dut.emulator import Emulator

    if options:
        raise ScenarioError(f'dut "emulator" takes no options, found "{options}"')
    return Emulator(setup.settings, setup.rig.dt_ns, setup.rig.bus_free_ns)


def _broken(setup: Setup, options: str) -> Dut:
    return broken.create(setup.settings, setup.rig.dt_ns, setup.rig.bus_free_ns, options)


def _remote(setup: Setup, options: str) -> Dut:
    from hil.dut.remote import Remote

    return Remote(setup.rig, setup.network, options)


def _native(setup: Setup, options: str) -> Dut:
    from hil.dut.native import Native

    return Native(setup.rig, setup.network, options)


BUILT_IN: dict[str, tuple[str, Maker]] = {
    "emulator": ("the built-in firmware, in lockstep and virtual time", _emulator),
    "broken": (
        f"the built-in firmware with a defect: broken:NAME, or broken:NAME=CODE for one limit: {', '.join(broken.DEFECTS)}",
        _broken,
    ),
    "remote": (
        (
            "a device on a CAN bus, in wall time: remote:INTERFACE:CHANNEL, as in remote:udp_multicast:239.74.163.2 or "
            "remote:slcan:/dev/ttyACM0; remote alone takes python-can's configuration"
        ),
        _remote,
    ),
    "native": (
        "firmware compiled to a shared library, in lockstep and virtual time: native:PATH.so, see docs/native.md",
        _native,
    ),
}


def makers() -> dict[str, tuple[str, Maker]]:
    """Name to (what it is, maker); packages add their own through the entry point group nabench.dut."""
    found = dict(BUILT_IN)
    for point in entry_points(group="nabench.dut"):
        maker: Maker = point.load()
        found[point.name] = ((maker.__doc__ or point.value).strip().splitlines()[0], maker)
    return found


def maker_of(spec: str) -> tuple[Maker, str]:
    """Maker and options of "name" or "name:options". Raises ScenarioError for an unknown name."""
    name, _, options = spec.partition(":")
    known = makers()
    if name not in known:
        raise ScenarioError(f'there is no dut "{name}"{nearest(name, known)}')
    return known[name][1], options


def create(spec: str, setup: Setup) -> Dut:
    """A device from "name" or "name:options". Raises ScenarioError for an unknown name."""
    maker, options = maker_of(spec)
    return maker(setup, options)
