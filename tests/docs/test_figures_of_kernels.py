"""What a page says of a kernel's figures is what the kernel has: who ports from the page gets the same limits and bands."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim import settings as cfg
from firmware_sim.estimate import belief, sodium
from firmware_sim.power import foresee, learn, limits

DOCS = Path(__file__).parents[2] / "docs"

SAID = [
    ("power.md", "{:g} of it on discharge", [foresee.DISCHARGE_SHARE]),
    ("power.md", "Up to {:g} of it more on discharge", [foresee.UNSURE_DISCHARGE]),
    ("power.md", "comes to {:g}²", [learn.MOST_SIGMA]),
    (
        "power.md",
        "Unseen {:g} of it more on charge, and up to {:g} more over the first {:g} %",
        [foresee.UNSEEN_CHARGE, foresee.UNSEEN_HIGH, 100 * foresee.HIGH_X],
    ),
    ("power.md", "{:g} more on discharge over the last {:g} %", [foresee.UNSEEN_LOW, 100 * foresee.NEAR_X]),
    ("power.md", "unseen to {:g} times that", [1.0 + foresee.UNSEEN_END]),
    ("power.md", "known to {:g}, the mean of both over {:g} s", [learn.KNOWN_SIGMA, learn.SHOWN_TAU_S]),
    (
        "power.md",
        "with {:g} that both share, {:g} of the fast and {:g} of the slow",
        [learn.SHOWN_SIGMA, learn.SHOWN_SPLIT, learn.SPLIT],
    ),
    ("power.md", "{:g} at larger currents, {:g} at smaller ones", [foresee.KINETIC_ERROR, foresee.SMALL_ERROR]),
    (
        "power.md",
        "rises to {:g} over the last {:g} % of the charge in reach and to {:g} over the first {:g} %",
        [foresee.LOW_ERROR, 100 * foresee.LOW_X, foresee.HIGH_ERROR, 100 * foresee.HIGH_X],
    ),
    ("power.md", "{:g} of all drops", [foresee.WHOLE_ERROR]),
    ("power.md", "{:g} of the drops that are to relax", [foresee.RELIEF_ERROR]),
    ("power.md", "by {:g} at 1C after 10 s and 25 degC", [foresee.AHEAD_SOC]),
    ("power.md", "up to {:g} s, and more in the cold: exp({:g} (1/T", [foresee.AHEAD_S, foresee.AHEAD_K]),
    ("power.md", "steeper than {:g} V", [foresee.PLAIN_SLOPE_V]),
    ("power.md", "what {:g} K move", [learn.TEMP_ERROR_K]),
    ("power.md", "{:g} K of temperature carried to the resistance", [learn.TEMP_ERROR_K]),
    ("power.md", "at most {:g} that both share and {:g} of each", [learn.MOST_SIGMA, learn.SPLIT]),
    ("power.md", "are means over {:g} s of $V - U$", [learn.ANCHOR_TAU_S]),
    ("power.md", "mean over {:g} s (tilde), least squares that forgets ({:g} s)", [learn.MEAN_TAU_S, learn.FORGET_S]),
    ("power.md", "less than {:g} C is told as 0", [limits.LEAST_PER_H]),
    ("power.md", "unseen less than {:g} C", [limits.LEAST_PER_H + limits.UNSEEN_LEAST_PER_H]),
    ("estimation.md", "an estimate of c above {:g} is put back to it", [sodium.NEW]),
    ("estimation.md", "SOC that was drawn are beside their means over {:g} s, dV", [cfg.SWING_S]),
    ("estimation.md", "swings by less than {:g} mV", [1e3 * sodium.LEAST_SWING_V]),
    ("estimation.md", "nor is anything after a gap of more than {:g} s", [cfg.SWING_S]),
    ("estimation.md", "f = min(passed_s / {:g} s, 1)", [cfg.SWING_S]),
    ("estimation.md", "if passed_s > {:g} s or |dD| < {:g} mV: return", [cfg.SWING_S, 1e3 * sodium.LEAST_SWING_V]),
    ("estimation.md", "swing_V2s / passed_s + ({:g} dD)^2", [sodium.SWING_SHARE]),
    ("estimation.md", "swing_V2s / tau + ({:g} dD)^2", [sodium.SWING_SHARE]),
    ("estimation.md", "(dV + rho dD)^2 < {:g} s", [sodium.MOST_SWINGS**2]),
    ("estimation.md", "if since_s < {:g} correct_s: return", [sodium.SOON]),
    ("estimation.md", "+ {:g} max(odd^2 - {:g}, 0) ", [sodium.ODD_PER_SOC, sodium.ODD_FROM]),
    ("estimation.md", "`age_sigma` in rho, -{:g} of it in c", [sodium.FADE]),
    ("estimation.md", "is read at {:g} to {:g} degC", [belief.COLDEST_DEGC, belief.HOTTEST_DEGC]),
]


@pytest.mark.parametrize(("page", "words", "figures"), SAID, ids=[words for _, words, _ in SAID])
def test_a_page_says_the_figures_that_the_kernel_has(page, words, figures):
    """Word for word, wherever a line of the page may end."""
    assert words.format(*figures) in " ".join((DOCS / page).read_text(encoding="utf-8").split())
