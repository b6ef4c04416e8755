"""Estimators of other packages beside ours: what they are given, what comes back, and what a user is told when one fails."""

import importlib
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hil import calibration
from hil.dut.estimator import Readings
from hil.errors import BenchError
from hil.score import peers
from hil.score.peers.workers.circuit import Circuit, Given, Loop
from hil.score.peers.workers.filterpy_ekf import Ekf

WORKERS = Path(__file__).parent / "peer_workers"
COUNTING = peers.Peer("numpy", "counting", folder=WORKERS)
S_NS = 1_000_000_000


@pytest.fixture(scope="module")
def beliefs():
    """The calibration of the sodium truck pack."""
    return calibration.load("nfm-16s")[1]


def readings(current_A, cell_V, temp_degC=25.0, fresh=None):
    """Readings of one cell in each of n packs. current_A: (tick, pack)."""
    current_A = np.asarray(current_A, float)
    shape = (*current_A.shape, 1)
    seen = np.ones(shape, np.uint8) if fresh is None else np.asarray(fresh, np.uint8).reshape(shape)
    volt = np.broadcast_to(np.asarray(cell_V, float), current_A.shape).reshape(shape)
    return Readings(current_A, volt, np.full(shape, temp_degC), seen)


def test_a_peer_that_counts_gives_the_charge_that_went(beliefs):
    """SOC falls by current times time over capacity, for each pack from its own start; discharge is positive."""
    amps = np.tile([1.5, -0.3], (60, 1))
    soc = peers.run(COUNTING, sys.executable, readings(amps, 3.0), beliefs, np.array([0.9, 0.2]), 0.02, S_NS)
    minutes = np.arange(1, 61)[:, None]
    assert [0.9, 0.2] - minutes / 3600 * [1.5, -0.3] / beliefs.model.capacity_Ah == pytest.approx(soc, abs=1e-12)


def test_chunks_of_readings_give_what_one_gives(beliefs):
    """The peer goes on where it was."""
    amps = np.linspace(-1, 2, 50)[:, None]
    whole = peers.run(COUNTING, sys.executable, readings(amps, 3.0), beliefs, 0.5, 0.02, S_NS)
    device = peers.PeerDevice(COUNTING, sys.executable, beliefs, 1, S_NS)
    device.start(0.5, 0.02)
    parts = [device.run(readings(amps[k : k + 10], 3.0)).soc[:, :, 0] for k in range(0, 50, 10)]
    assert whole[:, 0] == pytest.approx(np.concatenate(parts)[:, 0], abs=1e-12)


