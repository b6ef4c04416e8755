"""The contract of devices in lockstep, over the emulator and a firmware in C."""

from __future__ import annotations

from pathlib import Path

import pytest
from dut_contract import DutContract, Make

from hil import devices


class TestEmulator(DutContract):
    @pytest.fixture
    def make(self) -> Make:
        """The built-in firmware."""
        return lambda built: devices.create("emulator", built)


class TestNative(DutContract):
    @pytest.fixture
    def make(self, bms_so: Path) -> Make:
        """The small BMS of the examples."""
        return lambda built: devices.create(f"native:{bms_so}", built)
