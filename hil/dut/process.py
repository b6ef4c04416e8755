"""A firmware that the bench starts itself, and then talks to as to any device at the end of a wire.

The rest of the bus speaks before the firmware starts, as in a vehicle. Its output goes to a log. It may die (exit code,
signal), freeze (stopped) or fall silent; each is noted with its time and left to the judge. With supply "process" the
fault reset is the loss of its supply: the process is killed, and started again when it is gone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from firmware_sim.wire.layout import Events, Image
from hil.benchfile import PTY, BenchFile
from hil.dut.group import Group
from hil.dut.remote import Remote
from hil.errors import DutError, ScenarioError
from hil.link.pty_pair import PtyPair
from hil.network import Network
from hil.rig import Rig

PORT = "{port}"  # in a command: the device's end of the serial line that the bench made
_MOST_LOG = 8 << 20
_LAST_LINES = 5
_LOOK_NS = 50_000_000
_STEP_S = 0.005
_WORDS_S = 0.05  # what it still says when it has ended; less than a heart may stand still
_DEATH_S = 0.3  # a port that vanishes and the process behind it go together


class Firmware:
    """A process with its output. log: gets all it prints, up to 8 MB.  Raises DutError when it cannot start."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], folder: Path, log: bytearray, ready: str | None
    ) -> None:
        self.is_ready = threading.Event()
        self._ready = None if ready is None else re.compile(ready)
        self.last: list[str] = []
        self._how = ""
        try:
            self._child = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DutError(f"the firmware cannot be started: {shlex.join(command)}: {reason}") from None
        assert self._child.stdout is not None
        self._pump = threading.Thread(target=self._copy, args=(self._child.stdout, log), name="firmware log", daemon=True)
        self._pump.start()
        self._processes = Group(self.group)

    @property
    def group(self) -> int:
        """Its process group."""
        return self._child.pid

    def _copy(self, out: IO[bytes], log: bytearray) -> None:
        with out:
            while line := out.readline(1 << 16):
                if len(log) < _MOST_LOG:
                    log += line
                text = line.decode(errors="replace").strip()
                self.last = [*self.last[1 - _LAST_LINES :], text]
                if self._ready is not None and self._ready.search(text):
                    self.is_ready.set()

    def ended(self) -> str:
        """How it ended; empty while it lives.

        Where the system can, its exit is only looked at, so until `stop` its number stays taken, and a signal to its group
        reaches nobody else.
        """
        if not self._how and (code := self._exit_code()) is not None:
            self._pump.join(timeout=_WORDS_S)
            how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
            self._how = how + (f'; its last words: "{self.last[-1]}"' if self.last else "")
        return self._how

    def _exit_code(self) -> int | None:
        """None while it lives, negative when a signal ended it."""
        if self._child.returncode is not None:
            return self._child.returncode
        if not hasattr(os, "waitid"):
            return self._reaped()
        found = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return int(found.si_status if found.si_code == os.CLD_EXITED else -found.si_status)

    def _reaped(self) -> int | None:
        """The same where an exit cannot be looked at without giving its number away (macOS before Python 3.13).

        What it started is killed in the same breath, as after this nothing may be sent to its group any more.
        """
        code = self._child.poll()
        if code is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.group, signal.SIGKILL)
        return code

    def is_frozen(self) -> bool:
        """True while it, or something that it started, is stopped and does not run (Linux; elsewhere never)."""
        return self._processes.is_stopped()

    def tell(self, name: str) -> None:
        """Send it, and all that it started, a signal: "TERM". What is stopped goes on, so that it can hear it."""
        if self._child.returncode is not None:
            return  # its number may be somebody else's
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, getattr(signal, f"SIG{name}"))
            os.killpg(self.group, signal.SIGCONT)

    def stop(self, name: str, grace_s: float, words_s: float = _DEATH_S) -> None:
        """End it and all that it started, in the end by force. words_s: how long its last words may take."""
        if not self.ended():
            self.tell(name)
            end_s = time.monotonic() + grace_s
            while self._exit_code() is None and time.monotonic() < end_s:
                time.sleep(_STEP_S)
        self.tell("KILL")
        self._child.wait()
        self._pump.join(timeout=words_s)


