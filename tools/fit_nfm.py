"""Fit the layered-oxide 18650 to tests/data.

    python tools/fit_nfm.py            write hil/plant/cells/nfm-18650.toml: what the cell is, from the TUB tables
    python tools/fit_nfm.py --check    fit again and compare with the file instead of writing it

What a BMS believes about it is fitted by tools/fit_belief.py. How the numbers come about is told in docs/cells/nfm-18650.md.
"""

from __future__ import annotations

import math
import sys
import tomllib
from dataclasses import replace

import numpy as np
from nfm_extras import R3_SHARE, TAU3_S
from nfm_model import (
    CUT_OFF_V,
    F64,
    HAKADI,
    HYSTERESIS_PER_SOC,
    KELVIN,
    ONE_C_A,
    R_SOC,
    REST_S,
    ROOT,
    Bench,
    Cell,
    Row,
    Slow,
    X,
    checkup,
    column,
    follow,
    hat,
    legs,
    table,
)
from nfm_rate import fit_rate, largest
from nfm_text import cell_text, differences
from scipy.optimize import brentq, least_squares

CELL_FILE = ROOT / "hil" / "plant" / "cells" / "nfm-18650.toml"
BELIEF_FILE = ROOT / "firmware_sim" / "calibration" / "nfm-16s.toml"

TEMPS_DEGC = np.array([5.0, 15.0, 25.0, 35.0, 45.0])
# fmt: off
OCV_SOC = np.array([
    0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.275, 0.3, 0.325, 0.35, 0.375, 0.4,
    0.425, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1.0,
])
# fmt: on
# Chosen, not fitted: from 10 to 100 s it fits the pulses alike; 60 s also gives the load gap of 42 s segments to 5 mV.
TAU2_S = 60.0
SMALLEST_HALF_V = 0.0075
COLD_DEGC, COLD_REACH = -20.0, 0.7
# Prior of the loop's half width: what two rigs on such cells report (see docs/cells/nfm-18650.md).
LOOP_SOC = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.9, 0.95])
LOOP_HALF_V = np.array([0.040, 0.035, 0.025, 0.015, 0.015, 0.035, 0.0075, 0.0075, 0.025])
FACTOR_SOC = np.array([0.0, 0.1, 0.3, 0.6, 1.0])


def branches() -> tuple[float, F64, F64]:
    """Capacity [Ah] and both rested branches [V] over OCV_SOC from the 25 degC table.

    Each branch over its own share of throughput. Where the loop is open (below 40 %) its measured width stays; elsewhere
    the two legs cross by an artefact of that alignment, and the smallest half width holds. The first 5 % of either leg
    have not reached their branch yet, so there the other branch and the width at 5 % (95 %) count.
    """
    rows = table("sib_ocv_25C.csv")
    down = [row for row in rows if row["branch"] == "discharge"]
    up = [row for row in rows if row["branch"] == "charge"]
    capacity_Ah = float(down[-1]["q_ah"])
    charged_Ah = next(float(r["q_chg_ah"]) for r in table("capacity_vs_temperature.csv") if r["t_set_c"] == "25")
    up_x, up_V = column(up, "q_ah") / charged_Ah, column(up, "ocv_v")
    slope = (up_V[-1] - up_V[-3]) / (up_x[-1] - up_x[-3])
    up_x, up_V = np.append(up_x, 1.0), np.append(up_V, up_V[-1] + slope * (1.0 - up_x[-1]))
    low_V = np.interp(OCV_SOC, 1.0 - column(down, "q_ah")[::-1] / capacity_Ah, column(down, "ocv_v")[::-1])
    high_V = np.interp(OCV_SOC, up_x, up_V)
    mean_V, half_V = 0.5 * (low_V + high_V), np.maximum(0.5 * (high_V - low_V), SMALLEST_HALF_V)
    first, last = OCV_SOC < 0.05, OCV_SOC > 0.95
    half_V[first] = half_V[OCV_SOC == 0.05]
    half_V[last] = half_V[OCV_SOC == 0.95]
    mean_V[first] = low_V[first] + half_V[first]
    mean_V[last] = high_V[last] - half_V[last]
    return capacity_Ah, mean_V - half_V, mean_V + half_V


