"""Drawn cells: how far from the belief, how spread, and always the same from one seed."""

from __future__ import annotations

import numpy as np
import pytest

from hil import calibration
from hil.plant import cellfile
from hil.score.dice import Dice
from hil.score.drawn import INSIDE, X, bent, draw, smooth
from hil.tables import voltage_curves

PAIRS = (("nfm-18650", "nfm-16s", (0.020, 0.030)), ("nvpf-hc", "nvpf-16s", (0.027, 0.033)))
N = 200


@pytest.mark.parametrize(("cell", "belief", "apart_V"), PAIRS)
def test_cell_and_belief_lie_as_far_apart_as_was_drawn(cell, belief, apart_V):
    """The RMS distance of the mean curves over SOC lies in the range asked for, and never below 20 mV."""
    kind, model = cellfile.load(cell)[1], calibration.load(belief)[1].model
    believed_V = voltage_curves(model.ocv, model.entropy, X)[0]
    for n in range(40):
        drawn = draw(kind, model, Dice(3, "t", n), apart_V=apart_V)
        rms_V = float(np.sqrt(np.mean((drawn.mean_V - believed_V)[INSIDE] ** 2)))
        assert rms_V == drawn.apart_V
        assert max(0.020, apart_V[0] - 1e-6) <= rms_V <= apart_V[1] + 1e-6


@pytest.mark.parametrize(("cell", "belief", "apart_V"), PAIRS)
def test_drawn_voltage_rises_everywhere(cell, belief, apart_V):
    """No error is so large that more charge means less voltage, on plateaus neither."""
    kind, model = cellfile.load(cell)[1], calibration.load(belief)[1].model
    for n in range(40):
        assert np.diff(draw(kind, model, Dice(4, "t", n), apart_V=apart_V).mean_V).min() > 0.0


@pytest.mark.parametrize(("cell", "belief", "stated_mV"), [("nfm-18650", "nfm-16s", 52.6), ("nvpf-hc", "nvpf-16s", 26.5)])
def test_files_are_as_far_apart_as_is_said_before_anything_is_drawn(cell, belief, stated_mV):
    """The distance that the docstring of hil.score.drawn states."""
    drawn = draw(cellfile.load(cell)[1], calibration.load(belief)[1].model, Dice(1, "t", 0), apart_V=None)
    assert stated_mV == pytest.approx(1e3 * drawn.apart_V, abs=0.05)


def test_parameters_spread_as_stated():
    """Over many draws capacity spreads by 3 % and resistance by 10 %, around what the cell file says."""
    kind, model = cellfile.load("nfm-18650")[1], calibration.load("nfm-16s")[1].model
    drawn = [draw(kind, model, Dice(5, "t", n), apart_V=None) for n in range(N)]
    capacity = np.array([one.capacity_Ah for one in drawn]) / kind.capacity_Ah
    resistance = np.array([one.resistance_scale for one in drawn])
    for found, sigma in ((capacity, 0.03), (resistance, 0.10)):
        assert float(np.mean(found)) == pytest.approx(1.0, abs=4.0 * sigma / N**0.5)
        assert float(np.std(found)) == pytest.approx(sigma, rel=0.2)


def test_errors_of_voltage_are_smooth_and_differ():
    """The smooth error correlates by 0.9 over a fifth of a knot, by about a half over one, and not between draws."""
    rows = np.array([smooth(Dice(6, "t", n), 0.15) for n in range(N)])[:, INSIDE]

    def correlation(lag: int) -> float:
        return float(np.mean(rows[:, lag:] * rows[:, : rows.shape[1] - lag]) / np.mean(rows**2))

    assert 1.0 == pytest.approx(float(np.sqrt(np.mean(rows**2))))
    assert correlation(6) > 0.9
    assert 0.3 < correlation(30) < 0.6
    assert abs(float(np.mean(rows[0::2] * rows[1::2]))) < 0.15


def test_bending_keeps_an_error_that_does_no_harm():
    """Where the curve is steep enough, the error is added as it is."""
    mean_V, error_V = 1.0 + 2.0 * X, 0.02 * np.minimum(np.maximum(X, 0.0), 1.0)
    assert mean_V + error_V == pytest.approx(bent(mean_V, error_V), abs=1e-12)


def test_draws_are_the_same_from_one_seed_and_unlike_from_another():
    """Seed, kind and number decide; nothing else does."""
    kind, model = cellfile.load("nfm-18650")[1], calibration.load("nfm-16s")[1].model
    first, again = (draw(kind, model, Dice(8, "t", 2)) for _ in range(2))
    assert first.capacity_Ah == again.capacity_Ah
    assert np.array_equal(first.mean_V, again.mean_V)
    for other in (Dice(9, "t", 2), Dice(8, "u", 2), Dice(8, "t", 3)):
        assert draw(kind, model, other).capacity_Ah != first.capacity_Ah


def test_dice_are_even_and_stay_in_their_range():
    """Uniform numbers fill their range evenly; a choice takes each option about as often."""
    dice = Dice(1, "t", 0)
    numbers = dice.uniform(2.0, 3.0, 4000)
    assert 2.0 <= numbers.min() < 2.01
    assert 2.99 < numbers.max() < 3.0
    assert np.histogram(numbers, 4, (2.0, 3.0))[0] == pytest.approx(np.full(4, 1000), abs=120)
    assert np.bincount(dice.choice((0.0, 1.0, 2.0), 3000).astype(int)) == pytest.approx(np.full(3, 1000), abs=120)
