"""An estimator of another package in the place of ours: told a start, then run over readings, chunk after chunk.

A peer runs in steps of a second, or of a tick where that is longer. Between its steps its last belief stands, as it would in
a device that runs it once a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from firmware_sim.types import F64
from hil.calibration import Calibration
from hil.dut.estimator import Beliefs, Readings
from hil.errors import BenchError
from hil.score.peers import given
from hil.score.peers.peer import PEERS, Peer
from hil.score.peers.process import Worker

_Z95 = 1.96
_UNKNOWN_SIGMA = 0.05

Other = TypeVar("Other")


class PeerDevice:
    """One peer for n packs, whose first cell it looks at."""

    def __init__(self, peer: Peer, python: str, calibration: Calibration, n_packs: int, dt_ns: int) -> None:
        """python: interpreter that has the package. calibration: whose [model] it believes. dt_ns: tick of the readings."""
        self.peer, self.python, self.n_packs = peer, python, n_packs
        self.every = max(round(peer.step_s * 1e9 / dt_ns), 1)
        self.given = given.tables(calibration.model)
        self.given["dt_s"] = np.asarray(self.every * dt_ns * 1e-9)
        self.given |= {f"set_{name}": np.asarray(value) for name, value in peer.settings.items()}
        self.told: tuple[F64 | float | None, float] = (None, _UNKNOWN_SIGMA)
        self.worker: Worker | None = None
        self.partial = False
        self.soc, self.sigma = np.zeros(n_packs), np.zeros(n_packs)

    def start(self, soc: F64 | float | None, sigma: float) -> None:
        """SOC before the first tick, for all packs or each, None: from the first voltage; its standard deviation."""
        self.told = (soc, sigma)

    def run(self, readings: Readings, every: int = 1) -> Beliefs:
        """Go on by the ticks of the readings: what is believed after each `every` of them.

        Chunks are of whole steps but for the last. Raises BenchError when the interpreter, the package or the peer fails.
        """
        if self.partial:
            raise BenchError(f"{self.peer.package}: a chunk of readings ended inside a step of {self.peer.step_s:g} s")
        n_ticks = len(readings.current_A)
        self.partial = n_ticks % self.every != 0
        steps = given.steps(readings, self.every, self.peer.temp_degC)
        if self.worker is None:
            self.worker = self._begin(readings, steps)
        found = self.worker.ask(steps)
        for name in ("soc", "sigma"):
            shape = found[name].shape if name in found else None
            if shape != steps["current_A"].shape:
                raise BenchError(f"{self.worker.name}: {name} of shape {steps['current_A'].shape} expected, found {shape}")
        at = (np.arange(every - 1, n_ticks, every) + 1) // self.every
        soc, sigma = (np.concatenate([a[None], b]) for a, b in ((self.soc, found["soc"]), (self.sigma, found["sigma"])))
        self.soc, self.sigma = soc[-1], sigma[-1]
        return self._beliefs(soc[at], sigma[at], readings.temp_degC[every - 1 :: every, :, 0])

    def _begin(self, readings: Readings, steps: dict[str, F64]) -> Worker:
        soc, sigma = self.told
        known = given.soc_at(readings.cell_V[0, :, 0], self.given) if soc is None else soc
        self.soc = np.broadcast_to(np.asarray(known, np.float64), (self.n_packs,)).copy()
        self.sigma = np.full(self.n_packs, sigma)
        start = {"start_soc": self.soc, "start_sigma": np.asarray(sigma), "start_degC": steps["temp_degC"][0]}
        return Worker(self.peer, self.python, {**self.given, **start})

    def _beliefs(self, soc: F64, sigma: F64, temp_degC: F64) -> Beliefs:
        told_degC = temp_degC if self.peer.temp_degC is None else np.full_like(temp_degC, self.peer.temp_degC)
        reach = given.reach(told_degC, self.given)
        available = np.clip((soc - 1.0 + reach) / reach, 0.0, 1.0)
        unknown = np.full_like(soc, np.nan)
        rows = (np.clip(soc, 0.0, 1.0), available, _Z95 * sigma, unknown, unknown, unknown, unknown)
        return Beliefs(*(row[:, :, None] for row in rows))


Make = Callable[[Calibration, int, str, int], Other]


def maker(pythons: Mapping[str, str], otherwise: Make[Other]) -> Make[Other | PeerDevice]:
    """Devices by method: a peer for the names in pythons (name of a peer to its interpreter), else what `otherwise` makes."""

    def make(beliefs: Calibration, n_packs: int, method: str, dt_ns: int) -> Other | PeerDevice:
        """A peer where the method is one that has an interpreter. dt_ns: tick."""
        if method in pythons:
            return PeerDevice(PEERS[method], pythons[method], beliefs, n_packs, dt_ns)
        return otherwise(beliefs, n_packs, method, dt_ns)

    return make


def run(
    peer: Peer, python: str, readings: Readings, calibration: Calibration, start_soc: F64 | float | None,
    start_sigma: float = _UNKNOWN_SIGMA, dt_ns: int = 1_000_000_000,
) -> F64:  # fmt: skip
    """(tick, pack) SOC that a peer believes after each tick."""
    device = PeerDevice(peer, python, calibration, readings.current_A.shape[1], dt_ns)
    device.start(start_soc, start_sigma)
    return device.run(readings).soc[:, :, 0]
