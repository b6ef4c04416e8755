"""Fewer points for a picture: buckets that keep their smallest and largest sample, narrow near events, wide elsewhere.

Half of the buckets lie evenly over the run; the other half crowds around the events (faults, evidence), where a sample's
weight falls with its distance in time up to EVENT_S. A bucket of one or two samples loses nothing, so near an event every
sample is there, and no extreme is lost anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_sim.types import F64, I64
from hil.wirelog import Bools

MOST_POINTS = 4000
EVENT_S = 30.0
_NEAR_S = 0.5
_ROUNDS = 8


def buckets(t_s: F64, events_s: Sequence[float] = (), most: int = MOST_POINTS) -> I64:
    """First sample of each bucket, rising from 0; so many that two samples of each make at most `most` points.

    t_s: (n,) rising.  events_s: times to look at closely.  most: at least 8.
    """
    n = len(t_s)
    if n <= most:
        return np.arange(n, dtype=np.int64)
    room = (most - 4) // 2
    quota = _spread(_weights(t_s, events_s), room)
    number = np.floor(np.cumsum(quota) - quota[0]).astype(np.int64)
    return np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1]).astype(np.int64)


def _weights(t_s: F64, events_s: Sequence[float]) -> F64:
    """(n,) share of each sample: one half evenly, one half around the events."""
    even: F64 = np.full(len(t_s), 1.0 / len(t_s))
    near: F64 = np.zeros(len(t_s))
    for event_s in events_s:
        first, last = np.searchsorted(t_s, (event_s - EVENT_S, event_s + EVENT_S))
        near[first:last] += 1.0 / (1.0 + np.abs(t_s[first:last] - event_s) / _NEAR_S)
    total = near.sum()
    return even if total == 0.0 else np.asarray(even + near / total)


def _spread(weight: F64, room: int) -> F64:
    """(n,) buckets per sample that sum to at most room. None needs more than a half; what is left over goes to the rest."""
    quota: F64 = np.asarray(np.minimum(weight * (room / weight.sum()), 0.5))
    for _ in range(_ROUNDS):
        open_ = quota < 0.5
        rest = quota[open_].sum()
        left = room - 0.5 * (len(quota) - open_.sum())
        if rest == 0.0 or left <= rest * 1.001:
            break
        quota[open_] = np.minimum(quota[open_] * (left / rest), 0.5)
    return quota


def keep(y: F64, starts: I64) -> I64:
    """Indices to draw, rising: the smallest and the largest sample of each bucket, and both ends.

    y: (n,); NaN is a gap and stands where a bucket holds nothing else.  starts: of `buckets`.
    """
    n = len(y)
    if len(starts) == n:
        return np.arange(n, dtype=np.int64)
    counts = np.diff(np.append(starts, n))
    gap = np.isnan(y)
    low, high = np.where(gap, np.inf, y), np.where(gap, -np.inf, y)
    least = _first(low == np.repeat(np.minimum.reduceat(low, starts), counts), starts)
    most = _first(high == np.repeat(np.maximum.reduceat(high, starts), counts), starts)
    return np.unique(np.concatenate([[0, n - 1], least, most])).astype(np.int64)


def _first(hit: Bools, starts: I64) -> I64:
    """Index of the first hit at or after each start; every bucket has one."""
    at = np.flatnonzero(hit)
    return at[np.searchsorted(at, starts)]
