"""Firmwares for tests, compiled with the compiler of this machine."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from hil.dut.native import HEADER

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "tests" / "native"
EXAMPLE = ROOT / "examples" / "native_firmware"
# What C leaves undefined ends the firmware of a test with SIGILL.
STRICT = "-O2 -fsanitize=undefined,float-cast-overflow,float-divide-by-zero -fsanitize-undefined-trap-on-error"


def gcc(target: Path, *words: str) -> Path:
    """Compile; what the compiler says is the test's failure."""
    done = subprocess.run(["gcc", "-I", str(HEADER.parent), "-o", str(target), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def library(target: Path, source: str = "speaks.c", **macros: str) -> Path:
    """A shared library of a source of tests/native, with macros that are C."""
    defined = [f"-D{name}={text}" for name, text in macros.items()]
    return gcc(target, "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *defined, str(SOURCES / source))


def bms(folder: Path, flags: str = STRICT) -> Path:
    """The small BMS of the examples, by its own Makefile."""
    command = f"make -s -C {shlex.quote(str(EXAMPLE))} BUILD={shlex.quote(str(folder))} CFLAGS={shlex.quote(flags)}"
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "bms.so"
