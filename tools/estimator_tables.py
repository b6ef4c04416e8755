"""What `nabench score --json` found, as the tables of docs/estimators.md. Shares become per cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Found = dict[str, Any]

# What a condition of the score is, in words.
LINES = {
    "discharge": "recorded discharges, another cell than that of the fit",
    "recharge": "recorded recharges, the same cell",
    "drive": "drive, air of 10 to 45 degC, 12 h",
    "drive-cold": "drive, air of 0 to 8 degC, 12 h",
    "tub-5degC": "cell made from TUB's curve at 5 degC, share of what is available",
    "aged": "aged: capacity 80 %, resistance 150 %, fresh belief, after 3 cycles",
    "nvpf-right": "NVPF, right start",
    "nvpf-wrong": "NVPF, wrong start, from 10 min after the step",
    "nvpf-plateau": "NVPF, wrong start on the plateau",
    "wrong-start": "layered oxide, start wrong by 20 and 50 %, after 20 min of load",
}
REGIONS = {"all": "", "window": ", 2.7 to 3.2 V", "20-40": ", 20 to 40 %"}
RATIOS = ("rmse_of_counting", "band_half_width_of_rmse")
NAMES = {
    "rmse": "RMSE",
    "worst_rmse": "worst run",
    "max": "max",
    "rmse_of_counting": "RMSE over counting's",
    "band_coverage": "in the band",
    "band_half_width": "half width of the band",
    "band_half_width_of_rmse": "half width over RMSE",
    "within_3_percent": "starts within 3 %",
    "within_2_percent": "starts within 2 %",
    "violations": "states with a violation",
    "waste": "median waste, %",
}
COLUMNS = ("rmse", "worst_rmse", "max", "rmse_of_counting", "band_coverage", "band_half_width_of_rmse")
WORST = 5
UNITS = ("_V", "_A", "_W", "_s", "_degC")


def percent(share: float | None, digits: int = 2) -> str:
    """A share in per cent."""
    return "-" if share is None else f"{100 * share:.{digits}f}"


def row_text(cells: Iterable[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of text."""
    return [row_text(columns), "|---" * len(columns) + "|", *map(row_text, rows)]


def cells(line: str) -> list[str]:
    """Cells of one line of a table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def kind(row: Found) -> str:
    """On what a row rests."""
    return "recorded" if row["recorded"] else "simulated"


def title(row: Found) -> str:
    """Condition and region of a row in words."""
    return LINES.get(row["condition"], str(row["condition"])) + REGIONS[row["region"]]


def of_method(found: Found, method: str, region: str = "all") -> list[Found]:
    """Rows of a method in a region."""
    return [row for row in found["rows"] if (row["method"], row["region"]) == (method, region)]


def figure(what: str, value: float | None) -> str:
    """One figure: ratios as they are, shares of SOC in per cent."""
    if value is None:
        return "-"
    if what in RATIOS:
        return f"{value:.2f}"
    if what == "violations":
        return f"{value:.0f}"
    return percent(value)


def limits(one: Found) -> str:
    """What is asked by one floor."""
    low, high = (figure(one["what"], one[key]) for key in ("at_least", "at_most"))
    if one["at_least"] is None:
        return f"<= {high}"
    return f">= {low}" if one["at_most"] is None else f"{low} to {high}"


def reached(one: Found) -> str:
    """What was found and what is asked; bold where it is missed."""
    value = figure(one["what"], one["value"])
    return f"{value if one['met'] else f'**{value}**'} ({limits(one)})"


def plain(row: Found, what: str) -> float | None:
    """A figure of a row of which nothing is asked."""
    over = {"rmse_of_counting": ("rmse", "counting_rmse"), "band_half_width_of_rmse": ("band_half_width", "rmse")}
    if what not in over:
        return row[what]  # type: ignore[no-any-return]
    upper, lower = (row[key] for key in over[what])
    return None if upper is None or not lower else upper / lower


def asked(found: Found, method: str) -> list[str]:
    """Asked and reached: each row of the method of which anything is asked."""
    lines = []
    for row in found["rows"]:
        if row["method"] != method or not row["floors"]:
            continue
        floors = {one["what"]: one for one in row["floors"]}
        figures = [reached(floors[what]) if what in floors else figure(what, plain(row, what)) for what in COLUMNS]
        missed = [NAMES[what] for what, one in floors.items() if not one["met"]]
        rest = [percent(row["counting_rmse"]), percent(row["bound_rmse"]), percent(row["reference_uncertainty"], 1)]
        lines.append([title(row), kind(row), *figures, *rest, f"no: {', '.join(missed)}" if missed else "yes"])
    columns = ("line", "rests on", *(NAMES[what] for what in COLUMNS), "counting RMSE", "bound RMSE", "reference +-", "met")
    return table(columns, lines)


def no_bounds(found: Found, method: str) -> list[str]:
    """Where the method does worse with the cell's own tables than with those of another cell."""
    above = [row for row in of_method(found, method) if row["bound_rmse"] is not None and row["bound_rmse"] > row["rmse"]]
    return [f"The bound lies above the RMSE itself in: {', '.join(row['condition'] for row in above) or 'none of them'}."]


