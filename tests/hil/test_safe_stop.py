"""Whatever happens to the bench, a third listener hears standby and supply off soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import instruments
import pytest
import wall

from hil import network, runner, setup
from hil.dut import safety
from hil.dut.rest import RestOfBus
from hil.link import guardian
from hil.link.can_bus import CanBus, Frame
from hil.link.guardian import Plan, SafeFrame
from hil.link.link import Link
from hil.link.match import Finder
from hil.link.pty_pair import PtyPair
from hil.link.spec import parse, parse_all
from hil.link.supply import Supply

pytestmark = pytest.mark.wall

MS_NS = 1_000_000
SOON_S = 0.6  # 200 ms without a beat, 100 ms of standby, and what a machine may take
# A bench of Python's own, with a hook that goes wrong after a second: HOW says in what way.
BENCH = """
import ctypes, sys
from pathlib import Path
from hil import runner, setup, devices
from hil.bench import Bench
built = runner.prepare(Path(sys.argv[1]), runner.Options())
dut = devices.create(sys.argv[2], built)
bench = Bench(built, dut)
def hook(rig):
    if rig.t_ns >= 1_000_000_000:
        print("now", flush=True)
        HOW
bench.hooks.answered.append(hook)
try:
    bench.start()
    bench.run(100_000)
finally:
    dut.close()
