"""What a bench cannot know of its instruments, and of the people it asks, is never a PASS."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path

import instruments
import pytest
import wall
from command import changed, nabench

from hil import benchfile, lacks, runner
from hil.io.asking import Person, Turn
from hil.report.record import RunRecord
from hil.verdict import Verdict

ASK = """
format = 1
title = "a bench with a person"
[buses]
pack = "virtual:x"
[feeds]
hvil = "ask"
[[ask]]
quantity = "hvil"
begin = "Pull the plug"
"""
HEAD = """
format = 1
name = "short"
title = "The interlock opens"
pack = "nfm-16s"
duration_s = 2.0
[[request]]
at_s = 0.1
mode = "drive"
"""
FAULT = """
[[fault]]
fault = "hvil_open"
name = "loop"
start_s = 1.5
stop_s = 1.6
"""
NEVER = """
[[expect]]
kind = "signal"
requirement = "SR-MODE-RUN"
signal = "BMS_State"
mode = "never"
is = "charge"
from_s = {}
to_s = {}
"""


def file(tmp_path: Path, text: str, name: str = "bench.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A scenario with an expectation before, and one after a fault that comes and goes."""
    return file(tmp_path, HEAD + FAULT + NEVER.format(0.5, 1.4) + NEVER.format(1.7, 1.9), "short.scenario.toml")


def run(scenario: Path, bench: Path) -> RunRecord:
    return runner.run(scenario, runner.Options(bench=bench, armed=True))


# ---- instruments


class Stuck(list[str]):
    """What an instrument was told, which falls silent at a command."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at, self.free = at, threading.Event()

    def append(self, line: str) -> None:
        super().append(line)
        if line == self.at:
            self.free.wait(10.0)


def test_nothing_is_judged_while_an_instrument_does_not_say_that_it_was_set(tmp_path: Path, short: Path) -> None:
    """Also when the run ends before the instrument's time to answer is over."""
    leak = ("hvil_open", "insulation"), ("stop_s = 1.6", "with = { resistance_kohm = 1.0 }")
    short.write_text(changed(short.read_text(encoding="utf-8"), *leak), encoding="utf-8")
    told = Stuck("RES 1")
    with instruments.served(told=told) as served, wall.device(wall.multicast()) as device:
        record = run(short, file(tmp_path, instruments.bench(device.bus, served.address)))
        told.free.set()
    assert "RES 1" in told, told
    before, after = (finding for finding in record.findings if finding.requirement == "SR-MODE-RUN")
    assert Verdict.PASS == before.verdict
    assert Verdict.INCONC == after.verdict
    assert 'instrument "one" did not say that it was set' in after.seen


def test_what_a_value_waits_for_its_turn_counts_to_the_time_that_it_takes(tmp_path: Path, short: Path) -> None:
    """An instrument that is told every 0.3 s may show a value 0.3 s late; what is told in frames is not."""
    with instruments.served() as served, wall.device(wall.virtual()) as device:
        slow = ("every_ms = 5", "every_ms = 300"), ('insulation = "io"', 'cell_voltage = "io"')
        cells = ("PackIO_Insulation", "CellVoltage_{n:03}"), ("RES {value:.0f}", "VOLT {value:.4f},(@{n1})")
        record = run(short, file(tmp_path, changed(instruments.bench(device.bus, served.address), *slow, *cells)))
    link = record.trace.info["link"]
    assert ["cell_voltage"] == list(link["instrument_ns"])
    assert link["instrument_ns"]["cell_voltage"] > 250e6
    assert 1e6 <= link["stamp_ns"] < 3e6


def test_all_that_an_instrument_is_told_is_listed(tmp_path: Path, short: Path) -> None:
    """What prepares it, what it is told when there is no value, and what leaves it safe."""
    text = instruments.bench("udp_multicast:239.74.163.9", "tcp:127.0.0.1:1") + 'lost = "RES 0"\n'
    ran = nabench("run", short, "--bench", file(tmp_path, text))
    listed = ["first OUTP ON,(@1)", "PackIO_Insulation as RES {value:.0f}, without a value RES 0", "in the end OUTP OFF"]
    lines = [line.strip() for line in (ran.out + ran.err).splitlines()]
    assert (2, listed) == (ran.code, [line for line in lines if line in listed])
    relays = instruments.bench("udp_multicast:239.74.163.9", "tcp:127.0.0.1:1", "modbus")
    assert "in the end 3 off" in nabench("run", short, "--bench", file(tmp_path, relays)).out


# ---- people


def test_what_was_typed_before_a_question_is_no_answer_to_it() -> None:
    """Somebody who leans on Enter has not pulled a plug."""
    near, far = os.openpty()
    os.write(near, b"\n\n")
    turns = [Turn(1_000_000_000, "loop", "Pull the plug", 0.2)]
    begun = {thread.ident for thread in threading.enumerate()}
    with os.fdopen(far, encoding="utf-8") as answers, Path(os.devnull).open("w", encoding="utf-8") as speaks:
        person = Person(turns, answers, speaks)
        person.tick(1_000_000_000)
        wall.wait_until(lambda: begun >= {thread.ident for thread in threading.enumerate()}, 5.0)
    os.close(near)
    assert ["loop"] == list(person.unanswered())
    assert {"loop": [(1.0, math.inf)]} == person.unsure()


def test_nothing_is_judged_between_a_question_and_its_answer(tmp_path: Path, short: Path) -> None:
    """Nor after an end that nobody answered, or was never asked for."""
    built = runner.prepare(short, runner.Options())
    bench = benchfile.load(file(tmp_path, ASK + 'end = "Put it back"\n'))
    before, asked = 'nobody knows whether fault "loop" was there from ', ": a person makes and ends it"
    for doubts, told in (
        ([(1.5, 1.55), (1.6, 1.65)], {}),
        ([(1.5, 1.75)], {1: [("", f"{before}1.5 s to 1.8 s{asked}")]}),
        ([(1.5, 1.55), (1.6, math.inf)], {1: [("", f"{before}1.6 s on{asked}")]}),
    ):
        assert told == lacks.of(built, bench, interactive=True, unsure={"loop": doubts}).expects
    endless = benchfile.load(file(tmp_path, ASK))
    assert {1: [("", f"{before}1.6 s on{asked}")]} == lacks.of(built, endless, interactive=True).expects
