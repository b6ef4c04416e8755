"""A believed capacity that cannot be that of the pack is refused, by check and by run, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import nabench

from hil import calibration, files, tables
from hil.plant import packfile

SCENARIO = """format = 1
name = "rest"
title = "Rest"
network = "classic"
pack = "own.pack.toml"
requirements = "reference"
duration_s = 1.0
"""


def own(folder: Path, pack: str, old: str, new: str, told: str = "") -> tuple[Path, Path]:
    """A copy of a shipped pack, with a copy of its calibration in which something is replaced; and a scenario with it."""
    shipped, decoded, _, _ = packfile.load(pack)
    text = calibration.load(decoded.calibration)[0].read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / "own.calibration.toml").write_text(text.replace(old, new), encoding="utf-8")
    lines = shipped.read_text(encoding="utf-8").replace(
        f'calibration = "{decoded.calibration}"', 'calibration = "own.calibration.toml"'
    )
    (folder / "own.pack.toml").write_text(lines.replace(*told.split(" -> ")) if told else lines, encoding="utf-8")
    (folder / "own.scenario.toml").write_text(SCENARIO, encoding="utf-8")
    return folder / "own.pack.toml", folder / "own.scenario.toml"


@pytest.mark.parametrize(
    ("pack", "old", "new", "told", "problem"),
    [
        (
            "nfm-16s", "capacity_Ah = 1.50675", "capacity_Ah = 15.0675", "",
            'model.capacity_Ah 15.0675: a measured cell "nfm-18650" of this pack holds 1.57345 Ah; expected 0.393 to 6.29 Ah',
        ),
        (
            "ev-192s", "capacity_Ah = 70.6", "capacity_Ah = 11.8", "",
            'model.capacity_Ah 11.8: a measured cell "lo-ev-12" of this pack holds 72 Ah; expected 18 to 288 Ah',
        ),
        (
            "nfm-16s", "capacity_Ah = 1.50675", "capacity_Ah = 1.4", "ntc_cells -> parallel = 6\nntc_cells",
            'model.capacity_Ah 1.4: a measured cell "nfm-18650" of this pack holds 9.4407 Ah; expected 2.36 to 37.8 Ah',
        ),
    ],
)  # fmt: skip
def test_a_slip_of_unit_or_cells_left_out_are_refused(
    tmp_path: Path, pack: str, old: str, new: str, told: str, problem: str
) -> None:
    """By a factor of ten or six; the file, what was found, what the pack holds and what is expected are named."""
    packed, scenario = own(tmp_path, pack, old, new, told)
    for words in (("check", packed), ("check", scenario), ("run", scenario, "--out", tmp_path / "runs")):
        ran = nabench(*words)
        assert 0 != ran.code
        assert problem in ran.err + ran.out
        assert "Traceback" not in ran.err + ran.out


@pytest.mark.parametrize(
    ("kind", "old", "new", "problem"),
    [
        (
            "calibration", "capacity_Ah = 1.50675", "capacity_Ah = 1506.75",
            "model.capacity_Ah 1506.75 and a resistance of 0.183 ohm at 25 degC make 276 ohm Ah",
        ),
        ("calibration", "tau1_s = 0.0598", "tau1_s = 1700.0", "model.resistance.tau1_s 1700; expected 0.0001 to 600"),
        ("calibration", "tau2_s = 60.0", "tau2_s = 60000.0", "model.resistance.tau2_s 60000; expected 0.01 to 36000"),
        ("calibration", "decay_per_soc = 40.0", "decay_per_soc = 1e9", "model.hysteresis.decay_per_soc 1e+09; expected 0.1"),
        (
            "calibration", "capacity_J_per_K = 33.0", "capacity_J_per_K = 0.033",
            "model.heat.capacity_J_per_K 0.033; expected 0.753375 to 30135",
        ),
        (
            "cell", "capacity_Ah = 1.57345", "capacity_Ah = 1573.45",
            "capacity_Ah 1573.45 and a resistance of 0.147 ohm at 25 degC make 231 ohm Ah; expected 0.001 to 10",
        ),
        (
            "cell", "heat_capacity_J_per_K = 37.0", "heat_capacity_J_per_K = 37000.0",
            "thermal.heat_capacity_J_per_K 37000; expected 0.786725 to 31469",
        ),
    ],
)  # fmt: skip
def test_figures_that_no_cell_has_are_refused(tmp_path: Path, kind: str, old: str, new: str, problem: str) -> None:
    """mAh, mOhm, ms, kJ: of the file alone, whatever pack it is for."""
    name = {"calibration": "nfm-16s", "cell": "nfm-18650"}[kind]
    text = files.shipped(kind)[name].read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / f"own.{kind}.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    ran = nabench("check", path)
    assert (2, True) == (ran.code, problem in ran.err), ran.err


def test_a_coin_cell_and_one_that_is_known_in_the_cold_alone_are_cells() -> None:
    """1.2 mAh in a can of 3.5 g; a table whose warmest row is -20 degC has more ohms, and nothing is said of them."""
    cell = packfile.load("nfm-16s")[3]
    small = [[1.57345 / 0.0012 * ohm for ohm in row] for row in cell.resistance.r0_ohm]
    coin = cell.resistance.model_copy(update={"r0_ohm": small, "r1_ohm": small, "r2_ohm": small})
    assert [] == tables.unlikely(0.0012, coin, cell.hysteresis, ("thermal.heat_capacity_J_per_K", 3.5))
    cold = coin.model_copy(update={"temp_degC": [-40.0 + row for row in range(len(coin.temp_degC))]})
    assert [] == tables.unlikely(1.5, cold, cell.hysteresis, None)
    assert 1 == len(tables.unlikely(1.5, coin, cell.hysteresis, None))


def test_resistances_in_milliohm_are_refused(tmp_path: Path) -> None:
    """All of them, as a data sheet has them."""
    model = calibration.load("nfm-16s")[1].model
    wrong = {
        name: [[1e3 * ohm for ohm in row] for row in getattr(model.resistance, name)] for name in ("r0_ohm", "r1_ohm", "r2_ohm")
    }
    data = model.model_dump() | {"resistance": model.resistance.model_dump() | wrong}
    with pytest.raises(ValueError, match="is one of them in mAh or mOhm"):
        type(model).model_validate(data)


def test_a_belief_that_is_wrong_on_purpose_runs(tmp_path: Path) -> None:
    """Half the capacity is what an old cell has."""
    packed, scenario = own(tmp_path, "nfm-16s", "capacity_Ah = 1.50675", "capacity_Ah = 0.75")
    assert 0 == nabench("check", packed).code == nabench("check", scenario).code


def test_a_group_is_held_against_its_own_cells() -> None:
    """In a mixed pack each kind has beliefs of its own."""
    path, believed = calibration.load("ab-na-lfp-16s")
    where, pack, _, cell = packfile.load("ab-na-lfp-16s")
    held_Ah = packfile.held_Ah(pack, [cell, *(one for _, one in packfile.others(where, pack))])
    assert [] == calibration.far_off(believed, path, pack.cell_names(), held_Ah)
    (problem,) = calibration.far_off(believed, path, pack.cell_names(), {**held_Ah, "lfp-12": 1.0})
    assert problem.startswith(
        f'{path}: group "lfp-12": model.capacity_Ah 11.8: a measured cell "lfp-12" of this pack holds 1 Ah'
    )


def test_every_pack_that_ships_is_believed_to_hold_what_it_holds() -> None:
    """None is near the bounds."""
    for name in files.shipped("pack"):
        where, pack, _, cell = packfile.load(name)
        path, believed = calibration.load(pack.calibration, where)
        held_Ah = packfile.held_Ah(pack, [cell, *(one for _, one in packfile.others(where, pack))])
        assert [] == calibration.far_off(believed, path, pack.cell_names(), {name: ah / 3.0 for name, ah in held_Ah.items()})
        assert [] == calibration.far_off(believed, path, pack.cell_names(), {name: ah * 3.0 for name, ah in held_Ah.items()})
