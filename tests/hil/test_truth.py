"""What the truth says of a pack, where a cell has left the range of its charge."""

from __future__ import annotations

import numpy as np
import pytest
from stands import Stand, bare

from hil import truth
from hil.plant import cell as c
from hil.plant import cellfile

CELL = cellfile.load("nfm-18650")[1]


def soc_of(*shares: float) -> tuple[float, float]:
    """SOC and available SOC of a pack whose cells hold these shares of their capacity."""
    plant = Stand(bare(CELL, len(shares)), CELL, 10).plant
    plant.cells[c.Q_AH, 0, 0] = CELL.capacity_Ah * np.array(shares)
    plant.settle()
    row, sample = np.zeros(truth.N_COLUMNS), np.zeros((3, len(shares)))
    truth.observe(plant.cells, plant.par, plant.strings, plant.pack, plant.pack_par, plant.block, row, sample, True)
    assert list(shares) == pytest.approx(list(sample[truth.CELL_SOC]))
    return float(row[truth.SOC]), float(row[truth.AVAILABLE])


@pytest.mark.parametrize(
    ("shares", "soc"),
    [((0.4, 0.6), 0.4 / 0.8), ((-0.06, 0.95), 0.0), ((0.0, 1.0), 0.0), ((0.5, 1.03), 1.0), ((-0.088, 0.95, 0.95), 0.0)],
)
def test_the_soc_of_a_pack_stays_between_empty_and_full(shares: tuple[float, ...], soc: float) -> None:
    """A reversed cell is an empty one, an overcharged cell a full one, and between 0 and 1 there is no division by nothing."""
    found, available = soc_of(*shares)
    assert soc == pytest.approx(found)
    assert 0.0 <= available <= 1.0
