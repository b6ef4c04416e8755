"""The cell that is fitted, and how its voltage depends on every number that is.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) - u1 - u2 - I R0(x, T)

x is the share of the charge left, 1 when full; h the loop: -1 after discharge, +1 after charge, moved by the charge that
passes. Charge, loop and temperature are known before the fit begins, so U and M enter linearly. Each resistance is that of
the lending cell times exp(d), d linear over SOC between nodes and over 1/T between the temperatures of the data: with no
data, the lender's course over SOC and temperature stays. u1 and u2 relax towards I R1 and I R2; so do their derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64
from hil.fit.legs import Track
from hil.plant.cellfile import Cell

KELVIN = 273.15
REFERENCE_DEGC = 25.0
LEAST_HALF_V = 0.001
# fmt: off
OCV_SOC = np.array([
    0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.275, 0.3, 0.325, 0.35, 0.375, 0.4,
    0.425, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1.0,
])
# fmt: on
# Whole hundredths, as the plant's grid of resistance.
R_SOC = np.array([0, 0.01, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


@dataclass(frozen=True)
class Tables:
    """Everything that the model needs.

    mean_V, half_V: over OCV_SOC.  base: (temperature, pair, soc) ln R of the lender over R_SOC.  d: (data temperature,
    pair, soc) what is added.  lent_reach: share of the capacity over lent_reach_degC; reach: factor on it by data temperature.
    """

    capacity_Ah: float
    mean_V: F64
    half_V: F64
    below_V_per_soc: float
    above_V_per_soc: float
    decay_per_soc: float
    entropy_soc: F64
    dudt_V_per_K: F64
    base_degC: F64
    base: F64
    data_degC: F64
    d: F64
    tau1_s: float
    tau2_s: float
    lent_reach_degC: F64
    lent_reach: F64
    reach: F64

    def reach_at(self, degC: F64) -> F64:
        """Share of the capacity that can be reached at some temperatures."""
        lent = np.interp(degC, self.lent_reach_degC, self.lent_reach)
        return np.asarray(lent * (weights(degC, self.data_degC, flat=True) @ self.reach))

    def ln_r(self, degC: F64) -> F64:
        """(temperature, pair, soc) logarithms of the resistances at some temperatures."""
        lent = np.einsum("kj,jpn->kpn", weights(degC, self.base_degC), self.base)
        return np.asarray(lent + np.einsum("kj,jpn->kpn", weights(degC, self.data_degC, flat=True), self.d))


def lent(lender: Cell, capacity_Ah: float, data_degC: F64) -> Tables:
    """The lender's tables for a cell of another size: resistance falls as capacity rises."""
    ocv, r = lender.ocv, lender.resistance
    low_V, high_V = (np.interp(OCV_SOC, ocv.soc, branch) for branch in (ocv.discharge_V, ocv.charge_V))
    pairs = np.log(np.stack([np.array(r.r0_ohm), np.array(r.r1_ohm), np.array(r.r2_ohm)], axis=1))
    base = np.array([[np.interp(R_SOC, r.soc, row) for row in rows] for rows in pairs])
    return Tables(
        capacity_Ah=capacity_Ah,
        mean_V=0.5 * (low_V + high_V),
        half_V=np.maximum(0.5 * (high_V - low_V), LEAST_HALF_V),
        below_V_per_soc=ocv.below_empty_V_per_soc,
        above_V_per_soc=ocv.above_full_V_per_soc,
        decay_per_soc=lender.hysteresis.decay_per_soc,
        entropy_soc=np.array(lender.entropy.soc),
        dudt_V_per_K=np.array(lender.entropy.dudt_mV_per_K) * 1e-3,
        base_degC=np.array(r.temp_degC),
        base=base + np.log(lender.capacity_Ah / capacity_Ah),
        data_degC=data_degC,
        d=np.zeros((len(data_degC), 3, len(R_SOC))),
        tau1_s=r.tau1_s,
        tau2_s=r.tau2_s,
        lent_reach_degC=np.array(lender.reach.temp_degC),
        lent_reach=np.array(lender.reach.share),
        reach=np.ones(len(data_degC)),
    )


def hat(x: F64, nodes: F64) -> F64:
    """(x, nodes) matrix of linear interpolation, constant outside."""
    at, share = _place(x, nodes, flat=True)
    return _spread(at, share, len(nodes))


def weights(degC: F64, nodes_degC: F64, *, flat: bool = False) -> F64:
    """(temperature, node) weights of interpolation linear in 1/T; beyond the last node on, or flat."""
    if len(nodes_degC) == 1:
        return np.ones((len(degC), 1))
    return _spread(*_place_degC(degC, nodes_degC, flat=flat), len(nodes_degC))


def _place(x: F64, nodes: F64, *, flat: bool) -> tuple[I64, F64]:
    """The node at or below each x but the last, and the share of the way to the next."""
    at: I64 = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    share = (x - nodes[at]) / (nodes[at + 1] - nodes[at])
    return at, np.clip(share, 0.0, 1.0) if flat else share


def _place_degC(degC: F64, nodes_degC: F64, *, flat: bool) -> tuple[I64, F64]:
    """_place on the axis 1/T; for one node, that node."""
    if len(nodes_degC) == 1:
        return np.zeros(len(degC), np.int64), np.zeros(len(degC))
    return _place(-1.0 / (np.asarray(degC) + KELVIN), -1.0 / (nodes_degC + KELVIN), flat=flat)


