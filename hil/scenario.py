"""The scenario file: a pack, what is done to it, and what is expected. It names files; it holds no code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, model_validator

from hil import calibration, files, requirement
from hil.calibration import Calibration
from hil.calibration_tables import SODIUM_FIGURES
from hil.errors import Problems, ScenarioError, nearest
from hil.fault.catalogue import FaultSpec
from hil.plant import packfile
from hil.plant.cellfile import Cell
from hil.plant.packfile import Pack
from hil.requirement import RequirementsFile
from hil.shape import is_mended, refuse
from hil.tables import Positive

Seconds = Annotated[float, Field(ge=0, le=1e7)]
Share = Annotated[float, Field(ge=0, le=1)]


class InitialState(files.FileModel):
    """How the pack stands at the start.

    soh, resistance: of aged cells relative to new ones, which the cell file describes.  kind_soc: SOC of some kinds of cells,
    by the name of the cell.
    """

    soc: Share = 0.5
    temperature_degC: Annotated[float, Field(ge=-60, le=100)] = 25.0
    soh: Annotated[float, Field(ge=0.3, le=1.2)] = 1.0
    resistance: Annotated[float, Field(ge=0.3, le=10)] = 1.0
    kind_soc: dict[str, Share] = {}


class Ambient(files.FileModel):
    """From at_s on: how far the coolant stands from its start, the heater of the whole pack, fan or pump as a share."""

    at_s: Seconds
    coolant_shift_K: Annotated[float, Field(ge=-120, le=120)] = 0.0
    heater_W: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    flow: Annotated[float, Field(ge=0, le=10)] = 1.0


class Request(files.FileModel):
    """From at_s on the vehicle asks for this mode; fault_reset is one press of the button."""

    at_s: Seconds
    mode: Literal["standby", "drive", "charge"]
    fault_reset: bool = False
    charger_connected: bool = False


class LoadBase(files.FileModel):
    """From at_s on this load hangs on the link, until the next one. always: it draws whatever the contactors do."""

    at_s: Seconds
    always: bool = False


class NoLoad(LoadBase):
    """Nothing."""

    kind: Literal["none"]


class CurrentLoad(LoadBase):
    """A constant current, positive on discharge."""

    kind: Literal["current"]
    current_A: Annotated[float, Field(ge=-5000, le=5000)]


class PowerLoad(LoadBase):
    """A constant power, positive on discharge."""

    kind: Literal["power"]
    power_W: Annotated[float, Field(ge=-2e6, le=2e6)]


class ResistanceLoad(LoadBase):
    """A resistor."""

    kind: Literal["resistance"]
    resistance_ohm: Annotated[float, Field(gt=0)]


class ChargerLoad(LoadBase):
    """A CC-CV charger; it obeys BMS_Limits unless a fault says otherwise."""

    kind: Literal["charger"]
    current_A: Annotated[float, Field(gt=0)]
    voltage_V: Annotated[float, Field(gt=0)]


class InverterLoad(LoadBase):
    """An inverter that draws all that BMS_DischargeCurrent10s allows, at most current_A, and nothing while it says nothing."""

    kind: Literal["inverter"]
    current_A: Annotated[float, Field(gt=0)]


class ProfileLoad(LoadBase):
    """A power profile from a CSV file (first column time [s], second power [W]), scaled so that its peak is peak_W."""

    kind: Literal["profile"]
    file: str
    peak_W: Annotated[float, Field(gt=0)]
    skip_s: Seconds = 0.0


class RecordedLoad(LoadBase):
    """The current of the recording."""

    kind: Literal["recorded"]


Load = Annotated[
    NoLoad | CurrentLoad | PowerLoad | ResistanceLoad | ChargerLoad | InverterLoad | ProfileLoad | RecordedLoad,
    Field(discriminator="kind"),
]


class Column(files.FileModel):
    """One column of a recording: its header, and value = raw * scale + offset."""

    column: str
    scale: float = 1.0
    offset: float = 0.0


class CurrentColumn(Column):
    """The current column. positive: what a positive value means there; nabench counts discharge as positive."""

    positive: Literal["discharge", "charge"]


class Recording(files.FileModel):
    """A recording that takes the place of cell 0.

    time, voltage, current: columns, scaled to s, V, A.  temperature: column in degC; or, when it was not logged,
    temperature_degC of the surroundings, in which the bench lets the cell warm as its model does.  start_s: scenario
    time at which it begins.  full_V, empty_V: legs between these ends are scored against their own
    throughput; reference_uncertainty is what is known of that reference.  filter: figures of the calibration's filter that
    belong to the rig of the recording and not to the pack.
    """

    file: str
    source: Annotated[str, Field(min_length=4)]
    time: Column
    voltage: Column
    current: CurrentColumn
    temperature: Column | None = None
    temperature_degC: float | None = None
    start_s: Seconds
    full_V: float
    empty_V: float
    discharge_uncertainty: Share
    charge_uncertainty: Share
    filter: dict[str, Positive] = {}

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Recording:
        found = []
        if (self.temperature is None) == (self.temperature_degC is None):
            found.append(': needs exactly one of "temperature" (a column) and "temperature_degC" (as stated by the source)')
        if not self.empty_V < self.full_V:
            found.append(f"empty_V {self.empty_V:g} must lie below full_V {self.full_V:g}")
        found += [
            f"filter.{key} does not exist{nearest(key, SODIUM_FIGURES)}" for key in self.filter if key not in SODIUM_FIGURES
        ]
        refuse(found, self, info)
        return self


class ExpectBase(files.FileModel):
    """Every expectation names the requirement it serves."""

    requirement: str
    note: str | None = None


class ReactionExpect(ExpectBase):
    """A fault or a hazard is detected and answered in time. Windows may only be tighter than the requirement's."""

    kind: Literal["reaction"]
    fault: str | None = None
    from_s: Seconds = 0.0
    fdti_ms: requirement.Window | None = None
    fhti_ms: Annotated[float, Field(gt=0)] | None = None


