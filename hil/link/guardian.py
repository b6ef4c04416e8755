"""Who makes the device safe when the bench itself no longer can.

Theory of operation. While a run is under way the bench's loop beats (`beat`), once a tick and at least every 50 ms. A
guardian counts the time without a beat; after SILENCE_NS (CALM_NS before the run), or when the bench is gone, it sends the
safe frames of its plan (request for standby, then supply off), gives the instruments their safe commands, ends the firmware
process of the bench if there is one, and ends. What it did it says once.

Where the interface can be opened a second time (SECOND_HANDLE) the guardian is a process of its own with handles of its
own: it acts also when the bench is killed (its end of the pipe closes), stopped, or busy in code that never returns. It
leads a session of its own, so a Ctrl-C in the terminal does not reach it. Elsewhere it is a thread of the bench that uses
the bench's own handles: it acts when the loop is blocked, but not when the process is killed or stopped, nor when foreign
code holds the interpreter.

This file runs as the guardian too (python -m hil.link.guardian), so it imports nothing heavy at its top.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SILENCE_NS = 200_000_000
CALM_NS = 2_000_000_000  # as long as nothing but standby is asked for: before the run, and when the device is made safe
BEAT_NS = 50_000_000  # the loop beats at least so often
_LOOK_NS = 20_000_000
_STEP_S = 0.01
_UP_S = 20.0
_TURN_S = 0.5  # how long one instrument may take, so that it does not hold up the others
_GRACE_S = 1.0
SECOND_HANDLE = ("udp_multicast", "socketcan", "slcan")
_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


@dataclass(frozen=True)
class SafeFrame:
    """A frame that leads to safety. payloads: its successive forms, each with the next counter, used in turn."""

    bus: int
    can_id: int
    extended: bool
    fd: bool
    payloads: tuple[str, ...]


@dataclass(frozen=True)
class Handle:
    """How a bus is opened a second time, as python-can names it."""

    interface: str
    channel: str | None
    options: dict[str, Any]
    from_config: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do in need: the frames to send again and again for a tenth of a second, then those that end it.

    instruments: (address, commands) that make each safe.  group: process group of a firmware that the bench started.
    """

    standby: tuple[SafeFrame, ...] = ()
    off: tuple[SafeFrame, ...] = ()
    handles: tuple[Handle, ...] = ()
    instruments: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rounds: int = 10
    group: int = 0

    @property
    def can_be_apart(self) -> bool:
        """True when every bus can be opened a second time."""
        return sys.platform != "win32" and all(
            handle.interface in SECOND_HANDLE and _reachable(handle) for handle in self.handles
        )


def _reachable(handle: Handle) -> bool:
    """A serial line is opened again by its path; one behind a socket takes one client."""
    return handle.interface != "slcan" or Path(str(handle.channel).partition("@")[0]).exists()


class Guard:
    """What the loop holds of its guardian."""

    kind = "none"

    def beat(self) -> None:
        """The loop is well."""

    def watch(self) -> None:
        """The run begins: from now on SILENCE_NS counts, until then CALM_NS."""

    def mind(self, group: int) -> None:
        """A process group to end in need; 0 for none."""

    def fired(self) -> str:
        """Why the guardian acted; empty while it did not."""
        return ""

    def dismiss(self) -> None:
        """The device is safe; the guardian may go."""


Send = Callable[[int, int, bool, bool, bytes], None]


def carry_out(plan: Plan, send: Send) -> None:
    """Do what a plan says. What fails does not keep the rest from being done."""
    for n in range(plan.rounds):
        for frame in plan.standby:
            _send(send, frame, n)
        time.sleep(_STEP_S)
    for n in range(3):
        for frame in plan.off:
            _send(send, frame, n)
        time.sleep(_STEP_S)
    for address, commands in plan.instruments:
        with contextlib.suppress(OSError):
            tell(address, commands)


def _send(send: Send, frame: SafeFrame, n: int) -> None:
    data = bytes.fromhex(frame.payloads[n % len(frame.payloads)])
    with contextlib.suppress(Exception):  # a driver whose device is gone may raise anything; the other buses still count
        send(frame.bus, frame.can_id, frame.extended, frame.fd, data)


