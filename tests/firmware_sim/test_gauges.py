"""Coulomb counting and the OCV table, in figures that come by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rigs import wired

from firmware_sim import state as st
from firmware_sim.estimate import belief, counting, ocv
from firmware_sim.types import F64
from hil import binding

_, SETTINGS, CALIBRATION = wired("nfm-16s", "nfm-16s", "classic", 10_000_000)


def real_of(method: str) -> F64:
    """Figures of the kernels as bound for a calibration of this method."""
    own = CALIBRATION.model_copy(update={"filter": CALIBRATION.filter.changed(method)})
    return np.asarray(binding.beliefs(own, 16, 1)["real"])


REAL = real_of("counting")
assert np.array_equal(REAL, real_of("ocv"))
CAPACITY_AH, FILTER = CALIBRATION.model.capacity_Ah, CALIBRATION.filter


def one_cell(z: float, volt: float = 3.0, temp_degC: float = 25.0) -> F64:
    """State of one cell."""
    cell = np.zeros((st.N_CELL, 1, 1))
    cell[st.Z], cell[st.VOLT], cell[st.TEMP] = z, volt, temp_degC
    belief.refresh(cell, 0, 0, 0, SETTINGS.kinds, SETTINGS.curves, SETTINGS.ln_r, SETTINGS.nodes, SETTINGS.n_nodes, belief.EVER)
    return cell


def counted(cell: F64, current_A: float, seconds: int) -> F64:
    """After so many ticks of a second."""
    for _ in range(seconds):
        counting.predict(cell, 0, 0, 1, 0, current_A, current_A, 1.0, REAL, SETTINGS.kinds)
    return cell


def looked_up(cell: F64, current_A: float, seconds: int, fresh: bool = True) -> F64:
    """After so many ticks of a second, with a voltage in each or in none."""
    for _ in range(seconds):
        ocv.predict(cell, 0, 0, 1, 0, current_A, current_A, 1.0, REAL, SETTINGS.kinds)
        if fresh:
            ocv.correct(cell, 0, 0, 0, current_A, 1.0, REAL, SETTINGS.kinds, SETTINGS.curves)
    return cell


@pytest.mark.parametrize("current_A", [1.0, -1.0])
def test_counting_counts(current_A: float) -> None:
    """1 A for 900 s is a quarter of an ampere-hour, off on discharge and on top on charge, whatever the voltage says."""
    cell = counted(one_cell(0.5, volt=3.9), current_A, 900)
    assert 0.5 - current_A * 0.25 / CAPACITY_AH == pytest.approx(cell[st.Z, 0, 0], abs=1e-9)


def test_a_counter_knows_that_it_cannot_hold_more_than_all() -> None:
    """At full it stays full, at empty it stays empty, and counts from there."""
    assert 1.0 == counted(one_cell(0.99), -1.5, 600)[st.Z, 0, 0]
    cell = counted(one_cell(0.01), 1.5, 600)
    assert 0.0 == cell[st.Z, 0, 0]
    assert 0.5 * 0.1 / CAPACITY_AH == pytest.approx(counted(cell, -0.5, 360)[st.Z, 0, 0])


def test_its_band_is_that_of_the_stated_errors() -> None:
    """After an hour out and an hour back the gain has cancelled and two hours of offset are left; in between both count."""
    cell = one_cell(0.9)
    counting.seed(cell, 0, 0, 0, REAL, 0.9, FILTER.stored_sigma)
    start = FILTER.stored_sigma
    gain, offset = FILTER.current_error_share * 1.0 / CAPACITY_AH, FILTER.current_error_A / CAPACITY_AH
    counted(cell, 1.0, 3600)
    assert math.sqrt(start**2 + gain**2 + offset**2) == pytest.approx(math.sqrt(cell[st.P, 0, 0]))
    counted(cell, -1.0, 3600)
    assert math.sqrt(start**2 + (2 * offset) ** 2) == pytest.approx(math.sqrt(cell[st.P, 0, 0]))


def test_a_division_among_unlike_strings_widens_the_band() -> None:
    """What a string's current differs from an equal share is known as well as the resistances."""
    cell = one_cell(0.5)
    counting.predict(cell, 0, 0, 1, 0, 1.5, 1.0, 3600.0, REAL, SETTINGS.kinds)
    gain = FILTER.current_error_share * 1.5 / CAPACITY_AH
    offset = (FILTER.current_error_A + FILTER.resistance_error_share * 0.5) / CAPACITY_AH
    assert gain**2 + offset**2 == pytest.approx(cell[st.P, 0, 0])


