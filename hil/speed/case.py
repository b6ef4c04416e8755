"""What every speed figure is measured on, and the variants that are measured."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from firmware_sim.types import I64
from firmware_sim.wire.codec import decode_many
from firmware_sim.wire.layout import COUNT, N_WORDS
from hil import journal, network, scenario, setup
from hil.bench import Bench
from hil.dut.emulator import Emulator
from hil.errors import ScenarioError
from hil.pack_io import COMMAND_SLOT, LIMIT_SLOT
from hil.setup import Setup

SIZES = (16, 96, 192)
_PACKAGE = "nabench_benchmarks"
_MOST_NTC = 64


class Variant(Protocol):
    """Something that runs the same ticks as the others."""

    def run(self, n_ticks: int) -> None:
        """Run n_ticks."""

    def forget(self) -> None:
        """Drop what was recorded; not part of the time."""

    def close(self) -> None:
        """Release what is held."""


def folder() -> Path:
    """Folder of the benchmarks: inside the package when installed, beside it in a checkout."""
    inside = Path(__file__).parents[1] / "benchmarks"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> Any:
    """A module of the benchmarks folder, which is no package of ours."""
    if _PACKAGE not in sys.modules:
        spec = importlib.machinery.ModuleSpec(_PACKAGE, None, is_package=True)
        spec.submodule_search_locations = [str(folder())]
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{_PACKAGE}.{name}")


# How SOC is estimated there: the method that the obvious design has too (benchmarks/filter.py).
METHOD = "ekf-r"

# Tables of what moves in months or burns: the obvious design does without, so neither has it.
_MONTHS = ("ageing", "deep", "plating", "runaway")


# Frames of what the obvious design does not compute: neither sends them, nor do the libraries alone carry them.
LEFT_OUT = frozenset(("BMS_DischargeForesight", "BMS_ChargeForesight", "BMS_Energy", "BMS_EnergyToFull", "BMS_Times"))


def build(n_cells: int, n_packs: int = 1) -> Setup:
    """The steady-current scenario on a pack of n_cells in series. Raises ScenarioError for a size the wire cannot carry."""
    if not 1 <= n_cells <= SIZES[-1]:
        raise ScenarioError(f"--cells {n_cells}: expected 1 to {SIZES[-1]} cells")
    inputs = scenario.load(folder() / "steady-current.scenario.toml")
    sensors = list(range(0, n_cells, 3))[:_MOST_NTC]
    pack = inputs.pack.model_copy(update={"series": n_cells, "ntc_cells": sensors})
    cell = inputs.cell.model_copy(update=dict.fromkeys(_MONTHS))
    believed = inputs.calibration.model_copy(update={"filter": inputs.calibration.filter.changed(METHOD)})
    s = inputs.scenario
    net = network.load(s.network, n_cells, len(sensors), s.tick_ns, inputs.path, LEFT_OUT)
    return setup.build(replace(inputs, pack=pack, cell=cell, calibration=believed), n_packs=n_packs, net=net)


def switched_on(n_cells: int, n_packs: int = 1) -> Bench:
    """A bench with n_cells and the emulator, ready for its first tick."""
    return with_emulator(build(n_cells, n_packs))


def with_emulator(built: Setup) -> Bench:
    """A bench with the emulator, ready for its first tick."""
    bench = Bench(built, Emulator(built.settings, built.rig.dt_ns, built.rig.bus_free_ns))
    bench.start()
    return bench


class Gear:
    """The bench with the emulator, staged or fused. What nobody decodes during the run is decoded at the end of each call."""

    def __init__(self, bench: Bench, fused: bool) -> None:
        self.bench, self.fused = bench, fused
        self._obeyed = [int(bench.rig.io.roles[role]) for role in (COMMAND_SLOT, LIMIT_SLOT)]

    @property
    def emulator(self) -> Emulator:
        """The device."""
        assert isinstance(self.bench.dut, Emulator)
        return self.bench.dut

    def run(self, n_ticks: int) -> None:
        """Run n_ticks and decode all status frames."""
        if self.fused:
            self.bench.run_fused(n_ticks)
        else:
            self.bench.run(n_ticks)
        self.decode_answers()

    def decode_answers(self) -> int:
        """Decode the device's frames that the I/O unit does not, in bulk, as the judge does; returns how many."""
        layout = self.bench.rig.network.from_dut
        columns = [journal.KIND, journal.SLOT, *range(journal.WORD, journal.WORD + int(layout.slots[:, N_WORDS].max()))]
        logs = [chunk.log for chunk in self.bench.rig.take_records()]
        rows = np.concatenate([log[np.flatnonzero(log[:, journal.KIND] == journal.FROM_DUT)][:, columns] for log in logs])
        order = np.argsort(rows[:, 1], kind="stable")
        ends: I64 = np.searchsorted(rows[order, 1], np.arange(layout.n_slots + 1))
        done = 0
        for slot in range(layout.n_slots):
            if slot in self._obeyed or ends[slot] == ends[slot + 1]:
                continue
            n_words, count = int(layout.slots[slot, N_WORDS]), int(layout.slots[slot, COUNT])
            words = rows[order[ends[slot] : ends[slot + 1]], 2 : 2 + n_words]
            values, valid = np.empty((len(words), count)), np.empty((len(words), count), np.uint8)
            decode_many(words, slot, layout.signals, layout.scales, layout.slots, values, valid)
            done += len(words)
        return done

    def forget(self) -> None:
        """Drop full chunks; call it at the end of a chunk, so that nothing is decoded twice."""
        self.bench.rig.chunks.clear()

    def close(self) -> None:
        """Close the device."""
        self.bench.dut.close()


def state_hash(bench: Bench) -> str:
    """SHA-256 over plant, firmware, and everything recorded."""
    assert isinstance(bench.dut, Emulator)
    digest = hashlib.sha256((bench.rig.plant.state_hash() + bench.dut.state.state_hash()).encode())
    trace = bench.trace()
    for block in (trace.truth, trace.cells, trace.sides, trace.parameter, trace.journal):
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()