def test_fast_ticks_become_steps_of_a_second_whose_belief_stands_until_the_next(beliefs):
    """Ticks of 100 ms: the mean current counts; within the first second the start stands."""
    amps = np.arange(25.0)[:, None]
    soc = peers.run(COUNTING, sys.executable, readings(amps, 3.0), beliefs, 0.5, 0.02, S_NS // 10)
    per_A = 1 / (3600 * beliefs.model.capacity_Ah)
    assert [0.5] * 9 + [0.5 - 4.5 * per_A] * 10 + [0.5 - 19.0 * per_A] * 6 == pytest.approx(soc[:, 0], abs=1e-12)


def test_a_step_is_told_the_last_voltage_that_came_in_it_or_none(beliefs):
    """Ticks without a fresh voltage are left out; a second without any is told as no voltage. The worker tells it back."""
    volt = np.arange(30.0)[:, None] / 10
    fresh = np.ones(30)
    fresh[8:20] = 0
    device = peers.PeerDevice(COUNTING, sys.executable, beliefs, 1, S_NS // 10)
    device.start(0.5, 0.0)
    told = device.run(readings(np.zeros((30, 1)), volt, fresh=fresh), every=10).band[:, 0, 0] / 1.96
    assert [0.7, None, 2.9] == [None if math.isnan(v) else pytest.approx(v) for v in told]


def test_a_chunk_that_ends_inside_a_step_must_be_the_last(beliefs):
    """A clock that slips by a part of a step would go unseen."""
    device = peers.PeerDevice(COUNTING, sys.executable, beliefs, 1, S_NS // 10)
    device.start(0.5, 0.0)
    device.run(readings(np.zeros((15, 1)), 3.0))
    with pytest.raises(BenchError, match="ended inside a step of 1 s"):
        device.run(readings(np.zeros((10, 1)), 3.0))


def test_told_nothing_a_peer_starts_from_the_first_voltage(beliefs):
    """Half way between the branches at 40 % lies the voltage that means 40 %."""
    ocv = beliefs.model.ocv
    at = ocv.soc.index(0.4)
    middle_V = 0.5 * (ocv.discharge_V[at] + ocv.charge_V[at])
    soc = peers.run(COUNTING, sys.executable, readings(np.zeros((3, 1)), middle_V), beliefs, None)
    assert [0.4] * 3 == pytest.approx(soc[:, 0], abs=1e-3)


def test_what_is_available_in_the_cold_is_a_share_of_what_can_be_reached(beliefs):
    """At the belief's node of 5 degC a full cell has all, and none is left where SOC is what cannot be reached."""
    share = beliefs.model.reach.share[beliefs.model.reach.temp_degC.index(5.0)]
    device = peers.PeerDevice(COUNTING, sys.executable, beliefs, 3, S_NS)
    device.start(np.array([1.0, 1.0 - share / 2, 1.0 - share]), 0.0)
    found = device.run(readings(np.zeros((1, 3)), 3.0, temp_degC=5.0))
    assert [1.0, 0.5, 0.0] == pytest.approx(found.available[0, :, 0])


def test_a_missing_interpreter_is_named(beliefs):
    """With the package that it was to run."""
    with pytest.raises(BenchError, match=r"/nowhere/python: no interpreter to run numpy in: No such file"):
        peers.run(COUNTING, "/nowhere/python", readings([[1.0]], 3.0), beliefs, 0.5)


def test_a_missing_package_is_named_with_the_command_that_installs_it(beliefs):
    """The interpreter is there, the package is not."""
    peer = replace(COUNTING, package="no_such_estimator")
    with pytest.raises(BenchError, match=r"cannot import no_such_estimator.*-m pip install no_such_estimator"):
        peers.run(peer, sys.executable, readings([[1.0]], 3.0), beliefs, 0.5)


def test_a_peer_that_fails_is_quoted(beliefs):
    """Its last line says why; the version says who."""
    with pytest.raises(BenchError, match=rf"numpy {np.__version__} in .*: ValueError: a voltage below 0"):
        peers.run(COUNTING, sys.executable, readings([[1.0]], -1.0), beliefs, 0.5)


def test_an_answer_of_another_shape_is_refused(beliefs):
    """A peer that answers for fewer steps than it was asked about is not stretched."""
    with pytest.raises(BenchError, match=r"soc of shape \(4, 1\) expected, found \(3, 1\)"):
        peers.run(replace(COUNTING, settings={"slip": 1.0}), sys.executable, readings(np.ones((4, 1)), 3.0), beliefs, 0.5)


def test_a_worker_ends_with_its_device(beliefs):
    """No process and no folder is left behind."""
    device = peers.PeerDevice(COUNTING, sys.executable, beliefs, 1, S_NS)
    device.run(readings([[1.0]], 3.0))
    process, folder = device.worker.process, Path(device.worker.folder.name)
    assert process.poll() is None
    assert folder.exists()
    del device
    assert 0 == process.returncode
    assert not folder.exists()


def test_maker_puts_peers_beside_our_methods(beliefs):
    """A method that is a peer's name is that peer; any other one is ours."""
    make = peers.maker({"battlib": sys.executable}, lambda _beliefs, n_packs, method, _dt_ns: (method, n_packs))
    assert ("ekf", 4) == make(beliefs, 4, "ekf", S_NS)
    assert make(beliefs, 4, "battlib", S_NS).peer is peers.PEERS["battlib"]


@pytest.mark.parametrize("name", sorted(peers.PEERS))
def test_a_worker_of_every_peer_is_there_and_imports_nothing_of_ours(name):
    """Another interpreter has numpy and its package, and none of this one's path."""
    peer = peers.PEERS[name]
    code = f"import sys, {peer.module}; print(*sys.modules, sep='\\n')"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=peer.folder, env=environment, capture_output=True, text=True, check=True
    )
    found = done.stdout.split()
    assert peer.module in found
    assert not [module for module in found if module.split(".")[0] in ("hil", "firmware_sim", "pydantic", "numba")]


@pytest.fixture
def circuit(beliefs, tmp_path):
    """The circuit as a worker sees it."""
    device = peers.PeerDevice(peers.PEERS["filterpy-ekf"], sys.executable, beliefs, 1, S_NS)
    np.savez(tmp_path / "given.npz", **device.given, start_soc=np.array([0.5]))
    return Circuit(Given(str(tmp_path / "given.npz")))


def test_a_worker_reads_the_resistances_of_the_calibration(circuit, beliefs):
    """At a node of SOC and temperature the number of the file; between 5 and 15 degC on the line of ln R over 1/T."""
    r = beliefs.model.resistance
    at = r.soc.index(0.6)
    circuit.at(45.0)
    assert r.r0_ohm[r.temp_degC.index(45.0)][at] == pytest.approx(circuit.value(3, 0.6), rel=1e-6)
    circuit.at(40.0)
    warm, hot = (r.r2_ohm[r.temp_degC.index(t)][at] for t in (35.0, 45.0))
    part = (1 / 308.15 - 1 / 313.15) / (1 / 308.15 - 1 / 318.15)
    assert warm ** (1 - part) * hot**part == pytest.approx(circuit.value(5, 0.6), rel=1e-6)


def test_a_worker_reads_the_voltages_of_the_calibration(circuit, beliefs):
    """Mean and half distance of the branches at 25 degC; in the cold the same curve over what can be reached."""
    ocv, reach = beliefs.model.ocv, beliefs.model.reach
    at = ocv.soc.index(0.5)
    low, high = ocv.discharge_V[at], ocv.charge_V[at]
    circuit.at(25.0)
    assert [(low + high) / 2, (high - low) / 2] == pytest.approx([circuit.value(0, 0.5), circuit.value(2, 0.5)], abs=1e-6)
    circuit.at(5.0)
    share = reach.share[reach.temp_degC.index(5.0)]
    entropy = beliefs.model.entropy
    dudt = entropy.dudt_mV_per_K[entropy.soc.index(0.5)] * 1e-3
    assert (low + high) / 2 - 20 * dudt == pytest.approx(circuit.value(0, 1 - 0.5 * share), abs=1e-3)


def test_a_worker_lays_no_more_than_ten_tables_a_kelvin(circuit):
    """A simulated temperature never comes twice: a table for each would fill the memory within a drive."""
    laid = {id(circuit.at(20.0 + 0.001 * n)) for n in range(2000)}
    assert 21 == len(laid)


@pytest.fixture
def textbook(monkeypatch):
    """A textbook filter in the place of filterpy.kalman."""
    monkeypatch.syspath_prepend(WORKERS / "textbook")
    names = ("filterpy", "filterpy.kalman")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module("filterpy.kalman")
    for name in names:
        sys.modules.pop(name)


@pytest.mark.usefixtures("textbook")
def test_the_filter_on_filterpy_finds_its_way_from_a_wrong_start(circuit):
    """On a textbook filter under filterpy's names: 30 % wrong under 0.2C, told the voltage of its own circuit, it gets near.

    So its voltage, its slopes and its signs belong together; and without any voltage it stays where it was told.
    """
    settings = {"noise_V": 0.05, "soc_per_sqrt_s": 1e-5, "pair_V_per_sqrt_s": 1e-5, "drop_share": 0.0, "loop": 1.0}
    circuit.given.arrays |= {f"set_{name}": np.asarray(value) for name, value in settings.items()}
    circuit.given.arrays["start_sigma"] = np.asarray(0.3)
    seeing, blind = Ekf(circuit.given, 0.5), Ekf(circuit.given, 0.5)
    loop, soc, u1, u2, current_A = Loop(circuit), 0.8, 0.0, 0.0, 0.3
    for _ in range(1200):
        u1 += (1 - circuit.keep1) * (circuit.value(4, soc) * current_A - u1)
        u2 += (1 - circuit.keep2) * (circuit.value(5, soc) * current_A - u2)
        soc -= current_A / circuit.capacity_As
        loop.move(current_A)
        volt = circuit.value(0, soc) + loop.h * circuit.value(2, soc) - current_A * circuit.value(3, soc) - u1 - u2
        seeing.step(current_A, volt, 25.0)
        blind.step(current_A, math.nan, 25.0)
    assert soc == pytest.approx(seeing.soc, abs=0.01)
    assert 0.01 > seeing.sigma
    assert soc - 0.3 == pytest.approx(blind.soc, abs=1e-9)
