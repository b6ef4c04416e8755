"""Sensor errors on a case: sizes, signs, steps, losses, and always the same from one seed."""

from __future__ import annotations

import numpy as np
import pytest

from hil.score.case import Case
from hil.score.inject import SIGNS, clean, inject

N = 20_001
CAPACITY_AH = 3.0


def steady(data: str = "steady") -> Case:
    """A constant load, so that every deviation is an error of a sensor."""
    flat = np.ones(N)
    return Case(
        data=data,
        condition="drive",
        recorded=False,
        calibration="nfm-16s",
        capacity_Ah=CAPACITY_AH,
        dt_ns=1_000_000_000,
        current_A=2.0 * flat,
        cell_V=3.1004 * flat,
        temp_degC=25.1 * flat,
        reference=0.5 * flat,
        available=False,
        uncertainty=0.0,
        start_soc=0.5,
        start_sigma=0.02,
        window=(0.2, 0.54),
    )


def test_all_sixteen_combinations_are_there_once():
    """Four signs, each -1 or 1."""
    assert 16 == len(SIGNS) == len(set(SIGNS))
    assert all(abs(sign) == 1 for signs in SIGNS for sign in signs)


def test_errors_have_their_size_and_sign():
    """Mean current, voltage and temperature of each combination are off by the stated gain, offsets and 5 K."""
    readings = inject(steady(), SIGNS, 1)
    for p, (g, o, v, t) in enumerate(SIGNS):
        expected_A = 2.0 * (1.0 + 0.01 * g) + 0.005 * CAPACITY_AH * o
        assert expected_A == pytest.approx(float(np.mean(readings.current_A[:, p])), abs=2e-4)
        assert 3.1004 + 0.005 * v == pytest.approx(float(np.mean(readings.cell_V[:, p, 0])), abs=5e-5)
        assert 25.0 + 5.0 * t == readings.temp_degC[5, p, 0]


def test_noise_has_its_size():
    """1 mV of voltage, 0.2 % of 1C of current, and what their steps add."""
    readings = inject(steady(), SIGNS, 1)
    assert float(np.std(readings.cell_V[:, 3, 0])) == pytest.approx((0.001**2 + 0.001**2 / 12.0) ** 0.5, rel=0.03)
    assert float(np.std(readings.current_A[:, 3])) == pytest.approx(0.002 * CAPACITY_AH, rel=0.03)


def test_readings_stand_on_their_steps():
    """1 mV, 2 mA for a cell of 3 Ah, 0.5 K."""
    readings = inject(steady(), SIGNS, 1)
    for values, step in ((readings.cell_V, 0.001), (readings.current_A, 0.002), (readings.temp_degC, 0.5)):
        assert float(np.abs(values / step - np.rint(values / step)).max()) < 1e-6


def test_a_lost_frame_leaves_the_last_value_and_is_not_fresh():
    """One frame in a hundred is lost; the value before it stands."""
    readings = inject(steady(), SIGNS, 1)
    lost = readings.fresh[:, :, 0] == 0
    assert 0.01 == pytest.approx(float(np.mean(lost)), rel=0.1)
    assert not lost[0].any()
    assert np.array_equal(readings.cell_V[1:, :, 0][lost[1:]], readings.cell_V[:-1, :, 0][lost[1:]])
    held = readings.current_A[1:] == readings.current_A[:-1]
    assert float(np.mean(held[lost[1:]])) < 0.3  # losses of current are its own


def test_readings_are_the_same_from_one_seed():
    """Seed and case decide; another seed or another case has other noise."""
    one, again = inject(steady(), SIGNS, 4), inject(steady(), SIGNS, 4)
    assert np.array_equal(one.cell_V, again.cell_V)
    assert np.array_equal(one.current_A, again.current_A)
    assert not np.array_equal(one.cell_V, inject(steady(), SIGNS, 5).cell_V)
    assert not np.array_equal(one.cell_V, inject(steady("other"), SIGNS, 4).cell_V)


def test_a_combination_alone_is_the_one_of_the_batch():
    """Which combinations are asked for together changes nothing."""
    batch, alone = inject(steady(), SIGNS, 2), inject(steady(), SIGNS[5:6], 2)
    assert np.array_equal(batch.cell_V[:, 5], alone.cell_V[:, 0])
    assert np.array_equal(batch.current_A[:, 5], alone.current_A[:, 0])
    assert np.array_equal(batch.fresh[:, 5], alone.fresh[:, 0])


def test_clean_readings_are_the_truth():
    """No error at all, every voltage fresh."""
    readings = clean(steady())
    assert np.all(readings.current_A == 2.0)
    assert np.all(readings.cell_V == 3.1004)
    assert np.all(readings.temp_degC == 25.1)
    assert np.all(readings.fresh == 1)
