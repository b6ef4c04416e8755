"""The estimators of other packages that can run beside ours, and how each is set up.

The noise figures were chosen by tools/peer_tune.py on the runs of Hakadi cell 1, to which the tables of the calibration
were fitted: the settings of a grid with the least error there. No judged run was looked at. docs/peers-score.md says more.
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


_EKF = {"noise_V": 0.3, "soc_per_sqrt_s": 1e-5, "pair_V_per_sqrt_s": 1e-4, "drop_share": 1.0, "loop": 1.0}
_UKF = dict(_EKF)

PEERS = {
    "filterpy-ekf": Peer("filterpy", "workers.filterpy_ekf", _EKF),
    "filterpy-ekf-25degC": Peer("filterpy", "workers.filterpy_ekf", _EKF, temp_degC=25.0),
    "filterpy-ukf": Peer("filterpy", "workers.filterpy_ukf", _UKF),
    "filterpy-ukf-25degC": Peer("filterpy", "workers.filterpy_ukf", _UKF, temp_degC=25.0),
    "pybatteryse": Peer("pybatteryse", "workers.pybatteryse_ekf", {"noise_V": 0.3, "noise_A": 0.1}),
    "battlib": Peer("battlib", "workers.battlib_ekf", {"noise_V": 0.3}),
}
