"""Packs of unlike cells: each kind has limits, currents and beliefs of its own, in series and as parallel strings."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from rigs import MIXED, Device

from firmware_sim import bms, soa
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import belief
from firmware_sim.estimate import start as first
from firmware_sim.estimate import step as estimate
from firmware_sim.estimate import summary as pack_values
from firmware_sim.settings import Settings
from firmware_sim.types import F64, MS_NS
from hil import binding, calibration, files, network, scenario, setup
from hil.calibration import Calibration
from hil.dut import broken
from hil.dut.emulator import Emulator
from hil.speed import case, start

SODIUM, LITHIUM = 3, 11  # a cell of each kind


@lru_cache(maxsize=8)
def strings_of(*ranges: tuple[int, int], series: int = 16) -> tuple[Settings, Calibration]:
    """The mixed calibration on a pack of two strings, with lithium in these ranges of cells."""
    path, told = calibration.load(str(MIXED))
    first, again = told.group[0], {"power": None, "model": None}
    groups = [
        first.model_copy(update={"first": low, "last": high, **(again if n else {})}) for n, (low, high) in enumerate(ranges)
    ]
    told = told.model_copy(update={"group": groups})
    net = network.load("classic", 2 * series, 2, 10 * MS_NS)
    cells = ["lithium" if kind else "sodium" for kind in told.kind_of(2 * series)]
    return binding.bind(told, path, net.database, net.to_dut, net.from_dut, cells, 2, [0, series]), told


def mixed(spoil: str = "") -> Device:
    """A device with sodium in cells 0 to 7 and lithium in 8 to 15, driving. spoil: what is wrong with it."""
    device = Device(str(MIXED))
    if spoil:
        device.dut = broken.create(device.settings, device.dt_ns, device.bus_free_ns, spoil)
    return device.driving()


def flags_at(device: Device, cell: int, volt: float) -> set[str]:
    """Flags on the wire 1 s after one cell has gone to a voltage."""
    device.set(f"CellVoltage_{cell:03d}", volt)
    device.sum_up()
    device.tick(100)
    return {name.removeprefix("Diag_") for name in device.sent_rows if name.startswith("Diag_") and device.read(name) == 1.0}


# ---- limits


@pytest.mark.parametrize(
    ("cell", "volt", "expected"),
    [
        (SODIUM, 3.85, False), (LITHIUM, 3.85, True), (SODIUM, 4.21, True),
        (SODIUM, 1.9, False), (LITHIUM, 1.9, True), (SODIUM, 1.45, True),
    ],
)  # fmt: skip
def test_a_cell_is_held_to_the_limits_of_its_own_kind(cell: int, volt: float, expected: bool) -> None:
    """What sodium may do for ever opens the contactors where lithium does it."""
    found = flags_at(mixed(), cell, volt)
    assert expected == bool({"CellOvervoltageMsl", "CellUndervoltageMsl"} & found)


@pytest.mark.parametrize(
    ("spoil", "cell", "volt"),
    [("check-off=CellOvervoltageMsl@lfp", LITHIUM, 3.85), ("check-off=CellOvervoltageMsl", SODIUM, 4.21)],
)
def test_a_check_that_is_off_for_one_kind_is_off_for_that_kind_alone(spoil: str, cell: int, volt: float) -> None:
    """A seeded defect in the row of one kind is seen there, and the row of the other kind still trips."""
    assert "CellOvervoltageMsl" not in flags_at(mixed(spoil), cell, volt)
    assert "CellOvervoltageMsl" in flags_at(mixed(spoil), *((SODIUM, 4.21) if cell == LITHIUM else (LITHIUM, 3.85)))


def test_a_flag_of_two_kinds_is_up_while_either_is_bad() -> None:
    """Rows that share a code share a flag: the last one in the file does not hide the first."""
    device = mixed()
    assert "CellOvervoltageMol" in flags_at(device, SODIUM, 4.06)
    assert "CellOvervoltageMol" in flags_at(device, LITHIUM, 3.62)
    assert "CellOvervoltageMol" in flags_at(device, SODIUM, 3.0)
    assert "CellOvervoltageMol" not in flags_at(device, LITHIUM, 3.3)


def test_cells_of_different_kinds_are_not_compared() -> None:
    """Sodium and lithium half a volt apart are no spread; one cell apart from its own kind is, of that kind alone."""
    device = mixed()
    device.cells(3.8)
    device.tick(100)
    assert device.read("Diag_CellSpread") == 0.0
    assert "CellSpread" in flags_at(device, LITHIUM, 3.0)
    q = device.dut.state.quantity
    assert q[soa.row_of("cell_spread_V", 0), 0] < 0.001
    assert q[soa.row_of("cell_spread_V", 1), 0] > 0.2


def test_extremes_on_the_wire_are_those_of_all_cells() -> None:
    """BMS_CellVoltageMax and its index do not ask for kinds, whichever kind comes first in the pack."""
    device = mixed()
    flags_at(device, LITHIUM, 3.55)
    assert 3.55 == pytest.approx(device.read("BMS_CellVoltageMax"), abs=1e-3)
    assert LITHIUM == device.read("BMS_CellMaxIndex")
    flags_at(device, SODIUM, 3.7)
    assert SODIUM == device.read("BMS_CellMaxIndex")


# ---- currents


@pytest.mark.parametrize(
    ("temp_degC", "charge_A", "discharge_A"),
    [
        (25.0, 1.5, 4.0), (10.0, 1.5, 4.0), (5.0, 0.975, 3.5), (0.0, 0.0, 3.0), (-10.0, 0.0, 1.5), (-20.0, 0.0, 0.0),
        (45.0, 0.0, 4.0),
    ],
)  # fmt: skip
def test_the_least_of_all_kinds_counts_at_every_temperature(temp_degC: float, charge_A: float, discharge_A: float) -> None:
    """Below 0 degC sodium alone might be charged; the smaller of both tables, in figures of the file."""
    device = Device(str(MIXED))
    device.temperatures(temp_degC)
    device.standby()
    device.tick(20)
    assert charge_A == pytest.approx(device.read("BMS_ChargeCurrentLimit"), abs=0.03)
    assert discharge_A == pytest.approx(device.read("BMS_DischargeCurrentLimit"), abs=0.03)


@pytest.mark.parametrize(
    ("cell", "volt", "charge_A"), [(LITHIUM, 3.55, 1.0), (LITHIUM, 3.6, 0.0), (SODIUM, 3.8, 1.5), (SODIUM, 4.0, 0.75)]
)
def test_charge_tapers_towards_the_voltage_of_each_kind(cell: int, volt: float, charge_A: float) -> None:
    """2 A over 0.1 V below 3.6 V for lithium, 1.5 A over 0.2 V below 4.1 V for sodium."""
    device = Device(str(MIXED)).standby()
    flags_at(device, cell, volt)
    assert charge_A == pytest.approx(device.read("BMS_ChargeCurrentLimit"), abs=0.03)


def test_discharge_tapers_towards_the_voltage_of_each_kind() -> None:
    """4 A over 0.2 V above 2.5 V for lithium, where sodium has all of its 4.5 A."""
    device = Device(str(MIXED)).standby()
    flags_at(device, SODIUM, 2.55)
    assert 4.0 == pytest.approx(device.read("BMS_DischargeCurrentLimit"), abs=0.03)
    flags_at(device, LITHIUM, 2.55)
    assert 1.0 == pytest.approx(device.read("BMS_DischargeCurrentLimit"), abs=0.03)


def test_the_voltage_window_is_that_of_the_cells_in_a_string() -> None:
    """In series the kinds add up; of unlike strings the narrower window counts."""
    series = Device(str(MIXED)).settings.real
    assert (8 * 1.5 + 8 * 2.5, 8 * 4.1 + 8 * 3.6) == pytest.approx((series[cfg.DISCHARGE_MIN_V], series[cfg.CHARGE_MAX_V]))
    parallel = strings_of((16, 31))[0].real
    assert (16 * 2.5, 16 * 3.6) == pytest.approx((parallel[cfg.DISCHARGE_MIN_V], parallel[cfg.CHARGE_MAX_V]))


# ---- state of charge


def summary(settings: Settings, z: F64, reach: F64, strings: int) -> F64:
    """Pack values of the estimator from the SOC and reach of every cell."""
    cell, r = np.zeros((st.N_CELL, 1, len(z))), np.zeros((st.N_REAL, 1))
    cell[st.CAPACITY] = 1.0
    cell[st.Z, 0], cell[st.REACH, 0] = z, reach
    pack_values.summarise(cell, 0, r, settings.stretches, settings.real, settings.kinds, strings)
    return r[:, 0]


@pytest.mark.parametrize("seed", range(5))
def test_in_series_the_first_empty_and_the_first_full_cell_count_in_ampere_hours(seed: int) -> None:
    """Least charge over least charge and least room, with 1.5 Ah in cells 0 to 7 and 2.3 Ah in 8 to 15."""
    rng = np.random.default_rng(seed)
    z, reach, capacity_Ah = rng.uniform(0, 1, 16), rng.uniform(0.7, 1, 16), np.repeat([1.5, 2.3], 8)
    r = summary(Device(str(MIXED)).settings, z, reach, 1)
    held_Ah, room_Ah = (z * capacity_Ah).min(), ((1 - z) * capacity_Ah).min()
    left_Ah = (np.maximum(z - 1 + reach, 0) * capacity_Ah).min()
    assert held_Ah / (held_Ah + room_Ah) == pytest.approx(r[st.SOC])
    assert left_Ah == pytest.approx(r[st.REMAINING_AH])
    assert left_Ah / (left_Ah + room_Ah) == pytest.approx(r[st.SOC_AVAILABLE])
    assert (z.min(), z.max()) == (r[st.SOC_MIN], r[st.SOC_MAX])


def test_charge_of_unlike_strings_adds_up() -> None:
    """Half of 1.5 Ah and a quarter of 2.3 Ah, of 3.8 Ah."""
    settings, _ = strings_of((16, 31))
    r = summary(settings, np.repeat([0.5, 0.25], 16), np.ones(32), 2)
    assert (0.75 + 0.575) / 3.8 == pytest.approx(r[st.SOC])


def test_beside_a_string_with_narrower_limits_less_of_the_charge_can_be_reached() -> None:
    """At 3.6 V a cell the lithium string is full and sodium is not; at 2.5 V it is empty and sodium is not."""
    settings, told = strings_of((16, 31))
    ocv = told.model.ocv
    mean_V = 0.5 * (np.array(ocv.discharge_V) + np.array(ocv.charge_V))
    empty, full = np.interp([2.5, 3.6], mean_V, ocv.soc)
    assert (0.1 < empty < 0.2) and (0.7 < full < 0.8)
    r = summary(settings, np.repeat([full, 1.0], 16), np.ones(32), 2)
    assert 1.0 == pytest.approx(r[st.SOC_AVAILABLE])
    assert (full - empty) * 1.5 + 2.3 == pytest.approx(r[st.REMAINING_AH])
    r = summary(settings, np.repeat([empty, 0.0], 16), np.ones(32), 2)
    assert (0.0, 0.0) == pytest.approx((r[st.SOC_AVAILABLE], r[st.REMAINING_AH]), abs=1e-12)


def test_strings_that_are_alike_share_equally() -> None:
    """Two strings with lithium in their upper half: no stretch is of a string of its own, and both count as the worse."""
    settings, _ = strings_of((8, 15), (24, 31))
    assert not settings.stretches[:, cfg.STRING].any()
    assert [0, 1, 0, 1] == settings.stretches[:, cfg.KIND].tolist()
    assert (settings.kinds[:, [cfg.EMPTY_SOC, cfg.FULL_SOC]] == [-1.0, 1.0]).all()
    r = summary(settings, np.repeat([0.5, 0.5, 0.4, 0.5], 8), np.ones(32), 2)
    assert 2 * 0.4 * 1.5 == pytest.approx(r[st.REMAINING_AH])


# ---- unlike strings


class TwoStrings:
    """A string of 16 sodium cells beside one of 16 lithium cells, each cell as the calibration believes times `off`.

    An oracle that solves the circuit at the start of a tick, with interpolation and exponential of NumPy.
    """

    def __init__(self, told: Calibration, z: tuple[float, float], off: tuple[float, float]) -> None:
        self.models, self.z, self.off = [kind.model for kind in told.kinds], list(z), off
        self.u, self.h = np.zeros((2, 2)), np.zeros(2)

    def step(self, current_A: float, dt_s: float) -> tuple[float, F64]:
        """Voltage of every cell and current of each string."""
        source_V, ohm = np.zeros(2), np.zeros((2, 3))
        for s, m in enumerate(self.models):
            low, high = np.interp(self.z[s], m.ocv.soc, m.ocv.discharge_V), np.interp(self.z[s], m.ocv.soc, m.ocv.charge_V)
            source_V[s] = 0.5 * (low + high) + 0.5 * (high - low) * self.h[s] - self.u[s].sum()
            tables = (m.resistance.r0_ohm, m.resistance.r1_ohm, m.resistance.r2_ohm)
            ohm[s] = [self.off[s] * np.interp(self.z[s], m.resistance.soc, table[1]) for table in tables]
        volt = float(((source_V / ohm[:, 0]).sum() - current_A) / (1 / ohm[:, 0]).sum())
        amps = (source_V - volt) / ohm[:, 0]
        for s, m in enumerate(self.models):
            decay = np.exp(-dt_s / np.array([m.resistance.tau1_s, m.resistance.tau2_s]))
            self.u[s] = self.u[s] * decay + (1 - decay) * ohm[s, 1:] * amps[s]
            dz = amps[s] * dt_s / (3600.0 * m.capacity_Ah)
            self.z[s] -= dz
            self.h[s] += (-np.sign(amps[s]) - self.h[s]) * (1 - np.exp(-m.hysteresis.decay_per_soc * abs(dz)))
        return volt, amps


class Estimator:
    """The filters of both strings, alone. shares: whether they divide the current by what they believe, or equally."""

    def __init__(self, settings: Settings, dt_ms: int, shares: bool = True, method: int = cfg.EKF_R) -> None:
        self.method = method
        self.settings, self.dt_ns, self.stretches = settings, dt_ms * MS_NS, settings.stretches.copy()
        if not shares:
            self.stretches[:, cfg.STRING] = 0
        self.state = bms.power_on(settings, 1)
        self.state.whole[st.IS_SEEDED] = 1
        self.state.valid[:] = 1
        self.state.link[st.SAMPLE_NS] = self.dt_ns

    def seed(self, volt: float) -> None:
        """Start every filter from a voltage."""
        s, cell = self.settings, self.state.cell
        cell[st.VOLT] = volt
        for i, k in enumerate(s.cell_map[cfg.MAP_KIND].tolist()):
            belief.refresh(cell, 0, i, k, s.kinds, s.curves, s.ln_r, s.nodes, s.n_nodes, belief.EVER)
            z, sigma = first.choose(cell, 0, i, k, s.real, s.kinds, s.curves, False, -1.0, 0.0)
            estimate.seed(self.method, cell, 0, i, k, s.real, z, sigma)

    def follow(self, truth: TwoStrings) -> None:
        """Start every filter from the truth."""
        self.seed(3.0)
        for s in (0, 1):
            at = slice(16 * s, 16 * s + 16)
            for row, value in zip((st.Z, st.U1, st.U2, st.H), (truth.z[s], *truth.u[s], truth.h[s]), strict=True):
                self.state.cell[row, 0, at] = value
        for i, k in enumerate(self.settings.cell_map[cfg.MAP_KIND].tolist()):
            belief.refresh(
                self.state.cell,
                0,
                i,
                k,
                self.settings.kinds,
                self.settings.curves,
                self.settings.ln_r,
                self.settings.nodes,
                self.settings.n_nodes,
                belief.EVER,
            )

    def step(self, current_A: float, volt: F64 | None = None) -> F64:
        """One tick with new voltages, or without; returns the current that each string was taken to carry."""
        b, s = self.state, self.settings
        b.real[st.CURRENT_A], b.link[st.FRESH] = current_A, int(volt is not None)
        b.whole[st.UP_NS] += self.dt_ns
        if volt is not None:
            b.cell[st.VOLT, 0] = volt
        before = b.cell[st.Z, 0, [0, 16]].copy()
        estimate.step(
            b.cell, b.real, b.whole, b.link, b.valid, s.cell_map, self.stretches, s.real, s.kinds, s.curves, s.ln_r, s.nodes,
            s.n_nodes, 0, self.dt_ns, 2, self.method,
        )  # fmt: skip
        drawn = (before - b.cell[st.Z, 0, [0, 16]]) * 3600.0 * s.kinds[:, cfg.CAPACITY_AH] / (self.dt_ns * 1e-9)
        return np.asarray(drawn)


METHODS = pytest.mark.parametrize("method", [cfg.EKF_R, cfg.SODIUM], ids=["ekf-r", "sodium"])


@METHODS
@pytest.mark.parametrize("current_A", [4.0, 0.0, -2.0])
def test_unlike_strings_share_the_current_as_the_circuit_does(current_A: float, method: int) -> None:
    """From the state of the truth, ten seconds of counting: both currents within 2 %, and their sum is the measured one."""
    settings, told = strings_of((16, 31))
    truth = TwoStrings(told, (0.7, 0.9), (1.0, 1.0))
    for _ in range(1000):
        truth.step(1.0, 0.01)
    estimator = Estimator(settings, 10, method=method)
    estimator.follow(truth)
    for _ in range(1000):
        _, amps = truth.step(current_A, 0.01)
        taken = estimator.step(current_A)
        assert current_A == pytest.approx(taken.sum(), abs=1e-6)
        assert np.allclose(amps, taken, rtol=0.02, atol=0.02)


@METHODS
def test_no_tick_is_too_long_for_the_division(method: int) -> None:
    """At ticks of 1 s, several times the pairs' time constant, the currents come to rest instead of swinging."""
    settings, told = strings_of((16, 31))
    estimator = Estimator(settings, 1000, method=method)
    estimator.follow(TwoStrings(told, (0.7, 0.9), (1.0, 1.0)))
    estimator.state.cell[st.R1] *= 50.0  # pairs that outweigh the series resistance
    taken = np.array([estimator.step(3.0) for _ in range(20)])
    assert (np.diff(taken[2:, 0], n=2) > -1e-3).all()
    assert 0.1 > np.abs(np.diff(taken[10:, 0])).max()


