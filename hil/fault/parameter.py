"""Plant and actuator faults: a parameter of the plant is replaced while the fault is on and put back when it ends.

Several faults may meet in one parameter. All of them remember its nominal value; what acts is that value with the faults
that are on applied in the order of the table, so the end of one leaves the others standing.
"""

from __future__ import annotations

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64
from hil.fault.table import EXTRA, KEPT, PACK, PLANT, PRIMITIVE, SEAM, TARGET, WAS_ON, A, is_on
from hil.plant import contactor

# PRIMITIVE of the plant seam: which block, and whether the number replaces or scales. TARGET: row of the block.
# EXTRA: cell (counted through the strings), contactor or sensor.
SET_CELL, SCALE_CELL, SET_PACK, SCALE_PACK, SET_SENSOR, SET_CONTACTOR = range(6)


@inlined
def _block(primitive: int) -> int:
    """The block that a primitive acts on, named by the primitive that sets it."""
    scales = primitive == SCALE_CELL or primitive == SCALE_PACK
    return primitive - 1 if scales else primitive


@kernel
def _get(par: F64, pack_par: F64, sensor: F64, block: I64, primitive: int, row: int, at: int, p: int) -> float:
    if primitive == SET_CELL or primitive == SCALE_CELL:
        return par[row, p, at // par.shape[3], at % par.shape[3]]
    if primitive == SET_PACK or primitive == SCALE_PACK:
        return pack_par[row, p]
    if primitive == SET_SENSOR:
        return sensor[row, p, at]
    return float(block[row, p, at])


@kernel
def _set(
    par: F64, pack_par: F64, sensor: F64, block: I64, primitive: int, row: int, at: int, p: int, value: float, t_ns: int
) -> None:
    if primitive == SET_CELL or primitive == SCALE_CELL:
        par[row, p, at // par.shape[3], at % par.shape[3]] = value
    elif primitive == SET_PACK or primitive == SCALE_PACK:
        pack_par[row, p] = value
    elif primitive == SET_SENSOR:
        sensor[row, p, at] = value
    else:
        block[row, p, at] = int(value)
        # a contact that was held against its coil starts to follow it
        if block[contactor.COIL, p, at] != block[contactor.CLOSED, p, at]:
            travel = contactor.CLOSE_TRAVEL_NS if block[contactor.COIL, p, at] == 1 else contactor.OPEN_TRAVEL_NS
            if block[contactor.MOVES_NS, p, at] == contactor.NEVER_NS:
                block[contactor.MOVES_NS, p, at] = t_ns + block[travel, p, at]


@inlined
def _meet(rows: I64, n: int, m: int, p: int) -> bool:
    """Whether rows n and m act on one parameter of pack p."""
    return (
        rows[m, SEAM] == PLANT
        and _block(rows[m, PRIMITIVE]) == _block(rows[n, PRIMITIVE])
        and rows[m, TARGET] == rows[n, TARGET]
        and rows[m, EXTRA] == rows[n, EXTRA]
        and (rows[m, PACK] < 0 or rows[m, PACK] == p)
    )


@kernel
def apply(t_ns: int, rows: I64, numbers: F64, memory: F64, par: F64, pack_par: F64, sensor: F64, block: I64) -> None:
    """Put parameter faults on or take them off at t_ns. Blocks: see hil.plant.plant."""
    for n in range(rows.shape[0]):
        if rows[n, SEAM] != PLANT:
            continue
        on = 1.0 if is_on(rows, n, t_ns) else 0.0
        primitive, row, at = rows[n, PRIMITIVE], rows[n, TARGET], rows[n, EXTRA]
        for p in range(memory.shape[1]):
            if (rows[n, PACK] >= 0 and rows[n, PACK] != p) or on == memory[WAS_ON, p, n]:
                continue
            nominal = memory[KEPT, p, n] if on == 0.0 else _get(par, pack_par, sensor, block, primitive, row, at, p)
            for m in range(rows.shape[0]):
                if memory[WAS_ON, p, m] == 1.0 and _meet(rows, n, m, p):
                    nominal = memory[KEPT, p, m]
            memory[WAS_ON, p, n], memory[KEPT, p, n] = on, nominal
            value = nominal
            for m in range(rows.shape[0]):
                if memory[WAS_ON, p, m] == 1.0 and _meet(rows, n, m, p):
                    scales = rows[m, PRIMITIVE] == SCALE_CELL or rows[m, PRIMITIVE] == SCALE_PACK
                    value = value * numbers[m, A] if scales else numbers[m, A]
            _set(par, pack_par, sensor, block, primitive, row, at, p, value, t_ns)
