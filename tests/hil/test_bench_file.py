"""What a bench can stimulate and see: the bench file, its instruments, its people; what is lacking is INCONC, never PASS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import instruments
import pytest
import wall
from command import changed, nabench

from hil import benchfile, lacks, runner
from hil.errors import DutError, LinkLostError, ScenarioError
from hil.fault import catalogue
from hil.io import asking, modbus
from hil.io.asking import Person, Turn
from hil.io.feed import port_of
from hil.io.simulated import Source
from hil.link.can_bus import CanBus
from hil.link.line import Line
from hil.link.spec import parse
from hil.link.supply import Supply
from hil.report.record import RunRecord

PLAIN = """
format = 1
title = "a bench of a test"
[buses]
pack = "virtual:x"
"""
LOST = """
[feeds]
cell_voltage = "io"
[[instrument]]
name = "cells"
driver = "scpi"
address = "tcp:127.0.0.1:1"
safe = ["OUTP OFF"]
[[instrument.channel]]
signal = "CellVoltage_{{n:03}}"
set = "VOLT {{value}},(@{{n1}})"
{}
"""
HVIL = """
format = 1
name = "short"
title = "The interlock opens"
pack = "nfm-16s"
duration_s = 2.0
[[request]]
at_s = 0.1
mode = "drive"
[[fault]]
fault = "hvil_open"
name = "loop"
start_s = 1.5
[[expect]]
kind = "signal"
requirement = "SR-MODE-RUN"
signal = "BMS_State"
mode = "once"
is = "init"
from_s = 0.0
to_s = 1.0
[[expect]]
kind = "reaction"
requirement = "SR-HVIL"
fault = "loop"
"""


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def hvil(tmp_path: Path) -> Path:
    """A scenario whose interlock opens after one and a half seconds."""
    path = tmp_path / "short.scenario.toml"
    path.write_text(HVIL, encoding="utf-8")
    return path


def run(scenario: Path, bench: Path) -> RunRecord:
    return runner.run(scenario, runner.Options(bench=bench, armed=True))


# ---- the file


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ((("[buses]", '[feeds]\nhvil = "io"\n[buses]'),), 'feeds.hvil is "io", but no channel of an [[instrument]] feeds it'),
        ((("[buses]", '[feeds]\nhvil = "ask"\n[buses]'),), 'feeds.hvil is "ask", but no [[ask]] says what to ask for it'),
        ((("[buses]", '[feeds]\nhvill = "ask"\n[buses]'),), 'feeds.hvill: unknown key; did you mean "hvil"?'),
        (
            (("virtual:x", "virtuel:x"),),
            'buses.pack: bus "virtuel:x": there is no interface "virtuel"; did you mean "virtual"?',
        ),
        ((("[buses]", '[dut]\nsupply = "channel"\n[buses]'),), 'dut.supply is "channel", but no channel has signal = "supply"'),
        ((("[buses]", '[dut]\nkind = "process"\n[buses]'),), 'dut.command: kind "process" needs the command'),
        ((("[buses]", "[dut]\ngrace_s = 1.0\n[buses]"),), 'dut.grace_s: only kind "process" has it'),
        ((("virtual:x", "slcan:pty"),), 'is made for a firmware that the bench starts; set dut.kind to "process"'),
        (
            (("[buses]", '[[ask]]\nquantity = "hvli"\nbegin = "x"\n[buses]'),),
            'quantity "hvli" is unknown; did you mean "hvil"?',
        ),
    ],
)
def test_what_is_wrong_with_a_bench_file_is_said_in_one_sentence(
    tmp_path: Path, pairs: tuple[tuple[str, str], ...], told: str
) -> None:
    """File, key, found, expected."""
    path = file(tmp_path, changed(PLAIN, *pairs))
    ran = nabench("check", path)
    assert 2 == ran.code
    (problem,) = ran.problems
    assert problem.startswith(f"{path}: ")
    assert told in problem


@pytest.mark.parametrize(
    ("quantity", "feed", "is_wrong"),
    [("cell_voltage", "io", True), ("insulation", "ask", True), ("current", "none", True), ("hvil", "none", False)],
)
def test_the_emulator_has_no_inputs_but_frames(tmp_path: Path, quantity: str, feed: str, is_wrong: bool) -> None:
    """A bench that starts it knows; at the far end of a bus it looks like a device whose wires hang loose."""
    served = '[dut]\nkind = "process"\ncommand = ["/opt/bin/nabench", "serve", "--bus", "virtual:x"]\n'
    more = f'[feeds]\n{quantity} = "{feed}"\n' + (f'[[ask]]\nquantity = "{quantity}"\nbegin = "x"\n' if feed == "ask" else "")
    if feed == "io":
        more = LOST.format("")
    told = f'feeds.{quantity} is "{feed}", but nabench serve takes all that it knows from frames; set it to "frames"'
    assert ([told] if is_wrong else []) == [
        problem.partition(": ")[2] for problem in nabench("check", file(tmp_path, PLAIN + served + more)).problems
    ]
    assert 0 == nabench("check", file(tmp_path, PLAIN + more)).code
    own = changed(served, ('"serve"', '"server"'))
    assert 0 == nabench("check", file(tmp_path, PLAIN + own + more)).code


def test_what_is_wrong_with_an_instrument_is_said(tmp_path: Path) -> None:
    """Address, signal, command, and a quantity that only some channels feed."""
    good = instruments.bench("virtual:x", "tcp:127.0.0.1:1")
    for pair, told in (
        (("tcp:127.0.0.1:1", "udp:1"), 'instrument[0].address "udp:1": expected tcp:HOST:PORT or serial:PATH[@BAUD]'),
        (("RES {value:.0f}", "RES {valeu}"), "expected only {value}, {n} and {n1} in braces"),
        (("RES {value:.0f}", "RES {value"), "not a command that can be filled in"),
        (('"PackIO_Insulation"', '"PackIO_Isolation"'), "is no role of ours"),
        (('insulation = "io"', 'insulation = "none"'), 'feeds.insulation is "none"; set it to "io"'),
    ):
        text = changed(good, pair)
        assert told in " ".join(nabench("check", file(tmp_path, text)).problems), pair


def test_a_bus_that_the_network_has_and_the_bench_has_not_is_named(tmp_path: Path, hvil: Path) -> None:
    """By its name, with those that the bench has."""
    path = file(tmp_path, changed(PLAIN, ("pack =", "truck =")))
    with pytest.raises(ScenarioError, match='the network has a bus "pack", the bench has truck'):
        run(hvil, path)
    both = nabench("run", hvil, "--bench", path, "--dut", "remote:virtual:x")
    assert "both say what the device is" in both.problems[0]


# ---- what is lacking


def test_every_fault_of_the_plant_says_how_it_reaches_the_device() -> None:
    """A new row of the catalogue needs its line here, else a bench would claim to make it."""
    plant = {name for name, kind in catalogue.catalogue().items() if kind.seam == "plant"}
    assert plant == set(lacks.OF_PLANT)
    assert {q for row in lacks.OF_PLANT.values() for q in row} <= set(benchfile.QUANTITIES)


@pytest.mark.parametrize(
    ("keys", "scenario", "told"),
    [
        ('[feeds]\nhvil = "none"', "hvil-open", 'fault "bounce" cannot be stimulated: hvil: nobody feeds it on this bench'),
        ('[feeds]\nhvil = "none"', "hvil-open", "expect[2] (SR-HVIL, reaction) will be INCONC: it rests on fault"),
        ('[feeds]\nrequest = "none"', "mode-walk", "it rests on a request of the vehicle; nobody feeds it on this bench"),
        (
            '[observes]\ncontactors = "none"',
            "hvil-open",
            "(SR-HVIL, reaction) will be INCONC: the bench does not see the contacts",
        ),
        (
            '[observes]\nnot_seen = ["BMS_Status"]',
            "hvil-open",
            "(SR-MODE-RUN, signal) will be INCONC: the device does not send",
        ),
        ('[dut]\nsupply = "none"', "reset-in-run", "cannot be stimulated: the bench cannot switch the device's supply"),
        ('[feeds]\ncell_voltage = "none"', "cell-overvoltage-sense", "cell_voltage cannot be stimulated: nobody feeds it"),
        (
            LOST.format(""),
            "cell-not-available",
            'fault "for good" cannot be stimulated: cell_voltage: channel "CellVoltage_{n:03}" has no "lost"',
        ),
        (LOST.format('lost = "VOLT 0"'), "cell-not-available", "nothing: all can be stimulated and seen"),
        (
            '[feeds]\ncell_temperature = "none"',
            "starter-cold-crank",
            "it rests on cells that start at -25 degC, which show as cell_temperature",
        ),
        (
            '[feeds]\ncell_voltage = "none"',
            "cell-overcharge-real",
            "it rests on cells that start at 97 % SOC, which show as cell_voltage",
        ),
        *(
            (
                f'[feeds]\n{quantity} = "none"',
                "mode-walk",
                f"it rests on contactors that close, which shows as {quantity}; nobody",
            )
            for quantity in ("feedback", "link_voltage", "pack_voltage")
        ),
        ('[feeds]\nfeedback = "none"', "mode-walk", "(SR-PRECHARGE-ONCE, precharge) will be INCONC"),
        ('[feeds]\nfeedback = "none"', "feedback-stuck", "cannot be stimulated: feedback: nobody feeds it on this bench"),
        ('[feeds]\npack_voltage = "none"', "pack-voltage-stuck", "cannot be stimulated: pack_voltage: nobody feeds it"),
        ('[feeds]\nlink_voltage = "none"', "precharge-short", "cannot be stimulated: link_voltage: nobody feeds it"),
        ("", "hvil-open", "nothing: all can be stimulated and seen"),
    ],
)
def test_what_a_bench_lacks_for_a_scenario_is_known_before_the_run(tmp_path: Path, keys: str, scenario: str, told: str) -> None:
    """As a table of nabench check, scenario by scenario."""
    ran = nabench("check", file(tmp_path, PLAIN + keys), scenario)
    assert (0, "") == (ran.code, ran.err)
    assert told in " ".join(ran.out.split()), ran.out


def test_a_scenario_that_is_none_is_named_with_the_nearest(tmp_path: Path) -> None:
    """A name without a file."""
    ran = nabench("check", file(tmp_path, PLAIN), "hvil-opn")
    assert ['scenario "hvil-opn" is neither shipped nor a path; did you mean "hvil-open"?'] == ran.problems


def test_what_cannot_be_stimulated_is_inconclusive_and_never_passes(tmp_path: Path, hvil: Path) -> None:
    """Fault and all that rests on it; what does not is judged. The folder can be judged again."""
    with wall.device(wall.multicast()) as device:
        bench = file(tmp_path, changed(PLAIN, ("virtual:x", device.bus)) + '[feeds]\nhvil = "none"\n')
        ran = nabench("run", hvil, "--bench", bench, "--arm", "--json", "--out", tmp_path / "out")
    assert 3 == ran.code, ran.err
    assert 'fault "loop" cannot be stimulated: hvil: nobody feeds it' in ran.err
    (result,) = json.loads(ran.out)["results"]
    by = {finding["what"]: finding for finding in result["findings"]}
    assert "INCONC" == by['fault "loop"']["verdict"]
    reactions = [finding for what, finding in by.items() if what in ("detection (FDTI)", "reaction (FHTI)", "reaction")]
    assert reactions
    assert all("INCONC" == f["verdict"] and "hvil: nobody feeds it" in f["seen"] for f in reactions)
    assert "loop" in result["bench"]["lacks"]["faults"]
    again = nabench("judge", tmp_path / "out" / "short")
    assert (3, True) == (again.code, "identical, byte for byte" in again.out)


def test_what_comes_before_contactors_are_asked_to_close_needs_no_feedback(hvil: Path, tmp_path: Path) -> None:
    """An expectation that is over before the first request of operation is judged, the others are not."""
    text = hvil.read_text(encoding="utf-8")
    hvil.write_text(changed(text, ("at_s = 0.1", "at_s = 1.1")), encoding="utf-8")
    told = " ".join(nabench("check", file(tmp_path, PLAIN + '[feeds]\nfeedback = "none"\n'), hvil).out.split())
    assert "expect[1] (SR-HVIL, reaction) will be INCONC: it rests on contactors that close" in told
    assert "expect[0]" not in told


@pytest.mark.wall
def test_a_device_that_cannot_close_because_nobody_feeds_it_has_not_failed(tmp_path: Path, hvil: Path) -> None:
    """It stays in precharge or trips, as it must; what the scenario expects of it is INCONC, with the reason."""
    text = hvil.read_text(encoding="utf-8")
    hvil.write_text(changed(text, ('is = "init"', 'is = "run"'), ("to_s = 1.0", "to_s = 1.4")), encoding="utf-8")
    with wall.device(wall.multicast()) as device:
        bench = file(tmp_path, changed(PLAIN, ("virtual:x", device.bus)) + '[feeds]\nfeedback = "none"\n')
        record = run(hvil, bench)
    expected = [finding for finding in record.findings if finding.requirement.startswith("SR-")]
    assert {"SR-MODE-RUN", "SR-HVIL"} == {finding.requirement for finding in expected}
    assert all(finding.verdict.name == "INCONC" for finding in expected), record.result()
    assert all("which shows as feedback" in finding.seen for finding in expected) or wall.excused(record)


# ---- instruments


@pytest.mark.parametrize(("driver", "quantity"), [("scpi", "insulation"), ("modbus", "hvil")])
def test_an_instrument_follows_the_plant_and_is_left_safe(tmp_path: Path, hvil: Path, driver: str, quantity: str) -> None:
    """A source that shows the insulation, a relay in the interlock: told within the tick, safe in the end."""
    told: list[str] = []
    with instruments.served(relays=driver == "modbus", told=told) as served, wall.device(wall.virtual()) as device:
        bench = file(tmp_path, instruments.bench(device.bus, served.address, driver, quantity))
        record = run(hvil, bench)
        notes = record.trace.info["link"]["instruments"]["one"]
    assert notes["sets"] >= 1
    if driver == "modbus":
        coils = [line for line in told if line.startswith("coil 3")]
        assert ["coil 3 on", "coil 3 off"] == coils[:2]  # closed, then opened by the fault
        assert "coil 3 off" == coils[-1]
        assert not served.coils[3]
    else:
        assert any(line.startswith("RES ") for line in told)
        assert told[0].startswith("*IDN?")
        assert set() == served.source.output
    layout = record.setup.network.to_dut
    signal = {"insulation": "PackIO_Insulation", "hvil": "PackIO_Hvil"}[quantity]
    from hil.wirelog import WireLog

    series = WireLog(record.trace.journal, record.setup.network).series(signal)
    assert signal in layout.signal_names
    assert len(series.t_ns) > 100
    assert not series.valid.any()  # no frame says what the instrument shows


def test_a_supply_with_a_channel_is_off_then_on_and_lost_by_a_reset(tmp_path: Path, hvil: Path) -> None:
    """No supply frame is sent then; the fault reset switches the channel off until the device is silent, and on again."""
    told: list[str] = []
    reset = '[[fault]]\nfault = "reset"\nstart_s = 1.0\n'
    hvil.write_text(HVIL.replace("[[expect]]", reset + "[[expect]]", 1), encoding="utf-8")
    with instruments.served(told=told) as served, wall.device(wall.virtual()) as device:
        text = instruments.bench(device.bus, served.address).replace("[dut]", '[dut]\nsupply = "channel"')
        text += '[[instrument.channel]]\nsignal = "supply"\nset = "OUTP {value:.0f},(@32)"\n'
        ears = CanBus(parse(device.bus), 500_000, False)
        run(hvil, file(tmp_path, text))
        orders = []
        while (frame := ears.receive(0)) is not None:
            orders += [frame] if frame.can_id == Supply().can_id else []
        ears.close()
    assert [] == orders
    assert ["OUTP 0,(@32)", "OUTP 1,(@32)", "OUTP 0,(@32)", "OUTP 1,(@32)"] == [line for line in told if "(@32)" in line][:4]


def test_an_instrument_that_is_lost_ends_the_run(tmp_path: Path, hvil: Path) -> None:
    """With its name, and without a verdict on the device."""
    with wall.device(wall.virtual()) as device, instruments.served() as served:
        bench = file(tmp_path, instruments.bench(device.bus, served.address).replace("RES {value:.0f}", "NONSENSE {value}"))
        with pytest.raises(LinkLostError, match=r'instrument "one" refused NONSENSE .*: -113,"Undefined header;NONSENSE"'):
            run(hvil, bench)
    bench = file(tmp_path, instruments.bench(wall.virtual(), "tcp:127.0.0.1:1"))
    with pytest.raises(DutError, match=r'instrument "one" at tcp:127\.0\.0\.1:1 cannot be reached: Connection refused'):
        run(hvil, bench)


def test_an_instrument_on_a_serial_line() -> None:
    """The same over a pseudo-terminal; the guardian's way too, which opens it by its path."""
    from hil.link import guardian

    file_ = benchfile.Instrument(
        name="one", driver="scpi", address="serial:x", safe=["OUTP OFF"], channel=[benchfile.Channel(signal="supply", set="x")]
    )
    with instruments.served("pty") as served:
        port = port_of(file_.model_copy(update={"address": served.address}))
        assert "nabench,simulated source,0,1" == port.begin()
        port.set(["VOLT 3.3,(@2)", "OUTP ON,(@2)"])
        assert ({2}, 3.3) == (served.source.output, served.source.values["VOLT", 2])
        guardian.tell(served.address, port.safe_words)
        wall.wait_until(lambda: not served.source.output, 5.0)
        port.close()


