"""Sodium as the reference of lithium in one string: a wrong count is found and handed over, a wrong start is not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from rigs import MIXED

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, reference, sodium
from firmware_sim.estimate import start as first
from firmware_sim.estimate import step as estimate
from firmware_sim.types import F64, S_NS
from hil import calibration
from hil.calibration import Calibration
from hil.dut.estimator import Beliefs, Estimator, Readings

N = 16
SODIUM, LITHIUM = slice(0, 8), slice(8, 16)
CAPACITY_AH = np.repeat([1.5, 2.3], 8)
OFFSET_A = 0.005 * 1.5  # 0.5 % of 1C
SIGNS = [(gain, offset) for gain in (-1.0, 1.0) for offset in (-1.0, 1.0)]


@lru_cache(maxsize=1)
def told() -> Calibration:
    """The mixed calibration: 8 sodium cells of 1.5 Ah, 8 lithium cells of 2.3 Ah."""
    return calibration.load(str(MIXED))[1]


@dataclass(frozen=True)
class Truth:
    """Voltages and SOC of 16 cells in series, (second, cell), and the current that all carry."""

    current_A: F64
    cell_V: F64
    z: F64


def string(current_A: F64, z: tuple[float, float], seed: int) -> Truth:
    """Cells by closed steps of 1 s, apart from the tables: capacity 2 %, resistance 10 %, curve 15 mV, of lithium 4 mV."""
    rng = np.random.default_rng(seed)
    models = [told().kinds[k].model for k in told().kind_of(N)]
    capacity_Ah = CAPACITY_AH * (1.0 + 0.02 * rng.standard_normal(N))
    off, phase = 1.0 + 0.1 * rng.standard_normal(N), rng.uniform(0.0, 2.0 * np.pi, N)
    error_V = np.sqrt(2.0) * np.repeat([0.015, 0.004], 8)
    at_25 = [m.resistance.temp_degC.index(25.0) for m in models]
    taus_s = np.array([[m.resistance.tau1_s, m.resistance.tau2_s] for m in models]).T
    decay, cell, grid = np.exp(-1.0 / taus_s), np.arange(N), np.linspace(-0.1, 1.1, 2401)
    low = np.array([np.interp(grid, m.ocv.soc, m.ocv.discharge_V) for m in models])
    high = np.array([np.interp(grid, m.ocv.soc, m.ocv.charge_V) for m in models])
    middle = 0.5 * (low + high)
    tables = [[getattr(m.resistance, f"r{n}_ohm")[j] for m, j in zip(models, at_25, strict=True)] for n in range(3)]
    ohm = off[:, None] * np.array(
        [[np.interp(grid, m.resistance.soc, t) for m, t in zip(models, row, strict=True)] for row in tables]
    )
    x, h, u = np.repeat(z, 8), np.zeros(N), np.zeros((2, N))
    cell_V, soc = np.empty((len(current_A), N)), np.empty((len(current_A), N))
    for t, amps in enumerate(current_A):
        dz = amps / 3600.0 / capacity_Ah
        x = x - dz
        g = np.round((x + 0.1) * 2000.0).astype(int)
        rise_V = (middle[cell, g + 1] - middle[cell, g]) * 2000.0
        u = u * decay + (1.0 - decay) * ohm[1:, cell, g] * amps
        h = h + (-np.sign(amps) - h) * (1.0 - np.exp(-np.array([m.hysteresis.decay_per_soc for m in models]) * np.abs(dz)))
        rest_V = middle[cell, g] + (x - grid[g]) * rise_V + 0.5 * (high - low)[cell, g] * h
        rest_V += error_V * np.sin(3.0 * np.pi * x + phase)
        cell_V[t], soc[t] = rest_V - amps * ohm[0, cell, g] - u.sum(axis=0), x
    return Truth(current_A, cell_V + 0.001 * rng.standard_normal(cell_V.shape), soc)


@lru_cache(maxsize=2)
def hours(n: int, seed: int = 0) -> Truth:
    """Drive of n hours on the plateau of lithium: a new current each minute, around one that goes to and fro."""
    rng, seconds = np.random.default_rng(seed), np.arange(n * 3600)
    current_A = np.repeat(rng.normal(0.0, 0.8, n * 60), 60)
    return string(current_A - current_A.mean() + 0.45 * np.sin(2.0 * np.pi * seconds / 7200.0), (0.6, 0.68), seed)


def readings(truth: Truth, gains: F64, offsets_A: F64) -> Readings:
    """What a BMS reads whose shunt is wrong by a gain and an offset, a pack for each."""
    cell_V = np.repeat(truth.cell_V[:, None], len(gains), axis=1)
    current_A = truth.current_A[:, None] * gains + offsets_A
    return Readings(current_A, cell_V, np.full(cell_V.shape, 25.0), np.ones(cell_V.shape, np.uint8))


def estimator(n_packs: int, shares: bool = True, method: str = "sodium") -> Estimator:
    """The filters of a string. shares: whether any cell is a referee."""
    e = Estimator(told(), n_packs, N, method, S_NS)
    if not shares:
        e.tables["real"][cfg.REFERENCE_V] = 1e9
    return e


def seeded(e: Estimator, volt: F64, z: F64, sigma: F64, stored: bool) -> Estimator:
    """Start as the firmware does, from z and sigma: told by memory, or by somebody who may be wrong."""
    cell, t = e.cell, e.tables
    cell[st.TEMP], cell[st.VOLT], e.valid[:] = 25.0, volt, 1
    cell[st.KEPT_Z], cell[st.KEPT_SIGMA], cell[st.Z] = z, sigma, z
    for p in range(cell.shape[1]):
        for i, k in enumerate(e.cell_map[cfg.MAP_KIND].tolist()):
            tables = (t["kinds"], t["curves"], t["ln_r"], t["nodes"], t["n_nodes"])
            belief.refresh(cell, p, i, k, *tables, belief.EVER)
            chosen = first.choose(cell, p, i, k, t["real"], t["kinds"], t["curves"], stored, -1.0, 0.0)
            z_i, sigma_i = chosen if stored else (float(z[i]), float(sigma[i]))
            estimate.seed(cfg.SODIUM, cell, p, i, k, t["real"], z_i, sigma_i)
        reference.begin(cell, p, t["stretches"], t["real"], t["kinds"], t["curves"], stored, -1.0)
    e.whole[st.IS_SEEDED] = 1
    return e


def wrong(beliefs: Beliefs, truth: Truth, every: int = 60) -> F64:
    """SOC less the true one, (minute, pack, cell)."""
    return np.asarray(beliefs.soc - truth.z[every - 1 :: every, None])


@lru_cache(maxsize=2)
def ten_hours(shares: bool) -> tuple[Estimator, F64, F64]:
    """Ten hours from a known start with every sign of offset and gain 1 %: the filters, errors of SOC and bands."""
    truth = hours(10)
    gains, offsets_A = 1.0 + 0.01 * np.array(SIGNS)[:, 0], OFFSET_A * np.array(SIGNS)[:, 1]
    e = seeded(estimator(len(SIGNS), shares), truth.cell_V[0], np.repeat((0.6, 0.68), 8), np.full(N, 0.01), False)
    beliefs = e.run(readings(truth, gains, offsets_A), 60)
    return e, wrong(beliefs, truth), beliefs.band


# ---- a wrong count


@pytest.mark.compiled_only
def test_what_the_shunt_counts_wrongly_on_the_plateau_is_found_by_the_sodium_cells() -> None:
    """Offset 0.5 % of 1C and gain 1 %, ten hours: RMSE of lithium below 0.8 %, at the end below 0.7 %; alone 1.6 and 3 %."""
    (_, led, _), (_, alone, _) = ten_hours(True), ten_hours(False)
    rms = [float(np.sqrt((error[:, :, LITHIUM] ** 2).mean())) for error in (led, alone)]
    end = [float(np.abs(error[-1, :, LITHIUM].mean(axis=1)).max()) for error in (led, alone)]
    assert rms[0] < 0.008 < 0.015 < rms[1]
    assert end[0] < 0.007 < 0.025 < end[1]


@pytest.mark.compiled_only
def test_a_led_cell_is_surer_and_not_too_sure() -> None:
    """Lithium's standard deviation at the end is that much smaller, and twice of it holds 95 % of the cells."""
    (led, error, _), (alone, _, _) = ten_hours(True), ten_hours(False)
    sigma = np.sqrt(led.cell[st.P][:, LITHIUM])
    assert sigma.mean() < 0.65 * np.sqrt(alone.cell[st.P][:, LITHIUM]).mean()
    assert 0.95 <= (np.abs(error[-1, :, LITHIUM]) < 1.96 * sigma).mean()


