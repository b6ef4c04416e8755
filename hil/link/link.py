"""The buses of a network as one link."""

from __future__ import annotations

import time

from hil.link.can_bus import CanBus, Frame
from hil.link.spec import BusSpec
from hil.network import Network

_REST_NS = 500_000


class Link:
    """All buses of a network, open. device: from the device's end. Raises DutError when one cannot be opened."""

    def __init__(self, specs: list[BusSpec], network: Network, device: bool = False) -> None:
        fd = any(slot.is_fd for slot in network.database.messages)
        self.buses: list[CanBus] = []
        try:
            for spec, bus in zip(specs, network.database.buses, strict=True):
                self.buses.append(CanBus(spec, bus.bitrate, fd, device))
        except Exception:
            self.close()
            raise

    @property
    def name(self) -> str:
        """All buses, as they were written."""
        return ",".join(bus.name for bus in self.buses)

    @property
    def echoes(self) -> bool:
        """True when every bus gives our own frames back, so that it can be proven alive."""
        return all(bus.echoes for bus in self.buses)

    def send(self, bus: int, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame on a bus; False when it was refused for now. Raises LinkLostError."""
        return self.buses[bus].send(can_id, flags, data)

    def receive(self, until_ns: int) -> tuple[int, Frame] | None:
        """(bus, frame) that comes next, or None when none came until then (monotonic). Raises LinkLostError."""
        if len(self.buses) == 1:
            frame = self.buses[0].receive(until_ns)
            return None if frame is None else (0, frame)
        while True:
            for number, bus in enumerate(self.buses):
                frame = bus.receive(0)
                if frame is not None:
                    return number, frame
            left_ns = until_ns - time.monotonic_ns()
            if left_ns <= 0:
                return None
            time.sleep(min(left_ns, _REST_NS) * 1e-9)

    def counts(self) -> dict[str, int]:
        """Error, remote, garbled, refused and lost frames over all buses."""
        rows = [bus.counts for bus in self.buses]
        return {name: sum(getattr(row, name) for row in rows) for name in ("errors", "remote", "garbled", "refused", "lost")}

    def close(self) -> None:
        """Close all buses."""
        for bus in self.buses:
            bus.close()
