"""What single precision does to the filters: the table of docs/estimation.md, from the kernels' own source.

    python tools/float32.py

Each method runs over the same readings in double and in single precision (tools/hooked.py): a recorded discharge and
recharge, an hour of simulated drive, and a load of C/50 for ten hours, in ticks of 10 ms with a voltage each 100 ms. Once as
the kernels stand, once with a compensated sum for the charge. --print leaves the page alone.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import hooked
import numba
import numpy as np

from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.estimate import sodium
from firmware_sim.types import F64
from hil.dut.estimator import Estimator
from hil.score import conditions, recorded
from hil.score.believe import beliefs_of
from hil.score.case import Case

PAGE = Path(__file__).parents[1] / "docs" / "estimation.md"
DT_NS, FRESH_TICKS = 10_000_000, 10
METHODS = ("counting", "ocv", "ekf", "ukf", "ekf-r", "sodium")
STATES = {"counting": 1, "ocv": 1, "ekf": 3, "ukf": 3, "ekf-r": 5, "sodium": sodium.N}
LEFT = st.N_CELL  # a row behind the last one, for what a sum lost
_COUNTED = "        cell[st.Z, p, i] -= dz\n"
# Kahan's sum: what an addition lost is taken off the next one.
_KAHAN = (
    f"        move = -dz - cell[{LEFT}, p, i]\n"
    "        sum_z = cell[st.Z, p, i] + move\n"
    f"        cell[{LEFT}, p, i] = (sum_z - cell[st.Z, p, i]) - move\n"
    "        cell[st.Z, p, i] = sum_z\n"
)
_CLIPPED = "        cell[st.Z, p, i] = min(max(cell[st.Z, p, i] - dz, 0.0), 1.0)\n"
# The remedy: what stands in the sources, and what is put there.
COMPENSATED = {
    "counting": [(_CLIPPED, f"{_KAHAN}        cell[st.Z, p, i] = min(max(cell[st.Z, p, i], 0.0), 1.0)\n")],
    **{name: [(_COUNTED, _KAHAN)] for name in ("ekf", "ekf_r", "sodium")},
}


class Found(NamedTuple):
    """(row,) SOC, half width of the band; least eigenvalue of the correlations."""

    soc: F64
    band: F64
    least: F64


def runner(m: dict[str, ModuleType], compiled: bool = True) -> Callable[..., None]:
    """The loop over readings, with hooked kernels."""
    refresh, ever, seed, step = m["belief"].refresh, 1e12, m["step"].seed, m["step"].step

    def run(
        current_A: F64, cell_V: F64, temp_degC: F64, ticks: int, fresh_ticks: int, out: F64, told: F64, cell: F64, r: F64,
        whole: Any, link: Any, valid: Any, cell_map: Any, stretches: Any, real: F64, kinds: F64, curves: F64,
        ln_r: F64, nodes: F64, n_nodes: Any, dt_ns: int, method: int,
    ) -> None:  # fmt: skip
        for row in range(current_A.shape[0]):
            for t in range(ticks):
                whole[st.UP_NS, 0] += dt_ns
                r[st.CURRENT_A, 0] = current_A[row]
                cell[st.TEMP, 0, 0] = temp_degC[row]
                link[st.FRESH, 0, 0] = 1 if t % fresh_ticks == 0 else 0
                if link[st.FRESH, 0, 0] == 1:
                    cell[st.VOLT, 0, 0] = cell_V[row]
                    link[st.SAMPLE_NS, 0, 0] = fresh_ticks * dt_ns
                if whole[st.IS_SEEDED, 0] == 0:
                    refresh(cell, 0, 0, 0, kinds, curves, ln_r, nodes, n_nodes, ever)
                    seed(method, cell, 0, 0, 0, real, told[0], told[1])
                    refresh(cell, 0, 0, 0, kinds, curves, ln_r, nodes, n_nodes, ever)
                    whole[st.IS_SEEDED, 0] = 1
                step(
                    cell, r, whole, link, valid, cell_map, stretches, real, kinds, curves, ln_r, nodes, n_nodes, 0, dt_ns, 1,
                    method,
                )  # fmt: skip
            out[0, row], out[1, row] = cell[st.Z_OUT, 0, 0], cell[st.BAND, 0, 0]
            for n in range(st.N_P):
                out[2 + n, row] = cell[st.P + n, 0, 0]

    return numba.njit(error_model="numpy")(run) if compiled else run


def arguments(case: Case, method: str, rounds: bool) -> tuple[list[Any], F64]:
    """Of the loop, and where it writes."""
    one = Estimator(beliefs_of(case), 1, 1, method, DT_NS)
    one.valid[:] = 1
    cell = np.vstack([one.cell, np.zeros((1, 1, 1))])
    out = np.zeros((2 + st.N_P, len(case.current_A)))
    told, t = np.array([case.start_soc, case.start_sigma]), one.tables
    found = [
        case.current_A, case.cell_V, case.temp_degC, case.dt_ns // DT_NS, FRESH_TICKS, out, told, cell, one.real,
        one.whole, one.link, one.valid, one.cell_map, t["stretches"], t["real"], t["kinds"], t["curves"],
        t["ln_r"], t["nodes"], t["n_nodes"], DT_NS, cfg.METHODS.index(method),
    ]  # fmt: skip
    if rounds:
        for at, value in enumerate(found):
            if isinstance(value, np.ndarray) and value.dtype == np.float64 and value is not out:
                found[at] = value.astype(np.float32).astype(np.float64)
    return found, out


def measure(run: Callable[..., None], case: Case, method: str, rounds: bool) -> Found:
    """A method over a case."""
    told, out = arguments(case, method, rounds)
    run(*told)
    n = STATES[method]
    upper, p = np.triu_indices(n), np.zeros((out.shape[1], n, n))
    p[:, upper[0], upper[1]] = p[:, upper[1], upper[0]] = out[2 : 2 + len(upper[0])].T
    sigma = np.sqrt(np.maximum(np.einsum("rii->ri", p), 1e-30))
    with np.errstate(invalid="ignore"):
        least = np.linalg.eigvalsh(np.nan_to_num(p / (sigma[:, :, None] * sigma[:, None, :])))[:, 0]
    return Found(out[0], out[1], least)


def trials() -> dict[str, Case]:
    """What is run over, by name."""
    (run,) = [case for case in recorded.cases("recharge") if case.data.endswith(" 1c-2-1")]
    (drive,) = conditions.drive(1, 1, air_degC=(25.0,))
    light = np.full(36_000, 0.02 * run.capacity_Ah)
    steady = replace(run, current_A=light, cell_V=np.full(36_000, 3.2), temp_degC=np.full(36_000, 25.0), start_soc=0.55)
    first = slice(0, 3600)
    hour = replace(drive, current_A=drive.current_A[first], cell_V=drive.cell_V[first], temp_degC=drive.temp_degC[first])
    return {"recorded discharge and recharge": run, "an hour of drive": hour, "C/50 for 10 h": steady}


def figure(x: float) -> str:
    """Two digits of a difference of SOC, in %."""
    return f"{100.0 * x:.2g}" if x >= 1e-6 else "<0.0001"


def markdown() -> str:
    """The table: each method over each trial, as it stands and with a compensated count."""
    plain = runner({name: importlib.import_module(f"firmware_sim.estimate.{name}") for name in hooked.NAMES})
    rough = runner(hooked.load(hooked.single, True, True))
    mended = runner(hooked.load(hooked.single, True, True, COMPENSATED))
    lines = [
        (
            "| run | method | SOC, max | RMS | band, max | compensated: SOC, max | RMS | band, max "
            "| least eigenvalue, double | single |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, case in trials().items():
        for method in METHODS:
            told, parts = measure(plain, case, method, False), [name, f"`{method}`"]
            found = [measure(run, case, method, True) for run in (rough, mended)]
            for one in found:
                error = np.abs(one.soc - told.soc)
                parts += [figure(error.max()), figure(np.sqrt(np.mean(error**2))), figure(np.abs(one.band - told.band).max())]
            parts += [f"{told.least.min():.2g}", f"{found[0].least.min():.2g}"]
            lines.append("| " + " | ".join(parts) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def write(name: str, text: str) -> None:
    """Between the marks of the page."""
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    page, n = marked.subn(lambda m: f"{m[1]}{text}\n{m[2]}", PAGE.read_text(encoding="utf-8"))
    if n != 1:
        raise SystemExit(f"{PAGE}: expected one pair of marks {name}, found {n}")
    PAGE.write_text(page, encoding="utf-8")


def main() -> None:
    """Measure, print, and write the page."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--print", action="store_true", dest="only_print")
    told = words.parse_args()
    text = markdown()
    print(text)
    if not told.only_print:
        write("float32", text)


if __name__ == "__main__":
    main()
