"""Rows of every shipped calibration, and one row of the firmware's diagnosis on its own.

What a row should do is read from the TOML text here, not from what the bench decoded it to.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rigs

from firmware_sim import diag, mode, soa
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.settings import Settings
from firmware_sim.types import MS_NS
from hil import files

BENCH = "nfm-16s"
# The step in which a quantity arrives, from the words of the wire's specification; what is computed moves by a float.
WIRE_STEP = {
    "cell_V_max": 0.0002, "cell_V_min": 0.0002, "cell_spread_V": 0.0002, "temp_max_degC": 0.1, "temp_min_degC": 0.1,
    "temp_spread_K": 0.1, "discharge_A": 0.005, "charge_A": 0.005, "open_current_A": 0.005,
}  # fmt: skip
REACTIONS = {  # reaction: (charge forbidden, discharge forbidden, contactors open)
    "none": (0, 0, 0), "stop_charge": (1, 0, 0), "stop_discharge": (0, 1, 0), "stop": (1, 1, 0), "open": (1, 1, 1),
}  # fmt: skip
TIERS = {"mol": 1, "rsl": 2, "msl": 3}


@dataclass(frozen=True)
class Row:
    """A limit row as its file says it. at: its place in the file.  kind: of the cells that it looks at."""

    calibration: str
    at: int
    table: dict[str, Any]
    kind: int = 0

    @property
    def code(self) -> str:
        return str(self.table["code"])

    @property
    def side(self) -> int:
        """+1: bad above, -1: bad below."""
        return 1 if "above" in self.table else -1

    @property
    def threshold(self) -> float:
        return float(self.table["above"] if self.side == 1 else self.table["below"])

    @property
    def clear(self) -> float:
        """The value to which it must come back."""
        return self.threshold - self.side * float(self.table.get("hysteresis", 0.0))

    @property
    def debounce_ms(self) -> int:
        return int(self.table["debounce_ms"])

    @property
    def clear_ms(self) -> int:
        return int(self.table.get("clear_ms", self.table["debounce_ms"]))

    @property
    def delay_ms(self) -> int:
        return int(self.table.get("delay_ms", 0))

    @property
    def latch(self) -> str:
        return str(self.table.get("latch", "no"))

    @property
    def when(self) -> str:
        return str(self.table.get("when", "always"))

    def beside(self, value: float, n: int) -> float:
        """What lies n steps on the bad side of a value (n < 0: on the good side), in steps of the wire."""
        return value + self.side * n * WIRE_STEP.get(self.table["quantity"], 1e-6)

    @property
    def bad(self) -> float:
        """A value well beyond the threshold."""
        return self.threshold + self.side * max(abs(self.threshold), 1.0)

    @property
    def good(self) -> float:
        """A value well on the good side of the clear threshold."""
        return self.clear - self.side * max(abs(self.clear), 1.0)


def rows_of(name: str, path: Path) -> list[Row]:
    """Every row of a calibration. name: by which it is loaded."""
    file = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = list(dict.fromkeys(group["name"] for group in file.get("group", [])))
    kinds = {None: 0, **{group: n + 1 for n, group in enumerate(groups)}}
    return [Row(name, n, table, kinds[table.get("group")]) for n, table in enumerate(file["limit"])]


def all_rows() -> list[Row]:
    """Every row of every shipped calibration, and those on cells of one that has groups.

    A row that another calibration has too, number for number, stands once: alone it cannot behave otherwise. The bench pack
    comes first.
    """
    shipped = sorted(files.shipped("calibration").items(), key=lambda item: item[0] != BENCH)
    found = [row for name, path in shipped for row in rows_of(name, path)]
    found += [row for row in rows_of(str(rigs.MIXED), rigs.MIXED) if str(row.table["quantity"]).startswith("cell_V_")]
    alike: dict[str, Row] = {}
    for row in found:
        alike.setdefault(repr(sorted((key, value) for key, value in row.table.items() if key != "source")), row)
    return list(alike.values())


def name_of(row: object) -> str:
    """Id of a row in a test's name."""
    assert isinstance(row, Row)
    group = f"@{row.table['group']}" if row.kind > 0 else ""
    return f"{Path(row.calibration).stem}:{row.code}{group}"


def cases(rows: list[Row]) -> list[Any]:
    """Rows as parameters of a test. Interpreted, those of the bench pack stand for all: only their numbers differ."""
    return [
        pytest.param(
            row, id=name_of(row), marks=[] if row.calibration in (BENCH, str(rigs.MIXED)) else [pytest.mark.compiled_only]
        )
        for row in rows
    ]


def settings_of(row: Row, dt_ms: int = 10) -> Settings:
    """The calibration bound to the pack that is shipped for it."""
    return rigs.wired(row.calibration, rigs.pack_of(row.calibration), "classic", dt_ms * MS_NS)[1]


class OneRow:
    """A row, driven tick by tick with values of its quantity."""

    def __init__(self, row: Row, dt_ms: int = 10) -> None:
        bound = settings_of(row)
        self.row, self.dt_ns = row, dt_ms * MS_NS
        self.limits, self.thresholds, self.reals = bound.limits[[row.at]], bound.thresholds[[row.at]], bound.real
        self.real, self.whole = np.zeros((st.N_REAL, 1)), np.zeros((st.N_WHOLE, 1), np.int64)
        self.limit = np.zeros((st.N_LIMIT, 1, 1), np.int64)
        self.limit[[st.TIMER_NS, st.ACTIVE_NS]] = -1
        n_quantities = soa.n_rows(bound.n_kinds)
        self.q, self.known = np.zeros((n_quantities, 1)), np.ones((n_quantities, 1), np.uint8)
        self.which = soa.row_of(row.table["quantity"], row.kind)
        self.apply(True)

    def apply(self, holds: bool) -> None:
        """Bring the device into, or out of, the condition under which the row applies."""
        when = self.row.when
        assert when in ("always", "charging", "not_charging", "closed", "opened")
        charging = (when == "charging") == holds and "charging" in when
        self.real[st.CURRENT_A] = -10.0 * self.reals[cfg.REST_A] if charging else 0.0
        on = (when == "closed") == holds and when in ("closed", "opened")
        self.whole[st.STATE] = mode.RUN if on else mode.STANDBY
        self.whole[[st.PLUS, st.MINUS]] = int(on)

    def tick(self, value: float | None, n: int = 1, reset: bool = False) -> bool:
        """N ticks with a value, or without a known one (None); returns whether the row is active then."""
        self.known[self.which] = value is not None
        if value is not None:
            self.q[self.which] = value
        for _ in range(n):
            self.whole[st.RESET_EDGE] = int(reset)
            diag.step(
                self.real, self.whole, self.limit, self.q, self.known, self.limits, self.thresholds, self.reals, 0, self.dt_ns
            )
        return self.active

    @property
    def active(self) -> bool:
        return bool(self.limit[st.ACTIVE, 0, 0])

    def ticks(self, ms: int) -> int:
        """Ticks after the first sample until this time has passed."""
        return -(-ms * MS_NS // self.dt_ns)

    def trip(self) -> OneRow:
        """Bring it to the tick in which it trips."""
        assert not self.tick(self.row.bad, self.ticks(self.row.debounce_ms))
        assert self.tick(self.row.bad)
        return self

    def asks(self) -> tuple[int, int, int]:
        """What it asks for: (no charge, no discharge, open)."""
        return tuple(int(self.whole[at, 0]) for at in (st.NO_CHARGE, st.NO_DISCHARGE, st.OPEN_NOW))  # type: ignore[return-value]


assert cfg.N_LIMIT_COLUMNS == 12  # a new column needs a test here
