"""What kind of file is this, and is it right? Whole scenarios are built, so every reference is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hil import files
from hil.errors import NabenchError, Problems, ScenarioError


@dataclass(frozen=True)
class Checked:
    """A file that can be used. text: what it is in a few words.  notes: what is wrong with parts of it that can be left out."""

    text: str
    notes: tuple[str, ...] = ()


def check(path: Path, pack: str | None = None) -> Checked:
    """Check a file wholly. pack: the pack that a network is for.  Raises ScenarioError with all that is wrong."""
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    if path.suffix.lower() == ".dbc":
        return _dbc(path)
    if path.suffix.lower() != ".toml":
        raise ScenarioError(f"{path}: expected a .toml or .dbc file; recordings and profiles are checked with their scenario")
    kind = "scenario" if path.name.endswith(files.SUFFIXES["scenario"]) else files.kind_of(path, files.read_toml(path))
    if kind == "network":
        return _network(path, pack)
    return Checked(_CHECKS[kind](path))


def _dbc(path: Path) -> Checked:
    from hil.database import Bus, Database

    database = Database([Bus("checked", (path,), 500_000, 500_000, {})], tolerant=True)
    notes = [f"left out: {text}" for texts in database.left_out.values() for text in texts]
    slots, problems = database.sound_slots(1_000_000)
    notes += [f"not for a bench: {text}" for text in problems]
    n_signals = sum(len(slot.signals) for slot in slots)
    notes += [f"note: {text}" for text in database.notes]
    return Checked(f"database with {len(database.messages)} messages, {n_signals} signals", tuple(notes))


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
        cell = problems.call(cellfile.load, pack.cell, path)
        if (believed := problems.call(calibration.load, pack.calibration, path)) is not None:
            problems.found += calibration.strangers(believed[1], believed[0], pack.cell_names())
            others = problems.call(packfile.others, path, pack)
            if cell is not None and others is not None:
                held_Ah = packfile.held_Ah(pack, [cell[1], *(one for _, one in others)])
                problems.found += calibration.far_off(believed[1], believed[0], pack.cell_names(), held_Ah)
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


def _network(path: Path, pack: str | None) -> Checked:
    from hil import coverage, network
    from hil.bus import schedule

    n_cells, n_sensors = None, None
    if pack is not None:
        from hil.plant import packfile

        _, model, _, _ = packfile.load(pack)
        n_cells, n_sensors = model.series * model.strings, len(model.ntc_cells)
    net = network.load(str(path), n_cells or 192, n_sensors or 64, 10_000_000)
    covered = coverage.cover(net, n_cells, n_sensors)
    wrong = [f"{path}: {text}" for text in covered.wrong]
    missing = f"{path}: no signal plays {', '.join(covered.missing)}; nabench run needs them" if covered.missing else ""
    if wrong or (missing and pack is not None):
        raise ScenarioError(*wrong, *([missing] if missing else []))
    loads = ", ".join(f"{name} {100 * load:.0f} %" for name, load in net.loads.items())
    notes = [f"note: {missing}"] if missing else []
    notes += [f"left out: {text}" for texts in net.database.left_out.values() for text in texts]
    notes += [f"note: {text}" for text in net.database.notes]
    with_cells = f"with {n_cells or 192} cells"
    lines = [f"network; load {with_cells}, worst case: {loads}; {covered.text}"]
    for n, bus in enumerate(net.database.buses):
        lines.append(f'worst-case response times on bus "{bus.name}", to the end of the intermission:')
        lines += schedule.lines(schedule.table((net.to_dut, net.from_dut), n, bus.bitrate, 10_000_000))
    return Checked("\n".join(lines), tuple(notes))


def _bench(path: Path) -> str:
    from hil import benchfile

    decoded = benchfile.load(path)
    by = {q: feed for q in benchfile.QUANTITIES if (feed := decoded.feed(q)) != "frames"}
    others = ", ".join(f"{q} by {feed}" for q, feed in by.items()) or "all by frames"
    return f'bench "{decoded.title}": {decoded.dut.kind} device, {len(decoded.buses)} buses; feeds: {others}'


def benches(bench: Path, scenarios: list[Path]) -> list[tuple[str, list[str]]]:
    """Each scenario, and what a bench lacks for it; nobody is asked here. Raises ScenarioError."""
    from hil import benchfile, lacks, runner

    decoded = benchfile.load(bench)
    found = []
    for path in scenarios:
        built = runner.prepare(path, runner.Options())
        benchfile.wired(decoded, bench, [bus.name for bus in built.network.database.buses])
        found.append((built.inputs.scenario.name, lacks.of(built, decoded, interactive=False).lines(built)))
    return found


def is_bench(path: Path) -> bool:
    """Whether a file is a bench file."""
    try:
        return path.suffix.lower() == ".toml" and path.is_file() and files.kind_of(path, files.read_toml(path)) == "bench"
    except (NabenchError, OSError):
        return False  # what is wrong with it is told when its turn comes


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
    "mapping": _mapping,
    "bench": _bench,
    "map": _map,
}
