"""What tests in wall time share: free channels, served devices in threads and processes, and what a busy machine excuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rigs

from hil import files, runner
from hil.dut.emulator import Emulator
from hil.link import stand
from hil.link.can_bus import CanBus
from hil.link.served import Served
from hil.report.record import RunRecord
from hil.verdict import Verdict

GROUP = "239.74.163.2"
# A scenario that lasts longer than any test.
ENDLESS = """
format = 1
name = "slow"
title = "A drive without end"
pack = "nfm-16s"
duration_s = 3000.0

[[request]]
at_s = 0.1
mode = "drive"

[[expect]]
kind = "quiet"
requirement = "SR-QUIET"
from_s = 0.9
to_s = 2.0
"""
_UP_S = 90.0
_MISSED = "missed"
_HEAVY_MS = 40.0


def virtual() -> str:
    """A channel that nobody else has."""
    return f"virtual:{uuid.uuid4().hex[:12]}"


def multicast() -> str:
    """A port of its own for each worker and call."""
    return f"udp_multicast:{GROUP}?port={20_000 + int(uuid.uuid4().hex[:6], 16) % 40_000}"


def shipped(name: str) -> Path:
    """A shipped scenario."""
    return files.shipped("scenario")[name]


def run(scenario: Path, bus: str) -> RunRecord:
    """A scenario against the device on a bus."""
    return runner.run(scenario, runner.Options(dut=f"remote:{bus}", armed=True))


def excused(record: RunRecord) -> bool:
    """True when the machine was too busy for a verdict, and the run says just that."""
    if record.verdict is Verdict.INCONC and record.trace.info["link"]["safe_stop"]:
        return True
    return record.verdict is Verdict.INCONC and all(
        _MISSED in finding.seen for finding in record.findings if finding.verdict is Verdict.INCONC
    )


@dataclass
class Thread:
    """A served device in a thread of this process."""

    bus: str
    served: Served
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    error: BaseException | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.served.run(self._stop.is_set)
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            self.error = error

    def stop(self) -> None:
        """Stop working; the bus stays open."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10.0)

    @property
    def was_late(self) -> bool:
        """True when the machine held this device up for so long that its own times are worth nothing."""
        return self.served.report.late_ns > _HEAVY_MS * 1e6


@contextmanager
def device(bus: str) -> Iterator[Thread]:
    """The emulator for the shipped pack, working on a bus in this process."""
    net, settings, _ = rigs.wired("nfm-16s", "nfm-16s", "classic", stand.TICK_NS)
    built = stand.stand_up(
        Emulator(settings, stand.TICK_NS, np.zeros((1, net.n_buses), np.int64)), net, bus, None, "a device of a test"
    )
    thread = Thread(bus, built.served)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
        built.close()


def started(device: Thread, ears: CanBus) -> bool:
    """Whether a bench switched a device on. What ears heard until now is dropped: their socket has room for seconds only."""
    while ears.receive(0) is not None:
        pass
    return device.served.report.starts > 1


@dataclass
class Process:
    """A served device in a process of its own. lines: what it printed."""

    child: subprocess.Popen[str]
    lines: list[str]

    def end(self, number: int = signal.SIGINT) -> str:
        """Send a signal, wait, return the last line."""
        self.child.send_signal(number)
        out, _ = self.child.communicate(timeout=20.0)
        self.lines += out.splitlines()
        return self.lines[-1]

    @property
    def worst_ms(self) -> float:
        """How late its worst tick was, from its last line."""
        return float(self.lines[-1].rpartition("worst ")[2].split()[0])

    @property
    def was_late(self) -> bool:
        """True when the machine held this device up for so long that its own times are worth nothing."""
        return self.worst_ms > _HEAVY_MS


def nabench(*arguments: str, **keys: object) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-c", "from hil.cli import main; main()", *arguments]
    environment = {**os.environ, "COLUMNS": "160", **{k: str(v) for k, v in keys.items()}}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, stdin=subprocess.DEVNULL
    )


@contextmanager
def serve(*arguments: str) -> Iterator[Process]:
    """A nabench serve that has said what it serves."""
    child = nabench("serve", *arguments)
    process = Process(child, [])
    assert child.stdout is not None
    late = threading.Timer(_UP_S, child.kill)
    late.start()
    try:
        process.lines.append(child.stdout.readline())
        late.cancel()
        assert process.lines[0].startswith("serving"), child.communicate()
        yield process
    finally:
        late.cancel()
        if child.poll() is None:
            child.kill()
            child.communicate()


def wait_until(holds: object, timeout_s: float = 10.0) -> None:
    """Look every millisecond until something holds; fail after the timeout."""
    assert callable(holds)
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it never came about"
        threading.Event().wait(0.001)
