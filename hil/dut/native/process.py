"""The firmware's process, as the bench sees it: started, asked, and found dead.

Whatever a firmware does, a call in here ends: with its reply, or with Fallen, which says what became of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hil.dut.native import child

_LONGEST_LINE = 200
_LOG_TAIL = 16_384
_BLOCK = 65_536
_GENTLE_S = 1.0
_START_S = 20.0  # a loaded machine may take that long to start an interpreter


class Fallen(Exception):
    """The firmware is gone: what happened to it, in words."""


class Refused(Exception):
    """The library could not be started: why, in words."""


class Memory:
    """Non-volatile memory: a file without a name, erased at first, that every power-up of one device maps."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the device
        os.pwrite(self.fileno(), bytes([child.ERASED]) * child.NVM_SIZE, 0)

    def fileno(self) -> int:
        """Open file of the memory."""
        return self._file.fileno()

    def read(self) -> bytes:
        """All of it."""
        return os.pread(self.fileno(), child.NVM_SIZE, 0)

    def close(self) -> None:
        """Let it go."""
        self._file.close()


class Process:
    """One power-up of a firmware. step_s: how long a call may take, on the wall.

    Raises Refused when the library cannot be used, Fallen when it dies while it starts.
    """

    def __init__(self, path: Path, memory: Memory, tick_ns: int, n_buses: int, t_ns: int, step_s: float) -> None:
        self._step_s = step_s
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        requests, self._out = os.pipe()
        self._in, replies = os.pipe()
        numbers = (requests, replies, memory.fileno(), tick_ns, n_buses, t_ns)
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", child.__file__, str(path), *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(requests, replies, memory.fileno()),
                start_new_session=True,  # Ctrl-C is for the bench, which then ends the firmware
            )
        finally:
            os.close(requests)
            os.close(replies)
        try:
            status, text = self._reply("nab_init", max(_START_S, step_s))
        except Fallen:
            self.close()
            raise
        if status == child.REFUSED:
            self.close()
            raise Refused(text.decode(errors="replace"))

    def step(self, t_ns: int, frames: list[bytes]) -> tuple[int, list[bytes]]:
        """Push frames, step to t_ns, pop. Returns how many frames found no room, and the frames sent. Raises Fallen."""
        self._ask(child.STEP, len(frames), t_ns, b"".join(frames))
        status, data = self._reply(f"the tick to {t_ns / 1e9:.3f} s", self._step_s)
        size = child.FRAME.size
        sent = [data[at : at + size] for at in range(0, len(data), size)]
        if len(sent) > child.POP_MAX:
            raise Fallen(f"it sent more than {child.POP_MAX} frames in a tick")
        return status >> 8, sent

    def tear(self, which: int) -> bool:
        """Have it save its memory and cut the write number `which`, counted around, in two. False when it wrote nothing."""
        self._ask(child.TEAR, 0, which, b"")
        return bool(self._reply("nab_save", self._step_s)[1])

    def _ask(self, operation: int, count: int, t_ns: int, data: bytes) -> None:
        left = child.REQUEST.pack(operation, count, t_ns) + data
        try:
            while left:
                left = left[os.write(self._out, left) :]
        except BrokenPipeError:
            raise Fallen(self._obituary("between two ticks")) from None

    def _reply(self, during: str, limit_s: float) -> tuple[int, bytes]:
        """Status and contents of a reply, which comes in one piece where it can."""
        until_s, data, size, status = time.monotonic() + limit_s, b"", child.REPLY.size, -1
        while len(data) < size or status < 0:
            if not select.select([self._in], [], [], max(until_s - time.monotonic(), 0.0))[0]:
                self._popen.kill()
                self._popen.wait()
                raise Fallen(f"it hung: {during} did not end within {limit_s:g} s{self._last_words()}")
            part = os.read(self._in, _BLOCK)
            if not part:
                raise Fallen(self._obituary(f"in {during}"))
            data += part
            if status < 0 and len(data) >= size:
                status, count = child.REPLY.unpack_from(data)
                size += count if status in (child.DONE, child.REFUSED) else count * child.FRAME.size
        return status, data[child.REPLY.size :]

    def _obituary(self, when: str) -> str:
        """How a process ended that is ending."""
        try:
            code = self._popen.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            code = self._popen.wait()
            return f"it closed its link to the bench {when}{self._last_words()}"
        if code >= 0:
            return f"it ended itself with exit code {code} {when}{self._last_words()}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"it died of {name} ({signal.strsignal(-code)}) {when}{self._last_words()}"

    def _last_words(self) -> str:
        """The last line that it printed, or the last that tells of an error, as assertions and sanitizers do."""
        size = os.fstat(self._log.fileno()).st_size
        tail = os.pread(self._log.fileno(), _LOG_TAIL, max(size - _LOG_TAIL, 0)).decode(errors="replace")
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        told = [line for line in lines if "error" in line.lower() or "assert" in line.lower()]
        return f', after "{(told or lines)[-1][:_LONGEST_LINE]}"' if lines else ""

    def close(self, *, gently: bool = False) -> None:
        """Take the supply away. gently: at the end of a run, so that what instruments a firmware (gcov) writes its results."""
        os.close(self._out)
        if gently:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout=_GENTLE_S)
        self._popen.kill()
        self._popen.wait()
        os.close(self._in)
        self._log.close()
