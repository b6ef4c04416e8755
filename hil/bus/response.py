"""Worst-case response times of the messages of a bus: what the schedule can do to a frame, before anything runs.

The analysis of R. I. Davis, A. Burns, R. J. Bril, J. J. Lukkien, "Controller Area Network (CAN) schedulability analysis:
refuted, revisited and revised", Real-Time Systems 35 (2007), 239-272: all instances of a message in its busy period are
looked at, because the first need not be the worst (the older analysis of 1994 looked at that alone).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

MOST_STEPS = 50_000


@dataclass(frozen=True)
class Message:
    """A stream of frames. All in ns, integers.

    period_ns: shortest time between two releases.  frame_ns: longest time on the bus, with the intermission.
    jitter_ns: how long a release may lag behind its time.
    """

    name: str
    period_ns: int
    frame_ns: int
    jitter_ns: int = 0


def response_ns(messages: list[Message], m: int, bit_ns: int) -> float:
    """Longest time from the release of message m to the end of its intermission.

    messages: in order of arbitration, the first wins.  inf where the bus is overloaded, or so nearly that no bound is found
    in MOST_STEPS steps.
    """
    own, urgent = messages[m], messages[:m]
    blocking = max((row.frame_ns for row in messages[m + 1 :]), default=0)
    if sum(row.frame_ns / row.period_ns for row in messages[: m + 1]) >= 1.0:
        return inf
    busy, before, steps = own.frame_ns, -1, 0
    while busy != before:
        steps += m + 1
        if steps > MOST_STEPS:
            return inf
        before = busy
        busy = blocking + sum(_ceil(before + row.jitter_ns, row.period_ns) * row.frame_ns for row in messages[: m + 1])
    longest = 0
    for q in range(_ceil(busy + own.jitter_ns, own.period_ns)):
        wait, before = blocking + q * own.frame_ns, -1
        while wait != before:
            steps += m + 1
            if steps > MOST_STEPS:
                return inf
            before = wait
            wait = (
                blocking
                + q * own.frame_ns
                + sum(_ceil(before + row.jitter_ns + bit_ns, row.period_ns) * row.frame_ns for row in urgent)
            )
        longest = max(longest, own.jitter_ns + wait - q * own.period_ns + own.frame_ns)
    return longest


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
