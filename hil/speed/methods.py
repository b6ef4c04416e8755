"""What each way to estimate SOC costs: the estimators alone, in one compiled loop over a batch of packs.

Ticks of 10 ms: every tick predicts, every cell has a fresh voltage every 100 ms, as on the network `classic`, and cells take
turns. Tables are read again once a second and pack values summed up every tick, as in the device; that is part of the time of
every method, as is the way of the readings into the state.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from hil import calibration
from hil.calibration_tables import Filter
from hil.dut.estimator import Estimator, Readings
from hil.speed.case import Variant
from hil.speed.rounds import Ratio, Tell, interleave

METHODS: tuple[str, ...] = get_args(Filter.model_fields["method"].annotation)
# The method of every shipped calibration.
DEFAULT = "sodium"
PLAIN, LEAST = "ekf", "counting"
# The default method once more, with limits, energy and times: what the device spends in all.
WHOLE = f"{DEFAULT} with foresight"
PACKS, CELLS, TICKS = 8, 16, 1000
_CALIBRATION = "nfm-16s"
_DT_NS, _TICKS_BETWEEN = 10_000_000, 10
_LOAD_A = (1.5, 0.0, -1.5, 3.0, -3.0)


def readings() -> Readings:
    """Ten seconds of a load that changes every half second and takes nothing in the end; cells a little apart."""
    n = np.arange(TICKS)
    current_A = np.repeat(np.array(_LOAD_A)[(n // 50) % len(_LOAD_A)][:, None], PACKS, axis=1)
    cell_V = 3.1 - 0.08 * current_A[:, :, None] + 0.002 * np.arange(CELLS)
    fresh = (n[:, None] + np.arange(CELLS)) % _TICKS_BETWEEN == 0
    fresh[0] = True
    return Readings(
        current_A=current_A,
        cell_V=cell_V,
        temp_degC=np.broadcast_to(24.0 + 0.1 * np.arange(CELLS), cell_V.shape).copy(),
        fresh=np.repeat(fresh.astype(np.uint8)[:, None], PACKS, axis=1),
    )


class Method:
    """The estimators of the batch by one method, through the same readings again and again."""

    def __init__(self, method: str, told: Readings, foresees: bool = False) -> None:
        self.told = told
        self.estimator = Estimator(calibration.load(_CALIBRATION)[1], PACKS, CELLS, method, _DT_NS, foresees)

    def run(self, n_ticks: int) -> None:
        """Run all ticks of the readings; n_ticks: how many these are."""
        self.estimator.run(self.told, every=n_ticks)

    def forget(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""


def measure(n_rounds: int, tell: Tell) -> dict[str, Any]:
    """Nanoseconds per cell and tick of every method, and its ratio to the plain EKF.

    beyond_counting: the same ratio of what each takes on top of counting, which is next to nothing but what all share.
    """
    told = readings()
    variants: dict[str, tuple[Variant, int]] = {name: (Method(name, told), TICKS) for name in METHODS}
    variants[WHOLE] = (Method(DEFAULT, told, foresees=True), TICKS)
    for variant, n_ticks in variants.values():
        variant.run(n_ticks)
    seconds = interleave(variants, n_rounds, lambda text: tell(f"estimators: {text}"))
    ratios = {name: Ratio.of(taken / seconds[PLAIN]) for name, taken in seconds.items()}
    least_s = seconds[LEAST]
    beyond = {name: float(np.median((s - least_s) / (seconds[PLAIN] - least_s))) for name, s in seconds.items()}
    return {
        "packs": PACKS,
        "cells": CELLS,
        "default": DEFAULT,
        "whole": WHOLE,
        "ns_per_cell": {name: round(float(np.median(s)) / (PACKS * CELLS) * 1e9, 2) for name, s in seconds.items()},
        "ratio_vs_ekf": {name: round(ratio.median, 2) for name, ratio in ratios.items()},
        "beyond_counting": {name: round(ratio, 2) for name, ratio in beyond.items()},
        "quartiles": {name: [round(ratio.low, 2), round(ratio.high, 2)] for name, ratio in ratios.items()},
    }
