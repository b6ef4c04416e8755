"""Buckets for pictures: nothing that matters is lost, and there are never too many points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.report import thin

CURVES = st.lists(
    st.one_of(st.floats(-1e6, 1e6, allow_nan=False), st.sampled_from([0.0, 1.0, float("nan")])), min_size=1, max_size=400
)


def times(n: int, dt_s: float = 0.01) -> np.ndarray:
    """N times on a grid."""
    return np.arange(n) * dt_s


@given(CURVES, st.integers(8, 100), st.lists(st.floats(0.0, 4.0), max_size=3))
def test_every_bucket_keeps_its_extremes(curve: list[float], most: int, events: list[float]) -> None:
    """The kept points rise in time, hold both ends, no more than asked, and the extremes of every bucket."""
    y, t_s = np.array(curve), times(len(curve))
    starts = thin.buckets(t_s, events, most)
    kept = thin.keep(y, starts)
    assert list(kept) == sorted(set(kept.tolist()))
    assert {0, len(y) - 1} <= set(kept.tolist())
    assert len(kept) <= max(most, 1)
    for first, last in zip(starts, [*starts[1:], len(y)], strict=True):
        bucket, drawn = y[first:last], y[kept[(kept >= first) & (kept < last)]]
        assert np.isnan(bucket).all() == np.isnan(drawn).all()
        if not np.isnan(bucket).all():
            assert (np.nanmin(bucket), np.nanmax(bucket)) == (np.nanmin(drawn), np.nanmax(drawn))


@pytest.mark.parametrize("n", [1, 2, 3999, 4000])
def test_what_fits_is_kept_whole(n: int) -> None:
    """A curve of no more than 4,000 points is drawn as it is."""
    t_s = times(n)
    assert list(range(n)) == thin.keep(np.sin(t_s), thin.buckets(t_s)).tolist()


@pytest.mark.parametrize("n", [4001, 6000, 720_000])
def test_the_room_is_used(n: int) -> None:
    """A longer curve takes most of the room it may take, and never more."""
    y, t_s = np.random.default_rng(1).standard_normal(n), times(n)
    kept = thin.keep(y, thin.buckets(t_s, [20.0]))
    assert 3600 < len(kept) <= 4000


def test_near_an_event_every_sample_is_drawn() -> None:
    """Of two hours at 10 ms, each of the samples within 0.2 s of the events stands in the picture."""
    events, t_s = [1000.0, 3000.0, 5000.0], times(720_000)
    y = np.random.default_rng(2).standard_normal(len(t_s))
    kept = set(thin.keep(y, thin.buckets(t_s, events)).tolist())
    for event_s in events:
        near = np.flatnonzero(np.abs(t_s - event_s) < 0.2)
        assert set(near.tolist()) <= kept


def test_a_single_spike_far_from_events_survives() -> None:
    """One wrong sample in two hours is drawn at its own time."""
    t_s = times(720_000)
    y = np.zeros(len(t_s))
    y[123_457] = 1.0
    assert 123_457 in thin.keep(y, thin.buckets(t_s, [6000.0]))


def test_a_long_gap_stays_a_gap() -> None:
    """Where nothing is known for longer than a bucket, a NaN is drawn, so that no line goes over it."""
    t_s = times(100_000)
    y = np.ones(len(t_s))
    y[40_000:60_000] = np.nan
    kept = thin.keep(y, thin.buckets(t_s))
    assert np.isnan(y[kept][(kept >= 40_000) & (kept < 60_000)]).all()
    assert not np.isnan(y[kept][(kept < 39_900) | (kept > 60_100)]).any()
