"""A cell of another structure than any filter here: what simulated rows of the score are made with.

Theory of operation. Charge z (share of the capacity at 25 degC) sits in a sphere of SHELLS shells of equal volume and moves
by Fick's law; current enters through the surface, so what the terminals feel is the surface, not the mean:

    dc/dt = (D / R^2) 1/r^2 d/dr (r^2 dc/dr),   3 (D / R^2) dc/dr = dz/dt at r = 1,   mean of c = z
    V = U(x_s) + M(x) h + dU/dT(x) (T - 25) - u1 - u2 - u3 - I R0,   x = 1 - (1 - z) / reach(T),  x_s likewise from c(1)

Backward Euler in time (stable at any tick, conserves charge exactly), centres at equal volume. h is a sum of three play
operators (Prandtl-Ishlinskii) on the mean x: play k follows x at the distance r_k, h = sum of w_k (x - p_k) / r_k; it is -1
after a discharge, +1 after a charge, and closed loops of x are closed loops of h, which no exponential law gives. Three RC
pairs, the first of them and a share of R0 kinetic (Butler-Volmer: asinh(y) / y, y = I / i0(T)). D follows Arrhenius.

The filters have two or three RC pairs, no diffusion, and a hysteresis that decays with charge. What they share with this
plant is reach(T): that cold keeps charge for itself for longer than a shift. TUB's 11 h discharges at 5 and 15 degC left
18 and 11 % behind although every 35 s segment was followed by 6 min of rest, and their rested voltages lie on the 25 degC
curve at equal share of throughput; diffusion would have come back (tests/data/tub-sib-18650/README.md). Nor does it come
back while the cell warms itself: 1C without rests at 5 degC gave 1.22 Ah, this plant gives 1.28, and 1.33 if reach followed
temperature at once; so it follows with REACH_S (4 h: assumption, an hour is too short for it).

Heat: one lump, C dT/dt = I (U(x) - V) - I T dU/dT - G (T - air), so that what the load loses warms the cell.

State: (row, draw). Tables are those of hil.score.tables. One tick uses one current, positive on discharge.
"""

from __future__ import annotations

import math

from firmware_sim.jit import exp, inlined, kernel
from firmware_sim.types import F64

SHELLS = 12
PLAYS = 3
# Rows of the state, (row, draw). SHELL: SHELLS rows, share of the capacity; SCRATCH: as many, between two sweeps of a solve.
SHELL = 0
SCRATCH = SHELLS
(U1_V, U2_V, U3_V, PLAY) = (2 * SHELLS, 2 * SHELLS + 1, 2 * SHELLS + 2, 2 * SHELLS + 3)
(
    TEMP_DEGC, R0_OHM, R1_OHM, R2_OHM, R3_OHM, REACH, DIFFUSE_PER_S, PER_I0, KINETIC_AT_REFERENCE, VOLT, AMPS, AGE_S, LEG,
    REST_S, HELD_S, PHASE_S, LEGS_DONE,
) = range(PLAY + PLAYS, PLAY + PLAYS + 17)  # fmt: skip
N_STATE = PLAY + PLAYS + 17

# Rows of the parameters, (row, draw).
(
    CAPACITY_AH, DIFFUSE_25_PER_S, DIFFUSE_K, HEAT_J_PER_K, COOL_W_PER_K, AIR_DEGC, RADIUS, WEIGHT, LOW_V, HIGH_V, MOST_A,
    LEAST_A, WATT,
) = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 14, 15, 16)  # fmt: skip
N_PARAMETERS = 17

# Rows of curves, (draw, row, grid): mean of the branches, half their distance, dU/dT; over x. RATE over y.
MEAN_V, HALF_V, DUDT, RATE = range(4)
X_LOW, X_STEP, N_X = -0.25, 0.005, 301
Y_STEP = 0.1
# Rows of ln_r, (draw, 4 temperature + resistance, grid over x in 0..1).
N_RX = 101
# Rows of nodes, (row, column). SHAPE: 3 r^2 / distance / volume between shells, the last: 1 - centre of the outer shell.
INVERSE_K, REACH_DEGC, REACH_SHARE, RATE_INVERSE_K, RATE_LN_I0, SCALARS, SHAPE = range(7)
N_NODES, MAX_COLUMNS = 7, 16
# Columns of row SCALARS.
N_TEMPERATURES, N_REACH, N_RATE, REFERENCE_A, R0_KINETIC, DECAY1, DECAY2, DECAY3 = range(8)

