"""How long until something happens: imports, cold and warm start, and the interpreted gear; each in a process of its own.

Wall time, because this is what a user waits for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from hil import files
from hil.errors import BenchError

_SCENARIO = "cell-overvoltage-sense"
_COMMAND = "import sys; from hil.cli import main; sys.argv[0] = 'nabench'; main()"
_WARM = "from hil import warm; warm.warm(lambda text: None)"
_FUSE = "from hil.speed import case; case.switched_on(16).run_fused(1)"


def _run(arguments: list[str], **environment: str) -> tuple[float, str]:
    """Wall time [s] and output of a fresh interpreter. Raises BenchError when it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - start
    if done.returncode != 0:
        tail = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise BenchError(f"python {' '.join(arguments)[:80]}: exit code {done.returncode}: {' '.join(tail)}")
    return taken, done.stdout


def _median_s(arguments: list[str], n: int) -> float:
    return round(float(np.median([_run(arguments)[0] for _ in range(n)])), 3)


def imports(n: int) -> dict[str, float]:
    """Seconds of fresh processes, median of n."""
    return {
        "python alone": _median_s(["-c", "pass"], n),
        "import hil.cli": _median_s(["-c", "import hil.cli"], n),
        "nabench --help": _median_s(["-c", _COMMAND, "--help"], n),
    }


def warm_run() -> dict[str, Any]:
    """Seconds of `nabench run` on a scenario of 60 s, report included, with kernels from the cache."""
    if _SCENARIO not in files.shipped("scenario"):
        raise BenchError(f'the scenario "{_SCENARIO}" is not shipped any more')
    _run(["-c", _WARM])
    with tempfile.TemporaryDirectory() as folder:
        # exit code 1 is a verdict, not a failure of the run
        code = f"try:\n {_COMMAND.replace('; ', chr(10) + ' ')}\nexcept SystemExit as e:\n sys.exit(e.code == 2)"
        taken, _ = _run(["-c", code, "run", _SCENARIO, "--out", folder])
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {"scenario": _SCENARIO, "wall_s": round(taken, 3), "written_bytes": size}


def cold() -> dict[str, float]:
    """Seconds until kernels are compiled into an empty cache: what a staged run needs, then the fused loop on top."""
    with tempfile.TemporaryDirectory() as folder:
        staged, _ = _run(["-c", _WARM], NABENCH_CACHE_DIR=folder)
        fused, _ = _run(["-c", _FUSE], NABENCH_CACHE_DIR=folder)
    return {"compile_s": round(staged, 2), "fused_on_top_s": round(fused, 2)}


def interpreted(which: str, n_ticks: int) -> dict[str, Any]:
    """CPU time of a tick without compiling anything, and the hash of the state it ends in. which: see hil.speed.gear."""
    _, out = _run(["-m", "hil.speed.gear", which, str(n_ticks)], NUMBA_DISABLE_JIT="1")
    found: dict[str, Any] = json.loads(out)
    return found
