"""Run a scenario: load, build, drive the device, judge."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hil import arming, benchfile, calibration, devices, judge, lacks, scenario, setup
from hil.bench import Bench, Progress
from hil.clock import Clock, VirtualClock, WallClock, sharp
from hil.dut import Compiled, Dut, Journaled, Logged, Paced
from hil.errors import LinkLostError, ScenarioError
from hil.io.asking import Person, Turn, question_of
from hil.lacks import Lacks
from hil.record.journal import Journal
from hil.report.environment import versions
from hil.report.record import RunRecord, Speed, fingerprint
from hil.scenario import Inputs
from hil.setup import Setup


@dataclass(frozen=True)
class Options:
    """How to run. calibration, seed: instead of the scenario's.  armed: a real device may be driven.

    bench: a bench file, which says what the device is.  interactive: somebody is there who can be asked.
    journal: where the frames of a device on a real wire are written while it runs; None: nowhere.
    """

    dut: str = "emulator"
    seed: int | None = None
    realtime: bool = False
    calibration: str | None = None
    armed: bool = False
    bench: Path | None = None
    interactive: bool = False
    journal: Path | None = None


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


def unarmed(path: Path, options: Options) -> list[str]:
    """What a run would send to a real device; nothing for a device in lockstep. Raises NabenchError."""
    if options.bench is None and options.dut.partition(":")[0] in devices.IN_LOCKSTEP:
        return []
    built, dut, found = equip(path, options)
    return [] if dut.lockstep else arming.listing(built, dut, found)


def equip(path: Path, options: Options) -> tuple[Setup, Dut, Lacks]:
    """A scenario, its device, and what the bench lacks for it. Nothing is opened yet. Raises ScenarioError."""
    built = prepare(path, options)
    if options.bench is None:
        return built, devices.create(options.dut, built), Lacks()
    bench = benchfile.load(options.bench)
    found = lacks.of(built, bench, interactive=options.interactive)
    kept = {fault.start_ns for fault in built.faults if fault.spec.label not in found.faults}
    built = replace(
        built,
        bench=options.bench,
        resets_ns=tuple(at_ns for at_ns in built.resets_ns if at_ns in kept),
        torn_ns=tuple(at_ns for at_ns in built.torn_ns if at_ns in kept),
    )
    return built, devices.of_bench(built, bench, options.bench), found


def _person(built: Setup, lacking: Lacks, options: Options) -> Person | None:
    """Who is asked for the faults that only a person can make."""
    if options.bench is None or not lacking.asked:
        return None
    rows, turns = benchfile.load(options.bench), []
    for fault in built.faults:
        label, stop_ns = fault.spec.label, fault.stop_ns(built.rig.dt_ns)
        wanted = [q for q in lacks.quantities(built, fault) if rows.feed(q) == "ask"] if label in lacking.asked else []
        for quantity in wanted:
            row = question_of(rows.ask, quantity)
            turns.append(Turn(fault.start_ns, label, row.begin, row.timeout_s))
            if row.end and stop_ns < built.inputs.scenario.duration_s * 1e9:
                turns.append(Turn(stop_ns, label, row.end, row.timeout_s))
    return Person(sorted(turns, key=lambda turn: turn.at_ns))


def run(path: Path, options: Options, progress: Progress | None = None, say: arming.Say | None = None) -> RunRecord:
    """Run one scenario to its end and judge it. say: told what will be sent to a real device.  Raises NabenchError."""
    built, dut, lacking = equip(path, options)
    arming.demand(built, dut, options.armed, say, lacking)
    person = _person(built, lacking, options)
    clock: Clock = WallClock() if options.realtime or not dut.lockstep else VirtualClock()
    bench = Bench(built, dut, clock)
    if person is not None:
        bench.hooks.answered.append(lambda rig: person.tick(rig.t_ns))
    s = built.inputs.scenario
    kept = keep(dut, built, options)
    ended = "interrupted"
    try:
        bench.start()
        cpu, wall = time.process_time(), time.perf_counter()
        lost = _run(bench, s.n_ticks, progress)
        speed = Speed(built.rig.t_ns * 1e-9, time.process_time() - cpu, time.perf_counter() - wall)
        noted = dut.notes() if isinstance(dut, Paced) else None
        built_of = dut.account() if isinstance(dut, Compiled) else None
        ended = "lost link" if lost else "complete"
    finally:
        dut.close()
        if kept is not None:
            kept.close(ended)
            if not kept.acknowledged and not kept.failure:
                kept.path.unlink()
    logs = dut.logs() if isinstance(dut, Logged) else {}
    trace = bench.trace()
    trace.info |= {
        "dut": options.dut if options.bench is None else f"bench:{options.bench.name}",
        "seed": s.seed if options.seed is None else options.seed,
        "clock": "wall" if clock.real else "virtual",
        "inputs": fingerprint(built),
    }
    if built_of is not None:
        trace.info["firmware"] = built_of
    if options.bench is not None:
        if person is not None:
            file = benchfile.load(options.bench)
            lacking = lacks.of(built, file, interactive=True, failed=person.unanswered(), unsure=person.unsure())
        trace.info["bench"] = {"lacks": lacking.as_info()}
    if isinstance(dut, Paced):
        trace.info["link"] = noted
        trace.late_ns = np.maximum(trace.late_ns, np.array(dut.late_ns[: trace.n_ticks], np.int64))
    if trace.n_ticks != s.n_ticks and not lost:
        raise ScenarioError(f"{path}: {trace.n_ticks} of {s.n_ticks} ticks were recorded")
    if kept is not None:
        trace.info["journal"] = kept.notes()
    return RunRecord(built, trace, judge.judge(trace, built), speed, logs, None if kept is None else kept.path)


def keep(dut: Dut, built: Setup, options: Options) -> Journal | None:
    """The journal of a run whose frames cross a real wire; None for others. Raises BenchError."""
    if options.journal is None or not isinstance(dut, Journaled):
        return None
    head = {"dut": options.dut, "scenario": built.inputs.scenario.name, "buses": [b.name for b in built.network.database.buses]}
    journal = Journal(options.journal, {**head, "versions": versions(), "inputs": fingerprint(built)})
    dut.keep(journal)
    return journal


def _run(bench: Bench, n_ticks: int, progress: Progress | None) -> bool:
    """Run to the end, or until the link to the device breaks: True then, and what was recorded is judged."""
    in_wall_time = bench.clock.real and bench.dut.lockstep  # a remote device sees to it by itself
    try:
        with sharp() if in_wall_time else nullcontext():
            bench.run(n_ticks, progress)
    except LinkLostError:
        if bench.rig.k == 0:
            raise
        return True
    return False
