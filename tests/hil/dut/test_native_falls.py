"""What a firmware can do to itself is a verdict, and what is no firmware is one clear error."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compiled
import pytest
import rigs
import wall
from command import nabench

from firmware_sim.wire.layout import Events, Image
from hil import devices, runner
from hil.dut.native import Native
from hil.errors import DutError, NabenchError, ScenarioError
from hil.session import Session
from hil.setup import Setup

SCENARIO = """
format = 1
name = "listens"
title = "A device that only has to speak"
pack = "nfm-16s"
duration_s = 1.6

[[expect]]
kind = "signal"
requirement = "SR-MODE-RUN"
signal = "BMS_MainPlusCommand"
is = 0
mode = "never"
from_s = 0.5
to_s = 0.6
"""
# How a firmware falls after 1 s, and what the finding says.
FALLS = {
    "segfault": ("*(volatile int *)0=1", "it died of SIGSEGV (Segmentation fault) in the tick to 1.000 s"),
    "abort": ("abort()", "it died of SIGABRT (Aborted) in the tick to 1.000 s"),
    "division": ("nothing=7/nothing", "it died of SIGFPE"),
    "exit": ("exit(3)", "it ended itself with exit code 3 in the tick to 1.000 s"),
    "exit 0": ("exit(0)", "it ended itself with exit code 0 in the tick to 1.000 s"),
    "last words": ('(puts("cell 7 is odd"),fflush(stdout),abort())', 'in the tick to 1.000 s, after "cell 7 is odd"'),
    "hang": ("for(;;);", "it hung: the tick to 1.000 s did not end within 0.3 s"),
    "babble": ("while(count<NAB_POP_MAX+1)say(0x700,8)", "it sent more than 256 frames in a tick"),
    "long id": ("say(0x800,8)", "it sent a frame that cannot exist: bus 0, id 0x800, flags 0, 8 bytes"),
    "long frame": ("say(0x700,9)", "it sent a frame that cannot exist: bus 0, id 0x700, flags 0, 9 bytes"),
    "strange bus": ("queue[0].bus=3", "it sent a frame that cannot exist: bus 3"),
}


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A short scenario in an empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "listens.scenario.toml").write_text(SCENARIO, encoding="utf-8")
    return "listens.scenario.toml"


@pytest.fixture(scope="module")
def ready() -> Setup:
    """A rig that is not moved."""
    return rigs.build(rigs.scenario())


def result_of(scenario: str, device: str) -> dict[str, Any]:
    """Result of a run."""
    return runner.run(Path(scenario), runner.Options(dut=f"native:{device}")).result()


@pytest.mark.parametrize("how", FALLS)
def test_a_firmware_that_falls_after_it_spoke_fails(tmp_path: Path, scenario: str, how: str) -> None:
    """The run goes to its end without it; the finding says what happened and when."""
    statement, said = FALLS[how]
    compiled.library(tmp_path / "f.so", DEFECT=statement)
    result = result_of(scenario, "f.so?step_s=0.3")
    (finding,) = [f for f in result["findings"] if f["what"] == "firmware"]
    assert ("FAIL", "FAIL", "DEVICE") == (result["verdict"], finding["verdict"], finding["requirement"])
    assert said in finding["seen"]
    assert finding["seen"].startswith("at 1.000 s it ")
    assert 1.6 == result["duration_s"]
    (silent,) = [f for f in result["findings"] if f["what"] == "frames"]
    assert "to the end" in silent["seen"]
    assert 1 == len(result["firmware"]["fallen"])


def test_the_command_line_says_so(tmp_path: Path, scenario: str) -> None:
    """Exit code 1 and the signal's name after it spoke; exit code 2, one sentence and no run folder before."""
    compiled.library(tmp_path / "f.so", DEFECT="count=0;abort()", AT_NS="0")
    ran = nabench("run", scenario, "--dut", "native:f.so")
    said = "before its first frame it died of SIGABRT (Aborted) in the tick to 0.010 s"
    assert (2, [f"dut native: {tmp_path / 'f.so'}: {said}"]) == (ran.code, ran.problems)
    assert not (tmp_path / "nabench-runs").exists()
    compiled.library(tmp_path / "f.so", DEFECT="abort()")
    ran = nabench("run", scenario, "--dut", "native:f.so")
    assert 1 == ran.code
    assert "FAIL DEVICE, firmware:" in ran.out
    assert "it died of SIGABRT" in ran.out


@pytest.mark.parametrize("how", ["segfault", "exit", "hang", "long id"])
def test_a_firmware_that_falls_before_it_spoke_is_an_error(tmp_path: Path, ready: Setup, how: str) -> None:
    """In the first tick as well as in nab_init."""
    statement, said = FALLS[how]
    path = compiled.library(tmp_path / "f.so", DEFECT=f"count=0;{statement}", AT_NS="0")
    dut = Native(ready.rig, ready.network, f"{path}?step_s=0.3")
    dut.start(0)
    nothing = Image.empty(ready.network.to_dut, 1)
    with pytest.raises(DutError, match=r"f\.so: before its first frame it ") as caught:
        dut.exchange(0, nothing, Events.empty(1))
    dut.close()
    assert said.partition(" in the tick")[0].replace("1.000", "0.010") in str(caught.value)


