"""Firmware compiled to a shared library, in lockstep and virtual time. What it exports: nabench_firmware.h, here.

Each power-up is a process of its own (child.py), so a crash ends the firmware and not the bench, and a loss of supply
leaves nothing but the non-volatile memory, which the bench keeps. In a tick the frames that arrived in it are pushed, the
firmware steps to its end, and what it sends leaves from there on, one frame after another on its bus.

A firmware that dies before it has sent anything is an error of the run; afterwards it is silent, as a controller would
be, and `account` says what happened, for the judge.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Any

from firmware_sim.types import I64
from firmware_sim.wire.layout import EXTENDED, FD, Events, Image
from hil.bus import frame_ns
from hil.dut.native import child, elf
from hil.dut.native.process import Fallen, Memory, Process, Refused
from hil.errors import BenchError, DutError, ScenarioError, nearest
from hil.link.can_bus import Frame
from hil.link.match import Catcher, Outgoing, Reader
from hil.network import Network
from hil.rig import Rig

HEADER = Path(__file__).parent / "nabench_firmware.h"
_STEP_S = 10.0
_OPTIONS = ("step_s",)
_ALL_NS = 1 << 62
_TOP_11, _TOP_29 = 0x7FF, 0x1FFFFFFF
_LENGTHS = {0: (*range(9),), FD: (*range(9), 12, 16, 20, 24, 32, 48, 64)}


class Native:
    """A firmware behind "PATH" or "PATH?step_s=SECONDS", the longest that a call may take. Raises ScenarioError."""

    lockstep = True

    def __init__(self, rig: Rig, network: Network, text: str) -> None:
        if os.name != "posix":
            raise BenchError("a native device needs a POSIX system; serve the firmware on a bus instead, see docs/remote.md")
        if rig.plant.n_packs != 1:
            raise ScenarioError(f"a native device is one pack; the rig has {rig.plant.n_packs}")
        self.path, self._step_s = _parse(text)
        elf.check(self.path)
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()
        self.dt_ns = rig.dt_ns
        self.bus_free_ns: I64 = rig.bus_free_ns
        self._network = network
        self._reader = Reader(network.to_dut)
        self._catcher = Catcher(network.from_dut, network.to_dut)
        self._took_ns = _durations(network)
        self._process: Process | None = None
        self._fallen: list[list[Any]] = []
        self._power_ups = self._refused = 0
        self._memory: Memory | None = None

    def start(self, t_ns: int) -> None:
        """Power on with memory as from the factory. Raises DutError when the firmware does not come up."""
        self.close()
        self._memory = Memory()
        try:
            self._power_on(t_ns)
        except Refused as why:
            self.close()
            raise DutError(f"dut native: {self.path} cannot be used: {why}") from None
        except Fallen as why:
            self.close()
            raise DutError(f"dut native: {self.path}: {why}") from None

    @property
    def memory(self) -> bytes:
        """Non-volatile memory as it is now; nothing before the start."""
        return b"" if self._memory is None else self._memory.read()

    def _power_on(self, t_ns: int) -> None:
        """A new process. Raises Refused or Fallen, and DutError when the library is not the one that the record names."""
        if self._memory is None:
            raise DutError(f"dut native: {self.path} was not started")
        self._power_off()
        if hashlib.sha256(self.path.read_bytes()).hexdigest() != self.sha256:
            raise DutError(f"dut native: {self.path} was changed while it ran; run again")
        self._power_ups += 1
        self._process = Process(self.path, self._memory, self.dt_ns, self._network.n_buses, t_ns, self._step_s)

    def _power_off(self, *, gently: bool = False) -> None:
        if self._process is not None:
            self._process.close(gently=gently)
            self._process = None

    def reset(self, t_ns: int) -> None:
        """Lose and regain supply: a new process; non-volatile memory survives."""
        try:
            self._power_on(t_ns)
        except Refused as why:
            self._fall(t_ns, f"it did not come up again: {why}")
        except Fallen as why:
            self._fall(t_ns, str(why))

    def tear(self, t_ns: int) -> bool:
        """The same in the middle of a write to memory; False when the firmware was not writing and has no nab_save."""
        torn = False
        if self._process is not None:
            try:
                torn = self._process.tear(t_ns // self.dt_ns)
            except Fallen as why:
                self._fall(t_ns, str(why))
        self.reset(t_ns)
        return torn

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """One tick of the firmware: its frames start when the tick ends. Raises DutError when it dies before it spoke."""
        end_ns = t_ns + self.dt_ns
        if self._process is not None:
            try:
                no_room, sent = self._process.step(end_ns, [_packed(f) for f in self._reader.frames(image, events)])
                self._refused += no_room
                for raw in sent:
                    self._put(raw, end_ns)
            except Fallen as why:
                self._fall(end_ns, str(why))
        return self._catcher.take(_ALL_NS)

    def _fall(self, t_ns: int, why: str) -> None:
        """The firmware is gone; its supply is not. Raises DutError when it had not spoken yet."""
        self._power_off()
        if not self._catcher.heard:
            raise DutError(f"dut native: {self.path}: before its first frame {why}")
        self._fallen.append([t_ns, why])

    def _put(self, raw: bytes, t_ns: int) -> None:
        """Put a frame onto its bus when that is free. Raises Fallen for one that cannot exist."""
        _, can_id, bus, flags, length, data = child.FRAME.unpack(raw)
        took_ns = self._took_ns.get((bus, flags, length))
        if took_ns is None or can_id > (_TOP_29 if flags & EXTENDED else _TOP_11):
            raise Fallen(f"it sent a frame that cannot exist: bus {bus}, id 0x{can_id:X}, flags {flags}, {length} bytes")
        self.bus_free_ns[0, bus] = ended_ns = max(int(self.bus_free_ns[0, bus]), t_ns) + took_ns
        self._catcher.put(bus, Frame(ended_ns, can_id, flags, data[:length], 0), ended_ns)

    def account(self) -> dict[str, Any]:
        """For the record: which library it was, how often it got its supply, what became of it, and what else it sent."""
        return {
            "library": self.path.name,
            "sha256": self.sha256,
            "power_ups": self._power_ups,
            "fallen": [list(row) for row in self._fallen],
            "frames_without_room": self._refused,
            "unknown_ids": {f"{bus}:0x{can_id:X}": n for (bus, can_id), n in sorted(self._catcher.unknown.items())},
        }

    def close(self) -> None:
        """End the firmware."""
        self._power_off(gently=True)
        if self._memory is not None:
            self._memory.close()
            self._memory = None


def _durations(network: Network) -> dict[tuple[int, int, int], int]:
    """Bus, flags and length of every frame that can exist to how long it takes on its bus [ns]."""
    found = {}
    for number, bus in enumerate(network.database.buses):
        for flags in (0, EXTENDED, FD, EXTENDED | FD):
            extended, fd = bool(flags & EXTENDED), bool(flags & FD)
            for length in _LENGTHS[flags & FD]:
                found[number, flags, length] = frame_ns(length, extended, fd, bus.bitrate, bus.data_bitrate)
    return found


def _packed(frame: Outgoing) -> bytes:
    flags = frame.flags & (EXTENDED | FD)
    return child.FRAME.pack(frame.t_ns, frame.can_id, frame.bus, flags, len(frame.data), frame.data)


def _parse(text: str) -> tuple[Path, float]:
    """Path and step_s of a description. Raises ScenarioError."""
    name, _, options = text.partition("?")
    if not name:
        raise ScenarioError("dut native:PATH: expected a shared library, as in native:./bms.so")
    step_s = _STEP_S
    for option in options.split("&") if options else []:
        key, _, value = option.partition("=")
        if key not in _OPTIONS:
            raise ScenarioError(f'dut native: there is no option "{key}"{nearest(key, _OPTIONS)}')
        step_s = -1.0
        with contextlib.suppress(ValueError):
            step_s = float(value)
        if not 0.01 <= step_s <= 600:
            raise ScenarioError(f"dut native: step_s={value}; expected seconds, 0.01 to 600")
    path = Path(name)
    if not path.is_file():
        there = [p.name for p in path.parent.glob("*.so")] if path.parent.is_dir() else []
        raise ScenarioError(f"dut native: there is no file {path}{nearest(path.name, there)}")
    return path.resolve(), step_s
