"""What a BMS believes about the layered-oxide 18650, from constant-current runs of Hakadi cell 1 (cell 2 stays unseen).

    python tools/fit_belief.py            write the [model] tables of firmware_sim/calibration/nfm-16s.toml, those of the
                                          recorded cells alone, hil/score/hakadi-18650.toml, and cell 2's own for the bound
                                          of the recordings, hil/score/hakadi-18650-own.toml
    python tools/fit_belief.py --check    compare them with the files
    python tools/fit_belief.py --left-out voltage error of each run's discharge with tables fitted to the other four, over
                                          HOLD_FACTOR for the pack and over exchange currents for the recorded cells

    V = U(x) + h M(x) + dU/dT (T - 25) - f(x) D,   D = I R0 + u1 + u2 + u3 of the TUB cell at T

x is the share of each leg's own throughput, discharge and recharge alike. So the voltage is linear in the knots of U, of the
loop's half width M and of f, a factor on TUB's resistances: one bounded least-squares problem. Constant current cannot tell
a loop from a resistance, nor either from slow relaxation, so M is held near what two rigs report and R3 is that of the cell
file; nor a resistance from a curve, so neighbouring knots of f are held together with HOLD_FACTOR, chosen by runs left out: all
others that were tried, 0.005 to 2, err more on these (0.02 by 0.9 mV, most of it in the fastest run). T is the room's
temperature and the heat that each second loses, through one lump: HEAT_K_PER_W and HEAT_TAU_S were chosen by the fit's error
on these runs.

The pack's belief has TUB's kinetics. For the recorded cells these are too weak: with each run left out in turn the error of its
discharge falls from 25.5 to 22.2 mV when the exchange current is a twentieth, that of the slowest from 30 to 18; a fiftieth
gives 21.7, which is no news. So the belief that the recordings are scored with has RIG_I0 times TUB's. With it, a stiffer f
takes 0.6 mV, which is none either, and SOC errs more at most (tools/search_rig.py): RIG_HOLD_FACTOR.

Cell 2's own tables come the same way from the very runs that are judged. No belief under test has seen them: they are what this
structure can know of that cell at best, and so the bound of the recorded lines.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import replace

import numpy as np
from fit_nfm import CELL_FILE, LOOP_HALF_V, LOOP_SOC, OCV_SOC, fit_reach
from nfm_extras import law_tables
from nfm_linear import FACTOR_SOC, kinetic_left, tub_ohm
from nfm_model import F64, HYSTERESIS_PER_SOC, ROOM_DEGC, ROOT, Cell, checkup, column, hat, legs, read_cell, table
from nfm_text import CELL_1, CELL_2, HAKADI_REPOSITORY, RIG, Fitted, belief_text, differences, with_belief
from scipy.optimize import lsq_linear
from scipy.signal import lfilter

BELIEF_FILE = ROOT / "firmware_sim" / "calibration" / "nfm-16s.toml"
RIG_FILE = ROOT / "hil" / "score" / "hakadi-18650.toml"
OWN_FILE = RIG_FILE.with_name("hakadi-18650-own.toml")
RIG_I0, RIG_TURNS = 0.05, 6
I0_FACTORS = (1.0, RIG_I0, 0.02)
HOLDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 2.0)
HEAT_K_PER_W, HEAT_TAU_S = 60.0, 600.0
HEAT_SOURCE = (
    "assumption: 37 g of such a cell (github.com/MaxMax-embedded/hakadi_soidum_ion_18650 a13c42d, CC0) "
    "at 900 J/kg/K, the low end of what such cells have"
)
HEAT = f"""

[model.heat]
source = "{HEAT_SOURCE}"
confidence = "assumption"
capacity_J_per_K = 33.0
"""
RIG_HEAD = """# What the recorded cells of hakadi-18650 are believed to be: made by tools/fit_belief.py from runs of cell 1.
format = 1

"""
OWN_HEAD = """# What cell 2 of hakadi-18650 is, as far as tables say: made by tools/fit_belief.py from the runs that are judged.
format = 1

