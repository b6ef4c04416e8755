"""Search the figures of the filter for the recorded rig on runs of cell 1, each with tables fitted to the other four.

    python tools/search_rig.py                                   how far from what is asked hil/score/recordings.toml is
    python tools/search_rig.py --minutes 60 --out best.json      search from there; the best so far stands in the file
    python tools/search_rig.py --set band_share=0.2              the same with a figure of one's own
    python tools/search_rig.py --plain --minutes 5               search the band alone, without the errors below

Cell 2, which is judged, is never read. As another cell has another curve, a smooth error of APART_V RMS lies on the voltages,
another one in each combination of sensor errors: two of these cells differ by 11 to 29 mV at equal throughput. The band is
that of the cells as they are (--plain): there a run's tables, of four other runs, miss by as much. Distance and steps are those
of tools/search_filter.py, the demands those of hil/score/floors.toml for recorded discharges and recharges.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import replace

import fit_belief
import numpy as np
from nfm_model import read_cell
from search_filter import Run, read_figures, search, words_of

from firmware_sim.types import F64
from hil.calibration_tables import Model
from hil.dut.estimator import Readings
from hil.errors import ScenarioError
from hil.score import recorded
from hil.score.case import Case
from hil.score.dice import Dice
from hil.score.drawn import KNOTS_SOC, X, smooth
from hil.score.figures import COUNTING
from hil.score.inject import inject
from hil.score.score import track

APART_V, SEED = 0.020, 5
FIGURES: dict[str, tuple[float, float]] = {
    "heat_K_per_W": (5.0, 150.0), "heat_tau_s": (100.0, 2000.0), "capacity_sigma": (0.003, 0.1),
    "capacity_walk_per_s": (1e-11, 1e-7), "ocv_sigma_V": (0.002, 0.08), "ocv_span_soc": (0.03, 1.0),
    "slope_span_soc": (0.005, 0.1), "curve_sigma_V": (1e-6, 0.05), "curve_span_soc": (0.01, 0.4),
    "hysteresis_sigma": (0.05, 1.0), "model_V2s": (0.001, 2.0), "resistance_sigma": (0.03, 0.6),
    "resistance_walk_per_soc": (1e-3, 1.0), "resistance_error_share": (0.005, 0.5), "step_share": (0.001, 0.5),
    "bias_sigma_A": (0.001, 0.15), "bias_walk_A2_per_s": (1e-11, 1e-6), "current_error_share": (1e-5, 0.05),
    "current_error_A": (1e-5, 0.05), "band_floor": (0.0003, 0.02), "band_V": (0.0003, 0.03), "band_share": (0.1, 1.0),
}  # fmt: skip
BAND = ("band_floor", "band_V", "band_share")


def left_out(name: str) -> Model:
    """What the cell is believed to be without this run."""
    cell = fit_belief.with_i0(read_cell(fit_belief.CELL_FILE), fit_belief.RIG_I0)
    belief, _ = fit_belief.fit(cell, fit_belief.RIG_TURNS, fit_belief.RIG_HOLD_FACTOR, name)
    text = fit_belief.RIG_HEAD + fit_belief.model_text(belief, "runs left out")
    return recorded.ModelFile.model_validate(tomllib.loads(text)).model


def as_another_cell(case: Case, told: Readings) -> Readings:
    """The readings with an error of the curve on their voltages, one for each combination."""
    soc = case.reference.copy()
    first = int(np.argmax(np.isfinite(soc)))
    fallen = np.cumsum(case.current_A[:first])  # before a recharge: the discharge that leads to it
    soc[:first] = 1.0 - fallen / max(float(fallen.max(initial=0.0)), 1e-9)
    cell_V: F64 = told.cell_V.copy()
    for p in range(cell_V.shape[1]):
        dice = Dice(SEED, "another cell", p)
        error_V = APART_V * smooth(dice, float(dice.uniform(*KNOTS_SOC)[0]))
        cell_V[:, p, 0] += np.interp(soc, X, error_V)
    return replace(told, cell_V=cell_V)


def runs(of: recorded.RecordedSet, plain: bool) -> list[Run]:
    """Discharge and recharge of each fitted run; plain: of cell 1 as it is."""
    out = []
    for name in of.fitted:
        model = left_out(name)
        for condition in ("discharge", "recharge"):
            case = replace(recorded.case(of, name, condition), model=model, model_name=f"without {name}")
            readings = inject(case, seed=SEED)
            readings = readings if plain else as_another_cell(case, readings)
            out.append(Run(case, readings, track(case, readings, COUNTING)))
    return out


def main(arguments: list[str]) -> int:
    """Measure, search, print what was found as a line of hil/score/recordings.toml."""
    words = words_of(__doc__)
    words.add_argument("--plain", action="store_true")
    told = words.parse_args(arguments)
    of = recorded.sets()[0]
    try:
        missing = [name for name in FIGURES if name not in of.filter]
        if missing:
            raise ScenarioError(f"recordings.toml: filter of {of.name} lacks {', '.join(missing)}")
        begin = read_figures({name: of.filter[name] for name in FIGURES}, told)
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    moved = {name: FIGURES[name] for name in (BAND if told.plain else FIGURES)}
    best = search(runs(of, told.plain), begin, moved, told)
    line = ", ".join(f"{name} = {value:.3g}" for name, value in {**of.filter, **best}.items())
    print(f"filter = {{ {line} }}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
