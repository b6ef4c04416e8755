"""nabench bench: what it prints, what it refuses, and how it takes figures. No test here asserts a time."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from firmware_sim import settings as cfg
from hil.cli import app
from hil.errors import BenchError
from hil.rig import CHUNK
from hil.speed import case, codec, measure, methods, table
from hil.speed.rounds import Ratio, interleave

pytestmark = pytest.mark.compiled_only

_SHAPE = {"staged": {"16"}, "fused": {"16"}}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Figures of the quick plan at 16 cells, as the command prints them."""
    result = CliRunner().invoke(app, ["bench", "--quick", "--json", "--cells", "16", "--rounds", "2"])
    assert 0 == result.exit_code, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("key", ["ratio_vs_baseline", "ratio_vs_codec_and_bus", "x_real_time"])
def test_json_has_the_keys_that_others_read(found: dict[str, Any], key: str) -> None:
    """Each figure stands under its key, gear and count of cells, as a positive number."""
    assert _SHAPE == {gear: set(sizes) for gear, sizes in found[key].items()}
    assert all(value > 0 for sizes in found[key].values() for value in sizes.values())


def test_hops_cover_the_tick_of_all_designs(found: dict[str, Any]) -> None:
    """Seven hops here and the same seven in the baseline, where receiving and deciding stand apart."""
    hops = found["hops_us"]["16"]
    assert list("1234567") == [name[0] for name in hops["staged"] if name[0].isdigit()]
    assert list("123456") == [name[0] for name in hops["compiled"] if name[0].isdigit()]
    assert ["1", "2", "3", "4", "4", "5", "6", "7"] == [name[0] for name in hops["baseline"]]


def test_the_gears_end_in_one_state(found: dict[str, Any]) -> None:
    """Staged, fused and interpreted hashes were taken and are equal."""
    hashes = found["state_hashes"]
    assert {"staged", "fused", "interpreted"} == set(hashes)
    assert 1 == len(set(hashes.values()))
    assert found["interpreted"]["compiled"] is False


def test_soc_was_compared_before_the_clock_ran(found: dict[str, Any]) -> None:
    """The largest difference to the baseline is printed with the figures."""
    assert 1e-9 >= found["soc_difference"]["16"]


def test_every_target_stands_beside_its_figure(found: dict[str, Any]) -> None:
    """Targets that the measured sizes have figures for are listed with the verdict on each."""
    names = [target["name"] for target in found["targets"]]
    assert len(names) == len(set(names))
    for needed in ("staged, 16 cells: times the obvious design", "fused, 16 cells: times cantools and python-can alone"):
        assert needed in names
    assert not any("96" in name for name in names)
    for target in found["targets"]:
        better = target["value"] >= target["limit"] if target["at_least"] else target["value"] <= target["limit"]
        assert better == target["met"]


def test_the_table_names_machine_hops_and_targets(found: dict[str, Any]) -> None:
    """What a person reads holds the machine, each hop of both designs, and met or missed for every target."""
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as captured:
        table.show(found, console)
    text = captured.get()
    assert found["machine"]["processor"] in text
    for hop in [*found["hops_us"]["16"]["staged"], *found["hops_us"]["16"]["baseline"]]:
        assert hop in text
    assert len(found["targets"]) == text.count(" met ") + text.count(" missed")


def test_every_estimator_is_measured_against_the_plain_one(found: dict[str, Any]) -> None:
    """All that a calibration may name, in one table; the plain EKF is 1, and counting takes nothing beyond counting."""
    costs = found["methods"]
    for key in ("ns_per_cell", "ratio_vs_ekf", "beyond_counting", "quartiles"):
        assert (*cfg.METHODS, costs["whole"]) == tuple(costs[key])
    assert min(costs["ns_per_cell"].values()) > 0
    assert 1.0 == costs["ratio_vs_ekf"]["ekf"] == costs["beyond_counting"]["ekf"]
    assert 0.0 == costs["beyond_counting"]["counting"]
    assert costs["ns_per_cell"][costs["default"]] < costs["ns_per_cell"][costs["whole"]]
    names = {f"estimator {costs[key]}: times the plain EKF" for key in ("default", "whole")}
    assert names <= {target["name"] for target in found["targets"]}


