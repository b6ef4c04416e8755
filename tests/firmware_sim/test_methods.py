"""What every way to estimate SOC keeps, whatever it is: it is chosen by a line, stays in bounds, and comes to the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import method_runs
import numpy as np
import pytest
from rigs import Device

from firmware_sim import settings as cfg
from firmware_sim import state as st
from hil import calibration, files
from hil.calibration_tables import Filter
from hil.errors import ScenarioError

COMPARED = ("counting", "ocv", "ekf", "ukf")


def with_method(folder: Path, method: str) -> str:
    """A copy of a shipped calibration with this line in [filter]."""
    text = files.shipped("calibration")["nfm-16s"].read_text(encoding="utf-8")
    head, _, tail = text.partition("\n[filter]\n")
    before, rest, after = tail.partition("\n\n")
    kept = [line for line in before.splitlines() if not line.startswith("method")]
    path = folder / f"nfm-16s-{method}.toml"
    path.write_text(f"{head}\n[filter]\n" + "\n".join([f'method = "{method}"', *kept]) + rest + after, encoding="utf-8")
    return str(path)


def after_a_load(calibration_path: str) -> Device:
    """A device 10 s after a load came on that took its cells to 2.7 V."""
    device = Device(calibration_path).driving()
    device.set("Shunt_Current", 2.0)
    device.cells(2.7)
    device.tick(1000)
    return device


@pytest.mark.compiled_only
def test_a_line_of_the_calibration_chooses_the_method(tmp_path: Path) -> None:
    """Every method comes to a SOC of its own from the same frames, and that is what it sends."""
    found = {}
    for n, method in enumerate(cfg.METHODS):
        device = after_a_load(with_method(tmp_path, method))
        assert n == device.settings.whole[cfg.METHOD]
        z = device.dut.state.cell[st.Z, 0]
        assert 100.0 * z.min() == pytest.approx(device.read("BMS_SocMin"), abs=0.06)
        found[method] = float(z[0])
    assert len(cfg.METHODS) == len(set(found.values()))


@pytest.mark.compiled_only
def test_on_the_wire_a_counter_counts_and_a_table_is_read(tmp_path: Path) -> None:
    """From 3.0 V at rest to 2.7 V under load: the counter moves by the charge alone, the table by the voltage."""
    device = Device(with_method(tmp_path, "counting")).driving()
    before = device.read("BMS_SocMin")
    device = after_a_load(with_method(tmp_path, "counting"))
    counted = 100.0 * 2.0 * 10.0 / 3600.0 / device.calibration.model.capacity_Ah
    assert before - counted == pytest.approx(device.read("BMS_SocMin"), abs=0.06)
    assert before - 1.0 > after_a_load(with_method(tmp_path, "ocv")).read("BMS_SocMin")


@pytest.mark.parametrize(("wrong", "near"), [("efk", "ekf"), ("ukf2", "ukf"), ("countin", "counting"), ("EKF", "ekf")])
def test_a_method_that_does_not_exist_gives_one_error_with_the_nearest(tmp_path: Path, wrong: str, near: str) -> None:
    """One sentence: the key, what stands there, every name, the nearest."""
    with pytest.raises(ScenarioError) as caught:
        calibration.load(with_method(tmp_path, wrong))
    (problem,) = caught.value.problems
    assert f'filter.method: found "{wrong}"; expected one of ' in problem
    assert all(f'"{name}"' in problem for name in cfg.METHODS)
    if wrong != "EKF":
        assert problem.endswith(f'did you mean "{near}"?')


def test_a_file_may_name_every_method_of_the_firmware_and_no_other() -> None:
    """Two lists in two packages: the names of the file's key, and those of the kernels' numbers."""
    assert cfg.METHODS == get_args(Filter.model_fields["method"].annotation)
    numbers = {name.replace("-", "_").upper(): n for n, name in enumerate(cfg.METHODS)}
    assert numbers == {name: getattr(cfg, name) for name in numbers}


@pytest.mark.parametrize("method", cfg.METHODS)
def test_no_reading_leads_out_of_bounds(method: str) -> None:
    """Sensors that jump from end to end: SOC stays within 0..1, the band is a band, and nothing is NaN."""
    estimator, beliefs = method_runs.run(method, method_runs.readings())
    for block in (beliefs.soc, beliefs.available, beliefs.band):
        assert np.isfinite(block).all()
    assert 0.0 <= beliefs.soc.min() <= beliefs.soc.max() <= 1.0
    assert 0.0 <= beliefs.available.min() <= beliefs.available.max() <= 1.0
    assert (beliefs.band > 0.0).all()
    assert np.isfinite(estimator.cell).all()


@pytest.mark.compiled_only
@pytest.mark.parametrize("method", cfg.METHODS)
def test_no_frame_leads_out_of_bounds(tmp_path: Path, method: str) -> None:
    """The same over the wire, from end to end of what a signal can say."""
    device = Device(with_method(tmp_path, method)).standby()
    names = ("BMS_Soc", "BMS_SocMin", "BMS_SocMax", "BMS_AvailableSoc")
    for volt, current_A, temp_degC in [(0.0, 300.0, 25.0), (5.0, -300.0, -40.0), (0.0, -300.0, 80.0), (3.0, 0.0, 25.0)] * 3:
        device.cells(volt)
        device.set("Shunt_Current", current_A)
        device.temperatures(temp_degC)
        device.tick(100)
        assert all(0.0 <= device.read(name) <= 100.0 for name in names)
        assert device.read("BMS_SocBand") > 0.0
    assert np.isfinite(device.dut.state.cell).all()


@pytest.mark.parametrize("method", cfg.METHODS)
def test_a_pack_of_a_batch_is_that_pack_alone(method: str) -> None:
    """Three packs in one call, and each by itself: equal state and beliefs, bit for bit."""
    told = method_runs.readings()
    together, said = method_runs.run(method, told)
    for p in range(method_runs.PACKS):
        alone, heard = method_runs.run(method, method_runs.of_pack(told, p))
        np.testing.assert_array_equal(together.cell[:, p : p + 1], alone.cell)
        for name, block in vars(said).items():
            np.testing.assert_array_equal(block[:, p : p + 1], getattr(heard, name), err_msg=name)
    assert len({together.cell[:, p].tobytes() for p in range(method_runs.PACKS)}) == method_runs.PACKS


@pytest.mark.compiled_only
def test_interpreted_ends_where_compiled_ends() -> None:
    """Plain Python, in a process of its own, comes to the same bits for every method."""
    done = subprocess.run(
        [sys.executable, method_runs.__file__],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {method: method_runs.digest(method) for method in cfg.METHODS} == json.loads(done.stdout)


@pytest.mark.parametrize("method", COMPARED)
def test_what_a_method_does_not_estimate_is_as_the_calibration_says(method: str) -> None:
    """Capacity and resistance as in the tables, no error of the current: what follows from SOC may rely on these rows."""
    estimator, beliefs = method_runs.run(method, method_runs.readings())
    assert (beliefs.capacity_share == 1.0).all()
    assert (beliefs.resistance_scale == 1.0).all()
    assert (estimator.cell[st.BIAS_A] == 0.0).all()


@pytest.mark.parametrize("method", cfg.METHODS)
def test_a_told_start_is_where_it_starts(method: str) -> None:
    """Told 70 % and how sure, before a first tick without current: SOC and band are those, whatever the voltage is worth."""
    estimator = method_runs.Estimator(calibration.load("nfm-16s")[1], 1, 1, method)
    estimator.start(0.7, 0.03)
    still = method_runs.Readings(
        np.zeros((1, 1)), np.full((1, 1, 1), 3.505), np.full((1, 1, 1), 25.0), np.ones((1, 1, 1), np.uint8)
    )
    beliefs = estimator.run(still)
    assert 0.7 == pytest.approx(beliefs.soc[0, 0, 0], abs=0.002)
    # the band is that of the start until the cell has its turn, once a second
    floor = calibration.load("nfm-16s")[1].filter.changed(method).figures()["band_floor"]
    assert 1.96 * np.sqrt(0.03**2 + floor**2) == pytest.approx(beliefs.band[0, 0, 0], rel=0.02)
