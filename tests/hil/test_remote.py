"""The same scenario files against a device at the far end of a wire, in wall time."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agree
import numpy as np
import pytest
import wall

from hil import journal as j
from hil import network, runner, setup
from hil.clock import VirtualClock
from hil.dut.remote import Remote
from hil.errors import BenchError, DutError, ScenarioError
from hil.link.can_bus import CanBus
from hil.link.match import Finder
from hil.link.pty_pair import PtyPair
from hil.link.spec import parse
from hil.link.supply import Supply
from hil.report.record import RunRecord
from hil.verdict import Verdict

pytestmark = pytest.mark.wall

# Frames that never come, frames that are refused, and a device that loses its supply.
SCENARIOS = ("monitor-silent", "frames-wrong-crc", "reset-in-run")
MS_NS = 1_000_000


@pytest.fixture(scope="module")
def lockstep() -> dict[str, agree.Judged]:
    """What the scenarios find against the emulator in virtual time."""
    return {name: agree.lockstep(name) for name in SCENARIOS}


def over_processes(bus: tuple[str, ...], reach: Callable[[str], str], out: Path) -> tuple[dict[str, Any], bool]:
    """The three scenarios by `nabench run` against `nabench serve`; results by name, and whether the device was late."""
    with wall.serve(*bus) as served:
        child = wall.nabench(
            "run", *SCENARIOS, "--arm", "--dut", f"remote:{reach(served.lines[0])}", "--out", str(out), "--json"
        )
        text, errors = child.communicate(timeout=100)
        last = served.end()
    assert child.returncode in (0, 1, 3), errors
    assert last.startswith("served"), last
    return {result["scenario"]: result for result in json.loads(text)["results"]}, served.was_late


@pytest.mark.timeout(150)
def test_two_processes_agree_with_lockstep_over_multicast_and_over_a_serial_line(
    tmp_path: Path, lockstep: dict[str, agree.Judged]
) -> None:
    """Bench and device in processes of their own, over UDP and over slcan on a pair of ports, pass as in lockstep."""
    multicast, port = wall.multicast(), tmp_path / "bms"
    ways: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
        "udp": (("--bus", multicast), lambda _line: multicast),
        "slcan": (("--bus", "slcan:pty", "--link", str(port)), lambda line: line.rpartition("remote:")[2]),
    }
    results: dict[str, Any] = {}

    def go(name: str) -> None:
        results[name] = over_processes(*ways[name], tmp_path / name)

    threads = [threading.Thread(target=go, args=(name,)) for name in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ways) == set(results)
    for found, was_late in results.values():
        for name in SCENARIOS:
            agree.assert_as_in_lockstep(found[name], lockstep[name], was_late)
    assert not port.is_symlink()


def test_bench_and_device_in_one_process_agree_with_lockstep(lockstep: dict[str, agree.Judged]) -> None:
    """Over python-can's virtual bus, one thread each; the device is switched off and on between the runs."""
    with wall.device(wall.virtual()) as device:
        for name in SCENARIOS:
            record = wall.run(wall.shipped(name), device.bus)
            agree.assert_as_in_lockstep(record.result(), lockstep[name], device.was_late)
    assert device.error is None
    assert device.served.report.starts == 1 + len(SCENARIOS) + 1  # its own, one a run, and that of the reset


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

[[expect]]
kind = "quiet"
requirement = "SR-QUIET"
from_s = 0.9
to_s = 2.0
"""


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A scenario of two seconds."""
    path = tmp_path / "short.scenario.toml"
    path.write_text(SHORT, encoding="utf-8")
    return path


def run_with(scenario: Path, bus: str, at_half: Callable[[], None]) -> RunRecord:
    """A run in which something happens at half its time."""
    done: list[int] = []

    def progress(tick: int, total: int) -> None:
        if 2 * tick >= total and not done:
            done.append(tick)
            at_half()

    return runner.run(scenario, runner.Options(dut=f"remote:{bus}", armed=True), progress)


def test_a_device_that_dies_while_the_bus_lives_has_failed(short: Path) -> None:
    """Our own frames come back, so the bus is alive; the silence is the device's."""
    with wall.device(wall.virtual()) as device:
        record = run_with(short, device.bus, device.stop)
    assert Verdict.FAIL == record.verdict or wall.excused(record)
    if record.verdict is Verdict.FAIL:
        assert "DEVICE" in {finding.requirement for finding in record.findings if finding.verdict is Verdict.FAIL}


