"""A CAN bus behind TCP, as the daemon socketcand offers one: what a client sends, all others get.

    python tools/socketcand_hub.py [PORT]        says its port, serves 127.0.0.1 until it is ended

Of the protocol: open, rawmode, echo, send, frame. One thread, no bus behind it.
"""

from __future__ import annotations

import math
import selectors
import socket
import sys
import time
from dataclasses import dataclass

from hil.clock import sharp

_PAUSE_S = 0.1  # python-can takes what comes at once with the answer for a part of it
_LONGEST = 4096  # bytes without an end: this is no socketcand


@dataclass
class Client:
    """A connection. text: what of a message has come.  raw_s: from when on it gets frames (monotonic)."""

    line: socket.socket
    text: bytes = b""
    raw_s: float = math.inf


class Hub:
    """The bus. port: 0 for any that is free."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self._wait = selectors.DefaultSelector()
        self._wait.register(self._server, selectors.EVENT_READ)
        self._clients: dict[socket.socket, Client] = {}

    def turn(self, timeout_s: float | None = None) -> None:
        """Wait for something and deal with it."""
        for key, _ in self._wait.select(timeout_s):
            if key.fileobj is self._server:
                line, _ = self._server.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients[line] = Client(line)
                self._wait.register(line, selectors.EVENT_READ)
                self._tell(self._clients[line], b"< hi >")
            else:
                assert isinstance(key.fileobj, socket.socket)
                self._hear(self._clients[key.fileobj])

    def _hear(self, client: Client) -> None:
        try:
            block = client.line.recv(65_536)
        except OSError:
            block = b""
        client.text += block
        if not block or len(client.text) > _LONGEST + len(block):
            self._drop(client)
            return
        *whole, client.text = client.text.split(b">")
        for message in whole:
            self._obey(client, message.split(b"<")[-1].split())

    def _obey(self, client: Client, words: list[bytes]) -> None:
        match words:
            case [b"open", _]:
                self._tell(client, b"< ok >")
            case [b"rawmode"]:
                client.raw_s = time.monotonic() + _PAUSE_S
                self._tell(client, b"< ok >")
            case [b"echo"]:
                self._tell(client, b"< echo >")
            case [b"send", can_id, length, *data] if len(data) == int(length):
                text = b"".join(byte.rjust(2, b"0") for byte in data).upper()
                frame = b"< frame %b %.6f %b >" % (can_id.upper(), time.time(), text)
                for other in list(self._clients.values()):
                    if other is not client and other.raw_s <= time.monotonic():
                        self._tell(other, frame)
            case _:
                self._tell(client, b"< error unknown command >")

    def _tell(self, client: Client, text: bytes) -> None:
        try:
            client.line.sendall(text)
        except OSError:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if self._clients.pop(client.line, None) is not None:
            self._wait.unregister(client.line)
            client.line.close()

    def close(self) -> None:
        """Close all."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._server.close()


if __name__ == "__main__":
    hub = Hub(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(hub.port, flush=True)
    with sharp():
        while True:
            hub.turn()
