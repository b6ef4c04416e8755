"""The figures for people on a terminal: a line a condition and method, and how long wrong starts take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hil.score import floors, starts
from hil.score.figures import Row, Sums, rounded
from hil.score.floors import Asked
from hil.score.health import HealthRow
from hil.score.power import PowerRow
from hil.score.score import Scored, subject

MARKS = {
    "rmse": "RMSE",
    "worst_rmse": "worst run",
    "max": "max",
    "within_3_percent": "starts within 3 %",
    "within_2_percent": "starts within 2 %",
    "rmse_of_counting": "RMSE over that of counting",
    "band_coverage": "share of time inside the band",
    "band_half_width": "median half width of the band",
    "band_half_width_of_rmse": "median half width of the band over RMSE",
    "violations": "violations",
    "waste": "median waste",
}

_OWN_TOO = ", missed with the cell's own tables too"
_WIDE = 118


def show(scored: Scored, console: Console) -> None:
    """All tables. Errors are in per cent of SOC."""
    rows = scored.rows()
    errors = "under all sign combinations of the sensor errors" if scored.plan.errors else "as recorded, no sensor errors added"
    if rows:
        console.print(f"error of SOC in %, pooled over runs, {errors}; seed {scored.plan.seed}", style="dim")
    for key in dict.fromkeys((row.data, row.condition) for row in rows):
        own = [row for row in rows if (row.data, row.condition) == key]
        console.print()
        console.print(Text(heading(own[0]), style="bold"))
        console.print(_figures(own, console.width >= _WIDE))
        for line in missed(own):
            console.print(Text(line, style="red"))
    whole = scored.as_json()
    if whole["convergence"]:
        console.print()
        title = f"from a wrong start until the error stays within {100 * starts.WITHIN:g} %: share of starts, half of them by"
        console.print(Text(f"{title}, 95 % by [min]", style="bold"))
        console.print(_starts(whole["convergence"]))
    if scored.health:
        console.print()
        title = "health after five partial cycles, error in % of the true one"
        console.print(Text(f"{title}, simulated; seed {scored.plan.seed}", style="bold"))
        console.print(_health(scored.health))
        for row in scored.health:
            _print_missed(f"{row.quantity}, {row.tables} tables", floors.asked_of_health(row), console)
    if scored.power:
        console.print()
        title = (
            f"power: current limits, {scored.power[0].method}, {scored.power[0].states} states a condition, all sensor errors"
        )
        console.print(Text(f"{title}, simulated; seed {scored.plan.seed}", style="bold"))
        console.print(_power(scored.power))
        for limit in scored.power:
            _print_missed(f"{limit.condition}, {limit.direction}, {limit.horizon}", floors.asked_of_power(limit), console)


def _print_missed(name: str, asked: Sequence[Asked], console: Console) -> None:
    for one in asked:
        if not one.met:
            console.print(Text(f"{name}: {told(one)}", style="red"))


def heading(row: Row) -> str:
    """Condition, data, and on what the figures rest."""
    runs = len(row.runs)
    known = f"reference +-{percent(row.reference_uncertainty)} %"
    return f"{row.condition}: {row.data}, {runs} {'run' if runs == 1 else 'runs'}, {row.kind}, {known}"


def _figures(rows: Sequence[Row], wide: bool) -> Table:
    """A line a method, in one condition. wide: with the regions."""
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=False)
    table.add_column("method", no_wrap=True, min_width=9)
    regions = ("window", "20-40") if wide else ()
    pairs = [name for region in regions for name in (region, "max")]
    for name in ("RMSE", "worst", "max", "bias", "in band", "+-band", *pairs, "counting", "bound"):
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    table.add_column("met", no_wrap=True)
    for method in dict.fromkeys(row.method for row in rows):
        own = {row.region: row for row in rows if row.method == method}
        total = own.get("all")
        if total is None:
            continue
        sums = total.sums
        cells = [percent(x) for x in (sums.rmse, total.worst, sums.max, sums.bias)]
        cells += ["-" if sums.band_coverage is None else f"{100 * sums.band_coverage:.1f}", percent(sums.band_half_width)]
        for region in regions:
            cells += _pair(own[region].sums if region in own else None)
        table.add_row(method, *cells, percent(total.counting_rmse), percent(total.bound_rmse), _verdict(list(own.values())))
    return table


def _verdict(rows: Sequence[Row]) -> Text:
    """How many of the floors of a method are met, all regions together."""
    return _count([one for row in rows for one in floors.asked(row)])


def _count(asked: Sequence[Asked]) -> Text:
    found = [one.met for one in asked]
    if not found:
        return Text("-", style="dim")
    return Text(f"{sum(found)}/{len(found)}", style="green" if all(found) else "red")


def missed(rows: Sequence[Row]) -> list[str]:
    """Every floor that is not met by the method that the floors are for; of others the count is enough."""
    judged = subject([row.method for row in rows])
    out = []
    for row in rows:
        for one in floors.asked(row) if row.method == judged else []:
            if not one.met:
                too = _OWN_TOO if one.what in [least.what for least in floors.beyond(row)] else ""
                out.append(f"{row.method}, {row.region}: {told(one)}{too}")
    return out


def told(one: Asked) -> str:
    """What is asked and what was found."""
    shown = [_in_unit(one.what, x) for x in (one.low, one.high)]
    value = "not stated" if one.value is None else _in_unit(one.what, one.value)
    asked = f"at most {shown[1]}" if one.low == 0.0 else f"at least {shown[0]}"
    asked = f"{shown[0]} to {shown[1]}" if one.low > 0.0 and math.isfinite(one.high) else asked
    return f"{MARKS[one.what]} {value}, asked {asked}"


def _in_unit(what: str, value: float) -> str:
    if what == "violations":
        return f"{value:g}"
    return f"{value:.2f}" if what in ("rmse_of_counting", "band_half_width_of_rmse") else f"{percent(value)} %"


def _pair(sums: Sums | None) -> list[str]:
    return ["-", "-"] if sums is None else [percent(sums.rmse), percent(sums.max)]


def percent(share: float | None) -> str:
    """A share in per cent with two digits, of the figure that --json prints: rounded twice everywhere or nowhere."""
    shown = rounded(share)
    return "-" if shown is None else f"{100 * shown:.2f}"


def _starts(rows: list[dict[str, Any]]) -> Table:
    """A line a condition and method, a column an offset: share that settles, half and 95 % of them by [min]."""
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=False)
    for name in ("condition", "method"):
        table.add_column(name, no_wrap=True, min_width=9)
    offsets = sorted({row["offset"] for row in rows})
    for offset in offsets:
        table.add_column(f"told {100 * offset:+.0f} %", justify="right", no_wrap=True, min_width=20)
    for condition, method in dict.fromkeys((row["condition"], row["method"]) for row in rows):
        own = {row["offset"]: row for row in rows if (row["condition"], row["method"]) == (condition, method)}
        table.add_row(condition, method, *(_settled(own[offset]) if offset in own else "-" for offset in offsets))
    return table


def _settled(row: dict[str, Any]) -> str:
    half, most = (f"{minutes(row[key]):>5}" for key in ("median_s", "p95_s"))
    return f"{100 * row['settled']:.0f} % {half} {most}"


def minutes(seconds: float | None) -> str:
    """Seconds as minutes; a dash when there is no such time."""
    return "-" if seconds is None else f"{seconds / 60:.1f}"


def _health(rows: Sequence[HealthRow]) -> Table:
    """A line a quantity, method and whose tables are believed; how many of the floors are met in the last column."""
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=False)
    for name in ("quantity", "tables", "method"):
        table.add_column(name, no_wrap=True)
    for name in ("cells", "RMSE", "max", "bias", "sigma", "in band"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for row in rows:
        numbers = [percent(x) for x in (row.rmse, row.max, row.bias, row.sigma, row.coverage)]
        table.add_row(row.quantity, row.tables, row.method, str(row.cells), *numbers, _count(floors.asked_of_health(row)))
    return table


def _power(rows: Sequence[PowerRow]) -> Table:
    """A line a condition, direction and horizon. waste: medians of all states, and of those in which the cell is the limit."""
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=False)
    for name in ("condition", "direction", "for"):
        table.add_column(name, no_wrap=True)
    for name in ("broken", "by [mV]", "waste", "bound", "their waste"):
        table.add_column(Text(name), justify="right", no_wrap=True)  # of a str, [mV] would be taken for a style
    table.add_column("met", no_wrap=True)
    for row in rows:
        numbers = [
            str(row.violations),
            f"{1e3 * row.worst_V:.0f}",
            percent(row.waste),
            str(row.bound),
            percent(row.bound_waste),
        ]
        table.add_row(row.condition, row.direction, row.horizon, *numbers, _count(floors.asked_of_power(row)))
    return table
