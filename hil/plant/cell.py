"""One cell: open-circuit voltage with hysteresis, three RC pairs, resistance over SOC, temperature and current, heat.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) - u1 - u2 - u3 - I R0

x is the SOC that can be reached at this temperature: cold takes charge out of reach and gives it back, so with z = q /
capacity x = 1 - (1 - z) / reach(T), but never below 0 while z is not: a cell that is out of reach rests at its empty
voltage and yields what a small current can still draw. h in -1..1 is the hysteresis state: -1 after discharge, +1 after
charge; a reversal starts a minor loop. U, M, dU/dT are tables over x; resistances are filled in by hil.plant.drift.
R1 and a share of R0 are kinetic: they fall with current as asinh(y) / y does, y = I / i0(T).

Cells stand in groups of PARALLEL; the cells of a group share one voltage, groups follow each other in a string. Kinds: a
pack may mix cells; tables carry a leading axis [kind].
"""

from __future__ import annotations

import math

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64

# Rows of the cell state block, (row, pack, string, cell). OHM: resistance seen from outside, without a short. THROUGH_AH:
# charge moved since the last refresh. AGE_*: capacity lost [share]. REACTED: share of the cell that has burnt.
(
    Q_AH, U1_V, U2_V, U3_V, HYST, TEMP_DEGC, EMF_V, TERMINAL_V, R0_OHM, R1_OHM, R2_OHM, R3_OHM, OHM, REACH, OCV_V, ENTHALPY_V,
    SHORT_A, HEAT_W, LEAK_A, PER_I0, PER_RATE, CELL_A, THROUGH_AH, AGE_CALENDAR, AGE_CYCLE, PLATED_AH, GAS_MOL, REACTED,
    OPENED,
) = range(29)  # fmt: skip
N_CELL_ROWS = 29
# Rows of the cell parameter block, (row, pack, string, cell). All are faults' targets too.
KIND, CAPACITY_AH, R_SCALE, OCV_OFFSET_V, SHORT_S, COOLING, HEAT_CAPACITY, JOINT_OHM, LEAK_SCALE, CID, PAD_W = range(11)
N_CELL_PARAMETERS = 11

# Rows of Tables.curves, (kind, row, grid). The first three over x; RATE is asinh(y) / y over y = 0, Y_STEP, ...
MEAN_V, HALF_V, DUDT, RATE = range(4)
X_LOW, X_STEP, N_X = -0.25, 0.005, 301
Y_STEP = 0.1
# Rows of Tables.ln_r, (kind, 3 temperature + pair, grid over x in 0..1).
N_RX = 101
# Rows of Tables.nodes, (kind, row, column).
INVERSE_K, REACH_DEGC, REACH_SHARE, RATE_PER_K, RATE_LN_I0, SCALARS, SLOW, ABUSE = range(8)
N_NODE_ROWS = 8
# Columns of row SCALARS. R0_KINETIC: share of R0 that falls with current; R3_SHARE: R3 / R2.
(
    N_TEMPERATURES, N_REACH, HYST_DECAY, NEIGHBOUR_W_PER_K, COOLANT_W_PER_K, N_RATE, RATE_REFERENCE_A, R0_KINETIC, R3_SHARE,
) = range(9)  # fmt: skip

ZERO_DEGC_K = 273.15
REFERENCE_DEGC = 25.0
# What an opened current-interrupt device leaves.
OPEN_CELL_OHM = 1e6


@inlined
def capacity_Ah(cells: F64, par: F64, p: int, s: int, i: int) -> float:
    """Capacity of a cell at its age [Ah]."""
    return par[CAPACITY_AH, p, s, i] * (1.0 - cells[AGE_CALENDAR, p, s, i] - cells[AGE_CYCLE, p, s, i])


@inlined
def rate_factor(curves: F64, kind: int, y: float) -> float:
    """Table of asinh(y) / y, which falls from 1 at y = 0; constant beyond the grid."""
    at = min(y * (1.0 / Y_STEP), N_X - 1.000001)
    g = int(at)
    return curves[kind, RATE, g] + (at - g) * (curves[kind, RATE, g + 1] - curves[kind, RATE, g])


@inlined
def group_source(cells: F64, par: F64, p: int, s: int, first: int, parallel: int) -> tuple[float, float]:
    """EMF [V] and resistance [ohm] of the group of cells from `first` on, as its terminals see it."""
    total_S, total_A = 0.0, 0.0
    for i in range(first, first + parallel):
        # a short inside the cell divides both by 1 + R S, so the cell's own conductance and short-circuit current are these
        own_S = 1.0 / cells[OHM, p, s, i]
        total_S += own_S + par[SHORT_S, p, s, i]
        total_A += cells[EMF_V, p, s, i] * own_S
    return total_A / total_S, 1.0 / total_S


