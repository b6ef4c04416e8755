"""The processes of a group, as Linux shows them; elsewhere none.

Asked every few ticks of a run in wall time, so it does not read all of /proc each time: a process that belongs to another
group stays there, and what a firmware starts is born into its group.
"""

from __future__ import annotations

import os
from pathlib import Path

_STOPPED = ("T", "t")


class Group:
    """A process group by its number."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._strangers: set[str] = set()

    def is_stopped(self) -> bool:
        """True while a process of it is stopped, by a signal or a debugger, and does not run."""
        try:
            with os.scandir("/proc") as entries:
                there = {entry.name for entry in entries if entry.name.isdecimal()}
        except OSError:
            return False
        self._strangers &= there
        stopped = False
        for pid in there - self._strangers:
            state, group = _stat(pid)
            if group == self._number:
                stopped = stopped or state in _STOPPED
            elif group >= 0:
                self._strangers.add(pid)
        return stopped


def _stat(pid: str) -> tuple[str, int]:
    """State and group of a process; group -1 when it is gone or cannot be read."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        state, _parent, group = text.rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return "", -1
    return state, int(group)
