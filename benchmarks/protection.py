"""Quantities and limits as one would write them first: NumPy over the cells and over the limit rows.

Meaning of quantities and rows: firmware_sim.soa and firmware_sim.diag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_sim import settings as cfg
from firmware_sim import soa
from firmware_sim.types import F64, I64

Bools = npt.NDArray[np.bool_]


@dataclass
class Samples:
    """The last values of one kind of sensor (cells or NTCs) and the frames they came in.

    value, valid: as last decoded.  stream: frame number of each.
    """

    value: F64
    valid: Bools
    stream: I64

    @classmethod
    def empty(cls, stream: I64) -> Samples:
        """Nothing received yet."""
        return cls(np.zeros(len(stream)), np.zeros(len(stream), bool), stream)


class Quantities:
    """What limits are applied to: `value` and `known`, by the numbers of firmware_sim.soa."""

    def __init__(self, settings: cfg.Settings) -> None:
        self.whole, self.real = settings.whole.tolist(), settings.real.tolist()
        self.value: list[float] = [0.0] * len(soa.QUANTITIES)
        self.known: list[bool] = [False] * len(soa.QUANTITIES)
        n = settings.n_cells
        self.volt, self.equal_ns, self.sample_A = np.zeros(n), np.zeros(n), np.zeros(n)
        self.slow_degC = np.full(settings.n_ntc, np.nan)
        self.mean_degC = 25.0
        self.extremes: dict[str, float] = {}
        self.cell_sum_V = 0.0

    def put(self, which: int, value: float, known: bool = True) -> None:
        """Enter a quantity."""
        self.value[which], self.known[which] = value, known

    def cells(
        self, s: Samples, up_ns: int, heard_ns: I64, fresh: Bools, sample_ns: I64, current_A: float, pack_V: float
    ) -> None:
        """Extremes, spread, ages and stuck readings of the cell voltages. heard_ns, fresh, sample_ns: of each frame."""
        age_ns = up_ns - heard_ns[s.stream]
        in_time = age_ns <= self.whole[cfg.CELL_AGE_NS]
        good = in_time & s.valid
        new = good & fresh[s.stream]
        same = s.value == self.volt
        stuck = new & same & ((np.abs(current_A - self.sample_A) >= self.real[cfg.STUCK_STEP_A]) | (self.equal_ns > 0.0))
        moved = new & ~same
        self.equal_ns[moved] = 0.0
        self.sample_A[moved] = current_A
        self.equal_ns[stuck] += sample_ns[s.stream[stuck]]
        self.volt[new] = s.value[new]
        n_good = int(good.sum())
        all_there = n_good == len(good)
        if n_good > 0:
            volt = s.value if all_there else s.value[good]
            at_high, at_low, total = int(volt.argmax()), int(volt.argmin()), float(volt.sum())
            high, low, average = float(volt[at_high]), float(volt[at_low]), total / n_good
            number = np.flatnonzero(good)
            self.extremes["BMS_CellVoltageMax"], self.extremes["BMS_CellVoltageMin"] = high, low
            self.extremes["BMS_CellMaxIndex"], self.extremes["BMS_CellMinIndex"] = int(number[at_high]), int(number[at_low])
            self.put(soa.CELL_V_MAX, high)
            self.put(soa.CELL_V_MIN, low)
            self.put(soa.CELL_SPREAD, max(high - average, average - low))
            if all_there:
                self.cell_sum_V = total
                self.put(soa.PACK_MISMATCH, abs(pack_V - total) / max(pack_V, 1.0), self.known[soa.PACK_MISMATCH])
        for which in (soa.CELL_V_MAX, soa.CELL_V_MIN, soa.CELL_SPREAD):
            self.known[which] = n_good > 0
        if not all_there:
            self.put(soa.PACK_MISMATCH, 0.0, known=False)
        self.put(soa.CELL_AGE, float(age_ns.max()) * 1e-6)
        self.put(soa.CELL_INVALID, int(in_time.sum()) - n_good)
        self.put(soa.CELL_STUCK, float(self.equal_ns[good].max(initial=0.0)) * 1e-9)

    def temperatures(self, s: Samples, up_ns: int, heard_ns: I64, dt_ns: int) -> None:
        """Extremes, spread, rate and ages of the temperatures."""
        age_ns = up_ns - heard_ns[s.stream]
        in_time = age_ns <= self.whole[cfg.TEMP_AGE_NS]
        good = in_time & s.valid
        n_good = int(good.sum())
        self.slow_degC[in_time & ~s.valid] = np.nan
        tau_s = self.real[cfg.RATE_TAU_S]
        if n_good > 0:
            first = good & np.isnan(self.slow_degC)
            self.slow_degC[first] = s.value[first]
            temp_degC, slow_degC = s.value[good], self.slow_degC[good]
            slow_degC = slow_degC + min(dt_ns * 1e-9 / tau_s, 1.0) * (temp_degC - slow_degC)
            self.slow_degC[good] = slow_degC
            at_high, at_low = int(temp_degC.argmax()), int(temp_degC.argmin())
            high, low = float(temp_degC[at_high]), float(temp_degC[at_low])
            number = np.flatnonzero(good)
            self.extremes["BMS_TemperatureMax"], self.extremes["BMS_TemperatureMin"] = high, low
            self.extremes["BMS_TemperatureMaxIndex"] = int(number[at_high])
            self.extremes["BMS_TemperatureMinIndex"] = int(number[at_low])
            self.mean_degC = float(temp_degC.mean())
            self.put(soa.TEMP_MAX, high)
            self.put(soa.TEMP_MIN, low)
            self.put(soa.TEMP_SPREAD, high - low)
            self.put(soa.TEMP_RATE, float((temp_degC - slow_degC).max()) / tau_s)
        for which in (soa.TEMP_MAX, soa.TEMP_MIN, soa.TEMP_SPREAD, soa.TEMP_RATE):
            self.known[which] = n_good > 0
        self.put(soa.TEMP_AGE, float(age_ns.max()) * 1e-6)
        self.put(soa.TEMP_INVALID, int(in_time.sum()) - n_good)


class Limits:
    """Debounce, tiers, latches and reactions of all limit rows at once."""

    def __init__(self, settings: cfg.Settings) -> None:
        self.rows = settings.limits
        self.which, self.side, self.when = self.rows[:, cfg.QUANTITY], self.rows[:, cfg.SIDE], self.rows[:, cfg.WHEN]
        self.debounce_ns, self.clear_ns = self.rows[:, cfg.DEBOUNCE_NS], self.rows[:, cfg.CLEAR_NS]
        self.waits_for_reset = self.rows[:, cfg.LATCH] != cfg.NO_LATCH
        self.trip, self.clear = settings.thresholds.T * self.side
        n = len(self.rows)
        self.timer_ns = np.full(n, -1, np.int64)
        self.active, self.active_ns = np.zeros(n, bool), np.full(n, -1, np.int64)
        self.open_now = self.no_charge = self.no_discharge = self.pending = False
        self.worst_tier = self.fault_code = 0

    def step(self, q: Quantities, conditions: list[bool], reset: bool, dt_ns: int) -> None:
        """Move all rows by dt. conditions: whether each of cfg's WHEN holds now."""
        known = np.array(q.known)[self.which]
        value = np.array(q.value)[self.which] * self.side
        bad = np.array(conditions)[self.when] & (value > np.where(self.active, self.clear, self.trip))
        calm = known & (bad == self.active)
        moving = known & ~calm
        self.timer_ns[calm] = -1
        if moving.any():
            self._move(moving, reset, dt_ns)
        self.open_now = self.no_charge = self.no_discharge = self.pending = False
        self.worst_tier = self.fault_code = 0
        if self.active.any():
            self._react(dt_ns)

    def _move(self, moving: Bools, reset: bool, dt_ns: int) -> None:
        """Rows whose condition differs from their state: count, trip, clear."""
        counted = np.where(self.timer_ns >= 0, self.timer_ns + dt_ns, 0)
        self.timer_ns = np.where(moving, counted, self.timer_ns)
        trips = moving & ~self.active & (self.timer_ns >= self.debounce_ns)
        waits = moving & self.active & (self.timer_ns >= self.clear_ns)
        clears = waits if reset else waits & ~self.waits_for_reset
        self.timer_ns[waits] = self.clear_ns[waits]
        self.active = (self.active | trips) & ~clears
        self.timer_ns[trips | clears] = -1
        self.active_ns[trips] = -1

    def _react(self, dt_ns: int) -> None:
        """What the active rows ask for."""
        on, reaction = self.active, self.rows[:, cfg.REACTION]
        self.active_ns[on] = np.where(self.active_ns[on] >= 0, self.active_ns[on] + dt_ns, 0)
        self.worst_tier = int(self.rows[on, cfg.TIER].max())
        due = on & (self.active_ns >= self.rows[:, cfg.DELAY_NS])
        self.pending = bool((on & ~due).any())
        asked = set(reaction[due].tolist())
        self.open_now = cfg.OPEN in asked
        self.no_charge = not asked.isdisjoint((cfg.STOP_CHARGE, cfg.STOP_BOTH, cfg.OPEN))
        self.no_discharge = not asked.isdisjoint((cfg.STOP_DISCHARGE, cfg.STOP_BOTH, cfg.OPEN))
        opening = np.flatnonzero(on & (reaction == cfg.OPEN))
        if len(opening):
            self.fault_code = int(self.rows[opening[self.active_ns[opening].argmax()], cfg.CODE])
