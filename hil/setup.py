"""From decoded files to a rig that is ready to run, with everything checked against everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firmware_sim.settings import Settings
from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import BITS, CYCLE_NS, N_WORDS
from hil import binding, calibration, columns, files, network, recording, requirement, scenario
from hil.calibration import Calibration
from hil.errors import Problems, ScenarioError, nearest
from hil.fault import catalogue
from hil.fault.catalogue import Bound
from hil.fault.parameter import SCALE_CELL, SET_CELL, SET_CONTACTOR, SET_PACK, SET_SENSOR
from hil.fault.table import FaultTable
from hil.fault.target import Place
from hil.journal import WORD
from hil.network import Network
from hil.plant import load as ld
from hil.plant import packfile, plant, replay
from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack
from hil.recording import Leg
from hil.requirement import Requirement, RequirementsFile
from hil.rig import Inputs as RigInputs
from hil.rig import Rig
from hil.scenario import Inputs, Scenario
from hil.truth import CELL_BLOCK, CONTACTOR_BLOCK, N_COLUMNS, PACK_BLOCK, SENSOR_BLOCK

_MODES = {"standby": 0, "drive": 1, "charge": 2}
_BLOCK = {
    SET_CELL: CELL_BLOCK,
    SCALE_CELL: CELL_BLOCK,
    SET_PACK: PACK_BLOCK,
    SET_SENSOR: SENSOR_BLOCK,
    SET_CONTACTOR: CONTACTOR_BLOCK,
}
# Limits of a requirement that a kind of expectation is judged by.
_FIGURES = {"soc": ("max_error",), "precharge": ("tries", "end_ms", "gap_ms")}
RESET_PRESS_S = 0.3
_LARGEST = (192, 64)  # cells and temperature sensors that the wire carries


@dataclass
class Setup:
    """A scenario, ready to run.

    place: where faults can land.  faults: the scenario's, bound.  resets_ns: when the device loses its supply.
    torn_ns: those of them that tear a write to memory.
    legs: of the recording, those that the run plays whole.  no_leg: why there is none.
    data_files: (name in the scenario, path) of profiles and recording.  bench: bench file, if any.
    others: cells of the pack's groups, with their files.
    """

    inputs: Inputs
    network: Network
    settings: Settings
    rig: Rig
    place: Place
    faults: tuple[Bound, ...]
    resets_ns: tuple[int, ...]
    torn_ns: tuple[int, ...] = ()
    legs: tuple[Leg, ...] = ()
    no_leg: str = ""
    data_files: tuple[tuple[str, Path], ...] = ()
    bench: Path | None = None
    others: tuple[tuple[Path, Cell], ...] = ()

    def trace_bytes(self) -> float:
        """Room that a tick takes in the trace, about [byte]: truth, cells, touched signals, frames of both directions."""
        layouts = self.network.to_dut, self.network.from_dut
        frames = sum(float((self.rig.dt_ns / layout.slots[:, CYCLE_NS]).sum()) for layout in layouts)
        width = WORD + max(int(layout.slots[:, N_WORDS].max()) for layout in layouts)
        cells = 3 * self.inputs.pack.n_cells / self.rig.cells_every
        return 8 * (N_COLUMNS + cells + 2 * len(self.rig.touched) + len(self.rig.addresses) + frames * width)

    @property
    def kinds(self) -> list[Cell]:
        """The pack's kinds of cell, in the order of Pack.kinds."""
        return [self.inputs.cell, *(cell for _, cell in self.others)]

    @property
    def touched(self) -> tuple[str, ...]:
        """Signals whose both sides are in the trace."""
        return tuple(self.network.to_dut.signal_names[n] for n in self.rig.touched)


@dataclass
class _Parts:
    """What a rig is built from, as far as it could be had. extra: see Setup.data_files."""

    net: Network | None
    settings: Settings | None = None
    place: Place | None = None
    faults: tuple[Bound, ...] = ()
    demand: F64 | None = None
    samples: F64 = field(default_factory=lambda: np.zeros((0, replay.N_REPLAY_COLUMNS)))
    legs: tuple[Leg, ...] = ()
    no_leg: str = ""
    extra: list[tuple[str, Path]] = field(default_factory=list)