def test_what_the_estimators_are_timed_on_is_what_they_say() -> None:
    """Every cell has a voltage every 100 ms, the charge cancels, and SOC moves by every method."""
    told = methods.readings()
    assert 0.0 == pytest.approx(told.current_A.sum(), abs=1e-9)
    for i in range(methods.CELLS):
        assert {10} == set(np.diff(np.flatnonzero(told.fresh[1:, 0, i])).tolist())
    for name in cfg.METHODS:
        soc = methods.Method(name, told).estimator.run(told, every=50).soc[:, 0, 0]
        assert 0.2 < soc.min() <= soc.max() < 0.9
        assert (np.diff(soc) != 0.0).sum() > 10


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--strict"], 1)])
def test_a_missed_ratio_fails_only_when_strict(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch, options: list[str], code: int
) -> None:
    """Measuring is not judging, unless asked to."""
    slow = copy.deepcopy({key: value for key, value in found.items() if key != "targets"})
    slow["ratio_vs_baseline"]["staged"]["16"] = 19.9
    monkeypatch.setattr(measure, "measure", lambda plan, tell: slow)
    result = CliRunner().invoke(app, ["bench", *options])
    assert code == result.exit_code
    assert "missed" in result.stdout


@pytest.mark.parametrize("text", ["0", "16,x", "193", "", "16,,96", "-4"])
def test_sizes_that_the_wire_cannot_carry_are_refused(text: str) -> None:
    """A wrong --cells ends with exit code 2 and one sentence, before anything is measured."""
    command = [sys.executable, "-c", "from hil.cli import main; main()", "bench", f"--cells={text}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 2 == done.returncode
    assert f'--cells "{text}": expected numbers from 1 to 192' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_baseline_with_another_soc_stops_the_measurement() -> None:
    """Designs that do not agree are not compared: here the baseline's sensors have another noise."""
    gear = case.Gear(case.switched_on(16), fused=False)
    baseline = case.benchmark("baseline").Baseline(case.build(16), seed=2)
    try:
        with pytest.raises(BenchError, match="SOC differs"):
            measure.agree(gear, baseline, CHUNK)
    finally:
        baseline.close()


class _Counts:
    """A variant that writes down its calls."""

    def __init__(self, name: str, calls: list[tuple[str, int]]) -> None:
        self.name, self.calls = name, calls

    def run(self, n_ticks: int) -> None:
        self.calls.append((self.name, n_ticks))

    def forget(self) -> None:
        self.calls.append((self.name, -1))

    def close(self) -> None:
        pass


def test_a_round_runs_every_variant_once() -> None:
    """Variants take turns, so that what slows the machine meets them all."""
    calls: list[tuple[str, int]] = []
    seconds = interleave({"a": (_Counts("a", calls), 10), "b": (_Counts("b", calls), 3)}, 2, lambda text: None)
    assert [("a", 10), ("a", -1), ("b", 3), ("b", -1)] * 2 == calls
    assert {"a": 2, "b": 2} == {name: len(values) for name, values in seconds.items()}


def test_ratio_is_the_median_with_its_quartiles() -> None:
    """Of 1 to 5 that is 3, between 2 and 4."""
    assert Ratio(2.0, 3.0, 4.0) == Ratio.of(np.array([5.0, 1.0, 4.0, 2.0, 3.0]))


@pytest.mark.parametrize("label", codec.MESSAGES)
def test_bulk_codec_and_cantools_agree_on_what_is_timed(label: str) -> None:
    """The frames that both codecs are timed on are the same bytes and the same values."""
    codecs = codec.Codecs(*codec.MESSAGES[label])
    assert codecs.agree()
    codecs.payloads[0, 0] ^= 1 << 20
    codecs.frames[0] = codecs.payloads[0].tobytes()[: len(codecs.frames[0])]
    assert not codecs.agree()