@METHODS
@pytest.mark.compiled_only
@pytest.mark.parametrize("off", [(1.0, 1.0), (1.2, 0.85)])
def test_the_soc_of_unlike_strings_is_found_although_their_currents_are_not_measured(
    off: tuple[float, float], method: int
) -> None:
    """With resistances 20 % off, 40 min of drive, charge and rest: 3 % at the end, where an equal split is 5 % off or more."""
    settings, told = strings_of((16, 31))
    profile = np.repeat([0.0, 2.5, 0.0, -1.5, 0.0, 2.5, 0.0], [3000, 6000, 3000, 5000, 3000, 4000, 3000])
    worst = []
    for shares in (True, False):
        rng = np.random.default_rng(1)
        truth, estimator = TwoStrings(told, (0.75, 0.9), off), Estimator(settings, 100, shares, method)
        for _ in range(3000):
            volt, _ = truth.step(0.0, 0.1)
        estimator.seed(volt)
        for current_A in profile:
            volt, _ = truth.step(float(current_A), 0.1)
            estimator.step(float(current_A), volt + 0.0005 * rng.standard_normal(32))
        found = estimator.state.cell[st.Z, 0].reshape(2, 16).mean(axis=1)
        worst.append(float(np.abs(found - truth.z).max()))
    assert worst[0] < 0.03 < 0.05 < worst[1]


