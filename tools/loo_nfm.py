"""How well the circuit tells a run that it has not seen: layered-oxide 18650, fourteen recorded discharges of two cells.

    python tools/loo_nfm.py            fit every fold (minutes), write folds.json and the tables of the page
    python tools/loo_nfm.py --check    fit every fold and compare the figures with the page's

The page is docs/accuracy.md. SOC is the share of the run's own throughput: one number per run is given, also of a run that
is left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np
from accuracy_page import compare, put, rms_mV
from nfm_linear import FACTOR_RANGE, FACTOR_SOC, Fit, Laws, bench, discharge, errors_V, fit, throughput_Ah, tub
from nfm_model import F64, HAKADI, ROOM_DEGC, ROOT, legs
from scipy.optimize import least_squares

FOLDS = ROOT / "tests" / "data" / "hakadi-18650-naion" / "folds.json"
NAMES = tuple(sorted(path.name.removesuffix(".csv.gz") for path in HAKADI.glob("*.csv.gz")))
SESSIONS = {"cell 1": "-1-1", "cell 2, first": "-2-1", "cell 2, second": "-2-2"}
WINDOW_V = (2.7, 3.2)
LOWEST = 0.05
# Pairs at the same rate; the 1C discharge of 05_1c-2-3 is one more of cell 2.
SAME_CELL = (("0c5-2-1", "0c5-2-2"), ("1c-2-1", "1c-2-2"), ("1c-2-2", "05_1c-2-3"), ("1c5-2-1", "1c5-2-2"))
TWO_CELLS = tuple((f"{rate}-1-1", f"{rate}-2-1") for rate in ("0c5", "0c75", "1c", "1c5", "2c"))


def own_Ah() -> dict[str, float]:
    """Capacity of every run: its own throughput."""
    return {name: throughput_Ah(name) for name in NAMES}


def cell_of(name: str) -> str:
    """Cell 1 or 2."""
    return name.split("-")[-2]


def figures(found: Callable[[str], Fit], capacity_Ah: dict[str, float], names: Sequence[str] = NAMES) -> dict[str, float]:
    """RMSE pooled over all seconds, of the worst run, largest error from 5 to 100 %, RMSE in the window of OCV [mV]."""
    parts = {name: errors_V(found(name), name, capacity_Ah[name]) for name in names}
    error_V, x, ocv_V = (np.concatenate([part[k] for part in parts.values()]) for k in range(3))
    inside = (ocv_V >= WINDOW_V[0]) & (ocv_V <= WINDOW_V[1])
    return {
        "pooled": rms_mV(error_V),
        "worst": max(rms_mV(part[0]) for part in parts.values()),
        "max": 1e3 * float(np.abs(error_V[x >= LOWEST]).max()),
        "window": rms_mV(error_V[inside]),
    }


def folds() -> dict[str, Fit]:
    """Every fit that the page speaks of."""
    own = own_Ah()
    found = {"all": fit(NAMES, own)}
    start = found["all"].laws
    for name in NAMES:
        found[f"without {name}"] = fit([n for n in NAMES if n != name], own, start)
    for cell in "12":
        found[f"without cell {cell}"] = fit([n for n in NAMES if cell_of(n) != cell], own, start)
    for session, ending in SESSIONS.items():
        found[session] = fit([n for n in NAMES if n.endswith(ending)], own, start)
    fixed = fixed_Ah()
    for name in NAMES:
        found[f"fixed, without {name}"] = fit([n for n in NAMES if n != name], fixed, start)
    found["no third pair"] = fit(NAMES, own, replace(start, r3_share=1e-6), ("r3_share", "tau3_s"))
    found["no rate law"] = fit(NAMES, own, replace(start, i0_factor=1e3), ("i0_factor",))
    found["no self-heating"] = fit(NAMES, own, replace(start, coolant_W_per_K=3.0), ("coolant_W_per_K",))
    return found


def fixed_Ah() -> dict[str, float]:
    """One capacity for all runs: the mean of their throughputs."""
    return dict.fromkeys(NAMES, float(np.mean(list(own_Ah().values()))))


def write(found: dict[str, Fit]) -> None:
    """Keep the parameters of every fit, so that its figures can be had again without fitting."""
    out = {
        name: {
            "laws": {key: float(f"{value:.5g}") for key, value in asdict(one.laws).items()},
            "mean_V": np.round(one.mean_V, 5).tolist(),
            "factors": np.round(one.factors, 4).tolist(),
        }
        for name, one in found.items()
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in out.items()]
    FOLDS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


def read() -> dict[str, Fit]:
    """The fits that were kept."""
    data = json.loads(FOLDS.read_text(encoding="ascii"))
    return {name: Fit(Laws(**one["laws"]), np.array(one["mean_V"]), np.array(one["factors"])) for name, one in data.items()}


def apart_mV(one: str, other: str) -> float:
    """RMS difference [mV] of two recordings at equal share of their own throughput, 0 to 100 %."""
    grid = np.linspace(0.001, 0.999, 999)
    curves = []
    for leg in (discharge(one), discharge(other)):
        passed = np.cumsum(leg[:, 1]) / float(leg[:, 1].sum())
        curves.append(np.interp(grid, passed, leg[:, 0]))
    return rms_mV(curves[0] - curves[1])


def ohm_by_tub(found: Fit) -> F64:
    """10 s resistance of the circuit over FACTOR_SOC at 25 degC and 1C, as a share of the TUB cell's."""
    own, base = bench(found), bench(replace(found, factors=np.ones_like(found.factors)))
    row, at = 3, np.round(FACTOR_SOC * 100).astype(int)
    weight = np.array([1.0, 1.0, 1.0 - np.exp(-10.0 / tub().tau2_s)])
    ten = [weight @ np.exp(laid.ln_r[row][:, at]) for laid in (own, base)]
    return np.asarray(ten[0] / ten[1])


