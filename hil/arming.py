"""A real device moves real things: before anything is sent, what would be sent is listed, and somebody says that it may.

Every device that does not live in lockstep is taken for real, whatever its bus: nobody can see from here what stands at
the other end of one.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from hil.dut import Announced, Dut
from hil.errors import NotArmedError
from hil.lacks import Lacks
from hil.setup import Setup

Say = Callable[[str], None]
NOT_ARMED = "nothing was opened or sent: the device is real, and the bench is not armed"


def listing(setup: Setup, dut: Dut, lacks: Lacks | None = None) -> list[str]:
    """What a run would send, a line each; and what the bench lacks for it."""
    if isinstance(dut, Announced):
        lines = dut.sends()
    else:
        lines = [f"device {type(dut).__name__}: it does not say what it sends"]
    faults = [
        f"{fault.kind.name}{'' if fault.spec.target is None else f' on {fault.spec.target}'} at {fault.start_ns / 1e9:g} s"
        for fault in setup.faults
        if lacks is None or fault.spec.label not in lacks.faults
    ]
    missing = [] if lacks is None else lacks.lines(setup)
    return [*lines, *([f"with faults: {', '.join(faults)}"] if faults else []), *missing]


def demand(setup: Setup, dut: Dut, armed: bool, say: Say | None = None, lacks: Lacks | None = None) -> None:
    """Nothing for a device in lockstep; else say what will be sent. Raises NotArmedError when nobody armed the bench."""
    if dut.lockstep:
        return
    lines = listing(setup, dut, lacks)
    if not armed:
        raise NotArmedError(NOT_ARMED, lines)
    if say is not None:
        say("\n".join(lines))


def typed(words: Sequence[str]) -> str:
    """The command that goes on."""
    return shlex.join([*words, "--arm"])