class PulseData:
    """What the resistance fit reads: pulses at the rested voltages where they were taken, 42 s segments, last segments."""

    def __init__(self, cell: Cell) -> None:
        pulses = [row for row in table("sib_pulse_resistance_1C_mohm.csv") if row["dir"] == "discharge"]
        self.ohm = np.array([[float(row[key]) * 1e-3 for key in ("r_fast", "r_1s", "r_10s")] for row in pulses])
        at = {(row["t_set_c"], row["soc_pct"]): k for k, row in enumerate(pulses)}
        blocks = table("sib_pulse_blocks.csv")
        self.owner = np.array([at[row["t_set_c"], row["soc_pct"]] for row in blocks])
        rest_V, down = column(blocks, "rest_v"), np.array([row["branch"] == "discharge" for row in blocks])
        self.x = np.where(down, np.interp(rest_V, cell.discharge_V, cell.soc), np.interp(rest_V, cell.charge_V, cell.soc))
        self.row = np.searchsorted(TEMPS_DEGC, column(blocks, "t_set_c"))
        self.time_s = np.array([0.02, 1.0, 10.0])
        self.fall_V = self._fall_V(cell)

        segments = table("sib_segments_25C.csv")
        index = column(segments, "index")
        passed_Ah = np.cumsum(np.interp(np.arange(index[-1] + 1), index, column(segments, "charge_mah"))) * 1e-3
        self.duration_s = column(segments, "duration_s")
        after_Ah = passed_Ah[index.astype(int)]
        before_Ah = after_Ah - column(segments, "charge_mah") * 1e-3
        rest_V = column(segments, "rest_after_v")
        mean_V = 0.5 * (np.interp(before_Ah, after_Ah, rest_V) + rest_V)
        self.segment_x = 1.0 - 0.5 * (before_Ah + after_Ah) / cell.capacity_Ah
        self.gap_V = mean_V - column(segments, "mean_loaded_v")
        # Not the first six, in which the cell still settles from its charge; near empty pulses and segments disagree.
        self.gap_sigma_V = np.where(index < 6, np.inf, np.where(self.segment_x < 0.15, 0.012, 0.004))

        ends = table("sib_protocol.csv")[:3]
        self.end_V = column(ends, "rest_last_v")
        self.end_x = np.interp(self.end_V, cell.discharge_V, cell.soc)
        self.end_ohm = (self.end_V - column(ends, "cutoff_v")) / ONE_C_A
        self.end_s = column(ends, "segment_last_mah") * 3.6 / ONE_C_A
        medians = table("sib_pulse_medians_mohm.csv")
        self.early = (column(medians, "r_100ms") - column(medians, "r_fast")) / column(medians, "r_1s")

    def _fall_V(self, cell: Cell) -> F64:
        """(pulse, time): fall of the open-circuit voltage within the pulse; pulse resistance contains it.

        The pulses before it (3C, 2C, both ways) leave the loop about in its middle.
        """
        curves = cell.curves()
        passed = ONE_C_A * self.time_s / 3600.0 / cell.capacity_Ah
        after = self.x[:, None] - passed / np.interp(TEMPS_DEGC, cell.reach_degC, cell.reach)[self.row][:, None]
        h = np.exp(-HYSTERESIS_PER_SOC * passed) - 1.0
        warm_K = TEMPS_DEGC[self.row][:, None] - 25.0
        mean_V = np.interp(self.x, X, curves[0])[:, None] - np.interp(after, X, curves[0])
        dudt = np.interp(self.x, X, curves[2])[:, None] - np.interp(after, X, curves[2])
        return np.asarray(mean_V - h * np.interp(after, X, curves[1]) + dudt * warm_K)


