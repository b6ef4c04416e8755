"""A person as an instrument: asked when a fault should begin and when it should end, while the run goes on.

The loop never waits for the answer. It is Enter on standard input within the time of the question; the fault counts as
made only with it, and is known to have begun some time between question and answer.
"""

from __future__ import annotations

import math
import select
import sys
import termios
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TextIO

from hil.benchfile import Question


@dataclass
class Turn:
    """A question that will be put. at_ns: on the bench's clock.  answered_ns: None until somebody did."""

    at_ns: int
    label: str
    text: str
    timeout_s: float
    asked_ns: int | None = None
    answered_ns: int | None = None


@dataclass
class Person:
    """Somebody at the terminal. turns: in order of time.  answers, speaks: the terminal's two ways."""

    turns: list[Turn]
    answers: TextIO = field(default_factory=lambda: sys.stdin)
    speaks: TextIO = field(default_factory=lambda: sys.stderr)
    _next: int = 0
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def tick(self, t_ns: int) -> None:
        """Put the questions that are due, each in a thread of its own, one after the other."""
        while self._next < len(self.turns) and self.turns[self._next].at_ns <= t_ns:
            turn = self.turns[self._next]
            self._next += 1
            turn.asked_ns = t_ns
            threading.Thread(target=self._ask, args=(turn, time.monotonic_ns() - t_ns), daemon=True).start()

    def _ask(self, turn: Turn, base_ns: int) -> None:
        with self._busy:
            end_s = time.monotonic() + turn.timeout_s
            with suppress(termios.error, OSError, ValueError):  # what was typed before the question is no answer to it
                termios.tcflush(self.answers, termios.TCIFLUSH)
            self.speaks.write(f"\a\n>>> {turn.text}, then press Enter ({turn.timeout_s:g} s)\n")
            self.speaks.flush()
            ready, _, _ = select.select([self.answers], [], [], max(end_s - time.monotonic(), 0.0))
            if ready and self.answers.readline():
                turn.answered_ns = time.monotonic_ns() - base_ns

    def unsure(self) -> dict[str, list[tuple[float, float]]]:
        """From each question to its answer nobody knows whether its fault is there: times [s], without end if none came."""
        found: dict[str, list[tuple[float, float]]] = {}
        for turn in self.turns:
            answered_s = math.inf if turn.answered_ns is None else turn.answered_ns / 1e9
            found.setdefault(turn.label, []).append((turn.at_ns / 1e9, answered_s))
        return found

    def unanswered(self) -> dict[str, str]:
        """Faults whose beginning nobody confirmed, with the reason."""
        first = {turn.label: turn for turn in reversed(self.turns)}
        return {
            label: f"nobody answered within {turn.timeout_s:g} s that it was made"
            for label, turn in first.items()
            if turn.answered_ns is None
        }


def question_of(rows: list[Question], quantity: str) -> Question:
    """What is asked for a quantity; the bench file was checked to say it."""
    return next(row for row in rows if row.quantity == quantity)