# Rows of what runs write down, (row, tick, draw): mean current of the tick, the others at its end.
OUT_A, OUT_V, OUT_DEGC, OUT_SOC, OUT_LEGS = range(5)
N_OUT = 5

ZERO_DEGC_K = 273.15
_INVERSE_25_K = 1.0 / 298.15
_REFRESH_S = 1.0
REACH_S = 14_400.0
LONG_S = 1e9  # for ever, as far as reach is concerned


@inlined
def curve(curves: F64, d: int, row: int, x: float) -> float:
    """A curve over x at x; what lies beyond the grid counts as its end."""
    at = min(max((x - X_LOW) * (1.0 / X_STEP), 0.0), N_X - 1.000001)
    g = int(at)
    return float(curves[d, row, g] + (at - g) * (curves[d, row, g + 1] - curves[d, row, g]))


@inlined
def rate_factor(curves: F64, d: int, y: float) -> float:
    """Table of asinh(y) / y, which falls from 1 at y = 0; constant beyond the grid."""
    at = min(y * (1.0 / Y_STEP), N_X - 1.000001)
    g = int(at)
    return float(curves[d, RATE, g] + (at - g) * (curves[d, RATE, g + 1] - curves[d, RATE, g]))


@kernel
def mean_soc(state: F64, d: int) -> float:
    """Charge left as a share of the capacity."""
    total = 0.0
    for i in range(SHELLS):
        total += state[SHELL + i, d]
    return total / SHELLS


@kernel
def reach_at(nodes: F64, temp_degC: float) -> float:
    """Share of the capacity that can be reached at a temperature."""
    share = nodes[REACH_SHARE, 0]
    for j in range(1, int(nodes[SCALARS, N_REACH])):
        low, high = nodes[REACH_DEGC, j - 1], nodes[REACH_DEGC, j]
        if temp_degC > low:
            part = min((temp_degC - low) / (high - low), 1.0)
            share = nodes[REACH_SHARE, j - 1] * (1.0 - part) + nodes[REACH_SHARE, j] * part
    return float(share)


@kernel
def refresh(state: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, d: int, past_s: float) -> None:
    """Renew what follows temperature and charge slowly: resistances, reach, diffusion, exchange current.

    past_s: since the last time; charge that cold keeps comes back within REACH_S after it is warm.
    """
    temp_degC = min(max(state[TEMP_DEGC, d], -40.0), 80.0)
    inverse_K = 1.0 / (temp_degC + ZERO_DEGC_K)
    state[REACH, d] += (reach_at(nodes, temp_degC) - state[REACH, d]) * (1.0 - exp(-past_s / REACH_S))
    state[DIFFUSE_PER_S, d] = par[DIFFUSE_25_PER_S, d] * exp(par[DIFFUSE_K, d] * (_INVERSE_25_K - inverse_K))
    x = 1.0 - (1.0 - mean_soc(state, d)) / state[REACH, d]
    at = min(max(x, 0.0), 1.0) * (N_RX - 1)
    g = min(int(at), N_RX - 2)
    f = at - g
    j = 0
    while j < nodes[SCALARS, N_TEMPERATURES] - 2 and inverse_K < nodes[INVERSE_K, j + 1]:
        j += 1
    warm = (nodes[INVERSE_K, j] - inverse_K) / (nodes[INVERSE_K, j] - nodes[INVERSE_K, j + 1])
    for k in range(4):
        low = ln_r[d, 4 * j + k, g] * (1.0 - f) + ln_r[d, 4 * j + k, g + 1] * f
        high = ln_r[d, 4 * j + 4 + k, g] * (1.0 - f) + ln_r[d, 4 * j + 4 + k, g + 1] * f
        state[R0_OHM + k, d] = exp(low + warm * (high - low))
    count = int(nodes[SCALARS, N_RATE])
    state[PER_I0, d] = 0.0
    if count > 0:
        ln_i0 = nodes[RATE_LN_I0, 0]
        if count > 1:
            j = 0
            while j < count - 2 and inverse_K < nodes[RATE_INVERSE_K, j + 1]:
                j += 1
            warm = (nodes[RATE_INVERSE_K, j] - inverse_K) / (nodes[RATE_INVERSE_K, j] - nodes[RATE_INVERSE_K, j + 1])
            ln_i0 = nodes[RATE_LN_I0, j] + warm * (nodes[RATE_LN_I0, j + 1] - nodes[RATE_LN_I0, j])
        state[PER_I0, d] = exp(-ln_i0)
        state[KINETIC_AT_REFERENCE, d] = rate_factor(curves, d, nodes[SCALARS, REFERENCE_A] * state[PER_I0, d])