def fit_resistance(cell: Cell) -> Cell:
    """R0, R1, R2 over SOC and temperature and tau1, such that pulses and segments come out as measured."""
    data = PulseData(cell)
    shape = (len(TEMPS_DEGC), 3, len(R_SOC))
    at_pulse, at_segment = hat(data.x, R_SOC), hat(data.segment_x, R_SOC)
    at_end, at_half = hat(data.end_x, R_SOC), hat(np.array([0.5]), R_SOC)[0]
    per_pulse = np.bincount(data.owner)
    step = np.diff(R_SOC)
    roughness = np.sqrt(0.5 * (step[1:] + step[:-1]))
    inverse_K = 1.0 / (TEMPS_DEGC + KELVIN)

    def rise(r: F64, time_s: F64 | float, tau1_s: float) -> F64:
        slow = 1.0 - np.exp(-np.asarray(time_s) / TAU2_S)
        return np.asarray(r[..., 0] + r[..., 1] * (1.0 - np.exp(-np.asarray(time_s) / tau1_s)) + r[..., 2] * slow)

    def segment_V(r: F64, tau1_s: float) -> F64:
        """Mean overvoltage of a segment, with what the segments before have left in the slow pair."""
        t = data.duration_s
        gone, left = 1.0 - np.exp(-t / TAU2_S), math.exp(-REST_S / TAU2_S)
        slow = 1.0 - TAU2_S / t * gone + gone * gone * left / (1.0 - left * (1.0 - gone)) * TAU2_S / t
        fast = 1.0 - tau1_s / t * (1.0 - np.exp(-t / tau1_s))
        return np.asarray(ONE_C_A * (r[:, 0] + r[:, 1] * fast + r[:, 2] * slow))

    def residuals(theta: F64) -> F64:
        ln_r, tau1_s = theta[:-1].reshape(shape), math.exp(theta[-1])
        r = np.exp(np.einsum("kn,kpn->kp", at_pulse, ln_r[data.row]))
        pulses = rise(r[:, None, :], data.time_s, tau1_s) + data.fall_V / ONE_C_A
        means = np.stack([np.bincount(data.owner, pulses[:, j]) / per_pulse for j in range(3)], axis=1)
        segments = segment_V(np.exp(at_segment @ ln_r[2].T), tau1_s) - data.gap_V
        ends = rise(np.exp(np.einsum("kn,kpn->kp", at_end, ln_r[:3])), data.end_s, tau1_s) / data.end_ohm
        half = np.exp(ln_r @ at_half)
        early = (rise(half, 0.1, tau1_s) - rise(half, 0.02, tau1_s)) / rise(half, 1.0, tau1_s) - data.early
        bends = np.diff(np.diff(ln_r, axis=2) / step, axis=2) * roughness * np.array([3.0, 1.0, 1.0])[:, None]
        along_K = np.diff(np.diff(ln_r, axis=0) / np.diff(inverse_K)[:, None, None], axis=0) * 1e-3
        twists = np.diff(np.diff(ln_r, axis=0), axis=2)
        measured = [
            (means / data.ohm - 1.0) / np.array([0.008, 0.008, 0.006]),
            segments / data.gap_sigma_V,
            (ends - 1.0) / 0.03,
            early / 0.01,
        ]
        return np.concatenate([part.ravel() for part in (*measured, bends, along_K, twists)])

    pulses = table("sib_pulse_resistance_1C_mohm.csv")
    start = np.empty(shape)
    for j, degC in enumerate(TEMPS_DEGC):
        rows = [row for row in pulses if row["dir"] == "discharge" and float(row["t_set_c"]) == degC]
        fast, second, ten = (column(rows, key) * 1e-3 for key in ("r_fast", "r_1s", "r_10s"))
        for pair, values in enumerate((fast, second - fast, 3.0 * (ten - second))):
            start[j, pair] = np.log(np.interp(R_SOC, column(rows, "soc_pct") / 100.0, values))
    # lm: no BLAS inside, so it is quick and gives the same on a loaded machine
    found = least_squares(residuals, np.append(start.ravel(), math.log(0.08)), method="lm").x
    ln_r = found[:-1].reshape(shape)
    for j in (
        1,
        0,
    ):  # nothing was measured below the last rest: hold the value there, or the warmer row's if that is more
        lowest = (ln_r[j] @ hat(data.end_x[j : j + 1], R_SOC)[0])[:, None]
        ln_r[j] = np.where(data.end_x[j] > R_SOC, np.maximum(lowest, ln_r[j + 1]), ln_r[j])
    return replace(cell, ln_r=ln_r, tau1_s=math.exp(found[-1]))


