"""Lanes and curves before they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.report import plots
from hil.report.panels import Band, Limit, Line, Panel, intervals, with_gaps


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_intervals_cover_exactly_the_time_that_is_on(on: list[bool]) -> None:
    """Each sample holds until the next one, the last to the end; stretches that touch are one."""
    found = intervals(np.arange(len(on), dtype=float), np.array(on), len(on) + 0.5)
    covered = [any(a <= k + 0.25 < b for a, b, _ in found) for k in range(len(on))]
    assert on == covered
    assert all(b < c for (_, b, _), (c, _, _) in zip(found, found[1:], strict=False))
    if on[-1]:
        assert len(on) + 0.5 == found[-1][1]


def test_too_many_intervals_are_drawn_over_at_their_shortest_pauses() -> None:
    """Of 1,000 short stretches at most 100 are left; the two long pauses stay, and none is forgotten."""
    t_s = np.arange(4000, dtype=float)
    on = t_s % 2 == 0
    on[1000:1100], on[3000:3200] = False, False
    found = intervals(t_s, on, 4000.0, most=100)
    assert len(found) <= 100
    assert int(on.sum()) == sum(n for _, _, n in found)
    for first, last in ((1000.0, 1100.0), (3000.0, 3200.0)):
        assert not any(a < last and b > first for a, b, _ in found)


def test_a_pause_breaks_a_curve() -> None:
    """A NaN stands in the middle of a pause of more than five usual steps, and only there."""
    t_s, y = with_gaps(np.array([0.0, 1.0, 2.0, 3.0, 10.0, 11.0]), np.ones(6))
    assert [0.0, 1.0, 2.0, 3.0, 6.5, 10.0, 11.0] == t_s.tolist()
    assert [4] == np.flatnonzero(np.isnan(y)).tolist()


def panel(low: float, high: float, *limits: float) -> Panel:
    """A panel with one line from low to high, and limits."""
    t_s = np.array([0.0, 1.0])
    lines = [Line("a", "a", t_s, np.array([low, high]), "#000000")]
    marks = [Limit(x, "V", f"{x:g}", "#000000", "solid") for x in limits]
    return Panel("p", "P", "V", lines=lines, limits=marks, least=0.1)


@pytest.mark.parametrize(("limit", "shown"), [(4.2, True), (4.4, True), (4.9, False), (2.8, True), (1.5, False)])
def test_limits_that_lie_near_are_in_the_picture(limit: float, shown: bool) -> None:
    """A limit within 35 % of the drawn span widens the axis; a far one does not squeeze the curves."""
    low, high = plots.span(panel(3.0, 4.1, limit))
    assert shown == (low < limit < high)
    assert low < 3.0 < 4.1 < high


@pytest.mark.parametrize(
    "limits", [(4.05,), (4.05, 4.12, 4.2, 4.25, 4.35), (4.35, 4.2, 4.12, 4.05), (2.9, 2.91, 4.2, 4.21, 4.22),
               tuple(np.linspace(3, 4.1, 40))],
)  # fmt: skip
def test_names_of_limits_never_lie_on_each_other(limits: tuple[float, ...]) -> None:
    """Each has its place inside the axis, a line of text (13 px) from the next, in the order of the lines."""
    roomy = plots.roomy(panel(1.5, 4.1, *limits))
    low, high = plots.span(roomy)
    per_px = (high - low) / (roomy.height - 52)
    places = plots.name_places(roomy)
    assert len(limits) == len(places)
    assert sorted(places) == places
    assert min(np.diff(places), default=np.inf) >= 12.999 * per_px
    assert low <= places[0] <= places[-1] <= high


def test_a_name_with_room_stands_at_its_line() -> None:
    """Only those that would overlap move, to both sides of their middle."""
    first, second, third = plots.name_places(panel(1.0, 4.0, 1.5, 3.0, 3.02))
    assert 1.5 == first
    assert pytest.approx(3.01) == (second + third) / 2


def test_a_long_name_of_a_limit_keeps_its_number() -> None:
    """The names are cut, not the value."""
    crowded = panel(3.0, 4.1)
    crowded.limits.append(Limit(4.05, "V", f"{'MSL chg, ' * 6}cell max 4.05", "#000000", "solid"))
    text, _ = plots.document([crowded], [], 1.0)
    assert "MSL chg, MSL chg, MSL chg,\\u2026 4.05 V" in text


def test_a_flat_curve_has_an_axis() -> None:
    """The axis is never narrower than the panel asks, and bands and gaps count."""
    low, high = plots.span(panel(3.0, 3.0))
    assert high - low >= 0.1
    t_s = np.array([0.0, 1.0])
    banded = Panel("p", "P", "V", bands=[Band("b", t_s, np.array([1.0, np.nan]), np.array([2.0, 5.0]), "#000000")], least=0.1)
    low, high = plots.span(banded)
    assert low < 1.0 < 5.0 < high


@pytest.mark.parametrize("text", ["$$x$$", r"\[x\]", r"\(x\)", "a $$ b"])
def test_formulas_are_defused(text: str) -> None:
    """A name reads the same, but its delimiters are torn apart by a blank without width."""
    safe = plots.plain(text)
    assert text == safe.replace("\u200b", "")
    assert not any(mark in safe for mark in ("$$", r"\[", r"\("))
