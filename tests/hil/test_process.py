"""A firmware that the bench starts: it may die, freeze, lose its supply or its line, and each is a verdict."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wall
from command import nabench

from hil import runner
from hil.dut.process import Process
from hil.errors import DutError, ScenarioError
from hil.report import folder
from hil.report.record import RunRecord
from hil.verdict import Verdict

pytestmark = pytest.mark.wall

SERVE = [sys.executable, "-c", "from hil.cli import main; main()", "serve", "--bus"]
SHORT = """
format = 1
name = "short"
title = "A short drive"
pack = "nfm-16s"
duration_s = {duration_s}

[initial]
soc = 0.6

[[request]]
at_s = 0.1
mode = "drive"

[[expect]]
kind = "quiet"
requirement = "SR-QUIET"
from_s = 0.9
to_s = {duration_s}
"""
RESET = """
[[fault]]
fault = "reset"
start_s = 0.5
"""


def written(
    folder_: Path, command: list[str], bus: str, duration_s: float = 1.2, more: str = "", **dut: str
) -> tuple[Path, Path]:
    """A scenario and a bench file with a firmware."""
    scenario, bench = folder_ / "short.scenario.toml", folder_ / "bench.toml"
    scenario.write_text(SHORT.format(duration_s=duration_s) + more, encoding="utf-8")
    keys = "\n".join(f"{key} = {value}" for key, value in {"ready_s": "60", **dut}.items())
    words = ", ".join(f"'{word}'" for word in command)
    bench.write_text(
        f'format = 1\ntitle = "t"\n[dut]\nkind = "process"\ncommand = [{words}]\n{keys}\n[buses]\npack = "{bus}"\n',
        encoding="utf-8",
    )
    return scenario, bench


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The devices of the runs of a test."""
    found: list[Any] = []
    equip = runner.equip

    def kept(path: Path, options: runner.Options) -> Any:
        found.append(equip(path, options))
        return found[-1]

    monkeypatch.setattr(runner, "equip", kept)
    return found


def run(scenario: Path, bench: Path, made: list[Any], at_half: Callable[[Process], None] = lambda _dut: None) -> RunRecord:
    """A run in which something happens to the firmware at half its time."""
    done: list[int] = []

    def progress(tick: int, total: int) -> None:
        if 2 * tick >= total and not done:
            done.append(tick)
            at_half(made[-1][1])

    return runner.run(scenario, runner.Options(bench=bench, armed=True), progress)


def group_of(dut: Process) -> int:
    assert dut._firmware is not None
    return dut._firmware.group


