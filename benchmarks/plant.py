"""The pack as one would write it first: NumPy over the cells, plain Python for contactors, link and load.

The equations are those of hil.plant (cell, thermal, pack, contactor, load, sensor), which say where they come from. One
string, one kind of cell, no internal short, a current or nothing on the link.
"""

from __future__ import annotations

import math

import numpy as np

from firmware_sim.types import F64
from hil import noise
from hil.plant import cell as c
from hil.plant import drift, sensor
from hil.plant import load as ld
from hil.plant import pack as pk
from hil.plant.plant import Plant
from hil.rig import Inputs

MAIN_PLUS, MAIN_MINUS, PRECHARGE = range(3)
_NOISE_BLOCK = 1000
_OPEN_OHM = 1e12


class Contactor:
    """A coil is told, the contact follows after its travel time."""

    def __init__(self, close_ns: int, open_ns: int) -> None:
        self.travel_ns = open_ns, close_ns
        self.closed = self.coil = 0
        self.moves_ns: int | None = None
        self.changed_ns = 0

    def drive(self, coil: int, t_ns: int) -> None:
        """Energise (1) or release (0) the coil."""
        if coil != self.coil:
            self.coil = coil
            self.moves_ns = None if coil == self.closed else t_ns + self.travel_ns[coil]

    def settle(self, t_ns: int) -> None:
        """Move the contact when its travel has ended."""
        if self.moves_ns is not None and self.moves_ns <= t_ns:
            self.closed, self.changed_ns, self.moves_ns = self.coil, self.moves_ns, None


