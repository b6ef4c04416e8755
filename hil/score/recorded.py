"""Cases of the recordings that ship: discharges and recharges of cells that the calibration was not fitted to.

A case begins where the cell is full, at the end of the top-up at constant voltage, and the estimator is told so. The
reference of a discharge is the share of its own throughput, from there to the empty end; a recharge goes on from the
discharge before it, as it was recorded, and its reference is the share of its own throughput, so that its balance closes.
The rows of a file follow each other by a second; the part of a second that is missing between two legs is left out, in
the current that the estimator counts as in the reference.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from firmware_sim.types import F64
from hil import columns, files
from hil.calibration_tables import SODIUM_FIGURES, Model
from hil.errors import ScenarioError, nearest
from hil.plant import cellfile, replay
from hil.recording import Leg, find_legs
from hil.report.accuracy import soc_window
from hil.score.case import Case
from hil.shape import settle
from hil.tables import Positive

_PACKAGE = Path(__file__).resolve().parents[1]
_HERE = Path(__file__).with_name("recordings.toml")
_COLUMNS = ("time_s", "voltage_V", "current_A")
_DT_NS = 1_000_000_000
START_SIGMA = 0.01


class RecordedSet(files.FileModel):
    """Recordings of one kind of cell.

    filter: keys of the calibration's [filter] that are the rig's and not the pack's.  model: file beside this one with the
    [model] of the recorded cells, in place of the calibration's.  own: file with a [model] fitted to the unseen recordings
    themselves, for the bound.  fitted: recordings that filter and model have seen.  unseen: those that are scored.
    """

    name: str
    folder: str
    source: Annotated[str, Field(min_length=4)]
    cell: str
    calibration: str
    capacity_Ah: Positive
    temperature_degC: float
    full_V: Positive
    empty_V: Positive
    discharge_uncertainty: Positive
    charge_uncertainty: Positive
    filter: dict[str, Positive] = {}
    model: str | None = None
    own: str | None = None
    fitted: list[str]
    unseen: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _split(self) -> RecordedSet:
        found = [f'unseen "{name}" is among fitted too' for name in self.unseen if name in self.fitted]
        settle(
            found
            + [f"filter.{key} does not exist{nearest(key, SODIUM_FIGURES)}" for key in self.filter if key not in SODIUM_FIGURES]
        )
        return self


class ModelFile(files.Document):
    """What the cells of a set are believed to be."""

    model: Model


class RecordedSets(files.Document):
    """The file of all sets."""

    set: Annotated[list[RecordedSet], Field(min_length=1)]


@lru_cache(maxsize=1)
def sets() -> list[RecordedSet]:
    """Every set of recordings that ships."""
    return files.load(_HERE, RecordedSets).set


@lru_cache(maxsize=8)
def tables(name: str | None) -> Model | None:
    """The [model] of a file beside this one; None for none."""
    return None if name is None else files.load(_HERE.with_name(name), ModelFile).model


def path(of: RecordedSet, name: str) -> Path:
    """Where a recording of a set lies."""
    return _PACKAGE / of.folder / f"{name}.csv.gz"


def cases(condition: str) -> list[Case]:
    """All unseen runs of the condition "discharge" or "recharge"."""
    return [case(of, name, condition) for of in sets() for name in of.unseen]


def case(of: RecordedSet, name: str, condition: str) -> Case:
    """One recording as a case; also one that is fitted, for whoever wants to compare. Raises ScenarioError."""
    where = path(of, name)
    raw = columns.read(where, {f"{where}: {column}": column for column in _COLUMNS})
    samples = np.full((len(raw), replay.N_REPLAY_COLUMNS), np.nan)
    # One row a second without the missing parts of seconds: what is counted is what the reference counts.
    samples[:, replay.TIME_S] = np.arange(len(raw))
    samples[:, replay.VOLT], samples[:, replay.AMPS] = raw[:, 1], raw[:, 2]
    down, up = _legs(where, samples, of)
    last = down.last if condition == "discharge" else up.last
    first = down.first - 1
    reference = np.full(last + 1 - first, np.nan)
    if condition == "discharge":
        reference[:] = np.concatenate([[1.0], 1.0 - share(samples, down)])
        uncertainty = of.discharge_uncertainty
    else:
        reference[up.first - first :] = share(samples, up)
        uncertainty = max(of.charge_uncertainty, drifted(samples, down, up))
    return Case(
        data=f"{of.name} {name}",
        condition=condition,
        recorded=True,
        calibration=of.calibration,
        capacity_Ah=of.capacity_Ah,
        dt_ns=_DT_NS,
        current_A=np.ascontiguousarray(samples[first : last + 1, replay.AMPS]),
        cell_V=np.ascontiguousarray(samples[first : last + 1, replay.VOLT]),
        temp_degC=np.full(last + 1 - first, of.temperature_degC),
        reference=reference,
        available=True,
        uncertainty=uncertainty,
        start_soc=1.0,
        start_sigma=START_SIGMA,
        window=soc_window(cellfile.load(of.cell)[1]),
        filter=tuple(of.filter.items()),
        model=tables(of.model),
        model_name=of.model or "",
        own_model=tables(of.own),
    )


def share(samples: F64, leg: Leg) -> F64:
    """Share of a leg's own throughput that has passed at the end of each of its rows, each a mean over its second."""
    passed = np.cumsum(np.abs(samples[leg.first : leg.last + 1, replay.AMPS]))
    return np.asarray(passed / passed[-1], np.float64)


def drifted(samples: F64, down: Leg, up: Leg) -> float:
    """How far the share of a recharge's throughput would be another one, had the sensor in it not a gain but an offset.

    Both close the balance with the discharge before it, and the recording does not say which it was. Assumption: the sensor
    moved between the two legs, and was right in the discharge; an offset in both would leave less than half of this.
    """
    amps = np.abs(samples[up.first : up.last + 1, replay.AMPS])
    missing = float(np.abs(samples[down.first : down.last + 1, replay.AMPS]).sum()) - float(amps.sum())
    shifted = np.cumsum(amps + missing / len(amps))
    return float(np.max(np.abs(shifted / shifted[-1] - share(samples, up))))


def _legs(where: Path, samples: F64, of: RecordedSet) -> tuple[Leg, Leg]:
    """The discharge and the recharge after it. Raises ScenarioError."""
    legs = find_legs(samples, of.full_V, of.empty_V)
    down = next((leg for leg in legs if leg.discharges and leg.first > 0), None)
    up = next((leg for leg in legs if down is not None and not leg.discharges and leg.first > down.last), None)
    if down is None or up is None:
        raise ScenarioError(
            f"{where}: expected a discharge from {of.full_V:g} to {of.empty_V:g} V and a recharge; found {len(legs)} legs"
        )
    return down, up
