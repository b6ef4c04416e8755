"""The mode machine in plain Python; states, phases and rules are those of firmware_sim.mode."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim import settings as cfg

INIT, STANDBY, PRECHARGE, RUN, CHARGE, ERROR, OPENING = range(7)
CLOSE_MINUS, CLOSE_PRE, WAIT_LINK, CLOSE_PLUS, OPEN_PRE, WAIT_RETRY = range(6)
ASK_DRIVE, ASK_CHARGE = 1, 2
OPEN = (0, 0, 0)


@dataclass
class Seen:
    """What the machine looks at in one tick. closed: feedback of main plus, main minus, precharge."""

    request: int
    ready: bool
    reset: bool
    open_now: bool
    pending: bool
    closed: tuple[bool, bool, bool]
    link_share: float
    current_A: float


class ModeMachine:
    """Who may close which contactor when."""

    def __init__(self, settings: cfg.Settings) -> None:
        self.whole, self.real = settings.whole.tolist(), settings.real.tolist()
        self.state, self.phase, self.target = INIT, CLOSE_MINUS, RUN
        self.state_ns = self.phase_ns = self.command_ns = self.ready_ns = 0
        self.command = OPEN
        self.tries = self.since_try_ns = 0
        self.was_low = self.precharge_failed = self.too_fast = self.init_timeout = False

    @property
    def is_on(self) -> bool:
        """True when both main contactors should be closed."""
        return self.state in (RUN, CHARGE)

    def _enter(self, state: int) -> None:
        self.state, self.state_ns = state, 0
        self._go(CLOSE_MINUS)

    def _go(self, phase: int) -> None:
        self.phase, self.phase_ns = phase, 0

    def _tell(self, plus: int, minus: int, precharge: int) -> None:
        if self.command != (plus, minus, precharge):
            self.command, self.command_ns = (plus, minus, precharge), 0

    def _fail_try(self) -> None:
        self._tell(*OPEN)
        self.tries += 1
        self.since_try_ns = 0
        self._go(WAIT_RETRY)
        self.precharge_failed = self.precharge_failed or self.tries >= self.whole[cfg.PRE_TRIES]

    def forget(self) -> None:
        """A reset request in ERROR ends what only the device itself remembers; comes before the limits are looked at."""
        self.precharge_failed = self.too_fast = self.init_timeout = False
        self.tries = 0

    def step(self, seen: Seen, dt_ns: int) -> None:
        """Move by one tick."""
        self.state_ns += dt_ns
        self.phase_ns += dt_ns
        self.command_ns += dt_ns
        self.since_try_ns += dt_ns
        wants = seen.request in (ASK_DRIVE, ASK_CHARGE)
        target = RUN if seen.request == ASK_DRIVE else CHARGE
        if seen.open_now and self.state != ERROR:
            self._tell(*OPEN)
            self._enter(ERROR)
        elif self.state == INIT:
            self._tell(*OPEN)
            self.ready_ns = self.ready_ns + dt_ns if seen.ready else 0
            if self.ready_ns >= self.whole[cfg.INIT_READY_NS]:
                self._enter(STANDBY)
            elif self.state_ns >= self.whole[cfg.INIT_TIMEOUT_NS]:
                self.init_timeout = True
        elif self.state == STANDBY:
            self._tell(*OPEN)
            rested = self.tries == 0 or self.since_try_ns >= self.whole[cfg.PRE_RETRY_NS]
            if wants and seen.ready and rested and not seen.pending:
                self.target = target
                self._enter(PRECHARGE)
        elif self.state == PRECHARGE:
            if wants:
                self.target = target
                self._precharge(seen)
            else:
                self._enter(OPENING)
        elif self.state in (RUN, CHARGE):
            if wants:
                self.state = target
            else:
                self._enter(OPENING)
        elif self.state == OPENING:
            if abs(seen.current_A) <= self.real[cfg.OPEN_MAX_A] or self.state_ns >= self.whole[cfg.OPEN_GRACE_NS]:
                self._tell(*OPEN)
                self._enter(STANDBY)
        else:
            self._tell(*OPEN)
            if seen.reset and not seen.open_now:
                self._enter(INIT)
                self.ready_ns = 0

    def _precharge(self, seen: Seen) -> None:
        """One tick of the precharge sequence."""
        plus, minus, precharge = seen.closed
        waited_ns, late = self.phase_ns, self.phase_ns >= self.whole[cfg.CLOSE_NS]
        if self.phase == CLOSE_MINUS:
            self._tell(0, 1, 0)
            self.was_low = seen.link_share < self.real[cfg.PRE_FAST_SHARE]
            if minus:
                self._go(CLOSE_PRE)
            elif late:
                self._fail_try()
        elif self.phase == CLOSE_PRE:
            self._tell(0, 1, 1)
            if precharge:
                self._go(WAIT_LINK)
            elif late:
                self._fail_try()
        elif self.phase == WAIT_LINK:
            is_full = seen.link_share >= self.real[cfg.PRE_LINK_SHARE]
            if is_full and waited_ns < self.whole[cfg.PRE_MIN_NS] and self.was_low:
                self.too_fast = True
                self._fail_try()
            elif is_full and abs(seen.current_A) <= self.real[cfg.PRE_END_A]:
                self._go(CLOSE_PLUS)
            elif waited_ns >= self.whole[cfg.PRE_TIMEOUT_NS]:
                self._fail_try()
        elif self.phase == CLOSE_PLUS:
            self._tell(1, 1, 1)
            if plus:
                self._go(OPEN_PRE)
            elif late:
                self._fail_try()
        elif self.phase == OPEN_PRE:
            self._tell(1, 1, 0)
            self.tries = 0
            self._enter(self.target)
        elif waited_ns >= self.whole[cfg.PRE_RETRY_NS] and not self.precharge_failed:
            self._go(CLOSE_MINUS)
