"""What a method of estimation says of a case: the emulated BMS's estimators on the readings, chunk after chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, get_args

import numpy as np

from firmware_sim.types import F64, I64
from hil import calibration
from hil.calibration import Calibration
from hil.calibration_tables import Filter
from hil.dut.estimator import Beliefs, Estimator, Readings
from hil.score.case import Case

METHODS: tuple[str, ...] = get_args(Filter.model_fields["method"].annotation)
# The method that the floors are for, where it is among the methods.
SUBJECT = "sodium"
ROW_S = 5.0
_CHUNK_TICKS = 20_000


class Device(Protocol):
    """What is judged: told a SOC or None with its standard deviation, then run over readings."""

    def start(self, soc: float | None, sigma: float) -> None:
        """Say what is known before the first tick."""

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """Go on by some ticks; a row of beliefs after each `every` of them."""


# Makes a device of beliefs, number of packs, method and tick [ns].
Make = Callable[[Calibration, int, str, int], Device]


@dataclass(frozen=True)
class Said:
    """Beliefs at rows of a case, one each ROW_S. at: (row,) ticks.  soc, band: (row, pack), half width of the 95 % band.

    capacity_share, capacity_sigma: (pack,) at the end, relative to the capacity of the calibration.
    """

    at: I64
    soc: F64
    band: F64
    capacity_share: F64
    capacity_sigma: F64


def emulated(beliefs: Calibration, n_packs: int, method: str, dt_ns: int) -> Device:
    """The estimators of the emulated BMS, for one cell a pack."""
    return Estimator(beliefs, n_packs, 1, method, dt_ns)


def believe(
    case: Case,
    readings: Readings,
    method: str,
    told: tuple[float, float],
    make: Make = emulated,
    beliefs: Calibration | None = None,
    n_ticks: int | None = None,
) -> Said:
    """What a method says of a case, or of its first ticks.

    told: SOC before the first tick, NaN for none, and its standard deviation.  beliefs: the case's own when None.
    """
    n, n_packs = readings.current_A.shape
    n = n if n_ticks is None else min(n_ticks, n)
    every = max(1, round(ROW_S * 1e9 / case.dt_ns))
    n_rows = max(n // every, 1)
    every = min(every, n)
    estimator = make(beliefs_of(case) if beliefs is None else beliefs, n_packs, method, case.dt_ns)
    estimator.start(None if np.isnan(told[0]) else told[0], told[1])
    chunk = max(_CHUNK_TICKS // every, 1) * every
    said = [estimator.run(_cut(readings, k, min(k + chunk, n)), every) for k in range(0, n, chunk)]
    at = np.arange(n_rows, dtype=np.int64) * every + every - 1
    soc = np.concatenate([(b.available if case.available else b.soc)[:, :, 0] for b in said])
    band = np.concatenate([b.band[:, :, 0] for b in said])
    return Said(at, soc, band, said[-1].capacity_share[-1, :, 0], said[-1].capacity_sigma[-1, :, 0])


def _cut(readings: Readings, first: int, last: int) -> Readings:
    parts = (readings.current_A, readings.cell_V, readings.temp_degC, readings.fresh)
    return Readings(*(part[first:last] for part in parts))  # type: ignore[arg-type]


def beliefs_of(case: Case) -> Calibration:
    """The beliefs under test. Raises ScenarioError."""
    found = _load(case.calibration)
    told = {"filter": found.filter.changed(None, **dict(case.filter))} if case.filter else {}
    return found.model_copy(update=told if case.model is None else {**told, "model": case.model})


@lru_cache(maxsize=64)
def _load(name: str) -> Calibration:
    return calibration.load(name)[1]
