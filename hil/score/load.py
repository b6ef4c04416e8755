"""What a simulated cell is asked for: legs of driving and charging, each until a share of the charge in reach is left.

A leg drives a power shape (one value a second, repeated) or charges at a constant current; both keep to the cell's current
and voltage limits, as a load does that obeys its BMS. Driving ends at its target or when the lower voltage has held it back
for HELD_OFF_S; charging at its target or when the upper voltage has brought the current down to END_SHARE of the asked one.
Then the cell rests and the next leg begins; after the last comes the first.
"""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import F64
from hil.score import plant as pl

# Columns of the legs, (draw, leg, column). CHARGE_A: current of a charge, 0 drives.
TARGET_X, CHARGE_A, REST_S = range(3)
N_LEG_COLUMNS = 3
HELD_OFF_S = 20.0
END_SHARE = 0.1


@kernel
def asked_A(state: F64, par: F64, curves: F64, nodes: F64, profile: F64, legs: F64, d: int, dt_s: float) -> float:
    """Current of the next tick [A], positive on discharge; moves the driver's own state (leg, rest, phase)."""
    leg = int(state[pl.LEG, d])
    x = 1.0 - (1.0 - pl.mean_soc(state, d)) / state[pl.REACH, d]
    if state[pl.REST_S, d] > 0.0:
        state[pl.REST_S, d] -= dt_s
        return 0.0
    volt, ohm = pl.source(state, par, curves, nodes, d, state[pl.AMPS, d])
    most_A = min(max((volt - par[pl.LOW_V, d]) / ohm, 0.0), par[pl.MOST_A, d])
    least_A = max(min((volt - par[pl.HIGH_V, d]) / ohm, 0.0), -par[pl.LEAST_A, d])
    charge_A = legs[d, leg, CHARGE_A]
    if charge_A > 0.0:
        amps = max(-charge_A, least_A)
        done = x >= legs[d, leg, TARGET_X] or amps > -END_SHARE * charge_A
    else:
        state[pl.PHASE_S, d] += dt_s
        if state[pl.PHASE_S, d] >= profile.shape[0]:
            state[pl.PHASE_S, d] -= profile.shape[0]
        wanted_A = profile[int(state[pl.PHASE_S, d])] * par[pl.WATT, d] / max(state[pl.VOLT, d], 0.5 * par[pl.LOW_V, d])
        amps = min(max(wanted_A, least_A), most_A)
        if wanted_A > most_A and most_A < par[pl.MOST_A, d]:
            state[pl.HELD_S, d] += dt_s
        done = x <= legs[d, leg, TARGET_X] or state[pl.HELD_S, d] >= HELD_OFF_S
    if done:
        state[pl.LEG, d] = (leg + 1) % legs.shape[1]
        state[pl.LEGS_DONE, d] += 1.0
        state[pl.REST_S, d] = legs[d, leg, REST_S]
        state[pl.HELD_S, d] = 0.0
    return float(amps)


@kernel
def drive(
    state: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, profile: F64, legs: F64, out: F64, dt_s: float, every: int
) -> None:
    """Every draw through its legs. out: (N_OUT, row, draw), one row after each `every` ticks."""
    for d in range(state.shape[1]):
        for row in range(out.shape[1]):
            moved = 0.0
            for _ in range(every):
                amps = asked_A(state, par, curves, nodes, profile, legs, d, dt_s)
                pl.step(state, par, curves, ln_r, nodes, d, amps, dt_s)
                moved += amps
            pl.note(state, d, moved / every, out, row)
