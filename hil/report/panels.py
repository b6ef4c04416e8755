"""What the report draws, as plain arrays: panels of lines, bands, limits and lanes over one time axis.

Everything is taken from the trace and cut down to what a picture needs; how it looks on the screen is said in plots.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from firmware_sim.types import F64, I64
from hil.observe import View
from hil.report import thin
from hil.wirelog import Bools, Series

# Colour-blind safe (Okabe and Ito), darkened where thin lines need it.
INK, GREY, PALE = "#1f2933", "#7b8794", "#b8c1cc"
BLUE, SKY, GREEN, AMBER, RED, PURPLE = "#0072b2", "#56b4e9", "#00805f", "#c77700", "#c8401b", "#a0528a"
MOST_SINGLE = 32
_LONG_GAP = 5.0


@dataclass(frozen=True)
class Line:
    """A curve. label: in the tooltip.  group: in the legend; lines of a group look alike.  NaN in y is a gap."""

    label: str
    group: str
    t_s: F64
    y: F64
    colour: str
    width: float = 1.4
    dash: str = "solid"
    alpha: float = 1.0


@dataclass(frozen=True)
class Band:
    """An area between two curves."""

    group: str
    t_s: F64
    low: F64
    high: F64
    colour: str
    alpha: float = 0.2


@dataclass(frozen=True)
class Limit:
    """A horizontal line with a name."""

    value: float
    unit: str
    label: str
    colour: str
    dash: str


@dataclass(frozen=True)
class Bar:
    """A stretch of time in a lane. tall: share of the lane's height; at: its middle, from -0.5 to 0.5."""

    start_s: float
    stop_s: float
    text: str
    colour: str
    at: float = 0.0
    tall: float = 0.62
    written: bool = False


@dataclass(frozen=True)
class Lane:
    """A named row of bars."""

    label: str
    bars: list[Bar]


@dataclass(frozen=True)
class Panel:
    """One plot. key: how evidence and links call it.  least: smallest span of the y axis.  keys: legend of the bars."""

    key: str
    title: str
    unit: str
    note: str = ""
    lines: list[Line] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    least: float = 0.1
    digits: int = 3
    height: int = 200


@dataclass(frozen=True)
class Scene:
    """What is drawn from: a view of the trace, and the times that deserve a close look [s]."""

    view: View
    events_s: tuple[float, ...]

    @property
    def end_s(self) -> float:
        """End of the run."""
        return self.view.trace.n_ticks * self.view.trace.dt_ns * 1e-9

    def line(self, label: str, group: str, t_s: F64, y: F64, colour: str, width: float = 1.4, dash: str = "solid",
             alpha: float = 1.0) -> Line:  # fmt: skip
        """A line, thinned."""
        kept = thin.keep(y, thin.buckets(t_s, self.events_s))
        return Line(label, group, t_s[kept], y[kept], colour, width, dash, alpha)

    def band(self, group: str, t_s: F64, low: F64, high: F64, colour: str, alpha: float = 0.2) -> Band:
        """A band, thinned; where one side is unknown there is none."""
        known = np.isfinite(low) & np.isfinite(high)
        t_s, low, high = t_s[known], low[known], high[known]
        if not len(t_s):
            return Band(group, t_s, low, high, colour, alpha)
        starts = thin.buckets(t_s, self.events_s, thin.MOST_POINTS // 2)
        kept = np.union1d(thin.keep(low, starts), thin.keep(high, starts))
        return Band(group, t_s[kept], low[kept], high[kept], colour, alpha)

    def truth(self, column: str, group: str, colour: str, width: float = 1.4, dash: str = "solid", scale: float = 1.0) -> Line:
        """A line of a column of the truth."""
        return self.line(group, group, self.view.trace.t_s, scale * self.view.trace.column(column), colour, width, dash)

    def wire(
        self, signal: str, group: str, colour: str, width: float = 1.4, dash: str = "solid", alpha: float = 1.0
    ) -> list[Line]:
        """A line of a signal as it arrived, held from frame to frame; none when there is no such signal or frame."""
        t_s, y = held(self.series(signal))
        if not len(t_s):
            return []
        kept = thin.keep(y, thin.buckets(t_s, self.events_s, thin.MOST_POINTS // 2))
        t_s, y = np.repeat(t_s[kept], 2)[1:], np.repeat(y[kept], 2)[:-1]
        return [Line(f"{group}: {signal}", group, t_s, y, colour, width, dash, alpha)]

    def series(self, signal: str) -> Series:
        """A signal as it arrived; empty when the network does not have it."""
        try:
            return self.view.log.series(signal)
        except KeyError:
            return Series(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, bool), 0)


def seconds(t_ns: I64) -> F64:
    """Nanoseconds as seconds."""
    return np.asarray(t_ns * 1e-9, np.float64)


def held(series: Series) -> tuple[F64, F64]:
    """Times [s] and values of a series; NaN where a frame held no value or frames stayed away."""
    t_s, y = seconds(series.t_ns), np.where(series.valid, series.value, np.nan)
    return with_gaps(t_s, y)


def with_gaps(t_s: F64, y: F64) -> tuple[F64, F64]:
    """A curve with a NaN in every pause of more than five usual steps, so that no line goes over it."""
    if len(t_s) < 3:
        return t_s, y
    steps = np.diff(t_s)
    gaps = np.flatnonzero(steps > _LONG_GAP * float(np.median(steps)))
    middle = t_s[gaps] + 0.5 * steps[gaps]
    return np.asarray(np.insert(t_s, gaps + 1, middle)), np.asarray(np.insert(y, gaps + 1, np.nan))


def intervals(t_s: F64, on: Bools | F64, end_s: float, most: int = 1000) -> list[tuple[float, float, int]]:
    """Stretches (start, stop, how many) in which `on` holds; each sample holds until the next, the last until end_s.

    At most about `most` stretches come back: the shortest pauses are drawn over.
    """
    state = np.asarray(on).astype(bool)
    if not state.any():
        return []
    edge = np.diff(np.concatenate([[0], state.astype(np.int8), [0]]))
    begin = t_s[np.flatnonzero(edge == 1)]
    stop = np.append(t_s, end_s)[np.flatnonzero(edge == -1)]
    pause = begin[1:] - stop[:-1]
    apart = np.ones(len(pause), bool)
    if len(begin) > most:
        apart = pause > np.partition(pause, len(pause) - most)[len(pause) - most]
    first = np.flatnonzero(np.concatenate([[True], apart]))
    last = np.append(first[1:] - 1, len(begin) - 1)
    return [(float(begin[a]), float(stop[b]), int(b - a + 1)) for a, b in zip(first, last, strict=True)]
