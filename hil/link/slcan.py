"""A CAN bus behind a serial line that speaks slcan, from either end: as the bench with an adapter, or as the adapter.

The bench closes the channel, sets the bit rate, opens it, and takes a refusal for an answer; silence is none, as many
adapters do not answer. The adapter end answers V, N, F, C, S, O, L and the rest, sends only while its channel is open
(it is until the first C), and heeds only frames while it is not in listen-only.

Why not python-can's reader: it takes a byte per system call, 60 % of a core at a full bus of 500 kbit/s. Here all that
is there is read at once and split at its ends of line; noise costs the lines it hits (Counts.garbled).
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from firmware_sim.wire.layout import EXTENDED
from hil.link import slcan_errors
from hil.link import slcan_lines as lines
from hil.link.frame import Aside, Frame, GoneError
from hil.link.framing import SEND_NS, Framing
from hil.link.port import Port
from hil.record.frame import ERROR, REMOTE, SWITCHED

OPTIONS = frozenset({"bitrate", "data_bitrate", "fd", "tty_baudrate", "listen_only", "rtscts", "sleep_after_open"})
_ANSWER_NS = 50_000_000
_LONGEST = 1024  # bytes without an end of line: this is no slcan
_VERSION, _SERIAL, _STATUS = b"V1013\r", b"NNAB1\r", b"F00\r"
_OBEYED = b"SsYXZWMmQUE"


class Slcan(Framing):
    """An slcan bus.

    channel: see hil.link.port.  options: those of OPTIONS.  device: be the adapter. Raises OSError, ValueError.
    """

    def __init__(self, channel: str, options: dict[str, Any], device: bool = False) -> None:
        self.is_open = True
        self._device, self._listens = device, False
        start = [] if device else _opening(options)
        super().__init__(Port(channel, int(options.get("tty_baudrate", 115_200)), bool(options.get("rtscts"))))
        self._tail, self._state = b"", "a"
        try:
            time.sleep(float(options.get("sleep_after_open", 0.0)))
            self._start(start)
        except BaseException:
            self._port.close()
            raise

    def _start(self, commands: list[bytes]) -> None:
        """Set up the adapter; a channel that was closed already may refuse to be closed."""
        for command in commands:
            refused = self.counts.refused
            self._port.write(lines.END * (command == b"C") + command + lines.END, SEND_NS)
            end_ns = time.monotonic_ns() + _ANSWER_NS
            answered = False
            while not answered and (left_ns := end_ns - time.monotonic_ns()) > 0:
                block = self._port.read(left_ns)
                answered = block.endswith((lines.END, lines.REFUSED))
                self._take(block, time.monotonic_ns())
            if command != b"C" and self.counts.refused > refused:
                raise ValueError(f"the adapter refused the command {command.decode()}")
            self.counts.refused = 0
        self.counts.garbled = 0  # the rest of a line that was under way

    def send(self, can_id: int, flags: int, data: bytes) -> bool:
        """Send a frame; False when the line has no room for it now. Raises GoneError."""
        if self._device and not self.is_open:
            return True  # nobody is on this bus
        if self._port.write(lines.encode(can_id, flags, data), SEND_NS):
            return True
        self.counts.refused += 1
        return False

    def _take(self, block: bytes, now: int) -> None:
        """Split what came into lines, and lines into frames."""
        if lines.REFUSED in block:
            self.counts.refused += block.count(lines.REFUSED)
            block = block.replace(lines.REFUSED, lines.END)
        *whole, self._tail = (self._tail + block).split(lines.END)
        if len(self._tail) > _LONGEST:
            self.counts.garbled += 1
            self._tail = b""
        blur_ns = now - self._empty_ns
        for line in whole:
            found = lines.parse(line)
            if found is None:
                self._other(line, now)
            elif found.flags & lines.REMOTE:
                self.counts.remote += 1
                self._ready.append(Aside(now, found.can_id, found.flags & EXTENDED | REMOTE, found.length, b""))
            elif not self._device or (self.is_open and not self._listens):
                self._ready.append(Frame(now, found.can_id, found.flags, found.data, blur_ns, SWITCHED * found.switched))

    def _other(self, line: bytes, now: int) -> None:
        """A line that is no frame: an error, an answer, a command, or noise."""
        if not self._device:
            if error := slcan_errors.parse(line):
                self._note(error, now)
            elif line not in (b"", b"z", b"Z") and line[:1] not in b"VvNF":
                self.counts.garbled += 1
            return
        if line:
            with contextlib.suppress(GoneError):  # the next read or write says so
                self._port.write(self._answer(line), SEND_NS)

    def _note(self, error: slcan_errors.Error, now: int) -> None:
        """An error of the bus; a state that was told already is none. A controller that left the bus is gone."""
        if error.state and error.state == self._state:
            return
        self._state = error.state or self._state
        self.counts.errors += 1
        self._ready.append(Aside(now, error.can_id, ERROR, len(error.data), error.data))
        if error.can_id & slcan_errors.BUS_OFF:
            self._gone = "the controller went bus-off"

    def _answer(self, line: bytes) -> bytes:
        """What an adapter says to a command."""
        if line in (b"O", b"L", b"C"):
            fits = self.is_open if line == b"C" else True
            self.is_open, self._listens = line != b"C", line == b"L"
            return lines.END if fits else lines.REFUSED
        known = {b"V": _VERSION, b"v": _VERSION, b"N": _SERIAL, b"F": _STATUS}.get(line)
        if known is not None:
            return known
        if line[:1] in _OBEYED and len(line) <= 17 and line.isascii():
            return lines.END
        self.counts.garbled += 1
        return lines.REFUSED

    def close(self) -> None:
        """Close channel and port."""
        if not self._device:
            with contextlib.suppress(GoneError):
                self._port.write(b"C" + lines.END, SEND_NS)
        with contextlib.suppress(OSError):
            self._port.close()


def _opening(options: dict[str, Any]) -> list[bytes]:
    """The commands that set up an adapter. Raises ValueError for a rate that slcan has no command for."""
    commands = [b"C"]
    for key, rates, needed in (("bitrate", lines.RATES, True), ("data_bitrate", lines.DATA_RATES, False)):
        rate = options.get(key)
        if rate is None or (rate not in rates and not needed):
            continue
        if rate not in rates:
            raise ValueError(f"slcan has no bit rate {rate}; it has {', '.join(map(str, rates))}")
        commands.append(rates[rate])
    return [*commands, b"L" if options.get("listen_only") else b"O"]