def beyond(found: Found, method: str) -> list[str]:
    """What is missed with the cell's own tables too."""
    lines = []
    for row in found["rows"]:
        for one in row["bound"]["misses_too"] if row["method"] == method and row["bound"] else []:
            lines.append(f"{title(row)}: {NAMES[one['what']]} {figure(one['what'], one['value'])}")
    return [f"Missed by the bound, too: {'; '.join(lines) or 'nothing that is missed'}."]


def rest(found: Found, method: str) -> list[str]:
    """What is asked besides: bands that must say that nothing is known, starts, capacity."""
    lines = []
    for row in found["rows"]:
        for one in row["floors"] if row["method"] == method else []:
            if one["what"] not in COLUMNS:
                asked_for = f"{title(row)}: {NAMES[one['what']]}, %"
                lines.append([asked_for, kind(row), limits(one), figure(one["what"], one["value"]), _yes(one["met"])])
    for row in found.get("capacity", []):
        what = f"capacity after 5 partial cycles, {_TABLES[row['tables']]}: RMSE, %"
        lines.append([what, "simulated", f"<= {percent(row['at_most'])}", percent(row["rmse"]), _yes(row["met"])])
    for row in found.get("health", []):
        for one in row["floors"]:
            what = f"{row['quantity']} after 5 partial cycles, {_TABLES[row['tables']]}: {NAMES[one['what']]}, %"
            lines.append([what, "simulated", limits(one), figure(one["what"], one["value"]), _yes(one["met"])])
    power = [(row["condition"], one) for row in found.get("power", []) for one in row["floors"]]
    for condition, what in dict.fromkeys((condition, one["what"]) for condition, one in power):
        own = [one for at, one in power if (at, one["what"]) == (condition, what)]
        most = max(own, key=lambda one: float(one["value"]))
        text = f"current limits, {condition}, worst of {len(own)} directions and horizons: {NAMES[what]}"
        lines.append([text, "simulated", limits(most), figure(what, most["value"]), _yes(all(one["met"] for one in own))])
    return table(("what", "rests on", "asked", "reached", "met"), lines)


_TABLES = {"own": "the cell's own tables", "unseen": "tables of another cell"}


def _yes(met: bool) -> str:
    return "yes" if met else "**no**"


def methods(found: Found) -> list[str]:
    """RMSE of all methods by condition, the least in bold, and whether the band of each is honest."""
    names = list(dict.fromkeys(row["method"] for row in found["rows"]))
    rows = {(row["condition"], row["method"]): row for name in names for row in of_method(found, name)}
    lines: list[list[str]] = []
    for label, key, digits in (("RMSE", "rmse", 2), ("in the band", "band_coverage", 1)):
        for condition in dict.fromkeys(condition for condition, _ in rows):
            own = [rows.get((condition, name)) for name in names]
            values = [None if row is None else row[key] for row in own]
            best = min((value for value in values if value is not None), default=None) if key == "rmse" else None
            shown = [f"**{percent(v, digits)}**" if v is not None and v == best else percent(v, digits) for v in values]
            one = next(row for row in own if row is not None)
            lines.append([f"{condition}: {label}", kind(one), *shown])
    return table(("condition, %", "rests on", *(f"`{name}`" for name in names)), lines)


def ahead(found: Found, method: str) -> list[str]:
    """Where another method has the least RMSE."""
    lost = []
    for row in of_method(found, method):
        own = [one for one in found["rows"] if (one["condition"], one["data"], one["region"]) == _key(row)]
        best = min(own, key=lambda one: float(one["rmse"]))
        if best["rmse"] < row["rmse"]:
            lost.append(f"{row['condition']} (`{best['method']}`)")
    return [f"Another method than `{method}` has the least RMSE in: {', '.join(lost) or 'none of them'}."]


def _key(row: Found) -> tuple[str, str, str]:
    return row["condition"], row["data"], row["region"]


def regions(found: Found, method: str) -> list[str]:
    """All of it, the window, and 20 to 40 %."""
    keys = ("rmse", "worst_rmse", "max", "bias", "band_coverage", "band_half_width", "counting_rmse", "bound_rmse")
    lines = [
        [row["condition"], kind(row), row["region"], *(percent(row[key], 1 if key == "band_coverage" else 2) for key in keys)]
        for row in found["rows"]
        if row["method"] == method
    ]
    names = ("RMSE", "worst run", "max", "bias", "in the band", "half width", "counting RMSE", "bound RMSE")
    return table(("condition, %", "rests on", "region", *names), lines)


def temperatures(found: Found, method: str, beside: str = "counting") -> list[str]:
    """By temperature of the cell."""
    counted = {
        (row["condition"], part["from_degC"]): part["rmse"] for row in of_method(found, beside) for part in row["temperatures"]
    }
    lines = []
    for row in of_method(found, method):
        for part in row["temperatures"]:
            span = f"{part['from_degC']:g} to {part['to_degC']:g}"
            numbers = [percent(part[key]) for key in ("rmse", "max", "bias")]
            band = [percent(part["band_coverage"], 1), percent(part["band_half_width"])]
            counting = percent(counted.get((row["condition"], part["from_degC"])))
            lines.append([row["condition"], kind(row), span, *numbers, *band, counting, str(part["samples"])])
    names = ("RMSE", "max", "bias", "in the band", "half width", "counting RMSE", "samples")
    return table(("condition, %", "rests on", "cell degC", *names), lines)


