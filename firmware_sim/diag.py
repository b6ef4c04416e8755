"""Limits: debounce, tiers, latches, reactions.

A row's life. Good: timer at -1. On the first bad sample the timer starts at 0; it trips when the condition has held for
at least the debounce since that sample; one good sample starts over. Stale data (known = 0) freezes the timer. Active: it
clears when the value has stayed beyond its clear threshold for the clear time, except that a latched row waits for a
reset request with its cause gone. The reaction follows the delay after the trip. A latch that survives lives in NVM.
"""

from __future__ import annotations

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64, U8


@inlined
def _applies(when: int, current_A: float, rest_A: float, closed: bool, opened: bool) -> bool:
    """Whether a row's condition of use holds now."""
    return (
        when == cfg.ALWAYS
        or (when == cfg.CHARGING and current_A < -rest_A)
        or (when == cfg.NOT_CHARGING and not current_A < -rest_A)
        or (when == cfg.CLOSED and closed)
        or (when == cfg.OPENED and opened)
    )


@kernel
def step(
    real: F64, whole: I64, limit: I64, q: F64, known: U8, limits: I64, thresholds: F64, reals: F64, p: int, dt_ns: int
) -> None:
    """Move all rows of pack p by dt and gather what they ask for."""
    whole[st.OPEN_NOW, p] = whole[st.NO_CHARGE, p] = whole[st.NO_DISCHARGE, p] = 0
    whole[st.WORST_TIER, p] = whole[st.PENDING, p] = 0
    reset = whole[st.RESET_EDGE, p] == 1
    oldest_ns, code = -1, 0
    current_A, rest_A = real[st.CURRENT_A, p], reals[cfg.REST_A]
    closed = whole[st.STATE, p] == st.RUN or whole[st.STATE, p] == st.CHARGE
    opened = whole[st.PLUS, p] == 0 and whole[st.MINUS, p] == 0
    for n in range(limits.shape[0]):
        which = limits[n, cfg.QUANTITY]
        active = limit[st.ACTIVE, p, n]
        if known[which, p] == 1:
            value = q[which, p] * limits[n, cfg.SIDE]
            threshold = thresholds[n, cfg.CLEAR if active == 1 else cfg.THRESHOLD] * limits[n, cfg.SIDE]
            applies = _applies(limits[n, cfg.WHEN], current_A, rest_A, closed, opened)
            # not active: does it get worse than the threshold?  active: is it still worse than the clear threshold?
            bad = applies and value > threshold
            if bad == (active == 1):
                limit[st.TIMER_NS, p, n] = -1
            else:
                timer_ns = limit[st.TIMER_NS, p, n]
                limit[st.TIMER_NS, p, n] = timer_ns + dt_ns if timer_ns >= 0 else 0
                if active == 0 and limit[st.TIMER_NS, p, n] >= limits[n, cfg.DEBOUNCE_NS]:
                    limit[st.ACTIVE, p, n] = active = 1
                    limit[st.ACTIVE_NS, p, n] = limit[st.TIMER_NS, p, n] = -1
                    if limits[n, cfg.LATCH] == cfg.SURVIVES:
                        limit[st.NVM_LATCHED, p, n] = 1
                elif active == 1 and limit[st.TIMER_NS, p, n] >= limits[n, cfg.CLEAR_NS]:
                    limit[st.TIMER_NS, p, n] = limits[n, cfg.CLEAR_NS]
                    if limits[n, cfg.LATCH] == cfg.NO_LATCH or reset:
                        limit[st.ACTIVE, p, n] = active = limit[st.NVM_LATCHED, p, n] = 0
                        limit[st.TIMER_NS, p, n] = -1
        if active == 0:
            continue
        age_ns = limit[st.ACTIVE_NS, p, n]
        age_ns = age_ns + dt_ns if age_ns >= 0 else 0
        limit[st.ACTIVE_NS, p, n] = age_ns
        whole[st.WORST_TIER, p] = max(whole[st.WORST_TIER, p], limits[n, cfg.TIER])
        reaction = limits[n, cfg.REACTION]
        if reaction == cfg.OPEN and age_ns > oldest_ns:
            oldest_ns, code = age_ns, limits[n, cfg.CODE]
        if age_ns < limits[n, cfg.DELAY_NS]:
            whole[st.PENDING, p] = 1
            continue
        if reaction == cfg.STOP_CHARGE or reaction == cfg.STOP_BOTH or reaction == cfg.OPEN:
            whole[st.NO_CHARGE, p] = 1
        if reaction == cfg.STOP_DISCHARGE or reaction == cfg.STOP_BOTH or reaction == cfg.OPEN:
            whole[st.NO_DISCHARGE, p] = 1
        if reaction == cfg.OPEN:
            whole[st.OPEN_NOW, p] = 1
    whole[st.FAULT_CODE, p] = code
