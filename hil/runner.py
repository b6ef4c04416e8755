"""Run a scenario: load, build, drive the device, judge."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hil import calibration, devices, judge, scenario, setup
from hil.bench import Bench, Progress
from hil.clock import Clock, VirtualClock, WallClock
from hil.dut import Compiled, Paced
from hil.errors import LinkLostError, ScenarioError
from hil.report.record import RunRecord, Speed, fingerprint
from hil.scenario import Inputs
from hil.setup import Setup


@dataclass(frozen=True)
class Options:
    """How to run. calibration: instead of the scenario's.  seed: instead of the scenario's."""

    dut: str = "emulator"
    seed: int | None = None
    realtime: bool = False
    calibration: str | None = None


# A trace is held in memory, twice when it is put together; this is 16 h of 16 cells at 10 ms.
_MOST_TRACE_BYTES = 4 << 30


def load(path: Path, options: Options) -> Inputs:
    """A scenario with what the options replace. Raises ScenarioError with all that is wrong, as far as it can be known."""
    try:
        inputs = scenario.load(path)
    except ScenarioError as error:
        raise ScenarioError(*error.problems, *setup.apart(path)) from None
    if options.calibration is not None:
        believed_path, believed = calibration.load(options.calibration)
        changed = inputs.scenario.model_copy(update={"calibration": options.calibration})
        inputs = replace(inputs, scenario=changed, calibration_path=believed_path, calibration=believed)
    return inputs


def prepare(path: Path, options: Options) -> Setup:
    """A scenario, built and found right. Raises ScenarioError."""
    built = setup.build(load(path, options), options.seed)
    s, most = built.inputs.scenario, _MOST_TRACE_BYTES
    size = s.n_ticks * built.trace_bytes()
    if size > most:
        raise ScenarioError(
            f"{path}: duration_s {s.duration_s:g} at tick_ms {s.tick_ms} makes a trace of about {size / 1e9:.0f} GB; "
            f"expected at most {most / 1e9:.0f} GB, {s.duration_s * most / size:.0f} s"
        )
    return built


def run(path: Path, options: Options, progress: Progress | None = None) -> RunRecord:
    """Run one scenario to its end and judge it. Raises NabenchError."""
    built = prepare(path, options)
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
        built_of = dut.account() if isinstance(dut, Compiled) else None
    finally:
        dut.close()
    trace = bench.trace()
    trace.info |= {
        "dut": options.dut,
        "seed": s.seed if options.seed is None else options.seed,
        "clock": "wall" if clock.real else "virtual",
        "inputs": fingerprint(built),
    }
    if built_of is not None:
        trace.info["firmware"] = built_of
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
