"""The E2E receiver as the specification words it, in plain Python: counters, deltas, windows, states."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Receiver:
    """One stream. top: largest counter value that is ever sent.  max_delta, window, min_ok, max_errors: its settings."""

    top: int
    max_delta: int
    window: int
    min_ok: int
    max_errors: int
    state: str = "NODATA"
    last: int = -1
    recent: deque[str] = field(default_factory=deque)

    def check(self, counter: int, crc_right: bool) -> str:
        """What this frame is, by itself."""
        if not crc_right:
            return "ERROR"
        if counter > self.top:
            return "WRONG_SEQUENCE"
        step = (counter - self.last) % (self.top + 1)
        self.last = counter
        if self.state == "NODATA":
            return "INITIAL"
        if step == 0:
            return "REPEATED"
        return "OK" if step <= self.max_delta else "WRONG_SEQUENCE"

    def take(self, counter: int, crc_right: bool) -> tuple[str, str, bool]:
        """(result, state after it, whether its data may be used)."""
        result = self.check(counter, crc_right)
        good = result in ("OK", "INITIAL")
        if self.state == "NODATA" and not good:
            return result, self.state, False
        self.recent.append(result)
        while len(self.recent) > self.window:
            self.recent.popleft()
        n_good = sum(r in ("OK", "INITIAL") for r in self.recent)
        n_bad = len(self.recent) - n_good
        if n_good >= self.min_ok and n_bad <= self.max_errors:
            self.state = "VALID"
        elif self.state == "VALID":
            self.state = "INVALID"
        elif self.state == "NODATA":
            self.state = "INIT"
        return result, self.state, good and self.state == "VALID"
