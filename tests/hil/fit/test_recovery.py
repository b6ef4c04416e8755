"""What is put into the plant comes out of the fit: a cell whose tables are known, logged by a cycler that does not err.

The cell is unlike the one that lends: another curve, another loop, resistances with another course over SOC, other time
constants and cooling. Curves are compared at equal charge below full, since the ends of a protocol say what SOC is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import plant_lab
import pytest

from firmware_sim.types import F64
from hil.errors import ScenarioError
from hil.fit import cell, celltext, datamap, heat, model
from hil.fit.cell import Made
from hil.fit.datamap import Map
from hil.plant.cellfile import Cell

TRUTH = plant_lab.another_cell()
SOC = np.array([0.06, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
OCV_V, OHM, FAST_OHM = 0.005, 0.04, 0.03


def quiet(done: int, total: int) -> None:
    """A bar that nobody sees."""


def bdf_map(name: str = "truth") -> Map:
    """Nothing is known but the name."""
    return Map(format=1, borrow="nfm-18650", source="the plant, with known tables", cell=datamap.Facts(name=name))


def fitted(*paths: Path) -> tuple[Made, Cell]:
    """A fit of files in the Battery Data Format, and the cell as its file says it."""
    _, lender = datamap.without(Path("truth.toml"))
    made = cell.make(paths, bdf_map(), lender, "no map", quiet)
    return made, celltext.checked(Path("truth.toml"), celltext.text(made))


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HPPC from full to empty and back at 25 degC, in steps of 5 %."""
    return plant_lab.write(tmp_path_factory.mktemp("hppc") / "hppc.csv", plant_lab.hppc(TRUTH).table)


@pytest.fixture(scope="module")
def result(logged: Path) -> tuple[Made, Cell]:
    """The fit of it."""
    return fitted(logged)


def true_soc(found: Cell, truth: Cell) -> F64:
    """Share of charge of the true cell where the found one is at SOC."""
    return 1.0 - (1.0 - SOC) * found.capacity_Ah / truth.capacity_Ah


def errors(found: Cell, truth: Cell, degC: float = 25.0) -> dict[str, float]:
    """Largest differences: branches [V], R0 and the sum of all three as shares."""
    at = true_soc(found, truth)
    out = {}
    for branch in ("discharge_V", "charge_V"):
        got_V = np.interp(SOC, found.ocv.soc, getattr(found.ocv, branch))
        out[branch] = float(np.abs(got_V - np.interp(at, truth.ocv.soc, getattr(truth.ocv, branch))).max())
    got, true = ohms(found, SOC, degC), ohms(truth, at, degC)
    out["r0"] = float(np.abs(got[0] / true[0] - 1.0).max())
    out["r"] = float(np.abs(got.sum(axis=0) / true.sum(axis=0) - 1.0).max())
    return out


def ohms(of: Cell, soc: F64, degC: float) -> F64:
    """(3, n) resistances at a temperature of the table, ln R linear over SOC."""
    row = [round(value) for value in of.resistance.temp_degC].index(round(degC))
    tables = (of.resistance.r0_ohm, of.resistance.r1_ohm, of.resistance.r2_ohm)
    return np.array([np.exp(np.interp(soc, of.resistance.soc, np.log(table[row]))) for table in tables])


def wrong(found: Cell, truth: Cell) -> list[str]:
    """Tables that lie outside what the fit must reach."""
    bounds = {"discharge_V": OCV_V, "charge_V": OCV_V, "r0": FAST_OHM, "r": OHM}
    return [name for name, error in errors(found, truth).items() if error > bounds[name]]


def test_both_branches_and_the_resistances_are_found(result):
    """From 6 % of the charge on: branches within 5 mV, R0 within 3 %, the sum of resistances within 4 %."""
    assert [] == wrong(result[1], TRUTH), errors(result[1], TRUTH)


def test_time_constants_and_cooling_are_found(result):
    """Both pairs within 10 %; heat capacity and cooling within 10 % from the surface temperature."""
    found = result[1]
    assert found.resistance.tau1_s == pytest.approx(TRUTH.resistance.tau1_s, rel=0.1)
    assert found.resistance.tau2_s == pytest.approx(TRUTH.resistance.tau2_s, rel=0.1)
    assert found.thermal.heat_capacity_J_per_K == pytest.approx(TRUTH.thermal.heat_capacity_J_per_K, rel=0.1)
    assert found.thermal.coolant_W_per_K == pytest.approx(TRUTH.thermal.coolant_W_per_K, rel=0.1)
    assert "fitted" == found.thermal.confidence


def test_the_charge_is_what_was_drawn(result, logged):
    """Capacity: from full to empty, by the sum over the rows."""
    rows = np.loadtxt(logged, delimiter=",", skiprows=1)
    drawn_Ah = float(np.max(np.cumsum(-rows[1:, 2] * np.diff(rows[:, 0])))) / 3600.0
    assert result[1].capacity_Ah == pytest.approx(drawn_Ah, rel=5e-3)


