"""How the layered-oxide 18650 stands against what TU Berlin measured on it: pulses, charge, rested voltage in the cold.

python tools/tub_nfm.py            write the tables of docs/accuracy.md
python tools/tub_nfm.py --check    compare with them
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace

import numpy as np
from accuracy_page import compare, put, rms_mV
from nfm_model import CUT_OFF_V, F64, ONE_C_A, REST_S, ROOT, Bench, Cell, checkup, column, read_cell, table
from nfm_rate import against_table, largest

CELL_FILE = ROOT / "hil" / "plant" / "cells" / "nfm-18650.toml"
TEMPS = ("5", "15", "25", "35", "45")


def usable() -> list[dict[str, str]]:
    """Every discharge pulse of 1C in the table; all of 10 s are complete."""
    return [row for row in table("sib_pulse_resistance_1C_mohm.csv") if row["dir"] == "discharge"]


def pulse_errors(cell: Cell) -> dict[str, F64]:
    """Error of the 10 s resistance at every label, by temperature."""
    rows, out = usable(), defaultdict(list)
    for row, error in zip(rows, against_table(cell, rows), strict=True):
        out[row["t_set_c"]].append(error[2])
    return {degC: np.array(errors) for degC, errors in out.items()}


def without_row(cell: Cell, degC: float) -> Cell:
    """The cell without a row of resistance, and without the assumed one of -20 degC, which is made from that of 5 degC."""
    kept = [k for k, t in enumerate(cell.r_degC) if t not in (degC, -20.0)]
    return replace(cell, r_degC=cell.r_degC[kept], ln_r=cell.ln_r[kept])


def rested_05(cell: Cell) -> F64:
    """Error [V] of the rested voltage in the 5 degC checkup discharge, at the charge where it was read."""
    row = table("sib_protocol.csv")[0]
    bench, state, dt_s = Bench(cell), cell.full(5.0), 0.25
    par = cell.parameters(5.0)
    passed_Ah, rested_V = [0.0], [float("nan")]
    load_A = np.full(round(float(row["segment_s"]) / dt_s), ONE_C_A)
    for _ in range(int(row["n_segments"])):
        bench.run(par, state, load_A, dt_s, CUT_OFF_V)
        rested_V.append(float(bench.run(par, state, np.zeros(36), REST_S / 36)[-1]))
        passed_Ah.append(cell.capacity_Ah - float(state[0]))
    points = table("sib_ocv_05C_discharge.csv")
    simulated_V = np.interp(column(points, "q_ah"), passed_Ah[1:], rested_V[1:])
    return np.asarray(simulated_V - column(points, "ocv_v"))


def resistance(cell: Cell) -> list[str]:
    """Pulses: as fitted, with a temperature left out, and at higher currents."""
    mine, rate = pulse_errors(cell), largest(cell)
    lines = [
        "| degC | 1C, largest error % | 1C, RMS % | its row left out, largest error % | between or beyond rows | 2C % | 3C % |",
        "|---|---|---|---|---|---|---|",
        "| asked | <= 5 | | <= 15 | | <= 10 | <= 10 |",
    ]
    for degC in TEMPS:
        left = pulse_errors(without_row(cell, float(degC)))[degC]
        where = "beyond" if degC in ("5", "45") else "between"
        errors = 100 * mine[degC]
        lines.append(
            f"| {degC} | {np.abs(errors).max():.1f} | {np.sqrt(np.mean(errors**2)):.1f} | {100 * np.abs(left).max():.1f} "
            f"| {where} | {100 * abs(rate[degC, '2']):.1f} | {100 * abs(rate[degC, '3']):.1f} |"
        )
    return lines


def charge(cell: Cell) -> list[str]:
    """Charge of the checkup discharge, and of the circuit without the reach table."""
    lines = [
        "| degC | measured Ah | simulated Ah | error % | circuit alone Ah | circuit alone, error % |",
        "|---|---|---|---|---|---|",
        "| asked | | | within 2 | | shown |",
    ]
    for row in table("sib_protocol.csv"):
        wanted, found = float(row["q_dis_ah"]), checkup(cell, row)
        alone = checkup(replace(cell, reach=np.ones(len(cell.reach))), row)
        of_table, of_circuit = (f"{100 * (Ah / wanted - 1):+.1f}" for Ah in (found, alone))
        lines.append(f"| {row['t_set_c']} | {wanted:.3f} | {found:.3f} | {of_table} | {alone:.3f} | {of_circuit} |")
    error_V = rested_05(cell)
    median = f"median {1e3 * np.median(error_V):+.1f} mV"
    return [*lines, "", f"Rested voltage at 5 degC over charge: {rms_mV(error_V):.1f} mV RMSE (asked: 30), {median}."]


def main(arguments: list[str]) -> int:
    """Compute, then write or compare."""
    if set(arguments) - {"--check"}:
        print(f"unknown argument {arguments[0]}; expected --check", file=sys.stderr)
        return 2
    cell = read_cell(CELL_FILE)
    sections = {"tub-ohm": resistance(cell), "tub-charge": charge(cell)}
    return compare(sections) if "--check" in arguments else put(sections)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