@kernel
def advance(
    cells: F64,
    par: F64,
    curves: F64,
    nodes: F64,
    p: int,
    s: int,
    parallel: int,
    mean_A: float,
    end_A: float,
    dt_s: float,
    decay: F64,
) -> None:
    """Move the cells of a string by one tick: charge, RC pairs, hysteresis, then voltages and heat at its end.

    parallel: cells of a group.  mean_A: mean string current in the tick, end_A: current at its end; both positive on
    discharge.  decay: (kind, 3), exp(-dt / tau) of the RC pairs.  dt_s may be 0: the state stays, voltages are computed.
    """
    dt_h = dt_s / 3600.0
    group_V, own_A, own_end_A = 0.0, mean_A, end_A
    mean_V, end_V = 0.0, 0.0
    for i in range(cells.shape[3]):
        kind = int(par[KIND, p, s, i])
        capacity = capacity_Ah(cells, par, p, s, i)
        short_S = par[SHORT_S, p, s, i]
        if parallel > 1:
            # the cells of a group share a voltage: each gives what its EMF and resistance, known from the last tick, allow
            if i % parallel == 0:
                emf_V, ohm = group_source(cells, par, p, s, i, parallel)
                mean_V, end_V = emf_V - ohm * mean_A, emf_V - ohm * end_A
                group_V = end_V
            own_S = 1.0 / cells[OHM, p, s, i]
            short_A = mean_V * short_S
            own_A = (cells[EMF_V, p, s, i] - mean_V) * own_S - short_A
            own_end_A = (cells[EMF_V, p, s, i] - end_V) * own_S - end_V * short_S
        else:
            short_A = cells[TERMINAL_V, p, s, i] * short_S
        cell_A = own_A + short_A
        leak_A = cells[LEAK_A, p, s, i] * par[LEAK_SCALE, p, s, i]

        q_Ah = cells[Q_AH, p, s, i] - (cell_A + leak_A) * dt_h
        factor = 1.0
        if cells[PER_I0, p, s, i] > 0.0:
            factor = rate_factor(curves, kind, math.fabs(cell_A) * cells[PER_I0, p, s, i]) * cells[PER_RATE, p, s, i]
        d1, d2, d3 = decay[kind, 0], decay[kind, 1], decay[kind, 2]
        u1 = cells[U1_V, p, s, i] * d1 + (1.0 - d1) * cells[R1_OHM, p, s, i] * factor * cell_A
        u2 = cells[U2_V, p, s, i] * d2 + (1.0 - d2) * cells[R2_OHM, p, s, i] * cell_A
        u3 = cells[U3_V, p, s, i] * d3 + (1.0 - d3) * cells[R3_OHM, p, s, i] * cell_A
        # h follows -sign(I): exponential in the charge passed; (1 - a/2) / (1 + a/2) is exp(-a) to a^3 / 12
        half_swing = 0.5 * nodes[kind, SCALARS, HYST_DECAY] * math.fabs(cell_A) * dt_h / capacity
        target = -1.0 if cell_A > 0.0 else 1.0
        h = target + (cells[HYST, p, s, i] - target) * max((1.0 - half_swing) / (1.0 + half_swing), 0.0)

        z = q_Ah / capacity
        x = max(1.0 - (1.0 - z) / cells[REACH, p, s, i], min(z, 0.0))
        at = min(max((x - X_LOW) * (1.0 / X_STEP), 0.0), N_X - 1.000001)
        g = int(at)
        f = at - g
        middle_V = curves[kind, MEAN_V, g] + f * (curves[kind, MEAN_V, g + 1] - curves[kind, MEAN_V, g])
        half_V = curves[kind, HALF_V, g] + f * (curves[kind, HALF_V, g + 1] - curves[kind, HALF_V, g])
        dudt = curves[kind, DUDT, g] + f * (curves[kind, DUDT, g + 1] - curves[kind, DUDT, g])
        temp_degC = cells[TEMP_DEGC, p, s, i]
        left = 1.0 - cells[REACTED, p, s, i]
        middle_V = (middle_V + par[OCV_OFFSET_V, p, s, i] + dudt * (temp_degC - REFERENCE_DEGC)) * left
        ocv_V = middle_V + half_V * h * left
        emf_V = ocv_V - u1 - u2 - u3
        r0_ohm = cells[R0_OHM, p, s, i]
        kinetic = nodes[kind, SCALARS, R0_KINETIC]
        ohm = r0_ohm * (1.0 - kinetic + kinetic * factor) + par[JOINT_OHM, p, s, i]
        if par[CID, p, s, i] > 0.5 or cells[OPENED, p, s, i] > 0.5:
            ohm += OPEN_CELL_OHM
        if parallel > 1:
            terminal_V = group_V
        else:
            terminal_V = emf_V - ohm * own_end_A
            if short_S > 0.0:
                terminal_V /= 1.0 + ohm * short_S
        enthalpy_V = middle_V - (temp_degC + ZERO_DEGC_K) * dudt * left
        given_V = enthalpy_V if dt_s == 0.0 else 0.5 * (cells[ENTHALPY_V, p, s, i] + enthalpy_V)

        cells[Q_AH, p, s, i] = q_Ah
        cells[U1_V, p, s, i] = u1
        cells[U2_V, p, s, i] = u2
        cells[U3_V, p, s, i] = u3
        cells[HYST, p, s, i] = h
        cells[OCV_V, p, s, i] = ocv_V
        cells[EMF_V, p, s, i] = emf_V
        cells[TERMINAL_V, p, s, i] = terminal_V
        cells[OHM, p, s, i] = ohm
        cells[ENTHALPY_V, p, s, i] = enthalpy_V
        cells[SHORT_A, p, s, i] = short_A
        cells[CELL_A, p, s, i] = own_end_A + short_A
        cells[THROUGH_AH, p, s, i] += math.fabs(cell_A) * dt_h
        # what chemistry gives less what the terminals get: lost in R0, the pairs, the loop, a short, the leak; and the
        # entropic part, which is heat on discharge where dU/dT < 0
        cells[HEAT_W, p, s, i] = (cell_A + leak_A) * given_V - own_A * terminal_V