@kernel
def diffuse(state: F64, nodes: F64, d: int, per_s: float, dt_s: float) -> None:
    """Move the charge in the sphere by dt, with per_s = dz/dt of the whole entering at the surface.

    Backward Euler: a tridiagonal system, solved by elimination from the centre outwards and substitution back.
    """
    pull = state[DIFFUSE_PER_S, d] * dt_s
    before = 0.0
    for i in range(SHELLS):
        after = nodes[SHAPE, i] * pull if i < SHELLS - 1 else 0.0
        inner = state[SCRATCH + i - 1, d] if i > 0 else 0.0
        pivot = 1.0 + after + before * (1.0 - inner)
        right = state[SHELL + i, d]
        if i > 0:
            right += before * state[SHELL + i - 1, d]
        if i == SHELLS - 1:
            right += per_s * dt_s * SHELLS
        state[SCRATCH + i, d] = after / pivot
        state[SHELL + i, d] = right / pivot
        before = after
    for i in range(SHELLS - 2, -1, -1):
        state[SHELL + i, d] += state[SCRATCH + i, d] * state[SHELL + i + 1, d]


@kernel
def loop(state: F64, par: F64, d: int, x: float) -> float:
    """Move the play operators to x; the hysteresis state h in -1..1 after it."""
    h = 0.0
    for k in range(PLAYS):
        radius = par[RADIUS + k, d]
        p = min(max(state[PLAY + k, d], x - radius), x + radius)
        state[PLAY + k, d] = p
        h += par[WEIGHT + k, d] * (x - p) / radius
    return h


@kernel
def kinetics(state: F64, curves: F64, d: int, current_A: float) -> float:
    """What kinetic resistance is at a current, relative to the tables, which hold at the reference current."""
    if not state[PER_I0, d] > 0.0:
        return 1.0
    return float(rate_factor(curves, d, math.fabs(current_A) * state[PER_I0, d]) / state[KINETIC_AT_REFERENCE, d])


@kernel
def source(state: F64, par: F64, curves: F64, nodes: F64, d: int, current_A: float) -> tuple[float, float]:
    """Voltage [V] at the end of a tick without current, and what an ampere in that tick takes off it [ohm].

    current_A: about the current, for the kinetics. The surface's own move within the tick is left out: some mV.
    """
    reach = state[REACH, d]
    x = 1.0 - (1.0 - mean_soc(state, d)) / reach
    x_s = 1.0 - (1.0 - state[SHELL + SHELLS - 1, d]) / reach
    h = 0.0
    for k in range(PLAYS):
        h += par[WEIGHT + k, d] * min(max((x - state[PLAY + k, d]) / par[RADIUS + k, d], -1.0), 1.0)
    d1, d2, d3 = nodes[SCALARS, DECAY1], nodes[SCALARS, DECAY2], nodes[SCALARS, DECAY3]
    volt = curve(curves, d, MEAN_V, x_s) + curve(curves, d, HALF_V, x) * h
    volt += curve(curves, d, DUDT, x) * (state[TEMP_DEGC, d] - 25.0)
    volt -= d1 * state[U1_V, d] + d2 * state[U2_V, d] + d3 * state[U3_V, d]
    factor = kinetics(state, curves, d, current_A)
    share = nodes[SCALARS, R0_KINETIC]
    ohm = state[R0_OHM, d] * (1.0 - share + share * factor) + (1.0 - d1) * state[R1_OHM, d] * factor
    return volt, ohm + (1.0 - d2) * state[R2_OHM, d] + (1.0 - d3) * state[R3_OHM, d]