def test_a_relay_card_refuses_what_it_has_not() -> None:
    """A coil out of reach, by the exception of the protocol; commands that mean nothing, before anything is opened."""
    file_ = benchfile.Instrument(
        name="one",
        driver="modbus",
        address="tcp:a:1",
        safe=["0 off"],
        channel=[benchfile.Channel(signal="supply", set="{value}")],
    )
    with instruments.served(relays=True) as served:
        port = port_of(file_.model_copy(update={"address": served.address}))
        port.begin()
        with pytest.raises(LinkLostError, match="refused coil 64: Modbus exception 2"):
            port.set(["64 on"])
        port.close()
    assert (3, True) == modbus.coil_of("coil 3 1.0")
    for text in ("three on", "3 maybe", "70000 on"):
        with pytest.raises(ScenarioError, match="modbus command"):
            modbus.coil_of(text)


def test_every_wait_for_an_instrument_ends() -> None:
    """One that takes the call and says nothing."""
    with instruments.served(relays=True) as served:
        line = Line(served.address, "an instrument")
        begun = time.monotonic()
        line.write("*IDN?")
        with pytest.raises(LinkLostError, match=r"did not answer within 0.2 s"):
            line.read(0.2)
        assert time.monotonic() - begun < 2
        line.close()


def test_a_simulated_source_answers_as_a_real_one() -> None:
    """Set and ask back, channels, units of a line, errors kept in order."""
    source = Source()
    assert "2.5" == source.answer("SOUR:VOLT 2.5,(@3);VOLT? (@3)")
    assert "0" == source.answer("OUTP? (@3)")
    assert "" == source.answer("OUTP ON")
    assert "1;1" == source.answer("OUTP? (@3);*OPC?")
    assert "" == source.answer("FLY 1;VOLT 1e9,(@1);VOLT 1,(@99);VOLT abc")
    wrong = [source.answer("SYST:ERR?").partition(",")[0] for _ in range(5)]
    assert ["-113", "-222", "-222", "-104", "0"] == wrong
    source.answer("*RST")
    assert "0;0" == source.answer("VOLT? (@3);OUTP? (@3)")


