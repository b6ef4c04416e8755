"""Fit the NVPF / hard-carbon cell to the digitised curves in tests/data/nvpf-chayambuka.

    python tools/fit_nvpf.py            write hil/plant/cells/nvpf-hc.toml and the figures in docs/accuracy.md
    python tools/fit_nvpf.py --check    fit again and compare with both

Open-circuit voltage: the C/20 curve plus the small drop that the circuit itself has at C/20. Resistance over SOC, time
constants and rate law: the 0.1C, 0.6C and 1.4C curves. How and what is assumed is told in docs/cells/nvpf-hc.md.
"""

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from accuracy_page import compare, put, rms_mV
from nfm_model import F64, KELVIN, ROOM_DEGC, ROOT, Bench, Cell, Rate, Slow, hat
from nfm_text import differences
from nvpf_text import cell_text
from scipy.optimize import least_squares, lsq_linear

DATA = ROOT / "tests" / "data" / "nvpf-chayambuka"
CELL_FILE = ROOT / "hil" / "plant" / "cells" / "nvpf-hc.toml"
FILES = {0.05: "voltage_005C", 0.1: "V_01C", 0.6: "V_06C", 1.4: "V_14C"}
FITTED = (0.1, 0.6, 1.4)
# The lab cell gives 2.83 mAh from 4.2 to 2.0 V at C/20; its makers call 3 mAh and 3 mA 1C.
LAB_AH, LAB_1C_A = 2.83e-3, 3e-3
CAPACITY_AH = 0.7
# fmt: off
OCV_SOC = np.array([
    0, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.25, 0.3, 0.35, 0.4, 0.42, 0.44, 0.46, 0.48, 0.5, 0.52,
    0.54, 0.57, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0,
])
R_SOC = np.array([0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.44, 0.48, 0.52, 0.56, 0.6, 0.7, 0.8, 0.9, 1.0])
# fmt: on
EMPTY_V, FULL_V = 2.0, 4.2
LEAST_SLOPE_V = 0.04  # per unit SOC, where digitising hides the slope
LOOP_V = 0.010
# Near empty and at the step a resistance that fits 1.4C stands for charge that is not reached there; C/20 does reach it.
LARGEST_DROP_V = 0.020
SMOOTH_V = 2e-3
TAU1_S, STEP_S = 5.0, 10.0
# Activation energy of resistance and its rows: assumption.
TEMPS_DEGC, ACTIVATION_KJ_PER_MOL = np.array([-20.0, 0.0, 25.0, 45.0]), 35.0
NEVER_SLOW = Slow(1e-6, 2000.0)


def curve(c_rate: float) -> tuple[F64, F64]:
    """SOC and voltage of a digitised curve, sorted by charge."""
    points = np.loadtxt(DATA / f"Chayambuka_{FILES[c_rate]}.csv", delimiter=",")
    points = points[np.argsort(points[:, 0], kind="stable")]
    return 1.0 - points[:, 0] * 1e-3 / LAB_AH, points[:, 1]


def current_A(c_rate: float) -> float:
    """Current of the scaled cell at a C rate of the lab cell."""
    return c_rate * LAB_1C_A * CAPACITY_AH / LAB_AH


def rising_curve(x: F64, cell_V: F64) -> F64:
    """Voltage over OCV_SOC: least squares with a least slope; the ends are the cut-off voltages of the published cell."""
    rows, wanted = (
        np.vstack([hat(x, OCV_SOC), 9.0 * hat(np.array([0.0, 1.0]), OCV_SOC)]),
        np.append(cell_V, [9.0 * EMPTY_V, 9.0 * FULL_V]),
    )
    sums = np.tril(np.ones((len(OCV_SOC), len(OCV_SOC))))
    low = np.append(0.0, LEAST_SLOPE_V * np.diff(OCV_SOC))
    bends = np.diff(np.diff(np.eye(len(OCV_SOC)), axis=0) / np.diff(OCV_SOC)[:, None], axis=0) * 1e-3
    found = lsq_linear(
        np.vstack([rows, bends]) @ sums, np.append(wanted, np.zeros(len(bends))), (low, np.full(len(low), np.inf))
    )
    return np.asarray(sums @ found.x)


@dataclass(frozen=True)
class Circuit:
    """What is fitted: ln of fast (R0 + R1) and slow (R2) resistance over R_SOC, and the laws."""

    ln_fast: F64
    ln_slow: F64
    tau2_s: float
    slow: Slow
    i0_A: float


def cell_of(discharge_V: F64, c: Circuit) -> Cell:
    """The parameter set at 25 degC; half of the fast resistance is R0."""
    row = np.stack([c.ln_fast - math.log(2.0), c.ln_fast - math.log(2.0), c.ln_slow])
    return Cell(
        capacity_Ah=CAPACITY_AH,
        soc=OCV_SOC,
        discharge_V=discharge_V,
        charge_V=discharge_V + LOOP_V,
        below_V_per_soc=30.0,
        above_V_per_soc=4.0,
        entropy_soc=np.array([0.0, 0.45, 0.52, 0.6, 0.75, 1.0]),
        dudt_V_per_K=np.array([-0.2, -0.2, -0.11, -0.11, -0.2, -0.2]) * 1e-3,
        r_degC=np.array([0.0, ROOM_DEGC]),
        ln_r=np.array([row, row]),
        tau1_s=TAU1_S,
        tau2_s=c.tau2_s,
        reach_degC=np.array([ROOM_DEGC]),
        reach=np.array([1.0]),
        coolant_W_per_K=5.0,  # the lab cell does not warm
        rate=Rate(np.array([ROOM_DEGC]), np.array([c.i0_A]), 0.5, current_A(1.0)),
        slow=c.slow,
        r_soc=R_SOC,
    )


