"""The mode machine: who may close which contactor when.

    INIT -> STANDBY -> PRECHARGE -> RUN <-> CHARGE -> OPENING -> STANDBY,  any -> ERROR -> STANDBY

INIT       waits for fresh, valid data from every node; INIT_TIMEOUT is raised when it does not come.
STANDBY    all open. A request for drive or charge starts a precharge, unless a limit asks for open contactors.
PRECHARGE  minus closes, its feedback comes; precharge closes; the link must reach its share of the pack voltage and the
           current must be small; plus closes, its feedback comes; precharge opens. A failed try opens all and waits;
           after the last try PRECHARGE_FAILED is raised. A link that rises too fast raises PRECHARGE_TOO_FAST.
RUN/CHARGE both mains closed. A request for standby leads to OPENING, a request for the other mode changes the name only.
OPENING    waits until the current is small, or until the grace time is over, then opens.
ERROR      all open. A limit whose reaction is "open" leads here from any state, in the tick in which it is due. The way
           out is a rising edge of the reset request with no such limit active any more.

Commands (PLUS, MINUS, PRE) are set here and nowhere else. Deciding comes last in a tick, so evidence and command share it.
"""

from __future__ import annotations

import math

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64

INIT, STANDBY, PRECHARGE, RUN, CHARGE, ERROR, OPENING = range(7)
# Phases of PRECHARGE.
CLOSE_MINUS, CLOSE_PRE, WAIT_LINK, CLOSE_PLUS, OPEN_PRE, WAIT_RETRY = range(6)
# Values of the mode request.
ASK_STANDBY, ASK_DRIVE, ASK_CHARGE = range(3)


@kernel
def _enter(whole: I64, p: int, state: int) -> None:
    whole[st.STATE, p] = state
    whole[st.STATE_NS, p] = 0
    whole[st.PHASE, p] = 0
    whole[st.PHASE_NS, p] = 0


@kernel
def _command(whole: I64, p: int, plus: int, minus: int, pre: int) -> None:
    """Set the three commands; COMMAND_NS counts from their last change."""
    if whole[st.PLUS, p] != plus or whole[st.MINUS, p] != minus or whole[st.PRE, p] != pre:
        whole[st.COMMAND_NS, p] = 0
    whole[st.PLUS, p], whole[st.MINUS, p], whole[st.PRE, p] = plus, minus, pre


@kernel
def _phase(whole: I64, p: int, phase: int) -> None:
    whole[st.PHASE, p] = phase
    whole[st.PHASE_NS, p] = 0


@kernel
def _is_closed(value: F64, rx: I64, role: int, p: int) -> bool:
    return value[p, rx[role]] > 0.5


@kernel
def _fail_try(whole: I64, p: int, tries: int) -> None:
    """A precharge try failed: open, and wait or give up."""
    _command(whole, p, 0, 0, 0)
    whole[st.TRIES, p] += 1
    _phase(whole, p, WAIT_RETRY)
    if whole[st.TRIES, p] >= tries:
        whole[st.PRECHARGE_FAILED, p] = 1


