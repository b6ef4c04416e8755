"""The process of a firmware and what it starts: whose number is whose, what is frozen, and what is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil.dut.process import Firmware

CHILD = "sleep 60 & echo $!; wait"


def until(holds: object) -> None:
    """Look every few milliseconds until something holds."""
    assert callable(holds)
    end_s = time.monotonic() + 10.0
    while not holds():
        assert time.monotonic() < end_s, "it never came about"
        time.sleep(0.002)


def started(*command: str) -> Firmware:
    return Firmware(list(command), {}, Path.cwd(), bytearray(), None)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours, the leader of a group."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield child
    child.kill()
    child.wait()


def child_of(firmware: Firmware) -> int:
    """The process that a firmware started, by the number it printed."""
    until(lambda: firmware.last)
    return int(firmware.last[-1])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_the_number_of_a_firmware_that_ended_stays_its_own_until_it_is_stopped() -> None:
    """It was looked at, and its exit is known, but the kernel must not give its number away while we may signal it."""
    firmware = started("sh", "-c", "echo adieu; exit 3")
    until(firmware.ended)
    assert 'exit code 3; its last words: "adieu"' == firmware.ended()
    os.kill(firmware.group, 0)
    firmware.stop("TERM", 1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(firmware.group, 0)
    assert 'exit code 3; its last words: "adieu"' == firmware.ended()


def test_nobody_is_killed_who_has_the_number_of_a_firmware_that_is_gone(bystander: subprocess.Popen[bytes]) -> None:
    """After its end its number may be given to somebody else; a late signal must not reach them."""
    firmware = started("sh", "-c", "exit 0")
    firmware.stop("TERM", 1.0)
    firmware._child.pid = bystander.pid
    firmware.tell("KILL")
    firmware.stop("TERM", 1.0)
    time.sleep(0.05)
    assert bystander.poll() is None


def test_what_a_firmware_started_ends_with_it() -> None:
    """Its leader is gone already, or ignores the polite signal: nothing of the group is left."""
    for command in (CHILD.replace("; wait", ""), f"trap '' TERM; {CHILD}"):
        firmware = started("sh", "-c", command)
        child = child_of(firmware)
        assert is_running(child)
        if "wait" not in command:
            until(firmware.ended)
        firmware.stop("TERM", 0.1)
        until(lambda child=child: not is_running(child))


def test_a_system_that_cannot_look_at_an_exit_gives_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """As macOS before Python 3.13: code and signal are told, nothing is left of the group, and its number is used no more."""
    monkeypatch.delattr(os, "waitid")
    left = started("sh", "-c", CHILD.replace("; wait", "; exit 3"))
    child = child_of(left)
    until(left.ended)
    assert f'exit code 3; its last words: "{child}"' == left.ended()
    until(lambda: not is_running(child))
    with pytest.raises(ProcessLookupError):
        os.kill(left.group, 0)
    left.stop("TERM", 0.1)
    for name in ("TERM", "KILL"):
        firmware = started("sleep", "60")
        assert "" == firmware.ended()
        firmware.tell(name)
        until(firmware.ended)
        assert f"signal SIG{name}" == firmware.ended()
        firmware.stop("TERM", 0.1)
    stubborn = started("sh", "-c", f"trap '' TERM; {CHILD}")
    child = child_of(stubborn)
    stubborn.stop("TERM", 0.1)
    until(lambda: not is_running(child))


def test_the_signal_that_ended_a_firmware_is_named() -> None:
    """As a shell would not say it."""
    firmware = started("sleep", "60")
    assert "" == firmware.ended()
    firmware.tell("KILL")
    until(firmware.ended)
    assert "signal SIGKILL" == firmware.ended()
    firmware.stop("TERM", 0.1)


def test_a_firmware_behind_a_script_is_frozen_when_it_is_stopped_itself() -> None:
    """The script waits as it always does; what it started stands still."""
    firmware = started("sh", "-c", CHILD)
    child = child_of(firmware)
    assert not firmware.is_frozen()
    os.kill(child, signal.SIGSTOP)
    until(firmware.is_frozen)
    os.kill(child, signal.SIGCONT)
    until(lambda: not firmware.is_frozen())
    firmware.stop("KILL", 0.1)
    assert not firmware.is_frozen()


def test_what_is_stopped_elsewhere_freezes_no_firmware(bystander: subprocess.Popen[bytes]) -> None:
    """A process of another group, and one that the firmware started later and that runs."""
    os.kill(bystander.pid, signal.SIGSTOP)
    firmware = started("sh", "-c", f"sleep 0.1; {CHILD}")
    until(lambda: Path(f"/proc/{bystander.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    assert not firmware.is_frozen()
    late = child_of(firmware)
    assert not firmware.is_frozen()
    os.kill(late, signal.SIGSTOP)
    until(firmware.is_frozen)
    firmware.stop("KILL", 0.1)


def test_looking_for_what_is_frozen_is_cheap_enough_for_a_tick() -> None:
    """It knows who is a stranger: after the first look, half of the looks take less than half a tick."""
    firmware = started("sleep", "60")
    firmware.is_frozen()
    taken_s = []
    for _ in range(20):
        begin_s = time.perf_counter()
        firmware.is_frozen()
        taken_s.append(time.perf_counter() - begin_s)
    firmware.stop("KILL", 0.1)
    assert sorted(taken_s)[10] < 0.005
