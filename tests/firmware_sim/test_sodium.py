"""The filter for sodium-ion cells: its unrolled scalars against matrices and closed forms, its covariance, and its bounds."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace

import method_runs
import numpy as np
import pytest
from sodium_cell import DT_NS, Cell, believed, cycles, lived

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief, sodium
from firmware_sim.types import F64
from hil.dut.estimator import Estimator, Readings

N = sodium.N
UPPER = [(a, b) for a in range(N) for b in range(a, N)]
P_ROWS = {pair: st.P + n for n, pair in enumerate(UPPER)}
NODES = [st.CURVE_V + n for n in range(sodium.NODES)]
X = [st.Z, st.H, st.RHO, st.BIAS_A, st.OFF_V, st.CAPACITY, st.TEMP_OFF_K, st.REACH_OFF, *NODES]
BELIEVED = believed(
    heat_K_per_W=20.0, heat_tau_s=600.0, slope_span_soc=0.02, temperature_sigma_K=3.0, curve_sigma_V=0.03, age_sigma=0.3
)
MODEL, F = BELIEVED.model, SimpleNamespace(**BELIEVED.filter.figures())


class Filter:
    """One cell with a drawn state, and the kernels."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.tables = Estimator(BELIEVED, 1, 1, "sodium").tables
        self.cell = np.zeros((st.N_CELL, 1, 1))
        self.set(Z=rng.uniform(0.35, 0.9), H=rng.uniform(-1, 1), RHO=rng.uniform(0.7, 1.3), CAPACITY=rng.uniform(0.85, 1.09))
        self.set(BIAS_A=rng.uniform(-0.01, 0.01), OFF_V=rng.uniform(-0.01, 0.01), TEMP=rng.uniform(-5.0, 40.0), NIS=1.0)
        self.set(TEMP_OFF_K=rng.uniform(-2.0, 2.0), REACH_OFF=rng.uniform(-0.2, 0.2))
        self.set(U1=rng.uniform(-0.01, 0.01), U2=rng.uniform(-0.02, 0.02), U3=rng.uniform(-0.01, 0.01), LOOP_KEPT=1.0)
        self.cell[NODES, 0, 0] = rng.uniform(-0.02, 0.02, len(NODES))
        root = rng.normal(size=(N, N)) * np.array([0.01, 0.14, 0.07, 0.002, 0.0033, 0.02, 0.7, 0.05] + [0.008] * len(NODES))
        for (a, b), row in P_ROWS.items():
            self.cell[row] = (root.T @ root)[a, b]
        self.current_A = float(rng.uniform(-3.0, 3.0))
        self.refresh()

    def set(self, **rows: float) -> None:
        """Rows of the state by name."""
        for name, value in rows.items():
            self.cell[getattr(st, name)] = value

    def get(self, name: str) -> float:
        """A row by name."""
        return float(self.cell[getattr(st, name), 0, 0])

    def refresh(self) -> None:
        """Tables at this SOC and temperature."""
        t = self.tables
        belief.refresh(self.cell, 0, 0, 0, t["kinds"], t["curves"], t["ln_r"], t["nodes"], t["n_nodes"], belief.EVER)

    def covariance(self) -> F64:
        """(N, N)."""
        out = np.zeros((N, N))
        for (a, b), row in P_ROWS.items():
            out[a, b] = out[b, a] = self.cell[row, 0, 0]
        return out

    def predict(self, dt_s: float, n: int = 1) -> None:
        """N ticks."""
        t = self.tables
        for _ in range(n):
            sodium.predict(self.cell, 0, 0, 1, 0, self.current_A, self.current_A, dt_s, t["real"], t["kinds"], t["curves"])

    def correct(self) -> None:
        """With the voltage that stands in VOLT."""
        t = self.tables
        sodium.correct(self.cell, 0, 0, 0, self.current_A, 1.0, t["real"], t["kinds"], t["curves"])

    def core_degC(self) -> float:
        """What the sensor reads, its error, and the warmth of the core."""
        return self.get("TEMP") + self.get("TEMP_OFF_K") + self.get("HEAT_K")

    def derivatives(self, x: F64) -> F64:
        """Of the voltage by the states: over slope_span_soc for z, by what the tables say 10 mK away for t."""
        out = np.array([(self.voltage(x + step) - self.voltage(x - step)) / 2e-6 for step in np.eye(N) * 1e-6])
        move = np.eye(N)[0] * F.slope_span_soc * self.get("REACH")
        out[0] = (self.voltage(x + move, x[0]) - self.voltage(x - move, x[0])) / (2.0 * move[0])
        cold, warm = (Cell(MODEL, x[0], temp_degC=self.core_degC() + kelvin) for kelvin in (-0.01, 0.01))
        reach = self.get("REACH")
        ohm = Cell(MODEL, x[0], temp_degC=self.core_degC()).ohm_at(1.0 - (1.0 - x[0]) / reach).sum()
        out[6] = out[0] * (1.0 - x[0]) / reach * (warm.reach - cold.reach) / 0.02 * (1.0 + x[7])
        move = 1e-6  # of eta: as if z had moved to where the same reach has the new share
        alike = [1.0 - reach * (1.0 - x[0]) / (1.0 - (1.0 - reach) * (1.0 + x[7] + d) / (1.0 + x[7])) for d in (-move, move)]
        out[7] = out[0] * (alike[1] - alike[0]) / (2.0 * move)
        at_reach = [twin.ohm_at(1.0 - (1.0 - x[0]) / reach).sum() for twin in (cold, warm)]
        out[6] -= x[2] * self.get("DROP_V") * (at_reach[1] - at_reach[0]) / 0.02 / ohm
        return out

    def voltage(self, x: F64, here: float | None = None) -> float:
        """Of the state (X) at the present drop. here: SOC whose dU/dT and d count, x's own when None."""
        z, h, rho, _, off_V, *_ = x[:8]
        grid, curves = cfg.X_LOW + cfg.X_STEP * np.arange(cfg.N_X), self.tables["curves"][0]
        at = 1.0 - (1.0 - z) / self.get("REACH")
        mean, half = (np.interp(at, grid, row) for row in curves[:2])
        there = at if here is None else 1.0 - (1.0 - here) / self.get("REACH")
        dudt = np.interp(there, grid, curves[cfg.DUDT])
        off_V += np.interp(there, np.linspace(0.0, 1.0, len(NODES)), x[8:])
        return float(mean + half * h + dudt * (self.core_degC() - 25.0) + off_V - rho * self.get("DROP_V"))


