"""Runs that somebody ends before their time: the device is left safe, and what was done is kept and counted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wall
from command import changed, nabench, tree
from inputs import SHORT

from hil import runner
from hil.link import stop
from hil.link.can_bus import CanBus
from hil.link.spec import parse
from hil.link.supply import Supply
from hil.report.record import RunRecord

pytestmark = pytest.mark.wall

NUMBERS = [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C means something, also in a shell's background, where it is ignored and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A scenario that takes minutes."""
    path = tmp_path / "slow.scenario.toml"
    path.write_text(changed(SHORT, ('name = "bad"', 'name = "slow"'), ("duration_s = 7.0", "duration_s = 3000.0")))
    return path


def last_order(ears: CanBus) -> bool:
    """Whether the supply was on when the bench fell silent."""
    supply, orders = Supply(), []
    while (frame := ears.receive(0)) is not None:
        if (order := supply.read(frame)) is not None:
            orders.append(order[0])
    ears.close()
    return orders[-1]


@pytest.mark.parametrize(("number", "name"), NUMBERS)
def test_the_device_is_switched_off_whatever_ended_the_run(tmp_path: Path, slow: Path, number: int, name: str) -> None:
    """The last word on the bus is that the supply is off; the exit code is that of the signal."""
    with wall.device(wall.multicast()) as device:
        ears = CanBus(parse(device.bus), 500_000, False)
        child = wall.nabench("run", str(slow), "--arm", "--dut", f"remote:{device.bus}", "--out", str(tmp_path / "out"))
        wall.wait_until(lambda: wall.started(device, ears), 60.0)
        child.send_signal(number)
        _, err = child.communicate(timeout=20)
        on = last_order(ears)
    assert (128 + number, False) == (child.returncode, on)
    assert f'stopped by {name} in scenario "slow"; 0 of 1 scenarios were done' == err.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_device_is_switched_off_whatever_ended_pytest(tmp_path: Path, number: int) -> None:
    """A suite against a device leaves it as a run does."""
    (tmp_path / "test_slow.py").write_text("def test_slow(bench):\n    bench.run_for(3000)\n")
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "NABENCH_D"))}
    with wall.device(wall.multicast()) as device:
        ears = CanBus(parse(device.bus), 500_000, False)
        call = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--nabench-dut=remote:{device.bus}",
            "--nabench-arm",
            ".",
        ]
        child = subprocess.Popen(call, cwd=tmp_path, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wall.wait_until(lambda: wall.started(device, ears), 60.0)
        child.send_signal(number)
        out, _ = child.communicate(timeout=20)
        on = last_order(ears)
    assert (2, False) == (child.returncode, on), out


@pytest.mark.parametrize(("number", "name"), NUMBERS)
def test_what_was_done_before_the_end_is_kept(
    ends: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    """Its run folder, an overview that says that it is not all, and one line of what was broken off; no PASS."""
    run = runner.run

    def struck(path: Path, *rest: Any) -> RunRecord:
        if path == ends["fail"]:
            os.kill(os.getpid(), number)
        return run(path, *rest)

    monkeypatch.setattr(runner, "run", struck)
    before = [signal.getsignal(each) for each, _ in NUMBERS]
    ran = nabench("run", ends["pass"], ends["fail"], ends["inconc"], "--out", tmp_path, "--json")
    assert before == [signal.getsignal(each) for each, _ in NUMBERS]
    sentence = f'stopped by {name} in scenario "fail"; 1 of 3 scenarios were done'
    assert (128 + number, [sentence]) == (ran.code, ran.err.splitlines())
    assert {"index.html", "pass"} == {path.name for path in tmp_path.iterdir()}
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f"stopped by {name} in scenario" in page
    assert "<title>INCONC" in page
    document = json.loads(ran.out)
    scenarios = [result["scenario"] for result in document["results"]]
    assert ("INCONC", ["pass"], [sentence]) == (document["verdict"], scenarios, document["errors"])


def test_a_second_signal_does_not_break_the_safe_leave() -> None:
    """An impatient hand: the supply is off all the same."""
    said = []
    with stop.heeded():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as error:
            os.kill(os.getpid(), signal.SIGINT)
            said.append(stop.number_of(error))
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    assert [signal.SIGTERM] == said


def test_what_a_killed_run_left_is_swept_away(ends: dict[str, Path], tmp_path: Path) -> None:
    """By the next run to the same place; the scratch of a run at work, a link and a folder of the user's stay."""
    kill = (
        "import os, sys; from pathlib import Path; from hil.report import folder\n"
        "with folder.whole(Path(sys.argv[1]), 'x') as place: (place / 'half').touch(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", kill, str(tmp_path)], check=False)
    (left,) = tree(tmp_path) - {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.name in ("new", "half")}
    assert left.startswith(".nabench-")
    old, fresh, theirs, link = (tmp_path / f".nabench-{name}" for name in ("abc12345", "elsewhere-1-abc", "notes", "link"))
    at_work = tmp_path / left.replace(left.split("-")[2], str(os.getpid()))
    for folder in (old, fresh, theirs, at_work):
        (folder / "new").mkdir(parents=True)
    (theirs / "mine.txt").touch()
    link.symlink_to(theirs)
    for folder in (old, theirs):
        os.utime(folder, (0, 0))
    assert 0 == nabench("run", ends["pass"], "--out", tmp_path).code
    assert {"pass", fresh.name, theirs.name, link.name, at_work.name} == {path.name for path in tmp_path.iterdir()}
