"""The shipped layered-oxide cell against what was measured on such cells; the kernels run, the tables judge.

docs/cells/nfm-18650.md says what was measured, how, and what the figures here mean.
"""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stands import bare

from firmware_sim.types import F64
from hil.plant import cell as c
from hil.plant import cellfile, contactor, load
from hil.plant import pack as pk
from hil.plant.plant import Initial, Plant, build, empty_demand

ROOT = Path(__file__).resolve().parents[3]
TUB = ROOT / "tests" / "data" / "tub-sib-18650"
HAKADI = ROOT / "hil" / "recordings" / "hakadi-18650"
RECORDING = ROOT / "hil" / "scenarios" / "recordings" / "hakadi-1c-2-1.csv.gz"
PAGE = ROOT / "docs" / "cells" / "nfm-18650.md"
_, CELL = cellfile.load("nfm-18650")
TEMPS = (5, 15, 25, 35, 45)
ONE_C_A = 1.5


class Bench:
    """Cells at rest with closed contactors, driven by a current; n independent copies."""

    def __init__(
        self, dt_ms: int, temp_degC: float | F64 = 25.0, soc: float | F64 = 1.0, branch: float = 1.0, n: int = 1
    ) -> None:
        self.plant: Plant = build(
            bare(CELL, capacitance_F=1e-6, bleed_ohm=1e9), CELL, Initial(soc=1.0), dt_ms * 1_000_000, 0, n
        )
        self.t_ns = 0
        self.demand = empty_demand()
        self.demand[0, load.KIND] = load.CURRENT
        for main in (contactor.MAIN_PLUS, contactor.MAIN_MINUS):
            self.plant.block[contactor.CLOSED, :, main] = self.plant.block[contactor.COIL, :, main] = 1
        self.plant.cells[c.HYST] = branch
        self.plant.cells[c.TEMP_DEGC] = np.reshape(temp_degC, (-1, 1, 1))
        self.plant.pack_par[pk.COOLANT_DEGC] = temp_degC
        self.plant.settle()
        out_of_reach = 1.0 - self.plant.cells[c.REACH]
        share = out_of_reach + self.plant.cells[c.REACH] * np.reshape(soc, (-1, 1, 1))
        self.plant.cells[c.Q_AH] = share * self.plant.par[c.CAPACITY_AH]
        self.plant.settle()
        self.plant.pack[pk.LINK_V] = self.plant.pack[pk.PACK_V]

    def step(self, current_A: float) -> F64:
        """One tick at this current; the cells' voltages after it."""
        self.demand[0, load.VALUE] = current_A
        self.plant.step(self.t_ns, self.demand)
        self.t_ns += self.plant.dt_ns
        return self.plant.pack[pk.PACK_V]

    @property
    def charge_Ah(self) -> float:
        """Charge in cell 0."""
        return float(self.plant.cells[c.Q_AH, 0, 0, 0])


def table(name: str) -> list[dict[str, str]]:
    """Rows of a TUB table."""
    with (TUB / name).open(newline="", encoding="ascii") as text:
        return list(csv.DictReader(text))


def pulse_ohm() -> dict[tuple[str, str], tuple[float, float, float]]:
    """(degC, SOC label) to resistance of a simulated 1C pulse at 20 ms, 1 s and 10 s, taken as TUB did.

    A label holds one pulse of the discharge sweep and one of the charge sweep (0 %: the latter only), each from the
    rested voltage that was recorded, with the loop left in its middle by the pulses before; their mean is the table's median.
    """
    blocks = table("sib_pulse_blocks.csv")
    soc = [np.interp(float(b["rest_v"]), getattr(CELL.ocv, f"{b['branch']}_V"), CELL.ocv.soc) for b in blocks]
    temp_degC = np.array([float(b["t_set_c"]) for b in blocks])
    bench = Bench(10, temp_degC, np.array(soc), branch=0.0, n=len(blocks))
    rest_V = bench.plant.pack[pk.PACK_V].copy()
    ohm = np.zeros((len(blocks), 3))
    for tick in range(1, 1001):
        cell_V = bench.step(ONE_C_A)
        if tick in (2, 100, 1000):
            ohm[:, (2, 100, 1000).index(tick)] = (rest_V - cell_V) / ONE_C_A
    found: dict[tuple[str, str], list[F64]] = {}
    for block, row in zip(blocks, ohm, strict=True):
        found.setdefault((block["t_set_c"], block["soc_pct"]), []).append(row)
    return {key: tuple(np.mean(rows, axis=0).tolist()) for key, rows in found.items()}


