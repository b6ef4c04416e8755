"""A bench that is killed or stopped while it drives, on a real kernel's bus; candump is the witness."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import wall
from kernel_can import BUS, candump

# Of dbc/vehicle.dbc and dbc/bench.dbc, as they stand there: bits 12 and 13 of a payload, little-endian.
REQUEST, SUPPLY = "080", "7E0"
STANDBY, DRIVE, OFF = 0, 1, 0
# docs/bench.md: the guardian looks every 20 ms, acts after 200 ms without a beat, asks for standby ten times, 10 ms apart.
LOOK_S, SILENCE_S, STANDBY_S = 0.02, 0.2, 0.1
TICK_S, WORK_S = 0.01, 0.03
LINE = re.compile(r"\((\d+\.\d+)\) \S+ (080|7E0)#([0-9A-F]{16})")


@dataclass
class Sleeper:
    """A process like any other, which sleeps 10 ms again and again: how this machine treats those that sleep."""

    slept: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Sleep in a thread."""
        done = threading.Event()

        def work() -> None:
            last_s = time.time()
            while not done.is_set():
                time.sleep(TICK_S)
                now_s = time.time()
                self.slept.append((now_s, now_s - last_s))
                last_s = now_s

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def allows(self, wanted_s: float, from_s: float, to_s: float) -> float:
        """What becomes of a time on this machine: a quarter and 30 ms more for the work in it, and twice what sleeps in it,
        or across one of its ends, were too long.
        """
        first_s, last_s = min(from_s, to_s), max(from_s, to_s)
        over = [length_s - TICK_S for at_s, length_s in self.slept if at_s >= first_s and at_s - length_s <= last_s]
        return 1.25 * wanted_s + WORK_S + 2 * sum(over)


@dataclass
class Said:
    """What the bench's side of the bus asked for: (time of day by the kernel, value), by candump's record."""

    modes: list[tuple[float, int]] = field(default_factory=list)
    orders: list[tuple[float, int]] = field(default_factory=list)

    @classmethod
    def on(cls, log: Path) -> Said:
        said = cls()
        for match in LINE.finditer(log.read_text()):
            value = bytes.fromhex(match[3])[1] >> 4 & 3
            (said.modes if match[2] == REQUEST else said.orders).append((float(match[1]), value))
        return said


def drives(log: Path, child: subprocess.Popen[str]) -> bool:
    """Wait until the bench asks for drive; False when it ended before."""
    while child.poll() is None:
        if any(mode == DRIVE for _, mode in Said.on(log).modes):
            return True
        time.sleep(0.02)
    return False


def safe(said: Said) -> bool:
    """True when the last words are standby and supply off, after a drive."""
    driven = any(mode == DRIVE for _, mode in said.modes)
    return driven and said.modes[-1][1] == STANDBY and said.orders[-1][1] == OFF


def struck(number: int, scenario: Path, log: Path) -> tuple[float, int, str] | None:
    """Strike a bench that drives: when it stood or was gone, its exit code and words; None when it stopped by itself before, as
    a bench does on a machine that stands still.
    """
    child = wall.nabench("run", str(scenario), "--dut", f"remote:socketcan:{BUS}?ready_s=20", "--arm", "--out", str(log.parent))
    try:
        if not drives(log, child):
            assert "missed its own heartbeat" in "".join(child.communicate())
            return None
        child.send_signal(number)
        if number == signal.SIGKILL:
            child.wait()  # the kernel has closed its pipe to the guardian
        at_s = time.time()
        wall.wait_until(lambda: safe(Said.on(log)), 20.0)
        if number == signal.SIGSTOP:
            child.send_signal(signal.SIGCONT)
        out, err = child.communicate(timeout=60)
        return at_s, child.returncode, out + err
    finally:
        child.kill()
        child.communicate()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["SIGKILL", "SIGSTOP"])
def test_standby_and_supply_off_follow_a_bench_that_is_gone_in_the_stated_time(name: str, tmp_path: Path) -> None:
    """By the kernel's stamps on candump's record: standby after a look of the guardian, or 200 ms and a look; the supply is off
    a tenth of a second later; then the bus is silent. Each bound grows by what this machine held up a witness that sleeps.
    """
    scenario, sleeper, found = tmp_path / "slow.scenario.toml", Sleeper(), None
    scenario.write_text(wall.ENDLESS, encoding="utf-8")
    with wall.serve("--bus", f"socketcan:{BUS}"), sleeper.at_work():
        for n in range(3):
            log = tmp_path / f"{n}.log"
            with candump(BUS, log):
                found = struck(getattr(signal, name), scenario, log)
                time.sleep(0.3)
            if found is not None:
                break
    assert found is not None, "no bench stood long enough on this machine to be struck"
    at_s, code, words = found
    said = Said.on(log)
    driven_s = max(t for t, mode in said.modes if mode == DRIVE)
    standby_s = next(t for t, mode in said.modes if t > driven_s and mode == STANDBY)
    off_s = next(t for t, on in said.orders if t > driven_s and on == OFF)
    wait_s = LOOK_S if name == "SIGKILL" else SILENCE_S + LOOK_S
    allowed_s = sleeper.allows(wait_s, at_s, standby_s), sleeper.allows(STANDBY_S, standby_s, off_s)
    print(f"{name}: standby after {standby_s - at_s:.3f} s (at most {allowed_s[0]:.3f}), "
          f"off {off_s - standby_s:.3f} s later (at most {allowed_s[1]:.3f})")  # fmt: skip
    assert standby_s - at_s <= allowed_s[0]
    assert off_s - standby_s <= allowed_s[1]
    assert {STANDBY} == {mode for t, mode in said.modes if t >= standby_s}
    assert {OFF} == {on for t, on in said.orders if t >= off_s}
    last_s = max(float(row[1:].split(")")[0]) for row in log.read_text().splitlines())
    assert last_s - said.orders[-1][0] <= sleeper.allows(2 * TICK_S, off_s, last_s)
    if name == "SIGKILL":
        assert -signal.SIGKILL == code
    else:
        assert 3 == code
        assert "missed its own heartbeat" in words
