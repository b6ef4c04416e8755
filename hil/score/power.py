"""Score of the current limits: does a load that obeys them ever break a voltage limit, and how much do they leave unused.

A state is a drawn cell (hil.score.drawn) of another structure than the filter, at a random SOC and temperature, driven through
a random history of currents. The estimator reads it with every sensor error at once, of random signs. Then it is asked for its
limits, and for each horizon and direction the cell is driven from that state with just that constant current.

- violated: a voltage limit was left within the horizon.
- possible: the largest constant current that keeps the voltage limits and the SOC window for the horizon (bisection on the
  plant), at most what the tables allow; waste = 1 - allowed / possible.

Conditions: "exact": temperature read exactly, after LOAD_S of load; "shown": 5 K wrong, after LOAD_S of load; "reset": 5 K
wrong, below COLD_DEGC, asked RESET_S after the estimator began, which has seen no load but remembers LIFE_S of it on a day of
LIFE_DEGC with the same sensors; "first": likewise, but it remembers nothing, as a device from the factory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64
from hil import calibration
from hil.calibration import Calibration
from hil.dut.estimator import Estimator, Readings
from hil.plant import cellfile
from hil.score import plant as pl
from hil.score.dice import Dice
from hil.score.drawn import draw
from hil.score.tables import Plant, build

CONDITIONS = ("exact", "shown", "reset", "first")
UNSEEN = ("reset", "first")
HORIZONS = ("2 s", "10 s", "30 s", "continuous")
WAYS = ("discharge", "charge")
LOAD_S, RESET_S, COLD_DEGC = 600.0, 3.0, 10.0
LIFE_S, LIFE_DEGC, LIFE_LEAN = 1200.0, (15.0, 35.0), -0.75  # as much charged as discharged
REST_S = (60.0, 300.0)  # before a reset
STORED_SIGMA = 0.02  # of the SOC that the device remembers at its start
TEMP_DEGC = (-10.0, 45.0)
# Errors of the sensors, all at once: gain, offset in 1C, noise in 1C; volts: offset, noise, step; kelvin: offset, step.
GAIN, OFFSET_C, NOISE_C, OFFSET_V, NOISE_V, STEP_V, OFFSET_K, STEP_K = 0.01, 0.005, 0.002, 0.005, 0.001, 0.001, 5.0, 0.5
DROPPED = 0.01
_DT_S = 0.1
_CHUNK = 600
_HALVINGS = 14
_SLACK_V = 1e-6


@dataclass(frozen=True)
class PowerRow:
    """One line of the table. method: the estimator's.  states: asked.

    violations: broke a voltage limit.  worst_V: furthest beyond one.

    waste: median of all states.  bound: states in which the cell and not a table was the limit; bound_waste: their median.
    """

    condition: str
    method: str
    direction: str
    horizon: str
    states: int
    violations: int
    worst_V: float
    waste: float
    bound: int
    bound_waste: float


@kernel
def _history(state: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, asked_A: F64, out: F64, dt_s: float) -> None:
    """Drive every draw with its own currents, (tick, draw), less where a voltage or SOC limit would be left. out: (4, tick,
    draw).
    """
    for d in range(state.shape[1]):
        for n in range(asked_A.shape[0]):
            volt, ohm = pl.source(state, par, curves, nodes, d, asked_A[n, d])
            most_A, least_A = (volt - par[pl.LOW_V, d]) / ohm, (volt - par[pl.HIGH_V, d]) / ohm
            z = pl.mean_soc(state, d)
            amps = min(max(asked_A[n, d], min(least_A, 0.0)), max(most_A, 0.0))
            if (z < 0.01 and amps > 0.0) or (z > 0.995 and amps < 0.0):
                amps = 0.0
            pl.step(state, par, curves, ln_r, nodes, d, amps, dt_s)
            out[0, n, d], out[1, n, d], out[2, n, d] = amps, state[pl.VOLT, d], state[pl.TEMP_DEGC, d]
            out[3, n, d] = pl.mean_soc(state, d)


@kernel
def _probe(
    state: F64, scratch: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, d: int, amps: float, n_ticks: int, dt_s: float
) -> float:
    """Least room [V] to the limit of its direction while draw d bears a constant current from its state on."""
    for row in range(state.shape[0]):
        scratch[row, d] = state[row, d]
    room_V = 1e9
    for _ in range(n_ticks):
        pl.step(scratch, par, curves, ln_r, nodes, d, amps, dt_s)
        own_V = scratch[pl.VOLT, d] - par[pl.LOW_V, d] if amps >= 0.0 else par[pl.HIGH_V, d] - scratch[pl.VOLT, d]
        room_V = min(room_V, own_V)
    return room_V


@kernel
def _judge(
    state: F64, scratch: F64, par: F64, curves: F64, ln_r: F64, nodes: F64, allowed_A: F64, most_A: F64, way: int, n_ticks: int,
    dt_s: float, room_V: F64, possible_A: F64,
) -> None:  # fmt: skip
    """Room under the allowed current, and the possible one, of every draw; magnitudes."""
    for d in range(state.shape[1]):
        room_V[d] = _probe(state, scratch, par, curves, ln_r, nodes, d, way * allowed_A[d], n_ticks, dt_s)
        z = pl.mean_soc(state, d)
        window_A = max(z if way > 0 else 1.0 - z, 0.0) * 3600.0 * par[pl.CAPACITY_AH, d] / (n_ticks * dt_s)
        low, high = 0.0, min(most_A[d], window_A)
        if _probe(state, scratch, par, curves, ln_r, nodes, d, way * high, n_ticks, dt_s) >= 0.0:
            low = high
        else:
            for _ in range(_HALVINGS):
                middle = 0.5 * (low + high)
                if _probe(state, scratch, par, curves, ln_r, nodes, d, way * middle, n_ticks, dt_s) >= 0.0:
                    low = middle
                else:
                    high = middle
        possible_A[d] = low


def power(
    seed: int, n: int, calibration_name: str = "nfm-16s", cell_name: str = "nfm-18650", method: str | None = None
) -> list[PowerRow]:
    """The table for n states in each condition. method: of the estimator, as the calibration says when None."""
    _, believed = calibration.load(calibration_name)
    _, cell = cellfile.load(cell_name)
    return [row for condition in CONDITIONS for row in _rows(seed, n, condition, believed, cell, method)]


def _asked(dice: list[Dice], n_ticks: int, least_A: float, most_A: float, lean: F64) -> F64:
    """(tick, draw) random currents in steps of 2 to 40 s, a third of them rests; lean: -1..1, towards charge or discharge."""
    out = np.zeros((n_ticks, len(dice)))
    for d, die in enumerate(dice):
        at = 0
        while at < n_ticks:
            span, kind, size = die.uniform(2.0, 40.0)[0], die.uniform(-1.0, 1.0)[0], die.uniform(0.05, 1.0)[0]
            end = min(at + int(span / _DT_S), n_ticks)
            if abs(kind) > 0.3:
                out[at:end, d] = size * (most_A if kind + lean[d] > 0.0 else least_A)
            at = end
    return out


def _rows(seed: int, n: int, condition: str, believed: Calibration, cell: cellfile.Cell, method: str | None) -> list[PowerRow]:
    dice = [Dice(seed, f"power-{condition}", number) for number in range(n)]
    drawn = [draw(cell, believed.model, die) for die in dice]
    plant = build(drawn, _DT_S)
    soc = np.array([die.uniform(0.02, 0.99)[0] for die in dice])
    high_degC = COLD_DEGC if condition in UNSEEN else TEMP_DEGC[1]
    temp_degC = np.array([die.uniform(TEMP_DEGC[0], high_degC)[0] for die in dice])
    plant.settle(soc, temp_degC, np.array([die.choice((-1.0, 1.0))[0] for die in dice]))
    signs = np.array([die.choice((-1.0, 1.0), 4) for die in dice])
    lean = np.array([die.uniform(-0.7, 0.7)[0] for die in dice])
    n_ticks = int(LOAD_S / _DT_S)
    asked = _loads(dice, n_ticks, temp_degC, believed, cell, lean)
    # half of the states are asked under load, half up to a minute after it; a device that was off has rested
    estimator = Estimator(believed, n, 1, method, dt_ns=round(_DT_S * 1e9), foresees=True)
    for d, die in enumerate(dice):
        rest_s = die.uniform(0.0, 60.0)[0] if die.uniform(0.0, 1.0)[0] < 0.5 else 0.0
        if condition in UNSEEN:
            rest_s = die.uniform(*REST_S)[0]
        asked[n_ticks - int(rest_s / _DT_S) :, d] = 0.0
    errors = _Errors(signs, believed.model.capacity_Ah, condition != "exact", seed, condition)
    hidden = n_ticks - int(RESET_S / _DT_S) if condition in UNSEEN else 0
    if condition == "reset":
        estimator.remember(_life(build(drawn, _DT_S), seed, believed, cell, method, errors))
    last_degC = temp_degC
    for at in range(0, n_ticks, _CHUNK):
        out = np.zeros((4, min(_CHUNK, n_ticks - at), n))
        _history(plant.state, plant.par, plant.curves, plant.ln_r, plant.nodes, asked[at : at + _CHUNK], out, _DT_S)
        if at <= hidden < at + _CHUNK:
            tick = max(hidden - 1 - at, 0)
            stored = soc if hidden == 0 else out[3, tick]
            estimator.start(stored + STORED_SIGMA * np.array([die.gauss(1)[0] for die in dice]), STORED_SIGMA)
        seen = errors.read(out[:, max(hidden - at, 0) :])
        if seen.current_A.shape[0] > 0:
            estimator.run(seen)
            last_degC = seen.temp_degC[-1, :, 0]
    return _judged(condition, method or believed.filter.method, plant, estimator, believed, last_degC)


def _loads(dice: list[Dice], n_ticks: int, temp_degC: F64, believed: Calibration, cell: cellfile.Cell, lean: F64) -> F64:
    """(tick, draw) currents: charge in the cold is small, or no cell of a mixed history would ever be charged there."""
    cold = np.interp(temp_degC, believed.power.temp_degC, believed.power.charge_A)
    asked = _asked(dice, n_ticks, -1.0, cell.limits.discharge_max_A, lean)
    return np.where(asked < 0.0, asked * cold, asked)


def _life(
    plant: Plant, seed: int, believed: Calibration, cell: cellfile.Cell, method: str | None, errors: _Errors
) -> I64:  # fmt: skip
    """Memory of devices that have borne a load on a mild day, with the same cells and the same errors of their sensors."""
    n = plant.state.shape[1]
    dice = [Dice(seed, "power-life", number) for number in range(n)]
    soc = np.array([die.uniform(0.3, 0.9)[0] for die in dice])
    temp_degC = np.array([die.uniform(*LIFE_DEGC)[0] for die in dice])
    plant.settle(soc, temp_degC, np.array([die.choice((-1.0, 1.0))[0] for die in dice]))
    n_ticks = int(LIFE_S / _DT_S)
    asked = _loads(dice, n_ticks, temp_degC, believed, cell, np.full(n, LIFE_LEAN))
    estimator = Estimator(believed, n, 1, method, dt_ns=round(_DT_S * 1e9), foresees=True)
    estimator.start(soc + STORED_SIGMA * np.array([die.gauss(1)[0] for die in dice]), STORED_SIGMA)
    for at in range(0, n_ticks, _CHUNK):
        out = np.zeros((4, min(_CHUNK, n_ticks - at), n))
        _history(plant.state, plant.par, plant.curves, plant.ln_r, plant.nodes, asked[at : at + _CHUNK], out, _DT_S)
        estimator.run(errors.read(out))
    return estimator.memory()


class _Errors:
    """What the sensors make of the truth. signs: (draw, 4) of gain, offset, volts, kelvin."""

    def __init__(self, signs: F64, capacity_Ah: float, warps: bool, seed: int, condition: str) -> None:
        self.signs, self.capacity_Ah, self.warps = signs, capacity_Ah, warps
        self.die = Dice(seed, f"sensors-{condition}", 0)

    def read(self, true: F64) -> Readings:
        """Readings of true current, voltage and temperature, (3, tick, draw)."""
        shape = true.shape[1:]
        size = shape[0] * shape[1]
        gain, offset, volts, kelvin = self.signs.T
        noise = [self.die.gauss(size).reshape(shape) for _ in range(2)]
        step_A = 0.001 * self.capacity_Ah
        current_A = true[0] * (1.0 + GAIN * gain) + self.capacity_Ah * (OFFSET_C * offset + NOISE_C * noise[0])
        cell_V = true[1] + OFFSET_V * volts + NOISE_V * noise[1]
        temp_degC = true[2] + (OFFSET_K * kelvin if self.warps else 0.0)
        fresh = self.die.uniform(0.0, 1.0, size).reshape(shape) >= DROPPED
        return Readings(
            np.round(current_A / step_A) * step_A,
            (np.round(cell_V / STEP_V) * STEP_V)[:, :, None],
            (np.round(temp_degC / STEP_K) * STEP_K)[:, :, None],
            fresh.astype(np.uint8)[:, :, None],
        )


def _judged(
    condition: str, method: str, plant: Plant, estimator: Estimator, believed: Calibration, temp_degC: F64
) -> list[PowerRow]:
    limits, rows = estimator.limits_A(), []
    told = believed.power
    spans = (2.0, 10.0, 30.0, believed.pulse.continuous_s)
    n = limits.shape[2]
    for w, (way, column) in enumerate(((1, told.discharge_A), (-1, told.charge_A))):
        for h, span_s in enumerate(spans):
            share = believed.pulse.share[h] if h < len(believed.pulse.share) else 1.0
            most_A = share * np.interp(temp_degC, told.temp_degC, column)
            room_V, possible_A = np.zeros(n), np.zeros(n)
            _judge(
                plant.state, np.zeros_like(plant.state), plant.par, plant.curves, plant.ln_r, plant.nodes, limits[w, h], most_A,
                way, round(span_s / _DT_S), _DT_S, room_V, possible_A,
            )  # fmt: skip
            broke = (room_V < -_SLACK_V) & (limits[w, h] > 0.0)
            some = possible_A > 0.0
            waste = 1.0 - limits[w, h][some] / possible_A[some]
            bound = (possible_A < most_A * (1.0 - 1e-3))[some]
            rows.append(
                PowerRow(
                    condition=condition,
                    method=method,
                    direction=WAYS[w],
                    horizon=HORIZONS[h],
                    states=n,
                    violations=int(broke.sum()),
                    worst_V=float(max(-room_V[broke].min(), 0.0)) if broke.any() else 0.0,
                    waste=float(np.median(waste)) if some.any() else 0.0,
                    bound=int(bound.sum()),
                    bound_waste=float(np.median(waste[bound])) if bound.any() else 0.0,
                )
            )
    return rows
