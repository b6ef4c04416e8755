"""All speed figures of one call of `nabench bench`, as one dictionary."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil import __version__
from hil.errors import BenchError
from hil.rig import CHUNK
from hil.speed import case, codec, hops, methods, start
from hil.speed.case import Gear, Variant
from hil.speed.rounds import Ratio, Tell, interleave

GEARS = ("staged", "fused")
_SOC_TOLERANCE = 1e-9
_RUN_STATE = 3


@dataclass(frozen=True)
class Plan:
    """How much is measured. ticks: of each round, whole chunks; slow: baseline, codec and bus.

    check_ticks: run by baseline and emulator before the clock starts, and compared.
    """

    cells: tuple[int, ...] = case.SIZES
    rounds: int = 15
    ticks: int = 2000
    slow_ticks: int = 200
    check_ticks: int = 2000
    hop_samples: int = 7
    interpreted_ticks: int = 300
    starts: int = 5
    with_cold_start: bool = True


QUICK = Plan(
    rounds=3, ticks=800, slow_ticks=100, check_ticks=400, hop_samples=3, interpreted_ticks=100, starts=1, with_cold_start=False
)


def measure(plan: Plan, tell: Tell) -> dict[str, Any]:
    """Measure everything. tell: told what is under way. Raises BenchError when two variants do not agree."""
    out: dict[str, Any] = {
        "ratio_vs_baseline": {gear: {} for gear in GEARS},
        "ratio_vs_codec_and_bus": {gear: {} for gear in GEARS},
        "x_real_time": {gear: {} for gear in GEARS},
        "quartiles": {},
        "tick_us": {},
        "frames_per_tick": {},
        "soc_difference": {},
        "hops_us": {},
        "machine": machine(),
        "plan": {**vars(plan), "cells": list(plan.cells)},
    }
    for n_cells in plan.cells:
        _size(n_cells, plan, out, tell)
    tell("codec in bulk")
    out["codec_bulk"] = codec.measure(plan.rounds)
    out["methods"] = methods.measure(plan.rounds, tell)
    tell("interpreted gear")
    out["interpreted"] = start.interpreted(str(plan.cells[0]), plan.interpreted_ticks)
    out["interpreted"]["x_real_time"] = round(_DT_S / out["interpreted"].pop("tick_s"), 1)
    out["state_hashes"] = state_hashes(plan.cells[0], plan.interpreted_ticks)
    out["state_hashes"]["interpreted"] = out["interpreted"].pop("state_hash")
    if len(set(out["state_hashes"].values())) != 1:
        raise BenchError(f"the gears end in different states: {out['state_hashes']}")
    tell("imports and warm start")
    out["imports_s"] = start.imports(plan.starts)
    out["warm_start"] = start.warm_run()
    if plan.with_cold_start:
        tell("cold start: compiling into an empty cache")
    out["cold_start"] = start.cold() if plan.with_cold_start else None
    return out


_DT_S = 0.01


def _size(n_cells: int, plan: Plan, out: dict[str, Any], tell: Tell) -> None:
    """Everything that is measured for a pack of n_cells."""
    staged, fused = (Gear(case.switched_on(n_cells), fused=gear == "fused") for gear in GEARS)
    baseline = case.benchmark("baseline").Baseline(case.build(n_cells), staged.bench.setup.inputs.scenario.seed)
    key = str(n_cells)
    try:
        tell(f"{n_cells} cells: comparing SOC with the baseline's")
        out["soc_difference"][key] = agree(staged, baseline, plan.check_ticks)
        fused.run(plan.check_ticks)
        rig = staged.bench.rig
        bare = case.benchmark("codec_and_bus").CodecAndBus(rig.network, rig.image, staged.emulator.image, rig.dt_ns)
        out["frames_per_tick"][key] = bare.n_frames
        variants: dict[str, tuple[Variant, int]] = {
            "staged": (staged, plan.ticks),
            "baseline": (baseline, plan.slow_ticks),
            "fused": (fused, plan.ticks),
            "codec_and_bus": (bare, plan.slow_ticks),
        }
        for variant, _ in variants.values():
            variant.forget()
        _enter(out, key, interleave(variants, plan.rounds, lambda text: tell(f"{n_cells} cells: {text}")))
        bare.close()
        tell(f"{n_cells} cells: hops")
        one, compiled = hops.staged(n_cells, plan.hop_samples)
        out["hops_us"][key] = {
            "staged": _micro(one),
            "compiled": _micro(compiled),
            "baseline": _micro(hops.of_baseline(baseline, plan.hop_samples)),
        }
    finally:
        baseline.close()


def agree(staged: Gear, baseline: Any, n_ticks: int) -> float:
    """Run both; the largest difference of any cell's SOC seen at the end of any chunk. Raises BenchError above 1e-9."""
    worst = 0.0
    for _ in range(-(-n_ticks // CHUNK)):
        staged.run(CHUNK)
        staged.forget()
        baseline.run(CHUNK)
        baseline.forget()
        worst = max(worst, float(np.abs(case.benchmark("baseline").soc_of(staged.emulator) - baseline.soc).max()))
    if not worst <= _SOC_TOLERANCE:
        raise BenchError(f"the baseline's SOC differs from the emulator's by {worst:.2g}; expected at most {_SOC_TOLERANCE:g}")
    if baseline.state != _RUN_STATE:
        raise BenchError(f"the baseline is in state {baseline.state} after {n_ticks} ticks; expected {_RUN_STATE} (run)")
    return worst


def _enter(out: dict[str, Any], key: str, seconds: dict[str, F64]) -> None:
    """Turn CPU seconds of a tick into figures."""
    out["tick_us"][key] = _micro({name: float(np.median(values)) for name, values in seconds.items()})
    quartiles = {}
    for gear in GEARS:
        out["x_real_time"][gear][key] = round(float(np.median(_DT_S / seconds[gear])), 1)
        for denominator in ("baseline", "codec_and_bus"):
            ratio = Ratio.of(seconds[denominator] / seconds[gear])
            out[f"ratio_vs_{denominator}"][gear][key] = round(ratio.median, 1)
            quartiles[f"{gear} vs {denominator}"] = [round(ratio.low, 1), round(ratio.high, 1)]
    out["quartiles"][key] = quartiles


def _micro(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value * 1e6, 3) for name, value in seconds.items()}


def state_hashes(n_cells: int, n_ticks: int) -> dict[str, str]:
    """Hash of the state after n_ticks, staged and fused."""
    staged, fused = case.switched_on(n_cells), case.switched_on(n_cells)
    staged.run(n_ticks)
    fused.run_fused(n_ticks)
    return {"staged": case.state_hash(staged), "fused": case.state_hash(fused)}


def machine() -> dict[str, Any]:
    """What this was measured on."""
    return {
        "nabench": __version__,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": load_average(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "numba", "cantools", "python-can", "autosar-e2e")},
    }


def load_average() -> float | None:
    """Of the last minute; None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    """Name of the processor as Linux gives it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
