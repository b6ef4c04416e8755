"""Two firmwares on one scenario: where what they sent differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hil import runner
from hil.report.record import RunRecord
from hil.wirelog import WireLog

DECISIONS = ("BMS_MainPlusCommand", "BMS_MainMinusCommand", "BMS_PrechargeCommand", "BMS_State", "BMS_FaultCode")


@dataclass(frozen=True)
class Difference:
    """Of one signal: frames that differ, the longest stretch of them [frame], when it begins [s], the largest distance."""

    signal: str
    frames: int
    longest: int
    at_s: float
    most: float


def decided(record: RunRecord) -> list[str]:
    """Signals by which a BMS decides and says why: commands, state, code, and every flag."""
    names = record.setup.network.from_dut.signal_names
    return [*DECISIONS, *(name for name in names if name.startswith("Diag_"))]


def differences(one: RunRecord, other: RunRecord, names: list[str]) -> list[Difference]:
    """Frame by frame; frames that only one of them sent count as different throughout."""
    found = []
    logs = [WireLog(record.trace.journal, record.setup.network) for record in (one, other)]
    for name in names:
        a, b = (log.said(name) for log in logs)
        if len(a.t_ns) != len(b.t_ns):
            found.append(Difference(name, abs(len(a.t_ns) - len(b.t_ns)), len(a.t_ns), 0.0, np.inf))
            continue
        apart = (a.valid != b.valid) | (a.valid & b.valid & (a.value != b.value))
        if apart.any():
            k = np.flatnonzero(apart)
            runs = np.split(k, np.flatnonzero(np.diff(k) > 1) + 1)
            longest = max(runs, key=len)
            both = a.valid & b.valid
            most = float(np.abs(a.value - b.value)[both].max(initial=0.0))
            found.append(Difference(name, len(k), len(longest), float(a.t_ns[longest[0]]) / 1e9, most))
    return found


def run_both(scenario: Path, dut: str) -> tuple[RunRecord, RunRecord]:
    """The emulator's run and that of another device."""
    return runner.run(scenario, runner.Options()), runner.run(scenario, runner.Options(dut=dut))
