"""The loop over a wire: contacts, feedback and link follow the device's frames at once; a stressed bench judges nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wall

from hil import journal, judge, network, runner
from hil.dut.remote import Remote
from hil.errors import ScenarioError
from hil.link.pty_pair import PtyPair
from hil.report import folder
from hil.report.record import RunRecord
from hil.verdict import Verdict
from hil.wirelog import WireLog

pytestmark = pytest.mark.wall

MS_NS = 1_000_000
DT_NS = 10 * MS_NS
SHORT = """
format = 1
name = "short"
title = "A drive of two seconds"
pack = "nfm-16s"
duration_s = 2.0

[initial]
soc = 0.6

[[request]]
at_s = 0.1
mode = "drive"

[[load]]
at_s = 1.2
kind = "current"
current_A = 1.0

[[expect]]
kind = "signal"
requirement = "SR-MODE-RUN"
signal = "BMS_State"
is = "run"
mode = "once"
from_s = 0.4
to_s = 1.9
"""
ARMED = ["--arm"] if "armed" in runner.Options.__dataclass_fields__ else []


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A scenario of two seconds."""
    path = tmp_path / "short.scenario.toml"
    path.write_text(SHORT, encoding="utf-8")
    return path


@contextmanager
def wire(kind: str) -> Iterator[tuple[str, str]]:
    """Both ends of a bus."""
    if kind == "udp":
        text = wall.multicast()
        yield text, text
        return
    pair = PtyPair()
    try:
        yield f"slcan:{pair.near}", f"slcan:{pair.far}"
    finally:
        pair.close()


def risen(t_ns: np.ndarray, on: np.ndarray) -> int:
    """When something was first on."""
    return int(t_ns[np.flatnonzero(on)[0]])


def assert_follows(record: RunRecord, name: str, late_ns: int) -> None:
    """One contactor: the coil in the tick of the command, the contact its travel later, the feedback with its next frame."""
    log = WireLog(record.trace.journal, record.setup.network)
    word = "".join(part.title() for part in name.split("_"))
    command, feedback = log.series(f"BMS_{word}Command"), log.series(f"PackIO_{word}Feedback")
    ordered_ns = risen(command.t_ns, command.valid & (command.value == 1))
    ticks_ns = np.arange(record.trace.n_ticks) * DT_NS
    coil_ns = risen(ticks_ns, record.trace.column(f"{name}_coil") == 1)
    closed_ns = risen(ticks_ns, record.trace.column(name) == 1)
    told_ns = risen(feedback.t_ns, feedback.valid & (feedback.value == 1))
    travel_ns = round(record.setup.inputs.pack.contactors.close_ms * 1e6)
    assert abs(coil_ns - ordered_ns) <= DT_NS
    assert 0 <= closed_ns - (ordered_ns + travel_ns) <= DT_NS
    assert 0 <= told_ns - closed_ns <= DT_NS + late_ns


@pytest.mark.parametrize("kind", ["udp", "slcan"])
def test_contacts_feedback_link_and_current_follow_the_devices_frames(short: Path, tmp_path: Path, kind: str) -> None:
    """From the arrival of a command to what the device hears of it: within a tick of the plant's own physics."""
    with wire(kind) as (near, far), wall.device(near) as device:
        record = wall.run(short, far)
        assert Verdict.PASS == record.verdict or wall.excused(record) or device.was_late, record.result()
    late_ns = int(record.trace.late_ns.max())
    for name in ("main_minus", "precharge", "main_plus"):
        assert_follows(record, name, late_ns)
    trace = record.trace
    closed = trace.column("precharge") == 1
    k = int(np.flatnonzero(closed)[0])
    link_V, pack_V = trace.column("link_voltage"), trace.column("pack_voltage")
    assert link_V[k - 1] < 0.1
    assert link_V[k + 1] > link_V[k - 1] + 0.1  # the capacitor charges from the tick in which the contact closed
    both = (trace.column("main_plus") == 1) & (trace.column("main_minus") == 1)
    m = int(np.flatnonzero(both)[0])
    assert abs(link_V[m + 1] - pack_V[m + 1]) < 0.5
    if record.verdict is Verdict.PASS:
        assert abs(float(trace.column("current")[-1]) - 1.0) < 0.1
    heard = trace.info["link"]
    assert {"frames", "within_1_5_ms", "within_5_ms", "late", "classes", "late_by_message"} == heard["pacing"].keys()
    assert heard["pacing"]["frames"] > 200
    assert heard["stamps"] == (["kernel"] if kind == "udp" else ["host"])
    assert "scheduling" in heard["scheduling"] or "SCHED_FIFO" in heard["scheduling"]
    place = folder.write(record, tmp_path)
    told = f"{heard['pacing']['late']} of {heard['pacing']['frames']} frames left more than 1.5 ms off their times"
    page = (place / "report.html").read_text(encoding="utf-8")
    assert told in page
    assert f"times of arrival from: {heard['stamps'][0]}" in page
    assert heard["pacing"] == json.loads((place / "environment.json").read_text(encoding="utf-8"))["pacing"]


