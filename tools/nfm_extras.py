"""The tables of the layered-oxide 18650 beyond voltage, resistance and heat, as TOML, with what each rests on."""

from __future__ import annotations

from pathlib import Path

from nfm_model import Cell, array

# A third pair is too slow for TUB's pulses and 6 min rests; fits to the Hakadi discharges settle near these.
R3_SHARE, TAU3_S = 0.17, 1500.0
RATE = (
    "10 s pulses of 2C and 3C at 30, 50 and 70 % SOC, 5 to 45 degC, self-heating within the pulse counted; below 1C nothing "
    "was measured"
)
SLOW = (
    "(tools/loo_nfm.py: R3 0.14 to 0.18 of R2, 1400 to 1500 s), yet a fit without it errs no more; no data were found in "
    "which such a cell rests for hours"
)


def law_tables(cell: Cell, rig: str, hakadi: str, prefix: str = "") -> list[str]:
    """[rate] and [slow]."""
    if cell.rate is None or cell.slow is None:
        return []
    return [
        "",
        f"[{prefix}rate]",
        f'source = "{rig}: {RATE}"',
        'confidence = "fitted"',
        *array("temp_degC", cell.rate.degC, "g"),
        *array("i0_A", cell.rate.i0_A, ".3f"),
        f"reference_A = {cell.rate.reference_A}",
        f"r0_share = {cell.rate.r0_share:.3f}",
        "",
        f"[{prefix}slow]",
        f'source = "assumption: where fits to constant-current discharges of {hakadi} settle {SLOW}"',
        'confidence = "assumption"',
        f"r3_share = {cell.slow.r3_share}",
        f"tau3_s = {cell.slow.tau3_s}",
    ]


ASSUMED = "\n" + (Path(__file__).parent / "nfm-18650.assumed.toml").read_text(encoding="utf-8")
