"""Methods of estimation run over cases with injected sensor errors; coulomb counting is always among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from hil.calibration import Calibration
from hil.dut.estimator import Readings
from hil.errors import ScenarioError, nearest
from hil.score import figures, floors, starts
from hil.score.believe import METHODS, SUBJECT, Make, believe, emulated
from hil.score.case import Case
from hil.score.cases import Group
from hil.score.figures import BOUND, COUNTING, Track
from hil.score.health import HealthRow, health
from hil.score.inject import clean, inject
from hil.score.peers import PEERS
from hil.score.power import PowerRow, power
from hil.score.starts import Convergence

Progress = Callable[[str, float], None]  # what is at work, and which share is done


@dataclass(frozen=True)
class Plan:
    """What is run besides the cases.

    errors: with injected sensor errors, in all sign combinations; else once, as it was recorded.  power_states: states in which
    the current limits are asked, in each condition.  health_draws: cells of which capacity and resistance are asked.  0: none.
    """

    methods: tuple[str, ...] = METHODS
    seed: int = 1
    errors: bool = True
    wrong_starts: bool = True
    power_states: int = 0
    health_draws: int = 0


@dataclass
class Scored:
    """All that was found."""

    plan: Plan
    tracks: list[Track] = field(default_factory=list)
    starts: list[Convergence] = field(default_factory=list)
    power: list[PowerRow] = field(default_factory=list)
    health: list[HealthRow] = field(default_factory=list)

    def rows(self) -> list[figures.Row]:
        """Figures of the methods that were asked for."""
        return [row for row in figures.rows(self.tracks) if row.method in self.plan.methods]

    def as_json(self) -> dict[str, Any]:
        """As printed by --json."""
        return {
            "format": 1,
            "seed": self.plan.seed,
            "sensor_errors": self.plan.errors,
            "rows": [row_as_json(row) for row in self.rows()],
            "convergence": starts.as_json(self.starts),
            "power": [_told(row) | _floors(floors.asked_of_power(row)) for row in self.power],
            "health": [_told(row) | _floors(floors.asked_of_health(row)) for row in self.health],
        }


def _told(row: PowerRow | HealthRow) -> dict[str, Any]:
    """A line as printed by --json."""
    return {key: figures.rounded(value) if isinstance(value, float) else value for key, value in asdict(row).items()}


def row_as_json(row: figures.Row) -> dict[str, Any]:
    """A row as printed by --json, with what is asked of it, and the bound, with what both miss."""
    bound = None if row.bound is None else row.bound.short() | {"misses_too": _floors(floors.beyond(row))["floors"]}
    return row.as_json() | _floors(floors.asked(row)) | {"bound": bound}


def _floors(asked: list[floors.Asked]) -> dict[str, Any]:
    return {"floors": [one.as_json() for one in asked]}


def check_methods(names: Sequence[str]) -> tuple[str, ...]:
    """Methods by name, in the order given, all when there are none. Raises ScenarioError for one that does not exist."""
    wrong = [
        f"--method {name} is one of another package; expected --peer {name}=PYTHON"
        if name in PEERS
        else f'--method "{name}" does not exist{nearest(name, METHODS)}'
        for name in names
        if name not in METHODS
    ]
    if wrong:
        raise ScenarioError(*wrong)
    return tuple(dict.fromkeys(names)) or METHODS


def check_peers(pairs: Sequence[str]) -> dict[str, str]:
    """Interpreters of peers, from NAME=PYTHON. Raises ScenarioError for a peer that is not known."""
    found, wrong = {}, []
    for pair in pairs:
        name, _, python = pair.partition("=")
        if name not in PEERS:
            wrong.append(f'--peer "{name}" does not exist{nearest(name, list(PEERS))}')
        elif not python:
            wrong.append(f"--peer {pair}: expected NAME=PYTHON, the interpreter of an environment that has it")
        found[name] = python
    if wrong:
        raise ScenarioError(*wrong)
    return found


def subject(methods: Sequence[str]) -> str:
    """The method whose bound is shown: that of the floors, else the first."""
    return SUBJECT if SUBJECT in methods else methods[0]


def run(groups: Sequence[Group], plan: Plan, progress: Progress | None = None, make: Make = emulated) -> Scored:
    """Every method over every case. make: the device to judge, for whoever wants to judge another."""
    scored, judged = Scored(plan), subject(plan.methods)
    does_power, does_health = (size > 0 and judged in METHODS for size in (plan.power_states, plan.health_draws))
    n_parts = len(groups) + does_power + does_health

    def tell(text: str, parts: float) -> None:
        """Say what is under way. parts: how many are done."""
        if progress is not None:
            progress(text, parts / n_parts)

    for n, group in enumerate(groups):
        tell(group.name, n)
        cases = group.make()
        for k, case in enumerate(cases):
            _score(scored, case, make)
            tell(case.data, n + (k + 1) / len(cases))
    if does_power:
        tell("current limits", len(groups))
        scored.power = power(plan.seed, plan.power_states, method=judged)
    if does_health:
        before = len(groups) + does_power
        scored.health = health(
            plan.seed, plan.health_draws, [judged], make, lambda share: tell("capacity and resistance", before + share)
        )
    return scored


def _score(scored: Scored, case: Case, make: Make) -> None:
    """Add one case, with all methods, counting and the bound."""
    plan = scored.plan
    readings = inject(case, seed=plan.seed) if plan.errors else clean(case)
    judged = subject(plan.methods)
    tracks = [track(case, readings, method, make) for method in dict.fromkeys((*plan.methods, COUNTING))]
    if case.drawn is not None or case.own_model is not None:
        tracks.append(bound(case, readings, judged, make))
    settled = [one for method in plan.methods for one in starts.of(case, readings, method, make)] if plan.wrong_starts else []
    # What is kept needs no arrays of the case: all draws of all conditions would fill the memory.
    kept = figures.bare(case)
    scored.tracks += [replace(one, case=kept) for one in tracks]
    scored.starts += [replace(one, case=kept) for one in settled]


def bound(case: Case, readings: Readings, method: str, make: Make = emulated) -> Track:
    """A method with the cell's own tables, on the same readings: what is left when the tables are true."""
    from hil.score.own import own_tables

    return replace(track(case, readings, method, make, own_tables(case)), method=BOUND)


def track(
    case: Case, readings: Readings, method: str, make: Make = emulated, beliefs: Calibration | None = None
) -> Track:  # fmt: skip
    """One method over one case. beliefs: the case's own when None."""
    said = believe(case, readings, method, (case.start_soc, case.start_sigma), make, beliefs)
    reference = case.reference[said.at]
    return Track(
        case=case,
        method=method,
        t_s=(said.at + 1) * case.dt_ns / 1e9,
        reference=reference,
        temp_degC=case.temp_degC[said.at],
        error=said.soc - reference[:, None],
        band=said.band,
    )
