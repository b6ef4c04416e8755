"""The mode machine: who may close which contactor when.

    INIT -> STANDBY -> PRECHARGE -> RUN <-> CHARGE -> OPENING -> STANDBY,  any -> ERROR -> INIT

INIT       waits for fresh, valid data from every node; INIT_TIMEOUT is raised when it does not come.
STANDBY    all open. A request for drive or charge starts a precharge, unless a limit asks for open contactors, and not
           before the pause after a failed try is over: who asks again and again gets no more tries.
PRECHARGE  minus closes, its feedback comes; precharge closes; the link must reach its share of the pack voltage and the
           current must be small; plus closes, its feedback comes; precharge opens. A failed try opens all and waits;
           after the last try PRECHARGE_FAILED is raised. A link that rises too fast raises PRECHARGE_TOO_FAST.
RUN/CHARGE both mains closed. A request for standby leads to OPENING, a request for the other mode changes the name only.
OPENING    waits until the current is small, or until the grace time is over, then opens.
ERROR      all open. A limit whose reaction is "open" leads here from any state, in the tick in which it is due. The way
           out is a rising edge of the reset request with no such limit active any more; `forget` comes before the limits
           in that tick, so that those that watch this machine can clear with the same press.

Commands (PLUS, MINUS, PRE) are set here and nowhere else; COMMAND_NS counts from their last change. Deciding comes last in
a tick, so evidence and command share it.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import inlined, kernel
from firmware_sim.state import CHARGE, ERROR, INIT, OPENING, PRECHARGE, RUN, STANDBY
from firmware_sim.types import F64, I64

# Phases of PRECHARGE.
CLOSE_MINUS, CLOSE_PRE, WAIT_LINK, CLOSE_PLUS, OPEN_PRE, WAIT_RETRY = range(6)
# Values of the mode request.
ASK_STANDBY, ASK_DRIVE, ASK_CHARGE = range(3)


@inlined
def _is_closed(value: F64, rx: I64, role: int, p: int) -> bool:
    return value[p, rx[role]] > 0.5


@kernel
def _precharge(real: F64, whole: I64, value: F64, rx: I64, settings: I64, reals: F64, p: int) -> tuple[int, int, int, int, int]:
    """One tick of the precharge sequence: next state, next phase, and the commands plus, minus, precharge."""
    state, phase, next_phase = PRECHARGE, whole[st.PHASE, p], whole[st.PHASE, p]
    in_phase_ns = whole[st.PHASE_NS, p]
    plus, minus, pre = 0, 1, 1
    failed = phase != WAIT_LINK and phase != WAIT_RETRY and in_phase_ns >= settings[cfg.CLOSE_NS]
    link_share = real[st.LINK_V, p] / max(real[st.PACK_V, p], 0.1)
    is_full = link_share >= reals[cfg.PRE_LINK_SHARE]
    if phase == CLOSE_MINUS:
        pre = 0
        # before the contact moves: behind a shorted resistor the link is full in the sample that reports the contact;
        # a link that is still charged from the last try proves nothing, only one that was low can rise too fast
        whole[st.WAS_LOW, p] = 1 if link_share < reals[cfg.PRE_FAST_SHARE] else 0
        if _is_closed(value, rx, cfg.RX_MINUS, p):
            next_phase, failed = CLOSE_PRE, False
    elif phase == CLOSE_PRE:
        if _is_closed(value, rx, cfg.RX_PRE, p):
            next_phase, failed = WAIT_LINK, False
    elif phase == WAIT_LINK:
        failed = in_phase_ns >= settings[cfg.PRE_TIMEOUT_NS]
        if is_full and in_phase_ns < settings[cfg.PRE_MIN_NS] and whole[st.WAS_LOW, p] == 1:
            whole[st.PRECHARGE_TOO_FAST, p] = 1
            failed = True
        elif is_full and math.fabs(real[st.CURRENT_A, p]) <= reals[cfg.PRE_END_A]:
            next_phase, failed = CLOSE_PLUS, False
    elif phase == CLOSE_PLUS:
        plus = 1
        if _is_closed(value, rx, cfg.RX_PLUS, p):
            next_phase, failed = OPEN_PRE, False
    elif phase == OPEN_PRE:
        plus, pre, failed = 1, 0, False
        whole[st.TRIES, p] = 0
        state = whole[st.TARGET, p]
    else:
        minus = pre = 0
        if in_phase_ns >= settings[cfg.PRE_RETRY_NS] and whole[st.PRECHARGE_FAILED, p] == 0:
            next_phase = CLOSE_MINUS
    if failed:
        plus = minus = pre = 0
        next_phase = WAIT_RETRY
        whole[st.TRIES, p] += 1
        whole[st.SINCE_TRY_NS, p] = 0
        if whole[st.TRIES, p] >= settings[cfg.PRE_TRIES]:
            whole[st.PRECHARGE_FAILED, p] = 1
    return state, next_phase, plus, minus, pre


@inlined
def _commit(whole: I64, p: int, state: int, phase: int, plus: int, minus: int, pre: int) -> None:
    """Write state, phase and commands; each counter of time starts anew with a change."""
    if state != whole[st.STATE, p]:
        whole[st.STATE, p], whole[st.STATE_NS, p] = state, 0
        whole[st.PHASE, p], whole[st.PHASE_NS, p] = 0, 0
    elif phase != whole[st.PHASE, p]:
        whole[st.PHASE, p], whole[st.PHASE_NS, p] = phase, 0
    if whole[st.PLUS, p] != plus or whole[st.MINUS, p] != minus or whole[st.PRE, p] != pre:
        whole[st.COMMAND_NS, p] = 0
    whole[st.PLUS, p], whole[st.MINUS, p], whole[st.PRE, p] = plus, minus, pre


@kernel
def forget(real: F64, whole: I64, p: int) -> None:
    """In ERROR a reset request ends what only the device itself remembers; measured causes must go by themselves."""
    if whole[st.RESET_EDGE, p] == 1 and whole[st.STATE, p] == ERROR:
        whole[st.PRECHARGE_FAILED, p] = whole[st.PRECHARGE_TOO_FAST, p] = whole[st.INIT_TIMEOUT, p] = 0
        whole[st.TRIES, p] = 0
        real[st.DIRECTION_SCORE, p] = 0.0


@kernel
def step(
    real: F64, whole: I64, value: F64, rx: I64, settings: I64, reals: F64, request: int, ready: bool, p: int, dt_ns: int
) -> None:
    """Move the mode machine of pack p by one tick.

    request: mode asked for, -1 when it is stale or no value.  ready: every node's data is fresh and valid.
    """
    whole[st.STATE_NS, p] += dt_ns
    whole[st.PHASE_NS, p] += dt_ns
    whole[st.COMMAND_NS, p] += dt_ns
    whole[st.SINCE_TRY_NS, p] += dt_ns
    state, phase = whole[st.STATE, p], 0
    following, plus, minus, pre = state, 0, 0, 0
    must_open = whole[st.OPEN_NOW, p] == 1
    wants = request == ASK_DRIVE or request == ASK_CHARGE
    target = RUN if request == ASK_DRIVE else CHARGE
    if must_open and state != ERROR:
        following = ERROR
    elif state == INIT:
        whole[st.DATA_READY_NS, p] = whole[st.DATA_READY_NS, p] + dt_ns if ready else 0
        if whole[st.DATA_READY_NS, p] >= settings[cfg.INIT_READY_NS]:
            following = STANDBY
        elif whole[st.STATE_NS, p] >= settings[cfg.INIT_TIMEOUT_NS]:
            whole[st.INIT_TIMEOUT, p] = 1
    elif state == STANDBY:
        rested = whole[st.TRIES, p] == 0 or whole[st.SINCE_TRY_NS, p] >= settings[cfg.PRE_RETRY_NS]
        if wants and ready and rested and whole[st.PENDING, p] == 0:
            following = PRECHARGE
            whole[st.TARGET, p] = target
    elif state == PRECHARGE:
        if wants:
            whole[st.TARGET, p] = target
            following, phase, plus, minus, pre = _precharge(real, whole, value, rx, settings, reals, p)
        else:
            following, plus, minus, pre = OPENING, whole[st.PLUS, p], whole[st.MINUS, p], whole[st.PRE, p]
    elif state == RUN or state == CHARGE:
        plus, minus = 1, 1
        following = target if wants else OPENING
    elif state == OPENING:
        small = math.fabs(real[st.CURRENT_A, p]) <= reals[cfg.OPEN_MAX_A]
        if small or whole[st.STATE_NS, p] >= settings[cfg.OPEN_GRACE_NS]:
            following = STANDBY
        else:
            plus, minus, pre = whole[st.PLUS, p], whole[st.MINUS, p], whole[st.PRE, p]
    elif whole[st.RESET_EDGE, p] == 1 and not must_open:
        following = INIT
        whole[st.DATA_READY_NS, p] = 0
    _commit(whole, p, following, phase, plus, minus, pre)