def recharge_V(found: Fit, name: str, loop: float, charge_ohm: float) -> F64:
    """Error [V] in the recharge of a run, with factors on the loop's width and on the resistance while charging.

    Charge and capacity are stretched alike, such that it returns what the discharge took: the sensor drifts.
    """
    down, up = legs(name)
    laid = bench(found)
    taken_Ah = float(down[:, 1].sum()) / 3600.0
    state = laid.cell.full(capacity_Ah=taken_Ah)
    laid.run(laid.cell.parameters(ROOM_DEGC, taken_Ah), state, down[:, 1].copy(), 1.0)
    laid.ln_r = laid.ln_r + np.log(charge_ohm)
    laid.curves[1] = laid.curves[1] * loop
    stretch = -float(up[:, 1].sum()) / float(down[:, 1].sum())
    state[0] *= stretch
    return laid.run(laid.cell.parameters(ROOM_DEGC, taken_Ah * stretch), state, up[:, 1].copy(), 1.0) - up[:, 0]


def separate(found: Fit, names: Sequence[str]) -> tuple[F64, float]:
    """Factors on loop and charge resistance that fit the recharges best, and how their errors are correlated."""

    def residuals(theta: F64) -> F64:
        parts = (recharge_V(found, name, theta[0], theta[1])[::10] for name in names)
        return np.concatenate([part / np.sqrt(len(part)) for part in parts])

    best = least_squares(residuals, np.array([1.0, 1.0]), diff_step=1e-2, bounds=([0.0, 0.2], [4.0, 3.0]))
    spread = np.linalg.inv(best.jac.T @ best.jac)
    return best.x, float(spread[0, 1] / np.sqrt(spread[0, 0] * spread[1, 1]))


def summary(found: dict[str, Fit]) -> list[str]:
    """Asked and reached."""
    own = own_Ah()
    run = figures(lambda name: found[f"without {name}"], own)
    cell = figures(lambda name: found[f"without cell {cell_of(name)}"], own)
    fixed = figures(lambda name: found[f"fixed, without {name}"], fixed_Ah())
    within = figures(lambda _: found["all"], own)
    rows = [
        ("each run left out, pooled RMSE", 16, run["pooled"]),
        ("each run left out, RMSE of the worst run", 30, run["worst"]),
        ("each run left out, largest error from 5 to 100 % SOC", 60, run["max"]),
        ("each run left out, RMSE where OCV is 2.7 to 3.2 V", 14, run["window"]),
        ("each cell left out, pooled RMSE", 24, cell["pooled"]),
        ("each cell left out, largest error from 5 to 100 % SOC", 70, cell["max"]),
    ]
    for session, ending in SESSIONS.items():
        names = [n for n in NAMES if n.endswith(ending)]
        alone = figures(lambda _, session=session: found[session], own, names)  # type: ignore[misc]
        rows.append((f"one cell and one session fitted alone ({session}), RMSE", 6, alone["pooled"]))
    lines = ["| | asked, mV | reached, mV |", "|---|---|---|"]
    lines += [f"| {name} | <= {asked} | {reached:.1f} |" for name, asked, reached in rows]
    lines += [
        f"| for comparison: all runs fitted, pooled RMSE in sample | | {within['pooled']:.1f} |",
        f"| for comparison: each run left out, one fixed capacity for all runs, pooled RMSE | | {fixed['pooled']:.1f} |",
        f"| floor without a model: one cell twice at the same rate | | {band(SAME_CELL)} |",
        f"| floor without a model: two cells at the same rate | | {band(TWO_CELLS)} |",
    ]
    for name in ("no third pair", "no rate law", "no self-heating"):
        without = figures(lambda _, name=name: found[name], own)  # type: ignore[misc]
        lines.append(f"| {name}: all runs fitted, pooled RMSE in sample | | {without['pooled']:.1f} |")
    return lines