"""
HOWS = {
    "raise": 'raise ValueError("a hook of a user")',
    "blocked": "import time; time.sleep(3)",
    "holding the interpreter": "ctypes.PyDLL(None).usleep(3_000_000)",
}


@dataclass
class Ears:
    """A third listener: when standby was asked for first after something, and when the supply was switched off."""

    bus: str
    modes: list[tuple[float, int]] = field(default_factory=list)
    orders: list[tuple[float, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        net = network.load("classic", 16, 6, 10 * MS_NS)
        self._supply, self._finder = Supply(), Finder(net.to_dut)
        self._slot = net.to_dut.slot_names.index("Vehicle_Request")
        self._bus = CanBus(parse(self.bus), 500_000, False)

    def _note(self, frame: Frame) -> None:
        at_s = frame.t_ns * 1e-9
        if self._finder.find(0, frame) == self._slot:
            self.modes.append((at_s, int.from_bytes(frame.data, "little") >> 12 & 3))
        if (order := self._supply.read(frame)) is not None:
            self.orders.append((at_s, order[0]))

    def listen(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Listen until something holds. Raises AssertionError."""
        end_s = time.monotonic() + timeout_s
        while not until():
            assert time.monotonic() < end_s, (self.modes[-3:], self.orders[-3:])
            frame = self._bus.receive(time.monotonic_ns() + 5 * MS_NS)
            if frame is not None:
                self._note(frame)

    def driving(self) -> bool:
        """True once the bench asked for drive."""
        return bool(self.modes) and self.modes[-1][1] == 1

    def safe(self) -> bool:
        """True once the last words are standby and supply off."""
        return bool(self.modes) and self.modes[-1][1] == 0 and self.orders[-1][1] is False

    def soon_after(self, at_s: float) -> tuple[float, float]:
        """How long after a time standby and supply off were heard [s]; what told the time may be late itself."""
        self.listen(self.safe, 5.0)
        at_s -= 0.05
        standby = next(t for t, mode in self.modes if t > at_s and mode == 0)
        return standby - at_s, next(t for t, on in self.orders if t > at_s and not on) - at_s

    def close(self) -> None:
        self._bus.close()


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A scenario without end."""
    path = tmp_path / "slow.scenario.toml"
    path.write_text(wall.ENDLESS, encoding="utf-8")
    return path


def at_once(names: Iterable[str], work: Callable[[str], Struck]) -> dict[str, Struck]:
    """The same done to several benches at a time, since most of it is waiting."""
    with ThreadPoolExecutor() as pool:
        futures = {name: pool.submit(work, name) for name in names}
        return {name: future.result(timeout=110) for name, future in futures.items()}


class Struck(NamedTuple):
    """What became of a bench that was struck: standby and supply off after so many seconds, its exit code, its last words.

    was_late: the machine was too busy for these times to say much.
    """

    standby_s: float
    off_s: float
    code: int
    err: str
    was_late: bool

    def assert_soon(self) -> None:
        """Standby, then supply off, within half a second."""
        assert self.standby_s <= self.off_s
        assert self.was_late or self.off_s < SOON_S, self


def too_busy(code: int, err: str, ears: Ears) -> Struck:
    """A bench that stopped by itself before it was struck: nothing but a machine that is too busy excuses that."""
    ears.close()
    assert "missed its own heartbeat" in err, (code, err)
    return Struck(0.0, 0.0, code, err, True)


@pytest.mark.timeout(150)
def test_standby_and_supply_off_follow_a_signal_to_the_bench(tmp_path: Path, slow: Path) -> None:
    """Ctrl-C, SIGTERM, kill -9 and a stopped process: the guardian answers where the bench cannot, and to instruments too."""

    def strike(name: str) -> Struck:
        with instruments.served() as source, wall.device(wall.multicast()) as device:
            bench = tmp_path / f"{name}.toml"
            bench.write_text(instruments.bench(device.bus, source.address), encoding="utf-8")
            ears = Ears(device.bus)
            child = wall.nabench("run", str(slow), "--arm", "--bench", str(bench), "--out", str(tmp_path / name))
            ears.listen(lambda: ears.driving() or child.poll() is not None, 90.0)
            if (code := child.poll()) is not None:
                return too_busy(code, child.communicate()[1], ears)
            assert {1} == source.source.output
            at_s = time.monotonic()
            child.send_signal(getattr(signal, name))
            times = ears.soon_after(at_s)
            wall.wait_until(lambda: not source.source.output, 5.0)
            if name == "SIGSTOP":
                child.send_signal(signal.SIGCONT)
            _, err = child.communicate(timeout=60)
            ears.close()
            return Struck(*times, child.returncode, err, device.was_late)

    struck = at_once(("SIGINT", "SIGTERM", "SIGKILL", "SIGSTOP"), strike)
    codes = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9, "SIGSTOP": 3}  # 3: inconclusive
    for name, one in struck.items():
        one.assert_soon()
        assert one.was_late or one.code == codes[name], one


@pytest.mark.timeout(150)
def test_standby_and_supply_off_follow_a_loop_that_goes_wrong(tmp_path: Path, slow: Path) -> None:
    """An exception in a hook, a hook that blocks, and one that lets no other thread of the bench run."""

    def strike(how: str) -> Struck:
        script = tmp_path / f"{how.replace(' ', '-')}.py"
        script.write_text(BENCH.replace("HOW", HOWS[how]), encoding="utf-8")
        with wall.device(wall.multicast()) as device:
            ears = Ears(device.bus)
            child = subprocess.Popen(
                [sys.executable, str(script), str(slow), f"remote:{device.bus}"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert child.stdout is not None
            ears.listen(lambda: ears.driving() or child.poll() is not None, 90.0)
            if (code := child.poll()) is not None:
                return too_busy(code, child.communicate()[1], ears)
            assert "now" == child.stdout.readline().strip()
            times = ears.soon_after(time.monotonic())
            ears.close()
            _, err = child.communicate(timeout=60)
            return Struck(*times, child.returncode, err, device.was_late)

    for how, one in at_once(HOWS, strike).items():
        one.assert_soon()
        assert one.was_late or ("a hook of a user" if how == "raise" else "missed its own heartbeat") in one.err


@pytest.mark.timeout(120)
def test_over_a_serial_line_the_guardian_speaks_through_the_open_channel(tmp_path: Path, slow: Path) -> None:
    """After kill -9 of the bench, the device at the far end of the line hears standby and supply off."""
    pair = PtyPair()
    with wall.device(f"slcan:{pair.near}") as device:
        child = wall.nabench("run", str(slow), "--arm", "--dut", f"remote:slcan:{pair.far}", "--out", str(tmp_path / "out"))
        wall.wait_until(lambda: device.served.report.starts > 1, 60.0)
        wall.wait_until(lambda: device.served._on, 10.0)
        child.kill()
        child.communicate()
        wall.wait_until(lambda: not device.served._on, 2.0)
    pair.close()


def test_a_thread_guards_where_a_bus_cannot_be_opened_twice(slow: Path) -> None:
    """On a bus inside this process: a loop that stands still is answered by the thread, and the run ends."""
    bus = wall.virtual()
    with wall.device(bus) as device:
        ears = Ears(bus)
        struck: list[float] = []

        def progress(tick: int, total: int) -> None:
            if tick >= 50 and not struck:
                struck.append(time.monotonic())
                time.sleep(0.6)

        slow.write_text(wall.ENDLESS.replace("duration_s = 3000.0", "duration_s = 10.0"), encoding="utf-8")
        record = runner.run(slow, runner.Options(dut=f"remote:{bus}", armed=True), progress)
        ears.listen(ears.driving, 5.0)
        standby_s, off_s = ears.soon_after(struck[0])
        ears.close()
        was_late = device.was_late
    link = record.trace.info["link"]
    assert ("thread", "INCONC") == (link["guardian"], record.verdict.name)
    assert "no heartbeat" in link["safe_stop"]
    assert was_late or standby_s <= off_s < SOON_S
    assert any("missed its own heartbeat" in finding.seen for finding in record.findings)


def test_a_run_does_not_go_on_without_its_guardian(slow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody ends the guardian, the bench makes the device safe itself and ends."""
    made: list[Any] = []
    equip = runner.equip
    monkeypatch.setattr(runner, "equip", lambda *words: made.append(equip(*words)) or made[-1])
    slow.write_text(wall.ENDLESS.replace("duration_s = 3000.0", "duration_s = 10.0"), encoding="utf-8")

    def progress(tick: int, total: int) -> None:
        if tick >= 30:
            made[0][1]._ears.guard._child.kill()

    with wall.device(wall.multicast()) as device:
        ears = Ears(device.bus)
        record = runner.run(slow, runner.Options(dut=f"remote:{device.bus}", armed=True), progress)
        ears.listen(ears.driving, 5.0)
        ears.listen(ears.safe, 5.0)
        ears.close()
    link = record.trace.info["link"]
    assert ("process", "INCONC") == (link["guardian"], record.verdict.name)
    assert link["safe_stop"] == "the guardian of the bench ended" or "no heartbeat" in link["safe_stop"]
    assert record.trace.n_ticks < 1000


