"""The estimators of other packages that can run beside ours, and how each is set up.

The noise figures were chosen by tools/peer_tune.py on run 1c-1-1 of Hakadi cell 1, one of those to which the tables of the
calibration were fitted: the settings of a grid with the least error there. No judged run was looked at. docs/peers-score.md
says more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """One estimator of another package.

    package: its name in the index and in messages. module: worker that calls it, started with `python -m` in folder.
    step_s: the least step that it is given; faster readings are thinned. settings: noise figures, by name, of its worker.
    temp_degC: what it is told instead of the readings' temperature; None = theirs.
    """

    package: str
    module: str
    settings: dict[str, float] = field(default_factory=dict)
    step_s: float = 1.0
    temp_degC: float | None = None
    folder: Path = _HERE


_FILTERPY = {"noise_V": 3.0, "soc_per_sqrt_s": 1e-5, "pair_V_per_sqrt_s": 1e-3, "drop_share": 30.0, "loop": 1.0}

PEERS = {
    "filterpy-ekf": Peer("filterpy", "workers.filterpy_ekf", _FILTERPY),
    "filterpy-ekf-25degC": Peer("filterpy", "workers.filterpy_ekf", _FILTERPY, temp_degC=25.0),
    "filterpy-ukf": Peer("filterpy", "workers.filterpy_ukf", _FILTERPY),
    "filterpy-ukf-25degC": Peer("filterpy", "workers.filterpy_ukf", _FILTERPY, temp_degC=25.0),
    "pybatteryse": Peer("pybatteryse", "workers.pybatteryse_ekf", {"noise_V": 10.0, "noise_A": 0.03}),
    "battlib": Peer("battlib", "workers.battlib_ekf", {"noise_V": 3.0}),
}
