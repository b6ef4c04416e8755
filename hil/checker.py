"""What kind of file is this, and is it right? Whole scenarios are built, so every reference is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil import files
from hil.errors import ScenarioError

# The key by which a file is recognised, most telling first.
_MARKS = (
    ("duration_s", "scenario"),
    ("requirement", "requirements"),
    ("bus", "network"),
    ("signal", "mapping"),
    ("series", "pack"),
    ("limit", "calibration"),
    ("chemistry", "cell"),
)


def kind_of(path: Path, data: dict[str, Any]) -> str:
    """Kind of a TOML file. Raises ScenarioError when it has no mark of any kind."""
    if path.name.endswith(files.SUFFIXES["scenario"]):
        return "scenario"
    for mark, kind in _MARKS:
        if mark in data:
            return kind
    marks = ", ".join(f'"{mark}" ({kind})' for mark, kind in _MARKS)
    raise ScenarioError(f"{path}: not a file of a known kind; expected one of these keys: {marks}")


def check(path: Path) -> str:
    """Check a file wholly; returns what it is in a few words. Raises ScenarioError with all that is wrong."""
    if not path.is_file():
        raise ScenarioError(f"{path}: there is no such file")
    if path.suffix.lower() == ".dbc":
        return _dbc(path)
    if path.suffix != ".toml":
        raise ScenarioError(f"{path}: expected a .toml or .dbc file")
    return _CHECKS[kind_of(path, files.read_toml(path))](path)


def _dbc(path: Path) -> str:
    from hil.database import Bus, Database

    database = Database([Bus("checked", (path,), 500_000, 500_000, {})])
    slots = database.slots(lambda _message: True, lambda _message, _page: True)
    layout = database.layout(slots, 1_000_000)
    return f"database with {len(database.messages)} messages, {layout.n_signals} signals"


def _scenario(path: Path) -> str:
    from hil import scenario, setup

    built = setup.build(scenario.load(path))
    s = built.inputs.scenario
    return f'scenario "{s.name}": {s.duration_s:g} s, {len(s.fault)} faults, {len(s.expect)} expectations'


def _pack(path: Path) -> str:
    from hil.plant import packfile

    _, pack, _, cell = packfile.load(str(path.resolve()))
    return f'pack "{pack.name}": {pack.series}S{pack.strings}P of {cell.name}'


def _cell(path: Path) -> str:
    from hil.plant import cellfile

    _, cell = cellfile.load(str(path.resolve()))
    tables = cell.tables()
    assumed = sum(table.confidence == "assumption" for table in tables.values())
    return f'cell "{cell.name}": {cell.capacity_Ah:g} Ah, {assumed} of {len(tables)} tables assumed'


def _calibration(path: Path) -> str:
    from hil import calibration

    _, decoded = calibration.load(str(path.resolve()))
    return f'calibration "{decoded.name}": {len(decoded.limit)} limits'


def _requirements(path: Path) -> str:
    from hil import requirement

    _, decoded = requirement.load(str(path.resolve()))
    return f'requirements "{decoded.name}": {len(decoded.requirement)}'


def _network(path: Path) -> str:
    from hil import network

    net = network.load(str(path.resolve()), 192, 64, 10_000_000)
    loads = ", ".join(f"{name} {100 * load:.0f} %" for name, load in net.loads.items())
    return f"network; load with 192 cells, worst case: {loads}"


def _mapping(path: Path) -> str:
    from hil import mapping

    decoded = files.load(path, mapping.Mapping)
    rules, constants = len(decoded.signal), len(decoded.constant)
    return f'mapping of node "{decoded.dut}": {rules} rules, {constants} constants; check its network file to try it on a DBC'


_CHECKS: dict[str, Callable[[Path], str]] = {
    "scenario": _scenario,
    "pack": _pack,
    "cell": _cell,
    "calibration": _calibration,
    "requirements": _requirements,
    "network": _network,
    "mapping": _mapping,
}