@pytest.fixture(scope="module")
def simulated_ohm() -> dict[tuple[str, str], tuple[float, float, float]]:
    """Every pulse of the table, simulated once."""
    return pulse_ohm()


@pytest.mark.parametrize("temp_degC", TEMPS)
def test_ten_second_resistance_is_the_measured_one_from_10_to_100_percent(temp_degC, simulated_ohm):
    """The 10 s resistance of a 1C discharge pulse lies within 5 % of the table at every SOC from 10 to 100 %."""
    for row in table("sib_pulse_resistance_1C_mohm.csv"):
        if row["dir"] == "discharge" and int(row["t_set_c"]) == temp_degC and int(row["soc_pct"]) >= 10:
            simulated = simulated_ohm[row["t_set_c"], row["soc_pct"]][2]
            assert simulated == pytest.approx(float(row["r_10s"]) * 1e-3, rel=0.05), f"{row['soc_pct']} % SOC"


@pytest.mark.parametrize(("column", "at"), [("r_fast", 0), ("r_1s", 1)])
def test_first_second_of_a_pulse_is_the_measured_one(column, at, simulated_ohm):
    """Resistance after 20 ms and after 1 s lies within 5 % of the table at every SOC and temperature."""
    for row in table("sib_pulse_resistance_1C_mohm.csv"):
        if row["dir"] == "discharge":
            simulated = simulated_ohm[row["t_set_c"], row["soc_pct"]][at]
            assert simulated == pytest.approx(float(row[column]) * 1e-3, rel=0.05), f"{row['t_set_c']} degC, {row['soc_pct']} %"


@pytest.mark.parametrize("row", table("sib_protocol.csv"), ids=lambda row: f"{row['t_set_c']}degC")
def test_checkup_discharge_gives_the_measured_charge(row):
    """105 segments at 1C, each ended by its time or by 1.5 V and followed by 6 min of rest, give TUB's charge within 2 %."""
    bench = Bench(250, float(row["t_set_c"]))
    full_Ah = bench.charge_Ah
    for _ in range(int(row["n_segments"])):
        for _ in range(round(float(row["segment_s"]) * 4)):
            if bench.step(ONE_C_A)[0] < 1.5:
                break
        for _ in range(6 * 60 * 4):
            bench.step(0.0)
    assert full_Ah - bench.charge_Ah == pytest.approx(float(row["q_dis_ah"]), rel=0.02)


def test_load_lowers_the_voltage_of_a_42_s_segment_as_measured():
    """From 15 to 85 % SOC at 25 degC the mean voltage under 1C lies under the rest after it by what was measured, +-6 mV."""
    segments = {int(row["index"]): row for row in table("sib_segments_25C.csv")}
    bench = Bench(250)
    for index in range(75):
        loaded_V = np.mean([bench.step(ONE_C_A)[0] for _ in range(170)])
        for _ in range(6 * 60 * 4):
            rested_V = bench.step(0.0)[0]
        if index in segments and 0.15 < bench.charge_Ah / CELL.capacity_Ah < 0.85:
            measured_V = float(segments[index]["rest_after_v"]) - float(segments[index]["mean_loaded_v"])
            assert rested_V - loaded_V == pytest.approx(measured_V, abs=0.006), f"segment {index}"


def test_capacity_is_the_charge_of_the_slowest_measured_discharge_at_25_degC():
    """The capacity that SOC counts in is TUB's 1.5735 Ah, not a nominal one."""
    assert next(float(r["q_dis_ah"]) for r in table("sib_protocol.csv") if r["t_set_c"] == "25") == CELL.capacity_Ah


@pytest.mark.parametrize(("branch", "name"), [(-1.0, "discharge"), (1.0, "charge")])
def test_rested_voltage_follows_the_measured_branch(branch, name):
    """From 5 to 95 % SOC a cell at rest shows the measured voltage within 20 mV, on the branch it came by."""
    rows = [row for row in table("sib_ocv_25C.csv") if row["branch"] == name]
    total_Ah = {"discharge": 1.57345, "charge": 1.43599}[name]
    for row in rows:
        passed = float(row["q_ah"]) / total_Ah
        soc = 1.0 - passed if name == "discharge" else passed
        if 0.05 <= soc <= 0.95:
            assert Bench(1000, 25.0, soc, branch).plant.pack[pk.PACK_V, 0] == pytest.approx(float(row["ocv_v"]), abs=0.02)


