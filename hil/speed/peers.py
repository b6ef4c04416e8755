"""The plant alone beside other solvers of the same circuit: speed and difference, as one dictionary.

Stepped: each solver moves in steps of 10 ms, and each step's current is a power over the voltage at the end of the last, so
nobody can look ahead. That is what a bench needs. An hour: one current and nobody looks between, so that a solver may choose
its own steps. That is what such solvers are made for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

from firmware_sim.types import F64, MS_NS
from hil.speed.alone import Alone
from hil.speed.measure import machine
from hil.speed.peer_cells import PACKAGES, STEP_S, Circuit, PyBaMM, Thevenin, need
from hil.speed.rounds import Ratio, Tell, cpu_s, interleave

OURS = ("compiled", "from Python")
HOUR_TICKS_MS = (10, 1000)
_POWER_W = 1.0  # of each cell
_HOUR_A = 0.4
_HOUR_S = 3600
# Current of each second while solvers are compared [A]; PyBaMM's model has no hysteresis, so it is never charged.
_DISCHARGES = (0.5, 1.5, 0.0, 4.5, 1.0, 0.2)
_BOTH_WAYS = (0.5, 1.5, -1.0, 4.5, 0.0, -1.5)


class Peer(Protocol):
    """A cell in another solver."""

    voltage_V: float

    def step(self, current_A: float) -> float:
        """One step of 10 ms; the voltage at its end [V]."""

    def hour(self, current_A: float) -> Callable[[], float]:
        """An hour at one current, ready to run; it gives the voltage at its end [V]."""


Solvers = dict[str, Callable[[Circuit], Peer]]
SOLVERS: Solvers = {"thevenin": Thevenin, "pybamm": PyBaMM}


@dataclass(frozen=True)
class Plan:
    """How much is measured. ticks: of each round; slow_ticks: those that Python steps; check_s: compared before."""

    cells: tuple[int, ...] = (1, 16, 96, 192)
    rounds: int = 15
    ticks: int = 20_000
    slow_ticks: int = 100
    check_s: int = 60


QUICK = Plan(rounds=3, ticks=5000, slow_ticks=50, check_s=6)


class _Compiled:
    """The plant in one compiled loop, as the fused gear runs it."""

    def __init__(self, alone: Alone, n_cells: int) -> None:
        self.alone, self.power_W = alone, _POWER_W * n_cells

    def run(self, n_ticks: int) -> None:
        """Ticks of one constant power [W] of all cells."""
        self.alone.run(n_ticks, power_W=self.power_W)

    def forget(self) -> None:
        """Charge the cells again, so that many rounds do not empty them."""
        self.alone.rewind()

    def close(self) -> None:
        """Nothing is open."""


class _Stepped:
    """A solver that is stepped from Python."""

    def __init__(self, solver: Peer | Alone, n_cells: int = 1) -> None:
        self.solver, self.power_W = solver, _POWER_W * n_cells

    def run(self, n_ticks: int) -> None:
        """Steps at one constant power [W], as a current at the voltage of the step before."""
        solver = self.solver
        for _ in range(n_ticks):
            solver.step(self.power_W / solver.voltage_V)

    def forget(self) -> None:
        """Nothing: the few ticks of a round hardly discharge a cell."""

    def close(self) -> None:
        """Nothing is open."""


def measure(plan: Plan, tell: Tell, solvers: Solvers = SOLVERS) -> dict[str, Any]:
    """Measure everything. tell: told what is under way. Raises BenchError when a package is not installed."""
    if solvers is SOLVERS:
        need()
    circuit = Circuit()
    out: dict[str, Any] = {"machine": machine(), "plan": {**vars(plan), "cells": list(plan.cells)}}
    if solvers is SOLVERS:
        out["machine"].update({name: version(name) for name in PACKAGES})
    tell("comparing voltages")
    out["difference_mV"] = differences(circuit, plan.check_s, solvers)
    out.update(_stepped(circuit, plan, tell, solvers))
    tell("an hour at one current")
    out["hour"] = _hour(circuit, plan.rounds, solvers)
    return out


def differences(circuit: Circuit, check_s: int, solvers: Solvers) -> dict[str, float]:
    """Largest difference of terminal voltage between the plant and each solver in steps of 10 ms [mV]."""
    per_s = round(1.0 / STEP_S)
    out = {}
    for name, make in solvers.items():
        currents = _DISCHARGES if name == "pybamm" else _BOTH_WAYS
        amps = np.repeat(np.resize(currents, check_s), per_s).tolist()
        ours, theirs = circuit.plant(), make(circuit)
        out[name] = round(1e3 * max(abs(ours.step(current_A) - theirs.step(current_A)) for current_A in amps), 4)
    return out


def _stepped(circuit: Circuit, plan: Plan, tell: Tell, solvers: Solvers) -> dict[str, Any]:
    """Speed in closed loop at 10 ms: gear, then cells."""
    variants: dict[str, tuple[_Compiled | _Stepped, int]] = {
        name: (_Stepped(make(circuit)), plan.slow_ticks) for name, make in solvers.items()
    }
    for n in plan.cells:
        variants[f"compiled {n}"] = _Compiled(circuit.plant(n), n), plan.ticks
        variants[f"from Python {n}"] = _Stepped(circuit.plant(n), n), plan.slow_ticks
    for variant, _ in variants.values():
        variant.run(10)
    taken_s = interleave({**variants}, plan.rounds, tell)
    gears = {**dict.fromkeys(solvers, (1,)), **dict.fromkeys(OURS, plan.cells)}
    out: dict[str, Any] = {"tick_us": {}, "cell_s_per_cpu_s": {}, "quartiles": {}}
    for gear, sizes in gears.items():
        ticks_s = {n: taken_s[gear if gear in solvers else f"{gear} {n}"] for n in sizes}
        out["tick_us"][gear] = {str(n): round(1e6 * float(np.median(s)), 3) for n, s in ticks_s.items()}
        out["cell_s_per_cpu_s"][gear] = {str(n): round(n * STEP_S / float(np.median(s)), 1) for n, s in ticks_s.items()}
    for name in solvers:
        ratios = {(gear, n): _ratio(taken_s[name], taken_s[f"{gear} {n}"], n) for gear in OURS for n in plan.cells}
        out[f"ratio_vs_{name}"] = {gear: {str(n): round(ratios[gear, n].median, 1) for n in plan.cells} for gear in OURS}
        for (gear, n), ratio in ratios.items():
            out["quartiles"].setdefault(str(n), {})[f"{gear} vs {name}"] = [round(ratio.low, 1), round(ratio.high, 1)]
    return out


def _ratio(theirs_s: F64, ours_s: F64, n_cells: int) -> Ratio:
    """Of simulated cell-seconds per CPU-second."""
    return Ratio.of(n_cells * theirs_s / ours_s)


def _hour(circuit: Circuit, n_rounds: int, solvers: Solvers) -> dict[str, dict[str, float]]:
    """An hour of one cell at one current; building the other solvers' models is not part of the time."""
    calls: dict[str, Callable[[], float]] = {f"compiled, {ms} ms ticks": _our_hour(circuit, ms) for ms in HOUR_TICKS_MS}
    calls.update({name: make(circuit).hour(_HOUR_A) for name, make in solvers.items()})
    taken_s, end_V = {name: np.zeros(n_rounds) for name in calls}, {name: call() for name, call in calls.items()}
    for n in range(n_rounds):
        for name, call in calls.items():
            taken_s[name][n] = cpu_s(call)
    return {
        name: {
            "cpu_ms": round(1e3 * float(np.median(s)), 3),
            "cell_s_per_cpu_s": round(_HOUR_S / float(np.median(s))),
            "end_V": round(end_V[name], 6),
        }
        for name, s in taken_s.items()
    }


def _our_hour(circuit: Circuit, tick_ms: int) -> Callable[[], float]:
    """An hour of the plant, ready to run; it gives the voltage at its end [V]."""
    alone = circuit.plant(dt_ns=tick_ms * MS_NS)

    def run() -> float:
        """The hour; the voltage at its end [V]."""
        alone.rewind()
        alone.run(_HOUR_S * 1000 // tick_ms, current_A=_HOUR_A)
        return alone.voltage_V

    return run
