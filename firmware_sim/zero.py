"""Zero of the current sensor: what it reads while no current can flow.

While all three contactors are open, by command and by fresh feedback, for SETTLE_NS and longer, a fresh reading is the
sensor's own error. It is learned slowly, up to a share of 1C; a larger one is no zero but a fault or a current, and the
limits on the raw reading (open_current_A) are there for it. Whatever is not known or not open stops the learning: a stale
or missing feedback, a weld, a latched fault. Only counting uses the zero; diagnosis and current limits see the raw reading.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8

SETTLE_NS = 2_000_000_000
_TAU_S = 20.0
_MOST_SHARE = 0.02  # of 1C


@kernel
def learn(
    real: F64, whole: I64, link: I64, valid: U8, known: U8, rx: I64, rx_signals: I64, settings: I64, kinds: F64, p: int,
    dt_ns: int,
) -> None:  # fmt: skip
    """Learn the zero where that is possible, and say what is to be taken off the reading of this tick."""
    if known[soa.DISCHARGE, p] == 0:
        real[st.OFFSET_A, p] = 0.0
        return
    is_open = whole[st.OPEN_NS, p] >= SETTLE_NS and whole[st.OPEN_NOW, p] == 0
    for n in range(3):
        at = rx[cfg.RX_PLUS + n]
        is_open = is_open and at >= 0 and valid[p, at] == 1
        is_open = is_open and whole[st.UP_NS, p] - link[st.HEARD_NS, p, rx_signals[at, 0]] <= settings[cfg.IO_AGE_NS]
    most_A = _MOST_SHARE * kinds[0, cfg.CAPACITY_AH] * settings[cfg.N_STRINGS]
    amps = real[st.CURRENT_A, p]
    if is_open and math.fabs(amps) <= most_A and link[st.FRESH, p, rx_signals[rx[cfg.RX_CURRENT], 0]] == 1:
        real[st.ZERO_A, p] += min(dt_ns * 1e-9 / _TAU_S, 1.0) * (amps - real[st.ZERO_A, p])
    real[st.OFFSET_A, p] = real[st.ZERO_A, p]