# ---- people


def test_a_person_who_answers_and_one_who_does_not() -> None:
    """Enter within the time counts; silence does not, and is said with its reason."""
    read, write = os.pipe()
    turns = [Turn(0, "loop", "Pull the plug", 5.0), Turn(10, "leak", "Connect the resistor", 0.1)]
    with os.fdopen(read, encoding="utf-8") as answers, Path(os.devnull).open("w", encoding="utf-8") as speaks:
        person = Person(turns, answers, speaks)
        person.tick(0)
        os.write(write, b"\n")
        wall.wait_until(lambda: turns[0].answered_ns is not None, 5.0)
        person.tick(10)
        wall.wait_until(lambda: not person._busy.locked(), 5.0)
    os.close(write)
    assert {"leak": "nobody answered within 0.1 s that it was made"} == person.unanswered()


def test_a_fault_that_a_person_makes_gives_no_time(tmp_path: Path, hvil: Path) -> None:
    """Where nobody can be asked it is lacking; where somebody can, its reaction is, because its time is not known."""
    text = PLAIN + '[feeds]\nhvil = "ask"\n[[ask]]\nquantity = "hvil"\nbegin = "Pull the plug"\nend = "Put it back"\n'
    bench = benchfile.load(file(tmp_path, text))
    built = runner.prepare(hvil, runner.Options())
    alone = lacks.of(built, bench, interactive=False)
    assert {"loop": "hvil: a person makes it, and nobody can be asked here"} == alone.faults
    with_somebody = lacks.of(built, bench, interactive=True)
    assert ({}, ["loop"]) == (with_somebody.faults, with_somebody.asked)
    assert [("", 'it rests on the time of fault "loop", which a person makes')] == with_somebody.expects[1]
    assert "Pull the plug" == asking.question_of(bench.ask, "hvil").begin
    unmade = lacks.of(built, bench, interactive=True, failed={"loop": "nobody answered"})
    assert {"loop": "nobody answered"} == unmade.faults


