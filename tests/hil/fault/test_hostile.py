"""Faults that cannot be: every one gets one sentence with key path, what was found, what was expected and the nearest name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_cases import KINDS, Case, built, read_back, run, spec, wire
from fault_cases import case as case_of

from firmware_sim.wire.layout import COUNTER_MASK, E2E, WIDTH
from hil import scenario, truth
from hil.errors import ScenarioError
from hil.fault.catalogue import Bound, FaultKind, bind, catalogue
from hil.fault.target import Place

WHERE = "hostile.scenario.toml: fault[0]"
_PARAMETERS = [(name, parameter) for name in KINDS for parameter in catalogue()[name].parameters]
_NOWHERE = (
    "", "nonsense", "cell[-1]", "cell[1e3]", "cell[999]", "cell[5", "cell[5]\n", f"cell[{'9' * 5000}]", "tap[*]", "tap[99]",
    "ntc[64]", "message:Nobody", "message:CellVoltages[99]", "node:Nobody", "node:Monitor[0]", "signal:Nobody",
    "feedback:main_pluss", "contactor:main_pluss", "contactor:precharge[1]", "shunts", "packs", "duts",
)  # fmt: skip


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> FaultKind:
    """One kind after another."""
    return catalogue()[request.param]


def _place(network_name: str = "classic", n_cells: int = 16, n_ntc: int = 6) -> Place:
    net = wire(network_name, n_cells, n_ntc)
    return Place(net.database, net.to_dut, net.from_dut, n_cells, n_cells, n_ntc, 10_000_000, 1, net.plan)


def _bound(case: Case, network_name: str = "", **changed: Any) -> Bound:
    return bind(case.spec(**changed), _place(network_name or case.network), 0, WHERE)


def _refused(case: Case, network_name: str = "", **changed: Any) -> list[str]:
    """What is said of a fault with keys that are otherwise; the fault as such is right."""
    _bound(case)
    with pytest.raises(ScenarioError) as caught:
        _bound(case, network_name, **changed)
    for problem in caught.value.problems:
        assert problem.startswith(WHERE)
        assert "\n" not in problem
    return list(caught.value.problems)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    """A kind that is not in the catalogue."""
    with pytest.raises(ScenarioError) as caught:
        bind(spec(fault="cell_ofset", start_s=0.0), _place(), 0, WHERE)
    assert (f'{WHERE}.fault "cell_ofset" is not in the catalogue; did you mean "cell_offset"?',) == caught.value.problems


def test_an_unknown_parameter_is_refused_with_the_nearest(kind: FaultKind) -> None:
    """A misspelt parameter beside the right ones is one problem, which names its key and the one that was meant."""
    case = case_of(kind.name)
    meant = next(iter(kind.parameters), "value")
    (problem,) = _refused(case, **{"with": {**case.values, f"{meant}x": 1.0}})
    assert f"{WHERE}.with.{meant}x " in problem
    assert f'"{kind.name}"' in problem
    assert (f'did you mean "{meant}"?' in problem) == bool(kind.parameters)


def test_a_missing_parameter_is_asked_for_with_an_example(kind: FaultKind) -> None:
    """Without its parameters a kind says for each that has no default what it wants; all at once."""
    needed = [name for name, parameter in kind.parameters.items() if parameter.default is None]
    case = case_of(kind.name)
    if needed:
        problems = _refused(case, **{"with": {}})
        assert len(needed) == len(problems)
        assert all(
            f"{WHERE}.with.{name} is missing" in p and f"{name} = " in p for name, p in zip(needed, problems, strict=True)
        )
    else:
        assert set(kind.parameters) == set(_bound(case, **{"with": {}}).values)


@pytest.mark.parametrize(("name", "parameter"), _PARAMETERS)
def test_numbers_out_of_range_are_refused_with_the_range(name: str, parameter: str) -> None:
    """Just below the least, above the largest, and far beyond both; at the bounds themselves the row's own checks decide."""
    case, row = case_of(name), catalogue()[name].parameters[parameter]
    step = 1.0 if row.whole else 1e-6 * (abs(row.min) + abs(row.max))
    wrong = [row.min - step, row.max + step, -1e308, 1e308] + ([row.example + 0.5] if row.whole else [])
    for value in wrong:
        (problem,) = _refused(case, **{"with": {**case.values, parameter: value}})
        assert f"{WHERE}.with.{parameter} is " in problem
        assert f"expected {'a whole number from ' if row.whole else ''}{row.min:g} to {row.max:g}" in problem


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "true", '"1"', "[1.0]", f"1{'0' * 400}"])
def test_what_is_no_finite_number_is_refused_when_the_file_is_read(value: str, tmp_path: Path) -> None:
    """NaN, infinities, other types and integers beyond every float, in `with` and in the times."""
    for key in ("with = { value_V = VALUE }, start_s = 1.0", "start_s = VALUE", "start_s = 1.0, stop_s = VALUE"):
        path = tmp_path / "hostile.scenario.toml"
        row = f'fault = "cell_reads", target = "cell[5]", {key.replace("VALUE", value)}'
        head = 'format = 1\nname = "hostile"\ntitle = "Hostile"\npack = "nfm-16s"\nduration_s = 2.0\n'
        path.write_text(f"{head}fault = [{{ {row} }}]\n", encoding="utf-8")
        with pytest.raises(ScenarioError) as caught:
            scenario.load(path)
        assert all(problem.startswith(f"{path}: fault[0]") for problem in caught.value.problems)
        assert all(len(problem) < 500 and "\n" not in problem for problem in caught.value.problems)


