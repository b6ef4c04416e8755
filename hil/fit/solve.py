"""Least squares: open-circuit voltage, loop, resistances, time constants and one number per run for its capacity.

What is minimised: errors of the voltage at rows that lie close together after a current step and evenly over the charge
elsewhere, and, so weakly that data win, roughness and distance from the lending cell. Errors of neighbouring rows are
alike, so each row counts less than its own error would allow; near empty, where the voltage falls steeply, a little error
of charge is forgiven. The fit is done three times: the first sets the size of the errors and the temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from scipy.optimize import least_squares

from firmware_sim.types import F64, I64
from hil.fit import heat, model
from hil.fit.heat import Thermal
from hil.fit.known import Known
from hil.fit.legs import Track
from hil.fit.model import OCV_SOC, R_SOC, Course, Tables

Bar = Callable[[int, int], None]
ROUNDS = 3
_MOST_STEPS = 14
_STEP_FACTOR = 1.5  # from one compared row after a step to the next, in time
_EACH = 0.0025  # of the capacity, between compared rows elsewhere
_ALIKE = 3.5  # neighbouring rows say the same: by so much each counts less
_FIRST_V, _LEAST_V = 0.01, 0.0005
_SOC_ERROR = 0.001
_CAPACITY_SIGMA, _COLD_SIGMA = 0.04, 0.1
_LOOP_SIGMA = {True: 1.5, False: 0.6}  # of the logarithm of the half width: both branches rested, or not
_LOOP_WALK = {True: 2.0, False: 0.8}  # from node to node, per square root of SOC
_KNEE_SIGMA = 0.3  # the same below 5 %, where nothing rests for long
_LOADED_HALF_V = 0.02
_CHARGE = 2.0  # without rests on both branches a charge counts less: its resistance may be another
_WALK = {True: 2.0, False: 0.15}  # how far ln R may leave the lender's course, per square root of SOC; with pulses or without
_BETWEEN = {True: 0.7, False: 0.1}  # and from one temperature of the data to the next
_OFF_V, _BEND_V_PER_SOC = 0.5, 1.5


@dataclass(frozen=True)
class Fit:
    """Result. error_V: by course, at every row seen.  names: of spans that have a number of their own."""

    tables: Tables
    courses: tuple[Course, ...]
    ln_s: F64
    thermal: Thermal
    known: Known
    sigma_V: float
    coarse: bool


def compared(track: Track, capacity_Ah: float) -> I64:
    """Rows to compare: at growing distances after each current step, and evenly over the charge."""
    beat = np.floor(np.log(np.maximum(track.since_step_s, 1e-3) / 1e-3) / np.log(_STEP_FACTOR))
    passed = np.floor(np.cumsum(np.abs(track.amps) * track.dt_s) / 3600.0 / (_EACH * capacity_Ah))
    new = (np.diff(beat, prepend=-1.0) != 0.0) | (np.diff(passed, prepend=-1.0) != 0.0)
    before_step = np.append(np.diff(track.since_step_s) < 0.0, True)
    return np.flatnonzero((new | before_step) & track.seen)


def coarse_pairs(tables: Tables, period_s: float) -> Tables:
    """Tables for data too coarse to see the fast pair: it becomes part of R0, and the slow one is shared out anew."""
    r = np.exp(tables.base)
    base = np.log(np.stack([r[:, 0] + r[:, 1], 0.2 * r[:, 2], 0.8 * r[:, 2]], axis=1))
    return replace(tables, base=base, tau1_s=min(4.0 * period_s, 0.2 * tables.tau2_s))


class Problem:
    """Numbers to find, as one vector: mean_V, ln half_V, d by group of pairs, time constants, ln s of long spans."""

    def __init__(self, tables: Tables, courses: Sequence[Course], known: Known, cold: frozenset[int], fixed: int) -> None:
        self.tables, self.courses, self.known = tables, list(courses), known
        self.pairs = [[0], [1], [2]] if known.pulses else [[0, 1, 2]]
        self.n_spans = 1 + max(int(c.track.span.max()) for c in courses)
        deep = np.zeros(self.n_spans)
        self.span_sigma = np.full(self.n_spans, _CAPACITY_SIGMA)
        for course, group in zip(courses, known.groups, strict=True):
            np.maximum.at(deep, course.track.span, course.track.missing_Ah)
            if group in cold:
                self.span_sigma[np.unique(course.track.span)] = _COLD_SIGMA
        # one stretch says what the capacity is; the others may differ from it
        self.long = np.setdiff1d(np.flatnonzero(deep > 0.2 * tables.capacity_Ah), [fixed])
        # a run that takes less may hold less, or come to its end by its current: the middle of both is preferred
        ends = [(span, q) for span, q in enumerate(deep) if q > 0.5 * tables.capacity_Ah]
        self.span_mean = np.zeros(self.n_spans)
        self.span_mean[[span for span, _ in ends]] = [0.5 * np.log(q / tables.capacity_Ah) for _, q in ends]
        self.shape = (len(known.data_degC), len(self.pairs), len(R_SOC))
        sizes = [len(OCV_SOC), len(OCV_SOC), int(np.prod(self.shape)), 2 if known.pulses else 0, len(self.long)]
        self.at = np.cumsum([0, *sizes])
        self.start = self.pack(tables, np.zeros(self.n_spans))
        self.first_tau = np.log([tables.tau1_s, tables.tau2_s])
        self.lent_V = tables.mean_V
        # under current the branches lie further apart than at rest: a lent loop of a few millivolts says nothing there
        self.lent_ln_half = np.log(np.maximum(tables.half_V, 0.0 if known.both_rested else _LOADED_HALF_V))
        self.sigma = [np.full(len(course.rows), _FIRST_V * _ALIKE) for course in courses]
        self.steps = 0

    def part(self, theta: F64, n: int) -> F64:
        """The nth kind of number in the vector."""
        return theta[self.at[n] : self.at[n + 1]]

    def pack(self, tables: Tables, ln_s: F64) -> F64:
        """The vector of a set of tables."""
        d = np.stack([tables.d[:, group[0]] for group in self.pairs], axis=1).ravel()
        tau = np.log([tables.tau1_s, tables.tau2_s]) if self.known.pulses else np.zeros(0)
        return np.concatenate([tables.mean_V, np.log(tables.half_V), d, tau, ln_s[self.long]])

    def unpack(self, theta: F64) -> tuple[Tables, F64]:
        """Tables and ln s of all spans."""
        d = np.zeros_like(self.tables.d)
        for n, group in enumerate(self.pairs):
            d[:, group] = self.part(theta, 2).reshape(self.shape)[:, n : n + 1]
        ln_s = np.zeros(self.n_spans)
        ln_s[self.long] = self.part(theta, 4)
        made = replace(self.tables, mean_V=self.part(theta, 0), half_V=np.exp(np.clip(self.part(theta, 1), -9.0, 0.0)), d=d)
        if self.known.pulses:
            tau1_s, tau2_s = np.exp(np.clip(self.part(theta, 3), -7.0, 9.0)).tolist()
            made = replace(made, tau1_s=tau1_s, tau2_s=tau2_s)
        return made, ln_s

    def errors(self, theta: F64) -> list[F64]:
        """Model less measurement at the compared rows, by course [V]."""
        tables, ln_s = self.unpack(theta)
        return [model.volts(tables, c, ln_s)[c.rows] - c.track.volt[c.rows] for c in self.courses]

    def priors(self, theta: F64) -> F64:
        """What is preferred where data say nothing; linear in theta."""
        apart, pulses = self.known.both_rested, self.known.pulses
        off_V = self.part(theta, 0) - self.lent_V
        bends = np.diff(np.diff(off_V) / np.diff(OCV_SOC)) / _BEND_V_PER_SOC
        loop = (self.part(theta, 1) - self.lent_ln_half) / np.where(OCV_SOC < 0.05, _KNEE_SIGMA, _LOOP_SIGMA[apart])
        d = self.part(theta, 2).reshape(self.shape)
        walk = np.diff(d, axis=2) / np.sqrt(np.diff(R_SOC)) / _WALK[pulses]
        between = np.diff(d, axis=0) / _BETWEEN[pulses]
        tau = self.part(theta, 3) - self.first_tau if pulses else np.zeros(0)
        spans = (self.part(theta, 4) - self.span_mean[self.long]) / self.span_sigma[self.long]
        parts = [
            off_V / _OFF_V,
            bends,
            loop,
            np.diff(self.part(theta, 1) - self.lent_ln_half) / np.sqrt(np.diff(OCV_SOC)) / _LOOP_WALK[apart],
            walk.ravel(),
            between.ravel(),
            d.mean(axis=2).ravel(),
        ]
        return np.concatenate([*parts, tau, spans])

    def residuals(self, theta: F64) -> F64:
        """Everything that is squared and summed."""
        data = [error_V / sigma for error_V, sigma in zip(self.errors(theta), self.sigma, strict=True)]
        return np.concatenate([*data, self.priors(theta)])

    def jacobian(self, theta: F64) -> F64:
        """Derivatives of the residuals: closed form but for time constants and capacities, which are stepped."""
        self.steps += 1
        tables, ln_s = self.unpack(theta)
        blocks = []
        for course, sigma in zip(self.courses, self.sigma, strict=True):
            by_mean, by_half, by_d = model.slopes(tables, course, ln_s)
            grouped = np.stack([by_d[:, :, group].sum(axis=2) for group in self.pairs], axis=2)
            stepped = self.stepped(tables, course, ln_s)
            block = np.concatenate([by_mean, by_half * tables.half_V, grouped.reshape(len(by_mean), -1), stepped], axis=1)
            blocks.append(block / sigma[:, None])
        return np.concatenate([*blocks, self.linear])

    @cached_property
    def linear(self) -> F64:
        """Derivatives of the priors."""
        zero = np.zeros(int(self.at[-1]))
        at_zero = self.priors(zero)
        return np.stack([self.priors(unit) - at_zero for unit in np.eye(len(zero))], axis=1)

    def stepped(self, tables: Tables, course: Course, ln_s: F64) -> F64:
        """Derivatives by time constants and by ln s of the long spans, by small steps."""
        step = 1e-4
        here_V = model.volts(tables, course, ln_s)[course.rows]
        columns = []
        if self.known.pulses:
            for name in ("tau1_s", "tau2_s"):
                moved = replace(tables, **{name: getattr(tables, name) * np.exp(step)})
                columns.append((model.volts(moved, course, ln_s)[course.rows] - here_V) / step)
        by_s = (model.volts(tables, course, ln_s + step)[course.rows] - here_V) / step
        columns += [np.where(course.track.span[course.rows] == span, by_s, 0.0) for span in self.long]
        return np.stack(columns, axis=1) if columns else np.zeros((len(here_V), 0))

    def trust(self, course: Course) -> F64:
        """By how much more an error at the compared rows is forgiven."""
        charges = (course.track.amps[course.rows] < 0.0) & (not self.known.both_rested)
        return np.where(charges, _CHARGE, 1.0)

    def weigh(self, theta: F64) -> float:
        """Set what an error counts from the errors that are left; their size [V]."""
        errors = self.errors(theta)
        tables, ln_s = self.unpack(theta)
        steep = []
        for course in self.courses:
            x = model.soc(tables, course, ln_s)[course.rows]
            steep.append(np.abs(np.interp(x, OCV_SOC, np.gradient(tables.mean_V, OCV_SOC))) * _SOC_ERROR)
        trusted = [e / self.trust(c) for e, c in zip(errors, self.courses, strict=True)]
        flat = np.concatenate([e[s < 0.003] for e, s in zip(trusted, steep, strict=True)])
        size_V = float(np.sqrt(np.mean(flat**2))) if len(flat) else _FIRST_V
        # by the middle of the errors, so that a few rows that fit badly do not count for all
        size_V = max(min(size_V, 2.0 * float(np.median(np.abs(flat))) if len(flat) else size_V), _LEAST_V)
        self.sigma = [_ALIKE * (size_V + s) * self.trust(c) for s, c in zip(steep, self.courses, strict=True)]
        return size_V


def fit(tables: Tables, tracks: Sequence[Track], known: Known, thermal: Thermal, fixed: int, bar: Bar) -> Fit:
    """Fit all tracks.

    tables: the lender's, for this capacity.  fixed: span whose capacity is the cell's, or -1.  bar: called with steps done
    and steps at most.
    """
    coarse = known.pulses and known.period_s > 2.0 * tables.tau1_s
    if coarse:
        tables = coarse_pairs(tables, known.period_s)
    courses = []
    for track in tracks:
        degC = track.surface_degC if heat.logged(track) else track.ambient_degC
        h = model.loop(track, tables.capacity_Ah, tables.decay_per_soc)
        courses.append(Course(track, h, degC, compared(track, tables.capacity_Ah)))
    nearest = int(np.argmin(np.abs(known.data_degC - model.REFERENCE_DEGC)))
    cold = frozenset(np.flatnonzero(known.data_degC < known.data_degC[nearest] - 1.0).tolist())
    problem = Problem(tables, courses, known, cold, fixed)
    theta, sigma_V, guess = problem.start, _FIRST_V, thermal
    for n in range(ROUNDS):
        found = least_squares(
            problem.residuals,
            theta,
            jac=partial(_counted, problem, bar, n),
            method="lm",
            xtol=1e-5,
            ftol=1e-4,
            max_nfev=_MOST_STEPS,
        )
        theta = found.x
        made, ln_s = problem.unpack(theta)
        made, ln_s = _reach_of(made, ln_s, problem, cold)
        problem.tables = made
        theta = problem.pack(made, ln_s)
        sigma_V = problem.weigh(theta)
        thermal = heat.fit(made, problem.courses, ln_s, guess, thermal)
        if n < ROUNDS - 1:
            problem.courses = [c.at(heat.temperature(made, c, ln_s, thermal)) for c in problem.courses]
    bar(ROUNDS * _MOST_STEPS, ROUNDS * _MOST_STEPS)
    return Fit(made, tuple(problem.courses), ln_s, thermal, known, sigma_V, coarse)


def _counted(problem: Problem, bar: Bar, n: int, theta: F64) -> F64:
    """The Jacobian, and word of it to the bar."""
    out = problem.jacobian(theta)
    bar(min(problem.steps, (n + 1) * _MOST_STEPS), ROUNDS * _MOST_STEPS)
    return out


def _reach_of(tables: Tables, ln_s: F64, problem: Problem, cold: frozenset[int]) -> tuple[Tables, F64]:
    """Move what the cold spans have in common from their numbers into the reach of their temperature."""
    reach, ln_s = tables.reach.copy(), ln_s.copy()
    for group in cold:
        spans = [np.unique(c.track.span) for c, g in zip(problem.courses, problem.known.groups, strict=True) if g == group]
        mine = np.intersect1d(np.concatenate(spans), problem.long)
        if len(mine):
            common = float(np.mean(ln_s[mine]))
            most = 1.0 / float(tables.reach_at(problem.known.data_degC[[group]])[0])
            common = min(max(common, np.log(0.25 * most)), np.log(most))
            reach[group] *= np.exp(common)
            ln_s[mine] -= common
    return replace(tables, reach=reach), ln_s
