"""Logs of several buses: which channel is which, what is ambiguous, and a replay onto two buses at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import wall
from command import nabench
from rigs import SCENARIO_PATH

from hil import runner
from hil.record import logs, of_trace
from hil.record.frame import About, LogFrame
from hil.trace import Trace

NETWORK = """
format = 1
title = "Cell monitors on a bus of their own"

[[bus]]
name = "cells"
bitrate = 500_000
dbc = ["monitor.dbc"]

[[bus]]
name = "vehicle"
bitrate = 500_000
dbc = ["shunt.dbc", "pack_io.dbc", "vehicle.dbc", "bms.dbc"]
"""
CELLS, VEHICLE = 0, 1


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trace]:
    """A network of two buses, and a run on it in which the interlock opens."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.network.toml").write_text(NETWORK, encoding="utf-8")
    text = (SCENARIO_PATH.parent / "hvil-open.scenario.toml").read_text(encoding="utf-8")
    scenario = folder / "hvil-open.scenario.toml"
    scenario.write_text(text.replace('pack = "nfm-16s"', 'pack = "nfm-16s"\nnetwork = "two.network.toml"'), encoding="utf-8")
    return folder / "two.network.toml", runner.run(scenario, runner.Options()).trace


def log(path: Path, trace: Trace, moved: Callable[[LogFrame], Iterable[LogFrame]], names: dict[int, str]) -> Path:
    """A log of the run. moved: what becomes of each frame."""
    frames = (new for frame in of_trace.frames(trace) for new in moved(frame))
    logs.write_log(path, About(channels=names), frames)
    return path


def on(channels: dict[int, tuple[int, ...]]) -> Callable[[LogFrame], list[LogFrame]]:
    """Frames of each bus on these channels."""
    return lambda frame: [frame._replace(channel=channel) for channel in channels[frame.channel]]


@pytest.mark.parametrize("suffix", [".blf", ".asc", ".log", ".csv", ".journal"])
def test_channels_are_found_by_their_ids(suffix: str, two: tuple[Path, Trace], tmp_path: Path) -> None:
    """Interchanged, with other numbers, in any format: the device behaves as recorded on both buses."""
    network, trace = two
    path = log(tmp_path / f"1.HvilOpen{suffix}", trace, on({CELLS: (5,), VEHICLE: (2,)}), {})
    ran = nabench("replay", path, "--network", network, "--compare", "--out", tmp_path / "out")
    assert 0 == ran.code, ran.out + ran.err
    assert "no difference in" in ran.out


@pytest.mark.parametrize("name", ["can0", "0"])
def test_a_bus_that_is_in_a_log_twice_is_not_fed_twice(name: str, two: tuple[Path, Trace], tmp_path: Path) -> None:
    """Two adapters on one wire: an error that says what to type; and typed, the second is left out, and that is told."""
    network, trace = two
    path = log(tmp_path / "1.HvilOpen.log", trace, on({CELLS: (0, 1), VEHICLE: (2,)}), {})
    words = ("replay", path, "--network", network, "--compare", "--out", tmp_path / "out")
    ran = nabench(*words)
    (problem,) = ran.problems
    assert problem == (
        f'{path}: channels 0 and 1 both carry 0x100 of bus "cells", so it would be fed twice; '
        "say which is which, as in --channel cells=can0 --channel vehicle=can2"
    )
    ran = nabench(*words, "--channel", f"cells={name}", "--channel", "vehicle=2")
    assert 0 == ran.code, ran.out + ran.err
    assert "frames of channel can1 left out" in ran.out + ran.err


@pytest.mark.parametrize(("typed", "expected"), [
    (["cell=0"], '--channel "cell=0": expected BUS=CHANNEL with a bus of the network; did you mean "cells"?'),
    (["cells"], '--channel "cells": expected BUS=CHANNEL with a bus of the network; did you mean "cells"?'),
    (["cells=9"], '--channel "cells=9": PATH has no such channel; it has can0, can1'),
    (["cells=0", "cells=1"], '--channel "cells=1": bus and channel belong together once'),
])  # fmt: skip
def test_a_channel_that_cannot_be_is_one_error(
    typed: list[str], expected: str, two: tuple[Path, Trace], tmp_path: Path
) -> None:
    """With the nearest bus, or what the log has."""
    network, trace = two
    path = log(tmp_path / "1.HvilOpen.log", trace, on({CELLS: (0,), VEHICLE: (1,)}), {})
    options = [word for text in typed for word in ("--channel", text)]
    ran = nabench("replay", path, "--network", network, "--out", tmp_path / "out", *options)
    assert (2, [expected.replace("PATH", str(path))]) == (ran.code, ran.problems)


@pytest.mark.parametrize(("places", "channel", "typed"), [
    ((7, 7, 7, 7), 7, "--channel cells=7"),
    ((1, 1, 1, 1), 1, "--channel vehicle=1"),
    ((0, 1, 0, 1), 0, "--channel cells=0 --channel vehicle=1"),
], ids=["number of neither", "number of one", "two channels alike"])  # fmt: skip
def test_a_channel_that_may_be_either_of_two_buses_is_asked_for(
    places: tuple[int, ...], channel: int, typed: str, two: tuple[Path, Trace], tmp_path: Path
) -> None:
    """As many frames with ids of one bus as of the other: its number settles nothing; what to type is told for all."""
    network, trace = two
    where = dict(zip((0x100, 0x110, 0x20, 0x30), places, strict=True))  # two of each bus
    left = dict.fromkeys(where, 20)

    def few(frame: LogFrame) -> list[LogFrame]:
        left[frame.can_id] = left.get(frame.can_id, 0) - 1
        return [frame._replace(channel=where[frame.can_id])] if left[frame.can_id] >= 0 else []

    path = log(tmp_path / "1.none.csv", trace, few, {})
    ran = nabench("replay", path, "--network", network, "--out", tmp_path / "out")
    assert [
        f'{path}: channel {channel} may be bus "cells" or "vehicle": it carries as many of their ids; say which: {typed}'
    ] == ran.problems


@pytest.mark.wall
@pytest.mark.timeout(120)
def test_two_buses_are_replayed_onto_two_buses(two: tuple[Path, Trace], tmp_path: Path) -> None:
    """A served device on two buses, a run on them, its journal replayed in lockstep, and a log onto the wires."""
    network, trace = two
    buses = f"{wall.multicast()},{wall.multicast()}"
    with wall.serve("--bus", buses, "--network", str(network)) as served:
        scenario = network.parent / "hvil-open.scenario.toml"
        ran = nabench("run", scenario, "--dut", f"remote:{buses}", "--arm", "--out", tmp_path / "runs")
        assert ran.code in (0, 3), ran.out + ran.err
        path = log(tmp_path / "1.HvilOpen.blf", trace, on({CELLS: (1,), VEHICLE: (0,)}), {})
        fed = nabench(
            "replay", path, "--network", network, "--dut", f"remote:{buses}", "--arm", "--compare", "--out", tmp_path / "out"
        )
        served.end()
    assert fed.code in (0, 3), fed.out + fed.err
    assert 0 == fed.code or served.was_late or "missed" in fed.out
    journal = tmp_path / "runs" / "hvil-open" / "frames.journal"
    channels = {frame.channel for frame in logs.open_log(journal)[1]}
    again = nabench("replay", journal, "--network", network, "--expect", "HvilOpen", "--out", tmp_path / "again")
    assert {CELLS, VEHICLE} == channels
    assert 0 == again.code or ran.code == 3, again.out
