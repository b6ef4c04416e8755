"""State out: the physical values that the sender encodes."""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64


@kernel
def fill(cell: F64, real: F64, whole: I64, limit: I64, out: F64, tx: I64, tx_scale: F64, limits: I64, p: int) -> None:
    """Write every outgoing value of pack p. What is not known, NaN or a whole number below 0, goes out as "not available".

    Rows of several groups may share a code; its flag is up while any of them is active.
    """
    started = whole[st.IS_SEEDED, p] == 1
    for n in range(tx.shape[0]):
        if tx[n, cfg.OUT_NEEDS] == 1 and not started:
            continue
        block, row, signal = tx[n, cfg.OUT_BLOCK], tx[n, cfg.OUT_ROW], tx[n, cfg.OUT_SIGNAL]
        factor, offset = tx_scale[n, cfg.OUT_FACTOR], tx_scale[n, cfg.OUT_OFFSET]
        if block == cfg.REAL:
            out[p, signal] = real[row, p] * factor + offset
        elif block == cfg.WHOLE:
            out[p, signal] = whole[row, p] * factor + offset if whole[row, p] >= 0 else math.nan
        else:
            for i in range(cell.shape[2]):
                out[p, signal + i] = cell[row, p, i] * factor + offset
    for n in range(limits.shape[0]):
        flag, active = limits[n, cfg.FLAG], limit[st.ACTIVE, p, n]
        if flag >= 0 and (active == 1 or limits[n, cfg.JOINS] == 0):
            out[p, flag] = active
