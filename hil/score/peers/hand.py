"""Hand readings to an estimator of another package, in an interpreter of its own, and take its beliefs back.

One process a call: arrays go there and come back as .npz files in a temporary folder (workers/__init__.py says which). The
environment is passed on without PYTHONPATH, so that the interpreter finds its own packages and none of ours.

A peer runs in steps of a second, or of a tick where that is longer: the current is then the mean of the ticks of a step,
voltage and temperature are the last valid ones of it. Between its steps its last belief stands, as it would in a device.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from firmware_sim.types import F64
from hil.calibration import Calibration
from hil.dut.estimator import Readings
from hil.errors import BenchError
from hil.score.peers.peer import Peer
from hil.tables import grid, log_resistance, voltage_curves

_LIMIT_S = 6 * 3600
_X = (-0.2, 0.005, 281)
_SHARE = (0.0, 0.01, 101)
_Z95 = 1.96
_ASK = "import importlib.metadata as m, numpy, sys; import {0}; print(m.version(sys.argv[1]))"


class Answer(NamedTuple):
    """What a peer believed, (tick, pack): SOC relative to 25 degC and the half width of its 95 % band, NaN without one."""

    soc: F64
    band: F64


def version(peer: Peer, python: str) -> str:
    """Version of the package in that interpreter. Raises BenchError when either is missing."""
    return _call(peer, python, ["-c", _ASK.format(peer.package), peer.package]).strip()


def run(
    peer: Peer, python: str, readings: Readings, calibration: Calibration, start_soc: F64 | float,
    start_sigma: float, dt_ns: int,
) -> Answer:  # fmt: skip
    """Beliefs of a peer after each tick about the first cell of each pack.

    python: interpreter that has the package. calibration: whose [model] it believes. start_soc: (pack,) or one for all, and
    start_sigma, its standard deviation. dt_ns: tick of the readings. Raises BenchError when the interpreter or the package
    is missing, or when the peer fails.
    """
    n_ticks, n_packs = readings.current_A.shape
    every = max(round(peer.step_s * 1e9 / dt_ns), 1)
    given = {
        **_steps(readings, every, peer.temp_degC),
        **_tables(calibration),
        "start_soc": np.broadcast_to(np.asarray(start_soc, np.float64), (n_packs,)),
        "start_sigma": np.asarray(start_sigma),
        "dt_s": np.asarray(every * dt_ns * 1e-9),
        **{f"set_{name}": np.asarray(value) for name, value in peer.settings.items()},
    }
    found = _exchange(peer, python, given)
    soc = _held(found["soc"], every, n_ticks, given["start_soc"])
    if "sigma" not in found:
        return Answer(soc, np.full_like(soc, np.nan))
    return Answer(soc, _Z95 * _held(found["sigma"], every, n_ticks, np.full(n_packs, start_sigma)))


def _steps(readings: Readings, every: int, temp_degC: float | None) -> dict[str, F64]:
    """Readings in steps of so many ticks; a rest that fills no step is left out."""
    n = len(readings.current_A) // every
    current_A = readings.current_A[: n * every].reshape(n, every, -1).mean(axis=1)
    fresh = np.asarray(readings.fresh[: n * every, :, 0], bool).reshape(n, every, -1)
    cell_V = readings.cell_V[: n * every, :, 0].reshape(n, every, -1)
    last = every - 1 - np.argmax(fresh[:, ::-1], axis=1)
    volt = np.take_along_axis(cell_V, last[:, None], axis=1)[:, 0]
    told = readings.temp_degC[every - 1 : n * every : every, :, 0]
    return {
        "current_A": current_A,
        "cell_V": np.where(fresh.any(axis=1), volt, np.nan),
        "temp_degC": told if temp_degC is None else np.full_like(told, temp_degC),
    }


def _tables(calibration: Calibration) -> dict[str, F64]:
    """What the BMS believes, laid on grids: see workers/circuit.py."""
    model = calibration.model
    x, share = grid(*_X), grid(*_SHARE)
    mean_V, half_V, dudt = voltage_curves(model.ocv, model.entropy, x)
    ln_ohm, inverse_K = log_resistance(model.resistance, share)
    n = len(model.resistance.temp_degC)
    return {
        "capacity_Ah": np.asarray(model.capacity_Ah),
        "decay_per_soc": np.asarray(model.hysteresis.decay_per_soc),
        "tau_s": np.array([model.resistance.tau1_s, model.resistance.tau2_s]),
        "x": x, "mean_V": mean_V, "half_V": half_V, "dudt": dudt,
        "share": share, "ln_ohm": ln_ohm[: 3 * n].reshape(n, 3, -1), "inverse_K": inverse_K[:n],
        "reach_degC": np.array(model.reach.temp_degC), "reach_share": np.array(model.reach.share),
    }  # fmt: skip


def _exchange(peer: Peer, python: str, given: dict[str, F64]) -> dict[str, F64]:
    """Arrays to the worker and back. Raises BenchError when what comes back is not what was asked for."""
    version(peer, python)
    with tempfile.TemporaryDirectory(prefix="nabench-peer-") as folder:
        there, back = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(there, allow_pickle=False, **given)
        _call(peer, python, ["-m", peer.module, str(there), str(back)])
        if not back.exists():
            raise BenchError(f"{peer.package} in {python}: it ended well and wrote nothing")
        with np.load(back) as held:
            found = {name: np.asarray(held[name], np.float64) for name in held.files}
    shape = given["current_A"].shape
    for name in ("soc", *(("sigma",) if "sigma" in found else ())):
        if name not in found or found[name].shape != shape:
            what = f"of shape {found[name].shape}" if name in found else "missing"
            raise BenchError(f"{peer.package} in {python}: {name} of shape {shape} expected, found {what}")
    return found


def _call(peer: Peer, python: str, arguments: list[str]) -> str:
    """What the interpreter printed. Raises BenchError with its last line when it failed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [python, *arguments]
    try:
        done = subprocess.run(command, cwd=peer.folder, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except OSError as error:
        raise BenchError(f"{python}: no interpreter to run {peer.package} in: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{peer.package} in {python}: not done after {_LIMIT_S} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        hint = f": {python} -m pip install {peer.package}" if "ModuleNotFoundError" in said[0] else ""
        raise BenchError(f"{peer.package} in {python}: {said[0]}{hint}")
    return done.stdout


def _held(found: F64, every: int, n_ticks: int, start: F64) -> F64:
    """(tick, pack) of what was found after each step: the last one stands until the next."""
    steps = np.concatenate([start[None], found])
    return np.asarray(steps[(np.arange(n_ticks) + 1) // every], np.float64)
