"""The speed figures for people, and which targets they meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from hil.speed.measure import GEARS

# (key, gear, cells, at least)
_RATIOS = (
    ("ratio_vs_baseline", "staged", "16", 20.0),
    ("ratio_vs_baseline", "staged", "96", 30.0),
    ("ratio_vs_baseline", "fused", "16", 40.0),
    ("ratio_vs_baseline", "fused", "96", 50.0),
    ("ratio_vs_codec_and_bus", "staged", "16", 8.0),
    ("ratio_vs_codec_and_bus", "staged", "96", 15.0),
    ("ratio_vs_codec_and_bus", "fused", "16", 18.0),
    ("ratio_vs_codec_and_bus", "fused", "96", 25.0),
    ("x_real_time", "fused", "16", 2000.0),
    ("x_real_time", "fused", "96", 700.0),
)
_TITLES = {
    "ratio_vs_baseline": "times the obvious design",
    "ratio_vs_codec_and_bus": "times cantools and python-can alone",
    "x_real_time": "times real time",
}


@dataclass(frozen=True)
class Target:
    """A figure that was promised. aim: absolute, so it depends on the machine and does not count for --strict."""

    name: str
    value: float
    limit: float
    at_least: bool = True
    aim: bool = False

    @property
    def met(self) -> bool:
        """True when the figure is as good as promised."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def targets(found: dict[str, Any]) -> list[Target]:
    """Every target that this measurement has a figure for."""
    out = []
    for key, gear, cells, limit in _RATIOS:
        if cells in found[key][gear]:
            out.append(
                Target(f"{gear}, {cells} cells: {_TITLES[key]}", found[key][gear][cells], limit, aim=key == "x_real_time")
            )
    for label, row in found["codec_bulk"].items():
        out.append(Target(f"decode in bulk, {label}: times cantools", row["decode_ratio"], 8.0))
        out.append(Target(f"encode in bulk, {label}: times cantools, strict=False", row["encode_ratio"], 30.0))
    methods = found["methods"]
    for name in (methods["default"], methods["whole"]):
        ratio = methods["ratio_vs_ekf"][name]
        out.append(Target(f"estimator {name}: times the plain EKF", ratio, 3.0, at_least=False))
    out.append(Target("nabench --help [s]", found["imports_s"]["nabench --help"], 0.5, at_least=False, aim=True))
    out.append(Target("nabench run, 60 s scenario, report included [s]", found["warm_start"]["wall_s"], 4.0, False, aim=True))
    if found["cold_start"] is not None:
        out.append(Target("compiling into an empty cache [s]", found["cold_start"]["compile_s"], 20.0, False, aim=True))
    return out


def show(found: dict[str, Any], console: Console) -> None:
    """Print everything."""
    machine = found["machine"]
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_average']}; {machine['platform']}; "
        f"Python {machine['python']}, NumPy {machine['numpy']}, Numba {machine['numba']}, cantools {machine['cantools']}, "
        f"python-can {machine['python-can']}"
    )
    console.print(
        "One tick is 10 ms; every frame is encoded, carried and decoded. CPU time, interleaved rounds in one process, "
        "median of the ratios within a round, quartiles in brackets."
    )
    console.print(_gears(found))
    for cells in found["hops_us"]:
        console.print(_hops(found, cells))
    console.print(_methods(found["methods"]))
    console.print(_codec(found))
    _others(found, console)
    console.print(verdicts(targets(found)))


def _gears(found: dict[str, Any]) -> Table:
    table = Table(title="Ratios", title_justify="left", header_style="bold")
    for column in ("cells", "gear", "tick [us]", "x real time", "vs the obvious design", "vs cantools + python-can"):
        table.add_column(column, justify="left" if column == "gear" else "right")
    for cells, tick in found["tick_us"].items():
        quartiles = found["quartiles"][cells]
        for gear in GEARS:
            bands = [quartiles[f"{gear} vs {denominator}"] for denominator in ("baseline", "codec_and_bus")]
            table.add_row(
                cells,
                gear,
                f"{tick[gear]:.2f}",
                f"{found['x_real_time'][gear][cells]:,.0f}",
                f"{found['ratio_vs_baseline'][gear][cells]:.0f} ({bands[0][0]:.0f} to {bands[0][1]:.0f})",
                f"{found['ratio_vs_codec_and_bus'][gear][cells]:.0f} ({bands[1][0]:.0f} to {bands[1][1]:.0f})",
            )
        table.add_row(cells, "obvious design", f"{tick['baseline']:.0f}", f"{1e4 / tick['baseline']:.1f}", "1", "")
        table.add_row(cells, "codec and bus", f"{tick['codec_and_bus']:.0f}", f"{1e4 / tick['codec_and_bus']:.1f}", "", "1")
        table.add_section()
    return table