@kernel
def step(state: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, d: int, current_A: float, dt_s: float) -> None:
    """One tick of draw d at this current; AMPS and VOLT hold the current and the voltage at the end."""
    state[AGE_S, d] -= dt_s
    if state[AGE_S, d] <= 0.0:
        refresh(state, par, curves, ln_r, nodes, d, max(_REFRESH_S, dt_s))
        state[AGE_S, d] = _REFRESH_S
    per_s = -current_A / (3600.0 * par[CAPACITY_AH, d])
    diffuse(state, nodes, d, per_s, dt_s)
    reach = state[REACH, d]
    surface = state[SHELL + SHELLS - 1, d] + nodes[SHAPE, SHELLS - 1] * per_s / (3.0 * state[DIFFUSE_PER_S, d])
    x = 1.0 - (1.0 - mean_soc(state, d)) / reach
    x_s = 1.0 - (1.0 - surface) / reach
    h = loop(state, par, d, x)
    d1, d2, d3 = nodes[SCALARS, DECAY1], nodes[SCALARS, DECAY2], nodes[SCALARS, DECAY3]
    factor = kinetics(state, curves, d, current_A)
    u1 = state[U1_V, d] * d1 + (1.0 - d1) * state[R1_OHM, d] * factor * current_A
    u2 = state[U2_V, d] * d2 + (1.0 - d2) * state[R2_OHM, d] * current_A
    u3 = state[U3_V, d] * d3 + (1.0 - d3) * state[R3_OHM, d] * current_A
    state[U1_V, d], state[U2_V, d], state[U3_V, d] = u1, u2, u3
    share = nodes[SCALARS, R0_KINETIC]
    r0_ohm = state[R0_OHM, d] * (1.0 - share + share * factor)
    temp_degC = state[TEMP_DEGC, d]
    dudt = curve(curves, d, DUDT, x)
    entropic_V = dudt * (temp_degC - 25.0)
    volt = curve(curves, d, MEAN_V, x_s) + curve(curves, d, HALF_V, x) * h + entropic_V - u1 - u2 - u3 - r0_ohm * current_A
    state[VOLT, d], state[AMPS, d] = volt, current_A
    loss_W = current_A * (curve(curves, d, MEAN_V, x) + entropic_V - volt - (temp_degC + ZERO_DEGC_K) * dudt)
    cooled_W = par[COOL_W_PER_K, d] * (temp_degC - par[AIR_DEGC, d])
    state[TEMP_DEGC, d] = temp_degC + (loss_W - cooled_W) * dt_s / par[HEAT_J_PER_K, d]


@inlined
def note(state: F64, d: int, mean_A: float, out: F64, row: int) -> None:
    """Write a row down."""
    out[OUT_A, row, d] = mean_A
    out[OUT_V, row, d] = state[VOLT, d]
    out[OUT_DEGC, row, d] = state[TEMP_DEGC, d]
    out[OUT_SOC, row, d] = mean_soc(state, d)
    out[OUT_LEGS, row, d] = state[LEGS_DONE, d]


@kernel
def follow(state: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, current_A: F64, out: F64, dt_s: float) -> None:
    """Every draw through given currents, (tick,). out: (N_OUT, tick, draw)."""
    for d in range(state.shape[1]):
        for n in range(current_A.shape[0]):
            step(state, par, curves, ln_r, nodes, d, current_A[n], dt_s)
            note(state, d, current_A[n], out, n)