# What is no firmware: how to make the file, and what the one error says.
Make = Callable[[Path], object]
NONE: dict[str, tuple[Make, str]] = {
    "crash in init": (lambda p: compiled.library(p, START="abort()"), "it died of SIGABRT (Aborted) in nab_init"),
    "init refuses": (lambda p: compiled.library(p, START="return 5"), "cannot be used: nab_init returned 5; expected 0"),
    "old header": (
        lambda p: compiled.library(p, VERSION="7"),
        "it was built for version 7 of nabench_firmware.h; this nabench has version 1",
    ),
    "no symbols": (
        lambda p: compiled.gcc(p, "-shared", "-fPIC", "-x", "c", "/dev/null"),
        "it exports no nab_abi, nab_init, nab_push, nab_step, nab_pop",
    ),
    "undefined": (lambda p: compiled.library(p, START="extern void missing(void);missing()"), "undefined symbol: missing"),
    "object file": (
        lambda p: compiled.gcc(p, "-c", str(compiled.SOURCES / "speaks.c")),
        "is an object file; expected a shared",
    ),
    "text": (lambda p: p.write_text("int main;"), "is no ELF file; expected a shared library"),
    "empty": (lambda p: p.write_bytes(b""), "is empty; expected a shared library"),
    "cut short": (lambda p: p.write_bytes(compiled.library(p).read_bytes()[:70]), "cannot be used: "),
    "ARM": (
        lambda p: _patch(compiled.library(p), 18, b"\x28\x00"),
        "is built for ARM, 32 bit; expected a library for this computer",
    ),
    "32 bit": (lambda p: _patch(compiled.library(p), 4, b"\x01"), "expected a library for this computer"),
    "program": (lambda p: _patch(compiled.library(p), 16, b"\x02\x00"), "is a program; expected a shared library"),
}


def _patch(path: Path, at: int, data: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[at : at + len(data)] = data
    path.write_bytes(raw)


@pytest.mark.parametrize("what", NONE)
def test_what_is_no_firmware_is_one_error(tmp_path: Path, ready: Setup, what: str) -> None:
    """Found, expected, and the file."""
    make, said = NONE[what]
    make(tmp_path / "f.so")
    with pytest.raises(NabenchError) as caught:
        Native(ready.rig, ready.network, str(tmp_path / "f.so")).start(0)
    (problem,) = caught.value.problems
    assert said in problem
    assert str(tmp_path / "f.so") in problem


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "expected a shared library, as in native:./bms.so"),
        ("fw.so", 'there is no file fw.so; did you mean "f.so"?'),
        ("f.so?step=1", 'there is no option "step"; did you mean "step_s"?'),
        ("f.so?step_s=never", "step_s=never; expected seconds, 0.01 to 600"),
        ("f.so?step_s=nan", "step_s=nan; expected seconds, 0.01 to 600"),
        (".", "there is no file ."),
    ],
)
def test_a_wrong_description_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: Setup, options: str, said: str
) -> None:
    """With the nearest file or option."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f.so").write_bytes(b"")
    with pytest.raises(ScenarioError) as caught:
        devices.create(f"native:{options}", ready)
    (problem,) = caught.value.problems
    assert said in problem


def test_what_a_firmware_prints_and_refuses_disturbs_nobody(tmp_path: Path, scenario: str) -> None:
    """Megabytes on its standard output; frames that it has no room for are counted in the record, beside its fingerprint."""
    noise = 'for(int n=0;n<2000;n++)puts("a line of a hundred letters or so, for a firmware that talks and talks")'
    path = compiled.library(tmp_path / "f.so", DEFECT=noise, AT_NS="0", FULL="1")
    told = result_of(scenario, "f.so")["firmware"]
    assert [] == told["fallen"]
    assert ("f.so", 1) == (told["library"], told["power_ups"])
    assert told["frames_without_room"] > 400
    assert subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout.split()[0] == told["sha256"]


def test_a_bench_that_is_killed_takes_its_firmware_with_it(tmp_path: Path, scenario: str) -> None:
    """Also one that hangs, which would spin for ever."""
    mark = tmp_path / "pid"
    start = f'({{FILE*f=fopen("{mark}","w");fprintf(f,"%ld",(long)getpid());fclose(f);}})'
    compiled.gcc(
        tmp_path / "f.so", "-shared", "-fPIC", "-include", "unistd.h", f"-DSTART={start}", "-DDEFECT=for(;;);",
        str(compiled.SOURCES / "speaks.c"),
    )  # fmt: skip
    bench = wall.nabench("run", scenario, "--dut", "native:f.so?step_s=60")
    until = time.monotonic() + 60
    while not mark.exists() or not mark.read_text(encoding="utf-8"):
        assert time.monotonic() < until
        time.sleep(0.05)
    firmware = int(mark.read_text(encoding="utf-8"))
    time.sleep(0.3)
    os.kill(bench.pid, signal.SIGKILL)
    bench.communicate()
    while Path(f"/proc/{firmware}").exists():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_python_test_hears_of_it_too(tmp_path: Path) -> None:
    """The check at the end of every test, and the record of its run folder, name what happened."""
    path = compiled.library(tmp_path / "f.so", DEFECT="abort()")
    bench = Session(dut=f"native:{path}")
    bench.run_for(1.5)
    problems = bench.health()
    assert any(p.startswith("the firmware fell at 1.000 s: it died of SIGABRT (Aborted)") for p in problems), problems
    place = bench.write(tmp_path / "runs")
    bench.close()
    assert "it died of SIGABRT" in (place / "result.json").read_text(encoding="utf-8")