def fit_reach(cell: Cell, wanted_Ah: dict[float, float]) -> Cell:
    """Reach at 5 and 15 degC such that the checkup discharge gives the charge wanted."""

    def at(degC: float, share: float) -> Cell:
        return replace(cell, reach=np.where(cell.reach_degC == degC, share, cell.reach))

    def excess_Ah(share: float, row: Row) -> float:
        degC = float(row["t_set_c"])
        return checkup(at(degC, share), row) - wanted_Ah[degC]

    reach = cell.reach.copy()
    for row in table("sib_protocol.csv")[:2]:
        reach[cell.reach_degC == float(row["t_set_c"])] = brentq(excess_Ah, 0.6, 1.0, args=(row,), xtol=1e-5)
    return replace(cell, reach=reach)


def fit_below(cell: Cell) -> Cell:
    """Slope below empty with the smallest error of charge at 35 and 45 degC, where the cell goes beyond its 25 degC end."""
    rows = table("sib_protocol.csv")[3:]

    def worst(slope: float) -> float:
        trial = replace(cell, below_V_per_soc=slope)
        return max(abs(checkup(trial, row) / float(row["q_dis_ah"]) - 1.0) for row in rows)

    return replace(cell, below_V_per_soc=min(np.arange(6.0, 41.0, 1.0).tolist(), key=worst))


def fit_coolant(cell: Cell) -> Cell:
    """Heat flow to the coolant from the rise of temperature in continuous discharges at 1C, 2C and 3C."""
    rows = [row for row in table("sib_continuous_25C.csv") if float(row["c_rate"]) >= 1]

    def errors_K(log_W_per_K: F64) -> F64:
        trial = replace(cell, coolant_W_per_K=float(np.exp(log_W_per_K[0])))
        out = []
        for row in rows:
            state, rate_A = trial.full(), ONE_C_A * float(row["c_rate"])
            Bench(trial).run(trial.parameters(25.0), state, np.full(round(7200 / rate_A), rate_A), 1.0, CUT_OFF_V)
            out.append(state[4] - 25.0 - float(row["t_span_k"]))
        return np.array(out)

    return replace(cell, coolant_W_per_K=float(np.exp(least_squares(errors_K, [math.log(0.1)]).x[0])))


def activation_kJ_per_mol() -> float:
    """Apparent activation energy of the 10 s resistance from 5 to 45 degC, 30 to 90 % SOC."""
    rows = [r for r in table("sib_pulse_resistance_1C_mohm.csv") if r["dir"] == "discharge" and 30 <= int(r["soc_pct"]) <= 90]
    slopes = []
    for soc in sorted({row["soc_pct"] for row in rows}):
        same = [row for row in rows if row["soc_pct"] == soc]
        slopes.append(np.polyfit(1.0 / (column(same, "t_set_c") + KELVIN), np.log(column(same, "r_10s")), 1)[0])
    return float(np.mean(slopes)) * 8.314462618e-3


