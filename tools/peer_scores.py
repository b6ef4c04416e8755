"""Score estimators of other packages beside ours and put the table into docs/peers-score.md.

    python tools/peer_scores.py --peer filterpy-ekf=/path/to/python --peer pybatteryse=/path/to/another/python

Each peer runs in the interpreter of an environment that has it. Every row runs twice, as it was recorded or simulated and with
sensor errors in all sign combinations: the same readings for ours and theirs. --condition (may be given again), --draws,
--combinations 4 and --only TEXT (cases with this in their names, may be given again) make it shorter, which the page then
says; --print leaves the page alone. Without --peer the page's own rows of peers stay, where they are of the same runs: for
when ours have changed.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hil.score import cases, figures, peers
from hil.score.believe import METHODS, emulated
from hil.score.figures import Sums, Track, bare
from hil.score.inject import SIGNS, clean, inject
from hil.score.score import track

PAGE = Path(__file__).parents[1] / "docs" / "peers-score.md"
CONDITIONS = ("discharge", "recharge", "drive")
# Of both signs as often, for each sensor, in the first two, four and all eight.
FEW = (
    (1, 1, 1, 1),
    (-1, -1, -1, -1),
    (1, -1, 1, -1),
    (-1, 1, -1, 1),
    (1, 1, -1, -1),
    (-1, -1, 1, 1),
    (1, -1, -1, 1),
    (-1, 1, 1, -1),
)


class Line(NamedTuple):
    """One method in one condition, shares of SOC. hour_s: wall time that an hour of one cell took [s]."""

    condition: str
    method: str
    clean: Sums
    errors: Sums
    worst: float
    window: Sums | None
    hour_s: float


def measure(
    methods: Sequence[str],
    pythons: dict[str, str],
    conditions: Sequence[str],
    draws: int,
    combinations: int,
    only: Sequence[str],
) -> list[Line]:
    """All lines."""
    make = peers.maker(pythons, emulated)
    signs = SIGNS if combinations >= len(SIGNS) else FEW[:combinations]
    lines = []
    for group in cases.groups(conditions, 1, draws):
        found: dict[str, tuple[list[Track], list[Track]]] = {method: ([], []) for method in methods}
        taken_s, hours = dict.fromkeys(methods, 0.0), 0.0
        for case in [case for case in group.make() if not only or any(text in case.data for text in only)]:
            readings = clean(case), inject(case, signs, 1)
            hours += (1 + len(signs)) * len(case.current_A) * case.dt_ns / 3.6e12
            for method in methods:
                begun = time.perf_counter()
                for tracks, one in zip(found[method], readings, strict=True):
                    said = track(case, one, method, make)
                    tracks.append(replace(said, case=bare(case)))
                taken_s[method] += time.perf_counter() - begun
                print(f"{case.data}: {method}", file=sys.stderr, flush=True)
        for method, (plain, wrong) in found.items():
            whole, rough = figures.pooled(plain, "all"), figures.pooled(wrong, "all")
            if whole is not None and rough is not None:
                worst = max(rmse for one in wrong for rmse in figures.singles(one, "all"))
                window = figures.pooled(wrong, "window")
                lines.append(Line(group.name, method, whole, rough, worst, window, taken_s[method] / hours))
    return lines


def percent(share: float | None) -> str:
    """Two digits, or a dash."""
    return "-" if share is None else f"{100 * share:.2f}"


def kept(page: str, of: str) -> tuple[str, list[str]]:
    """Versions and rows of peers on the page. of: what they must be of. Raises SystemExit when they are of something else."""
    found = re.search(r"<!-- peers-score -->\n\n[^,]*, ([^;]*); ([^\n]*)\n(.*?)<!-- /peers-score -->", page, re.DOTALL)
    if found is None or found[2] != of:
        raise SystemExit(f"the page's rows of peers are not of: {of}; give --peer to run them")
    rows = [(row, row.split(" | ")) for row in found[3].splitlines()]
    return found[1], [row for row, cells in rows if len(cells) > 1 and cells[1] in peers.PEERS]


def markdown(lines: Sequence[Line], about: str, others: Sequence[str] = ()) -> str:
    """The table between the marks. others: rows that stay, behind those of their condition."""
    out = [
        about,
        "",
        "| condition | method | as recorded | with errors | worst | max | in the band | half width | window | s per h |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        e = line.errors
        cells = [percent(x) for x in (line.clean.rmse, e.rmse, line.worst, e.max)]
        cells += ["-" if e.band_coverage is None else f"{100 * e.band_coverage:.0f} %", percent(e.band_half_width)]
        cells += [percent(None if line.window is None else line.window.rmse), f"{line.hour_s:.2g}"]
        out.append(f"| {line.condition} | {line.method} | {' | '.join(cells)} |")
    for condition in {line.condition: None for line in lines}:
        last = max(n for n, row in enumerate(out) if row.startswith(f"| {condition} |"))
        out[last + 1 : last + 1] = [row for row in others if row.startswith(f"| {condition} |")]
    return "\n".join(out)


def main() -> None:
    """Measure, print, and write the page."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help=f"one of {', '.join(peers.PEERS)}")
    words.add_argument("--method", action="append", metavar="M", help="ours; all when left out")
    words.add_argument("--condition", action="append", choices=cases.names())
    words.add_argument("--draws", type=int, default=1)
    words.add_argument("--combinations", type=int, default=len(SIGNS), choices=(2, 4, 8, len(SIGNS)))
    words.add_argument("--only", action="append", default=[], metavar="TEXT")
    words.add_argument("--print", action="store_true", dest="only_print")
    told = words.parse_args()
    pythons = dict(text.split("=", 1) for text in told.peer)
    versions = {name: peers.version(peers.PEERS[name], python) for name, python in pythons.items()}
    methods = [*(told.method or METHODS), *pythons]
    part = f"; only {', '.join(told.only)}" if told.only else ""
    part += f"; conditions {', '.join(told.condition)}" if told.condition else ""
    of = f"seed 1, {told.combinations} combinations of sensor errors, {told.draws} drawn cells{part}."
    used, others = ("", []) if pythons or told.only_print else kept(PAGE.read_text(), of)
    lines = measure(methods, pythons, told.condition or CONDITIONS, told.draws, told.combinations, told.only)
    packages = {peers.PEERS[name].package: found for name, found in versions.items()}
    used = used or ", ".join(f"{package} {found}" for package, found in packages.items())
    day = f"{datetime.datetime.now(tz=datetime.UTC):%-d %B %Y}"
    text = markdown(lines, f"{day}, {used}; {of}", others)
    print(text)
    if not told.only_print:
        page = PAGE.read_text()
        marked = re.compile(r"(<!-- peers-score -->\n).*?(\n<!-- /peers-score -->)", re.DOTALL)
        PAGE.write_text(marked.sub(lambda m: f"{m[1]}\n{text}\n{m[2]}", page))


if __name__ == "__main__":
    main()