def band(pairs: Sequence[tuple[str, str]]) -> str:
    """Smallest and largest difference of pairs of recordings."""
    apart = [apart_mV(*pair) for pair in pairs]
    return f"{min(apart):.1f} to {max(apart):.1f}"


def per_run(found: dict[str, Fit]) -> list[str]:
    """One line for each run."""
    own = own_Ah()
    columns = ("run", "own throughput Ah", "in sample mV", "left out mV", "left out, largest from 5 % mV")
    lines = [f"| {' | '.join((*columns, 'its cell left out mV', 'recharge mV'))} |", "|---|---|---|---|---|---|---|"]
    for name in NAMES:
        ways = ("all", f"without {name}", f"without cell {cell_of(name)}")
        one, two, three = (figures(lambda _, way=way: found[way], own, [name]) for way in ways)  # type: ignore[misc]
        up = rms_mV(recharge_V(found[f"without {name}"], name, 1.0, 1.0))
        lines.append(
            f"| `{name}` | {own[name]:.3f} | {one['pooled']:.1f} | {two['pooled']:.1f} | {two['max']:.1f} "
            f"| {three['pooled']:.1f} | {up:.1f} |"
        )
    return lines


def resistance(found: dict[str, Fit]) -> list[str]:
    """Factors on the TUB shape, of the fit to all runs and over all folds."""
    every = np.array([one.factors for name, one in found.items() if name.startswith("without")])
    ten = np.array([ohm_by_tub(one) for name, one in found.items() if name.startswith("without")])
    lines = ["| SOC % | R0, R1 | R2, R3 | 10 s resistance | 10 s, all folds |", "|---|---|---|---|---|"]
    mine, mine_10 = found["all"].factors, ohm_by_tub(found["all"])
    for k, soc in enumerate(FACTOR_SOC):
        span = f"{ten[:, k].min():.2f} to {ten[:, k].max():.2f}"
        lines.append(f"| {100 * soc:.0f} | {mine[0, k]:.2f} | {mine[1, k]:.2f} | {mine_10[k]:.2f} | {span} |")
    laws = found["all"].laws
    bounds = f"{every.min():.2f} to {every.max():.2f} (held in {FACTOR_RANGE[0]} to {FACTOR_RANGE[1]})"
    pair = f"R3 {laws.r3_share:.2f} of R2, tau3 {laws.tau3_s:.0f} s, {laws.coolant_W_per_K:.3f} W/K to the room"
    text = f"Laws of the fit to all runs: exchange current {laws.i0_factor:.2f} times TUB's, {pair}."
    return [*lines, "", f"Factors over all folds: {bounds}. {text}"]


def recharges(found: dict[str, Fit]) -> list[str]:
    """How far loop and charge resistance can be told apart."""
    one = found["all"]
    usual = [name for name in NAMES if not name.startswith("05_")]
    lines = ["| recharges | loop width | charge resistance | correlation of both |", "|---|---|---|---|"]
    for title, names in (("13 runs, all at 0.9C", usual), ("the same and the one at 0.45C", NAMES)):
        best, together = separate(one, names)
        lines.append(f"| {title} | x {best[0]:.2f} | x {best[1]:.2f} | {together:+.2f} |")
    return lines


def main(arguments: list[str]) -> int:
    """Fit, then write or compare."""
    if set(arguments) - {"--check"}:
        print(f"unknown argument {arguments[0]}; expected --check", file=sys.stderr)
        return 2
    found = folds()
    if "--check" not in arguments:
        write(found)
        found = read()
    sections = {"nfm": summary(found), "nfm-runs": per_run(found), "nfm-ohm": resistance(found), "nfm-up": recharges(found)}
    return compare(sections) if "--check" in arguments else put(sections)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
