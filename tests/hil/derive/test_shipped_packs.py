"""The derived packs and calibrations as they are shipped: what the tool makes today, and what runs quietly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import changed, nabench
from make_packs import SYSTEMS, System, calibration_text, pack_text
from rigs import ROOT

from hil import files
from hil.derive.figures import of
from hil.plant import packfile

each = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)


@each
def test_shipped_files_are_what_their_cell_gives_today(system: System) -> None:
    """An edit of a cell, or of the derivation, is followed by `python tools/make_packs.py`."""
    assert files.shipped("pack")[system.name].read_text(encoding="utf-8") == pack_text(system)
    shipped = files.shipped("calibration")[system.name].read_text(encoding="utf-8")
    assert shipped == calibration_text(system)


@each
def test_a_power_profile_runs_quietly(tmp_path: Path, system: System) -> None:
    """Two minutes at up to 2C, or half of what the cells stand: nothing is reported and the state of charge is right.

    That of a single cell too, unless its curve is so flat that the 2 mV by which cells differ are more than a per cent. Where
    a string stands beside one of lithium, whose charge no rested voltage tells, nothing is asked of the state of charge.
    """
    _, pack, _, cell = packfile.load(system.name)
    figures = of(pack, cell)
    peak_W = cell.nominal_V * pack.series * min(2.0 * figures.pack_Ah, 0.5 * figures.discharge_A)
    quiet = (ROOT / "hil/scenarios/quiet-drive-cycle.scenario.toml").read_text(encoding="utf-8")
    quiet = changed(
        quiet,
        ('pack = "nfm-16s"', f'pack = "{system.name}"'),
        ("peak_W = 150.0", f"peak_W = {peak_W:.1f}"),
        ("profiles/", f"{ROOT}/hil/scenarios/profiles/"),
        ("cell = 7", "cell = 2"),
    )
    if np.interp(0.7, cell.ocv.soc, cell.ocv.charge_V) - np.interp(0.5, cell.ocv.soc, cell.ocv.charge_V) < 20 * 0.002:
        quiet = quiet.rpartition("[[expect]]")[0]
    if pack.group and pack.strings > 1:
        quiet = quiet.partition('[[expect]]\nkind = "soc"')[0]
    path = tmp_path / "quiet.scenario.toml"
    path.write_text(quiet, encoding="utf-8")
    ran = nabench("run", path, "--out", tmp_path / "runs")
    assert (0, "") == (ran.code, ran.err)
    assert "PASS quiet-drive-cycle" in ran.out
