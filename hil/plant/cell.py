"""One cell: open-circuit voltage with hysteresis, three RC pairs, resistance over SOC, temperature and current, heat.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) - u1 - u2 - u3 - I R0

x is the SOC that can be reached at this temperature: cold takes charge out of reach and gives it back, so with z = q /
capacity x = 1 - (1 - z) / reach(T), but never below 0 while z is not: a cell that is out of reach rests at its empty
voltage and yields what a small current can still draw. h in -1..1 is the hysteresis state: -1 after discharge, +1 after
charge; a reversal starts a minor loop. U, M, dU/dT are tables over x; resistances are filled in by hil.plant.drift.
R1 and a share of R0 are kinetic: they fall with current as asinh(y) / y does, y = I / i0(T).

What follows temperature and SOC by a table (resistances, reach, i0) is renewed once a second with its slopes and goes along
them in between: at 3C and 5 degC a cell warms by 0.2 K in a second and its resistance falls by 1 %, which is 10 mV.

Cells stand in groups of PARALLEL; the cells of a group share one voltage, groups follow each other in a string. Kinds: a
pack may mix cells; tables carry a leading axis [kind].
"""

from __future__ import annotations

import math

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64

# Names of the kinds of cell that one pack may mix, in their order.
KIND_NAMES = ("first", "second", "third")

# Rows of the cell state block, (row, pack, string, cell). EMF_V, OHM: the cell as a source for the coming tick, such that
# EMF - OHM I is its inner voltage at the end; OHM = FIXED + KINETIC times the rate factor. INNER_V: voltage of the cell
# itself, TERMINAL_V what its monitor sees, behind joint and interrupt device. THROUGH_AH: charge moved since the last
# refresh. AGE_*: capacity lost [share]. REACTED: share of the cell that has burnt.
# From the last refresh: R0_OHM to R3_OHM, PER_AH = 1 / capacity, and how to go on: ln R0 and ln R1 move by AT + PER_K T +
# PER_X x; 1 / reach, 1 / i0 and its factor are linear in T. The slow pairs do not feel what happens within a second.
(
    Q_AH, U1_V, U2_V, U3_V, HYST, TEMP_DEGC, EMF_V, TERMINAL_V, R0_OHM, R1_OHM, R2_OHM, R3_OHM, OHM, REACH, OCV_V, ENTHALPY_V,
    SHORT_A, HEAT_W, LEAK_A, PER_I0, PER_RATE, CELL_A, THROUGH_AH, AGE_CALENDAR, AGE_CYCLE, PLATED_AH, GAS_MOL, REACTED,
    OPENED, PER_AH, R0_AT, R1_AT, R0_PER_K, R1_PER_K, R0_PER_X, R1_PER_X, UNREACH, UNREACH_PER_K, PER_I0_AT,
    PER_I0_PER_K, PER_RATE_AT, PER_RATE_PER_K, FIXED_OHM, KINETIC_OHM, INNER_V,
) = range(45)  # fmt: skip
N_CELL_ROWS = 45
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
# Outside these the tables are not asked.
COLDEST_DEGC, HOTTEST_DEGC = -60.0, 150.0
# What an opened current-interrupt device leaves.
OPEN_CELL_OHM = 1e6
# In ticks longer than this a cell warms enough within one for its resistance to feel it.
_WARMS_S = 0.05


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
def grown(ln: float) -> float:
    """E to the ln for a small ln, within a half and 2.5: what moves further waits for the next refresh."""
    ln = min(max(ln, -1.0), 1.0)
    return 1.0 + ln * (1.0 + 0.5 * ln)


@inlined
def outer_ohm(cells: F64, par: F64, p: int, s: int, i: int) -> float:
    """Resistance between a cell and where its monitor reads: joint, and an opened interrupt device [ohm]."""
    opened = par[CID, p, s, i] > 0.5 or cells[OPENED, p, s, i] > 0.5
    return par[JOINT_OHM, p, s, i] + (OPEN_CELL_OHM if opened else 0.0)


@inlined
def source(cells: F64, par: F64, p: int, s: int, i: int) -> tuple[float, float]:
    """EMF [V] and resistance [ohm] of a cell as its taps see it: a short stands inside, joint and interrupt device outside."""
    emf_V, ohm, short_S = cells[EMF_V, p, s, i], cells[OHM, p, s, i], par[SHORT_S, p, s, i]
    if short_S > 0.0:
        share = 1.0 / (1.0 + ohm * short_S)
        emf_V, ohm = emf_V * share, ohm * share
    return emf_V, ohm + outer_ohm(cells, par, p, s, i)