def tell(address: str, commands: Sequence[str]) -> None:
    """Write raw lines to an instrument: tcp:HOST:PORT or serial:PATH; hex:... are bytes as they are. Raises OSError."""
    kind, _, rest = address.partition(":")
    data = b"".join(bytes.fromhex(c[4:]) if c.startswith("hex:") else c.encode() + b"\n" for c in commands)
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=_TURN_S) as line:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(_TURN_S)
            with contextlib.suppress(OSError):
                while line.recv(4096):  # its answers, until it has read all and closes
                    pass
        return
    file = os.open(rest.partition("@")[0], os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        os.write(file, data)
    finally:
        os.close(file)


# ---- apart: a process of its own


class Apart(Guard):
    """A guardian in a process of its own. Raises OSError when it does not come up."""

    kind = "process"

    def __init__(self, plan: Plan) -> None:
        command = [sys.executable, "-m", "hil.link.guardian"]
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
        self._child.stdin.flush()
        self._pipe = self._child.stdin.fileno()
        self._said = ""

    def wait_up(self) -> None:
        """Wait until it stands by. Raises OSError."""
        assert self._child.stdout is not None
        ready, _, _ = select.select([self._child.stdout], [], [], _UP_S)
        if not ready or self._child.stdout.readline() != b"standing by\n":
            self._child.kill()
            self._child.wait()
            raise OSError("the guardian of the bench did not come up")
        os.set_blocking(self._pipe, False)

    def beat(self) -> None:
        """The loop is well. Beats that find no room are beats too: the guardian reads all at once."""
        self._write(b".")

    def watch(self) -> None:
        """The run begins."""
        self._write(b"r")

    def mind(self, group: int) -> None:
        """A process group to end in need."""
        self._write(f"g{group}\n".encode())

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # its end is looked at by fired()
            os.write(self._pipe, data)

    def fired(self) -> str:
        """Why it acted, or that it is gone; empty while it stands by."""
        if not self._said and self._child.poll() is not None:
            assert self._child.stdout is not None
            self._said = self._child.stdout.read().decode(errors="replace").strip() or "the guardian of the bench ended"
        return self._said

    def dismiss(self) -> None:
        """Let it go."""
        if self._child.poll() is None:
            self._write(b"q")
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(OSError):
            self._child.stdin.close()
        try:
            self._child.wait(timeout=_UP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()


# ---- within: a thread of the bench


@dataclass
class Within(Guard):
    """A guardian in a thread of the bench, with the bench's own handles."""

    plan: Plan
    send: Send
    _beat_ns: int = field(default_factory=time.monotonic_ns)
    _said: str = ""
    _gone: threading.Event = field(default_factory=threading.Event)
    _group: int = 0
    _most_ns: int = CALM_NS

    kind = "thread"

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._stand_by, name="guardian", daemon=True)
        self._thread.start()

    def _stand_by(self) -> None:
        while not self._gone.wait(_LOOK_NS * 1e-9):
            if time.monotonic_ns() - self._beat_ns > self._most_ns:
                self._said = _silent(self._most_ns)
                carry_out(self.plan, self.send)
                end_group(self._group)
                return

    def beat(self) -> None:
        """The loop is well."""
        self._beat_ns = time.monotonic_ns()

    def watch(self) -> None:
        """The run begins."""
        self._beat_ns, self._most_ns = time.monotonic_ns(), SILENCE_NS

    def mind(self, group: int) -> None:
        """A process group to end in need."""
        self._group = group

    def fired(self) -> str:
        """Why it acted."""
        return self._said

    def dismiss(self) -> None:
        """Let it go."""
        self._gone.set()
        self._thread.join(timeout=_UP_S)


def _silent(most_ns: int) -> str:
    return f"no heartbeat of the bench's loop for {most_ns // 1_000_000} ms"


def end_group(group: int) -> None:
    """End a firmware process that the bench started, with what it started itself."""
    if group <= 0 or sys.platform == "win32":
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        os.killpg(group, signal.SIGCONT)
        end_s = time.monotonic() + _GRACE_S
        while time.monotonic() < end_s:
            os.killpg(group, 0)
            time.sleep(_STEP_S)
        os.killpg(group, signal.SIGKILL)


# ---- the process


class Wires:
    """The guardian's own handles."""

    def __init__(self, handles: Sequence[Handle]) -> None:
        self._sends = [_opened(handle) for handle in handles]

    def send(self, bus: int, can_id: int, extended: bool, fd: bool, data: bytes) -> None:
        """Send a frame. Raises what its driver raises."""
        self._sends[bus](can_id, extended, fd, data)


def _opened(handle: Handle) -> Callable[[int, bool, bool, bytes], None]:
    if handle.interface == "slcan":
        # The adapter's channel is open already: opening it again would close it. So only frames are written, to the line.
        file = os.open(str(handle.channel).partition("@")[0], os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        return lambda can_id, extended, fd, data: _write_line(file, slcan_line(can_id, extended, fd, data))
    import can

    bus = can.Bus(
        channel=handle.channel, interface=None if handle.from_config else handle.interface, **handle.options
    )  # fmt: skip
    return lambda can_id, extended, fd, data: bus.send(
        can.Message(arbitration_id=can_id, is_extended_id=extended, is_fd=fd, bitrate_switch=fd, data=data), timeout=0.02
    )


def _write_line(file: int, line: bytes) -> None:
    os.write(file, line)


def slcan_line(can_id: int, extended: bool, fd: bool, data: bytes) -> bytes:
    """A frame as slcan, behind the end of a line that a killed bench may have left half written."""
    letter = {(False, False): "t", (True, False): "T", (False, True): "b", (True, True): "B"}[extended, fd]
    return f"\r{letter}{can_id:0{8 if extended else 3}X}{_LENGTHS.index(len(data)):X}{data.hex().upper()}\r".encode()


def plan_of(row: dict[str, Any]) -> Plan:
    """A plan from its JSON."""

    def frames(key: str) -> tuple[SafeFrame, ...]:
        """Frames of one key, their payloads as a tuple again."""
        return tuple(SafeFrame(**{**frame, "payloads": tuple(frame["payloads"])}) for frame in row[key])

    return Plan(
        frames("standby"), frames("off"), tuple(Handle(**handle) for handle in row["handles"]),
        tuple((address, tuple(commands)) for address, commands in row["instruments"]), row["rounds"], row["group"],
    )  # fmt: skip


def stand_by(pipe: int, look_ns: int = _LOOK_NS) -> tuple[str, int]:
    """Wait for the end of the beats: why, and the process group to end; an empty reason when all is well."""
    os.set_blocking(pipe, False)
    last_ns, group, rest, most_ns = time.monotonic_ns(), 0, b"", CALM_NS
    while True:
        time.sleep(look_ns * 1e-9)
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            if time.monotonic_ns() - last_ns > most_ns:
                return _silent(most_ns), group
            continue
        if not data:
            return "the bench ended without a word", group
        last_ns, rest = time.monotonic_ns(), rest + data
        if b"q" in rest:
            return "", group
        if b"r" in rest:
            most_ns = SILENCE_NS
        while (at := rest.find(b"g")) >= 0 and (end := rest.find(b"\n", at)) >= 0:
            group, rest = int(rest[at + 1 : end]), rest[end + 1 :]
        rest = rest[rest.find(b"g") :] if b"g" in rest else b""


def main() -> None:
    """The guardian process: a plan on standard input, then beats; what it did on standard output."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    plan = plan_of(json.loads(_line(0)))
    wires = Wires(plan.handles)
    os.write(1, b"standing by\n")
    why, group = stand_by(0)
    if why:
        carry_out(plan, wires.send)
        end_group(group)
        with contextlib.suppress(OSError):
            os.write(1, f"{why}\n".encode())


def _line(file: int) -> bytes:
    """The first line of a pipe, and not a byte more."""
    data = b""
    while not data.endswith(b"\n"):
        byte = os.read(file, 1)
        if not byte:
            sys.exit(1)
        data += byte
    return data


if __name__ == "__main__":
    main()
    os._exit(0)  # a driver's threads do not keep a guardian alive
