"""The CAN bus of a lockstep run: what a frame costs, who may send, who is in error.

load      longest durations and whether a schedule fits         response  worst-case response times of a schedule
length    exact durations, with every stuff bit                 confine   error counters, error-passive, bus-off
table     the columns of all blocks                             arbiter   the bus in time: one queue for all nodes
"""

from hil.bus.load import check_load, classic_bits, frame_ns

__all__ = ["check_load", "classic_bits", "frame_ns"]