def test_silence_on_a_line_that_cannot_be_proven_alive_is_inconclusive(short: Path) -> None:
    """Over a serial line a dead device and a dead line look the same."""
    pair = PtyPair()
    with wall.device(f"slcan:{pair.near}") as device:
        record = run_with(short, f"slcan:{pair.far}", device.stop)
    pair.close()
    assert Verdict.INCONC == record.verdict
    seen = " ".join(finding.seen for finding in record.findings)
    assert "nothing at all was heard on the bus" in seen or wall.excused(record)


def test_a_lost_link_ends_the_run_and_is_inconclusive(short: Path) -> None:
    """A port that vanishes ends the run at once; what was recorded is judged, and nothing is held against the device."""
    pair = PtyPair()
    with wall.device(f"slcan:{pair.near}") as device:
        record = run_with(short, f"slcan:{pair.far}", pair.close)
        assert Verdict.INCONC == record.verdict or device.was_late, record.result()
        assert record.trace.n_ticks < 200
        assert "was lost" in record.trace.info["link"]["lost"]
        told = " ".join(finding.seen for finding in record.findings)
        assert f'; but bus "{record.trace.info["link"]["bus"]}" was lost' in told or wall.excused(record)
        device.stop()
        assert "was lost" in str(device.error)


def test_a_device_that_never_comes_is_an_error_with_its_reasons(short: Path) -> None:
    """Nobody there, a stranger there, only half of the device there: each is another sentence."""
    bus = wall.virtual()
    with pytest.raises(DutError, match=r'no contactor command of "BMS" came within 0.1 s .*is it powered') as caught:
        wall.run(short, f"{bus}?ready_s=0.1")
    assert "nabench serve --bus" in str(caught.value)


@pytest.mark.parametrize(
    ("can_id", "told"), [(0x333, "only frames with unknown ids came: 0x333"), (0xA0, "of its other frames came BMS_Status")]
)
def test_a_wrong_device_is_told_from_none(short: Path, can_id: int, told: str) -> None:
    """What did come says whether the network file or the device is the wrong one."""
    bus = wall.virtual()
    stop = threading.Event()

    def babble() -> None:
        other = CanBus(parse(bus), 500_000, False)
        while not stop.wait(0.01):
            other.send(can_id, 0, bytes(8))
        other.close()

    thread = threading.Thread(target=babble)
    thread.start()
    try:
        with pytest.raises(DutError, match=told):
            wall.run(short, f"{bus}?ready_s=0.2")
    finally:
        stop.set()
        thread.join()


def test_a_second_bench_on_the_bus_is_refused_before_anything_is_sent(short: Path) -> None:
    """Two benches would contradict each other; the later one finds the earlier one's frames and leaves."""
    bus = wall.virtual()
    first, ears = CanBus(parse(bus), 500_000, False), CanBus(parse(bus), 500_000, False)
    stop, sent = threading.Event(), []

    def speak() -> None:
        while not stop.wait(0.005):
            first.send(0x80, 0, bytes(8))
            sent.append(0x80)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        with pytest.raises(DutError, match="somebody else sends 0x80, which the bench must send"):
            wall.run(short, bus)
    finally:
        stop.set()
        thread.join()
    heard = []
    while (frame := ears.receive(0)) is not None:
        heard.append(frame.can_id)
    assert sent == heard
    first.close()
    ears.close()


def last_orders(ears: CanBus) -> tuple[list[int], list[bool]]:
    """Mode requests and supply orders that an ear heard, in order."""
    net, supply = network.load("classic", 16, 6, 10 * MS_NS), Supply()
    finder, slot = Finder(net.to_dut), net.to_dut.slot_names.index("Vehicle_Request")
    modes, orders = [], []
    while (frame := ears.receive(0)) is not None:
        if finder.find(0, frame) == slot:
            modes.append(int.from_bytes(frame.data, "little") >> 12 & 3)
        if (order := supply.read(frame)) is not None:
            orders.append(order[0])
    return modes, orders