def fit_cell() -> Cell:
    """The plant cell from the TUB tables."""
    capacity_Ah, discharge_V, charge_V = branches()
    entropy = table("entropy_dudt_mV_per_K.csv")[::-1]
    mean_V = 0.5 * (discharge_V + charge_V)
    cell = Cell(
        capacity_Ah=capacity_Ah,
        soc=OCV_SOC,
        discharge_V=discharge_V,
        charge_V=charge_V,
        below_V_per_soc=20.0,
        above_V_per_soc=round(float(mean_V[-1] - mean_V[OCV_SOC == 0.95][0]) / 0.05, 2),
        entropy_soc=column(entropy, "soc_pct") / 100.0,
        dudt_V_per_K=0.5e-3 * (column(entropy, "sib_dis") + column(entropy, "sib_chg")),
        r_degC=TEMPS_DEGC,
        ln_r=np.zeros((len(TEMPS_DEGC), 3, len(R_SOC))),
        tau1_s=0.1,
        tau2_s=TAU2_S,
        reach_degC=np.array([5.0, 15.0, 25.0]),
        reach=np.array([0.86, 0.91, 1.0]),
        slow=Slow(R3_SHARE, TAU3_S),
    )
    wanted_Ah = {float(row["t_set_c"]): float(row["q_dis_ah"]) for row in table("sib_protocol.csv")}
    for _ in range(2):  # the open-circuit fall in a pulse depends a little on reach and on the slope below empty
        cell = fit_below(fit_reach(fit_resistance(cell), wanted_Ah))
    return fit_coolant(fit_rate(cell))


def with_cold(cell: Cell) -> Cell:
    """The cell with its assumed rows at -20 degC: one Arrhenius factor on the 5 degC rows, reach on a straight line."""
    per_K = activation_kJ_per_mol() / 8.314462618e-3
    factor = per_K * (1.0 / (COLD_DEGC + KELVIN) - 1.0 / (cell.r_degC[0] + KELVIN))
    return replace(
        cell,
        r_degC=np.append(COLD_DEGC, cell.r_degC),
        ln_r=np.concatenate([cell.ln_r[:1] + factor, cell.ln_r]),
        reach_degC=np.append(COLD_DEGC, cell.reach_degC),
        reach=np.append(COLD_REACH, cell.reach),
    )


def report(cell: Cell) -> None:
    """Print how far a cell is from what was measured."""
    for row in table("sib_protocol.csv"):
        charge_Ah, measured_Ah = checkup(cell, row), float(row["q_dis_ah"])
        circuit_Ah = checkup(replace(cell, reach=np.ones(len(cell.reach))), row)
        print(
            f"{row['t_set_c']:>3} degC checkup discharge {charge_Ah:.4f} Ah, measured {measured_Ah:.4f} "
            f"({100 * (charge_Ah / measured_Ah - 1):+.2f} %), circuit alone {circuit_Ah:.4f}"
        )
    for (degC, c_rate), error in largest(cell).items():
        print(f"{degC:>3} degC 10 s pulse at {c_rate}C: largest error {100 * error:+.1f} %")
    for path in sorted(HAKADI.glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        down, up = legs(name)
        errors_V = follow(cell, float(down[:, 1].sum()) / 3600.0, down, up)
        rmse_mV = [1e3 * float(np.sqrt(np.mean(part**2))) for part in (*errors_V, np.concatenate(errors_V))]
        print(f"{name:<10} discharge {rmse_mV[0]:6.1f} mV, recharge {rmse_mV[1]:6.1f} mV, run {rmse_mV[2]:6.1f} mV RMS")


def main(arguments: list[str]) -> int:
    """Fit, then write or compare."""
    if set(arguments) - {"--check"}:
        print(f"unknown argument {arguments[0]}; expected --check", file=sys.stderr)
        return 2
    cell = with_cold(fit_cell())
    text = cell_text(cell, activation_kJ_per_mol(), SMALLEST_HALF_V, COLD_REACH)
    if arguments:
        found = differences(tomllib.loads(text), tomllib.loads(CELL_FILE.read_text(encoding="utf-8")))
        print("\n".join(f"{CELL_FILE.name}: {line}" for line in found) or f"{CELL_FILE.name}: as fitted")
        return 1 if found else 0
    report(cell)
    CELL_FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