class QuietExpect(ExpectBase):
    """No diagnosis flag is raised (but those in `allow`), and the contactors do not open, from from_s to to_s."""

    kind: Literal["quiet"]
    from_s: Seconds
    to_s: Seconds
    allow: list[str] = []


class SignalExpect(ExpectBase):
    """A signal sent by the device fulfils a condition always, never or at least once from from_s to to_s."""

    kind: Literal["signal"]
    signal: str
    mode: Literal["always", "never", "once"] = "always"
    value: float | str | None = Field(default=None, alias="is")
    above: float | None = None
    below: float | None = None
    from_s: Seconds
    to_s: Seconds

    @model_validator(mode="after")
    def _condition(self, info: ValidationInfo) -> SignalExpect:
        found = []
        if self.value is None and self.above is None and self.below is None:
            found.append(': needs a condition: "is", "above" or "below"')
        elif self.value is not None and (self.above is not None or self.below is not None):
            found.append(': either "is" or "above" and "below"; expected not both')
        elif self.above is not None and self.below is not None and not self.above < self.below:
            found.append(f": above {self.above:g} must be less than below {self.below:g}")
        refuse(found, self, info)
        return self


class ContactorsExpect(ExpectBase):
    """The current path is open or closed all the time from from_s to to_s."""

    kind: Literal["contactors"]
    state: Literal["open", "closed"]
    from_s: Seconds
    to_s: Seconds


class PrechargeExpect(ExpectBase):
    """Precharge is tried as often, as long and as far apart as the requirement says (limits tries, end_ms, gap_ms)."""

    kind: Literal["precharge"]
    from_s: Seconds = 0.0


class SocExpect(ExpectBase):
    """The SOC of the pack, or of one cell, stays close to the truth (limits max_error, rmse)."""

    kind: Literal["soc"]
    cell: Annotated[int, Field(ge=0)] | None = None
    from_s: Seconds = 0.0
    to_s: Seconds | None = None


class WithinExpect(ExpectBase):
    """The truth keeps the limit that triggers the requirement, all the time from from_s to to_s."""

    kind: Literal["within"]
    from_s: Seconds
    to_s: Seconds


Expect = Annotated[
    ReactionExpect | QuietExpect | SignalExpect | ContactorsExpect | PrechargeExpect | SocExpect | WithinExpect,
    Field(discriminator="kind"),
]


class Record(files.FileModel):
    """What the trace keeps of every cell: one sample each cells_every_ms."""

    cells_every_ms: Annotated[int, Field(ge=1, le=60_000)] = 100


