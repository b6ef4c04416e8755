"""Memory and operations of each way to estimate SOC: the tables of docs/estimation.md, counted in the kernels' own source.

    python tools/cost.py

Kernels run interpreted with every operation on real numbers counted (tools/hooked.py) and every row of the state that they
touch noted. --print leaves the page alone; a test compares.
"""

from __future__ import annotations

import argparse
from collections import Counter
from types import ModuleType
from typing import Any

import hooked
from float32 import METHODS, write

from firmware_sim import settings as cfg
from firmware_sim import state as st
from hil import calibration
from hil.dut.estimator import Estimator

DT_NS = 10_000_000
OPERATIONS = ("mul", "add", "div", "sqrt", "exp")


class Touched:
    """The state, and which of its rows were read or written."""

    def __init__(self, cell: Any) -> None:
        self.cell, self.rows, self.shape = cell, set[int](), cell.shape

    def __getitem__(self, at: Any) -> Any:
        self.rows.add(at[0])
        return self.cell[at]

    def __setitem__(self, at: Any, value: Any) -> None:
        self.rows.add(at[0])
        self.cell[at] = value


class Counted:
    """A method at work on two cells, with what each of its parts costs. m: hooked kernels that count into `counts`."""

    def __init__(self, method: str, m: dict[str, ModuleType], counts: hooked.Counts) -> None:
        one = Estimator(calibration.load("nfm-16s")[1], 1, 2, method, DT_NS)
        self.number, self.m, self.counts, self.t, self.one = cfg.METHODS.index(method), m, counts, one.tables, one
        one.cell[st.TEMP], one.cell[st.VOLT] = 17.0, 3.3
        self.cell: Any = one.cell
        for i in range(2):
            self.refresh(i)
            m["step"].seed(self.number, one.cell, 0, i, 0, self.t["real"], 0.6, 0.02)
            self.refresh(i)
        for _ in range(200):
            self.predict(2)
        self.correct()
        for _ in range(200):
            self.predict(2)
        one.cell[st.SWING_DROP_V] = 0.0  # so that the correction that is counted sees a swing of the load
        self.cell = Touched(one.cell)

    def of(self, call: Any, *told: Any) -> Counter[str]:
        """Operations of a call."""
        self.counts.of.clear()
        call(*told)
        return Counter(self.counts.of)

    def refresh(self, i: int) -> None:
        """Tables of a cell."""
        t = self.t
        self.m["belief"].refresh(self.cell, 0, i, 0, t["kinds"], t["curves"], t["ln_r"], t["nodes"], t["n_nodes"], 1.0)

    def predict(self, n_cells: int) -> None:
        """A tick."""
        t = self.t
        self.m["step"].predict(
            self.number, self.cell, 0, 0, n_cells, 0, 1.3, 1.3, DT_NS * 1e-9, t["real"], t["kinds"], t["curves"]
        )

    def correct(self) -> None:
        """The first cell by its voltage."""
        t = self.t
        self.m["step"].correct(self.number, self.cell, 0, 0, 0, 1.3, 0.1, t["real"], t["kinds"], t["curves"])

    def band(self) -> None:
        """Of the first cell."""
        self.m["summary"].band(self.cell, 0, 0, self.t["real"])

    def summarise(self) -> None:
        """Both cells."""
        t = self.t
        self.m["summary"].summarise(self.cell, 0, self.one.real, t["stretches"], t["real"], t["kinds"], 1)

    def parts(self) -> dict[str, Counter[str]]:
        """A cell's tick, a correction, tables and band; and the tick's share that all cells have in common."""
        both, single = self.of(self.predict, 2), self.of(self.predict, 1)
        tick = both - single
        return {
            "all cells, tick": single - tick,
            "tick": tick,
            "correction": self.of(self.correct),
            "tables": self.of(self.refresh, 0) + self.of(self.band),
        }


def counted() -> dict[str, tuple[set[int], dict[str, Counter[str]]]]:
    """Rows that each method touches, and what its parts cost."""
    counts, found = hooked.Counts(), {}
    m = hooked.load(counts, compiled=False, rounds=False)
    for method in METHODS:
        one = Counted(method, m, counts)
        parts = one.parts()
        one.summarise()
        found[method] = one.cell.rows, parts
    return found


def markdown() -> str:
    """Both tables."""
    t = Estimator(calibration.load("nfm-16s")[1], 1, 1).tables
    temps, reach, rate = (int(n) for n in t["n_nodes"][0])
    lines = [
        "| method | covariance and its like | values in all | bytes a cell, single | double | tables a kind, single |",
        "|---|---|---|---|---|---|",
    ]
    found = counted()
    for method, (rows, _) in found.items():
        p = len([row for row in rows if st.P <= row < st.P + st.N_P])
        values = (4 if method == "sodium" else 3) * cfg.N_X + 3 * temps * cfg.N_RX + temps + 2 * reach + cfg.N_KIND_SETTINGS
        values += 2 * rate if method == "sodium" else 0
        lines.append(f"| `{method}` | {p} | {len(rows)} | {4 * len(rows)} | {8 * len(rows)} | {4 * values} |")
    lines += [
        "",
        "| method | part | how often | multiplications | additions | divisions | roots | exp |",
        "|---|---|---|---|---|---|---|---|",
    ]
    often = {
        "all cells, tick": "a tick, for all cells of a kind",
        "tick": "a tick",
        "correction": "a correction",
        "tables": "a second",
    }
    for method, (_, parts) in found.items():
        for part, counts in parts.items():
            if sum(counts.values()):
                cells = " | ".join(str(counts[name]) for name in OPERATIONS)
                lines.append(f"| `{method}` | {part.partition(',')[0]} | {often[part]} | {cells} |")
        corrections = 0.5 if method == "sodium" else 10  # correct_s of 2 s; other methods with every voltage
        times = {"tick": 100, "correction": corrections, "tables": 1}
        total = {name: round(sum(n * parts[part][name] for part, n in times.items())) for name in OPERATIONS}
        about = f"100 ticks, {'half a correction' if method == 'sodium' else '10 corrections'}, tables"
        lines.append(f"| **`{method}`** | **a second** | {about} | {' | '.join(str(n) for n in total.values())} |")
    return "\n".join(lines)


def main() -> None:
    """Count, print, and write the page."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--print", action="store_true", dest="only_print")
    told = words.parse_args()
    text = markdown()
    print(text)
    if not told.only_print:
        write("cost", text)


if __name__ == "__main__":
    main()
