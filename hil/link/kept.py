"""A link that writes every frame that crosses it to a journal."""

from __future__ import annotations

import time
from functools import partial

from firmware_sim.wire.layout import EXTENDED, FD
from hil.link.can_bus import Frame
from hil.link.frame import Aside
from hil.link.link import Link
from hil.link.match import Finder
from hil.link.spec import BusSpec
from hil.network import Network
from hil.record.frame import OWN, RX, SWITCHED, TX
from hil.record.journal import Journal

_WIRE = EXTENDED | FD


class KeptLink(Link):
    """Sent frames are Tx at the time they were handed over, others Rx at their arrival; own ones that come back are marked.

    Remote and error frames are Rx.
    """

    def __init__(self, specs: list[BusSpec], network: Network, journal: Journal) -> None:
        super().__init__(specs, network)
        self._journal, self._ours = journal, Finder(network.to_dut)
        for number, bus in enumerate(self.buses):
            bus.tell(partial(put_aside, journal, number))

    def send(self, bus: int, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame and write down that it left."""
        sent = super().send(bus, can_id, flags, data)
        if sent:
            kept = flags & _WIRE | TX | (SWITCHED if flags & FD else 0)
            self._journal.put(time.monotonic_ns(), bus, can_id, kept, data)
        return sent

    def receive(self, until_ns: int) -> tuple[int, Frame] | None:
        """The next frame, written down."""
        got = super().receive(until_ns)
        if got is not None:
            bus, frame = got
            own = OWN if self.buses[bus].echoes and self._ours.knows(bus, frame) else 0
            self._journal.put(frame.t_ns, bus, frame.can_id, frame.flags & _WIRE | frame.fast | RX | own, frame.data)
        return got


def put_aside(journal: Journal, bus: int, aside: Aside) -> None:
    """Write down a remote or an error frame."""
    t_ns, can_id, flags, length, data = aside
    journal.put(t_ns, bus, can_id, flags | RX, data, length)


def opened(specs: list[BusSpec], network: Network, journal: Journal | None) -> Link:
    """A link, with a journal when there is one. Raises DutError."""
    return Link(specs, network) if journal is None else KeptLink(specs, network, journal)