@pytest.mark.compiled_only
def test_a_flat_cell_counts_with_the_offset_that_the_sodium_cells_have_found() -> None:
    """Both signs of 7.5 mA within 2.5 mA; alone lithium finds less than a third of it."""
    offsets_A = np.array([OFFSET_A * offset for _, offset in SIGNS])
    led, alone = (ten_hours(shares)[0].cell[st.BIAS_A][:, LITHIUM] for shares in (True, False))
    assert np.abs(led - offsets_A[:, None]).max() < 0.0025
    assert np.abs(alone).max() < OFFSET_A / 3.0


@pytest.mark.compiled_only
def test_the_sodium_cells_do_not_hear_themselves() -> None:
    """With or without flat cells to lead, their estimates are the same to the last bit."""
    (led, _, _), (alone, _, _) = ten_hours(True), ten_hours(False)
    assert (led.cell[st.Z : st.P + st.N_P, :, SODIUM] == alone.cell[st.Z : st.P + st.N_P, :, SODIUM]).all()


@pytest.mark.compiled_only
def test_covariances_stay_covariances() -> None:
    """After ten hours of handing over, no direction of a flat cell's state has a negative variance."""
    cell = ten_hours(True)[0].cell
    upper = np.triu_indices(sodium.N)
    for p in range(len(SIGNS)):
        for i in range(8, N):
            full = np.zeros((sodium.N, sodium.N))
            full[upper] = cell[st.P : st.P + st.N_P, p, i]
            full = full + np.triu(full, 1).T
            scale = np.sqrt(np.diag(full))
            assert np.linalg.eigvalsh(full / scale / scale[:, None]).min() > -1e-6


