"""What is wrong with the groups of a calibration, alone and against the cells of a pack, is said in sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import nabench, told
from rigs import MIXED

from hil import calibration

TEXT = MIXED.read_text(encoding="utf-8")
SPAN = "first = 8\nlast = 15\n"
MORE = '[[group]]\nname = "lfp"\nfirst = 14\nlast = 20\n\n[[limit]]\n'
WRONG = {
    "a group that runs backwards": (SPAN, "first = 15\nlast = 8\n", ["group[0].last 8 must not lie below first 15"]),
    "a name with a space": (
        'name = "lfp"', 'name = "l fp"', ['group[0].name "l fp" must be of letters, digits, "_" and "-"'],
    ),
    "a misspelt key": ("last = 15\n", "lst = 15\n", ['group[0].lst: unknown key; did you mean "last"?']),
    "a row of a group that does not exist": (
        'group = "lfp"\ncode = "CellOvervoltageMol"', 'group = "lpf"\ncode = "CellOvervoltageMol"',
        ['limit[10].group "lpf" does not exist; did you mean "lfp"?'],
    ),
    "a row on the temperature of a group": (
        'group = "lfp"\ncode = "CellOvervoltageMol"\nquantity = "cell_V_max"\nabove = 3.6',
        'group = "lfp"\ncode = "CellOvervoltageMol"\nquantity = "temp_max_degC"\nabove = 3.6',
        [
            'limit[10].group "lfp": temp_max_degC is one of the whole pack; groups have cell_V_max, cell_V_min, cell_spread_V'
        ],
    ),
    "a code twice in a group": (
        'group = "lfp"\ncode = "CellOvervoltageRsl"', 'group = "lfp"\ncode = "CellOvervoltageMol"',
        ['limit[11].code "CellOvervoltageMol" is that of limit[10] too'],
    ),
    "tiers of a group that do not widen": (
        "above = 3.65", "above = 3.55",
        [
            (
                'limit[11].above 3.55 of "CellOvervoltageRsl" (rsl) lies inside that of limit[10] "CellOvervoltageMol" (mol)'
                ", 3.6; tiers must widen from mol to rsl to msl"
            )
        ],
    ),
    "a group that nothing protects from overcharge": (
        'quantity = "cell_V_max"\nabove = 3.8\n', 'quantity = "cell_spread_V"\nabove = 3.8\n',
        [
            (
                'limit: group "lfp" has no row that opens the contactors at cell_V_max above a threshold, as other cells have; '
                "rows without a group do not look at its cells"
            )
        ],
    ),
    "a cell in two groups": (
        "[[limit]]\n", MORE, ['group[1].first 14: cell 14 is in group[0] "lfp" already'],
    ),
    "other cells without a name of their own": (
        "[[limit]]\n", MORE.replace("lfp", "nmc").replace("14", "16"),
        [
            "group[1].model: this key is missing; cells of another kind borrow nothing from [model]",
            "group[1].power: this key is missing; cells of another kind borrow nothing from [power]",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_group_is_said_by_check(tmp_path: Path, what: str) -> None:
    """One sentence for each thing wrong, with its key path."""
    old, new, sentences = WRONG[what]
    assert old in TEXT
    path = tmp_path / "own.toml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    ran = nabench("check", path)
    assert (2, "") == (ran.code, ran.out)
    assert told(path, sentences) == sorted(ran.problems)


def test_the_same_code_may_stand_once_for_each_kind() -> None:
    """As the file has it; and more cells of a group need no more than their numbers."""
    _, told_once = calibration.load(str(MIXED))
    assert 2 == len(told_once.kinds)
    assert ["CellOvervoltageMol", "CellOvervoltageMol@lfp"] == [
        row.label for row in told_once.limit if row.code == "CellOvervoltageMol"
    ]
    more = told_once.group[0].model_copy(update={"first": 16, "last": 20, "model": None, "power": None})
    grown = told_once.model_copy(update={"group": [*told_once.group, more]})
    assert 2 == len(grown.kinds)
    assert [1] * 13 + [0] == grown.kind_of(22)[8:]


@pytest.mark.parametrize(
    ("cells", "sentences"),
    [
        (["na"] * 8 + ["lfp"] * 8, []),
        (["na"] * 16, []),
        (["na"] * 12, ["group[0].last 15 does not exist; this pack has cell 0 to 11"]),
        (
            ["na"] * 7 + ["lfp"] * 9,
            [
                (
                    'group: this pack has "na" (cell 0 to 6), "lfp" (cell 7 to 7) among the cells that no group names; each '
                    "kind of cells needs a [[group]] of its own"
                )
            ],
        ),
        (
            ["na"] * 8 + ["lfp"] * 4 + ["nmc"] * 4,
            [
                (
                    'group: this pack has "lfp" (cell 8 to 11), "nmc" (cell 12 to 15) among group "lfp"; each kind of cells '
                    "needs a [[group]] of its own"
                )
            ],
        ),
    ],
)
def test_the_groups_are_held_against_the_cells_of_a_pack(cells: list[str], sentences: list[str]) -> None:
    """Two kinds of cells in what the calibration takes for one are refused, with their numbers."""
    path, believed = calibration.load(str(MIXED))
    assert [f"{path}: {sentence}" for sentence in sentences] == calibration.strangers(believed, path, cells)


def test_a_calibration_whose_model_is_of_no_cell_is_refused() -> None:
    """One kind of cells is left to [model]."""
    path, believed = calibration.load(str(MIXED))
    everything = believed.model_copy(update={"group": [believed.group[0].model_copy(update={"first": 0})]})
    (problem,) = calibration.strangers(everything, path, ["lfp"] * 16)
    assert f"{path}: group: every cell is in a group, so that [model] is of none; leave one kind of cells to [model]" == problem
