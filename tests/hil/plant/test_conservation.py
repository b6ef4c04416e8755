"""CellContract over every cell file, and what the plant may neither make nor lose: charge, energy, heat.

The oracles are sums and closed forms over the numbers of the files; they share no code with the kernels. The fit of the
shipped cell to what was measured is in test_nfm_cell.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stands import Stand, bare

from hil import files
from hil.plant import cell as c
from hil.plant import cellfile, contactor, load
from hil.plant import pack as pk
from hil.plant.cellfile import Cell
from hil.plant.plant import Initial, build

WLTP = files.folder("scenario") / "profiles" / "wltp_power.csv"
ZERO_DEGC_K = 273.15


def drive_and_charge(cell: Cell) -> list[float]:
    """Currents of ticks of 100 ms: four minutes of the drive cycle up to 2C, then four minutes of charging at C/2 [A]."""
    with WLTP.open(newline="", encoding="utf-8") as text:
        power = [float(row[1]) for row in list(csv.reader(text))[1:]]
    part = power[20:260]
    scale = 2.0 * cell.capacity_Ah / max(map(abs, part))
    return [scale * p for p in part for _ in range(10)] + [-0.5 * cell.capacity_Ah] * 2400


def resampled(cell: Cell, soc: list[float], values: list[float], x: float) -> float:
    """A table of a cell file at x, through the grid of half per cents that the plant uses, by NumPy alone."""
    grid = -0.25 + 0.005 * np.arange(301)
    return float(np.interp(x, grid, np.interp(grid, soc, values)))


def mean_V(cell: Cell, x: float) -> float:
    """Mean of both branches at a state of charge inside 0..1, at 25 degC."""
    middle = [0.5 * (low + high) for low, high in zip(cell.ocv.discharge_V, cell.ocv.charge_V, strict=True)]
    return resampled(cell, cell.ocv.soc, middle, x)


class CellContract:
    """Of one cell file; a class that inherits it gives the fixture `cell`."""

    @pytest.mark.parametrize("branch", [-1.0, 1.0])
    @pytest.mark.parametrize("temp_degC", [-20.0, 5.0, 25.0, 45.0])
    def test_rested_voltage_rises_with_charge(self, cell: Cell, branch: float, temp_degC: float) -> None:
        """On either branch, at any temperature, a fuller cell has the higher voltage, up to 2 % above full.

        What cannot be reached in the cold rests at the empty voltage.
        """
        n = 1021
        plant = build(bare(cell), cell, Initial(soc=1.0, temp_degC=temp_degC), 100_000_000, 0, n)
        plant.cells[c.HYST] = branch
        plant.cells[c.Q_AH, :, 0, 0] = cell.capacity_Ah * np.linspace(0.0, 1.02, n)
        plant.settle()
        soc, rise_V = np.linspace(0.0, 1.02, n)[1:], np.diff(plant.cells[c.OCV_V, :, 0, 0])
        empty = 1.0 - float(np.interp(temp_degC, cell.reach.temp_degC, cell.reach.share))
        assert 0.0 < rise_V[soc > empty].min()
        assert [0.0] * int((soc <= empty).sum()) == pytest.approx(list(rise_V[soc <= empty]), abs=1e-12)

    def test_rested_voltage_is_that_of_the_file(self, cell: Cell) -> None:
        """At each SOC of the table, at 25 degC, discharge and charge branch read what the file says."""
        for branch, column in ((-1.0, cell.ocv.discharge_V), (1.0, cell.ocv.charge_V)):
            plant = build(bare(cell), cell, Initial(soc=1.0), 100_000_000, 0, len(column))
            plant.cells[c.HYST] = branch
            plant.cells[c.Q_AH, :, 0, 0] = cell.capacity_Ah * np.array(cell.ocv.soc)
            plant.settle()
            wanted = [resampled(cell, cell.ocv.soc, column, x) for x in cell.ocv.soc]
            assert wanted == pytest.approx(plant.pack[pk.PACK_V], abs=1e-9)

    def test_charge_is_neither_made_nor_lost(self, cell: Cell) -> None:
        """Over a drive and a charge a cell loses the sum of current times time, and the counter at its terminals says so."""
        currents, stand = drive_and_charge(cell), Stand(bare(cell), cell, 100)
        before_Ah = float(stand.cell(c.Q_AH)[0, 0])
        for current_A in currents:
            stand.step(current_A)
        taken_Ah = math.fsum(i * stand.dt_s / 3600.0 for i in currents)
        moved_Ah = math.fsum(abs(i) * stand.dt_s / 3600.0 for i in currents)
        assert before_Ah - float(stand.cell(c.Q_AH)[0, 0]) == pytest.approx(taken_Ah, abs=1e-9 * moved_Ah)
        assert float(stand.plant.pack[pk.CHARGE_AH, 0]) == pytest.approx(taken_Ah, abs=1e-9 * moved_Ah)

    def test_energy_is_neither_made_nor_lost(self, cell: Cell) -> None:
        """What leaves the cell's chemistry is delivered at its terminals or becomes heat, entropic heat included.

        Chemistry gives the integral of U - T dU/dT over the charge, with U the mean of both branches of the file.
        """
        currents, stand = drive_and_charge(cell)[::5], Stand(bare(cell), cell, 10)
        stand.isothermal()
        stand.plant.par[c.LEAK_SCALE] = 0.0
        charge_As = 3600.0 * 0.6 * cell.capacity_Ah
        chemical, delivered, heat = [], [], []
        dudt = [1e-3 * slope for slope in cell.entropy.dudt_mV_per_K]
        grid = -0.25 + 0.005 * np.arange(301)
        enthalpy_V = np.array(
            [mean_V(cell, x) - (25.0 + ZERO_DEGC_K) * resampled(cell, cell.entropy.soc, dudt, x) for x in grid]
        )
        so_far = np.concatenate([[0.0], np.cumsum(0.0025 * (enthalpy_V[1:] + enthalpy_V[:-1]))])

        def content(x: float) -> float:
            """Integral of a piecewise linear function, from -0.25 to x."""
            at = int((x + 0.25) / 0.005)
            part = x - grid[at]
            slope = (enthalpy_V[at + 1] - enthalpy_V[at]) / 0.005
            return float(so_far[at] + part * (enthalpy_V[at] + 0.5 * slope * part))

        for current_A in currents:
            stand.step(current_A)
            before = content(charge_As / 3600.0 / cell.capacity_Ah)
            charge_As -= current_A * stand.dt_s
            chemical.append(3600.0 * cell.capacity_Ah * (before - content(charge_As / 3600.0 / cell.capacity_Ah)))
            delivered.append(float(stand.plant.pack[pk.PACK_V, 0]) * current_A * stand.dt_s)
            heat.append(float(stand.cell(c.HEAT_W)[0, 0]) * stand.dt_s)
        moved_J = math.fsum(map(abs, chemical))
        assert math.fsum(chemical) == pytest.approx(math.fsum(delivered) + math.fsum(heat), abs=1e-9 * moved_J)
        assert 1e-3 * moved_J < math.fsum(map(abs, heat))

    def test_heat_is_neither_made_nor_lost(self, cell: Cell) -> None:
        """Without a coolant the heat of all cells of a string warms them, wherever it flows between them.

        A cell of little resistance may end colder than it began: charging takes the entropic part in.
        """
        stand = Stand(bare(cell, series=3), cell, 100)
        stand.plant.par[c.COOLING] = 0.0
        stand.plant.par[c.R_SCALE, 0, 0] = [1.0, 4.0, 0.5]
        stand.plant.settle()
        produced = []
        for current_A in drive_and_charge(cell)[::4]:
            stand.step(current_A)
            produced.append(float(stand.cell(c.HEAT_W).sum()) * stand.dt_s)
        warmed_J = math.fsum(cell.thermal.heat_capacity_J_per_K * (stand.cell(c.TEMP_DEGC)[0] - 25.0))
        assert math.fsum(produced) == pytest.approx(warmed_J, rel=1e-9)
        low, middle, high = sorted(stand.cell(c.TEMP_DEGC)[0])
        assert low < middle < high

    def test_a_warm_cell_cools_exponentially(self, cell: Cell) -> None:
        """At rest the distance to the coolant decays with heat capacity over conductance, within 0.1 % of the start."""
        stand = Stand(bare(cell), cell, 100)
        stand.plant.cells[c.TEMP_DEGC] = 45.0
        tau_s = cell.thermal.heat_capacity_J_per_K / cell.thermal.coolant_W_per_K
        for k in range(1, 3001):
            stand.step(0.0)
            if k % 500 == 0:
                expected = 25.0 + 20.0 * math.exp(-k * stand.dt_s / tau_s)
                assert expected == pytest.approx(float(stand.cell(c.TEMP_DEGC)[0, 0]), abs=0.02)

    def test_a_current_step_gives_the_closed_form_of_its_rc_pairs(self, cell: Cell) -> None:
        """V = U - I R0 - the sum of I R (1 - exp(-t/tau)) over the pairs, then their decay at rest.

        A cell so large that its SOC stands still, at a SOC and a temperature that the table has; without kinetics.
        """
        cell = cell.model_copy(update={"rate": None})
        r, current_A, soc = cell.resistance, 1.0, cell.resistance.soc[len(cell.resistance.soc) // 2]
        row = r.temp_degC.index(25.0)
        r0, r1, r2 = (table[row][len(r.soc) // 2] for table in (r.r0_ohm, r.r1_ohm, r.r2_ohm))
        stand = Stand(bare(cell), cell, 10, soc=soc)
        stand.isothermal()
        stand.plant.par[c.CAPACITY_AH] *= 1e12
        stand.plant.cells[c.Q_AH] *= 1e12
        stand.plant.settle()
        rest_V = mean_V(cell, soc)
        ohm_and_tau_s = [(r1, r.tau1_s), (r2, r.tau2_s)]
        if cell.slow is not None:
            ohm_and_tau_s.append((cell.slow.r3_share * r2, cell.slow.tau3_s))
        loaded = 500
        for k in range(1, 1001):
            stand.step(current_A if k <= loaded else 0.0)
            t_s, since_s = min(k, loaded) * stand.dt_s, max(k - loaded, 0) * stand.dt_s
            pairs = [ohm * (1.0 - math.exp(-t_s / tau)) * math.exp(-since_s / tau) for ohm, tau in ohm_and_tau_s]
            expected_V = rest_V - current_A * ((r0 if k <= loaded else 0.0) + sum(pairs))
            assert expected_V == pytest.approx(float(stand.plant.pack[pk.PACK_V, 0]), rel=1e-9)


def ageless(cell: Cell) -> Cell:
    """The cell without ageing and leak, so that sums over minutes close to 1e-9; test_extras has those two."""
    return cell.model_copy(update={"ageing": None, "self_discharge": None})


def timeless(name: str) -> Cell:
    """A shipped cell, ageless."""
    return ageless(cellfile.load(name)[1])


@pytest.mark.parametrize("cell", [timeless(name) for name in files.shipped("cell")], ids=list(files.shipped("cell")))
class TestEveryCell(CellContract):
    """Every shipped cell file."""


# ---- the pack around the cells

CELL = timeless("nfm-18650")


def source(stand: Stand) -> float:
    """Make the cells of a stand a voltage source without resistance; its voltage [V]."""
    stand.isothermal()
    stand.plant.par[c.R_SCALE] = 1e-12
    stand.plant.par[c.CAPACITY_AH] *= 1e12
    stand.plant.cells[c.Q_AH] *= 1e12
    stand.plant.settle()
    return float(stand.plant.pack[pk.PACK_V, 0])


def test_precharge_is_an_exponential_and_its_charge_the_integral() -> None:
    """V(t) = V_end (1 - exp(-t/tau)) through 50 ohm into capacitor and bleed; the charge is the integral of (E - V) / R."""
    ohm, farad, bleed = 50.0 + 1e-6, 2e-3, 1e4
    stand = Stand(bare(CELL, 16, capacitance_F=farad, bleed_ohm=bleed), CELL, 10, closed=False)
    emf_V = source(stand)
    for which in (contactor.MAIN_MINUS, contactor.PRECHARGE):
        stand.close(which)
    end_V = emf_V * bleed / (bleed + ohm)
    tau_s = farad * ohm * bleed / (bleed + ohm)
    for k in range(1, 101):
        stand.step()
        t_s = k * stand.dt_s
        assert end_V * (1.0 - math.exp(-t_s / tau_s)) == pytest.approx(float(stand.plant.pack[pk.LINK_V, 0]), rel=1e-9)
        charge_As = ((emf_V - end_V) * t_s + end_V * tau_s * (1.0 - math.exp(-t_s / tau_s))) / ohm
        assert charge_As / 3600.0 == pytest.approx(float(stand.plant.pack[pk.CHARGE_AH, 0]), rel=1e-9)


def test_an_open_link_decays_through_its_bleed_resistor() -> None:
    """V(t) = V0 exp(-t / (R C)), but for what an open contact leaks through 1e12 ohm; no charge leaves the cells."""
    stand = Stand(bare(CELL, 16, capacitance_F=2e-3, bleed_ohm=1e3), CELL, 10, closed=False)
    stand.plant.pack[pk.LINK_V] = 48.0
    before_Ah = stand.cell(c.Q_AH).copy()
    leak_V = float(stand.plant.pack[pk.PACK_V, 0]) * 1e3 / 1e12
    for k in range(1, 301):
        stand.step()
        expected_V = 48.0 * math.exp(-k * stand.dt_s / 2.0)
        assert expected_V == pytest.approx(float(stand.plant.pack[pk.LINK_V, 0]), rel=1e-9, abs=leak_V)
    assert before_Ah == pytest.approx(stand.cell(c.Q_AH), rel=1e-9)


def test_charge_of_cells_load_and_link_adds_up_while_contacts_move() -> None:
    """Main plus opens inside a tick under load and closes again: cells give what load and capacitor took, to 1e-9."""
    farad = 1e-3
    stand = Stand(bare(CELL, 16, capacitance_F=farad, bleed_ohm=1e15), CELL, 10)
    before_Ah, link_V = float(stand.cell(c.Q_AH)[0, 3]), float(stand.plant.pack[pk.LINK_V, 0])
    taken = []
    for k in range(300):
        if k in (100, 200):
            contactor.drive(stand.plant.block, 0, contactor.MAIN_PLUS, int(k == 200), stand.t_ns + 3_300_000)
        stand.step(2.0)
        taken.append(float(stand.plant.pack[pk.LOAD_A, 0]) * stand.dt_s)
    moved_As = math.fsum(taken) + farad * (float(stand.plant.pack[pk.LINK_V, 0]) - link_V)
    given_As = 3600.0 * (before_Ah - float(stand.cell(c.Q_AH)[0, 3]))
    assert moved_As == pytest.approx(given_As, rel=1e-9)
    assert 2.0 * stand.dt_s * 199 < math.fsum(taken) < 2.0 * stand.dt_s * 202


def test_cells_of_a_string_lose_the_same_charge() -> None:
    """In series there is one current; unequal cells do not share it unequally."""
    stand = Stand(bare(CELL, 8), CELL, 100)
    stand.plant.par[c.CAPACITY_AH, 0, 0] *= np.linspace(0.9, 1.1, 8)
    stand.plant.par[c.R_SCALE, 0, 0] = np.linspace(0.5, 2.0, 8)
    stand.plant.settle()
    before_Ah = stand.cell(c.Q_AH).copy()
    for current_A in drive_and_charge(CELL)[::10]:
        stand.step(current_A)
    lost_Ah = (before_Ah - stand.cell(c.Q_AH))[0]
    assert np.full(8, lost_Ah[0]) == pytest.approx(lost_Ah, rel=1e-9)


def test_strings_in_parallel_exchange_charge_and_lose_none() -> None:
    """Two strings at 50 and 70 % SOC without a load: what one gives the other takes, until they meet."""
    stand = Stand(bare(CELL, 4, strings=2), CELL, 100)
    stand.plant.cells[c.Q_AH, 0, 0], stand.plant.cells[c.Q_AH, 0, 1] = 0.5 * CELL.capacity_Ah, 0.7 * CELL.capacity_Ah
    stand.plant.settle()
    stand.plant.pack[pk.LINK_V] = stand.plant.pack[pk.PACK_V]
    total_Ah = math.fsum(stand.cell(c.Q_AH)[:, 0])
    apart_Ah = [float(stand.cell(c.Q_AH)[1, 0] - stand.cell(c.Q_AH)[0, 0])]
    for _ in range(1200):
        stand.step(0.0)
        assert 0.0 == pytest.approx(float(stand.plant.strings[pk.STRING_MEAN_A, 0].sum()), abs=1e-9)
        apart_Ah.append(float(stand.cell(c.Q_AH)[1, 0] - stand.cell(c.Q_AH)[0, 0]))
    assert total_Ah == pytest.approx(math.fsum(stand.cell(c.Q_AH)[:, 0]), rel=1e-9)
    assert 0.0 > np.diff(apart_Ah).max()
    assert 0.8 * apart_Ah[0] > apart_Ah[-1] > 0.0


# ---- sources

PARAMETER_FILES = [path for kind in ("cell", "pack", "calibration") for path in files.shipped(kind).values()]


def tables(data: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table of a file below its top level, rows of arrays of tables included."""
    for key, value in data.items():
        rows = value if isinstance(value, list) else [value]
        for n, row in enumerate(rows):
            if isinstance(row, dict):
                here = f"{name}{key}" + (f"[{n}]" if isinstance(value, list) else "")
                yield here, row
                yield from tables(row, f"{here}.")


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.stem)
def test_every_table_says_where_its_numbers_come_from(path: Path) -> None:
    """A table of numbers has a source: a document, a tool, or the word assumption with what is assumed."""
    found = dict(tables(files.read_toml(path)))
    inner = {name for name in found if name.startswith("sensors.")}  # one source for all sensors of a pack
    inner |= {name for name, table in found.items() if {"first", "last"} <= set(table)}  # a group only says which cells
    assert 8 <= len(found)
    for name, table in found.items():
        if name not in inner:
            assert 12 <= len(str(table.get("source", "")).strip()), f"{path.name}: [{name}]"


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.stem)
def test_what_is_assumed_is_called_so(path: Path) -> None:
    """Confidence is one of five words; a source that speaks of nothing but an assumption has that word as confidence."""
    words = {"measured", "fitted", "datasheet", "literature", "assumption"}
    for name, table in tables(files.read_toml(path)):
        if "confidence" in table:
            assert table["confidence"] in words, name
            assert not table["source"].startswith("assumption") or table["confidence"] == "assumption", name


@pytest.mark.parametrize(("closed", "current_A"), [(True, 1e4), (False, 0.5)])
def test_a_load_cannot_pull_the_link_below_zero(closed: bool, current_A: float) -> None:
    """Behind open contactors it takes the capacitor's charge and no more; behind closed ones the short-circuit current."""
    cell = cellfile.load("nfm-18650")[1]
    stand = Stand(bare(cell, capacitance_F=1e-3), cell, 10, closed=closed)
    stand.demand[0, load.ALWAYS] = 1.0
    pack = stand.plant.pack
    pack[pk.LINK_V] = start_V = float(pack[pk.PACK_V, 0])
    drawn_As = 0.0
    for _ in range(20):
        stand.step(current_A)
        assert pack[pk.LINK_V, 0] >= 0.0
        drawn_As += float(pack[pk.LOAD_A, 0]) * stand.dt_s
    assert 0.0 == pack[pk.LINK_V, 0]
    given_As = float(pack[pk.CHARGE_AH, 0]) * 3600.0 + 1e-3 * start_V
    assert given_As == pytest.approx(drawn_As, rel=1e-9)