def _hops(found: dict[str, Any], cells: str) -> Table:
    """Microseconds and share of each hop; the baseline's own hops beside ours."""
    hops, fused_us = found["hops_us"][cells], found["tick_us"][cells]["fused"]
    frames = found["frames_per_tick"][cells]
    table = Table(title=f"Hops, {cells} cells, {frames:.1f} frames a tick", title_justify="left", header_style="bold")
    for column in ("hop", "staged [us]", "share", "fused [us]", "share", "obvious design", "[us]", "share"):
        table.add_column(column, justify="left" if column in ("hop", "obvious design") else "right")
    ours, compiled, theirs = list(hops["staged"].items()), hops["compiled"], list(hops["baseline"].items())
    total, total_theirs = sum(hops["staged"].values()), sum(hops["baseline"].values())
    for n in range(max(len(ours), len(theirs))):
        left = right = ("", "", "")
        middle = ("", "")
        if n < len(ours):
            name, us = ours[n]
            left = (name, f"{us:.2f}", f"{100 * us / total:.0f} %")
            inner = compiled.get(name, max(fused_us - sum(compiled.values()), 0.0))
            middle = (f"{inner:.2f}" + ("" if name in compiled else " *"), f"{100 * inner / fused_us:.0f} %")
        if n < len(theirs):
            name, us = theirs[n]
            right = (name, f"{us:.1f}", f"{100 * us / total_theirs:.0f} %")
        table.add_row(*left, *middle, *right)
    table.add_section()
    table.add_row("sum", f"{total:.2f}", "", f"{fused_us:.2f}", "", "", f"{total_theirs:.1f}", "")
    table.caption = (
        "fused: cost of one more pack in the same call, without the way in from Python; *: what is left of the fused tick"
    )
    table.caption_justify = "left"
    return table


def _methods(found: dict[str, Any]) -> Table:
    title = f"Estimators, {found['packs']} packs of {found['cells']} cells, a voltage every 100 ms"
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in ("method", "cell and tick [ns]", "x ekf", "beyond counting, x ekf"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for name, cell_ns in found["ns_per_cell"].items():
        low, high = found["quartiles"][name]
        ratio = f"{found['ratio_vs_ekf'][name]:.2f} ({low:.2f} to {high:.2f})"
        table.add_row(name, f"{cell_ns:.1f}", ratio, f"{found['beyond_counting'][name]:.2f}")
    return table


def _codec(found: dict[str, Any]) -> Table:
    table = Table(title="Codec in bulk", title_justify="left", header_style="bold")
    for column in ("frame", "decode [ns]", "x cantools", "encode [ns]", "x strict=False", "x strict"):
        table.add_column(column, justify="left" if column == "frame" else "right")
    for label, row in found["codec_bulk"].items():
        frame_ns = row["ns_per_frame"]
        table.add_row(
            label,
            f"{frame_ns['decode']:.0f}",
            f"{row['decode_ratio']:.0f}",
            f"{frame_ns['encode']:.0f}",
            f"{row['encode_ratio']:.0f}",
            f"{row['encode_ratio_strict']:.0f}",
        )
    return table


def _others(found: dict[str, Any], console: Console) -> None:
    slow, run, cold = found["interpreted"], found["warm_start"], found["cold_start"]
    console.print(f"interpreted, {slow['case']} cells: {slow['x_real_time']:g} x real time")
    console.print(f"staged, fused and interpreted end in the same state: {found['state_hashes']['staged'][:16]}")
    worst = max(found["soc_difference"].values())
    console.print(f"largest difference between a cell's SOC here and in the obvious design: {worst:.1g}")
    console.print("fresh processes: " + ", ".join(f"{name} {seconds:g} s" for name, seconds in found["imports_s"].items()))
    console.print(f"nabench run {run['scenario']}, report included, warm cache: {run['wall_s']:g} s")
    if cold is not None:
        console.print(
            f"compiling into an empty cache: {cold['compile_s']:g} s; the fused loop on top: {cold['fused_on_top_s']:g} s"
        )


def verdicts(promised: list[Target]) -> Table:
    """Targets with what was measured, and whether they are met."""
    table = Table(title="Targets", title_justify="left", header_style="bold")
    for column in ("figure", "target", "measured", ""):
        table.add_column(column, justify="left" if column in ("figure", "") else "right")
    for target in promised:
        sign = ">=" if target.at_least else "<="
        mark = "[green]met[/]" if target.met else "[yellow]missed (an aim)[/]" if target.aim else "[red]missed[/]"
        table.add_row(target.name, f"{sign} {target.limit:g}", f"{target.value:g}", mark)
    return table
