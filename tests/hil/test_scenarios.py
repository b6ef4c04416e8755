"""The shipped scenarios: all pass against the emulator, and together they touch every requirement, code, limit and fault."""

from __future__ import annotations

import tomllib
from functools import lru_cache

import pytest
import rigs

from hil import files, judge, network, scenario, setup
from hil.fault.catalogue import catalogue
from hil.network import Network
from hil.scenario import Expect, Inputs
from hil.verdict import Verdict

NAMES = list(files.shipped("scenario"))
# Requirements that no shipped scenario serves, each with the reason why not.
NOT_COVERED: dict[str, str] = {}
# Codes that no scenario demands by themselves, likewise.
NOT_DEMANDED: dict[str, str] = {}
# Faults that no scenario injects, likewise.
NOT_INJECTED: dict[str, str] = {}


@lru_cache(maxsize=len(NAMES))
def load(name: str) -> Inputs:
    """A shipped scenario."""
    return scenario.load(files.shipped("scenario")[name])


@lru_cache(maxsize=8)
def net(name: str, n_cells: int, n_ntc: int, dt_ns: int) -> Network:
    """A network, loaded once for all scenarios on it."""
    return network.load(name, n_cells, n_ntc, dt_ns)


@pytest.mark.compiled_only
@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_passes_against_the_emulator(name: str) -> None:
    """Fused where the network allows it: PASS throughout, a finding for every requirement, two pieces of evidence for each."""
    inputs = load(name)
    s, pack = inputs.scenario, inputs.pack
    built = setup.build(inputs, net=net(s.network, pack.n_cells, len(pack.ntc_cells), s.tick_ns))
    bench = rigs.switched_on(built)
    (bench.run_fused if built.rig.bus is None else bench.run)(s.n_ticks)
    findings = judge.judge(bench.trace(), built)
    assert [] == [f"{f.verdict.name} {f.requirement} {f.what}: {f.seen}" for f in findings if f.verdict is not Verdict.PASS]
    assert {row.requirement for row in s.expect} == {finding.requirement for finding in findings}
    assert 2 <= min(len(finding.evidence) for finding in findings)


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_is_called_like_its_file_and_says_what_it_is(name: str) -> None:
    """The name is that of the file; a title, a text of more than a few words, and something that is expected."""
    s = load(name).scenario
    assert name == s.name
    assert s.title
    assert 40 < len(s.text)
    assert s.expect


def expectations() -> list[tuple[Inputs, Expect]]:
    return [(load(name), row) for name in NAMES for row in load(name).scenario.expect]


@pytest.mark.parametrize("name", NAMES)
def test_no_demand_ends_where_the_next_stimulus_begins(name: str) -> None:
    """On a link a frame's time is known to a millisecond or so: what a stimulus changes would fall into a demand up to it."""
    told = tomllib.loads(files.shipped("scenario")[name].read_text(encoding="utf-8"))
    demands = told.pop("expect")
    rows = [row for listed in told.values() if isinstance(listed, list) for row in listed]
    moves = [row[end] for row in rows for end in ("at_s", "start_s", "stop_s") if end in row]
    assert moves
    held = [row for row in demands if "to_s" in row and row.get("mode") != "once"]
    assert [] == [(row["requirement"], row["to_s"]) for row in held for at_s in moves if 0.0 <= row["to_s"] - at_s < 0.05]


def test_every_requirement_is_served_by_a_scenario() -> None:
    """Those that are not stand above, with a reason."""
    required = {row.id for name in NAMES for row in load(name).requirements.requirement}
    assert set(NOT_COVERED) == required - {row.requirement for _, row in expectations()}


def demanded() -> set[str]:
    """Codes that an expectation demands by name: as the only one of a requirement, by flag, or as the fault that opened."""
    found: set[str] = set()
    for inputs, row in expectations():
        if row.kind == "reaction":
            codes = inputs.requirements.by_id()[row.requirement].codes
            found.update(codes if len(codes) == 1 else [])
        elif row.kind == "signal" and row.mode != "never":
            if row.signal.startswith("Diag_") and row.value == "active":
                found.add(row.signal.removeprefix("Diag_"))
            if row.signal == "BMS_FaultCode" and isinstance(row.value, str):
                found.add(row.value)
    return found


def test_every_limit_of_every_calibration_is_demanded_by_a_scenario() -> None:
    """A protection that nobody asks for may be broken for ever."""
    limits = {row.code for name in NAMES for row in load(name).calibration.limit}
    assert set(NOT_DEMANDED) == limits - demanded()


def test_every_diagnosis_flag_on_the_wire_is_demanded_by_a_scenario() -> None:
    """The flags of the database, not those of the calibration: one that no limit feeds would be found here."""
    sent = net("classic", 16, 6, rigs.TICK_NS).from_dut.signal_names
    flags = {name.removeprefix("Diag_") for name in sent if name.startswith("Diag_")}
    flags -= {name for name in flags if name.startswith("User")}  # free for limits that a user adds; no shipped limit has one
    assert 45 < len(flags)
    assert set(NOT_DEMANDED) == flags - demanded()


def test_every_kind_of_fault_is_injected_by_a_scenario() -> None:
    """A fault that is in the catalogue and in no scenario has never met the whole chain."""
    injected = {fault.fault for name in NAMES for fault in load(name).scenario.fault}
    assert set(NOT_INJECTED) == set(catalogue()) - injected


def test_every_shape_of_a_fault_is_used() -> None:
    """For good, for a time, once, and intermittent."""
    shapes = {
        (fault.stop_s is not None, fault.single, fault.on_ms is not None)
        for name in NAMES
        for fault in load(name).scenario.fault
    }
    assert {(False, False, False), (True, False, False), (False, True, False)} <= shapes
    assert any(on for _, _, on in shapes)