def test_cold_takes_charge_out_of_reach_and_gives_it_back():
    """A cell emptied at 5 degC shows 14 % SOC more than empty once it is warm: nothing was lost."""
    bench = Bench(1000, 5.0, 0.0)
    cold_V = bench.plant.pack[pk.PACK_V, 0]
    bench.plant.cells[c.TEMP_DEGC] = 25.0
    bench.plant.settle()
    assert bench.charge_Ah / CELL.capacity_Ah == pytest.approx(0.14, abs=0.01)
    assert bench.plant.pack[pk.PACK_V, 0] > cold_V + 0.4


def legs(name: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Seconds of the discharge of a Hakadi run, and of the recharge after it."""
    with gzip.open(HAKADI / f"{name}.csv.gz", "rt", encoding="ascii", newline="") as text:
        rows = list(csv.DictReader(text))
    down = [row for row in rows if row["mode"] == "3"]
    return down, [row for row in rows if row["mode"] == "1" and float(row["time_s"]) > float(down[-1]["time_s"])]


def rmse_mV(name: str) -> tuple[float, float, float]:
    """RMS error of voltage of a discharge, its recharge, and both, driven by the recorded current.

    The capacity is one number: the charge of the run's discharge, so SOC is the share of the run's own throughput. In
    the recharge the charge axis is stretched so that it gives back what was taken, because the recorder's sensor drifts.
    """
    down, up = ([(float(row["voltage_V"]), float(row["current_A"])) for row in leg] for leg in legs(name))
    taken_Ah, given_Ah = sum(i for _, i in down) / 3600.0, -sum(i for _, i in up) / 3600.0
    bench = Bench(1000)
    bench.plant.par[c.CAPACITY_AH] = bench.plant.cells[c.Q_AH] = taken_Ah
    down_V = [bench.step(i)[0] - v for v, i in down]
    bench.plant.par[c.CAPACITY_AH] *= given_Ah / taken_Ah
    bench.plant.cells[c.Q_AH] *= given_Ah / taken_Ah
    up_V = [bench.step(i)[0] - v for v, i in up]
    return tuple(1e3 * float(np.sqrt(np.mean(np.square(part)))) for part in (down_V, up_V, down_V + up_V))


def stated_mV() -> dict[str, tuple[float, ...]]:
    """The table of docs/cells/nfm-18650.md: run to discharge, recharge, both."""
    rows = re.findall(
        r"^\| `(\S+)` \|.*\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: tuple(map(float, numbers)) for name, *numbers in rows}


def test_every_recorded_run_is_in_the_documented_table():
    """The page states a figure for each run that is shipped, and for no other."""
    assert {path.name.removesuffix(".csv.gz") for path in HAKADI.glob("*.csv.gz")} == set(stated_mV())


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".csv.gz") for path in HAKADI.glob("*.csv.gz")))
def test_voltage_error_on_a_recorded_run_is_the_documented_one(name):
    """Driven by a recorded current, the cell's voltage errs by what the page states, within 1 mV."""
    assert stated_mV()[name] == pytest.approx(rmse_mV(name), abs=1.0)


def test_reduced_run_comes_from_the_full_recording(tmp_path):
    """The tool that made tests/data makes the same rows from the full-rate run that is shipped."""
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(RECORDING, source / "static_test_1c-2-1.csv.gz")
    tool = [sys.executable, str(ROOT / "tools" / "reduce_hakadi.py"), str(source), str(tmp_path)]
    subprocess.run(tool, check=True, capture_output=True, timeout=60)
    made, kept = tmp_path / "1c-2-1.csv.gz", HAKADI / "1c-2-1.csv.gz"
    assert gzip.decompress(kept.read_bytes()) == gzip.decompress(made.read_bytes())


@pytest.mark.parametrize("tool", ["fit_nfm.py", "fit_belief.py"])
def test_files_are_what_the_fit_gives(tool):
    """Fitting again from tests/data gives the cell file and the belief, number for number."""
    command = [sys.executable, str(ROOT / "tools" / tool), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
