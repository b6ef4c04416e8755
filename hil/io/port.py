"""What an instrument is to the bench."""

from __future__ import annotations

from typing import Protocol


class Port(Protocol):
    """An instrument at work. Every call may raise LinkLostError, a sentence.

    safe_words: what makes it safe, as a guardian writes it to a connection of its own (see hil.link.guardian.tell).
    """

    name: str
    address: str
    safe_words: tuple[str, ...]

    def begin(self) -> str:
        """Connect and prepare; what it says it is."""

    def set(self, commands: list[str]) -> None:
        """Carry out commands, and wait until the instrument says that it has."""

    def safe(self) -> None:
        """Give the safe commands."""

    def close(self) -> None:
        """Let it go; it stays as it is."""
