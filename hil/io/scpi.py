"""Instruments that speak SCPI over TCP or a serial line: a line a command, *OPC? says when all are done."""

from __future__ import annotations

from hil.benchfile import Instrument
from hil.errors import LinkLostError
from hil.link.line import Line

_TURN_S = 1.0


class Scpi:
    """One instrument. Nothing is opened before begin."""

    def __init__(self, file: Instrument) -> None:
        self.name, self.address = file.name, file.address
        self.safe_words = tuple(file.safe)
        self._begin = file.begin
        self._line: Line | None = None

    def begin(self) -> str:
        """Connect, ask who it is, clear its errors, prepare it."""
        self._line = Line(self.address, f'instrument "{self.name}"')
        who = self._ask("*IDN?")
        self._line.write("*CLS")
        self.set(self._begin)
        return who

    def _ask(self, query: str) -> str:
        assert self._line is not None
        self._line.write(query)
        return self._line.read(_TURN_S)

    def set(self, commands: list[str]) -> None:
        """Commands, then the instrument's own word that they are done and that none was wrong."""
        assert self._line is not None
        for command in commands:
            self._line.write(command)
        if (done := self._ask("*OPC?")) != "1":
            raise LinkLostError(f'instrument "{self.name}": expected "1" to *OPC?, found "{done}"')
        error = self._ask("SYST:ERR?")
        if not error.lstrip("+").startswith("0"):
            raise LinkLostError(f'instrument "{self.name}" refused {"; ".join(commands)}: {error}')

    def safe(self) -> None:
        """The safe commands, done."""
        if self._line is not None:
            self.set(list(self.safe_words))

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None
