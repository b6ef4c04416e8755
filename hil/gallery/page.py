"""cells.html: cells side by side on one page that opens anywhere, without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from hil import files, sources
from hil.errors import BenchError
from hil.gallery import curves, figures, simulate
from hil.gallery.curves import Curves
from hil.gallery.simulate import Discharges, Pulses
from hil.plant.cellfile import Cell
from hil.report import bokehjs, html
from hil.report.accuracy import OCV_WINDOW_V
from hil.tables import Sourced

TEMPS_DEGC = (-40.0, -30.0, -20.0, -10.0, 0.0, 5.0, 15.0, 25.0, 35.0, 45.0)
COLDEST_DEGC = -20.0  # of the map, unless the cell's own table of resistance goes on
SOC = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
RATES_PER_H = (1.0, 0.2)
_MIDDLE, _ROOM = 0.5, 25.0


@dataclass(frozen=True)
class TableRow:
    """One table of a cell file: how many numbers, how far to trust them, and those that stand alone."""

    name: str
    confidence: str
    partly: bool
    numbers: int
    alone: list[tuple[str, str]]
    source: str


@dataclass(frozen=True)
class Shown:
    """One cell as the page shows it.

    key: its anchor.  path: empty for a shipped one.  counts: numbers by confidence.  assumed: share of them.
    """

    key: str
    path: str
    cell: Cell
    colour: str
    curves: Curves
    pulses: Pulses
    discharges: list[Discharges]
    counts: dict[str, int]
    assumed: float
    tables: list[TableRow]

    @property
    def energy_Wh_per_kg(self) -> float:
        """Nominal voltage times capacity over mass."""
        return self.cell.nominal_V * self.cell.capacity_Ah / self.cell.mass_kg

    @property
    def middle_ohm(self) -> float:
        """10 s resistance at 25 degC and 50 % SOC; NaN when the cell is not allowed there."""
        if _ROOM not in self.pulses.temp_degC:
            return float("nan")
        return float(self.pulses.ohm[self.pulses.temp_degC.index(_ROOM), self.pulses.soc.index(_MIDDLE)])

    def share_at(self, temp_degC: float) -> str:
        """Charge at the higher rate and a temperature, relative to the capacity, in words."""
        high = self.discharges[0]
        if temp_degC not in high.temp_degC:
            return "–"
        return sources.percent(float(high.share[high.temp_degC.index(temp_degC)]))


def write(cells: Sequence[tuple[Path, Cell]], path: Path) -> None:
    """Write the page. Raises BenchError when it cannot be written, or would replace a page that is not ours."""
    html.claim(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, text(cells))
    except OSError as error:
        raise BenchError(f"{path}: the gallery cannot be written: {error.strerror or error}") from None


def text(cells: Sequence[tuple[Path, Cell]]) -> str:
    """The page as HTML. Equal cells give equal text."""
    shown = [show(n, path, cell) for n, (path, cell) in enumerate(cells)]
    plots = {"overview": figures.overview([(s.cell.name, s.curves) for s in shown])}
    for s in shown:
        plots |= {
            f"{s.key}-ocv": figures.ocv(s.curves, s.cell.limits),
            f"{s.key}-slope": figures.slope(s.curves),
            f"{s.key}-loop": figures.loop(s.curves),
            f"{s.key}-heat": figures.heat(s.pulses),
            f"{s.key}-charge": figures.charge(s.discharges, s.cell.limits),
            f"{s.key}-entropy": figures.entropy(s.curves),
        }
    for key, plot in plots.items():
        plot.attributes["name"] = key
    document, roots = bokehjs.document(list(plots.values()))
    heights = {key: plot.attributes["height"] for key, plot in plots.items()}
    return (
        html.templates(Path(__file__).parent / "templates")
        .get_template("cells.html.j2")
        .render(
            shown=shown,
            levels=sources.LEVELS,
            window=OCV_WINDOW_V,
            window_fill=figures.WINDOW_FILL,
            percent=sources.percent,
            rate=figures.rate,
            heights=heights,
            script=bokehjs.script(),
            document=document.replace("<", "\\u003c"),
            roots=json.dumps({root: f"plot-{key}" for key, root in zip(plots, roots, strict=True)}),
        )
    )


def show(n: int, path: Path, cell: Cell) -> Shown:
    """Simulate and count what the page shows of the nth cell."""
    coldest = min(COLDEST_DEGC, cell.resistance.temp_degC[0])
    middle = 0.5 * (cell.limits.discharge_min_degC + cell.limits.discharge_max_degC)
    temps = simulate.allowed(cell, tuple(t for t in TEMPS_DEGC if t >= coldest)) or (middle,)
    return Shown(
        key=f"c{n}",
        path="" if path in files.shipped("cell").values() else str(path),
        cell=cell,
        colour=figures.SERIES[n % len(figures.SERIES)],
        curves=curves.of(cell),
        pulses=simulate.pulses(cell, temps, SOC),
        discharges=[simulate.discharges(cell, rate, temps) for rate in RATES_PER_H],
        counts=sources.by_confidence(cell),
        assumed=sources.assumed_share(cell),
        tables=[_row(name, table, count) for name, (table, count) in sources.by_table(cell).items()],
    )


def _row(name: str, table: Sourced, count: int) -> TableRow:
    return TableRow(name, table.confidence, sources.partly(table), count, _alone(table), table.source)


def _alone(table: BaseModel) -> list[tuple[str, str]]:
    """Keys of a table that hold one number or one word."""
    values = {name: getattr(table, name) for name in type(table).model_fields if name not in Sourced.model_fields}
    kept = {name: value for name, value in values.items() if isinstance(value, int | float | str)}
    return [(name, str(value).lower() if isinstance(value, bool) else _text(value)) for name, value in kept.items()]


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
