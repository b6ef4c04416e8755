"""The textbook filters: their unrolled scalars against matrices, and against sigma points drawn with NumPy's Cholesky."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from rigs import wired

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, ekf, ekf_r, ukf
from firmware_sim.types import F64
from hil import binding

_, SETTINGS, CALIBRATION = wired("nfm-16s", "nfm-16s", "classic", 10_000_000)


def real_of(method: str) -> F64:
    """Figures of the kernels as bound for a calibration of this method."""
    own = CALIBRATION.model_copy(update={"filter": CALIBRATION.filter.changed(method)})
    return np.asarray(binding.beliefs(own, 16, 1)["real"])


REAL = real_of("ekf")
assert np.array_equal(REAL, real_of("ukf"))
UPPER = [(a, b) for a in range(3) for b in range(a, 3)]
P_ROWS = {pair: ekf.P00 + n for n, pair in enumerate(UPPER)}
X = [st.Z, st.U1, st.U2]


class Filter:
    """One cell with a drawn state. wide: standard deviation of SOC, about."""

    def __init__(self, seed: int, wide: float) -> None:
        rng = np.random.default_rng(seed)
        self.cell = np.zeros((st.N_CELL, 1, 1))
        self.cell[st.TEMP], self.cell[st.Z], self.cell[st.H] = (
            rng.uniform(0.0, 40.0),
            rng.uniform(0.1, 0.9),
            rng.choice([-1.0, 1.0]),
        )
        self.cell[[st.U1, st.U2]] = rng.uniform(-0.02, 0.02, (2, 1, 1))
        root = rng.normal(size=(3, 3)) * np.array([wide, 0.001, 0.003])
        for (a, b), row in P_ROWS.items():
            self.cell[row] = (root.T @ root)[a, b]
        belief.refresh(
            self.cell, 0, 0, 0, SETTINGS.kinds, SETTINGS.curves, SETTINGS.ln_r, SETTINGS.nodes, SETTINGS.n_nodes, belief.EVER
        )
        self.current_A = float(rng.uniform(-3.0, 3.0))
        self.cell[st.VOLT] = self.voltage(self.mean()) + rng.uniform(-0.05, 0.05)

    def mean(self) -> F64:
        """z, u1, u2."""
        return self.cell[X, 0, 0].copy()

    def covariance(self) -> F64:
        """(3, 3)."""
        out = np.zeros((3, 3))
        for (a, b), row in P_ROWS.items():
            out[a, b] = out[b, a] = self.cell[row, 0, 0]
        return out

    def voltage(self, state: F64) -> float:
        """Of the cell in a state."""
        z, u1, u2 = state
        cell, grid = self.cell[:, 0, 0], cfg.X_LOW + cfg.X_STEP * np.arange(cfg.N_X)
        mean, half, dudt = (np.interp(1 - (1 - z) / cell[st.REACH], grid, row) for row in SETTINGS.curves[0][:3])
        rest_V = mean + half * cell[st.H] + dudt * (cell[st.TEMP] - 25.0)
        return float(rest_V - u1 - u2 - self.current_A * cell[st.R0])

    def moved(self, state: F64, dt_s: float) -> F64:
        """A state after dt."""
        res, cell = CALIBRATION.model.resistance, self.cell[:, 0, 0]
        d = np.exp(-dt_s / np.array([res.tau1_s, res.tau2_s]))
        counted = state[0] - self.current_A * dt_s / (3600.0 * CALIBRATION.model.capacity_Ah)
        return np.array([counted, *(state[1:] * d + (1 - d) * cell[[st.R1, st.R2]] * self.current_A)])

    def process_noise(self, dt_s: float) -> F64:
        """(3, 3) as the calibration states it."""
        f = CALIBRATION.filter
        rate = (f.current_error_share * abs(self.current_A) + f.current_error_A) / (3600.0 * CALIBRATION.model.capacity_Ah)
        pair = f.rc_noise_V2_per_s * dt_s
        return np.diag([2.0 * rate**2 * f.current_correlation_s * dt_s, pair, pair])

    def predict(self, dt_s: float) -> None:
        """By the kernel."""
        ekf.predict(self.cell, 0, 0, 1, 0, self.current_A, self.current_A, dt_s, REAL, SETTINGS.kinds)

    def correct(self, kernel: Callable[..., None], sample_s: float) -> None:
        """By a kernel."""
        kernel(self.cell, 0, 0, 0, self.current_A, sample_s, REAL, SETTINGS.kinds, SETTINGS.curves)


def measurement_noise(sample_s: float) -> float:
    """Variance of a voltage as the calibration states it."""
    return CALIBRATION.filter.cell_sigma_V**2 + CALIBRATION.filter.model_V2s / sample_s


def sigma_points(mean: F64, covariance: F64) -> tuple[F64, F64, F64]:
    """Points (7, 3) and weights of mean and covariance after Wan and van der Merwe, alpha 1, beta 2, kappa 0."""
    n, alpha, beta, kappa = 3, 1.0, 2.0, 0.0
    spread = alpha**2 * (n + kappa)
    columns = np.linalg.cholesky(spread * covariance).T
    of_mean = np.full(7, 0.5 / spread)
    of_mean[0] = (spread - n) / spread
    of_covariance = of_mean.copy()
    of_covariance[0] += 1.0 - alpha**2 + beta
    return np.array([mean, *(mean + columns), *(mean - columns)]), of_mean, of_covariance


@pytest.mark.parametrize("seed", range(8))
def test_predict_is_the_matrix_form(seed: int) -> None:
    """F P F' + Q, and the state moved."""
    one, dt_s = Filter(seed, 0.05), 0.1
    mean, p, res = one.mean(), one.covariance(), CALIBRATION.model.resistance
    f = np.diag([1.0, math.exp(-dt_s / res.tau1_s), math.exp(-dt_s / res.tau2_s)])
    one.predict(dt_s)
    np.testing.assert_allclose(one.mean(), one.moved(mean, dt_s), rtol=1e-9)
    np.testing.assert_allclose(one.covariance(), f @ p @ f.T + one.process_noise(dt_s), rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("seed", range(8))
def test_the_unscented_prediction_is_the_same(seed: int) -> None:
    """Seven points moved one by one have the mean and covariance of the kernel: why ukf borrows the prediction of ekf."""
    one, dt_s = Filter(seed, 0.05), 0.1
    points, of_mean, of_covariance = sigma_points(one.mean(), one.covariance())
    moved = np.array([one.moved(point, dt_s) for point in points])
    mean = of_mean @ moved
    spread = (moved - mean).T @ np.diag(of_covariance) @ (moved - mean)
    one.predict(dt_s)
    np.testing.assert_allclose(one.mean(), mean, rtol=1e-9)
    np.testing.assert_allclose(one.covariance(), spread + one.process_noise(dt_s), rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("seed", range(8))
def test_correct_is_the_matrix_form(seed: int) -> None:
    """Gain, mean and covariance with H = (slope, -1, -1), slope by finite difference."""
    one, sample_s = Filter(100 + seed, 0.05), 0.1
    mean, p = one.mean(), one.covariance()
    steps = np.eye(3) * 1e-6
    h = np.array([(one.voltage(mean + step) - one.voltage(mean - step)) / 2e-6 for step in steps])
    gain = p @ h / (h @ p @ h + measurement_noise(sample_s))
    wanted = mean + gain * (one.cell[st.VOLT, 0, 0] - one.voltage(mean))
    one.correct(ekf.correct, sample_s)
    np.testing.assert_allclose(one.mean(), wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.covariance(), p - np.outer(gain, h @ p), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("wide", [0.01, 0.06])
def test_unscented_correct_is_that_of_drawn_points(seed: int, wide: float) -> None:
    """Gain, mean and covariance from seven voltages, each looked up for itself."""
    one, sample_s = Filter(200 + seed, wide), 10.0
    mean, p = one.mean(), one.covariance()
    points, of_mean, of_covariance = sigma_points(mean, p)
    volts = np.array([one.voltage(point) for point in points])
    away = volts - of_mean @ volts
    s = of_covariance @ away**2 + measurement_noise(sample_s)
    gain = (points - mean).T @ (of_covariance * away) / s
    wanted = mean + gain * (one.cell[st.VOLT, 0, 0] - of_mean @ volts)
    one.correct(ukf.correct, sample_s)
    np.testing.assert_allclose(one.mean(), wanted, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(one.covariance(), p - s * np.outer(gain, gain), rtol=1e-7, atol=1e-13)


def test_where_the_curve_bends_the_two_differ() -> None:
    """What is compared is the transform: wide over the bend near empty, voltage and slope are not those at the centre."""
    linear, unscented = Filter(7, 0.06), Filter(7, 0.06)
    for one, kernel in ((linear, ekf.correct), (unscented, ukf.correct)):
        one.cell[st.Z], one.cell[st.VOLT] = 0.1, 2.3
        one.correct(kernel, 10.0)
    assert abs(linear.cell[st.Z, 0, 0] - unscented.cell[st.Z, 0, 0]) > 1e-4


@pytest.mark.parametrize(("current_A", "expected"), [(2.0, -1.0), (-2.0, 1.0), (0.0, 1.0)])
def test_the_branch_is_that_of_the_last_direction(current_A: float, expected: float) -> None:
    """Discharge reads the lower curve, charge the upper one; at rest the last one stays."""
    one = Filter(1, 0.05)
    one.cell[st.H], one.current_A = 1.0, current_A
    one.predict(0.01)
    assert expected == one.cell[st.H, 0, 0]


def test_a_filter_with_more_states_is_more_than_this_one() -> None:
    """Three states against five: the resistance of a cell 30 % above its table moves SOC here, and there the scale as well."""
    three, five = Filter(3, 0.05), Filter(3, 0.05)
    for one in (three, five):
        one.cell[st.P : st.P + st.N_P] = 0.0
        one.cell[[st.U1, st.U2, st.H]], one.cell[st.RHO], one.current_A = 0.0, 1.0, 1.5
        one.cell[st.P] = 0.01**2
        one.cell[st.VOLT] = one.voltage(one.mean()) - 0.3 * 1.5 * one.cell[st.R0]
    before = float(three.cell[st.Z, 0, 0])
    five.cell[ekf_r.P44] = 0.3**2
    three.correct(ekf.correct, 100.0)
    five.correct(ekf_r.correct, 100.0)
    assert 1.0 == three.cell[st.RHO, 0, 0] < five.cell[st.RHO, 0, 0]
    assert abs(three.cell[st.Z, 0, 0] - before) > 2 * abs(five.cell[st.Z, 0, 0] - before)
