"""A run in a process of its own: python -m hil.speed.gear CASE TICKS, with NUMBA_DISABLE_JIT=1 in the interpreted gear.

CASE: a count of cells for the steady-current scenario, or a scenario file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from firmware_sim import jit
from hil import scenario, setup
from hil.speed.case import state_hash, switched_on, with_emulator
from hil.speed.rounds import cpu_s


def measure(which: str, n_ticks: int) -> dict[str, Any]:
    """CPU seconds of a staged tick, and the hash of the state after n_ticks."""
    bench = switched_on(int(which)) if which.isdecimal() else with_emulator(setup.build(scenario.load(Path(which))))
    taken = cpu_s(lambda: bench.run(n_ticks))
    return {
        "case": which,
        "ticks": n_ticks,
        "compiled": jit.is_compiled(),
        "tick_s": taken / n_ticks,
        "state_hash": state_hash(bench),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