def _spread(at: I64, share: F64, n: int) -> F64:
    """Places as a matrix of weights."""
    out = np.zeros((len(at), n))
    rows = np.arange(len(at))
    out[rows, at] = 1.0 - share
    out[rows, at + 1] = share
    return out


def _bilinear(table: F64, rows: tuple[I64, F64], columns: tuple[I64, F64]) -> F64:
    """A table at places of its rows and its columns."""
    (j, down), (g, along) = rows, columns
    first = table[j, g] + along * (table[j, g + 1] - table[j, g])
    if len(table) == 1:
        return np.asarray(first)
    second = table[j + 1, g] + along * (table[j + 1, g + 1] - table[j + 1, g])
    return np.asarray(first + down * (second - first))


@kernel
def relax(keep: F64, drive: F64, out: F64) -> None:
    """Each column of out follows that of drive: out = keep * out before + (1 - keep) * drive, from 0 on.

    keep: (n,).  drive, out: (n, columns).
    """
    for c in range(drive.shape[1]):
        value = 0.0
        for k in range(drive.shape[0]):
            value = keep[k] * value + (1.0 - keep[k]) * drive[k, c]
            out[k, c] = value


def followed(keep: F64, drive: F64) -> F64:
    """relax, as a function."""
    drive = np.ascontiguousarray(drive)
    out = np.empty_like(drive)
    relax(keep, drive, out)
    return out


def loop(track: Track, capacity_Ah: float, decay_per_soc: float) -> F64:
    """State of the loop at each row: from +1 (full), or from -1 when the first leg charges."""
    passed = np.abs(track.amps) * track.dt_s / 3600.0 / capacity_Ah
    start = -1.0 if track.legs[0].kind == "charge" and track.missing_Ah[0] > 0.2 * capacity_Ah else 1.0
    target = np.where(track.amps > 0.0, -1.0, 1.0) - start
    return np.asarray(start + followed(np.exp(-decay_per_soc * passed), target[:, None])[:, 0])


@dataclass(frozen=True)
class Course:
    """A track with what does not change within a fit. rows: those that are compared.  h: loop.  degC: temperature."""

    track: Track
    h: F64
    degC: F64
    rows: I64

    def at(self, degC: F64) -> Course:
        """The same at other temperatures."""
        return replace(self, degC=degC)


def soc(tables: Tables, course: Course, ln_s: F64) -> F64:
    """Share of the charge that can be reached, at each row; not below empty while there is charge out of reach.

    ln_s: by span, logarithm of its capacity over that of the cell.
    """
    gone = course.track.missing_Ah / (tables.capacity_Ah * np.exp(ln_s[course.track.span]))
    return np.asarray(np.maximum(1.0 - gone / tables.reach_at(course.degC), np.minimum(1.0 - gone, 0.0)))


def open_V(tables: Tables, x: F64, degC: F64) -> F64:
    """Mean of the branches at x and a temperature."""
    outside = np.minimum(x, 0.0) * tables.below_V_per_soc + np.maximum(x - 1.0, 0.0) * tables.above_V_per_soc
    dudt = np.interp(x, tables.entropy_soc, tables.dudt_V_per_K)
    return np.asarray(np.interp(x, OCV_SOC, tables.mean_V) + outside + dudt * (degC - REFERENCE_DEGC))


def ohms(tables: Tables, x: F64, degC: F64) -> F64:
    """(3, n) resistances at each row."""
    at = _place(x, R_SOC, flat=True)
    lent_at = _place_degC(degC, tables.base_degC, flat=False)
    data_at = _place_degC(degC, tables.data_degC, flat=True)
    ln_r = [_bilinear(tables.base[:, p], lent_at, at) + _bilinear(tables.d[:, p], data_at, at) for p in range(3)]
    return np.exp(np.stack(ln_r))


def volts(tables: Tables, course: Course, ln_s: F64) -> F64:
    """Voltage at every row of a course."""
    track, x = course.track, soc(tables, course, ln_s)
    r = ohms(tables, x, course.degC)
    pairs = [
        followed(np.exp(-track.dt_s / tau_s), (r[p] * track.amps)[:, None])[:, 0]
        for p, tau_s in ((1, tables.tau1_s), (2, tables.tau2_s))
    ]
    half_V = np.interp(x, OCV_SOC, tables.half_V)
    return np.asarray(open_V(tables, x, course.degC) + course.h * half_V - pairs[0] - pairs[1] - track.amps * r[0])


def slopes(tables: Tables, course: Course, ln_s: F64) -> tuple[F64, F64, F64]:
    """Derivatives of the voltage at the compared rows: by mean_V, by half_V, and (row, temperature, pair, soc) by d."""
    track, x, rows = course.track, soc(tables, course, ln_s), course.rows
    r = ohms(tables, x, course.degC)
    at, over_data = hat(x, R_SOC), weights(course.degC, tables.data_degC, flat=True)
    ocv = hat(x[rows], OCV_SOC)
    by_d = np.zeros((len(rows), *tables.d.shape))
    for j in np.flatnonzero(over_data.any(axis=0)):
        share = over_data[:, j : j + 1] * at * track.amps[:, None]
        by_d[:, j, 0] = -(share * r[0][:, None])[rows]
        for p, tau_s in ((1, tables.tau1_s), (2, tables.tau2_s)):
            by_d[:, j, p] = -followed(np.exp(-track.dt_s / tau_s), share * r[p][:, None])[rows]
    return ocv, ocv * course.h[rows, None], by_d