def test_a_target_that_does_not_exist_is_refused(kind: FaultKind) -> None:
    """Of every bad target one sentence that names it; a kind takes no target of another kind."""
    case = case_of(kind.name)
    for target in _NOWHERE:
        (problem,) = _refused(case, target=target)
        assert f"{WHERE}.target " in problem
    if kind.target in ("shunt", "pack_voltage", "link_voltage", "pack", "dut"):
        assert kind.name == _bound(case, target=None).kind.name
    else:
        (problem,) = _refused(case, target=None)
        assert f"{WHERE}.target is missing; expected {kind.example()}" in problem
    others = {case_of(name).target for name in KINDS} - {case.target}
    for target in others:
        try:
            bound = _bound(case, target=target)
        except ScenarioError as error:
            assert f'{WHERE}.target "{target}"' in str(error)
        else:
            assert {kind.target, target.split(":")[0]} <= {"message", "node"}
            assert len(bound.rows) > 0


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("cell_stuck", "cell[16]", 'cell[16]" does not exist; this pack has cell[0] to cell[15]'),
        ("tap_open", "tap[17]", 'tap[17]" does not exist; this pack has tap[0] to tap[16]'),
        ("frame_lost", "message:CelVoltages", 'there is no message "CelVoltages"; did you mean "CellVoltages"?'),
        ("node_silent", "node:Moniter", 'there is no node "Moniter"; did you mean "Monitor"?'),
        ("feedback_lies", "feedback:mainplus", 'there is no contactor "mainplus"; did you mean "main_plus"?'),
        ("signal_stuck", "signal:ShuntCurrent", 'does not send signal "ShuntCurrent"; did you mean "Shunt_Current"?'),
        ("frame_lost", "message:CellVoltages[9]", 'sends no such frame; did you mean "message:CellVoltages[5]"?'),
        ("current_offset", "shant", 'expected shunt for fault "current_offset"; did you mean "shunt"?'),
    ],
)
def test_the_nearest_target_is_named(name: str, target: str, expected: str) -> None:
    """What exists instead stands in the sentence."""
    (problem,) = _refused(case_of(name), target=target)
    assert expected in problem


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"stop_s": 1.2}, "stop_s 1.2 must lie after start_s 1.2"),
        ({"stop_s": 1.1}, "stop_s 1.1 must lie after start_s 1.2"),
        ({"start_s": 1.2001, "stop_s": 1.2099}, "no tick of 10 ms lies between start_s 1.2001 and stop_s 1.2099"),
        ({"single": True}, "give either single or stop_s, not both"),
        ({"stop_s": None, "single": True, "on_ms": 20, "off_ms": 20}, "give either single or on_ms and off_ms, not both"),
        ({"on_ms": 20}, "on_ms and off_ms go together"),
        ({"off_ms": 20}, "on_ms and off_ms go together"),
        ({"on_ms": 9, "off_ms": 20}, "on_ms 9 is shorter than the tick; expected at least 10"),
        ({"on_ms": 20, "off_ms": 1}, "off_ms 1 is shorter than the tick; expected at least 10"),
    ],
)
def test_times_that_cannot_be_are_refused(keys: dict[str, Any], expected: str) -> None:
    """Empty, backward and contradictory times, and switching faster than the bench looks."""
    (problem,) = _refused(case_of("cell_stuck"), **keys)
    assert expected in problem


def test_a_reset_has_no_duration() -> None:
    """What happens at an instant takes neither an end nor a rhythm."""
    for keys in ({"stop_s": 1.5}, {"on_ms": 20, "off_ms": 20}):
        (problem,) = _refused(case_of("reset"), **keys)
        assert "is an instant" in problem


@pytest.mark.parametrize("key", ["start_s", "stop_s", "on_ms", "off_ms"])
def test_times_beyond_every_run_are_refused_when_the_file_is_read(key: str) -> None:
    """Times that would not fit the tables do not get there."""
    for value in (1e300, 10**30) if key.endswith("_s") else (10**30,):
        with pytest.raises(ValueError, match=key):
            case_of("cell_stuck").spec(**{"on_ms": 20, "off_ms": 20, key: value})


