"""Every limit row of every shipped calibration, driven alone."""

from __future__ import annotations

import pytest
from contracts import LimitContract
from limit_rows import Row, all_rows, cases


class TestLimits(LimitContract):
    @pytest.fixture(params=cases(all_rows()))
    def row(self, request: pytest.FixtureRequest) -> Row:
        """One row."""
        row = request.param
        assert isinstance(row, Row)
        return row
