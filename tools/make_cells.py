"""Fill the computed arrays of cell files: what follows from another cell, from tests/data, or from one row by Arrhenius' law.

    python tools/make_cells.py            write hil/plant/cells/*.toml of RECIPES again
    python tools/make_cells.py --check    compute again and compare with the files instead

Text, limits and every number that was chosen stand in the cell files and stay as they are. Area-neutral: resistance times
capacity is kept, so a cell of n times the capacity has 1/n of the resistance; `power` is the further factor of a design
with more electrode area for its capacity (1: none), an assumption that the file states.
"""

from __future__ import annotations

import csv
import math
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

F64 = NDArray[np.float64]
Tables = dict[str, dict[str, Any]]  # section, key: value

ROOT = Path(__file__).resolve().parents[1]
CELLS = ROOT / "hil" / "plant" / "cells"
DATA = ROOT / "tests" / "data"
R_TABLES = ("r0_ohm", "r1_ohm", "r2_ohm")
COLDEST_K, HOTTEST_K = -65.0, 35.0  # from 25 degC: rested voltage rises with charge from -40 to 60 degC


def read(name: str) -> dict[str, Any]:
    """A cell file."""
    return tomllib.loads((CELLS / f"{name}.toml").read_text(encoding="utf-8"))


def columns(path: str) -> dict[str, F64]:
    """The numbers of a CSV file by column; words are NaN."""
    with (DATA / path).open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    return {key: np.array([float(row[key]) if row[key][0] in "-0123456789" else np.nan for row in rows]) for key in rows[0]}


def arrhenius(kJ_per_mol: float, from_degC: float, to_degC: float) -> float:
    """Factor of a resistance between two temperatures."""
    return float(np.exp(kJ_per_mol * 1e3 / 8.314462618 * (1.0 / (to_degC + 273.15) - 1.0 / (from_degC + 273.15))))


def fill(resistance: dict[str, Any], known: dict[float, list[F64]], kJ_per_mol: float) -> dict[str, Any]:
    """Rows of r0, r1, r2 at the file's temperatures: known ones as they are, others from the nearest known one."""
    out: dict[str, Any] = {name: [] for name in R_TABLES}
    for degC in resistance["temp_degC"]:
        near = min(known, key=lambda other: abs(other - degC))
        for name, row in zip(R_TABLES, known[near], strict=True):
            out[name].append(row * arrhenius(kJ_per_mol, near, degC))
    return out


@dataclass(frozen=True)
class Arrhenius:
    """The row of 25 degC is the file's own; the others follow."""

    kJ_per_mol: float

    def __call__(self, cell: dict[str, Any]) -> Tables:
        """The rows of resistance."""
        r = cell["resistance"]
        row = r["temp_degC"].index(25.0)
        return {"resistance": fill(r, {25.0: [np.array(r[name][row]) for name in R_TABLES]}, self.kJ_per_mol)}


@dataclass(frozen=True)
class Scaled:
    """A layered-oxide cell: curve, entropy and resistance of nfm-18650, by area. kJ_per_mol: of rows it does not have."""

    power: float
    kJ_per_mol: float = 0.0

    def __call__(self, cell: dict[str, Any]) -> Tables:
        """Curve, resistance and entropy."""
        small = read("nfm-18650")
        ocv, r = small["ocv"], small["resistance"]
        scale = self.power * small["capacity_Ah"] / cell["capacity_Ah"]
        wanted = cell["resistance"]["temp_degC"]
        own = [degC for degC in r["temp_degC"] if degC in wanted and (degC >= 5.0 or not self.kJ_per_mol)]
        known = {degC: [scale * np.array(r[name][r["temp_degC"].index(degC)]) for name in R_TABLES] for degC in own}
        return {
            "ocv": {
                key: ocv[key] for key in ("soc", "discharge_V", "charge_V", "below_empty_V_per_soc", "above_full_V_per_soc")
            },
            "resistance": {key: r[key] for key in ("soc", "tau1_s", "tau2_s")}
            | fill({"temp_degC": wanted}, known, self.kJ_per_mol),
            "entropy": {key: small["entropy"][key] for key in ("soc", "dudt_mV_per_K")},
        }


