"""The small BMS, compiled once for all tests of a worker."""

from __future__ import annotations

from pathlib import Path

import compiled
import pytest


@pytest.fixture(scope="session")
def bms_so(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small BMS of the examples, built so that undefined behaviour ends it."""
    return compiled.bms(tmp_path_factory.mktemp("bms"))
