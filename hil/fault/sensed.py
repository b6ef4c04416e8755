"""Sensor faults: what stands between the physical quantity and the encoder."""

from __future__ import annotations

import math

from firmware_sim.jit import exp, kernel
from firmware_sim.types import F64, I64
from hil.fault.table import (
    EXTRA,
    KEPT,
    PACK,
    PERIOD_NS,
    PRIMITIVE,
    SEAM,
    SENSOR,
    START_NS,
    TARGET,
    WAS_ON,
    A,
    B,
    C,
    is_on,
    turn,
)
from hil.plant.sensor import FIRST_SENSOR

# PRIMITIVE of the sensor seam. TARGET: signal for the first three, tap for the others.
# GAIN_OFFSET  value * A + B + C * seconds since the start
# HOLD         the value at the start
# CONSTANT     A; NaN is sent as "not available", a value out of range as "error"
# SWAP_TAPS    sense wires TARGET and EXTRA (TARGET < EXTRA) are swapped
# OPEN_TAP     sense wire TARGET floats: the cell below moves to A times the sum of both neighbours with time constant B,
#              from the instant at which the wire came off, each time anew
GAIN_OFFSET, HOLD, CONSTANT, SWAP_TAPS, OPEN_TAP = range(5)


@kernel
def _tap_V(values: F64, index: I64, p: int, tap: int, swap_a: int, swap_b: int) -> float:
    """Potential of a sense wire above wire 0 as the front end sees it, two wires swapped."""
    at = swap_b if tap == swap_a else swap_a if tap == swap_b else tap
    total = 0.0
    for i in range(at):
        total += values[p, index[FIRST_SENSOR + i]]
    return total


@kernel
def _swap_taps(values: F64, index: I64, p: int, a: int, b: int, n_cells: int) -> None:
    """Recompute the cells that touch wire a or b. Only these read wrong."""
    low, high = max(a - 1, 0), min(b, n_cells - 1)
    before_a = _tap_V(values, index, p, a, a, b) - _tap_V(values, index, p, a - 1, a, b) if a > 0 else 0.0
    after_a = _tap_V(values, index, p, a + 1, a, b) - _tap_V(values, index, p, a, a, b)
    before_b = _tap_V(values, index, p, b, a, b) - _tap_V(values, index, p, b - 1, a, b)
    after_b = _tap_V(values, index, p, b + 1, a, b) - _tap_V(values, index, p, b, a, b) if b < n_cells else 0.0
    if a > 0:
        values[p, index[FIRST_SENSOR + low]] = before_a
    values[p, index[FIRST_SENSOR + a]] = after_a
    values[p, index[FIRST_SENSOR + b - 1]] = before_b
    if b < n_cells:
        values[p, index[FIRST_SENSOR + high]] = after_b


@kernel
def _open_tap(values: F64, index: I64, p: int, tap: int, share: float, settled: float, n_cells: int) -> None:
    """Let wire `tap` float. settled: how far it has drifted, 0..1."""
    if tap == 0 or tap == n_cells:
        at = index[FIRST_SENSOR + (0 if tap == 0 else n_cells - 1)]
        values[p, at] *= 1.0 - settled
        return
    below, above = index[FIRST_SENSOR + tap - 1], index[FIRST_SENSOR + tap]
    total = values[p, below] + values[p, above]
    start = values[p, below]
    values[p, below] = start + (share * total - start) * settled
    values[p, above] = total - values[p, below]


@kernel
def apply(t_ns: int, rows: I64, numbers: F64, memory: F64, index: I64, n_cells: int, values: F64) -> None:
    """Disturb the sensed values at t_ns.

    index: see hil.plant.sensor.  n_cells: cells of one string.  values: (pack, signal), changed in place.
    """
    for n in range(rows.shape[0]):
        if rows[n, SEAM] != SENSOR:
            continue
        on = is_on(rows, n, t_ns)
        primitive, target = rows[n, PRIMITIVE], rows[n, TARGET]
        for p in range(values.shape[0]):
            if rows[n, PACK] >= 0 and rows[n, PACK] != p:
                continue
            if not on:
                memory[WAS_ON, p, n] = 0.0
                continue
            if memory[WAS_ON, p, n] == 0.0 and primitive == HOLD:
                memory[KEPT, p, n] = values[p, target]
            memory[WAS_ON, p, n] = 1.0
            seconds = (t_ns - rows[n, START_NS]) * 1e-9
            if primitive == GAIN_OFFSET:
                values[p, target] = values[p, target] * numbers[n, A] + numbers[n, B] + numbers[n, C] * seconds
            elif primitive == HOLD:
                values[p, target] = memory[KEPT, p, n]
            elif primitive == CONSTANT:
                values[p, target] = numbers[n, A] if not math.isnan(numbers[n, A]) else math.nan
            elif primitive == SWAP_TAPS:
                _swap_taps(values, index, p, target, rows[n, EXTRA], n_cells)
            else:
                loose_s = seconds - turn(rows, n, t_ns) * rows[n, PERIOD_NS] * 1e-9
                settled = 1.0 - exp(-loose_s / numbers[n, B]) if numbers[n, B] > 0.0 else 1.0
                _open_tap(values, index, p, target, numbers[n, A], settled, n_cells)
