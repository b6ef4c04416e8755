"""From drawn cells to the arrays of the scoring plant's kernels.

The cell file says R0, R1 (within 0.1 s) and R2 (60 s), R3 (25 min) over SOC and temperature, its pulses freed of the change of
open-circuit voltage. Here diffusion makes part of the drop, so the resistances are set such that after a 10 s pulse and in the
end the total is what the file says:

    R(10 s) = R0 + R1 + R2 (1 - e^(-10/tau2)) + R3 (1 - e^(-10/tau3))            of the cell file
    D(t)    = U'(x) d(t) / (reach Q 1/h),  d(10 s) = 2/3 sqrt(tau 10 / pi) / 3600 - 10/3600,  d(end) = tau / (15 * 3600)

d is what a current of 1C for t takes off the surface beyond the mean (plane sheet for short times, sphere in the end), tau =
R^2 / D. The pairs have 0.4 s (R1), 6 s (a tenth of R(10 s)) and 200 s (the rest of the end); R0 is what is left of R(10 s).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64
from hil.kinetics import rate_curve
from hil.plant.cellfile import Cell
from hil.plant.extras import GAS_CONSTANT
from hil.score import plant as pl
from hil.score.drawn import Drawn
from hil.tables import MAX_NODES, ZERO_DEGC_K, grid, log, log_resistance, voltage_curves

DIFFUSE_S = 600.0  # R^2 / D at 25 degC
DIFFUSE_J_PER_MOL = 30_000.0
TAUS_S = (0.4, 6.0, 200.0)
RADII_SOC = (0.005, 0.02, 0.05)
WEIGHTS = (0.3, 0.4, 0.3)
_ABOVE_V, _BELOW_V = 0.05, 0.02  # what a load keeps off the cell's limits; diffusion within a tick takes some of it
_PULSE_S = 10.0
_MIDDLE_SHARE = 0.1  # of R(10 s) in the 6 s pair
_LEAST_R0, _LEAST_R3, _MOST_DIFFUSION = 0.3, 0.25, 0.5


@dataclass
class Plant:
    """Arrays of the kernels for a batch of drawn cells; state moves, the rest does not. cells: as drawn."""

    cells: Sequence[Drawn]
    state: F64
    par: F64
    curves: F64
    ln_r: F64
    nodes: F64
    dt_s: float

    def settle(self, soc: F64, temp_degC: F64, branch: F64) -> None:
        """Put every draw to rest at a SOC and temperature, come by charge (branch +1) or discharge (-1); air is as warm."""
        self.state[:] = 0.0
        self.state[: pl.SHELLS] = soc
        self.state[pl.TEMP_DEGC] = self.par[pl.AIR_DEGC] = temp_degC
        for d in range(len(self.cells)):
            pl.refresh(self.state, self.par, self.curves, self.ln_r, self.nodes, d, pl.LONG_S)
            x = 1.0 - (1.0 - self.state[0, d]) / self.state[pl.REACH, d]
            self.state[pl.PLAY : pl.PLAY + pl.PLAYS, d] = x - branch[d] * self.par[pl.RADIUS : pl.RADIUS + pl.PLAYS, d]
            self.state[pl.VOLT, d] = pl.source(self.state, self.par, self.curves, self.nodes, d, 0.0)[0]

    def follow(self, current_A: F64) -> F64:
        """(N_OUT, tick, draw) of every draw driven by the same currents, (tick,)."""
        out = np.zeros((pl.N_OUT, len(current_A), len(self.cells)))
        pl.follow(self.state, self.par, self.curves, self.ln_r, self.nodes, current_A, out, self.dt_s)
        return out


def build(cells: Sequence[Drawn], dt_s: float) -> Plant:
    """A batch of drawn cells of one kind, at rest at full and 25 degC, in ticks of dt_s."""
    cell, n = cells[0].cell, len(cells)
    par = np.zeros((pl.N_PARAMETERS, n))
    curves = np.zeros((n, 4, pl.N_X))
    ln_r = np.zeros((n, 4 * MAX_NODES, pl.N_RX))
    nodes = _nodes(cell, dt_s)
    x = grid(pl.X_LOW, pl.X_STEP, pl.N_X)
    for d, drawn in enumerate(cells):
        par[pl.CAPACITY_AH, d] = drawn.capacity_Ah
        par[pl.DIFFUSE_25_PER_S, d] = drawn.diffusion_scale / DIFFUSE_S
        par[pl.RADIUS : pl.RADIUS + pl.PLAYS, d] = np.array(RADII_SOC) * drawn.play_scale
        par[pl.WEIGHT : pl.WEIGHT + pl.PLAYS, d] = WEIGHTS
        curves[d, : pl.RATE] = voltage_curves(cell.ocv, cell.entropy, x)
        curves[d, pl.MEAN_V] = drawn.mean_V
        curves[d, pl.RATE] = rate_curve(pl.Y_STEP, pl.N_X)
        ln_r[d] = _ln_r(drawn)
    par[pl.DIFFUSE_K] = DIFFUSE_J_PER_MOL / GAS_CONSTANT
    par[pl.HEAT_J_PER_K] = cell.thermal.heat_capacity_J_per_K
    par[pl.COOL_W_PER_K] = cell.thermal.coolant_W_per_K
    par[pl.LOW_V], par[pl.HIGH_V] = cell.limits.discharge_min_V + _ABOVE_V, cell.limits.charge_max_V - _BELOW_V
    par[pl.MOST_A], par[pl.LEAST_A] = cell.limits.discharge_max_A, cell.limits.charge_max_A
    plant = Plant(cells, np.zeros((pl.N_STATE, n)), par, curves, ln_r, nodes, dt_s)
    plant.settle(np.ones(n), np.full(n, 25.0), np.ones(n))
    return plant


def _nodes(cell: Cell, dt_s: float) -> F64:
    nodes = np.zeros((pl.N_NODES, pl.MAX_COLUMNS))
    r = cell.resistance
    nodes[pl.INVERSE_K, : len(r.temp_degC)] = [1.0 / (t + ZERO_DEGC_K) for t in r.temp_degC]
    nodes[pl.REACH_DEGC, : len(cell.reach.share)] = cell.reach.temp_degC
    nodes[pl.REACH_SHARE, : len(cell.reach.share)] = cell.reach.share
    scalars = nodes[pl.SCALARS]
    scalars[pl.N_TEMPERATURES], scalars[pl.N_REACH] = len(r.temp_degC), len(cell.reach.share)
    if cell.rate is not None:
        scalars[pl.N_RATE] = len(cell.rate.i0_A)
        scalars[pl.REFERENCE_A], scalars[pl.R0_KINETIC] = cell.rate.reference_A, cell.rate.r0_share
        nodes[pl.RATE_INVERSE_K, : len(cell.rate.i0_A)] = [1.0 / (t + ZERO_DEGC_K) for t in cell.rate.temp_degC]
        nodes[pl.RATE_LN_I0, : len(cell.rate.i0_A)] = [log(i0) for i0 in cell.rate.i0_A]
    scalars[pl.DECAY1], scalars[pl.DECAY2], scalars[pl.DECAY3] = (exp(-dt_s / tau_s) for tau_s in TAUS_S)
    nodes[pl.SHAPE, : pl.SHELLS] = shape()
    return nodes


def cube_root(x: float) -> float:
    """Cube root by Newton's method, the same on every machine."""
    y = 1.0
    for _ in range(60):
        y -= (y * y * y - x) / (3.0 * y * y)
    return y