def test_a_fault_tells_everything_that_is_wrong_with_it() -> None:
    """Parameters, times and target in one go."""
    problems = _refused(case_of("cell_reads"), target="cell[99]", stop_s=0.1, **{"with": {"value": 1.0}})
    assert 4 == len(problems)
    for part in (".with.value ", ".with.value_V ", ".stop_s ", ".target "):
        assert 1 == sum(part in problem for problem in problems), part


# ---- frames: nothing may be written outside of them


def test_no_bit_is_flipped_outside_the_frame() -> None:
    """Of 8 bytes the last bit is 63, of 64 bytes it is 511; one more would be in the next frame."""
    case = case_of("frame_flip")
    for network_name, target, last in (("classic", "message:Shunt_Values", 63), ("fd", "message:CellVoltages", 511)):
        bound = _bound(case, network_name, target=target, **{"with": {"bit": float(last)}})
        assert [last // 64] == bound.rows[:, 3].tolist()
        assert [-(1 << 63)] == bound.rows[:, 9].tolist()
    (problem,) = _refused(case, target="message:Shunt_Values", **{"with": {"bit": 64.0}})
    assert f"{WHERE}.with.bit is 64; frame Shunt_Values has 8 bytes, expected 0 to 63" == problem


def test_a_node_is_refused_a_bit_that_one_of_its_frames_has_not() -> None:
    """On CAN FD the cell monitor sends 64 bytes and 8; bit 64 lies outside of the short ones."""
    problems = _refused(case_of("frame_flip"), "fd", target="node:Monitor", **{"with": {"bit": 64.0}})
    assert ["CellTemperatures[0]", "CellTemperatures[1]"] == [problem.split("frame ")[1].split(" ")[0] for problem in problems]


@pytest.mark.parametrize(
    ("network_name", "target", "wrong", "right"),
    [
        ("classic", "message:Shunt_Values", (8, 9, 12, 64), (0, 1, 7)),
        ("fd", "message:CellVoltages", (64, 9, 63), (0, 8, 12, 48)),
    ],
)
def test_a_length_is_one_that_can_frames_have(
    network_name: str, target: str, wrong: tuple[int, ...], right: tuple[int, ...]
) -> None:
    """Classic frames end at 8 bytes, FD frames go in steps; the frame's own length would be no fault."""
    case = case_of("frame_length")
    for length in right:
        assert length == _bound(case, network_name, target=target, **{"with": {"length": float(length)}}).rows[0, 3]
    for length in wrong:
        (problem,) = _refused(case, network_name, target=target, **{"with": {"length": float(length)}})
        assert f"{WHERE}.with.length is {length}; frame {target.split(':')[1]}" in problem


def test_the_own_data_id_is_no_masquerade() -> None:
    """The frame's own data id gives its own CRC."""
    (problem,) = _refused(case_of("frame_data_id"), target="message:Shunt_Values", **{"with": {"data_id": 0x2030}})
    assert "is 8240, the own data id of frame Shunt_Values" in problem


@pytest.mark.parametrize("name", [name for name in KINDS if catalogue()[name].needs])
def test_what_breaks_protection_needs_a_protected_frame(name: str) -> None:
    """Counter and CRC of a frame that has none cannot be wrong."""
    case, place = case_of(name), _place()
    bare = place.to_dut.slots.copy()
    bare[:, [E2E, COUNTER_MASK, WIDTH]] = 0
    without = Place(
        place.database, type(place.to_dut)(**{**vars(place.to_dut), "slots": bare}), place.from_dut, 16, 16, 6, 10_000_000
    )
    with pytest.raises(ScenarioError, match="carries no E2E protection"):
        bind(case.spec(), without, 0, WHERE)


def test_a_second_tap_lies_above_the_first() -> None:
    """A swap names two wires of one string, the lower one first."""
    case = case_of("taps_swapped")
    for with_tap in (3, 2, 0, 17):
        (problem,) = _refused(case, **{"with": {"with_tap": float(with_tap)}})
        assert f"{WHERE}.with.with_tap is {with_tap}; expected a tap above 3, at most 16" == problem


def _extremes() -> Iterator[tuple[str, str, float]]:
    for name, parameter in _PARAMETERS:
        row = catalogue()[name].parameters[parameter]
        yield from ((name, parameter, bound) for bound in (row.min, row.max) if not row.whole)


@pytest.mark.parametrize(("name", "parameter", "value"), list(_extremes()))
def test_the_bounds_themselves_can_be_run(name: str, parameter: str, value: float) -> None:
    """At its least and its largest number a fault still does what it says, or says that it changed nothing."""
    case = case_of(name)
    finished = run(built(case.driven(**{"with": {**case.values, parameter: value}})), fused=case.kind.seam != "bus")
    said = read_back(finished)
    assert "" == said or said.endswith("changed nothing")
    kinds = truth.FIRST_KIND + 4  # of the only kind; there is no second and third
    assert np.isfinite(finished.trace.truth[:, :kinds]).all()
