"""How long a method takes to find its way from a wrong start.

Recorded discharges, drives and a user's own files are run again with a SOC that is too low or too high by 20 and by 50 %, where
that is one at all, and the standard deviation that belongs to not knowing. Counted is the time until the error stays within
3 % for the rest of two hours, or of the case when it is shorter, above 5 % SOC: near empty every method is right that never
says less than 0. A case that starts wrong by itself is measured as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_sim.types import F64
from hil.dut.estimator import Readings
from hil.score.believe import Make, believe
from hil.score.case import Case
from hil.score.figures import WRONG_START, data_name, rounded

OFFSETS = (-0.5, -0.2, 0.2, 0.5)
SIGMA = 0.3
WITHIN = 0.03
HORIZON_S = 7200.0
LEAST_SOC = 0.05
# Conditions that are run again.
AGAIN = ("discharge", "drive", "drive-cold", "own")


@dataclass(frozen=True)
class Convergence:
    """Seconds until the error stays within WITHIN, of every combination of sensor errors; NaN: not in HORIZON_S.

    offset: SOC told less SOC, to a tenth.
    """

    case: Case
    method: str
    offset: float
    settled_s: F64


def of(case: Case, readings: Readings, method: str, make: Make) -> list[Convergence]:
    """All wrong starts of a case."""
    truth = case.truth if case.truth is not None else case.reference
    if case.condition not in (*AGAIN, WRONG_START) or not np.isfinite(truth[0]):
        return []
    if case.condition == WRONG_START:
        told = [(case.start_soc, case.start_sigma)]
    else:
        told = [(float(truth[0]) + offset, SIGMA) for offset in OFFSETS if 0.0 <= truth[0] + offset <= 1.0]
    found = []
    for soc, sigma in told:
        said = believe(case, readings, method, (soc, sigma), make, n_ticks=round(HORIZON_S * 1e9 / case.dt_ns))
        at = truth[said.at] > LEAST_SOC
        if not at.any():
            continue
        t_s = (said.at[at] + 1) * case.dt_ns / 1e9
        settled = settled_s(t_s, said.soc[at] - truth[said.at[at]][:, None])
        found.append(Convergence(case, method, round(soc - float(truth[0]), 1), settled))
    return found


def settled_s(t_s: F64, error: F64) -> F64:
    """(pack,) time of the first row from which on the error (row, pack) stays within WITHIN; NaN when it never does."""
    outside = np.abs(error) > WITHIN
    after = np.where(outside.any(axis=0), len(t_s) - np.argmax(outside[::-1], axis=0), 0)
    return np.asarray(np.append(t_s, np.nan)[after], np.float64)


def as_json(starts: Sequence[Convergence]) -> list[dict[str, Any]]:
    """Pooled over runs and sensor errors: how many starts settle, half of them by when, 95 % of them by when."""
    keys = [(data_name(s.case), s.case.condition, s.method, s.offset) for s in starts]
    rows = []
    for key in dict.fromkeys(keys):
        settled = np.concatenate([s.settled_s for s, k in zip(starts, keys, strict=True) if k == key])
        late = np.where(np.isfinite(settled), settled, np.inf)
        data, condition, method, offset = key
        rows.append(
            {
                "data": data,
                "condition": condition,
                "method": method,
                "offset": offset,
                "starts": len(settled),
                "settled": rounded(float(np.isfinite(settled).mean())),
                "median_s": rounded(float(np.quantile(late, 0.5, method="inverted_cdf"))),
                "p95_s": rounded(float(np.quantile(late, 0.95, method="inverted_cdf"))),
            }
        )
    return rows
