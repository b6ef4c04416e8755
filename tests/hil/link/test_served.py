"""The emulator as a device of its own: supply, memory, time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import wall

from firmware_sim import state as st
from firmware_sim.wire.layout import CAN_ID
from hil import network
from hil.link.frame import Frame
from hil.link.link import Link
from hil.link.spec import parse_all
from hil.link.supply import Supply

TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000


class Other:
    """The other end of the bus: the supply, and ears."""

    def __init__(self, bus: str) -> None:
        self.net = network.load("classic", 16, 6, TICK_NS)
        self.link = Link(parse_all(bus, 1), self.net)
        self.supply = Supply()
        self.ids = set(self.net.from_dut.slots[:, CAN_ID].tolist())

    def order(self, on: bool, erase: bool = False) -> None:
        frame = self.supply.frame(on, erase)
        self.link.send(0, frame.can_id, frame.flags, frame.data)

    def heard(self, for_ns: int) -> list[Frame]:
        """Frames of the device that come in this time."""
        until_ns, found = time.monotonic_ns() + for_ns, []
        while (got := self.link.receive(until_ns)) is not None:
            if got[1].can_id in self.ids:
                found.append(got[1])
        return found


@pytest.fixture
def both() -> Iterator[tuple[Other, wall.Thread]]:
    bus = wall.virtual()
    with wall.device(bus) as device:
        other = Other(bus)
        yield other, device
        other.link.close()
    assert device.error is None


def test_a_device_without_a_bench_has_its_supply(both: tuple[Other, wall.Thread]) -> None:
    """Served alone it speaks at once, so that it can be watched."""
    other, _ = both
    assert other.heard(SECOND_NS // 2)


def test_a_device_without_supply_is_silent_and_starts_cold(both: tuple[Other, wall.Thread]) -> None:
    """Off ends its frames within a few ticks; on begins with its boot time, at uptime 0."""
    other, device = both
    wall.wait_until(lambda: bool(other.heard(TICK_NS)))
    other.order(on=False)
    wall.wait_until(lambda: not other.heard(5 * TICK_NS))
    assert [] == other.heard(20 * TICK_NS)
    before = device.served.report.starts
    other.order(on=True)
    wall.wait_until(lambda: bool(other.heard(TICK_NS)))
    assert before + 1 == device.served.report.starts
    assert device.served.dut.state.whole[st.UP_NS, 0] < 5 * SECOND_NS


def test_memory_is_kept_unless_told_otherwise(both: tuple[Other, wall.Thread]) -> None:
    """Non-volatile rows live through a loss of supply; "erase" makes the device as from the factory."""
    other, device = both
    wall.wait_until(lambda: bool(other.heard(TICK_NS)))
    for erase, left in ((False, 41), (True, 0)):
        other.order(on=False)
        wall.wait_until(lambda: not other.heard(5 * TICK_NS))
        device.served.dut.state.nvm[0, 0, -1] = 41
        other.order(on=True, erase=erase)
        wall.wait_until(lambda: bool(other.heard(TICK_NS)))
        assert left == device.served.dut.state.nvm[0, 0, -1]


def test_an_off_and_on_between_two_ticks_is_a_restart(both: tuple[Other, wall.Thread]) -> None:
    """However short the loss of supply, the device starts again."""
    other, device = both
    wall.wait_until(lambda: bool(other.heard(TICK_NS)))
    before = device.served.report.starts
    other.order(on=False)
    other.order(on=True)
    wall.wait_until(lambda: device.served.report.starts > before)
    assert before + 1 == device.served.report.starts


def test_ticks_follow_the_wall_clock_without_drift(both: tuple[Other, wall.Thread]) -> None:
    """Deadlines are absolute: after a second there were a hundred ticks, give or take what the machine owes."""
    other, device = both
    wall.wait_until(lambda: device.served.report.n_ticks > 0)
    begun_ns, first = time.monotonic_ns(), device.served.report.n_ticks
    other.heard(SECOND_NS)
    ticks = device.served.report.n_ticks - first
    expected = (time.monotonic_ns() - begun_ns) / TICK_NS
    assert abs(ticks - expected) <= 2 + device.served.report.late_ns / TICK_NS