@pytest.mark.parametrize("current_A", [3.0, -1.5])
def test_the_division_believes_all_that_the_method_does(current_A: float) -> None:
    """Third pair, kinetics, warm cores, an error of the curve and one of the shunt: both strings end at one voltage."""
    bound, _ = strings_of((16, 31))
    kinds, nodes, n_nodes, real = bound.kinds.copy(), bound.nodes.copy(), bound.n_nodes.copy(), bound.real.copy()
    kinds[:, cfg.R3_SHARE], kinds[:, cfg.TAU3_S] = 1.5, 100.0
    kinds[:, cfg.R0_KINETIC], kinds[:, cfg.RATE_REFERENCE_A] = 0.5, 1.0
    n_nodes[:, 2], nodes[:, cfg.RATE_LN_I0, 0], real[cfg.HEAT_K_PER_W] = 1, np.log(0.3), 5.0
    settings = replace(bound, kinds=kinds, nodes=nodes, n_nodes=n_nodes, real=real)
    estimator = Estimator(settings, 10, method=cfg.SODIUM)
    estimator.seed(3.25)
    cell = estimator.state.cell
    cell[st.OFF_V, 0], cell[st.BIAS_A, 0] = np.repeat([0.03, -0.01], 16), np.repeat([0.05, -0.2], 16)
    for _ in range(1500):
        estimator.step(current_A)
    string_V = []
    for i in (0, 16):
        z, h, core_degC = (float(cell[row, 0, i]) for row in (st.Z, st.H, st.TEMP))
        core_degC += float(cell[st.HEAT_K, 0, i] + cell[st.TEMP_OFF_K, 0, i])
        ocv_V, _ = belief.ocv(z, h, float(cell[st.REACH, 0, i]), core_degC, int(i > 0), settings.curves)
        string_V.append(ocv_V + cell[st.OFF_V, 0, i] - cell[st.RHO, 0, i] * cell[st.DROP_V, 0, i])
    assert cell[st.HEAT_K, 0].max() > 0.001
    assert np.abs(cell[st.U3, 0]).min() > 0.0001
    assert np.abs(cell[st.RATE_NOW, 0] - 1.0).min() > 0.005
    assert string_V[0] == pytest.approx(string_V[1], abs=2e-4)
    assert current_A - (0.05 - 0.2) == pytest.approx(estimator.step(current_A).sum(), abs=1e-6)


