"""Random numbers of a simulated case: a counter-based stream for each (seed, kind of case, draw), the same on every machine."""

from __future__ import annotations

import numpy as np

from firmware_sim.types import F64
from hil.noise import N_QUANTILES, gauss_table

_MARK = 1 << 62


class Dice:
    """Numbers for one draw; what is asked for first comes first.

    kind: name of what is drawn, so that two conditions with one seed have nothing in common.  number: of the draw.
    """

    def __init__(self, seed: int, kind: str, number: int) -> None:
        code = 0
        for byte in kind.encode("ascii"):
            code = (code * 131 + byte) % (1 << 30)
        self._stream = np.random.Philox(key=np.array([seed, _MARK | code << 32 | number], np.uint64))

    def gauss(self, n: int = 1, most: float = 2.5) -> F64:
        """N Gaussian numbers of standard deviation 1, none further from 0 than `most`."""
        raw = self._stream.random_raw(n)
        return np.asarray(np.clip(gauss_table()[(raw >> np.uint64(32)) % np.uint64(N_QUANTILES)], -most, most), np.float64)

    def uniform(self, low: float, high: float, n: int = 1) -> F64:
        """N numbers, evenly in low..high."""
        raw = self._stream.random_raw(n) >> np.uint64(11)
        return np.asarray(low + (high - low) * (raw.astype(np.float64) / float(1 << 53)), np.float64)

    def choice(self, options: tuple[float, ...], n: int = 1) -> F64:
        """N of the options, each as likely as the others."""
        return np.asarray(np.array(options)[(self.uniform(0.0, 1.0, n) * len(options)).astype(np.int64)], np.float64)