@dataclass(frozen=True)
class Lithium:
    """A lithium cell of tests/data/li-ocv with TUB's entropy; `pulses` gives soc and rows at some temperatures [ohm Ah]."""

    curve: str
    family: str
    half_V: float
    power: float
    kJ_per_mol: float
    pulses: Callable[[float, float], tuple[F64, dict[float, list[F64]]]]

    def __call__(self, cell: dict[str, Any]) -> Tables:
        """Curve, resistance and entropy."""
        data, r = columns(f"li-ocv/{self.curve}.csv"), cell["resistance"]
        soc, known = self.pulses(r["tau1_s"], r["tau2_s"])
        known = {degC: [row * self.power / cell["capacity_Ah"] for row in rows] for degC, rows in known.items()}
        return {
            "ocv": {"soc": data["soc"], "discharge_V": data["ocv_V"] - self.half_V, "charge_V": data["ocv_V"] + self.half_V},
            "resistance": {"soc": soc} | fill(r, known, self.kJ_per_mol),
            "entropy": {"soc": data["soc"], "dudt_mV_per_K": self.entropy(data["soc"], data["ocv_V"])},
        }

    def entropy(self, soc: F64, ocv_V: F64) -> F64:
        """The measured dU/dT [mV/K], as near as a rested voltage that rises with charge from -40 to 60 degC allows.

        TUB's cell has its graphite steps elsewhere than the curve's; unbounded, they would turn the flat curve downwards.
        """
        tub = columns("tub-sib-18650/entropy_dudt_mV_per_K.csv")
        at = np.rint(tub["soc_pct"]).astype(int)
        measured = 0.5 * (tub[f"{self.family}_dis"] + tub[f"{self.family}_chg"])
        room = 0.8e3 * np.diff(ocv_V)
        sums = np.tril(np.ones((len(soc), len(soc))))
        even = 0.05 * np.diff(np.eye(len(soc)), axis=0)[1:]  # steps alike where nothing was measured
        fit = lsq_linear(
            np.vstack([sums[at], even]),
            np.concatenate([measured, np.zeros(len(even))]),
            (np.concatenate([[-5.0], -room / HOTTEST_K]), np.concatenate([[5.0], -room / COLDEST_K])),
        )
        return np.asarray(sums @ fit.x)


def tub_lfp(tau1_s: float, tau2_s: float) -> tuple[F64, dict[float, list[F64]]]:
    """SOC and r0, r1, r2 [ohm Ah] of the rig's LFP cell from 20 ms, 1 s and 10 s of 1C pulses; full as at 90 %."""
    data, capacity_Ah = columns("tub-sib-18650/lfp_pulse_resistance_1C_mohm.csv"), 1.7963
    share1 = 1.0 - np.exp(-np.array([0.02, 1.0, 10.0]) / tau1_s)
    share2 = 1.0 - np.exp(-np.array([0.02, 1.0, 10.0]) / tau2_s)
    solve = np.linalg.inv(np.column_stack([np.ones(3), share1, share2]))
    known = {}
    for degC in np.unique(data["t_set_c"]):
        here = data["t_set_c"] == degC
        rows = solve @ np.array([data[name][here] for name in ("r_fast", "r_1s", "r_10s")]) * 1e-3 * capacity_Ah
        known[float(degC)] = [np.append(row, row[-1]) for row in rows]
    return np.append(data["soc_pct"][here] / 100.0, 1.0), known


