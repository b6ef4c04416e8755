"""A line to an instrument, over TCP or a serial port: text by lines, or bytes by count; every wait ends."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from hil.errors import DutError, LinkLostError

_CONNECT_S = 2.0
_WRITE_S = 1.0
_LONGEST = 1 << 16
_BAUD = 115_200


class Line:
    """tcp:HOST:PORT or serial:PATH[@BAUD]. who: for messages.  Raises DutError when it cannot be opened."""

    def __init__(self, address: str, who: str) -> None:
        self.address, self._who = address, who
        self._rest = b""
        kind, _, rest = address.partition(":")
        self._socket: socket.socket | None = None
        self._port: Any = None
        try:
            if kind == "tcp":
                host, _, port = rest.rpartition(":")
                self._socket = socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                import serial

                path, _, baud = rest.partition("@")
                self._port = serial.Serial(path, int(baud or _BAUD), timeout=0, write_timeout=_WRITE_S)
        except (OSError, ValueError, OverflowError) as error:
            raise DutError(f"{who} at {address} cannot be reached: {getattr(error, 'strerror', None) or error}") from None

    def write(self, text: str) -> None:
        """A line. Raises LinkLostError."""
        self.write_bytes(text.encode() + b"\n")

    def write_bytes(self, data: bytes) -> None:
        """Bytes as they are. Raises LinkLostError."""
        try:
            if self._socket is not None:
                self._socket.settimeout(_WRITE_S)
                self._socket.sendall(data)
            else:
                self._port.write(data)
        except OSError as error:
            raise LinkLostError(f"{self._who} at {self.address} was lost: {error.strerror or error}") from None

    def read(self, timeout_s: float) -> str:
        """The next line without its end. Raises LinkLostError when none came in time."""
        end_s = time.monotonic() + timeout_s
        while b"\n" not in self._rest:
            if len(self._rest) > _LONGEST:
                raise LinkLostError(f"{self._who} at {self.address}: a line without end came; is it what the file says?")
            self._fill(end_s, timeout_s)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode("ascii", errors="replace").strip()

    def read_bytes(self, count: int, timeout_s: float) -> bytes:
        """So many bytes. Raises LinkLostError when they did not come in time."""
        end_s = time.monotonic() + timeout_s
        while len(self._rest) < count:
            self._fill(end_s, timeout_s)
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def _fill(self, end_s: float, timeout_s: float) -> None:
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise LinkLostError(f"{self._who} at {self.address} did not answer within {timeout_s:g} s")
        try:
            if self._socket is not None:
                self._socket.settimeout(left_s)
                data = self._socket.recv(4096)
                if not data:
                    raise LinkLostError(f"{self._who} at {self.address} hung up")
            else:
                self._port.timeout = left_s
                data = self._port.read(1) + self._port.read(self._port.in_waiting)
        except TimeoutError:
            return
        except OSError as error:
            raise LinkLostError(f"{self._who} at {self.address} was lost: {error.strerror or error}") from None
        self._rest += data

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.close()
            if self._port is not None:
                self._port.close()
