"""Two serial ports that are wired to each other, for two processes that talk over a serial line without hardware.

A thread carries bytes both ways. A side that nobody reads loses what does not fit, as a wire would. The thread cannot die
unseen: what ended it is kept, and `check` raises it. Both ports stay open here, so a process may come and go.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from pathlib import Path

from hil.clock import sharp
from hil.errors import BenchError

_BLOCK = 4096


class PtyPair:
    """A pair of ports, `near` and `far`.

    links: symbolic links to make for them, None for none; one that points nowhere any more is replaced.
    lost: bytes that found no reader.  Raises BenchError where there are no pseudo-terminals or a link cannot be made.
    """

    def __init__(self, near: Path | None = None, far: Path | None = None) -> None:
        try:
            import tty

            pairs = [os.openpty() for _ in range(2)]
        except (ImportError, AttributeError, OSError) as error:
            raise BenchError(f"this system gives no pair of serial ports: {error}") from None
        self._masters = [master for master, _ in pairs]
        self._slaves = [slave for _, slave in pairs]
        self.lost = 0
        self._error: BaseException | None = None
        self._links: list[Path] = []
        for master, slave in pairs:
            tty.setraw(slave)
            os.set_blocking(master, False)
        self._wake_read, self._wake_write = os.pipe()
        self.near, self.far = (self._named(slave, link) for slave, link in zip(self._slaves, (near, far), strict=True))
        self._thread = threading.Thread(target=self._pump, name="pty pump", daemon=True)
        self._thread.start()

    def _named(self, slave: int, link: Path | None) -> Path:
        """Path of a port: its link, or its own name."""
        port = Path(os.ttyname(slave))
        if link is None:
            return port
        try:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(port)
        except OSError as error:
            self._close_files()
            raise BenchError(f"{link}: the link to a serial port cannot be made: {error.strerror}") from None
        self._links.append(link)
        return link

    def _pump(self) -> None:
        other = dict(zip(self._masters, reversed(self._masters), strict=True))
        with sharp():
            self._carry_on(other)

    def _carry_on(self, other: dict[int, int]) -> None:
        try:
            while True:
                ready, _, _ = select.select([*self._masters, self._wake_read], [], [])
                if self._wake_read in ready:
                    return
                for master in ready:
                    self._carry(os.read(master, _BLOCK), other[master])
        except BaseException as error:  # noqa: BLE001 - kept for check(): a thread must not die unseen
            self._error = error

    def _carry(self, data: bytes, to: int) -> None:
        while data:
            try:
                data = data[os.write(to, data) :]
            except BlockingIOError:
                self.lost += len(data)
                return

    def check(self) -> None:
        """Raise BenchError when the thread that carries the bytes has ended."""
        if self._error is not None:
            raise BenchError(f"the serial pair {self.near} - {self.far} broke: {self._error}")

    def close(self) -> None:
        """Stop the thread, remove the links, close the ports."""
        os.write(self._wake_write, b"x")
        self._thread.join(timeout=5.0)
        for link in self._links:
            with contextlib.suppress(OSError):
                link.unlink()
        self._close_files()

    def _close_files(self) -> None:
        for file in (*self._masters, *self._slaves, self._wake_read, self._wake_write):
            with contextlib.suppress(OSError):
                os.close(file)