def dfn_nmc(tau1_s: float, tau2_s: float) -> tuple[F64, dict[float, list[F64]]]:
    """SOC and r0, r1, r2 [ohm Ah] of the LG M50 from computed pulses: 20 ms, then both pairs to 60 s; empty as at 5 %."""
    data, capacity_Ah = columns("li-ocv/nmc811_pulse_25C_mohm.csv"), 5.0
    names = [name for name in data if name.startswith("r_")]
    t_s = np.array([float(name[2:-1]) for name in names])
    pairs = np.column_stack([1.0 - np.exp(-t_s / tau1_s), 1.0 - np.exp(-t_s / tau2_s)])
    rise = np.array([data[name] for name in names]) - data[names[0]]
    fitted = np.array([lsq_linear(pairs, rise[:, k], (0.3, np.inf)).x for k in range(rise.shape[1])]).T
    rows = np.vstack([data[names[0]], fitted]) * 1e-3 * capacity_Ah
    return np.insert(data["soc_pct"] / 100.0, 0, 0.0), {25.0: [np.insert(row, 0, row[0]) for row in rows]}


RECIPES: dict[str, Callable[[dict[str, Any]], Tables]] = {
    "lo-ev-12": Scaled(power=0.5),
    "lo-ess-240": Scaled(power=1.0),
    "lo-truck-100": Scaled(power=0.15, kJ_per_mol=15.0),
    "lfp-12": Lithium("lfp_prada2013", "lfp", half_V=0.01, power=0.5, kJ_per_mol=25.0, pulses=tub_lfp),
    "nmc811-12": Lithium("nmc811_chen2020", "nmc", half_V=0.005, power=0.5, kJ_per_mol=30.0, pulses=dfn_nmc),
    "pw-starter-60": Arrhenius(15.0),
    "pba-natron": Arrhenius(20.0),
    "nfpp-ess-100": Arrhenius(35.0),
}
FORMS = {"soc": ".6g", "discharge_V": ".5f", "charge_V": ".5f", "dudt_mV_per_K": ".4f"}


def number(value: float, form: str) -> str:
    """A number that TOML reads as a float."""
    text = format(float(value), form)
    return text if any(mark in text for mark in ".e") else f"{text}.0"


def shown(key: str, value: Any) -> str:
    """A number, column or table as it stands in a file."""
    form = FORMS.get(key, ".4g")
    if np.ndim(value) == 0:
        return number(value, form)
    if np.ndim(value) == 2:
        lines = ["  [" + ", ".join(number(x, form) for x in row) + "]," for row in value]
    else:
        lines = ["  " + ", ".join(number(x, form) for x in value[k : k + 10]) + "," for k in range(0, len(value), 10)]
    return "\n".join(["[", *lines, "]"])


def same(computed: Any, found: Any, near: float) -> bool:
    """Whether a value is what the file has, to 0.2 % or near: libraries round differently."""
    if not isinstance(found, list):
        return math.isclose(computed, found, rel_tol=2e-3, abs_tol=near)
    return len(computed) == len(found) and all(same(a, b, near) for a, b in zip(computed, found, strict=True))


def put(text: str, section: str, key: str, value: Any) -> str:
    """A file with one value replaced."""
    start = text.index(f"\n[{section}]\n") + 1
    end = text.find("\n[", start + 1)
    end = len(text) if end < 0 else end
    body, found = re.subn(
        rf"^{key} = (?:\[\n.*?^\]|[^\n]*)$",
        lambda _: f"{key} = {shown(key, value)}",
        text[start:end],
        count=1,
        flags=re.MULTILINE | re.DOTALL,
    )
    if not found:
        raise KeyError(f"[{section}] has no {key}")
    return text[:start] + body + text[end:]


def main(arguments: list[str]) -> int:
    """Compute, then write or compare."""
    if set(arguments) - {"--check"}:
        print(f"unknown argument {min(set(arguments) - {'--check'})}; expected --check", file=sys.stderr)
        return 2
    stale = []
    for name, recipe in RECIPES.items():
        path = CELLS / f"{name}.toml"
        text, cell = path.read_text(encoding="utf-8"), read(name)
        for section, values in recipe(cell).items():
            for key, value in values.items():
                if not same(value, cell[section][key], 1e-3 if section == "entropy" else 1e-7):
                    text = put(text, section, key, value)
                    stale.append(f"{path.name}: [{section}] {key}")
        if not arguments:
            path.write_text(text, encoding="utf-8")
    print("\n".join(f"{name}: {'differs' if arguments else 'written'}" for name in stale) or "as computed")
    return 1 if stale and arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
