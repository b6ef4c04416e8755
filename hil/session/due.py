"""What the device owed: whether a frame with a signal of it was due at all in a stretch of a session's record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_sim.types import I64
from hil import silence
from hil.fault.catalogue import Bound
from hil.observe import View


def nothing_due(view: View, base_ns: int, faults: Sequence[Bound], name: str, gap_ns: tuple[int, int]) -> bool:
    """Whether the device owed no frame with a signal in a stretch of a piece."""
    lost = {*view.setup.resets_ns, *(fault.start_ns for fault in faults if fault.kind.seam == "supply")}
    starts_ns = [-base_ns, *(at_ns - base_ns for at_ns in sorted(lost))]
    return silence.nothing_due(view, silence.slot_of(view, name), _told_ns(view, name), gap_ns, starts_ns)


def _told_ns(view: View, name: str) -> I64:
    """Frames with a signal of the device that told something, as it sent them or as they arrived."""
    series = view.log.series(name), view.log.said(name)
    return np.asarray(np.union1d(*(one.t_ns[one.told] for one in series)), np.int64)