class Process(Remote):
    """A firmware of a bench file. path: of the file, from whose folder dut.folder counts. Raises ScenarioError."""

    def __init__(self, rig: Rig, network: Network, text: str, bench: BenchFile, path: Path) -> None:
        super().__init__(rig, network, text, bench)
        self._file, self._folder = bench.dut, path.parent / bench.dut.folder
        self._pairs: list[PtyPair] = []
        self._firmware: Firmware | None = None
        self._log = bytearray()
        self._starts = 0
        self._ended: list[list[Any]] = []
        self._frozen: list[list[int]] = []
        self._look_ns = 0
        self._begun = False
        if sum(spec.text.partition("?")[0] == PTY for spec in self._specs) > 1:
            raise ScenarioError(f'{path}: only one bus can be "{PTY}"')

    def sends(self) -> list[str]:
        """The command, then what a remote device gets."""
        return [f"start {shlex.join(self._file.command)} in {self._folder}", *super().sends()]

    def start(self, t_ns: int) -> None:
        """As a remote device; the firmware starts when the rest of the bus speaks. Raises DutError."""
        for n, spec in enumerate(self._specs):
            if spec.text.partition("?")[0] == PTY:
                pair = PtyPair()
                self._pairs.append(pair)
                self._specs[n] = replace(spec, text=f"slcan:{pair.near}", channel=str(pair.near))
        super().start(t_ns)
        self._begun = True

    def _power_on(self) -> None:
        if self._starts and self._options.switched_by != "process":
            return
        port = str(self._pairs[0].far) if self._pairs else PORT
        command = [word.replace(PORT, port) for word in self._file.command]
        if self._firmware is not None:  # a lost supply leaves nothing running of what it started
            self._ears.guard.mind(0)
            self._firmware.stop("KILL", 0.0, _WORDS_S)
        self._firmware = Firmware(command, self._file.environment, self._folder, self._log, self._file.ready_line)
        self._starts += 1
        self._ears.guard.mind(self._firmware.group)

    def _is_up(self) -> bool:
        return self._firmware is not None and (self._file.ready_line is None or self._firmware.is_ready.is_set())

    def _is_down(self) -> bool:
        return self._options.switched_by != "process" or self._firmware is None or bool(self._firmware.ended())

    def _watch(self) -> None:
        if not self._begun and self._firmware is not None and (how := self._firmware.ended()):
            raise DutError(f"the firmware ended before it was ready: {how}")

    def _never_came(self) -> str:
        words = self._firmware.last if self._firmware is not None else []
        said = f'; it said last: "{words[-1]}"' if words else "; it said nothing"
        if self._file.ready_line is not None and self._firmware is not None and not self._firmware.is_ready.is_set():
            return (
                f'the firmware did not print a line that fits ready_line "{self._file.ready_line}" within '
                f"{self._options.ready_ns / 1e9:g} s{said}"
            )
        return super()._never_came() + said

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As a remote device; looks after the process besides."""
        if t_ns >= self._look_ns:
            self._look_ns = t_ns + _LOOK_NS
            self._look(t_ns)
        return super().exchange(t_ns, image, events)

    def _look(self, t_ns: int) -> None:
        """Note a death that nobody ordered, and stretches in which the process was stopped."""
        if self._firmware is None or (self._off_ns is not None and self._options.switched_by == "process"):
            return
        if (how := self._firmware.ended()) and len(self._ended) < self._starts:
            self._ended.append([t_ns, how])
        if self._firmware.is_frozen():
            if self._frozen and self._frozen[-1][1] >= t_ns - 2 * _LOOK_NS:
                self._frozen[-1][1] = t_ns
            else:
                self._frozen.append([t_ns, t_ns])

    def reset(self, t_ns: int) -> None:
        """Lose the supply: the process is told so by its reset_signal, and started again when it is gone."""
        super().reset(t_ns)
        if self._options.switched_by == "process" and self._firmware is not None:
            self._firmware.tell(self._file.reset_signal)

    def notes(self) -> dict[str, Any]:
        """As a remote device; and how the process fared."""
        found = super().notes()
        if self._lost and self._firmware is not None:
            end_s = time.monotonic() + _DEATH_S
            while not self._firmware.ended() and time.monotonic() < end_s:
                time.sleep(0.01)
            self._look(self._ears.alive_ns)
        process = {"command": self._file.command, "starts": self._starts, "ended": self._ended, "frozen": self._frozen}
        return {**found, "process": process}

    def logs(self) -> dict[str, bytes]:
        """What the firmware printed, for the run folder."""
        return {"device.log": bytes(self._log)}

    def close(self) -> None:
        """Leave the device safe, end the firmware, then close its lines."""
        self._begun = True  # that it has ended is no news any more
        try:
            super().close()
        finally:
            if self._firmware is not None:
                self._firmware.stop(self._file.stop_signal, self._file.grace_s)
            for pair in self._pairs:
                pair.close()
            self._pairs = []


def bench_of(text: str, buses: list[str]) -> BenchFile:
    """A bench file for "BUS -- COMMAND". Raises ScenarioError."""
    bus, dashes, command = text.partition(" -- ")
    if not dashes or not command.strip():
        raise ScenarioError(
            f'dut "process:{text}": expected "process:BUS -- COMMAND", as in '
            '"process:udp_multicast:239.74.163.2 -- ./bms --id 3"'
        )
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ScenarioError(f'dut "process:{text}": the command cannot be read: {error}') from None
    return BenchFile.model_validate(
        {
            "format": 1,
            "title": "a firmware of the command line",
            "dut": {"kind": "process", "command": words},
            "buses": dict(zip(buses, bus.split(","), strict=False)) or {"bus": bus},
        }
    )
