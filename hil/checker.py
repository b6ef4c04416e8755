"""What kind of file is this, and is it right? Whole scenarios are built, so every reference is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hil import files
from hil.errors import Problems, ScenarioError


def check(path: Path) -> str:
    """Check a file wholly; returns what it is in a few words. Raises ScenarioError with all that is wrong."""
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    if path.suffix.lower() == ".dbc":
        return _dbc(path)
    if path.suffix.lower() != ".toml":
        raise ScenarioError(f"{path}: expected a .toml or .dbc file; recordings and profiles are checked with their scenario")
    if path.name.endswith(files.SUFFIXES["scenario"]):
        return _scenario(path)
    return _CHECKS[files.kind_of(path, files.read_toml(path))](path)


def _dbc(path: Path) -> str:
    from hil.database import Bus, Database

    database = Database([Bus("checked", (path,), 500_000, 500_000, {})])
    slots = database.slots(lambda _message: True, lambda _message, _page: True)
    layout = database.layout(slots, 1_000_000)
    return f"database with {len(database.messages)} messages, {layout.n_signals} signals"


def _scenario(path: Path) -> str:
    from hil import runner

    built = runner.prepare(path, runner.Options())
    s = built.inputs.scenario
    return f'scenario "{s.name}": {s.duration_s:g} s, {len(s.fault)} faults, {len(s.expect)} expectations'


def _pack(path: Path) -> str:
    from hil import calibration
    from hil.plant import cellfile, packfile

    far = files.load_far(path, packfile.Pack)
    problems, pack = Problems(), far.model
    problems.found += far.problems
    if pack is not None:
        problems.call(cellfile.load, pack.cell, path)
        if (believed := problems.call(calibration.load, pack.calibration, path)) is not None:
            problems.found += calibration.strangers(believed[1], believed[0], pack.cell_names())
    problems.settle()
    if pack is None:
        raise ScenarioError(f"{path}: the pack could not be loaded")
    return f'pack "{pack.name}": {pack.series}S{pack.strings * pack.parallel}P of {", ".join([pack.cell, *pack.group_cells()])}'


def _cell(path: Path) -> str:
    from hil.plant.cellfile import Cell

    cell = files.load(path, Cell)
    tables = cell.tables()
    assumed = sum(table.confidence == "assumption" for table in tables.values())
    return f'cell "{cell.name}": {cell.capacity_Ah:g} Ah, {assumed} of {len(tables)} tables assumed'


def _sheet(path: Path) -> str:
    from hil.datasheet import make

    return make.describe(path)


def _calibration(path: Path) -> str:
    from hil.calibration import Calibration

    decoded = files.load(path, Calibration)
    return f'calibration "{decoded.name}": {len(decoded.limit)} limits'


def _requirements(path: Path) -> str:
    from hil.requirement import RequirementsFile

    decoded = files.load(path, RequirementsFile)
    return f'requirements "{decoded.name}": {len(decoded.requirement)}'


def _network(path: Path) -> str:
    from hil import network
    from hil.bus import schedule

    net = network.load(str(path), 192, 64, 10_000_000)
    loads = ", ".join(f"{name} {100 * load:.0f} %" for name, load in net.loads.items())
    out = [f"network; load with 192 cells, worst case: {loads}"]
    for n, bus in enumerate(net.database.buses):
        out.append(f'worst-case response times on bus "{bus.name}", to the end of the intermission:')
        out += schedule.lines(schedule.table((net.to_dut, net.from_dut), n, bus.bitrate, 10_000_000))
    return "\n".join(out)


def _mapping(path: Path) -> str:
    from hil import mapping

    decoded = files.load(path, mapping.Mapping)
    mapping.check_roles(decoded, path)
    rules, constants = len(decoded.signal), len(decoded.constant)
    return f'mapping of node "{decoded.dut}": {rules} rules, {constants} constants; check its network file to try it on a DBC'


def _map(path: Path) -> str:
    from hil.fit import datamap

    decoded, _ = datamap.load(path)
    columns = "Battery Data Format" if decoded.columns is None else f"{len(decoded.columns.model_fields_set)} columns"
    return f'map of the data of cell "{decoded.cell.name}": {columns}, borrows from {decoded.borrow}'


_CHECKS: dict[str, Callable[[Path], str]] = {
    "scenario": _scenario,
    "pack": _pack,
    "data sheet": _sheet,
    "cell": _cell,
    "calibration": _calibration,
    "requirements": _requirements,
    "network": _network,
    "mapping": _mapping,
    "map": _map,
}
