"""What the cells of the shipped systems must be able to do, by simulation of bare cells; docs/cells has the figures.

These are claims of makers and choices of design that the cell files repeat, not measurements.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stands import Stand, bare

from hil import files
from hil.plant import cell as c
from hil.plant import cellfile
from hil.plant import pack as pk
from hil.plant.cellfile import Cell

ROOT = Path(__file__).resolve().parents[3]


class Cells(Stand):
    """Equal cells in series, soaked at a temperature that the coolant keeps."""

    def __init__(self, name: str, series: int, soc: float, temp_degC: float, dt_ms: int = 100) -> None:
        self.file: Cell = cellfile.load(name)[1]
        super().__init__(bare(self.file, series), self.file, dt_ms, soc)
        self.plant.cells[c.TEMP_DEGC] = self.plant.pack_par[pk.COOLANT_DEGC] = temp_degC
        self.plant.settle()
        self.plant.pack[pk.LINK_V] = self.plant.pack[pk.PACK_V]

    def voltage_V(self) -> float:
        """Of all in series."""
        return float(self.plant.pack[pk.PACK_V, 0])

    def soc(self) -> float:
        """Of the first cell."""
        return float(self.cell(c.Q_AH)[0, 0]) / self.file.capacity_Ah

    def hold(self, current_A: float, seconds: float) -> list[float]:
        """Voltage of every tick at a current."""
        voltages = []
        for _ in range(round(seconds / self.dt_s)):
            self.step(current_A)
            voltages.append(self.voltage_V())
        return voltages

    def until(self, current_A: float, limit_V: float) -> float:
        """Seconds at a current until the voltage crosses a limit; at most three hours' worth of charge."""
        sign = 1.0 if current_A > 0.0 else -1.0
        for k in range(round(3.0 * 3600.0 * self.file.capacity_Ah / abs(current_A) / self.dt_s)):
            self.step(current_A)
            if sign * (self.voltage_V() - limit_V) < 0.0:
                return k * self.dt_s
        raise AssertionError(f"never crossed {limit_V} V")


@pytest.mark.parametrize(("current_A", "lowest_V", "highest_V"), [(600.0, 8.8, 9.3), (700.0, 8.1, 8.8), (800.0, 7.5, 8.3)])
def test_a_starter_battery_cranks_at_minus_25(current_A: float, lowest_V: float, highest_V: float) -> None:
    """Four Prussian-white cells at 90 % hold their share of 12 V for 10 s of cranking, and dip into 7.5 to 9.3 V."""
    dip_V = min(Cells("pw-starter-60", 4, 0.9, -25.0).hold(current_A, 10.0))
    assert lowest_V < dip_V < highest_V


def test_a_starter_battery_is_nearly_full_at_an_alternator() -> None:
    """At 14.4 V, 3.6 V a cell, it stands between its full rested voltage and the limit of charge."""
    cell = cellfile.load("pw-starter-60")[1]
    assert cell.ocv.charge_V[-1] < 14.4 / 4 < cell.limits.charge_max_V


@pytest.mark.parametrize("soc", [0.7, 0.8, 0.95])
def test_a_truck_battery_cranks_at_minus_40(soc: float) -> None:
    """Eight cells give 600 A for 10 s above 16 V."""
    assert 16.0 < min(Cells("lo-truck-100", 8, soc, -40.0).hold(600.0, 10.0))


def test_a_truck_battery_gives_nine_tenths_at_minus_40() -> None:
    """The maker's claim, at C/3 down to 2 V without warming: 0.9 of the capacity."""
    cells = Cells("lo-truck-100", 1, 1.0, -40.0, 1000)
    cells.isothermal()
    assert 0.9 == pytest.approx(cells.until(100.0 / 3.0, 2.0) / 3600.0 / 3.0, abs=0.03)


def test_a_power_cell_carries_a_rack_for_two_minutes() -> None:
    """27C from full for 120 s stays above the limit of discharge and warms by less than 20 K."""
    cells = Cells("pba-natron", 1, 1.0, 25.0)
    assert cells.file.limits.discharge_min_V < min(cells.hold(27.0 * 4.6, 120.0))
    assert 25.0 < float(cells.cell(c.TEMP_DEGC)[0, 0]) < 45.0


def test_a_power_cell_is_charged_in_eight_minutes() -> None:
    """From empty 8C brings 99 % within 480 s and below the limit of charge."""
    cells = Cells("pba-natron", 1, 0.0, 25.0)
    assert 480.0 > cells.until(-8.0 * 4.6, cells.file.limits.charge_max_V)
    assert 0.99 < cells.soc()


