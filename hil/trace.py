"""The trace: all that a verdict may rest on, lossless in one file.

Truth of every tick, samples of every cell, both sides of each signal and frame that a fault touches, and the journal of
all frames. The file holds arrays without compression and no time of day, so equal runs give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim.types import F64, I64
from hil import truth
from hil.bus.table import N_RECORD_COLUMNS
from hil.errors import ScenarioError

_FORMAT = 1


# In Trace.info: resets [ns] in which a write should have torn, and this device could not be made to.
UNTORN = "untorn_ns"


@dataclass
class Trace:
    """A recorded run of pack 0.

    dt_ns: tick.  truth: (n_ticks, n_columns), columns of hil.truth; row k holds at k * dt.  cells: (m, 3, n_cells), every
    cells_every ticks.  touched: names of the signals in `sides`.  sides: (n_ticks, 2, n_touched), before and after the
    sensor faults.  parameters: names of plant parameters that faults touch; parameter: (n_ticks, n) their values.
    journal: frames, columns of hil.journal.  late_ns: (n_ticks,) how late the bench was, in real time, else empty.
    lost_frames: frames the journal had no room for.  info: what else was noted (resets, hashes of the inputs).
    bus: (n, 9) what happened on arbitrated buses, columns RECORD_* of hil.bus.table; in the file only when there is something.
    """

    dt_ns: int
    truth: F64
    cells: F64
    cells_every: int
    touched: tuple[str, ...]
    sides: F64
    parameters: tuple[str, ...]
    parameter: F64
    journal: I64
    late_ns: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    lost_frames: int = 0
    info: dict[str, Any] = field(default_factory=dict)
    bus: I64 = field(default_factory=lambda: np.zeros((0, N_RECORD_COLUMNS), np.int64))

    @property
    def n_ticks(self) -> int:
        """Recorded ticks."""
        return int(self.truth.shape[0])

    @property
    def t_s(self) -> F64:
        """(n_ticks,) time of each row of truth [s]."""
        return np.asarray(np.arange(self.n_ticks) * (self.dt_ns * 1e-9), np.float64)

    @property
    def t_cells_s(self) -> F64:
        """(m,) time of each sample of the cells [s]."""
        return np.asarray(np.arange(self.cells.shape[0]) * (self.cells_every * self.dt_ns * 1e-9), np.float64)

    def blur_ns(self, t_ns: int) -> int:
        """How far a time near t_ns may lie from what was noted: nothing in lockstep, else time stamps and lateness."""
        link = self.info.get("link")
        if not link or not len(self.late_ns):
            return 0
        k = t_ns // self.dt_ns
        return int(link["stamp_ns"]) + int(self.late_ns[max(k - 1, 0) : k + 2].max(initial=0))

    def instrument_ns(self, quantities: Iterable[str]) -> int:
        """How much later than noted one of these quantities may have reached the device: nothing in frames."""
        told = self._by_instrument
        return max((told.get(quantity, 0) for quantity in quantities), default=0)

    def on_frames(self, quantity: str) -> bool:
        """Whether frames tell the device a quantity: not where an instrument shows it."""
        return quantity not in self._by_instrument

    @property
    def _by_instrument(self) -> dict[str, int]:
        """Quantity that an instrument feeds to the longest that a value took to it [ns]."""
        return (self.info.get("link") or {}).get("instrument_ns") or {}

    def column(self, name: str) -> F64:
        """A column of truth by name. Raises KeyError."""
        return self.truth[:, [column for column, _ in truth.COLUMNS].index(name)]

    def save(self, path: Path) -> None:
        """Write the trace. The bytes depend on the contents alone."""
        head = {
            "format": _FORMAT,
            "dt_ns": self.dt_ns,
            "cells_every": self.cells_every,
            "touched": list(self.touched),
            "parameters": list(self.parameters),
            "columns": [list(column) for column in truth.COLUMNS],
            "lost_frames": self.lost_frames,
            "info": self.info,
        }
        text = np.frombuffer(json.dumps(head, sort_keys=True).encode(), np.uint8)
        more = {"bus": self.bus} if len(self.bus) else {}
        np.savez(
            path, head=text, truth=self.truth, cells=self.cells, sides=self.sides, parameter=self.parameter,
            journal=self.journal, late_ns=self.late_ns, allow_pickle=False, **more,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> Trace:
        """Read a trace. Raises ScenarioError when the file is not one."""
        if not path.exists():
            raise ScenarioError(f"{path}: there is no trace; expected a run folder written by nabench run")
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                if sum(member.file_size for member in file.zip.infolist()) > path.stat().st_size:
                    raise ValueError("its arrays are packed; a trace's are not")
                head = json.loads(file["head"].tobytes())
                arrays = {name: file[name] for name in _ARRAYS}
                bus = file["bus"] if "bus" in file else np.zeros((0, N_RECORD_COLUMNS), np.int64)
        except Exception as error:  # noqa: BLE001 - a damaged archive raises many types; all mean the same to the user
            raise ScenarioError(f"{path}: not a readable trace: {error}") from None
        flaw = _flaw(head, arrays)
        if not flaw and (bus.ndim != 2 or bus.shape[1] != N_RECORD_COLUMNS or bus.dtype != np.int64):
            flaw = f"expected array bus with {N_RECORD_COLUMNS} columns of int64"
        if flaw:
            raise ScenarioError(f"{path}: not a trace of this version: {flaw}")
        return cls(
            head["dt_ns"], arrays["truth"], arrays["cells"], head["cells_every"], tuple(head["touched"]), arrays["sides"],
            tuple(head["parameters"]), arrays["parameter"], arrays["journal"], arrays["late_ns"], head["lost_frames"],
            head["info"], bus,
        )  # fmt: skip


# Name to dimensions and type of each array, and of each entry of the head.
_ARRAYS = {
    "truth": (2, np.float64),
    "cells": (3, np.float64),
    "sides": (3, np.float64),
    "parameter": (2, np.float64),
    "journal": (2, np.int64),
    "late_ns": (1, np.int64),
}
_HEAD = {"dt_ns": int, "cells_every": int, "touched": list, "parameters": list, "lost_frames": int, "info": dict}


def _flaw(head: Any, arrays: dict[str, Any]) -> str:
    """What is wrong with a trace that was read, as far as one can see without its scenario; empty when nothing is."""
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        return f"expected format {_FORMAT}"
    for name, kind in _HEAD.items():
        if type(head.get(name)) is not kind:
            return f"expected {name} in its head, of type {kind.__name__}"
    if head.get("columns") != [list(column) for column in truth.COLUMNS]:
        return "expected the columns of truth that this version has"
    if head["dt_ns"] < 1 or head["cells_every"] < 1:
        return "expected a tick and a distance of samples above 0"
    for name, (dimensions, dtype) in _ARRAYS.items():
        if arrays[name].ndim != dimensions or arrays[name].dtype != dtype:
            return f"expected array {name} with {dimensions} dimensions of {np.dtype(dtype)}"
    ticks = len(arrays["truth"])
    shapes = {
        "truth": (ticks, truth.N_COLUMNS),
        "cells": (-(-ticks // head["cells_every"]), len(truth.CELL_COLUMNS), arrays["cells"].shape[2]),
        "sides": (ticks, 2, len(head["touched"])),
        "parameter": (ticks, len(head["parameters"])),
        "late_ns": (ticks if len(arrays["late_ns"]) else 0,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"array {name} is {arrays[name].shape}; expected {shape}"
    return ""
