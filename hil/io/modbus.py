"""Relay cards that speak Modbus TCP: one coil a channel, write single coil (function 5), answered by its echo.

Source: MODBUS Application Protocol Specification V1.1b3, 6.5; MODBUS Messaging on TCP/IP V1.0b, 3.1.3.
"""

from __future__ import annotations

from hil.benchfile import Instrument
from hil.errors import LinkLostError, ScenarioError
from hil.link.line import Line

_TURN_S = 1.0
_WRITE_COIL = 5
_HEAD = 7
_UNIT = 1


def request(coil: int, on: bool, number: int = 1) -> bytes:
    """A whole request: transaction number, protocol 0, length 6, unit, function, coil, FF00 or 0000."""
    body = bytes([_UNIT, _WRITE_COIL]) + coil.to_bytes(2, "big") + (b"\xff\x00" if on else b"\x00\x00")
    return number.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


def coil_of(command: str) -> tuple[int, bool]:
    """What a command means: "3 on" or "3 1.0" is coil 3, switched on. Raises ScenarioError."""
    number, _, state = command.strip().removeprefix("coil ").partition(" ")
    words = {"on": True, "off": False}
    try:
        coil, on = int(number), words[state] if state in words else float(state) >= 0.5
    except ValueError:
        raise ScenarioError(f'modbus command "{command}": expected "COIL on", "COIL off" or "COIL {{value}}"') from None
    if not 0 <= coil < 0x10000:
        raise ScenarioError(f'modbus command "{command}": there is no coil {coil}; expected 0 to 65535')
    return coil, on


class Modbus:
    """One relay card. Nothing is opened before begin."""

    def __init__(self, file: Instrument) -> None:
        self.name, self.address = file.name, file.address
        self._safe = [coil_of(command) for command in file.safe]
        self._begin = file.begin
        self.safe_words = tuple(f"hex:{request(*pair).hex()}" for pair in self._safe)
        self._line: Line | None = None
        self._number = 0

    def begin(self) -> str:
        """Connect and prepare."""
        self._line = Line(self.address, f'instrument "{self.name}"')
        self.set(self._begin)
        return "Modbus TCP"

    def set(self, commands: list[str]) -> None:
        """Coils, one after the other."""
        for command in commands:
            self._write(*coil_of(command))

    def _write(self, coil: int, on: bool) -> None:
        assert self._line is not None
        self._number = (self._number + 1) & 0xFFFF
        sent = request(coil, on, self._number)
        self._line.write_bytes(sent)
        head = self._line.read_bytes(_HEAD + 1, _TURN_S)
        if head[_HEAD] & 0x80:
            code = self._line.read_bytes(1, _TURN_S)[0]
            raise LinkLostError(f'instrument "{self.name}" refused coil {coil}: Modbus exception {code}')
        found = head + self._line.read_bytes(len(sent) - len(head), _TURN_S)
        if found != sent:
            raise LinkLostError(f'instrument "{self.name}": coil {coil}: expected the echo {sent.hex()}, found {found.hex()}')

    def safe(self) -> None:
        """The safe coils."""
        for pair in self._safe if self._line is not None else ():
            self._write(*pair)

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None
