"""A simulated instrument, for trying a bench file and for tests: a source with channels that speaks SCPI, and a relay card.

SCPI, a line a command, several with semicolons; channels count from 1 and stand in (@n), 1 when left out:
VOLT CURR RES TEMP set a channel and ask it back; OUTP switches it; *IDN? *CLS *RST *OPC? SYST:ERR? as usual. What it does
not understand goes to its error queue, as in a real one. The relay card speaks Modbus TCP: write single coil, read coils.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from hil.errors import BenchError

_COMMAND = re.compile(r"(?:SOUR\w*:)?(\*?[A-Z]+(?::[A-Z]+)*)(\?)?(?:\s+(.*))?$")
_CHANNEL = re.compile(r",?\s*\(@(\d{1,4})\)\s*$")
_SETTINGS = ("VOLT", "CURR", "RES", "TEMP")
_LIMIT = 1e6
_MOST_REST = 1 << 16
_N_COILS = 64
_MOST_ERRORS = 20


@dataclass
class Source:
    """The SCPI instrument. n: channels.  values: (setting, channel) to number.  output: channels that are on."""

    n: int = 32
    values: dict[tuple[str, int], float] = field(default_factory=dict)
    output: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def answer(self, line: str) -> str:
        """What it answers to a line; empty for commands."""
        said = [text for part in line.split(";") if (text := self._one(part.strip())) is not None]
        return ";".join(said)

    def _one(self, text: str) -> str | None:
        if not text:
            return None
        match = _COMMAND.match(text.upper())
        if match is None:
            return self._wrong('-102,"Syntax error"')
        head, asks, rest = match[1], bool(match[2]), match[3] or ""
        if head.startswith("*") or head in ("SYST:ERR", "SYSTEM:ERROR"):
            return self._common(head, asks)
        found = _CHANNEL.search(rest)
        channel, value = (int(found[1]), rest[: found.start()].strip()) if found else (1, rest.strip())
        if not 1 <= channel <= self.n:
            return self._wrong('-222,"Data out of range"')
        if head == "OUTP":
            return self._output(channel, found is not None, value, asks)
        if head not in _SETTINGS:
            return self._wrong(f'-113,"Undefined header;{head[:40]}"')
        if asks:
            return f"{self.values.get((head, channel), 0.0):.6g}"
        try:
            number = float(value)
        except ValueError:
            return self._wrong('-104,"Data type error"')
        if not abs(number) <= _LIMIT:
            return self._wrong('-222,"Data out of range"')
        self.values[head, channel] = number
        return None

    def _common(self, head: str, asks: bool) -> str | None:
        if head == "*IDN" and asks:
            return "nabench,simulated source,0,1"
        if head == "*OPC" and asks:
            return "1"
        if head == "*RST":
            self.values.clear()
            self.output.clear()
        elif head == "*CLS":
            self.errors.clear()
        elif head.startswith("SYST") and asks:
            return self.errors.pop(0) if self.errors else '0,"No error"'
        else:
            return self._wrong(f'-113,"Undefined header;{head[:40]}"')
        return None

    def _output(self, channel: int, one: bool, value: str, asks: bool) -> str | None:
        if asks:
            return "1" if channel in self.output else "0"
        if value not in ("ON", "OFF", "1", "0"):
            return self._wrong('-104,"Data type error"')
        channels = {channel} if one else set(range(1, self.n + 1))
        self.output = self.output | channels if value in ("ON", "1") else self.output - channels
        return None

    def _wrong(self, error: str) -> str | None:
        """Keep an error until it is asked for; there is no other answer."""
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append(error)
        return None


class Lines:
    """A stream of SCPI lines."""

    def __init__(self, source: Source, note: Callable[[str], None]) -> None:
        self._source, self._note, self._rest = source, note, b""

    def take(self, data: bytes) -> bytes:
        """What is answered to bytes that came."""
        self._rest = (self._rest + data)[-_MOST_REST:]
        *lines, self._rest = self._rest.split(b"\n")
        said = b""
        for line in lines:
            text = line.decode("ascii", errors="replace").strip()
            answer = self._source.answer(text)
            self._note(f"{text} -> {answer}" if answer else text)
            said += answer.encode() + b"\n" if answer else b""
        return said


class Coils:
    """A stream of Modbus TCP requests. Source: MODBUS Application Protocol V1.1b3, 6.1 and 6.5."""

    def __init__(self, coils: list[bool], note: Callable[[str], None]) -> None:
        self._coils, self._note, self._rest = coils, note, b""

    def take(self, data: bytes) -> bytes:
        """What is answered to bytes that came."""
        self._rest, said = (self._rest + data)[-_MOST_REST:], b""
        while len(self._rest) >= 6 and len(self._rest) >= (size := 6 + int.from_bytes(self._rest[4:6], "big")):
            request, self._rest = self._rest[:size], self._rest[size:]
            body = self._answer(request[7:])
            said += request[:4] + (len(body) + 1).to_bytes(2, "big") + request[6:7] + body
        return said

    def _answer(self, body: bytes) -> bytes:
        function, first, what = body[0], int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        if function == 5 and first < len(self._coils) and what in (0, 0xFF00):
            self._coils[first] = what != 0
            self._note(f"coil {first} {'on' if what else 'off'}")
            return body
        if function == 1 and 0 < what <= len(self._coils) - first:
            bits = sum(on << n for n, on in enumerate(self._coils[first : first + what]))
            size = (what + 7) // 8
            return bytes([1, size]) + bits.to_bytes(size, "little")
        return bytes([function | 0x80, 2 if function in (1, 5) else 1])


Talk = Lines | Coils


class Served:
    """Instruments on TCP ports or a serial line, until told to stop. at: tcp:HOST:PORT (0: a free one) or pty.

    Raises BenchError when the place is taken.
    """

    def __init__(self, at: str, relays: bool, note: Callable[[str], None]) -> None:
        self.source, self.coils = Source(), [False] * _N_COILS
        self._note, self._relays = note, relays
        self._look = selectors.DefaultSelector()
        self._files: list[int] = []
        self._door: socket.socket | None = None
        try:
            if at == "pty":
                import tty

                near, far = os.openpty()
                tty.setraw(far)
                self._files = [near, far]
                self._look.register(near, selectors.EVENT_READ, self._talk())
                self.address = f"serial:{os.ttyname(far)}"
            else:
                host, _, port = at.removeprefix("tcp:").rpartition(":")
                self._door = socket.create_server((host, int(port)))
                self._look.register(self._door, selectors.EVENT_READ, None)
                self.address = f"tcp:{host}:{self._door.getsockname()[1]}"
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BenchError(f'an instrument cannot be served at "{at}": {reason}; expected tcp:HOST:PORT or pty') from None

    def _talk(self) -> Talk:
        return Coils(self.coils, self._note) if self._relays else Lines(self.source, self._note)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Answer until told to stop."""
        while not stopped():
            for key, _ in self._look.select(0.1):
                if key.data is None:
                    assert self._door is not None
                    guest, _ = self._door.accept()
                    self._look.register(guest, selectors.EVENT_READ, self._talk())
                elif isinstance(key.fileobj, socket.socket):
                    self._serve(key.fileobj, key.data)
                else:
                    os.write(self._files[0], key.data.take(os.read(self._files[0], 4096)))

    def _serve(self, guest: socket.socket, talk: Talk) -> None:
        with contextlib.suppress(OSError):  # the guest is gone: that is its business
            data = guest.recv(4096)
            if data:
                guest.sendall(talk.take(data))
                return
        self._look.unregister(guest)
        guest.close()

    def close(self) -> None:
        """Close all."""
        for key in list(self._look.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._look.close()
        for file in self._files:
            os.close(file)
