"""Tables over SOC and temperature as they stand in cell and calibration files, and their compilation onto grids.

A cell file says with them what a cell is, a calibration what the BMS believes; the numbers differ on purpose, the form
does not. Interpolation and logarithm are our own, so that tables are the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from firmware_sim.jit import exp
from firmware_sim.types import F64
from hil import files
from hil.shape import settle

MAX_NODES = 12

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
TempDegC = Annotated[float, Field(ge=-60, le=150)]
CellVolt = Annotated[float, Field(ge=-0.5, le=6)]
Confidence = Literal["measured", "fitted", "datasheet", "literature", "assumption"]


def rising(name: str, values: Sequence[float]) -> list[str]:
    """What is wrong with a column that must rise: nothing, or the first entry that does not."""
    pairs = zip(values, values[1:], strict=False)
    found = [f"{name} must rise from entry to entry; {b:g} follows {a:g}" for a, b in pairs if not b > a]
    return found[:1]


def lengths(**columns: Sequence[object]) -> list[str]:
    """What is wrong with columns that must have one length: nothing, or how long each is."""
    counts = {name: len(column) for name, column in columns.items()}
    if len(set(counts.values())) <= 1:
        return []
    return [": columns differ in length: " + ", ".join(f"{name} {n}" for name, n in counts.items())]


def _few(name: str, values: Sequence[float]) -> list[str]:
    return [f"{name} needs at least 2 points, found {len(values)}"] if len(values) < 2 else []


class Sourced(files.FileModel):
    """Base of every table: where its numbers come from and how far to trust them."""

    source: Annotated[str, Field(min_length=4)]
    confidence: Confidence


class Ocv(Sourced):
    """Rested voltage of both branches over SOC at 25 degC, and its slope outside 0..1."""

    soc: list[Share]
    discharge_V: list[CellVolt]
    charge_V: list[CellVolt]
    below_empty_V_per_soc: Positive
    above_full_V_per_soc: Positive

    @model_validator(mode="after")
    def _shape(self) -> Ocv:
        settle(lengths(soc=self.soc, discharge_V=self.discharge_V, charge_V=self.charge_V) or _few("soc", self.soc))
        found = [text for name in ("soc", "discharge_V", "charge_V") for text in rising(name, getattr(self, name))]
        if self.soc[0] != 0 or self.soc[-1] != 1:
            found.append(f"soc must run from 0 to 1, found {self.soc[0]:g} to {self.soc[-1]:g}")
        found += [
            f"charge_V {high:g} lies below discharge_V {low:g} at soc {soc:g}"
            for soc, low, high in zip(self.soc, self.discharge_V, self.charge_V, strict=True)
            if high < low
        ]
        settle(found)
        return self


class Hysteresis(Sourced):
    """How fast the voltage crosses from one branch to the other: exp(-decay_per_soc |dSOC|)."""

    decay_per_soc: Positive


class Resistance(Sourced):
    """Series resistance and two RC pairs over SOC (rows: temperatures, columns: SOC)."""

    soc: list[Share]
    temp_degC: list[TempDegC]
    r0_ohm: list[list[Positive]]
    r1_ohm: list[list[Positive]]
    r2_ohm: list[list[Positive]]
    tau1_s: Positive
    tau2_s: Positive

    @model_validator(mode="after")
    def _shape(self) -> Resistance:
        found = [*rising("soc", self.soc), *rising("temp_degC", self.temp_degC), *_few("soc", self.soc)]
        if not 2 <= len(self.temp_degC) <= MAX_NODES:
            found.append(f"temp_degC needs 2 to {MAX_NODES} temperatures, found {len(self.temp_degC)}")
        odd = [soc for soc in self.soc if abs(soc * 100 - round(soc * 100)) > 1e-9]
        found += [f"soc must stand on whole hundredths, found {soc:g}" for soc in odd[:1]]
        for name in ("r0_ohm", "r1_ohm", "r2_ohm"):
            table = getattr(self, name)
            if len(table) != len(self.temp_degC):
                found.append(f"{name} has {len(table)} rows; expected one for each of {len(self.temp_degC)} temperatures")
            found += [
                f"{name}[{n}] has {len(row)} entries; expected one for each of {len(self.soc)} soc"
                for n, row in enumerate(table)
                if len(row) != len(self.soc)
            ]
        settle(found)
        return self


# What no cell has, whatever its size: a slip of unit. Median resistance near 25 degC times capacity (shipped: 0.011 to 0.61),
# heat by capacity (14 to 68, in a coin cell thousands), time constants, decay of the loop.
_OHM_AH, _J_PER_K_AH, _WARM_DEGC = (0.001, 10.0), (0.5, 20_000.0), (0.0, 60.0)
_TAU1_S, _TAU2_S, _DECAY_PER_SOC = (1e-4, 600.0), (1e-2, 36_000.0), (0.1, 10_000.0)


def unlikely(capacity_Ah: float, resistance: Resistance, hysteresis: Hysteresis, heat: tuple[str, float] | None) -> list[str]:
    """What is too far from any cell to be anything but a slip of unit. heat: key and value of the heat capacity [J/K]."""
    at = int(np.argmin(np.abs(np.array(resistance.temp_degC) - 25.0)))
    ohm = float(np.median(np.sum([resistance.r0_ohm[at], resistance.r1_ohm[at], resistance.r2_ohm[at]], axis=0)))
    found = []
    degC, ohm_Ah = resistance.temp_degC[at], ohm * capacity_Ah
    if _WARM_DEGC[0] <= degC <= _WARM_DEGC[1] and not _OHM_AH[0] <= ohm_Ah <= _OHM_AH[1]:
        found.append(
            f"capacity_Ah {capacity_Ah:g} and a resistance of {ohm:.3g} ohm at {degC:g} degC make {ohm_Ah:.3g} ohm Ah; "
            f"expected {_OHM_AH[0]:g} to {_OHM_AH[1]:g}: is one of them in mAh or mOhm?"
        )
    told = [
        ("resistance.tau1_s", resistance.tau1_s, *_TAU1_S),
        ("resistance.tau2_s", resistance.tau2_s, *_TAU2_S),
        ("hysteresis.decay_per_soc", hysteresis.decay_per_soc, *_DECAY_PER_SOC),
    ]
    if heat is not None:
        told.append((*heat, _J_PER_K_AH[0] * capacity_Ah, _J_PER_K_AH[1] * capacity_Ah))
    return found + [
        f"{key} {value:g}; expected {low:g} to {high:g}" for key, value, low, high in told if not low <= value <= high
    ]


class Reach(Sourced):
    """Share of the capacity that can be reached at a temperature; the rest comes back when it is warm."""

    temp_degC: list[TempDegC]
    share: list[Share]

    @model_validator(mode="after")
    def _shape(self) -> Reach:
        found = [*lengths(temp_degC=self.temp_degC, share=self.share), *rising("temp_degC", self.temp_degC)]
        if not 1 <= len(self.share) <= MAX_NODES:
            found.append(f"share needs 1 to {MAX_NODES} points, found {len(self.share)}")
        pairs = zip(self.share, self.share[1:], strict=False)
        found += [f"share must not fall with temperature; {b:g} follows {a:g}" for a, b in pairs if b < a][:1]
        found += [f"share must be at least 0.2, found {share:g}" for share in sorted(self.share)[:1] if share < 0.2]
        settle(found)
        return self


class Entropy(Sourced):
    """dU/dT over SOC."""

    soc: list[Share]
    dudt_mV_per_K: list[Annotated[float, Field(ge=-5, le=5)]]

    @model_validator(mode="after")
    def _shape(self) -> Entropy:
        found = lengths(soc=self.soc, dudt_mV_per_K=self.dudt_mV_per_K)
        settle([*found, *rising("soc", self.soc), *([] if self.soc else ["soc needs a point or more, found none"])])
        return self


ZERO_DEGC_K = 273.15


def log(x: float) -> float:
    """Natural logarithm by Newton steps on our own exp, so that tables are the same on every machine."""
    y = math.frexp(x)[1] * 0.6931471805599453
    for _ in range(60):
        step = 1.0 - x / exp(y)
        y -= step
        if abs(step) < 1e-16:
            break
    return y


def interp(x: F64, xs: Sequence[float], ys: Sequence[float]) -> F64:
    """Linear interpolation, constant outside; np.interp without its machine-dependent fused operations."""
    out = np.empty_like(x)
    for i, at in enumerate(x):
        if at <= xs[0]:
            out[i] = ys[0]
        elif at >= xs[-1]:
            out[i] = ys[-1]
        else:
            j = next(n for n in range(1, len(xs)) if xs[n] >= at)
            out[i] = ys[j - 1] + (at - xs[j - 1]) / (xs[j] - xs[j - 1]) * (ys[j] - ys[j - 1])
    return out


def grid(low: float, step: float, n: int) -> F64:
    """N points from low on."""
    return np.asarray(low + step * np.arange(n), np.float64)


def voltage_curves(ocv: Ocv, entropy: Entropy, x: F64) -> F64:
    """(3, n): mean of the branches [V], half their distance [V], dU/dT [V/K] at the grid x, extended beyond 0..1."""
    low, high = interp(x, ocv.soc, ocv.discharge_V), interp(x, ocv.soc, ocv.charge_V)
    outside = np.minimum(x, 0.0) * ocv.below_empty_V_per_soc + np.maximum(x - 1.0, 0.0) * ocv.above_full_V_per_soc
    dudt = interp(x, entropy.soc, entropy.dudt_mV_per_K) * 1e-3
    return np.array([0.5 * (low + high) + outside, 0.5 * (high - low), dudt])


def log_resistance(r: Resistance, grid: F64) -> tuple[F64, F64]:
    """Ln R of the three resistances, (3 MAX_NODES, n) with row 3 temperature + pair, and 1/T of the temperatures [1/K]."""
    ln_r = np.zeros((3 * MAX_NODES, len(grid)))
    inverse_K = np.zeros(MAX_NODES)
    for j, temp_degC in enumerate(r.temp_degC):
        inverse_K[j] = 1.0 / (temp_degC + ZERO_DEGC_K)
        for pair, table in enumerate((r.r0_ohm, r.r1_ohm, r.r2_ohm)):
            ln_r[3 * j + pair] = interp(grid, r.soc, [log(value) for value in table[j]])
    return ln_r, inverse_K
