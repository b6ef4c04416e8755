"""What kind of machine a shared library is for, before the loader says it in riddles."""

from __future__ import annotations

import platform
import struct
import sys
from pathlib import Path

from hil.errors import ScenarioError

_MACHINES = {3: "x86, 32 bit", 40: "ARM, 32 bit", 62: "x86-64", 183: "ARM, 64 bit", 243: "RISC-V", 8: "MIPS", 20: "PowerPC"}
_KINDS = {1: "an object file", 2: "a program", 4: "a core dump"}
_SHARED = 3


def check(path: Path) -> None:
    """Raise ScenarioError when a file is no shared library for this machine. On systems without ELF the loader decides."""
    head = _head(path)
    if not sys.platform.startswith("linux"):
        return
    if head[:4] != b"\x7fELF" or len(head) < 20:
        what = "empty" if not head else "no ELF file"
        raise ScenarioError(f"dut native: {path} is {what}; expected a shared library, as gcc -shared -fPIC makes one")
    kind, machine = struct.unpack("<HH" if head[5] == 1 else ">HH", head[16:20])
    (own_machine,) = struct.unpack("<H", _head(Path(sys.executable))[18:20])
    if (machine, head[4], head[5]) != (own_machine, 2 if sys.maxsize > 2**32 else 1, 1):
        raise ScenarioError(
            f"dut native: {path} is built for {_MACHINES.get(machine, f'machine {machine}')}; expected a library for this "
            f"computer, {_MACHINES.get(own_machine, platform.machine())}: build the firmware with the host's compiler"
        )
    if kind != _SHARED:
        raise ScenarioError(
            f"dut native: {path} is {_KINDS.get(kind, 'no library')}; expected a shared library, gcc -shared -fPIC"
        )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise ScenarioError(f"dut native: {path} cannot be read: {error.strerror}") from None
