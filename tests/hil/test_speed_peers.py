"""nabench bench --peers: what it prints and what it refuses. The packages stand aside here; the plant stands for them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from typing import Any

import figures
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from firmware_sim.types import MS_NS
from hil.cli import app
from hil.errors import BenchError
from hil.speed import peer_cells, peer_table, peers
from hil.speed.peer_cells import Circuit, line

pytestmark = pytest.mark.compiled_only

PLAN = peers.Plan(cells=(1, 96), rounds=2, ticks=200, slow_ticks=10, check_s=6)


class Twin:
    """The plant in the place of another solver, its voltage wrong by an offset."""

    def __init__(self, circuit: Circuit, offset_V: float = 0.0) -> None:
        self.circuit, self.alone, self.offset_V = circuit, circuit.plant(), offset_V
        self.voltage_V = self.alone.voltage_V

    def step(self, current_A: float) -> float:
        self.voltage_V = self.alone.step(current_A) + self.offset_V
        return self.voltage_V

    def hour(self, current_A: float) -> Callable[[], float]:
        return lambda: self.circuit.plant(dt_ns=1000 * MS_NS).hold(current_A, 3600)[-1]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Figures of a short plan against two twins, one of which is wrong by 2 mV, as they are printed."""
    twins: peers.Solvers = {"thevenin": Twin, "pybamm": lambda circuit: Twin(circuit, 2e-3)}
    out = peers.measure(PLAN, lambda text: None, twins)
    return json.loads(json.dumps({**out, "targets": [vars(target) for target in peer_table.targets(out)]}))


@pytest.mark.parametrize("peer", ["thevenin", "pybamm"])
def test_json_has_a_ratio_for_each_gear_and_size(found: dict[str, Any], peer: str) -> None:
    """Ratios stand under gear and count of cells, inside their quartiles."""
    assert {gear: {"1", "96"} for gear in peers.OURS} == {gear: set(sizes) for gear, sizes in found[f"ratio_vs_{peer}"].items()}
    for gear, sizes in found[f"ratio_vs_{peer}"].items():
        for cells, ratio in sizes.items():
            low, high = found["quartiles"][cells][f"{gear} vs {peer}"]
            assert 0 < low <= ratio <= high


def test_cell_seconds_are_those_of_all_cells(found: dict[str, Any]) -> None:
    """A step of 10 ms of 96 cells is 0.96 cell-seconds."""
    for gear, sizes in found["tick_us"].items():
        for cells, tick_us in sizes.items():
            assert int(cells) * 1e4 / tick_us == pytest.approx(found["cell_s_per_cpu_s"][gear][cells], rel=0.01)


def test_the_hour_ends_at_one_voltage(found: dict[str, Any]) -> None:
    """Ticks of 10 ms, ticks of a second and the other solvers come to the same voltage, within 0.1 mV."""
    volts = [row["end_V"] for row in found["hour"].values()]
    assert {"compiled, 10 ms ticks", "compiled, 1000 ms ticks", "thevenin", "pybamm"} == set(found["hour"])
    assert np.ptp(volts) < 1e-4
    assert 3.0 < volts[0] < 3.5


def test_a_solver_that_differs_by_more_than_a_millivolt_misses_its_target(found: dict[str, Any]) -> None:
    """Two of a kind do not differ; one whose voltage is wrong by 2 mV does."""
    assert {"thevenin": 0.0, "pybamm": 2.0} == pytest.approx(found["difference_mV"])
    met = {target.name: target.met for target in peer_table.targets(found)}
    assert met["difference of voltage to thevenin, mV"]
    assert not met["difference of voltage to PyBaMM, mV"]


def test_tables_name_solvers_sizes_and_targets(found: dict[str, Any]) -> None:
    """What a person reads holds every solver and a verdict on every target; the page's tables hold the same ratios."""
    console = Console(width=160, record=True)
    with console.capture() as captured:
        peer_table.show(found, console)
    text = captured.get()
    for expected in ("nabench, compiled", "nabench, from Python", "thevenin, its own steps", "PyBaMM, its own steps"):
        assert expected in text
    assert len(found["targets"]) == text.count(" met ") + text.count(" missed")
    page = figures.peers({**found, "machine": {**found["machine"], "thevenin": "1.2", "pybamm": "3.4"}}, "today")
    assert "today" in page
    assert "thevenin 1.2, PyBaMM 3.4" in page
    for cells in ("1", "96"):
        assert peer_table.ratio(found, "thevenin", "compiled", cells) in page


@pytest.mark.parametrize(
    ("installed", "missing"), [((), "thevenin and pybamm"), (("thevenin",), "pybamm"), (("pybamm",), "thevenin")]
)
def test_missing_packages_are_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], missing: str
) -> None:
    """Without the extra the command says in one sentence how to get it, before anything is measured."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return (name in installed or None) if name in peer_cells.PACKAGES else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    result = CliRunner().invoke(app, ["bench", "--peers"])
    assert isinstance(result.exception, BenchError)
    assert f'--peers needs {missing}, not installed here: pip install "nabench[peers]"' == str(result.exception)


def test_line_interpolates_and_holds_at_its_ends() -> None:
    """The lookup that is given to the other solvers is np.interp, for one number and for many."""
    xs, ys, at = np.array([0.0, 0.1, 1.0]), np.array([1.0, 3.0, 2.0]), np.linspace(-0.5, 1.5, 41)
    assert np.interp(at, xs, ys) == pytest.approx(line(xs, ys)(at))
    assert [line(xs, ys)(x) for x in at] == pytest.approx(np.interp(at, xs, ys))
