"""The cell file: what a cell is, with the source of every table, and its compilation into the kernels' tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, ValidationInfo, model_validator

from firmware_sim.jit import exp
from firmware_sim.types import F64
from hil import files
from hil.kinetics import Rate, Slow, rate_curve
from hil.plant import cell as k
from hil.plant.extras import (
    Ageing,
    Deep,
    Plating,
    Runaway,
    SelfDischarge,
    fill_abuse,
    fill_rate,
    fill_slow,
)
from hil.shape import is_any_mended, settle
from hil.tables import (
    MAX_NODES,
    CellVolt,
    Entropy,
    Hysteresis,
    Ocv,
    Positive,
    Reach,
    Resistance,
    Sourced,
    TempDegC,
    grid,
    log_resistance,
    unlikely,
    voltage_curves,
)


class Limits(Sourced):
    """What the cell stands. Requirements refer to these by name; the firmware never sees them."""

    charge_max_V: CellVolt
    absolute_max_V: CellVolt
    discharge_min_V: CellVolt
    absolute_min_V: CellVolt
    charge_max_A: Positive
    discharge_max_A: Positive
    charge_min_degC: TempDegC
    charge_max_degC: TempDegC
    discharge_min_degC: TempDegC
    discharge_max_degC: TempDegC

    @model_validator(mode="after")
    def _order(self) -> Limits:
        volts = ("absolute_min_V", "discharge_min_V", "charge_max_V", "absolute_max_V")
        temperatures = (("charge_min_degC", "charge_max_degC"), ("discharge_min_degC", "discharge_max_degC"))
        settle(
            [
                f"{low} {getattr(self, low):g} must lie below {high} {getattr(self, high):g}"
                for low, high in (*zip(volts, volts[1:], strict=False), *temperatures)
                if not getattr(self, low) < getattr(self, high)
            ]
        )
        return self


class Thermal(Sourced):
    """The cell as a lump of heat, coupled to its neighbours and to the coolant."""

    heat_capacity_J_per_K: Positive
    neighbour_W_per_K: Annotated[float, Field(ge=0)]
    coolant_W_per_K: Positive


class Cell(files.Document):
    """A cell file."""

    KIND: ClassVar[str] = "cell"
    name: str
    title: str
    chemistry: str
    nominal_V: CellVolt
    capacity_Ah: Positive
    capacity: Sourced
    mass_kg: Positive
    limits: Limits
    ocv: Ocv
    hysteresis: Hysteresis
    resistance: Resistance
    reach: Reach
    entropy: Entropy
    thermal: Thermal
    rate: Rate | None = None
    slow: Slow | None = None
    self_discharge: SelfDischarge | None = None
    ageing: Ageing | None = None
    deep: Deep | None = None
    plating: Plating | None = None
    runaway: Runaway | None = None

    @model_validator(mode="after")
    def _likely(self, info: ValidationInfo) -> Cell:
        heat = ("thermal.heat_capacity_J_per_K", self.thermal.heat_capacity_J_per_K)
        settle([] if is_any_mended(info) else unlikely(self.capacity_Ah, self.resistance, self.hysteresis, heat))
        return self

    def tables(self) -> dict[str, Sourced]:
        """Every sourced table by name."""
        return {name: value for name in type(self).model_fields if isinstance(value := getattr(self, name), Sourced)}


def load(name: str, near: Path | None = None) -> tuple[Path, Cell]:
    """A cell by shipped name or path. Raises ScenarioError."""
    path = files.resolve("cell", name, near)
    return path, files.load(path, Cell)


def compile_cells(cells: Sequence[Cell], dt_s: float) -> tuple[F64, F64, F64, F64]:
    """Tables of the kernels for one or more kinds of cell: curves, ln_r, nodes, decay (see hil.plant.cell)."""
    n = len(cells)
    curves = np.zeros((n, 4, k.N_X))
    ln_r = np.zeros((n, 3 * MAX_NODES, k.N_RX))
    nodes = np.zeros((n, k.N_NODE_ROWS, MAX_NODES))
    decay = np.zeros((n, 3))
    for kind, c in enumerate(cells):
        curves[kind, : k.RATE] = voltage_curves(c.ocv, c.entropy, grid(k.X_LOW, k.X_STEP, k.N_X))
        curves[kind, k.RATE] = rate_curve(k.Y_STEP, k.N_X)
        if c.deep is not None:
            curves[kind, k.MEAN_V] = np.maximum(curves[kind, k.MEAN_V], c.deep.reverse_V)
        ln_r[kind], nodes[kind, k.INVERSE_K] = log_resistance(c.resistance, grid(0.0, 1.0 / (k.N_RX - 1), k.N_RX))
        nodes[kind, k.REACH_DEGC, : len(c.reach.temp_degC)] = c.reach.temp_degC
        nodes[kind, k.REACH_SHARE, : len(c.reach.share)] = c.reach.share
        scalars = nodes[kind, k.SCALARS]
        scalars[k.N_TEMPERATURES] = len(c.resistance.temp_degC)
        scalars[k.N_REACH] = len(c.reach.share)
        scalars[k.HYST_DECAY] = c.hysteresis.decay_per_soc
        scalars[k.NEIGHBOUR_W_PER_K] = c.thermal.neighbour_W_per_K
        scalars[k.COOLANT_W_PER_K] = c.thermal.coolant_W_per_K
        decay[kind] = exp(-dt_s / c.resistance.tau1_s), exp(-dt_s / c.resistance.tau2_s), 1.0
        if c.rate is not None:
            fill_rate(c.rate, nodes[kind])
        if c.slow is not None:
            scalars[k.R3_SHARE] = c.slow.r3_share
            decay[kind, 2] = exp(-dt_s / c.slow.tau3_s)
        fill_slow(c.self_discharge, c.ageing, c.deep, c.plating, nodes[kind, k.SLOW])
        heat_capacity = c.thermal.heat_capacity_J_per_K
        fill_abuse(c.runaway, c.capacity_Ah, heat_capacity, c.limits.absolute_max_V, nodes[kind, k.ABUSE])
    return curves, ln_r, nodes, decay
