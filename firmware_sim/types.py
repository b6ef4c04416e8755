"""Words both sides of the wire use.

Positive current discharges the pack: every importer and mapping converts at its edge and says so.
Time is an integer number of nanoseconds; float seconds appear only in physics.
Arrays are laid out [pack, ...]; *pack* counts independent copies (the batch), not strings.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

F64: TypeAlias = npt.NDArray[np.float64]
I64: TypeAlias = npt.NDArray[np.int64]
U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]

MS_NS = 1_000_000
S_NS = 1_000_000_000
