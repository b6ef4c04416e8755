"""Noise drawn outside the kernels: one counter-based stream for each (seed, pack, sensor).

The value of a sample depends on its stream and its number alone, not on how many cells, packs or blocks are drawn, nor on
the machine: Philox is integer arithmetic, and the Gaussian is a table of 65536 quantiles (largest 4.3 sigma) whose
numbers are computed with +, *, / and sqrt only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from firmware_sim.types import F64, U16

N_QUANTILES = 65536


def _log(x: F64) -> F64:
    """Natural logarithm from exact frexp and a series of atanh, the same bits everywhere."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = exponent - low
    y = (mantissa - 1.0) / (mantissa + 1.0)
    square = y * y
    total = np.zeros_like(y)
    for k in range(21, 0, -2):
        total = total * square + 1.0 / k
    return exponent * 0.6931471805599453 + 2.0 * y * total


def _ratio(x: F64, top: tuple[float, ...], bottom: tuple[float, ...]) -> F64:
    up, down = np.zeros_like(x), np.zeros_like(x)
    for a in reversed(top):
        up = up * x + a
    for b in reversed(bottom):
        down = down * x + b
    return up / down


@lru_cache(maxsize=1)
def gauss_table() -> F64:
    """(65536,) quantiles of the standard normal distribution at (i + 0.5) / 65536.

    Source: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477; relative error about 1e-16.
    """
    q = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES - 0.5
    central = q * _ratio(
        0.180625 - q * q,
        (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
        (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
         2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
    )  # fmt: skip
    r = np.sqrt(-_log(np.minimum(q + 0.5, 0.5 - q)))
    tail = _ratio(
        r - 1.6,
        (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
         1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
        (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
         1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
    )  # fmt: skip
    return np.where(np.abs(q) <= 0.425, central, np.where(q < 0.0, -tail, tail))


class NoiseStream:
    """Indices into the table of quantiles, in blocks, for all sensors of all packs."""

    def __init__(self, seed: int, n_packs: int, n_sensors: int) -> None:
        self._streams = [
            [np.random.Philox(key=np.array([seed, pack << 32 | sensor], np.uint64)) for sensor in range(n_sensors)]
            for pack in range(n_packs)
        ]

    def block(self, n_ticks: int) -> U16:
        """(n_ticks, n_packs, n_sensors) uint16: the next samples of every stream. n_ticks: a multiple of 4."""
        raw = [[stream.random_raw(n_ticks // 4) for stream in streams] for streams in self._streams]
        return np.ascontiguousarray(np.array(raw).view(np.uint16).transpose(2, 0, 1))


def draws(seed: int, pack: int, label: int, n: int) -> F64:
    """N Gaussian numbers for the spread of a pack's parameters, from a stream that no sensor uses. label: which spread."""
    stream = np.random.Philox(key=np.array([seed, pack << 32 | 1 << 31 | label], np.uint64))
    return gauss_table()[stream.random_raw(-(-n // 4)).view(np.uint16)[:n]]
