"""Faults of an arbitrated bus: what they are called in the table. They act inside the bus itself, see hil.bus.arbiter."""

from __future__ import annotations

# PRIMITIVE of the bus seam. TARGET: node of the network, or bus for NOISE.
# BIT_ERRORS   every A-th frame that the node sends is destroyed by itself, in its middle
# NOISE        every A-th frame on the bus is destroyed, for all nodes at once, in its middle
# HEAR_ERRORS  every A-th frame of others seems wrong to the node: it destroys it while it is error-active
# CUT          the node is not connected: nobody hears it, it hears nobody
# BABBLE       the node sends frames with id EXTRA without end, MASK bytes long and of byte C, A ns between them
BIT_ERRORS, NOISE, HEAR_ERRORS, CUT, BABBLE = range(5)
