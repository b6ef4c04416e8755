"""Tables of cell and calibration files on how resistance falls with current, and on relaxation over hours."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from firmware_sim.types import F64
from hil.shape import settle
from hil.tables import MAX_NODES, Positive, Share, Sourced, TempDegC, lengths, log, rising


class Rate(Sourced):
    """Kinetics: R1 and a share of R0 fall with current as asinh(y) / y does, y = |I| / i0(T); ln i0 is linear in 1/T."""

    temp_degC: list[TempDegC]
    i0_A: list[Positive]
    reference_A: Positive
    r0_share: Share

    @model_validator(mode="after")
    def _shape(self) -> Rate:
        found = [*lengths(temp_degC=self.temp_degC, i0_A=self.i0_A), *rising("temp_degC", self.temp_degC)]
        found += rising("i0_A", self.i0_A)
        if not 1 <= len(self.i0_A) <= MAX_NODES:
            found.append(f"i0_A needs 1 to {MAX_NODES} points, found {len(self.i0_A)}")
        settle(found)
        return self


class Slow(Sourced):
    """A third RC pair for relaxation over minutes to hours; its resistance is a share of R2."""

    r3_share: Annotated[float, Field(ge=0)]
    tau3_s: Positive


def rate_curve(step: float, n: int) -> F64:
    """asinh(y) / y at y = 0, step, ...: what a Butler-Volmer electrode's resistance falls to at y times its i0."""
    y = step * np.arange(1, n)
    return np.array([1.0, *(log(float(v + np.sqrt(v * v + 1.0))) / float(v) for v in y)])