def _parts(
    problems: Problems,
    path: Path,
    s: Scenario,
    packed: Pack | None,
    cell: Cell | None,
    believed: tuple[Path, Calibration] | None,
    required: tuple[Path, RequirementsFile] | None,
    net: Network | None,
) -> _Parts:
    """Everything that a scenario names, checked against each other; what could not be loaded is None."""
    size = (packed.n_cells, len(packed.ntc_cells)) if packed is not None else _LARGEST
    parts = _Parts(problems.call(network.load, s.network, *size, s.tick_ns, path) if net is None else net)
    parts.demand = problems.call(load_table, path, s, parts.extra)
    problems.found += recording.not_driven(s, path)
    if s.recording is not None and (played := problems.call(recording.load, s, s.recording, path, cell)) is not None:
        parts.samples, parts.legs, parts.no_leg = played.samples, played.legs, played.no_leg
        parts.extra.append((s.recording.file, played.path))
        problems.found += recording.unreferenced(s, path, played)
    problems.found += _check_expectations(path, s, packed, required, parts.net)
    net = parts.net
    if net is None:
        problems.found += [
            text for n, spec in enumerate(s.fault) for text in catalogue.alone(spec, s.tick_ns, f"{path}: fault[{n}]")
        ]
        return parts
    if packed is not None and believed is not None:
        parts.settings = problems.call(
            binding.bind, believed[1], believed[0], net.database, net.to_dut, net.from_dut, packed.cell_names(),
            packed.strings, packed.ntc_cells,
        )  # fmt: skip
    series = size[0] if packed is None else packed.series
    parts.place = Place(
        net.database, net.to_dut, net.from_dut, size[0], series, size[1], s.tick_ns,
        1 if packed is None else packed.parallel, net.plan,
    )  # fmt: skip
    found = [problems.call(catalogue.bind, spec, parts.place, n, f"{path}: fault[{n}]") for n, spec in enumerate(s.fault)]
    parts.faults = tuple(fault for fault in found if fault is not None)
    constant = {n for n, bits in enumerate(net.to_dut.signals[:, BITS]) if bits == 0}
    problems.found += [
        f'{path}: fault "{f.spec.label}": {net.to_dut.signal_names[n]} is a constant of the mapping; no frame carries a fault'
        for f in parts.faults
        for n in sorted(constant & set(f.signals))
    ]
    return parts


def apart(path: Path) -> list[str]:
    """What else is wrong with a scenario that is out of range itself, or names files which cannot be loaded.

    Of a pack that cannot be had, the largest is assumed: what lies beyond that, no pack has.
    """
    known, problems = Problems(), Problems()
    far = known.call(files.load_far, path, Scenario)
    s = far.model if far is not None else None
    if far is None or s is None:
        return []
    packed, required = known.call(packfile.load, s.pack, path), known.call(requirement.load, s.requirements, path)
    pack, cell = (packed[1], packed[3]) if packed is not None else (None, None)
    believed = None
    if packed is not None and pack is not None and s.calibration is None:
        believed = known.call(calibration.load, pack.calibration, packed[0])
    elif s.calibration is not None:
        believed = known.call(calibration.load, s.calibration, path)
    _parts(problems, path, s, pack, cell, believed, required, None)
    return far.besides(path, problems.found)


