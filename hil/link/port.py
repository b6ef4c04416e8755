"""A serial port, or a TCP connection to one, as a file that is never waited for longer than asked.

All that is there is taken in one read. A port that vanishes is a GoneError with the system's reason. Posix only.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from hil.link.frame import GoneError

BLOCK = 4096
_CONNECT_S = 5.0


class Port:
    """An open port.

    name: a device, its baud rate after an "@" if need be, or socket://HOST:PORT.  Raises OSError, ValueError.
    """

    def __init__(self, name: str, baud: int, rtscts: bool = False) -> None:
        self._held: Any = _connect(name) if name.startswith("socket://") else _open(name, baud, rtscts)
        self._fd: int = self._held.fileno()
        os.set_blocking(self._fd, False)
        self._rest = b""

    def read(self, wait_ns: int) -> bytes:
        """What is there, waiting for the first byte; empty when none came. Raises GoneError."""
        try:
            if not select.select([self._fd], [], [], wait_ns * 1e-9)[0]:
                return b""
            block = os.read(self._fd, BLOCK)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            raise GoneError(_reason(error)) from None
        if not block:
            raise GoneError("the other end is gone")
        return block

    def write(self, data: bytes, wait_ns: int) -> bool:
        """Write all of it; False when not even a part of it found room in time. Raises GoneError.

        What was begun is not taken back: the rest of a line goes before the next one.
        """
        end_ns = time.monotonic_ns() + wait_ns
        while self._rest:
            if not self._push(end_ns):
                return False
        self._rest = data
        while self._rest:
            if not self._push(end_ns):
                begun = len(self._rest) < len(data)
                self._rest = self._rest if begun else b""
                return begun
        return True

    def _push(self, end_ns: int) -> bool:
        """Write what there is room for; False when there is none until then."""
        try:
            self._rest = self._rest[os.write(self._fd, self._rest) :]
        except BlockingIOError:
            left_ns = end_ns - time.monotonic_ns()
            if left_ns <= 0:
                return False
            select.select([], [self._fd], [], left_ns * 1e-9)
        except (OSError, ValueError) as error:
            raise GoneError(_reason(error)) from None
        return True

    def close(self) -> None:
        """Close it."""
        self._held.close()


def _open(name: str, baud: int, rtscts: bool) -> Any:
    import serial

    device, _, rate = name.partition("@")
    return serial.Serial(device, baudrate=int(rate) if rate else baud, rtscts=rtscts, timeout=0, exclusive=True)


def _connect(name: str) -> socket.socket:
    where = urlsplit(name)
    if where.hostname is None or where.port is None:
        raise ValueError(f'expected socket://HOST:PORT, found "{name}"')
    line = socket.create_connection((where.hostname, where.port), _CONNECT_S)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