def is_gone(group: int) -> bool:
    """Whether nothing of a process group runs any more."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def seen(record: RunRecord) -> str:
    return " ".join(f"{f.verdict.name} {f.what}: {f.seen};" for f in record.findings)


@pytest.mark.timeout(120)
def test_a_firmware_that_is_killed_has_failed_and_its_words_are_kept(tmp_path: Path, made: list[Any]) -> None:
    """The signal stands in the finding, its output in the run folder."""
    bus = wall.multicast()
    scenario, bench = written(tmp_path, [*SERVE, bus], bus, ready_line='"^serving"')
    record = run(scenario, bench, made, lambda dut: os.killpg(group_of(dut), signal.SIGKILL))
    place = folder.write(record, tmp_path / "out")
    assert "FAIL process: it ended at 0." in seen(record)
    assert "with signal SIGKILL" in seen(record)
    assert Verdict.FAIL == record.verdict
    assert (place / "device.log").read_text(encoding="utf-8").startswith("serving pack nfm-16s")
    assert nabench("judge", place).code == 1


@pytest.mark.timeout(120)
def test_a_firmware_that_freezes_has_failed_though_its_line_cannot_be_proven_alive(tmp_path: Path, made: list[Any]) -> None:
    """Over a serial line that the bench made: silence alone would be inconclusive, a process that stands still is not."""
    scenario, bench = written(tmp_path, [*SERVE, "slcan:{port}"], "slcan:pty")
    groups = []

    def freeze(dut: Process) -> None:
        groups.append(group_of(dut))
        os.killpg(groups[0], signal.SIGSTOP)

    record = run(scenario, bench, made, freeze)
    assert "FAIL process: it lived but stood still from 0." in seen(record)
    assert Verdict.FAIL == record.verdict
    wall.wait_until(lambda: is_gone(groups[0]), 5.0)


@pytest.mark.timeout(120)
def test_a_line_that_vanishes_ends_the_run_without_a_verdict_on_the_firmware(tmp_path: Path, made: list[Any]) -> None:
    """What was recorded is judged; the firmware is ended, and so are the threads."""
    scenario, bench = written(tmp_path, [*SERVE, "slcan:{port}"], "slcan:pty")
    groups = []

    def vanish(dut: Process) -> None:
        groups.append(group_of(dut))
        dut._pairs.pop().close()

    record = run(scenario, bench, made, vanish)
    assert "was lost" in record.trace.info["link"]["lost"]
    assert record.trace.n_ticks < 120
    assert record.verdict in (Verdict.INCONC, Verdict.FAIL)
    wall.wait_until(lambda: is_gone(groups[0]), 5.0)


@pytest.mark.timeout(120)
def test_a_firmware_that_loses_its_supply_is_killed_and_started_again(tmp_path: Path, made: list[Any]) -> None:
    """The fault reset; its frames come again, and nobody calls it a death."""
    bus = wall.multicast()
    scenario, bench = written(tmp_path, [*SERVE, bus], bus, 3.0, RESET)
    groups = []
    record = run(scenario, bench, made, lambda dut: groups.append(group_of(dut)))
    process = record.trace.info["link"]["process"]
    assert (2, []) == (process["starts"], process["ended"])
    assert record.trace.n_ticks == 300
    assert record.logs["device.log"].count(b"serving pack") >= 1
    assert is_gone(groups[0])


@pytest.mark.timeout(120)
def test_a_bench_that_is_killed_leaves_no_firmware_behind(tmp_path: Path) -> None:
    """The guardian ends it, with all that it started."""
    bus, mark = wall.multicast(), tmp_path / "group"
    scenario, bench = written(tmp_path, ["sh", "-c", f"echo $$ > {mark}.new; mv {mark}.new {mark}; sleep 60"], bus)
    child = wall.nabench("run", str(scenario), "--bench", str(bench), "--arm", "--out", str(tmp_path / "out"))
    wall.wait_until(mark.exists, 60.0)
    group = int(mark.read_text())
    assert not is_gone(group)
    child.kill()
    child.communicate()
    wall.wait_until(lambda: is_gone(group), 10.0)


def gone_wrong(tmp_path: Path, command: list[str], **dut: str) -> str:
    """What is said of a firmware that does not come up."""
    scenario, bench = written(tmp_path, command, "virtual:x" + os.urandom(4).hex(), **{"ready_s": "0.3", **dut})
    with pytest.raises(DutError) as caught:
        runner.run(scenario, runner.Options(bench=bench, armed=True))
    return str(caught.value)


def test_a_firmware_that_does_not_come_up_is_said_to_in_one_sentence(tmp_path: Path) -> None:
    """Ended, silent, or not there at all; with its last words."""
    ended = gone_wrong(tmp_path, ["sh", "-c", "echo no licence; exit 3"])
    assert ended == 'the firmware ended before it was ready: exit code 3; its last words: "no licence"'
    begun = time.monotonic()
    never = gone_wrong(tmp_path, ["sh", "-c", "echo hello; sleep 60"], ready_line='"^up"')
    assert 'did not print a line that fits ready_line "^up" within 0.3 s; it said last: "hello"' in never
    assert time.monotonic() - begun < 10
    silent = gone_wrong(tmp_path, ["sleep", "60"])
    assert 'no contactor command of "BMS" came within 0.3 s' in silent
    assert silent.endswith("it said nothing")
    assert "cannot be started: nowhere/bms: No such file" in gone_wrong(tmp_path, ["nowhere/bms"])


def test_a_command_line_that_is_no_firmware_is_refused(tmp_path: Path) -> None:
    """The form of --dut process:... is said, and nothing is started."""
    scenario, _ = written(tmp_path, ["true"], "virtual:x")
    for text, told in (("virtual:x", "process:BUS -- COMMAND"), ("virtual:x -- 'a", "cannot be read: No closing quotation")):
        with pytest.raises(ScenarioError, match=told):
            runner.run(scenario, runner.Options(dut=f"process:{text}", armed=True))


def test_nothing_is_started_before_the_bench_is_armed(tmp_path: Path) -> None:
    """The command stands in the list of what would be done; the exit code is that of wrong usage."""
    mark = tmp_path / "started"
    scenario, bench = written(tmp_path, ["touch", str(mark)], "virtual:x")
    ran = nabench("run", scenario, "--bench", bench, "--out", tmp_path / "out")
    assert (2, True) == (ran.code, f"start touch {mark} in {tmp_path}" in ran.out)
    assert ran.problems[0].startswith("the device is real: nothing was opened or sent; to go on: nabench run")
    assert ran.problems[0].endswith("--arm")
    assert not mark.exists()
    assert not (tmp_path / "out").exists()
