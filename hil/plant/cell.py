"""One cell: open-circuit voltage with hysteresis, two RC pairs, resistance over SOC and temperature, heat.

    V = U(x) + M(x) h + dU/dT(x) (T - 25) - u1 - u2 - I R0

x is the SOC that can be reached at this temperature: cold takes charge out of reach and gives it back, so with z = q /
capacity x = 1 - (1 - z) / reach(T), but never below 0 while z is not: a cell that is out of reach rests at its empty
voltage and yields what a small current can still draw. h in -1..1 is the hysteresis state: -1 after discharge, +1 after
charge. U, M, dU/dT are tables over x; ln R0, ln R1, ln R2 are tables over x at some temperatures, linear in 1/T between
them (Arrhenius).
R and reach change slowly and are refreshed once a second, one cell after another, so that no tick pays for all.

Kinds: a pack may mix cells; tables carry a leading axis [kind].
"""

from __future__ import annotations

import math

from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64

# Rows of the cell state block, (row, pack, string, cell).
Q_AH, U1_V, U2_V, HYST, TEMP_DEGC, EMF_V, TERMINAL_V, R0_OHM, R1_OHM, R2_OHM, REACH, OCV_V, SHORT_A, HEAT_W = range(14)
N_CELL_ROWS = 14
# Rows of the cell parameter block, (row, pack, string, cell). All are faults' targets too.
KIND, CAPACITY_AH, R_SCALE, OCV_OFFSET_V, SHORT_S, COOLING, HEAT_CAPACITY = range(7)
N_CELL_PARAMETERS = 7

# Rows of Tables.curves, (kind, row, grid over x).
MEAN_V, HALF_V, DUDT = range(3)
X_LOW, X_STEP, N_X = -0.25, 0.005, 301
# Rows of Tables.ln_r, (kind, 3 temperature + pair, grid over x in 0..1).
N_RX = 101
# Rows of Tables.nodes, (kind, row, column).
INVERSE_K, REACH_DEGC, REACH_SHARE, SCALARS = range(4)
# Columns of row SCALARS.
N_TEMPERATURES, N_REACH, TAU1_S, TAU2_S, HYST_DECAY, NEIGHBOUR_W_PER_K, COOLANT_W_PER_K = range(7)

ZERO_DEGC_K = 273.15
REFERENCE_DEGC = 25.0


@kernel
def refresh(cells: F64, par: F64, ln_r: F64, nodes: F64, p: int, s: int, i: int) -> None:
    """Take resistance and reachable share of cell i from the tables at its temperature and SOC."""
    kind = int(par[KIND, p, s, i])
    scalars = nodes[kind, SCALARS]
    temp_degC = min(max(cells[TEMP_DEGC, p, s, i], -60.0), 150.0)

    n = int(scalars[N_REACH])
    reach = nodes[kind, REACH_SHARE, 0]
    for j in range(1, n):
        t0, t1 = nodes[kind, REACH_DEGC, j - 1], nodes[kind, REACH_DEGC, j]
        if temp_degC > t0:
            share = min((temp_degC - t0) / (t1 - t0), 1.0)
            reach = nodes[kind, REACH_SHARE, j - 1] + share * (nodes[kind, REACH_SHARE, j] - nodes[kind, REACH_SHARE, j - 1])
    cells[REACH, p, s, i] = reach

    n = int(scalars[N_TEMPERATURES])
    inverse_K = 1.0 / (temp_degC + ZERO_DEGC_K)
    j = 0
    while j < n - 2 and inverse_K < nodes[kind, INVERSE_K, j + 1]:
        j += 1
    weight = (nodes[kind, INVERSE_K, j] - inverse_K) / (nodes[kind, INVERSE_K, j] - nodes[kind, INVERSE_K, j + 1])

    at = min(max(1.0 - (1.0 - cells[Q_AH, p, s, i] / par[CAPACITY_AH, p, s, i]) / reach, 0.0), 1.0) * (N_RX - 1)
    g = min(int(at), N_RX - 2)
    f = at - g
    scale = par[R_SCALE, p, s, i]
    for pair in range(3):
        cold, warm = 3 * j + pair, 3 * (j + 1) + pair
        a = ln_r[kind, cold, g] + f * (ln_r[kind, cold, g + 1] - ln_r[kind, cold, g])
        b = ln_r[kind, warm, g] + f * (ln_r[kind, warm, g + 1] - ln_r[kind, warm, g])
        cells[R0_OHM + pair, p, s, i] = scale * exp(a + weight * (b - a))


