"""Several limit rows together: whose code stands, which tier, and that rows do not disturb each other."""

from __future__ import annotations

import numpy as np

from firmware_sim import diag, soa
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.types import MS_NS

DT_NS = 10 * MS_NS


class Table:
    """Rows over quantities of their own: (debounce ms, delay ms, reaction, tier); code n + 1."""

    def __init__(self, *rows: tuple[int, int, int, int]) -> None:
        n = len(rows)
        self.limits = np.zeros((n, cfg.N_LIMIT_COLUMNS), np.int64)
        for at, (debounce_ms, delay_ms, reaction, tier) in enumerate(rows):
            self.limits[at, [cfg.QUANTITY, cfg.SIDE, cfg.TIER, cfg.REACTION, cfg.CODE, cfg.FLAG]] = (
                at,
                1,
                tier,
                reaction,
                at + 1,
                -1,
            )
            self.limits[at, [cfg.DEBOUNCE_NS, cfg.DELAY_NS]] = debounce_ms * MS_NS, delay_ms * MS_NS
        self.thresholds, self.reals = np.full((n, 2), 0.5), np.zeros(cfg.N_REAL_SETTINGS)
        self.real, self.whole = np.zeros((st.N_REAL, 1)), np.zeros((st.N_WHOLE, 1), np.int64)
        self.limit = np.zeros((st.N_LIMIT, 1, n), np.int64)
        self.limit[[st.TIMER_NS, st.ACTIVE_NS]] = -1
        self.q, self.known = np.zeros((len(soa.QUANTITIES), 1)), np.ones((len(soa.QUANTITIES), 1), np.uint8)

    def tick(self, bad: set[int], n: int = 1) -> None:
        """N ticks with these rows bad."""
        for at in range(len(self.limits)):
            self.q[at] = 1.0 if at in bad else 0.0
        for _ in range(n):
            diag.step(self.real, self.whole, self.limit, self.q, self.known, self.limits, self.thresholds, self.reals, 0, DT_NS)

    def is_(self, row: int) -> int:
        """A row of the state."""
        return int(self.whole[row, 0])


def test_the_code_is_that_of_the_first_row_to_trip() -> None:
    """The code stays when later rows trip, also when those stand earlier in the table."""
    table = Table((0, 0, cfg.OPEN, cfg.MSL), (0, 0, cfg.OPEN, cfg.MSL), (0, 0, cfg.OPEN, cfg.MSL))
    table.tick({1})
    assert 2 == table.is_(st.FAULT_CODE)
    table.tick({0, 1, 2}, 5)
    assert 2 == table.is_(st.FAULT_CODE)


def test_rows_that_trip_together_report_the_first_of_the_table() -> None:
    """In one tick the place in the table decides."""
    table = Table((0, 0, cfg.OPEN, cfg.MSL), (0, 0, cfg.OPEN, cfg.MSL))
    table.tick({0, 1})
    assert 1 == table.is_(st.FAULT_CODE)


def test_the_code_passes_on_when_its_row_clears() -> None:
    """With the first cause gone the code of the one that is left stands; with none left it is 0."""
    table = Table((0, 0, cfg.OPEN, cfg.MSL), (0, 0, cfg.OPEN, cfg.MSL))
    table.tick({0}, 3)
    table.tick({0, 1}, 3)
    table.tick({1}, 3)
    assert 2 == table.is_(st.FAULT_CODE)
    table.tick(set(), 3)
    assert 0 == table.is_(st.FAULT_CODE)
    assert 0 == table.is_(st.OPEN_NOW)


def test_a_row_that_does_not_open_has_no_code() -> None:
    """Warnings raise flags, tier and prohibitions, but the code is for what holds the contactors open."""
    table = Table((0, 0, cfg.STOP_CHARGE, cfg.RSL))
    table.tick({0}, 2)
    assert (0, cfg.RSL, 1, 0) == tuple(map(table.is_, (st.FAULT_CODE, st.WORST_TIER, st.NO_CHARGE, st.NO_DISCHARGE)))


def test_the_worst_tier_stands() -> None:
    """Of all active rows."""
    table = Table((0, 0, cfg.NOTHING, cfg.MOL), (0, 0, cfg.NOTHING, cfg.MSL), (0, 0, cfg.NOTHING, cfg.RSL))
    for bad, tier in (({0}, cfg.MOL), ({0, 2}, cfg.RSL), ({0, 1, 2}, cfg.MSL), (set(), 0)):
        table.tick(bad, 2)
        assert tier == table.is_(st.WORST_TIER)


def test_prohibitions_of_rows_add_up() -> None:
    """One row forbids charge, another discharge; a third forbids both."""
    table = Table((0, 0, cfg.STOP_CHARGE, cfg.RSL), (0, 0, cfg.STOP_DISCHARGE, cfg.RSL), (0, 0, cfg.STOP_BOTH, cfg.RSL))
    for bad, asks in (({0}, (1, 0)), ({1}, (0, 1)), ({0, 1}, (1, 1)), ({2}, (1, 1)), (set(), (0, 0))):
        table.tick(bad, 2)
        assert asks == (table.is_(st.NO_CHARGE), table.is_(st.NO_DISCHARGE))


def test_pending_counts_rows_whose_delay_runs() -> None:
    """A row that has tripped and waits is pending although another has reacted already."""
    table = Table((0, 0, cfg.OPEN, cfg.MSL), (0, 50, cfg.OPEN, cfg.MSL))
    table.tick({0, 1}, 5)
    assert 1 == table.is_(st.PENDING)
    table.tick({0, 1})
    assert 0 == table.is_(st.PENDING)


def test_not_a_number_never_trips() -> None:
    """A quantity that could not be computed is not beyond anything."""
    table = Table((0, 0, cfg.OPEN, cfg.MSL))
    table.q[0] = np.nan
    for _ in range(10):
        diag.step(
            table.real, table.whole, table.limit, table.q, table.known, table.limits, table.thresholds, table.reals, 0, DT_NS
        )
    assert 0 == table.is_(st.OPEN_NOW)
