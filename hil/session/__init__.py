"""A running bench under the hand of a Python test: stimulate, advance time, look, and demand.

session    Session: what a test calls
stimulus   "cell[5].offset_V" and other short forms, and the handles of what was done
live       the latest value of each signal
tape       the record of the run, bounded in memory, and captures from it
claim      what was demanded, and the finding that the record gives for it
story      what was done, as a scenario that does it again
filed      the run folder of a session, and its second judgement
ports      the same bench under the names of ASAM XIL
"""

from __future__ import annotations

from hil.session.claim import Measured, Unmet
from hil.session.live import Value
from hil.session.session import Session
from hil.session.stimulus import Fault, Instant, Stimulus
from hil.session.tape import Capture, Track

__all__ = ["Capture", "Fault", "Instant", "Measured", "Session", "Stimulus", "Track", "Unmet", "Value"]