def test_every_form_of_a_safe_frame_is_one_that_a_receiver_takes(slow: Path) -> None:
    """Each counter once, each CRC right: the device follows from any counter on."""
    built = setup.build(runner.load(slow, runner.Options()))
    link = Link(parse_all(wall.virtual(), 1), built.network)
    rest = RestOfBus(built.rig, built.network)
    layout = built.network.to_dut
    slot = layout.slot_names.index("Vehicle_Request")
    made = safety.plan(rest, built.network, [slot], Supply(), link, ())
    link.close()
    (frame,) = made.standby
    counters = [bytes.fromhex(text)[1] & 0xF for text in frame.payloads]
    assert list(range(15)) == sorted(counters)
    assert all(b - a in (1, -14) for a, b in zip(counters, counters[1:], strict=False))
    assert not made.can_be_apart


def test_a_safe_frame_on_a_serial_line_is_slcan(tmp_path: Path) -> None:
    """Our own reader takes it, also behind half a line that a killed bench left."""
    pair = PtyPair()
    reader = CanBus(parse(f"slcan:{pair.near}"), 500_000, False)
    far = os.open(pair.far, os.O_WRONLY | os.O_NOCTTY)
    os.write(far, b"t12")
    for can_id, extended, data in ((0x123, False, b"\x01\x02"), (0x18FF1234, True, bytes(8))):
        os.write(far, guardian.slcan_line(can_id, extended, False, data))
        frame = reader.receive(time.monotonic_ns() + 5_000 * MS_NS)
        assert frame is not None
        assert (can_id, int(extended), data) == (frame.can_id, frame.flags, frame.data)
    os.close(far)
    reader.close()
    pair.close()


def test_what_fails_does_not_keep_the_rest_from_being_done() -> None:
    """A bus that is gone and an instrument that does not answer do not stop the other bus."""
    sent = []

    def send(bus: int, can_id: int, extended: bool, fd: bool, data: bytes) -> None:
        if bus == 0:
            raise OSError("gone")
        sent.append(can_id)

    frames = SafeFrame(0, 1, False, False, ("00",)), SafeFrame(1, 2, False, False, ("00",))
    off = (SafeFrame(1, 3, False, False, ("00",)),)
    guardian.carry_out(Plan(frames, off, (), (("tcp:127.0.0.1:1", ("OUTP OFF",)),), 2), send)
    assert [2, 2, 3, 3, 3] == sent