# ---- charge that moved unseen, and starts that are wrong


def restarted(moved_Ah: float, odd: float = 0.0, shares: bool = True) -> F64:
    """Errors after a start from memory, since when charge has left the string; odd: error of one sodium cell's record."""
    truth = hours(1, 3)
    memory = np.repeat((0.6, 0.68), 8) + moved_Ah / CAPACITY_AH
    memory[3] += odd
    e = seeded(estimator(1, shares), truth.cell_V[0], memory, np.full(N, 0.015), True)
    return wrong(e.run(readings(truth, np.ones(1), np.zeros(1)), 60), truth)[:, 0]


@pytest.mark.compiled_only
@pytest.mark.parametrize("moved_Ah", [0.23, -0.23])
def test_after_a_restart_lithium_follows_charge_that_moved_unseen(moved_Ah: float) -> None:
    """A tenth of its charge went or came while nobody counted: within 3 % after ten minutes; alone it stays 5 % off."""
    assert np.abs(restarted(moved_Ah)[9:, LITHIUM]).max() < 0.03
    assert np.abs(restarted(moved_Ah, shares=False)[9:, LITHIUM].mean()) > 0.05


@pytest.mark.compiled_only
def test_after_a_restart_without_anything_unseen_lithium_stays_where_it_was() -> None:
    """What the errors of the sodium curves make of nothing: 1.5 % at most."""
    assert np.abs(restarted(0.0)[:, LITHIUM]).max() < 0.015


@pytest.mark.compiled_only
def test_one_record_that_is_wrong_does_not_drag_the_flat_cells() -> None:
    """One sodium cell of eight corrects its record by 20 %: lithium moves by less than half a percent for it."""
    moved = restarted(0.0, 0.2)[:, LITHIUM] - restarted(0.0)[:, LITHIUM]
    assert np.abs(moved).max() < 0.005


def started(off: float, sigma: float, shares: bool) -> tuple[F64, F64]:
    """Errors after a start that is told, without memory, with sodium off by so much."""
    truth = hours(1, 3)
    z, spread = np.repeat((0.6, 0.68), 8), np.repeat((sigma, 0.02), 8)
    z[SODIUM] += off
    e = seeded(estimator(1, shares), truth.cell_V[0], z, spread, False)
    return z - truth.z[0], wrong(e.run(readings(truth, np.ones(1), np.zeros(1)), 60), truth)[:, 0]


@pytest.mark.compiled_only
@pytest.mark.parametrize(("off", "sigma"), [(0.2, 0.2), (0.2, 0.05), (-0.2, 0.05), (-0.2, 0.2)])
def test_a_wrong_start_of_all_sodium_cells_does_not_drag_the_flat_cells(off: float, sigma: float) -> None:
    """However far the sodium cells are corrected, that was not counted: lithium moves by less than half a percent for it."""
    before, after = started(off, sigma, True)
    assert np.abs(before[SODIUM] - off).max() < 0.01
    assert np.abs(after[-1, SODIUM]).mean() < 0.03
    assert np.abs(after[:, LITHIUM] - started(off, sigma, False)[1][:, LITHIUM]).max() < 0.005


