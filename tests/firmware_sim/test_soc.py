"""The SOC filter: its unrolled covariance against matrices, charge counting, and what a pack is worth."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from rigs import Device, wired

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, ekf_r, summary
from firmware_sim.types import F64, I64
from hil import binding, files

_, SETTINGS, CALIBRATION = wired("nfm-16s", "nfm-16s", "classic", 10_000_000)


def real_of(method: str) -> F64:
    """Figures of the kernels as bound for a calibration of this method."""
    own = CALIBRATION.model_copy(update={"filter": CALIBRATION.filter.changed(method)})
    return np.asarray(binding.beliefs(own, 16, 1)["real"])


REAL = real_of("ekf-r")
UPPER = [(a, b) for a in range(5) for b in range(a, 5)]
P_ROWS = {pair: ekf_r.P00 + n for n, pair in enumerate(UPPER)}


def one_kind(n_cells: int) -> I64:
    """The stretch of a pack whose cells are all of one kind."""
    return np.array([[0, n_cells, 0, 0]])


class Filter:
    """The kernel's state of one cell."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.cell = np.zeros((st.N_CELL, 1, 1))
        self.cell[st.TEMP], self.cell[st.VOLT] = rng.uniform(0.0, 40.0), rng.uniform(2.5, 3.8)
        self.cell[st.Z], self.cell[st.H], self.cell[st.RHO] = rng.uniform(0.1, 0.9), rng.uniform(-1, 1), rng.uniform(0.7, 1.3)
        self.cell[st.U1], self.cell[st.U2] = rng.uniform(-0.02, 0.02, 2)[:, None, None]
        root = rng.normal(size=(5, 5)) * np.array([0.05, 0.001, 0.003, 0.4, 0.2])
        for (a, b), row in P_ROWS.items():
            self.cell[row] = (root.T @ root)[a, b]
        belief.refresh(
            self.cell, 0, 0, 0, SETTINGS.kinds, SETTINGS.curves, SETTINGS.ln_r, SETTINGS.nodes, SETTINGS.n_nodes, belief.EVER
        )

    def mean(self) -> F64:
        """z, u1, u2, h, rho."""
        return self.cell[[st.Z, st.U1, st.U2, st.H, st.RHO], 0, 0].copy()

    def covariance(self) -> F64:
        """(5, 5)."""
        out = np.zeros((5, 5))
        for (a, b), row in P_ROWS.items():
            out[a, b] = out[b, a] = self.cell[row, 0, 0]
        return out


