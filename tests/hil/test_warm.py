"""How long the first compilation takes is said from a measurement."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

DEFAULT = "compiling kernels for this machine; once, about a minute on two cores"


def test_the_time_that_compiling_takes_is_that_of_the_last_time(tmp_path: Path) -> None:
    """Before the first nothing is known of this machine; a damaged note is none. Kernels are interpreted here, to be quick."""
    spoil = f"Path({str(tmp_path / 'compiled-in-s')!r}).write_text('x')"
    twice = "warm._compile(print); warm._compile(print)"
    code = f"from pathlib import Path; from hil import warm; {twice}; {spoil}; print(warm.takes())"
    environment = {**os.environ, "NABENCH_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    first, second, third = done.stdout.splitlines()
    assert DEFAULT == first
    assert re.fullmatch(r"compiling kernels for this machine; once, \d+ s the last time", second)
    assert DEFAULT.endswith(third)
