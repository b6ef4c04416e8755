"""Search figures of [filter.sodium] on simulated drives: seeds 7, 11 and 13, never seed 1, which is judged.

    python tools/search_filter.py                                    how far from what is asked the calibration is
    python tools/search_filter.py --minutes 60 --out best.json       search from there; the best so far stands in the file
    python tools/search_filter.py --minutes 60 --begin best.json --out best.json
    python tools/search_filter.py --set capacity_sigma=0.09          the same with a figure of one's own

One to three figures are moved at a time, each by a factor, and kept where the distance falls. Distance: the sum over all that
hil/score/floors.toml asks of the conditions, of found over asked; and where a share of time or starts is within HEADROOM of
its bounds, 20 times what is missing. Bands are asked at HEADROOM, too, since other cells are judged than those of the search.
--seed and --draws, --condition: other cells, other conditions (default: those of layered oxide and capacity); --combinations 4:
fewer of the sensor errors' signs, so that more cells can be asked in the same time.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from peer_scores import FEW

from hil import calibration
from hil.dut.estimator import Readings
from hil.errors import ScenarioError
from hil.score import cases, conditions, figures, floors
from hil.score.believe import beliefs_of, believe
from hil.score.case import Case
from hil.score.figures import COUNTING, Sums, Track
from hil.score.inject import SIGNS, Signs, inject
from hil.score.score import track

SEEDS = (7, 11, 13)
CONDITIONS = ("drive", "drive-cold", "tub-5degC", "aged", "wrong-start")
CAPACITY = "soh"
CAPACITY_ASKED = 0.04  # tables of another cell
HEADROOM, SHORT, STEP = 0.02, 20.0, 0.35
# Figures that are searched, with their bounds; the others of [filter.sodium] are decided elsewhere (docs/estimation.md).
FIGURES: dict[str, tuple[float, float]] = {
    "model_V2s": (0.02, 1.5), "ocv_sigma_V": (0.003, 0.05), "ocv_span_soc": (0.05, 3.0), "curve_sigma_V": (0.005, 0.05),
    "curve_span_soc": (0.01, 0.4), "slope_span_soc": (0.01, 0.1), "hysteresis_sigma": (0.2, 1.0),
    "resistance_sigma": (0.02, 0.3), "resistance_walk_per_soc": (0.002, 0.3), "resistance_error_share": (0.01, 0.3),
    "capacity_sigma": (0.02, 0.12), "age_sigma": (0.1, 0.8), "bias_sigma_A": (0.003, 0.03),
    "temperature_sigma_K": (2.0, 8.0), "temperature_walk_K2_per_s": (1e-6, 1e-3), "reach_sigma": (0.02, 0.4),
    "swing_V2s": (0.0001, 0.1),
    "step_share": (0.005, 0.3), "cold_V_per_K": (0.001, 0.2), "band_share": (0.4, 1.0), "band_floor": (0.001, 0.015),
    "band_V": (0.0005, 0.01), "band_per_K": (0.0001, 0.004),
}  # fmt: skip


class Run(NamedTuple):
    """A case with its readings; counted: coulomb counting over it, None for a case of capacity."""

    case: Case
    readings: Readings
    counted: Track | None


def runs(seeds: list[int], draws: int, wanted: tuple[str, ...], signs: Sequence[Signs] = SIGNS) -> list[Run]:
    """All cases of the conditions, and those of capacity, under these signs of sensor errors."""
    out = []
    for seed in seeds:
        for condition in wanted:
            found = conditions.soh(seed, draws) if condition == CAPACITY else conditions.CONDITIONS[condition](seed, draws)
            for case in found:
                readings = inject(case, signs, seed)
                out.append(Run(case, readings, None if condition == CAPACITY else track(case, readings, COUNTING)))
    return out


def distance(of: list[Run], figures_of: dict[str, float]) -> tuple[float, list[str]]:
    """How far the figures are from what is asked, and a line for each condition."""
    total, lines, tracks, capacity = 0.0, [], [], []
    for case, readings, counted in of:
        told = replace(case, filter=tuple({**dict(case.filter), **figures_of}.items()))
        if counted is not None:
            tracks += [track(told, readings, "sodium"), counted]
            continue
        beliefs = beliefs_of(told)
        said = believe(told, readings, "sodium", (case.start_soc, case.start_sigma), beliefs=beliefs)
        assert case.drawn is not None
        capacity += list(said.capacity_share * beliefs.model.capacity_Ah / case.drawn.capacity_Ah - 1.0)
    for row in figures.rows([replace(one, case=figures.bare(one.case)) for one in tracks]):
        asked = floors.asked(row)
        if row.method == "sodium" and asked:
            total += sum(cost(one) for one in asked)
            lines.append(text_of(f"{row.condition}, {row.region}", row.sums, sum(one.met for one in asked), len(asked)))
    if capacity:
        rmse = math.sqrt(sum(error * error for error in capacity) / len(capacity))
        total += rmse / CAPACITY_ASKED
        lines.append(f"capacity, tables of another cell: RMSE {100 * rmse:.2f} %")
    return total, lines


def cost(one: floors.Asked) -> float:
    """What one demand adds to the distance."""
    if one.value is None:
        return SHORT
    if one.high < 1.0 and one.low > 0.0:  # a share of time: both ends
        return SHORT * (max(one.low + HEADROOM - one.value, 0.0) + max(one.value - one.high + HEADROOM / 2, 0.0))
    if one.low > 0.0:  # a share of starts
        return SHORT * max(one.low + HEADROOM / 2 - one.value, 0.0)
    over = one.value / one.high
    return max(over - 0.92, 0.0) if one.what == "band_half_width_of_rmse" else over * (0.35 if one.what == "max" else 1.0)


def text_of(name: str, of: Sums, met: int, asked: int) -> str:
    """One line: errors, band, and how much of what is asked is met."""
    band = "" if of.band_coverage is None else f", {100 * of.band_coverage:.1f} % in the band"
    width = "" if of.band_half_width is None else f" of {of.band_half_width / of.rmse:.2f} x RMSE"
    return f"{name}: RMSE {100 * of.rmse:.2f} %, max {100 * of.max:.2f} %{band}{width}; {met} of {asked} met"


def search(
    of: list[Run], begin: dict[str, float], bounds: dict[str, tuple[float, float]], told: argparse.Namespace
) -> dict[str, float]:  # fmt: skip
    """The best figures within their bounds that are found in this time, or in so many tries, as told by words_of."""
    dice, best, tries, out = random.Random(told.dice), begin, told.tries, told.out
    least, lines = distance(of, best)
    print("\n".join([*lines, f"distance {least:.3f}"]), flush=True)
    end = time.monotonic() + 60.0 * told.minutes
    while time.monotonic() < end or tries > 0:
        tries -= 1
        tried = dict(best)
        for name in dice.sample(sorted(bounds), dice.choice((1, 2, 2, 3))):
            low, high = bounds[name]
            tried[name] = min(max(tried[name] * math.exp(dice.gauss(0.0, STEP)), low), high)
        found, lines = distance(of, tried)
        if found < least:
            least, best = found, tried
            print("\n".join([*lines, f"distance {least:.3f}"]), flush=True)
            if out is not None:
                out.write_text(json.dumps(best, indent=1) + "\n", encoding="utf-8")
    return best


def read_figures(shipped: dict[str, float], told: argparse.Namespace) -> dict[str, float]:
    """Where to begin: what ships, a file's, and what was set. Raises ScenarioError."""
    found = dict(shipped)
    if told.begin is not None:
        found.update(json.loads(told.begin.read_text(encoding="utf-8")))
    for pair in told.set:
        name, _, value = pair.partition("=")
        if name not in shipped:
            raise ScenarioError(f"--set {pair}: expected FIGURE=NUMBER, FIGURE one of {', '.join(shipped)}")
        try:
            found[name] = float(value)
        except ValueError:
            raise ScenarioError(f"--set {pair}: expected FIGURE=NUMBER, a number behind the =") from None
    return found


