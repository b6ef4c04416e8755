"""Figures that no filter needs are refused: squares of them overflow, and nothing would say so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import nabench

from firmware_sim import settings as cfg
from hil import calibration, calibration_tables

SHIPPED = calibration.load("nfm-16s")[0]


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("filter.sodium", "temperature_sigma_K", "1e200", "1e+200; expected 1e-06 to 50"),
        ("filter.sodium", "correct_s", "1e9", "1e+09; expected 0.001 to 60"),
        ("filter.sodium", "correct_s", "5.0", "5 with a swing_V2s: expected less than 5 s, or swing_V2s = 0.0"),
        ("filter.sodium", "ocv_span_soc", "1e-300", "1e-300; expected 0.001 to 100"),
        ("filter.sodium", "curve_span_soc", "0.0", "0; expected 0.001 to 2"),
        ("filter.sodium", "flat_V", "2.0", "2; expected 0 to 1"),
        ("filter", "model_V2s", "1e9", "1e+09; expected 1e-09 to 1000"),
        ("filter", "current_error_A", "1e308", "1e+308; expected 0 to 2000"),
    ],
)
def test_a_figure_far_outside_is_refused_with_its_ends(tmp_path: Path, table: str, key: str, value: str, said: str) -> None:
    """In either table, with its place."""
    head, mark, rest = Path(SHIPPED).read_text(encoding="utf-8").partition(f"\n[{table}]\n")
    changed, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", rest, count=1, flags=re.MULTILINE)
    assert 1 == count
    path = tmp_path / "own.toml"
    path.write_text(head + mark + changed, encoding="utf-8")
    ran = nabench("check", path)
    assert (2, [f"{path}: {table}.{key} {said}"]) == (ran.code, ran.problems)


def test_the_time_over_which_a_voltage_swings_is_that_of_the_firmware() -> None:
    """What the calibration is held against is what the filter has."""
    assert calibration_tables.SWING_S == cfg.SWING_S
