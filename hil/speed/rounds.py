"""Measuring: CPU time, interleaved rounds in one process, medians of the ratios within a round.

Absolute times move with whatever else the machine does; variants of one round meet the same machine, so their ratio holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from firmware_sim.types import F64
from hil.bench import quiet_memory
from hil.speed.case import Variant

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Ratio:
    """Median over the rounds, with its quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: F64) -> Ratio:
        """Quartiles of a sample."""
        low, median, high = (float(x) for x in np.quantile(values, (0.25, 0.5, 0.75)))
        return cls(low, median, high)


def cpu_s(run: Callable[[], object]) -> float:
    """CPU time of one call [s], with the garbage collector at rest."""
    with quiet_memory():
        start = time.process_time()
        run()
        return time.process_time() - start


def interleave(variants: dict[str, tuple[Variant, int]], n_rounds: int, tell: Tell) -> dict[str, F64]:
    """CPU time of a tick [s] of each variant, one figure a round.

    variants: name to (variant, ticks it runs in a round). One round runs every variant once, so all meet the same machine.
    """
    seconds = {name: np.zeros(n_rounds) for name in variants}
    for n in range(n_rounds):
        tell(f"round {n + 1} of {n_rounds}")
        for name, (variant, n_ticks) in variants.items():
            seconds[name][n] = cpu_s(partial(variant.run, n_ticks)) / n_ticks
            variant.forget()
    return seconds
