"""What was done to a bench, kept as the parts of a scenario, so that a run can be done again from a file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firmware_sim.types import F64, I64
from hil import files, scenario, setup
from hil.fault.catalogue import FaultSpec
from hil.scenario import Inputs, Load, LoadBase, Request, Scenario

_LONGEST_S = 1e7
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_HEAD = """\
# Written by nabench from a test: everything the test did to the bench, at the times it did it.
# In virtual time `nabench run` on this file gives the same run again.
"""


def slug(text: str) -> str:
    """A name as scenarios need it."""
    return _NOT_SLUG.sub("-", text.lower()).strip("-")[:80].strip("-") or "session"


def slug_of_test(nodeid: str) -> str:
    """A folder name of a test, not longer than names of scenarios are, and still its own."""
    whole = nodeid.rpartition("@")[0] if nodeid.endswith("@bench") else nodeid
    name = slug(whole)
    if len(name) < 80 and re.fullmatch(r"[a-z0-9_/.:]+", whole):
        return name
    return f"{name[:70].strip('-')}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


@dataclass
class Story:
    """Requests, loads and faults of a run so far, over the scenario it began with."""

    inputs: Inputs
    requests: dict[int, Request] = field(default_factory=dict)
    loads: dict[int, Load] = field(default_factory=dict)
    faults: dict[str, FaultSpec] = field(default_factory=dict)

    def told(self) -> Inputs:
        """The inputs with what was told so far."""
        changed = {"request": list(self.requests.values()), "load": list(self.loads.values())}
        return replace(self.inputs, scenario=self.inputs.scenario.model_copy(update=changed))

    def request_table(self) -> I64:
        """Request table of the rig."""
        return setup.request_table(self.told())

    def load_table(self) -> F64:
        """Load table of the rig. Raises ScenarioError for a profile that cannot be read."""
        told = self.told()
        return setup.load_table(told.path, told.scenario, [])

    def document(self, name: str, title: str, text: str, duration_ns: int) -> dict[str, Any]:
        """The scenario as plain data."""
        s = self.inputs.scenario
        faults = [spec for spec in self.faults.values() if round(spec.start_s * 1e9) < duration_ns]
        return {
            "format": 1,
            "name": name,
            "title": title,
            "text": text,
            **_plain(s, "pack", "calibration", "network", "requirements", "tick_ms", "seed"),
            "duration_s": duration_ns / 1e9,
            "initial": s.initial.model_dump(),
            "record": s.record.model_dump(),
            "request": [row.model_dump(exclude_defaults=True) for row in self.requests.values()],
            "load": [row.model_dump(exclude_defaults=True) for row in self.loads.values()],
            "fault": [row.model_dump(exclude_defaults=True, by_alias=True) for row in faults],
        }

    def write(self, path: Path, name: str, title: str, text: str, duration_ns: int) -> None:
        """Write the scenario file."""
        path.write_text(_HEAD + toml(self.document(name, title, text, duration_ns)), encoding="utf-8")


def start(near: Path, **keys: Any) -> Inputs:
    """The scenario that a session begins with: no request, no load, no fault. Raises ScenarioError.

    near: relative names of files count from its folder.
    """
    data = {"format": 1, "name": "session", "title": "A session", "duration_s": _LONGEST_S, **keys}
    data = {key: value for key, value in data.items() if value is not None}
    for kind in ("pack", "calibration", "network"):
        if kind in data and isinstance(data[kind], str) and data[kind].endswith(".toml"):
            data[kind] = str(files.resolve(kind, data[kind], near).resolve())
    return scenario.complete(near, files.decode(near, data, Scenario))


def load_row(where: str, data: dict[str, Any]) -> Load:
    """A load from what a test wrote. Raises ScenarioError."""
    kinds: dict[str, type[LoadBase]] = {
        "none": scenario.NoLoad,
        "current": scenario.CurrentLoad,
        "power": scenario.PowerLoad,
        "resistance": scenario.ResistanceLoad,
        "charger": scenario.ChargerLoad,
        "inverter": scenario.InverterLoad,
        "profile": scenario.ProfileLoad,
    }
    row = files.decode(Path(where), data, kinds[data["kind"]])
    assert not isinstance(row, scenario.RecordedLoad)
    return row  # type: ignore[return-value]  # the members of the union are the values of the table


def _plain(s: Scenario, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(s, name)) is not None}


def toml(data: dict[str, Any]) -> str:
    """Plain data as TOML: scalars first, then tables, then arrays of tables."""
    lines = [f"{key} = {_scalar(value)}" for key, value in data.items() if not _is_table(value)]
    for key, value in data.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_scalar(v)}" for k, v in value.items())]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{key}]]", *(f"{k} = {_scalar(v)}" for k, v in row.items())]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(row, dict) for row in value))


def _scalar(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_scalar(v)}" for k, v in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value)
    return str(int(value))