class Pack:
    """Cells in series, contactors, DC link and load."""

    def __init__(self, plant: Plant, inputs: Inputs) -> None:
        """Start as `plant` stands: its parameters, tables and first state are taken over, nothing is shared."""
        if plant.cells.shape[2] != 1 or plant.curves.shape[0] != 1 or plant.par[c.SHORT_S].any():
            raise ValueError("the baseline knows one string of one kind of cell without internal shorts")
        if not np.isin(inputs.demand[:, ld.KIND], (ld.NONE, ld.CURRENT)).all() or inputs.demand[:, ld.ALWAYS].any():
            raise ValueError("the baseline knows a current as load, or nothing")
        cells, par, pack = plant.cells[:, 0, 0].copy(), plant.par[:, 0, 0].copy(), plant.pack_par[:, 0]
        self.dt_ns, self.demand = plant.dt_ns, inputs.demand.tolist()
        self.curves, self.ln_r, self.nodes = plant.curves[0], plant.ln_r[0], plant.nodes[0].tolist()
        self.d1, self.d2, self.d3 = plant.decay[0].tolist()
        self.scalars = self.nodes[c.SCALARS]
        self.capacity_Ah, self.r_scale = par[c.CAPACITY_AH], par[c.R_SCALE]
        self.offset_V, self.cooling, self.heat_capacity = par[c.OCV_OFFSET_V], par[c.COOLING], par[c.HEAT_CAPACITY]
        self.q_Ah, self.h = cells[c.Q_AH], cells[c.HYST]
        self.u1, self.u2, self.u3 = cells[c.U1_V], cells[c.U2_V], cells[c.U3_V]
        self.temp_degC, self.emf_V, self.terminal_V = cells[c.TEMP_DEGC], cells[c.EMF_V], cells[c.TERMINAL_V]
        self.r0, self.r1, self.r2, self.reach = cells[c.R0_OHM], cells[c.R1_OHM], cells[c.R2_OHM], cells[c.REACH]
        self.per_i0, self.per_rate, self.leak_A = cells[c.PER_I0], cells[c.PER_RATE], cells[c.LEAK_A]
        self.ohm, self.enthalpy_V = cells[c.OHM], cells[c.ENTHALPY_V]
        self.fixed_ohm, self.kinetic_ohm = cells[c.FIXED_OHM], cells[c.KINETIC_OHM]
        self.ln_at, self.ln_per_K, self.ln_per_x = (cells[row : row + 2] for row in (c.R0_AT, c.R0_PER_K, c.R0_PER_X))
        self.unreach, self.unreach_per_K = cells[c.UNREACH], cells[c.UNREACH_PER_K]
        self.lines = cells[c.PER_I0_AT : c.PER_RATE_PER_K + 1]
        self.pack_par = pack.tolist()
        travel = plant.block[3:5, 0].T.tolist()
        self.contactors = [Contactor(close_ns, open_ns) for close_ns, open_ns in travel]
        self.current_A = self.mean_A = self.link_V = self.charge_Ah = self.load_A = 0.0
        self.charge_limit_A = 0.0
        self.pack_V = float(plant.pack[pk.PACK_V, 0])

    def refresh(self, i: int) -> None:
        """Take resistance and reachable share of cell i from the tables."""
        scalars, temp_degC = self.scalars, float(self.temp_degC[i])
        n = int(scalars[c.N_REACH])
        at_degC, shares = np.array(self.nodes[c.REACH_DEGC][:n]), np.array(self.nodes[c.REACH_SHARE][:n])
        reach, per_K = float(np.interp(temp_degC, at_degC, shares)), 0.0
        if at_degC[0] < temp_degC < at_degC[-1]:
            first = int(np.searchsorted(at_degC, temp_degC)) - 1
            per_K = float((shares[first + 1] - shares[first]) / (at_degC[first + 1] - at_degC[first]))
        self.unreach[i], self.unreach_per_K[i] = (reach + per_K * temp_degC) / (reach * reach), -per_K / (reach * reach)
        inverse_K, table = 1.0 / (temp_degC + c.ZERO_DEGC_K), self.nodes[c.INVERSE_K]
        j = 0
        while j < int(scalars[c.N_TEMPERATURES]) - 2 and inverse_K < table[j + 1]:
            j += 1
        weight = (table[j] - inverse_K) / (table[j] - table[j + 1])
        x = min(max(1.0 - (1.0 - float(self.q_Ah[i]) / float(self.capacity_Ah[i])) / reach, 0.0), 1.0)
        at = x * (c.N_RX - 1)
        g = min(int(at), c.N_RX - 2)
        a, b = self.ln_r[3 * j : 3 * j + 6, g : g + 2].T
        ln_r = a + (at - g) * (b - a)
        self.r0[i], self.r1[i], self.r2[i] = self.r_scale[i] * np.exp(ln_r[:3] + weight * (ln_r[3:] - ln_r[:3]))
        rise = (b - a)[[0, 1, 3, 4]].reshape(2, 2)
        self.ln_per_K[:, i] = (ln_r[3:5] - ln_r[:2]) * inverse_K * inverse_K / (table[j] - table[j + 1])
        self.ln_per_x[:, i] = (rise[0] + weight * (rise[1] - rise[0])) * (c.N_RX - 1)
        self.ln_at[:, i] = -self.ln_per_K[:, i] * temp_degC - self.ln_per_x[:, i] * x
        self.reach[i] = reach
        n = int(scalars[c.N_RATE])
        if n > 0:
            table, ln_i0 = self.nodes[c.RATE_PER_K][:n], self.nodes[c.RATE_LN_I0][:n]
            self.per_i0[i] = math.exp(-float(np.interp(-inverse_K, [-one for one in table], ln_i0)))
            reference_A = scalars[c.RATE_REFERENCE_A]
            self.per_rate[i] = 1.0 / self._rate(np.asarray(reference_A * self.per_i0[i]))
            slope_K = 0.0
            for k in range(1, n):
                if table[k] < inverse_K < table[k - 1]:
                    slope_K = (ln_i0[k] - ln_i0[k - 1]) / (table[k - 1] - table[k])
            then = self.per_i0[i] * math.exp(-slope_K * inverse_K * inverse_K)
            per_K = then - self.per_i0[i], 1.0 / self._rate(np.asarray(reference_A * then)) - self.per_rate[i]
            self.lines[1::2, i] = per_K
            self.lines[::2, i] = np.array([self.per_i0[i], self.per_rate[i]]) - self.lines[1::2, i] * temp_degC
        leak = self.nodes[c.SLOW]
        warm = math.exp(leak[drift.LEAK_K] * (1.0 / (c.ZERO_DEGC_K + c.REFERENCE_DEGC) - inverse_K))
        self.leak_A[i] = leak[drift.LEAK_PER_H] * self.capacity_Ah[i] * warm

    def _rate(self, y: F64) -> F64:
        """Share to which kinetic resistance falls at y times i0."""
        at = np.minimum(y / c.Y_STEP, c.N_X - 1.000001)
        g = at.astype(np.intp)
        low = self.curves[c.RATE, g]
        return np.asarray(low + (at - g) * (self.curves[c.RATE, g + 1] - low))

    def step(self, t_ns: int) -> None:
        """Move the pack from t to t + dt."""
        self._foresee(t_ns)
        self._circuit(t_ns)
        every = max(1_000_000_000 // self.dt_ns, 1)
        for i in range((t_ns // self.dt_ns) % every, len(self.q_Ah), every):
            self.refresh(i)
        self._cells()

    def _foresee(self, t_ns: int) -> None:
        """Before a step of the load, take the resistance of the current to come."""
        load = next(row for row in reversed(self.demand) if row[ld.START_NS] <= t_ns)
        is_on = self.contactors[MAIN_PLUS].closed and self.contactors[MAIN_MINUS].closed
        then_A = load[ld.VALUE] if load[ld.KIND] == ld.CURRENT else self.mean_A
        if not is_on or abs(then_A - self.mean_A) < 0.05 * max(abs(then_A), abs(self.mean_A)):
            return
        self.ohm = self.fixed_ohm + self.kinetic_ohm * self._rate(abs(then_A) * self.per_i0) * self.per_rate

    def _circuit(self, t_ns: int) -> None:
        """Solve current and link voltage exactly between the instants at which a contact moves."""
        emf_V, source_ohm = float(self.emf_V.sum()), self.pack_par[pk.BUSBAR_OHM] + float(self.ohm.sum())
        load = next(row for row in reversed(self.demand) if row[ld.START_NS] <= t_ns)
        capacity_F, end_ns = self.pack_par[pk.LINK_F], t_ns + self.dt_ns
        charge_As = load_As = end_A = 0.0
        at_ns = t_ns
        while at_ns < end_ns:
            for contactor in self.contactors:
                contactor.settle(at_ns)
            moves = [contactor.moves_ns for contactor in self.contactors if contactor.moves_ns is not None]
            until_ns = min([*moves, end_ns])
            span_s = (until_ns - at_ns) * 1e-9
            ohm = source_ohm + self._path_ohm()
            is_on = self.contactors[MAIN_PLUS].closed and self.contactors[MAIN_MINUS].closed
            load_A = load[ld.VALUE] if is_on else 0.0
            total_S = 1.0 / ohm + self.pack_par[pk.BLEED_S]
            steady_V = (emf_V / ohm - load_A) / total_S
            start_V = self.link_V
            self.link_V = steady_V + (start_V - steady_V) * math.exp(-span_s * total_S / capacity_F)
            mean_V = steady_V + (start_V - self.link_V) * capacity_F / (total_S * span_s)
            charge_As += (emf_V - mean_V) / ohm * span_s
            load_As += load_A * span_s
            end_A = (emf_V - self.link_V) / ohm
            at_ns = until_ns
        for contactor in self.contactors:
            contactor.settle(at_ns)
        dt_s = self.dt_ns * 1e-9
        self.mean_A, self.current_A, self.load_A = charge_As / dt_s, end_A, load_As / dt_s
        self.charge_Ah += charge_As / 3600.0

    def _path_ohm(self) -> float:
        """Resistance between cells and link as the contacts stand."""
        plus, minus, precharge = (contactor.closed for contactor in self.contactors)
        siemens = plus / self.pack_par[pk.CONTACT_OHM] + precharge / self.pack_par[pk.PRECHARGE_OHM]
        return 1.0 / siemens + self.pack_par[pk.CONTACT_OHM] if minus and siemens > 0.0 else _OPEN_OHM

    def _cells(self) -> None:
        """Charge, RC pairs, hysteresis, voltages and heat of all cells at once."""
        current_A, dt_s = self.mean_A, self.dt_ns * 1e-9
        dt_h = dt_s / 3600.0
        self.q_Ah -= (current_A + self.leak_A) * dt_h
        per_Ah = 1.0 / self.capacity_Ah
        a = self.scalars[c.HYST_DECAY] * abs(current_A) * dt_h * per_Ah
        target = -1.0 if current_A > 0.0 else 1.0
        self.h = target + (self.h - target) * np.maximum(1.0 - a * (1.0 - a * (0.5 - a * (1.0 / 6.0))), 0.0)

        z, temp_degC = self.q_Ah * per_Ah, self.temp_degC
        x = np.maximum(1.0 - (1.0 - z) * np.maximum(self.unreach + self.unreach_per_K * temp_degC, 1.0), np.minimum(z, 0.0))
        ln_r = self.ln_at + self.ln_per_K * temp_degC + self.ln_per_x * np.minimum(np.maximum(x, 0.0), 1.0)
        r0, r1 = np.array([self.r0, self.r1]) * (1.0 + ln_r * (1.0 + 0.5 * ln_r))
        i0_at, i0_per_K, rate_at, rate_per_K = self.lines
        factor = self._rate(abs(current_A) * np.maximum(i0_at + i0_per_K * temp_degC, 0.0))
        factor = factor * np.maximum(rate_at + rate_per_K * temp_degC, 1.0) if self.per_i0.any() else np.ones_like(z)
        self.u1 = self.u1 * self.d1 + (1.0 - self.d1) * current_A * r1 * factor
        self.u2 = self.u2 * self.d2 + (1.0 - self.d2) * current_A * self.r2
        self.u3 = self.u3 * self.d3 + (1.0 - self.d3) * current_A * self.r2 * self.scalars[c.R3_SHARE]
        at = np.minimum(np.maximum((x - c.X_LOW) * (1.0 / c.X_STEP), 0.0), c.N_X - 1.000001)
        g = at.astype(np.intp)
        low = self.curves[: c.RATE, g]
        mean_V, half_V, dudt = low + (at - g) * (self.curves[: c.RATE, g + 1] - low)
        mean_V += self.offset_V + dudt * (self.temp_degC - c.REFERENCE_DEGC)
        ocv_V = mean_V + half_V * self.h
        kinetic = self.scalars[c.R0_KINETIC]
        series_ohm = r0 * (1.0 - kinetic + kinetic * factor)
        self.terminal_V = ocv_V - self.u1 - self.u2 - self.u3 - series_ohm * self.current_A
        self.emf_V = ocv_V - self.d1 * self.u1 - self.d2 * self.u2 - self.d3 * self.u3
        self.kinetic_ohm = r0 * kinetic + (1.0 - self.d1) * r1
        r3 = self.r2 * self.scalars[c.R3_SHARE]
        self.fixed_ohm = r0 * (1.0 - kinetic) + (1.0 - self.d2) * self.r2 + (1.0 - self.d3) * r3
        self.ohm = self.fixed_ohm + self.kinetic_ohm * factor
        self.pack_V = float(self.terminal_V.sum())
        enthalpy_V = mean_V - (self.temp_degC + c.ZERO_DEGC_K) * dudt
        given_V, self.enthalpy_V = 0.5 * (self.enthalpy_V + enthalpy_V), enthalpy_V
        heat_W = (current_A + self.leak_A) * given_V - current_A * self.terminal_V

        temp_degC = self.temp_degC
        flow_W = self.cooling * self.scalars[c.COOLANT_W_PER_K] * (self.pack_par[pk.COOLANT_DEGC] - temp_degC)
        between_W = self.scalars[c.NEIGHBOUR_W_PER_K] * (temp_degC[1:] - temp_degC[:-1])
        flow_W[:-1] += between_W
        flow_W[1:] -= between_W
        self.temp_degC = temp_degC + (heat_W + flow_W) * dt_s / self.heat_capacity


class Sensors:
    """What the sensors make of the pack, with the emulator's errors and noise."""

    def __init__(self, plant: Plant, seed: int) -> None:
        self.gain, self.offset, self.sigma, self.step = plant.sensor[:, 0].copy()
        self.is_stepped = self.step > 0.0
        self.divisor = np.where(self.is_stepped, self.step, 1.0)
        self.ntc = plant.ntc
        self.gauss = noise.gauss_table()
        self.stream = noise.NoiseStream(seed, 1, plant.n_sensors)
        self.noise = self.stream.block(_NOISE_BLOCK)[:, 0]

    def read(self, k: int, pack: Pack) -> F64:
        """One sample of every sensor in tick k, in the order of hil.plant.sensor."""
        if k > 0 and k % _NOISE_BLOCK == 0:
            self.noise = self.stream.block(_NOISE_BLOCK)[:, 0]
        whole_pack = [0.0] * sensor.N_PACK_SENSORS
        whole_pack[sensor.SHUNT_A], whole_pack[sensor.PACK_V] = pack.mean_A, pack.pack_V
        whole_pack[sensor.LINK_V], whole_pack[sensor.SHUNT_AH] = pack.link_V, pack.charge_Ah
        whole_pack[sensor.SHUNT_DEGC] = pack.pack_par[pk.COOLANT_DEGC]
        physical = np.concatenate((pack.terminal_V, pack.temp_degC[self.ntc], whole_pack))
        x = physical * self.gain + self.offset + self.sigma * self.gauss[self.noise[k % _NOISE_BLOCK]]
        return np.where(self.is_stepped, np.rint(x / self.divisor) * self.step, x)