def test_the_device_is_left_safe(short: Path) -> None:
    """The last words of the bench: a request for standby, then the supply off. The first: supply off, then on."""
    with wall.device(wall.virtual()) as device:
        ears = CanBus(parse(device.bus), 500_000, False)
        wall.run(short, device.bus)
        modes, orders = last_orders(ears)
        ears.close()
    assert (0, 1, 0) == (modes[0], max(modes), modes[-1])
    assert (False, False) == (orders[0], orders[-1])
    assert {True} == set(orders[orders.index(True) : -1])


def test_an_interrupted_bench_leaves_the_device_safe(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a run ends with standby and supply off as well."""
    scenario = tmp_path / "long.scenario.toml"  # so long that no busy machine lets it end before it is interrupted
    scenario.write_text(SHORT.replace("duration_s = 2.0", "duration_s = 60.0"), encoding="utf-8")
    with wall.device(wall.multicast()) as device:
        ears = CanBus(parse(device.bus), 500_000, False)
        child = wall.nabench("run", str(scenario), "--arm", "--dut", f"remote:{device.bus}", "--out", str(tmp_path / "out"))
        wall.wait_until(lambda: wall.started(device, ears), 60.0)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
        modes, orders = last_orders(ears)
        ears.close()
    assert child.returncode != 0
    assert modes[-1] == 0
    assert orders[-1] is False
    assert not (tmp_path / "out" / "long").exists()


def test_times_of_arrival_are_those_of_the_wall(short: Path) -> None:
    """Frames of the device stand in the trace when they came, not on the grid of ticks, and in order."""
    with wall.device(wall.virtual()) as device:
        record = wall.run(short, device.bus)
    rows = record.trace.journal[record.trace.journal[:, j.KIND] == j.FROM_DUT]
    t_ns = rows[:, j.T_NS]
    assert len(np.unique(t_ns % (10 * MS_NS))) > 100
    assert t_ns.min() >= 0
    assert t_ns.max() <= 2_000 * MS_NS
    assert record.trace.blur_ns(1_000 * MS_NS) >= record.trace.info["link"]["stamp_ns"] > 0
    assert len(record.trace.late_ns) == record.trace.n_ticks


def test_what_does_not_fit_is_refused_before_a_bus_is_opened(short: Path) -> None:
    """Options that make no sense, too many buses, a batch of packs, a virtual clock."""
    loaded = runner.load(short, runner.Options())
    built = setup.build(loaded)
    for text, told in (
        ("virtual:x?supply=maybe", 'supply=maybe; expected "frame" or "none"'),
        ("virtual:x?ready_s=never", "ready_s=never; expected seconds"),
        ("virtual:x,virtual:y", "the network has 1 buses"),
    ):
        with pytest.raises(ScenarioError, match=told):
            Remote(built.rig, built.network, text)
    batch = setup.build(loaded, n_packs=2)
    with pytest.raises(ScenarioError, match="a remote device is one pack; the rig has 2"):
        Remote(batch.rig, batch.network, "virtual:x")
    with pytest.raises(BenchError, match="a remote device lives in wall time"):
        Remote(built.rig, built.network, "virtual:x").pace(VirtualClock())


def test_an_id_of_the_supply_frame_that_the_network_needs_is_refused(tmp_path: Path, short: Path) -> None:
    """The supply frame gives way to a network that has its id, when told to."""
    (tmp_path / "more.dbc").write_text(
        'VERSION ""\nNS_ :\nBS_:\nBU_: Heater\n'
        'BO_ 2016 Heater_Status: 8 Heater\n SG_ Heater_On : 0|1@1+ (1,0) [0|1] "" Heater\n',
        encoding="ascii",
    )
    (tmp_path / "net.toml").write_text(
        'format = 1\ntitle = "with a heater"\n[[bus]]\nname = "pack"\nbitrate = 500_000\ncycle_ms = { Heater_Status = 100 }\n'
        'dbc = ["monitor.dbc", "shunt.dbc", "pack_io.dbc", "vehicle.dbc", "bms.dbc", "more.dbc"]\n',
        encoding="utf-8",
    )
    short.write_text(SHORT.replace('pack = "nfm-16s"', 'pack = "nfm-16s"\nnetwork = "net.toml"'), encoding="utf-8")
    built = setup.build(runner.load(short, runner.Options()))
    with pytest.raises(ScenarioError, match=r"0x7E0 of Bench_Supply belongs to a message of this network; add supply=none"):
        Remote(built.rig, built.network, "virtual:x")
    Remote(built.rig, built.network, "virtual:x?supply=none")