def words_of(text: str | None) -> argparse.ArgumentParser:
    """The arguments of a search."""
    words = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--minutes", type=float, default=0.0)
    words.add_argument("--tries", type=int, default=0, help="look so often at least, however long it takes")
    words.add_argument("--begin", type=Path, help="figures of an earlier search")
    words.add_argument("--out", type=Path)
    words.add_argument("--set", action="append", default=[], metavar="FIGURE=NUMBER")
    words.add_argument("--dice", type=int, default=1, help="seed of the search itself")
    return words


def main(arguments: list[str]) -> int:
    """Measure, search, print what was found as lines of the calibration file."""
    words = words_of(__doc__)
    words.add_argument("--seed", type=int, action="append", help=f"of the cells (default: {', '.join(map(str, SEEDS))})")
    words.add_argument("--draws", type=int, default=2)
    words.add_argument("--condition", action="append", choices=(*cases.names(), CAPACITY))
    words.add_argument("--combinations", type=int, default=len(SIGNS), choices=(2, 4, 8, len(SIGNS)))
    told = words.parse_args(arguments)
    try:
        sodium = calibration.load(conditions.BELIEF)[1].filter.sodium
        begin = read_figures({name: float(getattr(sodium, name)) for name in FIGURES}, told)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    wanted = tuple(told.condition or (*CONDITIONS, CAPACITY))
    signs = SIGNS if told.combinations == len(SIGNS) else FEW[: told.combinations]
    of = runs(told.seed or list(SEEDS), told.draws, wanted, signs)
    best = search(of, begin, FIGURES, told)
    print("\n".join(f"{name} = {value:.3g}" for name, value in best.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
