"""Did the fault really happen? Read back from the trace, without a line of the code that injected it.

Each observer says when the effect was first present, or why it was not what was asked for. A fault without effect makes
the run an ERROR: a verdict on a stimulus that did not happen would be a lie. A new primitive needs a line in OBSERVERS.
"""

from __future__ import annotations

from collections.abc import Callable

from hil.fault.catalogue import Bound
from hil.observe import bus, network, plant, sensor
from hil.observe.view import GO_ON, Effect, Moment, View, expected_on

__all__ = ["GO_ON", "OBSERVERS", "Effect", "Moment", "View", "expected_on", "observe"]

OBSERVERS: dict[str, Callable[[View, Bound], Effect]] = {
    "gain_offset": sensor.gain_offset,
    "hold": sensor.hold,
    "constant": sensor.constant,
    "swap_taps": sensor.swap_taps,
    "open_tap": sensor.open_tap,
    "drop": network.drop,
    "delay": network.delay,
    "double": network.double,
    "flip": network.flip,
    "freeze_counter": network.freeze_counter,
    "length": network.length,
    "set_cell": plant.parameter,
    "scale_cell": plant.parameter,
    "set_pack": plant.parameter,
    "set_sensor": plant.parameter,
    "set_contactor": plant.parameter,
    "bit_errors": bus.bit_errors,
    "noise": bus.noise,
    "hear_errors": bus.hear_errors,
    "cut": bus.cut,
    "babble": bus.babble,
    "reset": plant.reset,
    "reset_torn": plant.reset_torn,
}


def observe(view: View, fault: Bound) -> Effect:
    """Find the effect of one fault."""
    if fault.start_ns >= view.trace.n_ticks * view.trace.dt_ns:
        ended_s = view.trace.n_ticks * view.trace.dt_ns / 1e9
        return Effect(False, f"the run ended at {ended_s:g} s, before it could start", hint=GO_ON)
    return OBSERVERS[fault.kind.primitive](view, fault)
