"""From decoded files to a rig that is ready to run, with everything checked against everything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.settings import Settings
from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import BITS
from hil import calibration, files, network, recording, scenario
from hil.errors import Problems, ScenarioError, nearest
from hil.fault import catalogue
from hil.fault.catalogue import Bound, Place
from hil.fault.parameter import SCALE_CELL, SET_CELL, SET_CONTACTOR, SET_PACK
from hil.fault.table import FaultTable
from hil.network import Network
from hil.plant import load as ld
from hil.plant import plant
from hil.recording import Leg
from hil.rig import Inputs as RigInputs
from hil.rig import Rig
from hil.scenario import Inputs
from hil.truth import CELL_BLOCK, CONTACTOR_BLOCK, PACK_BLOCK

_MODES = {"standby": 0, "drive": 1, "charge": 2}
_BLOCK = {SET_CELL: CELL_BLOCK, SCALE_CELL: CELL_BLOCK, SET_PACK: PACK_BLOCK, SET_CONTACTOR: CONTACTOR_BLOCK}
RESET_PRESS_S = 0.3


@dataclass
class Setup:
    """A scenario, ready to run.

    place: where faults can land.  faults: the scenario's, bound.  resets_ns: when the device loses its supply.
    legs: of the recording, if any.  data_files: (name in the scenario, path) of profiles and recording.
    """

    inputs: Inputs
    network: Network
    settings: Settings
    rig: Rig
    place: Place
    faults: tuple[Bound, ...]
    resets_ns: tuple[int, ...]
    legs: tuple[Leg, ...] = ()
    data_files: tuple[tuple[str, Path], ...] = ()

    @property
    def touched(self) -> tuple[str, ...]:
        """Signals whose both sides are in the trace."""
        return tuple(self.network.to_dut.signal_names[n] for n in self.rig.touched)


def build(inputs: Inputs, seed: int | None = None, n_packs: int = 1, net: Network | None = None) -> Setup:
    """Build the rig of a scenario. Raises ScenarioError with all that is wrong.

    seed: instead of the scenario's.  net: the scenario's network, where it is loaded already.
    """
    s, pack, path = inputs.scenario, inputs.pack, inputs.path
    seed = s.seed if seed is None else seed
    dt_ns, n_ntc = s.tick_ns, len(pack.ntc_cells)
    if net is None:
        net = network.load(s.network, pack.n_cells, n_ntc, dt_ns, path)
    problems = Problems()
    settings = problems.call(
        calibration.bind, inputs.calibration, inputs.calibration_path, net.database, net.to_dut, net.from_dut, pack.n_cells,
        pack.strings, pack.ntc_cells,
    )  # fmt: skip
    place = Place(net.database, net.to_dut, net.from_dut, pack.n_cells, n_ntc, dt_ns)
    faults = [problems.call(catalogue.bind, spec, place, n, f"{path}: fault[{n}]") for n, spec in enumerate(s.fault)]
    constant = {n for n, bits in enumerate(net.to_dut.signals[:, BITS]) if bits == 0}
    problems.found += [
        f'{path}: fault "{f.spec.label}": {net.to_dut.signal_names[n]} is a constant of the mapping; no frame carries a fault'
        for f in faults
        if f is not None
        for n in sorted(constant & set(f.signals))
    ]
    extra: list[tuple[str, Path]] = []
    demand = problems.call(load_table, inputs, extra)
    samples, legs = np.zeros((0, 5)), list[Leg]()
    if s.recording is not None:
        played = problems.call(recording.load, s.recording, path)
        if played is not None:
            recorded, samples, legs = played
            extra.append((s.recording.file, recorded))
    problems.found += _check_expectations(inputs, net)
    problems.settle()
    if settings is None or demand is None:
        raise ScenarioError(f"{path}: the scenario could not be built")

    bound = tuple(fault for fault in faults if fault is not None)
    table = FaultTable.of(
        np.concatenate([np.zeros((0, 11), np.int64), *(f.rows for f in bound)]),
        np.concatenate([np.zeros((0, 3)), *(f.numbers for f in bound)]),
        n_packs,
    )
    stated_degC = s.recording.temperature_degC if s.recording is not None else None
    initial = plant.Initial(s.initial.soc, s.initial.temperature_degC if stated_degC is None else stated_degC)
    built = plant.build(pack, inputs.cell, initial, dt_ns, seed, n_packs)
    feed = RigInputs(demand, request_table(inputs), samples)
    rig = Rig(built, net, table, feed, seed, max(s.record.cells_every_ms // s.tick_ms, 1))
    rig.watch(
        sorted({signal for f in bound for signal in f.signals}),
        sorted({address for f in bound for address in addresses(f)}),
        [slot for f in bound for slot in f.to_dut],
        [slot for f in bound for slot in f.from_dut],
    )
    resets = tuple(sorted(f.start_ns for f in bound if f.kind.seam == "supply"))
    return Setup(inputs, net, settings, rig, place, bound, resets, tuple(legs), tuple(extra))


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


def load_table(inputs: Inputs, extra: list[tuple[str, Path]]) -> F64:
    """Load table of a scenario."""
    rows = [[0.0, ld.NONE, 0.0, 0.0, 0.0]]
    for n, row in enumerate(inputs.scenario.load):
        start_ns, always = row.at_s * 1e9, float(row.always)
        if row.kind == "current":
            rows.append([start_ns, ld.CURRENT, row.current_A, 0.0, always])
        elif row.kind == "power":
            rows.append([start_ns, ld.POWER, row.power_W, 0.0, always])
        elif row.kind == "resistance":
            rows.append([start_ns, ld.RESISTANCE, row.resistance_ohm, 0.0, always])
        elif row.kind == "charger":
            rows.append([start_ns, ld.CHARGER, row.current_A, row.voltage_V, always])
        elif row.kind == "recorded":
            rows.append([start_ns, ld.RECORDED, 0.0, 0.0, always])
        elif row.kind == "none":
            rows.append([start_ns, ld.NONE, 0.0, 0.0, always])
        else:
            rows += _profile(row, inputs, n, extra)
    return np.array(sorted(rows, key=lambda row: row[0]), np.float64)


def _profile(row: scenario.ProfileLoad, inputs: Inputs, n: int, extra: list[tuple[str, Path]]) -> list[list[float]]:
    """A power profile as steps, until the next load or the end of the run."""
    path = files.data_file(row.file, inputs.path, f"load[{n}].file")
    extra.append((row.file, path))
    with path.open(encoding="utf-8") as file:
        head = file.readline(4096).strip().split(",")
    if len(head) < 2:
        raise ScenarioError(f"{path}: expected a header with time and power, found {head}")
    table = recording.read_columns(path, [name.strip() for name in head[:2]])
    peak = np.abs(table[:, 1]).max()
    if not peak > 0.0:
        raise ScenarioError(f"{path}: the power is 0 throughout; expected a profile")
    following = [load.at_s for load in inputs.scenario.load if load.at_s > row.at_s]
    end_s = min([*following, inputs.scenario.duration_s])
    rows = []
    for t_s, power in table:
        at_s = row.at_s + t_s - row.skip_s
        if row.skip_s <= t_s and at_s < end_s:
            rows.append([at_s * 1e9, ld.POWER, power / peak * row.peak_W, 0.0, float(row.always)])
    return rows


def _check_expectations(inputs: Inputs, net: Network) -> list[str]:
    """References of expectations: requirements, faults, signals, cells, codes; and windows that would be looser."""
    found = []
    s, path, required = inputs.scenario, inputs.path, inputs.requirements.by_id()
    labels = {fault.label for fault in s.fault}
    sent = set(net.from_dut.signal_names)
    codes = {name.removeprefix("Diag_") for name in sent if name.startswith("Diag_")}
    for n, row in enumerate(s.expect):
        where = f"{path}: expect[{n}]"
        if row.requirement not in required:
            found.append(
                f'{where}.requirement "{row.requirement}" is not in {inputs.requirements_path.name}'
                f"{nearest(row.requirement, required)}"
            )
            continue
        needed = required[row.requirement]
        if row.kind == "reaction":
            found += _check_reaction(row, needed, labels, where)
            found += [
                f'{inputs.requirements_path}: {needed.id}: code "{code}" is not a diagnosis flag{nearest(code, codes)}'
                for code in needed.codes
                if code not in codes
            ]
        elif row.kind == "quiet":
            found += [
                f'{where}.allow "{code}" is not a diagnosis flag{nearest(code, codes)}'
                for code in row.allow
                if code not in codes
            ]
        elif row.kind == "signal":
            found += _check_signal(row, net, sent, where)
        elif row.kind == "soc" and row.cell is not None and row.cell >= inputs.pack.n_cells:
            found.append(f"{where}.cell {row.cell} does not exist; this pack has cell 0 to {inputs.pack.n_cells - 1}")
        elif row.kind == "precharge" and not {"tries", "end_ms", "gap_ms"} <= set(needed.limits):
            found.append(f'{where}: requirement "{needed.id}" needs limits tries, end_ms and gap_ms')
        if row.kind == "soc" and "max_error" not in needed.limits:
            found.append(f'{where}: requirement "{needed.id}" needs the limit max_error')
    return found


def _check_reaction(row: scenario.ReactionExpect, needed: object, labels: set[str], where: str) -> list[str]:
    from hil.requirement import Requirement

    assert isinstance(needed, Requirement)
    found = []
    if row.fault is not None and row.fault not in labels:
        found.append(f'{where}.fault "{row.fault}" is not a fault of this scenario{nearest(row.fault, labels)}')
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