@pytest.mark.parametrize("seed", range(8))
def test_predict_is_the_matrix_form(seed: int) -> None:
    """F P F' + Q with a diagonal F, element by element."""
    rng = np.random.default_rng(seed)
    one, current_A, dt_s, f = Filter(rng), float(rng.uniform(-3, 3)), 0.01, CALIBRATION.filter
    x, p = one.mean(), one.covariance()
    r1, r2 = one.cell[st.R1, 0, 0], one.cell[st.R2, 0, 0]
    ekf_r.predict(one.cell, 0, 0, 1, 0, current_A, current_A, dt_s, REAL, SETTINGS.kinds)
    res, capacity_As = CALIBRATION.model.resistance, 3600.0 * CALIBRATION.model.capacity_Ah
    d1, d2 = math.exp(-dt_s / res.tau1_s), math.exp(-dt_s / res.tau2_s)
    dz = current_A * dt_s / capacity_As
    dh = math.exp(-CALIBRATION.model.hysteresis.decay_per_soc * abs(dz))
    target = -1.0 if current_A > 0 else 1.0
    expected = [
        x[0] - dz,
        x[1] * d1 + (1 - d1) * r1 * current_A,
        x[2] * d2 + (1 - d2) * r2 * current_A,
        target + (x[3] - target) * dh,
        x[4],
    ]  # fmt: skip
    assert np.allclose(expected, one.mean(), rtol=1e-9, atol=1e-15)
    rate = (f.current_error_share * abs(current_A) + f.current_error_A) / capacity_As
    q = np.diag([
        2 * rate**2 * f.current_correlation_s * dt_s, f.rc_noise_V2_per_s * dt_s, f.rc_noise_V2_per_s * dt_s,
        (1 - dh * dh) * f.hysteresis_sigma**2, f.resistance_walk_per_s * dt_s,
    ])  # fmt: skip
    wanted = np.diag([1, d1, d2, dh, 1]) @ p @ np.diag([1, d1, d2, dh, 1]) + q
    wanted[4, 4] = min(wanted[4, 4], f.resistance_sigma**2)
    assert np.allclose(wanted, one.covariance(), rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("seed", range(8))
def test_correct_is_the_matrix_form(seed: int) -> None:
    """Gain, mean and covariance of the textbook with H = (slope, -rho, -rho, half, -drop), slope by finite difference."""
    rng = np.random.default_rng(100 + seed)
    one, current_A, sample_s, f = Filter(rng), float(rng.uniform(-2, 2)), 0.1, CALIBRATION.filter
    x, p, cell = one.mean(), one.covariance(), one.cell[:, 0, 0].copy()

    def voltage(state: F64) -> float:
        z, u1, u2, h, rho = state
        at = max(1 - (1 - z) / cell[st.REACH], min(z, 0.0))
        grid = cfg.X_LOW + cfg.X_STEP * np.arange(cfg.N_X)
        mean, half, dudt = (np.interp(at, grid, row) for row in SETTINGS.curves[0, :3])
        return float(mean + dudt * (cell[st.TEMP] - 25.0) + half * h - rho * (u1 + u2 + current_A * cell[st.R0]))

    drop = x[1] + x[2] + current_A * cell[st.R0]
    h_row = np.zeros(5)
    for n, step in enumerate((1e-6, 1e-6, 1e-6, 1e-6, 1e-6)):
        up, down = x.copy(), x.copy()
        up[n] += step
        down[n] -= step
        h_row[n] = (voltage(up) - voltage(down)) / (2 * step)
    noise = f.cell_sigma_V**2 + (f.model_V2s + (f.resistance_error_share * drop) ** 2) / sample_s
    gain = p @ h_row / (h_row @ p @ h_row + noise)
    ekf_r.correct(one.cell, 0, 0, 0, current_A, sample_s, REAL, SETTINGS.kinds, SETTINGS.curves)
    wanted = x + gain * (cell[st.VOLT] - voltage(x))
    wanted[[0, 3, 4]] = np.clip(wanted[[0, 3, 4]], [-0.05, -1.0, 0.3], [1.05, 1.0, 3.0])
    assert np.allclose(wanted, one.mean(), rtol=1e-3, atol=1e-5)
    assert np.allclose(p - np.outer(gain, h_row @ p), one.covariance(), rtol=1e-2, atol=2e-6)


@pytest.mark.parametrize("method", ["sodium", "ekf-r"])
def test_without_voltages_it_counts_charge(tmp_path: Path, method: str) -> None:
    """With lost cell frames the SOC still falls by the charge that was drawn, less what the sensor is believed to be off by.

    The variance grows with it; that of "sodium" waits for the next correction, and the time it waits for is counted.
    """
    text = files.shipped("calibration")["nfm-16s"].read_text(encoding="utf-8")
    path = tmp_path / "nfm-16s.toml"
    path.write_text(re.sub(r'(?m)^(\[filter\]\n(?:.+\n)*?)method = ".*"$', rf'\1method = "{method}"', text), encoding="utf-8")
    device = Device(str(path)).driving()
    assert cfg.METHODS.index(method) == device.settings.whole[cfg.METHOD]
    cells = [s for s, name in enumerate(device.net.to_dut.slot_names) if "CellVoltages" in name]
    device.lost = set(cells)
    device.tick(2)
    before, unsure = device.dut.state.cell[st.Z, 0].copy(), device.dut.state.cell[st.P, 0].copy()
    since_s = device.dut.state.cell[st.SINCE_S, 0].copy()
    device.set("Shunt_Current", 2.0)
    device.tick(10)
    cell = device.dut.state.cell[:, 0]
    capacity_Ah = device.calibration.model.capacity_Ah * cell[st.CAPACITY]
    counted = (2.0 - cell[st.BIAS_A]) * 0.01 * 10 / (3600.0 * capacity_Ah)
    assert np.allclose(before - counted, cell[st.Z], rtol=0, atol=1e-12)
    if method == "sodium":
        assert (cell[st.P] == unsure).all()
        np.testing.assert_allclose(cell[st.SINCE_S], since_s + 0.1, rtol=0, atol=1e-9)
    else:
        assert (cell[st.BIAS_A] == 0.0).all()
        assert (cell[st.CAPACITY] == 1.0).all()
        assert (cell[st.P] > unsure).all()


@pytest.mark.parametrize("method", cfg.METHODS)
def test_without_a_current_no_voltage_corrects_and_the_band_grows(tmp_path: Path, method: str) -> None:
    """A saturated shunt tells no current: 1C may flow, so SOC is as unsure as the share of an hour that it lasts.

    Its voltages are not asked, however wrong SOC is, and they are again when the current is back.
    """
    text = files.shipped("calibration")["nfm-16s"].read_text(encoding="utf-8")
    path = tmp_path / "nfm-16s.toml"
    path.write_text(re.sub(r'(?m)^(\[filter\]\n(?:.+\n)*?)method = ".*"$', rf'\1method = "{method}"', text), encoding="utf-8")
    device = Device(str(path)).driving()
    device.tick(200)
    cell, real = device.dut.state.cell, device.dut.state.real
    unsure, told = cell[st.P, 0].copy(), cell[st.Z, 0].copy()
    device.cells(3.6)
    device.set("Shunt_Current", float("nan"))
    device.tick(60)
    hours = 50 * 0.01 / 3600.0  # a value that is held for its age, the first ticks, still counts
    assert real[st.UNSEEN_H, 0] >= hours
    assert (cell[st.P, 0] - unsure >= 0.99 * hours * hours).all()
    assert np.allclose(told, cell[st.Z, 0], rtol=0, atol=1e-4)
    device.set("Shunt_Current", 0.0)
    device.tick(300)
    assert real[st.UNSEEN_H, 0] == 0.0
    if method != "counting":
        assert (np.abs(cell[st.Z, 0] - told) > 1e-4).all()


def test_the_pack_is_empty_with_its_emptiest_and_full_with_its_fullest_cell() -> None:
    """SOC = a / (1 - b + a) with the lowest a and the highest b."""
    cell, r = np.zeros((st.N_CELL, 1, 3)), np.zeros((st.N_REAL, 1))
    cell[st.CAPACITY] = 1.0
    cell[st.REACH] = 1.0
    for low, high in ((0.0, 0.9), (0.2, 0.9), (0.2, 1.0), (0.5, 0.5)):
        cell[st.Z, 0] = [low, 0.5 * (low + high), high]
        summary.summarise(cell, 0, r, one_kind(3), SETTINGS.real, SETTINGS.kinds, 1)
        assert low / (1.0 - high + low) == pytest.approx(r[st.SOC, 0])
        assert (low, high) == (r[st.SOC_MIN, 0], r[st.SOC_MAX, 0])


def test_cold_makes_charge_unreachable_and_leaves_soc_alone() -> None:
    """Available SOC and remaining charge count what can be reached; SOC does not."""
    cell, r = np.zeros((st.N_CELL, 1, 1)), np.zeros((st.N_REAL, 1))
    cell[st.CAPACITY] = 1.0
    cell[st.Z], cell[st.REACH] = 0.5, 0.8
    summary.summarise(cell, 0, r, one_kind(1), SETTINGS.real, SETTINGS.kinds, 2)
    assert 0.5 == r[st.SOC_MIN, 0]
    assert 0.375 == pytest.approx(r[st.SOC_AVAILABLE, 0])
    assert 2 * 0.3 * CALIBRATION.model.capacity_Ah == pytest.approx(r[st.REMAINING_AH, 0])


@pytest.mark.compiled_only
def test_it_finds_the_soc_of_a_resting_cell() -> None:
    """Started 20 % off, a minute of rest at the voltage of 60 % bring it near, within its own band."""
    device = Device().standby()
    volt = float(np.interp(0.6, CALIBRATION.model.ocv.soc, CALIBRATION.model.ocv.discharge_V))
    device.cells(volt)
    state = device.dut.state
    state.cell[st.Z], state.cell[st.H], state.cell[st.P] = 0.8, -1.0, 0.04
    device.tick(60_00)
    assert 60.0 == pytest.approx(device.read("BMS_SocMin"), abs=device.read("BMS_SocBand") + 2.0)