def carried(one: Filter) -> tuple[F64, F64]:
    """State and covariance over the time since the last correction: F P F' + Q."""
    x, p = one.cell[X, 0, 0].copy(), one.covariance()
    since_s, moved = one.get("SINCE_S"), one.get("SINCE_SOC")
    capacity_As = 3600.0 * MODEL.capacity_Ah * one.get("CAPACITY")
    dh, de = one.get("LOOP_KEPT"), math.exp(-abs(moved) / F.ocv_span_soc)
    f = np.diag([1.0, dh, 1.0, 1.0, de, 1.0, 1.0, 1.0, *np.ones(len(NODES))])
    f[0, 3], f[0, 5] = since_s / capacity_As, moved / one.get("CAPACITY")
    rate = (F.current_error_share * abs(one.current_A) + F.current_error_A) / capacity_As
    ocv_var = F.ocv_sigma_V**2 + (F.resistance_error_share * one.get("RHO") * one.get("DROP_V")) ** 2
    surprise = min(max(one.get("NIS"), 1.0), 5.0)
    tie = sodium.FADE * F.age_sigma**2 / (F.age_sigma**2 + F.resistance_sigma**2)
    odd = (one.get("CAPACITY") - 1.0 + tie * (one.get("RHO") - 1.0)) / F.capacity_sigma
    q = np.diag([
        2.0 * rate**2 * F.current_correlation_s * since_s,
        (1.0 - dh**2) * F.hysteresis_sigma**2,
        (F.resistance_walk_per_s * since_s + F.resistance_walk_per_soc * abs(moved)) * surprise**2,
        F.bias_walk_A2_per_s * since_s,
        (1.0 - de**2) * ocv_var,
        F.capacity_walk_per_s * since_s + sodium.ODD_PER_SOC * max(odd**2 - sodium.ODD_FROM, 0.0) * abs(moved),
        F.temperature_walk_K2_per_s * since_s,
        0.0,
        *np.zeros(len(NODES)),
    ])  # fmt: skip
    before, p = np.diag(p), f @ p @ f.T + q
    rho, c = math.hypot(F.resistance_sigma, F.age_sigma), math.hypot(F.capacity_sigma, sodium.FADE * F.age_sigma)
    caps = {2: rho * surprise, 3: F.bias_sigma_A, 5: c, 6: F.temperature_sigma_K}
    for at, most in caps.items():  # up to the cap; what was above stays
        p[at, at] = min(p[at, at], most**2) if before[at] < most**2 else before[at]
    x[4] *= de
    return x, p