ASKS = """
[[ask]]
quantity = "hvil"
begin = "Pull the plug"
timeout_s = 30
[[ask]]
quantity = "insulation"
begin = "Connect the resistor"
timeout_s = 0.1
"""


@pytest.mark.timeout(90)
def test_a_person_at_the_terminal_makes_a_fault(tmp_path: Path, hvil: Path) -> None:
    """Asked while the run goes on; what nobody confirmed is not made, what somebody did has no known time."""
    leak = '[[fault]]\nfault = "insulation"\nname = "leak"\nstart_s = 1.0\nwith = { resistance_kohm = 1.0 }\n'
    hvil.write_text(HVIL.replace("[[expect]]", leak + "[[expect]]", 1).replace("duration_s = 2.0", "duration_s = 3.0"))
    near, far = os.openpty()
    with wall.device(wall.multicast()) as device:
        bench = file(tmp_path, changed(PLAIN, ("virtual:x", device.bus)) + '[feeds]\nhvil = "ask"\ninsulation = "ask"\n' + ASKS)
        words = ["run", hvil, "--bench", bench, "--arm", "--json", "--out", tmp_path / "out"]
        code = "from hil.cli import main; main()"
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)], stdin=far, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert child.stderr is not None
        said = ""
        while "Pull the plug" not in said:
            said = child.stderr.readline()
            assert said or child.poll() is None
        os.write(near, b"\n")
        out, _ = child.communicate(timeout=60)
    os.close(near)
    os.close(far)
    (result,) = json.loads(out)["results"]
    assert {"leak": "nobody answered within 0.1 s that it was made"} == result["bench"]["lacks"]["faults"]
    seen = " ".join(finding["seen"] for finding in result["findings"] if finding["verdict"] == "INCONC")
    assert 'it rests on the time of fault "loop", which a person makes' in seen
    assert "INCONC" == result["verdict"]
