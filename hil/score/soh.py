"""How near the estimated capacity comes to the true one, after partial cycles of a simulated cell.

Once with the belief of another cell, which is what a BMS has, and once with the cell's own tables but the capacity of its
kind when fresh, so that nothing but the capacity is left to find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from firmware_sim.types import F64
from hil.dut.estimator import Readings
from hil.score import floors
from hil.score.believe import Make, beliefs_of, believe
from hil.score.case import Case
from hil.score.figures import data_name, rounded
from hil.score.own import own_tables

CONDITION = "soh"
Tables = Literal["unseen", "own"]
UNSEEN: Tables = "unseen"
OWN: Tables = "own"


@dataclass(frozen=True)
class Capacity:
    """Capacity of one case as estimated at its end, relative to the true one, less 1; and its standard deviation. (pack,)."""

    case: Case
    method: str
    tables: Tables
    error: F64
    sigma: F64


def of(case: Case, readings: Readings, method: str, make: Make) -> list[Capacity]:
    """With tables of another cell, and with its own; nothing for cases of other conditions."""
    if case.condition != CONDITION or case.drawn is None:
        return []
    found = []
    for tables, beliefs in ((UNSEEN, beliefs_of(case)), (OWN, own_tables(case, capacity=False))):
        true_share = case.drawn.capacity_Ah / beliefs.model.capacity_Ah
        said = believe(case, readings, method, (case.start_soc, case.start_sigma), make, beliefs)
        share, sigma = said.capacity_share / true_share, said.capacity_sigma / true_share
        found.append(Capacity(case, method, tables, share - 1.0, sigma))
    return found


def as_json(found: Sequence[Capacity]) -> list[dict[str, Any]]:
    """Pooled over cells and sensor errors, as shares of the true capacity, with what is asked."""
    rows = []
    for data, method, tables in dict.fromkeys((data_name(c.case), c.method, c.tables) for c in found):
        own = [c for c in found if (data_name(c.case), c.method, c.tables) == (data, method, tables)]
        error, sigma = np.concatenate([c.error for c in own]), np.concatenate([c.sigma for c in own])
        rmse, asked = float(np.sqrt(np.mean(error**2))), floors.load().capacity_rmse[tables]
        rows.append(
            {
                "data": data,
                "condition": CONDITION,
                "method": method,
                "tables": tables,
                "rmse": rounded(rmse),
                "max": rounded(float(np.max(np.abs(error)))),
                "bias": rounded(float(np.mean(error))),
                "sigma": rounded(float(np.median(sigma))),
                "inside_2_sigma": rounded(float(np.mean(np.abs(error) <= 2.0 * sigma))),
                "cells": len(own),
                "at_most": asked,
                "met": rmse <= asked,
            }
        )
    return rows
