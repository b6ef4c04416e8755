"""A second model of the plant's cell, for fitting, with the reading of tests/data and the writing of its tables.

It is written apart from hil.plant, so that neither can hide a mistake of the other.
"""

from __future__ import annotations

import csv
import gzip
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from firmware_sim.jit import kernel

F64 = npt.NDArray[np.float64]
Row = dict[str, str]
ROOT = Path(__file__).resolve().parents[1]
TUB = ROOT / "tests" / "data" / "tub-sib-18650"
HAKADI = ROOT / "hil" / "recordings" / "hakadi-18650"

ONE_C_A = 1.5
REST_S = 360.0
CUT_OFF_V = 1.5
ROOM_DEGC = 25.0
KELVIN = 273.15
HYSTERESIS_PER_SOC = 40.0
HEAT_CAPACITY_J_PER_K = 37.0
X = np.linspace(-0.25, 1.25, 301)
RX = np.linspace(0.0, 1.0, 101)
# A multiple of 0.01 each, since the plant holds ln R on that grid.
R_SOC = np.array([0, 0.01, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


@dataclass(frozen=True)
class Rate:
    """How resistance falls with current: the factor g(|I| / i0) / g(reference / i0), g(y) = asinh(y) / y."""

    degC: F64
    i0_A: F64
    r0_share: float
    reference_A: float = ONE_C_A


@dataclass(frozen=True)
class Slow:
    """The third pair: R3 as a share of R2, and its time constant."""

    r3_share: float
    tau3_s: float


@dataclass(frozen=True)
class Cell:
    """A parameter set. ln_r: (temperature, pair, soc); dudt_V_per_K over entropy_soc; the rest as in the cell file."""

    capacity_Ah: float
    soc: F64
    discharge_V: F64
    charge_V: F64
    below_V_per_soc: float
    above_V_per_soc: float
    entropy_soc: F64
    dudt_V_per_K: F64
    r_degC: F64
    ln_r: F64
    tau1_s: float
    tau2_s: float
    reach_degC: F64
    reach: F64
    coolant_W_per_K: float = 0.1
    rate: Rate | None = None
    slow: Slow | None = None
    r_soc: F64 = field(default_factory=lambda: R_SOC)

    def curves(self) -> F64:
        """Mean and half width of the loop [V] and dU/dT [V/K] over X."""
        low, high = np.interp(X, self.soc, self.discharge_V), np.interp(X, self.soc, self.charge_V)
        outside = np.minimum(X, 0.0) * self.below_V_per_soc + np.maximum(X - 1.0, 0.0) * self.above_V_per_soc
        dudt = np.interp(X, self.entropy_soc, self.dudt_V_per_K)
        return np.array([0.5 * (low + high) + outside, 0.5 * (high - low), dudt])

    def parameters(self, degC: float, capacity_Ah: float | None = None) -> F64:
        """What march takes as par, at an ambient temperature."""
        capacity_Ah = self.capacity_Ah if capacity_Ah is None else capacity_Ah
        reach = float(np.interp(degC, self.reach_degC, self.reach))
        slow = (self.slow.r3_share, self.slow.tau3_s) if self.slow else (0.0, 1.0)
        kinetic = (self.rate.r0_share, self.rate.reference_A) if self.rate else (0.0, 0.0)
        return np.array([capacity_Ah, self.tau1_s, self.tau2_s, reach, self.coolant_W_per_K, degC, *slow, *kinetic])

    def full(self, degC: float = ROOM_DEGC, capacity_Ah: float | None = None) -> F64:
        """What march takes as state: charged, at rest, at a temperature."""
        return np.array([self.capacity_Ah if capacity_Ah is None else capacity_Ah, 0.0, 0.0, 1.0, degC, 0.0])


class Bench:
    """A cell with its tables laid out for march."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.curves = cell.curves()
        self.ln_r = np.array([[np.interp(RX, cell.r_soc, pair) for pair in row] for row in cell.ln_r])
        self.inverse_K = 1.0 / (cell.r_degC + KELVIN)
        rate = cell.rate or Rate(np.array([ROOM_DEGC]), np.array([1.0]), 0.0)
        self.rate = np.array([1.0 / (rate.degC + KELVIN), np.log(rate.i0_A)])

    def run(self, par: F64, state: F64, current_A: F64, dt_s: float, floor_V: float = -9.0) -> F64:
        """Voltages after each step, until one lies below the floor; state is moved.

        par: capacity, tau1, tau2, reach, coolant, ambient, R3 by R2, tau3, kinetic share of R0, reference current (0: no
        rate law).  state: charge, u1, u2, h, temperature, u3.
        """
        out_V = np.empty(len(current_A))
        tables = (self.curves, self.ln_r, self.inverse_K, self.rate)
        return out_V[: march(*tables, par, state, current_A, dt_s, floor_V, out_V)]


@kernel
def ohm(ln_r: F64, inverse_K: F64, pair: int, x: float, degC: float) -> float:
    """R0, R1 or R2 at an SOC and a temperature: ln R linear over SOC and over 1/T."""
    at = min(max(x, 0.0), 1.0) * 100.0
    g = min(int(at), 99)
    here_per_K = 1.0 / (degC + 273.15)
    j = 0
    while j < len(inverse_K) - 2 and here_per_K < inverse_K[j + 1]:
        j += 1
    cold = ln_r[j, pair, g] + (at - g) * (ln_r[j, pair, g + 1] - ln_r[j, pair, g])
    warm = ln_r[j + 1, pair, g] + (at - g) * (ln_r[j + 1, pair, g + 1] - ln_r[j + 1, pair, g])
    return math.exp(cold + (inverse_K[j] - here_per_K) / (inverse_K[j] - inverse_K[j + 1]) * (warm - cold))


@kernel
def g(y: float) -> float:
    """asinh(y) / y: resistance of a sinh-like reaction at a current, relative to none."""
    return math.asinh(y) / y if y > 1e-3 else 1.0 - y * y / 6.0


@kernel
def kinetic(rate: F64, reference_A: float, current_A: float, degC: float) -> float:
    """What is left of a kinetic resistance at a current: 1 at the reference. rate: rows 1/T and ln i0, constant outside."""
    if reference_A <= 0.0:
        return 1.0
    here_per_K = 1.0 / (degC + 273.15)
    n = rate.shape[1]
    ln_i0 = rate[1, 0] if here_per_K >= rate[0, 0] else rate[1, n - 1]
    for j in range(n - 1):
        if rate[0, j] > here_per_K >= rate[0, j + 1]:
            ln_i0 = rate[1, j] + (rate[0, j] - here_per_K) / (rate[0, j] - rate[0, j + 1]) * (rate[1, j + 1] - rate[1, j])
    i0_A = math.exp(ln_i0)
    return g(abs(current_A) / i0_A) / g(reference_A / i0_A)


@kernel
def march(
    curves: F64,
    ln_r: F64,
    inverse_K: F64,
    rate: F64,
    par: F64,
    state: F64,
    current_A: F64,
    dt_s: float,
    floor_V: float,
    out_V: F64,
) -> int:
    """Step a cell through currents (positive on discharge); the number of steps taken. par, state: see Bench.run."""
    capacity_Ah, reach, coolant_W_per_K, ambient_degC = par[0], par[3], par[4], par[5]
    r3_share, r0_share, reference_A = par[6], par[8], par[9]
    keep1, keep2, keep3 = math.exp(-dt_s / par[1]), math.exp(-dt_s / par[2]), math.exp(-dt_s / par[7])
    q_Ah, u1, u2, h, degC, u3 = state[0], state[1], state[2], state[3], state[4], state[5]
    steps = len(current_A)
    for k in range(len(current_A)):
        i = current_A[k]
        x = 1.0 - (1.0 - q_Ah / capacity_Ah) / reach
        left = kinetic(rate, reference_A, i, degC)
        r0_ohm = ohm(ln_r, inverse_K, 0, x, degC) * (1.0 - r0_share + r0_share * left)
        r2_ohm = ohm(ln_r, inverse_K, 2, x, degC)
        u1 = u1 * keep1 + (1.0 - keep1) * ohm(ln_r, inverse_K, 1, x, degC) * left * i
        u2 = u2 * keep2 + (1.0 - keep2) * r2_ohm * i
        u3 = u3 * keep3 + (1.0 - keep3) * r3_share * r2_ohm * i
        q_Ah -= i * dt_s / 3600.0
        target = -1.0 if i > 0.0 else 1.0
        h = target + (h - target) * math.exp(-HYSTERESIS_PER_SOC * abs(i) * dt_s / 3600.0 / capacity_Ah)
        z = q_Ah / capacity_Ah
        x = max(1.0 - (1.0 - z) / reach, min(z, 0.0))
        at = min(max((x + 0.25) / 0.005, 0.0), 299.9999)
        g = int(at)
        mean_V = curves[0, g] + (at - g) * (curves[0, g + 1] - curves[0, g])
        half_V = curves[1, g] + (at - g) * (curves[1, g + 1] - curves[1, g])
        dudt = curves[2, g] + (at - g) * (curves[2, g + 1] - curves[2, g])
        mean_V += dudt * (degC - 25.0)
        out_V[k] = mean_V + h * half_V - u1 - u2 - u3 - i * r0_ohm
        heat_W = i * (mean_V - out_V[k]) - i * (degC + 273.15) * dudt - coolant_W_per_K * (degC - ambient_degC)
        degC += heat_W * dt_s / HEAT_CAPACITY_J_PER_K
        if out_V[k] < floor_V:
            steps = k + 1
            break
    state[0], state[1], state[2], state[3], state[4], state[5] = q_Ah, u1, u2, h, degC, u3
    return steps


def table(name: str) -> list[Row]:
    """Rows of a TUB table."""
    with open(TUB / name, newline="", encoding="ascii") as text:
        return list(csv.DictReader(text))


def column(rows: Sequence[Row], key: str) -> F64:
    """A column of numbers."""
    return np.array([float(row[key]) for row in rows])


def hat(x: F64, nodes: F64) -> F64:
    """(x, nodes) matrix of linear interpolation, constant outside."""
    return np.array([np.interp(x, nodes, unit) for unit in np.eye(len(nodes))]).T


def checkup(cell: Cell, row: Row) -> float:
    """Charge [Ah] of TUB's checkup discharge: 1C segments, each ended by its time or by 1.5 V, each with 6 min of rest."""
    bench, degC, dt_s = Bench(cell), float(row["t_set_c"]), 0.25
    par, state = cell.parameters(degC), cell.full(degC)
    load_A, rest_A = np.full(round(float(row["segment_s"]) / dt_s), ONE_C_A), np.zeros(36)
    for _ in range(int(row["n_segments"])):
        bench.run(par, state, load_A, dt_s, CUT_OFF_V)
        bench.run(par, state, rest_A, REST_S / len(rest_A))
    return cell.capacity_Ah - float(state[0])


def legs(name: str) -> tuple[F64, F64]:
    """(second, (voltage, current)) of the discharge of a Hakadi run and of the recharge that follows it."""
    with gzip.open(HAKADI / f"{name}.csv.gz", "rt", encoding="ascii", newline="") as text:
        rows = list(csv.DictReader(text))
    down = [row for row in rows if row["mode"] == "3"]
    up = [row for row in rows if row["mode"] == "1" and float(row["time_s"]) > float(down[-1]["time_s"])]
    both = [np.stack([column(leg, "voltage_V"), column(leg, "current_A")], axis=1) for leg in (down, up)]
    return both[0], both[1]


def follow(cell: Cell, capacity_Ah: float, down: F64, up: F64) -> tuple[F64, F64]:
    """Error of voltage [V] in a discharge from full and in the recharge after it, with this number for the capacity.

    In the recharge charge and capacity are stretched alike, such that it returns what the discharge took: the sensor
    drifts, and the sum of a file ends at 96 to 109 %.
    """
    bench, state = Bench(cell), cell.full(capacity_Ah=capacity_Ah)
    down_V = bench.run(cell.parameters(ROOM_DEGC, capacity_Ah), state, down[:, 1].copy(), 1.0)
    stretch = -float(up[:, 1].sum()) / float(down[:, 1].sum())
    state[0] *= stretch
    up_V = bench.run(cell.parameters(ROOM_DEGC, capacity_Ah * stretch), state, up[:, 1].copy(), 1.0)
    return down_V - down[:, 0], up_V - up[:, 0]


def read_cell(path: Path) -> Cell:
    """The parameter set in a cell file."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    ocv, r, reach, entropy = (data[name] for name in ("ocv", "resistance", "reach", "entropy"))
    rate, slow = data.get("rate"), data.get("slow")
    return Cell(
        capacity_Ah=data["capacity_Ah"],
        soc=np.array(ocv["soc"]),
        discharge_V=np.array(ocv["discharge_V"]),
        charge_V=np.array(ocv["charge_V"]),
        below_V_per_soc=ocv["below_empty_V_per_soc"],
        above_V_per_soc=ocv["above_full_V_per_soc"],
        entropy_soc=np.array(entropy["soc"]),
        dudt_V_per_K=np.array(entropy["dudt_mV_per_K"]) * 1e-3,
        r_degC=np.array(r["temp_degC"]),
        ln_r=np.log(np.stack([r["r0_ohm"], r["r1_ohm"], r["r2_ohm"]], axis=1)),
        tau1_s=r["tau1_s"],
        tau2_s=r["tau2_s"],
        reach_degC=np.array(reach["temp_degC"]),
        reach=np.array(reach["share"]),
        coolant_W_per_K=data["thermal"]["coolant_W_per_K"],
        rate=Rate(np.array(rate["temp_degC"]), np.array(rate["i0_A"]), rate["r0_share"], rate["reference_A"]) if rate else None,
        slow=Slow(slow["r3_share"], slow["tau3_s"]) if slow else None,
        r_soc=np.array(r["soc"]),
    )


def literals(values: Sequence[float] | F64, form: str) -> list[str]:
    """TOML floats."""
    cells = [format(value, form) for value in values]
    return [text if any(c in text for c in ".e") else f"{text}.0" for text in cells]


def array(name: str, values: F64, form: str) -> list[str]:
    """Lines of a TOML array, at most ten numbers each."""
    cells = literals(values, form)
    if len(cells) <= 16:
        return [f"{name} = [{', '.join(cells)}]"]
    return [f"{name} = [", *(f"  {', '.join(cells[k : k + 10])}," for k in range(0, len(cells), 10)), "]"]


def matrix(name: str, rows: F64) -> list[str]:
    """Lines of a TOML array of arrays of ohms."""
    return [f"{name} = [", *(f"  [{', '.join(literals(row, '.4g'))}]," for row in rows), "]"]


def tables(cell: Cell, source: dict[str, str], prefix: str = "") -> list[str]:
    """The tables that a cell and a belief share, as TOML lines; source: "confidence: text" by table."""

    def opening(name: str) -> list[str]:
        confidence, text = source[name].split(": ", 1)
        return ["", f"[{prefix}{name}]", f'source = "{text}"', f'confidence = "{confidence}"']

    r = np.exp(cell.ln_r)
    lines = opening("ocv") + array("soc", cell.soc, "g")
    lines += array("discharge_V", cell.discharge_V, ".4f") + array("charge_V", cell.charge_V, ".4f")
    lines += [f"below_empty_V_per_soc = {cell.below_V_per_soc}", f"above_full_V_per_soc = {cell.above_V_per_soc}"]
    lines += [*opening("hysteresis"), f"decay_per_soc = {HYSTERESIS_PER_SOC}"]
    lines += opening("resistance") + array("soc", cell.r_soc, "g") + array("temp_degC", cell.r_degC, "g")
    for pair in range(3):
        lines += matrix(f"r{pair}_ohm", r[:, pair])
    lines += [f"tau1_s = {literals([cell.tau1_s], '.3g')[0]}", f"tau2_s = {literals([cell.tau2_s], '.4g')[0]}"]
    lines += opening("reach") + array("temp_degC", cell.reach_degC, "g") + array("share", cell.reach, ".4f")
    lines += opening("entropy") + array("soc", cell.entropy_soc, "g")
    return lines + array("dudt_mV_per_K", cell.dudt_V_per_K * 1e3, ".4f")