@kernel
def _precharge(real: F64, whole: I64, value: F64, rx: I64, settings: I64, reals: F64, p: int) -> None:
    """One tick of the precharge sequence."""
    phase, in_phase_ns = whole[st.PHASE, p], whole[st.PHASE_NS, p]
    link_share = real[st.LINK_V, p] / max(real[st.PACK_V, p], 0.1)
    if phase == CLOSE_MINUS:
        _command(whole, p, 0, 1, 0)
        if _is_closed(value, rx, cfg.RX_MINUS, p):
            _phase(whole, p, CLOSE_PRE)
        elif in_phase_ns >= settings[cfg.CLOSE_NS]:
            _fail_try(whole, p, settings[cfg.PRE_TRIES])
    elif phase == CLOSE_PRE:
        _command(whole, p, 0, 1, 1)
        if _is_closed(value, rx, cfg.RX_PRE, p):
            # a link that is still charged from the last try rises by less; only a link that was low can rise too fast
            whole[st.RETRY_NS, p] = 1 if link_share < reals[cfg.PRE_FAST_SHARE] else 0
            _phase(whole, p, WAIT_LINK)
        elif in_phase_ns >= settings[cfg.CLOSE_NS]:
            _fail_try(whole, p, settings[cfg.PRE_TRIES])
    elif phase == WAIT_LINK:
        full = link_share >= reals[cfg.PRE_LINK_SHARE] and math.fabs(real[st.CURRENT_A, p]) <= reals[cfg.PRE_END_A]
        if link_share >= reals[cfg.PRE_LINK_SHARE] and in_phase_ns < settings[cfg.PRE_MIN_NS] and whole[st.RETRY_NS, p] == 1:
            whole[st.PRECHARGE_TOO_FAST, p] = 1
            _fail_try(whole, p, settings[cfg.PRE_TRIES])
        elif full:
            _phase(whole, p, CLOSE_PLUS)
        elif in_phase_ns >= settings[cfg.PRE_TIMEOUT_NS]:
            _fail_try(whole, p, settings[cfg.PRE_TRIES])
    elif phase == CLOSE_PLUS:
        _command(whole, p, 1, 1, 1)
        if _is_closed(value, rx, cfg.RX_PLUS, p):
            _phase(whole, p, OPEN_PRE)
        elif in_phase_ns >= settings[cfg.CLOSE_NS]:
            _fail_try(whole, p, settings[cfg.PRE_TRIES])
    elif phase == OPEN_PRE:
        _command(whole, p, 1, 1, 0)
        whole[st.TRIES, p] = 0
        _enter(whole, p, whole[st.TARGET, p])
    elif in_phase_ns >= settings[cfg.PRE_RETRY_NS] and whole[st.PRECHARGE_FAILED, p] == 0:
        _phase(whole, p, CLOSE_MINUS)


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
    state = whole[st.STATE, p]
    must_open = whole[st.OPEN_NOW, p] == 1
    wants = request == ASK_DRIVE or request == ASK_CHARGE
    if must_open and state != ERROR:
        _command(whole, p, 0, 0, 0)
        _enter(whole, p, ERROR)
    elif state == INIT:
        _command(whole, p, 0, 0, 0)
        whole[st.DATA_READY_NS, p] = whole[st.DATA_READY_NS, p] + dt_ns if ready else 0
        if whole[st.DATA_READY_NS, p] >= settings[cfg.INIT_READY_NS]:
            _enter(whole, p, STANDBY)
        elif whole[st.STATE_NS, p] >= settings[cfg.INIT_TIMEOUT_NS]:
            whole[st.INIT_TIMEOUT, p] = 1
    elif state == STANDBY:
        _command(whole, p, 0, 0, 0)
        if wants and ready and whole[st.PENDING, p] == 0:
            whole[st.TARGET, p] = RUN if request == ASK_DRIVE else CHARGE
            whole[st.TRIES, p] = 0
            _enter(whole, p, PRECHARGE)
    elif state == PRECHARGE:
        if not wants:
            _enter(whole, p, OPENING)
        else:
            whole[st.TARGET, p] = RUN if request == ASK_DRIVE else CHARGE
            _precharge(real, whole, value, rx, settings, reals, p)
    elif state == RUN or state == CHARGE:
        if wants:
            whole[st.STATE, p] = RUN if request == ASK_DRIVE else CHARGE
        else:
            _enter(whole, p, OPENING)
    elif state == OPENING:
        small = math.fabs(real[st.CURRENT_A, p]) <= reals[cfg.OPEN_MAX_A]
        if small or whole[st.STATE_NS, p] >= settings[cfg.OPEN_GRACE_NS]:
            _command(whole, p, 0, 0, 0)
            _enter(whole, p, STANDBY)
    else:
        _command(whole, p, 0, 0, 0)
        if whole[st.RESET_EDGE, p] == 1:
            whole[st.PRECHARGE_FAILED, p] = whole[st.PRECHARGE_TOO_FAST, p] = whole[st.INIT_TIMEOUT, p] = 0
            if not must_open:
                _enter(whole, p, INIT)
                whole[st.DATA_READY_NS, p] = 0