@inlined
def group_source(cells: F64, par: F64, p: int, s: int, first: int, parallel: int) -> tuple[float, float]:
    """EMF [V] and resistance [ohm] of the group of cells from `first` on."""
    if parallel == 1:
        return source(cells, par, p, s, first)
    total_S, total_A = 0.0, 0.0
    for i in range(first, first + parallel):
        emf_V, ohm = source(cells, par, p, s, i)
        total_S += 1.0 / ohm
        total_A += emf_V / ohm
    return total_A / total_S, 1.0 / total_S


@kernel
def foresee(cells: F64, par: F64, curves: F64, p: int, s: int, parallel: int, string_A: float) -> None:
    """Give the cells of a string the resistance that a current has which is about to flow; see advance."""
    for i in range(cells.shape[3]):
        per_i0 = cells[PER_I0, p, s, i]
        if per_i0 > 0.0:
            y = math.fabs(string_A) / parallel * per_i0
            factor = rate_factor(curves, int(par[KIND, p, s, i]), y) * cells[PER_RATE, p, s, i]
            cells[OHM, p, s, i] = cells[FIXED_OHM, p, s, i] + cells[KINETIC_OHM, p, s, i] * factor


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
    The current of a cell in a group, and that of a short in it, follow from its source for this tick, which holds the pairs
    as they will be at the end: so neither runs away from what it causes, however long the tick.
    """
    dt_h = dt_s / 3600.0
    own_A, own_end_A, mean_V, end_V = mean_A, end_A, 0.0, 0.0
    for i in range(cells.shape[3]):
        kind = int(par[KIND, p, s, i])
        per_Ah = cells[PER_AH, p, s, i]
        short_S = par[SHORT_S, p, s, i]
        outside_ohm = outer_ohm(cells, par, p, s, i)
        if parallel > 1:
            if i % parallel == 0:
                emf_V, ohm = group_source(cells, par, p, s, i, parallel)
                mean_V, end_V = emf_V - ohm * mean_A, emf_V - ohm * end_A
            emf_V, ohm = source(cells, par, p, s, i)
            own_A, own_end_A = (emf_V - mean_V) / ohm, (emf_V - end_V) / ohm
        short_A = 0.0
        if short_S > 0.0:
            short_A = short_S * (cells[EMF_V, p, s, i] - cells[OHM, p, s, i] * own_A) / (1.0 + cells[OHM, p, s, i] * short_S)
        cell_A = own_A + short_A
        leak_A = cells[LEAK_A, p, s, i] * par[LEAK_SCALE, p, s, i]

        q_Ah = cells[Q_AH, p, s, i] - (cell_A + leak_A) * dt_h
        # h follows -sign(I): exponential in the charge passed, exp(-a) to a^4 / 24
        a = nodes[kind, SCALARS, HYST_DECAY] * math.fabs(cell_A) * dt_h * per_Ah
        target = -1.0 if cell_A > 0.0 else 1.0
        h = target + (cells[HYST, p, s, i] - target) * max(1.0 - a * (1.0 - a * (0.5 - a * (1.0 / 6.0))), 0.0)

        temp_degC = cells[TEMP_DEGC, p, s, i]
        table_degC = min(max(temp_degC, COLDEST_DEGC), HOTTEST_DEGC)
        z = q_Ah * per_Ah
        unreach = max(cells[UNREACH, p, s, i] + cells[UNREACH_PER_K, p, s, i] * table_degC, 1.0)
        x = max(1.0 - (1.0 - z) * unreach, min(z, 0.0))
        at = min(max((x - X_LOW) * (1.0 / X_STEP), 0.0), N_X - 1.000001)
        g = int(at)
        f = at - g
        middle_V = curves[kind, MEAN_V, g] + f * (curves[kind, MEAN_V, g + 1] - curves[kind, MEAN_V, g])
        half_V = curves[kind, HALF_V, g] + f * (curves[kind, HALF_V, g + 1] - curves[kind, HALF_V, g])
        dudt = curves[kind, DUDT, g] + f * (curves[kind, DUDT, g + 1] - curves[kind, DUDT, g])
        left = 1.0 - cells[REACTED, p, s, i]
        middle_V = (middle_V + par[OCV_OFFSET_V, p, s, i] + dudt * (temp_degC - REFERENCE_DEGC)) * left
        ocv_V = middle_V + half_V * h * left

        x = min(max(x, 0.0), 1.0)
        r0_per_K, r1_per_K = cells[R0_PER_K, p, s, i], cells[R1_PER_K, p, s, i]
        ln_r0 = cells[R0_AT, p, s, i] + r0_per_K * table_degC + cells[R0_PER_X, p, s, i] * x
        ln_r1 = cells[R1_AT, p, s, i] + r1_per_K * table_degC + cells[R1_PER_X, p, s, i] * x
        r0_ohm, r1_ohm = cells[R0_OHM, p, s, i], cells[R1_OHM, p, s, i]
        d1, d2, d3 = 1.0, 1.0, 1.0
        if dt_s > 0.0:
            d1, d2, d3 = decay[kind, 0], decay[kind, 1], decay[kind, 2]
        factor = 1.0
        if cells[PER_I0, p, s, i] > 0.0:
            per_i0 = max(cells[PER_I0_AT, p, s, i] + cells[PER_I0_PER_K, p, s, i] * table_degC, 0.0)
            per_rate = max(cells[PER_RATE_AT, p, s, i] + cells[PER_RATE_PER_K, p, s, i] * table_degC, 1.0)
            factor = rate_factor(curves, kind, math.fabs(cell_A) * per_i0) * per_rate
        if dt_s > _WARMS_S:
            # the temperature at the end of the tick, as its heat makes it
            loss_V = cells[U1_V, p, s, i] * d1 + cells[U2_V, p, s, i] * d2 + cells[U3_V, p, s, i] - half_V * h
            loss_V += ((1.0 - d1) * r1_ohm * grown(ln_r1) * factor + r0_ohm * grown(ln_r0)) * cell_A
            rise_K = cell_A * (loss_V - (temp_degC + ZERO_DEGC_K) * dudt) * dt_s / par[HEAT_CAPACITY, p, s, i]
            ln_r0, ln_r1 = ln_r0 + r0_per_K * rise_K, ln_r1 + r1_per_K * rise_K
        r0_ohm, r1_ohm = r0_ohm * grown(ln_r0), r1_ohm * grown(ln_r1)
        u1 = cells[U1_V, p, s, i] * d1 + (1.0 - d1) * r1_ohm * factor * cell_A
        u2 = cells[U2_V, p, s, i] * d2 + (1.0 - d2) * cells[R2_OHM, p, s, i] * cell_A
        u3 = cells[U3_V, p, s, i] * d3 + (1.0 - d3) * cells[R3_OHM, p, s, i] * cell_A
        kinetic = nodes[kind, SCALARS, R0_KINETIC]
        series_ohm = r0_ohm * (1.0 - kinetic + kinetic * factor)
        if parallel > 1:
            terminal_V = end_V
            inner_V = end_V + own_end_A * outside_ohm
        else:
            inner_V = ocv_V - u1 - u2 - u3 - series_ohm * own_end_A
            if short_S > 0.0:
                inner_V /= 1.0 + series_ohm * short_S
            terminal_V = inner_V - own_end_A * outside_ohm
        d1, d2, d3 = decay[kind, 0], decay[kind, 1], decay[kind, 2]
        kinetic_ohm = r0_ohm * kinetic + (1.0 - d1) * r1_ohm
        fixed_ohm = r0_ohm * (1.0 - kinetic) + (1.0 - d2) * cells[R2_OHM, p, s, i] + (1.0 - d3) * cells[R3_OHM, p, s, i]
        enthalpy_V = middle_V - (temp_degC + ZERO_DEGC_K) * dudt * left
        given_V = enthalpy_V if dt_s == 0.0 else 0.5 * (cells[ENTHALPY_V, p, s, i] + enthalpy_V)

        cells[Q_AH, p, s, i] = q_Ah
        cells[U1_V, p, s, i] = u1
        cells[U2_V, p, s, i] = u2
        cells[U3_V, p, s, i] = u3
        cells[HYST, p, s, i] = h
        cells[OCV_V, p, s, i] = ocv_V
        cells[EMF_V, p, s, i] = ocv_V - d1 * u1 - d2 * u2 - d3 * u3
        cells[FIXED_OHM, p, s, i] = fixed_ohm
        cells[KINETIC_OHM, p, s, i] = kinetic_ohm
        cells[OHM, p, s, i] = fixed_ohm + kinetic_ohm * factor
        cells[INNER_V, p, s, i] = inner_V
        cells[TERMINAL_V, p, s, i] = terminal_V
        cells[ENTHALPY_V, p, s, i] = enthalpy_V
        cells[SHORT_A, p, s, i] = short_A
        cells[CELL_A, p, s, i] = own_end_A + short_S * inner_V
        cells[THROUGH_AH, p, s, i] += math.fabs(cell_A) * dt_h
        # what chemistry gives less what the terminals get: lost in R0, the pairs, the loop, a short, the leak; and the
        # entropic part, which is heat on discharge where dU/dT < 0
        cells[HEAT_W, p, s, i] = (cell_A + leak_A) * given_V - own_A * terminal_V
