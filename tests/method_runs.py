"""Readings without mercy for the estimators, and what each method makes of them; as a program: their digests, as JSON."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from firmware_sim import settings as cfg
from hil import calibration
from hil.dut.estimator import Beliefs, Estimator, Readings

TICKS, PACKS, CELLS, DT_NS = 400, 3, 2, 100_000_000


def readings(seed: int = 1) -> Readings:
    """A drive with dropped voltages; then sensors that jump from end to end, on all quantities; then a drive again."""
    rng = np.random.default_rng(seed)
    current_A = rng.normal(0.5, 1.5, (TICKS, PACKS))
    cell_V = rng.normal(3.1, 0.05, (TICKS, PACKS, CELLS))
    temp_degC = rng.normal(20.0, 5.0, (TICKS, PACKS, CELLS))
    fresh = (rng.random((TICKS, PACKS, CELLS)) > 0.1).astype(np.uint8)
    fresh[0] = 1
    mad = slice(TICKS // 4, 3 * TICKS // 4)
    current_A[mad] = rng.choice([-3000.0, -1.0, 0.0, 3000.0], current_A[mad].shape)
    cell_V[mad] = rng.choice([0.0, 1.0, 3.0, 8.0], cell_V[mad].shape)
    temp_degC[mad] = rng.choice([-60.0, 0.0, 150.0], temp_degC[mad].shape)
    return Readings(current_A, cell_V, temp_degC, fresh)


def of_pack(told: Readings, p: int) -> Readings:
    """The readings of one pack alone."""
    return Readings(*(np.ascontiguousarray(block[:, p : p + 1]) for block in vars(told).values()))


def run(method: str, told: Readings) -> tuple[Estimator, Beliefs]:
    """The estimator at its end, and all that it said."""
    estimator = Estimator(calibration.load("nfm-16s")[1], told.current_A.shape[1], CELLS, method, DT_NS)
    return estimator, estimator.run(told)


def digest(method: str) -> str:
    """SHA-256 over state and beliefs."""
    estimator, beliefs = run(method, readings())
    found = hashlib.sha256(estimator.cell.tobytes())
    for block in vars(beliefs).values():
        found.update(np.ascontiguousarray(block).tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    print(json.dumps({method: digest(method) for method in cfg.METHODS}))
