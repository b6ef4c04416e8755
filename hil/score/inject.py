"""Sensor errors on a case: all sign combinations at once, reproducible from a seed.

    current   I (1 + 0.01 g) + 0.005 o 1C + noise of 0.2 % of 1C, in steps of 1 mA for a cell of 1.5 Ah
    voltage   V + 5 mV v + noise of 1 mV, in steps of 1 mV
    degC      T + 5 K t, in steps of 0.5 K

with the signs g, o, v, t = -1 or +1. Each of the three frames is lost with a chance of 1 % in every tick; what was read last
stands then, and the voltage is not fresh. The first frame of each arrives. Noise is a Gaussian from the table of hil.noise, one
stream for each (seed and name of the case, combination, sensor): a combination does not depend on which others are asked for
with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from firmware_sim.types import F64
from hil.dut.estimator import Readings
from hil.noise import NoiseStream, gauss_table
from hil.score.case import Case

Signs = tuple[int, int, int, int]
SIGNS: tuple[Signs, ...] = tuple((g, o, v, t) for g, o, v, t in product((-1, 1), repeat=4))

GAIN, OFFSET_SHARE, OFFSET_V, OFFSET_K = 0.01, 0.005, 0.005, 5.0
NOISE_V, NOISE_SHARE = 0.001, 0.002
STEP_V, STEP_K, STEP_PER_H = 0.001, 0.5, 0.001 / 1.5
LOST = round(0.01 * 65536)
_OF_CURRENT, _OF_VOLTAGE, _LOST_CURRENT, _LOST_VOLTAGE, _LOST_TEMP, _SENSORS = 0, 1, 2, 3, 4, 5


def inject(case: Case, signs: Sequence[Signs] = SIGNS, seed: int = 0) -> Readings:
    """What the sensors say of a case; axis pack: one for each combination of signs (gain, offset, voltage, temperature)."""
    n, packs = len(case.current_A), len(signs)
    numbers = [_number(one) for one in signs]
    picks = np.empty((n, packs, _SENSORS), np.uint16)
    for p, number in enumerate(numbers):
        picks[:, p] = NoiseStream(_stream(case, seed, number), 1, _SENSORS).block(n + -n % 4)[:n, 0]
    g, o, v, t = np.array(signs, np.float64).reshape(-1, 4).T
    one_C_A = case.capacity_Ah
    current_A = case.current_A[:, None] * (1.0 + GAIN * g) + OFFSET_SHARE * one_C_A * o
    current_A += NOISE_SHARE * one_C_A * gauss_table()[picks[:, :, _OF_CURRENT]]
    cell_V = case.cell_V[:, None] + OFFSET_V * v + NOISE_V * gauss_table()[picks[:, :, _OF_VOLTAGE]]
    temp_degC = case.temp_degC[:, None] + OFFSET_K * t
    lost = picks[:, :, _LOST_CURRENT:] < LOST
    lost[0] = False
    return Readings(
        current_A=_held(_steps(current_A, STEP_PER_H * one_C_A), lost[:, :, 0]),
        cell_V=_held(_steps(cell_V, STEP_V), lost[:, :, 1])[:, :, None],
        temp_degC=_held(_steps(temp_degC, STEP_K), lost[:, :, 2])[:, :, None],
        fresh=(~lost[:, :, 1]).astype(np.uint8)[:, :, None],
    )


def clean(case: Case) -> Readings:
    """What perfect sensors say; one pack."""
    n = len(case.current_A)
    return Readings(
        current_A=case.current_A[:, None].copy(),
        cell_V=case.cell_V[:, None, None].copy(),
        temp_degC=case.temp_degC[:, None, None].copy(),
        fresh=np.ones((n, 1, 1), np.uint8),
    )


def _number(signs: Signs) -> int:
    """A number for each combination: the streams of one do not move when another is left out."""
    number = 0
    for sign in signs:
        number = number * 3 + sign + 1
    return number


def _stream(case: Case, seed: int, number: int) -> int:
    """Key of a case's noise: two cases of one seed have nothing in common."""
    key = seed
    for byte in f"{case.condition} {case.data}".encode():
        key = (key * 131 + byte) % (1 << 55)
    return key * 81 + number


def _steps(value: F64, step: float) -> F64:
    return np.asarray(np.rint(value / step) * step, np.float64)


def _held(value: F64, lost: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> F64:
    """The last value that arrived, (tick, pack)."""
    rows = np.where(lost, 0, np.arange(len(value))[:, None])
    return np.ascontiguousarray(np.take_along_axis(value, np.maximum.accumulate(rows, axis=0), axis=0))
