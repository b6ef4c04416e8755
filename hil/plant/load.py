"""What hangs on the DC link: nothing, a current, a power, a resistance, a CC-CV charger, or an inverter.

A load draws only while both main contactors are closed, as an inverter waits for its enable; one that is marked
`always` draws from the link whatever the contactors do (a fault: load connected during precharge).
"""

from __future__ import annotations

import math

from firmware_sim.jit import kernel
from firmware_sim.types import F64

# Columns of a demand table: one row from its START_NS on until the next row's.
# COOLANT_SHIFT_K: coolant against where it stood at the start; HEATER_W: of the pack's heater; FLOW: share of the fan's or
# pump's nominal.
START_NS, KIND, VALUE, LIMIT_V, ALWAYS, COOLANT_SHIFT_K, HEATER_W, FLOW = range(8)
N_DEMAND_COLUMNS = 8
# KIND. CURRENT: VALUE [A], positive discharges. POWER: VALUE [W], positive discharges. RESISTANCE: VALUE [ohm].
# CHARGER: VALUE [A, magnitude] until the link reaches LIMIT_V [V], then constant voltage.  RECORDED: the recording's.
# INVERTER: the discharge current that the BMS foresees for 10 s, at most VALUE [A].
NONE, CURRENT, POWER, RESISTANCE, CHARGER, RECORDED, INVERTER = range(7)


@kernel
def seek(demand: F64, row: int, t_ns: int) -> int:
    """Row of a demand table that holds at t_ns, searching on from `row`."""
    while row + 1 < demand.shape[0] and demand[row + 1, START_NS] <= t_ns:
        row += 1
    return row


@kernel
def link_current(
    demand: F64, row: int, emf_V: float, source_ohm: float, charge_limit_A: float, recorded_A: float, pulse_limit_A: float
) -> float:
    """Current that the load takes from the link [A], positive on discharge; resistances are no current (see conductance).

    emf_V, source_ohm: the pack as seen from the link.  charge_limit_A: what the charger believes it may deliver; it is
    infinite for a charger that does not listen.  recorded_A: current of the recording that is played.  pulse_limit_A: what
    an inverter believes it may draw for 10 s.
    A power above what the source can give is cut to that maximum, emf^2 / (4 R).
    """
    kind = int(demand[row, KIND])
    value = demand[row, VALUE]
    if kind == CURRENT:
        return value
    if kind == RECORDED:
        return recorded_A
    if kind == INVERTER:
        return min(value, pulse_limit_A)
    if kind == POWER:
        discriminant = emf_V * emf_V - 4.0 * source_ohm * value
        link_V = 0.5 * (emf_V + math.sqrt(max(discriminant, 0.0)))
        if link_V <= 0.0:
            return 0.0
        return min(value, emf_V * emf_V / (4.0 * source_ohm)) / link_V if source_ohm > 0.0 else value / link_V
    if kind == CHARGER:
        voltage_A = (demand[row, LIMIT_V] - emf_V) / source_ohm
        return -max(min(min(value, charge_limit_A), voltage_A), 0.0)
    return 0.0


@kernel
def foreseen_current(demand: F64, row: int, pack_V: float, recorded_A: float, now_A: float) -> float:
    """About the current that a load is going to draw [A], positive on discharge; now_A where it cannot be told beforehand."""
    kind = int(demand[row, KIND])
    value = demand[row, VALUE]
    if kind == CURRENT:
        return value
    if kind == RECORDED:
        return recorded_A
    if kind == POWER and pack_V > 0.0:
        return value / pack_V
    if kind == RESISTANCE:
        return pack_V / value
    return now_A


@kernel
def conductance(demand: F64, row: int) -> float:
    """Conductance of a resistive load [S], else 0."""
    return 1.0 / demand[row, VALUE] if int(demand[row, KIND]) == RESISTANCE else 0.0
