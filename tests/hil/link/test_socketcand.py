"""A bus behind TCP: the hub of tools/, python-can's client."""

from __future__ import annotations

import socket
import threading
import time

from socketcand_hub import Hub

from firmware_sim.wire.layout import EXTENDED
from hil.link.can_bus import CanBus
from hil.link.spec import parse

SECOND_NS = 1_000_000_000


def test_frames_cross_a_socketcand_bus() -> None:
    """Standard and extended, empty and full; a stranger who speaks nonsense is told so, and does no harm."""
    hub = Hub()
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            hub.turn(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    text = f"socketcand:can0?host=127.0.0.1&port={hub.port}"
    try:
        with socket.create_connection(("127.0.0.1", hub.port)) as stranger:
            stranger.sendall(b"< what > <")
            near, far = CanBus(parse(text), 500_000, False), CanBus(parse(text), 500_000, False)
            assert not near.is_stamped
            assert (
                near.receive(time.monotonic_ns() + SECOND_NS // 5) is None
            )  # the hub gives python-can time to read its answer
            for can_id, flags, data in ((0x10, 0, b"\x01\x0a"), (0x1ABCDEF, EXTENDED, bytes(range(8))), (0x7FF, 0, b"\xff")):
                assert near.send(can_id, flags, data)
                got = far.receive(time.monotonic_ns() + 2 * SECOND_NS)
                assert got is not None
                assert (can_id, flags, data) == (got.can_id, got.flags, got.data)
            assert near.receive(0) is None
            near.close()
            far.close()
            stranger.settimeout(2.0)
            heard = b""
            while b"unknown command" not in heard:
                heard += stranger.recv(256)
    finally:
        stop.set()
        thread.join()
        hub.close()