def simulate(cell: Cell, c_rate: float, step_s: float = STEP_S) -> tuple[F64, F64]:
    """SOC and voltage of a constant-current discharge from full, to just below the last point of the curve."""
    amp = current_A(c_rate)
    steps = math.ceil((1.0 - float(curve(c_rate)[0].min())) * CAPACITY_AH * 3600.0 / amp / step_s) + 1
    state = cell.full()
    state[3] = -1.0  # one branch was measured: the loop is left out
    out_V = Bench(cell).run(cell.parameters(ROOM_DEGC), state, np.full(steps, amp), step_s, floor_V=-1e9)
    return 1.0 - amp * step_s / 3600.0 / CAPACITY_AH * np.arange(1, steps + 1), out_V


def errors_V(cell: Cell, c_rate: float, step_s: float = STEP_S) -> F64:
    """Error [V] at the points of a curve."""
    x, cell_V = curve(c_rate)
    at, simulated_V = simulate(cell, c_rate, step_s)
    return np.asarray(np.interp(-x, -at, simulated_V) - cell_V)


def fit_circuit(discharge_V: F64, c_rates: Sequence[float], third: bool, start: F64 | None = None) -> tuple[Circuit, F64]:
    """Resistances and laws from some curves, each of equal weight, and the unknowns; without `third` no third pair."""
    n, step = len(R_SOC), np.diff(R_SOC)

    def circuit(theta: F64) -> Circuit:
        tau2_s, share, tau3_s, i0_A = np.exp(theta[2 * n :]).tolist()
        return Circuit(theta[:n], theta[n : 2 * n], tau2_s, Slow(share, tau3_s) if third else NEVER_SLOW, i0_A)

    middle = np.log([300.0, 0.5, 2000.0, current_A(1.0)])

    def residuals(theta: F64) -> F64:
        cell = cell_of(discharge_V, circuit(theta))
        parts = [errors_V(cell, c_rate) for c_rate in c_rates]
        smooth = np.diff(theta[: 2 * n].reshape(2, n), axis=1) / np.sqrt(step) * SMOOTH_V
        laws = (theta[2 * n :] - middle) / np.array([0.7, 0.7, 0.5, 0.7]) * 3e-3
        return np.concatenate([*(part / math.sqrt(len(part)) for part in parts), smooth.ravel(), laws])

    if start is None:
        start = np.concatenate([np.full(2 * n, math.log(150.0 * LAB_AH / CAPACITY_AH)), middle])
    low, high = np.full(len(start), -8.0), np.full(len(start), 10.0)
    theta = least_squares(residuals, start, bounds=(low, high), ftol=1e-4, xtol=1e-4, max_nfev=40).x
    return circuit(theta), theta


def fit(c_rates: Sequence[float] = FITTED, third: bool = True) -> Cell:
    """The cell at 25 degC: the open-circuit curve is moved by the circuit's own drop at C/20, then fitted again."""
    x, cell_V = curve(0.05)
    discharge_V = rising_curve(x, cell_V)
    theta = None
    for _ in range(3):
        circuit, theta = fit_circuit(discharge_V, c_rates, third, theta)
        cell = cell_of(discharge_V, circuit)
        at, simulated_V = simulate(cell, 0.05)
        drop_V = np.interp(-x, -at, np.interp(at, OCV_SOC, discharge_V) - simulated_V)
        discharge_V = rising_curve(x, cell_V + np.clip(drop_V, 0.0, LARGEST_DROP_V))
    return replace(cell, discharge_V=discharge_V, charge_V=discharge_V + LOOP_V)


def with_temperatures(cell: Cell) -> Cell:
    """The cell with rows for other temperatures, by one Arrhenius factor, and reach: assumptions."""
    per_K = ACTIVATION_KJ_PER_MOL / 8.314462618e-3
    factor = per_K * (1.0 / (TEMPS_DEGC + KELVIN) - 1.0 / (ROOM_DEGC + KELVIN))
    return replace(
        cell,
        r_degC=TEMPS_DEGC,
        ln_r=cell.ln_r[:1] + factor[:, None, None],
        reach_degC=np.array([-20.0, 0.0, ROOM_DEGC]),
        reach=np.array([0.75, 0.92, 1.0]),
        coolant_W_per_K=0.1,
    )


def summary(cell: Cell) -> list[str]:
    """Asked and reached, with the fits that are shown beside."""
    two, left_out = fit(third=False), fit((0.1, 1.4))
    lines = ["| curve | two RC pairs, in sample mV | third pair, in sample mV | 0.6C left out mV |", "|---|---|---|---|"]
    lines.append("| asked | <= 60 | <= 45 | shown |")
    for c_rate in (0.05, *FITTED):
        mine = [rms_mV(errors_V(one, c_rate, 1.0)) for one in (two, cell, left_out)]
        lines.append(f"| {c_rate:g}C | {mine[0]:.1f} | {mine[1]:.1f} | {mine[2]:.1f} |")
    return lines


def main(arguments: list[str]) -> int:
    """Fit, then write or compare."""
    if set(arguments) - {"--check"}:
        print(f"unknown argument {arguments[0]}; expected --check", file=sys.stderr)
        return 2
    cell = fit()
    text, sections = cell_text(with_temperatures(cell)), {"nvpf": summary(cell)}
    if "--check" in arguments:
        found = differences(tomllib.loads(text), tomllib.loads(CELL_FILE.read_text(encoding="utf-8")))
        print("\n".join(f"{CELL_FILE.name}: {line}" for line in found) or f"{CELL_FILE.name}: as fitted")
        return max(1 if found else 0, compare(sections))
    CELL_FILE.write_text(text, encoding="utf-8")
    return put(sections)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