"""
FACTOR_RANGE, HALF_RANGE_V = (0.3, 3.0), (0.002, 0.2)
HOLD_HALF, HOLD_FACTOR, RIG_HOLD_FACTOR = 1.0, 0.1, 0.02
SKIP_S, EMPTY, EMPTY_WEIGHT = 60, 0.03, 0.3
UNSEEN_WEIGHT = 1e-6


def pair(target_V: F64, tau_s: float) -> F64:
    """An RC pair that is driven towards target_V, one step a second."""
    keep = np.exp(-1.0 / tau_s)
    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], target_V))


class Leg:
    """Discharge and recharge of a run, one row a second: volt, amps (positive on discharge), x, h."""

    def __init__(self, name: str) -> None:
        down, up = legs(name)
        self.n_down = len(down)
        self.volt, self.amps = np.concatenate([down, up]).T
        fallen, risen = (np.cumsum(leg[:, 1]) / leg[:, 1].sum() for leg in (down, up))
        self.x = np.concatenate([np.maximum(1.0 - fallen, 0.0), risen])
        self.h = np.concatenate([-np.ones(len(down)), 1.0 - 2.0 * np.exp(-HYSTERESIS_PER_SOC * risen)])
        self.weight = np.concatenate([np.full(len(leg), len(leg) ** -0.5) for leg in (down, up)])
        self.weight[: self.n_down] *= np.where(self.x[: self.n_down] < EMPTY, EMPTY_WEIGHT, 1.0)
        self.weight[self.n_down : self.n_down + SKIP_S] *= 0.1

    def drop(self, cell: Cell, mean_V: F64) -> tuple[F64, F64]:
        """D [V] and temperature [degC], with mean_V over OCV_SOC for the heat."""
        lost_W = self.amps * (np.interp(self.x, OCV_SOC, mean_V) - self.volt)
        degC = ROOM_DEGC + pair(lost_W * HEAT_K_PER_W, HEAT_TAU_S)
        r0, r1, r2 = tub_ohm(self.x, degC)
        share, left = kinetic_left(cell, self.amps, degC)
        slow = cell.slow
        assert slow is not None
        d = self.amps * r0 * (1.0 - share + share * left) + pair(r1 * left * self.amps, cell.tau1_s)
        return d + pair(r2 * self.amps, cell.tau2_s) + pair(slow.r3_share * r2 * self.amps, slow.tau3_s), degC


def fit(
    cell: Cell, turns: int = 3, hold: float = HOLD_FACTOR, left_out: str | None = None, of: Fitted = CELL_1
) -> tuple[Cell, dict[str, float]]:
    """The belief, and its voltage RMSE [mV] per run, of the discharge alone for one that was left out of the fit.

    turns: between the curve and the heat that it gives.  hold: how much neighbouring knots of f are held together.
    """
    runs = {name: Leg(name) for name in of.runs}
    if left_out is not None:
        runs[left_out].weight *= UNSEEN_WEIGHT
    mean_V = 0.5 * (cell.discharge_V + cell.charge_V)
    n, m = len(OCV_SOC), len(OCV_SOC) + len(LOOP_SOC)
    p = m + len(FACTOR_SOC)
    held = np.zeros((p - m - 1, p))
    for j in range(p - m - 1):
        held[j, m + j], held[j, m + j + 1] = -hold, hold
    loop = np.zeros((m - n, p))
    loop[:, n:m] = HOLD_HALF * np.eye(m - n)
    low = np.concatenate([np.zeros(n), np.full(m - n, HALF_RANGE_V[0]), np.full(p - m, FACTOR_RANGE[0])])
    high = np.concatenate([np.full(n, 5.0), np.full(m - n, HALF_RANGE_V[1]), np.full(p - m, FACTOR_RANGE[1])])
    for _ in range(turns):
        rows, targets = [], []
        for leg in runs.values():
            d, degC = leg.drop(cell, mean_V)
            dudt = np.interp(leg.x, cell.entropy_soc, cell.dudt_V_per_K)
            parts = [hat(leg.x, OCV_SOC), hat(leg.x, LOOP_SOC) * leg.h[:, None], -hat(leg.x, FACTOR_SOC) * d[:, None]]
            rows.append(np.hstack(parts) * leg.weight[:, None])
            targets.append((leg.volt - dudt * (degC - ROOM_DEGC)) * leg.weight)
        matrix = np.vstack([*rows, held, loop])
        target = np.concatenate([*targets, np.zeros(len(held)), HOLD_HALF * LOOP_HALF_V])
        found = lsq_linear(matrix, target, (low, high)).x
        mean_V = found[:n]
    half_V = np.interp(OCV_SOC, LOOP_SOC, found[n:m])
    rmse_mV = {}
    for (name, leg), row, target in zip(runs.items(), rows, targets, strict=True):
        error_V = (target - row @ found) / leg.weight
        end = leg.n_down if name == left_out else len(error_V)
        rmse_mV[name] = 1e3 * float(np.sqrt(np.mean(error_V[SKIP_S:end] ** 2)))
    ln_r = cell.ln_r + np.log(np.interp(cell.r_soc, FACTOR_SOC, found[m:]))
    seen = [leg for name, leg in runs.items() if name != left_out]
    own_Ah = float(np.mean([leg.amps[: leg.n_down].sum() for leg in seen])) / 3600.0
    top_V = (mean_V - half_V)[-1] - (mean_V - half_V)[OCV_SOC == 0.95][0]
    belief = replace(
        cell,
        capacity_Ah=own_Ah,
        soc=OCV_SOC,
        discharge_V=_rising(mean_V - half_V),
        charge_V=_rising(mean_V + half_V),
        ln_r=ln_r,
        above_V_per_soc=round(float(top_V) / 0.05, 2),
    )
    protocol = table("sib_protocol.csv")
    ratio = checkup(belief, protocol[2]) / float(protocol[2]["q_dis_ah"])
    wanted = dict(zip(column(protocol, "t_set_c").tolist(), (ratio * column(protocol, "q_dis_ah")).tolist(), strict=True))
    return fit_reach(belief, wanted), rmse_mV


def _rising(volt: F64) -> F64:
    """The curve with at least half a millivolt from knot to knot."""
    out = volt.copy()
    for j in range(1, len(out)):
        out[j] = max(out[j], out[j - 1] + 5e-4)
    return out


def with_i0(cell: Cell, factor: float) -> Cell:
    """The cell with so many times its exchange current."""
    assert cell.rate is not None
    return replace(cell, rate=replace(cell.rate, i0_A=factor * cell.rate.i0_A))


def model_text(belief: Cell, kinetics: str, of: Fitted = CELL_1) -> str:
    """The [model] tables of a belief; kinetics: whose."""
    return (
        belief_text(belief, of) + "\n".join(law_tables(belief, kinetics, f"two cells of {HAKADI_REPOSITORY}", "model.")) + HEAT
    )


def left_out_text(cell: Cell) -> str:
    """Voltage errors of runs that were left out: of the pack's belief over HOLDS, of the rig's over I0_FACTORS."""
    names = "".join(f"{name:>10}" for name in CELL_1.runs)
    lines = [f"f held with        {names}       all"]
    lines += [_left_out(cell, factor, 1.0, 3, factor) for factor in HOLDS]
    lines += [f"exchange current   {names}       all"]
    lines += [_left_out(cell, factor, factor, RIG_TURNS, RIG_HOLD_FACTOR) for factor in I0_FACTORS]
    return "\n".join(lines)


def _left_out(cell: Cell, named: float, i0_factor: float, turns: int, hold: float) -> str:
    errors = [fit(with_i0(cell, i0_factor), turns, hold, name)[1][name] for name in CELL_1.runs]
    whole = float(np.sqrt(np.mean(np.square(errors))))
    return f"{named:<19g}" + "".join(f"{error:>7.1f} mV" for error in [*errors, whole])


def main(arguments: list[str]) -> int:
    """Fit, then write or compare."""
    if arguments not in ([], ["--check"], ["--left-out"]):
        print(f"unknown arguments {' '.join(arguments)}; expected nothing, --check or --left-out", file=sys.stderr)
        return 2
    cell = read_cell(CELL_FILE)
    if arguments == ["--left-out"]:
        print(left_out_text(cell))
        return 0
    status = 0
    rig = f"{RIG_I0:g} (chosen by runs of cell 1 left out) times the exchange current of {RIG}"
    for path, head, of, i0_factor, turns, hold, kinetics in (
        (BELIEF_FILE, "", CELL_1, 1.0, 3, HOLD_FACTOR, RIG),
        (RIG_FILE, RIG_HEAD, CELL_1, RIG_I0, RIG_TURNS, RIG_HOLD_FACTOR, rig),
        (OWN_FILE, OWN_HEAD, CELL_2, RIG_I0, RIG_TURNS, RIG_HOLD_FACTOR, rig),
    ):
        belief, rmse_mV = fit(with_i0(cell, i0_factor), turns, hold, of=of)
        print(f"{path.name}:")
        print("\n".join(f"{name:<10} {value:6.1f} mV RMS" for name, value in rmse_mV.items()))
        tables = model_text(belief, kinetics, of)
        text = head + tables if head else with_belief(path.read_text(encoding="utf-8"), tables)
        if not arguments:
            path.write_text(text, encoding="utf-8")
            continue
        found = differences(tomllib.loads(text), tomllib.loads(path.read_text(encoding="utf-8")))
        print("\n".join(f"{path.name}: {line}" for line in found) or f"{path.name}: as fitted")
        status = 1 if found else status
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
