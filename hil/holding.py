"""What stands still in the frames of a mapping: roles that no frame carries, and signals without a role.

A role that no frame carries becomes a signal of zero bits in a frame that exists: it decodes to the constant whenever that
frame comes, so its age is that frame's age, and it takes no room on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_sim.wire.layout import (
    COUNT,
    CYCLE_NS,
    FIRST,
    FLOAT,
    GUARDED,
    KIND,
    LINK,
    OFFSET,
    RAW_NAN,
    SCALE,
    SLOT,
    WORD,
    WORD_0,
    Layout,
)
from hil import roles
from hil.mapping import Mapping
from hil.signal_rows import float64_bits


@dataclass(frozen=True)
class ConstantSignal:
    """A role that no frame carries, as far as others ask a database about it."""

    name: str
    value: float
    choices: dict[int, str]
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    comment: str = "constant of the mapping"


def hold(mapping: Mapping, layout: Layout, sent: bool) -> Layout:
    """A layout with the constants of its direction. sent: True for the frames of the device."""
    for row in mapping.constant:
        if row.role is not None and roles.is_sent(row.role) == sent:
            carrier = _frame_of(layout, row.carrier)
            layout = _with_constant(layout, row.role, row.value, carrier)
        elif row.signal is not None:
            message, _, name = row.signal.rpartition(".")
            signals = layout.signals.copy()
            for i, other in enumerate(layout.signal_names):
                owner = layout.slot_names[int(signals[i, SLOT])].partition("[")[0]
                if other == name and message in ("", owner):  # on every page on which it stands
                    raw = (row.value - layout.scales[i, OFFSET]) / layout.scales[i, SCALE]
                    signals[i, RAW_NAN] = float64_bits(float(raw)) if signals[i, KIND] & FLOAT else round(raw)
            layout = replace(layout, signals=signals)
    return layout


def _frame_of(layout: Layout, carrier: str | None) -> int:
    """Slot with which a constant comes."""
    if carrier is not None and carrier in layout.signal_names:
        return int(layout.signals[layout.index(carrier), SLOT])
    return int(np.argmin(layout.slots[:, CYCLE_NS]))


def _with_constant(layout: Layout, name: str, value: float, slot: int) -> Layout:
    """A layout with one more signal, of zero bits, at the end of a slot."""
    at = int(layout.slots[slot, FIRST] + layout.slots[slot, COUNT])
    row = np.zeros(layout.signals.shape[1], np.int64)
    row[SLOT], row[WORD] = slot, layout.slots[slot, WORD_0]
    slots = layout.slots.copy()
    slots[slot, COUNT] += 1
    slots[slot + 1 :, FIRST] += 1
    names, units = list(layout.signal_names), list(layout.units)
    links = layout.signals.copy()
    below = (links[:, KIND] & GUARDED != 0) & (links[:, LINK] >= at)
    links[below, LINK] += 1
    names.insert(at, name)
    units.insert(at, "")
    return replace(
        layout,
        signals=np.insert(links, at, row, axis=0),
        scales=np.insert(layout.scales, at, (1.0, value), axis=0),
        slots=slots,
        signal_names=tuple(names),
        units=tuple(units),
    )
