"""Choose a peer's noise figures on the runs of Hakadi cell 1, to which the tables of the calibration were fitted.

    python tools/peer_tune.py filterpy-ekf /path/to/its/python noise_V=0.03,0.1,0.3 soc_per_sqrt_s=1e-6,1e-5

Every setting of the grid, the rest as hil/score/peers/peer.py has it, runs over a whole cycle of each run, with four balanced
combinations of sensor errors and the right start; over its discharge from full, told 80 %; and over its second half, told 20 %
too little and too much. Three figures, each the RMSE over all runs: discharge, recharge, and what follows 20 minutes after a
wrong start. The least root mean square of the three wins. No judged run is read. runs=1c-1-1 takes one run instead of all five,
which take an hour.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import numpy as np

from firmware_sim.types import F64
from hil import calibration
from hil.dut.estimator import Readings
from hil.score import peers, recorded
from hil.score.case import Case
from hil.score.inject import clean, inject

SIGNS = ((1, 1, 1, 1), (-1, -1, -1, -1), (1, -1, 1, -1), (-1, 1, -1, 1))
WRONG_SIGMA = 0.2
AFTER_S = 1200


def cases(only: tuple[str, ...]) -> list[tuple[Case, Case]]:
    """Discharge, and the same with its recharge, of the fitted runs."""
    of = recorded.sets()[0]
    return [(recorded.case(of, name, "discharge"), recorded.case(of, name, "recharge")) for name in only or of.fitted]


def errors(peer: peers.Peer, python: str, runs: list[tuple[Case, Case]]) -> F64:
    """RMSE of discharge, recharge and wrong start."""
    found: list[list[F64]] = [[], [], []]
    for down, cycle in runs:
        beliefs = calibration.load(cycle.calibration)[1]
        soc = peers.run(peer, python, inject(cycle, SIGNS, 1), beliefs, cycle.start_soc, cycle.start_sigma, cycle.dt_ns)
        n = len(down.reference)
        found[0].append(soc[:n] - down.reference[:, None])
        found[1].append((soc - cycle.reference[:, None])[np.isfinite(cycle.reference)])
        for first, offsets in ((0, (-0.2,)), (n // 2, (-0.2, 0.2))):
            told = down.reference[first] + np.array(offsets)
            soc = peers.run(peer, python, part(clean(down), first, len(told)), beliefs, told, WRONG_SIGMA, down.dt_ns)
            found[2].append((soc - down.reference[first:, None])[AFTER_S:])
    return np.array([np.sqrt(np.mean(np.concatenate([e.ravel() for e in errors_of]) ** 2)) for errors_of in found])


def part(readings: Readings, first: int, n_packs: int) -> Readings:
    """Readings from a tick on, the same for so many packs."""
    arrays = (readings.current_A, readings.cell_V, readings.temp_degC, readings.fresh)
    return Readings(*(np.repeat(array[first:], n_packs, axis=1) for array in arrays))


def main() -> None:
    """Print every setting with its errors, the best last."""
    name, python, *rest = sys.argv[1:]
    given = {key: values.split(",") for key, values in (word.split("=") for word in rest)}
    only = tuple(given.pop("runs", ()))
    grid = {key: [float(value) for value in values] for key, values in given.items()}
    runs = cases(only)
    table = []
    for values in itertools.product(*grid.values()):
        settings = {**peers.PEERS[name].settings, **dict(zip(grid, values, strict=True))}
        found = errors(replace(peers.PEERS[name], settings=settings), python, runs)
        table.append((float(np.sqrt(np.mean(found**2))), settings, found))
        print(f"{100 * table[-1][0]:6.3f} %", np.round(100 * found, 3), settings, flush=True)
    whole, settings, found = min(table, key=lambda row: row[0])
    print(f"best: {100 * whole:.3f} %", np.round(100 * found, 3), settings)


if __name__ == "__main__":
    main()
