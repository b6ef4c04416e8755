"""Contactors: a coil is told, the contact follows after its travel time, at an instant inside a tick.

A welded contact does not open, a stuck one does not close. The auxiliary contact says where the contact is.
"""

from __future__ import annotations

from firmware_sim.jit import kernel
from firmware_sim.types import I64

# Columns: the three contactors of a pack.
MAIN_PLUS, MAIN_MINUS, PRECHARGE = range(3)
N_CONTACTORS = 3
# Rows of the contactor block, (row, pack, contactor), int64.
CLOSED, COIL, MOVES_NS, CLOSE_TRAVEL_NS, OPEN_TRAVEL_NS, WELDED, STUCK_OPEN, CHANGED_NS = range(8)
N_CONTACTOR_ROWS = 8
NEVER_NS = 1 << 62


@kernel
def drive(block: I64, p: int, c: int, coil: int, t_ns: int) -> None:
    """Energise (1) or release (0) a coil at t_ns; a change of mind during travel starts the travel anew."""
    if coil == block[COIL, p, c]:
        return
    block[COIL, p, c] = coil
    if coil == block[CLOSED, p, c]:
        block[MOVES_NS, p, c] = NEVER_NS
    else:
        block[MOVES_NS, p, c] = t_ns + (block[CLOSE_TRAVEL_NS, p, c] if coil else block[OPEN_TRAVEL_NS, p, c])


@kernel
def next_move(block: I64, p: int) -> int:
    """Time at which the next contact changes; NEVER_NS when none is on its way."""
    first = NEVER_NS
    for c in range(N_CONTACTORS):
        first = min(first, block[MOVES_NS, p, c])
    return first


@kernel
def settle(block: I64, p: int, t_ns: int) -> None:
    """Let every contact whose travel has ended by t_ns change, unless it is welded or stuck."""
    for c in range(N_CONTACTORS):
        if block[MOVES_NS, p, c] > t_ns:
            continue
        coil = block[COIL, p, c]
        if (coil == 1 and block[STUCK_OPEN, p, c] == 1) or (coil == 0 and block[WELDED, p, c] == 1):
            block[MOVES_NS, p, c] = NEVER_NS
        else:
            block[CLOSED, p, c] = coil
            block[CHANGED_NS, p, c] = block[MOVES_NS, p, c]
            block[MOVES_NS, p, c] = NEVER_NS
