"""The circuit of the plant's cell fitted to constant-current discharges, where it is linear in what matters.

    V = U(x) + h half(x) + dU/dT (T - 25) - f(x) R0 k0 I - u1 - u2 - u3

With SOC x given as the share of the run's own throughput, the voltage is linear in the knots of U(x) and in two factors
f(x) that scale the resistances of the TUB cell: one for what answers within a second (R0, R1), one for what diffuses (R2,
R3). So for given laws of rate, heat and relaxation both are one bounded linear fit, and only those few laws are searched.
Constant current cannot tell resistance from open-circuit voltage; that is why the factors are held in 0.5 to 1.2.

What judges a fit is not this but the circuit itself, stepped second by second with the heat that it makes (`errors_V`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import cache

import numpy as np
from nfm_model import F64, HEAT_CAPACITY_J_PER_K, KELVIN, ROOM_DEGC, ROOT, Bench, Cell, Slow, X, hat, legs, read_cell, table
from scipy.optimize import least_squares, lsq_linear
from scipy.signal import lfilter

# fmt: off
U_SOC = np.array([
    0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.275, 0.3, 0.325, 0.35, 0.375, 0.4,
    0.425, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0,
])
# fmt: on
FACTOR_SOC = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.8, 0.95, 1.0])
FACTOR_RANGE = (0.5, 1.2)
# Half width of the loop that two rigs on such cells report (docs/cells/nfm-18650.md).
LOOP_SOC = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.9, 0.95])
LOOP_HALF_V = np.array([0.040, 0.035, 0.025, 0.015, 0.015, 0.035, 0.0075, 0.0075, 0.025])
# R1 answers within 0.1 s, so in a block it is at its end value.
BLOCK_S = 5


@dataclass(frozen=True)
class Laws:
    """What the voltage is not linear in: a factor on TUB's exchange currents, the third pair, the heat flow to the room."""

    i0_factor: float = 1.0
    r3_share: float = 0.3
    tau3_s: float = 1200.0
    coolant_W_per_K: float = 0.06


LAWS_RANGE = ((0.01, 0.02, 300.0, 0.01), (20.0, 2.0, 6000.0, 0.3))


@dataclass(frozen=True)
class Fit:
    """Laws, knots of the mean open-circuit voltage [V] over U_SOC, factors on R over FACTOR_SOC: (fast or slow, knot)."""

    laws: Laws
    mean_V: F64
    factors: F64


@cache
def tub() -> Cell:
    """The TUB cell, of whose resistance only the height is fitted."""
    return read_cell(ROOT / "hil" / "plant" / "cells" / "nfm-18650.toml")


@cache
def discharge(name: str) -> F64:
    """(second, (voltage, current)) of the discharge of a run."""
    return legs(name)[0]


def throughput_Ah(name: str) -> float:
    """The one number that is given of a run: the charge of its own discharge."""
    return float(discharge(name)[:, 1].sum()) / 3600.0


def first_ohm_by_tub(names: Sequence[str]) -> float:
    """Mean 10 s resistance of the runs' first seconds, as a share of TUB's pulse from full.

    Each discharge follows a charge at 4.1 V that has tapered to 0.1 A.
    """
    rows = [row for row in table("sib_pulse_resistance_1C_mohm.csv") if row["dir"] == "discharge"]
    tub_ohm = next(float(r["r_10s"]) * 1e-3 for r in rows if r["t_set_c"] == "25" and r["soc_pct"] == "100")
    own_ohm = [(4.1 - leg[9, 0]) / (float(np.mean(leg[:10, 1])) + 0.1) for leg in map(discharge, names)]
    return float(np.mean(own_ohm)) / tub_ohm


def half_V(x: F64) -> F64:
    """Half width of the loop."""
    return np.interp(x, LOOP_SOC, LOOP_HALF_V)


def tub_ohm(x: F64, degC: F64) -> F64:
    """(3, n): R0, R1, R2 of the TUB cell, ln R linear over SOC and 1/T."""
    bench = Bench(tub())
    at = np.clip(x, 0.0, 1.0) * 100.0
    g = np.minimum(at.astype(int), 99)
    here_per_K = 1.0 / (degC + KELVIN)
    j = np.clip(np.searchsorted(-bench.inverse_K, -here_per_K, side="right") - 1, 0, len(bench.inverse_K) - 2)
    weight = (bench.inverse_K[j] - here_per_K) / (bench.inverse_K[j] - bench.inverse_K[j + 1])
    low, high = (
        bench.ln_r[row, :, g] + (at - g)[:, None] * (bench.ln_r[row, :, g + 1] - bench.ln_r[row, :, g]) for row in (j, j + 1)
    )
    return np.asarray(np.exp(low + weight[:, None] * (high - low)).T)


