"""Arbitration in a network file: through the command line, in the trace, in the report; and nothing of it where it is off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fault_cases import built, driven, run, spec

from hil import devices, network
from hil import journal as j
from hil.bench import Bench
from hil.bus import schedule
from hil.bus import table as tb
from hil.errors import ScenarioError
from hil.report import folder
from hil.session import Session
from hil.trace import Trace

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """format = 1
name = "on-the-bus"
title = "On the bus"
pack = "nfm-16s"
network = "arbitrated"
duration_s = 0.4

[[request]]
at_s = 0.05
mode = "drive"

[[fault]]
fault = "bus_bit_errors"
target = "node:Shunt"
start_s = 0.1
stop_s = 0.2

[[fault]]
fault = "bus_babble"
target = "node:Vehicle"
start_s = 0.25
with = { id = 0x110 }
"""


def nabench(*arguments: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-c", "from hil.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the scenario above, compiled."""
    there = tmp_path_factory.mktemp("bus")
    (there / "on-the-bus.scenario.toml").write_text(SCENARIO, encoding="utf-8")
    done = nabench("run", "on-the-bus.scenario.toml", "--out", "compiled", folder=there)
    assert "NONE on-the-bus" in done.stdout, done.stdout + done.stderr
    return there / "compiled" / "on-the-bus"


def test_the_same_bytes_interpreted(ran: Path) -> None:
    """Trace and result of the kernels as plain Python."""
    there = ran.parents[1]
    nabench("run", "on-the-bus.scenario.toml", "--out", "plain", folder=there, NUMBA_DISABLE_JIT="1")
    for name in ("trace.npz", "result.json"):
        assert (ran / name).read_bytes() == (there / "plain" / "on-the-bus" / name).read_bytes(), name


def test_the_result_sums_the_bus_up(ran: Path) -> None:
    """Load, counters, states, delays and what was overwritten."""
    said = json.loads((ran / "result.json").read_text(encoding="utf-8"))["bus"]
    assert 0.3 < said["load"]["pack"] < 1.0
    assert said["nodes"]["Shunt"]["times bus-off"] > 5
    assert said["nodes"]["Shunt"]["largest TEC"] == 256
    assert said["nodes"]["BMS"]["state"] == "error-active"
    assert sum(said["frames"][f"CellTemperatures[{page}]"]["overwritten"] for page in (0, 1)) > 0
    assert said["frames"]["BMS_Contactors"]["overwritten"] == 0
    assert 0.2 < said["frames"]["BMS_Contactors"]["longest_ms"] < 1.0


def test_the_report_shows_the_bus(ran: Path) -> None:
    """Plots of load, counters and states, and the table of nodes; and the run can be judged and drawn again."""
    page = (ran / "report.html").read_text(encoding="utf-8")
    for part in ('id="busload"', 'id="buserrors"', 'id="busstates"', 'id="bus"', "times bus-off", "Shunt TEC"):
        assert part in page, part
    assert len(Trace.load(ran / "trace.npz").bus) > 100
    assert len(folder.load(ran).trace.bus) > 100