@pytest.mark.parametrize(("name", "low", "high"), [("lo-ess-240", 0.05, 0.9), ("nfpp-ess-100", 0.05, 0.95)])
def test_a_storage_cell_runs_its_day_at_half_c(name: str, low: float, high: float) -> None:
    """Charged at 0.5C to its limit and discharged at 0.5C to the other it moves most of its capacity, below 45 degC."""
    cells = Cells(name, 1, 0.2, 25.0, 1000)
    half_C_A, limits = 0.5 * cells.file.capacity_Ah, cells.file.limits
    cells.until(-half_C_A, limits.charge_max_V)
    assert high < cells.soc()
    cells.until(half_C_A, limits.discharge_min_V)
    assert low > cells.soc()
    assert 45.0 > float(cells.cell(c.TEMP_DEGC)[0, 0])


def test_a_car_cell_takes_3C_to_four_fifths() -> None:
    """From 10 % at 25 degC, within its limit of charge and its temperature window."""
    cells = Cells("lo-ev-12", 1, 0.1, 25.0)
    cells.until(-36.0, cells.file.limits.charge_max_V)
    assert 0.8 < cells.soc()
    assert cells.file.limits.charge_max_degC > float(cells.cell(c.TEMP_DEGC)[0, 0])


def test_a_lithium_cell_stands_on_its_plateau() -> None:
    """LFP moves by less than 65 mV from 40 to 90 %, NMC by more than 300 mV: the pair that a mixed pack meets."""
    for name, low_V, high_V in (("lfp-12", 0.0, 0.065), ("nmc811-12", 0.3, 0.6)):
        ocv = cellfile.load(name)[1].ocv
        rise_V = float(np.interp(0.9, ocv.soc, ocv.discharge_V) - np.interp(0.4, ocv.soc, ocv.discharge_V))
        assert low_V < rise_V < high_V


def test_the_tool_gives_the_arrays_that_the_files_have() -> None:
    """Scaled tables, curves and Arrhenius rows are what tools/make_cells.py computes."""
    tool = [sys.executable, str(ROOT / "tools" / "make_cells.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, check=False, timeout=120)
    assert (0, "as computed\n") == (done.returncode, done.stdout), done.stderr


def test_a_fast_charge_plates_in_the_cold_only() -> None:
    """3C on the car cell: no metal at 25 degC, some at 0 degC."""
    plated_Ah = []
    for temp_degC in (25.0, 0.0):
        cells = Cells("lo-ev-12", 1, 0.2, temp_degC, 1000)
        cells.until(-36.0, cells.file.limits.charge_max_V)
        plated_Ah.append(float(cells.cell(c.PLATED_AH)[0, 0]))
    assert 0.0 == plated_Ah[0] < plated_Ah[1]


def adiabatic_K_per_min(name: str, start_degC: float) -> float:
    """Fastest self-heating of a full cell within an hour without cooling, beginning at a temperature."""
    cells = Cells(name, 1, 1.0, start_degC, 1000)
    cells.plant.par[c.COOLING] = 0.0
    temp_degC = []
    for _ in range(3600):
        cells.step(0.0)
        temp_degC.append(float(cells.cell(c.TEMP_DEGC)[0, 0]))
    return 60.0 * float(np.diff(temp_degC).max())


@pytest.mark.parametrize("name", ["nfpp-ess-100", "pba-natron", "pw-starter-60"])
@pytest.mark.parametrize("start_degC", [170.0, 190.0, 210.0])
def test_polyanion_and_prussian_blue_heat_themselves_below_1_K_per_min(name: str, start_degC: float) -> None:
    """As measured on cells of these families in a calorimeter, from the first self-heating on (Carter et al. 2025)."""
    assert 0.0 < adiabatic_K_per_min(name, start_degC) < 1.0


@pytest.mark.parametrize("name", ["lo-ev-12", "lo-ess-240", "lo-truck-100", "nmc811-12", "lfp-12"])
def test_other_cells_run_away_from_their_onset(name: str) -> None:
    """Layered oxide, NMC and LFP go from 1 K/min to more than 60 K/min within an hour."""
    runaway = cellfile.load(name)[1].runaway
    assert runaway is not None
    assert 60.0 < adiabatic_K_per_min(name, runaway.onset_degC)


def test_gas_of_a_cyanide_cathode_holds_hcn() -> None:
    """Both Prussian cells say so, no other does."""
    cells = [cellfile.load(name)[1] for name in files.shipped("cell")]
    assert {"pw-starter-60", "pba-natron"} == {cell.name for cell in cells if cell.runaway is not None and cell.runaway.hcn}
