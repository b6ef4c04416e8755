"""Run a scenario: load, build, drive the device, judge."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hil import calibration, devices, judge, scenario, setup
from hil.bench import Bench, Progress
from hil.clock import Clock, VirtualClock, WallClock
from hil.dut import Paced
from hil.errors import LinkLostError, ScenarioError
from hil.report.record import RunRecord, Speed, fingerprint
from hil.scenario import Inputs


@dataclass(frozen=True)
class Options:
    """How to run. calibration: instead of the scenario's.  seed: instead of the scenario's."""

    dut: str = "emulator"
    seed: int | None = None
    realtime: bool = False
    calibration: str | None = None


def load(path: Path, options: Options) -> Inputs:
    """A scenario with what the options replace."""
    inputs = scenario.load(path)
    if options.calibration is not None:
        believed_path, believed = calibration.load(options.calibration, Path.cwd() / "command line")
        changed = inputs.scenario.model_copy(update={"calibration": options.calibration})
        inputs = replace(inputs, scenario=changed, calibration_path=believed_path, calibration=believed)
    return inputs


def run(path: Path, options: Options, progress: Progress | None = None) -> RunRecord:
    """Run one scenario to its end and judge it. Raises NabenchError."""
    built = setup.build(load(path, options), options.seed)
    dut = devices.create(options.dut, built)
    clock: Clock = WallClock() if options.realtime or not dut.lockstep else VirtualClock()
    bench = Bench(built, dut, clock)
    s = built.inputs.scenario
    try:
        bench.start()
        cpu, wall = time.process_time(), time.perf_counter()
        lost = _run(bench, s.n_ticks, progress)
        speed = Speed(built.rig.t_ns * 1e-9, time.process_time() - cpu, time.perf_counter() - wall)
        noted = dut.notes() if isinstance(dut, Paced) else None
    finally:
        dut.close()
    trace = bench.trace()
    trace.info = {
        "dut": options.dut,
        "seed": s.seed if options.seed is None else options.seed,
        "clock": "wall" if clock.real else "virtual",
        "inputs": fingerprint(built),
    }
    if isinstance(dut, Paced):
        trace.info["link"] = noted
        trace.late_ns = np.maximum(trace.late_ns, np.array(dut.late_ns[: trace.n_ticks], np.int64))
    if trace.n_ticks != s.n_ticks and not lost:
        raise ScenarioError(f"{path}: {trace.n_ticks} of {s.n_ticks} ticks were recorded")
    return RunRecord(built, trace, judge.judge(trace, built), speed)


def _run(bench: Bench, n_ticks: int, progress: Progress | None) -> bool:
    """Run to the end, or until the link to the device breaks: True then, and what was recorded is judged."""
    try:
        bench.run(n_ticks, progress)
    except LinkLostError:
        if bench.rig.k == 0:
            raise
        return True
    return False
