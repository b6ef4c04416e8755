"""A worker in the interpreter that has the package: started once, handed one file of arrays after the other.

It is told the file to begin with as its argument; then each line on its standard input names a file to read and one to
write, and it answers with a line when the second is there. It ends when its input does. The environment is passed on
without PYTHONPATH, so that the interpreter finds its own packages and none of ours.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import weakref
from pathlib import Path

import numpy as np

from firmware_sim.types import F64
from hil.errors import BenchError
from hil.score.peers.peer import Peer

_ASK = "import importlib.metadata as m, numpy, {0}; print(m.version({0!r}))"
_ASK_S = 120
_END_S = 10


def version(peer: Peer, python: str) -> str:
    """Version of the package in that interpreter. Raises BenchError when either is missing."""
    command = [python, "-c", _ASK.format(peer.package)]
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=_ASK_S, check=False)
    except OSError as error:
        raise BenchError(f"{python}: no interpreter to run {peer.package} in: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{python}: {peer.package} was not imported in {_ASK_S} s") from error
    if done.returncode:
        said = _last_line(done.stderr) or f"exit code {done.returncode}"
        hint = f"; install it there: {python} -m pip install {peer.package}" if "ModuleNotFoundError" in said else ""
        raise BenchError(f"{python}: cannot import {peer.package}: {said}{hint}")
    return done.stdout.strip()


class Worker:
    """A running worker. It ends with this object."""

    def __init__(self, peer: Peer, python: str, given: dict[str, F64]) -> None:
        """given: arrays to begin with. Raises BenchError when the interpreter or the package is missing."""
        self.name = f"{peer.package} {version(peer, python)} in {python}"
        self.folder = tempfile.TemporaryDirectory(prefix="nabench-peer-")
        self.errors = Path(self.folder.name) / "stderr"
        start = Path(self.folder.name) / "start.npz"
        np.savez(start, allow_pickle=False, **given)
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [python, "-m", peer.module, str(start)],
                cwd=peer.folder,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._end = weakref.finalize(self, _end, self.process, self.folder)

    def ask(self, arrays: dict[str, F64]) -> dict[str, F64]:
        """What the worker says of further arrays. Raises BenchError with its last words when it fails."""
        there, back = (Path(self.folder.name) / name for name in ("there.npz", "back.npz"))
        np.savez(there, allow_pickle=False, **arrays)
        back.unlink(missing_ok=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{there}\t{back}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer or not back.exists():
            said = _last_line(self.errors.read_text(errors="replace")) or "it ended and said nothing"
            raise BenchError(f"{self.name}: {said}")
        with np.load(back) as held:
            return {name: np.asarray(held[name], np.float64) for name in held.files}


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _end(process: subprocess.Popen[str], folder: tempfile.TemporaryDirectory[str]) -> None:
    """Close its input, upon which it ends by itself when it is idle, and take its folder away."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:  # interrupted while it was at work
        process.kill()
        process.wait()
    folder.cleanup()