# ---- gears


@pytest.fixture(params=["series", "parallel", "led"])
def unlike(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A scenario whose device believes in two kinds of cells, in one string or in two."""
    if request.param == "parallel":
        shipped = files.shipped("pack")["nfm-16s"].read_text(encoding="utf-8")
        (tmp_path / "pack.toml").write_text(shipped.replace("series = 16\n", "series = 8\nstrings = 2\n"), encoding="utf-8")
    packs = {"series": "nfm-16s", "parallel": "pack.toml", "led": "ab-na-lfp-16s"}
    believed, led = MIXED, request.param == "led"
    if led:  # from memory, in ticks so long that the reference has its turn, and with curves sure enough to be one in seconds
        believed = tmp_path / "led.toml"
        text = files.shipped("calibration")["ab-na-lfp-16s"].read_text(encoding="utf-8")
        text = text.replace("save_s = 10\n", "save_s = 2\n")
        sure = {"ocv_sigma_V": 0.005, "curve_sigma_V": 0.001, "model_V2s": 0.01, "temperature_sigma_K": 0.5, "correct_s": 1.0}
        for key, value in sure.items():
            text, n = re.subn(rf"(?m)(^\[filter\.sodium\]\n(?:.+\n)*?){key} = .*$", rf"\g<1>{key} = {value}", text)
            assert n == 1
        believed.write_text(text, encoding="utf-8")
    path = tmp_path / "unlike.scenario.toml"
    path.write_text(
        f"""
format = 1
name = "unlike"
title = "Two kinds of cells"
pack = "{packs[request.param]}"
calibration = "{believed}"
duration_s = {16.0 if led else 3.0}
tick_ms = {50 if led else 10}
request = [{{ at_s = 0.3, mode = "drive" }}]
load = [{{ at_s = 1.0, kind = "current", current_A = 1.0 }}]
{'fault = [{ fault = "reset", start_s = 2.7 }]' if led else ""}
""",
        encoding="utf-8",
    )
    return path


def test_with_two_kinds_all_gears_end_in_the_same_state(unlike: Path) -> None:
    """Staged and fused, bit for bit; the pack drives, and its strings carry different currents where they are two."""
    benches = [case.with_emulator(setup.build(scenario.load(unlike))) for _ in range(2)]
    benches[0].run(300)
    benches[1].run_fused(300)
    assert case.state_hash(benches[0]) == case.state_hash(benches[1])
    dut = benches[0].dut
    assert isinstance(dut, Emulator)
    assert 2 == dut.settings.n_kinds
    assert st.RUN == dut.state.whole[st.STATE, 0]
    if dut.settings.whole[cfg.SAVE_NS] == 2_000_000_000:  # led
        assert dut.state.cell[st.COUNTED_S, 0, 0] < 3.0
        bias_A = dut.state.cell[st.BIAS_A, 0]  # of the lithium cells 8 to 15 that of the referees
        assert 0.0 < np.abs(bias_A[8:] - bias_A[:8].mean()).max() < 0.2 * np.ptp(bias_A[:8])


@pytest.mark.compiled_only
def test_with_two_kinds_interpreted_ends_where_compiled_ends(unlike: Path) -> None:
    """Plain Python, in a process of its own, comes to the same bits."""
    bench = case.with_emulator(setup.build(scenario.load(unlike)))
    ticks = 270 if bench.rig.dt_ns > 10 * MS_NS else 150
    bench.run(ticks)
    assert case.state_hash(bench) == start.interpreted(str(unlike), ticks)["state_hash"]