@pytest.mark.parametrize("temp_degC", [5.0, 25.0, 40.0])
@pytest.mark.parametrize("h", [-1.0, 0.0, 1.0])
def test_the_table_read_backwards_is_the_table(h: float, temp_degC: float) -> None:
    """SOC to voltage and back, on both branches and between them, warm and cold."""
    reach = one_cell(0.5, temp_degC=temp_degC)[st.REACH, 0, 0]
    for x in np.linspace(0.001, 0.999, 57):
        z = 1.0 - (1.0 - x) * reach
        volt, _ = belief.ocv(z, h, reach, temp_degC, 0, SETTINGS.curves)
        assert z == pytest.approx(belief.soc_on(volt, h, reach, temp_degC, 0, SETTINGS.curves), abs=1e-9)


@pytest.mark.parametrize("branch", ["discharge_V", "charge_V"])
@pytest.mark.parametrize("n", [5, 12, 20, 28])
def test_the_table_is_that_of_the_file(branch: str, n: int) -> None:
    """A node of the calibration's own curve, at 25 degC."""
    curve, h = CALIBRATION.model.ocv, -1.0 if branch == "discharge_V" else 1.0
    found = belief.soc_on(getattr(curve, branch)[n], h, 1.0, 25.0, 0, SETTINGS.curves)
    assert curve.soc[n] == pytest.approx(found, abs=1e-6)


def test_the_slope_is_that_of_the_curve() -> None:
    """Difference of two voltages a little apart."""
    for z in (0.303, 0.517, 0.881):
        (low, _), (high, _) = (belief.ocv(z + dz, -1.0, 0.9, 5.0, 0, SETTINGS.curves) for dz in (-1e-5, 1e-5))
        slope = belief.ocv(z, -1.0, 0.9, 5.0, 0, SETTINGS.curves)[1]
        assert (high - low) / 2e-5 == pytest.approx(slope, rel=0.01)


@pytest.mark.parametrize(("current_A", "branch"), [(1.0, "discharge_V"), (-1.0, "charge_V")])
def test_under_load_it_reads_the_branch_without_the_drop(current_A: float, branch: str) -> None:
    """The curve's voltage minus I R0 leads to the curve's SOC, once the low-pass has settled."""
    n = 22
    cell = one_cell(CALIBRATION.model.ocv.soc[n])
    cell[st.VOLT] = getattr(CALIBRATION.model.ocv, branch)[n] - current_A * cell[st.R0, 0, 0]
    cell[st.Z] = 0.6
    looked_up(cell, current_A, 20 * int(ocv.LOW_PASS_S))
    assert CALIBRATION.model.ocv.soc[n] == pytest.approx(cell[st.Z, 0, 0], abs=1e-4)


def test_the_low_pass_takes_its_time() -> None:
    """After as long as its time constant about 1/e of a wrong start is left."""
    cell = one_cell(0.9, volt=CALIBRATION.model.ocv.discharge_V[22])
    cell[st.H] = -1.0
    looked_up(cell, 0.0, int(ocv.LOW_PASS_S))
    assert math.exp(-1.0) == pytest.approx((cell[st.Z, 0, 0] - 0.5) / 0.4, abs=0.02)


def test_its_band_is_wide_where_the_curve_is_flat_and_under_load() -> None:
    """The same millivolts are more SOC at 30 % than at 10 %, and a load hides some."""

    def sigma(n: int, current_A: float) -> float:
        cell = one_cell(CALIBRATION.model.ocv.soc[n], volt=CALIBRATION.model.ocv.discharge_V[n])
        cell[st.VOLT] -= current_A * cell[st.R0, 0, 0]
        cell[st.H] = -1.0
        return math.sqrt(looked_up(cell, current_A, 600)[st.P, 0, 0])

    assert sigma(15, 0.0) > 2 * sigma(7, 0.0)
    assert sigma(22, 1.5) > 2 * sigma(22, 0.0)


def test_without_voltages_it_stands_and_its_band_grows_with_the_charge() -> None:
    """A table without a voltage knows nothing new; what went is what it may be wrong by."""
    cell = one_cell(0.5)
    looked_up(cell, 1.0, 360, fresh=False)
    assert 0.5 == cell[st.Z, 0, 0]
    assert (0.1 / CAPACITY_AH) ** 2 == pytest.approx(cell[st.P, 0, 0])
    looked_up(cell, 1.0, 3600, fresh=False)
    assert 1.0 / 12.0 == cell[st.P, 0, 0]