BURN = "import time, sys\nend = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"


@pytest.mark.timeout(120)
def test_a_bench_on_a_stressed_machine_neither_passes_nor_fails(short: Path, tmp_path: Path) -> None:
    """All cores busy, and the bench the last to be served: the run ends INCONC, and says why."""
    burners: list[subprocess.Popen[bytes]] = []
    with wall.device(wall.multicast()) as device:
        child = wall.nabench(
            "run",
            str(short),
            "--dut",
            f"remote:{device.bus}&scheduling=normal&ready_s=60",
            "--out",
            str(tmp_path),
            "--json",
            *ARMED,
        )
        wall.wait_until(lambda: device.served.report.starts > 1, 90.0)
        os.setpriority(os.PRIO_PROCESS, child.pid, 19)
        for _ in range(2 * (os.cpu_count() or 1)):
            burners.append(subprocess.Popen([sys.executable, "-c", BURN, "3.0"]))
        text, errors = child.communicate(timeout=90)
        for burner in burners:
            burner.wait(timeout=30)
    found = json.loads(text)
    assert "INCONC" == found["verdict"], text + errors
    assert 3 == child.returncode
    told = " ".join(finding["seen"] for result in found["results"] for finding in result["findings"])
    assert "missed" in told


def test_a_schedule_that_cannot_fit_its_bus_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    """192 cells every 10 ms at 500 kbit/s: more than the bus can carry, so nothing is opened or sent."""
    (tmp_path / "fast.toml").write_text(
        'format = 1\ntitle = "all cells every 10 ms"\n[[bus]]\nname = "pack"\nbitrate = 500_000\n'
        'cycle_ms = { CellVoltages = 10 }\ndbc = ["monitor.dbc", "shunt.dbc", "pack_io.dbc", "vehicle.dbc", "bms.dbc"]\n',
        encoding="utf-8",
    )
    with pytest.raises(
        ScenarioError, match=r"the schedule needs 1\d\d % of 500000 bit/s \(CellVoltages \d+ x \d+ us / 10 ms"
    ) as caught:
        network.load(str(tmp_path / "fast.toml"), 192, 6, DT_NS)
    assert "expected at most 100 %" in str(caught.value)


def test_a_boot_that_takes_long_is_no_silence_when_the_bus_says_so() -> None:
    """Nothing for 900 ms after the supply came back: FAIL as it stands, fair for a device whose bus has boot_ms."""
    record = runner.run(wall.shipped("reset-in-run"), runner.Options())
    rows, at_ns = record.trace.journal, record.setup.resets_ns[0]
    gone = (rows[:, journal.KIND] == journal.FROM_DUT) & (rows[:, journal.T_NS] > at_ns)
    gone &= rows[:, journal.T_NS] < at_ns + 900 * MS_NS
    for boot_ns, expected in ((0, True), (800 * MS_NS, True), (1_000 * MS_NS, False)):
        trace = replace(record.trace, journal=rows[~gone], info={**record.trace.info, "link": {"boot_ns": boot_ns}})
        device = [finding for finding in judge.judge(trace, record.setup) if finding.requirement == "DEVICE"]
        assert expected == bool(device)
    built = record.setup
    with pytest.raises(ScenarioError, match="boot_ms=-3; expected milliseconds, up to 10000"):
        Remote(built.rig, built.network, "virtual:x?boot_ms=-3")
    with pytest.raises(ScenarioError, match='scheduling=fast; expected "fifo" or "normal"'):
        Remote(built.rig, built.network, "virtual:x?scheduling=fast")