@pytest.mark.parametrize("seed", range(16))
def test_a_correction_is_the_matrix_form(seed: int) -> None:
    """F P F' + Q over ten ticks, then gain, mean and covariance, with derivatives by finite differences.

    The slope leaves out that dU/dT changes with SOC, the derivative by temperature dU/dT itself.
    """
    one = Filter(seed)
    one.predict(0.1, 10)
    one.refresh()
    one.set(NIS=1.0 + seed % 3)
    x, p = carried(one)
    one.set(VOLT=one.voltage(x) + np.random.default_rng(seed).uniform(-0.03, 0.03))
    h = one.derivatives(x)
    fresh_V = F.step_share * (one.current_A - one.get("SLOW_A")) * one.get("R0")
    cold_V = F.cold_V_per_K * max(F.cold_degC - one.core_degC(), 0.0)
    noise = F.cell_sigma_V**2 + F.model_V2s / one.get("SINCE_S") + fresh_V**2 + cold_V**2
    innovation_V = one.get("VOLT") - one.voltage(x)
    s = h @ p @ h + noise * one.get("NIS")
    share = one.get("SINCE_S") / 300.0
    excess = min(float(innovation_V**2 / (h @ p @ h + noise)), 25.0)
    nis = one.get("NIS") + share * (excess - one.get("NIS"))
    gain, of_t, unreach = p @ h / s, one.get("REACH_PER_K"), 1.0 - one.get("REACH")
    one.correct()
    free = [9.0] * len(NODES)
    low, high = [-0.05, -1, 0.2, -9, -9, 0.4, -10, -0.6, *np.negative(free)], [1.05, 1, 5, 9, 9, 1.2, 10, 0.6, *free]
    wanted, known = np.clip(x + gain * innovation_V, low, high), p - np.outer(gain, h @ p)
    stations = [x, wanted]
    if wanted[5] > sodium.NEW:
        wanted = np.clip(wanted + known[5] / known[5, 5] * (sodium.NEW - wanted[5]), low, high)
        stations.append(wanted)
    np.testing.assert_allclose(one.cell[X, 0, 0], wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.covariance(), known, rtol=1e-5, atol=1e-10)
    for old, new in pairwise(stations):
        by = (1.0 + new[7]) / (1.0 + old[7])
        unreach = (unreach - of_t * (new[6] - old[6])) * by
        of_t *= by
    assert 1.0 - unreach == pytest.approx(one.get("REACH"), abs=1e-9)
    assert of_t == pytest.approx(one.get("REACH_PER_K"), abs=1e-9)
    assert nis == pytest.approx(one.get("NIS"), rel=1e-5)
    assert (1.0, 0.0, 0.0) == (one.get("LOOP_KEPT"), one.get("SINCE_S"), one.get("SINCE_SOC"))


