"""The rate law of the layered-oxide 18650: how its resistance falls with current, from TUB's pulses at 2C and 3C.

R1 and a share of R0 fall as asinh(y) / y, y = I / i0(T). [resistance] holds 1C, so the law changes nothing there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
from nfm_model import F64, ONE_C_A, Bench, Cell, Rate, Row, column, table
from scipy.optimize import least_squares

RATE_DEGC = np.array([5.0, 15.0, 25.0, 35.0, 45.0])
TIMES_S = (0.02, 1.0, 10.0)
COLUMNS = ("r_fast", "r_1s", "r_10s")
# The kernel's table of asinh(y) / y ends at y = 30: 4C of this cell at the smallest i0.
SMALLEST_I0_A = 0.2


def pulse_ohm(cell: Cell, degC: str, label: str, c_rate: float) -> F64:
    """Resistance at 20 ms, 1 s and 10 s of a simulated discharge pulse, taken as TUB did.

    A label holds a pulse of each sweep, from the rested voltage that was recorded, with the loop left in its middle by the
    pulses before; the table has their mean. The fall of the open-circuit voltage and self-heating are in it, as measured.
    """
    out = []
    for block in table("sib_pulse_blocks.csv"):
        if (block["t_set_c"], block["soc_pct"]) != (degC, label):
            continue
        branch_V = cell.discharge_V if block["branch"] == "discharge" else cell.charge_V
        x = np.interp(float(block["rest_v"]), branch_V, cell.soc)
        par, state = cell.parameters(float(degC)), cell.full(float(degC))
        state[0], state[3] = cell.capacity_Ah * (1.0 - par[3] * (1.0 - x)), 0.0
        bench, rested = Bench(cell), state.copy()
        rest_V = bench.run(par, rested, np.zeros(1), 1e-9)[0]
        loaded_V = bench.run(par, state, np.full(1000, ONE_C_A * c_rate), 0.01)
        out.append((rest_V - loaded_V[[round(100 * t) - 1 for t in TIMES_S]]) / (ONE_C_A * c_rate))
    return np.asarray(np.mean(out, axis=0))


def against_table(cell: Cell, rows: list[Row]) -> F64:
    """(row, time): simulated over measured resistance, less one."""
    measured = np.stack([column(rows, key) for key in COLUMNS], axis=1) * 1e-3
    simulated = [pulse_ohm(cell, r["t_set_c"], r["soc_pct"], float(r.get("c_rate", 1))) for r in rows]
    return np.asarray(np.array(simulated) / measured - 1.0)


def fit_rate(cell: Cell) -> Cell:
    """The cell with the rate law that fits 30, 50 and 70 % SOC at 2C and 3C, 5 to 45 degC; the 10 s value counts most."""
    rows = table("sib_pulse_rate_mohm.csv")

    def with_law(theta: F64) -> Cell:
        return replace(cell, rate=Rate(RATE_DEGC, np.exp(theta[:-1]), float(theta[-1])))

    def residuals(theta: F64) -> F64:
        bends = np.diff(np.diff(theta[:-1]))
        return np.concatenate([(against_table(with_law(theta), rows) / (0.06, 0.03, 0.02)).ravel(), bends])

    start = np.append(np.log([0.3, 0.5, 1.5, 4.0, 8.0]), 0.3)
    low = np.append(np.full(5, math.log(SMALLEST_I0_A)), 0.0)
    return with_law(least_squares(residuals, start, bounds=(low, np.append(np.full(5, math.log(30.0)), 1.0)), diff_step=1e-3).x)


def largest(cell: Cell) -> dict[tuple[str, str], float]:
    """(degC, C rate) to the largest error of the 10 s resistance over the labels of the table, with its sign."""
    rows = table("sib_pulse_rate_mohm.csv")
    errors = defaultdict(list)
    for row, error in zip(rows, against_table(cell, rows), strict=True):
        errors[row["t_set_c"], row["c_rate"]].append(float(error[2]))
    return {key: max(values, key=abs) for key, values in errors.items()}
