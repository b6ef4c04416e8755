"""Session: a bench that a Python test drives, tick by tick, in virtual or in wall time.

What is done takes effect from the next tick on. In real time the bench moves only inside calls that take time (run_for,
run_until, expect, always, never, quiet), so do the arithmetic afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hil import roles
from hil.errors import ScenarioError
from hil.session import filed, health, stimulus
from hil.session.claim import Measured
from hil.session.demand import Demands
from hil.session.live import Value
from hil.session.ports import EESPort, MAPort, NetworkPort
from hil.session.run import Run
from hil.session.stimulus import Fault, Instant, Stimulus
from hil.session.tape import Capture, capture
from hil.verdict import Finding

Condition = Callable[["Session"], object]


class Session:
    """A bench with a pack and a device.

    pack, calibration, network: shipped names or paths, calibration by default that of the pack.  soc, temperature_degC:
    at the start.  dut: as in `nabench run`.  realtime: take wall time.  memory_MB: for the record; older ticks go.
    arm: a real device may be driven.  bench: a bench file instead of dut.
    requirement: that findings serve.  near: a file; relative paths count from its folder.  Raises ScenarioError with all
    that is wrong, DutError when the device does not come up.
    """

    def __init__(
        self,
        pack: str = "nfm-16s",
        *,
        soc: float = 0.5,
        temperature_degC: float = 25.0,
        calibration: str | None = None,
        network: str = "classic",
        seed: int = 1,
        tick_ms: int = 10,
        dut: str = "emulator",
        realtime: bool = False,
        memory_MB: float = 256.0,
        arm: bool = False,
        bench: str | Path | None = None,
        requirement: str = "TEST",
        near: Path | None = None,
    ) -> None:
        initial = {"soc": soc, "temperature_degC": temperature_degC}
        self._near = Path("session").resolve() if near is None else near
        self._run = Run(
            dut, realtime, self._near, memory_MB, arm, None if bench is None else Path(bench), pack=pack, initial=initial,
            calibration=calibration, network=network, seed=seed, tick_ms=tick_ms,
        )  # fmt: skip
        self._demands = Demands(self._run, requirement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Leave the device safe. Nothing runs afterwards; what was recorded can still be read."""
        self._run.close()

    # ---- time

    @property
    def time_s(self) -> float:
        """Time since the start [s]."""
        return self._run.t_ns / 1e9

    @property
    def tick_s(self) -> float:
        """Length of a tick [s]."""
        return self._run.dt_ns / 1e9

    def run_for(self, seconds: float) -> None:
        """Let time pass, rounded up to whole ticks."""
        self._run.advance(self._run.ticks(seconds))

    def run_until(
        self,
        what: str | Condition,
        wanted: str | float | None = None,
        *,
        timeout_s: float,
        above: float | None = None,
        below: float | None = None,
    ) -> Instant:
        """Let time pass until a condition holds; returns when that was, fit as `since` of expect.

        what: a function of the session, looked at after every tick, or what `expect` takes.  Raises Unmet after timeout_s.
        """
        return self._demands.until(self, what, wanted, timeout_s, above, below)

    # ---- stimuli

    def request(self, mode: str, *, charger_connected: bool | None = None, fault_reset: bool = False) -> Stimulus:
        """The vehicle asks for "standby", "drive" or "charge"; with "charge" a charger is connected unless told otherwise."""
        charger = mode == "charge" if charger_connected is None else charger_connected
        return self._run.request(mode, charger, fault_reset)

    def fault_reset(self) -> Stimulus:
        """Press the fault reset once; the requested mode stays."""
        return self._run.request(self._run.mode, self._run.charger, fault_reset=True)

    def load(
        self,
        *,
        current_A: float | None = None,
        power_W: float | None = None,
        resistance_ohm: float | None = None,
        profile: str | Path | None = None,
        peak_W: float | None = None,
        skip_s: float = 0.0,
        always: bool = False,
    ) -> Stimulus:
        """Hang a load on the DC link; positive discharges. Without arguments, take it away.

        profile: CSV of time [s] and power, its path counted from the test's folder; scaled to peak_W, from skip_s on.
        always: it draws whatever the contactors do.
        """
        given = {"current": current_A, "power": power_W, "resistance": resistance_ohm, "profile": profile}
        kinds = [kind for kind, value in given.items() if value is not None]
        if len(kinds) > 1:
            raise ScenarioError(f"a load is either {' or '.join(kinds)}; give one of them")
        row: dict[str, Any] = {"kind": kinds[0] if kinds else "none", "always": always}
        if current_A is not None:
            row["current_A"] = current_A
        elif power_W is not None:
            row["power_W"] = power_W
        elif resistance_ohm is not None:
            row["resistance_ohm"] = resistance_ohm
        elif profile is not None:
            row |= {"file": str(self._near.parent / profile), "peak_W": peak_W, "skip_s": skip_s}
        return self._run.load(row)

    def charger(self, current_A: float, voltage_V: float) -> Stimulus:
        """Hang a CC-CV charger on the link; it obeys BMS_Limits unless a fault says otherwise. current_A is a magnitude."""
        return self._run.load({"kind": "charger", "current_A": current_A, "voltage_V": voltage_V})

    def set(self, name: str, value: float | bool | str = True) -> Fault:
        """Make a value wrong by the short form of a fault, "cell[5].offset_V" to 0.2 or "contactor[main_plus].welded".

        A second call for the same fault and target replaces the first and keeps its other parameters.
        """
        short = stimulus.parse(name)
        old = next((fault for fault in self._run.active() if fault.key == short.key), None)
        values = {} if old is None else dict(old.bound.spec.values)
        if short.parameter is None and value is not True:
            raise ScenarioError(f'"{name}" takes no value; write bench.set("{name}"), and bench.clear("{name}") to end it')
        if short.parameter is not None:
            values[short.parameter] = stimulus.number(value, name)
        keys = {"fault": short.fault, "with": values} | ({} if short.target is None else {"target": short.target})
        return self._run.replace(f'bench.set("{name}")', keys, old)

    def inject(
        self,
        fault: str,
        target: str | None = None,
        *,
        for_s: float | None = None,
        single: bool = False,
        on_ms: int | None = None,
        off_ms: int | None = None,
        name: str | None = None,
        **values: float | bool | str,
    ) -> Fault:
        """Start a fault of the catalogue (nabench list faults); its handle ends it with .clear().

        for_s: how long.  single: one tick.  on_ms, off_ms: intermittent.  values: the fault's parameters.
        """
        numbers = {key: stimulus.number(value, key) for key, value in values.items()}
        keys = {"fault": fault, "target": target, "name": name, "on_ms": on_ms, "off_ms": off_ms}
        keys = {key: value for key, value in keys.items() if value is not None}
        return self._run.inject(f'bench.inject("{fault}")', {**keys, "single": single, "with": numbers}, for_s)

    def clear(self, what: str | Fault) -> Stimulus:
        """End a fault: a handle, a short form, or the name given to inject. Raises ScenarioError when it is not active."""
        if isinstance(what, Fault):
            return what.clear()
        active = {fault.label: fault for fault in self._run.active()}
        if what in active:
            return self._run.end(active[what])
        key = stimulus.parse(what).key
        found = next((fault for fault in active.values() if fault.key == key), None)
        if found is None:
            shown = ", ".join(fault.what for fault in active.values()) or "none"
            raise ScenarioError(f'"{what}" is not injected now, so it cannot be cleared; active faults: {shown}')
        return self._run.end(found)

    def clear_all(self) -> None:
        """End all faults."""
        for fault in self._run.active():
            self._run.end(fault)

    def reset(self) -> Fault:
        """Take the device's supply away for an instant; it starts again."""
        return self.inject("reset")

    @property
    def faults(self) -> list[Fault]:
        """Faults that are active now."""
        return self._run.active()

    # ---- demands

    def expect(
        self,
        what: str,
        wanted: str | float | None = None,
        *,
        within_ms: float | tuple[float, float],
        above: float | None = None,
        below: float | None = None,
        since: Stimulus | Instant | float | None = None,
    ) -> Measured:
        """Demand a reaction in time: let time pass until it comes or its window is over; returns the measured time.

        what, wanted: "contactor" (or main_plus, main_minus, precharge), "open" or "closed"; "code" and its name; a signal
        or a truth and its value, or above and below.  within_ms: the longest time, or (shortest, longest).
        since: a stimulus or an instant, by default the last stimulus; its first effect that is physically present counts.
        Raises Unmet with a sentence, and BenchError when the stimulus had no effect.
        """
        low_ms, high_ms = within_ms if isinstance(within_ms, tuple) else (None, within_ms)
        return self._demands.within(what, wanted, (low_ms, high_ms), above, below, since)

    def always(
        self,
        what: str,
        wanted: str | float | None = None,
        *,
        for_s: float,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        """Demand that something stays so for a time from now on. Raises Unmet."""
        self._demands.throughout("always", what, wanted, for_s, above, below)

    def never(
        self,
        what: str,
        wanted: str | float | None = None,
        *,
        for_s: float,
        above: float | None = None,
        below: float | None = None,
    ) -> None:
        """Demand that something does not happen for a time from now on. Raises Unmet."""
        self._demands.throughout("never", what, wanted, for_s, above, below)

    def quiet(self, for_s: float, *, allow: tuple[str, ...] | list[str] = ()) -> None:
        """Demand that no code is raised, but those allowed, and no contactor moves, for a time from now on. Raises Unmet."""
        self._demands.quiet(for_s, tuple(allow))

    @property
    def findings(self) -> list[Finding]:
        """What all demands so far found."""
        return self._demands.findings

    def health(self, *, faults_may_stay: bool = False) -> list[str]:
        """What is wrong with bench or device now, a sentence each; none when all is well. An active fault is wrong too."""
        return health.problems(self._run, faults_may_stay)

    def write(self, out: str | Path, name: str = "session", title: str = "a session", said: Sequence[Finding] = ()) -> Path:
        """Write what was recorded as the run folder out/name, replay included; returns its path. Raises NabenchError.

        name: small letters, digits and dashes.  said: findings that are not of the record.
        """
        return filed.write(self._run, self._demands, Path(out), name, title, said)

    # ---- looking

    def signal(self, name: str) -> Value:
        """The latest value of a signal on the wire, NaN while there is none; it compares with names: == "run"."""
        return self._run.signal(name)

    def truth(self, name: str) -> float:
        """What a perfect instrument would read: a column of truth, or cell_voltage[5], cell_temperature[5], cell_soc[5]."""
        return self._run.truth(name)

    def codes(self) -> frozenset[str]:
        """Diagnosis codes that the device raises now."""
        flags = [name for name in self._run.setup.network.from_dut.signal_names if name.startswith("Diag_")]
        return frozenset(roles.code_of(name) for name in flags if self.signal(name) > 0.5)

    def capture(self, *names: str, from_s: float = 0.0, to_s: float | None = None) -> Capture:
        """Signals and truths over time. Raises ScenarioError when from_s is no longer in the record."""
        run = self._run
        if not names:
            raise ScenarioError("capture what? Name signals or truths")
        end = run.rig.k if to_s is None else min(run.ticks(to_s), run.rig.k)
        first = math.floor(round(from_s * 1e9) / run.dt_ns)
        return capture(run.piece(first, end), run.setup.network, names, from_s)

    @property
    def ma(self) -> MAPort:
        """Model access, as in ASAM XIL: plant variables by name."""
        return MAPort(self)

    @property
    def ees(self) -> EESPort:
        """Electrical error simulation, as in ASAM XIL: wires and sensors."""
        return EESPort(self)

    @property
    def network(self) -> NetworkPort:
        """Network access, as in ASAM XIL: signals and frames."""
        return NetworkPort(self, self._run.piece, self._run.setup.network)
