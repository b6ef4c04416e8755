"""Put the figures of a speed measurement into docs/speed.md.

nabench bench --json > speed.json && python tools/figures.py speed.json
nabench bench --peers --json > peers.json && python tools/figures.py peers.json
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
_HOPS = (
    ("1 plant", ("1 plant",)),
    ("2 sense", ("2 sense",)),
    ("3 encode and send", ("3 encode and send",)),
    ("4 receive and decide", ("4a receive and decode", "4b estimate and decide")),
    ("5 encode back", ("5 encode and send back",)),
    ("6 obey", ("6 receive, decode, obey",)),
    ("7 record", ("7 record",)),
    ("decode status frames", ()),
)


def _ratio(found: dict[str, Any], peer: str, gear: str, cells: str) -> str:
    """A ratio of cell-seconds with its quartiles."""
    low, high = found["quartiles"][cells][f"{gear} vs {peer}"]
    return f"{found[f'ratio_vs_{peer}'][gear][cells]:,.0f} ({low:,.0f} to {high:,.0f})"


def ratio(found: dict[str, Any], key: str, gear: str, cells: str) -> str:
    """A ratio with its quartiles."""
    low, high = found["quartiles"][cells][f"{gear} vs {key}"]
    return f"{found[f'ratio_vs_{key}'][gear][cells]:.0f} ({low:.0f} to {high:.0f})"


def figures(found: dict[str, Any], day: str) -> str:
    """The tables between the marks."""
    m, ticks = found["machine"], found["tick_us"]
    versions = ", ".join(f"{name} {m[name.lower()]}" for name in ("Python", "NumPy", "Numba", "cantools", "python-can"))
    out = [
        f"{day}, {m['processor']} ({m['cores']} cores, load {m['load_average']:.1f}), {versions}.",
        "",
        "| cells | gear | tick us | x real time | x the obvious design | x cantools and python-can alone |",
        "|---|---|---|---|---|---|",
    ]
    for cells in ticks:
        for gear in ("staged", "fused"):
            cols = (ratio(found, "baseline", gear, cells), ratio(found, "codec_and_bus", gear, cells))
            speed = f"{found['x_real_time'][gear][cells]:,.0f}"
            out.append(f"| {cells} | {gear} | {ticks[cells][gear]:.1f} | {speed} | {cols[0]} | {cols[1]} |")
    sizes = ", ".join(ticks)
    slow = {key: ", ".join(f"{ticks[cells][key]:,.0f}" for cells in ticks) for key in ("baseline", "codec_and_bus")}
    out += [
        "",
        f"The obvious design: {slow['baseline']} us a tick at {sizes} cells;",
        f"cantools and python-can alone: {slow['codec_and_bus']} us.",
        "",
        "| hop, 96 cells | staged us | compiled us | the obvious design us |",
        "|---|---|---|---|",
    ]
    hops = found["hops_us"]["96"]
    for name, theirs in _HOPS:
        compiled = f"{hops['compiled'][name]:.1f}" if name in hops["compiled"] else ""
        slow_us = f"{sum(hops['baseline'][hop] for hop in theirs):,.0f}" if theirs else ""
        out.append(f"| {name} | {hops['staged'][name]:.1f} | {compiled} | {slow_us} |")
    costs = found["methods"]
    out += [
        "",
        f"| estimator, {costs['packs']} packs of {costs['cells']} cells | ns per cell and tick | x `ekf` | beyond counting |",
        "|---|---|---|---|",
    ]
    for name, cell_ns in costs["ns_per_cell"].items():
        low, high = costs["quartiles"][name]
        times = f"{costs['ratio_vs_ekf'][name]:.2f} ({low:.2f} to {high:.2f})"
        out.append(f"| `{name}` | {cell_ns:.1f} | {times} | {costs['beyond_counting'][name]:.2f} |")
    out += [
        "",
        "| codec in bulk | decode ns | x cantools | encode ns | x cantools, `strict=False` | x cantools, strict |",
        "|---|---|---|---|---|---|",
    ]
    for frame, row in found["codec_bulk"].items():
        ns = row["ns_per_frame"]
        out.append(
            f"| {frame} | {ns['decode']:.0f} | {row['decode_ratio']:.0f} | {ns['encode']:.0f} | {row['encode_ratio']:.0f} | "
            f"{row['encode_ratio_strict']:.0f} |"
        )
    cold, warm = found["cold_start"], found["warm_start"]
    out += [
        "",
        f"Interpreted: {found['interpreted']['x_real_time']:.1f} x real time at 16 cells.",
        f"`nabench --help` {found['imports_s']['nabench --help']:.2f} s;",
        f"`nabench run` on a scenario of 60 s, report included, {warm['wall_s']:.1f} s;",
        f"compiling into an empty cache {cold['compile_s']:.1f} s, the fused loop another {cold['fused_on_top_s']:.1f} s.",
    ]
    return "\n".join(out)


def peers(found: dict[str, Any], day: str) -> str:
    """The tables of the comparison with other solvers."""
    m, tick_us, speed = found["machine"], found["tick_us"], found["cell_s_per_cpu_s"]
    versions = ", ".join(f"{name} {m[name.lower()]}" for name in ("Python", "NumPy", "Numba", "thevenin", "PyBaMM"))
    out = [
        f"{day}, {m['processor']} ({m['cores']} cores, load {m['load_average']:.1f}), {versions}.",
        "",
        "| closed loop, steps of 10 ms | cells | step us | cell-s per CPU-s | x thevenin | x PyBaMM |",
        "|---|---|---|---|---|---|",
    ]
    names = {"thevenin": "thevenin", "pybamm": "PyBaMM"}
    for gear, sizes in tick_us.items():
        for cells, us in sizes.items():
            ratios = [_ratio(found, peer, gear, cells) if gear not in names else "" for peer in names]
            name = names.get(gear, f"nabench, {gear}")
            out.append(f"| {name} | {cells} | {us:,.2f} | {speed[gear][cells]:,.0f} | {ratios[0]} | {ratios[1]} |")
    out += ["", "| an hour at one current, one cell | CPU ms | cell-s per CPU-s | voltage at its end V |", "|---|---|---|---|"]
    for solver, row in found["hour"].items():
        name = f"{names[solver]}, its own steps" if solver in names else f"nabench, {solver}"
        out.append(f"| {name} | {row['cpu_ms']:,.2f} | {row['cell_s_per_cpu_s']:,.0f} | {row['end_V']:.5f} |")
    worst = " and ".join(f"{mV:.2f} mV ({names[peer]})" for peer, mV in found["difference_mV"].items())
    out += ["", f"Largest difference of terminal voltage in steps of 10 ms: {worst}."]
    return "\n".join(out)


def main() -> None:
    """Read the measurement, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measurement", type=Path, help="output of nabench bench --json, without --quick")
    found = json.loads(parser.parse_args().measurement.read_text(encoding="utf-8"))
    day = f"{datetime.datetime.now(datetime.UTC):%d %B %Y}"
    mark, tables = ("peers", peers) if "hour" in found else ("figures", figures)
    text = PAGE.read_text(encoding="utf-8")
    marks = rf"(<!-- {mark} -->\n).*(\n<!-- /{mark} -->)"
    PAGE.write_text(re.sub(marks, lambda m: f"{m[1]}\n{tables(found, day)}\n{m[2]}", text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
