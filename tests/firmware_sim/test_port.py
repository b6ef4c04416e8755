"""Figures for who ports the filters: counted and rounded in the kernels' own source, and as the page states them."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from functools import partial

import cost
import float32
import hooked
import numpy as np
import pytest

from hil.score.case import Case

PAGE = float32.PAGE.read_text(encoding="utf-8")
PLAIN = float32.runner(
    {name: importlib.import_module(f"firmware_sim.estimate.{name}") for name in hooked.NAMES}, compiled=False
)


def light() -> Case:
    """Twenty seconds of C/50 at 55 %, at 25 degC."""
    one, n = np.full(20, 0.03), np.full(20, np.nan)
    return Case(
        "",
        "",
        False,
        "nfm-16s",
        1.5,
        1_000_000_000,
        one,
        np.full(20, 3.2),
        np.full(20, 25.0),
        n,
        False,
        0.0,
        0.55,
        0.02,
        (0, 1),
    )


@pytest.mark.parametrize("method", float32.METHODS)
def test_a_hook_that_does_nothing_changes_nothing(method: str) -> None:
    """The sources with every operation passed through a hook are the kernels: the same bits after two seconds."""
    case = replace(light(), current_A=np.array([1.7, -0.9]), cell_V=np.array([3.1, 3.3]), temp_degC=np.array([4.0, 31.0]))
    told = float32.measure(PLAIN, case, method, False)
    idle = float32.runner(hooked.load(lambda _, value: value, compiled=False, rounds=False), compiled=False)
    for found, wanted in zip(float32.measure(idle, case, method, False), told, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("method", float32.METHODS)
def test_rounding_leaves_nothing_but_singles(method: str) -> None:
    """No value of the state, of what is sent or of the covariance has more digits than single precision holds."""
    rough = float32.runner(hooked.load(hooked.single, compiled=False, rounds=True), compiled=False)
    case = replace(light(), current_A=np.array([1.7]), cell_V=np.array([3.1]), temp_degC=np.array([4.0]))
    told, out = float32.arguments(case, method, True)
    rough(*told)
    for block in (out, *(value for value in told if isinstance(value, np.ndarray) and value.dtype == np.float64)):
        np.testing.assert_array_equal(block, block.astype(np.float32))


@pytest.mark.parametrize("method", ["counting", "sodium"])
def test_single_precision_loses_charge_and_a_compensated_sum_does_not(method: str) -> None:
    """2000 ticks of 10 ms at C/50, each a part of the last bit of SOC."""
    load = partial(hooked.load, hooked.single, compiled=False, rounds=True)
    told = float32.measure(PLAIN, light(), method, False).soc
    error = [
        float(np.abs(float32.measure(float32.runner(m, compiled=False), light(), method, True).soc - told).max())
        for m in (load(), load(edits=float32.COMPENSATED))
    ]
    assert error[0] > 3e-6
    assert error[1] < 3e-7


def test_a_count_counts_what_is_done() -> None:
    """Of a counter: current x time / capacity is the same for all cells; each cell then subtracts, and sums up its error."""
    rows, parts = cost.counted()["counting"]
    assert {"mul": 2, "add": 5} == parts["tick"]
    assert len(rows) < 25


def test_the_page_states_the_counts() -> None:
    """Memory and operations, as python tools/cost.py writes them."""
    (stated,) = re.findall(r"<!-- cost -->\n(.*?)\n<!-- /cost -->", PAGE, re.DOTALL)
    assert cost.markdown() == stated


def test_the_page_states_every_method_in_single_precision() -> None:
    """Each method in each run; with the remedy the filter's SOC is that of double precision to 0.02 %."""
    (stated,) = re.findall(r"<!-- float32 -->\n(.*?)\n<!-- /float32 -->", PAGE, re.DOTALL)
    rows = [[part.strip(" `") for part in line.strip("|").split("|")] for line in stated.splitlines()[2:]]
    assert [*float32.METHODS] * 3 == [row[1] for row in rows]
    after = [row[5] for row in rows if row[1] == "sodium"]
    assert all(text.startswith("<") or float(text) <= 0.02 for text in after)