class Scenario(files.Document):
    """A scenario file."""

    KIND: ClassVar[str] = "scenario"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=80)]
    title: str
    text: str = ""
    pack: str
    calibration: str | None = None
    network: str = "classic"
    requirements: str = "reference"
    duration_s: Annotated[float, Field(gt=0, le=1e7)]
    tick_ms: Annotated[int, Field(ge=1, le=1000)] = 10
    seed: Annotated[int, Field(ge=0, le=2**53)] = 1
    initial: InitialState = InitialState()
    record: Record = Record()
    recording: Recording | None = None
    request: list[Request] = []
    load: list[Load] = []
    ambient: list[Ambient] = []
    fault: list[FaultSpec] = []
    expect: list[Expect] = []

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> Scenario:
        ends = [] if is_mended(info, "duration_s", "tick_ms") else _ends(self)
        refuse([*_order(self), *ends, *_names(self)], self, info)
        return self

    @property
    def tick_ns(self) -> int:
        """Base tick."""
        return self.tick_ms * 1_000_000

    @property
    def n_ticks(self) -> int:
        """Ticks of the run."""
        return round(self.duration_s * 1000 / self.tick_ms)


def _order(s: Scenario) -> list[str]:
    """Times that do not follow each other."""
    found = []
    for name, rows in (("request", s.request), ("load", s.load), ("ambient", s.ambient)):
        for n, (a, b) in enumerate(zip(rows, rows[1:], strict=False)):
            if not b.at_s > a.at_s:
                found.append(f"{name}[{n + 1}].at_s {b.at_s:g} must lie after that of {name}[{n}], {a.at_s:g}")
    for n, row in enumerate(s.expect):
        end, start = getattr(row, "to_s", None), getattr(row, "from_s", 0.0)
        if end is not None and not end > start:
            found.append(f"expect[{n}].to_s {end:g} must lie after from_s {start:g}")
    return found


def _ends(s: Scenario) -> list[str]:
    """What lies behind the end of the run, and a run that has no tick."""
    if s.n_ticks < 1:
        return [f"duration_s {s.duration_s:g} is less than a tick of {s.tick_ms} ms"]
    found = []
    times = {"request": ("at_s",), "load": ("at_s",), "fault": ("start_s",), "expect": ("from_s", "to_s")}
    for name, keys in times.items():
        for n, row in enumerate(getattr(s, name)):
            late = [(key, at) for key in keys if (at := getattr(row, key, None)) is not None and at > s.duration_s]
            found += [f"{name}[{n}].{key} {at:g} lies behind the end of the run, {s.duration_s:g}" for key, at in late]
    if s.recording is not None and s.recording.start_s > s.duration_s:
        found.append(f"recording.start_s {s.recording.start_s:g} lies behind the end of the run, {s.duration_s:g}")
    return found


def _names(s: Scenario) -> list[str]:
    """Faults that cannot be told apart, and loads that play a recording which is not there."""
    first: dict[str, int] = {}
    found = [
        f'fault[{n}]: "{fault.label}" is the name of fault[{first[fault.label]}] too; give one of them a name'
        for n, fault in enumerate(s.fault)
        if first.setdefault(fault.label, n) != n
    ]
    if s.recording is None:
        found += [f'load[{n}].kind "recorded" needs a [recording]' for n, row in enumerate(s.load) if row.kind == "recorded"]
    return found


@dataclass(frozen=True)
class Inputs:
    """Everything that goes into a run, decoded, with the paths it came from."""

    path: Path
    scenario: Scenario
    pack_path: Path
    pack: Pack
    cell_path: Path
    cell: Cell
    calibration_path: Path
    calibration: Calibration
    requirements_path: Path
    requirements: RequirementsFile


def load(path: Path) -> Inputs:
    """A scenario and all files it names. Raises ScenarioError with every problem of every file at once."""
    far = files.load_far(path, Scenario)
    problems = Problems()
    inputs = problems.call(complete, path, far.model) if far.model is not None else None
    problems.found = far.problems + far.besides(path, problems.found)
    problems.settle()
    if inputs is None:
        raise ScenarioError(f"{path}: the scenario could not be loaded")
    return inputs


def complete(path: Path, scenario: Scenario) -> Inputs:
    """A scenario as if it stood at `path`, and all files it names. Raises ScenarioError with every problem at once."""
    problems = Problems()
    packed = problems.call(packfile.load, scenario.pack, path)
    required = problems.call(requirement.load, scenario.requirements, path)
    believed = None
    if scenario.calibration is not None:
        believed = problems.call(calibration.load, scenario.calibration, path)
    elif packed is not None:
        believed = problems.call(calibration.load, packed[1].calibration, packed[0])
    problems.settle()
    if packed is None or required is None or believed is None:
        raise ScenarioError(f"{path}: a file it names could not be loaded")
    calibrated, belief = believed
    if scenario.recording is not None and scenario.recording.filter:
        belief = belief.model_copy(update={"filter": belief.filter.changed(None, **scenario.recording.filter)})
    return Inputs(path, scenario, *packed, calibrated, belief, *required)