@pytest.mark.parametrize(("tau_s", "swings_V"), [(1.0, 0.1), (2.0, 0.1), (4.9, 0.1), (5.1, 0.1), (2.0, 0.0051), (2.0, 0.0049)])
@pytest.mark.parametrize("seed", range(8))
def test_a_swing_of_the_load_is_a_second_correction_in_matrix_form(seed: int, tau_s: float, swings_V: float) -> None:
    """After the first one: voltage and drop beside their means, and the charge that passed.

    Every fourth is too far off to count, and so is what comes after a gap, and a drop that hardly swings.
    """
    plain, swung = Filter(seed), Filter(seed)
    rng = np.random.default_rng(seed)
    off_V, off_mean_V = rng.uniform(-0.01, 0.01, 2) + np.array([0.0, 3.0 * (seed % 4 == 3)])
    drop_V, fallen = rng.choice([-1.0, 1.0]) * swings_V, rng.uniform(-1e-3, 1e-3)
    for one, swing_V2s in ((plain, 0.0), (swung, 0.002)):
        one.tables = {**one.tables, "real": one.tables["real"].copy()}
        one.tables["real"][cfg.SWING_V2S] = swing_V2s
        one.set(CAPACITY=0.9)
        one.predict(tau_s / 10.0, 10)
        one.refresh()
        one.set(VOLT=one.voltage(one.cell[X, 0, 0]) + off_V)
        mean_V, mean_drop_V = one.get("VOLT") + one.get("RHO") * drop_V + off_mean_V, one.get("DROP_V") - drop_V
        one.set(SWING_V=mean_V, SWING_DROP_V=mean_drop_V, SWING_SOC=fallen)
        moved, cold_K = one.get("SINCE_SOC"), max(F.cold_degC - one.core_degC(), 0.0)
        one.correct()
    x, p = plain.cell[X, 0, 0].copy(), plain.covariance()
    swing_V = plain.get("VOLT") - mean_V + plain.get("SLOPE_V") * (fallen + moved)
    h = np.zeros(N)
    h[2], h[6] = -drop_V, -x[2] * drop_V * plain.get("LN_R_PER_K")
    s = h @ p @ h + 0.002 / tau_s + (sodium.SWING_SHARE * drop_V) ** 2 + (F.cold_V_per_K * cold_K) ** 2
    innovation_V = swing_V + x[2] * drop_V
    near = abs(innovation_V) < sodium.MOST_SWINGS * math.sqrt(s)
    assert near == (seed % 4 != 3)
    gain = p @ h / s if near and tau_s < cfg.SWING_S and swings_V > sodium.LEAST_SWING_V else np.zeros(N)
    wanted = np.clip(x + gain * innovation_V, [*[-9.0] * 2, 0.2, *[-9.0] * (N - 3)], [*[9.0] * 2, 5.0, *[9.0] * (N - 3)])
    np.testing.assert_allclose(swung.cell[X, 0, 0], wanted, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(swung.covariance(), p - np.outer(gain, h @ p), rtol=1e-5, atol=1e-10)
    left = max(1.0 - tau_s / cfg.SWING_S, 0.0)
    assert swung.get("VOLT") - (swung.get("VOLT") - mean_V) * left == pytest.approx(swung.get("SWING_V"), rel=1e-9)
    assert plain.get("DROP_V") - drop_V * left == pytest.approx(swung.get("SWING_DROP_V"), abs=1e-9)
    assert (fallen + moved) * left == pytest.approx(swung.get("SWING_SOC"), abs=1e-12)


def test_a_start_forgets_where_voltage_and_drop_were() -> None:
    """Means of long ago teach nothing in the first correction after a start, and begin anew with it."""
    found = []
    for stale in (0.0, 7.0):
        one = Filter(1)
        one.tables = {**one.tables, "real": one.tables["real"].copy()}
        one.tables["real"][cfg.SWING_V2S] = 0.002
        one.set(SWING_V=stale, SWING_DROP_V=stale, SWING_SOC=stale, VOLT=3.1)
        sodium.start_again(one.cell, 0, 0, 0, one.tables["real"], 0.5, 0.1)
        one.refresh()
        one.predict(1.0)
        one.set(SINCE_S=belief.NEVER_S)
        one.correct()
        assert one.get("SWING_V") == pytest.approx(3.1)
        assert one.get("SWING_DROP_V") == pytest.approx(one.get("DROP_V"))
        assert one.get("SWING_SOC") == 0.0
        found.append(one.cell[X, 0, 0])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("dt_s", [0.01, 1.0])
def test_a_tick_moves_the_state_as_the_circuit_does(seed: int, dt_s: float) -> None:
    """Charge by the current less its bias and by the learnt capacity, three pairs, loop, drop: as a cell written in NumPy."""
    one = Filter(seed)
    twin = Cell(MODEL, one.get("Z"), one.get("H"), one.core_degC(), one.get("RHO"), one.get("CAPACITY"))
    twin.reach = one.get("REACH")
    twin.u = one.cell[[st.U1, st.U2, st.U3], 0, 0].copy()
    one.predict(dt_s)
    twin.step(one.current_A - one.get("BIAS_A"), dt_s)
    assert twin.z == pytest.approx(one.get("Z"), abs=1e-12)
    assert twin.h == pytest.approx(one.get("H"), abs=1e-5)
    np.testing.assert_allclose(one.cell[[st.U1, st.U2, st.U3], 0, 0], twin.u, rtol=2e-3, atol=1e-9)
    assert twin.drop_V == pytest.approx(one.get("DROP_V"), rel=2e-3, abs=1e-5)


def test_resistance_falls_with_current_as_asinh() -> None:
    """The table against asinh(y) / y, and constant beyond its end."""
    curves = Filter(0).tables["curves"]
    for y in (1e-6, 0.05, 0.33, 1.0, 2.345, 7.77, 29.0):
        assert math.asinh(y) / y == pytest.approx(belief.rate_factor(0, y, curves), rel=1e-3)
    assert belief.rate_factor(0, 100.0, curves) == belief.rate_factor(0, 30.1, curves) > 0.0


def test_the_slow_pair_charges_over_half_an_hour() -> None:
    """u3 = share R2 I (1 - exp(-t / tau3)) under a steady current, in ticks of 10 ms as in one of an hour."""
    assert MODEL.slow is not None
    for dt_s, n in ((0.01, 20_000), (1000.0, 1)):
        one = Filter(4)
        one.set(U3=0.0, BIAS_A=0.0)
        one.predict(dt_s, n)
        rise = 1.0 - math.exp(-dt_s * n / MODEL.slow.tau3_s)
        assert MODEL.slow.r3_share * one.get("R2") * one.current_A * rise == pytest.approx(one.get("U3"), rel=1e-9)


def test_the_core_warms_by_what_is_lost() -> None:
    """HEAT_K = k rho drop I (1 - exp(-t / tau)) once the pairs stand still; and it counts as temperature of the tables."""
    one = Filter(5)
    one.set(BIAS_A=0.0, HEAT_K=0.0)
    one.predict(1e5)
    one.set(HEAT_K=0.0, Z=0.5, H=1.0)
    one.predict(1.0, 300)
    lost_W = one.get("RHO") * one.get("DROP_V") * one.current_A
    assert F.heat_K_per_W * lost_W * (1.0 - math.exp(-0.5)) == pytest.approx(one.get("HEAT_K"), rel=1e-6)
    cold_ohm = one.get("R1")
    one.set(HEAT_K=15.0, Z=0.5)
    one.refresh()
    assert one.get("R1") < cold_ohm
    warm = Filter(5)
    warm.set(TEMP=warm.get("TEMP") + 15.0, Z=0.5)
    warm.refresh()
    assert one.get("R1") == pytest.approx(warm.get("R1"), rel=1e-9)


def test_between_corrections_only_charge_moves_soc() -> None:
    """Voltages every 100 ms, corrections every second: nine ticks of ten count, whatever the voltage is."""
    one = Filter(2)
    one.predict(0.1, 10)
    one.set(VOLT=one.voltage(one.cell[X, 0, 0]) + 0.05)
    one.correct()
    corrected = one.get("Z")
    for _ in range(9):
        one.predict(0.1)
        one.correct()
    counted = (one.current_A - one.get("BIAS_A")) * 0.9 / (3600.0 * MODEL.capacity_Ah * one.get("CAPACITY"))
    assert corrected - counted == pytest.approx(one.get("Z"), abs=1e-12)
    one.predict(0.1)
    one.correct()
    assert 0.0 == one.get("SINCE_S")


def test_a_start_in_the_middle_takes_back_what_was_learnt_of_reach() -> None:
    """Reach and its slope are those of the tables at what the sensor reads, and the drops go on."""
    for seed in range(8):
        one = Filter(seed)
        sodium.start_again(one.cell, 0, 0, 0, one.tables["real"], 0.5, 0.1)
        found = [one.get(name) for name in ("REACH", "REACH_OFF", "TEMP_OFF_K")]
        slope, warm = one.get("REACH_PER_K"), one.get("TEMP") + one.get("HEAT_K")
        one.refresh()
        assert [one.get("REACH"), 0.0, 0.0] == pytest.approx(found, abs=0.012)
        if abs(warm - 5.0) > 3.0 and abs(warm - 15.0) > 3.0 and warm < 22.0:  # the same stretch of the table
            assert one.get("REACH") == pytest.approx(found[0], abs=1e-9)
            assert one.get("REACH_PER_K") == pytest.approx(slope, abs=1e-9)


@pytest.mark.parametrize(("name", "end"), [("REACH_OFF", 0.6), ("CAPACITY", sodium.NEW - 0.001)])
def test_at_its_bounds_no_state_takes_another_beyond_its_own(name: str, end: float) -> None:
    """Capacity and temperature both at theirs, reach at the end of a table that leaves little: all stay where they may be."""
    for seed in range(40):
        one = Filter(seed)
        one.set(**{name: end}, TEMP_OFF_K=9.9 if seed % 2 else -9.9)
        one.tables = {**one.tables, "nodes": one.tables["nodes"].copy()}
        one.tables["nodes"][:, cfg.REACH_SHARE] = np.maximum(one.tables["nodes"][:, cfg.REACH_SHARE] - 0.6, 0.2)
        one.refresh()
        one.predict(0.1, 10)
        one.set(VOLT=one.voltage(one.cell[X, 0, 0]) + (0.1 if seed % 3 else -0.1))
        one.correct()
        one.refresh()
        assert one.get("CAPACITY") <= sodium.NEW
        assert abs(one.get("TEMP_OFF_K")) <= 10.0
        assert abs(one.get("REACH_OFF")) <= 0.6
        assert one.get("REACH") >= 0.15
        assert np.isfinite(one.cell).all()


@pytest.mark.compiled_only
@pytest.mark.parametrize("swing_V2s", [0.0, 0.001])
@pytest.mark.parametrize("temp_degC", [25.0, 5.0])
def test_its_covariance_stays_one(temp_degC: float, swing_V2s: float) -> None:
    """Floored and unrolled as it is: no eigenvalue of the correlations falls to 0 in a cycle."""
    cell = Cell(MODEL, 0.9, temp_degC=temp_degC)
    readings, _ = lived(cell, cycles(MODEL.capacity_Ah * cell.reach, 1, 0.1 * cell.reach, 0.9 * cell.reach))
    estimator = Estimator(believed(reach_sigma=0.2, swing_V2s=swing_V2s), 1, 1, dt_ns=DT_NS)
    estimator.start(0.9, 0.01)
    one, least = Filter(0), []
    for first in range(0, len(readings.current_A), 300):
        estimator.run(Readings(*(np.ascontiguousarray(block[first : first + 300]) for block in vars(readings).values())))
        one.cell = estimator.cell
        p = one.covariance()
        least.append(np.linalg.eigvalsh(p / np.sqrt(np.outer(np.diag(p), np.diag(p))))[0])
    assert min(least) > 1e-4


def test_wild_readings_leave_every_state_where_it_may_be() -> None:
    """Sensors from end to end: loop, resistance, capacity within their bounds; variances above their floors."""
    estimator, _ = method_runs.run("sodium", method_runs.readings())
    for name, low, high in (
        ("Z", -0.06, 1.06),
        ("H", -1.0, 1.0),
        ("RHO", 0.2, 5.0),
        ("CAPACITY", 0.4, 1.2),
        ("TEMP_OFF_K", -10.0, 10.0),
        ("REACH_OFF", -0.6, 0.6),
    ):
        rows = estimator.cell[getattr(st, name)]
        assert low <= rows.min() <= rows.max() <= high
    for n in range(N):
        assert estimator.cell[P_ROWS[n, n]].min() >= 1e-14


def test_what_the_calibration_leaves_no_doubt_of_memory_cannot_move() -> None:
    """An error of the current that another calibration has learnt, under one that says there is none: no number is lost."""
    one = Filter(0)
    for (a, b), row in P_ROWS.items():
        if sodium.B in (a, b):
            one.cell[row] = 0.0
    before = one.cell.copy()
    sodium.remember(one.cell, 0, 0, sodium.B, 0.0, 0.005, 1e-6, 0.01)
    np.testing.assert_array_equal(one.cell[X], before[X])
    assert np.isfinite(one.cell).all()
