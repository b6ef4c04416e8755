"""Devices under test: all speak frames, and the bench cannot tell them apart."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from firmware_sim.wire.layout import Events, Image
from hil.clock import Clock


class Dut(Protocol):
    """A device at the far end of the wire.

    lockstep: True when the device moves only when asked, so that virtual time is possible.
    """

    lockstep: bool

    def start(self, t_ns: int) -> None:
        """Power on at t_ns. Raises DutError when the device does not come up."""

    def reset(self, t_ns: int) -> None:
        """Lose and regain supply at t_ns; non-volatile memory survives."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """Deliver the frames of the tick at t_ns; take the frames sent by its end."""

    def close(self) -> None:
        """Leave the device safe and release what it holds."""


@runtime_checkable
class Torn(Protocol):
    """What a device can do whose memory the bench reaches."""

    def tear(self, t_ns: int) -> bool:
        """Lose supply at t_ns in the middle of a write to non-volatile memory, and regain it. False: there was no write."""


@runtime_checkable
class Compiled(Protocol):
    """What a device has besides that is a program of somebody else's, run by the bench."""

    def account(self) -> dict[str, Any]:
        """For the record: what it was made of, and in "fallen" when and how it ended, (time [ns], words)."""


@runtime_checkable
class Paced(Protocol):
    """What a device in wall time has besides: it lives on the bench's clock and says how well times are known.

    late_ns: in each tick, how long after its noted time a frame left, or how long nobody had looked when one came.
    """

    late_ns: list[int]

    def pace(self, clock: Clock) -> None:
        """Learn the bench's clock, before the start. Raises BenchError when it is a virtual one."""

    def notes(self) -> dict[str, Any]:
        """For the trace: stamp_ns (uncertainty of all times), blind (when the link could not be proven alive), counts."""