def build(inputs: Inputs, seed: int | None = None, n_packs: int = 1, net: Network | None = None) -> Setup:
    """Build the rig of a scenario. Raises ScenarioError with all that is wrong.

    seed: instead of the scenario's.  net: the scenario's network, where it is loaded already.
    """
    s, pack, path = inputs.scenario, inputs.pack, inputs.path
    seed = s.seed if seed is None else seed
    problems = Problems()
    believed, required = (inputs.calibration_path, inputs.calibration), (inputs.requirements_path, inputs.requirements)
    parts = _parts(problems, path, s, pack, inputs.cell, believed, required, net)
    problems.settle()
    net, settings, place, demand, bound = parts.net, parts.settings, parts.place, parts.demand, parts.faults
    if net is None or settings is None or place is None or demand is None:
        raise ScenarioError(f"{path}: the scenario could not be built")

    table = FaultTable.of(
        np.concatenate([np.zeros((0, 11), np.int64), *(f.rows for f in bound)]),
        np.concatenate([np.zeros((0, 3)), *(f.numbers for f in bound)]),
        n_packs,
    )
    stated_degC = s.recording.temperature_degC if s.recording is not None else None
    at_degC = s.initial.temperature_degC if stated_degC is None else stated_degC
    initial = plant.Initial(s.initial.soc, at_degC, s.initial.soh, s.initial.resistance, s.initial.kind_soc)
    others = packfile.others(inputs.pack_path, pack)
    held_Ah = packfile.held_Ah(pack, [inputs.cell, *(cell for _, cell in others)])
    if far := calibration.far_off(inputs.calibration, inputs.calibration_path, pack.cell_names(), held_Ah):
        raise ScenarioError(*far)
    kinds = [inputs.cell.name, *(cell.name for _, cell in others)]
    strange = [name for name in s.initial.kind_soc if name not in kinds]
    if strange:
        raise ScenarioError(
            *(f'{path}: initial.kind_soc "{n}" is no cell of pack "{pack.name}"{nearest(n, kinds)}' for n in strange)
        )
    built = plant.build(pack, inputs.cell, initial, s.tick_ns, seed, n_packs, [cell for _, cell in others])
    feed = RigInputs(demand, request_table(inputs), parts.samples)
    rig = Rig(built, net, table, feed, seed, max(s.record.cells_every_ms // s.tick_ms, 1))
    rig.watch(
        sorted({signal for f in bound for signal in f.signals}),
        sorted({address for f in bound for address in addresses(f)}),
        [slot for f in bound for slot in f.to_dut],
        [slot for f in bound for slot in f.from_dut],
    )
    resets = tuple(sorted(f.start_ns for f in bound if f.kind.seam == "supply"))
    torn = tuple(f.start_ns for f in bound if f.kind.primitive == "reset_torn")
    return Setup(
        inputs,
        net,
        settings,
        rig,
        place,
        bound,
        resets,
        torn,
        parts.legs,
        parts.no_leg,
        tuple(parts.extra),
        None,
        tuple(others),
    )


def addresses(fault: Bound) -> list[tuple[int, int, int]]:
    """Plant parameters that a fault touches, as the trace names them: block, row, index."""
    return [(_BLOCK[primitive], row, at) for primitive, row, at in fault.addresses]


def request_table(inputs: Inputs) -> I64:
    """Request table of a scenario; a press of the reset button lasts RESET_PRESS_S."""
    hold_ns = round(RESET_PRESS_S * 1e9)
    asked = {0: (0, 0)}
    presses = []
    for request in inputs.scenario.request:
        start_ns = round(request.at_s * 1e9)
        asked[start_ns] = _MODES[request.mode], int(request.charger_connected)
        if request.fault_reset:
            presses.append(start_ns)
    rows = []
    now = asked[0]
    for t_ns in sorted({*asked, *(start_ns + hold_ns for start_ns in presses)}):
        now = asked.get(t_ns, now)
        pressed = any(start_ns <= t_ns < start_ns + hold_ns for start_ns in presses)
        rows.append([t_ns, now[0], int(pressed), now[1]])
    return np.array(rows, np.int64)


def load_table(path: Path, s: Scenario, extra: list[tuple[str, Path]]) -> F64:
    """Load table of a scenario. extra: name and path of each profile are added."""
    problems = Problems()
    rows = [[0.0, ld.NONE, 0.0, 0.0, 0.0]]
    for n, row in enumerate(s.load):
        start_ns, always = row.at_s * 1e9, float(row.always)
        if row.kind == "current":
            rows.append([start_ns, ld.CURRENT, row.current_A, 0.0, always])
        elif row.kind == "power":
            rows.append([start_ns, ld.POWER, row.power_W, 0.0, always])
        elif row.kind == "resistance":
            rows.append([start_ns, ld.RESISTANCE, row.resistance_ohm, 0.0, always])
        elif row.kind == "charger":
            rows.append([start_ns, ld.CHARGER, row.current_A, row.voltage_V, always])
        elif row.kind == "inverter":
            rows.append([start_ns, ld.INVERTER, row.current_A, 0.0, always])
        elif row.kind == "recorded":
            rows.append([start_ns, ld.RECORDED, 0.0, 0.0, always])
        elif row.kind == "none":
            rows.append([start_ns, ld.NONE, 0.0, 0.0, always])
        else:
            rows += problems.call(_profile, row, path, s, n, extra) or []
    problems.settle()
    return _with_ambient(sorted(rows, key=lambda row: row[0]), s)


def _with_ambient(loads: list[list[float]], s: Scenario) -> F64:
    """Load rows with the columns of coolant, heater and flow; a change of either starts a row."""
    around = [[0.0, 0.0, 0.0, 1.0], *([row.at_s * 1e9, row.coolant_shift_K, row.heater_W, row.flow] for row in s.ambient)]
    starts = sorted({row[0] for row in loads} | {row[0] for row in around})
    out, n, m = [], 0, 0
    for start_ns in starts:
        while n + 1 < len(loads) and loads[n + 1][0] <= start_ns:
            n += 1
        while m + 1 < len(around) and around[m + 1][0] <= start_ns:
            m += 1
        out.append([start_ns, *loads[n][1:], *around[m][1:]])
    return np.array(out, np.float64)


def _profile(row: scenario.ProfileLoad, near: Path, s: Scenario, n: int, extra: list[tuple[str, Path]]) -> list[list[float]]:
    """A power profile as steps, until the next load or the end of the run."""
    path = files.data_file(row.file, near, f"load[{n}].file")
    extra.append((row.file, path))
    names = columns.header(path)
    if len(names) < 2:
        raise ScenarioError(f'{path}: expected a header with two columns, time [s] and power [W]; found only "{names[0]}"')
    table = columns.read(path, {f"{path}: time": names[0], f"{path}: power": names[1]})
    peak = np.abs(table[:, 1]).max()
    if not peak > 0.0:
        raise ScenarioError(f"{path}: the power is 0 throughout; expected a profile")
    if row.skip_s > table[-1, 0]:
        raise ScenarioError(f"{near}: load[{n}].skip_s {row.skip_s:g} lies behind the end of the profile, {table[-1, 0]:g}")
    following = [load.at_s for load in s.load if load.at_s > row.at_s]
    end_s = min([*following, s.duration_s])
    rows = []
    for t_s, power in table:
        at_s = row.at_s + t_s - row.skip_s
        if row.skip_s <= t_s and at_s < end_s:
            rows.append([at_s * 1e9, ld.POWER, power / peak * row.peak_W, 0.0, float(row.always)])
    return rows


def _check_expectations(
    path: Path, s: Scenario, pack: Pack | None, required: tuple[Path, RequirementsFile] | None, net: Network | None
) -> list[str]:
    """References of expectations: requirements, faults, signals, cells, codes; and windows that would be looser."""
    found = []
    known = {} if required is None else required[1].by_id()
    sent = set() if net is None else set(net.from_dut.signal_names)
    codes = {name.removeprefix("Diag_") for name in sent if name.startswith("Diag_")}
    for n, row in enumerate(s.expect):
        where = f"{path}: expect[{n}]"
        needed = known.get(row.requirement)
        if required is not None and needed is None:
            found.append(
                f'{where}.requirement "{row.requirement}" is not in {required[0].name}{nearest(row.requirement, known)}'
            )
        if row.kind == "reaction":
            found += _check_reaction(row, needed, {fault.label for fault in s.fault}, where)
        elif row.kind == "quiet" and net is not None:
            found += [
                f'{where}.allow[{k}] "{code}" is not a diagnosis flag{nearest(code, codes)}'
                for k, code in enumerate(row.allow)
                if code not in codes
            ]
        elif row.kind == "signal" and net is not None:
            found += _check_signal(row, net, sent, where)
        elif row.kind == "within" and needed is not None and needed.trigger is None:
            found.append(f'{where}.requirement "{needed.id}" has no trigger, which kind "within" needs: the limit to keep')
        elif row.kind == "soc" and row.cell is not None and pack is not None and row.cell >= pack.n_cells:
            found.append(f"{where}.cell {row.cell} does not exist; this pack has cell 0 to {pack.n_cells - 1}")
        if needed is not None:
            lacks = [name for name in _FIGURES.get(row.kind, ()) if name not in needed.limits]
            found += [
                f'{where}.requirement "{needed.id}" has no limits.{name}, which kind "{row.kind}" needs' for name in lacks
            ]
    if required is not None and net is not None:
        used = {row.requirement for row in s.expect if row.kind == "reaction"}
        found += [
            f'{required[0]}: requirement[{n}].codes[{k}] "{code}" is not a diagnosis flag{nearest(code, codes)}'
            for n, one in enumerate(required[1].requirement)
            for k, code in enumerate(one.codes)
            if one.id in used and code not in codes
        ]
    return found


def _check_reaction(row: scenario.ReactionExpect, needed: Requirement | None, labels: set[str], where: str) -> list[str]:
    found = []
    if row.fault is not None and row.fault not in labels:
        found.append(f'{where}.fault "{row.fault}" is not a fault of this scenario{nearest(row.fault, labels)}')
    if needed is None:
        return found
    if row.fault is not None and needed.trigger is not None:
        found.append(
            f'{where}.fault: requirement "{needed.id}" has a trigger of its own, which starts the clock; '
            "leave fault out, and use from_s where an earlier hazard should not count"
        )
    if row.fault is None and needed.trigger is None:
        found.append(f'{where}: requirement "{needed.id}" has no trigger of its own, so the expectation must name a fault')
    if row.fdti_ms is not None and needed.fdti_ms is not None:
        low, high = needed.fdti_ms
        if row.fdti_ms[0] < low or row.fdti_ms[1] > high:
            found.append(
                f"{where}.fdti_ms {row.fdti_ms} is looser than the requirement's {needed.fdti_ms}; it may only be tighter"
            )
    if row.fhti_ms is not None and needed.fhti_ms is not None and row.fhti_ms > needed.fhti_ms:
        found.append(
            f"{where}.fhti_ms {row.fhti_ms:g} is looser than the requirement's {needed.fhti_ms:g}; it may only be tighter"
        )
    return found


def _check_signal(row: scenario.SignalExpect, net: Network, sent: set[str], where: str) -> list[str]:
    if row.signal not in sent:
        return [f'{where}.signal "{row.signal}" is not sent by the device{nearest(row.signal, sent)}']
    if isinstance(row.value, str):
        names = {str(name) for name in (net.database.signal(row.signal).choices or {}).values()}
        if row.value not in names:
            return [f'{where}.is "{row.value}" is not a value of {row.signal}{nearest(row.value, names)}']
    return []
