"""The rest of the bus of a device in wall time, while the plant stands still: before the run and after it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware_sim.types import F64
from firmware_sim.wire.layout import Events, Image
from firmware_sim.wire.send import COUNTER, NEXT_NS, send_due, sender_state
from hil.network import Network
from hil.rig import CHUNK, Rig

NEVER_NS = 1 << 62
_STANDBY = 0.0


class RestOfBus:
    """What all nodes but the device send while the plant stands still: sensors as they read now, a request for standby.

    sender: state whose counters go on; None starts anew.  blank: signals that are sent without a value.  silent: slots that
    are not sent.  events: always empty.  reading: what the sensors read, and the request for standby.  readings: instead of
    the rig's, where no NaN.
    """

    def __init__(
        self,
        rig: Rig,
        network: Network,
        sender: Any = None,
        blank: Sequence[int] = (),
        silent: Sequence[int] = (),
        readings: F64 | None = None,
    ) -> None:
        self._layout = network.to_dut
        self._values = _reading(rig)
        if readings is not None:
            self._values[0] = np.where(np.isnan(readings), self._values[0], readings)
        if rig.request_roles[0] >= 0:
            self._values[0, rig.request_roles[0]] = _STANDBY
        self.reading: F64 = self._values[0].copy()
        self._values[:, list(blank)] = np.nan
        self.sender = sender_state(self._layout, 1)
        self.sender[:, NEXT_NS, list(silent)] = NEVER_NS
        if sender is not None:
            self.sender[:, COUNTER] = sender[:, COUNTER]
        self.events = Events.empty(1)
        self._image = Image.empty(self._layout, 1)
        self._free_ns = np.zeros((1, network.n_buses), np.int64)

    def image_at(self, t_ns: int) -> Image:
        """The frames that are due at t_ns."""
        layout, image = self._layout, self._image
        send_due(
            t_ns, self._values, self._free_ns, self.sender, layout.signals, layout.scales, layout.slots, layout.blank,
            image.words, image.meta,
        )  # fmt: skip
        return image


def rehearse(rig: Rig) -> None:
    """Go through two ticks, a lost supply and a full chunk of the trace with a twin of the rig.

    So no kernel has to be loaded, and no memory found, once the heart must beat.
    """
    twin = copy.deepcopy(rig, {id(rig.network): rig.network})
    image, events = Image.empty(rig.network.from_dut, 1), Events.empty(1)
    for _ in range(2):
        twin.advance()
        twin.sense()
        twin.send()
        twin.answer(image, events)
        twin.record()
    twin.release(twin.t_ns)
    twin.count(CHUNK - twin.k, 0)


def _reading(rig: Rig) -> Any:
    """What the sensors read now, without leaving a trace in the rig."""
    memory, row = rig.faults.memory.copy(), rig.request_row.copy()
    rig.sense()
    rig.faults.memory[...], rig.request_row[...] = memory, row
    return rig.values.copy()