# ---- who is a referee


@pytest.mark.parametrize(
    ("cell", "z", "expected"),
    [(0, 0.5, True), (0, 0.25, True), (8, 0.55, False), (8, 0.9, False), (8, 0.08, True), (8, 0.99, True)],
)
def test_slope_decides_who_is_a_referee(cell: int, z: float, expected: bool) -> None:
    """Sodium on its slope and lithium at its knees are; lithium on its plateau is not."""
    e = estimator(1)
    seeded(e, np.full(N, 3.3), np.full(N, z), np.full(N, 0.02), False)
    kind = int(e.cell_map[cfg.MAP_KIND, cell])
    assert expected == reference.is_sloping(e.cell, 0, cell, kind, e.tables["real"], e.tables["curves"])


def test_a_flat_curve_is_led_whatever_its_name() -> None:
    """With the curves of both kinds exchanged it is the first kind that is flat."""
    e = estimator(1)
    e.tables["curves"] = e.tables["curves"][::-1].copy()
    seeded(e, np.full(N, 3.3), np.full(N, 0.55), np.full(N, 0.02), False)
    kinds, real, curves = e.cell_map[cfg.MAP_KIND].tolist(), e.tables["real"], e.tables["curves"]
    assert [False] * 8 + [True] * 8 == [reference.is_sloping(e.cell, 0, i, kinds[i], real, curves) for i in range(N)]


@pytest.mark.compiled_only
def test_lithium_at_its_knee_counts_for_itself() -> None:
    """Down at the knee a lithium start 10 % off is corrected by its own voltage, with sodium beside it as without."""
    truth = string(np.full(1800, 0.1), (0.5, 0.12), 1)
    z = np.repeat((0.5, 0.22), 8)
    found = []
    for shares in (True, False):
        e = seeded(estimator(1, shares), truth.cell_V[0], z, np.full(N, 0.1), False)
        found.append(wrong(e.run(readings(truth, np.ones(1), np.zeros(1)), 60), truth)[-1, 0])
    assert np.abs(found[0][LITHIUM]).max() < 0.03
    assert found[0][LITHIUM] == pytest.approx(found[1][LITHIUM], abs=0.003)


@pytest.mark.parametrize("method", ["ekf-r", "ekf", "counting"])
def test_methods_that_do_not_estimate_the_sensor_share_nothing(method: str) -> None:
    """No anchor is ever set for them."""
    truth = hours(1, 3)
    short = Truth(truth.current_A[:30], truth.cell_V[:30], truth.z[:30])
    e = estimator(1, method=method)
    e.run(readings(short, np.ones(1), np.zeros(1)))
    assert 0.0 == np.abs(e.cell[st.ANCHOR_Z : st.UNSEEN_VAR + 1]).max()


def test_a_pack_of_one_kind_runs_none_of_it() -> None:
    """No anchor is ever set there."""
    one = told().model_copy(update={"group": []})
    truth = hours(1, 3)
    short = Truth(truth.current_A[:30], truth.cell_V[:30], truth.z[:30])
    e = Estimator(one, 1, N, "sodium", S_NS)
    e.run(readings(short, np.ones(1), np.zeros(1)))
    assert 0.0 == np.abs(e.cell[st.ANCHOR_Z : st.UNSEEN_VAR + 1]).max()
    assert 0.0 < e.cell[st.P].min()


# ---- batch


@pytest.mark.compiled_only
def test_a_pack_in_a_batch_is_led_as_it_is_alone() -> None:
    """Bit for bit, at different errors of the shunt."""
    truth = hours(1, 3)
    gains, offsets_A = np.array([1.01, 0.99, 1.0]), np.array([0.0075, -0.01, 0.02])

    def run(which: list[int]) -> F64:
        e = seeded(estimator(len(which)), truth.cell_V[0], np.repeat((0.65, 0.73), 8), np.full(N, 0.015), True)
        e.run(readings(truth, gains[which], offsets_A[which]))
        return e.cell

    together = run([0, 1, 2])
    for n in range(3):
        assert (together[:, n] == run([n])[:, 0]).all()