def test_a_damaged_record_of_the_bus_is_refused(ran: Path, tmp_path: Path) -> None:
    """One column less."""
    with np.load(ran / "trace.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["bus"] = arrays["bus"][:, :-1]
    np.savez(tmp_path / "trace.npz", **arrays)
    with pytest.raises(ScenarioError, match="expected array bus with 9 columns"):
        Trace.load(tmp_path / "trace.npz")


def test_without_arbitration_there_is_no_trace_of_it() -> None:
    """No block, no record, no file in the trace, no key in the result."""
    finished = run(built(driven()))
    assert finished.setup.rig.bus is None
    assert finished.trace.bus.shape == (0, tb.N_RECORD_COLUMNS)
    assert "bus" not in finished.trace.info
    assert not (finished.trace.journal[:, j.KIND] == j.QUEUED_FROM_DUT).any()


def test_the_file_has_no_bus_either(tmp_path: Path) -> None:
    """The members of trace.npz are those it always had."""
    run(built(driven())).trace.save(tmp_path / "trace.npz")
    names = {name.removesuffix(".npy") for name in zipfile.ZipFile(tmp_path / "trace.npz").namelist()}
    assert names == {"head", "truth", "cells", "sides", "parameter", "journal", "late_ns"}


def test_no_message_waits_longer_than_the_schedule_says() -> None:
    """Of every message of the shipped network, undisturbed; and the device's frames arrive where they were not before."""
    finished = run(built(driven(network_name="arbitrated")))
    net, bus = finished.setup.network, finished.setup.rig.bus
    assert bus is not None
    bound = {row.name: row.response_ns for row in schedule.table((net.to_dut, net.from_dut), 0, 500_000, 10_000_000)}
    for name, box in zip(bus.plan.mail_names, bus.boxes[0], strict=True):
        assert 0 < box[tb.WORST_NS] <= bound[name.split("[")[0]], name
        assert box[tb.N_REPLACED] == 0
    rows = finished.trace.journal
    for kind in (j.TO_DUT, j.FROM_DUT):
        assert (rows[:, j.KIND] == kind).any()
    ends = np.sort(rows[np.isin(rows[:, j.KIND], (j.TO_DUT, j.FROM_DUT)), j.T_NS])
    assert (np.diff(ends) >= 111 * 2_000).all()


def test_an_io_unit_that_hears_nothing_drops_the_coils() -> None:
    """It obeys what it hears: cut off, it lets go after 100 ms, though the BMS commands closed."""
    finished = run(built(driven(spec(fault="bus_cut_off", target="node:PackIO", start_s=1.1), network_name="arbitrated")))
    closed = finished.trace.column("main_plus")
    assert closed[110] == 1.0
    assert closed[125] == 0.0


def test_check_prints_load_and_response_times(tmp_path: Path) -> None:
    """One line a message, in order of arbitration."""
    done = nabench("check", str(ROOT / "hil" / "networks" / "arbitrated.toml"), folder=tmp_path)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert "load with 192 cells, worst case: pack 44 %" in lines[0]
    assert "worst-case response times" in lines[1]
    assert "BMS_Contactors" in lines[3]
    assert "0x010" in lines[3]
    assert " 0.540 ms" in lines[3]  # its own 135 bits behind the longest of another node, which has just started
    assert len(lines) == 3 + 27


def test_arbitration_is_yes_or_no(tmp_path: Path) -> None:
    """Another word is refused with its key."""
    path = tmp_path / "odd.toml"
    text = (ROOT / "hil" / "networks" / "arbitrated.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("arbitration = true", 'arbitration = "on"'), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"bus\[0\].arbitration"):
        network.load(str(path), 16, 6, 10_000_000)


def test_the_fused_gear_says_that_it_cannot() -> None:
    """One sentence that names the file and the way out."""
    ready = built(driven(network_name="arbitrated"))
    with pytest.raises(ScenarioError, match=r"arbitrated.toml: a bus with arbitration = true runs in the staged gear"):
        run(ready, fused=True)


def test_a_device_on_a_real_wire_is_refused() -> None:
    """It has a bus of its own."""
    ready = built(driven(network_name="arbitrated"))
    device = devices.create("emulator", ready)
    device.lockstep = False  # type: ignore[misc]
    with pytest.raises(ScenarioError, match="this device is on a real one"):
        Bench(ready, device)


def test_a_fault_of_the_bus_needs_one() -> None:
    """On a network without arbitration the fault is refused, and one of a node or bus that is not there."""
    for target, net, why in (
        ("node:Monitor", "classic", 'needs a bus with arbitration = true in the network file, as network "arbitrated" has it'),
        ("node:Monitr", "arbitrated", 'there is no node "Monitr" with arbitration; did you mean "Monitor"?'),
    ):
        with pytest.raises(ScenarioError, match=why.replace("?", r"\?")):
            built(driven(spec(fault="bus_cut_off", target=target, start_s=1.0), network_name=net))


def test_a_session_sees_the_bus_as_well() -> None:
    """A test under pytest injects and clears a fault of the bus on a running bench."""
    bench = Session(network="arbitrated")
    bench.run_for(0.5)
    fault = bench.inject("bus_cut_off", "node:Shunt")
    bench.run_for(0.5)
    assert "CurrentLost" in bench.codes()
    bench.clear(fault)
    bench.run_for(0.5)
    came_s = bench.capture("Shunt_PackVoltage").t_s
    assert not ((came_s > 0.501) & (came_s < 1.0)).any()
    assert 49 <= ((came_s > 1.0) & (came_s < 1.5)).sum() <= 51
    bench.close()


def test_a_batch_has_a_bus_for_each_pack() -> None:
    """Three packs: the first is that which runs alone, bit for bit, with its counters."""
    inputs = driven(spec(fault="bus_noise", target="bus:pack", start_s=0.3, stop_s=0.5, **{"with": {"every": 3}}),
                    network_name="arbitrated", duration_s=0.6)  # fmt: skip
    alone, batch = run(built(inputs)), run(built(inputs, n_packs=3))
    assert alone.bytes() == batch.bytes()
    assert alone.setup.rig.bus is not None
    assert batch.setup.rig.bus is not None
    np.testing.assert_array_equal(batch.setup.rig.bus.nodes[:1], alone.setup.rig.bus.nodes)
    assert (batch.setup.rig.bus.nodes[:, :, tb.MOST_TEC].max(axis=1) > 8).all()


@pytest.mark.parametrize(("name", "bus", "mailbox"), [("bench", "vehicle", False), ("fd", "pack", True)])
def test_each_bus_is_asked_for_by_itself(name: str, bus: str, mailbox: bool, tmp_path: Path) -> None:
    """With one of two buses arbitrated, the other goes on as before; and CAN FD frames contend like classic ones."""
    text = (ROOT / "hil" / "networks" / f"{name}.toml").read_text(encoding="utf-8")
    path = tmp_path / f"{name}.toml"
    path.write_text(text.replace(f'name = "{bus}"', f'name = "{bus}"\narbitration = true'), encoding="utf-8")
    finished = run(built(driven(network_name=str(path))))
    known, rows = finished.setup.rig.bus, finished.trace.journal
    assert known is not None
    assert mailbox == ("CellVoltages[0]" in known.plan.mail_names)
    plain = run(built(driven(network_name=name)))
    cells = plain.setup.network.to_dut.slot_names.index("CellVoltages[0]")
    frames = [
        x[(x[:, j.KIND] == j.TO_DUT) & (x[:, j.SLOT] == cells)][:, [j.T_NS, j.LENGTH]] for x in (plain.trace.journal, rows)
    ]
    assert len(frames[0]) == len(frames[1]) > 10
    assert mailbox == (frames[0] != frames[1]).any()
    assert finished.trace.column("main_plus")[110] == 1.0
