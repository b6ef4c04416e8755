"""What a pack has gone through: charge in and out, hours, full cycles, events; and how long it has been at rest.

Charge is counted from the current without the sensor's zero (zero.py). Below REST_A nothing goes into the throughput, or
the noise of a resting sensor would add up for ever. All counters survive a reset (nvm.py).
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

_HOUR_NS = 3_600_000_000_000
_MOST = 61  # events, as the wire carries them
# Bits of EVENTS_NOW.
_DEEP, _OVER, _UNDER, _LOOKED = 1, 2, 4, 8


@kernel
def charge(real: F64, whole: I64, reals: F64, kinds: F64, p: int, dt_ns: int, n_strings: int, is_known: bool) -> None:
    """Count the charge of this tick. is_known: there is a current; without one all that a string can give may have flowed."""
    hours = dt_ns / _HOUR_NS
    current_A = real[st.CURRENT_A, p] - real[st.OFFSET_A, p]
    whole[st.ON_NS, p] += dt_ns
    whole[st.ON_HOURS, p] = min(whole[st.ON_NS, p] // _HOUR_NS, 262141)
    resting = is_known and math.fabs(current_A) <= reals[cfg.REST_A]
    whole[st.REST_NS, p] = whole[st.REST_NS, p] + dt_ns if resting else 0
    real[st.DRAWN_AH, p] += current_A * hours / n_strings
    real[st.DRAWN_ERROR_AH, p] += (reals[cfg.CURRENT_ERROR_A] if is_known else kinds[0, cfg.CAPACITY_AH]) * hours
    swing = 0.5 * kinds[0, cfg.HYST_DECAY] * math.fabs(current_A) * hours / (n_strings * kinds[0, cfg.CAPACITY_AH])
    target = -1.0 if current_A > 0.0 else 1.0
    real[st.LOOP_H, p] = target + (real[st.LOOP_H, p] - target) * max((1.0 - swing) / (1.0 + swing), 0.0)
    if not resting:
        if current_A > 0.0:
            real[st.OUT_AH, p] += current_A * hours
        else:
            real[st.IN_AH, p] -= current_A * hours
    real[st.FULL_CYCLES, p] = min(real[st.OUT_AH, p] / (kinds[0, cfg.CAPACITY_AH] * n_strings), 6553.0)


@kernel
def events(whole: I64, limit: I64, limits: I64, p: int) -> None:
    """Count how often the highest and lowest cell voltages trip: safety limits of each side, and deep discharge by itself.

    Deep discharge is the limit on the lowest voltage whose latch survives. What is active already in the first tick was
    counted before the reset.
    """
    now = _LOOKED
    for n in range(limits.shape[0]):
        quantity = limits[n, cfg.QUANTITY] - soa.CELL_V_MAX
        if quantity < 0 or limit[st.ACTIVE, p, n] == 0 or limits[n, cfg.TIER] != cfg.MSL:
            continue
        quantity %= soa.KIND_QUANTITIES
        if quantity == 0:
            now |= _OVER
        elif quantity == 1:
            now |= _DEEP if limits[n, cfg.LATCH] == cfg.SURVIVES else _UNDER
    new = now & ~whole[st.EVENTS_NOW, p] if whole[st.EVENTS_NOW, p] > 0 else 0
    whole[st.EVENTS_NOW, p] = now
    if new & _DEEP:
        whole[st.DEEP_COUNT, p] = min(whole[st.DEEP_COUNT, p] + 1, _MOST)
    if new & _OVER:
        whole[st.OVER_COUNT, p] = min(whole[st.OVER_COUNT, p] + 1, _MOST)
    if new & _UNDER:
        whole[st.UNDER_COUNT, p] = min(whole[st.UNDER_COUNT, p] + 1, _MOST)