def _minutes(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60:.1f}"


def convergence(found: Found) -> list[str]:
    """A column an offset: share of wrong starts that settle, half of them by when and 95 % of them by when."""
    kinds = {row["condition"]: kind(row) for row in found["rows"]}
    offsets = sorted({row["offset"] for row in found["convergence"]})
    by = {(row["condition"], row["method"], row["offset"]): row for row in found["convergence"]}
    lines = []
    for condition, method in dict.fromkeys(key[:2] for key in by):
        settled = [_settled(by.get((condition, method, offset))) for offset in offsets]
        lines.append((condition, kinds[condition], f"`{method}`", *settled))
    return table(("condition", "rests on", "method", *(f"told {100 * offset:+.0f} %" for offset in offsets)), lines)


def _settled(row: Found | None) -> str:
    if row is None:
        return "-"
    return f"{percent(row['settled'], 1)} %, {_minutes(row['median_s'])}, {_minutes(row['p95_s'])}"


def listed(found: Found, key: str) -> list[str]:
    """Rows of other figures of the score as they stand; a sentence where the score has none."""
    rows = [row | _verdict(row) for row in found.get(key, [])]
    if not rows:
        return [f"`nabench score --json` had no figures of {key}."]
    columns = [name for name, value in rows[0].items() if not isinstance(value, (dict, list))]
    shares = {name for name in columns if not name.endswith(UNITS) and any(isinstance(row.get(name), float) for row in rows)}
    titles = [name.replace("_", " ") + (", %" if name in shares else "") for name in columns]
    return table(titles, [[_any(row.get(name), name in shares) for name in columns] for row in rows])


def _verdict(row: Found) -> Found:
    if "floors" not in row:
        return {}
    missed = [NAMES[one["what"]].removesuffix(", %") for one in row["floors"] if not one["met"]]
    return {"met": f"no: {', '.join(missed)}" if missed else "yes"}


def _any(value: object, share: bool) -> str:
    if isinstance(value, bool):
        return _yes(value)
    if isinstance(value, (int, float)) and share:
        return percent(value)
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def worst(found: Found, method: str, beside: str = "counting") -> list[str]:
    """The runs of which the pooled RMSE is largest, recorded and simulated, where the RMSE or the largest error counts."""
    counted = {(row["condition"], run["data"]): run["rmse"] for row in of_method(found, beside) for run in row["runs"]}
    judged = [row for row in of_method(found, method) if any(one["what"] in ("rmse", "max") for one in row["floors"])]
    lines = []
    for recorded in (True, False):
        runs = [(row, run) for row in judged if row["recorded"] is recorded for run in row["runs"]]
        for row, run in sorted(runs, key=lambda pair: -pair[1]["rmse"])[:WORST]:
            numbers = [percent(run[key]) for key in ("rmse", "max", "bias")]
            beside_it = percent(counted.get((row["condition"], run["data"])))
            band = [percent(run["band_coverage"], 1), percent(run["band_half_width"])]
            lines.append([f"`{run['data']}`", row["condition"], kind(row), *numbers, *band, beside_it])
    names = ("RMSE", "max", "bias", "in the band", "half width", "counting RMSE")
    return table(("run, %", "condition", "rests on", *names), lines)


def about(found: Found, method: str) -> list[str]:
    """What was run, and how many of the floors are met."""
    rows = of_method(found, method)
    runs = {flag: sum(len(row["runs"]) for row in rows if row["recorded"] is flag) for flag in (True, False)}
    errors = "all 16 sign combinations of the sensor errors" if found["sensor_errors"] else "no sensor errors added"
    floors = [one for row in found["rows"] if row["method"] == method for one in row["floors"]]
    floors += found.get("capacity", [])
    floors += [one for key in ("health", "power") for row in found.get(key, []) for one in row["floors"]]
    met = sum(one["met"] for one in floors)
    what = f"{runs[True]} recorded runs and {runs[False]} simulated ones"
    return [f"Seed {found['seed']}, {errors}, method `{method}`: {what}. {met} of {len(floors)} figures asked for are met."]


def sections(found: Found, method: str) -> dict[str, list[str]]:
    """All sections of the page that a tool writes."""
    return {
        "scores-about": about(found, method),
        "scores-asked": [*asked(found, method), "", *no_bounds(found, method), "", *beyond(found, method)],
        "scores-rest": rest(found, method),
        "scores-methods": [*methods(found), "", *ahead(found, method)],
        "scores-regions": regions(found, method),
        "scores-temperatures": temperatures(found, method),
        "scores-starts": convergence(found),
        "scores-health": listed(found, "health" if found.get("health") else "capacity"),
        "scores-power": listed(found, "power"),
        "scores-worst": worst(found, method),
    }
