"""Contracts: what holds for every row of a table, every file of a kind. A new row or file brings its tests along.

A test class inherits from a contract and says over which rows or files it runs.
"""

from __future__ import annotations

import pytest
from limit_rows import REACTIONS, TIERS, OneRow, Row, settings_of

from firmware_sim import bms
from firmware_sim import state as st


class LimitContract:
    """Of one limit row, driven alone: edges, debounce, hysteresis, latch, delay. Needs a fixture `row`."""

    @pytest.mark.parametrize("n", [0, 1, 2])
    def test_up_to_the_threshold_it_never_trips(self, row: Row, n: int) -> None:
        """A value at the threshold, or one or two steps on the good side, may stay there for ever."""
        alone = OneRow(row)
        value = row.beside(row.threshold, -n)
        assert not alone.tick(value, 3 * alone.ticks(row.debounce_ms) + 10)

    @pytest.mark.parametrize("n", [1, 2])
    def test_beyond_the_threshold_it_trips_after_the_debounce(self, row: Row, n: int) -> None:
        """One or two steps beyond it trips in the tick in which the debounce has passed, not in the one before."""
        alone = OneRow(row)
        value = row.beside(row.threshold, n)
        for _ in range(alone.ticks(row.debounce_ms)):
            assert not alone.tick(value)
        assert alone.tick(value)

    @pytest.mark.parametrize("dt_ms", [1, 7, 50])
    def test_debounce_is_elapsed_time(self, row: Row, dt_ms: int) -> None:
        """At any control cycle the row trips in the first tick that lies at least the debounce after the first bad sample."""
        alone = OneRow(row, dt_ms)
        n = 0
        while not alone.tick(row.bad):
            n += 1
        assert (n - 1) * dt_ms < row.debounce_ms <= n * dt_ms or n == row.debounce_ms == 0

    def test_one_good_sample_starts_over(self, row: Row) -> None:
        """A good sample in the last tick of the debounce costs all of it again."""
        alone = OneRow(row)
        waits = alone.ticks(row.debounce_ms)
        if waits > 0:
            assert not alone.tick(row.bad, waits)
            assert not alone.tick(row.threshold)
            assert not alone.tick(row.bad, waits)
        assert alone.tick(row.bad)

    @pytest.mark.parametrize(("bad", "good"), [(1, 1), (2, 1)])
    def test_intermittent_values_never_trip(self, row: Row, bad: int, good: int) -> None:
        """Alternating and 2:1 bad and good samples never trip a row whose debounce is longer than the bad stretch."""
        alone = OneRow(row)
        tripped = False
        for _ in range(3 * alone.ticks(row.debounce_ms) + 10):
            tripped |= alone.tick(row.bad, bad) or alone.tick(row.good, good)
        assert (alone.ticks(row.debounce_ms) < bad) == tripped

    def test_inside_the_hysteresis_it_stays(self, row: Row) -> None:
        """One step short of the clear threshold an active row stays active for ever, even when a reset is asked for."""
        alone = OneRow(row).trip()
        value = row.beside(row.clear, 1)
        assert alone.tick(value, 3 * alone.ticks(row.clear_ms) + 10)
        assert alone.tick(value, reset=True)

    def test_it_clears_at_the_clear_threshold_after_the_clear_time(self, row: Row) -> None:
        """At the clear threshold it clears in the tick in which the clear time has passed; a latched row waits for a reset."""
        alone = OneRow(row).trip()
        waits = alone.ticks(row.clear_ms)
        if waits > 0:
            assert alone.tick(row.clear, waits)
        if row.latch != "no":
            assert alone.tick(row.clear, waits + 10)
        assert not alone.tick(row.clear, reset=row.latch != "no")

    def test_a_relapse_starts_the_clear_time_anew(self, row: Row) -> None:
        """One bad sample while it is clearing costs the whole clear time again."""
        alone = OneRow(row).trip()
        waits = alone.ticks(row.clear_ms)
        latched = row.latch != "no"
        if waits > 0:
            assert alone.tick(row.good, waits)
            assert alone.tick(row.bad)
            assert alone.tick(row.good, waits, reset=latched)
        assert not alone.tick(row.good, reset=latched)

    def test_it_trips_again(self, row: Row) -> None:
        """After it has cleared it trips again, with its whole debounce."""
        alone = OneRow(row).trip()
        alone.tick(row.good, alone.ticks(row.clear_ms) + 1)
        assert not alone.tick(row.good, reset=True)
        alone.trip()

    def test_a_latch_holds_until_reset_with_the_cause_gone(self, row: Row) -> None:
        """Neither time alone nor a reset with the cause present clears a latched row; a row without latch needs no reset."""
        alone = OneRow(row).trip()
        assert alone.tick(row.bad, 5, reset=True)
        for_ever = alone.tick(row.good, 3 * alone.ticks(row.clear_ms) + 10)
        assert (row.latch != "no") == for_ever
        assert not alone.tick(row.good, reset=True)

    def test_a_reset_before_the_clear_time_does_nothing(self, row: Row) -> None:
        """A button pressed too early is forgotten: the row stays latched afterwards."""
        alone = OneRow(row).trip()
        early = alone.ticks(row.clear_ms)
        if row.latch != "no" and early > 0:
            assert alone.tick(row.good, early, reset=True)
            assert alone.tick(row.good, 3 * early)

    def test_stale_data_freezes_the_debounce(self, row: Row) -> None:
        """Without a known value the timer stands still; it goes on where it stood."""
        alone = OneRow(row)
        waits = alone.ticks(row.debounce_ms)
        half = waits // 2
        assert not alone.tick(None, 5 * waits + 10)
        if waits > 0:
            assert not alone.tick(row.bad, half)
            assert not alone.tick(None, 5 * waits + 10)
            assert not alone.tick(row.bad, waits - half)
        assert alone.tick(row.bad)

    def test_stale_data_freezes_the_clear_time(self, row: Row) -> None:
        """A tripped row without a known value stays active, reacts, and goes on clearing where it stood."""
        alone = OneRow(row).trip()
        waits, latched = alone.ticks(row.clear_ms), row.latch != "no"
        half = waits // 2
        assert alone.tick(row.good, half) or half == 0
        assert alone.tick(None, 5 * waits + alone.ticks(row.delay_ms) + 10, reset=True)
        assert REACTIONS[row.table["reaction"]] == alone.asks()
        if waits > 0:
            assert alone.tick(row.good, waits - half)
        assert not alone.tick(row.good, reset=latched)

    def test_the_reaction_follows_after_the_delay(self, row: Row) -> None:
        """It asks for its reaction in the tick in which the delay has passed since the trip; until then it is pending."""
        alone = OneRow(row).trip()
        for _ in range(alone.ticks(row.delay_ms)):
            assert (0, 0, 0) == alone.asks()
            assert alone.whole[st.PENDING, 0] == 1
            alone.tick(row.bad)
        assert REACTIONS[row.table["reaction"]] == alone.asks()
        assert alone.whole[st.PENDING, 0] == 0
        assert TIERS[row.table["tier"]] == alone.whole[st.WORST_TIER, 0]

    def test_out_of_its_condition_it_never_trips(self, row: Row) -> None:
        """A row with a condition of use rests while that does not hold, and starts over when it holds again."""
        alone = OneRow(row)
        if row.when == "always":
            return
        waits = alone.ticks(row.debounce_ms)
        alone.tick(row.bad, waits)
        alone.apply(False)
        assert not alone.tick(row.bad, 3 * waits)
        alone.apply(True)
        alone.trip()

    def test_a_latch_survives_power_loss_where_the_row_says_so(self, row: Row) -> None:
        """Switched off and on again, a row that survives is active at once; any other has forgotten."""
        bound = settings_of(row)
        before = bms.power_on(bound, 1)
        alone = OneRow(row).trip()
        before.limit[:, 0, row.at] = alone.limit[:, 0, 0]
        after = bms.power_on(bound, 1, before=before)
        assert (row.latch == "survives_power_loss") == bool(after.limit[st.ACTIVE, 0, row.at])
        assert after.limit[st.ACTIVE].sum() == after.limit[st.ACTIVE, 0, row.at]
        alone.limit[:, 0, 0] = after.limit[:, 0, row.at]
        if row.latch == "survives_power_loss":
            assert alone.tick(row.good, 3 * alone.ticks(row.clear_ms) + 10)
            assert not alone.tick(row.good, reset=True)
            alone.whole[:] = 0
            before.limit[:, 0, row.at] = alone.limit[:, 0, 0]
            assert bms.power_on(bound, 1, before=before).limit[st.ACTIVE].sum() == 0