def test_the_fit_says_what_it_borrowed(result):
    """What the data cannot tell is an assumption and names its lender; what they tell is fitted, with its residual."""
    found = result[1]
    for name in ("hysteresis", "reach", "entropy"):
        table = found.tables()[name]
        assert ("assumption", True) == (table.confidence, "borrowed from nfm-18650" in table.source)
    for name in ("ocv", "resistance"):
        table = found.tables()[name]
        assert ("fitted", True) == (table.confidence, "RMSE" in table.source)
    assert "rests after discharge and after charge show both branches" in found.ocv.source


@pytest.mark.parametrize("defect", ["forgetful", "other data"])
def test_a_defect_is_seen(defect, logged, monkeypatch, tmp_path):
    """The bounds above are tight enough to refuse a fit whose pairs forget, and one of other data."""
    if defect == "forgetful":
        follow = model.followed
        monkeypatch.setattr(model, "followed", lambda keep, drive: follow(keep * 0.8, drive))
    else:
        rows = np.loadtxt(logged, delimiter=",", skiprows=1) * np.array([1.0, 1.0, -1.0, 1.0])
        rest_V = np.interp(rows[:, 0], rows[rows[:, 2] == 0.0, 0], rows[rows[:, 2] == 0.0, 1])
        rows[:, 1] += 0.08 * (rows[:, 1] - rest_V)  # as with 8 % more resistance
        logged = plant_lab.write(tmp_path / "other.csv", rows)
    try:
        found = wrong(fitted(logged)[1], TRUTH)
    except ScenarioError as refused:
        found = list(refused.problems)
    assert found


def test_rows_of_a_second_give_the_resistance_after_a_second(tmp_path):
    """Logged each second, the fast pair cannot be seen: it is said, and its resistance is part of R0."""
    rows = plant_lab.hppc(TRUTH, step=0.1).table
    whole = np.abs(rows[:, 0] - np.round(rows[:, 0])) < 1e-6
    made, found = fitted(plant_lab.write(tmp_path / "slow.csv", rows[whole]))
    assert made.fit.coarse
    assert "became part of R0" in found.resistance.source
    at = true_soc(found, TRUTH)
    got, true = ohms(found, SOC, 25.0), ohms(TRUTH, at, 25.0)
    middle = SOC >= 0.1
    assert got.sum(axis=0)[middle] == pytest.approx(true.sum(axis=0)[middle], rel=0.06)


def test_a_temperature_that_follows_the_current_is_no_heat_capacity(tmp_path):
    """A sensor on the shunt warms at once: the cell keeps what such a mass has, as an assumption; the source says why."""
    table = plant_lab.hppc(TRUTH).table.copy()
    amps = np.abs(table[:, 2])
    table[:, 3] = 25.0 + 20.0 * amps / amps.max()
    _, found = fitted(plant_lab.write(tmp_path / "shunt.csv", table))
    assert "assumption" == found.thermal.confidence
    assert "J/K, which no such cell has" in found.thermal.source
    assert 15.0 < found.thermal.heat_capacity_J_per_K / found.capacity_Ah < 40.0


def test_what_a_heat_capacity_may_be_off_is_held_against_the_mass_in_every_round(result):
    """Four times as much in a round, and four times that in the next, is sixteen times what such a mass has."""
    fit, thermal = result[0].fit, result[0].fit.thermal
    guess = replace(thermal, n=0, heat_J_per_K=thermal.heat_J_per_K / 16.0)
    found = heat.fit(fit.tables, list(fit.courses), fit.ln_s, guess, replace(guess, heat_J_per_K=thermal.heat_J_per_K / 4.0))
    assert (0, guess.heat_J_per_K) == (found.n, found.heat_J_per_K)
    assert found.odd_J_per_K == pytest.approx(thermal.heat_J_per_K, rel=0.1)


def test_two_temperatures_give_two_rows_and_the_reach_of_the_colder(tmp_path):
    """At 5 and 25 degC: resistances within 6 %, the share that can be reached within 2 %."""
    paths = [plant_lab.write(tmp_path / f"at{degC:g}.csv", cold_and_warm(degC)) for degC in (5.0, 25.0)]
    map_ = bdf_map().model_copy(
        update={
            "run": [datamap.RunFacts(file=f"at{degC:g}.csv", temperature_degC=degC) for degC in (5.0, 25.0)],
            "cell": datamap.Facts(name="two", charge_max_V=4.1, discharge_min_V=1.5),
        }
    )
    made = cell.make(paths, map_, datamap.without(Path("x.toml"))[1], "map", quiet)
    found = celltext.checked(Path("x.toml"), celltext.text(made))
    middle = (SOC >= 0.3) & (SOC <= 0.9)
    for degC in (5.0, 25.0):
        got = ohms(found, SOC, degC).sum(axis=0)
        true = ohms(TRUTH, true_soc(found, TRUTH), degC).sum(axis=0)
        assert got[middle] == pytest.approx(true[middle], rel=0.06), degC
    reach = np.interp(5.0, found.reach.temp_degC, found.reach.share)
    assert reach == pytest.approx(np.interp(5.0, TRUTH.reach.temp_degC, TRUTH.reach.share), abs=0.02)
    assert "fitted" == found.reach.confidence


def cold_and_warm(degC: float) -> F64:
    """Rows of a discharge with pulses at a temperature."""
    return plant_lab.hppc(TRUTH, degC, step=0.1, charges=False).table
