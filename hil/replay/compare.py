"""Where a device behaves unlike the recorded one: contactor commands, state and codes over time.

Both sides hold their last valid value. They differ where the values are unequal for longer than the tolerance: by default the
cycle of the frame and two ticks, which is what sampling alone can do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import CYCLE_NS, SLOT
from hil.network import Network
from hil.verdict import Evidence, Finding, Verdict
from hil.wirelog import Series, WireLog, meanings

_STATES = ("BMS_State", "BMS_FaultCode")
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """A stretch in which a signal was recorded with one value and replayed with another."""

    signal: str
    from_ns: int
    to_ns: int
    recorded: str
    replayed: str

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.from_ns / 1e9:.3f} to {self.to_ns / 1e9:.3f} s recorded {self.recorded}, replayed {self.replayed}"


def compared(network: Network) -> list[str]:
    """Signals of the device that are compared."""
    names = network.from_dut.signal_names
    return [n for n in names if n.endswith("Command") or n in _STATES or n.startswith("Diag_")]


def differences(
    network: Network, recorded: WireLog, replayed: WireLog, tolerance_ns: int | None, from_ns: int, dt_ns: int
) -> list[Difference]:
    """All of them, by signal and time. from_ns: what lies before it does not count, because a device needs to settle."""
    layout, found = network.from_dut, []
    for name in compared(network):
        a, b = recorded.said(name), replayed.said(name)
        if not a.valid.any() or not b.valid.any():
            continue
        cycle_ns = int(layout.slots[layout.signals[layout.index(name), SLOT], CYCLE_NS])
        allowed_ns = cycle_ns + 2 * dt_ns if tolerance_ns is None else tolerance_ns
        names = meanings(network, name)
        for start, end, x, y in _unequal(a, b, from_ns):
            if end - start > allowed_ns:
                found.append(Difference(name, start, end, _said(names, x), _said(names, y)))
    return found


def _said(names: dict[float, str], value: float) -> str:
    return names.get(value, f"{value:g}")


def _steps(series: Series) -> tuple[I64, F64]:
    """Times and values where a signal changes."""
    t_ns, value = series.t_ns[series.valid], series.value[series.valid]
    keep = np.concatenate([[True], value[1:] != value[:-1]])
    return t_ns[keep], value[keep]


def _unequal(a: Series, b: Series, from_ns: int) -> list[tuple[int, int, float, float]]:
    """(from, to, value of a, value of b) where the held values differ, while both sides speak."""
    (at, av), (bt, bv) = _steps(a), _steps(b)
    begin = max(int(at[0]), int(bt[0]), from_ns)
    end = min(int(a.t_ns[a.valid][-1]), int(b.t_ns[b.valid][-1]))
    if end <= begin:
        return []
    edges = np.unique(np.concatenate([[begin, end], at[(at > begin) & (at < end)], bt[(bt > begin) & (bt < end)]]))
    x = av[np.searchsorted(at, edges[:-1], side="right") - 1]
    y = bv[np.searchsorted(bt, edges[:-1], side="right") - 1]
    found: list[tuple[int, int, float, float]] = []
    for n in np.flatnonzero(x != y).tolist():
        row = int(edges[n]), int(edges[n + 1]), float(x[n]), float(y[n])
        if found and found[-1][1] == row[0] and found[-1][2:] == row[2:]:
            row = found.pop()[0], *row[1:]
        found.append(row)
    return found


def findings(network: Network, diffs: list[Difference], n_recorded: int) -> list[Finding]:
    """A finding for each signal that differs, or one that says that none does. n_recorded: frames of the recorded device."""
    if not n_recorded:
        seen, hint = "the log has no frame of the device", "record the device too, or leave --compare away"
        return [Finding("COMPARE", "device", "the device behaves as recorded", seen, Verdict.INCONC, next_step=hint)]
    if not diffs:
        seen = f"no difference in {len(compared(network))} signals"
        begin = (Evidence(0, "from the begin"),)
        return [Finding("COMPARE", "device", "the device behaves as recorded", seen, Verdict.PASS, evidence=begin)]
    found = []
    for name in dict.fromkeys(diff.signal for diff in diffs):
        own = [diff for diff in diffs if diff.signal == name]
        more = f"; and {len(own) - _MOST_SHOWN} stretches more" if len(own) > _MOST_SHOWN else ""
        seen = "; ".join(diff.text for diff in own[:_MOST_SHOWN]) + more
        evidence = tuple(Evidence(diff.from_ns, "differs from here", name) for diff in own[:_MOST_SHOWN])
        hint = "look which of the two is right; a log that begins in the middle needs --settle"
        found.append(Finding("COMPARE", name, f"{name} as recorded", seen, Verdict.FAIL, evidence=evidence, next_step=hint))
    return found