def kinetic_left(cell: Cell, current_A: F64, degC: F64, i0_factor: float = 1.0) -> tuple[float, F64]:
    """The kinetic share of R0, and what is left of a kinetic resistance at a current."""
    rate = cell.rate
    if rate is None:
        raise ValueError("nfm-18650.toml: expected a table [rate]")
    ln_i0 = np.interp(-1.0 / (degC + KELVIN), -1.0 / (rate.degC + KELVIN), np.log(rate.i0_A))
    i0_A = i0_factor * np.exp(ln_i0)
    y, y_ref = np.abs(current_A) / i0_A + 1e-9, rate.reference_A / i0_A
    return rate.r0_share, np.asarray((np.arcsinh(y) / y) / (np.arcsinh(y_ref) / y_ref))


def kinetic(laws: Laws, current_A: F64, degC: F64) -> tuple[float, F64]:
    """The same for the TUB cell with a factor on its exchange currents."""
    return kinetic_left(tub(), current_A, degC, laws.i0_factor)


def blocks(name: str) -> tuple[F64, F64, F64]:
    """Means over blocks of a discharge: voltage [V], current [A], and the charge passed at the middle of the block [Ah]."""
    leg = discharge(name)
    leg = leg[: len(leg) // BLOCK_S * BLOCK_S].reshape(-1, BLOCK_S, 2).mean(axis=1)
    return leg[:, 0], leg[:, 1], (np.cumsum(leg[:, 1]) - 0.5 * leg[:, 1]) * BLOCK_S / 3600.0


def design(name: str, capacity_Ah: float, laws: Laws, mean_V: F64) -> tuple[F64, F64]:
    """Matrix (block of seconds, unknown) and the voltage [V] that it should give; mean_V: guess of U for the heat."""
    cell = tub()
    cell_V, i, passed_Ah = blocks(name)
    x = 1.0 - passed_Ah / capacity_Ah
    dudt = np.interp(x, cell.entropy_soc, cell.dudt_V_per_K)
    heat_W = i * (np.interp(x, U_SOC, mean_V) - cell_V) - i * (ROOM_DEGC + KELVIN) * dudt
    share = BLOCK_S / HEAT_CAPACITY_J_PER_K
    warm_K = lfilter([share], [1.0, laws.coolant_W_per_K * share - 1.0], heat_W)
    degC = ROOM_DEGC + np.append(0.0, warm_K[:-1])
    r0, r1, r2 = tub_ohm(x, degC)
    r0_share, left = kinetic(laws, i, degC)
    at = hat(x, FACTOR_SOC)

    def pair(drop_V: F64, tau_s: float) -> F64:
        keep = math.exp(-BLOCK_S / tau_s)
        return np.asarray(lfilter([0.5 * (1.0 - keep)] * 2, [1.0, -keep], drop_V[:, None] * at, axis=0))

    fast = ((r0 * (1.0 - r0_share + r0_share * left) + r1 * left) * i)[:, None] * at
    slow = pair(r2 * i, cell.tau2_s) + pair(laws.r3_share * r2 * i, laws.tau3_s)
    h = 2.0 * np.exp(-40.0 * passed_Ah / capacity_Ah) - 1.0
    return np.hstack([hat(x, U_SOC), -fast, -slow]), cell_V - dudt * (degC - ROOM_DEGC) - h * half_V(x)


def solve(parts: Sequence[tuple[F64, F64]], level: float) -> tuple[F64, F64]:
    """The bounded linear fit, each run of equal weight: unknowns and residuals [V, root of the mean]."""
    n, m = len(U_SOC), len(FACTOR_SOC)
    rows = np.vstack([a / math.sqrt(len(y)) for a, y in parts])
    wanted = np.concatenate([y / math.sqrt(len(y)) for _, y in parts])
    smooth, near = np.zeros((2 * (m - 1), n + 2 * m)), np.zeros((2 * m, n + 2 * m))
    for block in range(2):
        for k in range(m - 1):
            smooth[block * (m - 1) + k, n + block * m + k : n + block * m + k + 2] = 0.003, -0.003
    near[:, n:] = np.eye(2 * m) * 0.001
    rows, wanted = (
        np.vstack([rows, smooth, near]),
        np.concatenate([wanted, np.zeros(len(smooth)), np.full(2 * m, 0.001 * level)]),
    )
    root = np.linalg.cholesky(rows.T @ rows + 1e-12 * np.eye(n + 2 * m))
    low, high = (
        np.concatenate([np.full(n, sign * np.inf), np.full(2 * m, bound)])
        for sign, bound in zip((-1, 1), FACTOR_RANGE, strict=True)
    )
    theta = lsq_linear(root.T, np.linalg.solve(root, rows.T @ wanted), (low, high), method="bvls").x
    return theta, rows @ theta - wanted


def fit(names: Sequence[str], capacity_Ah: dict[str, float], start: Laws | None = None, held: Sequence[str] = ()) -> Fit:
    """Fit the circuit to the discharges of some runs, each with its capacity. held: laws that stay as in `start`.

    Priors: exchange currents as TUB's, third pair 0.3 of R2 with 1200 s, heat flow of a free 18650 in still air (0.04 to
    0.08 W/K), resistance at the level of the runs' own first 10 s.
    """
    start = Laws() if start is None else start
    level = first_ohm_by_tub(names)
    mean_V = np.interp(U_SOC, tub().soc, 0.5 * (tub().discharge_V + tub().charge_V))
    free = np.array([field.name not in held for field in fields(Laws)])
    prior, width = np.log(astuple(Laws()))[free], np.array([1.0, 1.0, 0.7, 0.4])[free]
    low, high = np.log(LAWS_RANGE[0])[free], np.log(LAWS_RANGE[1])[free]

    def laws(theta: F64) -> Laws:
        values = np.array(astuple(start))
        values[free] = np.exp(theta)
        return Laws(*values.tolist())

    def linear(theta: F64) -> tuple[F64, F64]:
        return solve([design(name, capacity_Ah[name], laws(theta), mean_V) for name in names], level)

    def residuals(theta: F64) -> F64:
        return np.append(linear(theta)[1] * math.sqrt(len(names)), 0.002 * (theta - prior) / width)

    theta = np.log(astuple(start))[free]
    for _ in range(2):  # the heat wants the open-circuit voltage that is fitted
        theta = least_squares(
            residuals,
            np.clip(theta, low + 1e-3, high - 1e-3),
            bounds=(low, high),
            diff_step=1e-2,
            xtol=1e-3,
            ftol=1e-4,
            max_nfev=12,
        ).x
        unknown = linear(theta)[0]
        mean_V = unknown[: len(U_SOC)]
    return Fit(laws(theta), mean_V, unknown[len(U_SOC) :].reshape(2, -1))


def bench(found: Fit) -> Bench:
    """The fitted cell, laid out for the circuit."""
    base, laws = tub(), found.laws
    loop_V = half_V(U_SOC)
    rate = base.rate and replace(base.rate, i0_A=base.rate.i0_A * laws.i0_factor)
    cell = replace(
        base,
        soc=U_SOC,
        discharge_V=found.mean_V - loop_V,
        charge_V=found.mean_V + loop_V,
        coolant_W_per_K=laws.coolant_W_per_K,
        rate=rate,
        slow=Slow(laws.r3_share, laws.tau3_s),
    )
    laid = Bench(cell)
    laid.curves[1] = half_V(X)
    grid = np.linspace(0.0, 1.0, laid.ln_r.shape[2])
    fast, slow = (np.log(np.interp(grid, FACTOR_SOC, row)) for row in found.factors)
    laid.ln_r = laid.ln_r + np.stack([fast, fast, slow])
    return laid


def errors_V(found: Fit, name: str, capacity_Ah: float) -> tuple[F64, F64, F64]:
    """Error of the circuit's voltage [V] at each second of a discharge, with SOC and mean open-circuit voltage there.

    Of the run it gets the current and the capacity, nothing else.
    """
    laid, leg = bench(found), discharge(name)
    simulated_V = laid.run(
        laid.cell.parameters(ROOM_DEGC, capacity_Ah), laid.cell.full(capacity_Ah=capacity_Ah), leg[:, 1].copy(), 1.0
    )
    x = 1.0 - np.cumsum(leg[:, 1]) / 3600.0 / capacity_Ah
    return simulated_V - leg[:, 0], x, np.interp(x, U_SOC, found.mean_V)
