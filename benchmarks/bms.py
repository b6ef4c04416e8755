"""The BMS as one would write it first: values in a dictionary by signal name, NumPy over cells and limits.

One tick: frames in, quantities, SOC, limits, current limits, mode, frames out. It does in a fault-free run what
firmware_sim.bms does, on the same calibration.
"""

from __future__ import annotations

from typing import Any

import can
import numpy as np

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim.wire import layout as w
from hil.network import Network

from . import wire
from .filter import Filter
from .mode import ERROR, ModeMachine, Seen
from .protection import Limits, Quantities, Samples

_SETTLE_NS = 1_000_000_000
_FEEDBACK = ("PackIO_MainPlusFeedback", "PackIO_MainMinusFeedback", "PackIO_PrechargeFeedback")
_COMMANDS = ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand")
_LINES = ("PackIO_Hvil", "PackIO_EmergencyLine")


class Bms:
    """One device. buses, free_ns, journal: see wire.Sender."""

    def __init__(
        self, settings: cfg.Settings, network: Network, dt_ns: int, buses: list[can.BusABC], free_ns: list[int],
        journal: list[can.Message],
    ) -> None:  # fmt: skip
        self.settings, self.dt_ns = settings, dt_ns
        self.whole, self.real = settings.whole.tolist(), settings.real.tolist()
        incoming = wire.frames(network.to_dut, network.database)
        outgoing = wire.frames(network.from_dut, network.database)
        self.receiver, self.sender = wire.Receiver(incoming, buses), wire.Sender(outgoing, buses, free_ns, journal)
        w_e2e = [self.whole[row] for row in (cfg.MAX_DELTA, cfg.E2E_WINDOW, cfg.E2E_MIN_OK, cfg.E2E_MAX_ERRORS)]
        self.streams = [wire.Stream(*w_e2e) for _ in incoming]
        self.heard_ns, self.sample_ns = np.zeros(len(incoming), np.int64), np.zeros(len(incoming), np.int64)
        self.fresh = np.zeros(len(incoming), bool)
        self.frame_of = {name: frame.number for frame in incoming for name in frame.names}
        self.value: dict[str, Any] = {}
        self.cells, self.ntcs = Samples.empty(settings.cell_map[cfg.MAP_SLOT]), Samples.empty(settings.ntc_map[cfg.MAP_SLOT])
        self.places = self._places(network.to_dut)
        self.up_ns = self.open_ns = 0
        self.current_A = self.pack_V = self.link_V = self.edge_A = self.edge_V = self.direction = 0.0
        self.reset_level = self.reset_edge = False
        self.quantities, self.filter = Quantities(settings), Filter(settings)
        self.limits, self.mode = Limits(settings), ModeMachine(settings)
        self.charged_Ah = self.discharged_Ah = 0.0
        self.stored: tuple[Any, Any] | None = None
        self.n_stored = 0
        self.out = wire.blank_values(outgoing)
        self.flags = {int(row[cfg.FLAG]): n for n, row in enumerate(settings.limits) if row[cfg.FLAG] >= 0}
        self.flag_names = {n: network.from_dut.signal_names[at] for at, n in self.flags.items()}

    def _places(self, layout: w.Layout) -> dict[str, tuple[Samples, int]]:
        """Where the value of a cell's or NTC's signal goes."""
        out = {}
        for samples, rows in ((self.cells, self.settings.cell_map), (self.ntcs, self.settings.ntc_map)):
            for n, at in enumerate(rows[cfg.MAP_SIGNAL].tolist()):
                out[layout.signal_names[at]] = (samples, n)
        return out

    def receive(self) -> None:
        """Hop 4, first half: take all frames; only trusted ones count."""
        self.up_ns += self.dt_ns
        self.fresh[:] = False
        for frame, values, right, _ in self.receiver.take():
            n = frame.number
            if not self.streams[n].accept(values[frame.counter], right):
                continue
            self.sample_ns[n] = self.up_ns - self.dt_ns - self.heard_ns[n]
            self.heard_ns[n] = self.up_ns - self.dt_ns
            self.fresh[n] = True
            for name in frame.names:
                value = values[name]
                place = self.places.get(name)
                if place is None:
                    self.value[name] = value
                    continue
                samples, at = place
                samples.valid[at] = known = wire.is_value(value)
                if known:
                    samples.value[at] = value

    def decide(self) -> None:
        """Hop 4, second half: from values to commands."""
        request = self._request()
        if self.reset_edge and self.mode.state == ERROR:
            self.mode.forget()
            self.direction = 0.0
        self._current()
        q, s = self.quantities, self
        q.cells(s.cells, s.up_ns, s.heard_ns, s.fresh, s.sample_ns, s.current_A, s.pack_V)
        q.temperatures(s.ntcs, s.up_ns, s.heard_ns, s.dt_ns)
        self._temperatures_of_cells()
        closed = self._lines()
        ready = self._is_ready()
        self._soc(ready)
        rest_A, commands = self.real[cfg.REST_A], self.mode.command
        hours = self.dt_ns / 3_600_000_000_000
        if self.current_A > rest_A:
            self.discharged_Ah += self.current_A * hours
        elif self.current_A < -rest_A:
            self.charged_Ah -= self.current_A * hours
        charging = self.current_A < -rest_A
        conditions = [True, charging, not charging, self.mode.is_on, not commands[0] and not commands[1]]
        self.limits.step(q, conditions, self.reset_edge, self.dt_ns)
        self._power()
        self.mode.step(
            Seen(
                request,
                ready,
                self.reset_edge,
                self.limits.open_now,
                self.limits.pending,
                closed,
                self.link_V / max(self.pack_V, 0.1),
                self.current_A,
            ),  # fmt: skip
            self.dt_ns,
        )
        if self.filter.is_seeded and self.up_ns % self.whole[cfg.SAVE_NS] < self.dt_ns:
            self.stored = self.filter.z.copy(), self.filter.p[0, 0].copy()
            self.n_stored += 1

    def transmit(self, t_ns: int) -> None:
        """Hop 5: the frames that are due."""
        due = self.sender.due(t_ns)
        names = {frame.message.name for frame in due}
        self._fill(names)
        if self.up_ns >= self.whole[cfg.BOOT_NS]:
            self.sender.send(t_ns, due, self.out)

    def _known(self, name: str, age_ns: int) -> bool:
        """Whether a signal holds a value that is young enough."""
        value = self.value.get(name)
        return value is not None and wire.is_value(value) and self.up_ns - self.heard_ns[self.frame_of[name]] <= age_ns

    def _current(self) -> None:
        q, limit_ns = self.quantities, self.whole[cfg.CURRENT_AGE_NS]
        known = self._known("Shunt_Current", limit_ns)
        self.current_A = amps = self.value["Shunt_Current"] if known else 0.0
        q.put(soa.DISCHARGE, max(amps, 0.0), known)
        q.put(soa.CHARGE, max(-amps, 0.0), known)
        frame = self.frame_of["Shunt_Current"]
        age_ns = self.up_ns - int(self.heard_ns[frame])
        q.put(soa.CURRENT_AGE, age_ns * 1e-6)
        q.put(soa.CURRENT_INVALID, float(age_ns <= limit_ns and not known))
        pack_known, link_known = self._known("Shunt_PackVoltage", limit_ns), self._known("Shunt_LinkVoltage", limit_ns)
        if pack_known:
            self.pack_V = self.value["Shunt_PackVoltage"]
        if link_known:
            self.link_V = self.value["Shunt_LinkVoltage"]
        q.known[soa.PACK_MISMATCH] = pack_known
        is_on = self.mode.is_on
        mismatch = abs(self.pack_V - self.link_V) / max(self.pack_V, 1.0) if is_on else 0.0
        q.put(soa.LINK_MISMATCH, mismatch, pack_known and link_known)
        q.put(soa.OPEN_CURRENT, abs(amps) if self.open_ns >= _SETTLE_NS else 0.0, known)
        if known and pack_known and self.fresh[frame]:
            step_A, step_V = amps - self.edge_A, self.pack_V - self.edge_V
            if abs(step_A) >= self.real[cfg.DIRECTION_STEP_A] and is_on:
                self.direction = max(self.direction + (1.0 if step_A * step_V > 0.0 else -1.0), 0.0)
            self.edge_A, self.edge_V = amps, self.pack_V
        q.put(soa.CURRENT_DIRECTION, self.direction, known)

    def _temperatures_of_cells(self) -> None:
        """Each cell takes the temperature of its sensor, or the mean when that one has none."""
        if self.quantities.known[soa.TEMP_MAX]:
            own = self.settings.cell_map[cfg.MAP_NTC]
            temp_degC = np.where(self.ntcs.valid, self.ntcs.value, self.quantities.mean_degC)
            self.filter.temp_degC = temp_degC[own]

    def _lines(self) -> tuple[bool, bool, bool]:
        """Contactor feedback against commands, digital lines, flags of the mode machine, ages. Returns the feedback."""
        q, mode, age_ns = self.quantities, self.mode, self.whole[cfg.IO_AGE_NS]
        settled = mode.command_ns >= self.whole[cfg.OPEN_SETTLE_NS]
        closed = []
        for n, name in enumerate(_FEEDBACK):
            known = self._known(name, age_ns) and settled
            closed.append(wire.number(self.value.get(name, 0)) == 1)
            q.put(soa.PLUS_MISMATCH + n, float(mode.command[n] == 1 and not closed[n]), known)
            if n < 2:
                q.put(soa.PLUS_WELDED + n, float(closed[n] and mode.command[n] == 0), known)
        self.open_ns = 0 if any(closed) or any(mode.command) else self.open_ns + self.dt_ns
        for n, name in enumerate(_LINES):
            known = self._known(name, age_ns)
            q.put(soa.HVIL_OPEN + n, float(known and wire.number(self.value[name]) == 0), known)
        for which, name in ((soa.INSULATION, "PackIO_Insulation"), (soa.SUPPLY, "PackIO_SupplyVoltage")):
            known = self._known(name, age_ns)
            q.put(which, self.value[name] if known else q.value[which], known)
        q.put(soa.PRE_FAILED, float(mode.precharge_failed))
        q.put(soa.PRE_TOO_FAST, float(mode.too_fast))
        q.put(soa.INIT_TIMEOUT, float(mode.init_timeout))
        q.put(soa.PACK_IO_AGE, (self.up_ns - int(self.heard_ns[self.frame_of[_FEEDBACK[0]]])) * 1e-6)
        q.put(soa.REQUEST_AGE, (self.up_ns - int(self.heard_ns[self.frame_of["Vehicle_ModeRequest"]])) * 1e-6)
        plus, minus, precharge = closed
        return plus, minus, precharge

    def _is_ready(self) -> bool:
        """Fresh, valid data from every node."""
        q, whole = self.quantities, self.whole
        return (
            q.known[soa.CELL_V_MAX]
            and q.value[soa.CELL_INVALID] == 0
            and q.value[soa.CELL_AGE] * 1e6 <= whole[cfg.CELL_AGE_NS]
            and q.known[soa.TEMP_MAX]
            and q.value[soa.TEMP_INVALID] == 0
            and q.value[soa.TEMP_AGE] * 1e6 <= whole[cfg.TEMP_AGE_NS]
            and q.known[soa.DISCHARGE]
            and q.value[soa.PACK_IO_AGE] * 1e6 <= whole[cfg.IO_AGE_NS]
        )

    def _soc(self, ready: bool) -> None:
        f, q = self.filter, self.quantities
        if not f.is_seeded:
            if not ready:
                return
            f.seed(q.volt)
        dt_s = self.dt_ns * 1e-9
        every = max(1_000_000_000 // self.dt_ns, 1)
        for i in range((self.up_ns // self.dt_ns) % every, len(q.volt), every):
            f.refresh(i, every * dt_s)
        f.predict(self.current_A, dt_s)
        new = self.fresh[self.cells.stream] & self.cells.valid
        if new.all():
            f.correct(slice(None), q.volt, self.current_A, np.maximum(self.sample_ns[self.cells.stream] * 1e-9, dt_s))
        elif new.any():
            which = np.flatnonzero(new)
            sample_s = np.maximum(self.sample_ns[self.cells.stream[which]] * 1e-9, dt_s)
            f.correct(which, q.volt[which], self.current_A, sample_s)

    def _request(self) -> int:
        """Mode asked for, -1 when nobody asks; also finds the rising edge of the reset request."""
        age_ns = self.whole[cfg.REQUEST_AGE_NS]
        level = self._known("Vehicle_FaultReset", age_ns) and wire.number(self.value["Vehicle_FaultReset"]) == 1
        self.reset_edge, self.reset_level = level and not self.reset_level, level
        known = self._known("Vehicle_ModeRequest", age_ns)
        return int(wire.number(self.value["Vehicle_ModeRequest"])) if known else -1

    def _power(self) -> None:
        """Allowed currents over temperature, tapered towards the voltage limits."""
        q, kind, may = self.quantities, self.filter.kind, self.filter.is_seeded
        table = self.settings.power[0]
        ends = q.extremes.get("BMS_TemperatureMax", 0.0), q.extremes.get("BMS_TemperatureMin", 0.0)
        discharge_A = float(np.interp(ends, table[cfg.POWER_DEGC], table[cfg.POWER_DISCHARGE_A]).min())
        charge_A = float(np.interp(ends, table[cfg.POWER_DEGC], table[cfg.POWER_CHARGE_A]).min())
        room_V = kind[cfg.CHARGE_STOP_V] - q.extremes.get("BMS_CellVoltageMax", 0.0)
        charge_A *= min(max(room_V / kind[cfg.CHARGE_TAPER_V], 0.0), 1.0)
        room_V = q.extremes.get("BMS_CellVoltageMin", 0.0) - kind[cfg.DISCHARGE_STOP_V]
        discharge_A *= min(max(room_V / kind[cfg.DISCHARGE_TAPER_V], 0.0), 1.0)
        self.out["BMS_ChargeCurrentLimit"] = charge_A if may and not self.limits.no_charge else 0.0
        self.out["BMS_DischargeCurrentLimit"] = discharge_A if may and not self.limits.no_discharge else 0.0

    def _fill(self, names: set[str]) -> None:
        """Write the values of the messages that are due."""
        out, limits, mode, f = self.out, self.limits, self.mode, self.filter
        out.update(zip(_COMMANDS, mode.command, strict=True))
        if "BMS_Status" in names:
            out["BMS_State"], out["BMS_PrechargeTries"] = mode.state, min(mode.tries, 7)
            out["BMS_FaultCode"], out["BMS_WorstTier"] = limits.fault_code, limits.worst_tier
            out["BMS_ReactionPending"] = int(limits.pending)
            out["BMS_ChargeAllowed"], out["BMS_DischargeAllowed"] = int(not limits.no_charge), int(not limits.no_discharge)
            out["BMS_Uptime"] = min(self.up_ns // 1_000_000_000, 65535)
        if "BMS_VoltageLimits" in names:
            out["BMS_ChargeVoltageLimit"] = self.real[cfg.CHARGE_MAX_V]
            out["BMS_DischargeVoltageLimit"] = self.real[cfg.DISCHARGE_MIN_V]
        if "BMS_Counters" in names:
            out["BMS_ChargedTotal"], out["BMS_DischargedTotal"] = self.charged_Ah, self.discharged_Ah
        if "BMS_Events" in names:
            out["BMS_OperatingHours"] = self.up_ns // 3_600_000_000_000
            out["BMS_FullCycles"] = self.discharged_Ah / (self.filter.kind[cfg.CAPACITY_AH] * self.whole[cfg.N_STRINGS])
            out["BMS_DeepDischarges"] = out["BMS_OvervoltageEvents"] = out["BMS_UndervoltageEvents"] = 0
        if "BMS_DiagLimits" in names or "BMS_DiagSensors" in names:
            active = limits.active.tolist()
            out.update({name: int(active[n]) for n, name in self.flag_names.items()})
        if not f.is_seeded:
            return
        if "BMS_SocValues" in names or "BMS_SocAvailable" in names:
            out.update(f.summary())
        if "BMS_PackValues" in names:
            out["BMS_PackCurrent"], out["BMS_LinkVoltage"] = self.current_A, self.link_V
            out["BMS_PackVoltage"] = self.quantities.cell_sum_V
        if "BMS_CellExtremes" in names or "BMS_TemperatureExtremes" in names:
            out.update(self.quantities.extremes)
        if "BMS_CellSoc" in names:
            percent = (100.0 * np.minimum(np.maximum(f.z, 0.0), 1.0)).tolist()
            out.update({f"CellSoc_{i:03d}": value for i, value in enumerate(percent)})