def shape() -> F64:
    """(SHELLS,) exchange between neighbouring shells of equal volume, over D / R^2.

    The last: from the centre of the outer shell to the surface.
    """
    n = pl.SHELLS
    edge = [cube_root(i / n) for i in range(1, n + 1)]
    centre = [cube_root((i + 0.5) / n) for i in range(n)]
    between = [3.0 * n * edge[i] * edge[i] / (centre[i + 1] - centre[i]) for i in range(n - 1)]
    return np.array([*between, 1.0 - centre[-1]])


@kernel
def _from_logs(values: F64) -> None:
    """E to the values, in place."""
    for n in range(values.shape[0]):
        values[n] = exp(values[n])


@kernel
def _to_logs(values: F64) -> None:
    """Natural logarithms of values above 0, in place: Newton steps on our own exp, from within a factor of 1.5."""
    for n in range(values.shape[0]):
        start, left = 0.0, values[n]
        while left > 1.5:
            start, left = start + 0.6931471805599453, left * 0.5
        while left < 0.75:
            start, left = start - 0.6931471805599453, left * 2.0
        y = start
        for _ in range(6):
            y -= 1.0 - values[n] / exp(y)
        values[n] = y


def _ln_r(drawn: Drawn) -> F64:
    """(4 MAX_NODES, N_RX) ln of R0 and the three pairs' resistances, row 4 temperature + resistance."""
    cell = drawn.cell
    r = cell.resistance
    x = grid(0.0, 1.0 / (pl.N_RX - 1), pl.N_RX)
    stated = log_resistance(r, x)[0]
    _from_logs(stated.reshape(-1))
    nodes = _nodes(cell, 1.0)
    ohm = np.ones((4 * MAX_NODES, pl.N_RX))
    at = np.round((x - pl.X_LOW) / pl.X_STEP).astype(np.int64)
    wide = round(0.02 / pl.X_STEP)
    slope_V = (drawn.mean_V[np.minimum(at + wide, at[-1])] - drawn.mean_V[np.maximum(at - wide, at[0])]) / (
        pl.X_STEP * (np.minimum(at + wide, at[-1]) - np.maximum(at - wide, at[0]))
    )
    r3_share, tau3_s = (0.0, 1.0) if cell.slow is None else (cell.slow.r3_share, cell.slow.tau3_s)
    part2, part3 = 1.0 - exp(-_PULSE_S / r.tau2_s), 1.0 - exp(-_PULSE_S / tau3_s)
    middle, slow = (1.0 - exp(-_PULSE_S / tau_s) for tau_s in TAUS_S[1:])
    scale = drawn.resistance_scale
    for j, temp_degC in enumerate(r.temp_degC):
        r0, r1, r2 = (scale * row for row in stated[3 * j : 3 * j + 3])
        pulse_ohm = r0 + r1 + r2 * (part2 + r3_share * part3)
        rest_ohm = r2 * (1.0 - part2 + r3_share * (1.0 - part3))
        inverse_K = 1.0 / (temp_degC + ZERO_DEGC_K)
        tau_s = DIFFUSE_S * exp(DIFFUSE_J_PER_MOL / GAS_CONSTANT * (inverse_K - 1.0 / 298.15)) / drawn.diffusion_scale
        reach = pl.reach_at(nodes, temp_degC)
        per_ohm = slope_V / (reach * drawn.capacity_Ah)
        early = max(2.0 / 3.0 * float(np.sqrt(tau_s * _PULSE_S / np.pi)) - _PULSE_S, 0.0) / 3600.0
        late = tau_s / (15.0 * 3600.0)
        early_ohm = np.minimum(per_ohm * min(early, late), _MOST_DIFFUSION * pulse_ohm)
        left_ohm = pulse_ohm - early_ohm
        third = np.maximum(rest_ohm - per_ohm * (late - min(early, late)), _LEAST_R3 * rest_ohm)
        first = np.minimum(r1, 0.5 * left_ohm)
        second = _MIDDLE_SHARE * left_ohm / middle
        zeroth = np.maximum(left_ohm - first - middle * second - slow * third, _LEAST_R0 * r0)
        for k, row in enumerate((zeroth, first, second, third)):
            ohm[4 * j + k] = row
    _to_logs(ohm.reshape(-1))
    return ohm