@kernel
def advance(
    cells: F64, par: F64, curves: F64, nodes: F64, p: int, s: int, mean_A: float, end_A: float, dt_s: float, decay: F64
) -> None:
    """Move the cells of a string by one tick: charge, RC pairs, hysteresis, then voltages and heat at its end.

    mean_A: mean string current in the tick, end_A: current at its end; both positive on discharge.
    decay: (kind, 2), exp(-dt / tau) of the RC pairs.  dt_s may be 0: the state stays and voltages are computed.
    """
    dt_h = dt_s / 3600.0
    for i in range(cells.shape[3]):
        kind = int(par[KIND, p, s, i])
        capacity_Ah = par[CAPACITY_AH, p, s, i]
        short_S = par[SHORT_S, p, s, i]
        short_A = cells[TERMINAL_V, p, s, i] * short_S
        cell_A = mean_A + short_A

        q_Ah = cells[Q_AH, p, s, i] - cell_A * dt_h
        d1, d2 = decay[kind, 0], decay[kind, 1]
        u1 = cells[U1_V, p, s, i] * d1 + (1.0 - d1) * cells[R1_OHM, p, s, i] * cell_A
        u2 = cells[U2_V, p, s, i] * d2 + (1.0 - d2) * cells[R2_OHM, p, s, i] * cell_A
        # h follows -sign(I): exponential in the charge passed; (1 - a/2) / (1 + a/2) is exp(-a) to a^3 / 12
        half_swing = 0.5 * nodes[kind, SCALARS, HYST_DECAY] * math.fabs(cell_A) * dt_h / capacity_Ah
        target = -1.0 if cell_A > 0.0 else 1.0
        h = target + (cells[HYST, p, s, i] - target) * max((1.0 - half_swing) / (1.0 + half_swing), 0.0)

        z = q_Ah / capacity_Ah
        x = max(1.0 - (1.0 - z) / cells[REACH, p, s, i], min(z, 0.0))
        at = min(max((x - X_LOW) * (1.0 / X_STEP), 0.0), N_X - 1.000001)
        g = int(at)
        f = at - g
        mean_V = curves[kind, MEAN_V, g] + f * (curves[kind, MEAN_V, g + 1] - curves[kind, MEAN_V, g])
        half_V = curves[kind, HALF_V, g] + f * (curves[kind, HALF_V, g + 1] - curves[kind, HALF_V, g])
        dudt = curves[kind, DUDT, g] + f * (curves[kind, DUDT, g + 1] - curves[kind, DUDT, g])
        temp_degC = cells[TEMP_DEGC, p, s, i]
        mean_V += par[OCV_OFFSET_V, p, s, i] + dudt * (temp_degC - REFERENCE_DEGC)
        ocv_V = mean_V + half_V * h
        emf_V = ocv_V - u1 - u2
        r0_ohm = cells[R0_OHM, p, s, i]
        terminal_V = emf_V - r0_ohm * end_A
        if short_S > 0.0:
            terminal_V /= 1.0 + r0_ohm * short_S

        cells[Q_AH, p, s, i] = q_Ah
        cells[U1_V, p, s, i] = u1
        cells[U2_V, p, s, i] = u2
        cells[HYST, p, s, i] = h
        cells[OCV_V, p, s, i] = ocv_V
        cells[EMF_V, p, s, i] = emf_V
        cells[TERMINAL_V, p, s, i] = terminal_V
        cells[SHORT_A, p, s, i] = short_A
        # lost in R0, the pairs, the loop and a short; and the entropic part: dU/dT < 0 warms on discharge
        lost_W = cell_A * (mean_V - terminal_V) + short_A * terminal_V
        cells[HEAT_W, p, s, i] = lost_W - cell_A * (temp_degC + ZERO_DEGC_K) * dudt
