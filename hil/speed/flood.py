"""A full bus, from a process of its own.

    python -m hil.speed.flood slcan|udp_multicast|sink WHERE RATE SECONDS [HEX_ID ...]

It says where it is in its first line (for slcan and sink: a serial port), starts when it gets a line, and says in its
last how many frames it sent, or how many bytes it swallowed. Frames have 8 bytes, their number in the first four.
"""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FULL_PER_S = 4_504  # frames of 8 bytes in the worst case of stuffing, 111 us each at 500 kbit/s
_STEP_S = 0.002


@contextmanager
def flowing(kind: str, where: str, rate_per_s: float, seconds: float, ids: list[int]) -> Iterator[Flow]:
    """A flood that waits for its start."""
    words = [kind, where or "-", str(rate_per_s), str(seconds), *(f"{can_id:X}" for can_id in ids)]
    command = [sys.executable, "-m", "hil.speed.flood", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Flow(child)
        finally:
            child.kill()


class Flow:
    """A flood in its process. where: the port or bus."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        assert child.stdin is not None
        self._in, self._out = child.stdin, child.stdout
        self.where = self._out.readline().strip()

    def start(self) -> None:
        """Let it flow."""
        self._in.write("go\n")
        self._in.flush()

    def count(self) -> int:
        """How much it was; waits for the end."""
        return int(self._out.readline() or -1)


def _send(push: Callable[[int, bytes], object], rate_per_s: float, seconds: float, ids: list[int]) -> int:
    """Send at a rate, in steps of 2 ms; returns how many frames."""
    start_s, sent, turn = time.monotonic(), 0, itertools.cycle(ids)
    while (now_s := time.monotonic() - start_s) < seconds:
        for _ in range(int(now_s * rate_per_s) - sent):
            push(next(turn), sent.to_bytes(4, "little") + bytes(4))
            sent += 1
        time.sleep(_STEP_S)
    return sent


def _main(kind: str, where: str, rate_per_s: float, seconds: float, ids: list[int]) -> int:
    if kind == "udp_multicast":
        from hil.link.can_bus import CanBus
        from hil.link.spec import parse

        bus = CanBus(parse(where), 500_000, False, device=True)
        print(where, flush=True)
        sys.stdin.readline()
        sent = _send(lambda can_id, data: bus.send(can_id, 0, data), rate_per_s, seconds, ids)
        bus.close()
        return sent
    import tty

    from hil.link.slcan_lines import encode

    master, slave = os.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    sys.stdin.readline()
    if kind == "sink":
        swallowed, end_s = 0, time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if select.select([master], [], [], left_s)[0]:
                swallowed += len(os.read(master, 65_536))
        return swallowed
    os.set_blocking(master, False)
    rest = bytearray()

    def push(can_id: int, data: bytes) -> None:
        """As a wire: it does not wait for its reader, who here has a megabyte of patience."""
        rest.extend(encode(can_id, 0, data))
        while rest:
            try:
                del rest[: os.write(master, rest)]
            except BlockingIOError:
                if len(rest) > 1 << 20:
                    raise
                return

    sent = _send(push, rate_per_s, seconds, ids)
    end_s = time.monotonic() + 1.0
    while rest and time.monotonic() < end_s:
        push_rest(master, rest)
    time.sleep(0.5)
    return sent


def push_rest(master: int, rest: bytearray) -> None:
    """Give what is left to a reader that was slow."""
    if select.select([], [master], [], 0.1)[1]:
        del rest[: os.write(master, rest)]


if __name__ == "__main__":
    print(
        _main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), [int(x, 16) for x in sys.argv[5:]]), flush=True
    )
    sys.stdin.readline()
