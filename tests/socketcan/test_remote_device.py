"""The bench and the served device as two processes on the CAN of a real kernel, as in lockstep."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import agree
import numpy as np
import pytest
import wall
from kernel_can import BUS, candump

from hil import journal
from hil.trace import Trace

SCENARIOS = ("monitor-silent", "frames-wrong-crc", "reset-in-run")


def over(bus: str, names: tuple[str, ...], out: Path) -> list[dict[str, Any]]:
    """Scenarios by `nabench run` in a process of its own."""
    child = wall.nabench("run", *names, "--dut", f"remote:{bus}?ready_s=20", "--out", str(out), "--json", "--arm")
    text, errors = child.communicate(timeout=100)
    assert child.returncode in (0, 1, 3), text + errors
    found: list[dict[str, Any]] = json.loads(text)["results"]
    return found


@pytest.mark.timeout(120)
def test_bench_and_device_over_vcan_agree_with_lockstep_and_candump_with_the_journal(tmp_path: Path) -> None:
    """Silence, wrong CRCs and a lost supply; and every frame in the journal is on candump's record, in the same order."""
    log = tmp_path / "bus.log"
    with wall.serve("--bus", f"socketcan:{BUS}") as served, candump(BUS, log):
        results = over(f"socketcan:{BUS}", SCENARIOS, tmp_path)
        last = served.end()
    assert last.startswith("served")
    print(last)
    assert list(SCENARIOS) == [result["scenario"] for result in results]
    for result in results:
        agree.assert_as_in_lockstep(result, agree.lockstep(result["scenario"]), served.was_late)
    seen: dict[int, list[str]] = {}
    for row in log.read_text().splitlines():
        number, _, data = row.split()[2].partition("#")
        seen.setdefault(int(number, 16), []).append(data)
    n_heard = [assert_no_frame_is_lost(Trace.load(tmp_path / name / "trace.npz"), seen) for name in SCENARIOS]
    assert max(n_heard) > 1000 or all(result["link"]["safe_stop"] for result in results)


def assert_no_frame_is_lost(trace: Trace, seen: dict[int, list[str]]) -> int:
    """What the bench heard of the device, from the first frame to the last: all that went over the bus, none left out.

    Returns how many frames that were; few when the run was stopped because the machine stood still.
    """
    rows = trace.journal[trace.journal[:, journal.KIND] == journal.FROM_DUT]
    rows = rows[np.argsort(rows[:, journal.T_NS], kind="stable")]
    assert 0 == trace.info["link"]["counts"]["lost"]
    assert 0 == trace.lost_frames
    for can_id in np.unique(rows[:, journal.ID]).tolist():
        own = rows[rows[:, journal.ID] == can_id]
        heard = [row[journal.WORD :].astype("<i8").tobytes()[: row[journal.LENGTH]].hex().upper() for row in own]
        there = "|".join(seen[can_id])
        assert "|".join(heard) in there, hex(can_id)
    return len(rows)


@pytest.mark.timeout(100)
def test_the_kernels_own_slcan_driver_takes_our_served_device_for_an_adapter(tmp_path: Path) -> None:
    """The daemon slcand and its line discipline at one end of a serial line, `nabench serve --bus slcan:pty` at the other."""
    port = tmp_path / "bms"
    with wall.serve("--bus", "slcan:pty", "--link", str(port)) as served:
        daemon = subprocess.Popen(["slcand", "-F", "-o", "-c", "-s6", os.path.realpath(port), "slcan0"])
        try:
            wall.wait_until(lambda: Path("/sys/class/net/slcan0").exists())
            subprocess.run(["ip", "link", "set", "slcan0", "up"], check=True)
            (result,) = over("socketcan:slcan0", SCENARIOS[:1], tmp_path)
        finally:
            daemon.terminate()
            daemon.wait(timeout=10)
        served.end()
    agree.assert_as_in_lockstep(result, agree.lockstep(SCENARIOS[0]), served.was_late)


FD_DRIVE = """
format = 1
name = "fd-drive"
title = "A drive over CAN FD"
pack = "nfm-16s"
network = "fd"
duration_s = 2.0

[initial]
soc = 0.6

[[request]]
at_s = 0.1
mode = "drive"

[[expect]]
kind = "signal"
requirement = "SR-MODE-RUN"
signal = "BMS_State"
is = "run"
mode = "once"
from_s = 0.4
to_s = 1.9
"""


@pytest.mark.timeout(100)
def test_a_network_with_can_fd_frames_over_vcan(tmp_path: Path) -> None:
    """Frames of up to 64 bytes with a fast data phase, both ways; candump saw them as such."""
    path, log = tmp_path / "fd-drive.scenario.toml", tmp_path / "bus.log"
    path.write_text(FD_DRIVE, encoding="utf-8")
    with wall.serve("--bus", f"socketcan:{BUS}", "--network", "fd") as served, candump(BUS, log):
        (result,) = over(f"socketcan:{BUS}", (str(path),), tmp_path / "runs")
        served.end()
    (finding,) = result["findings"]
    assert finding["verdict"] == "PASS" or "missed" in finding["seen"] or served.was_late, finding
    long = [row for row in log.read_text().splitlines() if "##" in row]
    assert max(len(row.split("##")[1]) for row in long) == 1 + 2 * 64
    assert len(long) >= 20  # one every 100 ms
